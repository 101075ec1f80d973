"""Compare the marts of two warehouses: all tables, columns and rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

# Sums of floating-point numbers depend on the order in which their parts come; all else is exact.
RELATIVE = 1e-9


def _columns(warehouse: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, data_type in warehouse.execute(
        "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'marts' "
        "order by table_name, column_index"
    ).fetchall():
        found.setdefault(table, []).append((column, data_type))
    return found


def _rows(warehouse: duckdb.DuckDBPyConnection, table: str, columns: list[tuple[str, str]]) -> list[tuple[Any, ...]]:
    # What is exact decides on the order, so that equal rows stand at equal places.
    exact = [f'"{name}"' for name, data_type in columns if data_type != "DOUBLE"]
    inexact = [f'"{name}"' for name, data_type in columns if data_type == "DOUBLE"]
    return warehouse.execute(f'select * from marts."{table}" order by {", ".join(exact + inexact)}').fetchall()


def assert_equal_marts(ours: Path, expected: Path) -> int:
    """Compare two warehouse files; return the number of rows compared."""
    compared = 0
    with (
        duckdb.connect(str(ours), read_only=True) as mine,
        duckdb.connect(str(expected), read_only=True) as theirs,
    ):
        tables = _columns(theirs)
        assert _columns(mine) == tables
        for table, columns in tables.items():
            got, wanted = _rows(mine, table, columns), _rows(theirs, table, columns)
            assert len(got) == len(wanted), table
            for row, other in zip(got, wanted, strict=True):
                for value, expected_value, (column, data_type) in zip(row, other, columns, strict=True):
                    close = (
                        pytest.approx(expected_value, rel=RELATIVE, abs=1e-12)
                        if data_type == "DOUBLE" and expected_value is not None
                        else expected_value
                    )
                    assert value == close, f"{table}.{column}: {row} instead of {other}"
            compared += len(wanted)
    return compared
