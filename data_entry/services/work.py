"""One piece of work in the CRM: a transaction, the account behind it, the moment, and the trail it leaves.

Every service takes a `Work` first. Opening one loads the account's rights anew, so a right that was taken away ends
with the next call, whatever page it comes from. What is written within leaves rows in ``audit_log``, and is committed
as a whole or not at all.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from data_entry.access import Actor, load_actor, reach
from data_entry.database import clear_errors
from data_entry.schema import Record
from data_entry.schema.organisation import AuditLog
from data_entry.services.errors import Forbidden, NotFound, Refused
from loupan.i18n import marked
from loupan.settings import get_settings

R = TypeVar("R", bound=Record)
Clock = Callable[[], dt.datetime]
# Finds the account behind a call within the transaction, at a moment; raises `Forbidden` when nobody is.
Identify = Callable[[Session, dt.datetime], int]

# Columns of which the trail keeps that they changed, never the value.
SECRET = frozenset({"password_hash", "token_hash", "oidc_subject"})
# Keys are 64 bits wide; a number beyond is nobody's, and SQLite's driver breaks off on it.
_KEYS = 2**63
# PostgreSQL's codes for two transactions that wait for each other, or read what the other one changed.
_CROSSED = frozenset({"40P01", "40001"})
# Written by the machinery with every change; they would fill the trail with nothing.
_BOOKKEEPING = frozenset({"updated_at", "updated_by", "created_at", "created_by", "row_version"})
# Their rows are the trail, or change with every request.
_UNTRACKED = frozenset({"audit_log", "account_session"})


def utc_now() -> dt.datetime:
    """Return the present moment in UTC, without an offset, as the CRM keeps it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


@dataclass
class Work:
    """A transaction with who acts in it and when.

    Attributes:
        session: the open transaction.
        actor: who acts.
        now: the moment of the work, UTC without offset.
        zone: the company's time zone.
    """

    session: Session
    actor: Actor
    now: dt.datetime
    zone: ZoneInfo

    @property
    def today(self) -> dt.date:
        """The company day of the work."""
        return self.local(self.now).date()

    def local(self, moment: dt.datetime) -> dt.datetime:
        """Return a moment of the CRM in the company's time zone."""
        return moment.replace(tzinfo=dt.UTC).astimezone(self.zone)

    def utc(self, local: dt.datetime) -> dt.datetime:
        """Return a wall-clock time of the company (naive) or an aware moment as the CRM keeps it."""
        aware = local if local.tzinfo else local.replace(tzinfo=self.zone)
        return aware.astimezone(dt.UTC).replace(tzinfo=None)

    def require(self, action: str, resource: str) -> None:
        """Raise `Forbidden` unless the actor may do an action with a resource at all."""
        self.actor.require(action, resource)

    def may_with(self, action: str, row: Record) -> bool:
        """Say whether the actor may do an action with this very row, as it stands in the transaction."""
        table = type(row).__table__
        condition = reach(self.actor, action, row.__tablename__)
        if isinstance(condition, sa.sql.elements.True_):
            return True
        self.session.flush()
        return bool(
            self.session.scalar(sa.select(sa.literal(1)).select_from(table).where(table.c.id == row.id, condition))
        )

    def require_with(self, action: str, row: Record) -> None:
        """Raise `Forbidden` unless the actor may do an action with this very row."""
        self.require(action, row.__tablename__)
        if not self.may_with(action, row):
            raise Forbidden(marked("You may not do this with this record."))

    def get(
        self, model: type[R], key: int | None, action: str = "read", *, lock: bool = False, deleted: bool = False
    ) -> R:
        """Return a row that the actor may do an action with.

        Args:
            model: class of the table.
            key: key of the row.
            action: what is to be done with it.
            lock: keep others from changing it until the end of the transaction.
            deleted: whether a soft-deleted row is wanted as well.

        Raises:
            NotFound: if there is no such row, or the actor may not see it.
            Forbidden: if the actor sees it but may not do the action.
        """
        if key is not None and not -_KEYS <= key < _KEYS:
            key = None
        query = sa.select(model).where(model.id == key)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        row = self.session.scalar(query) if key is not None else None
        if row is None or (row.deleted_at is not None and not deleted) or not self.may_with("read", row):
            raise NotFound(marked("There is no such record, or you may not see it."))
        if action != "read":
            self.require_with(action, row)
        return row

    def add(self, row: R, action: str = "create") -> R:
        """Add a row, which the actor must be allowed to make, and return it with its key.

        The right is checked on the finished row: nobody makes rows beyond their reach.
        """
        self.require(action, row.__tablename__)
        self.session.add(row)
        self.session.flush()
        self.require_with(action, row)
        return row

    def log(self, action: str, entity: str, entity_id: int | None, **after: Any) -> None:
        """Leave a line in the trail for something that is no change of a row, such as a login or an export."""
        self.session.execute(
            sa.insert(AuditLog).values(
                account_id=self.actor.account_id, at=self.now, entity=entity, entity_id=entity_id, action=action,
                after=_as_json(after) if after else None, created_by=self.actor.account_id,
            )
        )  # fmt: skip


def _as_json(values: dict[str, Any]) -> str:
    def plain(value: Any) -> Any:
        if isinstance(value, (dt.datetime, dt.date)):
            return value.isoformat()
        return str(value) if isinstance(value, Decimal) else value

    shown = {name: "•••" if name in SECRET and value is not None else plain(value) for name, value in values.items()}
    return json.dumps(shown, ensure_ascii=False, default=str)


def _track(work: Work) -> None:
    """Let every change in the session set who made it, and leave a line in the trail."""
    pending: list[dict[str, Any]] = []

    @event.listens_for(work.session, "before_flush")
    def _before(session: Session, *_: Any) -> None:
        account = work.actor.account_id
        for row in session.new:
            if isinstance(row, Record):
                row.created_by = row.created_by or account
                row.updated_by = account
        for row in session.dirty:
            if not isinstance(row, Record) or not session.is_modified(row):
                continue
            row.updated_by = account
            if row.__tablename__ in _UNTRACKED:
                continue
            before, after = {}, {}
            for attribute in sa.inspect(row).attrs:
                if attribute.key in _BOOKKEEPING or not attribute.history.has_changes():
                    continue
                name = row.__mapper__.attrs[attribute.key].columns[0].name
                before[name] = attribute.history.deleted[0] if attribute.history.deleted else None
                after[name] = attribute.history.added[0] if attribute.history.added else None
            if before == after:
                continue
            action = "update"
            if "deleted_at" in after:
                action = "delete" if after["deleted_at"] is not None else "restore"
            pending.append(_line(work, row, action, before, after))

    @event.listens_for(work.session, "after_flush")
    def _after(session: Session, *_: Any) -> None:
        for row in session.new:
            if isinstance(row, Record) and row.__tablename__ not in _UNTRACKED:
                values = {
                    c.name: row.__dict__.get(row.__mapper__.get_property_by_column(c).key) for c in row.__table__.c
                }
                own = {n: v for n, v in values.items() if v is not None and n not in _BOOKKEEPING and n != "id"}
                pending.append(_line(work, row, "create", None, own))
        if pending:
            session.execute(sa.insert(AuditLog), pending)
            pending.clear()


def _line(work: Work, row: Record, action: str, before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    return {
        "account_id": work.actor.account_id,
        "at": work.now,
        "entity": row.__tablename__,
        "entity_id": row.id,
        "action": action,
        "before": None if before is None else _as_json(before),
        "after": _as_json(after),
        "created_by": work.actor.account_id,
    }


@contextmanager
def _opened(engine: sa.Engine, who: int | Actor | Identify, clock: Clock) -> Iterator[Work]:
    zone = ZoneInfo(get_settings().time_zone)
    with clear_errors(engine), Session(engine, expire_on_commit=False) as session:
        now = clock()
        if isinstance(who, Actor):
            actor = who
        else:
            account_id = who if isinstance(who, int) else who(session, now)
            actor = load_actor(session, account_id, now.replace(tzinfo=dt.UTC).astimezone(zone).date())
        with _refusals():
            yield Work(session, actor, now, zone)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what the database refuses because of the values, or of others who write, into words for the reader."""
    changed = marked("Somebody else has changed the record meanwhile. Load it again and repeat your change.")
    try:
        yield
    except StaleDataError as error:
        raise Refused(changed) from error
    except IntegrityError as error:
        raise Refused(
            marked("The database refuses this: it is there already, or something it points to is missing.")
        ) from error
    except (DataError, OverflowError) as error:
        # A NUL in a text for PostgreSQL, a number beyond 64 bits.
        raise Refused(marked("A text or a number cannot be kept as it is. Check what was entered.")) from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in _CROSSED:
            raise Refused(changed) from error
        raise


@contextmanager
def reading(engine: sa.Engine, who: int | Actor | Identify, clock: Clock = utc_now) -> Iterator[Work]:
    """Open a work that only reads and waits for nobody.

    Args:
        engine: the CRM.
        who: key of the account, whose rights are loaded, or what finds it; or an actor, such as `SYSTEM`.
        clock: tells the moment.
    """
    with _opened(engine.execution_options(read_only=True), who, clock) as work:
        yield work


@contextmanager
def writing(engine: sa.Engine, who: int | Actor | Identify, clock: Clock = utc_now) -> Iterator[Work]:
    """Open a work that is committed at the end, or undone whole by any error; see `reading`.

    Raises:
        Refused: if the database refuses what was written, or somebody else changed a row meanwhile.
    """
    with _opened(engine, who, clock) as work:
        _track(work)
        yield work
        work.session.commit()
