"""The notes of what changed since the models were built."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from pipelines import delta
from pipelines.contract import Column, Contract, Table

CONTRACT = Contract(
    (
        Table("lead", "id", None, (Column("id", "BIGINT"), Column("area", "DECIMAL(12,2)"))),
        Table("source", "id", None, (Column("id", "BIGINT"),)),
    )
)
BUILT = delta.Built(dt.datetime(2026, 6, 30, 16), "recipe")


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        delta.create_tables(connection, CONTRACT)
        yield connection


def test_nothing_is_known_of_a_new_warehouse(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert delta.read_built(warehouse) is None
    assert delta.changed_tables(warehouse, CONTRACT) == delta.whole_tables(warehouse) == set()


def test_changes_add_up_until_a_build_is_noted(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("insert into delta.lead values (1, 80, true), (1, 90, false)")
    delta.mark_whole(warehouse, ["source"])
    delta.mark_whole(warehouse, ["source"])
    delta.create_tables(warehouse, CONTRACT)
    assert delta.changed_tables(warehouse, CONTRACT) == {"lead", "source"}
    assert delta.whole_tables(warehouse) == {"source"}
    delta.note_built(warehouse, CONTRACT, BUILT)
    assert delta.changed_tables(warehouse, CONTRACT) == set()
    assert delta.read_built(warehouse) == BUILT
    later = replace(BUILT, as_of=dt.datetime(2026, 7, 1))
    delta.note_built(warehouse, CONTRACT, later)
    assert delta.read_built(warehouse) == later
    delta.forget_built(warehouse)
    assert delta.read_built(warehouse) is None


def test_a_table_of_other_columns_counts_as_changed_as_a_whole(warehouse: duckdb.DuckDBPyConnection) -> None:
    delta.note_built(warehouse, CONTRACT, BUILT)
    lead, source = CONTRACT.tables
    wider = replace(lead, columns=(*lead.columns, Column("note", "VARCHAR")))
    delta.create_tables(warehouse, Contract((wider, source)))
    assert delta.whole_tables(warehouse) == {"lead"}
    warehouse.execute("insert into delta.lead values (1, 80, 'x', true)")


def test_a_table_that_the_contract_names_no_more_asks_for_a_full_build(warehouse: duckdb.DuckDBPyConnection) -> None:
    delta.note_built(warehouse, CONTRACT, BUILT)
    delta.create_tables(warehouse, Contract(CONTRACT.tables[:1]))
    assert delta.read_built(warehouse) is None
