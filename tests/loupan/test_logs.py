"""Logs are JSON lines, without what people entered, and are rotated."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from loupan import logs
from loupan.errors import LoupanError
from loupan.refresh_state import RefreshState, write_state
from loupan.settings import Settings
from loupan.snapshot import DamagedSnapshot

NAME, PHONE = "陈小明", "13812345678"


class _Collected(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logs.formatter("web", as_json=True))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def collected() -> _Collected:
    return _Collected()


def _record(handler: logging.Handler, name: str, *arguments: Any, **options: Any) -> None:
    logger = logging.Logger(name)
    logger.addHandler(handler)
    logger.error(*arguments, **options)


def _fails() -> None:
    private = f"{NAME} {PHONE}"
    try:
        raise KeyError(private)
    except KeyError as error:
        raise ValueError(f'cannot read {private}\n{{"event": "forged"}}') from error


def test_an_exception_is_told_by_its_class_and_its_lines(collected: _Collected) -> None:
    try:
        _fails()
    except ValueError:
        _record(collected, "dashboards.app", "A page could not be drawn", exc_info=True, extra={"incident": "AB12"})
    (line,) = collected.lines
    assert NAME not in line
    assert PHONE not in line
    told = json.loads(line)
    assert told["event"] == "A page could not be drawn"
    assert (told["level"], told["logger"], told["program"], told["incident"]) == (
        "error",
        "dashboards.app",
        "web",
        "AB12",
    )
    assert [error["type"] for error in told["exception"]] == ["builtins.ValueError", "builtins.KeyError"]
    assert told["exception"][1]["at"][-1].startswith("tests/loupan/test_logs.py:")
    assert told["exception"][1]["at"][-1].endswith(" _fails")


def test_a_database_error_names_its_kind_and_no_row(collected: _Collected) -> None:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE person (phone TEXT UNIQUE)")
        insert = sa.text("INSERT INTO person VALUES (:phone)")
        connection.execute(insert, {"phone": PHONE})
        try:
            connection.execute(insert, {"phone": PHONE})
        except sa.exc.IntegrityError:
            _record(collected, "data_entry.services.work", "not written", exc_info=True)
    (line,) = collected.lines
    assert PHONE not in line
    assert json.loads(line)["exception"][0]["sqlite_errorname"] == "SQLITE_CONSTRAINT_UNIQUE"


def test_what_the_system_says_of_a_file_is_kept(collected: _Collected, tmp_path: Path) -> None:
    try:
        (tmp_path / NAME).read_text()
    except OSError:
        _record(collected, "dashboards.files", "a file could not be read", exc_info=True)
    (line,) = collected.lines
    assert NAME not in line
    assert json.loads(line)["exception"][0] | {"at": []} == {
        "type": "builtins.FileNotFoundError", "errno": 2, "strerror": "No such file or directory", "at": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "is_told"), [(DamagedSnapshot("report.json is missing"), True), (LoupanError("x"), False)]
)
def test_messages_that_quote_nobody_are_told(collected: _Collected, error: LoupanError, is_told: bool) -> None:
    _record(collected, "dashboards.layout", "not drawn", exc_info=error)
    assert ("message" in json.loads(collected.lines[0])["exception"][0]) is is_told


def test_other_libraries_messages_come_without_the_texts_in_them(collected: _Collected) -> None:
    _record(collected, "somebody.else", "cannot use %s after %d tries", NAME, 3, extra={"request": PHONE})
    _record(collected, "somebody.else", "in %(where)s", {"where": NAME})
    _record(collected, "loupan.status", "account %d of %s", 12, "sales")
    foreign, by_name, own = map(json.loads, collected.lines)
    assert (foreign["event"], foreign["numbers"]) == ("cannot use %s after %d tries", [3])
    assert by_name["event"] == "in %(where)s"
    assert own["event"] == "account 12 of sales"
    assert not any(NAME in line or PHONE in line for line in collected.lines)


def test_a_line_cannot_be_forged(collected: _Collected) -> None:
    _record(collected, "loupan.status", 'done\n{"event": "forged"}')
    assert len(collected.lines[0].splitlines()) == 1


def test_a_process_logs_json_lines_of_its_level_and_worse(tmp_path: Path) -> None:
    code = (
        "import logging, warnings\n"
        "from pathlib import Path\n"
        "from loupan import logs\n"
        "from loupan.settings import Settings\n"
        f"logs.to_stream(Settings(data_dir=Path({str(tmp_path)!r}), log_level='warning'), 'web')\n"
        "logging.getLogger('dashboards.x').info('quiet')\n"
        "logging.getLogger('dashboards.x').warning('heard')\n"
        "logging.getLogger('streamlit').setLevel('INFO')\n"
        "logging.getLogger('streamlit').info('talk')\n"
        "warnings.warn('old')\n"
        f"raise ValueError({NAME!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in told] == ["warning", "warning", "critical"]
    assert told[0]["event"] == "heard"
    assert told[2]["exception"][0]["type"] == "builtins.ValueError"
    assert NAME not in done.stderr


def test_refreshes_leave_lines_which_are_rotated(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, log_megabytes=1, log_files=2)
    state = RefreshState("r1", "2026-06-30T16:00:00+00:00")
    write_state(settings, state)
    state.outcome, state.finished_at = "refused", "2026-06-30T16:00:12+00:00"
    state.failed_checks, state.rows, state.error = [f"phone {PHONE} is wrong"], {"lead": 5, "deal": 2}, NAME
    write_state(settings, state)
    path = tmp_path / "logs" / "refresh.log"
    text = path.read_text(encoding="utf-8")
    began, ended = map(json.loads, text.splitlines())
    assert (began["outcome"], began["refresh"]) == ("running", "r1")
    assert (ended["outcome"], ended["seconds"], ended["rows"], ended["failed_checks"]) == ("refused", 12.0, 7, 1)
    assert ended["level"] == "warning"
    assert PHONE not in text
    assert NAME not in text
    handler = logs.rotating(path, settings, "refresh")
    for _ in range(30):
        _record(handler, "loupan.refresh_log", "x" * 200_000)
    assert sorted(file.name for file in path.parent.iterdir()) == ["refresh.log", "refresh.log.1", "refresh.log.2"]
    assert all(file.stat().st_size <= 1_000_000 for file in path.parent.iterdir())
