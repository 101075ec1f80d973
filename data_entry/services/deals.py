"""The life of a deal, from small booking to contract and payment; the only writer of `deal_event`.

A unit is held by the deal that has it in hand: from the small booking until a cancellation or a swap. Whoever wants a
unit locks its row first, so of two people at the same second one is refused. ``unit.status`` follows the deals.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.customer import Customer
from data_entry.schema.deal import Deal, DealEvent, DealShare, Payment, PaymentDue
from data_entry.schema.estate import Building, Project, Unit, UnitPrice
from data_entry.schema.lead import Lead, LeadEvent
from data_entry.schema.organisation import Employee
from data_entry.services import leads
from data_entry.services.entries import acting_employee, amount, happened_at, invalid, reason_of, signed_amount
from data_entry.services.errors import Refused
from data_entry.services.leads import STAGES, DealState, deal_events, deal_state, lock_customer
from data_entry.services.work import Work
from loupan.i18n import marked

# State of the unit on the board while a deal in this stage holds it.
UNIT_STATUS = {"small_booking": "reserved", "booking": "booked", "contract": "sold"}
# How a contract is paid: parts of the price and days after the contract; the last part takes what rounding leaves.
PLANS: dict[str, tuple[tuple[Decimal, int], ...]] = {
    "lump_sum": ((Decimal("0.30"), 3), (Decimal("0.70"), 30)),
    "mortgage": ((Decimal("0.30"), 7), (Decimal("0.70"), 60)),
    "instalments": ((Decimal("0.30"), 7), (Decimal("0.30"), 120), (Decimal("0.40"), 300)),
}
PAYMENT_KINDS = ("deposit", "down_payment", "balance", "mortgage", "instalment", "refund")
_LONGEST_CHAIN = 50


@dataclass(frozen=True)
class Money:
    """What is owed and paid for a deal, with the deals it was swapped from.

    Attributes:
        price: contract price in force, None without a contract.
        planned: sum of the payment plan.
        paid: sum of payments that were not voided.
        due: what of the plan is due by today.
    """

    price: Decimal | None
    planned: Decimal
    paid: Decimal
    due: Decimal

    @property
    def gap(self) -> Decimal:
        """What the plan lacks to the price; zero when they agree."""
        return (self.price or self.planned) - self.planned

    @property
    def overdue(self) -> Decimal:
        """What is due and not paid."""
        return max(self.due - self.paid, Decimal(0))


def state_of(work: Work, deal_id: int) -> DealState:
    """Return where a deal stands."""
    return deal_state(deal_events(work.session, [deal_id]).get(deal_id, []))


def _lock(work: Work, deal_id: int, action: str) -> tuple[Deal, DealState]:
    """Return a deal that nobody else changes now, and where it stands."""
    deal = work.get(Deal, deal_id, action)
    lock_customer(work, deal.customer_id)
    deal = work.get(Deal, deal_id, action, lock=True)
    return deal, state_of(work, deal_id)


def _lock_units(work: Work, *unit_ids: int | None) -> dict[int, Unit]:
    """Lock units in the order of their keys, so that two people who want the same two never wait for each other."""
    wanted = sorted({key for key in unit_ids if key is not None})
    return {key: work.get(Unit, key, lock=True) for key in wanted}


def holder_of(work: Work, unit_id: int) -> tuple[Deal, DealState] | None:
    """Return the deal that holds a unit now, whoever may see it, and where it stands."""
    found = work.session.scalars(
        sa.select(Deal).where(Deal.unit_id == unit_id, Deal.deleted_at.is_(None)).order_by(Deal.id)
    ).all()
    events = deal_events(work.session, [deal.id for deal in found])
    held = [(deal, state) for deal in found if (state := deal_state(events.get(deal.id, []))).is_active]
    return max(held, key=lambda pair: (STAGES.index(pair[1].stage or STAGES[0]), pair[0].id)) if held else None


def _require_free(work: Work, unit: Unit, project_id: int, at: dt.datetime, own_deal_id: int | None = None) -> None:
    """Raise `Refused` unless a locked unit of an estate may be sold at a moment."""
    building = work.get(Building, unit.building_id)
    if building.project_id != project_id:
        raise Refused(marked("Unit {unit} belongs to another estate."), unit=unit.number)
    name = f"{building.name} {unit.number}"
    day = work.local(at).date()
    if building.presale_permit_on is None or building.presale_permit_on > day:
        raise Refused(marked("{building} has no pre-sale permit yet."), building=building.name)
    holder = holder_of(work, unit.id)
    if holder is not None and holder[0].id != own_deal_id:
        taken = {
            "small_booking": marked("Unit {unit} is reserved for another customer."),
            "booking": marked("Unit {unit} is booked already."),
            "contract": marked("Unit {unit} is sold already."),
        }
        raise Refused(taken[holder[1].stage or STAGES[0]], unit=name)
    if holder is None:
        if unit.status not in ("available", "reserved"):
            refusals = {
                "withheld": marked("Unit {unit} is withheld from sale."),
                "booked": marked("Unit {unit} is booked already."),
                "sold": marked("Unit {unit} is sold already."),
            }
            raise Refused(refusals[unit.status], unit=name)
        freed = work.session.scalar(
            sa.select(sa.func.max(DealEvent.occurred_at))
            .join(Deal, Deal.id == DealEvent.deal_id)
            .where(
                Deal.unit_id == unit.id, Deal.deleted_at.is_(None),
                DealEvent.kind.in_(("cancel", "swap")), DealEvent.deleted_at.is_(None),
            )
        )  # fmt: skip
        if freed is not None and at < freed.replace(second=0, microsecond=0):
            raise Refused(
                marked("Until {moment} unit {unit} was another customer's."),
                moment=f"{work.local(freed):%Y-%m-%d %H:%M}", unit=name,
            )  # fmt: skip


def price_on(work: Work, unit_id: int, day: dt.date) -> UnitPrice | None:
    """Return the price of a unit that is valid on a day, None where there is none."""
    return work.session.scalar(
        sa.select(UnitPrice)
        .where(UnitPrice.unit_id == unit_id, UnitPrice.valid_from_on <= day, UnitPrice.deleted_at.is_(None))
        .order_by(UnitPrice.valid_from_on.desc())
        .limit(1)
    )


def _require_price(work: Work, deal: Deal, unit_id: int, price: Decimal, at: dt.datetime) -> None:
    """Raise `Refused` for a price below the floor, unless the actor may approve it, which leaves a trail."""
    valid = price_on(work, unit_id, work.local(at).date())
    if valid is None or valid.floor_price is None or price >= valid.floor_price:
        return
    if not (work.actor.may("approve", "deal") and work.may_with("approve", deal)):
        raise Refused(
            marked("The price is below the lowest price agreed for this unit, {floor}. Ask the sales manager."),
            floor=f"{valid.floor_price:,.2f}",
        )
    work.log("approve", "deal", deal.id, price=price, floor_price=valid.floor_price)


def _write_event(
    work: Work, deal: Deal, kind: str, at: dt.datetime, value: Decimal, employee_id: int | None,
    reason_id: int | None = None,
) -> DealEvent:  # fmt: skip
    return work.add(
        DealEvent(
            deal_id=deal.id, kind=kind, occurred_at=at, amount=value,
            employee_id=acting_employee(work, employee_id), reason_id=reason_id,
        )
    )  # fmt: skip


def _require_stage(stage: str) -> None:
    if stage not in STAGES:
        raise invalid("stage", marked("There is no such entry."))


def open_deal(
    work: Work,
    lead_id: int,
    stage: str,
    value: Any,
    *,
    unit_id: int | None = None,
    occurred_at: dt.datetime | None = None,
    employee_id: int | None = None,
) -> Deal:
    """Begin a deal with a small booking, a booking or, at once, a contract.

    Args:
        work: the open work.
        lead_id: the lead it comes from.
        stage: one of `STAGES`.
        value: the deposit, or the price of a contract.
        unit_id: the unit; only a small booking does without.
        occurred_at: company wall-clock time; None for now.
        employee_id: who acted; None for the actor.

    Raises:
        Refused: if the lead is lost, the unit cannot be sold, or the price is too low.
        Invalid: if amount or moment do not fit.
    """
    _require_stage(stage)
    work.require("create", "deal")
    number = amount(value)
    lead = work.get(Lead, lead_id)
    lock_customer(work, lead.customer_id)
    lead = work.get(Lead, lead_id, lock=True)
    journey = leads.state_of(work, lead_id)
    if journey.state == leads.LOST:
        raise Refused(marked("The lead is lost. Reopen it first."))
    at = happened_at(work, occurred_at, max(filter(None, (lead.opened_at, journey.last_turn_at))))
    if unit_id is None and stage != "small_booking":
        raise invalid("unit_id", marked("Choose the unit."))
    unit = _lock_units(work, unit_id).get(unit_id or 0)
    if unit is not None:
        _require_free(work, unit, lead.project_id, at)
    # A deal belongs to whoever looks after the customer; leads that were imported may have nobody yet.
    leads.ensure_owner(work, lead.customer_id, lead.project_id, lead.employee_id or work.actor.employee_id, at)
    deal = work.add(Deal(lead_id=lead.id, customer_id=lead.customer_id, project_id=lead.project_id, unit_id=unit_id))
    if unit is not None:
        if stage == "contract":
            _require_price(work, deal, unit.id, number, at)
        unit.status = UNIT_STATUS[stage]
    _write_event(work, deal, stage, at, number, employee_id)
    _clear_steps_of(work, deal, stage)
    return deal


def _clear_steps_of(work: Work, deal: Deal, stage: str) -> None:
    """A contract is what the next step was for."""
    if stage == "contract" and deal.lead_id is not None and (lead := work.session.get(Lead, deal.lead_id)):
        lead.next_step = lead.next_step_on = None
        work.session.flush()


def advance(
    work: Work,
    deal_id: int,
    stage: str,
    value: Any,
    *,
    unit_id: int | None = None,
    occurred_at: dt.datetime | None = None,
    employee_id: int | None = None,
) -> DealEvent:
    """Take a deal a stage further, or two; a booking may take another unit than the small booking had.

    Args:
        work: the open work.
        deal_id: key of the deal.
        stage: ``booking`` or ``contract``.
        value: the deposit, or the price of the contract.
        unit_id: another unit than so far; None keeps it.
        occurred_at: company wall-clock time; None for now.
        employee_id: who acted; None for the actor.

    Raises:
        Refused: if the deal has ended or is as far already, the unit cannot be sold, or the price is too low.
        Invalid: if amount or moment do not fit.
    """
    _require_stage(stage)
    number = amount(value)
    deal, state = _lock(work, deal_id, "update")
    _require_active(state)
    if STAGES.index(stage) <= STAGES.index(state.stage or STAGES[0]):
        raise Refused(marked("The deal is as far as that already."))
    wanted = unit_id or deal.unit_id
    if wanted is None:
        raise invalid("unit_id", marked("Choose the unit."))
    units = _lock_units(work, wanted, deal.unit_id)
    at = happened_at(work, occurred_at, state.last_at)
    _require_free(work, units[wanted], deal.project_id, at, deal.id)
    if stage == "contract":
        _require_price(work, deal, wanted, number, at)
    if deal.unit_id is not None and deal.unit_id != wanted:
        units[deal.unit_id].status = "available"
    deal.unit_id = wanted
    units[wanted].status = UNIT_STATUS[stage]
    event = _write_event(work, deal, stage, at, number, employee_id)
    _clear_steps_of(work, deal, stage)
    return event


def _require_active(state: DealState) -> None:
    if state.is_cancelled:
        raise Refused(marked("The deal is cancelled."))
    if state.is_swapped:
        raise Refused(marked("The deal was given up for another unit."))
    if state.stage is None:
        raise Refused(marked("The deal has not begun."))


def _require_live(state: DealState) -> Decimal:
    """Return the price in force; raise `Refused` for a deal that is not under contract."""
    _require_active(state)
    if state.stage != "contract" or state.price is None:
        raise Refused(marked("There is no contract yet."))
    return Decimal(state.price)


def cancel(
    work: Work,
    deal_id: int,
    reason_id: int | None,
    value: Any = None,
    *,
    occurred_at: dt.datetime | None = None,
    keeps_looking: bool = False,
    employee_id: int | None = None,
) -> DealEvent:
    """Cancel a deal and free its unit; the lead is lost with it, unless the customer keeps looking.

    Args:
        work: the open work.
        deal_id: key of the deal.
        reason_id: why, a reason of the kind ``cancel``.
        value: what is taken back: the whole price of a contract, at most the deposit of a booking; None for all.
        occurred_at: company wall-clock time; None for now.
        keeps_looking: reopen the lead at once.
        employee_id: who acted; None for the actor.

    Raises:
        Refused: if the deal has ended already.
        Invalid: if reason, amount or moment do not fit.
    """
    deal, state = _lock(work, deal_id, "cancel")
    _require_active(state)
    reason_of(work, reason_id, "cancel")
    whole = Decimal((state.price if state.stage == "contract" else state.deposit) or 0)
    number = whole if value is None else signed_amount(value)
    if state.stage == "contract" and number != whole:
        # Anything else would leave sales of a contract that does not exist.
        raise invalid("amount", marked("A cancelled contract takes back all of {price}."), price=f"{whole:,.2f}")
    if not 0 <= number <= whole:
        raise invalid("amount", marked("At most the deposit, {deposit}, can be taken back."), deposit=f"{whole:,.2f}")
    at = happened_at(work, occurred_at, state.last_at)
    units = _lock_units(work, deal.unit_id)
    event = _write_event(work, deal, "cancel", at, number, employee_id, reason_id)
    if deal.unit_id is not None:
        units[deal.unit_id].status = "available"
    if keeps_looking and deal.lead_id is not None:
        journey = leads.state_of(work, deal.lead_id)
        if journey.state == leads.LOST:
            work.add(
                LeadEvent(
                    lead_id=deal.lead_id, kind="reopened", occurred_at=max(at, journey.last_turn_at or at),
                    employee_id=acting_employee(work, employee_id),
                )
            )  # fmt: skip
    work.session.flush()
    return event


def swap(
    work: Work,
    deal_id: int,
    unit_id: int,
    price: Any,
    *,
    occurred_at: dt.datetime | None = None,
    employee_id: int | None = None,
) -> Deal:
    """Give a unit under contract up for another one of the estate; return the deal of the new unit.

    The old deal gets a ``swap`` event of amount 0, the new one a contract event with the new price at the same moment.
    Its shares are taken over. What falls due after the swap is owed on the new deal, whose plan is to be made anew.

    Raises:
        Refused: if there is no contract, the new unit cannot be sold, or its price is too low.
        Invalid: if price or moment do not fit.
    """
    number = amount(price, "price")
    old, state = _lock(work, deal_id, "update")
    _require_live(state)
    if unit_id == old.unit_id:
        raise invalid("unit_id", marked("Choose another unit than the present one."))
    units = _lock_units(work, unit_id, old.unit_id)
    at = happened_at(work, occurred_at, state.last_at)
    _require_free(work, units[unit_id], old.project_id, at)
    who = acting_employee(work, employee_id)
    _write_event(work, old, "swap", at, Decimal(0), who)
    new = work.add(
        Deal(
            lead_id=old.lead_id, customer_id=old.customer_id, project_id=old.project_id, unit_id=unit_id,
            swapped_from_id=old.id,
        )
    )  # fmt: skip
    _require_price(work, new, unit_id, number, at)
    _write_event(work, new, "contract", at, number, who)
    for share in _shares(work, old.id):
        work.session.add(DealShare(deal_id=new.id, employee_id=share.employee_id, share=share.share))
    if old.unit_id is not None:
        units[old.unit_id].status = "available"
    units[unit_id].status = "sold"
    _drop_dues(work, old, after=work.local(at).date())
    work.session.flush()
    return new


def amend(
    work: Work,
    deal_id: int,
    difference: Any,
    *,
    occurred_at: dt.datetime | None = None,
    employee_id: int | None = None,
) -> DealEvent:
    """Raise or, with a negative difference, lower the price of a contract.

    Raises:
        Refused: if there is no contract, or the new price is too low.
        Invalid: if difference or moment do not fit.
    """
    number = signed_amount(difference, "difference")
    if number == 0:
        raise invalid("difference", marked("The difference must not be zero."))
    deal, state = _lock(work, deal_id, "update")
    price = _require_live(state)
    if price + number <= 0:
        raise invalid("difference", marked("The price would not be above zero."))
    at = happened_at(work, occurred_at, state.last_at)
    if number < 0 and deal.unit_id is not None and state.contract_at is not None:
        _require_price(work, deal, deal.unit_id, price + number, state.contract_at)
    return _write_event(work, deal, "amend", at, number, employee_id)


def _shares(work: Work, deal_id: int) -> list[DealShare]:
    return list(
        work.session.scalars(
            sa.select(DealShare)
            .where(DealShare.deal_id == deal_id, DealShare.deleted_at.is_(None))
            .order_by(DealShare.id)
        )
    )


def share_out(work: Work, deal_id: int, shares: Mapping[int, Any]) -> list[DealShare]:
    """Say which employees share a deal; without any, all of it is theirs who signed the contract.

    Args:
        work: the open work.
        deal_id: key of the deal.
        shares: share by employee, above 0; they sum to 1.

    Raises:
        Invalid: if they do not.
    """
    work.require("create", "deal_share")
    wanted: dict[int, Decimal] = {}
    for employee_id, share in shares.items():
        try:
            wanted[employee_id] = Decimal(str(share)).quantize(Decimal("0.000001"))
        except ArithmeticError:
            raise invalid("share", marked("Enter a share between 0 and 1.")) from None
        if not 0 < wanted[employee_id] <= 1:
            raise invalid("share", marked("Enter a share between 0 and 1."))
    if wanted and sum(wanted.values(), Decimal(0)) != 1:
        raise invalid(
            "share", marked("The shares sum to {total}, not to 100 %."), total=f"{sum(wanted.values()) * 100:f} %"
        )
    known = set(
        work.session.scalars(sa.select(Employee.id).where(Employee.id.in_(wanted), Employee.deleted_at.is_(None)))
    )
    if set(wanted) - known:
        raise invalid("employee_id", marked("Choose an employee."))
    deal, state = _lock(work, deal_id, "update")
    _require_active(state)
    # An employee has one row per deal, deleted or not: a share that was taken away comes back in its own row.
    rows = {
        row.employee_id: row for row in work.session.scalars(sa.select(DealShare).where(DealShare.deal_id == deal.id))
    }
    for employee_id, row in rows.items():
        row.deleted_at = None if employee_id in wanted else (row.deleted_at or work.now)
        row.share = wanted.get(employee_id, row.share)
    for employee_id in wanted.keys() - rows.keys():
        work.session.add(DealShare(deal_id=deal.id, employee_id=employee_id, share=wanted[employee_id]))
    work.session.flush()
    return _shares(work, deal.id)


def _chain(work: Work, deal: Deal) -> list[Deal]:
    """Return a deal and those it was swapped from, the latest first."""
    found = [deal]
    while found[-1].swapped_from_id is not None and len(found) < _LONGEST_CHAIN:
        before = work.session.get(Deal, found[-1].swapped_from_id)
        if before is None or before in found:
            break
        found.append(before)
    return found


def dues(work: Work, deal_id: int) -> list[PaymentDue]:
    """Return the payment plan of a deal that the actor may read, by day."""
    deal = work.get(Deal, deal_id)
    return _dues(work, [deal.id])


def _dues(work: Work, deal_ids: Sequence[int]) -> list[PaymentDue]:
    return list(
        work.session.scalars(
            sa.select(PaymentDue)
            .where(PaymentDue.deal_id.in_(deal_ids), PaymentDue.deleted_at.is_(None))
            .order_by(PaymentDue.due_on, PaymentDue.id)
        )
    )


def _drop_dues(work: Work, deal: Deal, after: dt.date | None = None) -> None:
    for due in _dues(work, [deal.id]):
        if after is None or due.due_on > after:
            due.deleted_at = work.now


def payments(work: Work, deal_id: int) -> list[Payment]:
    """Return the payments for a deal that the actor may read, and for those it was swapped from, the latest first."""
    return _payments(work, [deal.id for deal in _chain(work, work.get(Deal, deal_id))])


def _payments(work: Work, deal_ids: Sequence[int]) -> list[Payment]:
    return list(
        work.session.scalars(
            sa.select(Payment)
            .where(Payment.deal_id.in_(deal_ids), Payment.deleted_at.is_(None))
            .order_by(Payment.received_on.desc(), Payment.id.desc())
        )
    )


def money(work: Work, deal_id: int) -> Money:
    """Return what is owed and paid for a deal that the actor may read."""
    deal = work.get(Deal, deal_id)
    return _money(work, deal, state_of(work, deal.id))


def _money(work: Work, deal: Deal, state: DealState) -> Money:
    return moneys(work, {deal.id: state})[deal.id]


def moneys(work: Work, rows: Mapping[int, DealState]) -> dict[int, Money]:
    """Return what is owed and paid for deals that the actor was found to reach, by deal, in a few queries.

    Args:
        work: the open work.
        rows: where each deal stands.
    """
    session = work.session
    before: dict[int, int | None] = {}
    fresh = list(rows)
    while fresh:
        above: dict[int, int | None] = dict(
            session.execute(sa.select(Deal.id, Deal.swapped_from_id).where(Deal.id.in_(fresh))).all()
        )
        before |= above
        fresh = [key for key in above.values() if key is not None and key not in before]
    chains: dict[int, list[int]] = {}
    for deal_id in rows:
        chains[deal_id] = [deal_id]
        while (key := before.get(chains[deal_id][-1])) is not None and key not in chains[deal_id]:
            chains[deal_id].append(key)
    planned, paid = _dues(work, list(before)), _payments(work, list(before))

    def total(amounts: Iterable[tuple[int, Decimal]], keys: list[int]) -> Decimal:
        return sum((value for key, value in amounts if key in keys), Decimal(0))

    return {
        deal_id: Money(
            price=rows[deal_id].price,
            planned=total(((due.deal_id, due.amount) for due in planned), keys),
            paid=total(((each.deal_id, each.amount) for each in paid if not each.is_void), keys),
            due=total(((due.deal_id, due.amount) for due in planned if due.due_on <= work.today), keys),
        )
        for deal_id, keys in chains.items()
    }


def draft_plan(template: str, total: Decimal, start_on: dt.date) -> list[tuple[dt.date, Decimal]]:
    """Return the instalments of a template of `PLANS`: day and amount, which sum to the total exactly."""
    parts = PLANS[template]
    drafted = [
        (start_on + dt.timedelta(days=days), (total * share).quantize(Decimal("0.01"), ROUND_DOWN))
        for share, days in parts[:-1]
    ]
    rest = total - sum((value for _, value in drafted), Decimal(0))
    return [*drafted, (start_on + dt.timedelta(days=parts[-1][1]), rest)]


def to_plan(work: Work, deal_id: int) -> tuple[Decimal, dt.date]:
    """Return what the payment plan of a deal must sum to, and the day of the contract.

    After a swap that is the price less what had fallen due before it.

    Raises:
        Refused: if there is no contract.
    """
    deal = work.get(Deal, deal_id)
    return _to_plan(work, deal, state_of(work, deal.id))


def _to_plan(work: Work, deal: Deal, state: DealState) -> tuple[Decimal, dt.date]:
    price = _require_live(state)
    earlier = [each.id for each in _chain(work, deal)[1:]]
    owed = sum((due.amount for due in _dues(work, earlier)), Decimal(0)) if earlier else Decimal(0)
    return price - owed, work.local(state.contract_at or work.now).date()


def set_plan(work: Work, deal_id: int, instalments: Sequence[tuple[dt.date, Any]]) -> list[PaymentDue]:
    """Replace the payment plan of a contract.

    Args:
        work: the open work.
        deal_id: key of the deal.
        instalments: day and amount of each; they sum to the price.

    Raises:
        Refused: if there is no contract.
        Invalid: if they do not sum to the price, or a day lies before the contract.
    """
    deal, state = _lock(work, deal_id, "update")
    work.require("create", "payment_due")
    total, contract_on = _to_plan(work, deal, state)
    wanted: list[tuple[dt.date, Decimal]] = []
    for due_on, value in instalments:
        if not isinstance(due_on, dt.date) or due_on < contract_on:
            raise invalid("due_on", marked("Every instalment needs a day, not before the contract."))
        wanted.append((due_on, amount(value)))
    planned = sum((value for _, value in wanted), Decimal(0))
    if planned != total:
        raise invalid(
            "amount", marked("The instalments sum to {planned}; the price is {price}."),
            planned=f"{planned:,.2f}", price=f"{total:,.2f}",
        )  # fmt: skip
    _drop_dues(work, deal)
    rows = [PaymentDue(deal_id=deal.id, due_on=due_on, amount=value) for due_on, value in sorted(wanted)]
    work.session.add_all(rows)
    work.session.flush()
    return rows


def pay(work: Work, deal_id: int, value: Any, kind: str | None, received_on: dt.date | None = None) -> Payment:
    """Record money received for a deal, or with the kind ``refund`` and a negative amount, given back.

    Raises:
        Refused: if the deal has ended and this is no refund, or more would be paid than the price.
        Invalid: if amount, kind or day do not fit.
    """
    number = signed_amount(value)
    day = received_on or work.today
    if day > work.today:
        raise invalid("received_on", marked("This lies in the future."))
    if number == 0:
        raise invalid("amount", marked("The amount must not be zero."))
    if kind not in PAYMENT_KINDS:
        raise invalid("kind", marked("Choose the kind of payment."))
    if (number < 0) != (kind == "refund"):
        raise invalid("amount", marked("A refund is negative; every other payment is above zero."))
    deal, state = _lock(work, deal_id, "update")
    owed = _money(work, deal, state)
    if number > 0:
        _require_active(state)
        if owed.price is not None and owed.paid + number > owed.price:
            raise Refused(
                marked("With this, {paid} would be paid; the price is {price}."),
                paid=f"{owed.paid + number:,.2f}", price=f"{owed.price:,.2f}",
            )  # fmt: skip
    elif owed.paid + number < 0:
        raise Refused(marked("Only {paid} was paid."), paid=f"{owed.paid:,.2f}")
    return work.add(Payment(deal_id=deal.id, received_on=day, amount=number, kind=kind, is_void=False))


def void_payment(work: Work, payment_id: int) -> Payment:
    """Void a payment that was entered by mistake; it stays to be seen.

    Raises:
        Refused: if it is void already, or a refund rests on it.
    """
    payment = work.get(Payment, payment_id, "update")
    deal, state = _lock(work, payment.deal_id, "update")
    payment = work.get(Payment, payment_id, "update", lock=True)
    if payment.is_void:
        raise Refused(marked("The payment is void already."))
    if payment.amount > _money(work, deal, state).paid:
        raise Refused(marked("A refund rests on this payment. Void the refund first."))
    payment.is_void = True
    work.session.flush()
    return payment


@dataclass(frozen=True)
class Listed:
    """A deal in a list.

    Attributes:
        deal: the row.
        state: where it stands.
        customer: name of the customer, None where the actor may not know it.
        unit: building and number.
        project: name of the estate.
    """

    deal: Deal
    state: DealState
    customer: str | None
    unit: str | None
    project: str


# The last event but amendments says where a deal stands; what was given up or cancelled has ended.
LISTS: dict[str, tuple[str, ...]] = {
    "small_booking": ("small_booking",),
    "booking": ("booking",),
    "contract": ("contract",),
    "ended": ("cancel", "swap"),
}


def listing(
    work: Work, stage: str, *, project_id: int | None = None, text: str = "", page: int = 0, size: int = 20
) -> tuple[list[Listed], dict[str, int]]:
    """Return a page of the deals that the actor may read, the latest first, and how many there are by list.

    Args:
        work: the open work.
        stage: a key of `LISTS`.
        project_id: only those of this estate.
        text: name of the customer, number of the unit, or of the deal.
        page, size: which page, from 0, of how many rows.
    """
    work.require("read", "deal")
    deal, event, unit, customer = Deal.__table__, DealEvent.__table__, Unit.__table__, Customer.__table__
    ranked = (
        sa.select(
            event.c.deal_id, event.c.kind, event.c.occurred_at,
            sa.func.row_number()
            .over(partition_by=event.c.deal_id, order_by=(event.c.occurred_at.desc(), event.c.id.desc()))
            .label("place"),
        )
        .where(event.c.kind != "amend", event.c.deleted_at.is_(None))
        .subquery()
    )  # fmt: skip
    where = [deal.c.deleted_at.is_(None), reach(work.actor, "read", "deal"), ranked.c.place == 1]
    if project_id is not None:
        where.append(deal.c.project_id == project_id)
    if words := text.strip():
        like = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        named = sa.select(customer.c.id).where(
            customer.c.name.ilike(f"%{like}%", escape="\\"), reach(work.actor, "personal", "customer")
        )
        numbered = sa.select(unit.c.id).where(unit.c.number == words)
        found: list[sa.ColumnElement[bool]] = [deal.c.customer_id.in_(named), deal.c.unit_id.in_(numbered)]
        if words.isdecimal() and len(words) <= 15:
            found.append(deal.c.id == int(words))
        where.append(sa.or_(*found))
    joined = deal.join(ranked, ranked.c.deal_id == deal.c.id)
    kinds: dict[str, int] = dict(
        work.session.execute(
            sa.select(ranked.c.kind, sa.func.count()).select_from(joined).where(*where).group_by(ranked.c.kind)
        ).all()
    )
    counts = {name: sum(kinds.get(kind, 0) for kind in listed) for name, listed in LISTS.items()}
    keys: Sequence[int] = work.session.scalars(
        sa.select(deal.c.id)
        .select_from(joined)
        .where(*where, ranked.c.kind.in_(LISTS[stage]))
        .order_by(ranked.c.occurred_at.desc(), deal.c.id.desc())
        .limit(size)
        .offset(max(page, 0) * size)
    ).all()
    return listed(work, list(keys)), counts


def listed(work: Work, deal_ids: Sequence[int]) -> list[Listed]:
    """Return deals, which the actor was found to reach, as rows of a list in the order given."""
    session = work.session
    rows = {row.id: row for row in session.scalars(sa.select(Deal).where(Deal.id.in_(deal_ids)))}
    events = deal_events(session, deal_ids)
    customer = Customer.__table__
    names: dict[int, str] = dict(
        session.execute(
            sa.select(customer.c.id, customer.c.name).where(
                customer.c.id.in_([row.customer_id for row in rows.values()]),
                reach(work.actor, "read", "customer"), reach(work.actor, "personal", "customer"),
            )
        ).all()
    )  # fmt: skip
    units = {
        key: f"{building} {number}"
        for key, building, number in session.execute(
            sa.select(Unit.id, Building.name, Unit.number)
            .join(Building, Building.id == Unit.building_id)
            .where(Unit.id.in_([row.unit_id for row in rows.values() if row.unit_id]))
        )
    }
    projects: dict[int, str] = dict(session.execute(sa.select(Project.id, Project.name)).all())
    return [
        Listed(
            rows[key], deal_state(events.get(key, [])), names.get(rows[key].customer_id),
            units.get(rows[key].unit_id or 0), projects.get(rows[key].project_id, ""),
        )
        for key in deal_ids
        if key in rows
    ]  # fmt: skip
