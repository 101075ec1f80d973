"""Work plans and daily logs, and what the supervisor says of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.office import WorkLog, WorkPlan
from data_entry.schema.organisation import Employee
from data_entry.services import staff, wording
from data_entry.services.errors import Forbidden, Invalid, Problem, Refused
from data_entry.services.work import Work
from loupan.i18n import marked

PERIODS = ("day", "week", "month", "quarter")
PAGE = 20

Kept = TypeVar("Kept", bound=WorkPlan | WorkLog)


@dataclass(frozen=True)
class Item:
    """A plan or log in a list, with the names of its author and of who reviewed it."""

    row: WorkPlan | WorkLog
    employee: str
    reviewer: str


def first_day(period: str, day: dt.date) -> dt.date:
    """Return the first day of the period that a day lies in; weeks begin on Monday."""
    match period:
        case "week":
            return day - dt.timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
        case "day":
            return day
    raise Invalid([Problem("period", marked("Choose one of the values offered."))])


def plan(work: Work, *, period: str, day: dt.date, text: str, row_version: int | None = None) -> WorkPlan:
    """Write one's plan for the period that a day lies in, or change it while nobody has reviewed it."""
    me = staff.myself(work)
    start = first_day(period, day)
    text = wording.block("text", text, 20_000)
    _lock_employee(work, me)
    row = plan_of(work, period, start)
    if row is None:
        return work.add(WorkPlan(employee_id=me, period=period, period_on=start, text=text))
    _change(work, row, text, row_version)
    return row


def log(work: Work, *, day: dt.date, text: str, row_version: int | None = None) -> WorkLog:
    """Write what one did on a day, or change it while nobody has reviewed it."""
    me = staff.myself(work)
    if day > work.today:
        raise Invalid([Problem("day_on", marked("This day has not come yet."))])
    text = wording.block("text", text, 20_000)
    _lock_employee(work, me)
    row = log_of(work, day)
    if row is None:
        return work.add(WorkLog(employee_id=me, day_on=day, text=text))
    _change(work, row, text, row_version)
    return row


def plan_of(work: Work, period: str, day: dt.date) -> WorkPlan | None:
    """Return one's plan for the period that a day lies in."""
    return work.session.scalar(
        sa.select(WorkPlan).where(
            WorkPlan.employee_id == work.actor.employee_id, WorkPlan.period == period,
            WorkPlan.period_on == first_day(period, day), WorkPlan.deleted_at.is_(None),
        ).limit(1)
    )  # fmt: skip


def log_of(work: Work, day: dt.date) -> WorkLog | None:
    """Return one's log of a day."""
    return work.session.scalar(
        sa.select(WorkLog)
        .where(WorkLog.employee_id == work.actor.employee_id, WorkLog.day_on == day, WorkLog.deleted_at.is_(None))
        .limit(1)
    )


def review(work: Work, model: type[Kept], key: int, text: str) -> Kept:
    """Say as a supervisor what one thinks of somebody's plan or log; a second review takes the place of the first."""
    row = work.get(model, key, "update", lock=True)
    me = staff.myself(work)
    if row.employee_id == me:
        raise Forbidden(marked("Nobody reviews an own plan or log."))
    row.review, row.reviewed_by_id, row.reviewed_at = wording.block("review", text, 20_000), me, work.now
    work.session.flush()
    return row


def listing(
    work: Work,
    model: type[Kept],
    *,
    whose: str = "mine",
    employee_id: int | None = None,
    offset: int = 0,
    limit: int = PAGE,
) -> tuple[list[Item], int]:
    """Return a piece of the list of plans or logs, the newest first, and how many there are.

    Args:
        work: the transaction.
        model: `WorkPlan` or `WorkLog`.
        whose: ``mine``, ``others`` that the actor supervises, or ``to_review``: those of them nobody has reviewed.
        employee_id: one employee's only.
        offset: how many to pass over.
        limit: how many to return.
    """
    me = work.actor.employee_id
    where: list[sa.ColumnElement[bool]] = [
        model.deleted_at.is_(None),
        reach(work.actor, "personal", model.__tablename__),
    ]
    if whose == "mine":
        where.append(model.employee_id == me if me is not None else sa.false())
    else:
        where.append(model.employee_id != me if me is not None else sa.true())
        where.append(reach(work.actor, "update", model.__tablename__))
        if whose == "to_review":
            where.append(model.reviewed_at.is_(None))
    if employee_id is not None:
        where.append(model.employee_id == employee_id)
    total = work.session.scalar(sa.select(sa.func.count()).select_from(model).where(*where)) or 0
    day = WorkPlan.period_on if issubclass(model, WorkPlan) else WorkLog.day_on
    rows = list(
        work.session.scalars(
            sa.select(model).where(*where).order_by(day.desc(), model.id.desc()).offset(offset).limit(limit)
        )
    )
    people = staff.names(work, [key for row in rows for key in (row.employee_id, row.reviewed_by_id)])
    return [Item(row, people.get(row.employee_id, ""), people.get(row.reviewed_by_id, "")) for row in rows], total


def supervised(work: Work) -> dict[int, str]:
    """Return those whose plans and logs the actor may review, by key: the name."""
    query = (
        sa.select(Employee.id, Employee.name)
        .where(
            staff.is_employed(work.today), staff.reached_by(work, "update", "work_log"),
            Employee.id != work.actor.employee_id if work.actor.employee_id is not None else sa.true(),
        )
        .order_by(Employee.name, Employee.id)
    )  # fmt: skip
    return dict(work.session.execute(query).all())


def without_log(work: Work, day: dt.date) -> list[str]:
    """Return the names of those supervised who have written no log of a day."""
    people = supervised(work)
    wrote = set(
        work.session.scalars(
            sa.select(WorkLog.employee_id).where(
                WorkLog.day_on == day, WorkLog.deleted_at.is_(None), WorkLog.employee_id.in_(people)
            )
        )
    )
    return [name for key, name in people.items() if key not in wrote]


def _change(work: Work, row: WorkPlan | WorkLog, text: str, row_version: int | None) -> None:
    work.require_with("update", row)
    wording.require_version(row, row_version, text=text)
    if row.reviewed_at is not None:
        raise Refused(marked("It has been reviewed, and stays as it was reviewed."))
    row.text = text
    work.session.flush()


def _lock_employee(work: Work, key: int) -> None:
    # One plan per period and one log per day, even when they are saved twice at the same moment.
    work.session.execute(sa.select(Employee.id).where(Employee.id == key).with_for_update())
