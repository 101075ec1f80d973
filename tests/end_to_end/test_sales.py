"""The sales process in a browser: a customer is entered and found, buys, and gives up; estates are compared."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.steps import choose, closed, fill, press, settle

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PHONE, NAME = "13712345678", "测试欧阳"


def write(page, key, text):
    box = page.locator(f".st-key-{key} input").first
    box.fill(text)
    # Enter and not Tab, which would open the calendar of a date that comes next, over the buttons.
    box.press("Enter")
    settle(page)


def begin_customer(page, name, phone):
    """Fill the dialog of a new customer as far as the form of the schema goes."""
    press(page.locator(".st-key-customers_new"))
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Customer name", exact=True).fill(name)
    fill(dialog, "Phone", phone)
    if not page.locator(".st-key-new_customer_project input").input_value():
        choose(page.locator(".st-key-new_customer_project"))
    choose(page.locator(".st-key-new_customer_source"))


def enter_customer(page, name, phone):
    begin_customer(page, name, phone)
    press(page.locator(".st-key-new_customer_save"))
    page.wait_for_url(re.compile(r"/customer\?.*id=\d+"))
    settle(page)
    page.get_by_role("heading", name=name).wait_for()


@pytest.mark.function("2.i")
def test_a_customer_is_entered_and_a_duplicate_noticed(signed_in):
    page = signed_in("sales", "customers")
    enter_customer(page, NAME, PHONE)
    page.get_by_text("Lead opened").wait_for()
    page = signed_in("sales", "customers")
    begin_customer(page, "Somebody", f"+86 {PHONE[:3]} {PHONE[3:7]} {PHONE[7:]}")
    press(page.locator(".st-key-new_customer_save"))
    page.get_by_text("seems to be known already").wait_for()
    assert NAME in page.get_by_role("dialog").inner_text()


@pytest.mark.function("2.i")
def test_a_duplicate_is_merged_and_leads_on_to_the_customer_that_is_kept(signed_in):
    page = signed_in("sales_manager", "customers")
    enter_customer(page, "测试上官", "13700005555")
    duplicate = re.search(r"[?&]id=(\d+)", page.url)[1]
    page = signed_in("sales_manager", "customers")
    enter_customer(page, "测试东方", "13700006666")
    kept = re.search(r"[?&]id=(\d+)", page.url)[1]
    press(page.locator(".st-key-person_merge"))
    write(page, "merge_text", "测试上官")
    page.get_by_role("dialog").get_by_text(f"#{duplicate}").wait_for()
    press(page.locator(".st-key-merge_save"))
    page.get_by_text("Also entered as").wait_for()
    assert f"#{duplicate}" in page.locator(".st-key-lp_card_person").inner_text()
    page = signed_in("sales_manager", "customer", id=duplicate)
    page.get_by_text("This customer was merged into").wait_for()
    page.get_by_role("heading", name="测试东方").wait_for()
    assert kept != duplicate


@pytest.mark.function("5.i")
def test_the_service_finds_any_customer_by_telephone(signed_in):
    enter_customer(signed_in("sales", "customers"), "测试司马", "13787654321")
    page = signed_in("service", "customers")
    write(page, "customers_text", "137 8765 4321")
    page.get_by_role("button", name="测试司马").click()
    page.wait_for_url(re.compile(r"/customer\?.*id=\d+"))
    settle(page)
    page.get_by_text("13787654321").first.wait_for()


@pytest.mark.function("2.iii")
def test_from_booking_to_contract_payment_another_unit_and_cancellation(signed_in):
    page = signed_in("sales", "customers")
    enter_customer(page, "测试诸葛", "13700001234")
    page.locator("[class*='st-key-way_deal_'] button").first.click()
    settle(page)
    choose(page.locator(".st-key-begin_unit"))
    write(page, "begin_amount_False", "20000")
    press(page.locator(".st-key-begin_save"))
    page.locator("[class*='st-key-sale_'] button").first.click()
    page.wait_for_url(re.compile(r"/deals\?.*id=\d+"))
    settle(page)
    press(page.locator(".st-key-deal_contract"))
    press(page.locator(".st-key-advance_save"))
    page.get_by_text("Contract signed").first.wait_for()
    press(page.locator(".st-key-deal_plan"))
    press(page.locator(".st-key-plan_save"))
    page.get_by_role("region", name="Payment plan").wait_for()
    press(page.locator(".st-key-deal_pay"))
    choose(page.locator(".st-key-pay_kind"), nth=1)
    write(page, "pay_amount", "100000")
    press(page.locator(".st-key-pay_save"))
    page.get_by_text("Down payment · ¥100,000").wait_for()
    unit = page.locator(".st-key-lp_card_deal").inner_text().splitlines()[0]
    press(page.locator(".st-key-deal_swap"))
    choose(page.locator(".st-key-swap_unit"), nth=1)
    press(page.locator(".st-key-swap_save"))
    page.get_by_text("Given up for another unit").first.wait_for()
    page.get_by_role("button", name="Deal after the swap").click()
    page.get_by_role("button", name="Deal before the swap").wait_for()
    settle(page)
    assert page.locator(".st-key-lp_card_deal").inner_text().splitlines()[0] != unit
    press(page.locator(".st-key-deal_cancel"))
    press(page.locator(".st-key-cancel_save"))
    page.get_by_role("dialog").get_by_text("Choose a reason.").wait_for()
    choose(page.locator(".st-key-cancel_reason"))
    press(page.locator(".st-key-cancel_save"))
    page.get_by_text("Deal cancelled").first.wait_for()


@pytest.mark.function("2.iii")
def test_the_board_leads_to_the_unit(signed_in):
    page = signed_in("sales", "estate-board")
    page.locator("[class*='st-key-lp_unit_available_'] button").first.click()
    settle(page)
    page.get_by_role("dialog").get_by_text("Book this unit").wait_for()


@pytest.mark.function("1.i.3")
def test_the_manager_changes_a_price_and_history_is_kept(signed_in):
    page = signed_in("sales_manager", "estate-board")
    page.locator("[class*='st-key-lp_unit_available_'] button").first.click()
    settle(page)
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Change price or state").click()
    write(page, "unit_list_price", "98765432")
    press(page.locator(".st-key-unit_price"))
    closed(page)
    page.locator("[class*='st-key-lp_unit_available_'] button").first.click()
    settle(page)
    page.get_by_role("dialog").get_by_text("¥98,765,432").first.wait_for()


@pytest.mark.function("2.iv-v")
def test_own_and_competing_estates_stand_side_by_side(signed_in):
    page = signed_in("sales", "estates")
    table = page.get_by_role("region", name="beside its competition")
    table.wait_for()
    assert table.locator("thead th").count() >= 3
    assert table.locator("tbody a").count() >= 1
