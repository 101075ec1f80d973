"""Several refreshes at once, by hand and by Dagster."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from loupan.settings import Settings
from loupan.snapshot import list_snapshots
from tests.faults.company import MINUTE, MOMENT
from tests.faults.trial import Fault, Trial
from tests.support.dagster_ui import DagsterUI


def _versions(trial: Trial) -> int:
    return len(list_snapshots(Settings(data_dir=trial.company.data_dir)))


def _at_once(number: int) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        began = [trial.company.start("refresh", "--as-of", MOMENT) for _ in range(number)]
        trial.readers_read()
        for process in began:
            process.wait(number * 5 * MINUTE)
            trial.published(process.returncode, "".join(process.output()))
        trial.expect(_versions(trial) == number + 1, f"{_versions(trial)} snapshots instead of {number + 1}")

    return inject


@contextmanager
def _orchestrator(trial: Trial) -> Iterator[DagsterUI]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-c", "from loupan.cli import run; run()", "orchestrate", "--port", str(port)],
        env=trial.company.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield DagsterUI(port)
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(MINUTE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _with_dagster(trial: Trial) -> None:
    with _orchestrator(trial) as dagster:
        repository = dagster.wait_for_location()
        by_hand = [trial.company.start("refresh", "--as-of", MOMENT) for _ in range(2)]
        config = {"ops": {"raw_tables": {"config": {"as_of": f"{MOMENT}+00:00"}}}}
        status = dagster.run_job(repository, "refresh", config)
        trial.expect(status == "SUCCESS", f"the run of Dagster ended as {status}")
        for process in by_hand:
            process.wait(5 * MINUTE)
            trial.published(process.returncode, "".join(process.output()))
    trial.expect(_versions(trial) == 4, f"{_versions(trial)} snapshots instead of 4")


FAULTS = (
    Fault("two-at-once", "two refreshes at once", _at_once(2), 5),
    Fault("five-at-once", "five refreshes at once", _at_once(5), 3),
    Fault("with-dagster", "one launched by Dagster and two by hand at once", _with_dagster, 2),
)
