"""What became of the last refresh, whether it published or not: ``<data_dir>/last_refresh.json``."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from loupan.settings import Settings

Outcome = Literal["running", "published", "refused", "error"]


@dataclass
class RefreshState:
    """One refresh. Moments are ISO 8601 in UTC."""

    refresh_id: str
    started_at: str
    outcome: Outcome = "running"
    finished_at: str | None = None
    as_of: str | None = None
    version: str | None = None
    failed_checks: list[str] = field(default_factory=list)  # name and what is wrong
    error: str | None = None
    messages: list[str] = field(default_factory=list)  # what the load has to say, e.g. that it read another CRM
    rows: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)


def now() -> str:
    """Return the present moment."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _path(settings: Settings) -> Path:
    return settings.data_dir / "last_refresh.json"


def write_state(settings: Settings, state: RefreshState) -> None:
    """Replace the file atomically."""
    path = _path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(state), ensure_ascii=False, indent=2), encoding="utf-8")
    os.replace(temporary, path)


def read_state(settings: Settings) -> RefreshState | None:
    """Return the last refresh, None if there was none or its file cannot be read."""
    try:
        return TypeAdapter(RefreshState).validate_json(_path(settings).read_bytes(), strict=True)
    except (OSError, ValueError):
        return None
