"""Tasks: given, handed on, begun, done, checked. The only code that writes ``task_event``.

A task is *open* until its assignee says it is done, *done* until the assigner has checked it, then *checked*. Who gave
it may send it back with a word why.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.customer import Customer
from data_entry.schema.demand import Demand
from data_entry.schema.office import Task, TaskEvent
from data_entry.schema.organisation import Employee
from data_entry.services import staff, wording
from data_entry.services.errors import Forbidden, Invalid, Problem, Refused
from data_entry.services.work import Work
from loupan.i18n import marked

VIEWS = ("mine", "given", "to_check", "all")
PAGE = 20


@dataclass(frozen=True)
class Item:
    """A task in a list.

    Attributes:
        state: ``assigned``, ``started``, ``done`` or ``checked``.
        is_overdue: whether it is open past its due moment.
        customer: name of the customer it concerns; empty without one, or without the right to the name.
    """

    task: Task
    assigner: str
    assignee: str
    state: str
    is_overdue: bool
    customer: str = ""


@dataclass(frozen=True)
class Step:
    """An event of a task with the names of who acted and who got it."""

    event: TaskEvent
    employee: str
    to_employee: str


def assign(
    work: Work,
    *,
    title: str,
    assignee_id: int | None = None,
    due_at: dt.datetime | None = None,
    kind: str | None = None,
    description: str | None = None,
    demand_id: int | None = None,
    customer_id: int | None = None,
    care_occasion_id: int | None = None,
    note: str | None = None,
) -> Task:
    """Give somebody a task, oneself included.

    Args:
        work: the transaction.
        title: what is to be done.
        assignee_id: employee who is to do it; None for the actor.
        due_at: UTC, not before now.
        kind: word of the list for ``task.kind``.
        description: the whole of it.
        demand_id, customer_id, care_occasion_id: what it serves.
        note: word to the assignee.

    Raises:
        Forbidden: if the actor may not give tasks to that employee.
    """
    work.require("create", "task")
    to = assignee_id if assignee_id is not None else staff.myself(work)
    _require_may_give(work, to)
    if due_at is not None and due_at < work.now:
        raise Invalid([Problem("due_at", marked("This moment has passed already."))])
    if demand_id is not None:
        demand = work.get(Demand, demand_id)
        customer_id = customer_id or demand.customer_id
    if customer_id is not None:
        work.get(Customer, customer_id)
    task = work.add(
        Task(
            title=wording.line("title", title, 300), kind=wording.line("kind", kind, 60) if kind else None,
            description=wording.optional("description", description), assigner_id=work.actor.employee_id,
            assignee_id=to, due_at=due_at, demand_id=demand_id, customer_id=customer_id,
            care_occasion_id=care_occasion_id,
        )
    )  # fmt: skip
    _add_event(work, task, "assign", to_employee_id=to, note=note)
    return task


def assign_many(work: Work, drafts: Sequence[Task]) -> list[Task]:
    """Give tasks that another service has put together from rows the actor may see, each with its assignee.

    Raises:
        Forbidden: if the actor may not give tasks to one of the assignees; then none is given.
    """
    work.require("create", "task")
    for to in {draft.assignee_id for draft in drafts if draft.assignee_id is not None}:
        _require_may_give(work, to)
    for draft in drafts:
        draft.assigner_id = work.actor.employee_id
    work.session.add_all(drafts)
    work.session.flush()
    work.session.add_all(
        TaskEvent(
            task_id=draft.id, kind="assign", occurred_at=work.now, employee_id=work.actor.employee_id,
            to_employee_id=draft.assignee_id,
        )
        for draft in drafts
    )  # fmt: skip
    work.session.flush()
    return list(drafts)


def change(
    work: Work,
    task_id: int,
    *,
    title: str,
    due_at: dt.datetime | None,
    description: str | None,
    row_version: int | None = None,
) -> Task:
    """Change what an open task asks for; the assigner's right.

    Raises:
        Stale: if the task has changed since `row_version`.
    """
    task = _locked(work, task_id)
    _require_assigner(work, task)
    wording.require_version(task, row_version, title=title, due_at=due_at, description=description)
    if task.done_at is not None:
        raise Refused(marked("The task is done. Reopen it before you change it."))
    task.title = wording.line("title", title, 300)
    task.due_at = due_at
    task.description = wording.optional("description", description)
    work.session.flush()
    return task


def delegate(work: Work, task_id: int, to_employee_id: int, note: str | None = None) -> Task:
    """Hand an open task on to somebody else; the assignee's right, or that of whoever may give tasks to both.

    The assignee hands on to colleagues of the own department or to whom they may give tasks.
    """
    task = _locked(work, task_id)
    _require_open(task)
    if to_employee_id == task.assignee_id:
        raise Refused(marked("The task is with this person already."))
    person = staff.employee(work, to_employee_id)
    is_mine = task.assignee_id is not None and task.assignee_id == work.actor.employee_id
    may_reach = to_employee_id in work.actor.colleague_ids or _may_give(work, to_employee_id)
    may_take = is_mine or _is_assigner(work, task) or _may_give(work, task.assignee_id)
    if not (may_take and may_reach):
        raise Forbidden(marked("You may not hand this task on to {name}."), name=person.name)
    task.assignee_id = to_employee_id
    work.session.flush()
    _add_event(work, task, "delegate", to_employee_id=to_employee_id, note=note)
    return task


def start(work: Work, task_id: int) -> Task:
    """Say that one has begun; the assignee's right."""
    task = _locked(work, task_id)
    _require_assignee(work, task)
    _require_open(task)
    if state(work, task) == "started":
        raise Refused(marked("The task has been begun already."))
    _add_event(work, task, "start")
    return task


def done(work: Work, task_id: int, note: str | None = None) -> Task:
    """Say that it is done; the assignee's right."""
    task = _locked(work, task_id)
    _require_assignee(work, task)
    _require_open(task)
    task.done_at = work.now
    work.session.flush()
    _add_event(work, task, "done", note=note)
    return task


def check(work: Work, task_id: int, note: str | None = None) -> Task:
    """Accept what was done; the assigner's right."""
    task = _locked(work, task_id)
    _require_assigner(work, task)
    if task.done_at is None:
        raise Refused(marked("The task is not done yet."))
    if task.checked_at is not None:
        raise Refused(marked("The task has been checked already."))
    task.checked_at = work.now
    work.session.flush()
    _add_event(work, task, "check", note=note)
    return task


def reopen(work: Work, task_id: int, note: str) -> Task:
    """Send a task back with a word why; the assigner's right, and the assignee's while it is not checked."""
    task = _locked(work, task_id)
    if task.done_at is None:
        raise Refused(marked("The task is open already."))
    if not (task.checked_at is None and task.assignee_id == work.actor.employee_id is not None):
        _require_assigner(work, task)
    note = wording.block("note", note)
    task.done_at = task.checked_at = None
    work.session.flush()
    _add_event(work, task, "reopen", note=note)
    return task


def comment(work: Work, task_id: int, note: str) -> TaskEvent:
    """Add a word to a task; for everybody who sees it."""
    task = work.get(Task, task_id, "personal")
    return _add_event(work, task, "comment", note=wording.block("note", note))


def withdraw(work: Work, task_id: int) -> None:
    """Take back an open task, so that nobody has to do it; the assigner's right."""
    task = _locked(work, task_id)
    _require_assigner(work, task)
    _require_open(task)
    task.deleted_at = work.now
    work.session.flush()


def state(work: Work, task: Task) -> str:
    """Return ``assigned``, ``started``, ``done`` or ``checked``."""
    return _states(work, [task])[task.id]


def listing(
    work: Work, view: str = "mine", *, is_closed: bool = False, search: str = "", offset: int = 0, limit: int = PAGE
) -> tuple[list[Item], int]:
    """Return a piece of a list of tasks, the most urgent first, and how many there are.

    Args:
        work: the transaction.
        view: ``mine`` to do, ``given`` by me, ``to_check`` by me, or ``all`` that I may see.
        is_closed: those done (in ``given``: those checked) instead of those open.
        search: a piece of the title.
        offset: how many to pass over.
        limit: how many to return.
    """
    where = _seen(work, view, is_closed)
    if search.strip():
        where.append(sa.func.lower(Task.title).like(wording.pattern(search.strip()), escape="\\"))
    total = work.session.scalar(sa.select(sa.func.count()).select_from(Task).where(*where)) or 0
    urgent = (Task.done_at.desc(),) if is_closed else (Task.due_at.is_(None), Task.due_at)
    rows = list(
        work.session.scalars(sa.select(Task).where(*where).order_by(*urgent, Task.id).offset(offset).limit(limit))
    )
    return items(work, rows), total


def items(work: Work, rows: Sequence[Task]) -> list[Item]:
    """Return tasks with the names and the state that a list shows."""
    people = staff.names(work, [key for row in rows for key in (row.assigner_id, row.assignee_id)])
    states = _states(work, rows)
    customers: dict[int | None, str | None] = dict(
        work.session.execute(
            sa.select(Customer.id, Customer.name).where(
                Customer.id.in_({row.customer_id for row in rows if row.customer_id is not None}),
                reach(work.actor, "personal", "customer"),
            )
        )
        .all()
    )
    return [
        Item(
            row, people.get(row.assigner_id, ""), people.get(row.assignee_id, ""), states[row.id],
            row.done_at is None and row.due_at is not None and row.due_at < work.now,
            customers.get(row.customer_id) or "",
        )
        for row in rows
    ]  # fmt: skip


def one(work: Work, task_id: int) -> tuple[Item, list[Step]]:
    """Return a task and its events, the oldest first."""
    task = work.get(Task, task_id, "personal")
    events = list(
        work.session.scalars(
            sa.select(TaskEvent)
            .where(TaskEvent.task_id == task.id, TaskEvent.deleted_at.is_(None))
            .order_by(TaskEvent.occurred_at, TaskEvent.id)
        )
    )
    people = staff.names(work, [key for event in events for key in (event.employee_id, event.to_employee_id)])
    steps = [Step(e, people.get(e.employee_id, ""), people.get(e.to_employee_id, "")) for e in events]
    return items(work, [task])[0], steps


def allowed(work: Work, task: Task) -> frozenset[str]:
    """Return the steps that the actor may take with a task now; for what a page offers, never for what is done."""
    is_assignee = task.assignee_id is not None and task.assignee_id == work.actor.employee_id
    is_assigner = _is_assigner(work, task)
    steps = {"comment"}
    if task.done_at is None:
        steps |= {"done"} if is_assignee else set()
        steps |= {"start"} if is_assignee and state(work, task) == "assigned" else set()
        steps |= {"delegate"} if is_assignee or is_assigner or _may_give(work, task.assignee_id) else set()
        steps |= {"change", "withdraw"} if is_assigner else set()
    else:
        steps |= {"check"} if is_assigner and task.checked_at is None else set()
        steps |= {"reopen"} if is_assigner or (is_assignee and task.checked_at is None) else set()
    return frozenset(steps) if work.may_with("update", task) else frozenset({"comment"})


def people_to_give_to(work: Work, *, handing_on: bool = False) -> dict[int, str]:
    """Return those the actor may give tasks to, or hand one on to, by key: the name."""
    condition = staff.reached_by(work, "assign", "task")
    near = set(work.actor.colleague_ids) if handing_on else {work.actor.employee_id} - {None}
    query = (
        sa.select(Employee.id, Employee.name)
        .where(staff.is_employed(work.today), sa.or_(condition, Employee.id.in_(sorted(key for key in near if key))))
        .order_by(Employee.name, Employee.id)
    )
    return dict(work.session.execute(query).all())


def _seen(work: Work, view: str, is_closed: bool) -> list[sa.ColumnElement[bool]]:
    me = work.actor.employee_id
    where: list[sa.ColumnElement[bool]] = [Task.deleted_at.is_(None), reach(work.actor, "personal", "task")]
    ended = Task.done_at
    match view:
        case "mine":
            where.append(Task.assignee_id == me if me is not None else sa.false())
        case "given":
            where.append(Task.assigner_id == me if me is not None else Task.assigner_id.is_(None))
            where.append(Task.assignee_id.is_distinct_from(me) if me is not None else sa.true())
            ended = Task.checked_at
        case "to_check":
            where += to_check(work)
            return where
        case "all":
            pass
        case _:
            raise ValueError(f"no such view: {view!r}")
    where.append(ended.is_not(None) if is_closed else ended.is_(None))
    return where


def to_check(work: Work) -> list[sa.ColumnElement[bool]]:
    """Return the conditions on tasks that they wait for the actor's check: given by the actor, done by another."""
    me = work.actor.employee_id
    return [
        Task.assigner_id == me if me is not None else sa.false(),
        Task.assignee_id.is_distinct_from(me), Task.done_at.is_not(None), Task.checked_at.is_(None),
    ]  # fmt: skip


def _states(work: Work, rows: Sequence[Task]) -> dict[int, str]:
    last = (
        sa.select(
            TaskEvent.task_id, TaskEvent.kind,
            sa.func.row_number().over(
                partition_by=TaskEvent.task_id, order_by=(TaskEvent.occurred_at.desc(), TaskEvent.id.desc())
            ).label("place"),
        )
        .where(
            TaskEvent.task_id.in_([row.id for row in rows]), TaskEvent.kind != "comment", TaskEvent.deleted_at.is_(None)
        )
        .subquery()
    )  # fmt: skip
    kinds: dict[int, str] = dict(
        work.session.execute(sa.select(last.c.task_id, last.c.kind).where(last.c.place == 1)).all()
    )
    return {
        row.id: "checked" if row.checked_at else "done" if row.done_at
        else "started" if kinds.get(row.id) == "start" else "assigned"
        for row in rows
    }  # fmt: skip


def _locked(work: Work, task_id: int) -> Task:
    return work.get(Task, task_id, "update", lock=True)


def _add_event(
    work: Work, task: Task, kind: str, *, to_employee_id: int | None = None, note: str | None = None
) -> TaskEvent:
    event = TaskEvent(
        task_id=task.id, kind=kind, occurred_at=work.now, employee_id=work.actor.employee_id,
        to_employee_id=to_employee_id, note=wording.optional("note", note),
    )  # fmt: skip
    # The right was checked on the task; whoever hands one on may not see it afterwards, but leaves this trace.
    work.session.add(event)
    work.session.flush()
    return event


def _may_give(work: Work, employee_id: int | None) -> bool:
    if employee_id is None:
        return work.actor.may("assign", "task")
    condition = staff.reached_by(work, "assign", "task")
    return bool(work.session.scalar(sa.select(sa.literal(1)).where(Employee.id == employee_id, condition)))


def _require_may_give(work: Work, employee_id: int) -> None:
    person = staff.employee(work, employee_id)
    if employee_id != work.actor.employee_id and not _may_give(work, employee_id):
        raise Forbidden(marked("You may not give tasks to {name}."), name=person.name)


def _is_assigner(work: Work, task: Task) -> bool:
    if task.assigner_id is not None:
        if task.assigner_id == work.actor.employee_id:
            return True
        giver = work.session.get(Employee, task.assigner_id)
        if giver is not None and (giver.left_on is None or giver.left_on >= work.today):
            return False
    # Nobody gave it, or who gave it has left: whoever may give tasks to the assignee takes the place.
    return _may_give(work, task.assignee_id) and task.assignee_id != work.actor.employee_id


def _require_assigner(work: Work, task: Task) -> None:
    if not _is_assigner(work, task):
        raise Forbidden(marked("Only who gave the task may do this."))


def _require_assignee(work: Work, task: Task) -> None:
    if task.assignee_id is None or task.assignee_id != work.actor.employee_id:
        raise Forbidden(marked("Only who is to do the task may do this."))


def _require_open(task: Task) -> None:
    if task.done_at is not None:
        raise Refused(marked("The task is done already."))
