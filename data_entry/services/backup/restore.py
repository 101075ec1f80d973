"""Restore a backup, and prove it: what stands in the database afterwards is written out again and compared."""

from __future__ import annotations

import errno
import itertools
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from data_entry.database import (
    VERSION_TABLE,
    clear_errors,
    let_readers_read,
    migrations,
    refuse_foreign_tables,
    upgrade,
    upgrading,
    version_within,
)
from data_entry.schema import metadata
from data_entry.services.backup.archive import (
    Manifest,
    OpenBackup,
    Progress,
    check_parts,
    no_progress,
    open_backup,
    table_part,
)
from data_entry.services.backup.create import create
from data_entry.services.backup.errors import BackupError
from data_entry.services.backup.rows import LEFT_OUT, ROWS_AT_ONCE, Table, lines, parse, tables_of
from data_entry.services.backup.shelf import one_at_a_time, require_room
from data_entry.services.personal.service import repeat
from loupan.erasures import Erasure, read_erasures
from loupan.settings import Settings

# What a CRM that nobody has used yet holds: the ready-made roles, and the trail of their making.
_UNUSED = frozenset({"role", "role_permission", "audit_log"})
_CHUNK = 1 << 20


def restore(
    engine: sa.Engine,
    settings: Settings,
    path: Path,
    *,
    replace: bool = False,
    erasures: Sequence[Erasure] | None = None,
    progress: Progress = no_progress,
) -> tuple[Manifest, Path | None]:
    """Restore a backup into an empty CRM, or in the place of a used one, as a whole or not at all.

    The backup is read and checked from end to end first. Everything happens in one transaction, at whose end the rows
    are written out again and must be those of the backup. A backup of an older version is upgraded afterwards, and
    whoever was erased from the CRM since it was made is erased again.

    Args:
        engine: the CRM; it need not exist.
        settings: where attached files and backups lie.
        path: the backup.
        replace: whether a CRM that is in use may be replaced; a backup of it is made first.
        erasures: who is erased again; by default all that the lists in the data folder and beside the backups name.
        progress: called with the share done and what is being done.

    Returns:
        What was restored, and the backup that was made of what was there before.

    Raises:
        BackupError: if the backup is damaged, foreign or too new, or the place is not empty. Nothing was changed.
    """
    # Before anything else: without a list that is there and cannot be read, people would come back.
    erasures = read_erasures(settings, path.parent) if erasures is None else erasures
    with open_backup(path, settings) as backup:
        _require_known_version(backup)
        check_parts(backup, lambda share, what: progress(0.1 * share, what))
        if engine.dialect.name == "sqlite":
            Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
        _require_rooms(engine, settings, backup)
        safety = None
        with clear_errors(engine):
            used = _used(engine) or _has_files(settings.attachments_dir, backup.manifest)
        if used and not replace:
            raise BackupError(
                f"{used} Restore into an empty place (LOUPAN_CRM_URL, LOUPAN_DATA_DIR), or replace it with --replace: "
                "a backup of it is made first."
            )
        if used and replace and _is_crm(engine):
            safety = create(
                engine, settings, is_safety=True, progress=lambda share, what: progress(0.1 + 0.2 * share, what)
            )
        with one_at_a_time(settings.backups_dir):
            _restore(engine, settings, backup, erasures, lambda share, what: progress(0.3 + 0.7 * share, what))
        progress(1.0, "done")
        return backup.manifest, safety


def _require_known_version(backup: OpenBackup) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(migrations()).walk_revisions()}
    if backup.manifest.schema not in known:
        raise BackupError(
            f"{backup.path} is of version {backup.manifest.schema}, which this program does not know. Install the "
            f"Loupan that made it ({backup.manifest.program}), or a newer one. Nothing was changed."
        )
    unknown = set(backup.manifest.tables) - set(metadata.tables)
    names = [c.name for table in backup.manifest.tables.values() for c in table.columns]
    if unknown or not all(re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in names):
        raise BackupError(f"{backup.path} holds tables or columns that are not Loupan's. Nothing was changed.")


def _require_rooms(engine: sa.Engine, settings: Settings, backup: OpenBackup) -> None:
    attached = sum(part.bytes for part in backup.manifest.attachments.values())
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    require_room(settings.data_dir, attached)
    if engine.dialect.name == "sqlite":
        # The rows with their indexes, and once more in the write-ahead log.
        rows = backup.manifest.unpacked_bytes - attached
        require_room(Path(str(engine.url.database)).parent, 3 * rows)


def _is_crm(engine: sa.Engine) -> bool:
    with clear_errors(engine), engine.execution_options(read_only=True).connect() as connection:
        return version_within(connection) is not None


def _used(engine: sa.Engine) -> str | None:
    """Say what the place holds, None for an empty one."""
    if engine.dialect.name == "sqlite" and not os.path.exists(str(engine.url.database)):
        return None
    with engine.execution_options(read_only=True).connect() as connection:
        if version_within(connection) is None:
            refuse_foreign_tables(connection)
            return None
        for table in tables_of(connection):
            clause = table.clause()
            if table.name not in _UNUSED and connection.execute(sa.select(clause.c.id).limit(1)).first():
                return f"The CRM {engine.url.render_as_string()} holds data ({table.name.replace('_', ' ')})."
    return None


def _has_files(folder: Path, manifest: Manifest) -> str | None:
    """Say that an attached file of the backup would take the place of another of the same name."""
    for name, part in manifest.attachments.items():
        path = folder / name
        if path.exists() and _digest(path) != part.sha256:
            return f"The folder {folder} holds another file {name}."
    return None


def _digest(path: Path) -> str:
    summed = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            summed.update(chunk)
    return summed.hexdigest()


def _restore(
    engine: sa.Engine, settings: Settings, backup: OpenBackup, erasures: Sequence[Erasure], progress: Progress
) -> None:
    written: list[Path] = []
    try:
        with clear_errors(engine):
            with upgrading(engine) as connection:
                _clear(connection)
                upgrade(connection, backup.manifest.schema)
                _load(connection, backup, progress)
                _prove(connection, backup, progress)
                upgrade(connection)
                forgotten = repeat(connection, erasures, settings.time_zone)
                # Files last: until the transaction ends, nobody looks for them.
                _write_files(settings.attachments_dir, backup, forgotten, written)
            if engine.dialect.name == "sqlite":
                let_readers_read(engine)
    except BaseException as error:
        for path in written:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BackupError("The disk is full. Nothing was changed; free space and restore again.") from error
        raise


def _clear(connection: sa.Connection) -> None:
    """Drop what Loupan made, if it did; what others made stays."""
    if version_within(connection) is None:
        refuse_foreign_tables(connection)
    cascade = " CASCADE" if connection.dialect.name == "postgresql" else ""
    for table in [*metadata.tables, VERSION_TABLE]:
        connection.exec_driver_sql(f'DROP TABLE IF EXISTS "{table}"{cascade}')


def _load(connection: sa.Connection, backup: OpenBackup, progress: Progress) -> None:
    total, done = max(1, backup.manifest.rows), 0
    constraints = _without_foreign_keys(connection)
    for name, saved in backup.manifest.tables.items():
        progress(0.7 * done / total, f"restoring {name.replace('_', ' ')}")
        if saved.rows:
            _load_table(connection, backup, backup.table(name))
        done += saved.rows
    for statement in constraints:
        connection.exec_driver_sql(statement)
    if connection.dialect.name == "postgresql":
        _set_sequences(connection)


def _rows(backup: OpenBackup, table: Table) -> Iterator[list[Any]]:
    readers: list[Callable[[Any], Any]] = [column.from_json for column in table.columns]
    with backup.archive.open(table_part(table.name)) as file:
        for line in file:
            yield parse(line, table, readers)


def _load_table(connection: sa.Connection, backup: OpenBackup, table: Table) -> None:
    rows = _rows(backup, table)
    names = [column.name for column in table.columns]
    if connection.dialect.name == "postgresql":
        listed = ", ".join(f'"{name}"' for name in names)
        cursor: Any = connection.connection.cursor()
        with cursor.copy(f'COPY "{table.name}" ({listed}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)
        return
    statement = sa.insert(table.clause())
    while part := list(itertools.islice(rows, ROWS_AT_ONCE)):
        connection.execute(statement, [dict(zip(names, row, strict=True)) for row in part])


def _without_foreign_keys(connection: sa.Connection) -> list[str]:
    """Take the foreign keys away on PostgreSQL and return the statements that put, and check, them again.

    Rows point at each other in circles, so no order of tables would do. SQLite does not enforce them here, and checks
    at the end of the transaction.
    """
    if connection.dialect.name != "postgresql":
        return []
    found = connection.exec_driver_sql(
        "SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c "
        "JOIN pg_class t ON t.oid = c.conrelid WHERE c.contype = 'f' "
        "AND t.relnamespace = current_schema()::regnamespace"
    ).all()
    ours = [row for row in found if row[0].strip('"') in metadata.tables]
    for table, name, _ in ours:
        connection.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    return [f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}' for table, name, definition in ours]


def _set_sequences(connection: sa.Connection) -> None:
    for table in tables_of(connection):
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('\"{table.name}\"', 'id'), coalesce(max(id), 1), "  # noqa: S608
            f'max(id) IS NOT NULL) FROM "{table.name}"'
        )


def _prove(connection: sa.Connection, backup: OpenBackup, progress: Progress) -> None:
    total, done = max(1, backup.manifest.rows), 0
    for name, saved in backup.manifest.tables.items():
        progress(0.7 + 0.3 * done / total, f"comparing {name.replace('_', ' ')}")
        summed = sha256()
        for line in lines(connection, backup.table(name)):
            summed.update(line)
        if summed.hexdigest() != backup.manifest.parts[table_part(name)].sha256:
            raise BackupError(
                f"The rows of {name} would not be those of the backup: this database cannot hold a value exactly as it "
                "was. Nothing was changed; restore into PostgreSQL."
            )
        done += saved.rows
    missing = {table.name for table in tables_of(connection)} - set(backup.manifest.tables) - LEFT_OUT
    if missing:
        raise BackupError(f"{backup.path} lacks the tables {', '.join(sorted(missing))}. Nothing was changed.")


def _write_files(folder: Path, backup: OpenBackup, forgotten: Collection[str], written: list[Path]) -> None:
    for name, part in backup.manifest.attachments.items():
        path = folder / name
        if part.sha256 in forgotten:
            continue
        if path.exists() and _digest(path) == part.sha256:
            continue
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.part")
        is_new = not path.exists()
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as target, backup.archive.open(f"attachments/{name}") as source:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        if is_new:
            written.append(path)
