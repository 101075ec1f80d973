"""Disks that are full or may not be written, as real file systems of their own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.company import ERROR, PUBLISHED
from tests.faults.trial import Fault, Trial

# A refresh of the small company writes some 80 MiB more than lies there already.
_ROOM = (1 << 16, 90 << 20)
_PARTS = (".", "snapshots", "dagster", "dbt", "warehouse.duckdb", "last_refresh.json")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextmanager
def _small_disk(folder: Path, size: int) -> Iterator[None]:
    """Move a folder's content to a disk of so many bytes at the same place; move it back at the end."""
    kept = folder.with_name(f"{folder.name}-kept")
    folder.rename(kept)
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
    finally:
        shutil.rmtree(kept)
        shutil.copytree(folder, kept)
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()
        kept.rename(folder)


def _size(folder: Path) -> int:
    # Whole pages, and one for each folder.
    return sum(-(-path.stat().st_size // 4096) * 4096 + 4096 for path in folder.rglob("*"))


def _full(trial: Trial) -> None:
    data_dir = trial.company.data_dir
    room = int(trial.chance.uniform(*_ROOM))
    with _small_disk(data_dir, _size(data_dir) + room):
        code, said = trial.company.refresh()
        if code == PUBLISHED:
            trial.where = "room enough"
        else:
            trial.where = furthest(said)
            trial.refused_kindly(code, said, str(data_dir))
            trial.expect("space" in said.lower() or "full" in said.lower(), f"no word of space: {said[-2000:]}")
        trial.readers_read()


def furthest(said: str) -> str:
    """Return the last step that a refresh came to, by what it showed."""
    from tests.faults.company import STEPS

    reached = [name for step, name in STEPS.items() if step in said]
    return reached[-1] if reached else "start"


@contextmanager
def _read_only(path: Path) -> Iterator[None]:
    _mount("--bind", str(path), str(path))
    try:
        _mount("-o", "remount,bind,ro", str(path))
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def _read_only_disk(trial: Trial) -> None:
    part = trial.chance.choice(_PARTS)
    with _read_only(trial.company.data_dir / part):
        code, said = trial.company.refresh()
        trial.where = "data folder" if part == "." else part
        if part == "last_refresh.json":
            # A file that is mounted cannot be replaced; a folder that may not be written says no more.
            trial.expect(code in (ERROR, PUBLISHED), f"ended with {code}: {said[-2000:]}")
        else:
            trial.refused_kindly(code, said, part if part != "." else str(trial.company.data_dir))
        trial.readers_read()


FAULTS = (
    Fault("disk-full", "disk full", _full, 12),
    Fault("disk-read-only", "disk, folder or file read-only", _read_only_disk, 6),
)
