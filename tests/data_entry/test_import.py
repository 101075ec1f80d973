"""Imports that succeed: rows, references, repetition, and nothing half done."""

from __future__ import annotations

import datetime as dt
import signal
import sqlite3
import subprocess
import sys
import warnings
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from data_entry.database import create_engine_for, create_schema
from data_entry.schema import metadata
from data_entry.services.import_data import ImportFailed, import_directory
from data_entry.services.import_data.contract import contract_of, importable_tables
from data_entry.services.personal.erase import erase_rows
from tests.data_entry.import_case import ImportCase, told


@pytest.fixture
def case(tmp_path: Path, crm: sa.Engine) -> ImportCase:
    return ImportCase(tmp_path, crm)


@pytest.fixture
def sales(case: ImportCase) -> ImportCase:
    """Two leads of two customers, with everything they point to."""
    case.values("project", "external_ref, name, gross_margin_rate, opened_on", "'p', 'Harbour 港湾', 0.2, '2024-01-31'")
    case.values("source", "external_ref, name, market_type", "'s', 'Search', 'online'")
    case.values("employee", "external_ref, number, name", "'e', 'E1', 'Li'")
    case.values("customer", "external_ref, name, phone", "'c1', '张三', '0138001'", "'c2', 'O''Neil', null")
    case.source("leads.csv", "id,who,since\nl1,c1,2024-05-01 08:00:00\nl2,c2,2024-05-02T08:00:00+08:00\n")
    case.mapping(
        "lead",
        "select id as external_ref, who as customer_ref, 'p' as project_ref, 's' as source_ref, 'e' as employee_ref,\n"
        "  since as opened_at from leads",
    )
    return case


def test_rows_arrive_typed_with_their_references(sales: ImportCase) -> None:
    report = sales.run()
    assert report.committed
    assert not report.problems
    assert [(o.table, o.rows, o.inserted) for o in report.tables] == [
        ("employee", 1, 1), ("project", 1, 1), ("source", 1, 1), ("customer", 2, 2), ("lead", 2, 2),
    ]  # fmt: skip
    assert sales.rows("project", "name", "gross_margin_rate", "opened_on") == [
        ("Harbour 港湾", Decimal("0.2000"), dt.date(2024, 1, 31))
    ]
    assert sales.rows("customer", "name", "phone", "kind", "row_version") == [
        ("张三", "0138001", "person", 1),  # the kind is the default of the table
        ("O'Neil", None, "person", 1),
    ]
    (customer_1,), (customer_2,) = sales.rows("customer", "id")
    ((project,),) = sales.rows("project", "id")
    assert sales.rows("lead", "customer_id", "project_id", "opened_at") == [
        (customer_1, project, dt.datetime(2024, 5, 1, 8)),
        (customer_2, project, dt.datetime(2024, 5, 2, 0)),  # the offset counts
    ]


def test_importing_again_changes_only_what_changed(sales: ImportCase) -> None:
    sales.run()
    before = sales.everything()
    report = sales.run()
    assert report.committed
    assert {(o.inserted, o.updated, o.unchanged == o.rows) for o in report.tables} == {(0, 0, True)}
    assert sales.everything() == before

    sales.values(
        "customer", "external_ref, name, phone", "'c1', '张三', '0138001'", "'c2', 'O''Neil', '5'", "'c3', 'New', null"
    )
    report = sales.run()
    (customers,) = [o for o in report.tables if o.table == "customer"]
    assert (customers.inserted, customers.updated, customers.unchanged) == (1, 1, 1)
    after = {row[0]: row[1:] for row in sales.rows("customer", "external_ref", "phone", "row_version", "updated_at")}
    (was_1, was_2) = before["customer"]
    position = [c.name for c in metadata.tables["customer"].c].index("updated_at")
    assert after["c1"] == ("0138001", 1, was_1[position])
    assert after["c2"][:2] == ("5", 2)
    assert after["c2"][2] > was_2[position]
    assert sales.everything()["lead"] == before["lead"]


def test_a_value_can_be_emptied_and_columns_not_mapped_stay(sales: ImportCase) -> None:
    sales.run()
    sales.values("customer", "external_ref, name", "'c1', ''", "'c2', 'O''Neil'")
    sales.run()
    assert sales.rows("customer", "name", "phone") == [(None, "0138001"), ("O'Neil", None)]


def test_rows_no_longer_in_the_export_are_left_alone(sales: ImportCase) -> None:
    sales.run()
    sales.mapping(
        "lead",
        "select 'l1' as external_ref, 'c1' as customer_ref, 'p' as project_ref, "
        "timestamp '2024-05-01 08:00' as opened_at",
    )
    report = sales.run()
    (leads,) = [o for o in report.tables if o.table == "lead"]
    assert (leads.unchanged, leads.not_in_export) == (1, 1)
    assert len(sales.rows("lead")) == 2


def test_a_row_deleted_in_the_crm_stays_deleted(sales: ImportCase) -> None:
    sales.run()
    with sales.crm.begin() as connection:
        connection.execute(sa.text("UPDATE lead SET deleted_at = '2024-06-01 00:00:00' WHERE external_ref = 'l2'"))
    deleted = sales.rows("lead")
    sales.source("leads.csv", "id,who,since\nl1,c1,2024-05-01 08:00:00\nl2,nobody,no date\n")
    report = sales.run()
    (leads,) = [o for o in report.tables if o.table == "lead"]
    assert report.committed
    assert (leads.unchanged, leads.left_deleted, leads.bad) == (1, 1, 0)
    assert sales.rows("lead") == deleted


def test_a_person_who_was_erased_is_not_brought_back(sales: ImportCase) -> None:
    sales.run()
    with sales.crm.begin() as connection:
        key = connection.scalar(sa.text("SELECT id FROM customer WHERE external_ref = 'c2'"))
        erase_rows(connection, [key], dt.datetime(2024, 6, 1), dt.date(2024, 6, 1))
    before = sales.everything()
    report = sales.run()
    assert report.committed
    assert [(o.table, o.left_deleted, o.inserted + o.updated) for o in report.tables if o.left_deleted] == [
        ("customer", 1, 0), ("lead", 1, 0),
    ]  # fmt: skip
    assert sales.everything() == before
    sales.source("leads.csv", "id,who,since\nl1,c1,2024-05-01 08:00:00\nl3,c2,2024-05-02\n")
    assert told(sales.run()) == [("lead.sql", "deleted_reference", 2, "customer_ref", "c2")]


def test_a_row_under_a_deleted_one_is_refused(sales: ImportCase) -> None:
    sales.run()
    with sales.crm.begin() as connection:
        connection.execute(sa.text("UPDATE customer SET deleted_at = '2024-06-01 00:00:00' WHERE external_ref = 'c2'"))
    assert sales.run().committed  # what was there before is not this import's concern
    sales.source("leads.csv", "id,who,since\nl1,c1,2024-05-01 08:00:00\nl3,c2,2024-05-02\n")
    report = sales.run()
    assert told(report) == [("lead.sql", "deleted_reference", 2, "customer_ref", "c2")]
    assert not report.committed


def test_the_source_can_mark_a_row_as_deleted_but_not_revive_it(sales: ImportCase) -> None:
    sales.run()
    sales.mapping(
        "lead",
        "select id as external_ref, who as customer_ref, 'p' as project_ref, since as opened_at, gone as deleted_at "
        "from leads",
    )
    sales.source("leads.csv", "id,who,since,gone\nl1,c1,2024-05-01 08:00:00,\nl2,c2,2024-05-02,2024-07-01\n")
    sales.run()
    assert sales.rows("lead", "deleted_at", "row_version") == [(None, 1), (dt.datetime(2024, 7, 1), 2)]
    sales.source("leads.csv", "id,who,since,gone\nl1,c1,2024-05-01 08:00:00,\nl2,c2,2024-05-02,\n")
    report = sales.run()
    assert report.tables[-1].left_deleted == 1
    assert sales.rows("lead", "deleted_at")[1] == (dt.datetime(2024, 7, 1),)


def test_references_reach_rows_of_an_earlier_import(sales: ImportCase) -> None:
    sales.run()
    for path in sales.mappings.glob("*.sql"):
        path.unlink()
    sales.values("touchpoint", "external_ref, customer_ref, project_ref, occurred_at", "'t', 'c2', 'p', '2024-05-01'")
    assert sales.run().committed
    assert sales.rows("touchpoint", "customer_id")[0] == sales.rows("customer", "id")[1]


def test_references_within_a_table_in_any_order(case: ImportCase) -> None:
    case.values(
        "source",
        "external_ref, name, parent_ref",
        "'grandchild', 'C', 'child'",
        "'child', 'B', 'top'",
        "'top', 'A', null",
    )
    case.values("customer", "external_ref, merged_into_ref", "'dup', 'kept'", "'kept', null")
    assert case.run().committed
    ids = dict(case.rows("source", "external_ref", "id"))
    assert dict(case.rows("source", "external_ref", "parent_id")) == {
        "top": None, "child": ids["top"], "grandchild": ids["child"],
    }  # fmt: skip
    # Moving it is a change of one row.
    case.values(
        "source",
        "external_ref, name, parent_ref",
        "'grandchild', 'C', 'top'",
        "'child', 'B', 'top'",
        "'top', 'A', null",
    )
    report = case.run()
    assert sum(o.updated for o in report.tables) == 1


def test_features_and_their_values(case: ImportCase) -> None:
    case.values("customer_class", "external_ref, name", "'vip', 'VIP'")
    case.values(
        "feature",
        "external_ref, entity, name, class_ref",
        "'f1', 'customer', 'Pets', 'vip'",
        "'f2', 'lead', 'Mood', null",
    )
    case.values("project", "external_ref, name", "'p', 'P'")
    case.values("customer", "external_ref, name", "'x', 'A customer'")
    case.values("lead", "external_ref, customer_ref, project_ref, opened_at", "'x', 'x', 'p', '2024-01-01'")
    case.values(
        "feature_value",
        "external_ref, feature_ref, entity_ref, value",
        "'1', 'f1', 'x', 'cat'",
        "'2', 'f2', 'x', 'good'",
    )
    # Keys of their own, so that a mix-up would show.
    with case.crm.begin() as connection:
        connection.execute(sa.insert(metadata.tables["customer"]), [{"name": "by hand"}] * 3)
    assert case.run().committed
    keys = dict(case.rows("customer", "external_ref", "id"))
    ((lead,),) = case.rows("lead", "id")
    assert case.rows("feature_value", "entity_id") == [(keys["x"],), (lead,)]
    assert keys["x"] != lead
    assert case.rows("feature", "class_id") == [case.rows("customer_class", "id")[0], (None,)]
    case.values("feature_value", "external_ref, feature_ref, entity_ref, value", "'3', 'f1', 'nobody', 'cat'")
    assert told(case.run()) == [("feature_value.sql", "missing_reference", 1, "entity_ref", "nobody")]
    # The features may be in the CRM already.
    (case.mappings / "feature.sql").unlink()
    case.values("feature_value", "external_ref, feature_ref, entity_ref, value", "'3', 'f1', 'x', 'dog'")
    assert case.run().committed
    assert case.rows("feature_value", "entity_id")[2] == (keys["x"],)


def test_keys_go_on_after_the_imported_ones(sales: ImportCase) -> None:
    sales.run()
    with sales.crm.begin() as connection:
        key = connection.execute(sa.insert(metadata.tables["customer"]).values(name="by hand")).inserted_primary_key
    assert key is not None
    assert key[0] > max(row[0] for row in sales.rows("customer", "id", "external_ref") if row[1])
    sales.values("customer", "external_ref, name", "'c1', 'A'", "'c2', 'B'", "'c9', 'C'")
    assert sales.run().committed


def test_a_dry_run_tells_all_and_keeps_nothing(sales: ImportCase) -> None:
    before = sales.everything()
    report = sales.run(dry_run=True)
    assert not report.committed
    assert report.succeeded
    assert sum(o.inserted for o in report.tables) == 7
    assert sales.everything() == before


def test_one_bad_row_stops_everything(sales: ImportCase) -> None:
    before = sales.everything()
    sales.source("leads.csv", "id,who,since\nl1,c1,2024-05-01 08:00:00\nl2,nobody,2024-05-02\n")
    report = sales.run()
    assert told(report) == [("lead.sql", "missing_reference", 2, "customer_ref", "nobody")]
    assert not report.committed
    assert sales.everything() == before


def test_skip_bad_loads_the_rest_and_rejects_what_hangs_on_bad_rows(sales: ImportCase) -> None:
    sales.values("customer", "external_ref, name, birth_on", "'c1', 'A', '1990-01-01'", "'c2', '=B', 'thirty'")
    sales.values(
        "deal", "external_ref, lead_ref, customer_ref, project_ref", "'d1', 'l1', 'c1', 'p'", "'d2', 'l2', 'c1', 'p'"
    )
    sales.values(
        "deal_event", "external_ref, deal_ref, kind, occurred_at, amount",
        "'e1', 'd1', 'contract', '2024-06-01', '1.00'", "'e2', 'd2', 'contract', '2024-06-01', '1.00'",
    )  # fmt: skip
    assert not sales.run().committed
    report = sales.run(skip_bad=True)
    assert report.committed
    assert report.succeeded
    assert told(report) == [
        ("customer.sql", "wrong_type", 2, "birth_on", "thirty"),
        ("lead.sql", "rejected_reference", 2, "customer_ref", "c2"),
        ("deal.sql", "rejected_reference", 2, "lead_ref", "l2"),
        ("deal_event.sql", "rejected_reference", 2, "deal_ref", "d2"),
    ]
    assert [len(sales.rows(t)) for t in ("customer", "lead", "deal", "deal_event")] == [1, 1, 1, 1]
    assert [path.name for path in report.reject_files] == ["customer.csv", "lead.csv", "deal.csv", "deal_event.csv"]
    text = report.reject_files[0].read_text(encoding="utf-8-sig")
    header, row = text.splitlines()
    assert header == "row,reason,external_ref,name,birth_on"
    assert row.startswith('2,"birth_on: is not a date')
    # A spreadsheet that opens it must not compute.
    assert row.endswith(",c2,'=B,thirty")
    assert report.reject_files[0].stat().st_mode & 0o077 == 0
    # Mended, the rest comes in.
    sales.values("customer", "external_ref, name, birth_on", "'c1', 'A', '1990-01-01'", "'c2', 'B', '1994-01-01'")
    report = sales.run()
    assert sum(o.inserted for o in report.tables) == 4


def test_a_rejected_update_leaves_the_old_row_to_point_to(sales: ImportCase) -> None:
    sales.run()
    sales.values("customer", "external_ref, birth_on", "'c1', 'never'", "'c2', null")
    sales.source("leads.csv", "id,who,since\nl1,c1,2024-05-01 08:00:00\nl4,c1,2024-05-02\n")
    report = sales.run(skip_bad=True)
    assert told(report) == [("customer.sql", "wrong_type", 1, "birth_on", "never")]
    assert [row[0] for row in sales.rows("lead", "external_ref")] == ["l1", "l2", "l4"]


def test_skip_bad_cascades_along_a_chain_of_its_own_table(case: ImportCase) -> None:
    rows = [
        "'s0', 'wrong kind', 'moon', null",
        *(f"'s{i}', 'n', 'online', 's{i - 1}'" for i in range(1, 6)),
        "'ok', 'n', 'online', null",
    ]
    case.values("source", "external_ref, name, market_type, parent_ref", *rows)
    report = case.run(skip_bad=True)
    assert report.bad_rows == 6
    assert case.rows("source", "external_ref") == [("ok",)]


def test_without_a_schema_the_message_names_the_command(tmp_path: Path, crm_url: str) -> None:
    case = ImportCase(tmp_path, create_engine_for(crm_url))
    case.values("source", "external_ref, name", "'a', 'A'")
    with pytest.raises(ImportFailed, match="loupan crm init"):
        case.run()


def test_a_rule_that_only_the_database_sees_undoes_all(sales: ImportCase) -> None:
    with sales.crm.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(
                sa.text(
                    "CREATE TRIGGER no_l2 BEFORE INSERT ON lead WHEN NEW.external_ref = 'l2' "
                    "BEGIN SELECT RAISE(ABORT, 'not l2'); END"
                )
            )
        else:
            connection.execute(sa.text("ALTER TABLE lead ADD CONSTRAINT no_l2 CHECK (external_ref <> 'l2')"))
    before = sales.everything()
    with pytest.raises(ImportFailed, match="nothing was changed") as refused:
        sales.run()
    assert "O'Neil" not in str(refused.value)
    assert sales.everything() == before


KILLED_IMPORT = """
import os, sys
from pathlib import Path
from data_entry.database import create_engine_for
from data_entry.services.import_data import import_directory

def progress(what, done, total):
    if what == "Writing lead":
        print("writing", flush=True)
        sys.stdin.read()

import_directory(create_engine_for(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), progress=progress)
"""


@pytest.mark.slow
def test_a_kill_in_the_middle_of_writing_changes_nothing(sales: ImportCase) -> None:
    sales.values("source", "external_ref, name, market_type", "'s', 'Search', 'online'")
    sales.run()
    sales.values("source", "external_ref, name, market_type", "'s', 'Renamed', 'online'")
    sales.source("leads.csv", "id,who,since\nl1,c1,2024-05-01 08:00:00\nl9,c2,2024-05-02\n")
    before = sales.everything()
    url = sales.crm.url.render_as_string(hide_password=False)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED_IMPORT, url, str(sales.mappings), str(sales.sources)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"  # the renamed source is written, the lead is next
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert sales.everything() == before
    assert sales.run().committed


def test_other_writers_wait_and_readers_do_not(tmp_path: Path, sqlite_url: str) -> None:
    engine = create_engine_for(sqlite_url)
    create_schema(engine)
    case = ImportCase(tmp_path, engine)
    case.values("source", "external_ref, name", "'a', 'A'")
    path = sqlite_url.removeprefix("sqlite:///")
    seen = []

    def progress(what: str, done: int, total: int) -> None:
        if what == "Writing source":
            other = sqlite3.connect(path, timeout=0.1)
            seen.append(other.execute("SELECT count(*) FROM source").fetchone())
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("INSERT INTO source (name, market_type) VALUES ('x', 'other')")
            other.close()

    assert case.run(progress=progress).committed
    assert seen == [(0,)]


def test_the_order_of_tables_has_no_cycle() -> None:
    # Order by foreign keys is all that is needed: tables point to themselves, but not to each other in a ring.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        order = [table.name for table in metadata.sorted_tables]
    assert order.index("customer") < order.index("lead") < order.index("deal") < order.index("deal_event")
    for name in importable_tables():
        assert "external_ref" in contract_of(name).values


@pytest.mark.slow
def test_many_rows_come_once_and_again(case: ImportCase) -> None:
    case.mapping("project", "select 'p' as external_ref, 'P' as name")
    case.mapping(
        "customer",
        "select 'c' || i as external_ref, 'Name ' || i as name, '1' || i as phone from range(20000) as t (i)",
    )
    case.mapping(
        "lead",
        "select 'l' || i as external_ref, 'c' || i as customer_ref, 'p' as project_ref, "
        "timestamp '2024-01-01' + to_minutes(cast(i as integer)) as opened_at from range(20000) as t (i)",
    )
    assert sum(o.inserted for o in case.run().tables) == 40_001
    assert sum(o.unchanged for o in case.run().tables) == 40_001


def test_a_missing_folder_or_an_empty_one_is_told(tmp_path: Path, crm: sa.Engine) -> None:
    case = ImportCase(tmp_path, crm)
    with pytest.raises(ImportFailed, match="no SQL file"):
        case.run()
    with pytest.raises(ImportFailed, match="nowhere does not exist"):
        import_directory(crm, tmp_path / "nowhere", case.sources)
    case.values("source", "external_ref, name", "'a', 'A'")
    with pytest.raises(ImportFailed, match="gone does not exist"):
        import_directory(crm, case.mappings, tmp_path / "gone")
    with pytest.raises(ImportFailed, match="no text encoding"):
        case.run(encoding="klingon")
