"""Make a backup: one consistent moment of the database, and the attached files, in one file."""

from __future__ import annotations

import datetime as dt
import errno
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from data_entry.database import clear_errors, version_within
from data_entry.services.backup.archive import (
    MANIFEST,
    Manifest,
    Part,
    Progress,
    SavedTable,
    no_progress,
    seal,
    table_part,
    verify,
)
from data_entry.services.backup.encryption import can_open, encrypt, require_key
from data_entry.services.backup.errors import BackupError
from data_entry.services.backup.rows import Table, lines, tables_of
from data_entry.services.backup.shelf import (
    clear_unfinished,
    new_path,
    one_at_a_time,
    prune,
    remember,
    require_room,
)
from loupan.i18n import marked
from loupan.settings import Settings

_CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def create(
    engine: sa.Engine,
    settings: Settings,
    *,
    folder: Path | None = None,
    is_safety: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Copy the CRM and its attached files into a new backup and return its path; those no longer kept go.

    People may go on writing: what is copied is the moment at which the copy began. The finished file is read from end
    to end before it gets its name, where the secret key is here: what stands on the shelf was whole once.

    Args:
        engine: the CRM.
        settings: where attached files and backups lie, and how many are kept.
        folder: where the backup goes; the settings' by default.
        is_safety: whether it is made before a restore that replaces everything; such a backup is not thinned out.
        progress: called with the share done and what is being done.

    Raises:
        BackupError: if there is no CRM, or no room.
    """
    folder = folder or settings.backups_dir
    try:
        with one_at_a_time(folder):
            clear_unfinished(folder)
            path = _create(engine, settings, folder, is_safety, progress)
            if not is_safety:
                prune(settings, folder, dt.datetime.now(dt.UTC))
            return path
    except OSError as error:
        if error.errno in _FULL:
            raise BackupError(
                marked("The disk that holds {folder} is full; no backup was made. Free space."), folder=folder
            ) from error
        raise BackupError(
            marked("The backup cannot be written to {folder}: {error}. Check who may write there."),
            folder=folder,
            error=error,
        ) from error


def _create(engine: sa.Engine, settings: Settings, folder: Path, is_safety: bool, progress: Progress) -> Path:
    now = dt.datetime.now(dt.UTC)
    is_encrypted = settings.backup_key_file is not None
    require_key(settings)
    path = new_path(folder, now, is_safety=is_safety, is_encrypted=is_encrypted)
    temporary = path.with_name(f".{path.name}.part")
    try:
        # Personal data and password hashes are in it: the file is its owner's alone from the first byte on.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with clear_errors(engine), _one_moment(engine) as connection:
                write = _write_encrypted if is_encrypted else _write
                manifest = write(connection, settings, file, now, folder, progress)
            file.flush()
            os.fsync(file.fileno())
        is_verified = can_open(temporary, settings)
        if is_verified:
            verify(temporary, lambda share, what: progress(0.9 + 0.1 * share, what), settings)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _fsync_folder(folder)
    remember(settings, path, manifest, is_verified=is_verified)
    progress(1.0, "done")
    return path


def _write_encrypted(
    connection: sa.Connection, settings: Settings, file: IO[bytes], now: dt.datetime, folder: Path, progress: Progress
) -> Manifest:
    """Write the archive to a file without a name beside the CRM, then encrypted to its place."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.data_dir) as content:
        manifest = _write(connection, settings, content, now, folder, progress)
        content.seek(0)
        encrypt(content, file, settings)
    return manifest


def _one_moment(engine: sa.Engine) -> sa.Connection:
    """Open a transaction that sees one moment of the database and hinders nobody."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True).connect()
    # In the write-ahead log a reader sees the moment of its first read.
    return engine.execution_options(read_only=True).connect()


def _write(
    connection: sa.Connection, settings: Settings, file: IO[bytes], now: dt.datetime, folder: Path, progress: Progress
) -> Manifest:
    schema = version_within(connection)
    where = connection.engine.url.render_as_string()
    if schema is None:
        raise BackupError(
            marked("{place} is no CRM of Loupan's, so there is nothing to copy. Check LOUPAN_CRM_URL."), place=where
        )
    tables = tables_of(connection)
    counts = {t.name: int(connection.scalar(sa.select(sa.func.count()).select_from(t.clause())) or 0) for t in tables}
    files = list(_attached_files(settings.attachments_dir))
    total, done = max(1, sum(counts.values())), 0
    attached_bytes = sum(path.stat().st_size for path in files)
    # Rows shrink to a fraction of the database; attached files hardly at all.
    require_room(folder, attached_bytes + _database_bytes(connection) // 2)
    parts: dict[str, Part] = {}
    saved: dict[str, SavedTable] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for table in tables:
            progress(0.85 * done / total, f"copying {table.name.replace('_', ' ')}")
            rows, part = _add(archive, table_part(table.name), lines(connection, table))
            parts[table_part(table.name)] = part
            saved[table.name] = SavedTable(table.columns, rows)
            done += rows
        progress(0.85, "copying files")
        for path in files:
            name = f"attachments/{path.relative_to(settings.attachments_dir).as_posix()}"
            with path.open("rb") as source:
                parts[name] = _add(archive, name, iter(partial(source.read, _CHUNK), b""))[1]
        manifest = Manifest(
            made_at=now.isoformat(timespec="seconds"), program=_program(), schema=schema,
            engine=connection.dialect.name, tables=saved, parts=parts,
            missing=tuple(_missing(connection, tables, parts)),
        )  # fmt: skip
        archive.writestr(MANIFEST, manifest.encode())
        archive.comment = seal(manifest.encode())
    return manifest


def _add(archive: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> tuple[int, Part]:
    summed, size, count = sha256(), 0, 0
    with archive.open(name, "w", force_zip64=True) as target:
        waiting: list[bytes] = []
        for chunk in chunks:
            waiting.append(chunk)
            count += 1
            if len(waiting) >= 1000:
                size += _flush(target, summed, waiting)
        size += _flush(target, summed, waiting)
    return count, Part(summed.hexdigest(), size)


def _flush(target: object, summed: object, waiting: list[bytes]) -> int:
    joined = b"".join(waiting)
    waiting.clear()
    summed.update(joined)  # type: ignore[attr-defined]
    target.write(joined)  # type: ignore[attr-defined]
    return len(joined)


def _attached_files(folder: Path) -> Iterator[Path]:
    """Yield the files of the attachments folder; no links, and nothing that is still being written."""
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def _missing(connection: sa.Connection, tables: list[Table], parts: dict[str, Part]) -> Iterator[str]:
    """Yield the hashes of attached files that rows name and the folder does not hold."""
    attachment = next((table for table in tables if table.name == "attachment"), None)
    if attachment is None or "sha256" not in {column.name for column in attachment.columns}:
        return
    held = {name.rpartition("/")[2].split(".")[0] for name in parts}
    clause = attachment.clause()
    for (digest,) in connection.execute(sa.select(clause.c.sha256).distinct().order_by(clause.c.sha256)):
        if digest not in held:
            yield str(digest)


def _database_bytes(connection: sa.Connection) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)
    pages, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("page_count", "page_size"))
    return int(pages or 0) * int(size or 0)


def _program() -> str:
    try:
        return version("loupan")
    except PackageNotFoundError:
        return "unknown"


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
