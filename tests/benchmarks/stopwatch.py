"""A reporter of a refresh that keeps what each step took.

``python -m tests.benchmarks.stopwatch AS_OF`` refreshes in full, without models of statistics, and prints as JSON the
steps of the whole process, from its start.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from dataclasses import asdict, dataclass

import psutil

from loupan.settings import Settings, get_settings


@dataclass(frozen=True)
class Step:
    """What a step of a refresh took; core-seconds are those of this process, with all its threads."""

    name: str
    seconds: float
    core_seconds: float


class Stopwatch:
    """A reporter that keeps the steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def step(self, name: str, total: int | None = None) -> Watched:
        """Begin a step."""
        return Watched(self, name)


class Watched:
    """A step that has begun."""

    def __init__(self, watch: Stopwatch, name: str) -> None:
        self._watch, self._name, self._start, self._cores = watch, name, time.perf_counter(), time.process_time()

    def advance(self, pieces: int = 1, detail: str = "") -> None:
        """Count nothing: the step is measured as a whole."""

    def finish(self) -> None:
        """Keep what the step took."""
        taken = Step(self._name, time.perf_counter() - self._start, time.process_time() - self._cores)
        self._watch.steps.append(taken)


def watched_refresh(settings: Settings, as_of: dt.datetime) -> list[Step]:
    """Refresh in full and return the steps, with what remains of the whole as the last."""
    from pipelines.refresh import refresh

    watch = Stopwatch()
    whole = Watched(watch, "")
    refresh(settings, watch, full=True, as_of=as_of)
    whole.finish()
    *steps, all_of_it = watch.steps
    rest = Step(
        "the rest: parsing, Dagster's definitions and events",
        all_of_it.seconds - sum(step.seconds for step in steps),
        all_of_it.core_seconds - sum(step.core_seconds for step in steps),
    )
    return [*steps, rest]


def main(as_of: str) -> None:
    """Refresh what the environment names and print the steps."""
    import pipelines.refresh  # noqa: F401 - what the command imports before it begins

    began = Step("Python, settings and imports", time.time() - psutil.Process().create_time(), time.process_time())
    steps = watched_refresh(get_settings(), dt.datetime.fromisoformat(as_of))
    print(json.dumps([asdict(step) for step in (began, *steps)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
