"""Nothing that people enter is in the log; an error that nobody foresaw has a number, on the page and in the log."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from playwright.sync_api import expect

from loupan.settings import Settings
from loupan.snapshot import current
from tests.end_to_end.conftest import new_profile, sign_in
from tests.end_to_end.steps import settle
from tests.support.installation import running_server, said_at, sample_installation

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PRIVATE = (
    "陈小明",
    "13812345678",
    "chen@example.com",
    "滨江路 8 号",
    "boss'--",
    "<b>9f8e7d</b>",
    "a secret passphrase",
)


@pytest.fixture
def address(browser, tmp_path):
    folder = shutil.copytree(sample_installation(), tmp_path / "company")
    # A report that no version of this program wrote: nothing is prepared for it.
    report = current(Settings(data_dir=folder)).path / "report.json"
    told = json.loads(report.read_text("utf-8"))
    report.write_text(json.dumps({**told, "as_of": f"{PRIVATE[0]} {PRIVATE[1]}"}), "utf-8")
    with running_server(folder) as address:
        yield address


def test_an_error_has_a_number_and_the_log_no_personal_data(browser, address):
    stranger = new_profile(browser)
    page = stranger.new_page()
    page.goto(f"{address}/login?lang=en&next=/customers%3Fsearch%3D{PRIVATE[1]}")
    page.get_by_label("Login", exact=True).fill(PRIVATE[4])
    page.get_by_label("Password", exact=True).fill(PRIVATE[6])
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("[role=alert]").first).to_be_visible()
    stranger.close()

    context = new_profile(browser, storage_state=sign_in(browser, address, "admin"))
    page = context.new_page()
    page.goto(f"{address}/customers?lang=en&search={PRIVATE[0]}")
    settle(page)
    for text in PRIVATE:
        page.get_by_role("textbox").first.fill(text)
        page.keyboard.press("Enter")
        settle(page)
    page.goto(f"{address}/sales?lang=en&project={PRIVATE[2]}")
    notice = page.get_by_text(re.compile("Tell an administrator the number [0-9A-F]{8}"))
    expect(notice).to_be_visible(timeout=60_000)
    (number,) = re.findall(r"\b[0-9A-F]{8}\b", notice.inner_text())
    context.close()

    lines = said_at(address)
    (line,) = [line for line in lines.splitlines() if number in line]
    told = json.loads(line)
    assert (told["incident"], told["level"]) == (number, "error")
    assert told["exception"][0]["type"] == "builtins.ValueError"
    assert any("dashboards/gateway.py" in place for place in told["exception"][0]["at"])
    for text in (*PRIVATE, "search="):
        assert text not in lines
        assert json.dumps(text)[1:-1] not in lines
