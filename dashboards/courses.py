"""The courses of leads, as the gateway counts them: signed, lost or undecided, by days since entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboards.gateway import Period
from dashboards.memory import remembered
from dashboards.view import View
from loupan.i18n.codes import is_unknown
from loupan.statistics.incidence import Course, course_of

_SIGNED, _LOST, _UNDECIDED = "signed", "lost", "undecided"
_METRIC = "leads"
_OUTCOME, _DAYS = "course_outcome", "course_days"
# The leads by which young ones are continued: old enough to tell, and no older than that the market has changed.
_BEFORE_MONTHS = 24


@remembered()
def courses(view: View, cut: str, without: tuple[str, ...] = ()) -> Mapping[Any, Course]:
    """Return the course of the view's leads for each value of a dimension, None for those without one.

    Args:
        view: the reader's view.
        cut: the dimension.
        without: filters to leave aside.
    """
    frame = view.ask(_METRIC, by=(cut, _OUTCOME, _DAYS), without=without)
    if frame.empty:
        return {}
    places, values = pd.factorize(frame[cut].where(~frame[cut].map(is_unknown)), use_na_sentinel=False)
    columns = _columns(frame)
    return {
        None if is_unknown(value) else value: _course(*(column[places == place] for column in columns))
        for place, value in enumerate(values)
    }


@remembered()
def course(view: View, without: tuple[str, ...] = (), period: Period | None = None) -> Course:
    """Return the course of all the view's leads, or of those of another period under its filters."""
    return _course(*_columns(view.ask(_METRIC, by=(_OUTCOME, _DAYS), without=without, period=period)))


def earlier_course(view: View) -> Course:
    """Return the course of the leads by which young ones are continued: those of two years up to the period's end."""
    start = (pd.Timestamp(view.period.end) - pd.DateOffset(months=_BEFORE_MONTHS)).date()
    return course(view, period=Period(start, view.period.end))


Numbers = NDArray[np.float64]


def _columns(frame: pd.DataFrame) -> tuple[NDArray[np.object_], Numbers, Numbers]:
    return frame[_OUTCOME].to_numpy(), frame[_DAYS].to_numpy(float), frame[_METRIC].to_numpy(float)


def _course(outcomes: NDArray[np.object_], days: Numbers, numbers: Numbers) -> Course:
    signed, lost, undecided = (
        (days[outcomes == one], numbers[outcomes == one]) for one in (_SIGNED, _LOST, _UNDECIDED)
    )
    return course_of(signed, lost, undecided)
