"""Whose figures somebody sees, and the way from a number to the records it is made of."""

import pytest

from loupan.metrics import open_current
from loupan.settings import Settings
from tests.end_to_end.steps import choose, settle

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_manager_goes_from_a_number_to_its_rows_and_to_a_record(open_page, address, sample_dir):
    page = open_page(address, "overview?lang=en&period=all", role="sales_manager")
    told = page.get_by_text("You see: estates").inner_text()
    metrics = open_current(Settings(data_dir=sample_dir))
    projects = [name for name in metrics.dimension_values("project") if name]
    seen = [name for name in projects if name in told]
    assert len(seen) == 1
    assert not [name for name in set(projects) - set(seen) if page.get_by_text(name).count()]
    leads = page.locator("[data-metric=leads] .lp-value").inner_text()

    page.locator(".st-key-lp_def_leads button").first.click()
    page.get_by_role("button", name="Rows behind it").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(f"{leads}").first.wait_for()
    rows = dialog.locator("tbody tr")
    rows.first.wait_for()
    assert page.locator(".lp-definition").locator("visible=true").count() == 0
    assert all(seen[0] in text for text in rows.all_inner_texts())
    rows.first.click()
    page.wait_for_url("**/records?**table=lead**")
    page.get_by_role("dialog").get_by_text("Consultant at entry").first.wait_for()


def test_an_administrator_looks_as_a_manager_does(open_page, address):
    page = open_page(address, "overview?lang=en&period=all")
    everything = page.locator("[data-metric=leads] .lp-value").inner_text()
    choose(page, "View as", "sales_manager")
    page.get_by_text("Shown as").wait_for()
    settle(page)
    assert page.locator("[data-metric=leads] .lp-value").inner_text() != everything
    page.get_by_text("You see: estates").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Shown as").wait_for(state="detached")
    settle(page)
    assert page.locator("[data-metric=leads] .lp-value").inner_text() == everything
