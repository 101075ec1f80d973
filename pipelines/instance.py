"""Dagster's home: where it keeps runs, events and schedules, and how it behaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from loupan.refresh_lock import is_refreshing
from loupan.settings import Settings
from pipelines.dagster_records import set_aside_damaged

WAREHOUSE_TAG = "loupan/warehouse"
# Runs of the tag's first value are launched by Dagster, one at a time. Those that `loupan refresh` makes in its own
# process have the second: Dagster cannot see that such a process was killed, and would wait for it for ever.
LAUNCHED, COMMAND = "refresh", "command"
# Dagster would begin again at the step that did not end; what is published must come from one refresh, loaded and
# checked as a whole.
RETRY_WHOLE = {"dagster/retry_strategy": "ALL_STEPS"}
# For Dagster to leave a run that ended in the midst of its work as it is.
NO_RETRY = {"dagster/max_retries": "0"}
# What became of older refreshes stays in `refresh_history.json`.
KEPT_RUNS = 100
# Who asked for a run, where that was a person.
STARTED_BY_TAG = "loupan/started_by"

CONFIG = {
    "telemetry": {"enabled": False},
    # The events say what happened; capturing the output of every step starts a process for each.
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
    # One writer of the warehouse. The lock file also holds off a `loupan refresh` started by hand.
    "concurrency": {"runs": {"tag_concurrency_limits": [{"key": WAREHOUSE_TAG, "value": LAUNCHED, "limit": 1}]}},
    # A run whose process was killed is marked as failed, so that the next can start.
    "run_monitoring": {"enabled": True},
    # It is tried again once; what failed for a reason of its own would fail again.
    "run_retries": {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False},
    # Without it the promised freshness is shown, but never looked at.
    "freshness": {"enabled": True},
}


def started_by(tags: Mapping[str, str]) -> str:
    """Name who started a run: a person, a schedule or a sensor; '' for the command line and Dagster's own pages."""
    for tag, kind in (("dagster/schedule_name", "schedule"), ("dagster/sensor_name", "sensor")):
        if tag in tags:
            return f"{kind} {tags[tag]}"
    return tags.get(STARTED_BY_TAG, "")


def _event_log(home: Path) -> dict[str, Any]:
    return {
        "module": "pipelines.event_log",
        "class": "PooledSqliteEventLogStorage",
        "config": {"base_dir": str(home / "history" / "runs")},
    }


def prepare_home(settings: Settings) -> Path:
    """Make Dagster's home with our configuration; returns the folder."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    config = CONFIG | {"event_log_storage": _event_log(home)}
    (home / "dagster.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return home


def fail_dead_runs(instance: dg.DagsterInstance, *kinds: str, except_run: str | None = None) -> None:
    """Record as failed the runs that Dagster believes to be running, but whose process is gone.

    Only for who holds the refresh's lock, which a living run would hold itself or wait for.

    Args:
        instance: Dagster's.
        kinds: values of the warehouse tag.
        except_run: the caller's own run.
    """
    unfinished = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=unfinished, tags={WAREHOUSE_TAG: list(kinds)})):
        if run.run_id != except_run:
            instance.report_run_failed(run, "The process of this run is gone; it was killed, or the machine stopped.")


def forget_old_runs(instance: dg.DagsterInstance, keep: int = KEPT_RUNS) -> None:
    """Delete the oldest of the ended runs beyond so many: each leaves some 5 MB of events, and Dagster deletes none."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=ended))[keep:]:
        instance.delete_run(run.run_id)


def bury_dead_runs(settings: Settings) -> None:
    """Record as failed all runs whose process is gone, unless a refresh is running at this moment.

    Before Dagster's daemon starts: it would keep a dead run's place in the queue for ever.
    """
    if not is_refreshing(settings.data_dir):
        set_aside_damaged(settings)
        with dg.DagsterInstance.get() as instance:
            fail_dead_runs(instance, LAUNCHED, COMMAND)
