"""Cells of files: numbers as numbers, texts without what a file cannot hold."""

from __future__ import annotations

import re
from typing import Any

from loupan.formats import is_missing
from loupan.ui.drawing import MONTHS, WORDS, Column

# What XML, and with it a workbook, has no way to write.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def clean(value: object) -> str:
    """Return a text without the characters that no file of a spreadsheet may hold."""
    return _UNWRITABLE.sub("", str(value))


def number(value: Any) -> int | float | None:
    """Return a number of the gateway's as a plain one, whole where it is whole; None where there is no data."""
    if is_missing(value):
        return None
    plain = float(value)
    return int(plain) if plain.is_integer() else plain


def is_number(column: Column) -> bool:
    """Say whether a column holds numbers."""
    return column.unit not in (WORDS, MONTHS)
