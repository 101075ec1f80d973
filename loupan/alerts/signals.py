"""Metrics whose newest complete period lies beyond their control limits."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from loupan.metrics import Metrics, UnknownMetric
from loupan.metrics.course import has_course, judged
from loupan.metrics.maturity import settled_until
from loupan.metrics.periods import FREQUENCIES, labels
from loupan.statistics.control import BASELINE, Rule

# What tells when a company began to record.
_ACTIVITY = ("leads", "demands", "contracts_gross", "marketing_expense")


@dataclass(frozen=True)
class Beyond:
    """A metric beyond its limits.

    Attributes:
        metric, label, label_zh, unit: its name, what people read, and its unit.
        period: the newest complete one, as the gateway labels it.
        ended: its last day.
        value, low, high, centre: in the metric's unit.
        periods: how many periods the centre rests on.
    """

    metric: str
    label: str
    label_zh: str
    unit: str
    period: str
    ended: dt.date
    value: float
    low: float
    high: float
    centre: float
    periods: int


@lru_cache(maxsize=4)
def beyond_limits(
    metrics: Metrics, names: tuple[str, ...], grain: str, as_of: dt.datetime, time_zone: str
) -> tuple[tuple[Beyond, ...], tuple[str, ...]]:
    """Return the metrics whose newest complete period is beyond the limits of the periods before it.

    Remembered: the answer changes with the snapshot alone.

    Args:
        metrics: of the snapshot.
        names: of the metrics asked for.
        grain: week, month or quarter.
        as_of: moment the snapshot speaks of.
        time_zone: of the company.

    Returns:
        The metrics, and what is wrong with names that cannot be judged.
    """
    # An as-of of midnight ends the day before.
    as_of_on = (as_of - dt.timedelta(seconds=1)).astimezone(ZoneInfo(time_zone)).date()
    found, problems = [], []
    recorded = _first_recorded(metrics)
    for name in names:
        try:
            if not has_course(metrics.describe(name)):
                problems.append(f"Metric {name} has no course over time, so no control limits.")
                continue
        except UnknownMetric as error:
            problems.append(str(error))
            continue
        one = _beyond(metrics, name, grain, as_of_on, recorded)
        if one is not None:
            found.append(one)
    return tuple(found), tuple(problems)


def _beyond(metrics: Metrics, name: str, grain: str, as_of_on: dt.date, recorded: pd.Timestamp | None) -> Beyond | None:
    settled = settled_until(name, as_of_on)
    newest = pd.Period(settled, freq=FREQUENCIES[grain])
    if newest.end_time.date() > settled:
        newest -= 1
    spans = pd.period_range(end=newest, periods=BASELINE + 1, freq=FREQUENCIES[grain])
    frame = metrics.query([name], by=[grain], start=spans[0].start_time.date(), end=newest.end_time.date())
    if recorded is None or frame.empty:
        return None
    periods = labels(spans, grain)
    metric = metrics.describe(name)
    definitions = {str(metric.denominator): metrics.describe(metric.denominator)} if metric.denominator else {}
    # The month in which recording began is seldom a whole one.
    is_whole = np.asarray(spans.start_time >= recorded + pd.DateOffset(months=1))
    course = judged(metric, definitions, frame.dropna(subset=[grain]).set_index(grain).reindex(periods), is_whole, 1)
    last = len(periods) - 1
    if course.limits is None or not any(s.rule == Rule.BEYOND and s.end == last for s in course.signals):
        return None
    limits = course.limits
    return Beyond(
        metric=name,
        label=metric.label,
        label_zh=metric.label_zh,
        unit=metric.unit,
        period=periods[last],
        ended=newest.end_time.date(),
        value=float(course.values[last]),
        low=float(limits.lower[last]),
        high=float(limits.upper[last]),
        centre=float(limits.centre),
        periods=limits.points,
    )


def _first_recorded(metrics: Metrics) -> pd.Timestamp | None:
    """Return the first day of the month with the first record of any activity."""
    known = {metric.name for metric in metrics.list(hidden=True)}.intersection(_ACTIVITY)
    months = [
        str(row["month"])
        for name in known
        for row in metrics.records([name], by=["month"])
        if row["month"] and row[name]
    ]
    return pd.Timestamp(f"{min(months)}-01") if months else None
