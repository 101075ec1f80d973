"""Each role signs in, lands on its page, and reaches no page that is not its own; accounts are made and mended."""

import os
import re

import pytest
from playwright.sync_api import expect

from dashboards import menu
from data_entry.access.roles import READY_MADE
from data_entry.pages.menu import MENU
from tests.end_to_end.conftest import new_profile
from tests.end_to_end.steps import choose, settle
from tests.support.installation import passwords_at

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = [entry.path for entries in MENU.values() for entry in entries]
DASHBOARDS = [dashboard.path for dashboards in menu.DASHBOARDS.values() for dashboard in dashboards]


def opens(role):
    """The pages a role may open."""
    return {
        resource.removeprefix("page:")
        for resources, actions, _ in READY_MADE[role].grants
        for resource in resources
        if resource.startswith("page:") and "open" in actions
    }


@pytest.fixture
def browsing(browser):
    """A browser of somebody who has not been here before."""
    contexts = []

    def new(**options):
        contexts.append(new_profile(browser, **options))
        return contexts[-1].new_page()

    yield new
    for context in contexts:
        context.close()


def log_in(page, office, login, password, path=""):
    page.goto(f"{office}/{path or 'login?lang=en'}")
    page.get_by_label("Login", exact=True).fill(login)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.function("1.i.2")
@pytest.mark.parametrize("role", READY_MADE)
def test_a_role_lands_on_its_page(signed_in, office, role):
    page = signed_in(role)
    page.wait_for_url(re.compile(rf"{office}/{READY_MADE[role].landing_page}(\?|$)"))
    assert page.locator(".lp-who b").inner_text()


@pytest.mark.function("1.i.2")
@pytest.mark.parametrize("role", ["sales", "data"])
def test_a_role_sees_and_opens_its_own_pages_only(signed_in, office, role):
    page = signed_in(role, "account")
    linked = {
        re.sub(r"^.*/|\?.*$", "", link.get_attribute("href"))
        for link in page.locator("[data-testid=stSidebarNav] a").all()
    }
    assert linked == opens(role) - {"customer"}
    for path in sorted({*PAGES, *DASHBOARDS} - opens(role))[:: 4 if role == "sales" else 8]:
        page.goto(f"{office}/{path}?lang=en")
        settle(page)
        page.get_by_text("You may not open this page.").wait_for()


def test_a_link_leads_through_the_login(browsing, office):
    page = browsing()
    page.goto(f"{office}/account?lang=zh")
    page.wait_for_url(re.compile(r"/login\?next="))
    page.get_by_label("Login", exact=True).fill("property")
    page.get_by_label("Password", exact=True).fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    assert "is wrong" in page.get_by_role("alert").inner_text()
    page.get_by_label("Password", exact=True).fill(passwords_at(office)["property"])
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/account\?lang=zh"))
    page.get_by_role("heading", name="我的账号").wait_for()


def test_signing_out_ends_it_also_in_the_other_tab(browsing, office):
    page = browsing()
    log_in(page, office, "service", passwords_at(office)["service"])
    settle(page)
    other = page.context.new_page()
    other.goto(f"{office}/account?lang=en")
    settle(other)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{office}/login")
    # The open page of the other tab asks the server for something, or just waits.
    other.wait_for_url(re.compile(r"/login"), timeout=60_000)
    page.goto(f"{office}/account")
    page.wait_for_url(re.compile(r"/login\?next="))


@pytest.mark.function("1.i.2")
def test_an_administrator_makes_an_account_that_changes_its_password(signed_in, browsing, office):
    page = signed_in("admin", "accounts")
    page.get_by_role("button", name="New account").locator("visible=true").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Login").fill("trainee")
    dialog.get_by_role("combobox", name="Roles").click()
    page.get_by_role("option", name="Salesperson").click()
    page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Make the account").click()
    once = dialog.locator("code").inner_text().strip()
    new = browsing()
    log_in(new, office, "trainee", once)
    new.wait_for_url(f"{office}/password")
    new.goto(f"{office}/customers")
    new.wait_for_url(f"{office}/password")
    new.get_by_label("Present password").fill(once)
    new.get_by_label("New password", exact=True).fill("a word of my own")
    new.get_by_label("New password again").fill("a word of my own")
    new.get_by_role("button", name="Change the password").click()
    new.wait_for_url(re.compile(r"/customers"))
    settle(new)
    # Revoked by the administrator, the open page leads to the login by itself.
    page.goto(f"{office}/accounts?lang=en")
    settle(page)
    page.get_by_label("Search").fill("trainee")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Salesperson · last signed in").locator("visible=true")).to_have_count(1)
    page.get_by_role("button", name="Manage").locator("visible=true").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Deactivate").click()
    dialog.get_by_role("button", name="Activate").wait_for()
    new.wait_for_url(re.compile(r"/login"), timeout=60_000)
    log_in(new, office, "trainee", "a word of my own")
    assert "is wrong" in new.get_by_role("alert").inner_text()


@pytest.mark.parametrize(("language", "look"), [("en", ("light", 1440)), ("zh", ("dark", 390))], ids=str)
@pytest.mark.parametrize("path", ["account", "accounts"])
def test_pages_fit(signed_in, path, language, look):
    theme, width = look
    page = signed_in("admin", path, language=language, theme=theme, width=width)
    assert page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_trail_says_who_did_what(signed_in, browsing, office):
    stranger = browsing()
    log_in(stranger, office, "marketing", "wrong password")
    stranger.get_by_role("alert").wait_for()
    page = signed_in("admin", "audit")
    choose(page, "Action taken", "Sign-in failed")
    line = page.get_by_role("row").filter(has_text="Sign-in failed").first
    line.wait_for()
    assert "127.0.0.1" in line.inner_text()
    line.get_by_role("button").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("password", exact=True).wait_for()
    assert "The system" in dialog.inner_text(), "who was not let in did nothing himself"


@pytest.mark.parametrize("path", ["audit"])
@pytest.mark.parametrize(("language", "look"), [("en", ("light", 1440)), ("zh", ("dark", 390))], ids=str)
def test_the_trail_fits(signed_in, path, language, look):
    theme, width = look
    page = signed_in("admin", path, language=language, theme=theme, width=width)
    assert page.get_by_role("row").count() > 1 or page.locator(".lp-note").count()
    assert page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if shots := os.environ.get("LOUPAN_TEST_SHOTS"):
        page.screenshot(path=f"{shots}/audit-{language}.png")
