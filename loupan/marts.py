"""Compare the marts of two snapshots row by row."""

from __future__ import annotations

import duckdb

from loupan.snapshot import Snapshot

# What a refresh says of itself, not of the company.
_OF_THE_REFRESH = frozenset({"quarantine_row"})


def _tables(connection: duckdb.DuckDBPyConnection, catalogue: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() where database_name = ? and not internal "
        "order by table_name, column_index",
        [catalogue],
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def differing_marts(first: Snapshot, second: Snapshot) -> list[str]:
    """Return the names of the marts that differ between two snapshots, in their columns or in any row.

    Tables that models made (``model_…``) are left out. Floating-point numbers are compared to nine digits: the last
    bits of a sum depend on the order of its rows.
    """
    with duckdb.connect() as connection:
        for name, snapshot in (("first", first), ("second", second)):
            path = str(snapshot.marts_path).replace("'", "''")
            connection.execute(f"attach '{path}' as {name} (read_only)")
        left, right = (
            {table: columns for table, columns in _tables(connection, name).items() if not _is_left_out(table)}
            for name in ("first", "second")
        )
        return sorted(
            table
            for table in left.keys() | right.keys()
            if left.get(table) != right.get(table) or _rows_differ(connection, table, left[table])
        )


def _is_left_out(table: str) -> bool:
    return table in _OF_THE_REFRESH or table.startswith("model_")


def _rows_differ(connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str]) -> bool:
    listed = ", ".join(
        f"printf('%.9g', \"{name}\")" if kind in ("DOUBLE", "FLOAT") else f'"{name}"' for name, kind in columns.items()
    )
    queries = [f'select {listed} from {catalogue}.main."{table}"' for catalogue in ("first", "second")]  # noqa: S608
    for one, other in (queries, queries[::-1]):
        if connection.execute(f"select 1 from ({one} except all {other}) limit 1").fetchall():  # noqa: S608
            return True
    return False
