"""What people said about marketing activities: customers, and those who are none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.marketing import Activity, Feedback, Plan
from data_entry.services.errors import Invalid, Problem
from data_entry.services.work import Work
from loupan.i18n import marked

RATINGS = (1, 2, 3, 4, 5)
# Ratings that count as satisfied.
GOOD = (4, 5)
_CLOCKS_DIFFER = dt.timedelta(minutes=5)


def apply(
    work: Work, table: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Check what somebody said, before it is written; see `data_entry.services.rules`."""
    if after is None:
        return {}
    problems = []
    if after["rating"] is None and not after["text"]:
        problems.append(Problem("rating", marked("Give a rating, or write what was said.")))
    if after["received_at"] is not None and after["received_at"] > work.now + _CLOCKS_DIFFER:
        problems.append(Problem("received_at", marked("This moment is still to come.")))
    follows: dict[str, Any] = {}
    activity = work.session.get(Activity, after["activity_id"]) if after["activity_id"] else None
    plan = work.session.get(Plan, activity.plan_id) if activity is not None and activity.plan_id else None
    if plan is not None and plan.project_id is not None:
        if after["project_id"] is None:
            follows["project_id"] = plan.project_id
        elif after["project_id"] != plan.project_id and (before is None or before["project_id"] != after["project_id"]):
            problems.append(Problem("project_id", marked("The activity is for another estate.")))
    if problems:
        raise Invalid(problems)
    return follows


@dataclass(frozen=True)
class Filter:
    """Which feedback is asked for; None means all.

    Attributes:
        since, until: company days between which it came, both included.
        is_customer: only that of customers, or only that of others.
    """

    since: dt.date | None = None
    until: dt.date | None = None
    project_id: int | None = None
    activity_id: int | None = None
    is_customer: bool | None = None


def where(work: Work, wanted: Filter) -> sa.ColumnElement[bool]:
    """Return the condition of a filter, for `records.list_rows`; what the actor may read is not part of it."""
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if wanted.since:
        conditions.append(Feedback.received_at >= work.utc(dt.datetime.combine(wanted.since, dt.time())))
    if wanted.until:
        following = wanted.until + dt.timedelta(days=1)
        conditions.append(Feedback.received_at < work.utc(dt.datetime.combine(following, dt.time())))
    if wanted.project_id is not None:
        conditions.append(Feedback.project_id == wanted.project_id)
    if wanted.activity_id is not None:
        conditions.append(Feedback.activity_id == wanted.activity_id)
    if wanted.is_customer is not None:
        is_none = Feedback.customer_id.is_(None)
        conditions.append(~is_none if wanted.is_customer else is_none)
    return sa.and_(*conditions)


@dataclass
class Tally:
    """Ratings counted.

    Attributes:
        name: of what they are about; None where it has no name.
        count: contributions, with or without a rating.
        ratings: how many gave each of `RATINGS`.
    """

    key: Any = None
    name: str | None = None
    count: int = 0
    ratings: dict[int, int] = field(default_factory=lambda: dict.fromkeys(RATINGS, 0))

    def add(self, rating: int | None, count: int) -> None:
        """Count some more."""
        self.count += count
        if rating in self.ratings:
            self.ratings[rating] += count

    @property
    def rated(self) -> int:
        """How many gave a rating."""
        return sum(self.ratings.values())

    @property
    def mean(self) -> float | None:
        """The mean rating, None without any."""
        return sum(r * n for r, n in self.ratings.items()) / self.rated if self.rated else None

    @property
    def good(self) -> float | None:
        """The share of ratings that are `GOOD`, None without any."""
        return sum(self.ratings[r] for r in GOOD) / self.rated if self.rated else None


@dataclass(frozen=True)
class Statistics:
    """Feedback counted in all ways the page shows.

    Attributes:
        by_activity: the most spoken about first.
        by_month: by company month of receipt (keys YYYY-MM), in order; months without any are left out.
    """

    everybody: Tally
    customers: Tally
    others: Tally
    by_activity: list[Tally]
    by_month: list[Tally]


def statistics(work: Work, wanted: Filter) -> Statistics:
    """Count the feedback that the actor may read."""
    work.require("read", "feedback")
    rows = work.session.execute(
        sa.select(Feedback.received_at, Feedback.customer_id.is_(None), Feedback.rating, Feedback.activity_id)
        .where(Feedback.deleted_at.is_(None), reach(work.actor, "read", "feedback"), where(work, wanted))
    ).all()  # fmt: skip
    everybody, customers, others = Tally(), Tally(), Tally()
    activities: dict[int | None, Tally] = {}
    months: dict[str, Tally] = {}
    for received_at, is_other, rating, activity_id in rows:
        month = f"{work.local(received_at):%Y-%m}"
        for tally in (
            everybody, others if is_other else customers,
            activities.setdefault(activity_id, Tally(activity_id)), months.setdefault(month, Tally(month, month)),
        ):  # fmt: skip
            tally.add(rating, 1)
    names = dict(
        work.session.execute(sa.select(Activity.id, Activity.name).where(Activity.id.in_([k for k in activities if k])))
        .tuples()
        .all()
    )
    for key, tally in activities.items():
        tally.name = names.get(key) if key is not None else None
    return Statistics(
        everybody, customers, others, sorted(activities.values(), key=lambda a: (-a.count, str(a.name))),
        [months[month] for month in sorted(months)],
    )  # fmt: skip
