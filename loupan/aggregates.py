"""Aggregate tables of a snapshot: the measures of a fact, added up by month and by what pages cut and filter by.

A semantic model declares its aggregates under ``config.meta.aggregates``, each with

- ``by``: what is kept – entities and dimensions of the model, and dimensions of the tables that it joins, whose values
  are then written into the aggregate, so that reading needs no join;
- ``distinct`` and ``within``, where the model counts distinct things: the column that tells them apart, and the
  dimensions that a question must hold still (a thing is counted once under each of their values);
- ``by_row: true``, where so much is kept that hardly two rows are alike: then none are added up, and days stay.

From that the tables are made when a snapshot is published, and a second semantic manifest that points at them; which
table answers a question is decided by `loupan.metrics.aggregates`. All that is added is whole numbers and decimals, so
an answer does not depend on what it was added up from; measures of floating-point numbers stay with their facts.

A day of the month *cuts* the months in two: periods that end on the day of the as-of, as the current one and those it
is compared with do, are then made of whole rows, as months are.
"""

# Names in the SQL come from the semantic manifest.
# ruff: noqa: S608

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from loupan.marts_file import identifier

if TYPE_CHECKING:
    import duckdb

_SUMS = ("sum", "sum_boolean")
_INEXACT = ("DOUBLE", "FLOAT")
# How a metric's filter names a dimension.
_FILTERED = re.compile(r"Dimension\('(\w+?)__(\w+)'\)")


@dataclass(frozen=True)
class _Column:
    """A column that an aggregate keeps: its name in both manifests and its SQL over the fact, or over a joined table.

    Attributes:
        join: the entity by which the table is joined; empty for a column of the fact.
    """

    name: str
    sql: str
    join: str = ""


@dataclass(frozen=True)
class _Aggregate:
    """An aggregate as it was declared.

    Attributes:
        table: its name.
        model: the semantic model whose measures are added up.
        columns: what is kept, without the date.
        distinct: the column of the things that are counted once; empty where none are.
        within: dimensions under each of whose values a thing is counted once.
        is_by_row: whether it has a row, with its day, for each of the fact.
        measures: what is added up.
    """

    table: str
    model: Mapping[str, Any]
    columns: tuple[_Column, ...]
    distinct: str
    within: tuple[str, ...]
    is_by_row: bool
    measures: tuple[Mapping[str, Any], ...]

    @property
    def date(self) -> str:
        """The time dimension that the measures are dated by."""
        return str(self.model["defaults"]["agg_time_dimension"])

    @property
    def counts(self) -> list[Mapping[str, Any]]:
        """The measures that count distinct things."""
        return [measure for measure in self.measures if measure["agg"] == "count_distinct"]

    @property
    def sums(self) -> list[Mapping[str, Any]]:
        """The measures that are added up."""
        return [measure for measure in self.measures if measure["agg"] in _SUMS]


def cut_of(last_day: date) -> int | None:
    """Return the day of the month that cuts the months of data that ends on a day; None where that ends a month."""
    return None if (last_day + timedelta(days=1)).day == 1 else last_day.day


def make(connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], cut: int | None) -> dict[str, Any] | None:
    """Make the aggregate tables that a semantic manifest declares.

    Args:
        connection: open on the marts that the manifest's relations name.
        manifest: the semantic manifest.
        cut: the day of the month that cuts months.

    Returns:
        What `loupan.metrics.aggregates` reads: ``cut``, ``aggregates`` and the ``manifest`` of these; None where none
        is declared.

    Raises:
        ValueError: if a declaration names what the model does not have.
    """
    models, metrics, told = [], [], []
    for aggregate in _declared(manifest):
        exact = _with_exact_measures(connection, aggregate)
        connection.execute(f"create table {identifier(exact.table)} as {_select(exact, manifest, cut)}")
        ((rows,),) = connection.execute(f"select count(*) from {identifier(exact.table)}").fetchall()
        answered = _metrics(exact, manifest)
        models.append(_model(exact))
        metrics += [metric for made in answered.values() for metric in made]
        told.append({
            "name": exact.table,
            "model": exact.model["name"],
            "rows": rows,
            "dimensions": sorted(_dimensions(exact, manifest)),
            "within": list(exact.within),
            "is_by_day": exact.is_by_row,
            "metrics": {name: [metric["name"] for metric in made] for name, made in answered.items()},
        })  # fmt: skip
    if not told:
        return None
    joined = [model for model in manifest["semantic_models"] if not model["measures"]]
    derived = {**manifest, "semantic_models": [*joined, *models], "metrics": metrics, "saved_queries": []}
    return {"cut": cut, "aggregates": told, "manifest": derived}


def _declared(manifest: Mapping[str, Any]) -> Iterator[_Aggregate]:
    for model in manifest["semantic_models"]:
        declarations = ((model.get("config") or {}).get("meta") or {}).get("aggregates", ())
        for number, declared in enumerate(declarations, 1):
            yield _Aggregate(
                table=f"aggregate_{model['name']}_{number}",
                model=model,
                columns=tuple(_column(model, name, manifest) for name in declared["by"]),
                distinct=declared.get("distinct", ""),
                within=tuple(declared.get("within", ())),
                is_by_row=bool(declared.get("by_row")),
                measures=tuple(_measures(model, declared.get("distinct", ""))),
            )


def _measures(model: Mapping[str, Any], distinct: str) -> Iterator[Mapping[str, Any]]:
    """Yield the measures that can be added up: of the model's own date, and of the things that are told apart."""
    things = re.compile(rf"(case when .* then )?{re.escape(distinct)}( end)?")
    for measure in model["measures"]:
        is_of_date = measure["agg_time_dimension"] in (None, model["defaults"]["agg_time_dimension"])
        if measure.get("non_additive_dimension"):
            continue
        is_count = measure["agg"] == "count_distinct" and distinct and things.fullmatch(_sql(measure))
        if is_of_date and (measure["agg"] in _SUMS or is_count):
            yield measure


def _column(model: Mapping[str, Any], name: str, manifest: Mapping[str, Any]) -> _Column:
    for element in (*model["entities"], *model["dimensions"]):
        if element["name"] == name:
            return _Column(name, _sql(element))
    for entity in model["entities"]:
        for dimension in _joined(entity["name"], manifest).get("dimensions", ()):
            if dimension["name"] == name and entity["type"] == "foreign":
                return _Column(name, _sql(dimension), entity["name"])
    raise ValueError(f"The semantic model {model['name']} has no {name!r} that an aggregate could keep.")


def _joined(entity: str, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the semantic model, without measures, that an entity leads to; an empty one where there is none."""
    for model in manifest["semantic_models"]:
        if not model["measures"] and any(e["name"] == entity and e["type"] == "primary" for e in model["entities"]):
            return dict(model)
    return {}


def _dimensions(aggregate: _Aggregate, manifest: Mapping[str, Any]) -> set[str]:
    """Return the dimensions that an aggregate can be cut and filtered by, periods aside."""
    kept = {column.name for column in aggregate.columns}
    own = {dimension["name"] for dimension in aggregate.model["dimensions"]}
    joined = {d["name"] for name in kept for d in _joined(name, manifest).get("dimensions", ())}
    return (kept | joined) - (own - kept) - {entity["name"] for entity in aggregate.model["entities"]}


def _with_exact_measures(connection: duckdb.DuckDBPyConnection, aggregate: _Aggregate) -> _Aggregate:
    """Leave out the sums of floating-point numbers, whose last bits depend on the order of their parts."""
    fact = aggregate.model["node_relation"]["relation_name"]
    exact = []
    for measure in aggregate.measures:
        ((_, data_type, *_),) = connection.execute(f"describe select {_sql(measure)} as value from {fact}").fetchall()
        if data_type not in _INEXACT:
            exact.append(measure)
    return replace(aggregate, measures=tuple(exact))


def _select(aggregate: _Aggregate, manifest: Mapping[str, Any], cut: int | None) -> str:
    """Return the query of an aggregate's rows, in the order of their date and of what is kept."""
    keys = [aggregate.date, *(column.name for column in aggregate.columns)]
    rows = _rows(aggregate, manifest, cut)
    listed = ", ".join(map(identifier, keys))
    sums = [f"{_added(measure)} as {identifier(measure['name'])}" for measure in aggregate.sums]
    # What is asked of one period, or of one estate in it, lies together.
    order = ", ".join(map(identifier, keys[:2]))
    if aggregate.is_by_row:
        parts = [f"{identifier(m['name'])} as {identifier(m['name'])}" for m in aggregate.sums]
        return f"select {', '.join([listed, *parts])} from ({rows})"
    if not aggregate.counts:
        return f"select {', '.join([listed, *sums])} from ({rows}) group by all order by {order}"
    # Who stands in one row is counted by adding; who stands in several, which are few, is told apart when asked.
    things = ", ".join(map(identifier, (*aggregate.within, "_thing")))
    once = [f"count({identifier(m['name'])}) as {identifier(_once(m['name']))}" for m in aggregate.counts]
    none = [f"null as {identifier(_others(m['name']))}" for m in aggregate.counts]
    others = [f"{identifier(m['name'])} as {identifier(_others(m['name']))}" for m in aggregate.counts]
    same = " and ".join(
        f"row.{identifier(name)} is not distinct from several.{identifier(name)}"
        for name in (*aggregate.within, "_thing")
    )
    return f"""
        with row as not materialized ({rows}),
        several as materialized (select {things} from row group by all having count(*) > 1)
        from (
            select {", ".join([listed, *sums, *once, *none])}
            from (from row anti join several on {same}) group by all
            union all by name
            select {", ".join([listed, *sums, *others])}
            from (from row semi join several on {same}) group by all
        )
        order by {order}
    """


def _rows(aggregate: _Aggregate, manifest: Mapping[str, Any], cut: int | None) -> str:
    """Return the query of the fact's rows with the columns that are kept and the measures' parts."""
    model = aggregate.model
    (moment,) = (d for d in model["dimensions"] if d["name"] == aggregate.date)
    is_as_it_stands = aggregate.is_by_row or moment["type_params"]["time_granularity"] != "day"
    columns = [f"{_sql(moment) if is_as_it_stands else _dated(_sql(moment), cut)} as {identifier(aggregate.date)}"]
    columns += [f"{column.sql} as {identifier(column.name)}" for column in aggregate.columns if not column.join]
    columns += [f"{_part(measure)} as {identifier(measure['name'])}" for measure in aggregate.measures]
    columns += [f"{aggregate.distinct} as _thing"] if aggregate.counts else []
    joins, further = [], []
    for entity in dict.fromkeys(column.join for column in aggregate.columns if column.join):
        (foreign,) = (e for e in model["entities"] if e["name"] == entity)
        joined = _joined(entity, manifest)
        (primary,) = (e for e in joined["entities"] if e["type"] == "primary")
        columns.append(f"{_sql(foreign)} as {identifier(f'_{entity}')}")
        taken = [column for column in aggregate.columns if column.join == entity]
        listed = ", ".join(
            [f"{_sql(primary)} as _key", *(f"{column.sql} as {identifier(column.name)}" for column in taken)]
        )
        joins.append(
            f"left join (select {listed} from {joined['node_relation']['relation_name']}) as {identifier(entity)} "
            f"on fact.{identifier(f'_{entity}')} = {identifier(entity)}._key"
        )
        further += [f"{identifier(entity)}.{identifier(column.name)}" for column in taken]
    hidden = [f"_{column.join}" for column in aggregate.columns if column.join]
    star = f"fact.* exclude ({', '.join(map(identifier, dict.fromkeys(hidden)))})" if hidden else "fact.*"
    fact = f"(select {', '.join(columns)} from {model['node_relation']['relation_name']}) as fact"
    return f"select {', '.join([star, *further])} from {fact} {' '.join(joins)}"


def _dated(day: str, cut: int | None) -> str:
    """Return SQL of the first day of the part of its month that a day lies in."""
    month = f"cast(date_trunc('month', {day}) as date)"
    return month if cut is None else f"case when day({day}) > {cut} then {month} + {cut} else {month} end"


def _part(measure: Mapping[str, Any]) -> str:
    """Return SQL of what one row adds to a measure."""
    return f"case when {_sql(measure)} then 1 else 0 end" if measure["agg"] == "sum_boolean" else _sql(measure)


def _added(measure: Mapping[str, Any]) -> str:
    """Return SQL of a measure's sum; what counts rows needs no more than 64 bits."""
    summed = f"sum({identifier(measure['name'])})"
    counts_rows = measure["agg"] == "sum_boolean" or _sql(measure) == "1"
    return f"cast({summed} as bigint)" if counts_rows else summed


def _model(aggregate: _Aggregate) -> dict[str, Any]:
    """Return the semantic model of an aggregate."""
    model, by_name = aggregate.model, {column.name: column for column in aggregate.columns}
    measures = [_measure(measure, measure["name"], "sum") for measure in aggregate.sums]
    for measure in aggregate.counts:
        measures.append(_measure(measure, _once(measure["name"]), "sum"))
        measures.append(_measure(measure, _others(measure["name"]), "count_distinct"))
    own = {element["name"] for element in (*model["entities"], *model["dimensions"])}
    relation = model["node_relation"]
    return {
        **model,
        "name": aggregate.table,
        "node_relation": {
            **relation,
            "alias": aggregate.table,
            "relation_name": relation["relation_name"].replace(
                identifier(relation["alias"]), identifier(aggregate.table)
            ),
        },
        "primary_entity": aggregate.table,
        "entities": [{**e, "expr": None} for e in model["entities"] if e["name"] in by_name],
        "dimensions": [
            *({**d, "expr": None} for d in model["dimensions"] if d["name"] in by_name or d["name"] == aggregate.date),
            *(_categorical(name) for name in by_name if name not in own),
        ],
        "measures": [{**m, "name": _of(aggregate, m["name"]), "expr": identifier(m["name"])} for m in measures],
    }  # fmt: skip


def _measure(measure: Mapping[str, Any], name: str, aggregation: str) -> dict[str, Any]:
    return {**measure, "name": name, "agg": aggregation}


def _categorical(name: str) -> dict[str, Any]:
    return {"name": name, "type": "categorical", "is_partition": False, "config": {"meta": {}}}


def _metrics(aggregate: _Aggregate, manifest: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the metrics that an aggregate answers, each with those of the second manifest that add up to it."""
    found = {}
    measures = {measure["name"]: measure for measure in aggregate.measures}
    primary = {e["name"] for e in aggregate.model["entities"] if e["type"] == "primary"}
    for metric in manifest["metrics"]:
        if metric["type"] != "simple" or metric["type_params"]["measure"]["name"] not in measures:
            continue
        measure = measures[metric["type_params"]["measure"]["name"]]
        if not _keeps(aggregate, primary, _templates(metric)):
            continue
        is_count = measure["agg"] == "count_distinct"
        parts = [_once(measure["name"]), _others(measure["name"])] if is_count else [measure["name"]]
        names = [_once(metric["name"]), _others(metric["name"])] if is_count else [metric["name"]]
        found[metric["name"]] = [
            _metric(aggregate, metric, primary, name, part) for name, part in zip(names, parts, strict=True)
        ]
    return found


def _templates(metric: Mapping[str, Any]) -> list[str]:
    where = [metric.get("filter"), metric["type_params"]["measure"].get("filter")]
    return [f["where_sql_template"] for declared in where if declared for f in declared["where_filters"]]


def _keeps(aggregate: _Aggregate, primary: Iterable[str], templates: Iterable[str]) -> bool:
    """Say whether an aggregate keeps all that a metric's own conditions look at."""
    kept = {column.name for column in aggregate.columns}
    named = [found for template in templates for found in _FILTERED.findall(template)]
    # What names a dimension in another way than we know is not understood.
    is_understood = len(named) == sum(template.count("{{") for template in templates)
    return is_understood and all(entity in primary and name in kept for entity, name in named)


def _metric(
    aggregate: _Aggregate, metric: Mapping[str, Any], primary: Iterable[str], name: str, measure: str
) -> dict[str, Any]:
    def renamed(declared: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if not declared:
            return None
        templates = [f["where_sql_template"] for f in declared["where_filters"]]
        for entity in primary:
            templates = [template.replace(f"'{entity}__", f"'{aggregate.table}__") for template in templates]
        return {**declared, "where_filters": [{"where_sql_template": template} for template in templates]}

    parameters = metric["type_params"]
    of_measure = parameters["measure"]
    derived = {**of_measure, "name": _of(aggregate, measure), "filter": renamed(of_measure.get("filter"))}
    return {
        **metric,
        "name": _of(aggregate, name),
        "filter": renamed(metric.get("filter")),
        "type_params": {**parameters, "measure": derived, "input_measures": [derived]},
    }


def _of(aggregate: _Aggregate, name: str) -> str:
    """Return the name in the second manifest of a measure or metric."""
    return f"{name}_of_{aggregate.table}"


def _once(name: str) -> str:
    return f"{name}_once"


def _others(name: str) -> str:
    return f"{name}_others"


def _sql(element: Mapping[str, Any]) -> str:
    return str(element.get("expr") or element["name"])


def tables_of(document: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of the aggregate tables."""
    return [aggregate["name"] for aggregate in document["aggregates"]]
