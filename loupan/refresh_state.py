"""What became of refreshes, whether they published or not.

The last one stands in ``<data_dir>/last_refresh.json``, those that have ended in ``<data_dir>/refresh_history.json``.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from loupan.files import replace_text
from loupan.settings import Settings
from loupan.snapshot import Snapshot, SnapshotError, list_snapshots

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


_HISTORY = TypeAdapter(list[RefreshState])
_REMEMBERED = 500


def now() -> str:
    """Return the present moment."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _path(settings: Settings) -> Path:
    return settings.data_dir / "last_refresh.json"


def write_state(settings: Settings, state: RefreshState) -> None:
    """Write down what has become of a refresh; one that has ended stays in the history."""
    path = _path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = read_state(settings)
    if before is not None and before.outcome == "running" and before.refresh_id != state.refresh_id:
        # Who is killed cannot write down what became of the refresh.
        before.outcome, before.error = "error", "the refresh was interrupted"
        _remember(settings, before)
    if state.outcome != "running":
        _remember(settings, state)
    replace_text(path, json.dumps(asdict(state), ensure_ascii=False, indent=2))


def _history_path(settings: Settings) -> Path:
    return settings.data_dir / "refresh_history.json"


def _remember(settings: Settings, state: RefreshState) -> None:
    others = [known for known in _recorded(settings) if known.refresh_id != state.refresh_id]
    replace_text(_history_path(settings), _HISTORY.dump_json([*others, state][-_REMEMBERED:], indent=0).decode())


def _recorded(settings: Settings) -> list[RefreshState]:
    try:
        return _HISTORY.validate_json(_history_path(settings).read_bytes())
    except (OSError, ValueError):
        return []


def read_history(settings: Settings) -> list[RefreshState]:
    """Return the refreshes that have ended, published or not, oldest first.

    Kept snapshots from before there was a history count too, as far as their reports tell.
    """
    recorded = _recorded(settings)
    versions = {state.version for state in recorded}
    older = [_of_report(s) for s in list_snapshots(settings) if s.version not in versions]
    return sorted([*recorded, *filter(None, older)], key=lambda state: state.started_at)


def _of_report(snapshot: Snapshot) -> RefreshState | None:
    try:
        report = snapshot.report
    except SnapshotError:
        return None
    published = snapshot.published_at.isoformat(timespec="seconds")
    return RefreshState(
        refresh_id=str(report.get("refresh_id", snapshot.version)),
        started_at=str(report.get("started_at", published)),
        outcome="published",
        finished_at=published,
        as_of=report.get("as_of"),
        version=snapshot.version,
        rows=report.get("rows", {}),
        quarantined=report.get("quarantined", {}),
    )


def read_state(settings: Settings) -> RefreshState | None:
    """Return the last refresh, None if there was none or its file cannot be read."""
    try:
        return TypeAdapter(RefreshState).validate_json(_path(settings).read_bytes(), strict=True)
    except (OSError, ValueError):
        return None
