"""Two processes behind HAProxy, in a browser and without: what one knows the other knows, and one may die."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

import httpx
import pytest
import websockets
from websockets.sync.client import connect

from dashboards.gate import BELIEVED_SECONDS
from pipelines.service import balancer, control
from pipelines.service.place import ServiceError
from tests.end_to_end.conftest import new_profile, sign_in
from tests.end_to_end.steps import choose, settle, unfold
from tests.support.installation import sample_installation
from tests.support.provider import CLIENT, SECRET, running_provider
from tests.support.web_processes import Browser, come_about, running_site

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ONE, TWO = "web-1", "web-2"
CSV = b"Customer name,Phone\nBehind Balancer,138 0000 0123\n"


@pytest.fixture(scope="module")
def provider():
    with running_provider() as provider:
        provider.claims = {"sub": "42", "preferred_username": "sales_manager"}
        yield provider


@pytest.fixture(scope="module")
def site(provider, tmp_path_factory):
    try:
        balancer.executable(2)
    except ServiceError:
        pytest.skip("haproxy is not installed: see tests/support/system_packages.sh")
    folder = shutil.copytree(sample_installation(), tmp_path_factory.mktemp("served") / "several")
    settings = {
        "LOUPAN_OIDC_ISSUER": provider.issuer, "LOUPAN_OIDC_CLIENT_ID": CLIENT, "LOUPAN_OIDC_CLIENT_SECRET": SECRET,
        "LOUPAN_STRANGERS_A_MINUTE": "5000",
    }  # fmt: skip
    with running_site(folder, 2, settings) as site:
        yield site


def is_in(browser, at):
    return browser.get("/overview", at).status_code == 200


def test_one_session_for_all_processes(site):
    browser = Browser(site)
    # The form comes from one process and is handed in at the other.
    assert browser.sign_in("executive", at=TWO, form_at=ONE).status_code == 303
    assert is_in(browser, ONE)
    assert is_in(browser, TWO)
    assert browser.hand_in("/logout", at=ONE, form_at=TWO).status_code == 303
    # The cookie is gone with the answer; whoever copied it comes no further.
    browser.cookies.set("loupan_session", "not this one")
    assert not is_in(browser, ONE)

    thief, owner = Browser(site), Browser(site)
    assert owner.sign_in("executive").status_code == 303
    thief.cookies = httpx.Cookies(owner.cookies)
    assert is_in(thief, ONE)
    assert is_in(thief, TWO)
    owner.hand_in("/logout", at=ONE)
    assert not is_in(thief, ONE)
    assert come_about(lambda: not is_in(thief, TWO), BELIEVED_SECONDS + 2)


def test_wrong_passwords_are_counted_over_all_processes(site):
    browser = Browser(site)
    answers = [browser.sign_in("nobody", "wrong", at=(ONE, TWO)[number % 2]).status_code for number in range(17)]
    assert answers == [401] * 15 + [429] * 2
    # Another login is not slowed down.
    assert browser.sign_in("nobody else", "wrong", at=ONE).status_code == 401


def test_a_provider_leads_back_to_any_process(site):
    browser = Browser(site)
    to = browser.get("/oidc/start?next=/overview", at=ONE).headers["location"]
    back = urlsplit(httpx.get(to).headers["location"])
    answer = browser.get(f"{back.path}?{back.query}", at=TWO)
    assert (answer.status_code, answer.headers["location"]) == (303, "/overview")
    assert is_in(browser, ONE)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "127.0.0.1"),
        # Whatever a request says of the balancer's own header.
        ({"x-loupan-client": "203.0.113.9:1"}, "127.0.0.1"),
        # From a proxy on this machine, which is believed; what its readers say before it is not.
        ({"x-forwarded-for": "203.0.113.9, 198.51.100.7"}, "198.51.100.7"),
    ],
)
def test_the_trail_knows_the_reader_s_address(site, headers, expected):
    assert Browser(site, headers).sign_in("marketing").status_code == 303
    assert site.ask("SELECT address FROM account_session ORDER BY id DESC LIMIT 1") == [(expected,)]


def test_pages_of_others_get_in_no_more_than_before(site):
    browser = Browser(site)
    browser.sign_in("admin")
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())

    def opened(origin):
        url = f"{site.address.replace('http', 'ws', 1)}/_stcore/stream"
        try:
            with connect(url, origin=origin, additional_headers={"Cookie": cookie}, subprotocols=["streamlit"]):
                return True
        except websockets.InvalidStatus as refused:
            return refused.response.status_code

    assert opened(site.address) is True
    assert opened("https://evil.example") == 403
    # An upload without the token that only our own page can read.
    answer = browser.request("PUT", "/_stcore/upload_file/a/b", files={"f": ("f.csv", CSV)})
    assert (answer.status_code, "XSRF" in answer.text) == (403, True)
    assert browser.request("GET", "/overview", headers={"host": "evil.example"}).status_code == 400


def test_whichever_process_is_asked_tells_the_sum(site):
    def told():
        text = Browser(site).get("/metrics").text
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("loupan_"))

    key = 'loupan_http_requests_total{route="logout",status="303"}'
    before = float(told().get(key, 0))
    for at in (ONE, ONE, TWO):
        assert Browser(site).get("/logout", at).status_code == 303
    # Asked often enough to have come to both.
    assert {float(told()[key]) - before for _ in range(4)} == {3.0}
    assert [told()[f'loupan_web_process_up{{process="{name}"}}'] for name in (ONE, TWO)] == ["1.0", "1.0"]


def _upload(page):
    page.get_by_role("tab", name="Upload").click()
    page.locator("input[type=file]").set_input_files({"name": "c.csv", "mimeType": "text/csv", "buffer": CSV})
    page.get_by_role("button", name="Write all 1 rows").wait_for(timeout=30_000)


def _download(page):
    button = page.get_by_role("button", name="Download CSV")
    if not button.is_visible():  # a menu that is open stays so
        unfold(page.locator(".st-key-lp_menu_projects").get_by_role("button"), button)
    with page.expect_download() as download:
        button.click()
    return download.value.path().read_bytes()


def test_a_process_that_is_killed_takes_no_page_with_it(site, browser):
    context = new_profile(browser, storage_state=sign_in(browser, site.address, "admin"))
    figures, imports = context.new_page(), context.new_page()
    figures.goto(f"{site.address}/overview?lang=en&period=24m")
    imports.goto(f"{site.address}/imports?lang=en")
    for page in (figures, imports):
        settle(page)
    taken = _download(figures)
    _upload(imports)
    holder = site.holder()
    assert site.pids().keys() == {ONE, TWO}
    assert len(taken) > 100
    site.kill(holder)
    # Both pages come back at the other process, as the same person, with what their addresses say.
    assert come_about(lambda: site.holder() != holder)
    for page in (figures, imports):
        page.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]")
        settle(page)
    assert "period=24m" in figures.url
    assert _download(figures) == taken
    choose(imports, "Rows of", "Projects")
    choose(imports, "Rows of", "Customers")
    _upload(imports)
    site.wait_until_up()
    context.close()


def test_processes_are_restarted_one_after_the_other_and_nobody_is_refused(site):
    answers, is_over = Counter(), threading.Event()

    def ask(path):
        while not is_over.is_set():
            try:
                answers[httpx.get(f"{site.address}{path}", timeout=30).status_code] += 1
            except httpx.HTTPError as error:
                answers[repr(error)] += 1
            time.sleep(0.1)

    readers = [threading.Thread(target=ask, args=(path,)) for path in ("/login", "/healthz")]
    before = site.pids()
    for reader in readers:
        reader.start()
    try:
        control.restart(site.within, ("web",))
    finally:
        is_over.set()
        for reader in readers:
            reader.join()
    after = site.pids()
    assert all(after[name] != before[name] for name in (ONE, TWO))
    assert set(answers) == {200}
    assert {state.state for state in control.states(site.within)} == {"RUNNING"}
    with pytest.raises(ServiceError, match="There are: balancer, web, web-1, web-2"):
        control.restart(site.within, ("web-3",))
