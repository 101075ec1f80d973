"""Two tables hold the same rows, to the last bit."""

from __future__ import annotations

import duckdb


def assert_same_rows(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> None:
    """Compare two relations in both directions, rows that stand in them more than once included."""
    for left, right in ((one, other), (other, one)):
        rows = connection.execute(f"from {left} except all from {right}").fetchmany(3)
        assert rows == [], f"{left} holds rows that {right} does not: {rows}"
