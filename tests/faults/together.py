"""Several refreshes at once, by hand and by Dagster."""

from __future__ import annotations

import socket
from collections.abc import Callable

from loupan.settings import Settings
from loupan.snapshot import list_snapshots
from tests.faults.company import MINUTE, MOMENT
from tests.faults.trial import Fault, Trial
from tests.pipelines.test_orchestrate import orchestrating


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


def _with_dagster(trial: Trial) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with orchestrating(trial.company.environment, port) as dagster:
        repository = dagster.wait_for_location()
        by_hand = [trial.company.start("refresh", "--as-of", MOMENT) for _ in range(2)]
        run = dagster.launch(repository, "refresh", {"ops": {"raw_tables": {"config": {"as_of": f"{MOMENT}+00:00"}}}})
        status = dagster.wait_for_run(run)
        trial.expect(status == "SUCCESS", f"the run of Dagster ended as {status}")
        for process in by_hand:
            process.wait(5 * MINUTE)
            trial.published(process.returncode, "".join(process.output()))
    trial.expect(_versions(trial) == 4, f"{_versions(trial)} snapshots instead of 4")


FAULTS = (
    Fault("two-at-once", "two refreshes at once", _at_once(2), 3),
    Fault("five-at-once", "five refreshes at once", _at_once(5), 2),
    Fault("with-dagster", "one launched by Dagster and two by hand at once", _with_dagster, 3),
)
