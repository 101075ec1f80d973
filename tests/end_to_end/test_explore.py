"""Asking and asking again: a question saved and opened, a bar clicked."""

import re

import pytest

from loupan.formats import Formats
from loupan.metrics import open_current
from loupan.settings import Settings
from tests.end_to_end.steps import settle

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_click_on_a_bar_filters_the_whole_page(open_page, address, sample_dir):
    metrics = open_current(Settings(data_dir=sample_dir))
    page = open_page(address, "overview?lang=en")
    card = page.locator(".st-key-lp_card_projects")
    card.locator(".barlayer .point path").first.wait_for()
    card.scroll_into_view_if_needed()
    page.wait_for_timeout(500)

    def click_first_bar():
        box = card.locator(".barlayer .point path").first.bounding_box()
        page.mouse.click(box["x"] + 15, box["y"] + box["height"] / 2)

    frame = metrics.query(["contract_amount"], by=["project"], start="2025-07-01", end="2026-06-30")
    project = frame.sort_values("contract_amount")["project"].iloc[-1]
    leads = metrics.query(["leads"], where={"project": [project]}, start="2025-07-01", end="2026-06-30")["leads"].iloc[
        0
    ]
    click_first_bar()
    page.wait_for_url(re.compile("project="))
    settle(page)
    assert project in page.locator(".st-key-lp_filter_project").inner_text()
    assert page.locator("[data-metric=leads] .lp-value").inner_text() == Formats("en", "CNY").value(leads, "count")
    # The others stay, in grey, to be set beside it; the chart still turns into a table.
    colours = card.locator(".barlayer .point path").evaluate_all("paths => paths.map(p => getComputedStyle(p).fill)")
    assert len(colours) == len(frame)
    assert colours[0] not in colours[1:]
    card.get_by_role("button", name="Table").locator("visible=true").click()
    card.locator("tbody tr").first.wait_for()
    card.get_by_role("button", name="Chart").locator("visible=true").click()
    card.locator(".barlayer .point path").first.wait_for()
    page.wait_for_timeout(500)
    click_first_bar()
    page.wait_for_url(lambda url: "project=" not in url)


def test_a_question_is_saved_shared_and_opened_by_somebody_else(open_page, address):
    asked = "m=leads&m=visit_rate&by=market_type&w.gender=female&period=24m"
    page = open_page(address, f"explore?lang=en&{asked}", role="executive")
    value = page.locator("[data-metric=leads] .lp-value").inner_text()
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Save this view as").fill("Women by market")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Share with others").click()
    page.get_by_text("Shared with all who may open this page").wait_for()

    other = open_page(address, "explore?lang=zh", role="marketing")
    other.get_by_role("button", name="视图").click()
    other.get_by_role("button", name="Women by market").click()
    other.wait_for_url(re.compile("w.gender=female"))
    settle(other)
    assert {"lang=zh", "period=24m", "m=leads", "m=visit_rate"} <= set(other.url.split("?")[1].split("&"))
    assert other.locator("[data-metric=leads] .lp-value").inner_text() == value
    assert other.get_by_role("button", name="删除").count() == 0
