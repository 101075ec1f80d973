"""Whose personal data was erased: a list of customer numbers and moments, kept outside of the CRM.

A restored backup may hold a person who was erased after it was made. The list outlives the database: it stands in the
data folder and beside the backups, in ``erasures.json``, and every restore repeats what it says. It holds no personal
data: the number of the customer's record, when the record was entered (so that the number of another CRM is not taken
for it), and when it was erased.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter

from loupan.errors import LoupanError
from loupan.files import replace_text
from loupan.settings import Settings

_FILE = "erasures.json"
# The warehouse is built anew by the next refresh while this file is there.
_REBUILD = "rebuild_warehouse"


@dataclass(frozen=True, order=True)
class Erasure:
    """A customer whose data was erased. Moments are ISO 8601 in UTC.

    Attributes:
        customer: number of the record.
        entered_at: when the record was entered.
        erased_at: when the data was erased.
        was_published: whether words that only this person had stood in the statistics, which are no longer kept.
    """

    customer: int
    entered_at: str
    erased_at: str
    was_published: bool = False


class ErasureListError(LoupanError):
    """The list of erasures cannot be read; nothing may be restored past it."""


_ERASURES = TypeAdapter(list[Erasure])


def read_erasures(settings: Settings, *folders: Path) -> list[Erasure]:
    """Return all erasures known in the data folder, beside the backups, and in further folders.

    Raises:
        ErasureListError: if a list is there and cannot be read.
    """
    found: dict[tuple[int, str], Erasure] = {}
    for folder in dict.fromkeys((settings.data_dir, settings.backups_dir, *folders)):
        for erasure in _read(folder / _FILE):
            found[erasure.customer, erasure.entered_at] = erasure
    return sorted(found.values())


def _read(path: Path) -> list[Erasure]:
    try:
        return _ERASURES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ErasureListError(
            f"The list of erased customers {path} cannot be read. Restore it from the other copy (in the data folder, "
            "or beside the backups): without it people who asked to be forgotten would come back."
        ) from error


def add_erasures(settings: Settings, erasures: Iterable[Erasure]) -> None:
    """Add to the list, in both places."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    settings.backups_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(settings.data_dir / f".{_FILE}.lock"):
        known = {(each.customer, each.entered_at): each for each in read_erasures(settings)}
        for erasure in erasures:
            earlier = known.get((erasure.customer, erasure.entered_at))
            was_published = erasure.was_published or bool(earlier and earlier.was_published)
            known[erasure.customer, erasure.entered_at] = Erasure(
                erasure.customer, erasure.entered_at, erasure.erased_at, was_published
            )
        text = _ERASURES.dump_json(sorted(known.values()), indent=0).decode()
        for folder in dict.fromkeys((settings.data_dir, settings.backups_dir)):
            replace_text(folder / _FILE, text)


def published_until(settings: Settings) -> dt.datetime | None:
    """Return the moment up to which snapshots hold words of a person who was erased; None if none does."""
    try:
        moments = [each.erased_at for each in read_erasures(settings) if each.was_published]
    except ErasureListError:
        return None  # a refresh is published all the same; restores stop at it
    return dt.datetime.fromisoformat(max(moments)) if moments else None


def ask_for_new_warehouse(settings: Settings) -> None:
    """Have the next refresh build the warehouse anew: birthdays stand in it, and in the free parts of its file."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    (settings.data_dir / _REBUILD).touch()


def drop_old_warehouse(warehouse: Path) -> bool:
    """Delete the warehouse if that was asked for, and say whether it was; the refresh lock must be held.

    The mark is taken away after the file: whoever is killed in between deletes an absent file next time.
    """
    mark = warehouse.parent / _REBUILD
    if not mark.exists():
        return False
    for path in warehouse.parent.glob(f"{warehouse.name}*"):  # its log, and damaged ones that were set aside
        path.unlink(missing_ok=True)
    mark.unlink()
    return True
