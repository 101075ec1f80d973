"""Three companies of one size in one snapshot, for scales whose company takes too long to make."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb

from loupan import aggregates
from loupan.snapshot import AGGREGATES_FILE, MARTS_FILE, SEMANTIC_MANIFEST_FILE, Snapshot

COMPANIES = 3
_APART = 10_000_000_000
# Catalogues of codes: companies of one group have them in common.
_SHARED = {
    "dim_source": "source_id",
    "dim_reason": "reason_id",
    "dim_competitor": "competitor_project_id",
    "dim_expense_category": "expense_category_id",
    "dim_demand_category": "demand_category_id",
    "dim_fee_type": "fee_type_id",
    "time_spine_day": "",
}
_SHARED_KEYS = {*_SHARED.values(), "counted_category_id", "feature_id", "survey_id", "survey_question_id",
                "customer_class_id", "parent_id"}  # fmt: skip
# Names by which pages cut; two companies have no estate, person, plan or activity in common.
_NAMES = {"project_name", "employee_number", "department_name", "plan_name", "activity_name"}


def tripled(one: Snapshot, folder: Path) -> Snapshot:
    """Return a snapshot, made in a folder, of three companies like that of another; one made before stands.

    Keys, and the names of what only one company has, differ between the three; codes and days are the same. What
    models of statistics found is that of the first. Aggregates are of the three together, as publishing makes them.
    """
    three = Snapshot(one.version, folder / one.version)
    if three.path.exists():
        return three
    building = folder / f".building-{one.version}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    told = json.loads(one.aggregates_path.read_text(encoding="utf-8"))
    with duckdb.connect(
        str(building / MARTS_FILE),
        config={"disabled_optimizers": "common_subexpressions", "memory_limit": "4GB", "threads": 2},
    ) as connection:
        connection.execute(f"attach '{one.marts_path}' as one (read_only)")
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'one' order by table_name"
        ).fetchall()
        for (table,) in tables:
            if table not in aggregates.tables_of(told):
                _copy(connection, table)
        connection.execute("detach one")
        manifest = json.loads(one.semantic_manifest_path.read_text(encoding="utf-8"))
        made = aggregates.make(connection, manifest, told["cut"])
    (building / AGGREGATES_FILE).write_text(json.dumps(made), encoding="utf-8")
    for name in (SEMANTIC_MANIFEST_FILE, "report.json"):
        shutil.copy(one.path / name, building / name)
    building.rename(three.path)
    return three


def _copy(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    columns: list[Any] = connection.execute(
        "select column_name, data_type from duckdb_columns() where database_name = 'one' and table_name = ? "
        "order by column_index",
        [table],
    ).fetchall()
    times = 1 if table in _SHARED or table.startswith(("model_", "quarantine_")) else COMPANIES
    selects = [
        f"select {', '.join(_of_company(name, data_type, number) for name, data_type in columns)} from one.main.{table}"
        for number in range(times)
    ]
    connection.execute(f"create table main.{table} as {' union all '.join(selects)}")


def _of_company(column: str, data_type: str, number: int) -> str:
    is_key = column.endswith(("_id", "_key")) and column not in _SHARED_KEYS
    if not number or not (is_key or column in _NAMES):
        return f'"{column}"'
    other = (
        f"\"{column}\" || ' {chr(ord('A') + number)}'" if data_type == "VARCHAR" else f'"{column}" + {number * _APART}'
    )
    return f'{other} as "{column}"'
