"""What is known of the backups of the CRM without opening one: their files, and how checks, drills and deletions went.

Backups lie in the folder of the settings; what became of them stands in ``<data_dir>/backup_history.json``. The
pipeline and the alerts read it here, without anything of the CRM's program.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from filelock import FileLock
from pydantic import TypeAdapter

from loupan.files import replace_text
from loupan.settings import Settings

NAME = re.compile(r"loupan-(\d{8}-\d{6})(?:-(\d+))?(-before-restore)?\.zip(\.age)?")
_FILE = "backup_history.json"
_REMEMBERED = 500
# A newest backup older than this was not made by the daily schedule.
LATE = dt.timedelta(hours=36)


@dataclass
class Drill:
    """A backup that was restored into a scratch database and compared. Moments are ISO 8601 in UTC.

    Attributes:
        at: when the drill ended.
        backup: name of the file.
        passed: whether the backup can be relied upon.
        problem: what is wrong where it did not pass.
        engine: sqlite or postgresql.
        made_at: moment of the copy.
        rows, files: what was restored.
        restore_seconds: recovery time: from the closed file to a CRM that can be used.
        check_seconds: how long the comparison afterwards took.
        lost_seconds: recovery point: how far the newest change in the CRM lies behind the copy, 0 without a change.
        lost_rows: rows of the CRM that were changed since the copy.
        erased: customers whose erasure was repeated on the restored rows.
        marts: what a refresh of the restored CRM published, where one was asked for.
    """

    at: str
    backup: str
    passed: bool
    problem: str = ""
    engine: str = ""
    made_at: str | None = None
    rows: int = 0
    files: int = 0
    restore_seconds: float = 0.0
    check_seconds: float = 0.0
    lost_seconds: float | None = None
    lost_rows: int | None = None
    erased: int = 0
    marts: str = ""

    @property
    def rows_per_second(self) -> float | None:
        """How fast rows were restored."""
        return self.rows / self.restore_seconds if self.restore_seconds else None


@dataclass
class Known:
    """What is known of a backup since it was made or last read from end to end."""

    rows: int
    files: int
    schema: str
    verified_at: str | None = None


@dataclass
class Deleted:
    """A backup that is no longer kept."""

    at: str
    backup: str
    reason: str


@dataclass
class History:
    """All that is remembered of backups; drills and deletions oldest first."""

    backups: dict[str, Known] = field(default_factory=dict)
    drills: list[Drill] = field(default_factory=list)
    deleted: list[Deleted] = field(default_factory=list)


@dataclass(frozen=True)
class Standing:
    """How the backups stand.

    Attributes:
        newest: name of the newest backup, None without any.
        age: how old it is.
        drill: the last drill, None if there was none.
        drill_age: how long ago it ended.
    """

    newest: str | None
    age: dt.timedelta | None
    drill: Drill | None
    drill_age: dt.timedelta | None


_HISTORY = TypeAdapter(History)


def moment_of(name: str) -> dt.datetime | None:
    """Return the moment (UTC) at which a backup was made, by the name of its file; None if it is no backup's."""
    match = NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return dt.datetime.strptime(match[1], "%Y%m%d-%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def standing(settings: Settings, now: dt.datetime | None = None) -> Standing:
    """Return how old the newest backup is, and how the last drill went.

    Args:
        settings: of the installation.
        now: aware moment; the present by default.
    """
    now = now or dt.datetime.now(dt.UTC)
    folder = settings.backups_dir
    names = [path.name for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    made = max(((moment, name) for name in names if (moment := moment_of(name)) is not None), default=None)
    drill = next(reversed(read_history(settings).drills), None)
    return Standing(
        newest=made[1] if made else None,
        age=now - made[0] if made else None,
        drill=drill,
        drill_age=now - dt.datetime.fromisoformat(drill.at) if drill else None,
    )


def read_history(settings: Settings) -> History:
    """Return what is remembered; nothing if there is none or the file cannot be read."""
    try:
        return _HISTORY.validate_json((settings.data_dir / _FILE).read_bytes())
    except (OSError, ValueError):
        return History()


@contextmanager
def changing_history(settings: Settings) -> Iterator[History]:
    """Read what is remembered, and write it down as it is changed; one process at a time."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.data_dir / f".{_FILE}.lock"):
        history = read_history(settings)
        yield history
        history.drills, history.deleted = history.drills[-_REMEMBERED:], history.deleted[-_REMEMBERED:]
        replace_text(settings.data_dir / _FILE, _HISTORY.dump_json(history, indent=0).decode())
