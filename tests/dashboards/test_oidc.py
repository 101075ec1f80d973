"""Signing in at a provider: a real one on this machine, which tells the truth, or not."""

import shutil
import time
import warnings
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from joserfc.jwk import RSAKey
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dashboards.gate import Gate, Visits
from dashboards.sign_in import SignIn
from data_entry.access import SYSTEM
from data_entry.database import create_engine_for, shared_engine
from data_entry.schema.organisation import Account
from data_entry.services import accounts
from data_entry.services.work import writing
from loupan.settings import get_settings
from tests.support.crm import create_crm
from tests.support.provider import CLIENT, SECRET, running_provider

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

    from dashboards import oidc

HOST = "127.0.0.1:8501"


@pytest.fixture(scope="module")
def running():
    with running_provider() as provider:
        yield provider


@pytest.fixture
def provider(running):
    running.claims = {"sub": "42", "email": "li@example.com", "email_verified": True}
    running.lies, running.signing_key = {}, running.key
    return running


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A CRM with two accounts, made once and copied for every test."""
    path = tmp_path_factory.mktemp("made") / "crm.sqlite"
    engine = create_engine_for(f"sqlite:///{path}")
    create_crm(engine)
    with writing(engine, SYSTEM) as work:
        accounts.create(work, "li@example.com", role_ids=[])
        accounts.create(work, "wu", role_ids=[])
    engine.dispose()  # the last to close writes the log into the file
    return path


@pytest.fixture
def crm(made, tmp_path, monkeypatch, provider):
    shutil.copy(made, tmp_path / "crm.sqlite")
    for name, value in {
        "DATA_DIR": str(tmp_path), "OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": SECRET, "OIDC_NAME": "Our own",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"LOUPAN_{name}", value)
    get_settings.cache_clear()
    engine = shared_engine(get_settings().crm_database_url)
    yield engine
    engine.dispose()


async def _page(request):
    return PlainTextResponse("behind")


@pytest.fixture
def client(crm):
    visits = Visits()
    sign_in = SignIn(visits)
    app = Starlette(
        routes=[*sign_in.routes(), *oidc.routes(sign_in), Route("/{path:path}", _page)],
        middleware=[Middleware(Gate, visits=visits), Middleware(SessionMiddleware, secret_key="key")],
    )
    return TestClient(app, base_url=f"http://{HOST}", follow_redirects=False)


def to_the_provider(client, next_="/customers"):
    answer = client.get("/oidc/start", params={"next": next_})
    assert answer.status_code == 302
    back = httpx.get(answer.headers["location"])
    assert back.status_code == 303
    assert urlsplit(back.headers["location"]).netloc == HOST
    return back.headers["location"]


def refused(client, answer):
    assert answer.status_code == 403
    assert "loupan_session" not in client.cookies
    return answer.text


def test_the_login_page_offers_it(client):
    assert "Sign in with Our own" in client.get("/login").text


def test_who_has_an_account_is_signed_in(client, crm, provider):
    answer = client.get(to_the_provider(client))
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers")
    assert client.get("/customers").text == "behind"
    # Known by the subject from now on, whatever the address.
    provider.claims = {"sub": "42"}
    client.cookies.clear()
    assert client.get(to_the_provider(client)).status_code == 303
    with Session(crm) as session:
        assert session.scalar(sa.select(Account.oidc_subject).where(Account.login != "wu")) == f"{provider.issuer} 42"


def test_a_user_name_will_do(client, provider):
    provider.claims = {"sub": "7", "preferred_username": "wu"}
    assert client.get(to_the_provider(client)).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "1"},
        {"sub": "1", "email": "li@example.com"},
        {"sub": "1", "email": "li@example.com", "email_verified": False},
        {"sub": "1", "email": "li@example.com", "email_verified": "true"},
        {"sub": "1", "email": "nobody@example.com", "email_verified": True},
        {"sub": "1", "preferred_username": ["wu"]},
        {"sub": "1", "preferred_username": ""},
    ],
)
def test_who_has_none_is_not(client, crm, provider, claims):
    provider.claims = claims
    assert "No active account" in refused(client, client.get(to_the_provider(client)))
    with Session(crm) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Account)) == 2


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "another"}, {"iss": "https://evil.example"}, {"aud": "another"}, {"sub": ""},
        {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200},
    ],
    ids=["nonce", "issuer", "audience", "subject", "expired"],
)  # fmt: skip
def test_a_token_that_does_not_fit_is_refused(client, provider, lies):
    provider.lies = lies
    assert "did not work" in refused(client, client.get(to_the_provider(client)))


def test_a_token_of_another_key_is_refused(client, provider):
    provider.signing_key = RSAKey.generate_key(2048, parameters={"kid": "k1"})
    assert "did not work" in refused(client, client.get(to_the_provider(client)))


def test_another_state_is_refused(client):
    back = to_the_provider(client)
    code = parse_qs(urlsplit(back).query)["code"][0]
    for query in (f"code={code}&state=guess", f"code={code}", "", "error=access_denied&error_description=x"):
        refused(client, client.get(f"/oidc/callback?{query}"))


def test_an_answer_is_good_once_and_in_the_browser_that_asked(client):
    back = to_the_provider(client)
    other = TestClient(client.app, base_url=f"http://{HOST}", follow_redirects=False)
    refused(other, other.get(back))
    # The code was not spent by that: the state was wrong before.
    assert client.get(back).status_code == 303
    client.cookies.delete("loupan_session")
    refused(client, client.get(back))


@pytest.mark.parametrize("next_", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_it_leads_to_nowhere_else(client, next_):
    assert client.get(to_the_provider(client, next_)).headers["location"] == "/"


def test_a_provider_that_calls_itself_otherwise_is_not_trusted(client, provider, monkeypatch):
    monkeypatch.setattr(provider, "issuer", "https://evil.example")
    assert "did not work" in refused(client, client.get("/oidc/start"))
