"""Telephone numbers in one way of writing, so that the same number is found whoever typed it."""

from __future__ import annotations

import re
import unicodedata

_EXTENSION = re.compile(r"(?:ext\.?|x|转|分机|#)", re.IGNORECASE)
_FILLING = re.compile(r"[\s\-‐‑‒–—−.·()/（）]+")


def normalised(text: str) -> str | None:
    """Return a telephone number as digits, None for what is no telephone number.

    Full-width characters become plain ones; spaces, dashes, brackets and the Chinese country code go; a number of
    another country keeps its ``+``; an extension follows after ``-``.

    >>> normalised("+86 138-0000-1234"), normalised("０２１ ６２３４５６７８转１２")
    ('13800001234', '02162345678-12')
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    number, *extensions = _EXTENSION.split(plain)
    number = _FILLING.sub("", number)
    if number.startswith("00"):
        number = "+" + number[2:]
    if number.startswith("+86"):
        number = number[3:]
    elif len(number) == 13 and number.startswith("861"):
        number = number[2:]
    extension = _FILLING.sub("", "".join(extensions))
    if not re.fullmatch(r"\+?[0-9]{5,20}", number) or not re.fullmatch(r"[0-9]{0,6}", extension):
        return None
    return f"{number}-{extension}" if extension else number


def digits(text: str) -> str:
    """Return the digits to search a number by, empty when the text does not look like part of one."""
    plain = _FILLING.sub("", unicodedata.normalize("NFKC", text))
    if not re.fullmatch(r"\+?[0-9]{3,20}", plain):
        return ""
    plain = plain.removeprefix("+86").removeprefix("0086")
    return plain.removeprefix("+")
