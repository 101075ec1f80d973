"""What watches the service is told how it stands; strangers learn no more than that it does."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection

from dashboards import condition, health, telemetry
from dashboards.gate import Gate, Visits
from dashboards.local import is_local
from dashboards.sign_in import SignIn
from data_entry.database import create_engine_for
from data_entry.services import accounts
from data_entry.services.backup import create as create_backup
from loupan.settings import get_settings
from loupan.snapshot import current
from tests.support.crm import create_crm
from tests.support.installation import empty_installation

TOKEN = "a-token-of-some-length"
Get = Callable[..., httpx.Response]


def _app() -> Starlette:
    """The routes behind the gate, without Streamlit, of which a process has one."""
    visits = Visits()
    routes = [*SignIn(visits).routes(), *health.routes(), *telemetry.routes()]
    counting = Middleware(telemetry.Telemetry, known=frozenset({"login", "healthz", "readyz", "metrics"}))
    return Starlette(routes=routes, middleware=[counting, Middleware(Gate, visits=visits)])


def _ask(path: str, client: str = "127.0.0.1", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.ASGITransport(_app(), client=(client, 5000))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8501") as browser:
            return await browser.get(path, headers=named)

    return asyncio.run(ask())


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A published company, in a folder of its own."""
    folder = shutil.copytree(empty_installation(), tmp_path / "company")
    monkeypatch.setenv("LOUPAN_DATA_DIR", str(folder))
    get_settings.cache_clear()
    return folder


def _connection(host: str, client: str | None, **headers: str) -> HTTPConnection:
    listed = [(b"host", host.encode()), *((n.replace("_", "-").encode(), v.encode()) for n, v in headers.items())]
    return HTTPConnection({"type": "http", "headers": listed, "client": (client, 1) if client else None})


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        (_connection("127.0.0.1:8501", "127.0.0.1"), True),
        (_connection("localhost", "127.0.0.1"), True),
        (_connection("[::1]:8501", "::1"), True),
        (_connection("crm.example.com", "127.0.0.1"), False),
        (_connection("127.0.0.1", "192.0.2.7"), False),
        (_connection("127.0.0.1", "127.0.0.1", x_forwarded_for="192.0.2.7"), False),
        (_connection("127.0.0.1", "127.0.0.1", forwarded="for=192.0.2.7"), False),
        (_connection("127.0.0.1", None), False),
        (_connection("127.0.0.1", "testclient"), False),
        (_connection("localhost.example.com", "127.0.0.1"), False),
    ],
)
def test_who_is_on_this_machine(connection: HTTPConnection, expected: bool) -> None:
    assert is_local(connection) is expected


def test_health_needs_nothing() -> None:
    answer = _ask("/healthz", client="192.0.2.7", host="127.0.0.1")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_a_good_installation_is_ready(installation: Path) -> None:
    answer = _ask("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "parts": {"crm": "good", "snapshot": "good", "freshness": "good"}}
    assert answer.headers["cache-control"] == "no-store"


def test_without_a_crm_and_a_snapshot_it_says_what_is_missing_to_those_who_may_know() -> None:
    answer = _ask("/readyz")
    assert answer.status_code == 503
    parts = answer.json()["parts"]
    assert "loupan crm init" in parts["crm"]
    assert "loupan refresh" in parts["snapshot"]
    assert _ask("/readyz", client="192.0.2.7").json() == {"ready": False}
    assert _ask("/readyz", x_forwarded_for="192.0.2.7").json() == {"ready": False}


def test_old_and_damaged_snapshots_are_not_ready(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPAN_FRESH_HOURS", "26")
    get_settings.cache_clear()
    snapshot = current(get_settings()).path
    old = dt.datetime.now(dt.UTC) - dt.timedelta(hours=27)
    renamed = snapshot.with_name(old.strftime("%Y%m%dT%H%M%S%fZ"))
    snapshot.rename(renamed)
    (installation / "snapshots" / "CURRENT").write_text(renamed.name)
    answer = _ask("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["freshness"] == "The data is 27.0 h old; 26 h are promised."
    assert answer.json()["parts"]["snapshot"] == "good"
    os.truncate(renamed / "marts.duckdb", 1000)
    parts = _ask("/readyz").json()["parts"]
    assert "marts.duckdb" in parts["snapshot"]
    assert "freshness" not in parts


def test_who_may_see_the_page_of_the_data_is_told_the_reasons() -> None:
    engine = create_engine_for(get_settings().crm_database_url)
    create_crm(engine)
    accounts.create_administrator(engine, "boss", "a long word indeed")
    token = accounts.sign_in(engine, "boss", "a long word indeed").token
    told = _ask("/readyz", client="192.0.2.7", cookie=f"loupan_session={token}").json()
    assert told["parts"]["crm"] == "good"
    assert "parts" not in _ask("/readyz", client="192.0.2.7", cookie="loupan_session=other").json()


def test_asking_often_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    monkeypatch.setattr(condition, "check", lambda settings, now: looked.append(now) or [])
    found = health._Found()
    for _ in range(50):
        found.parts()
    assert len(looked) == 1
    monkeypatch.setattr(time, "monotonic", lambda: 1e12)
    found.parts()
    assert len(looked) == 2


def test_metrics_are_for_this_machine_and_who_brings_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ask("/metrics").status_code == 200
    assert _ask("/metrics", client="192.0.2.7").status_code == 404
    assert _ask("/metrics", client="192.0.2.7", authorization="Bearer ").status_code == 404
    monkeypatch.setenv("LOUPAN_METRICS_TOKEN", TOKEN)
    get_settings.cache_clear()
    assert _ask("/metrics", client="192.0.2.7", authorization="Bearer wrong").status_code == 404
    assert _ask("/metrics", client="192.0.2.7", authorization=f"Basic {TOKEN}").status_code == 404
    assert _ask("/metrics", client="192.0.2.7", authorization=f"Bearer {TOKEN}").status_code == 200


def _metrics() -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    answer = _ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        family.name: {frozenset(sample.labels.items()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


def test_metrics_tell_how_the_installation_does(installation: Path) -> None:
    create_backup(create_engine_for(get_settings().crm_database_url), get_settings())
    _ask("/login?next=/lead-list%3Fsearch%3D13812345678")
    _ask("/陈小明/13812345678")
    metrics = _metrics()
    nothing: frozenset[tuple[str, str]] = frozenset()
    state = json.loads((installation / "last_refresh.json").read_text())
    assert metrics["loupan_snapshot_up"][nothing] == 1
    assert metrics["loupan_snapshot_age_seconds"][nothing] > 0
    assert frozenset({("version", state["version"])}) in metrics["loupan_snapshot_info"]
    assert metrics["loupan_snapshot_rows"][nothing] == sum(state["rows"].values())
    assert metrics["loupan_refresh_outcome"] == {
        frozenset({("outcome", outcome)}): float(outcome == "published")
        for outcome in ("published", "unchanged", "refused", "error")
    }
    assert metrics["loupan_refresh_seconds"][nothing] > 0
    assert metrics["loupan_refresh_failed_checks"][nothing] == 0
    assert 0 <= metrics["loupan_backup_age_seconds"][nothing] < 600
    assert metrics["loupan_sessions"][nothing] == 0
    assert metrics["loupan_crm_up"][nothing] == 1
    assert metrics["loupan_disk_free_bytes"][nothing] > 0
    assert metrics["process_resident_memory_bytes"][nothing] > 1e6
    counted = metrics["loupan_http_requests"]
    assert counted[frozenset({("route", "login"), ("status", "200")})] >= 1
    assert frozenset({("route", "other"), ("status", "401")}) in counted
    text = _ask("/metrics").text
    assert "13812345678" not in text
    assert "陈小明" not in text


def test_metrics_of_an_installation_without_anything() -> None:
    metrics = _metrics()
    assert metrics["loupan_snapshot_up"][frozenset()] == 0
    assert metrics["loupan_crm_up"][frozenset()] == 0
    assert "loupan_sessions" not in metrics
    assert "loupan_backup_age_seconds" not in metrics


def test_page_runs_are_measured_also_when_they_end_early() -> None:
    before = telemetry.REGISTRY.get_sample_value("loupan_page_run_seconds_count", {"page": "sales"}) or 0
    with pytest.raises(ZeroDivisionError), telemetry.page_run("sales"):
        1 / 0  # noqa: B018
    assert telemetry.REGISTRY.get_sample_value("loupan_page_run_seconds_count", {"page": "sales"}) == before + 1
