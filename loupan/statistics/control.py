"""Control charts: limits of the ordinary variation of a series over time, and the signals that lie beyond it.

Which chart: a proportion of counted cases has binomial limits (p chart), events per exposure have Poisson limits (u
chart), everything else has the limits of its own moving ranges (XmR chart). Where the points of a p or u chart vary by
more than sampling allows, its limits are widened (p', u'). See docs/statistics/control.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from loupan.statistics.intervals import Floats

SIGMAS = 3.0
"""Limits stand so many standard deviations from the centre (Shewhart 1931)."""
RUN = 8
"""So many points in a row on one side of the centre are a signal (Western Electric 1956)."""
TREND = 6
"""So many points in a row, each above or each below the one before, are a signal where that is asked for."""
FEWEST = 12
"""Limits from fewer points are refused (Provost and Murray 2011: a dozen for trial limits)."""
BASELINE = 24
"""Limits rest on at most so many points before those judged: of months, two whole years."""

# Mean range of two normal values, in standard deviations.
_D2 = 1.128
_TAIL = float(stats.norm.sf(SIGMAS))
# Mean counts below this step so coarsely that moving ranges measure the step, not the variation.
_LEAST_COUNT = 2.0
# A rate that rests on fewer events, or a proportion on fewer cases of either kind, is itself hardly known.
_FEWEST_EVENTS = 10
# Variance of a range of two standard normal values, and covariance of two ranges that share one.
_RANGE_VARIANCE = 2 - 4 / np.pi
_RANGE_COVARIANCE = 4 / np.pi * (np.sqrt(3) / 2 + np.pi / 12 - 1)
# Nearer to 1 than this, the correlation would widen the limits without end.
_MOST_CORRELATION = 0.9


class Kind(StrEnum):
    """Which chart."""

    INDIVIDUALS = "XmR"
    PROPORTIONS = "p"
    RATES = "u"


class Refusal(StrEnum):
    """Why there are no limits."""

    FEW_POINTS = "few points"
    FEW_CASES = "few cases"
    CONSTANT = "constant"


class Rule(StrEnum):
    """What makes a signal."""

    BEYOND = "beyond"
    RUN = "run"
    TREND = "trend"


@dataclass(frozen=True)
class Limits:
    """The limits of a series of n points, in its own unit.

    Attributes:
        kind: which chart.
        centre: the mean of the baseline; of p and u charts all events by all cases.
        sigma: (n,) standard deviation of each point by the chart's model, before it is widened; NaN where unknown.
        lower, upper: (n,) the limits; NaN where unknown.
        points: how many points of the baseline the centre rests on.
        dispersion: of p and u charts, how often the variation from point to point is that of sampling (Laney's σz).
        correlation: of neighbouring points of the baseline (lag 1).
        is_dispersed: whether the points vary by more than sampling allows, for which the limits are widened.
        is_correlated: whether neighbours are alike beyond chance: the limits are widened for it, and runs mean nothing.
    """

    kind: Kind
    centre: float
    sigma: Floats
    lower: Floats
    upper: Floats
    points: int
    dispersion: float
    correlation: float
    is_dispersed: bool
    is_correlated: bool


@dataclass(frozen=True)
class Signal:
    """Points beyond ordinary variation.

    Attributes:
        rule: what they break.
        start, end: positions of the first and the last point, both included.
        is_high: whether they lie above, or rise.
    """

    rule: Rule
    start: int
    end: int
    is_high: bool


def individuals(values: ArrayLike, baseline: ArrayLike, *, is_count: bool = False) -> Limits | Refusal:
    """Return the limits of an XmR chart: mean ± 3 × mean moving range ÷ 1.128, which is ± 2.66 ranges (Wheeler 1993).

    Args:
        values: (n,) in any unit; NaN where a point does not enter.
        baseline: (n,) which points the centre rests on. The width rests on all that enter: of a change of level, ranges
            of neighbours feel one, and from twice as many points it is far less a matter of luck.
        is_count: whether they are counts, which must not be too small.
    """
    x = np.asarray(values, float)
    known = np.where(np.asarray(baseline, bool), x, np.nan)
    points = int(np.isfinite(known).sum())
    spread = _short_term_deviation(x) if points >= FEWEST else None
    if spread is None:
        return Refusal.FEW_POINTS
    centre = float(np.nanmean(known))
    if is_count and abs(centre) < _LEAST_COUNT:
        return Refusal.FEW_CASES
    if not spread > 0:
        return Refusal.CONSTANT
    correlation, is_correlated = _correlation(known)
    sigma = np.full(len(x), spread)
    half = SIGMAS * sigma * _widening(correlation, is_correlated)
    return Limits(
        Kind.INDIVIDUALS, centre, sigma, centre - half, centre + half, points, 1.0, correlation, False, is_correlated
    )


def proportions(events: ArrayLike, cases: ArrayLike, baseline: ArrayLike) -> Limits | Refusal:
    """Return the limits of a p chart, or of a p' chart where its points vary by more than sampling allows.

    Args:
        events: (n,) cases of the kind that is counted.
        cases: (n,) all cases; NaN or 0 where a point does not enter.
        baseline: (n,) which points the centre rests on; see `individuals`.
    """
    return _attributes(Kind.PROPORTIONS, events, cases, baseline)


def rates(events: ArrayLike, exposure: ArrayLike, baseline: ArrayLike) -> Limits | Refusal:
    """Return the limits of a u chart, or of a u' chart where its points vary by more than sampling allows.

    Args:
        events: (n,) counts.
        exposure: (n,) what they are counted per; NaN or 0 where a point does not enter.
        baseline: (n,) which points the centre rests on; see `individuals`.
    """
    return _attributes(Kind.RATES, events, exposure, baseline)


def _attributes(kind: Kind, events: ArrayLike, cases: ArrayLike, baseline: ArrayLike) -> Limits | Refusal:
    """Return the limits of a p or u chart.

    Without excess variation they are the quantiles of the binomial or Poisson distribution that lie as far out as three
    standard deviations of a normal one: for small counts, normal limits cry wolf above and cannot be reached below.
    With it they are centre ± 3 σ σz, where σz is the mean moving range of the standardised points ÷ 1.128 (Laney 2002).
    """
    n = np.asarray(cases, float)
    n = np.where(n > 0, n, np.nan)
    x = np.where(np.isfinite(n), np.asarray(events, float), np.nan)
    known = np.asarray(baseline, bool) & np.isfinite(x)
    points = int(known.sum())
    if points < FEWEST:
        return Refusal.FEW_POINTS
    total, all_cases = float(x[known].sum()), float(n[known].sum())
    others = all_cases - total if kind == Kind.PROPORTIONS else np.inf
    if min(total, others) < _FEWEST_EVENTS:
        return Refusal.FEW_CASES
    centre = total / all_cases
    sigma = np.sqrt(centre * (1 - centre if kind == Kind.PROPORTIONS else 1) / n)
    z = (x / n - centre) / sigma
    dispersion = _short_term_deviation(z)
    if dispersion is None:
        return Refusal.FEW_POINTS
    is_dispersed = dispersion > _most_dispersion(int(np.isfinite(np.diff(z)).sum()))
    correlation, is_correlated = _correlation(np.where(known, z, np.nan))
    factor = dispersion * _widening(correlation, is_correlated)
    if (is_dispersed or is_correlated) and factor > 1:
        half = SIGMAS * sigma * factor
        lower, upper = centre - half, centre + half
    elif kind == Kind.PROPORTIONS:
        lower, upper = (stats.binom.ppf(tail, np.round(n), centre) / n for tail in (_TAIL, 1 - _TAIL))
    else:
        lower, upper = (stats.poisson.ppf(tail, centre * n) / n for tail in (_TAIL, 1 - _TAIL))
    highest = 1.0 if kind == Kind.PROPORTIONS else np.inf
    return Limits(
        kind, centre, sigma, np.clip(lower, 0, None), np.clip(upper, None, highest), points,
        dispersion, correlation, is_dispersed, is_correlated,
    )  # fmt: skip


def signals(values: ArrayLike, limits: Limits, *, is_trend_sought: bool = False) -> list[Signal]:
    """Return what lies beyond ordinary variation, in order of its last point.

    One point beyond the limits; eight in a row on one side of the centre, unless neighbouring points are alike anyway.
    Of independent normal points with known limits the first is found falsely in one of 370, either in one of 153
    (Champ and Woodall 1987). Six in a row rising or falling add false alarms and find little (Davis and Woodall 1988):
    only when asked for.

    Args:
        values: (n,) in the unit of the limits; NaN where a point is not judged. It breaks a run; a point on the centre
            neither breaks one nor counts.
        limits: of the same n points.
        is_trend_sought: whether rising and falling rows are signals.
    """
    x = np.asarray(values, float)
    with np.errstate(invalid="ignore"):
        above, below = x > limits.upper, x < limits.lower
    found = [Signal(Rule.BEYOND, int(i), int(i), bool(above[i])) for i in np.flatnonzero(above | below)]
    if not limits.is_correlated:
        found += _runs(x, limits.centre)
    if is_trend_sought:
        found += _trends(x)
    return sorted(found, key=lambda signal: (signal.end, signal.start))


def _runs(x: Floats, centre: float) -> list[Signal]:
    """Return the rows of at least `RUN` points on one side of the centre."""
    found = []
    sides = np.where(np.isclose(x, centre, rtol=1e-9, atol=0), 0.0, np.sign(x - centre))
    members: list[int] = []
    for place, side in enumerate([*sides, np.nan]):
        if side == 0:
            continue
        if members and side != sides[members[0]]:
            if len(members) >= RUN:
                found.append(Signal(Rule.RUN, members[0], members[-1], bool(sides[members[0]] > 0)))
            members = []
        if np.isfinite(side):
            members.append(place)
    return found


def _trends(x: Floats) -> list[Signal]:
    """Return the rows of at least `TREND` points of which each lies above, or each below, the one before."""
    found = []
    steps = np.sign(np.diff(x))
    start = 0
    for place in range(1, len(steps) + 1):
        if place < len(steps) and steps[place] == steps[start]:
            continue
        if place - start >= TREND - 1 and steps[start] in (-1, 1):
            found.append(Signal(Rule.TREND, start, place, bool(steps[start] > 0)))
        start = place
    return found


def _short_term_deviation(x: Floats) -> float | None:
    """Return the standard deviation from the moving ranges of neighbours, None where there are too few of those."""
    ranges = np.abs(np.diff(x))
    ranges = ranges[np.isfinite(ranges)]
    if len(ranges) < FEWEST // 2:
        return None
    return float(ranges.mean()) / _D2


def _correlation(x: Floats) -> tuple[float, bool]:
    """Return the correlation of neighbours, and whether it is above what chance gives (Bartlett 1946: 2 ÷ √n).

    Around a straight line: of a level that rises, as in a company's first years, neighbours are alike for that alone,
    and limits widened for it would hold everything.
    """
    place, is_known = np.arange(len(x), dtype=float), np.isfinite(x)
    if is_known.sum() < 3:
        return 0.0, False
    slope, level = np.polyfit(place[is_known], x[is_known], 1)
    apart = x - (level + slope * place)
    squares = float(np.nansum(apart**2))
    if not squares > 0:
        return 0.0, False
    correlation = float(np.nansum(apart[1:] * apart[:-1])) / squares
    return correlation, correlation > 2 / np.sqrt(np.isfinite(x).sum())


def _widening(correlation: float, is_correlated: bool) -> float:
    """Return how much moving ranges understate the deviation where neighbours are alike: by √(1 − r).

    The variance of x(t) − x(t−1) is 2σ²(1 − r); for limits of autocorrelated data see Vasilopoulos and Stamboulis 1978.
    """
    return 1 / float(np.sqrt(1 - min(correlation, _MOST_CORRELATION))) if is_correlated else 1.0


def _most_dispersion(ranges: int) -> float:
    """Return up to where σz from so many moving ranges is sampling alone (one-sided, 5 %)."""
    variance = (ranges * _RANGE_VARIANCE + 2 * (ranges - 1) * _RANGE_COVARIANCE) / (ranges * _D2) ** 2
    return 1 + float(stats.norm.ppf(0.95)) * float(np.sqrt(variance))
