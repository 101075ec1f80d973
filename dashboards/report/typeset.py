"""A report as a PDF: set by Typst in Noto Sans CJK, whose parts that are used are embedded."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dashboards.report.compose import ReportError
from dashboards.report.document import Report
from loupan.i18n import translator

if TYPE_CHECKING:
    from typst import Fonts

FAMILY = "Noto Sans CJK SC"
_TEMPLATE = Path(__file__).with_name("board_report.typ")
# PDF/UA-1: tagged, with language and title, readable aloud; and no character without its glyph.
_STANDARD: Literal["ua-1"] = "ua-1"
_LANGUAGES = {"en": ("en", "gb"), "zh": ("zh", "cn")}
# What stands for a character that the font lacks.
_LACKING = "□"
# A line can be broken nowhere in a longer run of letters: it would run out of the page.
_UNBROKEN = re.compile(r"[^\s\u2e80-\uffef]{25,}")
_RUN = 12


def pdf(report: Report, made_at: datetime) -> bytes:
    """Return a report as a PDF of A4 pages, tagged, with its title, language and fonts.

    Args:
        report: the content.
        made_at: the moment written into the file.

    Raises:
        ReportError: if the typesetter refuses it.
    """
    import typst

    language, region = _LANGUAGES[report.language]
    t = translator(report.language)
    told = _printable(
        asdict(report)
        | {
            "font": FAMILY,
            "lang": language,
            "region": region,
            "figures-title": t("Key figures"),
            "small": f"Loupan · {t('Snapshot')} {report.version}",
        }
    )
    try:
        document = typst.compile(
            _TEMPLATE.read_bytes(),
            font_paths=_fonts(),
            ignore_system_fonts=True,
            sys_inputs={"report": json.dumps(told, ensure_ascii=False)},
            format="pdf",
            pdf_standards=[_STANDARD],
            timestamp=int(made_at.timestamp()),
        )
    except typst.TypstError as error:
        raise ReportError(f"The report {report.title!r} could not be typeset: {error.message}.") from error
    return bytes(document)


def _font_file() -> Path:
    import manimgx_fonts_cjk

    return next(Path(manimgx_fonts_cjk.__file__).parent.glob("*.ttc"))


@cache
def _fonts() -> Fonts:
    """Return the one font, and no other: what a report looks like depends on no machine."""
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[_font_file().parent])


@cache
def _known_characters() -> frozenset[int]:
    """Return the characters that the font can write."""
    from fontTools.ttLib import TTCollection

    with TTCollection(_font_file(), lazy=True) as collection:
        face = next(font for font in collection if font["name"].getBestFamilyName() == FAMILY)
        return frozenset(face.getBestCmap())


def _printable(value: Any) -> Any:
    """Return the content with texts that can be printed: known characters, and long runs that can be broken."""
    if isinstance(value, str):
        return _UNBROKEN.sub(lambda run: _breakable(run[0]), written(value))
    if isinstance(value, dict):
        return {key: _printable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(part) for part in value]
    return sorted(value) if isinstance(value, frozenset) else value


def written(text: str) -> str:
    """Return a text in characters that the font has: control characters go, others that it lacks become a box.

    Text that means to run from right to left, or to hide, cannot: the characters that say so are control characters.
    """
    known = _known_characters()
    kept = (" " if c in "\t\n\r" else c for c in unicodedata.normalize("NFC", text))
    return "".join(
        c if ord(c) in known else _LACKING for c in kept if unicodedata.category(c) not in ("Cc", "Cf", "Mn", "Me")
    )


def _breakable(run: str) -> str:
    return "\u200b".join(run[start : start + _RUN] for start in range(0, len(run), _RUN))
