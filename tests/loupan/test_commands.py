"""The commands as a person or a program calls them: what goes to stdout, what to stderr, and the exit code."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loupan import cli
from loupan.console import byte_size, display
from loupan.refresh_state import RefreshState, write_state
from loupan.settings import Settings
from loupan.snapshot import Snapshot, current, publish
from tests.loupan.conftest import HOSTILE_NAME, Built

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``loupan`` with arguments; return exit code, stdout and stderr."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["loupan", *arguments])
        with pytest.raises(SystemExit) as stopped:
            sys.exit(cli.main())
        output = capsys.readouterr()
        return int(stopped.value.code or 0), output.out, output.err

    return run_command


@pytest.fixture
def published(mini: Built, settings: Settings) -> Snapshot:
    return publish(settings, mini.warehouse_path, mini.semantic_manifest_path, {"as_of": "2026-03-31T00:00:00Z"})


@pytest.mark.usefixtures("published")
class TestMetrics:
    def test_json_has_the_names_asked_for_and_every_digit(self, run: Run) -> None:
        code, output, errors = run(
            "metrics", "query", "conversion_rate", "contract_amount", "--by", "month", "--by", "project",
            "--where", "project=River Bay", "--start", "2026-01-01", "--end", "2026-01-31", "--format", "json",
        )  # fmt: skip
        assert (code, errors) == (0, "")
        assert json.loads(output, parse_float=Decimal) == [
            {
                "month": "2026-01",
                "project": "River Bay",
                "conversion_rate": Decimal("0.6666666666666666"),
                "conversion_rate__numerator": 2,
                "conversion_rate__denominator": 3,
                "contract_amount": Decimal("12345678901234567.01"),
            }
        ]

    def test_json_of_no_rows_and_of_no_values(self, run: Run) -> None:
        assert run("metrics", "query", "leads", "--by", "day", "--start", "2031-01-01", "--format", "json")[1] == "[]\n"
        output = run("metrics", "query", "complaint_rate", "--where", "project=Empty Estate", "--format", "json")[1]
        assert json.loads(output)[0]["complaint_rate"] is None

    def test_csv_is_safe_to_open_in_a_spreadsheet(
        self, run: Run, mini: Built, settings: Settings, tmp_path: Path
    ) -> None:
        warehouse_path = tmp_path / "warehouse.duckdb"
        warehouse_path.write_bytes(mini.warehouse_path.read_bytes())
        with duckdb.connect(str(warehouse_path)) as warehouse:
            warehouse.execute("update marts.dim_project set project = '=HYPERLINK(\"x\")' where project_id = 1")
            publish(settings, warehouse, mini.semantic_manifest_path, {})
        _, output, _ = run("metrics", "query", "leads", "attributed_profit", "--by", "project", "--format", "csv")
        rows = {row["project"]: row for row in csv.DictReader(io.StringIO(output))}
        assert rows['\'=HYPERLINK("x")']["leads"] == "3"
        assert rows[HOSTILE_NAME]["leads"] == "2"
        assert rows[""]["leads"] == "1"
        assert rows["Empty Estate"]["attributed_profit"] == "-7.0"

    def test_filters_combine(self, run: Run) -> None:
        _, output, _ = run(
            "metrics", "query", "leads", "--where", "project=River Bay", "--where", "project=", "--where",
            "employee=E001", "--format", "csv",
        )  # fmt: skip
        assert output == "leads\n3\n"

    @pytest.mark.parametrize(
        ("condition", "message"),
        [
            ("project=river bey", "No project is called 'river bey'. Did you mean River Bay?"),
            ("attribution_model=markov", "No attribution_model is called 'markov'. Its values are first, last."),
            ("month=2026-5", "'2026-5' is no month: a month is written as 2026-01."),
            ("day=2026-02-30", "'2026-02-30' is no day"),
            ("week=2026-01-27", "'2026-01-27' is no week: a week is written as its Monday, as 2026-01-26."),
            ("quarter=2026Q1", "'2026Q1' is no quarter"),
            ("year=26", "'26' is no year"),
        ],
    )
    def test_a_value_that_no_row_has_is_doubted(self, run: Run, condition: str, message: str) -> None:
        code, output, errors = run("metrics", "query", "attributed_contracts", "--where", condition, "--format", "csv")
        assert (code, output) == (0, "attributed_contracts\n0.0\n")
        assert message in errors

    @pytest.mark.parametrize("condition", ["project=", "project=River Bay", "month=2031-01", "week=2026-01-26"])
    def test_no_doubt_about_other_values(self, run: Run, condition: str) -> None:
        assert run("metrics", "query", "leads", "--where", condition)[2] == ""

    def test_table_shows_units(self, run: Run) -> None:
        _, output, _ = run("metrics", "query", "conversion_rate", "cost_per_contract", "--by", "project")
        assert "66.67%" in output
        assert "200.60" in output
        assert HOSTILE_NAME in output

    def test_list_and_describe(self, run: Run) -> None:
        _, output, _ = run("metrics", "list")
        assert "签约额" in output
        assert "converted_leads" not in output
        listed = json.loads(run("metrics", "list", "--format", "json", "--all")[1])
        by_name = {metric["name"]: metric for metric in listed}
        assert by_name["leads"]["definition"] == "Collapsed leads by the day they opened."
        assert "month" in by_name["leads"]["dimensions"]
        assert by_name["converted_leads"]["label_zh"] == "已转化线索"
        _, output, _ = run("metrics", "describe", "complaint_rate")
        for text in ("per_100", "lower", "complaints", "customer_months", "demand_category", "2026-03-31"):
            assert text in output
        described = json.loads(run("metrics", "describe", "attributed_contracts", "--format", "json")[1])
        assert described[0]["default_where"] == {"attribution_model": ["last"]}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["query", "leds"], "Did you mean leads?"),
            (["describe", "leds"], "Did you mean leads?"),
            (["query", "leads", "--by", "severity"], "has no dimension 'severity'"),
            (["query", "leads", "--where", "project"], "is no DIMENSION=VALUE"),
            (["query", "leads", "--start", "yesterday"], "is no date"),
            (["query", "leads", "--where", "project=\udcff"], "broken character"),
        ],
    )
    def test_errors_go_to_stderr(self, run: Run, arguments: list[str], message: str) -> None:
        code, output, errors = run("metrics", *arguments)
        assert (code, output) == (1, "")
        assert message in errors
        assert "Traceback" not in errors


class TestSnapshots:
    def test_list_diff_and_rollback(
        self, run: Run, published: Snapshot, mini: Built, settings: Settings, tmp_path: Path
    ) -> None:
        warehouse_path = tmp_path / "warehouse.duckdb"
        warehouse_path.write_bytes(mini.warehouse_path.read_bytes())
        with duckdb.connect(str(warehouse_path)) as warehouse:
            warehouse.execute("update marts.fct_lead set is_converted = 0 where lead_id = 1")
            warehouse.execute("update marts.fct_expense set incurred_on = date '2026-02-01' where expense_id = 1")
            later = publish(settings, warehouse, mini.semantic_manifest_path, {"as_of": "2026-04-30T00:00:00Z"})
        listed = json.loads(run("snapshots", "list", "--format", "json")[1])
        assert [(row["version"], row["state"]) for row in listed] == [
            (later.version, "current"),
            (published.version, ""),
        ]

        _, output, _ = run("snapshots", "diff", published.version, later.version, "--months", "--format", "json")
        changes = {(row["metric"], row["month"]): row for row in json.loads(output)}
        total = changes["conversion_rate", None]
        assert (total["before"], total["after"]) == (pytest.approx(4 / 6), pytest.approx(0.5))
        assert (total["absolute"], total["relative"]) == (pytest.approx(-1 / 6), pytest.approx(-0.25))
        assert ("conversion_rate", "2026-01") in changes
        assert ("conversion_rate", "2026-02") not in changes
        # Moved from one month to another: the months differ, the total does not.
        assert ("marketing_expense", None) not in changes
        assert changes["marketing_expense", "2026-01"]["absolute"] == pytest.approx(-100.1)
        assert "leads" not in {metric for metric, _ in changes}

        _, output, _ = run("snapshots", "diff", published.version, later.version)
        lines = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line.strip()}
        assert lines["conversion_rate"] == ["1", "66.67%", "50.00%", "-16.67%", "-25.00%"]
        assert lines["marketing_expense"] == ["2", "107.30", "107.30", "0.00", "0.00%"]
        assert "No metric differs" in run("snapshots", "diff", later.version, later.version)[1]

        code, output, _ = run("snapshots", "rollback")
        assert code == 0
        assert published.version in output
        assert current(settings) == published
        assert run("snapshots", "rollback", later.version)[0] == 0
        assert current(settings) == later

    def test_unknown_version(self, run: Run, published: Snapshot) -> None:
        for arguments in (["diff", "x", published.version], ["rollback", "x"]):
            code, _, errors = run("snapshots", *arguments)
            assert code == 1
            assert "no snapshot 'x'" in errors
            assert published.version in errors

    @pytest.mark.parametrize(
        ("name", "content"), [("marts.duckdb", None), ("marts.duckdb", "cut"), ("report.json", '{"files": []}')]
    )
    def test_a_damaged_current(self, run: Run, published: Snapshot, name: str, content: str | None) -> None:
        path = published.path / name
        path.unlink() if content is None else path.write_text(content)
        code, output, errors = run("snapshots", "list", "--format", "json")
        assert code == 1
        assert [(row["version"], row["state"]) for row in json.loads(output)] == [(published.version, "damaged")]
        assert "snapshots rollback" in errors
        code, output, errors = run("status", "--format", "json")
        assert (code, json.loads(output)[0]["current_snapshot"]) == (1, "damaged")
        assert str(path) in errors

    def test_marts_overwritten_in_place(self, run: Run, published: Snapshot) -> None:
        published.marts_path.write_bytes(b"x" * published.marts_path.stat().st_size)
        assert run("status")[0] == 1

    def test_a_file_in_the_place_of_a_snapshot(self, run: Run, published: Snapshot) -> None:
        (published.path.parent / "20200101T000000000000Z").touch()
        code, output, _ = run("snapshots", "list", "--format", "json")
        assert (code, [row["version"] for row in json.loads(output)]) == (0, [published.version])


class TestStatus:
    def test_before_the_first_refresh(self, run: Run) -> None:
        code, output, _ = run("status")
        assert code == 0
        assert "never run" in output
        code, _, errors = run("metrics", "list")
        assert code == 1
        assert "loupan refresh" in errors

    def test_after_a_refused_refresh(self, run: Run, published: Snapshot, settings: Settings) -> None:
        write_state(
            settings,
            RefreshState(
                refresh_id="1",
                started_at="2026-03-31T01:00:00+00:00",
                outcome="refused",
                failed_checks=["raw/lead: keys – 3 rows share a key", "raw/deal: quarantine – 7 % of the rows"],
                rows={"lead": 40_000, "deal": 2},
                quarantined={"lead": 1200, "deal": 0},
            ),
        )
        _, output, _ = run("status")
        for text in (
            "refused",
            "1,200 (lead 1,200)",
            "40,002",
            published.version,
            "2026-03-31T00:00:00Z",
        ):
            assert text in output
        lines = [" ".join(line.split()) for line in output.splitlines()]
        assert "failed checks raw/lead: keys – 3 rows share a key" in lines
        assert "raw/deal: quarantine – 7 % of the rows" in lines
        (status,) = json.loads(run("status", "--format", "json")[1])
        assert status["rows_quarantined"] == {"lead": 1200, "deal": 0}
        assert status["snapshot_size"] > 0

    def test_a_killed_refresh_is_called_interrupted(self, run: Run, settings: Settings) -> None:
        write_state(settings, RefreshState(refresh_id="1", started_at="2026-03-31T01:00:00+00:00"))
        assert json.loads(run("status", "--format", "json")[1])[0]["last_refresh"] == "interrupted"
        program = (
            "import sys; from pathlib import Path; from loupan.refresh_lock import refresh_lock\n"
            "with refresh_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
        )
        arguments = [sys.executable, "-c", program, str(settings.data_dir)]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            assert json.loads(run("status", "--format", "json")[1])[0]["last_refresh"] == "running"
            other.communicate()

    @pytest.mark.parametrize(
        "damage", ['"quarantined": [1]', '"outcome": "x"', '"failed_checks": "x"', '"rows": {"a": "b"}']
    )
    def test_a_state_of_wrong_types_is_none(self, run: Run, settings: Settings, damage: str) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        state = '{"refresh_id": "1", "started_at": "2026-03-31T01:00:00+00:00", ' + damage + "}"
        (settings.data_dir / "last_refresh.json").write_text(state)
        code, output, _ = run("status")
        assert code == 0
        assert "never run" in output

    def test_rows_kept_out(self, run: Run, mini: Built, settings: Settings, tmp_path: Path) -> None:
        publish(settings, mini.warehouse_path, mini.semantic_manifest_path, {})
        assert "No row was kept out" in run("status", "--quarantined")[1]
        assert run("status", "--quarantined", "--format", "json")[1] == "[]\n"
        warehouse_path = tmp_path / "warehouse.duckdb"
        warehouse_path.write_bytes(mini.warehouse_path.read_bytes())
        with duckdb.connect(str(warehouse_path)) as warehouse:
            warehouse.execute(
                "create schema quarantine; create table quarantine.quarantine_row as "
                "select 'deal' as table_name, lpad(n::varchar, 4, '0') as row_key, 'unit_id' as column_name, "
                "'references' as rule, '99' as value, 'no such unit' as reason from range(600) as rows (n) "
                "union all select 'lead', '7', null, 'keys', null, 'a key twice'"
            )
            publish(settings, warehouse, mini.semantic_manifest_path, {"quarantined": {"deal": 600, "lead": 1}})
        lines = [line.split() for line in run("status")[1].splitlines()]
        shown = lines[[line[:2] for line in lines].index(["Kept", "out"]) :]
        assert [line[:3] for line in shown if line[:1] == ["deal"]] == [
            ["deal", f"000{n}", "unit_id"] for n in range(3)
        ]
        assert ["lead", "7", "–", "–", "a", "key", "twice"] in shown
        code, output, errors = run("status", "--quarantined", "--format", "json")
        listed = json.loads(output)
        assert (code, len(listed)) == (0, 500)
        assert listed[0] == {
            "table": "deal", "key": "0000", "column": "unit_id", "value": "99", "reason": "no such unit"
        }  # fmt: skip
        assert "the first 500" in errors


class TestOutput:
    """The command in a process of its own: what it writes to is not what pytest replaces it by."""

    @staticmethod
    def loupan(
        settings: Settings, *arguments: str, encoding: str = "utf-8", stdout: Any = subprocess.PIPE
    ) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "LOUPAN_DATA_DIR": str(settings.data_dir), "PYTHONIOENCODING": encoding}
        program = [sys.executable, "-c", "from loupan.cli import run; run()", *arguments]
        return subprocess.run(program, env=environment, stdout=stdout, stderr=subprocess.PIPE, check=False)

    @pytest.mark.usefixtures("published")
    @pytest.mark.parametrize("output_format", ["table", "csv", "json"])
    def test_a_full_disk(self, settings: Settings, output_format: str) -> None:
        with Path("/dev/full").open("wb") as full:
            result = self.loupan(
                settings, "metrics", "query", "leads", "--by", "project", "--format", output_format, stdout=full
            )
        assert result.returncode == 1
        assert result.stderr.decode().startswith("Error: Cannot write: [Errno 28]")
        assert b"Traceback" not in result.stderr

    @pytest.mark.usefixtures("published")
    def test_an_encoding_without_the_characters(self, settings: Settings) -> None:
        question = ("metrics", "query", "leads", "--by", "project", "--format")
        for output_format in ("table", "csv"):
            result = self.loupan(settings, *question, output_format, encoding="ascii")
            assert (result.returncode, result.stderr) == (0, b"")
            assert b"\\u6ee8\\u6c5f \\U0001f3e0" in result.stdout
        result = self.loupan(settings, *question, "json", encoding="ascii")
        assert HOSTILE_NAME in {row["project"] for row in json.loads(result.stdout)}


def test_what_is_written_is_nobody_else_s_to_read(tmp_path: Path) -> None:
    environment = os.environ | {"LOUPAN_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-c", "from loupan.cli import run; run()", "crm", "init"]
    subprocess.run(command, env=environment, check=True, capture_output=True, umask=0)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data", *(tmp_path / "data").iterdir())}
    assert "crm.sqlite" in modes
    assert all(mode & 0o027 == 0 for mode in modes.values()), modes


class TestHelp:
    @pytest.mark.parametrize("command", [[], ["metrics"], ["snapshots"], ["status"], ["crm"], ["import"]])
    def test_no_completion_anywhere(self, run: Run, command: list[str]) -> None:
        code, output, _ = run(*command, "--help")
        assert code == 0
        assert "Usage" in output
        assert "completion" not in output

    def test_version(self, run: Run) -> None:
        assert run("--version")[:2] == (0, f"loupan {importlib.metadata.version('loupan')}\n")


def test_display() -> None:
    assert display(None) == "–"
    assert display(0.105, "percent") == "10.50%"
    assert display(Decimal("1234567.5"), "currency") == "1,234,567.50"
    assert display(1234567) == "1,234,567"
    assert display(2.50) == "2.5"
    assert display("江🏠\x1b]0;mine\x07\x00\x9b2J") == r"江🏠\x1b]0;mine\x07\x00\x9b2J"
    assert display("two\nlines") == "two\nlines"
    assert byte_size(3_400_000) == "3 MB"
    assert byte_size(2_500_000_000_000) == "2500.0 GB"


# What takes long to import, and no short command needs.
_HEAVY = {
    "alembic", "babel", "cryptography", "dagster", "dbt", "duckdb", "great_expectations", "holidays", "metricflow",
    "numpy", "pandas", "plotly", "pyarrow", "scipy", "sklearn", "sqlalchemy", "starlette", "streamlit", "uvicorn",
}  # fmt: skip
_MODULES = """
import atexit, sys
heavy = sys.argv.pop().split(",")
atexit.register(lambda: print("heavy:", *(name for name in heavy if name in sys.modules)))
from loupan.cli import run
run()
"""


@pytest.mark.parametrize(
    "command",
    [
        "--help", "status", "snapshots list", "metrics list --help", "refresh --help", "sample --help", "serve --help",
        "crm --help",
    ],
)  # fmt: skip
def test_short_commands_import_nothing_heavy(command: str, tmp_path: Path) -> None:
    environment = {**os.environ, "LOUPAN_DATA_DIR": str(tmp_path)}
    arguments = [sys.executable, "-c", _MODULES, *command.split(), ",".join(sorted(_HEAVY))]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "heavy:"
    assert done.returncode == 0 or "Nothing is published" in done.stderr
