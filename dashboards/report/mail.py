"""A report as a message: what matters most in the mail itself, the whole as a PDF beside it."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboards.report.document import Report, Section, Sentences, Table
from loupan.i18n import translator
from loupan.notify import Message

_TONES = {"": "#17212e", "good": "#00795a", "bad": "#c24e00"}
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def message(report: Report, document: Path) -> Message:
    """Return the message that brings a report.

    Args:
        report: the content.
        document: the PDF, under the name that the recipient sees.
    """
    t = translator(report.language)
    closing = t("The whole report is attached as a PDF.")
    sections = [_told(section) for section in report.sections if section.is_in_mail]
    html = _TEMPLATES.get_template("board_report.html").render(
        report=report,
        sections=sections,
        closing=closing,
        lang="zh-CN" if report.language == "zh" else "en-GB",
        pictured=_pictured,
        tones=_TONES,
        t=t,
    )
    return Message(f"{report.company} {report.title}".strip(), _plain(report, sections, closing), html, (document,))


def _told(section: Section) -> Section:
    """Return a section with what a message can hold: words and tables, no pictures."""
    blocks = [block for block in section.blocks if isinstance(block, Table | Sentences)]
    return Section(section.title, section.lead, blocks)


def _pictured(table: Table) -> frozenset[int]:
    """Return the columns that hold pictures."""
    return frozenset(place for row in table.rows for place, cell in enumerate(row) if cell.plot is not None)


def _plain(report: Report, sections: list[Section], closing: str) -> str:
    """Return the message for who reads no HTML."""
    sign = translator(report.language)(": ")
    lines = [report.title, *report.notices, *(sign.join(fact) for fact in report.facts), ""]
    for table in filter(None, [report.figures]):
        lines += [sign.join((row[0].text, row[1].text)) for row in table.rows]
    for section in sections:
        lines += ["", section.title]
        for block in section.blocks:
            if isinstance(block, Sentences):
                lines += [f"- {words}" for words in block.sentences]
            elif isinstance(block, Table):
                lines += [" | ".join(cell.text for cell in row if cell.text) for row in block.rows]
    return "\n".join([*lines, "", closing])
