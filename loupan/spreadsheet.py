"""What spreadsheets would run instead of show."""

from __future__ import annotations

import re

# Formulas begin so, in the full-width forms of East Asian keyboards too; some programs skip white space and invisible
# characters before. A tab or line end at the beginning can carry the rest into a cell of its own.
_ACTIVE = re.compile(r"[\t\r\n]|[\s\x00-\x1f\u200b\u2060\ufeff]*[=+\-@＝＋－＠]")


def is_active(text: str) -> bool:
    """Say whether a spreadsheet could take a text for a formula."""
    return _ACTIVE.match(text) is not None


def inert(text: str) -> str:
    """Return a text for a file that cannot say what is text: an apostrophe stands before what could be a formula."""
    return f"'{text}" if is_active(text) else text
