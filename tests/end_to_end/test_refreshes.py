"""Data staff start, watch, cancel and plan refreshes from a page, and read what became of each."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import expect

from loupan.refresh_state import read_history, read_state
from loupan.schedules import read_plan
from loupan.settings import Settings
from tests.end_to_end.steps import settle
from tests.support.installation import crm_installation, running_server

pytestmark = pytest.mark.browser

# A refresh, in milliseconds.
LONG = 240_000


def trail(data_dir):
    with closing(sqlite3.connect(data_dir / "crm.sqlite")) as connection:
        found = connection.execute(
            "select action, after from audit_log where entity in ('refresh', 'refresh_schedule') order by id"
        ).fetchall()
    return [(action, json.loads(after) if after else {}) for action, after in found]


def read_the_log(page, version):
    settle(page)
    page.get_by_role("row").filter(has_text="published").get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Loading the CRM: lead")).to_be_visible()
    expect(dialog.get_by_text(version)).to_be_visible()
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download the log").click()
    assert "Publishing" in download.value.path().read_text()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def plan_one(page, settings):
    dialog = page.get_by_role("dialog")
    expect(page.get_by_text("Nothing runs by itself at the moment.")).to_be_visible()
    expect(page.locator("code").filter(has_text="loupan service")).to_be_visible()
    page.get_by_role("button", name="Add a schedule").click()
    dialog.get_by_role("textbox", name="Name").fill("Nightly run")
    dialog.get_by_role("textbox", name="Name").press("Enter")
    settle(page)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("is no name of a schedule")).to_be_visible(timeout=LONG)
    dialog.get_by_role("textbox", name="Name").fill("nightly")
    dialog.get_by_role("textbox", name="Name").press("Enter")
    settle(page)
    dialog.get_by_text("All rows", exact=True).click()
    settle(page)
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row").filter(has_text="nightly").filter(has_text="daily at 06:00")).to_be_visible()
    assert next(rule for rule in read_plan(settings).refreshes if rule.name == "nightly").full

    settle(page)
    page.get_by_role("row").filter(has_text="nightly").get_by_role("button").click()
    expect(dialog.get_by_text("It can be turned on and off while Dagster runs.")).to_be_visible()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("row").filter(has_text="nightly")).to_have_count(0)
    assert [rule.name for rule in read_plan(settings).refreshes] == ["daily", "hourly"]


def test_a_refresh_is_started_watched_cancelled_and_planned(open_page, tmp_path):
    data_dir = shutil.copytree(crm_installation(), tmp_path / "company")
    settings = Settings(data_dir=data_dir)
    # No Dagster listens at this port.
    with running_server(data_dir, {"LOUPAN_WITHOUT_MODELS": "*", "LOUPAN_DAGSTER_PORT": "9"}) as address:
        page = open_page(address, "refreshes?lang=en", role="data")
        expect(page.get_by_text("No refresh has run yet.")).to_be_visible()

        page.get_by_role("button", name="Refresh", exact=True).click()
        expect(page.get_by_text("A refresh is running")).to_be_visible(timeout=LONG)
        expect(page.get_by_text("Loads: Changed rows.")).to_be_visible()
        expect(page.get_by_text("Running the models")).to_be_visible()
        # It is the first: no snapshot was published yet, and it is nobody's to be started twice.
        expect(page.get_by_role("button", name="Refresh", exact=True)).to_have_count(0)
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Cancel this refresh").click()
        row = page.get_by_role("row").filter(has_text="cancelled")
        expect(row).to_be_visible(timeout=LONG)
        assert read_state(settings).outcome == "cancelled"
        assert not (data_dir / "snapshots" / "CURRENT").exists()

        settle(page)
        page.get_by_role("button", name="Load again …").click()
        page.get_by_role("button", name="Load again", exact=True).click()
        expect(page.get_by_text("Loads: All rows.")).to_be_visible(timeout=LONG)
        expect(page.get_by_role("row").filter(has_text="published")).to_be_visible(timeout=LONG)
        state = read_state(settings)
        assert (state.outcome, state.full) == ("published", True)
        number, _, name = state.started_by.partition(" ")
        assert number.startswith("E")
        assert name
        assert (data_dir / "snapshots" / "CURRENT").read_text().strip() == state.version

        read_the_log(page, state.version)
        plan_one(page, settings)
        page = open_page(address, "data-status?lang=en", role="data")
        page.get_by_role("link", name="Start, watch and plan refreshes").click()
        expect(page.get_by_text("What became of each")).to_be_visible()
    assert [run.outcome for run in read_history(settings)] == ["cancelled", "published"]
    assert [action for action, _ in trail(data_dir)] == ["start", "cancel", "start", "change", "remove"]
    assert trail(data_dir)[2][1]["full"] is True


def test_who_may_only_read_sees_no_button_and_others_no_page(open_page, office):
    page = open_page(office, "refreshes?lang=en", role="executive")
    expect(page.get_by_text("You may not open this page")).to_be_visible()
