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

In a file that was patched, tables whose definition is the same are brought up to date (`loupan.aggregate_patch`).
"""

# Names in the SQL come from the semantic manifest.
# ruff: noqa: S608

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from loupan.aggregate_patch import Before, CannotPatch, Patcher
from loupan.aggregate_tables import Aggregate, declared, joined_by, once_of, others_of, select
from loupan.marts_file import identifier

if TYPE_CHECKING:
    import duckdb

LOG = logging.getLogger(__name__)
# How a metric's filter names a dimension.
_FILTERED = re.compile(r"Dimension\('(\w+?)__(\w+)'\)")


def cut_of(last_day: date) -> int | None:
    """Return the day of the month that cuts the months of data that ends on a day; None where that ends a month."""
    return None if (last_day + timedelta(days=1)).day == 1 else last_day.day


def make(
    connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], cut: int | None, before: Before | None = None
) -> dict[str, Any] | None:
    """Make the aggregate tables that a semantic manifest declares, in the current database of a connection.

    Args:
        connection: open on the marts that the manifest's relations name.
        manifest: the semantic manifest.
        cut: the day of the month that cuts months.
        before: the snapshot whose aggregates the database holds; what is still defined as it was is brought up to date.
            Without it all are made anew.

    Returns:
        What `loupan.metrics.aggregates` reads: ``cut``, ``aggregates`` and the ``manifest`` of these; None where none
        is declared.

    Raises:
        ValueError: if a declaration names what the model does not have.
    """
    aggregates = list(declared(connection, manifest))
    _fill(connection, manifest, aggregates, cut, before)
    models, metrics, told = [], [], []
    for aggregate in aggregates:
        ((rows,),) = connection.execute(f"select count(*) from {identifier(aggregate.table)}").fetchall()
        answered = _metrics(aggregate, manifest)
        models.append(_model(aggregate))
        metrics += [metric for made in answered.values() for metric in made]
        told.append({
            "name": aggregate.table,
            "model": aggregate.model["name"],
            "rows": rows,
            "dimensions": sorted(_dimensions(aggregate, manifest)),
            "within": list(aggregate.within),
            "is_by_day": aggregate.is_by_row,
            "metrics": {name: [metric["name"] for metric in made] for name, made in answered.items()},
        })  # fmt: skip
    if not told:
        return None
    joined = [model for model in manifest["semantic_models"] if not model["measures"]]
    derived = {**manifest, "semantic_models": [*joined, *models], "metrics": metrics, "saved_queries": []}
    return {"cut": cut, "aggregates": told, "manifest": derived}


def _fill(
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    aggregates: Sequence[Aggregate],
    cut: int | None,
    before: Before | None,
) -> None:
    """Bring up to date the tables that hold what they are to hold as of a snapshot before; make the others anew."""
    import duckdb

    present = _present(connection)
    definitions = {aggregate.table: _definition(aggregate, manifest) for aggregate in aggregates}
    patched = [a for a in aggregates if before and present.get(a.table, _UNKNOWN).definition == definitions[a.table]]
    patcher = Patcher(connection, manifest, patched, before, cut) if before else None
    for table in present.keys() - definitions.keys():
        connection.execute(f"drop table {identifier(table)}")
    for aggregate in aggregates:
        table = identifier(aggregate.table)
        made = _Made(definitions[aggregate.table], cut)
        if patcher and aggregate in patched:
            try:
                patcher.patch(aggregate, present[aggregate.table].cut)
            except CannotPatch as reason:
                LOG.debug("%s is made anew: %s", aggregate.table, reason)
            except duckdb.Error:
                LOG.warning("%s cannot be brought up to date and is made anew", aggregate.table, exc_info=True)
            else:
                if made != present[aggregate.table]:
                    connection.execute(f"comment on table {table} is {made.comment}")
                continue
        if aggregate.table in present:
            connection.execute(f"drop table {table}")
        connection.execute(f"create table {table} as {select(aggregate, manifest, cut)}")
        connection.execute(f"comment on table {table} is {made.comment}")


@dataclass(frozen=True)
class _Made:
    """How a table was made; it stands in the table's comment, where the digest of the file protects it.

    Attributes:
        definition: SHA-256 of all that its rows follow from, the facts and the cut aside.
        cut: the day of the month that cuts its months.
    """

    definition: str
    cut: int | None

    @property
    def comment(self) -> str:
        """The comment, as SQL."""
        return f"'{json.dumps(asdict(self))}'"


_UNKNOWN = _Made("", None)


def _definition(aggregate: Aggregate, manifest: Mapping[str, Any]) -> str:
    import duckdb

    # With any cut, so that the SQL tells how months are cut; another version of DuckDB may add up to another type.
    return hashlib.sha256(f"{duckdb.__version__} {select(aggregate, manifest, 1)}".encode()).hexdigest()


def _present(connection: duckdb.DuckDBPyConnection) -> dict[str, _Made]:
    """Return how the tables with a comment, which no other have, were made."""
    found = {}
    for table, comment in connection.execute(
        "select table_name, comment from duckdb_tables() "
        "where database_name = current_database() and comment is not null"
    ).fetchall():
        try:
            found[table] = _Made(**json.loads(comment))
        except (ValueError, TypeError):
            found[table] = _UNKNOWN
    return found


def _dimensions(aggregate: Aggregate, manifest: Mapping[str, Any]) -> set[str]:
    """Return the dimensions that an aggregate can be cut and filtered by, periods aside."""
    kept = {column.name for column in aggregate.columns}
    own = {dimension["name"] for dimension in aggregate.model["dimensions"]}
    joined = {d["name"] for name in kept for d in joined_by(name, manifest).get("dimensions", ())}
    return (kept | joined) - (own - kept) - {entity["name"] for entity in aggregate.model["entities"]}


def _model(aggregate: Aggregate) -> dict[str, Any]:
    """Return the semantic model of an aggregate."""
    model, by_name = aggregate.model, {column.name: column for column in aggregate.columns}
    measures = [_measure(measure, measure["name"], "sum") for measure in aggregate.sums]
    for measure in aggregate.counts:
        measures.append(_measure(measure, once_of(measure["name"]), "sum"))
        measures.append(_measure(measure, others_of(measure["name"]), "count_distinct"))
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


def _metrics(aggregate: Aggregate, manifest: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
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
        parts = [once_of(measure["name"]), others_of(measure["name"])] if is_count else [measure["name"]]
        names = [once_of(metric["name"]), others_of(metric["name"])] if is_count else [metric["name"]]
        found[metric["name"]] = [
            _metric(aggregate, metric, primary, name, part) for name, part in zip(names, parts, strict=True)
        ]
    return found


def _templates(metric: Mapping[str, Any]) -> list[str]:
    where = [metric.get("filter"), metric["type_params"]["measure"].get("filter")]
    return [f["where_sql_template"] for declared in where if declared for f in declared["where_filters"]]


def _keeps(aggregate: Aggregate, primary: Iterable[str], templates: Iterable[str]) -> bool:
    """Say whether an aggregate keeps all that a metric's own conditions look at."""
    kept = {column.name for column in aggregate.columns}
    named = [found for template in templates for found in _FILTERED.findall(template)]
    # What names a dimension in another way than we know is not understood.
    is_understood = len(named) == sum(template.count("{{") for template in templates)
    return is_understood and all(entity in primary and name in kept for entity, name in named)


def _metric(
    aggregate: Aggregate, metric: Mapping[str, Any], primary: Iterable[str], name: str, measure: str
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


def _of(aggregate: Aggregate, name: str) -> str:
    """Return the name in the second manifest of a measure or metric."""
    return f"{name}_of_{aggregate.table}"


def tables_of(document: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of the aggregate tables."""
    return [aggregate["name"] for aggregate in document["aggregates"]]
