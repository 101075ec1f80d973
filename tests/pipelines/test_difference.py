"""What is known of the difference between warehouse and snapshot, and when nothing is."""

from __future__ import annotations

import duckdb
import pytest

from loupan.marts_file import NO_ROW, Difference
from pipelines import difference
from pipelines.increment import Increment, Step

BUILT = Increment(
    {
        "fct_lead": Step(
            "delete",
            replaced='"customer_id" in (select id from {keys}."key_customer")',
            rows='from {keys}."rows_fct_lead"',
        ),
        "dim_source": Step(replaced=NO_ROW),
        "fct_entry": Step("delete", replaced="true"),
        "stg_lead": Step("create view"),
        "int_lead": Step("delete", replaced="true", rows='from {keys}."rows_int_lead"'),
    },
    1,
)


@pytest.fixture
def warehouse() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("create schema increment; create schema marts; create schema intermediate")
    for relation in (
        "marts.fct_lead",
        "marts.dim_source",
        "marts.fct_entry",
        "marts.dim_plan",
        "intermediate.int_lead",
    ):
        connection.execute(f"create table {relation} as select 7 as id")
    for name in ("fct_lead", "int_lead"):
        connection.execute(f"create table increment.rows_{name} as select 8 as id")
    connection.execute("create table increment.key_customer as select 7 as id")
    connection.execute(
        "create view increment.key_of_all as select 'customer' as table_name, id from (values (7)) v(id)"
    )
    connection.execute("create table increment.lead as select 'a name' as name")
    connection.execute("create table increment.made_anew as select 'fct_entry' as name")
    return connection


def test_nothing_is_known_at_first(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert difference.read(warehouse) is None
    assert difference.forget_published(warehouse) is None


def test_what_a_build_changed_is_known_after_it_without_its_twins(warehouse: duckdb.DuckDBPyConnection) -> None:
    difference.note_published(warehouse, "20260101T000000000000Z")
    assert difference.read(warehouse) is None
    base = difference.forget_published(warehouse)
    assert base == "20260101T000000000000Z"
    difference.note(warehouse, BUILT, base)
    warehouse.execute("drop schema increment cascade")
    # One that turned out to be made anew, and one that says nothing, may differ in all rows.
    assert difference.read(warehouse) == Difference(
        base,
        {
            "fct_lead": '"customer_id" in (select id from {warehouse}.difference."key_customer")',
            "dim_source": NO_ROW,
        },
        {"fct_lead": 'from {warehouse}.difference."rows_fct_lead"'},
    )
    assert warehouse.execute("from difference.rows_fct_lead").fetchall() == [(8,)]
    assert warehouse.execute("from difference.key_customer").fetchall() == [(7,)]
    assert warehouse.execute("from difference.key_of_all").fetchall() == [("customer", 7)]
    kept = warehouse.execute("select table_name from duckdb_tables() where schema_name = 'difference'").fetchall()
    assert not {("lead",), ("rows_int_lead",)} & set(kept)


def test_two_builds_without_publishing_leave_nothing_known(warehouse: duckdb.DuckDBPyConnection) -> None:
    difference.note(warehouse, BUILT, "20260101T000000000000Z")
    assert difference.forget_published(warehouse) is None
    assert difference.read(warehouse) is None


def test_publishing_forgets_the_difference(warehouse: duckdb.DuckDBPyConnection) -> None:
    difference.note(warehouse, BUILT, "20260101T000000000000Z")
    difference.note_published(warehouse, "20260102T000000000000Z")
    assert difference.read(warehouse) is None
    assert difference.forget_published(warehouse) == "20260102T000000000000Z"


def test_marts_that_were_copied_ahead_are_known(warehouse: duckdb.DuckDBPyConnection) -> None:
    difference.note_begun(warehouse, {"fct_lead", "dim_source"})
    assert difference.read(warehouse) == Difference("", {}, begun=frozenset({"fct_lead", "dim_source"}))
    # Another build has changed them.
    assert difference.forget_published(warehouse) is None
    assert difference.read(warehouse) is None


@pytest.mark.parametrize("done", [(), ("fct_lead",)])
def test_of_an_incremental_build_marts_were_written_ahead(
    warehouse: duckdb.DuckDBPyConnection, done: tuple[str, ...]
) -> None:
    difference.note(warehouse, BUILT, "20260101T000000000000Z", done)
    known = difference.read(warehouse)
    assert known is not None
    assert (known.base, known.begun) == ("20260101T000000000000Z", frozenset(done))
    # Aggregates follow from all that changed, but rows are kept for what is still to be written.
    assert known.replaced.keys() == {"dim_source", "fct_lead"}
    assert known.rows.keys() == {"fct_lead"} - set(done)
    kept = warehouse.execute("select table_name from duckdb_tables() where schema_name = 'difference'").fetchall()
    assert (("rows_fct_lead",) in kept) is not bool(done)
