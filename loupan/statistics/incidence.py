"""How many come to an end of one kind within so many days, where some have not ended yet and some end otherwise.

The Aalen-Johansen estimator of the cumulative incidence with competing risks, from counts by day; without competing
ends it is one minus the Kaplan-Meier estimator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from loupan.statistics.intervals import Floats, wilson

ENOUGH_AT_RISK = 10
"""Fewest cases still followed and undecided on a day for a curve to be told beyond it."""
# A curve has levelled off where the last third of its days adds no more than this part of what it has reached. One that
# still rises evenly looks so, with so many events, once in 3,000 times.
_LEVEL_SHARE, _LEVEL_GAIN, _LEVEL_EVENTS = 2 / 3, 0.02, 20


@dataclass(frozen=True, eq=False)
class Course:
    """What happened to cases, by whole days since each began: arrays of one length, day 0 first.

    Attributes:
        at_risk: cases neither ended nor out of sight when the day begins.
        events: those that end on the day in the way that is asked for.
        rivals: those that end on the day in another way, after which the event cannot come.
        is_whole: whether on all days up to this one nobody had gone out of sight before it.
    """

    at_risk: Floats
    events: Floats
    rivals: Floats
    is_whole: NDArray[np.bool_]

    @property
    def size(self) -> float:
        """How many cases there are."""
        return float(self.at_risk[0]) if len(self.at_risk) else 0.0

    @property
    def undecided(self) -> float:
        """How many have come to no end in sight."""
        return self.size - float(self.events.sum() + self.rivals.sum())

    def settled(self, day: int) -> float:
        """Return of how many it is known what they had come to by a day from 0: they had ended, or were followed."""
        leaving = self.events + self.rivals
        followed = self.at_risk[day] - leaving[day] if day <= self.last_day else 0.0
        return float(leaving[: day + 1].sum() + followed)

    @property
    def last_day(self) -> int:
        """The last day of which anything is known, -1 of none."""
        return len(self.at_risk) - 1


Counted = tuple[ArrayLike, ArrayLike]
"""Days, and how many cases on each; a day may come several times."""


def course_of(events: Counted, rivals: Counted, unended: Counted) -> Course:
    """Return the course of cases that are counted by day.

    Args:
        events: those that ended in the way that is asked for.
        rivals: those that ended otherwise.
        unended: those that have not ended, by the day up to which each was followed. They count as followed through
            that day, as is usual where ends and the last sight fall on one day (Kaplan and Meier 1958).

    Raises:
        ValueError: if a day or a number is negative or no number.
    """
    groups = [(np.asarray(days, float), np.asarray(numbers, float)) for days, numbers in (events, rivals, unended)]
    for days, numbers in groups:
        if days.shape != numbers.shape or not (
            np.all(days >= 0) and np.all(numbers >= 0) and np.all(np.isfinite(days))
        ):
            raise ValueError("days and numbers are pairs of numbers from 0")
    length = int(max((days.max() for days, _ in groups if len(days)), default=-1)) + 1
    ended, otherwise, unseen = (
        np.bincount(days.astype(int), weights=numbers, minlength=length).astype(float) for days, numbers in groups
    )
    leaving = ended + otherwise + unseen
    at_risk = np.cumsum(leaving[::-1])[::-1]
    return Course(at_risk, ended, otherwise, np.cumsum(unseen) - unseen == 0)


def continued(own: Course, others: Course, enough: int = ENOUGH_AT_RISK) -> Course:
    """Return a course that goes on, where its cases are too young to tell, as that of other cases did.

    Each day's risks come from the course's own cases as long as `enough` of them are followed, and then from the
    others', as in the chain ladder of insurance. Day by day the risks are uncorrelated, so that the variance of
    `Incidence` holds for the whole; that the cases will do as the others did is assumed, not tested.
    """
    last = own.last_day
    fine = (own.at_risk >= enough) | own.is_whole
    known = last + 1 if np.all(fine) else int(np.argmin(fine))
    if known > last and _is_complete(own):
        return own
    return Course(
        *(
            np.concatenate([mine[:known], theirs[known:]])
            for mine, theirs in (
                (own.at_risk, others.at_risk),
                (own.events, others.events),
                (own.rivals, others.rivals),
                (own.is_whole, np.zeros_like(others.is_whole)),
            )
        )
    )


def _is_complete(course: Course) -> bool:
    """Say whether every case has ended in sight."""
    return bool(len(course.at_risk)) and bool(
        course.is_whole[-1] and course.at_risk[-1] == course.events[-1] + course.rivals[-1]
    )


def _per(numbers: Floats, of: Floats) -> Floats:
    """Divide, 0 where there is nothing to divide by."""
    return np.divide(numbers, of, out=np.zeros_like(numbers), where=of > 0)


@dataclass(frozen=True)
class Estimate:
    """The share that has come to the event by a day, with its interval; NaN where it is not known."""

    share: float
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        """Whether there is a number."""
        return math.isfinite(self.share)


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class Incidence:
    """The cumulative incidence of an event (Aalen and Johansen 1978, Scandinavian Journal of Statistics 5:141).

    With Y at risk, d events and r rivals on day s, and S the share undecided before that day (Kaplan-Meier for either
    end), F(t) = sum of S(s) d(s) / Y(s) over the days s up to t.

    Attributes:
        course: what it is estimated from.
        enough: fewest at risk on a day for the curve to be told beyond it.
        level: of the intervals.
    """

    course: Course
    enough: int = ENOUGH_AT_RISK
    level: float = 0.95

    @cached_property
    def _undecided(self) -> Floats:
        """The share that has come to no end when each day begins."""
        course = self.course
        ending = _per(course.events + course.rivals, course.at_risk)
        return np.concatenate([[1.0], np.cumprod(1 - ending)])

    @cached_property
    def undecided(self) -> Floats:
        """The share that has come to no end when each day is over, one per day."""
        return self._undecided[1:]

    @cached_property
    def share(self) -> Floats:
        """F, one per day, on all days of the course, also those with few at risk."""
        risk = _per(self.course.events, self.course.at_risk)
        return np.minimum(np.cumsum(self._undecided[:-1] * risk), 1.0)

    @cached_property
    def variance(self) -> Floats:
        """The variance of F by the delta method, one per day.

        Var F(t) = sum over s up to t of (F(t) - F(s))² D / (Y (Y - D)) + S² d (Y - d) / Y³ - 2 (F(t) - F(s)) S d / Y²,
        D = d + r (Marubini and Valsecchi 1995, Analysing Survival Data, chapter 10; Collett 2015, Modelling Survival
        Data, page 411). Where nobody has gone out of sight it is F (1 - F) / n.
        """
        y, d, f = self.course.at_risk, self.course.events, self.share
        ended, s = d + self.course.rivals, self._undecided[:-1]
        # After a day on which all end, F stays as it is: its term of the sum is 0, not 0 times infinity.
        decided = _per(ended, y * (y - ended))
        own, shared = _per(s**2 * d * (y - d), y**3), _per(s * d, y**2)
        total = (
            f**2 * np.cumsum(decided) - 2 * f * np.cumsum(f * decided) + np.cumsum(f**2 * decided)
            + np.cumsum(own) - 2 * f * np.cumsum(shared) + 2 * np.cumsum(f * shared)
        )  # fmt: skip
        return np.maximum(total, 0.0)

    @cached_property
    def band(self) -> tuple[Floats, Floats]:
        """The pointwise interval of F, one per day, from a normal one of log(-log(1 - F)).

        Where no case, or every case, has come to the event, that has no width: there it is Wilson's interval of as many
        cases as were not out of sight before.
        """
        f, (y, n) = self.share, (self.course.at_risk, self.course.size)
        z = stats.norm.ppf((1 + self.level) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.log1p(-f)
            factor = np.exp(z * np.sqrt(self.variance) / ((1 - f) * np.abs(log)))
            low, high = -np.expm1(log / factor), -np.expm1(log * factor)
        edge = (f <= 0) | (f >= 1)
        ended = np.cumsum(self.course.events + self.course.rivals) - (self.course.events + self.course.rivals)
        seen = np.minimum(y + ended, n)
        edge_low, edge_high = wilson(np.where(f >= 1, seen, 0.0), seen, self.level)
        return np.where(edge, edge_low, low), np.where(edge, edge_high, high)

    @cached_property
    def known_until(self) -> float:
        """The last day of which the share can be told, infinite where all is known, -1 where nothing is.

        That is as long as `enough` cases are followed, and as long as nobody has gone out of sight, when it is a plain
        share of all.
        """
        course = self.course
        if not course.size:
            return -1.0
        if _is_complete(course):
            return math.inf
        fine = (course.at_risk >= self.enough) | course.is_whole
        return float(course.last_day if np.all(fine) else np.argmin(fine) - 1)

    def at(self, day: int) -> Estimate:
        """Return the share that has come to the event by a day."""
        if not 0 <= day <= self.known_until:
            return UNKNOWN
        place = min(day, self.course.last_day)
        low, high = self.band
        return Estimate(float(self.share[place]), float(low[place]), float(high[place]))

    def at_risk(self, day: int) -> float:
        """Return how many cases are followed and undecided when a day begins."""
        return float(self.course.at_risk[day]) if 0 <= day <= self.course.last_day else 0.0

    @cached_property
    def days(self) -> NDArray[np.int_]:
        """The days of which the share is told, from 0."""
        return np.arange(int(min(self.known_until, self.course.last_day)) + 1)

    @cached_property
    def eventual(self) -> Estimate:
        """The level at which the curve has come to rest: the share that comes to the event at all.

        Known where all have ended, or where there are twenty events and the last third of the days told adds no more
        than a fiftieth of the level. It is what was seen, not a proof: an event later than anybody was followed cannot
        be seen (Maller and Zhou 1996, Survival Analysis with Long-Term Survivors, chapter 4).
        """
        if not len(self.days):
            return UNKNOWN
        last = int(self.days[-1])
        level, earlier = self.share[last], self.share[int(last * _LEVEL_SHARE)]
        has_enough = self.course.events[: last + 1].sum() >= _LEVEL_EVENTS
        is_level = math.isinf(self.known_until) or (has_enough and level - earlier <= _LEVEL_GAIN * level)
        return self.at(last) if is_level else UNKNOWN

    def half_time(self) -> int | None:
        """Return the first day by which half of those who come to the event at all have; None where that is unknown."""
        if not self.eventual.share > 0:
            return None
        return int(np.argmax(self.share >= self.eventual.share / 2 - 1e-12))
