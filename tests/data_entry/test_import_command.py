"""``loupan import`` as it is typed."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loupan.cli import main
from tests.data_entry.import_case import ImportCase, on_sqlite


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


Loupan = Callable[..., Done]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImportCase:
    case = on_sqlite(tmp_path)
    monkeypatch.setenv("LOUPAN_CRM_URL", str(case.crm.url))
    case.source("things.csv", "id,name,type\na,[bold]A[/bold],online\nb,张三,moon\n")
    case.mapping("source", "select id as external_ref, name, type as market_type\nfrom things")
    return case


@pytest.fixture
def loupan(case: ImportCase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Loupan:
    def run(*options: str) -> Done:
        arguments = ["loupan", "import", str(case.mappings), "--source-dir", str(case.sources), *options]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return Done(int(end.value.code or 0), out, err)

    return run


def test_bad_rows_stop_the_import_and_are_shown(case: ImportCase, loupan: Loupan, tmp_path: Path) -> None:
    report = tmp_path / "out" / "problems.csv"
    done = loupan("--report", str(report))
    assert done.code == 1
    assert "source.sql" in done.out
    assert "moon" in done.out
    assert "is none of online, media" in done.out
    assert "Nothing was changed: 1 rows are bad" in done.out
    assert case.rows("source") == []
    (row,) = csv.DictReader(report.read_text(encoding="utf-8-sig").splitlines())
    assert (row["file"], row["row"], row["column"], row["value"], row["external_ref"]) == (
        "source.sql", "2", "market_type", "moon", "b",
    )  # fmt: skip
    assert report.stat().st_mode & 0o077 == 0


def test_skip_bad_says_where_the_rejected_rows_are(case: ImportCase, loupan: Loupan, tmp_path: Path) -> None:
    done = loupan("--skip-bad", "--rejects", str(tmp_path / "rejected"), "--show", "0")
    assert done.code == 0, done.err
    assert f"Rejected rows: {tmp_path / 'rejected' / 'source.csv'}" in done.out
    assert "1 more problems" in done.out
    assert "Imported: 1 rows inserted, 0 updated, 1 rejected." in done.out
    assert case.rows("source", "name") == [("[bold]A[/bold]",)]


def test_no_cell_of_a_report_is_a_formula(loupan: Loupan, case: ImportCase, tmp_path: Path) -> None:
    case.source("things.csv", 'id,name,type\n=HYPERLINK("x"),A,@SUM(1)\n')
    report = tmp_path / "problems.csv"
    loupan("--report", str(report))
    (row,) = csv.DictReader(report.read_text(encoding="utf-8-sig").splitlines())
    assert (row["value"], row["external_ref"]) == ("'@SUM(1)", '\'=HYPERLINK("x")')


def test_a_dry_run_keeps_nothing(case: ImportCase, loupan: Loupan, tmp_path: Path) -> None:
    report = tmp_path / "problems.json"
    done = loupan("--skip-bad", "--dry-run", "--rejects", str(tmp_path / "rejected"), "--report", str(report))
    assert done.code == 0, done.err
    assert "Dry run, nothing was changed. It would be: 1 rows inserted, 0 updated, 1 rejected." in done.out
    assert case.rows("source") == []
    assert "Rejected rows" not in done.out
    assert not (tmp_path / "var").exists()
    assert not (tmp_path / "rejected").exists()
    content = json.loads(report.read_text(encoding="utf-8"))
    assert content["problem_count"] == 1
    assert content["tables"][0]["inserted"] == 1
    assert content["problems"][0]["value"] == "moon"


def test_a_wrong_mapping_is_told_with_its_line(case: ImportCase, loupan: Loupan) -> None:
    case.mapping("source", "select id as external_ref,\n  nmae as name\nfrom things")
    done = loupan("--skip-bad")
    assert done.code == 1
    assert "source.sql:2" in done.out
    assert "a mapping is wrong" in done.out


def test_what_cannot_run_at_all_is_one_message(case: ImportCase, loupan: Loupan, tmp_path: Path) -> None:
    done = loupan("--report", str(tmp_path / "problems.txt"))
    assert done.code == 1
    assert "must end in .csv or .json" in done.err
    for path in case.mappings.iterdir():
        path.unlink()
    done = loupan()
    assert done.code == 1
    assert "no SQL file" in done.err
    assert "Traceback" not in done.err


def test_a_crm_that_does_not_exist_is_not_made(loupan: Loupan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOUPAN_CRM_URL", f"sqlite:///{tmp_path}/new/crm.sqlite")
    done = loupan()
    assert done.code == 1
    assert f"{tmp_path}/new/crm.sqlite has no schema of this version yet; run `loupan crm init`" in done.err
    assert not (tmp_path / "new").exists()
