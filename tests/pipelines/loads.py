"""A small contract, CRMs of it without any constraint, and comparison of warehouses, for the tests of the load."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa

from pipelines.contract import Column, Contract, Table
from pipelines.ingest import IngestReport, ingest

AS_OF = dt.datetime(2025, 6, 1)


def table(name: str, *columns: Column, checks: tuple[tuple[str, str], ...] = ()) -> Table:
    """A table with the columns that every table of the CRM has."""
    return Table(
        name=name,
        key="id",
        cursor="updated_at",
        columns=(
            Column("id", "BIGINT", required=True),
            *columns,
            Column("updated_at", "TIMESTAMP"),
            Column("deleted_at", "TIMESTAMP"),
        ),
        checks=checks,
    )


CONTRACT = Contract(
    (
        table(
            "customer",
            Column("kind", "VARCHAR", required=True, accepted_values=("person", "company")),
            Column("merged_into_id", "BIGINT", references="customer"),
            Column("birth_on", "DATE"),
            checks=(("not_merged_into_itself", "merged_into_id <> id"),),
        ),
        table("employee", Column("number", "VARCHAR", required=True, unique=True), Column("name", "VARCHAR")),
        table(
            "lead",
            Column("customer_id", "BIGINT", required=True, references="customer"),
            Column("employee_id", "BIGINT", references="employee"),
            Column("opened_at", "TIMESTAMP", required=True),
        ),
        table(
            "payment",
            Column("lead_id", "BIGINT", required=True, references="lead"),
            Column("amount", "DECIMAL(18,2)", required=True),
            Column("rating", "INTEGER"),
            Column("is_void", "BOOLEAN"),
            Column("from_on", "DATE"),
            Column("to_on", "DATE"),
            checks=(("dates_in_order", "to_on >= from_on"), ("rating_is_1_to_5", "rating BETWEEN 1 AND 5")),
        ),
    )
)

GOOD: dict[str, dict[str, Any]] = {
    "customer": {"kind": "person"},
    "employee": {"number": None, "name": '王小明 "O\'Neil" 🏠'},
    "lead": {"customer_id": 1, "opened_at": "2024-03-01 10:00:00"},
    "payment": {"lead_id": 1, "amount": "1234567.89"},
}


class LooseCrm:
    """A CRM whose tables hold any text and keep no rule; keys may be declared as numbers, as in our own."""

    def __init__(self, url: str, keys: type[sa.types.TypeEngine[Any]] = sa.Text) -> None:
        self.url = url
        self.engine = sa.create_engine(url)
        self.metadata = sa.MetaData()
        for described in CONTRACT.tables:
            sa.Table(
                described.name,
                self.metadata,
                *(sa.Column(c.name, keys if c.name == "id" else sa.Text) for c in described.columns),
            )
        self.metadata.create_all(self.engine)
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                connection.exec_driver_sql("pragma journal_mode = wal")

    def insert(self, table_name: str, key: Any, *, at: str | None = "2024-05-01 00:00:00", **values: Any) -> None:
        """Insert a row that keeps all rules but for the values given."""
        row = {**GOOD[table_name], "id": key, "updated_at": at, **values}
        if table_name == "employee" and row["number"] is None:
            row["number"] = f"E{key}"
        with self.engine.begin() as connection:
            connection.execute(
                self.metadata.tables[table_name].insert(),
                {column: None if value is None else str(value) for column, value in row.items()},
            )

    def update(self, table_name: str, key: Any, *, at: str | None, **values: Any) -> None:
        """Update the rows of a key."""
        target = self.metadata.tables[table_name]
        with self.engine.begin() as connection:
            connection.execute(target.update().where(target.c.id == str(key)).values(updated_at=at, **values))

    def delete(self, table_name: str, key: Any) -> None:
        """Delete the rows of a key."""
        target = self.metadata.tables[table_name]
        with self.engine.begin() as connection:
            connection.execute(target.delete().where(target.c.id == str(key)))

    def execute(self, statement: str) -> None:
        """Run any SQL."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement)


def load(
    url: str,
    warehouse: Path,
    *,
    contract: Contract = CONTRACT,
    full: bool = False,
    patience: float = 60,
    reading: Callable[[], None] = lambda: None,
) -> IngestReport:
    """Ingest with the settings of the tests."""
    return ingest(
        contract, url, warehouse, as_of=AS_OF, full=full, overlap_minutes=15, patience=patience, reading=reading
    )


def rows(warehouse: Path, query: str) -> list[tuple[Any, ...]]:
    """Query a warehouse."""
    with duckdb.connect(str(warehouse)) as connection:
        return connection.execute(query).fetchall()


def contents(warehouse: Path, contract: Contract = CONTRACT) -> dict[str, Counter[tuple[Any, ...]]]:
    """All that a load leaves for others, as multisets of rows."""
    with duckdb.connect(str(warehouse)) as connection:
        found = {
            f"{schema}.{described.name}": Counter(
                connection.execute(f'select * from {schema}."{described.name}"').fetchall()
            )
            for schema in ("landing", "raw", "quarantine")
            for described in contract.tables
        }
        for name in ("raw.refresh", "quarantine.quarantine_row"):
            found[name] = Counter(connection.execute(f"select * from {name}").fetchall())
    return found


def sums(warehouse: Path) -> set[tuple[Any, ...]]:
    """What is kept of all that landed: table, and numbers of rows, of keys, and of keys and cursors."""
    return set(rows(warehouse, "select table_name, row_count, key_sum, cursor_sum from ingest.table_state"))


def broken_rules(warehouse: Path) -> set[tuple[str, str, str, str]]:
    """(table, key, column, rule) of everything in quarantine."""
    return set(rows(warehouse, "select table_name, row_key, column_name, rule from quarantine.quarantine_row"))


def accepted(warehouse: Path, table_name: str) -> set[int]:
    """Keys of the live rows of a raw table."""
    return {key for (key,) in rows(warehouse, f"select id from raw.{table_name} where deleted_at is null")}
