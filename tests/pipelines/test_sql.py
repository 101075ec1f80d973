"""Moments are read from text as the zoned cast of DuckDB reads them, in whatever form they are written."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines import sql

WRITTEN = ("2023-06-30 02:30:54.123456", "1969-12-31 23:59:59.999999", "2024-02-29 00:00:00.000000")


@pytest.fixture(scope="module")
def utc() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


@given(
    written=st.sampled_from(WRITTEN),
    changes=st.lists(st.tuples(st.integers(0, 26), st.sampled_from(["", *"0159 -:.+TZ,é"])), max_size=3),
)
@example(written="2023-06-30T10:30:54+08:00", changes=[])
@example(written="2023-06-30 02:30:54.1+0800", changes=[])
@example(written="2023-06-30", changes=[])
def test_a_moment_is_read_as_the_zoned_cast_reads_it(
    utc: duckdb.DuckDBPyConnection, written: str, changes: list[tuple[int, str]]
) -> None:
    for place, put in changes:
        written = written[:place] + put + written[place + 1 :]
    ours, cast = utc.execute(
        f"select {sql.moment('t')}, try_cast(nullif(t, '') as timestamptz)::timestamp from (select ? as t)", [written]
    ).fetchall()[0]
    assert ours == cast
