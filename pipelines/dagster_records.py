"""Dagster's records of runs and schedules: SQLite files that no refresh needs, so damaged ones are moved away."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from loupan.settings import Settings

# What lies in one of these folders belongs together. Schedules stay as they were set where only the history is damaged.
_PARTS = ("history", "schedules")


def set_aside_damaged(settings: Settings) -> list[Path]:
    """Move damaged records away, over those moved away before; return where they lie now.

    Only for who holds the refresh's lock; Dagster's own servers must be started anew if they run.
    """
    moved = []
    for part in _PARTS:
        folder = settings.dagster_home / part
        if not all(map(_is_whole, folder.rglob("*.db"))):
            target = folder.with_name(f"{part}.damaged")
            shutil.rmtree(target, ignore_errors=True)
            os.replace(folder, target)
            moved.append(target)
    return moved


def _is_whole(database: Path) -> bool:
    try:
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute("pragma quick_check(1)").fetchall() == [("ok",)]
    except sqlite3.OperationalError:
        # It cannot be opened, or is locked: that is no damage.
        return True
    except sqlite3.DatabaseError:
        return False
