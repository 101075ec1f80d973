"""SIGKILL at a random moment of each step of a refresh."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from tests.faults.company import MINUTE, Watched, place_anew
from tests.faults.trial import Fault, Trial

_TRIES = 10


def _kill_in(step: str) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        for _ in range(_TRIES):
            refresh = Watched(trial.company, *trial.chance.choice([("--full",), ()]))
            if refresh.wait_for(step):
                # A quick step may have given way to the next by then; the table says where the kill fell.
                time.sleep(trial.chance.uniform(0, trial.prepared.seconds[step]))
                with suppress(ProcessLookupError):
                    os.killpg(refresh.pid, signal.SIGKILL)
            refresh.wait(MINUTE)
            if refresh.returncode == -signal.SIGKILL:
                trial.where = refresh.step
                return
            place_anew(trial.company, trial.prepared)
        raise AssertionError(f"each refresh had ended before it could be killed in {step}")

    return inject


FAULTS = (
    Fault("kill-ingest", "kill -9 while the CRM is loaded", _kill_in("ingest"), 40),
    Fault("kill-checks", "kill -9 while the loaded tables are checked", _kill_in("checks"), 40),
    Fault("kill-dbt", "kill -9 while dbt builds and tests", _kill_in("dbt"), 40),
    Fault("kill-models", "kill -9 while the models run", _kill_in("models"), 40, models=True),
    Fault("kill-publish", "kill -9 while publishing", _kill_in("publish"), 45),
)
