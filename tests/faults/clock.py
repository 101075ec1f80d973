"""Clocks that are wrong: of the refresh (by libfaketime, which DuckDB obeys as well) and of a writer."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.faults.company import ERROR, MINUTE, MOMENT, PUBLISHED
from tests.faults.trial import Fault, Trial

_LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
_JUMPS = ("+10d", "-10d", "+400d", "-3h", "+1s", "-25y", "+0")


def _refresh_at(trial: Trial, offset: str, jumping: bool = False) -> tuple[int, str]:
    """Refresh by a clock that is wrong by an offset, or jumps to others several times a second."""
    if _LIBRARY is None:
        raise FileNotFoundError("libfaketime is not installed (Debian: apt-get install faketime)")
    clock = trial.company.place / "clock"
    clock.write_text(offset)
    wrong = {
        "LD_PRELOAD": str(_LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-c", "from loupan.cli import run; run()", "refresh", "--as-of", MOMENT],
        env=trial.company.environment | wrong,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        stop = threading.Event()

        def jump() -> None:
            while not stop.is_set():
                changed = clock.with_suffix(".new")
                changed.write_text(trial.chance.choice(_JUMPS))
                changed.replace(clock)
                time.sleep(0.2)

        jumper = threading.Thread(target=jump)
        if jumping:
            jumper.start()
        try:
            said, _ = process.communicate(timeout=10 * MINUTE)
        finally:
            stop.set()
            if jumping:
                jumper.join()
    return process.returncode, said


def _wrong(trial: Trial) -> None:
    offset = trial.chance.choice(["+3y", "+36h", "-36h", "-20y"])
    trial.where = offset
    trial.published(*_refresh_at(trial, offset))
    trial.expect(trial.company.current != trial.prepared.version, "the refresh by the wrong clock left no snapshot")


def _jumping(trial: Trial) -> None:
    code, said = _refresh_at(trial, "+0", jumping=True)
    trial.where = "published" if code == PUBLISHED else "error"
    trial.expect(code in (PUBLISHED, ERROR), f"ended with {code}: {said[-2000:]}")
    trial.expect("Traceback" not in said, f"a traceback instead of a message: {said[-2000:]}")


def _writers(trial: Trial) -> None:
    """Rows from the future, then rows by the right clock: the load must see both, though its cursor ran ahead."""
    company = trial.company
    company.change_crm("UPDATE lead SET intent_level = 'B', updated_at = '2099-01-01 00:00:00' WHERE id % 3 = 0")
    code, said = company.refresh()
    trial.published(code, said)
    company.change_crm(
        "UPDATE lead SET intent_level = 'C', updated_at = '2026-07-02 00:00:00' WHERE id % 7 = 0",
        "UPDATE lead SET updated_at = '1970-01-01 00:00:00', intent_level = 'A' WHERE id % 11 = 0",
    )
    trial.expect_present_crm()


FAULTS = (
    Fault("clock-wrong", "clock of the refresh years or hours off", _wrong, 4),
    Fault("clock-jumping", "clock jumps to and fro during the refresh", _jumping, 6),
    Fault("clock-writers", "rows with a change in the future, then the clock is put right", _writers, 2),
)
