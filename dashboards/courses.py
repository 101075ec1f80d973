"""The courses of leads and demands, as the gateway counts them: how each ended, if it has, by days since it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboards.gateway import Period
from dashboards.memory import remembered
from dashboards.view import View
from loupan.i18n import marked
from loupan.i18n.codes import is_unknown
from loupan.statistics.incidence import Course, course_of

# The leads by which young ones are continued: old enough to tell, and no older than that the market has changed.
_BEFORE_MONTHS = 24
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """Cases whose course is followed, and how that is said.

    Attributes:
        metric: how many there are.
        rate: the metric of the share that has come to the event by now, however young the cases are.
        outcome: the dimension of what they have come to.
        days: the dimension of how many days that took; of those that have not ended, how long they were followed.
        event, rival, unended: the values of `outcome`; no rival where every end is the event.
        horizons: days of which the share is told.
        told: says what share has come to the event by a day.
        days_title: heads the days.
        open_title: heads the share that has not ended.
        at_risk: heads the numbers of those.
    """

    metric: str
    rate: str
    outcome: str
    days: str
    event: str
    rival: str
    unended: str
    horizons: tuple[int, ...]
    told: str
    days_title: str
    open_title: str
    at_risk: str


LEADS = Kind(
    metric="leads",
    rate="gross_conversion_rate",
    outcome="course_outcome",
    days="course_days",
    event="signed",
    rival="lost",
    unended="undecided",
    horizons=(30, 90, 180, 365),
    told=marked("Signed by day {day}: {share}"),
    days_title=marked("Days since entry"),
    open_title=marked("Undecided"),
    at_risk=marked("Undecided and still followed"),
)
DEMANDS = Kind(
    metric="demands_not_withdrawn",
    rate="resolution_rate",
    outcome="resolution_outcome",
    days="resolution_days",
    event="resolved",
    rival="",
    unended="open",
    horizons=(1, 3, 7, 14, 30),
    told=marked("Resolved by day {day}: {share}"),
    days_title=marked("Days since arrival"),
    open_title=marked("Unresolved"),
    at_risk=marked("Open and still followed"),
)


@remembered()
def courses(view: View, kind: Kind, cut: str, without: tuple[str, ...] = ()) -> Mapping[Any, Course]:
    """Return the course of the view's cases for each value of a dimension, None for those without one.

    Args:
        view: the reader's view.
        kind: of the cases.
        cut: the dimension.
        without: filters to leave aside.
    """
    frame = view.ask(kind.metric, by=(cut, kind.outcome, kind.days), without=without)
    if frame.empty:
        return {}
    places, values = pd.factorize(frame[cut].where(~frame[cut].map(is_unknown)), use_na_sentinel=False)
    columns = _columns(kind, frame)
    return {
        None if is_unknown(value) else value: _course(kind, *(column[places == place] for column in columns))
        for place, value in enumerate(values)
    }


@remembered()
def course(view: View, kind: Kind, without: tuple[str, ...] = (), period: Period | None = None) -> Course:
    """Return the course of all the view's cases, or of those of another period under its filters."""
    frame = view.ask(kind.metric, by=(kind.outcome, kind.days), without=without, period=period)
    return _course(kind, *_columns(kind, frame))


def earlier_course(view: View) -> Course:
    """Return the course of the leads by which young ones are continued: those of two years up to the period's end."""
    start = (pd.Timestamp(view.period.end) - pd.DateOffset(months=_BEFORE_MONTHS)).date()
    return course(view, LEADS, period=Period(start, view.period.end))


def _columns(kind: Kind, frame: pd.DataFrame) -> tuple[NDArray[np.object_], Numbers, Numbers]:
    return frame[kind.outcome].to_numpy(), frame[kind.days].to_numpy(float), frame[kind.metric].to_numpy(float)


def _course(kind: Kind, outcomes: NDArray[np.object_], days: Numbers, numbers: Numbers) -> Course:
    events, rivals, unended = (
        (days[outcomes == one], numbers[outcomes == one]) for one in (kind.event, kind.rival, kind.unended)
    )
    return course_of(events, rivals, unended)
