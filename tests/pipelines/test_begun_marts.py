"""What is copied while models are made: whole, or not there."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from loupan.settings import Settings
from pipelines import begun_marts


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path)
    with duckdb.connect(str(made.warehouse_path)) as warehouse:
        warehouse.execute("create schema marts")
        warehouse.execute("create table marts.fct_lead as select range as lead_id from range(3)")
        warehouse.execute("create table marts.dim_source as select 'walk_in' as source")
    return made


def tables(path: Path) -> dict[str, int]:
    """Return the number of rows of each table of a file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        return {name: connection.table(name).count("*").fetchall()[0][0] for name in names}


def test_marts_are_copied_as_they_are_done(settings: Settings) -> None:
    with begun_marts.begin(settings, None) as begun, duckdb.connect(str(settings.warehouse_path)) as warehouse:
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
    with begun_marts.begin(settings, None) as begun:
        begun.add("no_such_mart")
        begun.add("fct_lead")
        assert begun.finish() == {"fct_lead"}
    assert "no_such_mart cannot be copied ahead" in caplog.text
    assert tables(settings.begun_marts_path) == {"fct_lead": 3}


def test_of_a_build_that_fails_nothing_is_left(settings: Settings) -> None:
    with pytest.raises(KeyboardInterrupt), begun_marts.begin(settings, None) as begun:  # noqa: PT012
        begun.add("fct_lead")
        raise KeyboardInterrupt
    with begun_marts.begin(settings, None) as begun:
        # A test of the data failed: finished is what succeeded.
        begun.add("fct_lead")
    assert list(settings.snapshots_dir.iterdir()) == []


def test_what_a_killed_build_left_is_no_part_of_the_next(settings: Settings) -> None:
    settings.snapshots_dir.mkdir()
    settings.begun_marts_path.write_bytes(b"half a file")
    settings.begun_marts_path.with_name(".begun_marts.duckdb.wal").write_bytes(b"half a log")
    with begun_marts.begin(settings, None) as begun:
        begun.add("dim_source")
        begun.finish()
    assert tables(settings.begun_marts_path) == {"dim_source": 1}


def test_a_base_that_is_gone_is_not_begun(settings: Settings) -> None:
    with begun_marts.begin(settings, "20260101T000000000000Z") as begun:
        # Of an incremental build the marts are in the base.
        begun.add("fct_lead")
        assert begun.finish() == frozenset()
    assert not settings.begun_marts_path.exists()


def test_a_folder_in_the_place_of_the_file_is_no_matter(settings: Settings) -> None:
    (settings.begun_marts_path / "of_somebody").mkdir(parents=True)
    with begun_marts.begin(settings, None) as begun:
        begun.add("fct_lead")
        begun.add("dim_source")
        # Publishing copies all, and says what is wrong if that cannot be done either.
        assert begun.finish() == frozenset()


def test_a_full_disk_ends_what_is_begun_and_not_the_build(
    settings: Settings, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create table marts.fct_large as select hash(range) as value from range(1000000)")
    settings.snapshots_dir.symlink_to(small_disk, target_is_directory=True)
    with begun_marts.begin(settings, None) as begun:
        begun.add("fct_large")
        begun.add("dim_source")
        assert "fct_large" not in begun.finish()
    assert "cannot be copied ahead" in caplog.text
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
        assert warehouse.execute("select count(*) from marts.fct_large").fetchall() == [(1_000_000,)]
