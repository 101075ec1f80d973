"""What marketing spends: entered, submitted with its receipts, approved or rejected, paid.

::

    draft ──submit──▶ submitted ──approve──▶ approved ──pay──▶ paid
      ▲                │      └──reject──▶ rejected ──submit──▶ submitted
      └───withdraw─────┘

Only drafts and rejected expenses can be changed or deleted. Nobody approves, rejects or pays an expense they entered
or changed. Above the amount of the setting ``LOUPAN_RECEIPT_ABOVE`` at least one receipt must be attached before it is
submitted. An expense of an activity belongs to that activity's plan, and one of a plan to the plan's estate.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.estate import Project
from data_entry.schema.marketing import Activity, Expense, ExpenseCategory, Plan
from data_entry.schema.organisation import AuditLog
from data_entry.services import attachments, categories
from data_entry.services.errors import Invalid, Problem, Refused
from data_entry.services.plans import SPENT
from data_entry.services.work import Work
from loupan.i18n import marked
from loupan.settings import get_settings

OPEN = ("draft", "rejected")
STATUSES = ("draft", "submitted", "approved", "rejected", "paid")
# Changes that are no part of entering an expense: whoever made only such ones may decide about it.
_DECISION = {"status", "decided_by_id", "decided_at", "decision_note"}


def apply(
    work: Work, table: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Check an expense that is to be written from a form; see `data_entry.services.rules`."""
    if before is not None and before["status"] not in OPEN:
        raise Refused(marked("Only drafts and rejected expenses can be changed. Withdraw it, or have it rejected."))
    if after is None:
        return {}
    follows: dict[str, Any] = {}
    if before is None:
        follows["employee_id"] = work.actor.employee_id
    problems = []
    if after["amount"] is None or after["amount"] <= 0:
        problems.append(Problem("amount", marked("This must be more than {bound}."), {"bound": 0}))
    if after["incurred_on"] > work.today:
        problems.append(Problem("incurred_on", marked("This day is still to come.")))
    activity = work.session.get(Activity, after["activity_id"]) if after["activity_id"] else None
    plan_id = after["plan_id"]
    if activity is not None and activity.plan_id is not None:
        if plan_id is None:
            plan_id = follows["plan_id"] = activity.plan_id
        elif plan_id != activity.plan_id:
            problems.append(Problem("activity_id", marked("This activity belongs to another plan.")))
    plan = work.session.get(Plan, plan_id) if plan_id else None
    if plan is not None and plan.project_id is not None:
        if after["project_id"] is None:
            follows["project_id"] = plan.project_id
        elif after["project_id"] != plan.project_id:
            problems.append(Problem("project_id", marked("The plan is for another estate.")))
    problems += _category_problems(work, before["expense_category_id"] if before else None, after)
    if problems:
        raise Invalid(problems)
    return follows


def _category_problems(work: Work, present: int | None, after: Mapping[str, Any]) -> list[Problem]:
    key = after["expense_category_id"]
    if key in (None, present) or categories.is_offered(work, categories.EXPENSES, key):
        return []
    return [Problem("expense_category_id", marked("This category is not in use. Choose another."))]


def _taken(work: Work, expense_id: int, action: str, *states: str) -> Expense:
    """Return an expense, locked, that stands in one of some states."""
    row = work.get(Expense, expense_id, action, lock=True)
    if row.status not in states:
        raise Refused(marked("Meanwhile this expense stands elsewhere in its approval. Look at it again."))
    return row


def submit(work: Work, expense_id: int) -> None:
    """Hand an expense in for approval.

    Raises:
        Refused: if it is no draft and was not rejected, has no category, or lacks the receipt it needs.
    """
    row = _taken(work, expense_id, "update", *OPEN)
    if row.expense_category_id is None:
        raise Refused(marked("Choose the category before you submit the expense."))
    most = get_settings().receipt_above
    if row.amount > most and not attachments.count(work, "expense", row.id):
        raise Refused(marked("An expense above {amount} needs a receipt: attach one, then submit it."), amount=most)
    row.status = "submitted"
    row.decided_by_id = row.decided_at = row.decision_note = None
    work.session.flush()


def withdraw(work: Work, expense_id: int) -> None:
    """Take an expense back before it is decided, to mend it."""
    _taken(work, expense_id, "update", "submitted").status = "draft"
    work.session.flush()


def decide(work: Work, expense_id: int, *, approve: bool, note: str = "") -> None:
    """Approve or reject a submitted expense.

    Args:
        work: the transaction.
        expense_id: key of the expense.
        approve: False to reject it.
        note: why; needed to reject.

    Raises:
        Refused: if it is not submitted, the actor has a part in it, or a rejection gives no reason.
    """
    row = _taken(work, expense_id, "approve", "submitted")
    _require_no_part(work, row)
    if not approve and not note.strip():
        raise Refused(marked("Say why it is rejected, so that it can be mended."))
    row.status = "approved" if approve else "rejected"
    row.decided_by_id, row.decided_at = work.actor.employee_id, work.now
    row.decision_note = note.strip()[:500] or None
    work.session.flush()


def pay(work: Work, expense_id: int) -> None:
    """Mark an approved expense as paid."""
    row = _taken(work, expense_id, "approve", "approved")
    _require_no_part(work, row)
    row.status = "paid"
    work.session.flush()


def _require_no_part(work: Work, row: Expense) -> None:
    if has_part(work, row):
        raise Refused(marked("You entered or changed this expense: somebody else must decide about it."))


def has_part(work: Work, row: Expense) -> bool:
    """Say whether the actor entered an expense, or changed or submitted it since."""
    actor = work.actor
    if actor.employee_id is not None and row.employee_id == actor.employee_id:
        return True
    if actor.account_id is None:
        return False
    if row.created_by == actor.account_id:
        return True
    lines = work.session.scalars(
        sa.select(AuditLog.after).where(
            AuditLog.entity == "expense", AuditLog.entity_id == row.id, AuditLog.account_id == actor.account_id
        )
    )
    for line in lines:
        changed = json.loads(line or "{}")
        if set(changed) - _DECISION or changed.get("status") in ("draft", "submitted"):
            return True
    return False


@dataclass(frozen=True)
class Filter:
    """Which expenses are asked for; None and empty mean all.

    Attributes:
        since, until: days between which they were incurred, both included.
        statuses: of `STATUSES`.
        category_id: with the categories below it.
        is_mine: only those the actor entered.
        is_to_decide: only those that wait for the actor's decision.
        is_to_pay: only approved ones that the actor may mark as paid.
    """

    since: dt.date | None = None
    until: dt.date | None = None
    statuses: tuple[str, ...] = ()
    plan_id: int | None = None
    activity_id: int | None = None
    category_id: int | None = None
    project_id: int | None = None
    is_mine: bool = False
    is_to_decide: bool = False
    is_to_pay: bool = False


def where(work: Work, wanted: Filter) -> sa.ColumnElement[bool]:
    """Return the condition of a filter, for `records.list_rows`; what the actor may read is not part of it."""
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if wanted.since:
        conditions.append(Expense.incurred_on >= wanted.since)
    if wanted.until:
        conditions.append(Expense.incurred_on <= wanted.until)
    if wanted.statuses:
        conditions.append(Expense.status.in_(wanted.statuses))
    if wanted.plan_id is not None:
        of_plan = sa.select(Activity.id).where(Activity.plan_id == wanted.plan_id)
        direct = Expense.plan_id == wanted.plan_id
        conditions.append(sa.or_(direct, sa.and_(Expense.plan_id.is_(None), Expense.activity_id.in_(of_plan))))
    if wanted.activity_id is not None:
        conditions.append(Expense.activity_id == wanted.activity_id)
    if wanted.project_id is not None:
        conditions.append(Expense.project_id == wanted.project_id)
    if wanted.category_id is not None:
        conditions.append(Expense.expense_category_id.in_(_below(work, wanted.category_id)))
    actor = work.actor
    entered = sa.or_(sa.false(), Expense.employee_id == actor.employee_id) if actor.employee_id else sa.false()
    if wanted.is_mine:
        conditions.append(sa.or_(entered, Expense.created_by == actor.account_id))
    if wanted.is_to_decide or wanted.is_to_pay:
        conditions += [
            Expense.status.in_([s for s, is_wanted in (("submitted", wanted.is_to_decide),
                                                       ("approved", wanted.is_to_pay)) if is_wanted]),
            reach(actor, "approve", "expense"),
            sa.func.coalesce(Expense.employee_id, -1) != (actor.employee_id or 0),
            sa.func.coalesce(Expense.created_by, -1) != (actor.account_id or 0),
        ]  # fmt: skip
    return sa.and_(*conditions)


def _below(work: Work, category_id: int) -> list[int]:
    parents = _parents(work)
    return [key for key in (*parents, category_id) if category_id in _path(parents, key)]


def _parents(work: Work) -> dict[int, tuple[int | None, str]]:
    query = sa.select(ExpenseCategory.id, ExpenseCategory.parent_id, ExpenseCategory.name)
    return {key: (parent, name) for key, parent, name in work.session.execute(query)}


def _path(parents: Mapping[int, tuple[int | None, str]], key: int) -> list[int]:
    """Return a category and those above it, the topmost last; a ring made by mistake ends as well."""
    path = [key]
    while (above := parents.get(path[-1], (None, ""))[0]) is not None and above not in path:
        path.append(above)
    return path


@dataclass(frozen=True)
class Sum:
    """A part of the money spent: what it is called (None for what has no category, plan, …), how much, how often."""

    key: Any
    name: str | None
    amount: Decimal
    count: int


def _counted(work: Work, wanted: Filter, statuses: tuple[str, ...]) -> list[sa.ColumnElement[bool]]:
    work.require("read", "expense")
    return [
        Expense.deleted_at.is_(None), reach(work.actor, "read", "expense"), where(work, wanted),
        Expense.status.in_(statuses),
    ]  # fmt: skip


def totals(work: Work, wanted: Filter) -> dict[str, Sum]:
    """Return number and sum of the expenses in each state."""
    query = (
        sa.select(Expense.status, sa.func.sum(Expense.amount), sa.func.count())
        .where(*_counted(work, wanted, STATUSES))
        .group_by(Expense.status)
    )
    return {status: Sum(status, status, amount, count) for status, amount, count in work.session.execute(query)}


def by_category(work: Work, wanted: Filter) -> list[Sum]:
    """Return the money spent (approved or paid) by topmost category, the most first."""
    query = (
        sa.select(Expense.expense_category_id, sa.func.sum(Expense.amount), sa.func.count())
        .where(*_counted(work, wanted, SPENT))
        .group_by(Expense.expense_category_id)
    )
    parents = _parents(work)
    found: dict[int | None, Sum] = {}
    for key, amount, count in work.session.execute(query):
        top = _path(parents, key)[-1] if key is not None else None
        before = found.get(top, Sum(top, None, Decimal(0), 0))
        name = parents[top][1] if top in parents else None
        found[top] = Sum(top, name, before.amount + amount, before.count + count)
    return sorted(found.values(), key=lambda part: -part.amount)


def by_plan(work: Work, wanted: Filter, most: int = 10) -> list[Sum]:
    """Return the money spent by plan, the most first."""
    plan_id = sa.func.coalesce(Expense.plan_id, Activity.plan_id)
    query = (
        sa.select(plan_id, Plan.name, sa.func.sum(Expense.amount), sa.func.count())
        .select_from(Expense)
        .outerjoin(Activity, Activity.id == Expense.activity_id)
        .outerjoin(Plan, Plan.id == plan_id)
        .where(*_counted(work, wanted, SPENT))
        .group_by(plan_id, Plan.name)
        .order_by(sa.func.sum(Expense.amount).desc())
        .limit(most)
    )
    return [Sum(*row) for row in work.session.execute(query)]


def by_project(work: Work, wanted: Filter) -> list[Sum]:
    """Return the money spent by estate, the most first."""
    query = (
        sa.select(Expense.project_id, Project.name, sa.func.sum(Expense.amount), sa.func.count())
        .select_from(Expense)
        .outerjoin(Project, Project.id == Expense.project_id)
        .where(*_counted(work, wanted, SPENT))
        .group_by(Expense.project_id, Project.name)
        .order_by(sa.func.sum(Expense.amount).desc())
    )
    return [Sum(*row) for row in work.session.execute(query)]


def by_month(work: Work, wanted: Filter) -> list[Sum]:
    """Return the money spent by month of the day it was incurred (keys YYYY-MM), in order, months without any too."""
    year, month = sa.extract("year", Expense.incurred_on), sa.extract("month", Expense.incurred_on)
    query = (
        sa.select(year, month, sa.func.sum(Expense.amount), sa.func.count())
        .where(*_counted(work, wanted, SPENT))
        .group_by(year, month)
        .order_by(year, month)
    )
    found = {(int(y), int(m)): (amount, count) for y, m, amount, count in work.session.execute(query)}
    if not found:
        return []
    sums = []
    (y, m), last = min(found), max(found)
    while (y, m) <= last:
        label = f"{y:04}-{m:02}"
        sums.append(Sum(label, label, *found.get((y, m), (Decimal(0), 0))))
        y, m = (y, m + 1) if m < 12 else (y + 1, 1)
    return sums
