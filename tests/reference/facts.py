"""Facts and how metrics are made of them: sums, distinct counts, medians, ratios of sums."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

Number = int | float | Decimal
Group = tuple[Any, ...]

TIME_LABELS: dict[str, Callable[[dt.date], str]] = {
    "day": lambda on: on.isoformat(),
    "week": lambda on: (on - dt.timedelta(days=on.weekday())).isoformat(),
    "month": lambda on: f"{on.year:04d}-{on.month:02d}",
    "quarter": lambda on: f"{on.year:04d}-Q{(on.month + 2) // 3}",
    "year": lambda on: f"{on.year:04d}",
}


@dataclass(frozen=True)
class Fact:
    """Something that counts on a day, or for the days up to ``to``: then in every period that touches them.

    ``value`` is summed, or is the observation of a median; None makes a sum unknown. ``key`` is what a distinct count
    counts once. A dimension may have several values at once: then it holds a tuple.
    """

    on: dt.date
    value: Number | None
    key: Hashable
    dimensions: Mapping[str, Any]
    to: dt.date | None = None

    def cut_by(self, dimensions: Mapping[str, Any]) -> Fact:
        """Return the fact with some dimensions added or replaced."""
        return replace(self, dimensions={**self.dimensions, **dimensions})

    def values_of(self, dimension: str) -> tuple[Any, ...]:
        """Return the values of a dimension, of time as well."""
        if dimension in TIME_LABELS:
            return (TIME_LABELS[dimension](self.on),)
        value = self.dimensions[dimension]
        return value if isinstance(value, tuple) else (value,)


@dataclass(frozen=True)
class Question:
    """What is asked of a metric; ``start`` and ``end`` are inclusive."""

    by: tuple[str, ...] = ()
    where: Mapping[str, Sequence[Any]] | None = None
    start: dt.date | None = None
    end: dt.date | None = None

    def only(self, dimensions: Iterable[str]) -> Question:
        """Return the question with only those dimensions, time kept."""
        known = {*dimensions, *TIME_LABELS}
        return Question(
            tuple(name for name in self.by if name in known),
            {name: values for name, values in (self.where or {}).items() if name in known},
            self.start,
            self.end,
        )

    def includes(self, fact: Fact) -> bool:
        """Say whether a fact is within the period and the filters."""
        return (
            (self.start is None or (fact.to or fact.on) >= self.start)
            and (self.end is None or fact.on <= self.end)
            and all(set(fact.values_of(name)) & set(values) for name, values in (self.where or {}).items())
        )

    def groups_of(self, fact: Fact) -> list[Group]:
        """Return every group the fact falls into."""
        groups: list[Group] = [()]
        for name in self.by:
            groups = [(*group, value) for group in groups for value in fact.values_of(name)]
        return groups


class RatioValue(NamedTuple):
    """A ratio with what it was made of; ``value`` is None where the denominator is zero or a part is unknown."""

    numerator: Number | None
    denominator: Number | None
    value: float | None


@dataclass(frozen=True)
class Metric:
    """A metric made of facts directly; ``dimensions`` are those its facts carry, beside the periods in ``times``."""

    make_facts: Callable[[], list[Fact]]
    dimensions: tuple[str, ...]
    times: tuple[str, ...] = tuple(TIME_LABELS)
    # What a group without facts counts.
    nothing: ClassVar[Number | None] = 0

    @cached_property
    def facts(self) -> list[Fact]:
        """The facts the metric is made of."""
        return self.make_facts()

    def combine(self, facts: list[Fact]) -> Any:
        """Return the one number that the facts of a group make."""
        raise NotImplementedError

    def ask(self, question: Question) -> dict[Group, Any]:
        """Return the number of every group that has facts; a total is always there."""
        grouped: dict[Group, list[Fact]] = defaultdict(list)
        if not question.by:
            grouped[()] = []
        for fact in self.facts:
            if question.includes(fact):
                for group in question.groups_of(fact):
                    grouped[group].append(fact)
        return {group: self.combine(facts) for group, facts in grouped.items()}


class Sum(Metric):
    """The sum of the values; unknown if one of them is."""

    def combine(self, facts: list[Fact]) -> Number | None:
        total: Number = 0
        for fact in facts:
            if fact.value is None:
                return None
            total += fact.value
        return total


class SumOfAny(Sum):
    """A sum that is unknown where there is nothing to add."""

    nothing: ClassVar[Number | None] = None

    def combine(self, facts: list[Fact]) -> Number | None:
        return super().combine(facts) if facts else None


class DistinctCount(Metric):
    """How many different keys."""

    def combine(self, facts: list[Fact]) -> int:
        return len({fact.key for fact in facts})


class Median(Metric):
    """The middle value, or the mean of the two in the middle; None of nothing, or if it is infinite."""

    def combine(self, facts: list[Fact]) -> float | None:
        middle = statistics.median(float(fact.value) for fact in facts if fact.value is not None) if facts else math.inf
        return middle if math.isfinite(middle) else None


@dataclass(frozen=True)
class Ratio:
    """The ratio of two metrics times ``scale``; a dimension only the numerator has leaves the denominator whole."""

    numerator: Metric
    denominator: Metric
    scale: int = 1

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What the ratio can be cut by: all that the numerator can."""
        return self.numerator.dimensions

    @property
    def times(self) -> tuple[str, ...]:
        """The periods that both sides can be cut by."""
        return tuple(name for name in self.numerator.times if name in self.denominator.times)

    def ask(self, question: Question) -> dict[Group, RatioValue]:
        """Return numerator, denominator and ratio of every group that one of the two has."""
        shared = question.only(self.denominator.dimensions)
        places = [question.by.index(name) for name in shared.by]
        numerators = self.numerator.ask(question)
        denominators = self.denominator.ask(shared)
        groups = set(numerators)
        if len(places) == len(question.by):
            groups |= set(denominators)
        return {
            group: self._value(
                numerators.get(group, self.numerator.nothing),
                denominators.get(tuple(group[i] for i in places), self.denominator.nothing),
            )
            for group in groups
        }

    def _value(self, numerator: Number | None, denominator: Number | None) -> RatioValue:
        if numerator is None or not denominator:
            return RatioValue(numerator, denominator, None)
        return RatioValue(numerator, denominator, float(numerator) / float(denominator) * self.scale)
