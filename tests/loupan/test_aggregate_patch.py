"""Aggregates that are brought up to date by what changed rows come to are those that are made anew."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loupan import aggregate_patch, aggregates
from loupan.marts_file import NO_ROW, Difference
from loupan.metrics import Metrics
from loupan.settings import Settings
from loupan.snapshot import current, publish
from tests.support.aggregates import assert_aggregates_as_made_anew
from tests.support.installation import sample_installation
from tests.support.same_rows import assert_same_rows

CUSTOMERS = "(1, 'Shanghai'), (2, 'Suzhou'), (3, null)"
# Of a sale: key, customer, estate, day, amount, whether it was large, feature, thing.
SALES = """
    (1, 1, 10, date '2026-03-05', 100.10, true, 'view', 7),
    (2, 1, 10, date '2026-03-25', null, false, 'view', 8),
    (3, 2, 20, date '2026-03-05', 0.01, null, 'view', 9),
    (4, 3, null, date '2026-04-05', null, true, 'size', 9),
    (5, 9, 20, date '2026-04-05', -5, true, 'size', 7)
"""
SOLD, STAYED = "sale_id in (1, 2)", {"fct_sale": NO_ROW, "dim_customer": NO_ROW}


def manifest(*declared: dict[str, Any]) -> dict[str, Any]:
    """A semantic manifest of sales by customers, with aggregates."""

    def relation(table: str) -> dict[str, str]:
        return {"alias": table, "relation_name": f'"marts"."main"."{table}"'}

    def measure(name: str, agg: str, expr: str) -> dict[str, Any]:
        return {"name": name, "agg": agg, "expr": expr, "agg_time_dimension": None}

    return {
        "semantic_models": [
            {
                "name": "customer",
                "node_relation": relation("dim_customer"),
                "entities": [{"name": "customer_key", "type": "primary", "expr": "customer_id"}],
                "dimensions": [{"name": "city", "type": "categorical", "expr": None}],
                "measures": [],
            },
            {
                "name": "sale",
                "config": {"meta": {"aggregates": list(declared)}},
                "defaults": {"agg_time_dimension": "sold_on"},
                "node_relation": relation("fct_sale"),
                "entities": [
                    {"name": "sale_key", "type": "primary", "expr": "sale_id"},
                    {"name": "customer_key", "type": "foreign", "expr": "customer_id"},
                    {"name": "project_key", "type": "foreign", "expr": "project_id"},
                ],
                "dimensions": [
                    {"name": "sold_on", "type": "time", "type_params": {"time_granularity": "day"}},
                    {"name": "feature", "type": "categorical", "expr": None},
                ],
                "measures": [
                    measure("sales", "sum", "1"),
                    measure("amount", "sum", "amount"),
                    measure("large_sales", "sum_boolean", "is_large"),
                    measure("things", "count_distinct", "thing"),
                    measure("large_things", "count_distinct", "case when is_large then thing end"),
                ],
            },
        ],
        "metrics": [],
    }


ADDED = manifest({"by": ["project_key"]})
JOINED = manifest({"by": ["project_key", "city"]})
BY_ROW = manifest({"by": ["project_key", "city"], "by_row": True})
DISTINCT = manifest({"by": ["project_key"], "distinct": "thing"})
WITHIN = manifest({"by": ["feature"], "distinct": "thing", "within": ["feature"]})
ALL = (ADDED, JOINED, BY_ROW, DISTINCT, WITHIN)
TABLE = "aggregate_sale_1"

Change = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Change:
    """Make the aggregates of one manifest, change the marts, bring them up to date, and compare.

    Returns the rows of the aggregate, without what only keeping it up to date needs. ``replaced`` are conditions of the
    rows that changed; ``reason`` is why the table is made anew, if it is.
    """
    for name, value in {"_LARGE": 0, "_MOST_ROWS": 1.0}.items():
        monkeypatch.setattr(aggregate_patch, name, value)
    caplog.set_level(logging.DEBUG, "loupan.aggregates")

    def changed(
        declared: dict[str, Any],
        *statements: str,
        replaced: dict[str, str],
        cuts: tuple[int | None, int | None] = (None, None),
        reason: str = "",
        now_declared: dict[str, Any] | None = None,
        spoil: str = "",
    ) -> list[tuple[Any, ...]]:
        folders = [tmp_path / name for name in ("before", "after")]
        for folder in folders:
            folder.mkdir()
        before, after = (folder / "marts.duckdb" for folder in folders)
        with duckdb.connect(str(before)) as connection:
            connection.execute(f"create table dim_customer as from (values {CUSTOMERS}) as t (customer_id, city)")
            connection.execute(
                f"create table fct_sale as from (values {SALES}) "
                "as t (sale_id, customer_id, project_id, sold_on, amount, is_large, feature, thing)"
            )
            aggregates.make(connection, declared, cuts[0])
            connection.execute(spoil or "select 1")
        shutil.copyfile(before, after)
        caplog.clear()
        now = now_declared or declared
        with duckdb.connect(str(after)) as connection:
            for statement in statements:
                assert connection.execute(statement).fetchall() != [(0,)]
            connection.execute(f"attach '{before}' as before (read_only)")
            made = aggregates.make(connection, now, cuts[1], aggregates.Before("before", replaced))
            connection.execute("attach ':memory:' as anew; use anew")
            assert made == aggregates.make(connection, now, cuts[1])
            connection.execute("use marts")
            tables = aggregates.tables_of(made)
            for table in tables:
                assert_same_rows(connection, f"marts.{table}", f"anew.{table}")
                patched, anew = (
                    connection.execute(f"describe {name}.{table}").fetchall() for name in ("marts", "anew")
                )
                assert patched == anew
            rows = connection.execute(f"select columns('^[^_]') from {TABLE} order by all").fetchall()
        for folder in folders:
            shutil.rmtree(folder)
        assert caplog.messages == ([f"{table} is made anew: {reason}" for table in tables] if reason else [])
        return rows

    return changed


def test_sums_change_and_rows_without_any_part_go(change: Change) -> None:
    rows = change(
        ADDED,
        "update fct_sale set amount = 50 where sale_id = 1",
        "delete from fct_sale where sale_id = 3",
        replaced={"fct_sale": "sale_id in (1, 3)", "dim_customer": NO_ROW},
    )
    assert [row[1:4] for row in rows] == [(10, 2, 50), (20, 1, -5), (None, 1, None)]


def test_a_sum_of_no_value_is_null_again(change: Change) -> None:
    gone = "update fct_sale set amount = null where sale_id = 1"
    replaced = {"fct_sale": SOLD, "dim_customer": NO_ROW}
    assert change(ADDED, gone, replaced=replaced)[0][1:4] == (10, 2, None)
    come = "update fct_sale set amount = 0 where sale_id = 2"
    assert change(ADDED, gone, come, replaced=replaced)[0][1:4] == (10, 2, 0)


def test_nothing_is_added_to_a_table_of_the_same_rows(change: Change) -> None:
    for declared in ALL:
        assert change(declared, replaced=STAYED)
        assert change(declared, replaced={"fct_sale": "true", "dim_customer": "true"})


def test_keys_may_be_null(change: Change) -> None:
    rows = change(
        JOINED,
        "update fct_sale set project_id = null where sale_id = 5",
        replaced={"fct_sale": "sale_id = 5", "dim_customer": NO_ROW},
    )
    assert [row[1:4] for row in rows if row[1] is None] == [(None, None, 2)]


def test_a_joined_row_takes_those_that_it_is_joined_with_along(change: Change) -> None:
    for declared in (JOINED, BY_ROW):
        rows = change(
            declared,
            "update dim_customer set city = 'Wuxi' where customer_id = 1",
            "insert into dim_customer values (9, 'Ningbo')",
            "delete from dim_customer where customer_id = 2",
            replaced={"fct_sale": NO_ROW, "dim_customer": "customer_id in (1, 2, 9)"},
        )
        cities = {row[2] for row in rows}
        assert cities == {"Wuxi", "Ningbo", None}


def test_a_thing_becomes_one_of_several_and_single_again(change: Change) -> None:
    replaced = {"fct_sale": "sale_id = 2", "dim_customer": NO_ROW}
    # Thing 8 stood alone; now 7 stands in three rows.
    several = "update fct_sale set thing = 7 where sale_id = 2"
    rows = change(DISTINCT, several, replaced=replaced)
    assert sum(row[5] or 0 for row in rows) == 0
    # 9 and 7 stood in two rows; without row 5, 7 stands in one.
    rows = change(
        DISTINCT, "delete from fct_sale where sale_id = 5", replaced={"fct_sale": "sale_id = 5", "dim_customer": NO_ROW}
    )
    assert sum(row[5] or 0 for row in rows) == 2
    # Within a feature, each stands in one row until it moves.
    assert sum(row[5] or 0 for row in change(WITHIN, several, replaced=replaced)) == 3
    assert sum(row[5] or 0 for row in change(WITHIN, replaced=replaced)) == 5


def test_things_may_be_null(change: Change) -> None:
    for sales in (1, 2):
        which = f"sale_id <= {sales}"
        change(
            DISTINCT,
            f"update fct_sale set thing = null where {which}",
            replaced={"fct_sale": which, "dim_customer": NO_ROW},
        )


def test_another_cut_moves_the_days_between(change: Change) -> None:
    for declared in ALL:
        for cuts in ((4, 5), (5, 4), (24, None), (None, 4)):
            change(declared, replaced=STAYED, cuts=cuts)
    rows = change(ADDED, "delete from fct_sale where sale_id = 3", replaced={"fct_sale": "sale_id = 3"}, cuts=(4, 24))
    assert [str(row[0]) for row in rows] == ["2026-03-01", "2026-03-31", "2026-04-01", "2026-04-01"]


def test_a_fact_that_was_made_anew_is_compared(change: Change) -> None:
    declared = manifest(*(found for one in ALL for found in one["semantic_models"][1]["config"]["meta"]["aggregates"]))
    statements = (
        "create or replace table fct_sale as select * replace (sale_id % 2 = 1 as is_large) from fct_sale "
        "where sale_id <> 1 order by sale_id desc",
        "insert into fct_sale values (6, 2, 20, date '2026-04-30', 1, true, 'view', 7)",
    )
    assert change(declared, *statements, replaced={"dim_customer": NO_ROW})
    twice = (*statements, "insert into fct_sale from fct_sale where sale_id = 2")
    reason = "rows of fct_sale cannot be told apart by sale_id"
    assert change(declared, *twice, replaced={"dim_customer": NO_ROW}, reason=reason)


@pytest.mark.parametrize(
    ("declared", "statements", "replaced", "reason"),
    [
        (ADDED, (), {"dim_customer": NO_ROW}, "it is not known which rows of fct_sale differ"),
        (JOINED, (), {"fct_sale": NO_ROW}, "it is not known which rows of dim_customer differ"),
        (
            BY_ROW,
            ("insert into fct_sale from fct_sale where sale_id = 1",),
            {"fct_sale": "sale_id = 1", "dim_customer": NO_ROW},
            "",
        ),
        (
            ADDED,
            ("alter table fct_sale alter amount type decimal(20, 4)",),
            {"fct_sale": SOLD, "dim_customer": NO_ROW},
            "fct_sale has other columns than before",
        ),
    ],
)
def test_in_doubt_it_is_made_anew(
    change: Change, declared: dict[str, Any], statements: tuple[str, ...], replaced: dict[str, str], reason: str
) -> None:
    change(declared, *statements, replaced=replaced, reason=reason)


@pytest.mark.parametrize(("name", "value", "reason"), [("_LARGE", 6, "it is small"), ("_MOST_ROWS", 0.3, "too many")])
def test_where_it_costs_less_it_is_made_anew(
    change: Change, monkeypatch: pytest.MonkeyPatch, name: str, value: float, reason: str
) -> None:
    monkeypatch.setattr(aggregate_patch, name, value)
    reason = "too many rows of fct_sale may differ" if reason == "too many" else reason
    change(ADDED, replaced={"fct_sale": SOLD, "dim_customer": NO_ROW}, reason=reason)
    # What nothing changed of stays in any case.
    change(ADDED, replaced=STAYED)


@pytest.mark.parametrize(
    "spoil",
    [
        f"comment on table {TABLE} is null; drop table {TABLE}",
        f"comment on table {TABLE} is 'of yesterday'",
        f"""comment on table {TABLE} is '{json.dumps({"definition": "another", "cut": None})}'; delete from {TABLE}""",
    ],
)
def test_what_is_not_known_to_be_of_the_same_definition_is_made_anew(change: Change, spoil: str) -> None:
    assert len(change(ADDED, replaced=STAYED, spoil=spoil)) == 4


def test_another_definition_is_made_anew(change: Change) -> None:
    assert len(change(ADDED, replaced=STAYED, now_declared=WITHIN)) == 2


def test_rows_that_the_fact_never_had_are_found_out(change: Change) -> None:
    change(
        ADDED,
        "delete from fct_sale where sale_id = 5",
        replaced={"fct_sale": "sale_id = 5", "dim_customer": NO_ROW},
        spoil=f"delete from {TABLE} where project_key = 20",
        reason="it is not of the rows that its fact had",
    )


def test_what_is_no_longer_declared_goes(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as connection:
        connection.execute("create table dim_customer (customer_id integer, city varchar)")
        connection.execute(
            "create table fct_sale (sale_id integer, customer_id integer, project_id integer, sold_on date, "
            "amount decimal(9, 2), is_large boolean, feature varchar, thing integer)"
        )
        aggregates.make(connection, ADDED, None)
        assert aggregates.make(connection, manifest(), None) is None
        tables = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
        assert tables == [("dim_customer",), ("fct_sale",)]


@pytest.mark.slow
@pytest.mark.parametrize("told", ["{", None])
def test_a_snapshot_brings_its_aggregates_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, told: str | None
) -> None:
    """While somebody reads the one before, and whatever became of what that one tells of its aggregates."""
    monkeypatch.setattr(aggregate_patch, "_LARGE", 0)
    caplog.set_level(logging.DEBUG, "loupan.aggregates")
    sample, settings, warehouse = sample_installation(), Settings(data_dir=tmp_path), tmp_path / "warehouse.duckdb"
    manifest_path = current(Settings(data_dir=sample)).semantic_manifest_path
    shutil.copyfile(sample / "warehouse.duckdb", warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        marts = connection.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
    base = publish(settings, warehouse, manifest_path, {"as_of": "2026-06-17T16:00:00+00:00"})
    readers = Metrics(base)
    leads = readers.records(["leads"], by=["project", "source"])
    base.aggregates_path.unlink() if told is None else base.aggregates_path.write_text(told, encoding="utf-8")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema changed; create table changed.keys as select unnest([1, 5, 70]) as id")
        connection.execute("update marts.fct_lead set source_id = null where customer_id in (1, 5)")
        connection.execute("update marts.dim_customer set gender = null where customer_id in (5, 70)")
        connection.execute("delete from marts.fct_lead_feature where customer_id = 70")
    conditions = dict.fromkeys((name for (name,) in marts), NO_ROW)
    of_customers = "customer_id in (select id from {warehouse}.changed.keys)"
    conditions |= dict.fromkeys(("fct_lead", "dim_customer", "fct_lead_feature"), of_customers)
    # Of what is made anew it is found out.
    del conditions["fct_demand"]
    report = {"as_of": "2026-06-18T16:00:00+00:00"}
    new = publish(settings, warehouse, manifest_path, report, Difference(base.version, conditions))
    assert new.report["patches"] == 1
    assert [message for message in caplog.messages if "anew" in message] == []
    assert_aggregates_as_made_anew(new)
    now = Metrics(new)
    for question in ({"by": ["project", "source"]}, {"by": ["gender", "month"]}, {"start": "2026-06-01"}):
        assert now.records(["leads"], **question) == now.from_facts().records(["leads"], **question)
    assert now.records(["leads"], by=["project", "source"]) != leads
    assert readers.records(["leads"], by=["project", "source"]) == leads
