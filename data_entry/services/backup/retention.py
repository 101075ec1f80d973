"""Which backups are kept: the newest, and of days, weeks and months before them the last one each.

The scheme is known as grandfather-father-son, counted as restic's ``forget`` counts it: of the last n days (weeks,
months) that have a backup. Whatever is to be kept, a backup beyond the greatest age goes: it holds personal data of
people who may have asked to be forgotten since. The newest one that was read from end to end and found whole stays.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from loupan.settings import Settings

_PERIODS: tuple[tuple[str, Callable[[dt.date], str]], ...] = (
    ("keep_daily_backups", lambda day: f"{day:%Y-%m-%d}"),
    ("keep_weekly_backups", lambda day: f"{day:%G-%V}"),
    ("keep_monthly_backups", lambda day: f"{day:%Y-%m}"),
)


@dataclass(frozen=True)
class Shelved:
    """A backup on the shelf: its file, the moment it was made (UTC), and whether it was made before a restore."""

    path: Path
    made_at: dt.datetime
    is_safety: bool = False


def surplus(
    backups: Sequence[Shelved], settings: Settings, now: dt.datetime, proven: Collection[str]
) -> list[tuple[Path, str]]:
    """Return the backups that are to be deleted, each with the reason.

    Args:
        backups: all of the shelf, the newest first.
        settings: how many are kept; the days are those of its time zone.
        now: aware moment.
        proven: names of those that were found whole.
    """
    zone, regular = ZoneInfo(settings.time_zone), [backup for backup in backups if not backup.is_safety]
    kept = {backup.path for backup in regular[: settings.keep_backups]}
    for number, period in _PERIODS:
        last_of: dict[str, Path] = {}
        for backup in regular:
            last_of.setdefault(period(backup.made_at.astimezone(zone).date()), backup.path)
        kept |= set(list(last_of.values())[: getattr(settings, number)])
    # Those made before a restore are the way back from a mistake: they are not thinned out.
    kept |= {backup.path for backup in backups if backup.is_safety}
    oldest = now - dt.timedelta(days=settings.backup_max_days)
    too_old = {backup.path for backup in backups if backup.made_at < oldest}
    sure = next((backup.path for backup in backups if backup.path.name in proven), None)
    return [
        (backup.path, "older than LOUPAN_BACKUP_MAX_DAYS" if backup.path in too_old else "beyond those that are kept")
        for backup in backups
        if backup.path != sure and (backup.path in too_old or backup.path not in kept)
    ]
