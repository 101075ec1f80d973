"""Typing and quarantine: which rows are kept, and what is said about the others."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from pipelines.contract import Column, Contract, ContractError
from pipelines.ingest import ingest
from tests.pipelines.loads import CONTRACT, LooseCrm, accepted, broken_rules, load, rows, table


@pytest.fixture
def loose(sqlite_url: str) -> LooseCrm:
    crm = LooseCrm(sqlite_url)
    crm.insert("customer", 1)
    crm.insert("employee", 1)
    crm.insert("lead", 1)
    return crm


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


def test_good_rows_are_typed(loose: LooseCrm, warehouse: Path) -> None:
    loose.insert("payment", 1, rating="5.0", is_void="0", from_on="2024-01-05 00:00:00", to_on="2024-01-05")
    loose.insert("payment", 2, amount="-0.5", is_void="true", rating="", from_on="")
    loose.insert("lead", 2, opened_at="2024-03-01T10:00:00+08:00")
    loose.insert("lead", 3, opened_at="2024-03-01 10:00:00.5Z")
    load(loose.url, warehouse)
    assert rows(warehouse, "select * exclude (updated_at, deleted_at) from raw.payment order by id") == [
        (1, 1, Decimal("1234567.89"), 5, False, dt.date(2024, 1, 5), dt.date(2024, 1, 5)),
        (2, 1, Decimal("-0.50"), None, True, None, None),
    ]
    assert rows(warehouse, "select opened_at from raw.lead order by id") == [
        (dt.datetime(2024, 3, 1, 10),),
        (dt.datetime(2024, 3, 1, 2),),
        (dt.datetime(2024, 3, 1, 10, 0, 0, 500_000),),
    ]
    assert rows(warehouse, "select name from raw.employee") == [('王小明 "O\'Neil" 🏠',)]
    assert broken_rules(warehouse) == set()


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("amount", "a lot", "type"),
        ("amount", "1.005", "type"),
        ("amount", "NaN", "type"),
        ("amount", "99999999999999999.00", "type"),
        ("amount", None, "required"),
        ("amount", "", "required"),
        ("rating", "4.5", "type"),
        ("rating", "45e-1", "type"),
        ("rating", "6", "rating_is_1_to_5"),
        ("rating", "99999999999", "type"),
        ("is_void", "perhaps", "type"),
        ("from_on", "2024-02-30", "type"),
        ("from_on", "2024-01-05 13:00:00", "type"),
        ("from_on", "0001-01-01", "date_range"),
        ("to_on", "9999-12-31", "date_range"),
        ("to_on", "infinity", "date_range"),
        ("deleted_at", "yesterday", "type"),
        ("lead_id", "77", "references"),
        ("lead_id", "x'; drop table raw.lead; --", "type"),
    ],
)
def test_a_row_that_breaks_a_rule_is_quarantined(
    loose: LooseCrm, warehouse: Path, column: str, value: str | None, rule: str
) -> None:
    loose.insert("payment", 1)
    loose.insert("payment", 2, **{column: value})
    report = load(loose.url, warehouse)
    assert broken_rules(warehouse) == {("payment", "2", column, rule)}
    assert accepted(warehouse, "payment") == {1}
    assert rows(warehouse, f"select id, {column} from quarantine.payment") == [("2", value)]
    assert report.tables["payment"].quarantined == 1
    assert report.tables["payment"].accepted == 1


def test_columns_may_bear_the_names_of_our_own(sqlite_url: str, warehouse: Path) -> None:
    names = ("value", "reason", "rule", "table_name", "column_name", "row_key", "parent", "parent_key", "key")
    texts = (Column(name, "VARCHAR") for name in names)
    noted = table("note", Column("note_id", "BIGINT", references="note"), Column("day_on", "DATE"), *texts)
    crm = sa.create_engine(sqlite_url)
    with crm.begin() as connection:
        connection.exec_driver_sql(f"create table note ({', '.join(noted.by_name)})")
        connection.exec_driver_sql("insert into note (id, value, reason) values (1, 'a', 'b')")
        connection.exec_driver_sql("insert into note (id, day_on, value) values (2, 'some day', 'c')")
        connection.exec_driver_sql("insert into note (id, note_id, reason) values (3, 2, 'd')")
    load(sqlite_url, warehouse, contract=Contract((noted,)))
    assert broken_rules(warehouse) == {("note", "2", "day_on", "type"), ("note", "3", "note_id", "references")}
    assert rows(warehouse, "select id, value, reason from raw.note") == [(1, "a", "b")]


def test_all_reasons_of_a_row_are_told(loose: LooseCrm, warehouse: Path) -> None:
    loose.insert("payment", 1, amount="x", rating="9", from_on="2024-02-02", to_on="2024-02-01")
    load(loose.url, warehouse)
    assert broken_rules(warehouse) == {
        ("payment", "1", "amount", "type"),
        ("payment", "1", "rating", "rating_is_1_to_5"),
        ("payment", "1", "to_on", "dates_in_order"),
    }
    assert rows(warehouse, "select reasons from quarantine.payment") == [
        ("amount is no DECIMAL(18,2); rating breaks rating BETWEEN 1 AND 5; to_on breaks to_on >= from_on",)
    ]
    assert rows(warehouse, "select value, reason from quarantine.quarantine_row where column_name = 'amount'") == [
        ("x", "is no DECIMAL(18,2)")
    ]


def test_what_refers_to_a_quarantined_row_follows_it_and_returns_with_it(loose: LooseCrm, warehouse: Path) -> None:
    loose.insert("customer", 2, kind="robot")
    loose.insert("lead", 2, customer_id=2)
    loose.insert("payment", 2, lead_id=2)
    loose.insert("payment", 1)
    load(loose.url, warehouse)
    assert broken_rules(warehouse) == {
        ("customer", "2", "kind", "accepted_values"),
        ("lead", "2", "customer_id", "references"),
        ("payment", "2", "lead_id", "references"),
    }
    assert rows(warehouse, "select reason from quarantine.quarantine_row where table_name = 'payment'") == [
        ("refers to a row of lead that is in quarantine itself",)
    ]
    loose.update("customer", 2, at="2024-05-02 00:00:00", kind="company")
    report = load(loose.url, warehouse)
    assert report.changed_tables == ["customer"]
    assert broken_rules(warehouse) == set()
    assert accepted(warehouse, "payment") == {1, 2}


def test_a_live_row_under_a_deleted_one_is_a_violation_and_a_deleted_one_is_not(
    loose: LooseCrm, warehouse: Path
) -> None:
    loose.insert("lead", 2, deleted_at="2024-04-01 00:00:00")
    loose.insert("payment", 1, lead_id=2)
    loose.insert("payment", 2, lead_id=2, deleted_at="2024-04-01 00:00:00")
    loose.insert("payment", 3, amount="x", deleted_at="2024-04-01 00:00:00")
    load(loose.url, warehouse)
    assert rows(warehouse, "select row_key, rule, reason from quarantine.quarantine_row") == [
        ("1", "references", "refers to a row of lead that is deleted")
    ]
    assert rows(warehouse, "select id from raw.payment") == [(2,)]


def test_chains_and_circles_of_references_come_to_an_end(loose: LooseCrm, warehouse: Path) -> None:
    length = 60
    loose.insert("customer", 100, merged_into_id=99999)
    for key in range(101, 100 + length):
        # Each refers to the one before, which falls only in its turn.
        loose.insert("customer", key, merged_into_id=key - 1)
    loose.insert("customer", 10, merged_into_id=11)
    loose.insert("customer", 11, merged_into_id=10)
    loose.insert("customer", 12, merged_into_id=12)
    loose.insert("lead", 2, customer_id=100 + length - 1)
    load(loose.url, warehouse)
    assert accepted(warehouse, "customer") == {1, 10, 11}
    assert accepted(warehouse, "lead") == {1}
    assert ("customer", "12", "merged_into_id", "not_merged_into_itself") in broken_rules(warehouse)


def test_of_rows_with_one_key_the_latest_stays(loose: LooseCrm, warehouse: Path) -> None:
    loose.insert("lead", 5, at="2024-05-01 00:00:00", opened_at="2024-01-01")
    loose.insert("lead", 5, at="2024-05-03 00:00:00", opened_at="2024-01-03")
    loose.insert("lead", "05", at="2024-05-02 00:00:00", opened_at="2024-01-02")
    loose.insert("lead", None)
    loose.insert("payment", 1, lead_id=5)
    load(loose.url, warehouse)
    assert rows(warehouse, "select opened_at from raw.lead where id = 5") == [(dt.datetime(2024, 1, 3),)]
    assert accepted(warehouse, "payment") == {1}
    assert broken_rules(warehouse) == {
        ("lead", "5", "id", "duplicate_key"),
        ("lead", "05", "id", "duplicate_key"),
        ("lead", None, "id", "required"),
    }
    assert rows(warehouse, "select count(*) from landing.lead") == [(5,)]


def test_of_live_rows_with_one_unique_value_the_first_stays(loose: LooseCrm, warehouse: Path) -> None:
    loose.insert("employee", 2, number="E7", deleted_at="2024-04-01 00:00:00")
    loose.insert("employee", 3, number="E7")
    loose.insert("employee", 4, number="E7")
    load(loose.url, warehouse)
    assert accepted(warehouse, "employee") == {1, 3}
    assert broken_rules(warehouse) == {("employee", "4", "number", "unique")}


def test_bytes_that_are_no_text_do_not_stop_the_load(loose: LooseCrm, warehouse: Path) -> None:
    loose.insert("employee", 2)
    loose.execute("update employee set name = cast(x'ff00fe41' as text) where id = '2'")
    loose.execute("update lead set opened_at = x'0102ff' where id = '1'")
    load(loose.url, warehouse)
    assert rows(warehouse, "select name from raw.employee where id = 2") == [("\ufffd\x00\ufffdA",)]
    assert broken_rules(warehouse) == {("lead", "1", "opened_at", "type")}


def test_a_check_that_is_no_sql_names_its_table(loose: LooseCrm, warehouse: Path) -> None:
    lead = replace(CONTRACT.by_name["lead"], checks=(("odd", "no_such_column > 1"),))
    contract = Contract(tuple(lead if table.name == "lead" else table for table in CONTRACT.tables))
    with pytest.raises(ContractError, match="A check of source table lead"):
        load(loose.url, warehouse, contract=contract)


def test_it_is_known_since_when_a_row_is_kept_out(loose: LooseCrm, warehouse: Path) -> None:
    def since() -> list[tuple[str, dt.datetime]]:
        found = "select row_key, since from quarantine.quarantine_row order by row_key"
        return [(key, moment) for key, moment in rows(warehouse, found)]

    def load_on(day: int, *, full: bool = False) -> None:
        ingest(CONTRACT, loose.url, warehouse, as_of=dt.datetime(2025, 6, day), full=full)

    loose.insert("payment", 1, amount="a lot")
    load_on(1)
    loose.insert("payment", 2, amount="more", at="2024-05-02 00:00:00")
    load_on(2)
    load_on(3, full=True)
    assert since() == [("1", dt.datetime(2025, 6, 1)), ("2", dt.datetime(2025, 6, 2))]
    # Mended, it returns; broken again, it begins anew.
    loose.update("payment", 1, at="2024-05-03 00:00:00", amount="5")
    load_on(4)
    loose.update("payment", 1, at="2024-05-04 00:00:00", amount="a lot")
    load_on(5)
    assert since() == [("1", dt.datetime(2025, 6, 5)), ("2", dt.datetime(2025, 6, 2))]


def test_a_warehouse_of_an_earlier_version_is_used_as_it_is(loose: LooseCrm, warehouse: Path) -> None:
    loose.insert("payment", 1, amount="a lot")
    load(loose.url, warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("alter table quarantine.quarantine_row drop column since")
    loose.insert("payment", 2, amount="more", at="2024-05-02 00:00:00")
    load(loose.url, warehouse)
    assert rows(warehouse, "select row_key, since from quarantine.quarantine_row order by row_key") == [
        ("1", dt.datetime(2025, 6, 1)), ("2", dt.datetime(2025, 6, 1)),
    ]  # fmt: skip


def test_a_long_value_is_cut(loose: LooseCrm, warehouse: Path) -> None:
    loose.insert("payment", 1, amount="x" * 1000)
    load(loose.url, warehouse)
    assert rows(warehouse, "select length(value) from quarantine.quarantine_row") == [(200,)]


def test_sensitive_values_are_not_shown(loose: LooseCrm, warehouse: Path) -> None:
    tables = []
    for described in CONTRACT.tables:
        columns = tuple(replace(column, sensitive=column.name == "amount") for column in described.columns)
        tables.append(replace(described, columns=columns))
    loose.insert("payment", 1, amount="a secret", rating="6")
    load(loose.url, warehouse, contract=Contract(tuple(tables)))
    found = dict(rows(warehouse, "select column_name, value from quarantine.quarantine_row"))
    assert found == {"amount": None, "rating": "6"}
