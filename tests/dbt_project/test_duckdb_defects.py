"""Wrong results of DuckDB that we work around; each test says when its workaround can go."""

from __future__ import annotations

import duckdb


def test_two_intervals_on_one_column_still_come_out_equal() -> None:
    """When this fails, `disabled_optimizers` can go from the dbt profile and from every connection of ours."""
    question = "select x + interval 30 day, x + interval 1 month from t"
    with duckdb.connect() as connection:
        connection.execute("create table t as select timestamp '2026-01-15' + to_days(i::int) as x from range(10) r(i)")
        assert all(days == month for days, month in connection.execute(question).fetchall()), "DuckDB is mended"
        connection.execute("set disabled_optimizers = 'common_subexpressions'")
        assert all(days != month for days, month in connection.execute(question).fetchall())
