"""Backups as people with the right to them see and make them from a page."""

from __future__ import annotations

from pathlib import Path

from data_entry.services.backup.shelf import Backup, listing, paths
from data_entry.services.errors import NotFound
from data_entry.services.work import Work
from loupan.backups import Drill, read_history
from loupan.i18n import marked
from loupan.settings import Settings

RESOURCE = "backup"


def listed(work: Work, settings: Settings) -> list[Backup]:
    """Return the backups, the newest first.

    Raises:
        Forbidden: if the actor may not see them.
    """
    work.require("read", RESOURCE)
    return listing(settings)


def drills(work: Work, settings: Settings) -> list[Drill]:
    """Return how drills went, the last one first.

    Raises:
        Forbidden: if the actor may not see backups.
    """
    work.require("read", RESOURCE)
    return read_history(settings).drills[::-1]


def require_making(work: Work) -> None:
    """Raise `Forbidden` unless the actor may make and check backups."""
    work.require("run", RESOURCE)


def chosen(work: Work, settings: Settings, name: str) -> Path:
    """Return the backup of a name, which must be one of the listed.

    Raises:
        Forbidden: if the actor may not check backups.
        NotFound: if there is none of this name.
    """
    require_making(work)
    for path in paths(settings.backups_dir):
        if path.name == name:
            return path
    raise NotFound(marked("This backup is not there any more."))


def record(work: Work, action: str, name: str) -> None:
    """Leave a line in the trail."""
    require_making(work)
    work.log(action, RESOURCE, None, file=name)
