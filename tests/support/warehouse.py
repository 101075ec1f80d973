"""A warehouse in memory: raw tables from literal rows, and every dbt model built on them without a dbt run.

The SQL is dbt's own, compiled once per test run. A build of all models takes about a second, so property tests can
compare the marts of many random CRMs.

    warehouse = Warehouse()
    warehouse.load({"lead": [{"id": 1, ...}]}, as_of="2026-01-31 16:00:00")
    warehouse.build()
    warehouse.rows("select * from marts.fct_lead")
    warehouse.query(["conversion_rate"], by=["source_key__source"])
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import yaml

from tests.support.shared import made_once

PROJECT_DIR = Path(__file__).parents[2] / "dbt_project"


@functools.cache
def sources() -> dict[str, dict[str, str]]:
    """Columns and DuckDB types of every raw table, from the dbt sources: ``{table: {column: type}}``."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(PROJECT_DIR.glob("models/staging/*/_sources.yml")):
        for source in yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]:
            for table in source["tables"]:
                found[table["name"]] = {column["name"]: column["data_type"] for column in table["columns"]}
    return found


# What the CRM itself fills in where a row leaves it out.
DEFAULTS: dict[str, dict[str, Any]] = {
    "payment": {"is_void": False},
    "fee_payment": {"is_void": False},
    "feature": {"is_multi": False},
    "customer": {"kind": "person"},
    "unit": {"status": "available"},
    "source": {"market_type": "other"},
}


@dataclass(frozen=True)
class Model:
    """What it takes to make a model without dbt."""

    name: str
    schema: str
    alias: str
    kind: str  # view or table
    sql: str


@dataclass(frozen=True)
class Compiled:
    """What one dbt compile yields: the models in the order of the graph, and both manifests as JSON text."""

    models: list[Model]
    semantic_json: str
    manifest_json: str


@functools.cache
def manifest(time_zone: str = "Asia/Shanghai") -> Compiled:
    """dbt's models with compiled SQL for an in-memory DuckDB; compiled once per test run."""
    folder = made_once(f"compiled-{time_zone.replace('/', '-')}", functools.partial(_compile, time_zone))
    return Compiled(
        models=[Model(**model) for model in json.loads((folder / "models.json").read_text(encoding="utf-8"))],
        semantic_json=(folder / "semantic_manifest.json").read_text(encoding="utf-8"),
        manifest_json=(folder / "manifest.json").read_text(encoding="utf-8"),
    )


def _compile(time_zone: str, target: Path) -> None:
    from dbt.cli.main import dbtRunner

    options = [f"--{name}-dir={PROJECT_DIR}" for name in ("project", "profiles")]
    options += [f"--{name}-path={target}" for name in ("target", "log")]
    before = os.environ.get("LOUPAN_WAREHOUSE_PATH")
    os.environ["LOUPAN_WAREHOUSE_PATH"] = ":memory:"
    try:
        result = dbtRunner().invoke(
            ["compile", "--quiet", "--no-partial-parse", *options, "--vars", f"{{time_zone: {time_zone}}}"]
        )
    finally:
        if before is None:
            del os.environ["LOUPAN_WAREHOUSE_PATH"]
        else:
            os.environ["LOUPAN_WAREHOUSE_PATH"] = before
    if not result.success:
        failed = [f"{r.node.name}: {r.message}" for r in getattr(result.result, "results", []) if r.message]
        raise RuntimeError(f"dbt compile failed: {result.exception or failed}")
    compiled = {r.node.unique_id: r.node for r in result.result.results if r.node.resource_type == "model"}
    models = [
        Model(
            node.name,
            node.schema,
            node.alias,
            "view" if node.config.materialized == "view" else "table",
            node.compiled_code,
        )
        for node in ordered(compiled)
    ]
    (target / "models.json").write_text(json.dumps([asdict(model) for model in models]), encoding="utf-8")


def ordered(nodes: Mapping[str, Any]) -> list[Any]:
    """The models, each after those it reads."""
    done: dict[str, Any] = {}

    def visit(key: str) -> None:
        if key in nodes and key not in done:
            for parent in nodes[key].depends_on.nodes:
                visit(parent)
            done[key] = nodes[key]

    for key in nodes:
        visit(key)
    return list(done.values())


class Warehouse:
    """A DuckDB in memory with the raw schema and, after :meth:`build`, every model."""

    def __init__(self, connection: duckdb.DuckDBPyConnection | None = None, time_zone: str = "Asia/Shanghai") -> None:
        self.con = connection or duckdb.connect(":memory:")
        self.time_zone = time_zone
        self.con.execute("set disabled_optimizers = 'common_subexpressions'; set TimeZone = 'UTC'")
        self.create()

    def create(self) -> None:
        """(Re)create the raw schema with every table of the dbt sources, empty."""
        self.con.execute("create schema if not exists raw")
        for table, columns in sources().items():
            listed = ", ".join(f'"{name}" {data_type}' for name, data_type in columns.items())
            self.con.execute(f"create or replace table raw.{table} ({listed})")

    def load(self, tables: Mapping[str, Iterable[Mapping[str, Any]] | pd.DataFrame], as_of: dt.datetime | str) -> None:
        """Replace the raw rows. Columns a row does not name are NULL; an unknown table or column raises KeyError."""
        self.create()
        self.con.execute("insert into raw.refresh values (?)", [as_of])
        for table, rows in tables.items():
            columns = sources()[table]
            if isinstance(rows, pd.DataFrame):
                self._insert_frame(table, rows)
                continue
            filled = [{**DEFAULTS.get(table, {}), **row} for row in rows]
            for row in filled:
                if unknown := set(row) - set(columns):
                    raise KeyError(f"{table} has no column {sorted(unknown)}")
            if filled:
                names = sorted({name for row in filled for name in row})
                marks = ", ".join(f"cast(? as {columns[name]})" for name in names)
                listed = ", ".join(f'"{name}"' for name in names)
                self.con.executemany(
                    f"insert into raw.{table} ({listed}) values ({marks})",
                    [[row.get(name) for name in names] for row in filled],
                )

    def _insert_frame(self, table: str, frame: pd.DataFrame) -> None:
        columns = sources()[table]
        if unknown := set(frame.columns) - set(columns):
            raise KeyError(f"{table} has no column {sorted(unknown)}")
        listed = ", ".join(f'"{name}"' for name in frame.columns)
        values = ", ".join(f'cast("{name}" as {columns[name]})' for name in frame.columns)
        self.con.register("frame_to_load", frame)
        self.con.execute(f"insert into raw.{table} ({listed}) select {values} from frame_to_load")
        self.con.unregister("frame_to_load")

    def build(self) -> None:
        """Build every model in the order of the graph; an error names the model."""
        models = manifest(self.time_zone).models
        for schema in sorted({model.schema for model in models}):
            self.con.execute(f"create schema if not exists {schema}")
        for model in models:
            try:
                self.con.execute(f"create or replace {model.kind} {model.schema}.{model.alias} as {model.sql}")
            except duckdb.Error as error:
                raise RuntimeError(f"{model.name}: {error}") from error

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.con.execute(sql, list(parameters)).fetchall()

    def frame(self, sql: str) -> pd.DataFrame:
        """The result of a query as a data frame."""
        return self.con.execute(sql).df()

    def query(
        self, metrics: Sequence[str], by: Sequence[str] = (), where: Sequence[str] = (), **options: Any
    ) -> pd.DataFrame:
        """Ask MetricFlow for metrics, in its own names (``lead_key__source``, ``metric_time__month``)."""
        return self.con.execute(self.explain(metrics, by, where, **options)).df()

    def explain(self, metrics: Sequence[str], by: Sequence[str] = (), where: Sequence[str] = (), **options: Any) -> str:
        """The SQL that MetricFlow compiles for such a query."""
        from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

        request = MetricFlowQueryRequest.create(
            metric_names=list(metrics), group_by_names=list(by), where_constraints=list(where) or None, **options
        )
        return semantic_engine(self.time_zone).explain(request).sql_statement.sql


@functools.cache
def semantic_engine(time_zone: str = "Asia/Shanghai") -> Any:
    """A MetricFlow engine that compiles for DuckDB and never connects to anything."""
    from metricflow.engine.metricflow_engine import MetricFlowEngine
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
    from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    class Renderer:
        """The part of a SqlClient that compiling needs."""

        sql_engine_type = SqlEngine.DUCKDB
        sql_plan_renderer = DuckDbSqlPlanRenderer()

    lookup = SemanticManifestLookup(parse_manifest_from_dbt_generated_manifest(manifest(time_zone).semantic_json))
    return MetricFlowEngine(semantic_manifest_lookup=lookup, sql_client=Renderer())  # type: ignore[arg-type]
