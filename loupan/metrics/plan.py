"""From a question to one SQL statement: which tables' metrics it needs, cut how, and how they are put together.

Ratios and derived metrics are taken apart down to simple metrics. Simple metrics of one table, cut and filtered alike,
form a *part*, which MetricFlow compiles. The parts are joined on the groups that exist in any of them, NULL equal to
NULL; then derived metrics and ratios are calculated group by group, so every ratio is a ratio of sums.
"""

# Names in the SQL come from the semantic manifest, values are parameters.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loupan.metrics.catalogue import RECORD, TIME_DIMENSIONS, Catalogue, Metric
from loupan.metrics.errors import InvalidCombination, OutOfScope, UnusableManifest, nearest
from loupan.metrics.scope import EVERYTHING, Scope
from loupan.metrics.semantic_layer import Conditions, label

if TYPE_CHECKING:
    from loupan.metrics.aggregates import Aggregates
    from loupan.metrics.semantic_layer import SemanticLayer

Values = tuple[str | None, ...]


@dataclass(frozen=True)
class Question:
    """What is asked of one metric, while it is taken apart.

    Attributes:
        by: dimensions that cut it, in order.
        where: pairs of dimension and accepted values.
        reach: the part of the reader's scope that the metric can be bounded by: pairs of dimension and values of which
            a row must have one; None where every row counts.
    """

    by: tuple[str, ...]
    where: tuple[tuple[str, Values], ...]
    reach: tuple[tuple[str, Values], ...] | None = None

    @property
    def dimensions(self) -> frozenset[str]:
        """Every dimension that cuts, filters or bounds."""
        return frozenset(self.by) | {dimension for dimension, _ in (*self.where, *(self.reach or ()))}

    def within(self, dimensions: frozenset[str]) -> Question:
        """The question without the dimensions that are not among these."""
        return Question(
            tuple(name for name in self.by if name in dimensions),
            tuple((name, values) for name, values in self.where if name in dimensions),
            # What bounds the rows bounds every part: it is chosen so that all of them have it.
            self.reach,
        )

    def narrowed(self, name: str, values: Values) -> Question:
        """The question with one more filter."""
        return replace(self, where=(*self.where, (name, values)))

    def bounded(self, scope: Scope, dimensions: frozenset[str]) -> Question:
        """The question about the rows of a scope, of a metric all of whose parts have these dimensions."""
        if scope.reach is None:
            return self
        return replace(self, reach=tuple((name, values) for name, values in scope.reach if name in dimensions))


@dataclass(frozen=True)
class Statement:
    """SQL with its parameters; the columns are ``by``, then the metrics, each ratio followed by its two terms."""

    sql: str
    parameters: dict[str, object]


class Dimensions:
    """Which dimensions each metric can be cut and filtered by."""

    def __init__(self, catalogue: Catalogue, layer: SemanticLayer) -> None:
        self._catalogue = catalogue
        self._layer = layer
        self._known: dict[str, frozenset[str]] = {}

    def of(self, name: str) -> frozenset[str]:
        """Return the short names of a metric's dimensions, periods included.

        A derived metric has those that all its inputs have. A ratio has those of its numerator: where the denominator
        lacks one, it counts whole; but both must have the period. A dimension with a default value (a choice of view,
        such as the attribution model, rather than a cut of the rows) needs to exist on one input only.
        """
        if name not in self._known:
            self._known[name] = self._resolve(self._catalogue.metric(name))
        return self._known[name]

    def of_table(self, name: str) -> frozenset[str]:
        """Return the dimensions that the table of a simple metric itself reaches."""
        items = frozenset(self._layer.items(name)) & {*self._catalogue.dimensions, RECORD}
        # What is recorded by month has no days or weeks.
        periods = list(TIME_DIMENSIONS)
        return items | frozenset(periods[periods.index(self._catalogue.metric(name).grain) :])

    def of_every_part(self, name: str) -> frozenset[str]:
        """Return the dimensions that every simple metric has which a metric may be made of: what can bound its rows."""
        metric = self._catalogue.metric(name)
        operands = {metric.numerator, metric.denominator, *metric.inputs.values(), *metric.variants.values()} - {None}
        parts = [self.of_every_part(str(operand)) for operand in operands]
        if metric.kind == "simple":
            parts.append(self.of_table(name))
        return frozenset.intersection(*parts)

    def _resolve(self, metric: Metric) -> frozenset[str]:
        if metric.kind == "simple":
            own = self.of_table(metric.name)
            if not own >= metric.default_where.keys():
                raise UnusableManifest(f"Metric {metric.name} has a default for a dimension that its table lacks.")
        elif metric.is_ratio:
            denominator = self.of(str(metric.denominator))
            own = self.of(str(metric.numerator)) - (TIME_DIMENSIONS.keys() - denominator)
            own |= denominator & self._views(metric)
        else:
            inputs = [self.of(name) for name in metric.inputs.values()]
            own = frozenset.intersection(*inputs) | (frozenset.union(*inputs) & self._views(metric))
        return own | frozenset(metric.variants)

    def _views(self, metric: Metric) -> frozenset[str]:
        """Dimensions of which some input takes a default value."""
        operands = {metric.numerator, metric.denominator, *metric.inputs.values()} - {None}
        below = (self._views(self._catalogue.metric(str(name))) for name in operands)
        return frozenset(metric.default_where).union(*below)


class Plan:
    """Collects the parts and columns of one statement."""

    def __init__(
        self, catalogue: Catalogue, layer: SemanticLayer, dimensions: Dimensions, aggregates: Aggregates | None = None
    ) -> None:
        self._catalogue = catalogue
        self._layer = layer
        self._dimensions = dimensions
        self._aggregates = aggregates
        self._parts: dict[tuple[str | None, str, Question], list[str]] = {}
        self._leaves: dict[tuple[str, Question], str] = {}
        self._calculations: dict[tuple[str, Question], tuple[str, str, Mapping[str, str]]] = {}
        self._filters: dict[tuple[str, Values], str] = {}

    def statement(
        self,
        metrics: tuple[str, ...],
        asked: Question,
        start: str | None,
        end: str | None,
        scope: Scope = EVERYTHING,
    ) -> Statement:
        """Return the SQL for some metrics.

        Raises:
            UnknownMetric, UnknownDimension: for a name that does not exist.
            InvalidCombination: if a metric lacks one of the dimensions, or several views are asked for as one.
            OutOfScope: if nothing in the scope bounds all the rows that a metric rests on.
        """
        self._refuse_several_views(asked)
        outputs: list[tuple[str, str]] = []
        for name in metrics:
            metric = self._catalogue.metric(name)
            question = self._bounded(metric, asked, scope)
            if metric.is_ratio:
                terms = self._terms(metric, question)
                outputs.append((name, self._ratio(metric, question, terms)))
                outputs += [(f"{name}__numerator", terms[0]), (f"{name}__denominator", terms[1])]
            else:
                outputs.append((name, self._column(metric, question)))
        period = {name: value for name, value in (("start", start), ("end", end)) if value is not None}
        parameters: dict[str, object] = dict(period)
        for (_, values), parameter in self._filters.items():
            parameters[parameter] = [value for value in values if value is not None]
            parameters[f"{parameter}_null"] = None in values
        return Statement(self._sql(outputs, asked.by, metrics, period), parameters)

    def _bounded(self, metric: Metric, question: Question, scope: Scope) -> Question:
        if scope.is_everything:
            return question
        bounded = question.bounded(scope, self._dimensions.of_every_part(metric.name))
        if not bounded.reach:
            raise OutOfScope(
                f"Metric {metric.name} cannot be limited to the rows that you may see: not all it rests on is recorded "
                f"by {' or '.join(sorted(scope.dimensions)) or 'anything you are assigned to'}."
            )
        return bounded

    def _column(self, metric: Metric, question: Question) -> str:
        """Plan a metric and return the name of its column."""
        metric, question = self._stand_in(metric, question)
        if metric.is_ratio:
            return self._ratio(metric, question, self._terms(metric, question))
        if metric.kind == "derived":
            key = (metric.name, question)
            if key not in self._calculations:
                columns = {
                    alias: self._column(operand, question.within(self._dimensions.of(operand.name)))
                    for alias, operand in ((a, self._catalogue.metric(n)) for a, n in metric.inputs.items())
                }
                self._calculations[key] = (f"_c{len(self._calculations)}", metric.expression, columns)
            return self._calculations[key][0]
        key = (metric.name, question)
        if key not in self._leaves:
            self._leaves[key] = f"_m{len(self._leaves)}"
            for name, values in (*question.where, *(question.reach or ())):
                self._filters.setdefault((name, values), f"f{len(self._filters)}")
            self._parts.setdefault((metric.model, metric.grain, question), []).append(metric.name)
        return self._leaves[key]

    def _terms(self, metric: Metric, question: Question) -> tuple[str, str]:
        metric, question = self._stand_in(metric, question)
        numerator, denominator = (
            self._column(term, question.within(self._dimensions.of(term.name)))
            for term in (self._catalogue.metric(str(metric.numerator)), self._catalogue.metric(str(metric.denominator)))
        )
        return numerator, denominator

    def _ratio(self, metric: Metric, question: Question, terms: tuple[str, str]) -> str:
        key = (metric.name, question)
        if key not in self._calculations:
            formula = f"cast(numerator as double) / nullif(cast(denominator as double), 0) * {float(metric.scale)!r}"
            columns = dict(zip(("numerator", "denominator"), terms, strict=True))
            self._calculations[key] = (f"_c{len(self._calculations)}", formula, columns)
        return self._calculations[key][0]

    def _stand_in(self, metric: Metric, question: Question) -> tuple[Metric, Question]:
        """Apply a metric's variants and default values, and check that it has every dimension asked for."""
        asked = question.dimensions
        lacking = sorted(asked - self._dimensions.of(metric.name))
        if lacking:
            raise self._lacks(metric, lacking[0])
        for name, values in metric.default_where.items():
            if name not in asked:
                question = question.narrowed(name, values)
        for dimension, variant in metric.variants.items():
            if dimension in asked:
                stand_in = self._catalogue.metric(variant)
                self._refuse_overlap(metric, stand_in, dimension, question)
                return self._stand_in(stand_in, question)
        return metric, question

    def _refuse_several_views(self, question: Question) -> None:
        for name, values in question.where:
            if name in self._catalogue.views and name not in question.by and len(set(values)) > 1:
                raise InvalidCombination(
                    f"Several values of {name!r} cannot be added up, because each of them shows the same rows again. "
                    f"Filter one value, or ask for it by {name}."
                )

    @staticmethod
    def _refuse_overlap(metric: Metric, variant: Metric, dimension: str, question: Question) -> None:
        """Refuse to join several values of a dimension of which a row may have several, like trees of categories.

        A row stands there once for each value it belongs to: a count of distinct things takes it once, a sum or a
        median cannot.
        """
        several = any(name == dimension and len(values) > 1 for name, values in question.where)
        if several and not variant.counts_once and dimension not in question.by:
            raise InvalidCombination(
                f"Metric {metric.name} cannot be filtered by several values of {dimension!r} at once, because one may "
                f"hold another or share rows with it. Filter one value, or ask for it by {dimension}."
            )

    def _lacks(self, metric: Metric, dimension: str) -> InvalidCombination:
        self._catalogue.dimension(dimension)
        known = self._dimensions.of(metric.name)
        periods = [name for name in TIME_DIMENSIONS if name in known]
        has = sorted(known - TIME_DIMENSIONS.keys() - {RECORD})
        problem = (
            f"Metric {metric.name} counts whole {periods[0]}s, so it has no {dimension!r}."
            if dimension in TIME_DIMENSIONS
            else f"Metric {metric.name} has no dimension {dimension!r}.{nearest(dimension, has)}"
        )
        return InvalidCombination(f"{problem} It can be cut by {', '.join([*periods, *has])}.")

    def _sql(
        self,
        outputs: list[tuple[str, str]],
        by: tuple[str, ...],
        metrics: tuple[str, ...],
        period: Mapping[str, str],
    ) -> str:
        keys = {name: f"_k{index}" for index, name in enumerate(by)}
        tables, groups, joins, columns = [], [], [], []
        for index, ((model, grain, question), names) in enumerate(self._parts.items()):
            conditions = Conditions(
                tuple((name, self._filters[name, values]) for name, values in question.where),
                "start" in period,
                "end" in period,
                grain,
                None
                if question.reach is None
                else tuple((name, self._filters[name, values]) for name, values in question.reach),
            )
            part = f"_p{index}"
            tables.append(f"{part} as (\n{self._compiled(model, names, question, conditions, period)}\n)")
            if set(question.by) == set(by) and by:
                groups.append("select " + ", ".join(f'"{n}" as {keys[n]}' for n in by) + f" from {part}")
            on = " and ".join(f'{part}."{name}" is not distinct from _groups.{keys[name]}' for name in question.by)
            joins.append(f"left join {part} on {on or 'true'}")
            at_as_of = [name for name in names if self._catalogue.metric(name).is_as_of]
            # The state at the as-of says nothing of periods without that day, not even that there was none.
            known = self._within_period(question, keys, period, f"_as_of{index}.day") if at_as_of else []
            if known:
                tables.append(f"_as_of{index} as ({self._layer.compile_last_day(at_as_of[0], grain)})")
                joins.append(f"cross join _as_of{index}")
            for name in names:
                # A count or sum over no rows is 0; a median over none is unknown.
                value = f'{part}."{name}"'
                value = f"coalesce({value}, 0)" if self._catalogue.metric(name).is_additive else value
                value = f"case when {' and '.join(known)} then {value} end" if known and name in at_as_of else value
                columns.append(f"{value} as {self._leaves[name, question]}")
        if by and not groups:
            raise InvalidCombination(
                f"No table behind {', '.join(metrics)} has {', '.join(by)} together; ask for fewer of them at once."
            )
        tables.append(f"_groups as ({' union '.join(groups) or 'select 1'})")
        tables.append(f"_level0 as (select {', '.join([*keys.values(), *columns])} from _groups {' '.join(joins)})")
        calculated = [*keys.values(), *self._leaves.values()]
        for level, (column, formula, operands) in enumerate(self._calculations.values()):
            # The formula calls its operands by names of its own, which must not stay visible to the next one.
            aliases = ", ".join(f'{operand} as "{alias}"' for alias, operand in operands.items())
            listed = ", ".join(calculated)
            tables.append(
                f"_level{level + 1} as (select {listed}, ({formula}) as {column} from "
                f"(select {listed}, {aliases} from _level{level}))"
            )
            calculated.append(column)
        selected = [f'{key} as "{name}"' for name, key in keys.items()]
        selected += [f'{column} as "{name}"' for name, column in outputs]
        order = " order by " + ", ".join(f"{key} nulls last" for key in keys.values()) if keys else ""
        return f"with {', '.join(tables)}\nselect {', '.join(selected)} from _level{len(self._calculations)}{order}"

    def _compiled(
        self,
        model: str | None,
        names: list[str],
        question: Question,
        conditions: Conditions,
        period: Mapping[str, str],
    ) -> str:
        """The SQL of a part: over an aggregate table where one answers it, else over the fact."""
        if self._aggregates is not None:
            aggregate = self._aggregates.choose(model, names, question, conditions.grain, period)
            if aggregate is not None:
                return self._aggregates.compile(aggregate, names, question.by, conditions)
        return self._layer.compile(tuple(names), question.by, conditions)

    def _within_period(
        self, question: Question, keys: Mapping[str, str], period: Mapping[str, str], day: str
    ) -> list[str]:
        """Conditions that a day lies in the period asked for, the period of its group and the periods filtered."""
        conditions = [f"{day} {'>=' if name == 'start' else '<='} cast(${name} as date)" for name in period]
        conditions += [f"_groups.{keys[name]} = {label(name, day)}" for name in question.by if name in TIME_DIMENSIONS]
        return conditions + [
            f"list_contains(cast(${self._filters[name, values]} as varchar[]), {label(name, day)})"
            for name, values in question.where
            if name in TIME_DIMENSIONS
        ]
