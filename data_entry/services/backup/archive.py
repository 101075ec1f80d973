"""The file a backup is: its manifest, and the proof that it is whole."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from data_entry.services.backup.encryption import plain
from data_entry.services.backup.errors import BackupError
from data_entry.services.backup.rows import Column, Table
from loupan.i18n import marked
from loupan.settings import Settings, get_settings

FORMAT, FORMAT_VERSION = "loupan-backup", 1
MANIFEST = "manifest.json"
# The end of the file names the SHA-256 of the manifest, which names that of every part: one sum stands for the whole.
_SEAL = re.compile(rb"loupan-backup sha256:([0-9a-f]{64})")
_SAFE_PATH = re.compile(r"attachments/(?!.*(?:^|/)\.\.?(?:/|$))[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_CHUNK = 1 << 20
# A manifest is a few kilobytes, more with many attachments.
_LARGEST_MANIFEST = 512 << 20

Progress = Callable[[float, str], None]


def no_progress(share: float, what: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Part:
    """A file in the backup: its SHA-256 and its size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class SavedTable:
    """A table in the backup: its columns and its number of rows."""

    columns: tuple[Column, ...]
    rows: int


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        made_at: moment of the copy, ISO 8601 in UTC.
        program: version of Loupan that made it.
        schema: migration the CRM stood at.
        engine: sqlite or postgresql, for information.
        tables: by name.
        parts: every file but the manifest, by its name in the archive.
        missing: attached files that the CRM names and that were not there when it was copied.
    """

    made_at: str
    program: str
    schema: str
    engine: str
    tables: dict[str, SavedTable]
    parts: dict[str, Part]
    missing: tuple[str, ...] = ()
    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    checksum: str = field(default="", compare=False)

    @property
    def rows(self) -> int:
        """The number of all rows."""
        return sum(table.rows for table in self.tables.values())

    @property
    def attachments(self) -> dict[str, Part]:
        """The attached files, by their path under the attachments folder."""
        return {n.removeprefix("attachments/"): p for n, p in self.parts.items() if n.startswith("attachments/")}

    @property
    def unpacked_bytes(self) -> int:
        """The size of everything when it is unpacked."""
        return sum(part.bytes for part in self.parts.values())

    def encode(self) -> bytes:
        """Return it as it stands in the archive."""
        values = asdict(self)
        del values["checksum"]
        return json.dumps(values, ensure_ascii=False, indent=1).encode()


def table_part(table: str) -> str:
    """Return the name of the file that holds a table."""
    return f"tables/{table}.jsonl"


def seal(manifest: bytes) -> bytes:
    """Return what the end of the archive says."""
    return f"loupan-backup sha256:{sha256(manifest).hexdigest()}".encode()


@dataclass(frozen=True)
class OpenBackup:
    """A backup that is open for reading."""

    path: Path
    manifest: Manifest
    archive: zipfile.ZipFile

    def table(self, name: str) -> Table:
        """Return a saved table."""
        return Table(name, self.manifest.tables[name].columns)


@contextmanager
def open_backup(path: Path, settings: Settings | None = None) -> Iterator[OpenBackup]:
    """Open a backup and read its manifest; the parts are not checked yet, see `verify`.

    Args:
        path: the file.
        settings: where the key of an encrypted one is, those in force by default.

    Raises:
        BackupError: if it cannot be read, is damaged, is no backup, was made by a newer program, or cannot be
            decrypted.
    """
    try:
        with plain(path, settings or get_settings()) as content, zipfile.ZipFile(content) as archive:
            yield OpenBackup(path, _manifest(path, archive), archive)
    except FileNotFoundError as error:
        raise BackupError(
            marked("There is no backup {path}. `loupan backup list` shows those there are."), path=path
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BackupError(
            marked("{path} is damaged or no backup of Loupan's ({error}). Nothing was changed; use another backup."),
            path=path,
            error=error,
        ) from error
    except IsADirectoryError as error:
        raise BackupError(marked("{path} is a folder; name a backup file."), path=path) from error


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    sealed = _SEAL.fullmatch(archive.comment)
    names = archive.namelist()
    if MANIFEST not in names or sealed is None:
        raise BackupError(
            marked("{path} is no backup of Loupan's. Nothing was changed; `loupan backup list` shows backups."),
            path=path,
        )
    if archive.getinfo(MANIFEST).file_size > _LARGEST_MANIFEST:
        raise BackupError(
            marked("{path} is no backup of Loupan's: its manifest is too large. Nothing was changed."), path=path
        )
    raw = archive.read(MANIFEST)
    if sha256(raw).hexdigest() != sealed[1].decode():
        raise BackupError(
            marked("{path} was altered: its manifest is not the one it was sealed with. Nothing was changed."),
            path=path,
        )
    try:
        manifest = _decoded(json.loads(raw), sealed[1].decode())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(
            marked("{path} has a manifest that cannot be read ({error}). Nothing was changed."), path=path, error=error
        ) from error
    if manifest.format_version > FORMAT_VERSION:
        raise BackupError(
            marked("{path} was made by a newer Loupan ({program}). Install that one, and try again."),
            path=path,
            program=manifest.program,
        )
    unsafe = [name for name in manifest.parts if not _is_safe(name, manifest)]
    if unsafe or sorted(names) != sorted([MANIFEST, *manifest.parts]):
        raise BackupError(marked("{path} holds other files than its manifest says. Nothing was changed."), path=path)
    return manifest


def _is_safe(name: str, manifest: Manifest) -> bool:
    return name in {table_part(table) for table in manifest.tables} or _SAFE_PATH.fullmatch(name) is not None


def _decoded(values: dict[str, Any], checksum: str) -> Manifest:
    if values.get("format") != FORMAT:
        raise ValueError("another format")
    tables = {
        name: SavedTable(tuple(Column(**column) for column in table["columns"]), int(table["rows"]))
        for name, table in values.pop("tables").items()
    }
    parts = {name: Part(**part) for name, part in values.pop("parts").items()}
    missing = tuple(values.pop("missing", ()))
    return Manifest(**values, tables=tables, parts=parts, missing=missing, checksum=checksum)


def verify(path: Path, progress: Progress = no_progress, settings: Settings | None = None) -> Manifest:
    """Read a backup from end to end and compare every part with the manifest.

    Raises:
        BackupError: if a part is damaged, altered, missing or too many.
    """
    with open_backup(path, settings) as backup:
        check_parts(backup, progress)
        return backup.manifest


def check_parts(backup: OpenBackup, progress: Progress = no_progress) -> None:
    """Compare every part of an open backup with the manifest; see `verify`."""
    manifest, done = backup.manifest, 0
    for name, part in manifest.parts.items():
        progress(done / max(1, manifest.unpacked_bytes), "checking")
        if backup.archive.getinfo(name).file_size != part.bytes:
            raise BackupError(
                marked("{path} was altered: {part} has another size than its manifest says."),
                path=backup.path,
                part=name,
            )
        summed, lines = sha256(), 0
        with backup.archive.open(name) as file:
            while chunk := file.read(_CHUNK):
                summed.update(chunk)
                lines += chunk.count(b"\n")
        if summed.hexdigest() != part.sha256:
            raise BackupError(
                marked("{path} was altered: {part} is not what its manifest says. Use another backup."),
                path=backup.path,
                part=name,
            )
        for table, saved in manifest.tables.items():
            if table_part(table) == name and lines != saved.rows:
                raise BackupError(
                    marked("{path} was altered: {part} has {lines} rows instead of {rows}."),
                    path=backup.path,
                    part=name,
                    lines=lines,
                    rows=saved.rows,
                )
        done += part.bytes
    progress(1.0, "checked")
