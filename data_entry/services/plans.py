"""Marketing plans, the activities inside them, and what both have cost.

Money spent is what was approved or paid, as on the dashboards; what is submitted waits for a decision. An expense of
an activity counts for the activity's plan.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.estate import Project
from data_entry.schema.lead import Lead, Source
from data_entry.schema.marketing import Activity, ActivityClass, Expense, Feedback, Plan, PlanClass
from data_entry.services.errors import Invalid, Problem
from data_entry.services.work import Work
from loupan.i18n import marked

SPENT, WAITING = ("approved", "paid"), ("submitted",)
STATES = ("running", "coming", "over")


def apply(
    work: Work, table: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Check a plan or an activity that is to be written; see `data_entry.services.rules`."""
    if after is None:
        return {}
    problems = _plan_problems(work, before, after) if table == "plan" else _activity_problems(work, before, after)
    if problems:
        raise Invalid(problems)
    return {}


def _plan_problems(work: Work, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if after["budget"] is not None and after["budget"] < 0:
        problems.append(Problem("budget", marked("This must be at least {bound}."), {"bound": 0}))
    if before is None or (before["start_on"], before["end_on"]) == (after["start_on"], after["end_on"]):
        return problems
    inside = work.session.scalars(
        sa.select(Activity).where(Activity.plan_id == before["id"], Activity.deleted_at.is_(None)).order_by(Activity.id)
    )
    for activity in inside:
        first, last = activity.start_on, activity.end_on or activity.start_on
        if first is not None and first < after["start_on"]:
            message = marked("The activity “{activity}” begins on {day} already.")
            problems.append(Problem("start_on", message, {"activity": activity.name, "day": first}))
        if last is not None and after["end_on"] is not None and last > after["end_on"]:
            message = marked("The activity “{activity}” lasts until {day}.")
            problems.append(Problem("end_on", message, {"activity": activity.name, "day": last}))
    return problems


def _activity_problems(work: Work, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Problem]:
    dates = ("plan_id", "start_on", "end_on")
    if before is not None and all(before[name] == after[name] for name in dates):
        return []
    if after["plan_id"] is None:
        return [Problem("plan_id", marked("An activity is one job inside a plan: name the plan."))]
    if after["end_on"] is not None and after["start_on"] is None:
        return [Problem("start_on", marked("The activity ends but does not begin: name its first day."))]
    plan = work.session.get(Plan, after["plan_id"])
    if plan is None:  # pragma: no cover - the reference was checked before
        return []
    problems = []
    inside = {"first": plan.start_on, "last": plan.end_on or "…"}
    for name in ("start_on", "end_on"):
        day = after[name]
        if day is not None and (day < plan.start_on or (plan.end_on is not None and day > plan.end_on)):
            problems.append(Problem(name, marked("This is outside of the plan ({first} to {last})."), inside))
    return problems


@dataclass(frozen=True)
class PlanLine:
    """A plan with what has become of it.

    Attributes:
        state: one of `STATES`, by today.
        spent, waiting: approved or paid, and submitted; None where the actor may not read expenses.
        leads: that came in through its activities; None where the actor may not read leads.
    """

    id: int
    name: str
    class_name: str | None
    project: str | None
    start_on: dt.date
    end_on: dt.date | None
    budget: Decimal | None
    goal: str | None
    state: str
    activities: int
    spent: Decimal | None
    waiting: Decimal | None
    leads: int | None

    @property
    def used(self) -> float | None:
        """The share of the budget that is spent, None without a budget."""
        return float(self.spent / self.budget) if self.budget and self.spent is not None else None


@dataclass(frozen=True)
class ActivityLine:
    """An activity with what it cost and brought; see `PlanLine`.

    Attributes:
        rating: mean rating in feedback, None without any or where the actor may not read it.
    """

    id: int
    name: str
    class_name: str | None
    source: str | None
    start_on: dt.date | None
    end_on: dt.date | None
    spent: Decimal | None
    waiting: Decimal | None
    leads: int | None
    rating: float | None


def overview(
    work: Work, *, project_id: int | None = None, state: str | None = None, search: str = "", page: int = 0,
    size: int = 10,
) -> tuple[list[PlanLine], int]:  # fmt: skip
    """Return a page of the plans the actor may read, the latest first, and how many there are.

    Args:
        work: the transaction.
        project_id: only those of an estate.
        state: one of `STATES`.
        search: part of the name.
        page: from 0.
        size: plans on a page.
    """
    work.require("read", "plan")
    conditions = [Plan.deleted_at.is_(None), reach(work.actor, "read", "plan")]
    if project_id is not None:
        conditions.append(Plan.project_id == project_id)
    if search.strip():
        conditions.append(Plan.name.icontains(search.strip(), autoescape=True))
    if state is not None:
        conditions.append(_in_state(state, work.today))
    total = work.session.scalar(sa.select(sa.func.count()).select_from(Plan).where(*conditions)) or 0
    rows = work.session.execute(
        sa.select(Plan, PlanClass.name, Project.name)
        .outerjoin(PlanClass, PlanClass.id == Plan.plan_class_id)
        .outerjoin(Project, Project.id == Plan.project_id)
        .where(*conditions)
        .order_by(Plan.start_on.desc(), Plan.id.desc())
        .offset(page * size)
        .limit(size)
    ).all()
    return _plan_lines(work, rows), total


def plan(work: Work, plan_id: int) -> PlanLine:
    """Return one plan; raises `NotFound` where the actor may not see it."""
    row = work.get(Plan, plan_id)
    kind = work.session.get(PlanClass, row.plan_class_id) if row.plan_class_id else None
    project = work.session.get(Project, row.project_id) if row.project_id else None
    return _plan_lines(work, [(row, kind and kind.name, project and project.name)])[0]


def _in_state(state: str, today: dt.date) -> sa.ColumnElement[bool]:
    if state == "coming":
        return Plan.start_on > today
    if state == "over":
        return Plan.end_on < today
    return sa.and_(Plan.start_on <= today, sa.or_(Plan.end_on.is_(None), Plan.end_on >= today))


def _state(plan: Plan, today: dt.date) -> str:
    if plan.start_on > today:
        return "coming"
    return "over" if plan.end_on is not None and plan.end_on < today else "running"


def _plan_lines(work: Work, rows: Sequence[Any]) -> list[PlanLine]:
    keys = [row[0].id for row in rows]
    of_plan = sa.func.coalesce(Expense.plan_id, Activity.plan_id)
    spent, waiting = _money(work, of_plan, keys)
    counted = sa.select(Activity.plan_id, sa.func.count()).where(
        Activity.plan_id.in_(keys), Activity.deleted_at.is_(None), reach(work.actor, "read", "activity")
    )
    activities = _pairs(work, counted.group_by(Activity.plan_id)) if work.actor.may("read", "activity") else {}
    leads = _leads(work, Activity.plan_id, keys)
    sees = work.actor.may("personal", "plan")
    return [
        PlanLine(
            id=row.id, name=row.name, class_name=kind, project=project, start_on=row.start_on, end_on=row.end_on,
            budget=row.budget, goal=row.goal if sees else None, state=_state(row, work.today),
            activities=activities.get(row.id, 0), spent=_known(spent, row.id), waiting=_known(waiting, row.id),
            leads=None if leads is None else leads.get(row.id, 0),
        )
        for row, kind, project in rows
    ]  # fmt: skip


def activities(work: Work, plan_id: int) -> list[ActivityLine]:
    """Return the activities of a plan by their first days.

    Raises:
        NotFound: if the actor may not see the plan.
    """
    work.get(Plan, plan_id)
    if not work.actor.may("read", "activity"):
        return []
    rows = work.session.execute(
        sa.select(Activity, ActivityClass.name, Source.name)
        .outerjoin(ActivityClass, ActivityClass.id == Activity.activity_class_id)
        .outerjoin(Source, Source.id == Activity.source_id)
        .where(Activity.plan_id == plan_id, Activity.deleted_at.is_(None), reach(work.actor, "read", "activity"))
        .order_by(Activity.start_on.nulls_last(), Activity.id)
    ).all()
    keys = [row[0].id for row in rows]
    spent, waiting = _money(work, Expense.activity_id, keys)
    leads = _leads(work, Activity.id, keys)
    rated = sa.select(Feedback.activity_id, sa.func.avg(Feedback.rating)).where(
        Feedback.activity_id.in_(keys), Feedback.deleted_at.is_(None), reach(work.actor, "read", "feedback")
    )
    ratings = _pairs(work, rated.group_by(Feedback.activity_id)) if work.actor.may("read", "feedback") else {}
    return [
        ActivityLine(
            id=row.id, name=row.name, class_name=kind, source=source, start_on=row.start_on, end_on=row.end_on,
            spent=_known(spent, row.id), waiting=_known(waiting, row.id),
            leads=None if leads is None else leads.get(row.id, 0),
            rating=float(ratings[row.id]) if ratings.get(row.id) is not None else None,
        )
        for row, kind, source in rows
    ]  # fmt: skip


def _pairs(work: Work, query: Any) -> dict[int, Any]:
    return dict(work.session.execute(query).all())


def _known(amounts: dict[int, Decimal] | None, key: int) -> Decimal | None:
    return None if amounts is None else amounts.get(key, Decimal(0))


def _money(work: Work, key: Any, keys: Sequence[int]) -> tuple[dict[int, Decimal] | None, dict[int, Decimal] | None]:
    """Return the sums spent and waiting by a key, None where the actor may read no expenses."""
    if not work.actor.may("read", "expense"):
        return None, None
    query: Any = (
        sa.select(key, Expense.status, sa.func.sum(Expense.amount))
        .select_from(Expense)
        .outerjoin(Activity, Activity.id == Expense.activity_id)
        .where(
            key.in_(keys), Expense.deleted_at.is_(None), Expense.status.in_((*SPENT, *WAITING)),
            reach(work.actor, "read", "expense"),
        )
        .group_by(key, Expense.status)
    )  # fmt: skip
    spent: dict[int, Decimal] = {}
    waiting: dict[int, Decimal] = {}
    found: Sequence[Any] = work.session.execute(query).all()
    for owner, status, amount in found:
        sums = spent if status in SPENT else waiting
        sums[owner] = sums.get(owner, Decimal(0)) + amount
    return spent, waiting


def _leads(work: Work, key: Any, keys: Sequence[int]) -> dict[int, int] | None:
    if not work.actor.may("read", "lead"):
        return None
    query = (
        sa.select(key, sa.func.count(Lead.id))
        .select_from(Lead)
        .join(Activity, Activity.id == Lead.activity_id)
        .where(key.in_(keys), Lead.deleted_at.is_(None), reach(work.actor, "read", "lead"))
        .group_by(key)
    )
    return _pairs(work, query)
