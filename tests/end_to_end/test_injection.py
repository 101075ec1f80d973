"""A company whose every text means harm, in a real browser: it is shown as it was typed, and nothing of it runs."""

from __future__ import annotations

import shutil

import pytest

from dashboards.menu import DASHBOARDS
from data_entry.pages.menu import MENU
from tests.end_to_end.conftest import Watch, new_profile, sign_in
from tests.end_to_end.steps import settle
from tests.support.hostile import MARK, hostile_company
from tests.support.installation import running_server
from tests.support.shared import made_once

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = [*(e.path for entries in MENU.values() for e in entries), *(d.path for ds in DASHBOARDS.values() for d in ds)]
# Pages that show one record beside their list.
RECORDS = (
    "customer",
    "tasks",
    "reports",
    "knowledge",
    "discussion",
    "demands",
    "deals",
    "surveys",
    "expenses",
    "plans",
)
# Listens before anything of the page runs.
_LISTEN = """window.violations = [];
document.addEventListener(
    'securitypolicyviolation', e => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
# What became an element, an attribute or a link instead of text, in the page and in the shadows of its components. An
# address that is a link and says where it leads is none: Streamlit makes links of addresses. Nor is a link that
# somebody wrote into a text in Markdown; its address is the web's, and the other page learns nothing of this one.
_LIVE = """() => {
    const wanted = '[onerror], [onload], [onmouseover], [onclick], a[href^="javascript" i], img[src="x"], '
        + 'img[src*="evil.example"], iframe, object, embed, a[href*="evil.example"]';
    const isOfTheWeb = e => e.protocol === 'http:' && e.rel.includes('noopener');
    const found = [];
    const look = root => {
        for (const e of root.querySelectorAll(wanted))
            if (!(isOfTheWeb(e) && (e.textContent === e.getAttribute('href') || e.closest('.lp-written'))))
                found.push(e.outerHTML.slice(0, 200));
        for (const e of root.querySelectorAll('*')) if (e.shadowRoot) look(e.shadowRoot);
    };
    look(document);
    return [...found, ...window.violations, ...(window.pwned ? ['a script ran'] : [])];
}"""
_TEXT = """() => {
    const texts = [];
    const look = root => {
        texts.push(root.textContent);
        for (const e of root.querySelectorAll('*')) if (e.shadowRoot) look(e.shadowRoot);
    };
    look(document.body);
    return texts.join(' ');
}"""


@pytest.fixture(scope="module")
def harmed(browser, tmp_path_factory):
    """The web app on that company."""
    made = made_once("hostile", hostile_company)
    with running_server(shutil.copytree(made, tmp_path_factory.mktemp("served") / "hostile")) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser, harmed):
    """A page of somebody who may see everything."""
    context = new_profile(browser, storage_state=sign_in(browser, harmed, "admin"))
    context.add_init_script(_LISTEN)
    yield context.new_page()
    context.close()


@pytest.fixture
def watched(page, harmed):
    """Open an address; at the end nothing may have run, been asked for elsewhere, or have gone wrong."""
    alerts: list[str] = []
    watch = Watch(harmed)
    watch.follow(page)

    def heard(dialog):
        alerts.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", heard)

    def open_(path):
        page.goto(f"{harmed}/{path}")
        settle(page)
        return page

    yield open_
    page.remove_listener("dialog", heard)
    assert alerts == []
    assert watch.outside == []
    assert [error for error in watch.errors if "/files/" not in error] == []


def alive(page) -> list[str]:
    """What of the texts is no text, and what the page could not draw."""
    return [*page.evaluate(_LIVE), *page.locator("[data-testid=stException]").all_inner_texts()]


def test_no_page_runs_what_people_typed(watched):
    shown, broken = {}, {}
    # Every fourth: all of them take a minute, and share their parts.
    for path in (*PAGES[::4], *(f"{path}?id=1" for path in RECORDS)):
        page = watched(f"{path}{'&' if '?' in path else '?'}lang=en")
        shown[path] = page.evaluate(_TEXT).count(MARK)
        if found := alive(page):
            broken[path] = found
    assert broken == {}
    silent = {path for path, times in shown.items() if not times}
    assert len(silent) < len(shown) / 2, f"too few pages show what was planted: {silent}"


def test_menus_tips_and_dialogs_run_nothing_either(watched):
    page = watched("sales?lang=en&view=all")
    page.get_by_role("button", name="Views").first.click()
    page.get_by_role("button", name="Link", exact=True).first.hover()
    page.get_by_role("tooltip").first.wait_for()
    assert alive(page) == []
    assert MARK in page.get_by_role("tooltip").first.inner_text()
