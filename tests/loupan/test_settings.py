"""Settings: what is refused, and that the refusal says where and how to mend it."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import available_timezones

import duckdb
import pytest
from dagster._utils.schedules import is_valid_cron_schedule
from pydantic import ValidationError

from loupan.cron import SHORTHANDS, check_cron
from loupan.settings import Settings, SettingsError, get_settings


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        get_settings()
    return str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LOUPAN_REFRESH_CRON", "bla", "cron notation has five parts"),
        ("LOUPAN_REFRESH_CRON", "0 25 * * *", "the hour '25' is not between 0 and 23"),
        ("LOUPAN_REFRESH_CRON", "0 0 30 feb *", "never comes"),
        ("LOUPAN_OVERLAP_MINUTES", "99999999999999", "less than or equal to 527040"),
        ("LOUPAN_TIME_ZONE", "posixrules", "no IANA time zone"),
        ("LOUPAN_TIME_ZONE", "localtime", "no IANA time zone"),
        ("LOUPAN_TIME_ZONE", "../UTC", "no IANA time zone"),
        ("LOUPAN_DATA_DIR", "/etc/passwd", "/etc/passwd is a file; name a folder"),
        ("LOUPAN_DATA_DIR", "/etc/passwd/var", "/etc/passwd is a file; name a folder"),
        ("LOUPAN_DATA_DIR", "~nobody-of-this-name/x", "name another folder"),
        ("LOUPAN_WEB_PROCESSES", "0", "greater than or equal to 1"),
        ("LOUPAN_WEB_PROCESSES", "many", "should be a valid integer"),
        ("LOUPAN_ENGINE", "flink", "Input should be 'duckdb' or 'spark'"),
        ("LOUPAN_SPARK_REMOTE", "spark://master:7077", "use one like 'sc://spark.example.com:15002'"),
        ("LOUPAN_SPARK_MEMORY", "2 GB", "use one like '8g' or '512m'"),
        ("LOUPAN_DATADIR", "x", "LOUPAN_DATADIR in the environment is no setting (did you mean LOUPAN_DATA_DIR?)"),
        ("LOUPAN_TIMEZONE", "UTC", "LOUPAN_TIMEZONE in the environment is no setting (did you mean LOUPAN_TIME_ZONE?)"),
    ],
)
def test_values_and_names_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    said = refused(monkeypatch, **{name: value})
    assert message in said
    assert name in said
    assert "Mend the environment or .env." in said


def test_all_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(monkeypatch, LOUPAN_DATADIR="x", LOUPAN_KEEP_SNAPSHOTS="1")
    assert "LOUPAN_DATADIR" in said
    assert "LOUPAN_KEEP_SNAPSHOTS='1'" in said


def test_names_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "LOUPAN_WAREHOUSE_PATH",
        "LOUPAN_PORT",
        "LOUPAN_SERVICE_HOST",
        "LOUPAN_POSTGRES_SERVICE_PORT_DB",
        "LOUPAN_POSTGRES_PORT_5432_TCP_ADDR",
    ):
        monkeypatch.setenv(name, "x")
    get_settings()


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOUPAN_DATA_DIR", "")
    monkeypatch.setenv("LOUPAN_KEEP_SNAPSHOTS", "")
    assert get_settings() == Settings(data_dir=tmp_path / "var", keep_snapshots=20)


class TestEnvFile:
    def test_is_read_with_and_without_byte_order_mark(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text = "LOUPAN_CURRENCY=EUR\n\n# comment\nexport OTHER='two\nlines'\n"
        for encoding in ("utf-8", "utf-8-sig"):
            Path(".env").write_text(text, encoding=encoding)
            get_settings.cache_clear()
            assert get_settings().currency == "EUR"

    def test_that_is_not_utf8(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path(".env").write_bytes("# ok\nLOUPAN_DATA_DIR=楼盘\n".encode("gb18030"))
        assert f"{Path('.env').resolve()} cannot be read: line 2 is not UTF-8. Save" in refused(monkeypatch)

    def test_with_a_name_that_means_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOUPAN_XYZZY", "another program's")
        get_settings.cache_clear()
        get_settings()
        get_settings.cache_clear()
        Path(".env").write_text("LOUPAN_XYZZY=ours\n")
        assert f"LOUPAN_XYZZY in line 1 of {Path('.env').resolve()} is no setting. Mend" in refused(monkeypatch)

    def test_with_a_misspelt_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path(".env").write_text("OTHER=1\n\nloupan_time_zon=UTC\n")
        said = refused(monkeypatch)
        assert f"loupan_time_zon in line 3 of {Path('.env').resolve()} is no setting" in said
        assert "did you mean LOUPAN_TIME_ZONE?" in said

    @pytest.mark.parametrize("line", ["LOUPAN_CURRENCY EUR", "LOUPAN_CURRENCY", "LOUPAN_CURRENCY: EUR", "='sesame"])
    def test_with_a_line_that_sets_nothing(self, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
        Path(".env").write_text(f"OTHER=1\n\n{line}\nMORE=2\n")
        said = refused(monkeypatch)
        assert f"line 3 of {Path('.env').resolve()} is no NAME=value" in said
        assert "sesame" not in said


def test_every_time_zone_taken_is_known_to_duckdb() -> None:
    known = {name for (name,) in duckdb.execute("select name from pg_timezone_names()").fetchall()}
    for name in available_timezones() - known:
        with pytest.raises(ValidationError, match="no IANA time zone"):
            Settings(time_zone=name)
    assert Settings(time_zone="America/Sao_Paulo").time_zone in known


FIELDS = ["*", "*/7", "0", "1-5", "1,3", "2-6/2", "4/10", "05", "feb", "feb-apr", "mon", "sat,sun", "7", "31", "L", "?"]


def test_dagster_takes_whatever_we_take() -> None:
    patterns = [f"{a} {b} {c} {d} {e}" for a, b in [("0", "6")] for c in FIELDS for d in FIELDS for e in FIELDS]
    patterns += [f"{a} {b} * * *" for a in FIELDS for b in FIELDS]
    patterns += [
        *SHORTHANDS,
        "@DAILY",
        " 0  6 * * * ",
        "0 6 * * * *",
        "*/0 * * * *",
        "*/99 * * * *",
        "1,,2 * * * *",
        "",
    ]
    taken = []
    for pattern in patterns:
        try:
            check_cron(pattern)
        except ValueError:
            continue
        taken.append(pattern)
    assert [pattern for pattern in taken if not is_valid_cron_schedule(pattern)] == []
    assert {"0 6 * * *", "0 6 1-5 feb sat,sun", "0 6 * * 1-5", "*/7 2-6/2 * * *", "@daily"} <= set(taken)


def test_the_default_of_the_working_calendar_is_known() -> None:
    """It is the one value that is not looked up, to keep short commands short."""
    from holidays import list_supported_countries

    assert Settings.model_fields["working_calendar"].default in list_supported_countries()
    assert Settings(working_calendar="de").working_calendar == "DE"
    assert Settings(working_calendar="cn").working_calendar == "CN"
