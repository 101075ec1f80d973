"""What a mapping can read: files of each kind, by name, below the source folder and nowhere else."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import re
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from data_entry.services.import_data import ImportReport
from loupan.spreadsheet import is_active
from tests.data_entry.import_case import ImportCase, on_sqlite

CUSTOMERS = "select id as external_ref, name, phone, born as birth_on from {}"
EXPECTED = [("007", "张三", "013800138000", dt.date(1990, 1, 31)), ("8", "O'Neil", None, None)]


@pytest.fixture
def case(tmp_path: Path) -> ImportCase:
    return on_sqlite(tmp_path)


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


SHEET = [
    ["id", "name", "phone", "born"],
    ["007", "张三", "013800138000", dt.date(1990, 1, 31)],
    ["8", "O'Neil", None, None],
]
JSON = (
    '{"id": "007", "name": "张三", "phone": "013800138000", "born": "1990-01-31"}',
    '{"id": "8", "name": "O\'Neil"}',
)
CSV = "id,name,phone,born\n007,张三,013800138000,1990-01-31\n8,O'Neil,,\n"


def write(case: ImportCase, kind: str) -> str:
    """Write the customers as a file of a kind and return what a mapping reads them from."""
    path = case.sources / f"customers.{kind}"
    if kind == "csv":
        case.source(path.name, "\ufeff" + CSV.replace(",", ";"))
    elif kind == "tsv":
        case.source(path.name, CSV.replace(",", "\t"))
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(CSV.encode()))
    elif kind == "json":
        case.source(path.name, f"[{', '.join(JSON)}]")
    elif kind == "jsonl":
        case.source(path.name, "\n".join(JSON))
    elif kind == "parquet":
        source = case.source("tmp.txt", CSV)
        duckdb.connect().execute(f"copy (from read_csv('{source}', all_varchar = true)) to '{path}' (format parquet)")
    elif kind == "xlsx":
        workbook(path, {"Sheet1": SHEET})
    return "customers"


@pytest.mark.parametrize("kind", ["csv", "tsv", "csv.gz", "json", "jsonl", "parquet", "xlsx"])
def test_each_kind_of_file_by_its_name(case: ImportCase, kind: str) -> None:
    case.mapping("customer", CUSTOMERS.format(write(case, kind)))
    report = case.run()
    assert report.problems == []
    assert case.rows("customer", "external_ref", "name", "phone", "birth_on") == EXPECTED


@pytest.mark.parametrize(
    ("kind", "reader"),
    [
        ("csv", "read_csv('customers.csv', all_varchar = true)"),
        ("csv", "read_csv( ['customers.csv'], all_varchar=true )"),
        ("csv", "read_csv('./sub/../customers.*', all_varchar = true)"),
        ("json", "read_json('customers.json')"),
        ("parquet", "read_parquet('customers.parquet')"),
        ("parquet", "'customers.parquet'"),
        ("parquet", '"customers.parquet"'),
    ],
)
def test_files_named_in_the_sql_are_relative_to_the_source_folder(
    case: ImportCase, kind: str, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (case.sources / "sub").mkdir()
    write(case, kind)
    # A file of the same name where the command was started is not meant.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"customers.{kind}").write_text("id,name,phone,born\nwrong,wrong,,\n")
    monkeypatch.chdir(elsewhere)
    case.mapping("customer", f"-- 'customers.csv'\n{CUSTOMERS.format(reader)} where name <> 'customers.csv';\n-- done")
    report = case.run()
    assert report.problems == []
    assert case.rows("customer", "external_ref", "name", "phone", "birth_on") == EXPECTED


def test_the_example_of_the_documentation(case: ImportCase) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
    mappings = re.findall(r"`DIR/(\w+)\.sql`\n\n```sql\n(.*?)```", text, re.DOTALL)
    assert [table for table, _ in mappings] == ["customer", "project", "source", "lead"]
    for table, sql in mappings:
        case.mapping(table, sql)
    case.source("clients.csv", "No,Name,Tel\n17,张三,013800138000\n")
    enquiry = [501, 17, "Fair", dt.datetime(2024, 5, 1, 9, 30)]
    workbook(case.sources / "enquiries.xlsx", {"Sheet1": [["ID", "Client", "Came by", "Date"], enquiry]})
    assert case.run().problems == []
    assert case.rows("customer", "external_ref", "phone") == [("17", "013800138000")]
    assert case.rows("lead", "external_ref", "opened_at") == [("501", dt.datetime(2024, 5, 1, 1, 30))]


def test_sheets_and_folders_are_part_of_the_name(case: ImportCase) -> None:
    (case.sources / "2024").mkdir()
    workbook(
        case.sources / "2024" / "my export.xlsx",
        {
            "Kunden": [["id", "name", ""], [12.0, "A", None], [13, "B", "x"], [None, None, None]],
            "来源 (1)": [["id", "name", "id"], [dt.datetime(2024, 1, 2, 3, 4), "S", True]],
            "empty": [],
        },
    )
    case.mapping("customer", 'select id as external_ref, name from "2024__my_export__kunden"')
    case.mapping("source", "select id as external_ref, name, 'other' as market_type from \"2024__my_export__来源_1\"")
    report = case.run()
    assert report.problems == []
    assert case.rows("customer", "external_ref", "name") == [("12", "A"), ("13", "B")]
    assert case.rows("source", "external_ref", "name") == [("2024-01-02 03:04:00", "S")]
    case.mapping("source", 'select id as external_ref, name from "2024__my_export"')
    (problem,) = case.run().problems
    assert "has several sheets: 2024__my_export__kunden" in problem.reason


def test_a_sheet_of_mixed_cells_is_text(case: ImportCase) -> None:
    workbook(case.sources / "mixed.xlsx", {"S": [["id", "name"], [1, 2.5], ["x-1", dt.date(2024, 5, 1)], [3, True]]})
    case.mapping("customer", "select id as external_ref, name from mixed")
    assert case.run().committed
    assert case.rows("customer", "external_ref", "name") == [("1", "2.5"), ("3", "True"), ("x-1", "2024-05-01")]


def test_other_encodings(case: ImportCase) -> None:
    case.source("customers.csv", CSV, encoding="gb18030")
    case.mapping("customer", CUSTOMERS.format("customers"))
    reason = refused(case.run())
    assert "customers.csv cannot be read" in reason
    assert "--encoding" in reason
    assert case.run(encoding="GB18030").committed
    assert case.rows("customer", "external_ref", "name", "phone", "birth_on") == EXPECTED


RAGGED = "id,name\n1,A\n2,B,C\n3,D\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "things.csv is empty: it has not even a header"),
        ("\ufeff\r\n \n", "things.csv is empty: it has not even a header"),
        (RAGGED, "things.csv was read as 'id,name': line 3 has 3 values and line 1 has 2 (by ',')"),
        ("id,name\n1,A\n\n2,B,C\n", "'column2': line 4 has 3 values and line 1 has 2"),
        (RAGGED.replace(",", "\t"), "line 3 has 3 values and line 1 has 2 (by '\\t')"),
        ('id,name\n"1\n2",A\nB\n', "line 4 has 1 values and line 1 has 2"),
        ('id,name\n1,"A\n' + "x" * 200_000, "'id,name': its delimiter, header or quotation marks are not clear"),
        ("id^name\n1^A\n", "'id^name': its delimiter, header or quotation marks are not clear; mend it, or say"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "csv.gz"])
def test_a_csv_file_without_columns_is_named(case: ImportCase, text: str, told: str, kind: str) -> None:
    if kind == "csv":
        case.source("things.csv", text)
    else:
        (case.sources / "things.csv.gz").write_bytes(gzip.compress(text.encode()))
        told = told.replace("things.csv ", "things.csv.gz ")
    case.mapping("source", "select id as external_ref, name from things")
    reason = refused(case.run())
    assert told in reason


def test_a_ragged_csv_file_is_named_where_all_its_columns_are_asked_for(case: ImportCase) -> None:
    case.source("things.csv", RAGGED)
    case.mapping("source", "select * from things")
    reasons = [problem.reason for problem in case.run().problems if problem.kind == "unknown_column"]
    assert len(reasons) == 1
    assert "line 3 has 3 values" in reasons[0]


def test_a_csv_file_of_one_column_may_hold_commas(case: ImportCase) -> None:
    case.source("things.csv", 'name\nA, B\n"C"\n')
    case.mapping("source", "select name as external_ref, name from things")
    assert case.run().committed
    assert case.rows("source", "name") == [("A, B",), ("C",)]


def test_a_line_far_below_that_does_not_fit_is_told_with_its_file(case: ImportCase) -> None:
    case.source("things.csv", "id,name\n" + "".join(f"{i},A\n" for i in range(30_000)) + "x,y,z\n")
    case.mapping("source", "select id as external_ref, name from things")
    reason = refused(case.run())
    assert "things.csv cannot be read" in reason
    assert "Line: 30002" in reason


def test_a_name_that_two_files_have(case: ImportCase) -> None:
    write(case, "csv")
    write(case, "json")
    case.mapping("customer", CUSTOMERS.format("customers"))
    (problem,) = case.run().problems
    assert "customers could be customers.csv or customers.json" in problem.reason


def test_only_files_that_the_sql_mentions_are_opened(case: ImportCase) -> None:
    write(case, "csv")
    (case.sources / "broken.xlsx").write_bytes(b"no workbook")
    (case.sources / "broken.parquet").write_bytes(b"no parquet")
    case.mapping("customer", CUSTOMERS.format("customers"))
    assert case.run().committed
    case.mapping("source", "select a as external_ref, b as name from broken")
    (problem,) = case.run().problems
    assert "broken could be" in problem.reason
    (case.sources / "broken.parquet").unlink()
    (problem,) = case.run().problems
    assert "broken.xlsx cannot be read" in problem.reason


def refused(report: ImportReport) -> str:
    (problem,) = report.problems
    assert problem.kind == "sql_error"
    assert not report.committed
    return problem.reason


OUTSIDE = [
    "../secret.csv",
    "sub/../../secret.csv",
    "{outside}",
    "/etc/passwd",
    "https://example.org/a.csv",
    "s3://b/a.csv",
]
READERS = ["read_csv('{}')", "read_text('{}')", "read_parquet(['{}'])", "'{}'", "glob('{}')"]


@pytest.mark.parametrize(
    ("path", "reader"),
    [
        *((path, reader) for path in OUTSIDE for reader in READERS),
        # The name of a link below the folder is no secret, its content is.
        *(("link.csv", reader) for reader in READERS if not reader.startswith("glob")),
    ],
)
def test_nothing_outside_the_source_folder_can_be_read(
    case: ImportCase, tmp_path: Path, path: str, reader: str
) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text("id,name\nsecret,secret\n")
    (case.sources / "link.csv").symlink_to(outside)
    (case.sources / "sub").mkdir()
    case.mapping(
        "source", f"select 'a' as external_ref, t as name from {reader.format(path.format(outside=outside))} as t"
    )
    reason = refused(case.run())
    # A bare '/etc/passwd' is no file to DuckDB, for want of an ending.
    assert f"a mapping may read only files below {case.sources.resolve()}" in reason or "there is no '/etc" in reason


def test_a_link_out_of_the_folder_is_no_view_either(case: ImportCase, tmp_path: Path) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text("id,name\nsecret,secret\n")
    (case.sources / "link.csv").symlink_to(outside)
    workbook(tmp_path / "secret.xlsx", {"S": [["id", "name"], ["secret", "secret"]]})
    (case.sources / "book.xlsx").symlink_to(tmp_path / "secret.xlsx")
    for name in ("link", "book"):
        case.mapping("source", f"select id as external_ref, name from {name}")
        assert "is a link that leaves it" in refused(case.run())


@pytest.mark.parametrize(
    "statement",
    [
        "attach '{folder}/x.duckdb'",
        "copy (select 1) to '{folder}/x.csv'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "pragma database_list",
        "create table t as select 1",
        "delete from staged.problem",
        "call pragma_version()",
        "export database '{folder}/x'",
    ],
)
def test_nothing_but_a_select_is_run(case: ImportCase, statement: str) -> None:
    case.mapping("source", statement.format(folder=case.sources))
    assert "a mapping is one SELECT" in refused(case.run())
    case.mapping("source", f"select 1; {statement.format(folder=case.sources)}")
    assert "a mapping is one SELECT" in refused(case.run())
    assert list(case.sources.iterdir()) == []


@pytest.mark.parametrize("inner", ["delete from staged.problem returning *", "copy (select 1) to '{folder}/x.csv'"])
def test_nothing_is_changed_from_within_a_select(case: ImportCase, inner: str) -> None:
    case.mapping("source", f"with x as ({inner.format(folder=case.sources)}) select 'a' as external_ref, 'A' as name")
    refused(case.run())
    assert list(case.sources.iterdir()) == []


def test_python_is_out_of_sight(case: ImportCase) -> None:
    assert case is not None  # a variable of this name is in scope when the SQL runs
    case.mapping("source", "select * from problems")
    assert "there is no 'problems'" in refused(case.run())


@pytest.mark.parametrize(
    "source",
    [
        "read_text(concat('/etc', '/passwd'))",
        "read_text(['{inside}', '/etc/passwd'])",
        "read_text('file:///etc/passwd')",
        "read_csv('/proc/self/environ')",
        "read_blob('/etc/hostname')",
        "sniff_csv('/etc/passwd')",
        "parquet_metadata('/etc/passwd')",
        "query('from read_text(''/etc/passwd'')')",
        "query_table(['/etc/passwd'])",
        "read_csv('http://127.0.0.1:9/a.csv')",
        "'http://127.0.0.1:9/a.parquet'",
        "sqlite_scan('/etc/passwd', 'x')",
        "postgres_scan('host=127.0.0.1', 'public', 'x')",
        "iceberg_scan('/etc')",
        "(select getenv('HOME'))",
        "(select * from read_text((select '/etc/passwd')))",
        "(copy (select 1) to '/tmp/x.csv')",
        "(install httpfs)",
    ],
)
def test_nothing_else_is_asked_or_opened_from_within_a_select(case: ImportCase, source: str) -> None:
    inside = case.source("a.txt", "inside")
    case.mapping(
        "source", f"select 'a' as external_ref, cast(t as varchar) as name from {source.format(inside=inside)} as t"
    )
    reason = refused(case.run())
    assert "root:" not in reason
    assert case.rows("source") == []
    assert [path.name for path in case.sources.iterdir()] == ["a.txt"]


def test_settings_of_the_engine_cannot_be_changed_from_within(case: ImportCase) -> None:
    for inner in ("set_config('enable_external_access', 'true', false)", "(set enable_external_access = true)"):
        case.mapping("source", f"select 'a' as external_ref, {inner} as name")
        refused(case.run())
    assert case.rows("source") == []


def test_rejected_rows_run_nothing_where_they_are_opened(case: ImportCase) -> None:
    harm = ["=cmd|' /C calc'!A0", "@SUM(1)", '+HYPERLINK("http://evil.example")', "-2+3+cmd|' /C calc'!A0", "\\t=1+1"]
    kept = ["-12.50", "+86 138 0000 1234", "a=b"]
    rows = "\n".join(f'"{text.replace(chr(34), chr(34) * 2)}",x' for text in [*harm, *kept])
    case.source("people.csv", f"name,born\n{rows}\n".replace("\\t", "\t"))
    case.mapping("customer", "select name as external_ref, name, born as birth_on from people")
    report = case.run(skip_bad=True)
    (path,) = report.reject_files
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    for text in kept:
        assert text in cells
    assert [cell for cell in cells if is_active(cell) and cell not in kept] == []
    assert any(cell.startswith("'=cmd") for cell in cells)
