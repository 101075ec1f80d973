"""An installation of an earlier version is upgraded: a backup first, as a whole or not at all."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from data_entry import database
from data_entry.database import MIGRATIONS, create_engine_for, let_readers_read, migrations, schema_version
from data_entry.services.backup import restore, shelf, verify
from loupan.settings import get_settings
from tests.conftest import Run

EARLIER = "0005"
ROWS = """
INSERT INTO employee (id, number, name) VALUES (1, 'E1', 'Lin');
INSERT INTO project (id, name) VALUES (1, '滨江壹号');
INSERT INTO customer (id, name, phone) VALUES (1, '陈', '13800000000');
INSERT INTO account (id, login) VALUES (1, 'lin');
INSERT INTO role (id, name) VALUES (1, 'sales');
INSERT INTO account_role (id, account_id, role_id) VALUES (1, 1, 1);
"""
# What they have filled in; later versions add columns.
COLUMNS = {
    "employee": "number, name",
    "project": "name",
    "customer": "name, phone",
    "account": "login",
    "account_role": "account_id, role_id",
}


@pytest.fixture
def earlier() -> sa.Engine:
    """The CRM of an installation as version 0005 of the schema left it, with rows and accounts."""
    settings = get_settings()
    settings.data_dir.mkdir(parents=True)
    engine = create_engine_for(settings.crm_database_url)
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, EARLIER)
        for statement in ROWS.split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    let_readers_read(engine)
    return engine


def _rows(engine: sa.Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [
            tuple(row)
            for table, columns in COLUMNS.items()
            for row in connection.exec_driver_sql(f"SELECT id, {columns}, created_at FROM {table} ORDER BY id")
        ]


def test_a_backup_is_made_before_an_upgrade_and_leads_back(run: Run, earlier: sa.Engine) -> None:
    before = _rows(earlier)
    code, out, err = run("crm", "migrate")
    assert (code, err) == (0, "")
    (backup,) = shelf.paths(get_settings().backups_dir)
    assert f"A backup from before is in {backup}" in out
    assert f"Upgraded from version {EARLIER} to {database.head_version()}" in out
    assert "loupan refresh" in out
    assert schema_version(earlier) == database.head_version()
    assert _rows(earlier) == before
    assert verify(backup).schema == EARLIER
    # Once more changes nothing, and makes no further backup.
    code, out, _ = run("crm", "migrate")
    assert (code, out) == (0, f"The CRM is at version {database.head_version()}.\n")
    assert len(shelf.paths(get_settings().backups_dir)) == 1
    # The backup of the earlier version is restored by the later program.
    with earlier.begin() as connection:
        connection.exec_driver_sql("DELETE FROM account_role")
    restore(earlier, get_settings(), backup, replace=True)
    with earlier.connect() as connection:
        assert connection.exec_driver_sql("SELECT account_id, role_id FROM account_role").all() == [(1, 1)]
        assert connection.exec_driver_sql("SELECT name, phone FROM customer").all() == [("陈", "13800000000")]


def test_without_room_for_a_backup_nothing_is_changed(
    run: Run, earlier: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = _rows(earlier)
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: full)
        code, _, err = run("crm", "migrate")
    assert (code, "Free space" in err) == (1, True)
    assert (schema_version(earlier), _rows(earlier)) == (EARLIER, before)
    assert run("crm", "migrate", "--no-backup")[0] == 0
    assert schema_version(earlier) == database.head_version()
    assert shelf.paths(get_settings().backups_dir) == []


BROKEN = '''
"""Fails after it has changed much."""
from alembic import op
import sqlalchemy as sa

revision, down_revision = "9999", "{head}"


def upgrade():
    with op.batch_alter_table("customer") as table:
        table.add_column(sa.Column("colour", sa.String(10)))
    op.execute("DELETE FROM employee")
    op.execute("UPDATE customer SET no_such_column = 1")
'''


def test_a_migration_that_fails_leaves_all_as_it_was(
    run: Run, earlier: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = _rows(earlier)
    head = database.head_version()
    later = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    (later / "versions" / "9999_fails.py").write_text(BROKEN.format(head=head))
    monkeypatch.setattr(database, "MIGRATIONS", later)
    code, out, err = run("crm", "migrate")
    assert code == 1
    assert "cannot be used" in err
    assert "no_such_column" in err
    assert "A backup from before is in" in out
    assert (schema_version(earlier), _rows(earlier)) == (EARLIER, before)
    with sqlite3.connect(get_settings().data_dir / "crm.sqlite") as connection:
        assert "colour" not in {row[1] for row in connection.execute("PRAGMA table_info(customer)")}
