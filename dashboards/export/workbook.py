"""Tables as an Excel workbook: a sheet per exhibit, and one that says what they show."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from dashboards.export import about
from dashboards.export.cells import clean, is_number, number
from dashboards.export.exhibit import Exhibit
from dashboards.view import View
from loupan.spreadsheet import is_active
from loupan.ui.drawing import MONTHS, Column

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

MIME = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMATS = {
    "percent": "0.0%",
    "sqm": "#,##0",
    "minutes": "#,##0",
    "days": "#,##0.0",
    "hours": "#,##0.0",
    "per_100": "#,##0.00",
    "ratio": "#,##0.00",
}
_SHEET_NAME = 31
_WIDEST, _NARROWEST = 44, 10


def workbook(title: str, exhibits: Sequence[Exhibit]) -> bytes:
    """Return exhibits as a workbook (.xlsx): each has its numbers on a sheet, the last sheet tells about all of them.

    Numbers are not rounded; their formats show them in the reader's units. Every text is stored as text, whatever it
    begins with.

    Args:
        title: of the whole.
        exhibits: at least one, of the same view.
    """
    from openpyxl import Workbook

    t = exhibits[0].view.t
    book = Workbook()
    book.properties.creator, book.properties.title = "Loupan", clean(title)
    told = t("About")
    wanted = [t("Data")] if len(exhibits) == 1 else [exhibit.title for exhibit in exhibits]
    names = sheet_names([*wanted, told])
    for name, exhibit in zip(names, exhibits, strict=False):
        _fill(book.create_sheet(name), exhibit)
    _tell(book.create_sheet(names[-1]), title, dict(zip(names, exhibits, strict=False)))
    book.remove(book.worksheets[0])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def sheet_names(titles: Iterable[str]) -> list[str]:
    """Return names that Excel takes for sheets: of 31 characters, without some signs, each but once."""
    names: list[str] = []
    for title in titles:
        plain = re.sub(r"[\[\]:*?/\\]", " ", clean(title)).strip("' ")[:_SHEET_NAME].strip("' ") or "–"
        name, number_ = plain, 1
        # Excel keeps "History" for itself, and does not tell upper from lower case.
        while name.casefold() in {"history", *(known.casefold() for known in names)}:
            number_ += 1
            name = f"{plain[: _SHEET_NAME - len(str(number_)) - 1]} {number_}"
        names.append(name)
    return names


def _fill(sheet: Worksheet, exhibit: Exhibit) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    if exhibit.drawing.is_empty:
        _write_text(sheet.cell(1, 1), exhibit.view.t("No data for this period and these filters."))
        return
    for place, column in enumerate(exhibit.columns, start=1):
        head = sheet.cell(1, place)
        _write_text(head, column.title)
        head.font = Font(bold=True)
        head.alignment = Alignment(wrap_text=True, vertical="top", horizontal="right" if is_number(column) else "left")
        number_format = _number_format(exhibit.view, column)
        for row, value in enumerate(column.values, start=2):
            _write(sheet.cell(row, place), column, value, number_format)
        longest = max((_width(str(value)) for value in column.values if not is_number(column)), default=12)
        sheet.column_dimensions[get_column_letter(place)].width = min(max(longest + 2, _NARROWEST), _WIDEST)
    sheet.freeze_panes = "B2"
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"


def _tell(sheet: Worksheet, title: str, exhibits: dict[str, Exhibit]) -> None:
    """Write of each sheet what decides its numbers, and once of each metric what it means."""
    from openpyxl.styles import Alignment, Font

    first = next(iter(exhibits.values()))
    view, t = first.view, first.view.t
    lines: list[tuple[str, str, bool]] = [(title, "", True)]
    for name, exhibit in exhibits.items():
        if len(exhibits) > 1:
            lines += [("", "", False), (name, exhibit.title if exhibit.title != name else "", True)]
        lines += [(label, words, False) for label, words in about.context(exhibit)]
    metrics = [metric for exhibit in exhibits.values() for metric in exhibit.metrics]
    if metrics:
        lines += [("", "", False), (t("Definitions"), "", True)]
        lines += [(label, words, False) for label, words in about.definitions(view, metrics)]
    lines += [("", "", False), (*about.origin(view), False)]
    for row, (label, words, is_heading) in enumerate(lines, start=1):
        for place, text in enumerate((label, words), start=1):
            cell = sheet.cell(row, place)
            _write_text(cell, text)
            cell.font = Font(bold=is_heading)
            cell.alignment = Alignment(vertical="top", wrap_text=not is_heading)
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 28, 96


def _write(cell: Cell, column: Column, value: Any, number_format: str) -> None:
    if column.unit == MONTHS:
        cell.value = date.fromisoformat(f"{value}-01")
    elif is_number(column):
        cell.value = number(value)
    else:
        _write_text(cell, value)
        return
    cell.number_format = number_format


def _write_text(cell: Cell, value: object) -> None:
    """Store a text as text: openpyxl would take ``=…`` for a formula and ``#N/A`` for an error."""
    cell.value = clean(value)
    if cell.value:
        cell.data_type = "s"
        # Kept as text when somebody edits the cell, too.
        cell.quotePrefix = is_active(cell.value)


def _number_format(view: View, column: Column) -> str:
    if column.unit == MONTHS:
        return "yyyy-mm"
    if column.unit == "currency":
        return f'"{view.formats.currency_sign}"#,##0'
    if column.unit in _FORMATS:
        return _FORMATS[column.unit]
    is_whole = all(isinstance(number(value), int | None) for value in column.values) if is_number(column) else True
    return "#,##0" if is_whole else "#,##0.0"


def _width(text: str) -> int:
    """Return how many Latin letters wide a text is; a Chinese character takes the room of two."""
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)
