"""Texts that people type, checked and tidied the same way by every service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_entry.services.errors import Invalid, Problem
from loupan.i18n import marked

if TYPE_CHECKING:
    from data_entry.schema import Record

LONGEST = 100_000
"""Characters of a text without a limit of its own: what a page can still show."""


def line(column: str, text: str | None, longest: int) -> str:
    """Return a text that must be there, on one line.

    Raises:
        Invalid: if it is empty, too long, or holds characters that no text holds.
    """
    return _checked(column, " ".join((text or "").split()), longest)


def block(column: str, text: str | None, longest: int = LONGEST) -> str:
    """Return a text of several lines that must be there; see `line`."""
    return _checked(column, (text or "").replace("\r\n", "\n").replace("\r", "\n").strip(), longest)


def optional(column: str, text: str | None, longest: int = LONGEST) -> str | None:
    """Return a text of several lines, None where nothing is said; see `line`."""
    return block(column, text, longest) if text and text.strip() else None


def _checked(column: str, text: str, longest: int) -> str:
    if not text:
        raise Invalid([Problem(column, marked("A value is needed here."))])
    if len(text) > longest:
        raise Invalid([Problem(column, marked("At most {length} characters."), {"length": longest})])
    # PostgreSQL keeps no NUL, and lone surrogates are no text in any encoding.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Invalid([Problem(column, marked("This text has characters that cannot be kept."))])
    return text


def pattern(words: str) -> str:
    """Return the LIKE pattern that finds a piece of text literally, with ``\\`` as its escape character."""
    for character in "\\%_":
        words = words.replace(character, f"\\{character}")
    return f"%{words.lower()}%"


def excerpt(text: str, words: list[str], length: int = 160) -> str:
    """Return the piece of a text around the first of the words found in it, else its beginning."""
    flat = " ".join(text.split())
    found = [at for at in (flat.lower().find(word.lower()) for word in words) if at >= 0]
    start = max(0, min(found, default=0) - length // 3)
    piece = flat[start : start + length]
    return f"{'…' if start else ''}{piece}{'…' if start + length < len(flat) else ''}"


def require_version(row: Record, row_version: int | None, **mine: object) -> None:
    """Refuse a save that was based on an older state of a row.

    Raises:
        Stale: with both versions.
    """
    from data_entry.services.errors import Stale

    if row_version is not None and row.row_version != row_version:
        theirs = {column.name: getattr(row, column.name) for column in row.__table__.c}
        raise Stale(marked("Somebody else has changed this meanwhile."), mine, theirs)
