"""What a PDF says, and what it is made of."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

from pypdf import PdfReader


@dataclass(frozen=True)
class Read:
    """A PDF as a reader program sees it: text without white space and invisible breaks, page by page."""

    pages: tuple[str, ...]
    title: str
    language: str
    is_tagged: bool
    sizes: frozenset[tuple[int, int]]
    fonts: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        return "".join(self.pages)


def squeezed(text: str) -> str:
    """Return a text without white space: where a line is broken, and how letters are spaced, is the typesetter's.

    The font draws the dot in the middle and the bullet alike, and a reader program takes one for the other.
    """
    return re.sub(r"[\s\u200b]+", "", text).replace("·", "•")


def read(document: bytes) -> Read:
    """Read a PDF; fonts come with whether they are embedded."""
    pdf = PdfReader(io.BytesIO(document))
    root: Any = pdf.trailer["/Root"]
    fonts = {}
    for page in pdf.pages:
        resources: Any = page["/Resources"]
        for font in resources["/Font"].values():
            told = font.get_object()
            below = told["/DescendantFonts"][0].get_object() if "/DescendantFonts" in told else told
            descriptor = below["/FontDescriptor"].get_object()
            fonts[told["/BaseFont"]] = any(f"/FontFile{kind}" in descriptor for kind in ("", "2", "3"))
    assert pdf.metadata is not None
    return Read(
        tuple(squeezed(page.extract_text()) for page in pdf.pages),
        str(pdf.metadata.title),
        str(root["/Lang"]),
        bool(root["/MarkInfo"]["/Marked"]),
        frozenset((round(page.mediabox.width), round(page.mediabox.height)) for page in pdf.pages),
        tuple(fonts.items()),
    )
