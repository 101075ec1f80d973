"""Targets typed into the table of a year, in a real browser."""

import re
import sqlite3
from contextlib import closing

import pytest

from tests.end_to_end.steps import settle
from tests.support.installation import data_dir_at

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WAIT = 60_000
# Of the first estate's January, from the corner of the table.
JANUARY = (160, 52)


def type_into(page, text):
    """Type over the first estate's January."""
    table = page.get_by_test_id("stDataFrame")
    table.locator("canvas").first.wait_for(timeout=WAIT)
    corner = table.bounding_box()
    page.mouse.dblclick(corner["x"] + JANUARY[0], corner["y"] + JANUARY[1])
    page.locator("#portal textarea, #portal input").fill(text, timeout=WAIT)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("Save")).and_(page.locator(":enabled")).click(timeout=WAIT)
    settle(page)


def latest_target(address):
    """Return what the CRM holds of the target that was changed last: the table on the page is a canvas."""
    with closing(sqlite3.connect(data_dir_at(address) / "crm.sqlite")) as connection:
        (value,) = connection.execute("SELECT value FROM target ORDER BY updated_at DESC LIMIT 1").fetchone()
    return float(value)


@pytest.mark.function("6.v")
def test_targets_are_typed_as_people_write_them_and_what_does_not_fit_is_said(signed_in, office):
    page = signed_in("executive", "targets")
    type_into(page, "6500万")
    page.get_by_text("Targets saved: 1").wait_for(timeout=WAIT)
    assert latest_target(office) == 65_000_000
    type_into(page, "-3")
    page.get_by_text(re.compile("-01: This must be at least 0")).wait_for(timeout=WAIT)
