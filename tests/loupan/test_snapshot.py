"""Publishing: whole or not at all, whoever is killed, whatever is full, whoever reads meanwhile."""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loupan.metrics import Metrics, UnusableManifest, open_current
from loupan.settings import Settings
from loupan.snapshot import (
    DamagedSnapshot,
    NoSnapshot,
    PublishError,
    Snapshot,
    UnknownSnapshot,
    current,
    list_snapshots,
    prune,
    publish,
    rollback,
)
from tests.loupan.conftest import Built


@pytest.fixture
def publish_mini(mini: Built, settings: Settings) -> Callable[..., Snapshot]:
    """Publish the mini project, with a number in the report to tell the snapshots apart."""

    def publish_numbered(number: int = 0) -> Snapshot:
        return publish(settings, mini.warehouse_path, mini.semantic_manifest_path, {"number": number, "as_of": "2026"})

    return publish_numbered


def run_child(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments], capture_output=True, text=True, check=False
    )


class TestPublish:
    def test_a_snapshot_is_self_contained(self, publish_mini: Callable[..., Snapshot], settings: Settings) -> None:
        snapshot = publish_mini(7)
        assert current(settings) == snapshot
        assert {path.name for path in snapshot.path.iterdir()} == {
            "marts.duckdb",
            "semantic_manifest.json",
            "report.json",
        }
        assert snapshot.report["number"] == 7
        assert snapshot.report["version"] == snapshot.version
        assert snapshot.report["files"]["marts.duckdb"] == snapshot.marts_path.stat().st_size
        with snapshot.connect() as connection:
            tables = connection.execute("select table_schema, table_name from information_schema.tables").fetchall()
            assert ("main", "fct_lead") in tables
            assert {schema for schema, _ in tables} == {"main"}
            assert connection.execute("select current_setting('disabled_optimizers')").fetchall() == [
                ("common_subexpressions",)
            ]
            with pytest.raises(duckdb.Error, match="read-only"):
                connection.execute("create table t (a int)")
            with pytest.raises(duckdb.PermissionException):
                connection.execute("from read_text('/etc/hostname')")

    def test_every_relation_points_into_the_snapshot(self, publish_mini: Callable[..., Snapshot]) -> None:
        manifest = json.loads(publish_mini().semantic_manifest_path.read_text())
        elements = [*manifest["semantic_models"], *manifest["project_configuration"]["time_spines"]]
        assert elements[-1]["node_relation"]["alias"] == "time_spine"
        for element in elements:
            relation = element["node_relation"]
            assert relation["relation_name"] == f'"marts"."main"."{relation["alias"]}"'
            assert (relation["database"], relation["schema_name"]) == ("marts", "main")

    def test_quarantined_rows_come_along(self, mini: Built, settings: Settings, tmp_path: Path) -> None:
        warehouse_path = tmp_path / "warehouse.duckdb"
        warehouse_path.write_bytes(mini.warehouse_path.read_bytes())
        with duckdb.connect(str(warehouse_path)) as warehouse:
            warehouse.execute(
                "create schema quarantine; "
                "create table quarantine.quarantine_row as select 'lead' as table_name, '7' as row_key, "
                "'source_id' as column_name, 'references' as rule, '99' as value, 'no such source' as reason"
            )
            warehouse.execute("create schema staging; create table staging.secret as select 1 as a")
            warehouse.execute("create view marts.as_view as select 2 as b")
            # Through a connection that is open for writing, as it is inside a refresh.
            snapshot = publish(settings, warehouse, mini.semantic_manifest_path, {})
            assert warehouse.execute("select count(*) from marts.fct_lead").fetchall() == [(6,)]
        with snapshot.connect() as connection:
            assert connection.execute("from main.as_view").fetchall() == [(2,)]
            with pytest.raises(duckdb.CatalogException):
                connection.execute("from secret")
        assert snapshot.quarantined_rows()["row_key"].tolist() == ["7"]
        without = publish(settings, mini.warehouse_path, mini.semantic_manifest_path, {}).quarantined_rows()
        assert without.empty
        assert list(without.columns) == list(snapshot.quarantined_rows().columns)

    def test_versions_rise_even_when_the_clock_is_set_back(
        self, publish_mini: Callable[..., Snapshot], settings: Settings
    ) -> None:
        first = publish_mini()
        future = settings.snapshots_dir / "29991231T235959999998Z"
        first.path.rename(future)
        (settings.snapshots_dir / "CURRENT").write_text(future.name)
        assert publish_mini().version == "29991231T235959999999Z"

    def test_old_snapshots_are_pruned_but_never_the_current(
        self, publish_mini: Callable[..., Snapshot], settings: Settings
    ) -> None:
        few = settings.model_copy(update={"keep_snapshots": 2})
        oldest, *others = (publish_mini(number) for number in range(4))
        rollback(settings, oldest.version)
        assert prune(few) == [snapshot.version for snapshot in others[:2]]
        assert [snapshot.version for snapshot in list_snapshots(settings)] == [others[2].version, oldest.version]
        assert current(settings) == oldest

    def test_leftovers_of_killed_publishers_are_removed(
        self, publish_mini: Callable[..., Snapshot], settings: Settings
    ) -> None:
        publish_mini()
        for name in (".building-20200101T000000000000Z", ".building-x-spill", ".deleting-20200101T000000000000Z"):
            (settings.snapshots_dir / name).mkdir()
        publish_mini()
        hidden = {path.name for path in settings.snapshots_dir.iterdir() if path.name.startswith(".")}
        assert hidden == {".publishing.lock"}

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("drop schema marts cascade", "no tables in schema marts"),
            ("drop table marts.dim_project", "dim_project"),
            ("drop table marts.time_spine", "time_spine"),
        ],
    )
    def test_missing_marts(
        self,
        mini: Built,
        publish_mini: Callable[..., Snapshot],
        settings: Settings,
        tmp_path: Path,
        statement: str,
        message: str,
    ) -> None:
        whole = publish_mini()
        warehouse_path = tmp_path / "warehouse.duckdb"
        warehouse_path.write_bytes(mini.warehouse_path.read_bytes())
        with duckdb.connect(str(warehouse_path)) as warehouse:
            warehouse.execute(statement)
        with pytest.raises(PublishError, match=message):
            publish(settings, warehouse_path, mini.semantic_manifest_path, {})
        assert current(settings) == whole
        assert list_snapshots(settings) == [whole]

    def test_missing_warehouse_and_report_that_is_no_json(
        self, mini: Built, settings: Settings, tmp_path: Path
    ) -> None:
        with pytest.raises(PublishError, match="no warehouse at"):
            publish(settings, tmp_path / "none.duckdb", mini.semantic_manifest_path, {})
        with pytest.raises(PublishError, match="not JSON serializable"):
            publish(settings, mini.warehouse_path, mini.semantic_manifest_path, {"as_of": object()})
        with pytest.raises(NoSnapshot):
            current(settings)

    def test_metrics_that_cannot_be_answered(
        self, mini: Built, publish_mini: Callable[..., Snapshot], settings: Settings, tmp_path: Path
    ) -> None:
        whole = publish_mini()
        manifest = mini.manifest
        manifest["metrics"][0]["config"]["meta"]["default_where"] = {"nothing": "x"}
        path = tmp_path / "semantic_manifest.json"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        with pytest.raises(UnusableManifest, match="default for a dimension"):
            publish(settings, mini.warehouse_path, path, {})
        assert list_snapshots(settings) == [whole]
        assert not list(settings.snapshots_dir.glob(".building-*"))

    def test_damaged_warehouse(self, mini: Built, settings: Settings, tmp_path: Path) -> None:
        damaged = tmp_path / "warehouse.duckdb"
        damaged.write_bytes(os.urandom(100_000))
        with pytest.raises(PublishError, match="not a valid DuckDB"):
            publish(settings, damaged, mini.semantic_manifest_path, {})


class TestCurrent:
    def test_nothing_published(self, settings: Settings) -> None:
        assert list_snapshots(settings) == []
        for act in (current, rollback, open_current):
            with pytest.raises(NoSnapshot, match="loupan refresh"):
                act(settings)

    @pytest.mark.parametrize(
        "content", ["", "29990101T000000000000Z", "20000101T000000000000Z", "../../etc", "\0", "nonsense"]
    )
    def test_pointer_to_nowhere_names_the_file_and_is_mended_by_rollback(
        self, publish_mini: Callable[..., Snapshot], settings: Settings, content: str
    ) -> None:
        snapshot = publish_mini()
        (settings.snapshots_dir / "CURRENT").write_text(content)
        with pytest.raises(DamagedSnapshot, match="snapshots rollback") as error:
            current(settings)
        assert str(settings.snapshots_dir) in str(error.value)
        assert rollback(settings) == snapshot
        assert current(settings) == snapshot

    def test_pointer_of_binary_rubbish_or_none(self, publish_mini: Callable[..., Snapshot], settings: Settings) -> None:
        snapshot = publish_mini()
        pointer = settings.snapshots_dir / "CURRENT"
        for damage in (lambda: pointer.write_bytes(b"\xff\xfe\0"), pointer.unlink):
            damage()
            with pytest.raises(DamagedSnapshot, match="CURRENT"):
                current(settings)
            assert rollback(settings) == snapshot

    def test_a_folder_as_pointer(self, publish_mini: Callable[..., Snapshot], settings: Settings) -> None:
        snapshot = publish_mini()
        pointer = settings.snapshots_dir / "CURRENT"
        pointer.unlink()
        pointer.mkdir()
        for act in (current, rollback):
            with pytest.raises(DamagedSnapshot, match=r"CURRENT.*Remove it, then run `loupan snapshots rollback`"):
                act(settings)
        pointer.rmdir()
        assert rollback(settings) == snapshot

    @pytest.mark.parametrize("content", ["[]", '{"semantic_models": [1], "metrics": []}', '{"semantic_models": 1}'])
    def test_a_manifest_of_another_shape(
        self, publish_mini: Callable[..., Snapshot], settings: Settings, content: str
    ) -> None:
        publish_mini().semantic_manifest_path.write_text(content)
        with pytest.raises(DamagedSnapshot, match=r"semantic_manifest\.json"):
            open_current(settings)

    @pytest.mark.parametrize("content", ['{"files": []}', '{"files": {"marts.duckdb": "1"}}', "{}"])
    def test_a_report_without_sizes(
        self, publish_mini: Callable[..., Snapshot], settings: Settings, content: str
    ) -> None:
        whole, broken = publish_mini(), publish_mini()
        (broken.path / "report.json").write_text(content)
        with pytest.raises(DamagedSnapshot, match="does not hold the sizes"):
            rollback(settings, broken.version)
        assert rollback(settings) == whole

    @pytest.mark.parametrize("name", ["marts.duckdb", "semantic_manifest.json", "report.json"])
    @pytest.mark.parametrize("damage", ["missing", "cut", "rubbish"])
    def test_damaged_file_is_named_and_rolled_back_over(
        self, publish_mini: Callable[..., Snapshot], settings: Settings, name: str, damage: str
    ) -> None:
        whole, broken = publish_mini(1), publish_mini(2)
        path = broken.path / name
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:100] if damage == "cut" else b"\xff" * 5000)
        with pytest.raises(DamagedSnapshot, match=name):
            _ = open_current(settings).snapshot.report
        with pytest.raises(DamagedSnapshot):
            rollback(settings, broken.version)
        assert rollback(settings) == whole
        assert open_current(settings).snapshot.report["number"] == 1


class TestRollback:
    def test_back_and_forth(self, publish_mini: Callable[..., Snapshot], settings: Settings) -> None:
        first, second, third = (publish_mini(number) for number in range(3))
        assert rollback(settings) == second
        assert rollback(settings) == first
        with pytest.raises(UnknownSnapshot, match="no whole snapshot before"):
            rollback(settings)
        assert current(settings) == first
        (settings.snapshots_dir / "CURRENT").unlink()
        for snapshot in (first, second, third):
            snapshot.marts_path.rename(snapshot.path / "moved")
        with pytest.raises(UnknownSnapshot, match=r"There is no whole snapshot\. See"):
            rollback(settings)
        third.path.joinpath("moved").rename(third.marts_path)
        assert rollback(settings, third.version) == third
        with pytest.raises(UnknownSnapshot, match=third.version):
            rollback(settings, "../../../etc")

    def test_a_publication_after_a_rollback_is_current(
        self, publish_mini: Callable[..., Snapshot], settings: Settings
    ) -> None:
        publish_mini()
        publish_mini()
        rollback(settings)
        newest = publish_mini()
        assert current(settings) == newest == list_snapshots(settings)[0]


# Kills itself at the n-th different line that publish() reaches, in a process forked after the imports to be cheap.
# Nothing in the process has opened DuckDB before the fork: its threads would not survive it.
_KILLED_AT_EVERY_LINE = """
    import os, signal, sys
    from pathlib import Path
    import duckdb, filelock
    from loupan import snapshot
    from loupan.settings import Settings

    settings = Settings(data_dir=sys.argv[1], keep_snapshots=2)
    reached = set()

    def kill_at_line(frame, event, argument):
        if frame.f_code.co_filename != snapshot.__file__:
            return None
        if event == "line":
            reached.add(frame.f_lineno)
            if len(reached) == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return kill_at_line

    for line in range(1, 1000):
        child = os.fork()
        if child == 0:
            sys.settrace(kill_at_line)
            snapshot.publish(settings, Path(sys.argv[2]), Path(sys.argv[3]), {"line": line})
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
        current = snapshot.current(settings)
        size = current.marts_path.stat().st_size
        assert size == current.report["files"]["marts.duckdb"], (line, size)
        for kept in snapshot.list_snapshots(settings):
            assert len(list(kept.path.iterdir())) == 3, (line, kept)
        print(line, current.version, flush=True)
    else:
        raise SystemExit("never finished")
"""


@pytest.mark.slow
def test_killed_at_every_line_of_publishing(
    mini: Built, publish_mini: Callable[..., Snapshot], settings: Settings
) -> None:
    first, _ = publish_mini(), publish_mini()
    result = run_child(
        _KILLED_AT_EVERY_LINE, str(settings.data_dir), str(mini.warehouse_path), str(mini.semantic_manifest_path)
    )
    assert result.returncode == 0, result.stderr
    survived = [line.split()[1] for line in result.stdout.splitlines()]
    assert len(survived) > 60
    # Kills before the switch left the old snapshot, kills after it the new one.
    assert len(set(survived)) > 3
    assert first.version not in survived
    snapshots = list_snapshots(settings)
    assert len(snapshots) == 2
    for snapshot in snapshots:
        snapshot.verify()
        assert Metrics(snapshot).records(["leads"]) == [{"leads": 6}]


@pytest.mark.slow
def test_killed_at_any_moment(mini: Built, publish_mini: Callable[..., Snapshot], settings: Settings) -> None:
    publish_mini()
    program = """
        import sys
        from pathlib import Path
        from loupan import snapshot
        from loupan.settings import Settings
        import duckdb
        settings = Settings(data_dir=sys.argv[1], keep_snapshots=2)
        print("ready", flush=True)
        while True:
            snapshot.publish(settings, Path(sys.argv[2]), Path(sys.argv[3]), {})
    """
    for attempt in range(12):
        arguments = [str(settings.data_dir), str(mini.warehouse_path), str(mini.semantic_manifest_path)]
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), *arguments], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            threading.Event().wait(0.02 + 0.037 * attempt)
            os.kill(child.pid, signal.SIGKILL)
        snapshot = current(settings)
        snapshot.verify()
    publish_mini()
    assert len(list_snapshots(settings)) <= 4


def test_full_disk(mini: Built, publish_mini: Callable[..., Snapshot], settings: Settings) -> None:
    """The system refuses to write beyond a size in the child, whatever the step that needs it."""
    whole = publish_mini()
    needed = whole.marts_path.stat().st_size
    program = """
        import resource, signal, sys
        from pathlib import Path
        from loupan.settings import Settings
        from loupan.snapshot import PublishError, publish
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
        try:
            publish(Settings(data_dir=sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), {})
        except PublishError as error:
            print(error)
    """
    paths = (str(settings.data_dir), str(mini.warehouse_path), str(mini.semantic_manifest_path))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    for limit in (0, 1000, needed // 2, needed - 1):
        result = run_child(program, *paths, str(limit))
        assert "was not published" in result.stdout, (limit, result.stdout, result.stderr)
        assert "The current snapshot is unchanged" in result.stdout
        assert current(settings) == whole
        assert list_snapshots(settings) == [whole]
        assert not list(settings.snapshots_dir.glob(".building-*"))


def test_full_tmpfs(mini: Built, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not permitted here")
    try:
        small = Settings(data_dir=disk / "var")
        whole = publish(small, mini.warehouse_path, mini.semantic_manifest_path, {})
        (disk / "filler").write_bytes(b"x" * (8_000_000 - 2 * whole.size))
        with pytest.raises(PublishError, match="not published"):  # noqa: PT012
            for _ in range(5):
                whole = publish(small, mini.warehouse_path, mini.semantic_manifest_path, {})
        assert current(small) == whole
        assert Metrics(whole).records(["leads"]) == [{"leads": 6}]
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


_READER = """
    import sys
    from pathlib import Path
    from loupan.metrics import open_current
    from loupan.settings import Settings

    settings, stop = Settings(data_dir=sys.argv[1]), Path(sys.argv[2])
    seen = []
    while not stop.exists():
        metrics = open_current(settings)
        (row,) = metrics.records(["leads"])
        assert row["leads"] == metrics.snapshot.report["leads"], (row, metrics.snapshot)
        seen.append(row["leads"])
        if len(seen) == 1:
            print("ready", flush=True)
    assert seen == sorted(seen)
    print(len(seen), len(set(seen)))
"""


@pytest.mark.slow
def test_reader_during_a_hundred_publications(mini: Built, settings: Settings, tmp_path: Path) -> None:
    """Each publication has one lead more, and says so in its report: a reader must never see them disagree."""
    few = settings.model_copy(update={"keep_snapshots": 2})
    stop = tmp_path / "stop"
    warehouse_path = tmp_path / "warehouse.duckdb"
    warehouse_path.write_bytes(mini.warehouse_path.read_bytes())
    with duckdb.connect(str(warehouse_path)) as warehouse:
        publish(few, warehouse, mini.semantic_manifest_path, {"leads": 6})
        arguments = [sys.executable, "-c", textwrap.dedent(_READER), str(settings.data_dir), str(stop)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
            for leads in range(7, 107):
                warehouse.execute(
                    "insert into marts.fct_lead select 1000 + ?, 1, 1, 1, date '2026-01-01', 0, null", [leads]
                )
                publish(few, warehouse, mini.semantic_manifest_path, {"leads": leads})
            stop.touch()
            output, errors = reader.communicate()
    assert reader.returncode == 0, errors
    answers, distinct = map(int, output.split())
    assert answers >= distinct > 10


def test_an_open_reader_outlives_its_snapshot(publish_mini: Callable[..., Snapshot], settings: Settings) -> None:
    old = Metrics(publish_mini())
    few = settings.model_copy(update={"keep_snapshots": 2})
    publish_mini()
    publish_mini()
    assert prune(few) == [old.snapshot.version]
    assert old.snapshot.report["number"] == 0
    assert old.records(["leads"], by=["project"])[-1] == {"project": None, "leads": 1}


def test_publishers_wait_for_each_other(mini: Built, settings: Settings) -> None:
    failures: list[Any] = []

    def publish_one(number: int) -> None:
        try:
            publish(settings, mini.warehouse_path, mini.semantic_manifest_path, {"number": number})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=publish_one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(snapshot.report["number"] for snapshot in list_snapshots(settings)) == list(range(6))


def test_a_later_look_that_found_nothing_new_is_remembered(mini: Built, settings: Settings) -> None:
    report = {"as_of": "2026-06-30T06:00:00+00:00"}
    snapshot = publish(settings, mini.warehouse_path, mini.semantic_manifest_path, report)
    as_of = dt.datetime(2026, 6, 30, 6, tzinfo=dt.UTC)
    assert snapshot.unchanged_until == as_of
    later = as_of + dt.timedelta(hours=2)
    snapshot.note_unchanged(later)
    assert current(settings).unchanged_until == later
    # A look of the past tells nothing, and a file that cannot be read is none.
    snapshot.note_unchanged(as_of - dt.timedelta(hours=1))
    assert snapshot.unchanged_until == as_of
    (snapshot.path / "unchanged_until.txt").write_text("soon", encoding="utf-8")
    assert snapshot.unchanged_until == as_of
    current(settings).verify()
