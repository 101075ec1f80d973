"""Charts and pages as files, on paper and in full screen, in a real browser."""

import csv
import io
import json
import re
import sqlite3
from contextlib import closing
from datetime import date

import pytest
from openpyxl import load_workbook

from loupan.metrics import open_current
from loupan.settings import Settings
from tests.end_to_end.steps import settle
from tests.support.installation import data_dir_at

pytestmark = [pytest.mark.browser, pytest.mark.slow]

START, END = date(2025, 7, 1), date(2026, 6, 30)


@pytest.fixture(scope="module")
def by_project(sample_dir):
    """The contract amount by project, as the gateway gives it."""
    metrics = open_current(Settings(data_dir=sample_dir))
    frame = metrics.query(["contract_amount"], by=["project"], start=START, end=END)
    return {row.project: row.contract_amount for row in frame.itertuples() if row.contract_amount}


def downloaded(page, button):
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def taken_from(address):
    """What the trail says was taken away, by an account."""
    with closing(sqlite3.connect(data_dir_at(address) / "crm.sqlite", timeout=30)) as crm:
        lines = crm.execute(
            "SELECT after FROM audit_log WHERE action = 'export' AND account_id IS NOT NULL ORDER BY id"
        ).fetchall()
    return [(line["title"], line["kind"]) for line in (json.loads(after) for (after,) in lines)]


def test_a_chart_can_be_taken_away(open_page, address, by_project):
    page = open_page(address, "overview?lang=zh")
    page.locator(".st-key-lp_menu_projects").get_by_role("button").click()
    name, content = downloaded(page, page.get_by_role("button", name="下载 CSV"))
    assert name == "各项目签约金额 2026-06-30.csv"
    rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) if row[0] != "#"]
    assert {row[0]: float(row[1]) for row in rows[1:]} == by_project

    name, content = downloaded(page, page.get_by_role("button", name="下载 Excel"))
    assert name.endswith(".xlsx")
    sheet = load_workbook(io.BytesIO(content))["数据"]
    assert {row[0].value: row[1].value for row in sheet.iter_rows(min_row=2)} == by_project
    assert taken_from(address)[-2:] == [("各项目签约金额", "csv"), ("各项目签约金额", "xlsx")]

    name, content = downloaded(page, page.get_by_role("button", name="下载图片（PNG）"))
    assert name.endswith(".png")
    assert content.startswith(b"\x89PNG")
    width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
    assert width == 2128
    assert height > 600

    page.get_by_role("button", name="打印或 PDF").click()
    page.wait_for_url(re.compile("screen=print&card=projects"))
    settle(page)
    assert page.locator(".st-key-lp_card_projects .js-plotly-plot").is_visible()
    assert page.locator(".st-key-lp_card_sources").is_hidden()
    assert page.locator("[data-metric=leads]").is_hidden()
    printed = page.locator(".lp-printed").inner_text()
    assert "contract_amount" in printed
    assert "complaint_rate" not in printed
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "screen=" not in url and "card=" not in url)
    settle(page)

    page.locator(".st-key-lp_menu_projects").get_by_role("button").click()
    page.get_by_role("button", name="全屏").click()
    dialog = page.get_by_role("dialog")
    dialog.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert "2025年7月1日" in dialog.inner_text()


def test_a_page_can_be_taken_away_printed_and_shown_to_a_meeting(open_page, address):
    page = open_page(address, "overview?lang=en", theme="dark")
    page.locator(".st-key-lp_menu_page").get_by_role("button").click()
    _, content = downloaded(page, page.get_by_role("button", name="All tables as Excel"))
    assert load_workbook(io.BytesIO(content)).sheetnames == [
        "Key figures",
        "Why contract amount changed",
        "Contract amount by month",
        "Sales funnel",
        "Where leads come from",
        "Contract amount by project",
        "Complaint rate by month",
        "About",
    ]

    page.get_by_role("button", name="Print or PDF").click()
    page.wait_for_url(re.compile("screen=print"))
    settle(page)
    page.get_by_role("button", name="Print or save as PDF").wait_for()
    assert page.locator("[data-testid=stSidebar]").is_hidden()
    assert "Gross less cancelled" in page.locator(".lp-printed").inner_text()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "screen=" not in url)
    settle(page)

    page.locator(".st-key-lp_menu_page").get_by_role("button").click()
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_url(re.compile("screen=full"))
    settle(page)
    assert page.locator("[data-testid=stSidebar]").is_hidden()
    assert page.locator(".st-key-lp_filters").is_hidden()
    page.get_by_role("button", name="Leave full screen").click()
    page.wait_for_url(lambda url: "screen=" not in url)
    settle(page)
    assert page.locator("[data-testid=stSidebar]").is_visible()
