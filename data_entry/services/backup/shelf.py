"""Where the backups lie: their names, which are kept, and the room there is."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from filelock import FileLock, Timeout

from data_entry.services.backup.archive import BackupError, Manifest, open_backup
from loupan.console import byte_size
from loupan.i18n import marked

_NAME = re.compile(r"loupan-(\d{8}-\d{6})(?:-(\d+))?(-before-restore)?\.zip")
# Left free on the disk whatever happens.
_RESERVE_BYTES = 50_000_000


@dataclass(frozen=True)
class Backup:
    """A backup on the shelf; without manifest, and with what is wrong, if it cannot be read."""

    path: Path
    bytes: int
    manifest: Manifest | None
    problem: str = ""


def new_path(folder: Path, now: dt.datetime, *, is_safety: bool = False) -> Path:
    """Return the name of a backup made now (UTC) that sorts after those made before."""
    stamp = f"{now:%Y%m%d-%H%M%S}"
    # Not the first free number: of one second, the oldest may have been pruned.
    number = 1 + max((number for path, (other, number) in _found(folder) if other == stamp), default=0)
    ending = "-before-restore.zip" if is_safety else ".zip"
    return folder / f"loupan-{stamp}{f'-{number}' if number > 1 else ''}{ending}"


def paths(folder: Path) -> list[Path]:
    """Return the backups of a folder, the newest first."""
    return [path for path, _ in sorted(_found(folder), key=itemgetter(1), reverse=True)]


def _found(folder: Path) -> list[tuple[Path, tuple[str, int]]]:
    """The backups of a folder, each with its second and its number within it."""
    if not folder.is_dir():
        return []
    matches = [(path, _NAME.fullmatch(path.name)) for path in folder.iterdir()]
    return [(path, (match[1], int(match[2] or 1))) for path, match in matches if match and path.is_file()]


def listing(folder: Path) -> list[Backup]:
    """Return the backups of a folder, the newest first, with what their manifests say."""
    backups = []
    for path in paths(folder):
        try:
            with open_backup(path) as backup:
                backups.append(Backup(path, path.stat().st_size, backup.manifest))
        except (BackupError, OSError) as error:
            backups.append(Backup(path, path.stat().st_size if path.exists() else 0, None, str(error)))
    return backups


def prune(folder: Path, keep: int) -> list[Path]:
    """Delete all but the newest backups, and return what was deleted; those made before a restore stay."""
    regular = [path for path in paths(folder) if not path.name.endswith("-before-restore.zip")]
    for path in regular[keep:]:
        path.unlink(missing_ok=True)
    return regular[keep:]


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
