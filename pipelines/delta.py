"""What changed in ``raw`` since the models were last built, so that the next build may build only what follows from it.

The load writes it, in the transaction in which it changes ``raw``:

- ``delta.<table>``, for every table of the contract: the columns of ``raw.<table>`` and ``is_old``. A row that left
  ``raw.<table>`` is there with true, one that entered it with false; an updated row is both. Loads add up.
- ``delta.whole``: tables of which it is not known which rows changed.

A build that succeeded clears both, and notes in ``delta.built`` what it was made from, in one transaction. Without that
note the next build is a full one. A build that failed or was killed clears nothing: the next one applies the same
changes again, which does no harm.
"""

# ruff: noqa: S608 - names in the SQL are quoted by pipelines.sql

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from pipelines import sql
from pipelines.contract import Contract, Table

SCHEMA = "delta"
IS_OLD = "is_old"


@dataclass(frozen=True)
class Built:
    """What the models as they stand in the warehouse were made from."""

    as_of: dt.datetime  # naive UTC
    recipe: str  # text that differs where models or settings would give other rows


def create_tables(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Make the tables that are not there yet; part of the caller's transaction, before anything of ``raw`` is changed.

    A table of other columns than the contract's is made anew and noted as changed as a whole. Tables that the contract
    does not name any more are dropped.
    """
    _create_built(connection)
    connection.execute(f"create table if not exists {SCHEMA}.whole (table_name varchar primary key)")
    present: dict[str, list[tuple[str, str]]] = {}
    for table_name, column, data_type in connection.execute(
        "select table_name, column_name, data_type from information_schema.columns "
        "where table_catalog = current_database() and table_schema = ? order by table_name, ordinal_position",
        [SCHEMA],
    ).fetchall():
        present.setdefault(table_name, []).append((column, data_type))
    for table in contract.tables:
        wanted = [*((column.name, column.data_type) for column in table.columns), (IS_OLD, "BOOLEAN")]
        if present.get(table.name) == wanted:
            continue
        if table.name in present:
            mark_whole(connection, [table.name])
        columns = ", ".join(f"{sql.name(name)} {data_type}" for name, data_type in wanted)
        connection.execute(f"create or replace table {_name(table)} ({columns})")
    for gone in present.keys() - contract.by_name.keys() - {"whole", "built"}:
        connection.execute(f"drop table {sql.name(SCHEMA, gone)}")
        # What was built from it may still stand.
        forget_built(connection)


def mark_whole(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """Note that it is not known which rows of these tables changed; part of the caller's transaction."""
    for table in tables:
        connection.execute(f"insert or ignore into {SCHEMA}.whole values (?)", [table])


def forget_built(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the next build a full one; part of the caller's transaction."""
    _create_built(connection)
    connection.execute(f"delete from {SCHEMA}.built")


def _create_built(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"create schema if not exists {SCHEMA}")
    connection.execute(f"create table if not exists {SCHEMA}.built (as_of timestamp, recipe varchar)")


def read_built(connection: duckdb.DuckDBPyConnection) -> Built | None:
    """Return what the models were last built from, None if that is not known."""
    rows = connection.execute(f"select as_of, recipe from {SCHEMA}.built").fetchall()
    return Built(*rows[0]) if len(rows) == 1 else None


def changed_tables(connection: duckdb.DuckDBPyConnection, contract: Contract) -> set[str]:
    """Return the tables of which any row may have changed since the last build."""
    counted = " union all ".join(
        f"select {sql.literal(table.name)} as table_name where exists (from {_name(table)})"
        for table in contract.tables
    )
    return {
        name for (name,) in connection.execute(f"{counted} union all select table_name from {SCHEMA}.whole").fetchall()
    }


def whole_tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the tables of which it is not known which rows changed."""
    return {name for (name,) in connection.execute(f"select table_name from {SCHEMA}.whole").fetchall()}


def note_built(connection: duckdb.DuckDBPyConnection, contract: Contract, built: Built) -> None:
    """Clear all changes and note what the models are made from now, in a transaction of its own."""
    connection.execute("begin")
    for table in contract.tables:
        connection.execute(f"truncate {_name(table)}")
    connection.execute(f"truncate {SCHEMA}.whole")
    connection.execute(f"truncate {SCHEMA}.built")
    connection.execute(f"insert into {SCHEMA}.built values (?, ?)", [built.as_of, built.recipe])
    connection.execute("commit")


def _name(table: Table) -> str:
    return sql.name(SCHEMA, table.name)
