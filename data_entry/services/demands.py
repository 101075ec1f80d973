"""Demands of customers: entered, given to somebody, answered, settled, followed up. The one writer of ``demand_event``.

A demand's state is not kept, it follows from its events (`replay`): a step is allowed when the events with the new one
among them, in the order of their moments, still make sense. So a reply given yesterday may be entered today.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.schema.customer import Customer
from data_entry.schema.demand import Demand, DemandEvent, FollowUp, SlaPolicy
from data_entry.schema.estate import Building, Project, Unit
from data_entry.schema.organisation import Employee, EmployeePosition, Position
from data_entry.schema.service import ServiceItem
from data_entry.services import categories, records
from data_entry.services.errors import Forbidden, NotFound, Refused, Stale
from data_entry.services.given import Given
from data_entry.services.identity import survivor_id
from data_entry.services.work import Work
from loupan.i18n import marked

PHASES = ("sales", "property")
# Offered where the agreed words (``vocabulary_term``) name none; kept as these codes.
SEVERITIES = ("low", "normal", "high", "urgent")
CHANNELS = ("phone", "visit", "wechat", "app", "email", "letter")
# What may be corrected after the entry. The deadlines stay those of the entry; the customer and the estate as well.
CORRECTABLE = (
    "demand_category_id", "severity", "channel", "phase", "title", "description", "unit_id", "responsible_employee_id",
    "service_item_id",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """An event of a demand, as far as its state depends on it."""

    kind: str
    occurred_at: dt.datetime
    to_employee_id: int | None = None


@dataclass(frozen=True)
class State:
    """Where a demand stands.

    Attributes:
        stage: ``new``, ``given`` (somebody has it), ``replied``, or ``resolved``.
        handler_id: employee who has it, None while nobody does.
        first_reply_at: when the customer was first answered.
        handled_at: when it was first answered or settled; from then on a follow-up makes sense.
    """

    stage: str = "new"
    handler_id: int | None = None
    first_reply_at: dt.datetime | None = None
    handled_at: dt.datetime | None = None


def replay(steps: Iterable[Step]) -> State:
    """Return the state that steps lead to.

    Args:
        steps: in any order; those of one moment in the order of their entry.

    Raises:
        Refused: at the first step that makes no sense where it stands.
    """
    state = State()
    for step in sorted(steps, key=lambda s: s.occurred_at):
        is_resolved = state.stage == "resolved"
        if step.kind == "reopen" and not is_resolved:
            raise Refused(marked("Only a resolved demand can be opened again."))
        if step.kind != "reopen" and is_resolved:
            raise Refused(marked("This demand was resolved by then. Open it again first."))
        state = _after(state, step)
    return state


def _after(state: State, step: Step) -> State:
    """Return the state after a step, whether it makes sense or not: imported demands may hold any order."""
    match step.kind:
        case "assign" | "forward":
            handler = step.to_employee_id or state.handler_id
            stage = "given" if state.stage == "new" and handler else state.stage
            return State(stage, handler, state.first_reply_at, state.handled_at)
        case "reply":
            first = state.first_reply_at or step.occurred_at
            return State("replied", state.handler_id, first, state.handled_at or step.occurred_at)
        case "resolve":
            return State("resolved", state.handler_id, state.first_reply_at, state.handled_at or step.occurred_at)
        case _:
            stage = "given" if state.handler_id else "new"
            return State(stage, state.handler_id, state.first_reply_at, state.handled_at)


def steps_of(work: Work, demand_id: int) -> list[Step]:
    """Return the events of a demand by moment, then key."""
    query = (
        sa.select(DemandEvent.kind, DemandEvent.occurred_at, DemandEvent.to_employee_id)
        .where(DemandEvent.demand_id == demand_id, DemandEvent.deleted_at.is_(None))
        .order_by(DemandEvent.occurred_at, DemandEvent.id)
    )
    return [Step(*row) for row in work.session.execute(query)]


def state_of(work: Work, demand_id: int) -> State:
    """Return where a demand stands; imported events in an odd order are taken as they are."""
    state = State()
    for step in steps_of(work, demand_id):
        state = _after(state, step)
    return state


# Entry


def enter(
    work: Work,
    *,
    customer_id: int,
    project_id: int,
    demand_category_id: int,
    phase: str,
    title: str,
    received_at: dt.datetime | None = None,
    unit_id: int | None = None,
    channel: str | None = None,
    severity: str | None = None,
    description: str | None = None,
    responsible_employee_id: int | None = None,
    service_item_id: int | None = None,
) -> Demand:
    """Record what a customer asked, complained about or suggested, and freeze its deadlines.

    Args:
        received_at: UTC; now if None.
        responsible_employee_id: whose conduct or promise it concerns, if anybody's.

    Raises:
        Invalid: if values are missing or do not fit together.
    """
    work.require("create", "demand")
    given = Given()
    received_at = given.past("received_at", received_at, work.now)
    values: dict[str, Any] = {
        "customer_id": given.key("customer_id", customer_id),
        "project_id": given.key("project_id", project_id),
        "demand_category_id": given.key("demand_category_id", demand_category_id),
        "unit_id": given.key("unit_id", unit_id, required=False),
        "responsible_employee_id": given.key("responsible_employee_id", responsible_employee_id, required=False),
        "service_item_id": given.key("service_item_id", service_item_id, required=False),
        "phase": given.choice("phase", phase, PHASES),
        "channel": given.text("channel", channel, 40),
        "severity": given.text("severity", severity, 40),
        "title": given.text("title", title, 200, required=True),
        "description": given.text("description", description),
    }
    given.check()
    values["customer_id"] = survivor_id(work.session, work.get(Customer, values["customer_id"]).id)
    work.get(Project, values["project_id"])
    _check_references(work, values, values["project_id"])
    due_at, resolve_due_at = deadlines(work, values["demand_category_id"], values["severity"], received_at)
    return work.add(Demand(**values, received_at=received_at, due_at=due_at, resolve_due_at=resolve_due_at))


def correct(work: Work, demand_id: int, row_version: int, values: Mapping[str, Any]) -> Demand:
    """Correct what was entered; the deadlines stay as they were frozen.

    Args:
        row_version: of the demand as it was read.
        values: columns of `CORRECTABLE`.

    Raises:
        Stale: if somebody else has changed it since.
    """
    demand = _opened(work, demand_id, "update", is_live=False)
    if demand.row_version != row_version:
        raise Stale(
            marked("Somebody else has changed this record since you opened it."),
            values,
            records.get(work, "demand", demand.id),
        )
    if "responsible_employee_id" in values and values["responsible_employee_id"] != demand.responsible_employee_id:
        _refuse_own_cause(work, demand)
    given = Given()
    texts = {"severity": 40, "channel": 40, "title": 200, "description": 10_000}
    new: dict[str, Any] = {}
    for column in CORRECTABLE:
        if column not in values:
            continue
        value: Any
        if column in texts:
            value = given.text(column, values[column], texts[column], required=column == "title")
        elif column == "phase":
            value = given.choice(column, values[column], PHASES)
        else:
            value = given.key(column, values[column], required=column == "demand_category_id")
        # What stays may by now be out of use; only what is chosen anew must be in use.
        if value != getattr(demand, column):
            new[column] = value
    given.check()
    _check_references(work, new, demand.project_id)
    for column, value in new.items():
        setattr(demand, column, value)
    work.session.flush()
    return demand


def deadlines(
    work: Work, category_id: int, severity: str | None, received_at: dt.datetime
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Return until when a demand must be answered and settled: None where no policy says so.

    The policy is that of the nearest category on the way to the root that has one for the severity; there one for
    this very severity goes before one for all, and then the latest that was valid on the company's day of arrival.
    Policies for all categories come last.
    """
    path = [*categories.path(work, categories.DEMANDS, category_id), None]
    day = work.local(received_at).date()
    policies = work.session.scalars(
        sa.select(SlaPolicy)
        .where(
            SlaPolicy.deleted_at.is_(None),
            SlaPolicy.valid_from_on <= day,
            sa.or_(SlaPolicy.severity.is_(None), SlaPolicy.severity == severity),
            sa.or_(SlaPolicy.demand_category_id.is_(None), SlaPolicy.demand_category_id.in_(path[:-1])),
        )
        .order_by(SlaPolicy.valid_from_on, SlaPolicy.id)
    ).all()
    if not policies:
        return None, None
    # Of equals `max` takes the first, so the newest comes first.
    policy = max(reversed(policies), key=lambda p: (-path.index(p.demand_category_id), p.severity is not None))
    try:
        reply = received_at + dt.timedelta(minutes=policy.reply_minutes)
        resolve = received_at + dt.timedelta(minutes=policy.resolve_minutes) if policy.resolve_minutes else None
    except OverflowError:
        return None, None
    return reply, resolve


def _check_references(work: Work, values: Mapping[str, Any], project_id: int) -> None:
    """Check what the values of a demand point to."""
    given = Given()
    category_id, unit_id = values.get("demand_category_id"), values.get("unit_id")
    if category_id is not None and not categories.is_offered(work, categories.DEMANDS, category_id):
        given.wrong("demand_category_id", marked("This category is not in use. Choose another."))
    if unit_id is not None:
        building = work.session.get(Building, work.get(Unit, unit_id).building_id)
        if building is None or building.project_id != project_id:
            given.wrong("unit_id", marked("This unit belongs to another estate."))
    if values.get("responsible_employee_id") is not None:
        work.get(Employee, values["responsible_employee_id"])
    if values.get("service_item_id") is not None and not work.get(ServiceItem, values["service_item_id"]).is_active:
        given.wrong("service_item_id", marked("This service is no longer on offer."))
    given.check()


# Steps


def assign(
    work: Work, demand_id: int, to_employee_id: int, *, note: str | None = None, occurred_at: dt.datetime | None = None
) -> DemandEvent:
    """Give a demand to a named employee, of whatever department."""
    return _give(work, demand_id, "assign", to_employee_id, note, occurred_at)


def forward(
    work: Work, demand_id: int, to_employee_id: int, *, note: str | None = None, occurred_at: dt.datetime | None = None
) -> DemandEvent:
    """Pass a demand on to a named employee of another department, such as from sales to customer service."""
    return _give(work, demand_id, "forward", to_employee_id, note, occurred_at)


def _give(
    work: Work, demand_id: int, kind: str, to_employee_id: int, note: str | None, occurred_at: dt.datetime | None
) -> DemandEvent:
    demand = _opened(work, demand_id, "assign" if kind == "assign" else "update")
    given = Given()
    key = given.key("to_employee_id", to_employee_id)
    given.check()
    employee = work.get(Employee, key)
    if not is_employed(employee, work.today):
        given.wrong("to_employee_id", marked("{name} does not work here today."), name=employee.name)
    state = state_of(work, demand_id)
    if state.stage == "resolved":
        pass  # `_step` says what is wrong.
    elif state.handler_id == employee.id:
        given.wrong("to_employee_id", marked("{name} has this demand already."), name=employee.name)
    elif kind == "forward":
        holder = state.handler_id or work.actor.employee_id
        theirs, own = departments_of(work, employee.id), departments_of(work, holder) if holder else frozenset()
        if theirs & own:
            given.wrong(
                "to_employee_id", marked("{name} works in the same department: assign it instead."), name=employee.name
            )
    given.check()
    return _step(work, demand, kind, note, occurred_at, to_employee_id=employee.id)


def reply(work: Work, demand_id: int, note: str, *, occurred_at: dt.datetime | None = None) -> DemandEvent:
    """Record what the customer was answered."""
    return _step(work, _opened(work, demand_id, "update"), "reply", note, occurred_at, needs_note=True)


def resolve(work: Work, demand_id: int, note: str, *, occurred_at: dt.datetime | None = None) -> DemandEvent:
    """Record that a demand is settled, and what was done."""
    return _step(work, _opened(work, demand_id, "update"), "resolve", note, occurred_at, needs_note=True)


def reopen(work: Work, demand_id: int, note: str, *, occurred_at: dt.datetime | None = None) -> DemandEvent:
    """Open a resolved demand again, and say why."""
    return _step(work, _opened(work, demand_id, "update"), "reopen", note, occurred_at, needs_note=True)


def _step(
    work: Work,
    demand: Demand,
    kind: str,
    note: str | None,
    occurred_at: dt.datetime | None,
    *,
    to_employee_id: int | None = None,
    needs_note: bool = False,
) -> DemandEvent:
    given = Given()
    note = given.text("note", note, required=needs_note)
    occurred_at = given.past("occurred_at", occurred_at, work.now, demand.received_at)
    given.check()
    before = steps_of(work, demand.id)
    try:
        replay(before)
    except Refused:
        # Imported out of order: only the end can be judged.
        if before and occurred_at < before[-1].occurred_at:
            raise Refused(marked("Something was recorded after this moment already.")) from None
        state = state_of(work, demand.id)
        before = [Step("resolve", before[-1].occurred_at)] if state.stage == "resolved" else []
    replay([*before, Step(kind, occurred_at, to_employee_id)])
    event = DemandEvent(
        demand_id=demand.id, kind=kind, occurred_at=occurred_at, employee_id=work.actor.employee_id,
        to_employee_id=to_employee_id, note=note,
    )  # fmt: skip
    return work.add(event)


# Verdicts


def withdraw(work: Work, demand_id: int, *, occurred_at: dt.datetime | None = None) -> Demand:
    """Record that the customer took a demand back."""
    demand = _opened(work, demand_id, "update")
    _refuse_own_cause(work, demand)
    given = Given()
    moment = given.past("occurred_at", occurred_at, work.now, demand.received_at)
    given.check()
    steps = steps_of(work, demand_id)
    if steps and moment < steps[-1].occurred_at:
        raise Refused(marked("Something was recorded after this moment already."))
    demand.withdrawn_at = moment
    work.session.flush()
    return demand


def mark_duplicate(work: Work, demand_id: int, master_id: int) -> Demand:
    """Record that a demand repeats an earlier one of the same customer or unit.

    Always points to the first of all: where the other repeats a third one, to that; what repeats this one follows.
    """
    given = Given()
    key = given.key("duplicate_of_id", master_id)
    given.check()
    # Both at once and in the order of their keys: two who mark crosswise wait for each other.
    both = sa.select(Demand.id).where(Demand.id.in_((key, demand_id))).order_by(Demand.id).with_for_update()
    work.session.execute(both).all()
    demand = _opened(work, demand_id, "update")
    _refuse_own_cause(work, demand)
    master = work.get(Demand, key, lock=True)
    seen = {demand.id}
    while master.duplicate_of_id is not None and master.id not in seen:
        seen.add(master.id)
        master = work.session.get_one(Demand, master.duplicate_of_id)
    if master.id in seen:
        raise Refused(marked("A demand cannot repeat itself."))
    if master.withdrawn_at is not None:
        raise Refused(marked("The other demand was withdrawn."))
    if master.customer_id != demand.customer_id and (demand.unit_id is None or master.unit_id != demand.unit_id):
        raise Refused(marked("A demand repeats another one only of the same customer or the same unit."))
    if (master.received_at, master.id) > (demand.received_at, demand.id):
        raise Refused(marked("The other demand came later: mark that one as the repetition."))
    demand.duplicate_of_id = master.id
    for follower in work.session.scalars(sa.select(Demand).where(Demand.duplicate_of_id == demand.id)):
        follower.duplicate_of_id = master.id
    work.session.flush()
    return demand


def reinstate(work: Work, demand_id: int) -> Demand:
    """Undo a withdrawal or the mark of a repetition made by mistake."""
    demand = _opened(work, demand_id, "update", is_live=False)
    if demand.withdrawn_at is None and demand.duplicate_of_id is None:
        raise Refused(marked("This demand is neither withdrawn nor a repetition."))
    demand.withdrawn_at = demand.duplicate_of_id = None
    work.session.flush()
    return demand


def judge(work: Work, demand_id: int, is_founded: bool | None) -> Demand:
    """Record whether a demand proved founded; None while that is open."""
    demand = _opened(work, demand_id, "update")
    _refuse_own_cause(work, demand)
    demand.is_founded = is_founded
    work.session.flush()
    return demand


def follow_up(
    work: Work,
    demand_id: int,
    *,
    was_reached: bool,
    satisfaction: int | None = None,
    comment: str | None = None,
    occurred_at: dt.datetime | None = None,
) -> FollowUp:
    """Record a call back: how content the customer is with the way the demand was handled.

    Sensible once the customer was answered or the demand settled: before that there is nothing to be content with.

    Args:
        satisfaction: 1 (worst) to 5 (best); only if the customer was reached, None if not rated.
    """
    demand = _opened(work, demand_id, "read")
    given = Given()
    comment = given.text("comment", comment)
    occurred_at = given.past("occurred_at", occurred_at, work.now, demand.received_at)
    if not isinstance(was_reached, bool):
        given.wrong("was_reached", marked("This is needed."))
    if satisfaction is not None and (isinstance(satisfaction, bool) or satisfaction not in range(1, 6)):
        given.wrong("satisfaction", marked("Satisfaction is 1 (worst) to 5 (best)."))
    elif satisfaction is not None and not was_reached:
        given.wrong("satisfaction", marked("Only a customer who was reached can be content or not."))
    given.check()
    handled_at = state_of(work, demand_id).handled_at
    if handled_at is None or occurred_at < handled_at:
        raise Refused(marked("Reply to the customer or resolve the demand first, then ask how content they are."))
    row = FollowUp(
        demand_id=demand.id, occurred_at=occurred_at, employee_id=work.actor.employee_id, was_reached=was_reached,
        satisfaction=satisfaction, comment=comment,
    )  # fmt: skip
    return work.add(row)


def _opened(work: Work, demand_id: int, action: str, *, is_live: bool = True) -> Demand:
    """Return a demand, held against others, on which one may act."""
    key = Given().key("id", demand_id)
    demand = work.get(Demand, key, action, lock=True)
    if is_live and demand.duplicate_of_id is not None:
        raise Refused(marked("This demand repeats demand {number}: work on that one."), number=demand.duplicate_of_id)
    if is_live and demand.withdrawn_at is not None:
        raise Refused(marked("The customer withdrew this demand."))
    return demand


def _refuse_own_cause(work: Work, demand: Demand) -> None:
    """Nobody decides whether a complaint about themselves counts."""
    if demand.responsible_employee_id is not None and demand.responsible_employee_id == work.actor.employee_id:
        raise Forbidden(marked("This concerns your own conduct: somebody else decides about it."))


# Who can take a demand


def is_employed(employee: Employee, day: dt.date) -> bool:
    """Say whether an employee works here on a day."""
    return (
        employee.deleted_at is None
        and (employee.hired_on is None or employee.hired_on <= day)
        and (employee.left_on is None or employee.left_on >= day)
    )


def departments_of(work: Work, employee_id: int) -> frozenset[int]:
    """Return the departments in which an employee holds a position today."""
    held = EmployeePosition
    query = (
        sa.select(Position.department_id)
        .join(held, held.position_id == Position.id)
        .where(
            held.employee_id == employee_id,
            held.deleted_at.is_(None),
            Position.deleted_at.is_(None),
            held.from_on <= work.today,
            sa.or_(held.to_on.is_(None), held.to_on >= work.today),
        )
    )
    return frozenset(work.session.scalars(query))


def check_readable(work: Work, demand_id: int) -> Demand:
    """Return a demand that the actor may see.

    Raises:
        NotFound: if there is none.
    """
    key = Given().key("id", demand_id)
    if key is None:
        raise NotFound(marked("There is no such record, or you may not see it."))
    return work.get(Demand, key)
