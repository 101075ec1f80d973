"""What became of refreshes, whether they published or not.

The last one stands in ``<data_dir>/last_refresh.json``, those that have ended in ``<data_dir>/refresh_history.json``.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from loupan.files import replace_text
from loupan.refresh_lock import is_refreshing
from loupan.refresh_log import log_refresh
from loupan.settings import Settings
from loupan.snapshot import Snapshot, SnapshotError, list_snapshots

Outcome = Literal["running", "published", "refused", "error", "cancelled", "unchanged"]


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
    full: bool = False  # all rows were loaded again
    reloaded: list[str] = field(default_factory=list)  # tables that alone were loaded in full
    started_by: str = ""  # a schedule, a sensor or a person; empty for the command line
    pid: int | None = None
    process_started: float | None = None  # seconds since 1970: tells the process from a later one of the same number

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs, and where it was killed."""
        if self.finished_at is None:
            return None
        ended, began = (dt.datetime.fromisoformat(moment) for moment in (self.finished_at, self.started_at))
        return (ended - began).total_seconds()


_HISTORY = TypeAdapter(list[RefreshState])
_REMEMBERED, _DAYS_REMEMBERED = 500, 400
INTERRUPTED = "the refresh was interrupted"


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
        _remember(settings, _ended(settings, before))
    if state.outcome != "running":
        _remember(settings, state)
    replace_text(path, json.dumps(asdict(state), ensure_ascii=False, indent=2))
    log_refresh(settings, asdict(state), state.seconds)


def cancel_words(by: str) -> str:
    """Say who cancelled a refresh."""
    return f"cancelled by {by or 'the command line'}"


def _ended(settings: Settings, state: RefreshState) -> RefreshState:
    """Return what became of a refresh whose process is gone: who is killed cannot write it down."""
    by = cancelled_by(settings, state.refresh_id)
    if by is None:
        return replace(state, outcome="error", error=INTERRUPTED)
    return replace(state, outcome="cancelled", error=cancel_words(by))


def last_refresh(settings: Settings) -> RefreshState | None:
    """Return the last refresh; one that was interrupted is told from one that is running.

    Returns:
        None if there was none. ``running`` only while somebody refreshes.
    """
    state = read_state(settings)
    if state is not None and state.outcome == "running" and not is_refreshing(settings.data_dir):
        # It may have ended between the two looks.
        state = read_state(settings)
        if state is not None and state.outcome == "running":
            return _ended(settings, state)
    return state


def ended_and_running(settings: Settings) -> tuple[list[RefreshState], RefreshState | None]:
    """Return the refreshes that have ended, oldest first, an interrupted last one as failed, and the one that runs."""
    # The state before the history: what ends in between is in both, and not in neither.
    last = last_refresh(settings)
    ended = read_history(settings)
    if last is None or last.outcome == "running":
        return ended, last
    return [*(known for known in ended if known.refresh_id != last.refresh_id), last], None


def settle(settings: Settings) -> None:
    """Write down what became of the last refresh if its process cannot do it any more."""
    state = last_refresh(settings)
    if state is not None and state != read_state(settings):
        write_state(settings, replace(state, finished_at=now()))


def _cancel_path(settings: Settings) -> Path:
    return settings.data_dir / "cancelled_refresh.json"


def note_cancel(settings: Settings, refresh_id: str, by: str) -> None:
    """Write down, before its process is stopped, that somebody cancels a refresh."""
    replace_text(_cancel_path(settings), json.dumps({"refresh_id": refresh_id, "by": by}, ensure_ascii=False))


def cancelled_by(settings: Settings, refresh_id: str) -> str | None:
    """Return who cancelled a refresh, '' for the command line, None if nobody did."""
    try:
        noted = json.loads(_cancel_path(settings).read_text(encoding="utf-8"))
        return str(noted["by"]) if noted["refresh_id"] == refresh_id else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _history_path(settings: Settings) -> Path:
    return settings.data_dir / "refresh_history.json"


def _remember(settings: Settings, state: RefreshState) -> None:
    others = [known for known in _recorded(settings) if known.refresh_id != state.refresh_id]
    replace_text(_history_path(settings), _HISTORY.dump_json(_kept([*others, state]), indent=0).decode())


def _kept(states: list[RefreshState]) -> list[RefreshState]:
    """Return the last ones, and of each earlier day the last published: what numbers of rows are compared with."""
    by_day = {state.started_at[:10]: state for state in states[:-_REMEMBERED] if state.outcome == "published"}
    return [*list(by_day.values())[-_DAYS_REMEMBERED:], *states[-_REMEMBERED:]]


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
