"""Erase a customer, or hand over what is held, by those who may."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.customer import Customer
from data_entry.services.entries import invalid
from data_entry.services.errors import Refused
from data_entry.services.identity import group_ids
from data_entry.services.personal.belongings import Rows, keys_where, rows_about
from data_entry.services.personal.erase import Erased, erase_rows
from data_entry.services.work import Work
from loupan.erasures import Erasure, ErasureListError, add_erasures
from loupan.i18n import Translator, marked, translator
from loupan.settings import Settings, get_settings

ERASE, EXPORT = "erase", "export"
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Preview:
    """What erasing a customer would do.

    Attributes:
        customer_ids: the records of the person.
        rows: how many rows of each table are about the person.
        contracts: keys of the deals with a contract: the facts stay, without the person.
        running: what is still owed or owned, as templates with their counts; see `running_words`.
        erased_at: when the person was erased before, UTC; None if never.
    """

    customer_ids: tuple[int, ...]
    rows: dict[str, int]
    contracts: tuple[int, ...]
    running: tuple[tuple[str, int], ...]
    erased_at: dt.datetime | None


def running_words(running: Sequence[tuple[str, int]], t: Translator = translator("en")) -> str:  # noqa: B008
    """Write what is still owed or owned for the reader."""
    return t(", ").join(t(template, count=count) for template, count in running)


def _customer(work: Work, customer_id: int, action: str) -> Customer:
    customer = work.get(Customer, customer_id, action)
    work.require_with("personal", customer)
    return customer


def preview(work: Work, customer_id: int) -> Preview:
    """Return what erasing a customer would do; nothing is changed.

    Raises:
        NotFound: if there is no such customer for the actor.
        Forbidden: if the actor may not erase customers, or not read their personal data.
    """
    customer = _customer(work, customer_id, ERASE)
    connection = work.session.connection()
    ids = group_ids(work.session, customer.id)
    rows = rows_about(connection, ids)
    return Preview(
        customer_ids=tuple(ids),
        rows={name: len(keys) for name, keys in sorted(rows.items())},
        contracts=tuple(sorted(_contracts(connection, rows))),
        running=tuple(_running(connection, rows, work.today)),
        erased_at=customer.erased_at,
    )


def erase(
    work: Work, customer_id: int, reason: str, *, despite_running: bool = False, settings: Settings | None = None
) -> Erased:
    """Erase a customer and all records merged with it; see `copies.clean` for what must follow the commit.

    The list of erasures is written before the commit: whoever is killed in between erases again, and nobody comes back
    with a backup unnoticed.

    Args:
        work: the open work.
        customer_id: number of the customer's record.
        reason: why, such as the person's request of a day; names nobody.
        despite_running: erase although the person still owes or owns something, and can then not be written to.
        settings: where the list of erasures stands; those in force by default.

    Raises:
        NotFound, Forbidden: as `preview`.
        Invalid: if there is no reason, or it names the person.
        Refused: if the person still owes or owns something.
    """
    customer = _customer(work, customer_id, ERASE)
    reason = " ".join(reason.split())
    if not reason:
        raise invalid("reason", marked("Say why, such as the request and its day."))
    if len(reason) > _LONGEST_REASON:
        raise invalid("reason", marked("At most {most} characters."), most=_LONGEST_REASON)
    connection = work.session.connection()
    ids = group_ids(work.session, customer.id)
    running = list(_running(connection, rows_about(connection, ids), work.today))
    if running and not despite_running:
        raise Refused(
            marked(
                "The customer is still owed or owes something: {running}. Erased, the person cannot be reached any "
                "more. Settle it first, or confirm that it is meant."
            ),
            running=running_words(running),
        )
    work.session.flush()
    result = erase_rows(connection, ids, work.now, work.today)
    if any(value.lower() in reason.lower() for value in result.values):
        raise invalid("reason", marked("The reason stays on record: it must not name the person."))
    work.log(ERASE, "customer", customer.id, reason=reason, records=len(ids), rows=sum(result.rows.values()))
    entries = list(_entries(connection, ids, work.now, was_published=result.was_published))
    try:
        add_erasures(settings or get_settings(), entries)
    except (ErasureListError, OSError) as error:
        raise Refused(
            marked("The list of erasures cannot be written, so nobody was erased: {reason}"), reason=str(error)
        ) from error
    work.session.expire_all()
    return result


def _entries(
    connection: sa.Connection, ids: Sequence[int], now: dt.datetime, *, was_published: bool
) -> Iterator[Erasure]:
    customer = metadata.tables["customer"]
    for row in connection.execute(sa.select(customer.c.id, customer.c.created_at).where(customer.c.id.in_(ids))):
        yield Erasure(row.id, _iso(row.created_at), _iso(now), was_published)


def _iso(moment: dt.datetime) -> str:
    return moment.replace(tzinfo=dt.UTC).isoformat()


def repeat(connection: sa.Connection, erasures: Sequence[Erasure], zone: str) -> set[str]:
    """Erase again, in a restored CRM, whoever was erased after the backup was made; within an open transaction.

    Returns:
        The SHA-256 of attached files that no row names any more.
    """
    customer, trail = metadata.tables["customer"], metadata.tables["audit_log"]
    entered = {each.customer: each for each in erasures}
    back = [
        (key, erasure)
        for key in keys_where(connection, customer, customer.c.id, set(entered), customer.c.erased_at.is_(None))
        if (erasure := entered[key]).entered_at
        == _iso(connection.scalar(sa.select(customer.c.created_at).where(customer.c.id == key)))  # type: ignore[arg-type]
    ]
    files: set[str] = set()
    for key, erasure in back:
        moment = dt.datetime.fromisoformat(erasure.erased_at).astimezone(dt.UTC)
        files |= erase_rows(
            connection, [key], moment.replace(tzinfo=None), moment.astimezone(ZoneInfo(zone)).date()
        ).files
        connection.execute(
            sa.insert(trail).values(
                at=dt.datetime.now(dt.UTC).replace(tzinfo=None), entity="customer", entity_id=key, action=ERASE,
                after='{"reason": "erased before; the restored backup was older"}',
            )
        )  # fmt: skip
    return files


def _contracts(connection: sa.Connection, rows: Rows) -> set[int]:
    event = metadata.tables["deal_event"]
    keys = keys_where(connection, event, event.c.deal_id, rows.get("deal", ()), event.c.kind == "contract",
                      event.c.deleted_at.is_(None))  # fmt: skip
    return set(connection.scalars(sa.select(event.c.deal_id).where(event.c.id.in_(list(keys)))))


def _running(connection: sa.Connection, rows: Rows, today: dt.date) -> Iterator[tuple[str, int]]:
    """Name what a person is still owed, owes or owns: the law lets data be kept that this needs."""
    owner, bill, paid = (metadata.tables[name] for name in ("unit_owner", "fee_bill", "fee_payment"))
    event, due, received = (metadata.tables[name] for name in ("deal_event", "payment_due", "payment"))
    owned = keys_where(
        connection, owner, owner.c.id, rows.get("unit_owner", ()), owner.c.deleted_at.is_(None),
        sa.or_(owner.c.to_on.is_(None), owner.c.to_on >= today),
    )  # fmt: skip
    if count := len(list(owned)):
        yield marked("{count} units owned"), count
    if count := len(_open(connection, bill, "id", paid, "fee_bill_id", rows.get("fee_bill", set()))):
        yield marked("{count} bills unpaid"), count
    ended: set[int] = set(
        connection.scalars(
            sa.select(event.c.deal_id).where(
                event.c.deal_id.in_(rows.get("deal", set())), event.c.kind.in_(("cancel", "swap")),
                event.c.deleted_at.is_(None),
            )
        )
    )  # fmt: skip
    live = _contracts(connection, rows) - ended
    if count := len(_open(connection, due, "deal_id", received, "deal_id", live)):
        yield marked("{count} contracts not paid in full"), count


def _open(
    connection: sa.Connection, owed: sa.Table, key: str, paid: sa.Table, to: str, keys: set[int]
) -> dict[int, object]:
    """Return what is owed by key, less what was paid on it, where anything is left."""

    def sums(table: sa.Table, column: str, *conditions: sa.ColumnElement[bool]) -> dict[int, float]:
        query = (
            sa.select(table.c[column], sa.func.sum(table.c.amount))
            .where(table.c[column].in_(keys), table.c.deleted_at.is_(None), *conditions)
            .group_by(table.c[column])
        )
        return {row[0]: float(row[1] or 0) for row in connection.execute(query)}

    settled = sums(paid, to, paid.c.is_void.is_(False))
    return {each: amount for each, amount in sums(owed, key).items() if amount - settled.get(each, 0.0) >= 0.01}
