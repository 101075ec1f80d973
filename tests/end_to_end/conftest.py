"""A browser, and the web app it looks at."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.end_to_end.steps import COUNT_TRAFFIC, settle
from tests.support.browser import MISSING, executable, launch
from tests.support.installation import crm_installation, passwords_at, running_server, sample_installation

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@dataclass
class Watch:
    """What a page did that nobody asked for."""

    address: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    @classmethod
    def over(cls, page, address: str):
        """Return a page with a watch over it."""
        watch = cls(address)
        watch.follow(page)
        return page, watch

    def forget(self) -> None:
        self.errors.clear()
        self.outside.clear()

    def follow(self, page) -> None:
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._hear)
        page.on("response", self._answered)
        page.on("request", self._asked)

    def _hear(self, message) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _answered(self, response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.url}")

    def _asked(self, request) -> None:
        own = (self.address, self.address.replace("http", "ws", 1), "data:", "blob:")
        if not request.url.startswith(own):
            self.outside.append(request.url)


# What the browser's back button does: another page, without loading the shell again (which takes longer than the page).
# Streamlit asks its server for pages of the menu alone.
_FOLLOW = """address => {
    const before = window.loupanTraffic?.sent;
    history.pushState({}, '', address);
    dispatchEvent(new PopStateEvent('popstate'));
    return window.loupanTraffic?.sent > before;
}"""

_OPEN_PAGES = pytest.StashKey[list]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Tell beside a failure what the browser showed: on another machine there is nobody who looks."""
    report = yield
    if report.when == "call" and report.failed:
        for page in item.stash.get(_OPEN_PAGES, []):
            if not page.is_closed():
                words = page.locator("body").inner_text()
                report.sections.append((f"page {page.url}", words))
    return report


@pytest.fixture(scope="session")
def browser():
    if executable() is None:
        pytest.skip(MISSING)
    with playwright_api.sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    return sample_installation()


@pytest.fixture(scope="session")
def address(browser, sample_dir, tmp_path_factory) -> Iterator[str]:
    """The web app on the sample company."""
    with running_server(shutil.copytree(sample_dir, tmp_path_factory.mktemp("served") / "sample")) as address:
        yield address


@pytest.fixture(scope="session")
def office(browser, tmp_path_factory) -> Iterator[str]:
    """The web app on a sample CRM that nothing was published from; tests may write into it."""
    with running_server(shutil.copytree(crm_installation(), tmp_path_factory.mktemp("served") / "office")) as address:
        yield address


@pytest.fixture(scope="session")
def context_of(browser):
    """Browser profiles, kept for the session: a new one would load the scripts again. Each role signs in once."""
    contexts: dict[tuple[str, str], object] = {}

    def get(address: str, role: str):
        if (address, role) not in contexts:
            kept = sign_in(browser, address, role)
            contexts[address, role] = new_profile(browser, storage_state=kept)
        return contexts[address, role]

    yield get
    for context in contexts.values():
        context.close()


@pytest.fixture(scope="session")
def idle_pages():
    """Open pages of each browser profile that no test looks at: the next test goes on from there, as people do."""
    return defaultdict(list)


def new_profile(browser, **options):
    """Return a browser profile whose pages can be waited for, of somebody who wants nothing to move.

    A tenth of the processors' time went into moving dialogs and menus.
    """
    context = browser.new_context(locale="en-GB", reduced_motion="reduce", **options)
    context.add_init_script(COUNT_TRAFFIC)
    return context


def sign_in(browser, address: str, role: str):
    """Sign in as the demonstration account of a role, by the login page, and return what the browser then keeps."""
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{address}/login")
    page.get_by_label("Login", exact=True).fill(role)
    page.get_by_label("Password", exact=True).fill(passwords_at(address)[role])
    with page.expect_response(lambda answer: answer.url == f"{address}/login") as answer:
        page.get_by_role("button", name="Sign in").click()
    assert answer.value.status == 303
    kept = context.storage_state()
    context.close()
    return kept


@pytest.fixture
def open_page(context_of, idle_pages, request):
    """Open a page as a role and wait until it is drawn; at the end nothing may have gone wrong or outside."""
    used, pages = [], request.node.stash.setdefault(_OPEN_PAGES, [])

    def open_(address: str, path: str = "", *, role: str = "admin", theme: str = "light", width: int = 1440):
        context = context_of(address, role)
        page, watch = idle_pages[context].pop() if idle_pages[context] else Watch.over(context.new_page(), address)
        used.append((page, watch))
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        if not page.url.startswith(address) or not page.evaluate(_FOLLOW, f"{address}/{path}"):
            page.goto(f"{address}/{path}")
        settle(page)
        return page

    yield open_
    errors = [error for _, watch in used for error in watch.errors]
    outside = [url for _, watch in used for url in watch.outside]
    for page, watch in used:
        if not page.is_closed():
            watch.forget()
            idle_pages[page.context].append((page, watch))
    assert errors == []
    assert outside == []


@pytest.fixture
def signed_in(open_page, office):
    """Open the sample CRM as the demonstration account of a role.

    ``signed_in("sales")`` opens the role's own page, ``signed_in("sales", "deals", id=5)`` another. Further arguments
    are parts of the address, beside language ("en", "zh"), theme ("light", "dark") and width.
    """

    def open_(role: str, path: str = "", *, language: str = "en", theme: str = "light", width: int = 1440, **query):
        address = f"{path}?{urlencode({'lang': language, **query})}"
        return open_page(office, address, role=role, theme=theme, width=width)

    return open_
