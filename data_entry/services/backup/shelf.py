"""Where the backups lie: their names, which are kept, and the room there is."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    """Return the name of a backup made now (UTC) that is not taken yet."""
    ending = "-before-restore.zip" if is_safety else ".zip"
    stem = f"loupan-{now:%Y%m%d-%H%M%S}"
    path, number = folder / f"{stem}{ending}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{ending}"
    return path


def paths(folder: Path) -> list[Path]:
    """Return the backups of a folder, the newest first."""
    if not folder.is_dir():
        return []
    found = [(match, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)) and path.is_file()]
    return [path for match, path in sorted(found, key=lambda f: (f[0][1], int(f[0][2] or 1)), reverse=True)]


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
