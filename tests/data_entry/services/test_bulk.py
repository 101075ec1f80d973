"""Many rows at once: what would happen, and what then happens."""

from __future__ import annotations

import csv
import io

import pytest
import sqlalchemy as sa

from data_entry.services import bulk, records
from data_entry.services.errors import Forbidden, Refused
from tests.data_entry.services.desks import account, account_with, reads, writes


@pytest.fixture
def admin(crm: sa.Engine) -> int:
    return account(crm, "admin")


def _fates(lines: list[bulk.Line]) -> list[str]:
    return [line.fate for line in lines]


def _workbook(rows: list[list[object]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_a_preview_says_what_then_happens_and_writes_nothing(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        records.create(work, "employee", {"number": "1", "name": "Lin"})
        records.create(work, "employee", {"number": "2", "name": "Chen"})
    sheet = bulk.read_pasted(
        "number\t姓名\thired_on\tnonsense\n1\tLin\t\tx\n2\tChen Jing\t2026/1/5\t\n"
        "3\t=1+1\t\t\n3\tTwice\t\t\n4\t\t\t\n5\tx\tsoon\t\n"
    )
    columns = bulk.matched("employee", sheet.heads)
    assert columns == {0: "number", 1: "name", 2: "hired_on"}
    with writes(crm, admin) as work:
        lines = bulk.preview(work, "employee", sheet, columns)
    assert _fates(lines) == ["unchanged", "changed", "new", "changed", "refused", "refused"]
    assert lines[1].changes["name"] == ("Chen", "Chen Jing")
    with reads(crm, admin) as work:
        assert records.list_rows(work, "employee").total == 2
        assert work.session.scalar(sa.text("SELECT count(*) FROM audit_log WHERE entity = 'employee'")) == 2
    with pytest.raises(Refused), writes(crm, admin) as work:
        bulk.apply(work, "employee", sheet, columns, skip_refused=False)
    with reads(crm, admin) as work:
        assert records.list_rows(work, "employee").total == 2
    with writes(crm, admin) as work:
        assert _fates(bulk.apply(work, "employee", sheet, columns, skip_refused=True)) == _fates(lines)
    with reads(crm, admin) as work:
        rows = {row["number"]: row["name"] for row in records.list_rows(work, "employee").rows}
    assert rows == {"1": "Lin", "2": "Chen Jing", "3": "Twice"}


def test_rows_point_to_others_by_what_these_are_called(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        project = records.create(work, "project", {"name": "River"})
        for name in ("1", "2"):
            records.create(work, "building", {"project_id": project, "name": name})
        other = records.create(work, "project", {"name": "Lake"})
        records.create(work, "building", {"project_id": other, "name": "1"})
    content = _workbook(
        [["building_id", "number", "floor", "area_sqm"], ["River · 1", 101, 1, 98.5], ["1", 102, 1, 80],
         ["Hill · 1", 103, 1, 80], ["River · 2", "=A1", 2, None]]
    )  # fmt: skip
    sheet = bulk.read_file("units.xlsx", content)
    with writes(crm, admin) as work:
        lines = bulk.apply(work, "unit", sheet, bulk.matched("unit", sheet.heads), skip_refused=True)
    assert _fates(lines)[:3] == ["new", "refused", "refused"]
    with reads(crm, admin) as work:
        rows = records.list_rows(work, "unit", sort="id").rows
        assert records.caption(work, "unit", rows[0]["id"]) == "River · 1 · 101"


def test_a_tree_comes_in_with_its_parents_above(crm: sa.Engine, admin: int) -> None:
    sheet = bulk.read_pasted("name\tparent_id\nTop\t\nMiddle\tTop\nLow\tTop / Middle\n")
    with writes(crm, admin) as work:
        assert _fates(bulk.preview(work, "department", sheet, {0: "name", 1: "parent_id"})) == ["new"] * 3
        bulk.apply(work, "department", sheet, {0: "name", 1: "parent_id"}, skip_refused=False)
    with reads(crm, admin) as work:
        assert records.list_rows(work, "department").total == 3


def test_rights_hold_for_many_rows_as_for_one(crm: sa.Engine, admin: int) -> None:
    reader = account_with(crm, "reader", {("customer", "read"): "all"})
    maker = account_with(crm, "maker", {("customer", "read"): "all", ("customer", "create"): "all"})
    with writes(crm, admin) as work:
        records.create(work, "customer", {"name": "A", "external_ref": "x1"})
    sheet = bulk.read_pasted("external_ref\toccupation\nx1\tnurse\nx2\tcook\n")
    columns = bulk.matched("customer", sheet.heads)
    with pytest.raises(Forbidden), writes(crm, reader) as work:
        bulk.preview(work, "customer", sheet, columns)
    with writes(crm, maker) as work:
        assert _fates(bulk.apply(work, "customer", sheet, columns, skip_refused=True)) == ["refused", "new"]


def test_files_that_are_none_are_refused() -> None:
    many = "a\n" + "1\n" * (bulk.MOST_ROWS + 1)
    for name, content in (
        ("x.xlsx", b"PK\x03\x04nonsense"), ("x.xlsx", b"plain"), ("x.csv", b""), ("x.csv", b"only heads"),
        ("x.csv", b"\x00\x01\x02" * 50), ("x.csv", many.encode()), ("x.csv", b"x" * (bulk.MOST_BYTES + 1)),
        ("x.csv", b"\xff\xff\xff\xff\na\n"), ("x.csv", b'a,b\n"' + b"x" * 60_000),
    ):  # fmt: skip
        with pytest.raises(Refused):
            bulk.read_file(name, content)
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        assert bulk.read_file("x.csv", "姓名,电话\n王芳,1\n".encode(encoding)).rows == [["王芳", "1"]]
    stream = io.StringIO()
    csv.writer(stream).writerows([["a", "b"], ["=cmd|' /C calc'!A0", "+1"]])
    assert bulk.read_pasted(stream.getvalue()).rows == [["=cmd|' /C calc'!A0", "+1"]]
