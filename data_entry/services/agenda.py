"""What is due today, for whoever signs in: a few lines of each kind of work, and how much there is of it.

Each kind is asked for only where the person may do something about it, with one query for the number and one for the
first rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.customer import Customer
from data_entry.schema.deal import Deal, DealEvent, Payment, PaymentDue
from data_entry.schema.demand import Demand, DemandCategory, DemandEvent
from data_entry.schema.estate import Building, Project, Unit
from data_entry.schema.lead import Lead
from data_entry.schema.marketing import Expense
from data_entry.schema.office import Task
from data_entry.schema.service import CareOccasion, CareRule, FeeBill, FeePayment
from data_entry.services import reports, tasks
from data_entry.services.work import Work

ROWS = 6
CARE_DAYS = 7


@dataclass(frozen=True)
class Row:
    """A line of the agenda.

    Attributes:
        text: what it is about.
        detail: a further word, such as the estate; may be empty.
        page, record_id: where it leads to.
        due_at: UTC moment, or
        due_on: company day, by which it is due; or neither.
        amount: money it is about, in the company currency.
        is_late: whether the due moment has passed.
    """

    text: str
    page: str
    record_id: int | None = None
    detail: str = ""
    due_at: dt.datetime | None = None
    due_on: dt.date | None = None
    amount: Decimal | None = None
    is_late: bool = False


@dataclass(frozen=True)
class Section:
    """A kind of work that waits.

    Attributes:
        key: ``tasks``, ``to_check``, ``demands``, ``next_steps``, ``care``, ``reports``, ``expenses``,
            ``instalments`` or ``arrears``.
        page: where all of it is found.
        count: how much there is.
        late: how much of it is past due.
        total: the sum of money, where it is about money.
        rows: the most urgent.
    """

    key: str
    page: str
    count: int
    late: int = 0
    total: Decimal | None = None
    rows: tuple[Row, ...] = field(default_factory=tuple)


def agenda(work: Work) -> list[Section]:
    """Return what waits for the actor, one section per kind of work that the actor may do."""
    makers: tuple[tuple[str, str, str, Callable[[Work], Section]], ...] = (
        ("page:tasks", "update", "task", _tasks),
        ("page:tasks", "update", "task", _to_check),
        ("page:reports", "approve", "report", _reports),
        ("page:demands", "update", "demand", _demands),
        ("page:customers", "update", "lead", _next_steps),
        ("page:care", "run", "care_occasion", _care),
        ("page:expenses", "approve", "expense", _expenses),
        ("page:deals", "update", "payment", _instalments),
        ("page:fees", "update", "fee_payment", _arrears),
    )
    return [
        make(work)
        for page, action, resource, make in makers
        if work.actor.may("open", page) and work.actor.may(action, resource)
    ]


def _count(work: Work, *parts: Any, where: list[sa.ColumnElement[bool]], joined: Any = None) -> list[Any]:
    query = sa.select(sa.func.count(), *parts)
    query = query.select_from(joined) if joined is not None else query
    return list(work.session.execute(query.where(*where)).one())


def _number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _tasks(work: Work) -> Section:
    me = work.actor.employee_id
    where = [
        Task.deleted_at.is_(None), Task.done_at.is_(None),
        Task.assignee_id == me if me is not None else sa.false(), reach(work.actor, "personal", "task"),
    ]  # fmt: skip
    count, late = _count(work, _number(Task.due_at < work.now), where=where, joined=Task)
    rows = work.session.scalars(
        sa.select(Task).where(*where).order_by(Task.due_at.is_(None), Task.due_at, Task.id).limit(ROWS)
    )
    return Section("tasks", "tasks", count, late, rows=_of_tasks(work, rows, of_others=False))


def _to_check(work: Work) -> Section:
    where = [Task.deleted_at.is_(None), reach(work.actor, "personal", "task"), *tasks.to_check(work)]
    (count,) = _count(work, where=where, joined=Task)
    rows = work.session.scalars(sa.select(Task).where(*where).order_by(Task.done_at, Task.id).limit(ROWS))
    return Section("to_check", "tasks", count, rows=_of_tasks(work, rows, of_others=True))


def _of_tasks(work: Work, rows: sa.ScalarResult[Task], *, of_others: bool) -> tuple[Row, ...]:
    return tuple(
        Row(
            item.task.title, "tasks", item.task.id,
            " · ".join(word for word in (item.customer, item.assignee if of_others else item.assigner) if word),
            item.task.due_at, is_late=item.is_overdue,
        )
        for item in tasks.items(work, list(rows))
    )  # fmt: skip


def _reports(work: Work) -> Section:
    waiting = reports.waiting(work)
    rows = tuple(
        Row(item.report.title, "reports", item.report.id, item.author, item.report.submitted_at)
        for item in reports.items(work, waiting[:ROWS])
    )
    return Section("reports", "reports", len(waiting), rows=rows)


def _demands(work: Work) -> Section:
    """Demands without a reply, by the deadline of the reply."""
    replied = sa.exists().where(
        DemandEvent.demand_id == Demand.id, DemandEvent.kind.in_(("reply", "resolve")), DemandEvent.deleted_at.is_(None)
    )
    where = [
        Demand.deleted_at.is_(None), Demand.withdrawn_at.is_(None), Demand.duplicate_of_id.is_(None), ~replied,
        reach(work.actor, "update", "demand"), reach(work.actor, "read", "demand"),
    ]  # fmt: skip
    count, late = _count(work, _number(Demand.due_at < work.now), where=where, joined=Demand)
    rows = work.session.execute(
        sa.select(
            Demand.id, Demand.title, Demand.due_at, DemandCategory.name, Project.name,
            _readable(work, "demand"),
        )
        .join(DemandCategory, DemandCategory.id == Demand.demand_category_id)
        .join(Project, Project.id == Demand.project_id)
        .where(*where)
        .order_by(Demand.due_at.is_(None), Demand.due_at, Demand.id)
        .limit(ROWS)
    )  # fmt: skip
    return Section(
        "demands", "demands", count, late,
        rows=tuple(
            Row(
                title if title and may_read else category, "demands", key, estate, due_at,
                is_late=due_at is not None and due_at < work.now,
            )
            for key, title, due_at, category, estate, may_read in rows
        ),
    )  # fmt: skip


def _next_steps(work: Work) -> Section:
    where = [
        Lead.deleted_at.is_(None), Lead.next_step_on <= work.today, Customer.deleted_at.is_(None),
        reach(work.actor, "update", "lead"), reach(work.actor, "read", "lead"),
    ]  # fmt: skip
    joined = sa.join(Lead, Customer, Customer.id == Lead.customer_id)
    count, late = _count(work, _number(Lead.next_step_on < work.today), where=where, joined=joined)
    rows = work.session.execute(
        sa.select(Lead.customer_id, Lead.next_step, Lead.next_step_on, Customer.name, _readable(work, "lead"))
        .select_from(joined)
        .where(*where)
        .order_by(Lead.next_step_on, Lead.id)
        .limit(ROWS)
    )
    return Section(
        "next_steps", "customers", count, late,
        rows=tuple(
            Row(
                (name or "") if may_read else "", "customer", customer, (step or "") if may_read else "", due_on=day,
                is_late=day is not None and day < work.today,
            )
            for customer, step, day, name, may_read in rows
        ),
    )  # fmt: skip


def _care(work: Work) -> Section:
    where = [
        CareOccasion.deleted_at.is_(None), Customer.deleted_at.is_(None), Task.done_at.is_(None),
        CareOccasion.occurs_on.between(work.today, work.today + dt.timedelta(days=CARE_DAYS)),
        reach(work.actor, "run", "care_occasion"),
    ]  # fmt: skip
    joined = sa.join(
        sa.outerjoin(
            sa.join(CareOccasion, CareRule, CareRule.id == CareOccasion.care_rule_id),
            Task,
            Task.id == CareOccasion.task_id,
        ),
        Customer,
        Customer.id == CareOccasion.customer_id,
    )
    (count,) = _count(work, where=where, joined=joined)
    rows = work.session.execute(
        sa.select(
            CareOccasion.customer_id, CareOccasion.occurs_on, CareRule.name, Customer.name,
            _readable(work, "customer"),
        )
        .select_from(joined)
        .where(*where)
        .order_by(CareOccasion.occurs_on, CareOccasion.id)
        .limit(ROWS)
    )  # fmt: skip
    return Section(
        "care", "care", count,
        rows=tuple(
            Row((name or "") if may_read else "", "customer", customer, rule, due_on=day)
            for customer, day, rule, name, may_read in rows
        ),
    )  # fmt: skip


def _expenses(work: Work) -> Section:
    me = work.actor.employee_id
    where = [
        Expense.deleted_at.is_(None), Expense.status == "submitted", reach(work.actor, "approve", "expense"),
        Expense.employee_id.is_distinct_from(me) if me is not None else sa.true(),
    ]  # fmt: skip
    count, total = _count(work, sa.func.sum(Expense.amount), where=where, joined=Expense)
    rows = work.session.execute(
        sa.select(Expense.id, Expense.description, Expense.amount, Expense.incurred_on, Project.name)
        .outerjoin(Project, Project.id == Expense.project_id)
        .where(*where)
        .order_by(Expense.incurred_on, Expense.id)
        .limit(ROWS)
    )
    return Section(
        "expenses", "expenses", count, total=total,
        rows=tuple(
            Row(
                text if text and work.actor.may("personal", "expense") else "", "expenses", key, estate or "",
                due_on=day, amount=amount,
            )
            for key, text, amount, day, estate in rows
        ),
    )  # fmt: skip


def _instalments(work: Work) -> Section:
    """Deals of which less was received than was due by yesterday."""
    due = _sum(PaymentDue.deal_id, PaymentDue.amount, PaymentDue.due_on < work.today, PaymentDue.deleted_at.is_(None))
    paid = _sum(Payment.deal_id, Payment.amount, ~Payment.is_void, Payment.deleted_at.is_(None))
    ended = sa.exists().where(
        DealEvent.deal_id == Deal.id, DealEvent.kind.in_(("cancel", "swap")), DealEvent.deleted_at.is_(None)
    )
    missing = due.c.total - sa.func.coalesce(paid.c.total, 0)
    joined = sa.outerjoin(
        sa.join(sa.join(Deal, due, due.c.key == Deal.id), Customer, Customer.id == Deal.customer_id),
        paid,
        paid.c.key == Deal.id,
    )
    where = [Deal.deleted_at.is_(None), ~ended, missing > 0, reach(work.actor, "read", "deal")]
    count, total = _count(work, sa.func.sum(missing), where=where, joined=joined)
    rows: Any = work.session.execute(
        sa.select(Deal.id, Customer.name, _readable(work, "customer"), missing)
        .select_from(joined)
        .where(*where)
        .order_by(missing.desc(), Deal.id)
        .limit(ROWS)
    )
    return Section(
        "instalments", "deals", count, count, _money(total),
        tuple(
            Row((name or "") if may_read else "", "deals", key, amount=_money(amount), is_late=True)
            for key, name, may_read, amount in rows
        ),
    )  # fmt: skip


def _arrears(work: Work) -> Section:
    """Fee bills past due of which something is missing."""
    paid = _sum(FeePayment.fee_bill_id, FeePayment.amount, ~FeePayment.is_void, FeePayment.deleted_at.is_(None))
    missing = FeeBill.amount - sa.func.coalesce(paid.c.total, 0)
    joined = sa.outerjoin(
        sa.join(FeeBill, Customer, Customer.id == FeeBill.customer_id), paid, paid.c.key == FeeBill.id
    ).outerjoin(sa.join(Unit, Building, Building.id == Unit.building_id), Unit.id == FeeBill.unit_id)
    where = [
        FeeBill.deleted_at.is_(None), FeeBill.due_on < work.today, missing > 0, reach(work.actor, "read", "fee_bill"),
    ]  # fmt: skip
    count, total = _count(work, sa.func.sum(missing), where=where, joined=joined)
    rows = work.session.execute(
        sa.select(
            FeeBill.customer_id, Customer.name, _readable(work, "customer"), FeeBill.due_on, missing,
            Building.name, Unit.number,
        )
        .select_from(joined)
        .where(*where)
        .order_by(FeeBill.due_on, FeeBill.id)
        .limit(ROWS)
    )  # fmt: skip
    return Section(
        "arrears", "fees", count, count, _money(total),
        tuple(
            Row(
                (name or "") if may_read else "", "customer", customer, " ".join(p for p in (building, unit) if p),
                due_on=day, amount=_money(amount), is_late=True,
            )
            for customer, name, may_read, day, amount, building, unit in rows
        ),
    )  # fmt: skip


def _sum(key: Any, amount: Any, *where: Any) -> sa.Subquery:
    return sa.select(key.label("key"), sa.func.sum(amount).label("total")).where(*where).group_by(key).subquery()


def _money(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value)).quantize(Decimal("0.01"))


def _readable(work: Work, resource: str) -> sa.ColumnElement[bool]:
    """Whether the personal columns of a row may be read."""
    condition = reach(work.actor, "personal", resource)
    return sa.case((condition, sa.true()), else_=sa.false()).label("may_read")
