"""A report holds what the gateway says, within its recipient's rows, and tells what must be known of it."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from dashboards.gateway import open_gateway
from dashboards.pages import overview
from dashboards.report.compose import Order, ReportError, compose
from dashboards.report.document import Cell, Chart, Charts, Pairs, Report, Section, Sentences, Table
from dashboards.report.mail import message
from dashboards.report.plot import plot
from dashboards.report.typeset import pdf, written
from data_entry.database import create_engine_for
from data_entry.services.errors import Forbidden, NotFound
from loupan.formats import Formats, is_missing
from loupan.metrics import EVERYTHING
from loupan.refresh_state import RefreshState, write_state
from loupan.settings import get_settings
from loupan.snapshot import NoSnapshot
from loupan.ui.drawing import figure, label_axis
from tests.dashboards.report.documents import read, squeezed
from tests.support.installation import crm_installation, empty_installation, run_loupan, sample_installation

# Eight hours after the last refresh of the sample, whatever the day is today.
NOW = datetime(2026, 7, 1, 0, 30, tzinfo=UTC)
JUNE, MAY, JUNE_BEFORE = (
    (date(2026, 6, 1), date(2026, 6, 30)),
    (date(2026, 5, 1), date(2026, 5, 31)),
    (date(2025, 6, 1), date(2025, 6, 30)),
)
YEAR = (date(2025, 7, 1), date(2026, 6, 30))
OWN_ESTATES = """
SELECT name FROM project WHERE id IN (
    SELECT project_id FROM employee_project
    JOIN account ON account.employee_id = employee_project.employee_id AND account.login = 'sales_manager'
    WHERE employee_project.deleted_at IS NULL AND from_on <= '2026-07-01' AND coalesce(to_on, '9999') >= '2026-07-01'
)
"""
TITLES = {"en": "Monthly report June 2026", "zh": "2026年6月经营月报"}
PAGE = {"en": "Page{page}of{pages}", "zh": "第{page}页，共{pages}页"}


def made(login, language="en", kind="month", now=NOW, **more):
    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    try:
        return compose(engine, settings, Order(login, language, kind, **more), now)
    finally:
        engine.dispose()


def asked(metrics, name, days):
    """One number of the gateway's, None where there is none."""
    frame = metrics.query([name], start=days[0], end=days[1])
    value = frame[name].iloc[0] if name in frame and len(frame) else None
    return None if is_missing(value) else float(value)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_figure_is_the_gateways_in_a_document_that_anyone_can_read(use, language):
    use(sample_installation())
    report = made("executive", language, company="滨海置地集团")
    document = read(pdf(report, NOW))
    metrics, formats = open_gateway(EVERYTHING).metrics, Formats(language, "CNY")
    rows = {row[0].text: [cell.text for cell in row] for row in report.figures.rows}
    assert len(rows) == len(overview.TILES)
    compared = 0
    for name in overview.TILES:
        definition = metrics.describe(name)
        label = definition.label_zh if language == "zh" else definition.label
        now, before, year_before, year = (asked(metrics, name, days) for days in (JUNE, MAY, JUNE_BEFORE, YEAR))
        assert rows[label][1] == formats.value(now, definition.unit)
        assert rows[label][5] == formats.value(year, definition.unit)
        assert squeezed(rows[label][0] + rows[label][1]) in document.pages[0]
        # As old cohorts are no measure for one that has had a month, only other figures are compared.
        for cell, earlier in ((2, before), (3, year_before)):
            change = formats.change(now, earlier, definition.unit)
            if name != "conversion_rate" and change is not None:
                assert rows[label][cell].endswith(change)
                assert rows[label][cell][0] == ("→" if now == earlier else "↑" if now > earlier else "↓")
                assert squeezed(rows[label][cell]) in document.pages[0]
                compared += 1
    assert compared > 5
    share = asked(metrics, "contract_amount_attainment", JUNE)
    assert rows[metrics.describe("contract_amount").label_zh if language == "zh" else "Contract amount"][4] == (
        formats.value(share, "percent")
    )
    # Every number and sentence of the content is in the document, and nothing of it runs out of a page.
    for text in told(report):
        assert squeezed(written(text)) in document.text, text
    assert (document.title, document.is_tagged) == (TITLES[language], True)
    assert document.language.lower() == {"en": "en-gb", "zh": "zh-cn"}[language]
    assert document.sizes == {(595, 842)}
    assert 3 <= len(document.pages) <= 6
    for number, page in enumerate(document.pages, start=1):
        assert PAGE[language].format(page=number, pages=len(document.pages)) in page
    assert document.fonts
    assert all(is_embedded and "NotoSansCJK" in font for font, is_embedded in document.fonts)


def told(report):
    """All texts of a report's words and tables, and the titles of its charts."""
    tables = [report.figures, *(block for section in report.sections for block in section.blocks)]
    for section in report.sections:
        yield section.title
    for block in tables:
        match block:
            case Table():
                yield from (cell.text for row in block.rows for cell in row)
            case Sentences():
                yield from block.sentences
            case Charts():
                for chart in block.charts:
                    yield chart.title
                    yield from chart.signals
                    yield from (mark.text for mark in chart.plot.marks if mark.kind == "words")


@pytest.mark.slow
def test_sections_stand_in_the_order_of_a_board_and_end_with_definitions(use):
    use(sample_installation())
    report = made("executive")
    titles = [section.title for section in report.sections]
    assert titles[:3] == ["What changed, and why", "What needs a decision", "Trends"]
    assert titles[3:8] == ["Sales", "Conversion", "Complaints", "Campaign return", "Forecasts"]
    assert titles[-2:] == ["Confidence in the data", "Definitions"]
    defined = dict(report.sections[-1].blocks[0].pairs)
    assert {"Contract amount", "Complaint rate", "Conversion within 90 days"} <= defined.keys()
    assert report.notices == []
    assert ("Rows that count", "The whole company.") in report.facts
    assert ("Snapshot", report.version) in report.facts


@pytest.mark.slow
def test_a_report_holds_no_customers(use):
    use(sample_installation())
    report = made("executive", "zh")
    text = read(pdf(report, NOW)).text + squeezed(message(report, sample_installation()).html)
    with closing(sqlite3.connect(sample_installation() / "crm.sqlite")) as crm:
        staff = {name for (name,) in crm.execute("SELECT name FROM employee")}
        people = crm.execute("SELECT name, phone, email, address FROM customer").fetchall()
    assert len(people) > 500
    # Of two characters, a name stands within many words.
    assert not [name for name, *_ in people if len(name) > 2 and name not in staff and name in text]
    assert not [value for _, *known in people for value in known if value and squeezed(value) in text]


@pytest.mark.slow
def test_a_manager_s_report_holds_their_own_estates_only(use):
    use(sample_installation())
    report = made("sales_manager", "en", "quarter")
    text = read(pdf(report, NOW)).text
    with closing(sqlite3.connect(sample_installation() / "crm.sqlite")) as crm:
        own = {name for (name,) in crm.execute(OWN_ESTATES)}
        everything = {name for (name,) in crm.execute("SELECT name FROM project")}
    assert own
    assert own < everything
    assert all(name in text for name in own)
    assert not [name for name in everything - own if name in text]
    assert dict(report.facts)["Rows that count"].startswith("You see: estates ")
    scoped = next(row for row in report.figures.rows if row[0].text == "Contract amount")
    days = (date(2026, 4, 1), date(2026, 6, 30))
    whole = asked(open_gateway(EVERYTHING).metrics, "contract_amount", days)
    assert scoped[1].text != Formats("en", "CNY").value(whole, "currency")
    # No right to the page, no section of it.
    titles = [section.title for section in report.sections]
    assert "Sales" in titles
    assert "Campaign return" not in titles


@pytest.mark.slow
def test_who_may_open_some_pages_gets_those_sections(use):
    use(sample_installation())
    report = made("service")
    assert report.figures is None
    assert [section.title for section in report.sections][:2] == ["Complaints", "Forecasts"]
    pdf(report, NOW)
    with pytest.raises(ReportError, match="sales may open none of the pages"):
        made("sales")


@pytest.mark.slow
def test_an_account_of_no_employee_gets_no_rows(use, tmp_path):
    copied = copy_of_sample(tmp_path)
    run_loupan(copied, "account", "create", "nobody", "--role", "sales_manager", "--one-time")
    use(copied)
    report = made("nobody")
    assert "nothing that you may see" in dict(report.facts)["Rows that count"]
    assert {cell.text for row in report.figures.rows for cell in row[1:2]} <= {"–", "¥0", "0"}
    text = read(pdf(report, NOW)).text
    with closing(sqlite3.connect(copied / "crm.sqlite")) as crm:
        assert not [name for (name,) in crm.execute("SELECT name FROM project") if name in text]
    run_loupan(copied, "account", "deactivate", "nobody")
    with pytest.raises(Forbidden):
        made("nobody")
    with pytest.raises(NotFound, match="no account nobody2"):
        made("nobody2")


def copy_of_sample(folder):
    target = folder / "copy"
    shutil.copytree(sample_installation(), target)
    return target


@pytest.mark.slow
def test_old_and_refused_data_are_told_on_the_first_page(use, tmp_path):
    copied = copy_of_sample(tmp_path)
    use(copied)
    refused = RefreshState("later", "2026-07-02T00:00:00+00:00", "refused", failed_checks=["a", "b"])
    write_state(get_settings(), refused)
    report = made("service", "en", now=NOW + timedelta(days=40))
    assert report.code == "2026-06"
    assert [notice.split(":")[0] for notice in report.notices] == [
        "The data are older than promised",
        "A later period is over, but the data do not reach it.",
        "The last refresh, started 2 Jul 2026, 08",
    ]
    assert "2 checks failed" in report.notices[2]
    first = read(pdf(report, NOW)).pages[0]
    assert all(squeezed(notice) in first for notice in report.notices)
    mail = message(report, tmp_path)
    assert all(notice in mail.html and notice in mail.text for notice in report.notices)


def test_nothing_published_is_no_report(use):
    use(crm_installation())
    with pytest.raises(NoSnapshot, match="loupan refresh"):
        made("executive")


@pytest.mark.slow
def test_a_section_that_fails_says_so_and_takes_no_other_away(use, monkeypatch):
    use(sample_installation())

    def broken(view):
        raise KeyError("weeks")

    monkeypatch.setattr("dashboards.report.sections.findings", broken)
    report = made("executive")
    (section,) = [section for section in report.sections if section.title == "What needs a decision"]
    assert section.blocks[0].sentences == ["This could not be shown; the reason is in the server's log."]
    assert "Sales" in [section.title for section in report.sections]


@pytest.mark.slow
def test_months_told_of_before_that_became_others_are_told(use, tmp_path):
    copied = copy_of_sample(tmp_path)
    (first,) = copied.glob("snapshots/2*")
    later, january = first.with_name("20991231T000000000000Z"), "strftime(opened_on, '%Y-%m') = '2026-01'"
    shutil.copytree(first, later)
    # What is deleted from the fact stands in the aggregates still.
    (later / "aggregates.json").unlink()
    with duckdb.connect(str(later / "marts.duckdb")) as marts:
        (then,) = marts.execute(f"select count(*) from fct_lead where {january}").fetchone()
        marts.execute(f"delete from fct_lead where {january}")
    (copied / "snapshots" / "CURRENT").write_text(f"{later.name}\n")
    use(copied)
    title = "Months that became others"
    (section,) = [section for section in made("executive", since=first.name).sections if section.title == title]
    (leads,) = [row for row in section.blocks[0].rows if row[0].text == "Leads"]
    assert [cell.text for cell in leads[1:]] == ["Jan 2026", f"{then}", "0", f"−{then}"]
    # One who may not open the page of changes is told nothing of them.
    assert title not in [section.title for section in made("service", since=first.name).sections]


@pytest.mark.slow
def test_a_company_that_has_entered_nothing_gets_an_empty_report(use, tmp_path):
    copied = tmp_path / "empty"
    shutil.copytree(empty_installation(), copied)
    run_loupan(copied, "account", "create", "chief", "--role", "executive", "--one-time")
    use(copied)
    report = made("chief", "zh")
    assert {row[1].text for row in report.figures.rows} <= {"–", "0", "¥0"}
    assert read(pdf(report, NOW)).pages


HOSTILE = (
    '#panic("x") #import "@preview/a:1.0.0" $x^2$ \\ { } [a] @ref <label> */ // `code` ~ = == - + 1. "q"',
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "${HOME} {page} {pages} %s {0} {{ t }} {% raw %}",
    "滨江" * 150,
    "Mississippi" * 40,
    "a\u202eb\u0000c\u200b\ufeff\td\ne\u0301",
    "🏠🔥 Ж العربية ไทย",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_nothing_else(name, tmp_path):
    bars = {"type": "bar", "orientation": "h", "x": [3.0], "y": [0], "text": [name], "textposition": "outside"}
    drawn = plot(figure("light", [bars], 100, yaxis=label_axis([name])).to_dict(), 239)
    row = [Cell(name), Cell("1", "good"), Cell(name, "bad")]
    chart = Chart(name, name, drawn, name, (name,), name, "●○○")
    report = Report(
        "en", name, name, [(name, name)], [name],
        Table("", [name, "n", name], [row, row], frozenset({1}), (2, 1, 2), name),
        [Section(name, name, (Table(name, [name] * 3, [row]), Charts([chart, chart]), Sentences(name, [name, name]),
                              Pairs([(name, name)])), is_in_mail=True)],
        "Page {page} of {pages}", "2026-06", "v",
    )  # fmt: skip
    document = read(pdf(report, NOW))
    assert squeezed(written(name)) in document.text
    assert document.text.count(f"Page1of{len(document.pages)}") == 1
    html = message(report, tmp_path / "x.pdf").html
    assert "<script" not in html
    assert not re.search(r"<img\b", html)


def test_what_the_font_lacks_is_a_box_and_what_hides_is_gone():
    assert written("a🏠b") == "a□b"
    assert written("x\u202ey\u0000z\u200b") == "xyz"
    assert written("滨江壹号 − ≥ ● é Ж") == "滨江壹号 − ≥ ● é Ж"
