"""The log of refreshes, whoever started them: ``refresh.log`` beside those of the service's programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from loupan import logs
from loupan.settings import Settings


@cache
def _logger(settings: Settings) -> logging.Logger:
    # Not in the tree of loggers: it writes to this file alone, whatever else its process logs to.
    logger = logging.Logger(__name__, logging.INFO)
    logger.addHandler(logs.rotating(settings.data_dir / "logs" / f"{logs.REFRESH}.log", settings, logs.REFRESH))
    return logger


def log_refresh(settings: Settings, state: Mapping[str, Any], seconds: float | None) -> None:
    """Write a line on a refresh that began or ended; only for who holds its lock, so that one process writes.

    Args:
        settings: where the log lies.
        state: a `loupan.refresh_state.RefreshState` as a mapping; its messages stay out.
        seconds: how long it took, None while it runs.
    """
    fields = {
        "refresh": state["refresh_id"],
        "outcome": state["outcome"],
        "version": state["version"],
        "as_of": state["as_of"],
        "seconds": seconds,
        "rows": sum(state["rows"].values()),
        "quarantined": sum(state["quarantined"].values()),
        "failed_checks": len(state["failed_checks"]),
    }
    level = logging.INFO if state["outcome"] in ("running", "published", "unchanged") else logging.WARNING
    known = {name: value for name, value in fields.items() if value is not None}
    _logger(settings).log(level, "refresh", extra=known)
