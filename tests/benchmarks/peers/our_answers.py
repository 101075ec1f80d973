"""The questions answered by the gateway; ``python -m tests.benchmarks.peers.our_answers DATA_DIR ANSWERS``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from loupan.metrics import Metrics
from loupan.settings import Settings
from loupan.snapshot import current
from tests.benchmarks.peers.questions import QUESTIONS, asked


def main(data_dir: str, target: str) -> None:
    metrics = Metrics(current(Settings(data_dir=Path(data_dir))))
    answers = {
        question.metric: [[*group, *values] for group, values in asked(metrics, question).items()]
        for question in QUESTIONS
    }
    Path(target).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
