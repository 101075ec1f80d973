"""Check cron notation. Dagster has the same check, but importing it takes longer than most commands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SHORTHANDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS_OF_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class _Field:
    """One of the five parts: its meaning, its lowest and highest number, and the words that stand for numbers."""

    meaning: str
    low: int
    high: int
    words: dict[str, int] = field(default_factory=dict)

    def values(self, text: str) -> set[int]:
        """Return the numbers meant by ``*``, ``3``, ``1-5``, ``*/15`` or a list of these."""
        values: set[int] = set()
        for part in text.split(","):
            found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(0*[1-9]\d{0,3}))?", part, re.ASCII)
            if found is None:
                raise ValueError(f"the {self.meaning} {part!r} is not understood")
            first, last, step = found.groups()
            start = self._number(first) if first else self.low
            # A single number stands for itself, but with a step it begins a range.
            end = self._number(last) if last else start if first and not step else self.high
            if end < start:
                raise ValueError(f"the {self.meaning} {part!r} ends before it begins")
            values |= set(range(start, end + 1, int(step or 1)))
        return values

    def _number(self, text: str) -> int:
        number = self.words.get(text, int(text) if text.isdigit() else -1)
        if not self.low <= number <= self.high:
            raise ValueError(f"the {self.meaning} {text!r} is not between {self.low} and {self.high}")
        return number


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    _Field("weekday", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


def check_cron(text: str) -> None:
    """Raise ValueError for what is no cron notation, and for days that never come."""
    if text.lower() in SHORTHANDS:
        return
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        raise ValueError(
            f"cron notation has five parts: {', '.join(f.meaning for f in _FIELDS)}; '0 6 * * *' is every day at six"
        )
    _, _, days, months, _ = (known.values(part) for known, part in zip(_FIELDS, parts, strict=True))
    if min(days) > max(_DAYS_OF_MONTHS[month - 1] for month in months):
        raise ValueError("this day never comes: the months named are shorter")
