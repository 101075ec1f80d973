"""Which days a report is about: the last month, quarter or week that is over and that the data reach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pandas as pd

from dashboards.gateway import Period

Kind = Literal["month", "week", "quarter"]
_FREQUENCIES = {"month": "M", "quarter": "Q", "week": "W-SUN"}


class Week(Period):
    """Seven days from Monday to Sunday: the week before and the one a year before have the same weekdays."""

    def previous(self) -> Period:
        """Return the week before."""
        return self._earlier(1)

    def year_before(self) -> Period:
        """Return the week 52 weeks before."""
        return self._earlier(52)

    def _earlier(self, weeks: int) -> Week:
        shift = timedelta(weeks=weeks)
        return Week(self.start - shift, self.end - shift)


@dataclass(frozen=True)
class Reported:
    """The days a report is about.

    Attributes:
        code: ``2026-06``, ``2026-Q2`` or ``2026-W26``; a recipient gets each once.
        label: as the gateway labels the period (a week by its Monday).
        period: the days.
        is_whole: whether the data reach to their end.
        is_late: whether a later one is over, which the data do not reach.
    """

    kind: Kind
    code: str
    label: str
    period: Period
    is_whole: bool
    is_late: bool


def reported(kind: Kind, as_of: datetime, time_zone: str, now: datetime) -> Reported:
    """Return what a report of a kind is about at this moment.

    Args:
        kind: of the period.
        as_of: moment of the data.
        time_zone: the company's.
        now: the present moment; data of later than it count as the present.
    """
    zone = ZoneInfo(time_zone)
    today = max(now, as_of).astimezone(zone).date()
    frequency = _FREQUENCIES[kind]
    over = pd.Period(today, freq=frequency) - 1
    # A moment of midnight belongs to the day before.
    reached = pd.Period((as_of - timedelta(seconds=1)).astimezone(zone).date(), freq=frequency)
    found = min(over, reached)
    start, end = found.start_time.date(), found.end_time.date()
    week = start.isocalendar()
    code, label = {
        "month": (f"{start:%Y-%m}",) * 2,
        "quarter": (f"{start.year}-Q{(start.month - 1) // 3 + 1}",) * 2,
        "week": (f"{week.year}-W{week.week:02}", start.isoformat()),
    }[kind]
    period = Week(start, end) if kind == "week" else Period(start, end)
    return Reported(kind, code, label, period, as_of.astimezone(zone).date() > end, found < over)


def twelve_months(period: Period) -> Period:
    """Return the twelve calendar months that end with a period."""
    last = period.end
    first: date = (pd.Timestamp(last).replace(day=1) - pd.DateOffset(months=11)).date()
    return Period(first, last)
