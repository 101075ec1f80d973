"""Backups: whole, consistent while people write, restored row for row on either engine, refused when damaged."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data_entry.database import DatabaseError, create_engine_for, head_version, schema_version
from data_entry.schema import metadata
from data_entry.services import backup
from data_entry.services.backup import BackupError, archive, shelf
from data_entry.services.backup.rows import LEFT_OUT
from loupan.settings import Settings, get_settings
from tests.data_entry.access.random_crm import fill
from tests.support.crm import create_crm

CUSTOMER, DEAL, EVENT, PROJECT, AUDIT = (
    metadata.tables[name] for name in ("customer", "deal", "deal_event", "project", "audit_log")
)
TEXTS = [
    "王小明",
    "🏠 emoji 👩‍👩‍👧",
    "line\nbreak\ttab",
    "\\N",
    "",
    " ",
    "'quoted\" , text",
    "\u2028",
    "NULL",
    "é" * 50,
]


def settings_in(folder: Path, **values: Any) -> Settings:
    return Settings(data_dir=folder, **values)


def content(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    with engine.execution_options(read_only=True).connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c.id))]
            for table in metadata.sorted_tables
            if table.name not in LEFT_OUT
        }


def fill_with_oddities(engine: sa.Engine, seed: int, digits: int = 15) -> None:
    """Fill a CRM with random rows of every table, and values that are easily changed on their way."""
    fill(engine, seed)
    rng = random.Random(seed)
    with engine.begin() as connection:
        for number, text in enumerate(TEXTS):
            connection.execute(
                sa.insert(CUSTOMER).values(
                    id=5000 + number, name=text, note=text * 40 or None, birth_on=dt.date(1900 + number, 2, 28),
                    consent_at=dt.datetime(2026, 1, 1, 23, 59, 59, rng.randrange(1_000_000)),
                    created_at=dt.datetime(2026, 1, 1, 0, 0, 0, 1),
                    updated_at=dt.datetime(2026, 1, 1, 0, 0, 0, 999_999),
                    external_ref=f"oddity {number}" if number % 2 else None, row_version=number + 1,
                )
            )  # fmt: skip
        largest = Decimal(10**digits - 1) / 100
        for number, amount in enumerate((largest, -largest, Decimal("0.01"), Decimal(0), None)):
            connection.execute(
                sa.insert(EVENT).values(
                    id=6000 + number, deal_id=1, kind="contract", occurred_at=dt.datetime(2026, 6, 1), amount=amount
                )
            )


@pytest.fixture
def crm(crm_place: str) -> Iterator[sa.Engine]:
    """A CRM without any row, on each engine: the random ones have roles of their own."""
    engine = create_engine_for(crm_place)
    create_crm(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    """Settings of a CRM with two attached files."""
    settings = settings_in(tmp_path / "here")
    for number in range(2):
        body = os.urandom(3000 * number)
        path = settings.attachments_dir / sha256(body).hexdigest()[:2] / sha256(body).hexdigest()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return settings


@pytest.fixture
def other(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "there")


@pytest.fixture
def saved(crm: sa.Engine, place: Settings) -> tuple[sa.Engine, Path]:
    fill_with_oddities(crm, 5)
    return crm, backup.create(crm, place)


Maker = Callable[[str], sa.Engine]


@pytest.fixture
def engines(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Maker]:
    made: list[sa.Engine] = []
    servers: list[tuple[Any, str]] = []

    def make(kind: str) -> sa.Engine:
        if kind == "sqlite":
            url = f"sqlite:///{tmp_path / f'engine{len(made)}' / 'crm.sqlite'}"
        else:
            server = request.getfixturevalue("postgres_server")
            url = server.create_database()
            servers.append((server, url))
        made.append(create_engine_for(url))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()
    for server, url in servers:
        server.drop_database(url)


_PG = pytest.param("postgresql", marks=pytest.mark.postgres)


@pytest.mark.parametrize("target", ["sqlite", _PG])
@pytest.mark.parametrize("source", ["sqlite", _PG])
def test_restored_rows_are_those_of_the_backup(
    source: str, target: str, engines: Maker, place: Settings, other: Settings
) -> None:
    first, second = engines(source), engines(target)
    create_crm(first)
    # 15 digits are what SQLite holds exactly; the next test has 18 on PostgreSQL.
    fill_with_oddities(first, 1, digits=15)
    path = backup.create(first, place)
    manifest, safety = backup.restore(second, other, path)
    assert safety is None
    expected = content(first)
    assert content(second) == expected
    assert manifest.rows == sum(map(len, expected.values()))
    assert manifest.engine == source
    # Attached files as well, byte for byte.
    for name in manifest.attachments:
        assert (other.attachments_dir / name).read_bytes() == (place.attachments_dir / name).read_bytes()
    assert len(manifest.attachments) == 2
    # It can be worked with at once: keys go on behind those that were restored, constraints and triggers hold.
    with second.begin() as connection:
        key = connection.execute(sa.insert(CUSTOMER).values(name="new").returning(CUSTOMER.c.id)).scalar_one()
        assert key > 5000
        connection.execute(sa.update(CUSTOMER).where(CUSTOMER.c.id == key).values(name="newer"))
        assert connection.scalar(sa.select(CUSTOMER.c.row_version).where(CUSTOMER.c.id == key)) == 2
    with pytest.raises(sa.exc.IntegrityError), second.begin() as connection:
        connection.execute(sa.insert(DEAL).values(customer_id=999_999, project_id=1))
    assert schema_version(second) == head_version()


@pytest.mark.postgres
def test_eighteen_digits_go_to_postgresql_and_are_not_rounded_silently(
    engines: Maker, place: Settings, other: Settings
) -> None:
    first, second, lite = engines("postgresql"), engines("postgresql"), engines("sqlite")
    create_crm(first)
    fill_with_oddities(first, 2, digits=18)
    path = backup.create(first, place)
    backup.restore(second, other, path)
    assert content(second) == content(first)
    with pytest.raises(BackupError, match="cannot hold a value exactly"):
        backup.restore(lite, settings_in(other.data_dir / "lite"), path)
    assert schema_version(lite) is None
    assert not list(settings_in(other.data_dir / "lite").attachments_dir.rglob("*.*"))


def test_a_backup_is_one_moment_while_people_write(crm: sa.Engine, place: Settings, tmp_path: Path) -> None:
    """A writer keeps two tables in step; a copy that mixed moments would have them out of step."""
    with crm.begin() as connection:
        connection.execute(sa.insert(PROJECT).values(id=1, name="p"))
    stop, started, errors = threading.Event(), threading.Event(), []

    def write() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                with crm.begin() as connection:
                    connection.execute(sa.insert(CUSTOMER).values(id=number, name="x" * 200))
                    connection.execute(sa.insert(DEAL).values(id=number, customer_id=number, project_id=1))
                if number == 20:
                    started.set()
        except Exception as error:  # handed to the test
            errors.append(error)
            started.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert started.wait(60)
        paths = [backup.create(crm, place) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    assert not errors
    counts = []
    for path in paths:
        manifest = backup.verify(path)
        assert manifest.tables["customer"].rows == manifest.tables["deal"].rows >= 20
        counts.append(manifest.tables["customer"].rows)
    assert counts == sorted(counts)


def test_sessions_do_not_come_back(crm: sa.Engine, place: Settings, other: Settings, engines: Maker) -> None:
    fill(crm, 3)
    path = backup.create(crm, place)
    assert "account_session" not in backup.verify(path).tables
    second = engines("sqlite")
    backup.restore(second, other, path)
    with second.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM account_session")) == 0


def test_backup_is_private_and_leaves_nothing_else(saved: tuple[sa.Engine, Path]) -> None:
    _, path = saved
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir() if p.name != ".lock"] == [path.name]


def test_manifest_says_what_is_in_it(saved: tuple[sa.Engine, Path]) -> None:
    engine, path = saved
    manifest = backup.verify(path)
    assert manifest.schema == head_version()
    assert manifest.engine == engine.dialect.name
    assert set(manifest.tables) == set(metadata.tables) - LEFT_OUT
    assert {name: table.rows for name, table in manifest.tables.items()} == {
        name: len(rows) for name, rows in content(engine).items()
    }
    # Rows of the attachment table name files that were never there.
    assert manifest.missing


def _repacked(path: Path, change: Callable[[str, bytes], bytes | None], seal_again: bool = False) -> Path:
    copy = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
        new.comment = old.comment
        if seal_again:
            new.comment = archive.seal(change("manifest.json", old.read("manifest.json")) or b"")
    return copy


def _truncated(path: Path) -> Path:
    copy = path.with_name("short.zip")
    copy.write_bytes(path.read_bytes()[:-2000])
    return copy


def _flipped(path: Path) -> Path:
    """Flip a byte in the largest part: of what stands in its heading, such as the time of day, nothing is read."""
    copy = path.with_name("flipped.zip")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda part: part.compress_size)
    assert largest.compress_size > 200
    data[largest.header_offset + 150 + largest.compress_size // 2] ^= 0xFF
    copy.write_bytes(bytes(data))
    return copy


def _text(path: Path) -> Path:
    copy = path.with_name("notes.zip")
    copy.write_text("no zip at all")
    return copy


def _foreign(path: Path) -> Path:
    copy = path.with_name("foreign.zip")
    with zipfile.ZipFile(copy, "w") as made:
        made.writestr("a.txt", "hello")
    return copy


def _edited(values: Callable[[dict[str, Any]], None]) -> Callable[[Path], Path]:
    def damage(path: Path) -> Path:
        def change(name: str, data: bytes) -> bytes:
            if name != "manifest.json":
                return data
            manifest = json.loads(data)
            values(manifest)
            return json.dumps(manifest).encode()

        return _repacked(path, change, seal_again=True)

    return damage


DAMAGES: dict[str, Callable[[Path], Path]] = {
    "cut short": _truncated,
    "a bit flipped": _flipped,
    "no zip": _text,
    "another zip": _foreign,
    "a row changed": lambda p: _repacked(p, lambda n, d: d.replace(b"NULL", b"LLUN") if "customer." in n else d),
    "a row more": lambda p: _repacked(p, lambda n, d: d + b"[1]\n" if n.endswith("/reason.jsonl") else d),
    "a file less": lambda p: _repacked(p, lambda n, d: None if n.endswith("/reason.jsonl") else d),
    "manifest changed": lambda p: _repacked(p, lambda n, d: d.replace(b"2026", b"2025") if n == "manifest.json" else d),
    "manifest gone": lambda p: _repacked(p, lambda n, d: None if n == "manifest.json" else d),
    "newer format": _edited(lambda m: m.update(format_version=99)),
    "unknown version": _edited(lambda m: m.update(schema="9999")),
    **{
        f"a part named {name!r}": _edited(
            lambda m, name=name: m["parts"].update({name: {"sha256": "0" * 64, "bytes": 1}})  # type: ignore[misc]
        )
        for name in (
            "/etc/cron.d/evil",
            "attachments//etc/evil",
            "attachments/a/../../b",
            "attachments/..",
            "..\\evil",
            "attachments/a\\..\\..\\b",
            "tables/evil.jsonl",
            "attachments/\x00",
            "C:evil",
            "attachments/a b",
        )
    },
    "a part that says it is smaller than it is": _edited(lambda m: m["parts"]["tables/customer.jsonl"].update(bytes=1)),
    "path out of the folder": _edited(
        lambda m: m["parts"].update({"attachments/../../evil": {"sha256": "0" * 64, "bytes": 1}})
    ),
    "unknown table": _edited(lambda m: m["tables"].update(evil={"columns": [], "rows": 0})),
    "odd manifest": _edited(lambda m: m.pop("tables")),
    "not there": lambda p: p.with_name("nowhere.zip"),
    "a folder": lambda p: p.parent,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, sa.Engine]:
    """A backup to be damaged, and a used CRM that a damaged one must not touch."""
    folder = tmp_path_factory.mktemp("whole")
    source, target = (create_engine_for(f"sqlite:///{folder / name}.sqlite") for name in ("source", "target"))
    for engine in (source, target):
        create_crm(engine)
    fill_with_oddities(source, 4)
    with target.begin() as connection:
        connection.execute(sa.insert(CUSTOMER).values(name="stays"))
    return backup.create(source, settings_in(folder)), target


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_backup_that_is_not_whole_changes_nothing(
    damage: str, whole: tuple[Path, sa.Engine], tmp_path: Path, other: Settings
) -> None:
    path, target = tmp_path / "copy.zip", whole[1]
    shutil.copyfile(whole[0], path)
    damaged = DAMAGES[damage](path)
    before = content(target)
    with pytest.raises(BackupError) as refused:
        backup.restore(target, other, damaged, replace=True)
    assert len(str(refused.value)) > 20
    assert content(target) == before
    assert not other.attachments_dir.exists()
    assert not shelf.paths(other.backups_dir)


def test_a_used_place_is_replaced_only_when_told_so_and_saved_first(
    saved: tuple[sa.Engine, Path], place: Settings
) -> None:
    engine, path = saved
    then = content(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(CUSTOMER).values(name="after the backup"))
        connection.execute(sa.delete(metadata.tables["vocabulary_term"]))
    now = content(engine)
    with pytest.raises(BackupError, match="--replace"):
        backup.restore(engine, place, path)
    assert content(engine) == now
    _, safety = backup.restore(engine, place, path, replace=True)
    assert content(engine) == then
    assert safety is not None
    # And back again.
    backup.restore(engine, place, safety, replace=True)
    assert content(engine) == now


def test_an_interrupted_restore_changes_nothing(
    saved: tuple[sa.Engine, Path], place: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, path = saved
    with engine.begin() as connection:
        connection.execute(sa.insert(CUSTOMER).values(name="stays"))
    before = content(engine)

    def break_off(share: float, what: str) -> None:
        if what.startswith("comparing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.restore(engine, place, path, replace=True, progress=break_off)
    assert content(engine) == before


def test_a_fresh_crm_with_its_roles_counts_as_empty(
    saved: tuple[sa.Engine, Path], other: Settings, engines: Maker
) -> None:
    from data_entry.access import SYSTEM, ensure_roles
    from data_entry.services.work import writing

    fresh = engines("sqlite")
    create_crm(fresh)
    with writing(fresh, SYSTEM) as work:
        ensure_roles(work.session)
    backup.restore(fresh, other, saved[1])
    assert content(fresh) == content(saved[0])


def test_foreign_tables_are_left_alone(saved: tuple[sa.Engine, Path], other: Settings, engines: Maker) -> None:
    strange = engines("sqlite")
    Path(str(strange.url.database)).parent.mkdir()
    with strange.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE somebodys (id INTEGER)")
    with pytest.raises(DatabaseError, match="not empty"):
        backup.restore(strange, other, saved[1], replace=True)


def test_an_older_backup_is_upgraded(tmp_path: Path, place: Settings, other: Settings) -> None:
    from data_entry.database import upgrade, upgrading

    old = create_engine_for(f"sqlite:///{tmp_path / 'old.sqlite'}")
    with upgrading(old) as connection:
        upgrade(connection, "0001")
        connection.exec_driver_sql("INSERT INTO customer (id, name) VALUES (7, '老客户')")
    path = backup.create(old, place)
    assert backup.verify(path).schema == "0001"
    new = create_engine_for(f"sqlite:///{tmp_path / 'new.sqlite'}")
    backup.restore(new, other, path)
    assert schema_version(new) == head_version()
    with new.connect() as connection:
        assert connection.execute(sa.select(CUSTOMER.c.id, CUSTOMER.c.name, CUSTOMER.c.email)).all() == [
            (7, "老客户", None)
        ]
    old.dispose()
    new.dispose()


def test_older_backups_go(crm: sa.Engine, place: Settings) -> None:
    settings = settings_in(
        place.data_dir, keep_backups=2, keep_daily_backups=0, keep_weekly_backups=0, keep_monthly_backups=0
    )
    made = [backup.create(crm, settings) for _ in range(2)]
    safety = backup.create(crm, settings, is_safety=True)
    made += [backup.create(crm, settings) for _ in range(2)]
    assert set(shelf.paths(settings.backups_dir)) == {*made[-2:], safety}
    assert [found.path for found in backup.listing(settings) if found.path != safety] == made[:1:-1]


def test_of_one_second_the_last_made_is_the_newest(tmp_path: Path) -> None:
    now = dt.datetime(2026, 6, 30, 12, 0, 5, tzinfo=dt.UTC)
    settings = settings_in(tmp_path / "data", keep_backups=2)
    made: list[Path] = []
    for _ in range(12):
        made.append(shelf.new_path(tmp_path, now, is_safety=len(made) == 5))
        made[-1].touch()
        shelf.prune(settings, tmp_path, now)
    assert shelf.paths(tmp_path) == [made[11], made[10], made[5]]


def test_a_damaged_backup_is_listed_as_such(saved: tuple[sa.Engine, Path], place: Settings) -> None:
    path = saved[1]
    path.write_bytes(path.read_bytes()[:-300])
    (found,) = backup.listing(place)
    assert found.manifest is None
    assert found.problem


def test_no_room_is_said_before_anything_is_written(
    crm: sa.Engine, place: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(shelf.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(BackupError, match="Free space"):
        backup.create(crm, place)
    assert not shelf.paths(place.backups_dir)
    assert not list(place.backups_dir.glob(".*.part"))


def test_two_backups_do_not_run_at_once(crm: sa.Engine, place: Settings) -> None:
    place.backups_dir.mkdir(parents=True)
    program = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(place.backups_dir / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(BackupError, match="Another backup"):
            backup.create(crm, place)
    finally:
        holder.communicate(b"\n")


def test_nothing_to_copy(tmp_path: Path, place: Settings) -> None:
    engine = create_engine_for(f"sqlite:///{tmp_path / 'none.sqlite'}")
    with pytest.raises(BackupError, match="no CRM"):
        backup.create(engine, place)
    engine.dispose()


def test_settings_name_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPAN_BACKUP_DIR", str(tmp_path / "elsewhere"))
    get_settings.cache_clear()
    assert get_settings().backups_dir == tmp_path / "elsewhere"
    monkeypatch.delenv("LOUPAN_BACKUP_DIR")
    get_settings.cache_clear()
    assert get_settings().backups_dir == get_settings().data_dir / "backups"
