"""Owners of units: one at a time, dated, found again; and those that sales missed to hand over.

A unit whose contract is live and that has no owner on record is *missed*: its buyer is suggested.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.customer import Customer
from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.estate import Building, Project, Unit, UnitOwner
from data_entry.services.errors import Refused
from data_entry.services.given import Given
from data_entry.services.identity import survivor_id
from data_entry.services.work import Work
from loupan.i18n import marked

# Details of a person who buys from an owner and is not on record yet.
NEW_OWNER = ("kind", "name", "phone", "email", "address")


@dataclass(frozen=True)
class Owned:
    """A unit with its owner; name and telephone are None for who may not read personal data."""

    id: int
    unit_id: int
    unit: str
    project: str
    area_sqm: Any
    customer_id: int
    name: str | None
    phone: str | None
    from_on: dt.date
    to_on: dt.date | None


@dataclass(frozen=True)
class Missed:
    """A unit sold without an owner on record: the buyer, and the company day of the contract."""

    deal_id: int
    unit_id: int
    unit: str
    project: str
    customer_id: int
    name: str | None
    contract_on: dt.date


def owner_on(day: dt.date) -> Any:
    """Return the condition on `UnitOwner` that it is in force on a day."""
    return sa.and_(
        UnitOwner.deleted_at.is_(None),
        UnitOwner.from_on <= day,
        sa.or_(UnitOwner.to_on.is_(None), UnitOwner.to_on >= day),
    )


def search(
    work: Work,
    text: str = "",
    *,
    project_id: int | None = None,
    with_former: bool = False,
    page: int = 0,
    size: int = 20,
) -> tuple[list[Owned], int]:
    """Return a page of owners by estate, building and unit, and how many there are in all.

    Args:
        text: part of the owner's name, the telephone number, or the unit's number.
        with_former: also those who own no longer.
    """
    work.require("read", "unit_owner")
    shows = reach(work.actor, "personal", "customer")
    conditions = [UnitOwner.deleted_at.is_(None), reach(work.actor, "read", "unit_owner")]
    if not with_former:
        conditions.append(owner_on(work.today))
    if project_id is not None:
        conditions.append(Building.project_id == project_id)
    text = text.strip()[:100]
    if text and text.isprintable():
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        person = sa.and_(shows, sa.or_(Customer.name.ilike(like, escape="\\"), Customer.phone == text))
        # «2 1203» and «1203» both find the unit 1203 of building 2.
        place = (Building.name + " " + Unit.number).ilike(like, escape="\\")
        conditions.append(sa.or_(person, place))
    query = _placed(sa.select(UnitOwner.id)).join(Customer, Customer.id == UnitOwner.customer_id).where(*conditions)
    total = work.session.scalar(query.with_only_columns(sa.func.count(), maintain_column_froms=True)) or 0
    rows: Any = work.session.execute(
        query.with_only_columns(
            UnitOwner.id,
            UnitOwner.unit_id,
            Building.name + " " + Unit.number,
            Project.name,
            Unit.area_sqm,
            UnitOwner.customer_id,
            sa.case((shows, Customer.name)),
            sa.case((shows, Customer.phone)),
            UnitOwner.from_on,
            UnitOwner.to_on,
            maintain_column_froms=True,
        )
        .order_by(Project.name, Building.name, Unit.number, UnitOwner.from_on.desc(), UnitOwner.id)
        .limit(size)
        .offset(max(page, 0) * size)
    )
    return [Owned(*row) for row in rows], total


def _placed(query: Any) -> Any:
    return (
        query.join(Unit, Unit.id == UnitOwner.unit_id)
        .join(Building, Building.id == Unit.building_id)
        .join(Project, Project.id == Building.project_id)
    )


def history(work: Work, unit_id: int) -> list[Owned]:
    """Return all owners a unit had, the present one first."""
    work.require("read", "unit_owner")
    shows = reach(work.actor, "personal", "customer")
    rows: Any = work.session.execute(
        _placed(
            sa.select(
                UnitOwner.id, UnitOwner.unit_id, Building.name + " " + Unit.number, Project.name, Unit.area_sqm,
                UnitOwner.customer_id, sa.case((shows, Customer.name)), sa.case((shows, Customer.phone)),
                UnitOwner.from_on, UnitOwner.to_on,
            ).join(Customer, Customer.id == UnitOwner.customer_id)
        )
        .where(
            UnitOwner.unit_id == unit_id, UnitOwner.deleted_at.is_(None), reach(work.actor, "read", "unit_owner")
        )
        .order_by(UnitOwner.from_on.desc(), UnitOwner.id.desc())
    )  # fmt: skip
    return [Owned(*row) for row in rows]


def missed(work: Work, *, project_id: int | None = None, page: int = 0, size: int = 20) -> tuple[list[Missed], int]:
    """Return a page of the units sold without an owner on record, the longest missed first, and how many there are."""
    work.require("read", "unit_owner")
    query, signed = _missed(work)
    if project_id is not None:
        query = query.where(Building.project_id == project_id)
    total = work.session.scalar(query.with_only_columns(sa.func.count(), maintain_column_froms=True)) or 0
    rows: Any = work.session.execute(query.order_by(signed, Deal.id).limit(size).offset(max(page, 0) * size))
    found = [
        Missed(deal, unit, place, estate, buyer, name, work.local(at).date())
        for deal, unit, place, estate, buyer, name, at in rows
    ]
    return found, total


def _missed(work: Work) -> tuple[Any, Any]:
    """The units with a live contract and no owner now or later, and the moment of the contract."""
    event, later = DealEvent, sa.orm.aliased(DealEvent)
    ended = sa.exists().where(
        later.deal_id == event.deal_id,
        later.deleted_at.is_(None),
        later.kind.in_(("cancel", "swap")),
        sa.or_(
            later.occurred_at > event.occurred_at,
            sa.and_(later.occurred_at == event.occurred_at, later.id > event.id),
        ),
    )
    signed = (
        sa.select(sa.func.max(event.occurred_at))
        .where(event.deal_id == Deal.id, event.kind == "contract", event.deleted_at.is_(None), ~ended)
        .correlate(Deal)
        .scalar_subquery()
    )
    owned = sa.exists().where(UnitOwner.unit_id == Unit.id, UnitOwner.deleted_at.is_(None))
    query: Any = (
        sa.select(
            Deal.id,
            Unit.id,
            Building.name + " " + Unit.number,
            Project.name,
            Deal.customer_id,
            sa.case((reach(work.actor, "personal", "customer"), Customer.name)),
            signed,
        )
        .join(Unit, Unit.id == Deal.unit_id)
        .join(Building, Building.id == Unit.building_id)
        .join(Project, Project.id == Building.project_id)
        .join(Customer, Customer.id == Deal.customer_id)
        .where(
            Deal.deleted_at.is_(None), Unit.deleted_at.is_(None), ~owned, signed.is_not(None),
            reach(work.actor, "read", "deal"), reach(work.actor, "read", "unit"),
        )
    )  # fmt: skip
    return query, signed


def adopt(work: Work, deal_ids: Sequence[int]) -> list[UnitOwner]:
    """Add the buyers of deals as owners from the day of the contract; those no longer missed are left out."""
    work.require("create", "unit_owner")
    query, _ = _missed(work)
    added = []
    for key in sorted(set(deal_ids)):
        row: Any = work.session.execute(query.where(Deal.id == Given().key("deal_id", key))).first()
        if row is not None:
            _, unit_id, _, _, customer_id, _, contract_at = row
            added.append(add(work, unit_id, customer_id, work.local(contract_at).date()))
    return added


def add(work: Work, unit_id: int, customer_id: int, from_on: dt.date) -> UnitOwner:
    """Record the first owner of a unit.

    Raises:
        Refused: if it has one on that day or later; a change of ownership is `change`.
    """
    return _add(work, unit_id, _person(work, customer_id), from_on)


def _add(work: Work, unit_id: int, customer_id: int, from_on: dt.date) -> UnitOwner:
    unit, day = _unit_and_day(work, unit_id, from_on)
    if any(row.to_on is None or row.to_on >= day for row in _owners(work, unit.id)):
        raise Refused(marked("This unit has an owner then. Record a change of ownership instead."))
    return work.add(UnitOwner(unit_id=unit.id, customer_id=customer_id, from_on=day))


def change(work: Work, unit_id: int, customer_id: int, from_on: dt.date) -> UnitOwner:
    """Record that a unit passed to somebody else; the owner before owned until the day before.

    Raises:
        Refused: if there is no present owner, it is the same person, or the day is not after the present one's first.
    """
    return _change(work, unit_id, _person(work, customer_id), from_on)


def _change(work: Work, unit_id: int, customer_id: int, from_on: dt.date) -> UnitOwner:
    unit, day = _unit_and_day(work, unit_id, from_on)
    present = next((row for row in _owners(work, unit.id) if row.to_on is None), None)
    if present is None:
        raise Refused(marked("This unit has no owner on record. Add one."))
    if present.customer_id == customer_id:
        raise Refused(marked("This customer owns the unit already."))
    if day <= present.from_on:
        raise Refused(marked("The present owner owns it since {day}: choose a later day."), day=present.from_on)
    work.require_with("update", present)
    present.to_on = day - dt.timedelta(days=1)
    work.session.flush()
    return work.add(UnitOwner(unit_id=unit.id, customer_id=customer_id, from_on=day))


def end(work: Work, owner_id: int, to_on: dt.date) -> UnitOwner:
    """Record the last day of an ownership that nobody has taken over."""
    row = work.get(UnitOwner, Given().key("id", owner_id), "update", lock=True)
    given = Given()
    day = given.day("to_on", to_on, work.today)
    given.check()
    if row.to_on is not None:
        raise Refused(marked("This ownership has ended already."))
    if day < row.from_on:
        raise Refused(marked("It cannot end before it began."))
    row.to_on = day
    work.session.flush()
    return row


def new_person(work: Work, unit_id: int, values: Mapping[str, Any], from_on: dt.date) -> UnitOwner:
    """Record somebody who is no customer yet as the owner of a unit, by `add` or `change` as it fits.

    Args:
        values: columns of `NEW_OWNER`.
    """
    work.require("create", "customer")
    given = Given()
    person = Customer(
        kind=given.choice("kind", values.get("kind", "person"), ("person", "company")),
        name=given.text("name", values.get("name"), 200, required=True),
        phone=given.text("phone", values.get("phone"), 40),
        email=given.text("email", values.get("email"), 200),
        address=given.text("address", values.get("address"), 300),
    )
    given.check()
    has_owner = any(row.to_on is None for row in _owners(work, _unit_and_day(work, unit_id, from_on)[0].id))
    work.session.add(person)
    work.session.flush()
    # A new customer is in nobody's reach before owning something: the right is judged when that is recorded.
    row = (_change if has_owner else _add)(work, unit_id, person.id, from_on)
    work.require_with("create", person)
    return row


def _unit_and_day(work: Work, unit_id: int, from_on: dt.date) -> tuple[Unit, dt.date]:
    """Return a unit, held against others who record its owner, and the day."""
    work.require("create", "unit_owner")
    given = Given()
    key = given.key("unit_id", unit_id)
    day = given.day("from_on", from_on, work.today)
    given.check()
    unit = work.get(Unit, key, lock=True)
    return unit, day


def _owners(work: Work, unit_id: int) -> Sequence[UnitOwner]:
    return work.session.scalars(
        sa.select(UnitOwner)
        .where(UnitOwner.unit_id == unit_id, UnitOwner.deleted_at.is_(None))
        .order_by(UnitOwner.from_on, UnitOwner.id)
    ).all()


def _person(work: Work, customer_id: int) -> int:
    """Return the key of a customer; of a merged one that of the survivor."""
    given = Given()
    key = given.key("customer_id", customer_id)
    given.check()
    return survivor_id(work.session, work.get(Customer, key).id)
