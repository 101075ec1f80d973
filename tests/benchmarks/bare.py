"""Read and copy every table, then run the compiled models in order: what no design can do without.

``python -m tests.benchmarks.bare CRM WAREHOUSE PLAN [MEMORY]``; a process of its own, so that its start is timed as
well. CRM is the SQLAlchemy URL of the database, PLAN a JSON file with ``tables`` (columns and their types by table),
``as_of`` and ``models`` (relation, kind and compiled SQL, in order), MEMORY what DuckDB may take, as it reads it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb


def _connect(crm: str) -> Any:
    if crm.startswith("sqlite:///"):
        import adbc_driver_sqlite.dbapi as sqlite

        return sqlite.connect(f"file:{crm.removeprefix('sqlite:///')}?mode=ro")
    import adbc_driver_postgresql.dbapi as postgresql

    return postgresql.connect(crm.replace("postgresql+psycopg://", "postgresql://"))


def _selected(crm: str, table: str, columns: dict[str, str]) -> str:
    if not crm.startswith("sqlite:///"):
        names = ", ".join(f'"{column}"' for column in columns)
        return f'select {names} from "{table}"'
    # ADBC takes SQLite's types from the first row: a row of names makes them all text.
    names = ", ".join(f"'{column}' as \"{column}\"" for column in columns)
    values = ", ".join(f'cast("{column}" as text)' for column in columns)
    return f'select {names} union all select {values} from "{table}"'


def main(crm: str, warehouse: str, plan_path: str, memory: str = "") -> None:
    plan = json.loads(Path(plan_path).read_text(encoding="utf-8"))
    with duckdb.connect(warehouse) as connection:
        connection.execute("set disabled_optimizers = 'common_subexpressions'; set TimeZone = 'UTC'")
        if memory:
            connection.execute("set memory_limit = ?", [memory])
        for schema in ("landing", "raw", "staging", "intermediate", "marts"):
            connection.execute(f"create schema {schema}")
        with _connect(crm) as source, source.cursor() as cursor:
            for table, columns in plan["tables"].items():
                cursor.execute(_selected(crm, table, columns))
                connection.register("arrived", cursor.fetch_record_batch())
                is_row = "cast(id as varchar) <> 'id'"
                connection.execute(f'create table landing."{table}" as select * from arrived where {is_row}')
                connection.unregister("arrived")
                typed = ", ".join(f'try_cast("{column}" as {kind}) as "{column}"' for column, kind in columns.items())
                connection.execute(f'create table raw."{table}" as select {typed} from landing."{table}"')
        connection.execute("create table raw.refresh as select cast(? as timestamp) as as_of", [plan["as_of"]])
        for relation, kind, sql in plan["models"]:
            connection.execute(f"create {kind} {relation} as {sql}")


if __name__ == "__main__":
    main(*sys.argv[1:])
