"""CSV that people open and programs read."""

import csv
import io

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.explore import drawings
from dashboards.explore.question import Question
from dashboards.export.csv_file import csv_file
from dashboards.export.exhibit import Exhibit
from dashboards.gateway import NO_VALUE
from dashboards.pages import campaign_return, overview, sales
from loupan.spreadsheet import is_active
from loupan.ui.drawing import NOTHING, Column, Drawing

pytestmark = pytest.mark.slow

NASTY = st.text(st.characters(codec="utf-8")) | st.builds(
    lambda start, rest: start + rest,
    st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n", " =", "＝", '="', "#", ",", '",=1']),
    st.text(max_size=8),
)
POINTS = Question(("leads", "contracts"), ("source",))


def rows(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def table(content):
    return pd.read_csv(io.BytesIO(content), comment="#", encoding="utf-8-sig")


def exhibit_of(view, *columns, title="A table"):
    return Exhibit(view, title, lambda _: Drawing(None, table=pd.DataFrame({"x": [1]}), columns=columns))


@given(texts=st.lists(NASTY, min_size=1, max_size=5), title=NASTY, head=NASTY)
def test_no_cell_is_a_formula_and_every_row_is_one(view, texts, title, head):
    exhibit = exhibit_of(view, Column(head, texts), Column("n", [-1.5] * len(texts), "count"), title=title)
    lines = csv_file(exhibit).decode("utf-8-sig").removesuffix("\r\n").split("\r\n")
    context = list(csv.reader(line for line in lines if line.startswith("#")))
    body = list(csv.reader(line for line in lines if not line.startswith("#")))
    assert len(body) == len(texts) + 1
    assert all(len(row) == 3 for row in context)
    assert not any(is_active(cell) for row in context + body for cell in row if cell != "-1.5")
    assert [row[1] for row in body[1:]] == ["-1.5"] * len(texts)


def test_numbers_are_numbers_and_what_is_unknown_is_empty(view):
    exhibit = exhibit_of(
        view,
        Column("Project", ["3#楼", "=cmd", "滨江"]),
        Column("Amount", [-1234567.25, float("nan"), 3.0], "currency"),
        Column("Rate", [0.123456789012, None, float("inf")], "percent"),
    )
    content = csv_file(exhibit)
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode("utf-8-sig").endswith(
        '"Project","Amount","Rate"\r\n"3#楼",-1234567.25,0.123456789012\r\n"\'=cmd","",""\r\n"滨江",3,""\r\n'
    )
    read = table(content)
    assert read["Amount"].tolist()[::2] == [-1234567.25, 3.0]
    assert read["Rate"].isna().tolist() == [False, True, True]
    assert read["Project"].tolist() == ["3#楼", "'=cmd", "滨江"]


def test_a_program_reads_the_numbers_of_the_gateway(view, gateway, tmp_path):
    exhibit = Exhibit(view, "Contract amount by project", overview.projects, measures=("contract_amount",))
    path = tmp_path / "projects.csv"
    path.write_bytes(csv_file(exhibit))
    frame = gateway.metrics.query(["contract_amount"], by=["project"], start=view.period.start, end=view.period.end)
    wanted = {row.project: row.contract_amount for row in frame.itertuples() if row.contract_amount}
    read = table(path.read_bytes())
    assert dict(zip(read["Project"], read["Contract amount"], strict=True)) == pytest.approx(wanted, rel=0, abs=0)
    found = duckdb.sql(f"from read_csv('{path}', comment = '#', quote = '\"')").fetchall()
    assert dict(found) == wanted


def test_an_answer_on_explore_is_numbers(view, gateway):
    asked = Question(("conversion_rate", "contract_amount"), ("month",))
    read = table(csv_file(Exhibit(view, "Answer", drawings.table, (asked,))))
    bounds = {"start": view.period.start, "end": view.period.end}
    wanted = gateway.metrics.query(["conversion_rate", "contract_amount"], by=["month"], **bounds).sort_values("month")
    assert list(read) == [
        "Month",
        "Conversion rate",
        "Conversion rate: 95% interval, from",
        "Conversion rate: 95% interval, to",
        "Conversion rate: n",
        "Contract amount",
    ]
    assert read["Month"].tolist() == wanted["month"].tolist()
    for label, metric in (
        ("Conversion rate", "conversion_rate"),
        ("Conversion rate: n", "conversion_rate__denominator"),
        ("Contract amount", "contract_amount"),
    ):
        assert read[label].tolist() == pytest.approx(wanted[metric].astype(float).tolist(), nan_ok=True), metric
    known = read.dropna()
    assert len(known) > 6
    assert (known["Conversion rate: 95% interval, from"] <= known["Conversion rate"] + 1e-12).all()
    assert (known["Conversion rate: 95% interval, to"] >= known["Conversion rate"] - 1e-12).all()


@pytest.mark.parametrize(
    ("draw", "arguments", "first"),
    [
        (sales.target_by_month, ("contract_amount_attainment",), "Month"),
        (campaign_return.budget, (), "Plan"),
        (drawings.chart, (POINTS, "scatter", POINTS.metrics), "Source"),
    ],
)
def test_what_is_drawn_is_numbers(view, draw, arguments, first):
    read = table(csv_file(Exhibit(view, "Drawn", draw, arguments)))
    assert not read.empty
    assert read.columns[0] == first
    assert all(kind.kind in "if" for kind in read.dtypes.iloc[1:3])


def test_months_are_dates_that_sort(view):
    read = table(csv_file(Exhibit(view, "Amount", overview.monthly_amount)))
    assert read["Month"].tolist() == view.months()
    assert (read["Cancelled contract amount"] <= 0).all()


def test_it_says_as_of_when_and_for_what_and_what_is_meant(view_in, gateway):
    project = gateway.values("project")[0]
    view = view_in("zh", project=[project], source=[gateway.values("source")[0]])
    # What a page adds to the filters of every page is said too, as far as the metric knows of it.
    view = view.narrowed((("severity", (gateway.values("severity")[0], NO_VALUE)), ("fee_type", ("water",))))
    exhibit = Exhibit(
        view,
        "每月投诉率",
        overview.complaints,
        measures=("complaint_rate",),
        caption="每百客户月的有效投诉。",
    )
    context = {row[1]: row[2] for row in rows(csv_file(exhibit)) if row[0] == "#"}
    assert context["标题"] == "每月投诉率"
    assert context["数据截至"] == "2026年7月1日 00:00"
    assert context["期间"] == "2025年7月1日 – 2026年6月30日"
    assert context["项目"] == project
    assert context["不起作用的筛选"] == "来源"
    assert context[view.title("severity")].endswith("、未知")
    assert view.title("fee_type") not in context
    assert context["备注说明"].startswith("每百客户月的有效投诉。")
    assert "complaint_rate" in context[view.label("complaint_rate")]
    assert context["数据快照"] == gateway.version


def test_without_filters_it_says_so(view):
    context = {row[1]: row[2] for row in rows(csv_file(Exhibit(view, "Funnel", overview.funnel))) if row[0] == "#"}
    assert context["Filters"] == "none"


def test_nothing_to_show_is_context_alone(view):
    written = rows(csv_file(Exhibit(view, "Nothing", lambda _: NOTHING)))
    assert written
    assert {row[0] for row in written} == {"#"}


def test_a_drawing_of_texts_alone_is_written_as_texts(view):
    drawing = Drawing(None, table=pd.DataFrame({"Check": ["=1", "passed"], "Rows": ["1.2K", "–"]}))
    written = rows(csv_file(Exhibit(view, "Checks", lambda _: drawing)))
    assert [row for row in written if row[0] != "#"] == [["Check", "Rows"], ["'=1", "1.2K"], ["passed", "–"]]
