"""Data Docs and dbt's documentation: for whom they are, and that an address leads to no other file."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboards import documentation
from data_entry.database import create_engine_for
from data_entry.services import sessions
from data_entry.services.work import writing
from loupan.settings import get_settings
from tests.data_entry.services.people import hire
from tests.support.crm import create_crm

PAGE = "<!DOCTYPE html><script>one()</script><script defer>two()</script>"
# printf %s 'one()' | openssl dgst -sha256 -binary | base64
ONE = "'sha256-HR7iaask9daLMRRskMI++QeJtjWDOjyPA6lGzYGzKW4='"


@pytest.fixture
def get():
    """Ask for an address as an account of a role; without one, as nobody."""
    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    create_crm(engine)
    for site in (settings.data_docs_dir, settings.dbt_docs_dir):
        (site / "results").mkdir(parents=True)
        (site / "index.html").write_text(PAGE)
        (site / "results" / "lead.json").write_text("{}")
    (settings.dbt_docs_dir / "manifest.json").write_text('{"nodes": {}}')
    (settings.data_dir / "last_refresh.json").write_text("{}")
    tokens = {}
    for role in ("data", "sales"):
        account = hire(engine, role, role)
        with writing(engine, account) as work:
            tokens[role] = sessions.begin(work, account, "password", None, None)
    client = TestClient(Starlette(routes=documentation.routes()), follow_redirects=False)

    def ask(path, role="data", language="en"):
        headers = {"accept-language": language}
        if role:
            headers["cookie"] = f"loupan_session={tokens[role]}"
        return client.get(path, headers=headers)

    return ask


@pytest.mark.parametrize("site", ["/data-docs", "/dbt-docs"])
def test_only_who_may_open_the_data_status_reads_them(get, site):
    answer = get(f"{site}/")
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert get(f"{site}/", role="sales").status_code == 403
    assert get(f"{site}/", role=None).status_code == 403
    assert "无权" in get(f"{site}/", role="sales", language="zh-CN").text
    assert get(f"{site}/index.html").text == PAGE
    # Beside the page lie its files: its address ends with a slash.
    assert get(site).headers["location"] == f"{site}/"


def test_files_have_their_types(get):
    answer = get("/dbt-docs/manifest.json?cb=1")
    assert (answer.headers["content-type"], answer.json()) == ("application/json", {"nodes": {}})


@pytest.mark.parametrize(
    "name",
    [
        "../last_refresh.json", "..%2flast_refresh.json", "%2e%2e/last_refresh.json", "%2e%2e%2f%2e%2e%2fetc/passwd",
        "results/lead.json", "/etc/passwd", "index.html/", "index.html%00.json", "INDEX.HTML",
        "..\\last_refresh.json", "manifest.json",
    ],
)  # fmt: skip
def test_no_address_leads_to_another_file(get, name):
    assert get(f"/data-docs/{name}").status_code == 404


def test_what_is_not_written_yet_is_said_so(get):
    answer = get("/dbt-docs/catalog.json")
    assert answer.status_code == 404
    assert "next refresh" in answer.text


def test_a_page_runs_its_own_scripts_and_asks_no_other_host(get):
    policy = dict(
        part.strip().split(" ", 1) for part in get("/dbt-docs/").headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert ONE in policy["script-src"]
    assert len(policy["script-src"].split()) == 2
    assert not [source for sources in policy.values() for source in sources.split() if "unsafe-eval" in source]
    of_data = get("/dbt-docs/manifest.json").headers["content-security-policy"]
    assert "script-src 'none'" in of_data
