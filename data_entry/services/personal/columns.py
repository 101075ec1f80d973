"""What each column of a row about a customer is to the person, and what becomes of it when the person is erased.

Statistics are made of what is kept, so they stay as they are: days, amounts, units, sources, choices, terms that others
have as well. See `docs/privacy.md` for the law behind it.
"""

from __future__ import annotations

import datetime as dt
from enum import Enum
from hashlib import sha256

import sqlalchemy as sa

# As many people as must share a typed value for statistics to show it (`fewest_customers` of fct_customer_answer).
FEWEST = 5
# What stands where a text was that may not be empty.
ERASED = "[erased]"
# What stands before the hash of the reference that an import knew an erased row by.
ERASED_REFERENCE = "erased:"
# Ages at which statistics cut; an erased person's birthday becomes the first of January in the middle of the band.
_BANDS = ((25, 12), (35, 30), (45, 40), (55, 50), (65, 60))
_OLDEST = 80


class Treatment(Enum):
    """What becomes of a column."""

    KEEP = "kept: it tells nothing about the person by itself"
    CLEAR = "erased"
    REFERENCE = "replaced by what an import knows it by and nobody else"
    SHARED = "kept where others have the same, erased otherwise"
    BIRTHDAY = "replaced by a day in the middle of the age band"


def treatment(column: sa.Column) -> Treatment:
    """Return what becomes of a column of a row about a customer."""
    if column.name == "external_ref":
        return Treatment.REFERENCE
    if column.info.get("sensitive"):
        return Treatment.BIRTHDAY
    if not isinstance(column.type, sa.String) or isinstance(column.type, sa.Enum):
        return Treatment.KEEP
    if column.info.get("personal"):
        return Treatment.CLEAR
    # Terms of an agreed list, and every other text: what nobody declared harmless is not kept on trust.
    return Treatment.SHARED


def banded_birthday(birth_on: dt.date, today: dt.date) -> dt.date | None:
    """Return a day that stands for the age band of a birthday (0-24, 25-34, … 65+) and for nobody's own."""
    if birth_on > today:
        return None
    age = today.year - birth_on.year - ((today.month, today.day) < (birth_on.month, birth_on.day))
    middle = next((middle for below, middle in _BANDS if age < below), _OLDEST)
    return dt.date(today.year - middle, 1, 1)


def reference_of(external_ref: str) -> str:
    """Return what stands in the place of an erased record's external reference: an import still knows it, by a hash."""
    if external_ref.startswith(ERASED_REFERENCE):
        return external_ref
    return ERASED_REFERENCE + sha256(external_ref.encode()).hexdigest()
