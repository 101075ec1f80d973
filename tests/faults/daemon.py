"""Dagster's daemon with a clock that can be put on: ``python -m tests.faults.daemon CLOCK SOCKET``.

The scheduler, the queue of runs and what tries runs again are Dagster's own; only the moment they ask for is taken from
a file. Sensors are left out: they are evaluated elsewhere, by the true time.
"""

from __future__ import annotations

import datetime as dt
import sys
from contextlib import suppress
from pathlib import Path

from loupan.files import replace_text

# What no jump of the clock exceeds: heartbeats are measured by it, too.
_SECONDS_PER_YEAR = 366 * 86_400


class _Rounds:
    """The scheduler's rounds: it would sleep until the next minute of a clock that stands still."""

    def __init__(self, clock: Path) -> None:
        self._seen = seen_path(clock)
        self._last: float | None = None

    def next_one(self, start: float) -> float:
        """Write down the moment of the round that is over, and let the next begin soon."""
        if self._last is not None:
            replace_text(self._seen, dt.datetime.fromtimestamp(self._last, dt.UTC).isoformat())
        self._last = start
        return start + 0.2


def seen_path(clock: Path) -> Path:
    """Return the file with the last moment whose schedules have been evaluated."""
    return clock.with_suffix(".seen")


def main() -> None:
    clock, socket = Path(sys.argv[1]), sys.argv[2]

    import dagster as dg
    import dagster._time as dagster_time
    from dagster._core.workspace.load_target import GrpcServerTarget
    from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
    from dagster._daemon.controller import daemon_controller_from_instance
    from dagster._daemon.daemon import MonitoringDaemon, SchedulerDaemon
    from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
    from dagster._scheduler import scheduler

    from pipelines.service.programs import LOCATION

    def moment() -> dt.datetime:
        return dt.datetime.fromisoformat(clock.read_text(encoding="utf-8"))

    # What Dagster's own tests replace.
    dagster_time._mockable_get_current_datetime = moment
    dagster_time._mockable_get_current_timestamp = lambda: moment().timestamp()
    scheduler._get_next_scheduler_iteration_time = _Rounds(clock).next_one
    daemons = (
        SchedulerDaemon(),
        QueuedRunCoordinatorDaemon(interval_seconds=1),
        MonitoringDaemon(interval_seconds=1),
        EventLogConsumerDaemon(interval_seconds=1),
    )
    with (
        dg.DagsterInstance.get() as instance,
        daemon_controller_from_instance(
            instance,
            GrpcServerTarget(host="localhost", socket=socket, port=None, location_name=LOCATION),
            heartbeat_tolerance_seconds=_SECONDS_PER_YEAR,
            gen_daemons=lambda _: daemons,
        ) as controller,
        suppress(KeyboardInterrupt),  # as Dagster's own command ends
    ):
        controller.check_daemon_loop()


if __name__ == "__main__":
    main()
