"""Promises of the sales period: recorded when made, marked kept or broken, and linked to the demand that followed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.customer import Customer
from data_entry.schema.deal import Deal
from data_entry.schema.demand import Demand, Promise
from data_entry.schema.estate import Unit
from data_entry.schema.organisation import Employee
from data_entry.services.errors import Refused
from data_entry.services.given import Given
from data_entry.services.work import Work
from loupan.i18n import marked


@dataclass(frozen=True)
class Kept:
    """A promise as it is shown; `text` is None for who may not read personal data."""

    id: int
    made_at: dt.datetime
    text: str | None
    who: str | None
    is_kept: bool | None
    demand_id: int | None
    due_on: dt.date | None


def record(
    work: Work,
    *,
    customer_id: int,
    text: str,
    made_at: dt.datetime | None = None,
    deal_id: int | None = None,
    unit_id: int | None = None,
    employee_id: int | None = None,
    due_on: dt.date | None = None,
) -> Promise:
    """Record what was promised to a customer.

    Args:
        made_at: UTC; now if None.
        unit_id: that of the deal if None.
        employee_id: who promised; whoever records it if None.
        due_on: by when it is to be kept; None if no day was named.
    """
    work.require("create", "promise")
    given = Given()
    row = Promise(
        customer_id=given.key("customer_id", customer_id),
        text=given.text("text", text, required=True),
        made_at=given.past("made_at", made_at, work.now),
        deal_id=given.key("deal_id", deal_id, required=False),
        unit_id=given.key("unit_id", unit_id, required=False),
        employee_id=given.key("employee_id", employee_id, required=False) or work.actor.employee_id,
        due_on=None if due_on is None else given.day("due_on", due_on),
    )
    if row.due_on is not None and row.due_on < work.local(row.made_at).date():
        given.wrong("due_on", marked("This day lies before the promise."))
    given.check()
    work.get(Customer, row.customer_id)
    if row.deal_id is not None:
        deal = work.get(Deal, row.deal_id)
        if deal.customer_id != row.customer_id:
            given.wrong("deal_id", marked("This deal is another customer's."))
        elif row.unit_id is not None and deal.unit_id is not None and deal.unit_id != row.unit_id:
            given.wrong("unit_id", marked("The deal is about another unit."))
        row.unit_id = row.unit_id or deal.unit_id
    if row.unit_id is not None:
        work.get(Unit, row.unit_id)
    if row.employee_id is not None:
        work.get(Employee, row.employee_id)
    given.check()
    return work.add(row)


def mark(work: Work, promise_id: int, is_kept: bool | None) -> Promise:
    """Record that a promise was kept or broken; None while that is open."""
    row = work.get(Promise, Given().key("id", promise_id), "update", lock=True)
    row.is_kept = is_kept
    work.session.flush()
    return row


def link(work: Work, promise_id: int, demand_id: int | None) -> Promise:
    """Link a promise to the demand that followed from it, or undo that.

    Raises:
        Refused: if the demand is another customer's and of another unit, or came before the promise.
    """
    row = work.get(Promise, Given().key("id", promise_id), "update", lock=True)
    if demand_id is not None:
        demand = work.get(Demand, Given().key("demand_id", demand_id))
        if demand.customer_id != row.customer_id and (row.unit_id is None or row.unit_id != demand.unit_id):
            raise Refused(marked("The promise was made to another customer, about another unit."))
        if demand.received_at < row.made_at:
            raise Refused(marked("The demand came before the promise was made."))
    row.demand_id = demand_id
    work.session.flush()
    return row


def about(work: Work, *, customer_id: int | None = None, unit_id: int | None = None, limit: int = 50) -> list[Kept]:
    """Return what was promised to a customer or about a unit, the latest first; nothing without the right to read."""
    if not work.actor.may("read", "promise") or (customer_id is None and unit_id is None):
        return []
    same = [
        column == key
        for column, key in ((Promise.customer_id, customer_id), (Promise.unit_id, unit_id))
        if key is not None
    ]
    rows: Any = work.session.execute(
        sa.select(
            Promise.id,
            Promise.made_at,
            sa.case((reach(work.actor, "personal", "promise"), Promise.text)),
            Employee.name,
            Promise.is_kept,
            Promise.demand_id,
            Promise.due_on,
        )
        .outerjoin(Employee, Employee.id == Promise.employee_id)
        .where(sa.or_(*same), Promise.deleted_at.is_(None), reach(work.actor, "read", "promise"))
        .order_by(Promise.made_at.desc(), Promise.id.desc())
        .limit(limit)
    )
    return [Kept(*row) for row in rows]
