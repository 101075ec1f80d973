"""Workbooks with real numbers, and texts that stay texts."""

import io
from datetime import datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from dashboards.export.cells import clean
from dashboards.export.exhibit import Exhibit
from dashboards.export.key_figures import key_figures
from dashboards.export.workbook import sheet_names, workbook
from dashboards.pages import overview
from loupan.ui.drawing import NOTHING, Column, Drawing
from tests.dashboards.export.test_csv_file import NASTY, exhibit_of

pytestmark = pytest.mark.slow


def opened(content):
    return load_workbook(io.BytesIO(content))


@given(text=NASTY, title=NASTY)
def test_every_text_is_stored_as_text(view, text, title):
    book = opened(workbook(title, [exhibit_of(view, Column(text, [text]), title=title)]))
    cells = [cell for sheet in book for row in sheet for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    first = book["Data"]["A2"]
    assert (first.value or "") == clean(text).replace("\r\n", "\n").replace("\r", "\n")


def test_what_could_be_a_formula_stays_text_when_it_is_edited(view):
    sheet = opened(workbook("x", [exhibit_of(view, Column("A", ["=1+1", "#N/A", "safe"]))]))["Data"]
    assert [sheet.cell(row, 1).value for row in (2, 3, 4)] == ["=1+1", "#N/A", "safe"]
    assert [sheet.cell(row, 1).quotePrefix for row in (2, 3, 4)] == [True, False, False]


def test_numbers_have_the_formats_of_their_units(view):
    columns = [
        Column("Month", ["2026-05"], "month"),
        Column("Amount", [-1234567.25], "currency"),
        Column("Rate", [0.1234], "percent"),
        Column("Leads", [1200.0], "count"),
        Column("Credited", [1.5], "count"),
        Column("Unknown", [None], "days"),
    ]
    cells = opened(workbook("x", [exhibit_of(view, *columns)]))["Data"][2]
    assert [cell.value for cell in cells] == [datetime(2026, 5, 1), -1234567.25, 0.1234, 1200, 1.5, None]
    assert [cell.number_format for cell in cells[:5]] == ["yyyy-mm", '"¥"#,##0', "0.0%", "#,##0", "#,##0.0"]


def test_the_numbers_are_those_of_the_gateway(view, gateway):
    exhibit = Exhibit(view, "By project", overview.projects, measures=("contract_amount",))
    read = pd.read_excel(io.BytesIO(workbook("By project", [exhibit])), sheet_name="Data", engine="openpyxl")
    frame = gateway.metrics.query(["contract_amount"], by=["project"], start=view.period.start, end=view.period.end)
    wanted = {row.project: row.contract_amount for row in frame.itertuples() if row.contract_amount}
    assert dict(zip(read["Project"], read["Contract amount"], strict=True)) == wanted


def test_a_page_has_a_sheet_per_card_and_one_that_tells_of_all(view_in, gateway):
    view = view_in("zh", project=[gateway.values("project")[0]])
    exhibits = [
        Exhibit(view, "关键指标", key_figures, (("contract_amount", "no_such_metric", "leads"),)),
        Exhibit(view, "每月签约额", overview.monthly_amount, measures=("contract_amount",)),
        Exhibit(view, "无数据", lambda _: NOTHING, measures=("leads",)),
    ]
    book = opened(workbook("经营总览", exhibits))
    assert book.sheetnames == ["关键指标", "每月签约额", "无数据", "数据说明"]
    figures = book["关键指标"]
    assert figures["B1"].value == view.label("contract_amount")
    assert figures["B2"].value == view.ask("contract_amount")["contract_amount"].iloc[0]
    assert book["无数据"]["A1"].value == "该期间和筛选条件下没有数据。"
    told = [(row[0].value, row[1].value) for row in book["数据说明"]]
    assert told[0] == ("经营总览", None)
    assert ("数据截至", "2026年7月1日 00:00") in told
    assert ("项目", gateway.values("project")[0]) in told
    assert sum(label == view.label("contract_amount") for label, _ in told) == 1
    assert ("数据快照", gateway.version) in told


def test_a_drawing_of_texts_alone_is_written_as_texts(view):
    drawing = Drawing(None, table=pd.DataFrame({"Check": ["passed"], "Rows": ["1.2K"]}))
    sheet = opened(workbook("Checks", [Exhibit(view, "Checks", lambda _: drawing)]))["Data"]
    assert [cell.value for cell in sheet[2]] == ["passed", "1.2K"]


@given(st.lists(st.text(max_size=60) | st.sampled_from(["History", "history", "a/b", "'", "x" * 40]), max_size=12))
def test_sheets_have_names_that_excel_takes(titles):
    names = sheet_names(titles)
    assert len(names) == len(titles)
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert 1 <= len(name) <= 31
        assert not set(name) & set("[]:*?/\\")
        assert name.casefold() != "history"
        assert name[0] != "'" != name[-1]
