"""What a report is made of, before anybody decides how it looks: as a document or as a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dashboards.report.marks import Plot

Tone = Literal["", "good", "bad"]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its words, and whether they are good news."""

    text: str
    tone: Tone = ""
    plot: Plot | None = None


@dataclass(frozen=True)
class Table:
    """A table with a heading.

    Attributes:
        title: what it shows; may be empty.
        head: titles of the columns.
        rows: as many cells each.
        numbers: the columns that hold numbers and stand to the right.
        widths: shares of the width, one per column.
        note: a sentence beneath.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numbers: frozenset[int] = frozenset()
    widths: Sequence[float] = ()
    note: str = ""
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Chart:
    """A chart with everything that must stand beside it.

    Attributes:
        title, caption: over it.
        plot: the picture.
        alt: what it shows, for who cannot see it.
        signals: what lies beyond ordinary variation.
        note: sentences of caution beneath.
        mark: how far the entry of its data can be trusted, as dots; may be empty.
    """

    title: str
    caption: str
    plot: Plot
    alt: str
    signals: Sequence[str] = ()
    note: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Charts:
    """Charts side by side: one or two."""

    charts: Sequence[Chart]
    kind: str = field(default="charts", init=False)


@dataclass(frozen=True)
class Sentences:
    """Sentences one below the other, with a heading or without."""

    title: str
    sentences: Sequence[str]
    kind: str = field(default="sentences", init=False)


@dataclass(frozen=True)
class Pairs:
    """Terms with what is to be said of each, in small print."""

    pairs: Sequence[tuple[str, str]]
    kind: str = field(default="pairs", init=False)


Block = Table | Charts | Sentences | Pairs


@dataclass(frozen=True)
class Section:
    """A part of the report with a heading; what matters most stands in the message as well."""

    title: str
    lead: str
    blocks: Sequence[Block]
    is_in_mail: bool = False


@dataclass(frozen=True)
class Report:
    """A report for one recipient.

    Attributes:
        language: a key of `loupan.i18n.LANGUAGES`.
        title: with the period.
        company: whose; may be empty.
        facts: what the figures are of: for whom, which days, as of when, which snapshot.
        notices: what a reader must know before anything else: old data, a refused refresh.
        figures: the key figures; None for a recipient who may not open the overview.
        sections: the rest.
        page: words at the foot, with ``{page}`` and ``{pages}``.
        code: of the period.
        version: of the snapshot.
    """

    language: str
    title: str
    company: str
    facts: Sequence[tuple[str, str]]
    notices: Sequence[str]
    figures: Table | None
    sections: Sequence[Section]
    page: str
    code: str
    version: str
