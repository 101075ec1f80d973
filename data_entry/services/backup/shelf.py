"""Where the backups lie: their names, which are kept, and the room there is."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from filelock import FileLock, Timeout

from data_entry.services.backup.archive import Manifest, Progress, no_progress, open_backup, verify
from data_entry.services.backup.encryption import ENDING, is_encrypted
from data_entry.services.backup.errors import BackupError
from data_entry.services.backup.retention import Shelved, surplus
from loupan.backups import NAME, Deleted, Known, changing_history, moment_of, read_history
from loupan.console import byte_size
from loupan.i18n import marked
from loupan.settings import Settings

# Left free on the disk whatever happens.
_RESERVE_BYTES = 50_000_000
_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class Backup:
    """A backup on the shelf.

    Attributes:
        path: the file.
        bytes: its size.
        made_at: moment of the copy, UTC.
        is_encrypted: whether its manifest can be read only by decrypting all of it.
        manifest: what it holds; None if it is encrypted or cannot be read.
        problem: why it cannot be read.
        known: what was found when it was made or last read from end to end; None if that is not remembered.
    """

    path: Path
    bytes: int
    made_at: dt.datetime
    is_encrypted: bool = False
    manifest: Manifest | None = None
    problem: str = ""
    known: Known | None = None

    @property
    def rows(self) -> int | None:
        """How many rows it holds, as far as is known."""
        return self.manifest.rows if self.manifest else self.known.rows if self.known else None

    @property
    def files(self) -> int | None:
        """How many attached files it holds, as far as is known."""
        return len(self.manifest.attachments) if self.manifest else self.known.files if self.known else None

    @property
    def schema(self) -> str | None:
        """The migration of its CRM, as far as is known."""
        return self.manifest.schema if self.manifest else self.known.schema if self.known else None


def new_path(folder: Path, now: dt.datetime, *, is_safety: bool = False, is_encrypted: bool = False) -> Path:
    """Return the name of a backup made now (UTC) that sorts after those made before."""
    stamp = f"{now:%Y%m%d-%H%M%S}"
    # Not the first free number: of one second, the oldest may have been pruned.
    number = 1 + max((number for path, (other, number) in _found(folder) if other == stamp), default=0)
    ending = f"{'-before-restore' if is_safety else ''}.zip{ENDING if is_encrypted else ''}"
    return folder / f"loupan-{stamp}{f'-{number}' if number > 1 else ''}{ending}"


def paths(folder: Path) -> list[Path]:
    """Return the backups of a folder, the newest first."""
    return [path for path, _ in sorted(_found(folder), key=itemgetter(1), reverse=True)]


def _found(folder: Path) -> list[tuple[Path, tuple[str, int]]]:
    """The backups of a folder, each with its second and its number within it."""
    if not folder.is_dir():
        return []
    matches = [(path, NAME.fullmatch(path.name)) for path in folder.iterdir()]
    return [(path, (match[1], int(match[2] or 1))) for path, match in matches if match and path.is_file()]


def listing(settings: Settings) -> list[Backup]:
    """Return the backups, the newest first, with what their manifests say; encrypted ones are not opened."""
    backups, known = [], read_history(settings).backups
    for path in paths(settings.backups_dir):
        manifest, problem, is_sealed = None, "", False
        try:
            is_sealed = is_encrypted(path)
            if not is_sealed:
                with open_backup(path, settings) as backup:
                    manifest = backup.manifest
        except (BackupError, OSError) as error:
            problem = str(error)
        size = path.stat().st_size if path.exists() else 0
        made_at = moment_of(path.name) or _NEVER
        backups.append(Backup(path, size, made_at, is_sealed, manifest, problem, known.get(path.name)))
    return backups


def check(settings: Settings, path: Path, progress: Progress = no_progress) -> Manifest:
    """Read a backup from end to end, and remember what was found; see `verify`.

    Raises:
        BackupError: if it is damaged or cannot be opened.
    """
    try:
        manifest = verify(path, progress, settings)
    except BackupError:
        distrust(settings, path)
        raise
    remember(settings, path, manifest)
    return manifest


def remember(settings: Settings, path: Path, manifest: Manifest, *, is_verified: bool = True) -> None:
    """Write down what a backup holds, and that it was read from end to end and found whole."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    with changing_history(settings) as history:
        history.backups[path.name] = Known(
            manifest.rows, len(manifest.attachments), manifest.schema, now if is_verified else None
        )


def distrust(settings: Settings, path: Path) -> None:
    """Write down that a backup was found damaged."""
    with changing_history(settings) as history:
        if path.name in history.backups:
            history.backups[path.name].verified_at = None


def prune(settings: Settings, folder: Path, now: dt.datetime) -> list[Path]:
    """Delete the backups that are no longer to be kept, write down which and why, and return them.

    Args:
        settings: how many are kept.
        folder: where they lie.
        now: aware moment.
    """
    shelved = [
        Shelved(path, made_at, is_safety="-before-restore" in path.name)
        for path in paths(folder)
        if (made_at := moment_of(path.name)) is not None
    ]
    with changing_history(settings) as history:
        proven = [name for name, known in history.backups.items() if known.verified_at]
        gone = surplus(shelved, settings, now, proven)
        for path, reason in gone:
            path.unlink(missing_ok=True)
            history.deleted.append(Deleted(now.isoformat(timespec="seconds"), path.name, reason))
        left = {path.name for path in paths(folder)}
        history.backups = {name: known for name, known in history.backups.items() if name in left}
    return [path for path, _ in gone]


def clear_unfinished(folder: Path) -> None:
    """Delete what killed backups left half-written; the folder's lock must be held."""
    for path in folder.glob(".loupan-*.part"):
        path.unlink(missing_ok=True)


def require_room(folder: Path, needed: int) -> None:
    """Raise `BackupError` unless a folder's disk has room for a number of bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed + _RESERVE_BYTES:
        raise BackupError(
            marked(
                "About {needed} are needed; {folder} has {free} free. Free space, or name a folder on another disk."
            ),
            needed=byte_size(needed),
            folder=folder,
            free=byte_size(free),
        )


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two backups, or a backup and a restore, do not run at once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(folder / ".lock", is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BackupError(
            marked("Another backup or restore is running. Wait until it has ended, and try again.")
        ) from error
    try:
        yield
    finally:
        lock.release()
