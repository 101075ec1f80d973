"""In what condition the installation is: what `/readyz` and `/metrics` tell of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from dashboards.gate import CrmNotReady, ready_engine
from data_entry.access import SYSTEM
from data_entry.services.backup import shelf
from data_entry.services.work import reading
from loupan.settings import Settings
from loupan.snapshot import NoSnapshot, Snapshot, SnapshotError, current


@dataclass(frozen=True)
class Part:
    """One part of the condition.

    Attributes:
        name: crm, snapshot or freshness.
        is_good: whether readers get what they are promised.
        reason: what is wrong and what to do, for who keeps the installation; names no person.
    """

    name: str
    is_good: bool
    reason: str = ""


def check(settings: Settings, now: dt.datetime) -> list[Part]:
    """Look whether the CRM answers at the right version, and a whole snapshot no older than promised is published."""
    return [_crm(), *_published(settings, now)]


def _crm() -> Part:
    try:
        with reading(ready_engine(), SYSTEM) as work:
            work.session.execute(sa.select(sa.literal(1)))
    except CrmNotReady as error:
        return Part("crm", False, str(error))
    except sa.exc.SQLAlchemyError as error:
        return Part("crm", False, f"The CRM database does not answer ({type(error).__name__}).")
    return Part("crm", True)


def _published(settings: Settings, now: dt.datetime) -> list[Part]:
    try:
        snapshot = current(settings)
        snapshot.check_sizes()
        age = snapshot_age(snapshot, now)
    except (NoSnapshot, SnapshotError) as error:
        return [Part("snapshot", False, str(error))]
    late = age.total_seconds() / 3600 - settings.fresh_hours
    reason = f"The data is {age.total_seconds() / 3600:.1f} h old; {settings.fresh_hours:g} h are promised."
    return [Part("snapshot", True), Part("freshness", late <= 0, reason if late > 0 else "")]


def snapshot_age(snapshot: Snapshot, now: dt.datetime) -> dt.timedelta:
    """Return how long ago a snapshot was published, or last found to be what a refresh would publish again.

    Its age and not that of its as-of: a refresh may be asked for a past moment.
    """
    return now - max(snapshot.published_at, snapshot.looked_again_at or snapshot.published_at)


def backup_age(settings: Settings, now: dt.datetime) -> dt.timedelta | None:
    """Return how long ago the newest backup was written, None without one."""
    for path in shelf.paths(settings.backups_dir):
        try:
            return now - dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
        except FileNotFoundError:
            continue  # deleted this moment
    return None
