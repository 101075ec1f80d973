"""Compare a restored CRM with its backup as any reader of the database would: from outside, after the end."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa

from data_entry.database import head_version, schema_version
from data_entry.schema import metadata
from data_entry.services.backup.archive import Manifest, Progress, table_part
from data_entry.services.backup.errors import BackupError
from data_entry.services.backup.rows import Table, lines
from loupan.i18n import marked

_CHUNK = 1 << 20


def prove(engine: sa.Engine, manifest: Manifest, attachments: Path, progress: Progress) -> None:
    """Check that a restored CRM is whole, and is what the backup holds.

    The version, the file of the database (SQLite), every reference, the number of rows and the SHA-256 of each table,
    and of each attached file. A backup of an older version is upgraded by the restore, after the restore itself has
    compared the checksums; of that one the rows are counted.

    Args:
        engine: the restored CRM.
        manifest: of the backup.
        attachments: folder of the restored files.
        progress: called with the share done and what is being done.

    Raises:
        BackupError: if anything differs; the message says what.
    """
    if schema_version(engine) != head_version():
        raise BackupError(
            marked("The restored CRM stands at version {found} instead of {wanted}."),
            found=schema_version(engine),
            wanted=head_version(),
        )
    with engine.execution_options(read_only=True).connect() as connection:
        _integrity(connection)
        _references(connection)
        total, done = max(1, manifest.rows), 0
        for name, saved in manifest.tables.items():
            progress(done / total, f"comparing {name.replace('_', ' ')}")
            _table(connection, manifest, Table(name, saved.columns), saved.rows)
            done += saved.rows
    for name, part in manifest.attachments.items():
        if not (attachments / name).is_file() or _digest(attachments / name) != part.sha256:
            raise BackupError(marked("The restored file {name} is not that of the backup."), name=name)


def _integrity(connection: sa.Connection) -> None:
    """Let SQLite look through its file; PostgreSQL's pages are its own, and every row is read further on."""
    if connection.dialect.name != "sqlite":
        return
    found: list[str] = list(connection.exec_driver_sql("PRAGMA integrity_check(5)").scalars())
    if found != ["ok"]:
        raise BackupError(marked("The restored database is damaged: {problems}."), problems="; ".join(found))


def _references(connection: sa.Connection) -> None:
    """Look for rows that point to rows which do not exist, by reading them, whatever constraints say."""
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            parent = key.column.table.alias()
            dangling = connection.scalar(
                sa.select(table.c.id)
                .outerjoin(parent, parent.c.id == key.parent)
                .where(key.parent.is_not(None), parent.c.id.is_(None))
                .limit(1)
            )
            if dangling is not None:
                raise BackupError(
                    marked("In the restored CRM, row {key} of {table} points to a {parent} that does not exist."),
                    key=dangling,
                    table=table.name,
                    parent=key.column.table.name,
                )


def _table(connection: sa.Connection, manifest: Manifest, table: Table, rows: int) -> None:
    if manifest.schema != head_version():
        found = connection.scalar(sa.select(sa.func.count()).select_from(table.clause())) or 0
        if found != rows:
            raise BackupError(
                marked("The restored table {table} has {found} rows; the backup has {rows}."),
                table=table.name,
                found=found,
                rows=rows,
            )
        return
    summed, found = sha256(), 0
    for line in lines(connection, table):
        summed.update(line)
        found += 1
    if found != rows or summed.hexdigest() != manifest.parts[table_part(table.name)].sha256:
        raise BackupError(
            marked("The restored table {table} is not that of the backup ({found} rows of {rows})."),
            table=table.name,
            found=found,
            rows=rows,
        )


def _digest(path: Path) -> str:
    summed = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            summed.update(chunk)
    return summed.hexdigest()
