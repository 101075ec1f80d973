"""Which aggregate table answers a part of a question, and the SQL that asks it; see `loupan.aggregates`."""

# Names in the SQL come from the semantic manifest, values are parameters.
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from loupan.metrics.catalogue import TIME_DIMENSIONS

if TYPE_CHECKING:
    from loupan.metrics.plan import Question
    from loupan.metrics.semantic_layer import Conditions, SemanticLayer

_MANIFESTS = 4


@dataclass(frozen=True)
class Aggregate:
    """An aggregate table of a snapshot.

    Attributes:
        name: of the table.
        model: the semantic model whose measures it adds up.
        rows: how many it has.
        dimensions: what it can be cut and filtered by, periods aside.
        within: dimensions that a question about distinct things must hold still.
        is_by_day: whether its rows are dated by days, as those of the fact.
        metrics: name of a metric → those of the second manifest that add up to it.
    """

    name: str
    model: str
    rows: int
    dimensions: frozenset[str]
    within: tuple[str, ...]
    is_by_day: bool
    metrics: Mapping[str, tuple[str, ...]]

    def answers(self, metric: str, question: Question) -> bool:
        """Say whether what is added up here answers a question about a metric."""
        if metric not in self.metrics or not question.dimensions - TIME_DIMENSIONS.keys() <= self.dimensions:
            return False
        one_value = {name for name, values in question.where if len(set(values)) == 1}
        return len(self.metrics[metric]) == 1 or {*question.by, *one_value}.issuperset(self.within)


class Aggregates:
    """The aggregate tables of one snapshot; safe to share between threads."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read what `loupan.aggregates.make` returned.

        Raises:
            KeyError, TypeError, AttributeError: if it is something else.
        """
        self._cut: int | None = document["cut"]
        # The smallest that answers a question is the fastest.
        self._aggregates = sorted(
            (
                Aggregate(
                    name=told["name"],
                    model=told["model"],
                    rows=told["rows"],
                    dimensions=frozenset(told["dimensions"]),
                    within=tuple(told["within"]),
                    is_by_day=told["is_by_day"],
                    metrics={metric: tuple(names) for metric, names in told["metrics"].items()},
                )
                for told in document["aggregates"]
            ),
            key=lambda aggregate: (aggregate.rows, aggregate.name),
        )
        self._manifest_json = json.dumps(document["manifest"], ensure_ascii=False)

    def choose(
        self, model: str | None, metrics: Sequence[str], question: Question, grain: str, period: Mapping[str, str]
    ) -> Aggregate | None:
        """Return the aggregate that answers a part of a question; None where the fact has to.

        Args:
            model: semantic model of the metrics.
            metrics: their names.
            question: what is asked of them.
            grain: the finest period that their rows are dated by.
            period: the days ``start`` and ``end``, as far as they are given.
        """
        is_of_months = grain != "day" or (self._is_of_months(question) and self._is_whole(period))
        for aggregate in self._aggregates:
            is_dated = is_of_months or aggregate.is_by_day
            if aggregate.model == model and is_dated and all(aggregate.answers(metric, question) for metric in metrics):
                return aggregate
        return None

    def compile(self, aggregate: Aggregate, metrics: Sequence[str], by: tuple[str, ...], conditions: Conditions) -> str:
        """Return SQL with the columns that `loupan.metrics.semantic_layer.SemanticLayer.compile` gives."""
        derived = tuple(name for metric in metrics for name in aggregate.metrics[metric])
        columns = [f'"{name}"' for name in by]
        for metric in metrics:
            terms = [f'"{name}"' for name in aggregate.metrics[metric]]
            value = terms[0] if len(terms) == 1 else " + ".join(f"coalesce({term}, 0)" for term in terms)
            columns.append(f'{value} as "{metric}"')
        statement = _layer(self._manifest_json).compile(derived, by, conditions)
        return f"select {', '.join(columns)} from (\n{statement}\n)"

    @staticmethod
    def _is_of_months(question: Question) -> bool:
        return question.dimensions.isdisjoint(("day", "week"))

    def _is_whole(self, period: Mapping[str, str]) -> bool:
        """Say whether a period begins and ends where the rows of aggregates do."""
        first = [date.fromisoformat(period["start"])] if "start" in period else []
        last = [date.fromisoformat(period["end"])] if "end" in period else []
        # No data has the last day that there can be.
        first += [day + timedelta(days=1) for day in last if day < date.max]
        return all(day.day == 1 or day.day - 1 == self._cut for day in first)


@lru_cache(maxsize=_MANIFESTS)
def _layer(manifest_json: str) -> SemanticLayer:
    from loupan.metrics.semantic_layer import SemanticLayer

    return SemanticLayer(manifest_json)
