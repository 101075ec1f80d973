"""What an import refuses: each kind of problem with its file, row, column, value and reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from data_entry.schema import metadata
from tests.data_entry.import_case import ImportCase, on_sqlite, told


@pytest.fixture
def case(tmp_path: Path, crm: sa.Engine) -> ImportCase:
    return ImportCase(tmp_path, crm)


@pytest.fixture
def sqlite_case(tmp_path: Path) -> ImportCase:
    return on_sqlite(tmp_path)


@pytest.mark.parametrize(
    ("table", "column", "value", "reason"),
    [
        ("payment_due", "amount", "'12.345'", "more than 2 decimals"),
        ("payment_due", "amount", "'1,000.00'", "not a number"),
        ("payment_due", "amount", "'a lot'", "not a number"),
        ("payment_due", "amount", "'nan'", "not a number"),
        ("payment_due", "amount", "'12345678901234567.00'", "at most 16 digits"),
        ("payment_due", "due_on", "'31.12.2024'", "not a date"),
        ("payment_due", "due_on", "'2024-02-30'", "not a date"),
        ("payment_due", "due_on", "'2024-02-28 17:30'", "has a time of day"),
        ("payment_due", "due_on", "'infinity'", "years 1 to 9999"),
        ("payment_due", "due_on", "date '0001-01-01' - 1", "years 1 to 9999"),
        ("unit", "floor", "'3.5'", "not a whole number"),
        ("unit", "floor", "'99999999999'", "at most 9 digits"),
        ("unit", "status", "'Sold'", "none of available, reserved, booked, sold, withheld"),
        ("unit", "number", "repeat('x', 41)", "longer than 40"),
        ("unit", "number", "'a' || chr(0)", "NUL"),
        ("lead", "opened_at", "'yesterday'", "not a date and time"),
        ("lead", "opened_at", "timestamp '10000-01-01'", "years 1 to 9999"),
        ("lead_event", "is_effective", "'maybe'", "not true or false"),
        ("lead_event", "is_effective", "2", "not true or false"),
    ],
)
def test_wrong_types(sqlite_case: ImportCase, table: str, column: str, value: str, reason: str) -> None:
    target = metadata.tables[table]
    good = {
        "payment_due": {"deal_ref": "'d'", "due_on": "'2024-01-01'", "amount": "'1'"},
        "unit": {"building_ref": "'b'", "number": "'1'"},
        "lead": {"customer_ref": "'c'", "project_ref": "'p'", "opened_at": "'2024-01-01'"},
        "lead_event": {"lead_ref": "'l'", "kind": "'visit'", "occurred_at": "'2024-01-01'"},
    }[table]
    values = {"external_ref": "'x'"} | good | {column: value}
    sqlite_case.mapping(table, "select " + ", ".join(f"{sql} as {name}" for name, sql in values.items()))
    problems = [p for p in sqlite_case.run().problems if p.kind == "wrong_type"]
    assert [(p.file, p.row, p.column, p.external_ref) for p in problems] == [(f"{table}.sql", 1, column, "x")]
    assert reason in problems[0].reason
    assert problems[0].value is not None
    assert column in target.c


def test_noise_of_binary_fractions_is_no_fault(case: ImportCase) -> None:
    case.values(
        "project", "external_ref, name, gross_margin_rate", "'p', 'P', cast(0.1 as double) + cast(0.2 as double)"
    )
    assert case.run().committed
    assert str(case.rows("project", "gross_margin_rate")[0][0]) == "0.3000"


def test_required_values(sqlite_case: ImportCase) -> None:
    sqlite_case.values("source", "external_ref, name, market_type", "null, 'A', 'online'", "'b', ' ', null")
    report = sqlite_case.run()
    assert told(report) == [
        ("source.sql", "required", 1, "external_ref", None),
        ("source.sql", "required", 2, "name", " "),
    ]


def test_keys_that_occur_twice(case: ImportCase) -> None:
    case.values("source", "external_ref, name", "'a', 'A'", "'b', 'B'", "'a', 'Another'")
    report = case.run(skip_bad=True)
    assert told(report) == [
        ("source.sql", "duplicate_key", 1, "external_ref", "a"),
        ("source.sql", "duplicate_key", 3, "external_ref", "a"),
    ]
    assert case.rows("source", "name") == [("B",)]


def test_unique_columns_within_the_import_and_against_the_crm(case: ImportCase) -> None:
    with case.crm.begin() as connection:
        connection.execute(sa.insert(metadata.tables["employee"]).values(number="E1", name="By hand"))
    case.values(
        "employee", "external_ref, number, name", "'a', 'E1', 'A'", "'b', 'E2', 'B'", "'c', 'E2', 'C'", "'d', 'E3', 'D'"
    )
    report = case.run(skip_bad=True)
    assert told(report) == [
        ("employee.sql", "duplicate_key", 1, "number", "E1"),
        ("employee.sql", "duplicate_key", 2, "number", "E2"),
        ("employee.sql", "duplicate_key", 3, "number", "E2"),
    ]
    assert "CRM already has" in report.problems[0].reason
    # An update may not take another row's number either.
    case.values("employee", "external_ref, number, name", "'d', 'E1', 'D'")
    assert told(case.run()) == [("employee.sql", "duplicate_key", 1, "number", "E1")]


def test_unique_columns_that_are_references(case: ImportCase) -> None:
    case.values("project", "external_ref, name", "'p', 'P'", "'q', 'Q'")
    case.values("building", "external_ref, project_ref, name", "'1', 'p', 'A'", "'2', 'q', 'A'", "'3', 'p', 'A'")
    assert [p.row for p in case.run().problems] == [1, 3]


def test_check_constraints_look_at_what_the_row_will_be(case: ImportCase) -> None:
    case.values(
        "plan",
        "external_ref, name, start_on, end_on",
        "'a', 'A', '2024-05-01', '2024-04-01'",
        "'b', 'B', '2024-01-01', '2024-02-01'",
    )
    report = case.run(skip_bad=True)
    assert [(p.kind, p.row, p.column) for p in report.problems] == [("check", 1, "end_on, start_on")]
    assert "end_on >= start_on" in report.problems[0].reason
    # The end is not mapped now; the one in the CRM still has to fit.
    case.values("plan", "external_ref, name, start_on", "'b', 'B', '2024-03-01'")
    assert [(p.kind, p.row) for p in case.run().problems] == [("check", 1)]
    case.values("customer", "external_ref, merged_into_ref", "'x', 'x'")
    assert {(p.kind, p.file) for p in case.run().problems if p.file == "customer.sql"} == {("check", "customer.sql")}


def test_rows_that_would_stand_above_themselves(case: ImportCase) -> None:
    case.values(
        "source", "external_ref, name, parent_ref", "'a', 'A', 'b'", "'b', 'B', 'c'", "'c', 'C', 'a'", "'d', 'D', null"
    )
    report = case.run(skip_bad=True)
    assert [(p.kind, p.row) for p in report.problems] == [("circle", 1), ("circle", 2), ("circle", 3)]
    # A circle closed through a row that is in the CRM already.
    case.values("source", "external_ref, name, parent_ref", "'e', 'E', 'd'")
    assert case.run().committed
    case.values("source", "external_ref, name, parent_ref", "'d', 'D', 'e'")
    assert [(p.kind, p.row, p.value) for p in case.run().problems] == [("circle", 1, "e")]


@pytest.mark.parametrize(
    ("columns", "kind", "column", "reason"),
    [
        ("'a' as external_ref, 'A' as name, 1 as nmae", "unknown_column", "nmae", "did you mean 'name'"),
        ("'a' as external_ref, 'A' as name, 1 as parent_id", "unknown_column", "parent_id", "parent_ref instead"),
        ("'a' as external_ref, 'A' as name, 1 as row_version", "unknown_column", "row_version", "CRM itself"),
        ("'a' as external_ref, 'A' as name, 'B' as Name", "duplicate_column", "Name", "returned twice"),
        ("'a' as external_ref", "missing_column", "name", "does not return it"),
        ("'A' as name", "missing_column", "external_ref", "does not return it"),
        ("'a' as external_ref, ['A'] as name", "wrong_type", "name", "list or structure"),
    ],
)
def test_wrong_columns(sqlite_case: ImportCase, columns: str, kind: str, column: str, reason: str) -> None:
    sqlite_case.mapping("source", f"select {columns}")
    report = sqlite_case.run(skip_bad=True)
    (problem,) = report.problems
    assert (problem.kind, problem.column, problem.row) == (kind, column, None)
    assert reason in problem.reason
    assert report.mapping_is_wrong
    assert not report.succeeded


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("leads", "did you mean 'lead'"),
        ("xyzzy", "there is no table 'xyzzy'"),
        ("account", "not imported"),
        ("audit_log", "not imported"),
    ],
)
def test_files_that_are_no_table(sqlite_case: ImportCase, file: str, reason: str) -> None:
    sqlite_case.values("source", "external_ref, name", "'a', 'A'")
    sqlite_case.mapping(file, "select 1")
    report = sqlite_case.run()
    (problem,) = report.problems
    assert (problem.file, problem.kind) == (f"{file}.sql", "unknown_table")
    assert reason in problem.reason
    assert not report.committed


@pytest.mark.parametrize(
    ("sql", "line", "reason"),
    [
        ("-- the sources\n\nselect 'a' as external_ref,\n  nmae as name\nfrom things", 4, '"nmae" not found'),
        ("select 'a' as external_ref,\n 'A' as name\nfrom thing", 3, "did you mean 'things'"),
        ("select 'a' as external_ref,\n 'A' as name,\nfrom from things", 3, "syntax error"),
        ("select 'a' as external_ref, 'A' as name\nfrom read_csv('thinks.csv')", None, "thinks.csv"),
        ("select id as external_ref,\n cast(name as integer) as name from things", None, "Could not convert"),
        ("select 'a' as external_ref, nofunction(1) as name", 1, "nofunction does not exist"),
        ("select 1; select 2", None, "one SELECT; this file holds SELECT, SELECT"),
        ("", None, "one SELECT; this file holds nothing"),
        ("create table x as select 1", None, "one SELECT; this file holds CREATE"),
    ],
)
def test_sql_errors_name_file_and_line(sqlite_case: ImportCase, sql: str, line: int | None, reason: str) -> None:
    sqlite_case.source("things.csv", "id,name\n1,A\n")
    sqlite_case.mapping("source", sql)
    (problem,) = sqlite_case.run().problems
    assert (problem.file, problem.kind) == ("source.sql", "sql_error")
    assert reason in problem.reason
    if line is not None:
        assert problem.line == line


def test_many_problems_are_counted_but_not_all_listed(sqlite_case: ImportCase) -> None:
    sqlite_case.mapping(
        "source", "select 's' || i as external_ref, 'n' as name, 'x' as market_type from range(2500) as t (i)"
    )
    report = sqlite_case.run(skip_bad=True)
    assert report.problem_count == 2500
    assert len(report.problems) == 1000
    assert report.bad_rows == 2500
    assert len(report.reject_files[0].read_text(encoding="utf-8-sig").splitlines()) == 2501
