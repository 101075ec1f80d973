"""The pages' words: English in the code, other languages in gettext catalogues, a folder of them per language."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Protocol

from babel.messages.pofile import read_po

LANGUAGES = {"en": "English", "zh": "中文"}
CATALOGUES = {"zh": Path(__file__).with_name("zh_CN")}


class Translator(Protocol):
    """Translates one message of the code and fills its ``{placeholders}``."""

    def __call__(self, message: str, /, **values: object) -> str:
        """Return the message in the reader's language."""


@cache
def translator(language: str) -> Translator:
    """Return the translator of a language; a message its catalogues lack stays English.

    Args:
        language: a key of `LANGUAGES`.
    """
    messages = _messages(language)

    def translate(message: str, /, **values: object) -> str:
        text = messages.get(message, message)
        return text.format(**values) if values else text

    return translate


def marked(message: str) -> str:
    """Mark a message for the catalogue where it is named before the reader's language is known."""
    return message


@cache
def _messages(language: str) -> dict[str, str]:
    if language not in CATALOGUES:
        return {}
    messages: dict[str, str] = {}
    for path in sorted(CATALOGUES[language].glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=CATALOGUES[language].name)
        messages |= {str(m.id): str(m.string) for m in catalogue if m.id and m.string and not m.fuzzy}
    return messages
