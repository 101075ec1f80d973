"""Backups are made and checked from a page, by those who may."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.function("1.iii.1")
def test_a_backup_is_made_and_checked(open_page, office) -> None:
    page = open_page(office, "backups")
    page.get_by_role("button", name="Make a backup now").click()
    expect(page.get_by_text("The backup was made.")).to_be_visible(timeout=120_000)
    name = page.get_by_role("row").filter(has_text="loupan-").first
    expect(name).to_be_visible()
    name.click()
    expect(page.get_by_text("is whole: every part is what its checksum says.")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("Whole, read on").first).to_be_visible()
    page.get_by_role("button", name="Hold a drill").click()
    expect(page.get_by_text("The drill passed")).to_be_visible(timeout=120_000)
    expect(page.get_by_role("row").filter(has_text="Passed").first).to_be_visible()
    expect(page.get_by_text("loupan backup restore latest")).to_be_visible()
