"""How far the running refresh has come, and the log of each, for whoever watches from another process.

The steps stand in ``<data_dir>/refresh_progress.json``, the log in ``<data_dir>/logs/refreshes/<refresh>.log``.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from loupan.files import replace_text
from loupan.settings import Settings

LOGS_KEPT = 200
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass
class StepProgress:
    """One step of a refresh. Moments are ISO 8601 in UTC."""

    name: str
    started_at: str
    finished_at: str | None = None
    done: int = 0
    total: int | None = None  # pieces; None if their number is unknown
    detail: str = ""  # the last piece


@dataclass
class RefreshProgress:
    """The steps of one refresh, in order; the last may be unfinished."""

    refresh_id: str
    steps: list[StepProgress]


_PROGRESS = TypeAdapter(RefreshProgress)


def _path(settings: Settings) -> Path:
    return settings.data_dir / "refresh_progress.json"


def write_progress(settings: Settings, progress: RefreshProgress) -> None:
    """Write down how far a refresh has come."""
    replace_text(_path(settings), json.dumps(asdict(progress), ensure_ascii=False))


def read_progress(settings: Settings, refresh_id: str) -> RefreshProgress | None:
    """Return how far a refresh has come, None if that is not known (any more)."""
    try:
        progress = _PROGRESS.validate_json(_path(settings).read_bytes())
    except (OSError, ValueError):
        return None
    return progress if progress.refresh_id == refresh_id else None


def logs_dir(settings: Settings) -> Path:
    """Return the folder of the logs."""
    return settings.data_dir / "logs" / "refreshes"


def log_path(settings: Settings, refresh_id: str) -> Path:
    """Return where the log of a refresh lies.

    Raises:
        ValueError: if the name cannot be one of a refresh.
    """
    if not _NAME.fullmatch(refresh_id):
        raise ValueError(f"{refresh_id!r} is no name of a refresh")
    return logs_dir(settings) / f"{refresh_id}.log"


def write_log(settings: Settings, refresh_id: str, lines: Sequence[str]) -> None:
    """Add lines to the log of a refresh, each with the moment; the oldest logs go."""
    path = log_path(settings, refresh_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    moment = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    with path.open("a", encoding="utf-8") as log:
        # A line break within a text would make two entries of one.
        log.writelines(f"{moment} {' '.join(line.split())}\n" for line in lines)
    if is_new:
        logs = sorted(path.parent.glob("*.log"), key=os.path.getmtime)
        for old in logs[:-LOGS_KEPT]:
            old.unlink(missing_ok=True)


def read_log(settings: Settings, refresh_id: str) -> str:
    """Return the log of a refresh, empty if there is none."""
    try:
        return log_path(settings, refresh_id).read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
