"""Many rows at once, pasted from a spreadsheet or uploaded: first what would happen, then all of it or what can be.

The same checks and rights hold as for a single row. A row is one that exists where its external key or its natural key
(a unique number, or what names it) is found; else it is new. Only the values that are given change; empty ones stay.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema import metadata
from data_entry.schema.labels import column_label
from data_entry.services import records
from data_entry.services.captions import captions, found_by, readable
from data_entry.services.errors import Invalid, Problem, Refused, ServiceError
from data_entry.services.files import unpacks_within
from data_entry.services.tables import MANAGED, own_columns, target
from data_entry.services.validation import Wrong, is_empty, read, tidy
from data_entry.services.work import Work
from loupan.i18n import LANGUAGES, marked, translator

MOST_ROWS, MOST_COLUMNS, MOST_BYTES = 5_000, 100, 5_000_000
_MOST_UNPACKED = 50_000_000
_LONGEST_CELL = 50_000
_SHOWN = 200

Fate = Literal["new", "changed", "unchanged", "refused"]


@dataclass(frozen=True)
class Sheet:
    """What was pasted or uploaded: heads, and cells as text."""

    heads: list[str]
    rows: list[list[str]]


@dataclass
class Line:
    """What will happen to a row.

    Attributes:
        number: of the line, counted from 1 after the heads.
        fate: what will happen.
        caption: what the row is called.
        changes: before and after, by column; of a new row all values, before None.
        error: why it is refused.
        key: of an existing row.
        values: what will be written.
        row_version: version of the existing row.
    """

    number: int
    fate: Fate
    caption: str = ""
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    error: ServiceError | None = None
    key: int | None = None
    values: dict[str, Any] = field(default_factory=dict)
    row_version: int | None = None


def read_pasted(text: str) -> Sheet:
    """Return what was pasted from a spreadsheet: cells parted by tabs (or commas), heads in the first line.

    Raises:
        Refused: if there is too much, or nothing.
    """
    if len(text.encode("utf-8", "ignore")) > MOST_BYTES:
        raise _too_much()
    text = text.replace("\x00", "").removeprefix("\ufeff")
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = "\t" if "\t" in first else ";" if first.count(";") > first.count(",") else ","
    csv.field_size_limit(_LONGEST_CELL)
    try:
        cells = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise Refused(marked("The text cannot be read as a table.")) from error
    return _sheet(cells)


def read_file(name: str, content: bytes) -> Sheet:
    """Return the first sheet of an uploaded CSV or XLSX file.

    Cells that look like formulas are text, as they are written; nothing is computed.

    Raises:
        Refused: if it is neither, or too large.
    """
    if len(content) > MOST_BYTES:
        raise _too_much()
    if content[:4] == b"PK\x03\x04":
        return _sheet(_workbook(content))
    if name.lower().endswith((".xlsx", ".xls", ".ods")) or b"\x00" in content[:4096].replace(b"\xff\xfe", b""):
        raise Refused(marked("This is neither a CSV nor an XLSX file."))
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return read_pasted(content.decode(encoding))
        except UnicodeDecodeError:
            continue
    raise Refused(marked("The characters of the file are neither UTF-8 nor GB 18030."))


def _too_much() -> Refused:
    return Refused(
        marked("This is too much at once: at most {rows} rows and {megabytes} MB."), rows=MOST_ROWS,
        megabytes=MOST_BYTES // 1_000_000,
    )  # fmt: skip


def _workbook(content: bytes) -> list[list[str]]:
    """Return the cells of the first sheet.

    Row by row and no further than may be taken: readers that keep a whole sheet make room for every cell between its
    first and its last, so that a file of two cells far apart ends the program.
    """
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            is_small = unpacks_within(archive, _MOST_UNPACKED)
        rows = []
        if is_small:
            sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False).worksheets[0]
            sheet.reset_dimensions()  # what it says of its size may be a lie, too
            for values in sheet.iter_rows(values_only=True):
                last = max((place for place, value in enumerate(values, 1) if value not in (None, "")), default=0)
                if last:
                    rows.append([_cell(value) for value in values[:last]])
                if last > MOST_COLUMNS or len(rows) > MOST_ROWS + 1:
                    is_small = False
                    break
    except Exception as error:  # whatever a damaged workbook makes of the reader
        raise Refused(marked("The workbook cannot be read.")) from error
    if not is_small:
        raise _too_much()
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()  # a spreadsheet knows no days without a time
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a spreadsheet knows no whole numbers
    return str(value)


def _sheet(cells: Sequence[Sequence[str]]) -> Sheet:
    filled = [list(row) for row in cells if any(tidy(str(cell)) for cell in row)]
    if len(filled) < 2:
        raise Refused(marked("There must be a line of column names, and rows under it."))
    heads = [tidy(head) or "" for head in filled[0]]
    if len(filled) - 1 > MOST_ROWS or len(heads) > MOST_COLUMNS:
        raise _too_much()
    width = len(heads)
    return Sheet(heads, [[*row[:width], *[""] * (width - len(row))] for row in filled[1:]])


def columns_of(table: str) -> list[sa.Column]:
    """Return the columns that can be filled from a sheet."""
    return [column for column in own_columns(table) if column.name not in MANAGED.get(table, ())]


def matched(table: str, heads: Sequence[str]) -> dict[int, str]:
    """Return which head is which column, by the column's name or its label in any language."""
    words: dict[str, str] = {}
    for column in columns_of(table):
        english = column_label(table, column.name)
        for word in (column.name, english, *(translator(language)(english) for language in LANGUAGES)):
            words.setdefault(_plain(word), column.name)
    found: dict[int, str] = {}
    for index, head in enumerate(heads):
        name = words.get(_plain(head))
        if name is not None and name not in found.values():
            found[index] = name
    return found


def _plain(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum())


def natural_keys(table: str) -> list[tuple[str, ...]]:
    """Return the sets of columns by which a row is known, the surest first."""
    rows = metadata.tables[table]
    keys: list[tuple[str, ...]] = [("external_ref",)]
    keys += [(c.name,) for c in rows.c if c.unique and c.name != "external_ref"]
    keys += sorted(
        tuple(c.name for c in constraint.columns)
        for constraint in rows.constraints
        if isinstance(constraint, sa.UniqueConstraint) and len(constraint.columns) > 1
    )
    if table == "customer":
        keys.append(("name", "phone"))
    elif "name" in rows.c:
        owner = next((n for n in ("parent_id", "department_id", "project_id", "building_id") if n in rows.c), None)
        keys.append((owner, "name") if owner else ("name",))
    return keys


def preview(work: Work, table: str, sheet: Sheet, columns: Mapping[int, str]) -> list[Line]:
    """Return what will happen to every row; nothing is written.

    Args:
        work: the transaction, which ends as it began.
        table: name of the table.
        sheet: the rows.
        columns: which head is which column; the others are left out.

    Raises:
        Forbidden: if the actor may neither make nor change such rows.
    """
    if not work.actor.may("update", table):
        work.require("create", table)
    with work.session.begin_nested() as trial:
        # The rows are written and undone: what the preview says is what the services say.
        lines = _written(work, table, sheet, columns)
        trial.rollback()
    return lines


def _written(work: Work, table: str, sheet: Sheet, columns: Mapping[int, str]) -> list[Line]:
    reader = _Reader(work, table)
    return [_line(work, table, reader, number, row, columns) for number, row in enumerate(sheet.rows, 1)]


def apply(work: Work, table: str, sheet: Sheet, columns: Mapping[int, str], *, skip_refused: bool) -> list[Line]:
    """Write the rows, all or, with `skip_refused`, those that can be; return what happened to each.

    Raises:
        Refused: if a row is refused and none may be left out; nothing is written then.
    """
    if not work.actor.may("update", table):
        work.require("create", table)
    lines = _written(work, table, sheet, columns)
    refused = sum(line.fate == "refused" for line in lines)
    if refused and not skip_refused:
        raise Refused(marked("{count} rows are refused; nothing was written."), count=refused)
    work.log(
        "import", table, None,
        new=sum(line.fate == "new" for line in lines), changed=sum(line.fate == "changed" for line in lines),
        refused=refused,
    )  # fmt: skip
    return lines


class _Reader:
    """Reads cells; remembers which names stand for which rows."""

    def __init__(self, work: Work, table: str) -> None:
        self.work, self.columns = work, {column.name: column for column in columns_of(table)}
        self._known: dict[tuple[str, str], int] = {}

    def values(self, cells: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of the cells that are not empty.

        Raises:
            Invalid: if some cannot be read.
        """
        problems: list[Problem] = []
        found: dict[str, Any] = {}
        for name, text in cells.items():
            if is_empty(text):
                continue
            column = self.columns[name]
            parent = target(column)
            try:
                found[name] = self._key(parent, text) if parent else read(self.work, column, text)
            except Wrong as wrong:
                problems.append(Problem(name, wrong.message, wrong.values))
        if problems:
            raise Invalid(problems)
        return found

    def _key(self, parent: str, text: str) -> int:
        """Return the key of the row that a cell names: by its caption, name, number, external key, or ``#key``."""
        text = tidy(text) or ""
        if (parent, text) not in self._known:
            self._known[parent, text] = self._find(parent, text)
        return self._known[parent, text]

    def _find(self, parent: str, text: str) -> int:
        work, rows = self.work, metadata.tables[parent]
        live = (rows.c.deleted_at.is_(None), reach(work.actor, "read", parent))
        if text.startswith("#") and text[1:].isdecimal() and text.isascii() and len(text) <= 19:
            found: list[int] = list(work.session.scalars(sa.select(rows.c.id).where(rows.c.id == int(text[1:]), *live)))
        else:
            found = []
            for name in ("external_ref", "number", "name", "title", "phone"):
                if name in rows.c and not found:
                    column = readable(work, parent, rows.c[name])
                    query = sa.select(rows.c.id).where(column == text, *live).limit(3)
                    found = list(work.session.scalars(query))
                if len(found) == 1:
                    break
            if len(found) != 1:
                last = text.rsplit(" / ", maxsplit=1)[-1].rsplit(" · ", maxsplit=1)[-1]
                query = sa.select(rows.c.id).where(found_by(work, parent, last), *live).limit(200)
                named = captions(work, parent, work.session.scalars(query).all())
                exact = [key for key, caption in named.items() if caption == text]
                found = exact or found
        if not found:
            raise Wrong(marked("“{text}” is not found."), text=text[:60])
        if len(found) > 1:
            raise Wrong(marked("“{text}” is not one record but several."), text=text[:60])
        return int(found[0])


def _line(work: Work, table: str, reader: _Reader, number: int, row: Sequence[str], columns: Mapping[int, str]) -> Line:
    line = Line(number, "refused")
    try:
        with work.session.begin_nested():
            cells = {name: row[index] for index, name in columns.items()}
            line.caption = next((text for text in row if tidy(text)), "")[:60]
            values = reader.values(cells)
            line.key = _existing(work, table, values)
            if line.key is None:
                records.create(work, table, values)
                line.fate, line.values = "new", values
                line.changes = {name: (None, value) for name, value in values.items()}
            else:
                before = records.get(work, table, line.key)
                changed = {n: v for n, v in values.items() if n not in before["masked"] and before[n] != v}
                line.row_version = before["row_version"]
                if changed:
                    records.update(work, table, line.key, changed, line.row_version)
                line.fate, line.values = "changed" if changed else "unchanged", changed
                line.changes = {name: (before[name], value) for name, value in changed.items()}
    except ServiceError as error:
        line.fate, line.error = "refused", error
    except sa.exc.IntegrityError:
        line.fate = "refused"
        line.error = Refused(
            marked("The database refuses this: it is there already, or something it points to is missing.")
        )
    return line


def _existing(work: Work, table: str, values: Mapping[str, Any]) -> int | None:
    rows = metadata.tables[table]
    live = (rows.c.deleted_at.is_(None), reach(work.actor, "read", table))
    for names in natural_keys(table):
        if any(values.get(name) is None for name in names if name != "parent_id"):
            continue
        same = []
        for name in names:
            column = readable(work, table, rows.c[name])
            same.append(column.is_(None) if values.get(name) is None else column == values[name])
        found: list[int] = list(work.session.scalars(sa.select(rows.c.id).where(*same, *live).limit(2)))
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise Refused(marked("Several records are like this one; give the external reference."))
    return None
