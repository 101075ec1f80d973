"""The life of a lead: opened, called, visited, qualified, lost and reopened; the only writer of `lead_event`.

What a lead *is* follows the metric dictionary: lost, when it has no live contract and the last turn among lost,
reopened and a cancelled deal is a loss or a cancellation; converted, when it has a live contract; else open. The leads
of one customer (with all that were merged) in one estate are one, so there is never a second one to open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.customer import Customer, CustomerOwner
from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.estate import Project
from data_entry.schema.lead import Lead, LeadEvent, Source, Touchpoint
from data_entry.schema.marketing import Activity
from data_entry.services.entries import acting_employee, happened_at, invalid, reason_of, require_colleague
from data_entry.services.errors import NotFound, Refused
from data_entry.services.identity import group_ids, owner_names, present_owners, survivor_id
from data_entry.services.work import Work
from loupan.i18n import marked

OPEN, LOST, CONVERTED = "open", "lost", "converted"
STAGES = ("small_booking", "booking", "contract")
# What the customer looks for, recorded with the lead.
WISHES = ("intent_level", "intended_layout", "intended_area_sqm", "budget", "purpose")


@dataclass
class DealState:
    """Where a deal stands after its events.

    Attributes:
        stage: the furthest of `STAGES` reached since the last cancellation; None before the first step.
        is_cancelled, is_swapped: how it ended, if it did.
        price: contract price with its amendments, None without a contract in force.
        deposit: amount of the last booking.
        last_at: moment of the last event.
    """

    stage: str | None = None
    is_cancelled: bool = False
    is_swapped: bool = False
    price: Any = None
    deposit: Any = None
    contract_at: dt.datetime | None = None
    last_at: dt.datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether it still holds its unit."""
        return self.stage is not None and not self.is_cancelled and not self.is_swapped

    @property
    def is_live(self) -> bool:
        """Whether it is a sale: under contract, neither cancelled nor given up for another unit."""
        return self.is_active and self.stage == "contract"


def deal_state(events: Sequence[DealEvent]) -> DealState:
    """Return where a deal stands.

    Args:
        events: all its events that count, in the order of moment and key.
    """
    state = DealState()
    for event in events:
        state.last_at = event.occurred_at
        match event.kind:
            case "cancel":
                state.is_cancelled, state.price = True, None
            case "swap":
                state.is_swapped = True
            case "amend" if state.price is not None:
                state.price += event.amount or 0
            case "contract":
                state.stage, state.is_cancelled, state.price = "contract", False, event.amount
                state.contract_at, state.is_swapped = event.occurred_at, False
            case "small_booking" | "booking":
                state.stage, state.is_cancelled, state.deposit = event.kind, False, event.amount
    return state


@dataclass
class Journey:
    """A customer's way in one estate, over all leads that count as one.

    Attributes:
        lead: the earliest lead, which counts.
        leads: all of them.
        state: `OPEN`, `LOST` or `CONVERTED`.
        last_turn_at: moment of the last loss, reopening or cancellation.
        last_contact_at: moment of whatever happened last.
        stage: the furthest stage of a deal that is still active, None without one.
        is_qualified: whether it was judged worth pursuing since the last reopening.
        visits: effective visits.
    """

    lead: Lead
    leads: list[Lead]
    state: str = OPEN
    last_turn_at: dt.datetime | None = None
    last_contact_at: dt.datetime | None = None
    stage: str | None = None
    is_qualified: bool = False
    visits: int = 0
    deals: dict[int, DealState] = field(default_factory=dict)

    @property
    def next_step_lead(self) -> Lead:
        """The lead that carries the next step: the earliest due one, else the one that counts."""
        with_step = [lead for lead in self.leads if lead.next_step]
        return min(with_step, key=lambda lead: lead.next_step_on or dt.date.max) if with_step else self.lead


def journeys(  # noqa: PLR0912 - leads, their events, deals and theirs, each once
    session: Session, customer_ids: Mapping[int, int]
) -> dict[tuple[int, int], Journey]:
    """Return the ways of customers by (survivor, estate).

    Args:
        session: open on the CRM.
        customer_ids: the survivor of every customer wanted, itself included.
    """
    found: dict[tuple[int, int], Journey] = {}
    keys = list(customer_ids)
    leads = session.scalars(
        sa.select(Lead).where(Lead.customer_id.in_(keys), Lead.deleted_at.is_(None)).order_by(Lead.opened_at, Lead.id)
    ).all()
    of_lead: dict[int, Journey] = {}
    for lead in leads:
        key = (customer_ids[lead.customer_id], lead.project_id)
        journey = found.setdefault(key, Journey(lead, [], last_contact_at=lead.opened_at))
        journey.leads.append(lead)
        of_lead[lead.id] = journey
    # (moment, precedence, key) orders turns as the statistics do: at the same moment a lead event is the later one.
    turns: dict[int, list[tuple[tuple[dt.datetime, int, int], str]]] = {}
    for event in session.scalars(
        sa.select(LeadEvent)
        .where(LeadEvent.lead_id.in_(list(of_lead)), LeadEvent.deleted_at.is_(None))
        .order_by(LeadEvent.occurred_at, LeadEvent.id)
    ):
        journey = of_lead[event.lead_id]
        _touch(journey, event.occurred_at)
        journey.visits += event.kind == "visit" and bool(event.is_effective)
        if event.kind in ("qualified", "reopened"):
            journey.is_qualified = event.kind == "qualified"
        if event.kind in (LOST, "reopened"):
            turns.setdefault(id(journey), []).append(((event.occurred_at, 1, event.id), event.kind))
    deals = session.scalars(
        sa.select(Deal).where(
            sa.or_(Deal.lead_id.in_(list(of_lead)), sa.and_(Deal.lead_id.is_(None), Deal.customer_id.in_(keys))),
            Deal.deleted_at.is_(None),
        )
    ).all()
    events = deal_events(session, [deal.id for deal in deals])
    for deal in deals:
        own = found.get((customer_ids.get(deal.customer_id, deal.customer_id), deal.project_id))
        journey_of_deal = of_lead.get(deal.lead_id) if deal.lead_id is not None else own
        if journey_of_deal is None:
            continue
        state = deal_state(events.get(deal.id, []))
        journey_of_deal.deals[deal.id] = state
        for deal_event in events.get(deal.id, []):
            _touch(journey_of_deal, deal_event.occurred_at)
            if deal_event.kind == "cancel" and deal.lead_id is not None:
                turns.setdefault(id(journey_of_deal), []).append(((deal_event.occurred_at, 0, deal_event.id), "cancel"))
        if state.is_active and STAGES.index(state.stage or STAGES[0]) >= STAGES.index(
            journey_of_deal.stage or STAGES[0]
        ):
            journey_of_deal.stage = state.stage
        if state.is_live:
            journey_of_deal.state = CONVERTED
    for journey in found.values():
        if last := max(turns.get(id(journey), []), default=None):
            journey.last_turn_at = last[0][0]
            if journey.state != CONVERTED and last[1] != "reopened":
                journey.state = LOST
    return found


def _touch(journey: Journey, moment: dt.datetime) -> None:
    journey.last_contact_at = max(journey.last_contact_at or moment, moment)


def deal_events(session: Session, deal_ids: Sequence[int]) -> dict[int, list[DealEvent]]:
    """Return the events that count of deals, by deal, in the order of moment and key."""
    found: dict[int, list[DealEvent]] = {}
    for event in session.scalars(
        sa.select(DealEvent)
        .where(DealEvent.deal_id.in_(list(deal_ids)), DealEvent.deleted_at.is_(None))
        .order_by(DealEvent.occurred_at, DealEvent.id)
    ):
        found.setdefault(event.deal_id, []).append(event)
    return found


def journey_of(session: Session, customer_id: int, project_id: int) -> Journey | None:
    """Return a customer's way in an estate, None where there is no lead."""
    group = group_ids(session, customer_id)
    return journeys(session, dict.fromkeys(group, group[0])).get((group[0], project_id))


def lock_customer(work: Work, customer_id: int) -> None:
    """Let what is recorded for one customer happen one after the other, whichever lead it is recorded for.

    The lock is on the survivor, whoever may see that row, and lasts until the end of the transaction.
    """
    key = survivor_id(work.session, customer_id)
    work.session.execute(sa.select(Customer.id).where(Customer.id == key).with_for_update())


def open_lead(
    work: Work,
    customer_id: int,
    project_id: int,
    *,
    source_id: int | None = None,
    activity_id: int | None = None,
    opened_at: dt.datetime | None = None,
    contact: str | None = None,
    employee_id: int | None = None,
    wishes: Mapping[str, Any] | None = None,
) -> Lead:
    """Open the lead of a customer in an estate, with the contact it began with.

    Args:
        work: the open work.
        customer_id: key of the customer.
        project_id: key of the estate.
        source_id: where the customer comes from.
        activity_id: the activity that brought the customer.
        opened_at: company wall-clock time; None for now.
        contact: kind of the first contact, e.g. visit, call.
        employee_id: who looks after it; None for the actor.
        wishes: what the customer looks for, by column of `WISHES`.

    Raises:
        Refused: if the customer has been merged, or is known in the estate already.
    """
    work.require("create", "lead")
    customer = work.get(Customer, customer_id)
    lock_customer(work, customer_id)
    work.session.refresh(customer)
    if customer.merged_into_id is not None:
        raise Refused(marked("This customer was merged into another one. Open the lead there."))
    project = work.get(Project, project_id)
    at = happened_at(work, opened_at)
    if journey := journey_of(work.session, customer_id, project_id):
        _refuse_second(work, journey, customer_id, project)
    for model, key in ((Source, source_id), (Activity, activity_id)):
        found = work.session.get(model, key) if key is not None else None
        if key is not None and (found is None or found.deleted_at is not None):
            raise invalid(f"{model.__tablename__}_id", marked("There is no such entry."))
    who = employee_id or work.actor.employee_id
    if who is None:
        raise invalid("employee_id", marked("Say which employee looks after the customer."))
    if who != work.actor.employee_id:
        require_colleague(work, who, work.actor.scopes("assign", "customer"))
    unknown = set(wishes or {}) - set(WISHES)
    if unknown:
        raise invalid(sorted(unknown)[0], marked("There is no such entry."))
    ensure_owner(work, customer_id, project_id, who, at)
    lead = work.add(
        Lead(
            customer_id=customer_id, project_id=project_id, source_id=source_id, activity_id=activity_id,
            employee_id=who, opened_at=at, **{name: value for name, value in (wishes or {}).items() if value != ""},
        )
    )  # fmt: skip
    work.session.add(
        Touchpoint(
            customer_id=customer_id, project_id=project_id, source_id=source_id, activity_id=activity_id,
            kind=contact or None, occurred_at=at,
        )
    )  # fmt: skip
    work.session.flush()
    return lead


def ensure_owner(work: Work, customer_id: int, project_id: int, employee_id: int | None, at: dt.datetime) -> None:
    """Let an employee look after a customer in an estate where nobody does."""
    if employee_id is not None and not present_owners(work.session, [customer_id], project_id):
        work.session.add(
            CustomerOwner(customer_id=customer_id, project_id=project_id, employee_id=employee_id, from_at=at)
        )
        work.session.flush()


def _refuse_second(work: Work, journey: Journey, customer_id: int, project: Project) -> None:
    owners = ", ".join(owner_names(work.session, group_ids(work.session, customer_id), project.id)) or "–"
    if journey.state == LOST:
        raise Refused(
            marked("The lead of this customer in {project} was lost; {owners} can reopen it."),
            project=project.name, owners=owners,
        )  # fmt: skip
    raise Refused(
        marked("This customer has a lead in {project} already, looked after by {owners}."),
        project=project.name, owners=owners,
    )  # fmt: skip


def _own_journey(work: Work, lead: Lead) -> Journey:
    journey = journey_of(work.session, lead.customer_id, lead.project_id)
    if journey is None:  # pragma: no cover - the lead itself is one
        raise NotFound(marked("There is no such record, or you may not see it."))
    return journey


def state_of(work: Work, lead_id: int) -> Journey:
    """Return where the lead that the actor may read stands."""
    return _own_journey(work, work.get(Lead, lead_id))


def record(
    work: Work,
    lead_id: int,
    kind: str,
    *,
    occurred_at: dt.datetime | None = None,
    is_effective: bool | None = None,
    reason_id: int | None = None,
    note: str | None = None,
    employee_id: int | None = None,
) -> LeadEvent:
    """Record what happened to a lead.

    Args:
        work: the open work.
        lead_id: key of the lead.
        kind: ``call``, ``visit``, ``qualified``, ``lost`` or ``reopened``.
        occurred_at: company wall-clock time; None for now.
        is_effective: whether a visit or call counts; a visit must say so.
        reason_id: why it was lost.
        note: what is worth remembering.
        employee_id: who acted; None for the actor.

    Raises:
        Refused: if the state of the lead does not allow it.
        Invalid: if the moment, or a reason, does not fit.
    """
    if kind not in ("call", "visit", "qualified", LOST, "reopened"):
        raise invalid("kind", marked("There is no such entry."))
    lead = work.get(Lead, lead_id, "update")
    # The customer first, then lead, deal and units: everybody takes them in this order, so nobody waits in a ring.
    lock_customer(work, lead.customer_id)
    lead = work.get(Lead, lead_id, "update", lock=True)
    journey = _own_journey(work, lead)
    if journey.state == LOST and kind != "reopened":
        raise Refused(marked("The lead is lost. Reopen it first."))
    if kind == "reopened" and journey.state != LOST:
        raise Refused(marked("Only a lost lead can be reopened."))
    after = max(filter(None, (lead.opened_at, journey.last_turn_at)))
    if kind == LOST:
        if journey.stage is not None:
            raise Refused(marked("There is a booking or contract. Cancel it instead of losing the lead."))
        reason_of(work, reason_id, "loss")
        after = max([after, *(state.last_at for state in journey.deals.values() if state.last_at)])
    elif reason_id is not None:
        raise invalid("reason_id", marked("A reason belongs to a loss only."))
    if kind == "qualified" and journey.is_qualified:
        raise Refused(marked("The lead is qualified already."))
    if kind == "visit" and is_effective is None:
        raise invalid("is_effective", marked("Say whether the visit was effective."))
    if kind not in ("call", "visit"):
        is_effective = None
    at = happened_at(work, occurred_at, after)
    event = work.add(
        LeadEvent(
            lead_id=lead.id, kind=kind, occurred_at=at, employee_id=acting_employee(work, employee_id),
            is_effective=is_effective, reason_id=reason_id, note=(note or "").strip() or None,
        )
    )  # fmt: skip
    if kind == LOST:
        for other in journey.leads:
            other.next_step = other.next_step_on = None
    work.session.flush()
    return event


def plan_next_step(work: Work, lead_id: int, text: str | None, on: dt.date | None) -> Lead:
    """Set, or with neither text nor day clear, what is to be done next with a lead.

    Raises:
        Refused: if the lead is lost.
        Invalid: if there is a day without a text, or it has passed.
    """
    lead = work.get(Lead, lead_id, "update", lock=True)
    words = (text or "").strip()
    if not words and on is None:
        lead.next_step = lead.next_step_on = None
    else:
        if not words:
            raise invalid("next_step", marked("Say what is to be done."))
        if len(words) > 300:
            raise invalid("next_step", marked("Say it in at most {length} characters."), length=300)
        if on is not None and on < work.today:
            raise invalid("next_step_on", marked("This day has passed."))
        if _own_journey(work, lead).state == LOST:
            raise Refused(marked("The lead is lost. Reopen it first."))
        lead.next_step, lead.next_step_on = words, on
    work.session.flush()
    return lead
