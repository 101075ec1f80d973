"""A place of its own for a CRM that is restored on trial: on the engine of the real one, and gone afterwards."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.exc import ProgrammingError

from data_entry.database import clear_errors, create_engine_for
from data_entry.services.backup.errors import BackupError
from loupan.i18n import marked
from loupan.settings import Settings

_PREFIX = "drill-"


@contextmanager
def scratch_place(engine: sa.Engine, settings: Settings) -> Iterator[tuple[sa.Engine, Settings]]:
    """Give an empty CRM place on the engine of the real one, with settings that lead there, and remove it at the end.

    On SQLite it is a file in the data folder, which has the room of the disk that a restore would need; on PostgreSQL
    a new database of the same server. What a killed drill left is removed first.

    Raises:
        BackupError: if another drill runs, or the user may not make a database.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.data_dir / ".drill.lock", is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BackupError(marked("Another drill is running. Wait until it has ended, and try again.")) from error
    try:
        for left in settings.data_dir.glob(f"{_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=settings.data_dir))
        try:
            with clear_errors(engine), _database(engine, settings, folder) as url:
                there = settings.model_copy(
                    update={"data_dir": folder, "backup_dir": folder / "backups", "crm_url": url}
                )
                scratch = create_engine_for(url)
                try:
                    yield scratch, there
                finally:
                    scratch.dispose()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


@contextmanager
def _database(engine: sa.Engine, settings: Settings, folder: Path) -> Iterator[str]:
    if engine.dialect.name == "sqlite":
        yield f"sqlite:///{folder / 'crm.sqlite'}"
        return
    # The name says whose it is: two installations may share a server.
    own = f"loupan_drill_{sha256(str(settings.data_dir).encode()).hexdigest()[:8]}_"
    for (left,) in _administer(engine, "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", own):
        _drop(engine, left)
    name = own + secrets.token_hex(4)
    try:
        _administer(engine, f'CREATE DATABASE "{name}"')
    except ProgrammingError as error:  # insufficient privilege
        raise BackupError(
            marked(
                "A drill restores into a database of its own, which the user {user} may not make. Allow it with "
                "ALTER ROLE … CREATEDB."
            ),
            user=engine.url.username or "",
        ) from error
    try:
        yield engine.url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    finally:
        _drop(engine, name)


def _drop(engine: sa.Engine, name: str) -> None:
    _administer(engine, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(engine: sa.Engine, statement: str, *values: str) -> list[Any]:
    """Execute a statement outside of a transaction: databases are not made within one."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        result = connection.exec_driver_sql(statement, values or None)
        return list(result) if result.returns_rows else []
