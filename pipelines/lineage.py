"""Which columns a model's column is made of, read from the compiled SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from loupan.settings import Settings
from pipelines import dbt_runner

# column → the (asset key joined by "/", column) pairs it is made of
ColumnLineage = dict[str, list[tuple[str, str]]]

DIALECT = "duckdb"


def asset_key(node: Mapping[str, Any]) -> str:
    """Return the asset key of a manifest node or source, its parts joined by ``/`` (dagster-dbt's own rule)."""
    if node["resource_type"] == "source":
        return f"{node['source_name']}/{node['name']}"
    return f"{node['config']['schema']}/{node['name']}"


def _columns(node: Mapping[str, Any]) -> dict[str, str]:
    # A test holds the documented columns and types equal to the materialised ones.
    return {name: column.get("data_type") or "varchar" for name, column in node["columns"].items()}


def _model_lineage(sql: str, columns: list[str], parents: Mapping[str, Mapping[str, Any]]) -> ColumnLineage:
    """Trace ``columns`` of a SELECT to the columns of its direct parents (relation name → manifest node)."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage
    from sqlglot.optimizer import build_scope
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.schema import MappingSchema

    schema = MappingSchema(dialect=DIALECT)
    keys = {}
    for relation, node in parents.items():
        table = exp.to_table(relation, dialect=DIALECT)
        schema.add_table(table, _columns(node), dialect=DIALECT)
        keys[table.name] = asset_key(node)
    query = qualify(parse_one(sql, dialect=DIALECT), schema=schema, dialect=DIALECT, validate_qualify_columns=False)
    scope = build_scope(query)
    found: ColumnLineage = {}
    for column in columns:
        origins = set()
        try:
            steps = list(lineage(column, query, schema=schema, dialect=DIALECT, scope=scope, copy=False).walk())
        except SqlglotError:
            # A picture of the data's way must not stand in the way of the data.
            steps = []
        for step in steps:
            origin = None if step.downstream else step.expression.find(exp.Table)
            if origin is not None and origin.name in keys:
                origins.add((keys[origin.name], exp.to_column(step.name).name))
        found[column] = sorted(origins)
    return found


@cache
def column_lineage(settings: Settings) -> dict[str, ColumnLineage]:
    """Return the column lineage of every model, by its dbt unique id.

    Computed once per state of the project and kept beside dbt's artifacts: a refresh does not wait for it.
    """
    path = dbt_runner.target_path(settings) / "column_lineage.json"
    manifest = dbt_runner.read_manifest(settings)
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    state = {key: node["checksum"]["checksum"] for key, node in models.items()}
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["state"] == state:
            return stored["models"]
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
