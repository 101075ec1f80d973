"""Dagster's home: where it keeps runs, events and schedules, and how it behaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from loupan.settings import Settings

WAREHOUSE_TAG = "loupan/warehouse"

CONFIG = {
    "telemetry": {"enabled": False},
    # The events say what happened; capturing the output of every step starts a process for each.
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
    # One writer of the warehouse. The lock file also holds off a `loupan refresh` started by hand.
    "concurrency": {"runs": {"tag_concurrency_limits": [{"key": WAREHOUSE_TAG, "value": "refresh", "limit": 1}]}},
    # A run whose process was killed is marked as failed, so that the next can start.
    "run_monitoring": {"enabled": True},
}


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
