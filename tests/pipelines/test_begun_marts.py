"""What is copied while models are made: whole, or not there."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from loupan.marts_file import copy_marts, digest
from loupan.settings import Settings
from loupan.snapshot import Snapshot
from pipelines import begun_marts
from pipelines.increment import Increment, Step

_MINE = "lead_id in (select id from {keys}.key_customer)"
PLANNED = Increment(
    {
        "fct_lead": Step("delete", replaced=_MINE, rows="from {keys}.rows_fct_lead"),
        "fct_deal": Step("delete", replaced=_MINE),
    },
    1,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path)
    with duckdb.connect(str(made.warehouse_path)) as warehouse:
        warehouse.execute("create schema marts")
        warehouse.execute("create table marts.fct_lead as select range as lead_id from range(3)")
        warehouse.execute("create table marts.fct_deal as select unnest([1, 2]) as lead_id")
        warehouse.execute("create table marts.dim_source as select 'walk_in' as source")
    return made


def tables(path: Path) -> dict[str, int]:
    """Return the number of rows of each table of a file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        return {name: connection.table(name).count("*").fetchall()[0][0] for name in names}


def test_marts_are_copied_as_they_are_done(settings: Settings) -> None:
    with begun_marts.begin(settings, None, None) as begun, duckdb.connect(str(settings.warehouse_path)) as warehouse:
        begun.add("dim_source")
        warehouse.execute("create table marts.mart_late as select 1 as one")
        begun.add("mart_late")
        begun.add("fct_lead")
        assert begun.finish() == {"dim_source", "mart_late", "fct_lead"}
    assert tables(settings.begun_marts_path) == {"dim_source": 1, "mart_late": 1, "fct_lead": 3}
    # Another program, as the models of statistics are, may have the warehouse now.
    duckdb.connect(str(settings.warehouse_path), read_only=True).close()


def test_a_mart_that_cannot_be_copied_is_left_to_publishing(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with begun_marts.begin(settings, None, None) as begun:
        begun.add("no_such_mart")
        begun.add("fct_lead")
        assert begun.finish() == {"fct_lead"}
    assert "no_such_mart cannot be written ahead" in caplog.text
    assert tables(settings.begun_marts_path) == {"fct_lead": 3}


def test_of_a_build_that_fails_nothing_is_left(settings: Settings) -> None:
    with pytest.raises(KeyboardInterrupt), begun_marts.begin(settings, None, None) as begun:  # noqa: PT012
        begun.add("fct_lead")
        raise KeyboardInterrupt
    with begun_marts.begin(settings, None, None) as begun:
        # A test of the data failed: finished is what succeeded.
        begun.add("fct_lead")
    assert list(settings.snapshots_dir.iterdir()) == []


def test_what_a_killed_build_left_is_no_part_of_the_next(settings: Settings) -> None:
    settings.snapshots_dir.mkdir()
    settings.begun_marts_path.write_bytes(b"half a file")
    settings.begun_marts_path.with_name(".begun_marts.duckdb.wal").write_bytes(b"half a log")
    with begun_marts.begin(settings, None, None) as begun:
        begun.add("dim_source")
        begun.finish()
    assert tables(settings.begun_marts_path) == {"dim_source": 1}


def test_a_base_that_is_gone_is_not_begun(settings: Settings) -> None:
    with begun_marts.begin(settings, PLANNED, "20260101T000000000000Z") as begun:
        begun.add("fct_lead")
        assert begun.finish() is None
    assert not settings.begun_marts_path.exists()


@pytest.fixture
def base(settings: Settings) -> str:
    """A snapshot of what the marts were before an incremental build; the build's twins are there."""
    snapshot = Snapshot("20260101T000000000000Z", settings.snapshots_dir / "20260101T000000000000Z")
    snapshot.path.mkdir(parents=True)
    copy_marts(settings.warehouse_path, snapshot.marts_path, "100MB")
    size = snapshot.marts_path.stat().st_size
    report = {
        "files": {"marts.duckdb": size}, "patches": 0, "whole_bytes": size, "digest": digest(snapshot.marts_path)
    }  # fmt: skip
    (snapshot.path / "report.json").write_text(json.dumps(report))
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create schema increment; create table increment.key_customer as select 1 as id")
        warehouse.execute("create table increment.made_anew (name varchar)")
        warehouse.execute("create table increment.rows_fct_lead as from marts.fct_lead where lead_id = 1")
    return snapshot.version


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.table(table).order("all").fetchall()


def test_what_an_increment_changed_is_written_when_its_mart_is_done(settings: Settings, base: str) -> None:
    with begun_marts.begin(settings, PLANNED, base) as begun, duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("delete from marts.fct_lead where lead_id = 1; insert into marts.fct_lead values (10), (11)")
        warehouse.execute("delete from increment.rows_fct_lead; insert into increment.rows_fct_lead values (10), (11)")
        warehouse.execute("delete from marts.fct_deal where lead_id = 1")
        warehouse.execute("update marts.dim_source set source = 'call'")
        for mart in ("fct_lead", "fct_deal", "dim_source"):
            begun.add(mart)
        assert begun.finish() == {"fct_lead", "fct_deal", "dim_source"}
    assert rows(settings.begun_marts_path, "fct_lead") == [(0,), (2,), (10,), (11,)]
    assert rows(settings.begun_marts_path, "fct_deal") == [(2,)]
    # Nothing is said of its rows.
    assert rows(settings.begun_marts_path, "dim_source") == [("call",)]
    assert rows(settings.snapshots_dir / base / "marts.duckdb", "fct_lead") == [(0,), (1,), (2,)]


def test_what_turns_out_to_be_made_anew_is_copied_as_a_whole(settings: Settings, base: str) -> None:
    with begun_marts.begin(settings, PLANNED, base) as begun, duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create or replace table marts.fct_lead as select 7 as lead_id, 'new' as column_of_it")
        warehouse.execute("insert into increment.made_anew values ('fct_lead')")
        begun.add("fct_lead")
        assert begun.finish() == {"fct_lead"}
    assert rows(settings.begun_marts_path, "fct_lead") == [(7, "new")]
    assert rows(settings.begun_marts_path, "fct_deal") == [(1,), (2,)]


def test_what_an_increment_cannot_write_is_left_to_publishing(
    settings: Settings, base: str, caplog: pytest.LogCaptureFixture
) -> None:
    with begun_marts.begin(settings, PLANNED, base) as begun, duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("drop table increment.rows_fct_lead")
        begun.add("fct_lead")
        assert begun.finish() == frozenset()
    assert "fct_lead cannot be written ahead" in caplog.text
    assert tables(settings.begun_marts_path).keys() == {"fct_lead", "fct_deal", "dim_source"}


def test_a_folder_in_the_place_of_the_file_is_no_matter(settings: Settings) -> None:
    (settings.begun_marts_path / "of_somebody").mkdir(parents=True)
    with begun_marts.begin(settings, None, None) as begun:
        begun.add("fct_lead")
        begun.add("dim_source")
        # Publishing copies all, and says what is wrong if that cannot be done either.
        assert begun.finish() is None


def test_a_full_disk_ends_what_is_begun_and_not_the_build(
    settings: Settings, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create table marts.fct_large as select hash(range) as value from range(1000000)")
    settings.snapshots_dir.symlink_to(small_disk, target_is_directory=True)
    with begun_marts.begin(settings, None, None) as begun:
        begun.add("fct_large")
        begun.add("dim_source")
        assert "fct_large" not in (begun.finish() or ())
    assert "cannot be written ahead" in caplog.text
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
        assert warehouse.execute("select count(*) from marts.fct_large").fetchall() == [(1_000_000,)]
