"""How much may be asked for, through the gate, by HTTP and by websocket; and what the answer says beyond."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from starlette.websockets import WebSocketDisconnect

from dashboards.limits import Limits
from loupan.settings import Settings, get_settings
from tests.dashboards.test_gate import HOST, PASSWORD, TestClient, clock, crm, log_in, made, make_app, stream

__all__ = ["clock", "crm", "made", "make_app"]


@pytest.fixture
def browser_of(crm, make_app, monkeypatch):
    """Return a browser that is signed in at a server with these limits."""

    def open_(login="boss", **limits):
        for name, value in limits.items():
            monkeypatch.setenv(f"LOUPAN_{name.upper()}", str(value))
        get_settings.cache_clear()
        client = TestClient(make_app("the token"), base_url=f"http://{HOST}", follow_redirects=False)
        if login:
            assert log_in(client, login).status_code == 303
        return client

    return open_


@pytest.mark.parametrize(
    ("limit", "method", "path"),
    [
        ("downloads_a_minute", "GET", "/media/0123.xlsx"),
        ("downloads_a_minute", "GET", "/files/7"),
        ("uploads_a_minute", "PUT", "/_stcore/upload_file/a/b"),
    ],
)
def test_a_signed_in_browser_may_not_ask_without_end(browser_of, limit, method, path):
    browser = browser_of(**{limit: 3})
    answers = [browser.request(method, path) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].text.startswith("Too many requests. Wait")
    assert browser.request(method, path, headers={"accept-language": "zh-CN"}).text.startswith("请求过多")
    # Pages, and other people, go on.
    assert browser.get("/customers").status_code == 200
    other = TestClient(browser.app, base_url=f"http://{HOST}", follow_redirects=False)
    log_in(other, "li")
    assert other.request(method, path).status_code == 200


@pytest.mark.parametrize("path", ["/login", "/setup?token=guess", "/oidc/start", "/logout"])
def test_a_stranger_may_not_either(browser_of, path):
    stranger = browser_of(None, strangers_a_minute=10)
    answers = [stranger.get(path) for _ in range(12)]
    assert {answer.status_code for answer in answers[:10]} <= {200, 303, 401, 404}
    assert [answer.status_code for answer in answers[10:]] == [429, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert stranger.get("/_stcore/health").status_code == 200, "whoever watches the server is not counted"


def test_a_browser_has_so_many_tabs(browser_of):
    browser = browser_of(connections_per_session=2)
    with stream(browser), stream(browser):
        with pytest.raises(WebSocketDisconnect) as refused, stream(browser):
            pass
        assert refused.value.status_code == 429
        assert int(refused.value.headers["retry-after"]) > 0
        other = TestClient(browser.app, base_url=f"http://{HOST}", follow_redirects=False)
        log_in(other, "li", PASSWORD)
        with stream(other):
            pass
    with stream(browser), stream(browser):
        pass  # the closed ones count no more


def test_an_address_has_so_many_tabs():
    limits = Limits(Settings(connections_per_session=2, connections_per_address=3))
    with limits.connection("a", "here") as first, limits.connection("a", "here"), limits.connection("b", "here"):
        assert first == 0
        for session, address, waits in (("c", "here", True), ("a", "there", True), ("c", "there", False)):
            with limits.connection(session, address) as wait:
                assert bool(wait) is waits
    with limits.connection("c", "here") as wait:
        assert wait == 0
    assert not limits._open


def test_who_stays_within_the_limits_is_not_slowed_down():
    now = [0.0]
    limits = Limits(Settings(downloads_a_minute=5), clock=lambda: now[0])
    for _ in range(20):
        assert limits.reader("/media/x", "1") == 0
        now[0] += 12
    assert limits.reader("/customers", "1") == 0


def test_a_session_that_is_refused_is_not_written_down(browser_of, crm):
    browser = browser_of(None, strangers_a_minute=10)
    for _ in range(12):
        browser.post("/login", data={"login": "boss", "password": "x"})
    with crm.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM account_session")) == 0
