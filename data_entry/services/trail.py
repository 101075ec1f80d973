"""The trail as a whole: who did what, when, for those who may read all of it; and lines for what changes no row.

Changes of rows leave their lines by themselves, see `data_entry.services.work`.
"""

from __future__ import annotations

import datetime as dt
import getpass
import os
from dataclasses import dataclass

import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.organisation import Account, AuditLog, Employee
from data_entry.services.errors import Forbidden
from data_entry.services.history import Changed, changed_values
from data_entry.services.tables import is_personal
from data_entry.services.work import Work
from loupan.i18n import marked

RESOURCE = "audit_log"
MASK = "•••"
"""What stands in the place of a value that is not shown."""
FIGURES = "figures"
"""What an export of statistics is a record of."""
OTHERS = (FIGURES, "backup", "refresh", "refresh_schedule")
"""What lines tell of that is no row of the CRM."""


@dataclass(frozen=True)
class Wanted:
    """Which lines are asked for; what is left out bounds nothing.

    Attributes:
        since, until: first and last day, in the company's time zone.
        account_id: who acted; 0 for the system.
        action: what was done.
        entity, entity_id: table and key of the record.
    """

    since: dt.date | None = None
    until: dt.date | None = None
    account_id: int | None = None
    action: str = ""
    entity: str = ""
    entity_id: int | None = None


@dataclass(frozen=True)
class Line:
    """One line of the trail.

    Attributes:
        id: its number; lines are never changed, and numbers never used again.
        at: the moment, UTC without offset.
        login, name: of who acted; both empty for the system.
        action: what was done.
        entity, entity_id: the record.
        changes: values before and after.
    """

    id: int
    at: dt.datetime
    login: str
    name: str
    action: str
    entity: str
    entity_id: int | None
    changes: tuple[Changed, ...]


def listing(
    work: Work, wanted: Wanted, *, limit: int, offset: int = 0, personal: bool = False
) -> tuple[list[Line], int]:
    """Return lines of the trail, the latest first, and how many there are in all.

    Args:
        work: the work.
        wanted: which lines.
        limit: how many at most.
        offset: how many are passed over.
        personal: whether personal data is shown to an actor who may see it; else it is masked.

    Raises:
        Forbidden: if the actor may not read the trail of everybody.
    """
    require_reading(work)
    where = _where(work, wanted)
    total = work.session.scalar(sa.select(sa.func.count()).select_from(AuditLog).where(*where)) or 0
    query = (
        sa.select(AuditLog, Account.login, Employee.name)
        .outerjoin(Account, Account.id == AuditLog.account_id)
        .outerjoin(Employee, Employee.id == Account.employee_id)
        .where(*where)
        .order_by(AuditLog.at.desc(), AuditLog.id.desc())
        .limit(limit)
        .offset(offset)
    )
    lines = [
        Line(
            row.id, row.at, login or "", name or "", row.action, row.entity, row.entity_id,
            tuple(_masked(work, row.entity, changed, personal=personal) for changed in changed_values(row)),
        )
        for row, login, name in work.session.execute(query)
    ]  # fmt: skip
    return lines, total


def require_reading(work: Work) -> None:
    """Raise `Forbidden` unless the actor may read the trail of everybody."""
    if "all" not in work.actor.require("read", RESOURCE):
        raise Forbidden(marked("You may not do this. Ask an administrator if you need to."))


def _where(work: Work, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(AuditLog.at >= work.utc(dt.datetime.combine(wanted.since, dt.time())))
    if wanted.until is not None:
        found.append(AuditLog.at < work.utc(dt.datetime.combine(wanted.until + dt.timedelta(days=1), dt.time())))
    if wanted.account_id is not None:
        found.append(AuditLog.account_id == wanted.account_id if wanted.account_id else AuditLog.account_id.is_(None))
    if wanted.action:
        found.append(AuditLog.action == wanted.action)
    if wanted.entity:
        found.append(AuditLog.entity == wanted.entity)
    if wanted.entity_id is not None:
        found.append(AuditLog.entity_id == wanted.entity_id)
    return found


def _masked(work: Work, entity: str, changed: Changed, *, personal: bool) -> Changed:
    table = metadata.tables.get(entity)
    if table is None or changed.column not in table.c or not is_personal(table.c[changed.column]):
        return changed
    if personal and work.actor.may("personal", entity):
        return changed
    before, after = (None if value is None else MASK for value in (changed.before, changed.after))
    return Changed(changed.column, before, after, is_masked=True)


def exported(work: Work, title: str, kind: str, **context: object) -> None:
    """Leave a line that says that figures were taken away as a file.

    Args:
        work: the work.
        title: what they show.
        kind: of the file, by its ending.
        context: what they are bounded by: period, filters, as-of.
    """
    work.log("export", FIGURES, None, title=title, kind=kind, **context)


def done_at_the_server(work: Work, action: str, entity: str, **after: object) -> None:
    """Leave a line for what a command did: it acts for no account, so the line names the system's user."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        user = str(os.getuid())
    work.log(action, entity, None, **after, system_user=user)
