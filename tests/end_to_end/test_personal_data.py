"""A person's data is handed over and erased on the customer's page, by those who may."""

from __future__ import annotations

import re
import zipfile

import pytest
from playwright.sync_api import expect

from tests.end_to_end.steps import press, settle
from tests.end_to_end.test_sales import enter_customer, write

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME, PHONE = "测试慕容", "13700007777"


def test_a_person_is_handed_over_and_erased(signed_in, tmp_path):
    page = signed_in("sales", "customers")
    enter_customer(page, NAME, PHONE)
    number = re.search(r"[?&]id=(\d+)", page.url)[1]
    expect(page.get_by_role("button", name="Erase the person")).to_have_count(0)
    expect(page.get_by_role("button", name="Hand data over")).to_have_count(0)

    page = signed_in("admin", "customer", id=number)
    page.get_by_role("button", name="Hand data over").click()
    settle(page)
    press(page.locator(".st-key-person_export_make"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the archive").click()
    download.value.save_as(tmp_path / "person.zip")
    with zipfile.ZipFile(tmp_path / "person.zip") as archive:
        assert NAME in archive.read("person.html").decode()
        assert PHONE in archive.read("person.json").decode()

    page = signed_in("admin", "customer", id=number)
    page.get_by_role("button", name="Erase the person").click()
    settle(page)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone")
    expect(dialog).to_contain_text(f"#{number}")
    save = dialog.get_by_role("button", name="Erase for good")
    expect(save).to_be_disabled()
    write(page, "person_erase_reason", "request of today")
    write(page, "person_erase_number", number)
    press(page.locator(".st-key-person_erase_save"))
    expect(page.get_by_text("The person's data was erased on")).to_be_visible(timeout=60_000)
    expect(page.get_by_text(NAME)).to_have_count(0)
    expect(page.get_by_text(PHONE)).to_have_count(0)
    page = signed_in("sales", "customers")
    expect(page.get_by_text(NAME)).to_have_count(0)
