"""Publishing only what changed: the file is the same as if all had been copied, or all is copied."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from loupan import snapshot as module
from loupan.marts_file import NO_ROW, Difference, copy_with_digest
from loupan.settings import Settings
from loupan.snapshot import PublishError, Snapshot, copy_base, publish
from tests.loupan.conftest import Built
from tests.support.same_rows import assert_same_rows

CHANGED = Difference("", {"fct_lead": "lead_id in (select id from {warehouse}.changed.lead)", "dim_source": NO_ROW})


@pytest.fixture
def warehouse(mini: Built, tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(mini.warehouse_path.read_bytes())
    return path


@pytest.fixture
def base(mini: Built, settings: Settings, warehouse: Path) -> Snapshot:
    """What is published before leads 2 and 4 change; a table comes, and one of the last time is gone."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema mining; create table mining.score__old as select 1 as a")
    first = publish(settings, warehouse, mini.semantic_manifest_path, {})
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema changed; create table changed.lead as select unnest([2, 4]) as id")
        connection.execute("update marts.fct_lead set project_id = 77 where lead_id = 2")
        connection.execute("delete from marts.fct_lead where lead_id = 4")
        connection.execute("drop table mining.score__old; create table mining.score__new as select 2 as a")
    return first


def published_again(
    mini: Built,
    settings: Settings,
    warehouse: Path,
    base: Snapshot | None,
    *,
    change: Difference = CHANGED,
    begun: frozenset[str] | None = None,
) -> Snapshot:
    """Publish with the difference, and check that every table holds what the warehouse does."""
    difference = replace(change, base=base.version if base else "", begun=begun)
    new = publish(settings, warehouse, mini.semantic_manifest_path, {}, difference)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
        connection.execute(f"attach '{new.marts_path}' as published (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = 'warehouse' and schema_name in ('marts', 'mining')"
        ).fetchall()
        present = connection.execute("select table_name from duckdb_tables() where database_name = 'published'")
        assert sorted(present.fetchall()) == sorted((name,) for _, name in tables)
        for schema, name in tables:
            assert_same_rows(connection, f"warehouse.{schema}.{name}", f"published.{name}")
    new.verify()
    return new


def test_only_the_rows_that_may_differ_are_written(
    mini: Built, settings: Settings, warehouse: Path, base: Snapshot
) -> None:
    before = base.marts_path.read_bytes()
    first = published_again(mini, settings, warehouse, base)
    assert base.marts_path.read_bytes() == before
    assert (first.report["patches"], first.report["whole_bytes"]) == (1, base.report["files"]["marts.duckdb"])
    assert published_again(mini, settings, warehouse, first).report["patches"] == 2


def test_rows_that_are_kept_apart_are_not_looked_for(
    mini: Built, settings: Settings, warehouse: Path, base: Snapshot
) -> None:
    kept = replace(CHANGED, rows={"fct_lead": "from {warehouse}.changed.lead_row"})
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table changed.lead_row as from marts.fct_lead where lead_id in (2, 4)")
    assert published_again(mini, settings, warehouse, base, change=kept).report["patches"] == 1
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update changed.lead_row set project_id = 79")
    with pytest.raises(AssertionError, match=r"\(2, 77"):
        published_again(mini, settings, warehouse, base, change=kept)


def test_a_row_outside_the_difference_is_that_of_the_snapshot(
    mini: Built, settings: Settings, warehouse: Path, base: Snapshot
) -> None:
    """So it is the difference that is written, and nothing else."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update marts.fct_lead set project_id = 78 where lead_id = 1")
    with pytest.raises(AssertionError, match="78"):
        published_again(mini, settings, warehouse, base)


@pytest.mark.parametrize("fault", ["gone", "damaged", "without digest", "no report", "too many", "grown"])
def test_what_cannot_be_patched_is_copied(
    mini: Built, settings: Settings, warehouse: Path, base: Snapshot, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    report = base.path / "report.json"
    if fault == "gone":
        base = Snapshot("20200101T000000000000Z", base.path)
    elif fault == "damaged":
        data = bytearray(base.marts_path.read_bytes())
        data[len(data) // 2] ^= 1
        base.marts_path.write_bytes(data)
    elif fault == "without digest":
        report.write_text(json.dumps({name: value for name, value in base.report.items() if name != "digest"}))
    elif fault == "no report":
        report.write_text("[")
    elif fault == "too many":
        monkeypatch.setattr(module, "_MOST_PATCHES", 0)
    else:
        monkeypatch.setattr(module, "_MOST_GROWTH", 0.9)
    assert published_again(mini, settings, warehouse, Snapshot(base.version, base.path)).report["patches"] == 0


def test_a_difference_that_cannot_be_written_is_copied_and_told(
    mini: Built, settings: Settings, warehouse: Path, base: Snapshot, caplog: pytest.LogCaptureFixture
) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("drop schema changed cascade")
    assert published_again(mini, settings, warehouse, base).report["patches"] == 0
    assert f"Snapshot {base.version} cannot be patched; the marts are copied" in caplog.text


def test_a_base_that_was_copied_ahead_is_patched_in_its_place(
    mini: Built, settings: Settings, warehouse: Path, base: Snapshot
) -> None:
    assert copy_base(settings, base.version, settings.begun_marts_path)
    place = settings.begun_marts_path.stat().st_ino
    new = published_again(mini, settings, warehouse, base, begun=frozenset())
    assert (new.report["patches"], new.marts_path.stat().st_ino) == (1, place)
    assert not settings.begun_marts_path.exists()


def test_marts_that_were_copied_ahead_are_not_copied_again(
    mini: Built, settings: Settings, warehouse: Path, base: Snapshot
) -> None:
    """The rows of the difference aside, which here stand for marts that were not copied."""
    copy_with_digest(base.marts_path, settings.begun_marts_path)
    with duckdb.connect(str(settings.begun_marts_path)) as connection:
        names = connection.execute("select table_name from duckdb_tables()").fetchall()
    place = settings.begun_marts_path.stat().st_ino
    begun = frozenset(name for (name,) in names) - {"fct_lead"}
    new = published_again(mini, settings, warehouse, None, change=Difference("", {}), begun=begun)
    assert (new.report["patches"], new.marts_path.stat().st_ino) == (0, place)
    assert new.report["whole_bytes"] == new.report["files"]["marts.duckdb"]


@pytest.mark.parametrize("fault", ["gone", "damaged", "its base is gone"])
def test_what_was_begun_ahead_and_cannot_be_used_is_made_anew(
    mini: Built, settings: Settings, warehouse: Path, base: Snapshot, fault: str
) -> None:
    if fault == "damaged":
        settings.begun_marts_path.write_bytes(b"no database")
    elif fault == "its base is gone":
        settings.begun_marts_path.write_bytes(base.marts_path.read_bytes())
        base = Snapshot("20200101T000000000000Z", base.path)
    # What is gone was copied from a base that is still there.
    patches = 1 if fault == "gone" else 0
    # Of what is not there, nothing is done.
    begun = frozenset({"fct_lead"})
    assert published_again(mini, settings, warehouse, base, begun=begun).report["patches"] == patches


def test_no_warehouse_and_no_marts_are_told(mini: Built, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"There is no warehouse at .*absent.duckdb"):
        publish(settings, tmp_path / "absent.duckdb", mini.semantic_manifest_path, {})
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    with pytest.raises(PublishError, match="has no tables in schema marts"):
        publish(settings, tmp_path / "empty.duckdb", mini.semantic_manifest_path, {})
