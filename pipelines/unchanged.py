"""Tell that a refresh would publish again what is published, without loading and building it once more.

That is so when nobody has written to the CRM since it was loaded, and what is published was made by the same program
with the same settings. The moment that statistics speak of moves on by itself, but open leads become no older within a
day: what was published stays, and goes on saying as of when it was made. The first refresh of another day, in the
company's time zone, builds anew.
"""

from __future__ import annotations

import datetime as dt
import uuid
from zoneinfo import ZoneInfo

import duckdb

from loupan.errors import LoupanError
from loupan.refresh_lock import refresh_lock
from loupan.refresh_state import RefreshState, now, read_state, write_state
from loupan.settings import Settings
from loupan.snapshot import Snapshot, current
from pipelines import recipe
from pipelines.crm import LOOK_TIMEOUT_S, open_crm
from pipelines.errors import IngestError
from pipelines.warehouse import read_source


def published_as_it_is(settings: Settings, as_of: dt.datetime, patience: float) -> Snapshot | None:
    """Return the snapshot that a refresh as of a moment would publish again; None if it might publish another.

    Args:
        settings: where everything lies.
        as_of: the moment the statistics would speak of (aware).
        patience: seconds that the CRM's server may take for an answer.
    """
    last = read_state(settings)
    if last is None or last.outcome not in ("published", "unchanged") or not settings.warehouse_path.is_file():
        return None
    try:
        snapshot = current(settings)
        if (
            snapshot.version != last.version
            or snapshot.report.get("recipe") != recipe.of_snapshot(settings)
            or not _is_same_day(snapshot, as_of, ZoneInfo(settings.time_zone))
        ):
            return None
        snapshot.check_sizes()
        with open_crm(settings.crm_database_url, patience) as crm:
            version = crm.version()
            if not version or (crm.identity, version) != read_source(settings.warehouse_path):
                return None
    except (LoupanError, IngestError, duckdb.Error, OSError, KeyError, ValueError):
        # Whatever it is, the refresh itself will meet it and tell of it.
        return None
    return snapshot


def look_in_passing(settings: Settings, started_by: str) -> Snapshot | None:
    """Note that there is nothing to refresh, and return what stays published; None if a refresh has to look itself.

    For who must not wait: neither for a refresh that runs, and writes what is looked at here, nor long for the CRM.
    """
    as_of = dt.datetime.now(dt.UTC)
    try:
        with refresh_lock(settings.data_dir, _refuse):
            snapshot = published_as_it_is(settings, as_of, min(LOOK_TIMEOUT_S, settings.source_seconds))
            if snapshot is not None:
                note_unchanged(settings, snapshot, as_of, started_by)
            return snapshot
    except _Refreshing:
        return None


class _Refreshing(Exception):
    """Somebody refreshes."""


def _refuse() -> None:
    raise _Refreshing


def _is_same_day(snapshot: Snapshot, as_of: dt.datetime, zone: ZoneInfo) -> bool:
    before = dt.datetime.fromisoformat(str(snapshot.report["as_of"]))
    # A moment at midnight closes the day before, and opens the next.
    return before <= as_of and all(
        (before - second).astimezone(zone).date() == (as_of - second).astimezone(zone).date()
        for second in (dt.timedelta(0), dt.timedelta(seconds=1))
    )


def note_unchanged(settings: Settings, snapshot: Snapshot, as_of: dt.datetime, started_by: str = "") -> RefreshState:
    """Write down that a refresh found nothing to do; return what became of it."""
    began = now()
    snapshot.note_unchanged(as_of)
    report = snapshot.report
    state = RefreshState(
        refresh_id=str(uuid.uuid4()),
        started_at=began,
        outcome="unchanged",
        finished_at=now(),
        as_of=report["as_of"],
        version=snapshot.version,
        rows=report.get("rows", {}),
        quarantined=report.get("quarantined", {}),
        started_by=started_by,
    )
    write_state(settings, state)
    return state
