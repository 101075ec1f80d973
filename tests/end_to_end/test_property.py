"""Owners, fees and services as property staff handle them, in a real browser."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.steps import choose, closed, fill, press, settle
from tests.end_to_end.test_demands import ESTATE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.function("3.i")
def test_an_owner_is_found_and_the_unit_passes_to_somebody_new(signed_in):
    page = signed_in("property", "owners")
    first = page.get_by_role("row").nth(1)
    unit, before = first.inner_text().split("\t")[:2]
    first.get_by_role("button").click()
    settle(page)
    press(page, "Change of ownership")
    page.get_by_role("dialog").get_by_text("Somebody who is not on record yet").click()
    settle(page)
    fill(page.get_by_role("dialog"), "Customer name", "Newcomer Chen")
    press(page.get_by_role("dialog"), re.compile("^Save"))
    closed(page)
    page.get_by_text(re.compile(r"Newcomer Chen: .* to today")).wait_for()
    page.get_by_text(re.compile(rf"{before.strip()}: ")).wait_for()
    press(page, "Back to the list")
    search = page.get_by_label("Search", exact=True)
    search.fill("Newcomer")
    search.press("Enter")
    settle(page)
    page.get_by_role("row").filter(has_text=unit.strip()).filter(has_text="Newcomer Chen").wait_for()


@pytest.mark.function("3.iii")
@pytest.mark.function("1.iii.3-4")
def test_a_service_is_added_and_retired_and_a_type_of_fee_defined(signed_in):
    page = signed_in("property", "service-items")
    press(page, "New service")
    dialog = page.get_by_role("dialog")
    for label, text in (
        ("Name", "Window cleaning"),
        ("Rate", "3.50"),
        ("Charged by", "m²"),
        ("Description", "Inside only"),
    ):
        fill(dialog, re.compile(f"^{label}"), text)
    press(page.get_by_role("dialog"), re.compile("^Save"))
    closed(page)
    row = page.get_by_role("row").filter(has_text="Window cleaning")
    row.wait_for()
    assert "¥3.50 (m²)" in row.inner_text()
    page.get_by_text("Retire one").click()
    settle(page)
    choose(page, "Which", "Window cleaning")
    press(page, "Retire")
    row.wait_for(state="detached")
    page.get_by_text("Classes", exact=True).click()
    settle(page)
    press(page, "New class")
    fill(dialog, re.compile("^Name"), "Gardening")
    press(page.get_by_role("dialog"), re.compile("^Save"))
    closed(page)
    page.get_by_role("row").filter(has_text="Gardening").wait_for()
    page.get_by_text("Types of fees", exact=True).click()
    settle(page)
    press(page, "New type of fee")
    for label, text in (("Name", "Lift"), ("Rate", "12")):
        fill(dialog, re.compile(f"^{label}"), text)
    press(page.get_by_role("dialog"), re.compile("^Save"))
    closed(page)
    page.get_by_role("row").filter(has_text="Lift").wait_for()


@pytest.mark.function("3.iv")
def test_bills_are_made_once_paid_and_what_is_owed_is_shown(signed_in):
    page = signed_in("property", "fees")
    page.get_by_text("Make bills", exact=True).click()
    settle(page)
    choose(page, "Estate", ESTATE)
    choose(page, "Type of fee", "停车费")
    shown = page.get_by_role("button", name=re.compile(r"Make \d+ bills"))
    shown.wait_for()
    number = int(re.search(r"\d+", shown.inner_text()).group())
    page.get_by_text("Billed already").wait_for()
    shown.click()
    settle(page)
    # The same again: nothing is left to bill.
    shown.wait_for(state="detached")
    assert number > 0
    page.get_by_text("Bills", exact=True).first.click()
    settle(page)
    choose(page, "Type of fee", "停车费")
    choose(page, "State", "Not paid in full")
    row = page.get_by_role("row").nth(1)
    unit = row.inner_text().split("\t")[0].strip()
    row.get_by_role("button").click()
    settle(page)
    amount = page.get_by_role("dialog").get_by_label(re.compile("Amount received"))
    amount.fill("100")
    press(page.get_by_role("dialog"), "Record the payment")
    closed(page)
    page.get_by_role("row").filter(has_text=unit).filter(has_text="¥800.00").first.wait_for()
    page.get_by_text("Arrears", exact=True).click()
    settle(page)
    page.get_by_text("Owed in all").wait_for()
    page.get_by_role("row").nth(1).get_by_role("button").click()
    settle(page)
    page.get_by_text("Bills of one owner: show all").wait_for()
