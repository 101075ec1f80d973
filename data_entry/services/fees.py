"""Property fees: bills made for a period, payments on them, and what is owed.

A rate is a price per month. A bill covers the months of its type from a first of a month on:
rate × floor area (or 1) × months, to the cent. It is made out to who owns the unit on its first day, and for units
handed over by then. There is one bill per unit, type and period; a period that overlaps a billed one counts as billed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.customer import Customer
from data_entry.schema.estate import Building, Project, Unit, UnitOwner
from data_entry.schema.service import FeeBill, FeePayment, FeeType
from data_entry.services.errors import Refused
from data_entry.services.given import Given
from data_entry.services.owners import owner_on
from data_entry.services.work import Work
from loupan.i18n import marked

_CENT = Decimal("0.01")
# Ageing of arrears: days overdue from, to (inclusive); None = without end.
AGES: tuple[tuple[int, int | None], ...] = ((0, 30), (31, 90), (91, 180), (181, 365), (366, None))


@dataclass(frozen=True)
class Proposed:
    """A bill that would be made."""

    unit_id: int
    unit: str
    customer_id: int
    owner: str | None
    area_sqm: Decimal | None
    amount: Decimal


@dataclass
class Preview:
    """What generating would do.

    Attributes:
        bills: that would be made.
        billed: units that have a bill for the period.
        ownerless: units handed over without an owner on the first day.
        unmeasured: units without a floor area, where the fee goes by it.
        not_handed_over: units of buildings not handed over by the first day.
    """

    fee_type: FeeType
    project: Project
    period_on: dt.date
    until_on: dt.date
    due_on: dt.date
    bills: list[Proposed] = field(default_factory=list)
    billed: int = 0
    ownerless: list[str] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)
    not_handed_over: int = 0

    @property
    def total(self) -> Decimal:
        """Sum of the bills that would be made."""
        return sum((bill.amount for bill in self.bills), Decimal(0))


def add_months(day: dt.date, months: int) -> dt.date:
    """Return the first day of the month so many months after that of a day."""
    number = day.year * 12 + day.month - 1 + months
    return dt.date(number // 12, number % 12 + 1, 1)


def preview(work: Work, project_id: int, fee_type_id: int, period_on: dt.date) -> Preview:
    """Return what generating the bills of an estate for a period would do; nothing is written.

    Args:
        period_on: first day of the period, the first of a month, at most a year ahead.
    """
    work.require("run", "fee_bill")
    return _preview(work, project_id, fee_type_id, period_on, lock=False)


def generate(work: Work, project_id: int, fee_type_id: int, period_on: dt.date) -> Preview:
    """Make the bills of an estate for a period and return what was done; bills that exist are never made twice."""
    work.require("run", "fee_bill")
    work.require("create", "fee_bill")
    # Two who generate at once wait for each other at the type of fee.
    done = _preview(work, project_id, fee_type_id, period_on, lock=True)
    rows = [
        FeeBill(
            unit_id=bill.unit_id, customer_id=bill.customer_id, fee_type_id=done.fee_type.id,
            period_on=done.period_on, amount=bill.amount, due_on=done.due_on,
        )
        for bill in done.bills
    ]  # fmt: skip
    work.session.add_all(rows)
    work.session.flush()
    if rows:
        # All are of units of one estate: what is allowed for one of them is for each.
        work.require_with("create", rows[0])
        work.require_with("run", rows[0])
    work.log(
        "run", "fee_bill", None, project_id=project_id, fee_type_id=fee_type_id, period_on=done.period_on,
        bills=len(rows), total=done.total,
    )  # fmt: skip
    return done


def _preview(work: Work, project_id: int, fee_type_id: int, period_on: dt.date, *, lock: bool) -> Preview:
    given = Given()
    project_key, type_key = given.key("project_id", project_id), given.key("fee_type_id", fee_type_id)
    first = given.day("period_on", period_on, add_months(work.today, 12))
    if first.day != 1:
        given.wrong("period_on", marked("A period begins on the first of a month."))
    given.check()
    project, fee_type = work.get(Project, project_key), work.get(FeeType, type_key, lock=lock)
    if not fee_type.is_active:
        raise Refused(marked("No bills are made of this type of fee any more."))
    if fee_type.rate is None or fee_type.rate <= 0:
        raise Refused(marked("This type of fee has no rate. Enter one first."))
    if fee_type.period_months < 1 or fee_type.payment_days < 0:
        raise Refused(marked("This type of fee covers no months. Mend it first."))
    done = Preview(
        fee_type, project, first, add_months(first, fee_type.period_months) - dt.timedelta(days=1),
        first + dt.timedelta(days=fee_type.payment_days),
    )  # fmt: skip
    billed = _billed_units(work, fee_type, first)
    owners: dict[int, tuple[int, str | None]] = {}
    shows = reach(work.actor, "personal", "customer")
    owning: Any = work.session.execute(
        sa.select(UnitOwner.unit_id, UnitOwner.customer_id, sa.case((shows, Customer.name)))
        .join(Customer, Customer.id == UnitOwner.customer_id)
        .join(Unit, Unit.id == UnitOwner.unit_id)
        .join(Building, Building.id == Unit.building_id)
        .where(owner_on(first), Building.project_id == project.id)
        .order_by(UnitOwner.from_on.desc(), UnitOwner.id.desc())
    )
    for unit_id, customer_id, name in owning:
        owners[unit_id] = customer_id, name
    for unit_id, number, building, area, handover_on in work.session.execute(
        sa.select(Unit.id, Unit.number, Building.name, Unit.area_sqm, Building.handover_on)
        .join(Building, Building.id == Unit.building_id)
        .where(
            Building.project_id == project.id, Unit.deleted_at.is_(None), Building.deleted_at.is_(None),
            reach(work.actor, "read", "unit"),
        )
        .order_by(Building.name, Unit.floor, Unit.number, Unit.id)
    ):  # fmt: skip
        unit = f"{building} {number}"
        if handover_on is None or handover_on > first:
            done.not_handed_over += 1
        elif unit_id in billed:
            done.billed += 1
        elif unit_id not in owners:
            done.ownerless.append(unit)
        elif fee_type.basis == "area" and area is None:
            done.unmeasured.append(unit)
        else:
            amount = amount_of(fee_type, area)
            if amount:
                done.bills.append(Proposed(unit_id, unit, *owners[unit_id], area, amount))
    return done


def amount_of(fee_type: FeeType, area_sqm: Decimal | None) -> Decimal:
    """Return what one bill of a unit amounts to, to the cent."""
    factor = area_sqm if fee_type.basis == "area" else Decimal(1)
    return ((fee_type.rate or Decimal(0)) * (factor or Decimal(0)) * fee_type.period_months).quantize(
        _CENT, rounding=ROUND_HALF_UP
    )


def _billed_units(work: Work, fee_type: FeeType, first: dt.date) -> set[int]:
    """Return the units with a bill whose months overlap those from a day on."""
    months = fee_type.period_months
    return set(
        work.session.scalars(
            sa.select(FeeBill.unit_id).where(
                FeeBill.fee_type_id == fee_type.id,
                FeeBill.deleted_at.is_(None),
                FeeBill.unit_id.is_not(None),
                FeeBill.period_on > add_months(first, -months),
                FeeBill.period_on < add_months(first, months),
            )
        )
    )


def withdraw(work: Work, bill_id: int) -> FeeBill:
    """Take back a bill made by mistake.

    Raises:
        Refused: if something was paid on it; void the payments first.
    """
    bill = work.get(FeeBill, Given().key("id", bill_id), "run", lock=True)
    payments = work.session.scalars(
        sa.select(FeePayment).where(FeePayment.fee_bill_id == bill.id, FeePayment.deleted_at.is_(None))
    ).all()
    if any(not payment.is_void for payment in payments):
        raise Refused(marked("Something was paid on this bill. Void the payments first."))
    for row in (bill, *payments):
        row.deleted_at = work.now
    work.session.flush()
    return bill


def pay(work: Work, bill_id: int, amount: Decimal | float | str, received_on: dt.date) -> FeePayment:
    """Record a payment on a bill, or with a negative amount a refund.

    Raises:
        Refused: if it is more than is open, or a refund of more than was paid.
    """
    given = Given()
    value = given.money("amount", amount)
    day = given.day("received_on", received_on, work.today)
    if not value:
        given.wrong("amount", marked("This is no amount."))
    given.check()
    bill = work.get(FeeBill, Given().key("id", bill_id), lock=True)
    paid = paid_on(work, bill.id)
    if value > bill.amount - paid:
        raise Refused(marked("Only {amount} is open on this bill."), amount=f"{bill.amount - paid:,.2f}")
    if value < 0 and -value > paid:
        raise Refused(marked("Only {amount} was paid on this bill."), amount=f"{paid:,.2f}")
    return work.add(FeePayment(fee_bill_id=bill.id, amount=value, received_on=day))


def void(work: Work, payment_id: int) -> FeePayment:
    """Mark an entry of a payment as void: it counts no longer."""
    payment = work.get(FeePayment, Given().key("id", payment_id))
    # The bill is what two would fight for.
    work.get(FeeBill, payment.fee_bill_id, lock=True)
    payment = work.get(FeePayment, payment.id, "update", lock=True)
    if payment.is_void:
        raise Refused(marked("This payment is void already."))
    if paid_on(work, payment.fee_bill_id) < payment.amount:
        raise Refused(marked("Part of this payment was refunded. Void the refund first."))
    payment.is_void = True
    work.session.flush()
    return payment


def paid_on(work: Work, bill_id: int) -> Decimal:
    """Return what was paid on a bill, less refunds and void entries."""
    amounts = work.session.scalars(
        sa.select(FeePayment.amount).where(
            FeePayment.fee_bill_id == bill_id, FeePayment.deleted_at.is_(None), ~FeePayment.is_void
        )
    )
    return sum(amounts, Decimal(0))


def payments_of(work: Work, bill_id: int) -> list[FeePayment]:
    """Return the payments of a bill, void ones included, the latest first."""
    bill = work.get(FeeBill, Given().key("id", bill_id))
    query = (
        sa.select(FeePayment)
        .where(
            FeePayment.fee_bill_id == bill.id, FeePayment.deleted_at.is_(None), reach(work.actor, "read", "fee_payment")
        )
        .order_by(FeePayment.received_on.desc(), FeePayment.id.desc())
    )
    return list(work.session.scalars(query))


# Lists


@dataclass(frozen=True)
class Bill:
    """A bill as it is listed; `owner` is None for who may not read personal data."""

    id: int
    unit: str | None
    owner: str | None
    customer_id: int
    fee_type: str
    period_on: dt.date
    due_on: dt.date
    amount: Decimal
    paid: Decimal

    @property
    def open(self) -> Decimal:
        """What is still to be paid."""
        return self.amount - self.paid


# Money is summed in whole cents: SQLite would add up floats.
def _cents(column: Any) -> Any:
    return sa.cast(sa.func.round(sa.cast(column, sa.Numeric(18, 2, asdecimal=False)) * 100), sa.BigInteger)


def _paid_cents() -> Any:
    return sa.func.coalesce(
        sa.select(sa.func.sum(_cents(FeePayment.amount)))
        .where(FeePayment.fee_bill_id == FeeBill.id, FeePayment.deleted_at.is_(None), ~FeePayment.is_void)
        .correlate(FeeBill)
        .scalar_subquery(),
        0,
    )


def money(cents: int | None) -> Decimal:
    """Return an amount from whole cents."""
    return Decimal(int(cents or 0)).scaleb(-2)


def bills(
    work: Work,
    *,
    project_id: int | None = None,
    fee_type_id: int | None = None,
    customer_id: int | None = None,
    state: str = "all",
    text: str = "",
    page: int = 0,
    size: int = 20,
) -> tuple[list[Bill], int, Decimal]:
    """Return a page of bills, the latest period first, how many there are, and what is open on all of them.

    Args:
        state: ``all``, ``open`` (not paid in full), ``overdue`` (open after its day) or ``paid``.
        text: part of the owner's name or of the unit's building and number.
    """
    work.require("read", "fee_bill")
    shows = reach(work.actor, "personal", "customer")
    paid = _paid_cents()
    rest = _cents(FeeBill.amount) - paid
    conditions = [FeeBill.deleted_at.is_(None), reach(work.actor, "read", "fee_bill")]
    for column, key in (
        (Building.project_id, project_id),
        (FeeBill.fee_type_id, fee_type_id),
        (FeeBill.customer_id, customer_id),
    ):
        if key is not None:
            conditions.append(column == key)
    match state:
        case "open":
            conditions.append(rest > 0)
        case "overdue":
            conditions += [FeeBill.due_on < work.today, rest > 0]
        case "paid":
            conditions.append(rest <= 0)
    text = text.strip()[:100]
    if text and text.isprintable():
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        conditions.append(
            sa.or_(
                sa.and_(shows, Customer.name.ilike(like, escape="\\")),
                (Building.name + " " + Unit.number).ilike(like, escape="\\"),
            )
        )
    query: Any = (
        sa.select(FeeBill.id)
        .join(Customer, Customer.id == FeeBill.customer_id)
        .join(FeeType, FeeType.id == FeeBill.fee_type_id)
        .outerjoin(Unit, Unit.id == FeeBill.unit_id)
        .outerjoin(Building, Building.id == Unit.building_id)
        .where(*conditions)
    )
    sums: Any = work.session.execute(
        query.with_only_columns(sa.func.count(), sa.func.sum(rest), maintain_column_froms=True)
    ).one()
    total, still_open = sums
    rows: Any = work.session.execute(
        query.with_only_columns(
            FeeBill.id,
            Building.name + " " + Unit.number,
            sa.case((shows, Customer.name)),
            FeeBill.customer_id,
            FeeType.name,
            FeeBill.period_on,
            FeeBill.due_on,
            FeeBill.amount,
            paid,
            maintain_column_froms=True,
        )
        .order_by(FeeBill.period_on.desc(), Building.name, Unit.number, FeeBill.id)
        .limit(size)
        .offset(max(page, 0) * size)
    )
    return [Bill(*(*row[:-1], money(row[-1]))) for row in rows], total, money(still_open)


@dataclass(frozen=True)
class Arrears:
    """What an owner owes of bills that are due, by how long they have been (`AGES`)."""

    customer_id: int
    owner: str | None
    units: int
    bills: int
    oldest_due_on: dt.date
    by_age: tuple[Decimal, ...]

    @property
    def total(self) -> Decimal:
        """All that is owed."""
        return sum(self.by_age, Decimal(0))


def arrears(
    work: Work, *, project_id: int | None = None, page: int = 0, size: int = 20
) -> tuple[list[Arrears], Arrears | None, int]:
    """Return a page of who owes, the most first, the sum of all, and how many owe.

    A bill counts from its due day on with what was not paid on it; overpaid bills are no credit for others.
    """
    work.require("read", "fee_bill")
    shows = reach(work.actor, "personal", "customer")
    rest = _cents(FeeBill.amount) - _paid_cents()
    conditions = [FeeBill.deleted_at.is_(None), FeeBill.due_on <= work.today, reach(work.actor, "read", "fee_bill")]
    if project_id is not None:
        conditions.append(Building.project_id == project_id)
    owed = (
        sa.select(FeeBill.customer_id, FeeBill.unit_id, FeeBill.due_on, rest.label("rest"))
        .outerjoin(Unit, Unit.id == FeeBill.unit_id)
        .outerjoin(Building, Building.id == Unit.building_id)
        .where(*conditions, rest > 0)
        .subquery()
    )
    ages = [
        sa.func.coalesce(sa.func.sum(owed.c.rest).filter(*_aged(owed.c.due_on, work.today, age)), 0) for age in AGES
    ]
    columns: Any = (
        sa.func.count(owed.c.unit_id.distinct()), sa.func.count(), sa.func.min(owed.c.due_on), *ages,
        sa.func.count(owed.c.customer_id.distinct()),
    )  # fmt: skip
    tally: Any = work.session.execute(sa.select(*columns)).one()
    units, count, oldest, *cents, people = tally
    if not count:
        return [], None, 0
    whole = Arrears(0, None, units, count, oldest, tuple(money(c) for c in cents))
    rows: Any = work.session.execute(
        sa.select(owed.c.customer_id, sa.case((shows, Customer.name)), *columns[:-1])
        .join(Customer, Customer.id == owed.c.customer_id)
        .group_by(owed.c.customer_id, Customer.id, Customer.name)
        .order_by(sa.func.sum(owed.c.rest).desc(), owed.c.customer_id)
        .limit(size)
        .offset(max(page, 0) * size)
    )
    found = [Arrears(*(*row[:5], tuple(money(c) for c in row[5:]))) for row in rows]
    return found, whole, people


def _aged(due_on: Any, today: dt.date, age: tuple[int, int | None]) -> Iterable[Any]:
    least, most = age
    yield due_on <= today - dt.timedelta(days=least)
    if most is not None:
        yield due_on >= today - dt.timedelta(days=most)
