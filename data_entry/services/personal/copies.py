"""What was made of the CRM before a person was erased: files, the database's free space, loads, snapshots.

Backups are not opened: they end by themselves (`LOUPAN_BACKUP_MAX_DAYS`), and a restore erases again.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from data_entry.database import DatabaseError, clear_errors
from data_entry.schema import metadata
from data_entry.services.files import FileStore
from data_entry.services.personal.belongings import chunks
from data_entry.services.personal.erase import Erased
from loupan.erasures import ask_for_new_warehouse
from loupan.i18n import marked
from loupan.kept_out import forget_refused_rows
from loupan.settings import Settings
from loupan.snapshot import SnapshotError, prune

_DAY = 24 * 3600


def clean(engine: sa.Engine, settings: Settings, erased: Erased) -> list[str]:
    """Remove an erased person from everything made of the CRM; after the erasure was committed, and safe to repeat.

    Returns:
        What could not be done now and how to do it, as messages to be translated.
    """
    _delete_files(engine, FileStore(settings.attachments_dir), erased.files)
    _forget_rejects(settings.data_dir / "rejects", erased.values)
    forget_refused_rows(settings)
    ask_for_new_warehouse(settings)
    left = []
    try:
        prune(settings)
    except (SnapshotError, OSError):
        left.append(marked("Older snapshots could not be looked through. Run `loupan refresh`."))
    try:
        with clear_errors(engine):
            is_compact = _compact(engine, ["customer", *erased.rows])
    except DatabaseError:
        is_compact = False
    if not is_compact:
        left.append(
            marked("The database is in use; its free space still holds what was erased. Erase again when it is quiet.")
        )
    return left


def _delete_files(engine: sa.Engine, store: FileStore, digests: set[str]) -> None:
    """Delete contents that no row names; also those that an earlier erasure was killed before deleting."""
    orphans = {path.name for path in _old_files(store.root)}
    attachment = metadata.tables["attachment"]
    named: set[str] = set()
    with clear_errors(engine), engine.execution_options(read_only=True).connect() as connection:
        for part in chunks(orphans | digests):
            named |= set(
                connection.scalars(sa.select(attachment.c.sha256).where(attachment.c.sha256.in_(part)).distinct())
            )
    for path in list(store.root.rglob("*")):
        if path.name in (digests | orphans) - named and path.is_file():
            _overwrite(path)


def _old_files(folder: Path) -> Iterator[Path]:
    # A file is written before the row that names it.
    before = time.time() - _DAY
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_mtime < before:
            yield path


def _overwrite(path: Path) -> None:
    """Write zeros over a file before its name goes: on most disks its blocks are no longer readable then."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        while size > 0:
            size -= file.write(bytes(min(size, 1 << 20)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def _forget_rejects(folder: Path, values: Sequence[str]) -> None:
    """Take the lines that name the person out of the files of rows that an import rejected."""
    for path in folder.rglob("*.csv") if values else ():
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        kept = [row for row in rows if not any(value in cell for cell in row for value in values)]
        if len(kept) < len(rows):
            _overwrite(path)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows(kept)


def _compact(engine: sa.Engine, tables: Sequence[str]) -> bool:
    """Write the database without its free space, in which what was overwritten could still be read.

    Returns:
        Whether it was done: not while others use the database.
    """
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            driver.execute("VACUUM")
            # The old pages stand in the file until the log is written back, which a reader can keep from happening.
            ((is_busy, *_),) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return not is_busy
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        for table in dict.fromkeys(tables):
            connection.exec_driver_sql(f'VACUUM (FULL) "{table}"')
    return True
