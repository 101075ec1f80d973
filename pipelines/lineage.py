"""What every column of a model, and every metric, is made of, read from the compiled SQL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from loupan.lineage import ROWS, Column, Lineage, Made, MadeOf
from loupan.settings import Settings
from pipelines import dbt_runner

DIALECT = "duckdb"
# Raise this number when columns would be traced in another way than before.
_TRACE_VERSION = 2
_DIMENSION = re.compile(r"Dimension\(\s*'(?:\w+__)?(\w+)'")


def asset_key(node: Mapping[str, Any]) -> str:
    """Return the asset key of a manifest node or source, its parts joined by ``/`` (dagster-dbt's own rule)."""
    if node["resource_type"] == "source":
        return f"{node['source_name']}/{node['name']}"
    return f"{node['config']['schema']}/{node['name']}"


def _columns(node: Mapping[str, Any]) -> dict[str, str]:
    # A test holds the documented columns and types equal to the materialised ones.
    return {name: column.get("data_type") or "varchar" for name, column in node["columns"].items()}


def _model_lineage(sql: str, columns: list[str], parents: Mapping[str, Mapping[str, Any]]) -> dict[str, Made]:
    """Trace ``columns`` of a SELECT, and its rows, to the columns of its direct parents (relation name → node)."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.schema import MappingSchema

    from pipelines.column_trace import Trace

    schema = MappingSchema(dialect=DIALECT)
    keys = {}
    for relation, node in parents.items():
        table = exp.to_table(relation, dialect=DIALECT)
        schema.add_table(table, _columns(node), dialect=DIALECT)
        keys[table.db, table.name] = asset_key(node)
    try:
        trace = Trace(parse_one(sql, dialect=DIALECT), keys, schema, DIALECT)
        found = {name: trace.column(name) for name in columns} | {ROWS: trace.rows()}
    except SqlglotError:
        # A picture of the data's way must not stand in the way of the data.
        return {}
    return {
        name: Made(tuple(sorted(origins.values)), tuple(sorted(origins.conditions - origins.values)))
        for name, origins in found.items()
    }


@cache
def column_lineage(settings: Settings) -> dict[str, dict[str, Made]]:
    """Return what every column of every model is made of, by the model's dbt unique id.

    The key ``*`` stands for the model's rows. Computed once per state of the project and kept beside dbt's artifacts.
    """
    path = dbt_runner.target_path(settings) / "column_lineage.json"
    manifest = dbt_runner.read_manifest(settings)
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    state = {key: node["checksum"]["checksum"] for key, node in models.items()} | {"version": _TRACE_VERSION}
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["state"] == state:
            return {
                key: {name: Made.read(made) for name, made in columns.items()}
                for key, columns in stored["models"].items()
            }
    compiled = dbt_runner.compiled_sql(settings)
    everything = {**manifest["nodes"], **manifest["sources"]}
    lineages = {
        key: _model_lineage(
            compiled[key],
            list(node["columns"]),
            {everything[p]["relation_name"]: everything[p] for p in node["depends_on"]["nodes"]},
        )
        for key, node in models.items()
    }
    path.write_text(json.dumps({"state": state, "models": lineages}), encoding="utf-8")
    return lineages


def whole_lineage(settings: Settings) -> Lineage:
    """Return the way from the CRM's columns to every metric and dimension."""
    manifest = dbt_runner.read_manifest(settings)
    tables = {asset_key(manifest["nodes"][key]): made for key, made in column_lineage(settings).items()}
    semantics = json.loads(dbt_runner.parse(settings).semantic_manifest)
    mart_of = {asset_key(node).rpartition("/")[2]: asset_key(node) for node in manifest["nodes"].values()
               if node["resource_type"] == "model"}  # fmt: skip
    models = {model["name"]: model for model in semantics["semantic_models"]}
    return Lineage(
        tables=tables,
        metrics={metric["name"]: _of_metric(metric, models, mart_of) for metric in semantics["metrics"]},
        dimensions=dict(_dimensions(models, mart_of)),
    )


def _of_metric(metric: Mapping[str, Any], models: Mapping[str, Any], mart_of: Mapping[str, str]) -> MadeOf:
    parameters, meta = metric["type_params"], (metric.get("config") or {}).get("meta") or {}
    operands = [*(parameters.get("metrics") or ()), parameters.get("numerator"), parameters.get("denominator")]
    inputs = {operand["name"] for operand in operands if operand}
    inputs |= {meta[part] for part in ("numerator", "denominator") if meta.get(part)}
    columns: set[Column] = set()
    if parameters.get("measure"):
        name = parameters["measure"]["name"]
        model, measure = next((m, e) for m in models.values() for e in m["measures"] if e["name"] == name)
        mart = mart_of[model["node_relation"]["alias"]]
        dated_by = measure.get("agg_time_dimension") or model["defaults"]["agg_time_dimension"]
        filters = [f["where_sql_template"] for f in (metric.get("filter") or {}).get("where_filters", ())]
        named = {dated_by, *(name for text in filters for name in _DIMENSION.findall(text))}
        expressions = [measure.get("expr") or measure["name"]]
        expressions += [d.get("expr") or d["name"] for d in model["dimensions"] if d["name"] in named]
        columns = {Column(mart, name) for expression in expressions for name in _named_in(expression)}
        columns.add(Column(mart, ROWS))
    return MadeOf(tuple(sorted(inputs)), tuple(sorted(columns)))


def _dimensions(models: Mapping[str, Any], mart_of: Mapping[str, str]) -> Iterator[tuple[str, MadeOf]]:
    found: dict[str, set[Column]] = {}
    for model in models.values():
        mart = mart_of[model["node_relation"]["alias"]]
        for dimension in model["dimensions"]:
            is_hidden = ((dimension.get("config") or {}).get("meta") or {}).get("hidden")
            if dimension["type"] == "categorical" and not is_hidden:
                columns = _named_in(dimension.get("expr") or dimension["name"])
                found.setdefault(dimension["name"], set()).update(Column(mart, column) for column in columns)
    for name, origins in found.items():
        yield name, MadeOf((), tuple(sorted(origins)))


def _named_in(expression: str) -> set[str]:
    """Return the columns that an expression of the semantic layer names."""
    from sqlglot import exp, parse_one

    return {column.name for column in parse_one(expression, dialect=DIALECT).find_all(exp.Column)}
