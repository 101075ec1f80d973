"""Workbooks that are small as files and not when they are opened: refused, within a room that a server has."""

from __future__ import annotations

import datetime as dt
import io
import resource
import struct
import subprocess
import sys
import zipfile

import openpyxl
import pytest

from data_entry.services import bulk

_ROOM = 1 << 30
# In a process of its own: reading one of them unguarded ends the process, and its room can be bounded.
_READ = """
import sys
from data_entry.services import bulk
from data_entry.services.errors import Refused
try:
    print(len(bulk.read_file("a.xlsx", sys.stdin.buffer.read()).rows), "rows")
except Refused as refused:
    print("refused:", refused)
"""


def workbook(**cells: object) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for place, value in {"A1": "name", "A2": "x", **cells}.items():
        sheet[place] = value
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def changed(content: bytes, part: str, old: bytes, new: bytes, declared: int | None = None) -> bytes:
    """Replace something in a part of a workbook, which may declare another size than it has."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            data = source.read(entry)
            target.writestr(entry.filename, data.replace(old, new, 1) if entry.filename == part else data)
        real = next(entry.file_size for entry in target.infolist() if entry.filename == part)
    result = bytearray(file.getvalue())
    if declared is not None:
        for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
            place = -1
            while (place := result.find(mark, place + 1)) >= 0:
                if struct.unpack_from("<I", result, place + offset)[0] == real:
                    struct.pack_into("<I", result, place + offset, declared)
    return bytes(result)


SHEET = "xl/worksheets/sheet1.xml"
END = b"</sheetData>"


def _row(text: bytes) -> bytes:
    return b'<row r="3"><c r="A3" t="inlineStr"><is><t>' + text + b"</t></is></c></row></sheetData>"


def _entities() -> bytes:
    nested = b"".join(b'<!ENTITY e%d "%s">' % (n, (b"&e%d;" % (n - 1)) * 10) for n in range(1, 10))
    head = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "harm">' + nested + b"]><worksheet"
    content = changed(workbook(), SHEET, b"<worksheet", head)
    return changed(content, SHEET, END, _row(b"&e9;"))


BOMBS = {
    "two cells far apart": lambda: workbook(XFD1048576="y"),
    "a wide row": lambda: workbook(XFD2="y"),
    "a size that is a lie": lambda: changed(workbook(), SHEET, END, _row(b"a" * 300_000_000), declared=1000),
    "a size that is told": lambda: changed(workbook(), SHEET, END, _row(b"a" * 60_000_000)),
    "entities within entities": _entities,
    "a dimension that is a lie": lambda: changed(workbook(), SHEET, b"A1:A2", b"A1:XFD1048576"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_the_room_of_a_server(name: str) -> None:
    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (_ROOM, _ROOM))

    done = subprocess.run(
        [sys.executable, "-c", _READ], input=BOMBS[name](), capture_output=True, check=False, preexec_fn=bound
    )
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()[-500:]
    assert said.startswith("1 rows" if name == "a dimension that is a lie" else "refused:"), said


def test_what_is_no_bomb_is_read_as_ever() -> None:
    content = workbook(
        B1="born", C1="at", D1="sum", E1="ok", A3="007", B2=dt.date(1990, 1, 31), C2=dt.datetime(2026, 3, 1, 9, 30),
        D2=1200.0, D3=0.5, E2=True, A9="after a gap",
    )  # fmt: skip
    sheet = bulk.read_file("a.xlsx", content)
    assert sheet.heads == ["name", "born", "at", "sum", "ok"]
    assert sheet.rows == [
        ["x", "1990-01-31", "2026-03-01 09:30:00", "1200", "yes"],
        ["007", "", "", "0.5", ""],
        ["after a gap", "", "", "", ""],
    ]


def test_as_many_rows_as_are_taken_and_not_one_more() -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for number in range(bulk.MOST_ROWS + 1):
        sheet.append([f"n{number}"])
    file = io.BytesIO()
    book.save(file)
    assert len(bulk.read_file("a.xlsx", file.getvalue()).rows) == bulk.MOST_ROWS
    with pytest.raises(bulk.Refused, match="too much"):
        bulk.read_file(
            "a.xlsx", changed(file.getvalue(), SHEET, END, b'<row r="5002"><c><v>1</v></c></row></sheetData>')
        )
