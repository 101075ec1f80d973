"""The gate as a browser, a program and an attacker meet it; what stands behind it is a stand-in for Streamlit."""

import datetime as dt
import html
import itertools
import re
import shutil
import time
import warnings

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dashboards import gate, server
from dashboards.gate import Gate, Visits, is_public
from dashboards.sign_in import SignIn, local_path
from dashboards.throttle import Throttle
from data_entry.access import SYSTEM
from data_entry.database import create_engine_for, shared_engine
from data_entry.schema.organisation import Account, AccountSession, Role
from data_entry.services import accounts, sessions
from data_entry.services.work import writing
from loupan.settings import get_settings
from tests.support.crm import create_crm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

PASSWORD = "a long word indeed"
PAGE = {"accept": "text/html"}
HOST = "127.0.0.1:8501"


class Clock:
    """A moment that stands still until it is set forward."""

    def __init__(self):
        self.now = dt.datetime(2026, 3, 2, 1, 0)

    def __call__(self):
        return self.now

    def forward(self, **span):
        self.now += dt.timedelta(**span)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A CRM with two accounts, made once and copied for every test."""
    path = tmp_path_factory.mktemp("made") / "crm.sqlite"
    engine = create_engine_for(f"sqlite:///{path}")
    create_crm(engine)
    accounts.create_administrator(engine, "boss", PASSWORD, Clock())
    with writing(engine, SYSTEM, Clock()) as work:
        role = work.session.scalar(sa.select(Role.id).where(Role.name == "sales"))
        accounts.create(work, "li", role_ids=[role], password=PASSWORD, must_change=False)
    engine.dispose()  # the last to close writes the log into the file
    return path


@pytest.fixture
def crm(made, tmp_path, monkeypatch):
    shutil.copy(made, tmp_path / "crm.sqlite")
    monkeypatch.setenv("LOUPAN_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    engine = shared_engine(get_settings().crm_database_url)
    yield engine
    engine.dispose()


async def _page(request):
    return PlainTextResponse("behind")


async def _echo(websocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_bytes(await websocket.receive_bytes())
    except WebSocketDisconnect:
        pass


@pytest.fixture
def make_app(clock):
    def make(setup_token=None):
        visits = Visits(clock, lambda: clock().timestamp())
        sign_in = SignIn(visits, setup_token, clock)
        behind = [
            WebSocketRoute("/_stcore/stream", _echo),
            Route("/{path:path}", _page, methods=["GET", "POST", "PUT"]),
        ]
        return Starlette(
            routes=[*sign_in.routes(), *behind],
            middleware=[Middleware(server.SecurityHeaders), Middleware(Gate, visits=visits)],
        )

    return make


@pytest.fixture
def client(crm, make_app):
    return TestClient(make_app(), base_url=f"http://{HOST}", follow_redirects=False)


def form_of(answer):
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text)
    return {name: html.unescape(value) for name, value in fields}


def log_in(client, login="boss", password=PASSWORD, **fields):
    form = form_of(client.get("/login"))
    return client.post("/login", data={**form, "login": login, "password": password, **fields})


def stream(client, **headers):
    return client.websocket_connect(f"ws://{HOST}/_stcore/stream", headers={"origin": f"http://{HOST}", **headers})


PROTECTED = (
    "/", "/customers", "/customer?id=5", "/overview", "/static/js/index.js", "/media/abc.png", "/_stcore/host-config",
    "/_stcore/metrics", "/_stcore/health/", "/_stcore/script-health-check", "/_stcore/upload_file/a/b",
    "/component/x/y.js", "/password", "/index.html", "//", "/LOGIN", "/login/", "/login/../customers", "/oidc",
    "/surveys", "/customers/_stcore/health", "/%2e%2e/customers", "/setup/x", "/~/", "/nothing",
)  # fmt: skip


COOKIES = (None, "loupan_session=", "loupan_session=guess", "loupan_session=" + "x" * 5000)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"])
def test_nothing_is_reached_without_a_session(client, method):
    for path, cookie in itertools.product(PROTECTED, COOKIES):
        answer = client.request(method, f"http://{HOST}{path}", headers={"cookie": cookie} if cookie else {})
        assert answer.status_code == 401, path
        assert "behind" not in answer.text
        assert answer.headers["cache-control"] == "no-store"


def test_a_page_leads_to_the_login_and_back(client):
    answer = client.get("/customers?id=5&lang=zh", headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fcustomers%3Fid%3D5%26lang%3Dzh")
    form = form_of(client.get(answer.headers["location"]))
    answer = client.post("/login", data={**form, "login": "boss", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers?id=5&lang=zh")
    assert client.get("/customers").text == "behind"


def test_parts_of_pages_are_refused_and_not_led_on(client):
    for path in ("/static/js/index.js", "/_stcore/host-config"):
        assert client.get(path, headers=PAGE).status_code == 401
    assert client.get("/customers", headers=PAGE | {"sec-fetch-mode": "cors"}).status_code == 401


@pytest.mark.parametrize("path", ["/login", "/_stcore/health"])
def test_what_is_public_is_open(client, path):
    assert client.get(path).status_code == 200


def test_everything_public_is_listed():
    for path in ("/login", "/logout", "/setup", "/survey/abc", "/oidc/start", "/_stcore/health"):
        assert is_public(path)
    for path in ("/", "/survey", "/oidc", "/loginx", "/_stcore/stream", "/_stcore/health/x"):
        assert not is_public(path)
    assert is_public("/extra/x", ["/extra/"])


def test_the_start_leads_to_the_page_of_the_role(client):
    log_in(client, "li")
    answer = client.get("/?lang=zh", headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers?lang=zh")


def test_cookies_are_out_of_reach_of_scripts(client):
    answer = log_in(client)
    kept = [v for k, v in answer.headers.multi_items() if k == "set-cookie" and v.startswith("loupan_session=")]
    assert len(kept) == 1
    flags = kept[0].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert "path=/" in flags
    assert "domain" not in flags
    assert "secure" not in flags


def test_over_https_cookies_belong_to_this_host_alone(client, monkeypatch, crm, make_app):
    monkeypatch.setenv("LOUPAN_HTTPS", "1")
    get_settings.cache_clear()
    secure = TestClient(make_app(), base_url=f"https://{HOST}", follow_redirects=False)
    answer = log_in(secure)
    assert answer.status_code == 303
    kept = [v for k, v in answer.headers.multi_items() if k == "set-cookie"]
    assert kept
    assert all(cookie.startswith("__Host-") and "Secure" in cookie and "Domain" not in cookie for cookie in kept)
    assert secure.get("/customers").text == "behind"
    token = secure.cookies["__Host-loupan_session"]
    plain = TestClient(make_app(), base_url=f"https://{HOST}", follow_redirects=False)
    assert plain.get("/customers", headers={"cookie": f"loupan_session={token}"}).status_code == 401


def test_a_session_of_before_the_login_is_worth_nothing_after_it(client, crm):
    log_in(client, "li")
    first = client.cookies["loupan_session"]
    form = form_of(client.get("/logout"))
    client.post("/login", data={**form, "login": "boss", "password": PASSWORD})
    assert client.cookies["loupan_session"] != first
    assert client.get("/x", headers={"cookie": f"loupan_session={first}"}).status_code == 401


@pytest.mark.parametrize(
    "next_",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "evil",
     "\\\\evil", "/%0d%0aSet-Cookie:x", "///evil", "/\nx", "/ //evil", "", "/login?next=//evil", "/logout",
     "/" + "a" * 5000],
)  # fmt: skip
def test_the_login_leads_to_nowhere_else(client, next_):
    form = form_of(client.get("/login", params={"next": next_}))
    location = client.post("/login", data={**form, "login": "boss", "password": PASSWORD, "next": next_}).headers[
        "location"
    ]
    assert location in ("/", "/%0d%0aSet-Cookie:x")


def test_local_paths_are_kept():
    for path in ("/customers", "/customers?id=5&lang=zh", "/a/b?next=/login"):
        assert local_path(path) == path


@pytest.mark.parametrize("token", ["", "guess", None])
@pytest.mark.parametrize("path", ["/login", "/logout", "/password"])
def test_a_form_that_is_not_ours_does_nothing(client, crm, path, token):
    log_in(client)
    session = client.cookies["loupan_session"]
    form = {"login": "li", "password": PASSWORD, "password_again": PASSWORD, "old_password": PASSWORD}
    answer = client.post(path, data=form | ({} if token is None else {"form_token": token}))
    assert answer.status_code == 403
    assert client.cookies["loupan_session"] == session
    assert client.get("/x").text == "behind"


def test_a_form_of_another_browser_or_site_does_nothing(client, crm, make_app):
    other = form_of(TestClient(client.app, base_url=f"http://{HOST}").get("/login"))
    client.get("/login")
    assert client.post("/login", data={**other, "login": "boss", "password": PASSWORD}).status_code == 403
    form = form_of(client.get("/login"))
    for origin in ("https://evil.example", "null"):
        answer = client.post("/login", data={**form, "login": "boss", "password": PASSWORD}, headers={"origin": origin})
        assert answer.status_code == 403
        assert "loupan_session" not in client.cookies


@pytest.mark.parametrize("login", ["boss", "nobody", "", "x" * 3000, "'; drop table account; --", "老板"])
def test_what_was_wrong_is_not_said(client, login):
    answer = log_in(client, login, "wrong")
    assert answer.status_code == 401
    assert re.findall(r'id="error">([^<]*)', answer.text) == [
        "Login or password is wrong, or the account is locked. After several failures an account is locked for a "
        "while; an administrator can unlock it."
    ]
    assert "loupan_session" not in client.cookies


def test_what_was_typed_is_written_as_text(client):
    answer = log_in(client, '"><script>alert(1)</script>', "wrong", next='/"><script>alert(2)</script>')
    assert "<script" not in answer.text
    answer = client.get("/login", params={"next": '/"><script>', "lang": '"><script>', "x": '"><script>'})
    assert "<script" not in answer.text


def test_an_unknown_login_takes_as_long_as_a_wrong_password(client):
    def seconds(login):
        begun = time.perf_counter()
        log_in(client, login, "wrong password")
        return time.perf_counter() - begun

    seconds("nobody")
    known, unknown = (min(seconds(login) for _ in range(3)) for login in ("boss", "nobody"))
    assert 0.4 < known / unknown < 2.5


def test_many_attempts_are_slowed_down(client, monkeypatch):
    monkeypatch.setattr(accounts, "is_right", lambda *_: False)
    answers = [log_in(client, "li", "wrong") for _ in range(16)]
    assert [answer.status_code for answer in answers] == [401] * 15 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 300
    # With other logins from the same address, at last.
    answers = [log_in(client, f"x{number}", "wrong") for number in range(50)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429


def test_the_throttle_remembers_no_more_than_it_may():
    now = [0.0]
    throttle = Throttle(2, 60, names=100, clock=lambda: now[0])
    assert [throttle.attempt("a") for _ in range(3)] == [0, 0, 60]
    now[0] = 30
    assert throttle.attempt("a") == 30
    now[0] = 60
    assert throttle.attempt("a") == 0
    throttle.forgive("a")
    for number in range(10_000):
        throttle.attempt(str(number))
    assert len(throttle._attempts) == 100


def test_a_form_without_end_is_not_read(client):
    form = form_of(client.get("/login"))
    answer = client.post("/login", data={**form, "login": "boss", "password": "x" * 20_000})
    assert answer.status_code == 413
    answer = client.post("/login", content=iter([b"login=", b"x" * 100]))
    assert answer.status_code == 413


def test_logout_ends_the_session(client, crm):
    log_in(client)
    token = client.cookies["loupan_session"]
    assert client.get("/logout").status_code == 200
    assert client.get("/x").text == "behind"
    answer = client.post("/logout", data=form_of(client.get("/logout")))
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "loupan_session" not in client.cookies
    assert client.get("/x", headers={"cookie": f"loupan_session={token}"}).status_code == 401
    with sa.orm.Session(crm) as session:
        assert session.scalar(sa.select(AccountSession.ended_at).where(AccountSession.account_id == 1)) is not None


def test_a_session_ends_unused_and_with_its_time(client, clock):
    log_in(client)
    for _ in range(5):
        clock.forward(minutes=119)
        assert client.get("/x").status_code == 200
        _wait_for_the_writer(client)
    clock.forward(minutes=121)
    assert client.get("/x").status_code == 401
    log_in(client)
    for _ in range(12):
        clock.forward(minutes=59)
        assert client.get("/x").status_code == 200
        _wait_for_the_writer(client)
    clock.forward(minutes=13)
    assert client.get("/x").status_code == 401


def _wait_for_the_writer(client):
    visits = next(m for m in client.app.user_middleware if m.cls is Gate).kwargs["visits"]
    visits._writer.submit(lambda: None).result()


def test_use_is_written_down_once_a_minute(client, clock, crm):
    log_in(client)
    seen = []
    for _ in range(10):
        clock.forward(seconds=20)
        client.get("/x")
        _wait_for_the_writer(client)
        with sa.orm.Session(crm) as session:
            seen.append(session.scalar(sa.select(AccountSession.last_seen_at)))
    assert len(set(seen)) == 4


def test_a_reset_password_must_be_changed_before_anything_else(client, crm, clock):
    with writing(crm, SYSTEM, clock) as work:
        once = accounts.reset_password(work, accounts.by_login(work, "li").id)
    answer = log_in(client, "li", once)
    assert answer.headers["location"] == "/password"
    assert client.get("/customers", headers=PAGE).headers["location"] == "/password"
    assert client.get("/customers").status_code == 401
    with pytest.raises(WebSocketDisconnect), stream(client):
        pass
    token = client.cookies["loupan_session"]
    form = form_of(client.get("/password"))

    def change(old, new, again=None):
        return client.post(
            "/password",
            data={**form, "old_password": old, "password": new, "password_again": again if again is not None else new},
        )

    assert "passwords differ" in change(once, "quite another word", "quite another one").text
    assert "not right" in change("wrong", "quite another word").text
    assert "at least 12" in change(once, "short").text
    assert "the old one" in change(once, once).text
    answer = change(once, "quite another word")
    assert answer.status_code == 303
    assert client.cookies["loupan_session"] != token
    assert client.get("/x").text == "behind"
    assert client.get("/x", headers={"cookie": f"loupan_session={token}"}).status_code == 401


def test_a_websocket_needs_a_session(client):
    for cookie in ("", "loupan_session=guess"):
        with pytest.raises(WebSocketDisconnect) as refused, stream(client, cookie=cookie):
            pass
        assert refused.value.code == 1008


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", f"http://{HOST}.evil.example", "http://127.0.0.1"]
)
def test_a_websocket_of_another_site_is_refused(client, origin):
    log_in(client)
    with pytest.raises(WebSocketDisconnect), stream(client, origin=origin):
        pass


def test_a_websocket_without_origin_is_refused(client):
    log_in(client)
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"ws://{HOST}/_stcore/stream"):
        pass


def _revoke(crm, clock):
    with writing(crm, SYSTEM, clock) as work:
        sessions.revoke_all(work, 1)


def _deactivate(crm, clock):
    with sa.orm.Session(crm) as session, session.begin():
        session.execute(sa.update(Account).where(Account.id == 1).values(is_active=False))


def _expire(crm, clock):
    clock.forward(hours=13)


def _leave_unused(crm, clock):
    clock.forward(minutes=121)


@pytest.mark.parametrize("end", [_revoke, _deactivate, _expire, _leave_unused])
def test_an_open_websocket_ends_with_its_session(client, crm, clock, end):
    log_in(client)
    with stream(client) as socket:
        socket.send_bytes(b"1")
        assert socket.receive_bytes() == b"1"
        end(crm, clock)
        clock.forward(seconds=gate.BELIEVED_SECONDS)
        socket.send_bytes(b"2")
        assert ForwardMsg.FromString(socket.receive_bytes()).auth_redirect.url == "/login"
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_bytes()
        assert closed.value.code == 1008


def test_an_open_websocket_ends_by_itself(client, crm, clock, monkeypatch):
    monkeypatch.setattr(gate, "WATCH_SECONDS", 0.05)
    log_in(client)
    with stream(client) as socket:
        socket.send_bytes(b"1")
        assert socket.receive_bytes() == b"1"
        time.sleep(0.2)
        socket.send_bytes(b"2")
        assert socket.receive_bytes() == b"2"
        _revoke(crm, clock)
        clock.forward(seconds=gate.BELIEVED_SECONDS)
        assert ForwardMsg.FromString(socket.receive_bytes()).auth_redirect.url == "/login"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_bytes()


def test_the_first_administrator_is_made_once(tmp_path, monkeypatch, clock, make_app):
    monkeypatch.setenv("LOUPAN_DATA_DIR", str(tmp_path / "new"))
    get_settings.cache_clear()
    client = TestClient(make_app("the token"), base_url=f"http://{HOST}", follow_redirects=False)
    answer = client.get("/login")
    assert answer.status_code == 503
    assert "loupan crm init" in answer.text
    assert client.get("/customers").status_code == 401
    create_crm(create_engine_for(get_settings().crm_database_url))
    for token in ("", "wrong", "the token\0"):
        assert client.get("/setup", params={"token": token}).status_code == 404
    form = form_of(client.get("/setup?token=the token"))
    fields = {**form, "login": "boss", "password": "short", "password_again": "short"}
    assert "at least 12" in client.post("/setup", data=fields).text
    fields |= {"password": PASSWORD, "password_again": PASSWORD}
    assert client.post("/setup", data=fields | {"token": "wrong"}).status_code == 404
    assert client.post("/setup", data=fields | {"form_token": "x"}).status_code == 403
    answer = client.post("/setup", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.get("/x").text == "behind"
    assert client.get("/setup?token=the token").status_code == 404
    assert client.post("/setup", data=fields | {"login": "another"}).status_code == 404


def test_an_old_crm_is_said_so(client, crm):
    with crm.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '0001'")
    answer = client.get("/login")
    assert answer.status_code == 503
    assert "loupan crm migrate" in answer.text
    assert client.get("/customers").status_code == 401


def test_pages_speak_the_reader_s_language(client):
    assert '<html lang="zh-CN">' in client.get("/login", headers={"accept-language": "zh-TW,zh;q=0.9"}).text
    assert '<html lang="en">' in client.get("/login", headers={"accept-language": "fr"}).text
    assert "登录" in client.get("/login?lang=zh&next=/customers").text
    # The choice is kept, and the pages behind the login speak it, too.
    assert "登录" in client.get("/login").text
    assert log_in(client, next="/customers").headers["location"] == "/customers?lang=zh"


def test_the_headers_stay(client):
    for path in ("/login", "/customers", "/setup"):
        headers = client.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "form-action 'self'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
    assert client.get("/login").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/survey/", "/survey/x/y", "/survey/x/_stcore/metrics", "/survey//customers", "/oidc/", "/oidc/x", "/oidc/start/x",
     "/login/x", "/setup/", "/logout//"],
)  # fmt: skip
def test_what_stands_below_a_public_address_is_not_public(client, path):
    assert client.get(path).status_code == 401


def test_over_https_the_browser_is_told_to_stay_there(client, monkeypatch, make_app):
    assert "strict-transport-security" not in client.get("/login").headers
    monkeypatch.setenv("LOUPAN_HTTPS", "1")
    get_settings.cache_clear()
    secure = TestClient(make_app(), base_url=f"https://{HOST}", follow_redirects=False)
    for path in ("/login", "/customers", "/nothing"):
        assert secure.get(path).headers["strict-transport-security"] == "max-age=31536000"


def test_a_password_page_is_no_place_to_guess(client, crm, monkeypatch):
    log_in(client)
    monkeypatch.setattr(accounts, "is_right", lambda *_: False)
    form = form_of(client.get("/password"))
    fields = {**form, "old_password": "guess", "password": "quite another word", "password_again": "quite another word"}
    answers = [client.post("/password", data=fields) for _ in range(16)]
    assert [answer.status_code for answer in answers] == [400] * 15 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 300
