"""Find demands: the work list by deadline, its counts, who has how much, and what surrounds one demand.

Everything is derived from the events in SQL, a page at a time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach, reach_by_keys
from data_entry.schema.customer import Customer
from data_entry.schema.demand import Demand, DemandCategory, DemandEvent, FollowUp
from data_entry.schema.estate import Building, Project, Unit
from data_entry.schema.organisation import (
    Account,
    AccountRole,
    Department,
    Employee,
    EmployeePosition,
    Position,
    Role,
    VocabularyTerm,
)
from data_entry.services.given import LARGEST_KEY, Given
from data_entry.services.work import Work

# Of open demands, by what is due next; then those that are closed, and everything.
BUCKETS = ("overdue", "today", "later", "undated")
VIEWS = ("open", *BUCKETS, "resolved", "closed", "all")
WHOSE = ("all", "mine", "department", "unassigned", "given")
HANDOVERS = ("assign", "forward")
_SETTLING = ("resolve", "reopen")


@dataclass(frozen=True)
class Filters:
    """Which demands are wanted; None and empty mean any.

    Attributes:
        view: one of `VIEWS`; ``closed`` are those withdrawn or repeated.
        whose: one of `WHOSE`: had by me, by my department, by nobody, or given away by me.
        category_id: this category or any below it.
        text: part of the short text, the customer's name or telephone number, or the demand's number.
    """

    view: str = "open"
    whose: str = "all"
    project_id: int | None = None
    category_id: int | None = None
    kind: str | None = None
    phase: str | None = None
    severity: str | None = None
    handler_id: int | None = None
    responsible_id: int | None = None
    customer_id: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Line:
    """A demand as the list shows it; `title` and `customer` are None for who may not read personal data."""

    id: int
    title: str | None
    customer: str | None
    category: str
    kind: str
    project: str
    unit: str | None
    severity: str | None
    phase: str
    received_at: dt.datetime
    next_due_at: dt.datetime | None
    stage: str
    handler: str | None
    responsible: str | None


def _last(column: Any, *kinds: str) -> Any:
    """A column of the last event of some kinds of the demand."""
    return (
        sa.select(column)
        .where(DemandEvent.demand_id == Demand.id, DemandEvent.kind.in_(kinds), DemandEvent.deleted_at.is_(None))
        .order_by(DemandEvent.occurred_at.desc(), DemandEvent.id.desc())
        .limit(1)
        .correlate(Demand)
        .scalar_subquery()
    )


_LAST_SETTLING = _last(DemandEvent.kind, *_SETTLING)
_IS_RESOLVED = sa.func.coalesce(_LAST_SETTLING, "") == "resolve"
_IS_REPLIED = _last(sa.literal_column("1"), "reply").is_not(None)
_HANDOVER = sa.and_(
    DemandEvent.demand_id == Demand.id,
    DemandEvent.kind.in_(HANDOVERS),
    DemandEvent.to_employee_id.is_not(None),
    DemandEvent.deleted_at.is_(None),
)
_HANDLER = (
    sa.select(DemandEvent.to_employee_id)
    .where(_HANDOVER)
    .order_by(DemandEvent.occurred_at.desc(), DemandEvent.id.desc())
    .limit(1)
    .correlate(Demand)
    .scalar_subquery()
)
# Who was not answered waits for the reply; after that for the settlement.
_NEXT_DUE = sa.case((_IS_REPLIED, Demand.resolve_due_at), else_=Demand.due_at)
_IS_CLOSED = sa.or_(Demand.withdrawn_at.is_not(None), Demand.duplicate_of_id.is_not(None))


def page_of(work: Work, filters: Filters, page: int = 0, size: int = 20) -> list[Line]:
    """Return a page of demands: open ones by what is due next, others by arrival, the newest first.

    Raises:
        Forbidden: if the actor may read no demands.
    """
    work.require("read", "demand")
    if filters.view in ("resolved", "closed", "all"):
        query = sa.select(Demand.id).where(*_found(work, filters))
        query = query.order_by(Demand.received_at.desc(), Demand.id.desc())
    else:
        found = _open_ones(work, filters)
        due = found.c.next_due_at
        query = sa.select(found.c.id).where(*_in_bucket(work, filters.view, due))
        query = query.order_by(due.nulls_last(), found.c.received_at, found.c.id)
    keys = work.session.scalars(query.limit(size).offset(max(page, 0) * size)).all()
    return _lines(work, keys)


def counts_of(work: Work, filters: Filters) -> dict[str, int]:
    """Return how many open demands each bucket of the work list has, and all open ones (``open``)."""
    work.require("read", "demand")
    end_of_day = work.utc(dt.datetime.combine(work.today, dt.time.max))
    due = _open_ones(work, filters).c.next_due_at
    tally = work.session.execute(
        sa.select(
            sa.func.count(),
            sa.func.count().filter(due < work.now),
            sa.func.count().filter(due >= work.now, due <= end_of_day),
            sa.func.count().filter(due > end_of_day),
        )
    ).one()
    total, overdue, today, later = tally
    return {
        "open": total, "overdue": overdue, "today": today, "later": later, "undated": total - overdue - today - later
    }  # fmt: skip


def count_of(work: Work, filters: Filters) -> int:
    """Return how many demands the filters find."""
    work.require("read", "demand")
    if filters.view in BUCKETS:
        return counts_of(work, filters)[filters.view]
    return work.session.scalar(sa.select(sa.func.count(Demand.id)).where(*_found(work, filters))) or 0


def lines(work: Work, keys: Sequence[int]) -> list[Line]:
    """Return the demands of some keys that the actor may see, in their order."""
    return _lines(work, keys, reach(work.actor, "read", "demand"))


def _lines(work: Work, keys: Sequence[int], *conditions: sa.ColumnElement[bool]) -> list[Line]:
    if not keys:
        return []
    handler, responsible = sa.orm.aliased(Employee), sa.orm.aliased(Employee)
    shows = reach(work.actor, "personal", "demand")
    if work.actor.scopes("personal", "demand") >= work.actor.scopes("read", "demand"):
        # Who may read what people say as far as anything else was found to reach it already.
        shows = sa.true()
    names = sa.and_(shows, Demand.customer_id.in_(_readable_customers(work)))
    stage = sa.case(
        (Demand.duplicate_of_id.is_not(None), "duplicate"),
        (Demand.withdrawn_at.is_not(None), "withdrawn"),
        (_IS_RESOLVED, "resolved"),
        (_last(DemandEvent.kind, "reply", *_SETTLING) == "reply", "replied"),
        (_HANDLER.is_not(None), "given"),
        else_="new",
    )
    query = (
        sa.select(
            Demand.id,
            sa.case((shows, Demand.title)),
            sa.case((names, Customer.name)),
            DemandCategory.name,
            DemandCategory.kind,
            Project.name,
            Unit.number,
            Building.name,
            Demand.severity,
            Demand.phase,
            Demand.received_at,
            _NEXT_DUE,
            stage,
            handler.name,
            responsible.name,
        )
        .join(Customer, Customer.id == Demand.customer_id)
        .join(DemandCategory, DemandCategory.id == Demand.demand_category_id)
        .join(Project, Project.id == Demand.project_id)
        .outerjoin(Unit, Unit.id == Demand.unit_id)
        .outerjoin(Building, Building.id == Unit.building_id)
        .outerjoin(handler, handler.id == _HANDLER)
        .outerjoin(responsible, responsible.id == Demand.responsible_employee_id)
        .where(Demand.id.in_(keys), Demand.deleted_at.is_(None), *conditions)
    )
    found: dict[int, Line] = {}
    rows: Any = work.session.execute(query)
    for row in rows:
        key, title, customer, category, kind, project, number, building, *rest = row
        unit = f"{building} {number}" if number else None
        found[key] = Line(key, title, customer, category, kind, project, unit, *rest)
    return [found[key] for key in keys if key in found]


def _readable_customers(work: Work) -> Any:
    return sa.select(Customer.id).where(reach(work.actor, "personal", "customer")).correlate(None)


def _open_ones(work: Work, filters: Filters, *columns: Any) -> sa.Subquery:
    """The open demands that the filters find, of all buckets: `id`, `received_at`, `next_due_at`, and more columns."""
    query = sa.select(Demand.id, Demand.received_at, _NEXT_DUE.label("next_due_at"), *columns)
    # OFFSET 0 lets databases find them first; they would ask when a demand is due before whether it is open, or often.
    return query.where(*_found(work, filters, view="open")).offset(0).subquery("open_demand")


def _found(work: Work, filters: Filters, view: str | None = None) -> list[Any]:
    """The conditions on demands that the filters make, of whatever bucket."""
    view = view or filters.view
    given = Given()
    given.choice("view", filters.view, VIEWS)
    given.choice("whose", filters.whose, WHOSE)
    for column in ("project_id", "category_id", "handler_id", "responsible_id", "customer_id"):
        given.key(column, getattr(filters, column), required=False)
    given.check()
    conditions: list[Any] = [Demand.deleted_at.is_(None), reach_by_keys(work.actor, "read", "demand")]
    conditions += _in_view(work, view) + _belonging(work, filters.whose)
    wanted: Any = (
        (Demand.project_id, filters.project_id),
        (Demand.phase, filters.phase),
        (Demand.severity, filters.severity),
        (Demand.responsible_employee_id, filters.responsible_id),
        (Demand.customer_id, filters.customer_id),
    )
    for column, value in wanted:
        if value:
            conditions.append(column == value)
    if filters.handler_id:
        conditions += _had_by((filters.handler_id,))
    if filters.kind:
        of_kind = sa.select(DemandCategory.id).where(DemandCategory.kind == filters.kind)
        conditions.append(Demand.demand_category_id.in_(of_kind))
    if filters.category_id:
        conditions.append(Demand.demand_category_id.in_(below(filters.category_id)))
    if filters.text.strip():
        conditions.append(_mentions(work, filters.text.strip()))
    return conditions


def _in_view(work: Work, view: str) -> list[Any]:
    if view == "all":
        return []
    if view == "closed":
        return [_IS_CLOSED]
    is_resolved = _IS_RESOLVED if work.session.get_bind().dialect.name == "sqlite" else _are_resolved()
    return [
        Demand.withdrawn_at.is_(None), Demand.duplicate_of_id.is_(None),
        is_resolved if view == "resolved" else ~is_resolved,
    ]  # fmt: skip


def _are_resolved() -> sa.ColumnElement[bool]:
    """The same as `_IS_RESOLVED`, for PostgreSQL, which lays the tables side by side and not demand by demand."""
    resolved, reopened = sa.orm.aliased(DemandEvent), sa.orm.aliased(DemandEvent)
    opened_again = sa.exists().where(
        reopened.demand_id == resolved.demand_id, reopened.kind == "reopen", reopened.deleted_at.is_(None),
        sa.or_(
            reopened.occurred_at > resolved.occurred_at,
            sa.and_(reopened.occurred_at == resolved.occurred_at, reopened.id > resolved.id),
        ),
    )  # fmt: skip
    return sa.exists().where(
        resolved.demand_id == Demand.id, resolved.kind == "resolve", resolved.deleted_at.is_(None), ~opened_again
    )


def _in_bucket(work: Work, view: str, due: Any) -> list[Any]:
    end_of_day = work.utc(dt.datetime.combine(work.today, dt.time.max))
    match view:
        case "overdue":
            return [due < work.now]
        case "today":
            return [due >= work.now, due <= end_of_day]
        case "later":
            return [due > end_of_day]
        case "undated":
            return [due.is_(None)]
        case _:
            return []


def _had_by(people: Sequence[int]) -> list[Any]:
    # The first narrows the demands by an index; the second judges each.
    ever = sa.select(DemandEvent.demand_id).where(DemandEvent.to_employee_id.in_(people))
    return [Demand.id.in_(ever.correlate(None)), _HANDLER.in_(people)]


def _belonging(work: Work, whose: str) -> list[Any]:
    me = work.actor.employee_id
    match whose:
        case "all":
            return []
        case "unassigned":
            return [~sa.exists().where(_HANDOVER)]
        case "department":
            return _had_by(sorted(work.actor.colleague_ids))
        case "given":
            gave = sa.select(DemandEvent.demand_id).where(
                DemandEvent.employee_id == me, DemandEvent.kind.in_(HANDOVERS), DemandEvent.deleted_at.is_(None)
            )
            return [Demand.id.in_(gave.correlate(None))] if me else [sa.false()]
        case _:
            return _had_by((me,)) if me else [sa.false()]


def _mentions(work: Work, text: str) -> Any:
    if "\x00" in text or not text.isprintable():
        return sa.false()
    text = text[:100]
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    customers = sa.select(Customer.id).where(
        sa.or_(Customer.name.ilike(f"%{escaped}%", escape="\\"), Customer.phone == text)
    )
    words = sa.and_(
        reach(work.actor, "personal", "demand"),
        sa.or_(
            Demand.title.ilike(f"%{escaped}%", escape="\\"),
            sa.and_(
                Demand.customer_id.in_(customers.correlate(None)), Demand.customer_id.in_(_readable_customers(work))
            ),
        ),
    )
    number = text.removeprefix("#")
    if number.isdecimal() and number.isascii() and int(number[:30]) <= LARGEST_KEY:
        return sa.or_(words, Demand.id == int(number))
    return words


def below(category_id: int) -> Any:
    """Return a query of the keys of a category and of all below it."""
    tree = sa.select(DemandCategory.id).where(DemandCategory.id == category_id).cte("below_category", recursive=True)
    tree = tree.union(sa.select(DemandCategory.id).where(DemandCategory.parent_id == tree.c.id))
    return sa.select(tree.c.id)


# One demand


@dataclass(frozen=True)
class Moment:
    """Something that happened to a demand, for its timeline."""

    kind: str
    at: dt.datetime
    who: str | None
    to: str | None = None
    note: str | None = None
    satisfaction: int | None = None
    was_reached: bool | None = None


def timeline(work: Work, demand_id: int) -> list[Moment]:
    """Return what happened to a demand, the first thing first: events and follow-ups.

    Notes are None for who may not read personal data.
    """
    demand = work.get(Demand, demand_id)
    shows = work.may_with("personal", demand)
    doer, receiver = sa.orm.aliased(Employee), sa.orm.aliased(Employee)
    events = work.session.execute(
        sa.select(DemandEvent.kind, DemandEvent.occurred_at, doer.name, receiver.name, DemandEvent.note)
        .outerjoin(doer, doer.id == DemandEvent.employee_id)
        .outerjoin(receiver, receiver.id == DemandEvent.to_employee_id)
        .where(DemandEvent.demand_id == demand.id, DemandEvent.deleted_at.is_(None))
        .order_by(DemandEvent.occurred_at, DemandEvent.id)
    )
    found = [Moment(kind, at, who, to, note if shows else None) for kind, at, who, to, note in events]
    if work.actor.may("read", "follow_up"):
        calls = work.session.execute(
            sa.select(FollowUp, doer.name)
            .outerjoin(doer, doer.id == FollowUp.employee_id)
            .where(
                FollowUp.demand_id == demand.id,
                FollowUp.deleted_at.is_(None),
                reach(work.actor, "read", "follow_up"),
            )
            .order_by(FollowUp.occurred_at, FollowUp.id)
        )
        found += [
            Moment("follow_up", f.occurred_at, who, None, f.comment if shows else None, f.satisfaction, f.was_reached)
            for f, who in calls
        ]
    if demand.withdrawn_at is not None:
        found.append(Moment("withdraw", demand.withdrawn_at, None))
    return sorted(found, key=lambda m: m.at)


def related(work: Work, demand_id: int, limit: int = 20) -> list[Line]:
    """Return other demands of the same customer or unit, those of the sales period included, the newest first."""
    demand = work.get(Demand, demand_id)
    same: list[Any] = [Demand.customer_id == demand.customer_id]
    if demand.unit_id is not None:
        same.append(Demand.unit_id == demand.unit_id)
    keys = work.session.scalars(
        sa.select(Demand.id)
        .where(sa.or_(*same), Demand.id != demand.id, Demand.deleted_at.is_(None), reach(work.actor, "read", "demand"))
        .order_by(Demand.received_at.desc(), Demand.id.desc())
        .limit(limit)
    ).all()
    return lines(work, keys)


def agreed_words(work: Work, field: str) -> list[str]:
    """Return the words that are agreed on for a column, such as ``demand.severity``."""
    work.require("read", "vocabulary_term")
    query = (
        sa.select(VocabularyTerm.value)
        .where(VocabularyTerm.field == field, VocabularyTerm.is_active, VocabularyTerm.deleted_at.is_(None))
        .order_by(VocabularyTerm.sequence.is_(None), VocabularyTerm.sequence, VocabularyTerm.id)
    )
    return list(work.session.scalars(query))


# Who works on them


@dataclass(frozen=True)
class Colleague:
    """Somebody a demand can be given to."""

    id: int
    name: str
    number: str
    department: str | None
    areas: frozenset[str]


def colleagues(work: Work) -> list[Colleague]:
    """Return the employees of today with their department, and their areas: sales, property, service.

    The areas come from the roles of their accounts.
    """
    work.require("read", "employee")
    today = work.today
    held = sa.and_(
        EmployeePosition.employee_id == Employee.id,
        EmployeePosition.deleted_at.is_(None),
        EmployeePosition.from_on <= today,
        sa.or_(EmployeePosition.to_on.is_(None), EmployeePosition.to_on >= today),
    )
    rows: Any = work.session.execute(
        sa.select(Employee.id, Employee.name, Employee.number, sa.func.min(Department.name))
        .outerjoin(EmployeePosition, held)
        .outerjoin(Position, Position.id == EmployeePosition.position_id)
        .outerjoin(Department, Department.id == Position.department_id)
        .where(
            Employee.deleted_at.is_(None),
            sa.or_(Employee.hired_on.is_(None), Employee.hired_on <= today),
            sa.or_(Employee.left_on.is_(None), Employee.left_on >= today),
            reach(work.actor, "read", "employee"),
        )
        .group_by(Employee.id, Employee.name, Employee.number)
        .order_by(sa.func.min(Department.name), Employee.name, Employee.id)
    ).all()
    areas: dict[int, set[str]] = {}
    roles = {"sales": "sales", "sales_manager": "sales", "property": "property", "service": "service"}
    for employee_id, role in work.session.execute(
        sa.select(Account.employee_id, Role.name)
        .join(AccountRole, AccountRole.account_id == Account.id)
        .join(Role, Role.id == AccountRole.role_id)
        .where(Account.is_active, Account.deleted_at.is_(None), AccountRole.deleted_at.is_(None), Role.name.in_(roles))
    ):
        if employee_id is not None:
            areas.setdefault(employee_id, set()).add(roles[role])
    return [
        Colleague(key, name, number, department, frozenset(areas.get(key, ())))
        for key, name, number, department in rows
    ]


@dataclass(frozen=True)
class Load:
    """What one employee has."""

    employee_id: int | None
    name: str | None
    open: int
    overdue: int
    today: int


def loads(work: Work, filters: Filters) -> list[Load]:
    """Return who has how many of the open demands, the most overdue first; nobody's are one entry without a name."""
    work.require("read", "demand")
    end_of_day = work.utc(dt.datetime.combine(work.today, dt.time.max))
    ones = _open_ones(work, filters, _HANDLER.label("handler_id"))
    overdue = sa.func.count().filter(ones.c.next_due_at < work.now)
    query = (
        sa.select(
            ones.c.handler_id,
            Employee.name,
            sa.func.count(),
            overdue,
            sa.func.count().filter(ones.c.next_due_at >= work.now, ones.c.next_due_at <= end_of_day),
        )
        .outerjoin_from(ones, Employee, Employee.id == ones.c.handler_id)
        .group_by(ones.c.handler_id, Employee.name)
        .order_by(overdue.desc(), sa.func.count().desc(), ones.c.handler_id)
    )
    rows: Any = work.session.execute(query)
    return [Load(*row) for row in rows]
