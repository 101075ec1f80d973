"""Is the number of a table's rows far off its own history?"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from loupan.moments import moment_of
from loupan.refresh_state import RefreshState
from loupan.statistics.intervals import Floats

WINDOW = 28
"""So many steps back a table is compared with."""
_STEPS = {"day": dt.timedelta(days=1), "week": dt.timedelta(weeks=1)}
# Refreshes of a schedule are a little nearer or farther than a step from each other.
_SLACK = dt.timedelta(hours=4)
# Fences at three interquartile ranges: "far out" (Tukey 1977, Exploratory Data Analysis, section 2D).
_FAR_OUT = 3.0
# Interquartile range of the square root of a Poisson count: its standard deviation is about a half, whatever its mean.
_LEAST_RANGE = 1.349 / 2
# A rise must surpass the largest before so many times, and be so large a share of the table: imports come in bursts.
# As large a share must be gone before deleted rows are more than no new ones.
_BURST, _LEAST_SHARE = 2.0, 0.01
# No new row at all is a fall where each step before had so many, however much they varied.
_NEVER_FEWER = 10


@dataclass(frozen=True)
class Oddity:
    """A table whose newest rows are far off.

    Attributes:
        table: its name.
        step: ``day`` or ``week``, by which rows are counted.
        rows: how many it has.
        added: how many were added per step, negative where rows are gone.
        usual: the median of earlier steps.
        low, high: what earlier steps leave to be expected.
        steps: how many earlier steps that rests on.
        at: moment of the newest load.
    """

    table: str
    step: str
    rows: int
    added: float
    usual: float
    low: float
    high: float
    steps: int
    at: dt.datetime


def oddities(history: Sequence[RefreshState], least_history: int) -> list[Oddity]:
    """Return the tables of the newest published refresh whose numbers of rows are far off their own history.

    Rows added per day, and per week (a table that gains three a day may well have a day without), are compared with
    those of earlier days and weeks: quartiles and fences, so that a few odd loads among them do not matter. A table
    with less history than ``least_history`` steps is not judged.

    Args:
        history: refreshes that have ended, oldest first.
        least_history: so many earlier steps are needed.
    """
    loads = sorted(
        ((_moment(state), state.rows) for state in history if state.outcome == "published" and state.rows),
        key=lambda load: load[0],
    )
    if not loads:
        return []
    found: dict[str, Oddity] = {}
    for step, length in _STEPS.items():
        chain = _spaced(loads, length)
        for table in loads[-1][1]:
            odd = _judge(table, step, length, [(at, rows[table]) for at, rows in chain if table in rows], least_history)
            # A day that is far off makes its week so as well; it is told once.
            if odd is not None:
                found.setdefault(table, odd)
    return [found[table] for table in sorted(found)]


def _moment(state: RefreshState) -> dt.datetime:
    """Return the moment that a refresh's rows are those of, in UTC."""
    return moment_of(state.as_of or state.finished_at or state.started_at)


def _spaced(
    loads: Sequence[tuple[dt.datetime, dict[str, int]]], length: dt.timedelta
) -> list[tuple[dt.datetime, dict[str, int]]]:
    """Return the newest load and those a step or more before each other, newest first."""
    chain = [loads[-1]]
    for load in reversed(loads[:-1]):
        if chain[-1][0] - load[0] >= length - _SLACK:
            chain.append(load)
            if len(chain) > WINDOW + 1:
                break
    return chain


def _judge(
    table: str, step: str, length: dt.timedelta, counts: Sequence[tuple[dt.datetime, int]], least_history: int
) -> Oddity | None:
    if len(counts) < least_history + 2:
        return None
    added = np.array(
        [(later[1] - earlier[1]) / ((later[0] - earlier[0]) / length) for later, earlier in pairwise(counts)]
    )
    newest, before = float(added[0]), added[1:]
    # On the scale of square roots counts vary alike whatever their size.
    first, usual, third = (float(q) for q in np.quantile(_root(before), [0.25, 0.5, 0.75]))
    spread = max(third - first, _LEAST_RANGE)
    low, high = _square(first - _FAR_OUT * spread), _square(third + _FAR_OUT * spread)
    (at, rows) = counts[0]
    least, most = float(before.min()), float(before.max())
    gained = newest if -newest > _LEAST_SHARE * rows else max(newest, 0.0)
    is_low = gained < least and (gained < low or (gained <= 0 and least >= _NEVER_FEWER))
    is_high = newest > high and newest > _BURST * most and newest > _LEAST_SHARE * rows
    if not (is_low or is_high):
        return None
    return Oddity(table, step, rows, newest, _square(usual), max(low, min(least, 0.0)), high, len(before), at)


def _root(values: Floats) -> Floats:
    return np.sign(values) * np.sqrt(np.abs(values))


def _square(root: float) -> float:
    return math.copysign(root * root, root)
