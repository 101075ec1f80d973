"""MetricFlow in process: which dimensions a metric has, and the SQL that computes it."""

# Names in the SQL come from the semantic manifest, values are parameters.
# ruff: noqa: S608

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantic_interfaces.references import MetricReference
from metricflow_semantic_interfaces.type_enums import DimensionType, EntityType
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.linkable_element_property import GroupByItemProperty
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup
from metricflow_semantics.model.semantics.linkable_element import LinkableElementType

from loupan.metrics.catalogue import RECORD, RECORD_ENTITY, TIME_DIMENSIONS
from loupan.metrics.errors import UnusableManifest

# MetricFlow numbers the aliases of its SQL from one counter of the process.
_COMPILING = threading.Lock()
_COMPILED_STATEMENTS = 2048
_METRIC_TIME = "metric_time"
_LOCAL = frozenset({GroupByItemProperty.LOCAL, GroupByItemProperty.LOCAL_LINKED})
# SQL of a period's label, by the start of the period.
_TIME_LABELS = {
    "day": "strftime({0}, '%Y-%m-%d')",
    "week": "strftime({0}, '%Y-%m-%d')",
    "month": "strftime({0}, '%Y-%m')",
    "quarter": "strftime({0}, '%Y') || '-Q' || quarter({0})",
    "year": "strftime({0}, '%Y')",
}


@dataclass(frozen=True)
class Conditions:
    """Which rows count: names of parameters, never values.

    Attributes:
        values: pairs of dimension and the name of its parameter: ``$<parameter>`` is the list of accepted texts,
            ``$<parameter>_null`` whether an empty value is accepted.
        has_start, has_end: whether ``$start`` and ``$end`` bound the metric's own date, both included.
        grain: the finest period that the rows are dated by; each one that the bounds touch counts whole.
        reach: pairs of dimension and the name of its parameter, as in `values`, of which a row must meet one; None
            where every row counts.
    """

    values: tuple[tuple[str, str], ...] = ()
    has_start: bool = False
    has_end: bool = False
    grain: str = "day"
    reach: tuple[tuple[str, str], ...] | None = None


class _Renderer:
    """The little of a database client that MetricFlow needs to write SQL."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()


class SemanticLayer:
    """Compiles simple metrics of one semantic manifest; safe to share between threads."""

    def __init__(self, manifest_json: str) -> None:
        manifest = parse_manifest_from_dbt_generated_manifest(manifest_json)
        self._lookup = SemanticManifestLookup(manifest)
        with _COMPILING:
            self._engine = MetricFlowEngine(self._lookup, _Renderer())  # type: ignore[arg-type]
        self._dimension_items = {
            (dimension.name, f"{entity}__{dimension.name}")
            for model in manifest.semantic_models
            for entity in (model.primary_entity, *(e.name for e in model.entities if e.type is EntityType.PRIMARY))
            if entity is not None
            for dimension in model.dimensions
            if dimension.type is DimensionType.CATEGORICAL
        }
        self.items = lru_cache(maxsize=None)(self._items)
        self.compile = lru_cache(maxsize=_COMPILED_STATEMENTS)(self._compile)
        self.compile_last_day = lru_cache(maxsize=None)(self._compile_last_day)
        self.compile_values = lru_cache(maxsize=_COMPILED_STATEMENTS)(self._compile_values)

    def _items(self, metric: str) -> Mapping[str, str]:
        """Return short dimension name → MetricFlow's group-by item, for a simple metric.

        The record that a row rests on goes by the name `RECORD`, where the table has one.

        The item with the shortest path of joins counts, at equal length the one of the metric's own table.

        Raises:
            UnusableManifest: if two paths are equally short.
        """
        with _COMPILING:
            reachable = self._lookup.metric_lookup.get_common_group_by_items(
                metric_references=(MetricReference(metric),)
            )
            candidates: dict[str, set[tuple[int, bool, str]]] = {}
            for item in reachable.annotated_specs:
                is_record = item.element_type is LinkableElementType.ENTITY and item.element_name.startswith(
                    RECORD_ENTITY
                )
                if is_record and not _LOCAL.isdisjoint(item.property_set):
                    rank = (len(item.spec.entity_links), False, item.spec.dunder_name)
                    candidates.setdefault(RECORD, set()).add(rank)
                if item.element_type is LinkableElementType.DIMENSION:
                    is_joined = _LOCAL.isdisjoint(item.property_set)
                    rank = (len(item.spec.entity_links), is_joined, item.spec.dunder_name)
                    candidates.setdefault(item.element_name, set()).add(rank)
        items = {}
        for name, ranks in candidates.items():
            best, *rest = sorted(ranks)
            if rest and rest[0][:2] == best[:2]:
                raise UnusableManifest(f"Metric {metric} reaches {name} in two ways: {best[2]} and {rest[0][2]}.")
            items[name] = best[2]
        return items

    def _compile(self, metrics: tuple[str, ...], by: tuple[str, ...], conditions: Conditions) -> str:
        """Return SQL with the columns ``by`` (labels for periods) and ``metrics``, one row per group.

        Args:
            metrics: simple metrics of one semantic model.
            by: short names of dimensions that all of them have.
            conditions: which rows count.
        """
        items = {name: f"{_METRIC_TIME}__{name}" for name in TIME_DIMENSIONS} | dict(self.items(metrics[0]))
        where = [_accepts(name, items[name], parameter) for name, parameter in conditions.values]
        if conditions.reach is not None:
            # One constraint: MetricFlow joins several by AND.
            where.append(" or ".join(f"({_accepts(n, items[n], p)})" for n, p in conditions.reach) or "false")
        begin = f"{{{{ TimeDimension('{_METRIC_TIME}', '{conditions.grain}') }}}}"
        if conditions.has_start:
            where.append(f"{begin} >= date_trunc('{conditions.grain}', cast($start as date))")
        if conditions.has_end:
            where.append(f"{begin} <= cast($end as date)")
        statement = self._explain(metric_names=metrics, group_by_names=[items[name] for name in by], where=where)
        labels = [f"{_label(name, _quoted(items[name]))} as {_quoted(name)}" for name in by]
        return f"select {', '.join([*labels, *map(_quoted, metrics)])} from (\n{statement}\n)"

    def _compile_last_day(self, metric: str, grain: str) -> str:
        """Return SQL with one row, the last ``day`` that a metric's rows are dated by, NULL if it has none."""
        item = f"{_METRIC_TIME}__{grain}"
        statement = self._explain(metric_names=(metric,), group_by_names=[item], where=[])
        return f"select max({_quoted(item)}) as day from (\n{statement}\n)"

    def _compile_values(self, dimension: str) -> str:
        """Return SQL with one column, the distinct values of a dimension wherever it is declared."""
        statements = [
            f"select {_quoted(item)} from (\n{self._explain(metric_names=None, group_by_names=[item], where=[])}\n)"
            for name, item in sorted(self._dimension_items)
            if name == dimension
        ]
        return "\nunion\n".join(statements) + "\norder by 1 nulls last"

    def _explain(self, metric_names: tuple[str, ...] | None, group_by_names: list[str], where: list[str]) -> str:
        request = MetricFlowQueryRequest.create(
            metric_names=metric_names, group_by_names=group_by_names or None, where_constraints=where or None
        )
        with _COMPILING:
            return self._engine.explain(request).sql_statement.sql


def _accepts(name: str, item: str, parameter: str) -> str:
    """A condition in MetricFlow's template language; values stay outside, as parameters of the statement."""
    if name in TIME_DIMENSIONS:
        column = _label(name, f"{{{{ TimeDimension('{_METRIC_TIME}', '{name}') }}}}")
    else:
        # The template language wants the joins before the last as a list.
        *path, entity, element = item.split("__")
        column = f"cast({{{{ Dimension('{entity}__{element}', entity_path={path}) }}}} as varchar)"
    return (
        f"case when {column} is null then cast(${parameter}_null as boolean) "
        f"else list_contains(cast(${parameter} as varchar[]), {column}) end"
    )


def label(period: str, day: str) -> str:
    """Return SQL of the label of the period that a day lies in."""
    return _TIME_LABELS[period].format(f"date_trunc('{period}', {day})")


def _label(name: str, column: str) -> str:
    return _TIME_LABELS[name].format(column) if name in TIME_DIMENSIONS else column


def _quoted(name: Any) -> str:
    return f'"{name}"'
