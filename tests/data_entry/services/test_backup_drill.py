"""Drills: a good backup passes and is measured, a bad one fails and is remembered, and the CRM is never touched."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from data_entry.database import create_engine_for, upgrade, upgrading
from data_entry.schema import metadata
from data_entry.services import backup
from data_entry.services.backup import BackupError
from data_entry.services.backup.archive import Manifest
from data_entry.services.backup.proof import prove
from loupan import backups
from loupan.settings import Settings
from tests.data_entry.services.test_backup import _flipped, content, fill_with_oddities
from tests.support.crm import create_crm
from tests.support.postgres import PostgresServer

CUSTOMER, LEAD = metadata.tables["customer"], metadata.tables["lead"]


@pytest.fixture
def crm(crm_place: str) -> Iterator[sa.Engine]:
    engine = create_engine_for(crm_place)
    create_crm(engine)
    fill_with_oddities(engine, 8)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            if table.name not in ("audit_log", "account_session"):
                connection.execute(sa.update(table).values(updated_at=dt.datetime(2026, 1, 1)))
    yield engine
    engine.dispose()


@pytest.fixture
def settings(tmp_path: Path, crm: sa.Engine) -> Settings:
    """Settings of a CRM with an attached file."""
    made = Settings(data_dir=tmp_path / "data", crm_url=crm.url.render_as_string(hide_password=False))
    body = os.urandom(5000)
    path = made.attachments_dir / sha256(body).hexdigest()
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    return made


def left_behind(engine: sa.Engine, settings: Settings) -> list[str]:
    """What a drill should have removed: folders, and databases of the server."""
    found = [path.name for path in settings.data_dir.glob("drill-*")]
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            found += connection.scalars(sa.text("SELECT datname FROM pg_database WHERE datname LIKE 'loupan_drill_%'"))
    return found


def test_a_good_backup_passes_and_is_measured(crm: sa.Engine, settings: Settings) -> None:
    path = backup.create(crm, settings)
    copied = dt.datetime.fromisoformat(backup.verify(path).made_at).replace(tzinfo=None)
    with crm.begin() as connection:
        for number, minutes in enumerate((5, 90)):
            connection.execute(
                sa.insert(CUSTOMER).values(name="later", id=9000 + number,
                                           updated_at=copied + dt.timedelta(minutes=minutes))
            )  # fmt: skip
    before = content(crm)
    result = backup.drill(crm, settings, path)
    assert (result.passed, result.problem) == (True, "")
    assert result.rows == backup.verify(path).rows > 0
    assert result.files == 1
    assert result.engine == crm.dialect.name
    assert result.restore_seconds > 0
    assert result.rows_per_second == pytest.approx(result.rows / result.restore_seconds)
    assert (result.lost_rows, result.lost_seconds) == (2, 90 * 60)
    assert content(crm) == before
    assert left_behind(crm, settings) == []
    assert backups.read_history(settings).drills == [result]


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_a_damaged_backup_fails_and_is_trusted_no_longer(crm: sa.Engine, settings: Settings) -> None:
    path = backup.create(crm, settings)
    assert backups.read_history(settings).backups[path.name].verified_at
    shutil.move(_flipped(path), path)
    result = backup.drill(crm, settings, path)
    assert not result.passed
    assert "damaged" in result.problem or "altered" in result.problem
    history = backups.read_history(settings)
    assert history.backups[path.name].verified_at is None
    assert [drill.passed for drill in history.drills] == [False]
    assert left_behind(crm, settings) == []


def test_a_crm_that_is_gone_is_what_backups_are_for(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    engine = create_engine_for(settings.crm_database_url)
    create_crm(engine)
    path = backup.create(engine, settings)
    engine.dispose()
    Path(str(engine.url.database)).write_bytes(b"no database any more" * 1000)
    result = backup.drill(engine, settings, path)
    assert result.passed
    assert result.lost_rows is None


def test_leavings_of_a_killed_drill_are_removed(crm: sa.Engine, settings: Settings) -> None:
    (settings.data_dir / "drill-abc").mkdir(parents=True)
    (settings.data_dir / "drill-abc" / "crm.sqlite").write_bytes(b"half")
    if crm.dialect.name == "postgresql":
        own = sha256(str(settings.data_dir).encode()).hexdigest()[:8]
        url = crm.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "loupan_drill_{own}_0000"'.encode())
    assert backup.drill(crm, settings, backup.create(crm, settings)).passed
    assert left_behind(crm, settings) == []


@pytest.mark.postgres
def test_a_user_who_may_make_no_database_is_told_so(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.create_database()
    owner = create_engine_for(url)
    create_crm(owner)
    with owner.begin() as connection:
        connection.exec_driver_sql(
            "CREATE ROLE plain LOGIN IN ROLE loupan" if not _has_role(connection) else "SELECT 1"
        )
    settings = Settings(data_dir=tmp_path)
    path = backup.create(owner, settings)
    engine = create_engine_for(url.replace("loupan@", "plain@"))
    result = backup.drill(engine, settings, path)
    assert not result.passed
    assert "CREATEDB" in result.problem
    engine.dispose()
    owner.dispose()
    postgres_server.drop_database(url)


def _has_role(connection: sa.Connection) -> bool:
    return bool(connection.scalar(sa.text("SELECT count(*) FROM pg_roles WHERE rolname = 'plain'")))


def test_a_backup_of_an_older_version_passes(tmp_path: Path) -> None:
    old = create_engine_for(f"sqlite:///{tmp_path / 'old.sqlite'}")
    with upgrading(old) as connection:
        upgrade(connection, "0001")
        connection.exec_driver_sql("INSERT INTO customer (id, name) VALUES (7, '老客户')")
    settings = Settings(data_dir=tmp_path / "data")
    result = backup.drill(old, settings, backup.create(old, settings))
    assert (result.passed, result.problem) == (True, "")
    old.dispose()


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest, Settings]:
    """A restored CRM on SQLite, to be spoilt in a copy, and what it should be."""
    folder = tmp_path_factory.mktemp("restored")
    settings, there = Settings(data_dir=folder / "here"), Settings(data_dir=folder / "there")
    engine, target = (create_engine_for(each.crm_database_url) for each in (settings, there))
    create_crm(engine)
    fill_with_oddities(engine, 9)
    body = b"%PDF-1.7 a file"
    (settings.attachments_dir).mkdir()
    (settings.attachments_dir / sha256(body).hexdigest()).write_bytes(body)
    manifest, _ = backup.restore(target, there, backup.create(engine, settings))
    prove(target, manifest, there.attachments_dir, lambda share, step: None)
    engine.dispose()
    target.dispose()
    return Path(str(target.url.database)), manifest, there


SPOILT: dict[str, tuple[str, str]] = {
    "a value": ("UPDATE customer SET note = 'x', row_version = row_version + 1, updated_at = '2020-01-01' "
                "WHERE id = 5001", "customer is not that of the backup"),
    "a row less": ("DELETE FROM vocabulary_term", "vocabulary_term is not that of the backup"),
    "a reference": ("UPDATE lead SET project_id = 987654 WHERE id = (SELECT min(id) FROM lead)",
                    "points to a project that does not exist"),
    "a version": ("UPDATE alembic_version SET version_num = '0001'", "stands at version 0001"),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILT)
def test_the_comparison_notices(what: str, restored: tuple[Path, Manifest, Settings], tmp_path: Path) -> None:
    source, manifest, there = restored
    copy = Path(shutil.copy(source, tmp_path / "crm.sqlite"))
    engine = create_engine_for(f"sqlite:///{copy}")
    statement, message = SPOILT[what]
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
        with connection.begin():
            connection.exec_driver_sql(statement)
    with pytest.raises(BackupError, match=message):
        prove(engine, manifest, there.attachments_dir, lambda share, step: None)
    engine.dispose()


def test_the_comparison_notices_a_spoilt_file_of_the_database(
    restored: tuple[Path, Manifest, Settings], tmp_path: Path
) -> None:
    source, manifest, there = restored
    copy = Path(shutil.copy(source, tmp_path / "crm.sqlite"))
    engine = create_engine_for(f"sqlite:///{copy}")
    with engine.begin() as connection:  # an index that lacks a row
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        connection.exec_driver_sql("DELETE FROM sqlite_master WHERE name = 'ix_customer_phone'")
    engine.dispose()
    with pytest.raises(BackupError, match="database is damaged"):
        prove(engine, manifest, there.attachments_dir, lambda share, step: None)
    engine.dispose()


def test_the_comparison_notices_a_spoilt_attachment(restored: tuple[Path, Manifest, Settings], tmp_path: Path) -> None:
    source, manifest, there = restored
    engine = create_engine_for(f"sqlite:///{source}")
    folder = tmp_path / "attachments"
    shutil.copytree(there.attachments_dir, folder)
    (name,) = manifest.attachments
    (folder / name).write_bytes(b"another")
    with pytest.raises(BackupError, match="is not that of the backup"):
        prove(engine, manifest, folder, lambda share, step: None)
    engine.dispose()


def test_how_backups_stand_is_known_without_opening_one(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    now = dt.datetime(2026, 6, 30, 12, tzinfo=dt.UTC)
    assert backups.standing(settings, now) == backups.Standing(None, None, None, None)
    settings.backups_dir.mkdir()
    for name in (
        "loupan-20260629-120000.zip",
        "loupan-20260630-110000-2.zip.age",
        "notes.zip",
        "loupan-99999999-000000.zip",
    ):
        (settings.backups_dir / name).touch()
    with backups.changing_history(settings) as history:
        history.drills.append(backups.Drill(at="2026-06-28T12:00:00+00:00", backup="x", passed=True))
        history.drills.append(backups.Drill(at="2026-06-30T09:00:00+00:00", backup="x", passed=False, problem="why"))
    found = backups.standing(settings, now)
    assert found.newest == "loupan-20260630-110000-2.zip.age"
    assert found.age == dt.timedelta(hours=1)
    assert found.drill is not None
    assert found.drill.problem == "why"
    assert found.drill_age == dt.timedelta(hours=3)


def test_a_history_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    (tmp_path / "backup_history.json").write_text("{broken", encoding="utf-8")
    assert backups.read_history(settings) == backups.History()
    with backups.changing_history(settings) as history:
        history.deleted.append(backups.Deleted("2026-06-30", "x", "y"))
    assert len(backups.read_history(settings).deleted) == 1


def test_no_more_than_is_useful_is_remembered(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with backups.changing_history(settings) as history:
        history.drills += [backups.Drill(at=f"{n}", backup="x", passed=True) for n in range(600)]
    assert [drill.at for drill in backups.read_history(settings).drills] == [f"{n}" for n in range(100, 600)]
