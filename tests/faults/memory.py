"""A limit of memory that a refresh reaches."""

from __future__ import annotations

from tests.faults.company import ERROR, MINUTE, PUBLISHED, Watched
from tests.faults.trial import Fault, Trial

# Beyond what the process has at its start.
_MEBIBYTES = (20, 900)
# With which the dynamic loader ends a process, where there is no memory for a thread.
_LOADER = 127


def _limit(trial: Trial) -> None:
    limit = int(trial.chance.uniform(*_MEBIBYTES))
    refresh = Watched(trial.company, "--full", limit=limit << 20)
    code = refresh.wait(10 * MINUTE)
    said = "".join(refresh.output())
    trial.where = f"{refresh.step}, {_ended(code)}"
    # Where memory for a message is lacking too, the system ends the process.
    trial.expect(code in (PUBLISHED, ERROR, _LOADER) or code < 0, f"ended with {code} at {limit} MiB: {said[-2000:]}")
    if code == ERROR:
        trial.refused_kindly(code, said, "memory")
    trial.readers_read()


def _ended(code: int) -> str:
    return {PUBLISHED: "room enough", ERROR: "message"}.get(code, "ended by the system")


FAULTS = (Fault("memory-limit", "memory limit reached", _limit, 12),)
