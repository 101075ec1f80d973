import base64
import gzip
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest
import streamlit
import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit import config

from dashboards import server
from dashboards.server import HOST, ServerError, configuration, create_app, serve
from data_entry.database import create_engine_for
from data_entry.services import accounts
from loupan.settings import get_settings
from tests.support.crm import create_crm

STATIC = Path(streamlit.__file__).parent / "static" / "static"


PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes


@dataclass
class Client:
    """Speaks plain HTTP, so that the Host header and the encoding are ours to choose."""

    port: int
    cookie: str

    def get(self, path, **headers):
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers={"Host": f"{HOST}:{self.port}", "Cookie": self.cookie} | named)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


@pytest.fixture(scope="module")
def signed_in(tmp_path_factory):
    """A CRM with one account, and the cookie of a browser that is signed in with it."""
    folder = tmp_path_factory.mktemp("crm")
    engine = create_engine_for(f"sqlite:///{folder / 'crm.sqlite'}")
    create_crm(engine)
    accounts.create_administrator(engine, "boss", "a long word indeed")
    token = accounts.sign_in(engine, "boss", "a long word indeed").token
    return folder, f"loupan_session={token}"


@pytest.fixture(autouse=True)
def _crm(signed_in, monkeypatch, _own_data_dir):
    monkeypatch.setenv("LOUPAN_DATA_DIR", str(signed_in[0]))
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def client(signed_in):
    listener = socket.socket()
    listener.bind((HOST, 0))
    running = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not running.started and thread.is_alive():
        time.sleep(0.02)
    yield Client(listener.getsockname()[1], signed_in[1])
    running.should_exit = True
    thread.join(timeout=20)
    listener.close()


def test_our_options_are_in_force(client):
    options = configuration()
    assert len(options) > 30
    assert {name: config.get_option(name) for name in options} == options
    assert config.get_option("browser.gatherUsageStats") is False


def test_options_do_not_depend_on_the_working_folder(tmp_path):
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("[browser]\ngatherUsageStats = true\n")
    code = (
        "from dashboards.server import create_app; create_app(); "
        "from streamlit import config; print(config.get_option('browser.gatherUsageStats'))"
    )
    home = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=home, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_start_without_our_options_is_refused(monkeypatch, tmp_path, client):
    other = tmp_path / "config.toml"
    other.write_text("[browser]\ngatherUsageStats = true\n")
    monkeypatch.setattr(server, "CONFIGURATION", other)
    with pytest.raises(ServerError, match=r"browser\.gatherUsageStats is False instead of True"):
        create_app()


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/static/nothing.js", "/conversion"])
def test_every_answer_carries_the_security_headers(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_a_page_of_figures_names_the_chart_library(client):
    (address,) = re.findall(r"<(.+)>; rel=preload", client.get("/conversion", Accept=PAGE).headers["link"])
    library = client.get(address)
    assert library.status == 200
    assert b"plotly.js v" in library.content
    assert "link" not in client.get("/customers", Accept=PAGE).headers
    assert "link" not in replace(client, cookie="").get("/conversion", Accept=PAGE).headers, "leads to the login page"


def test_the_page_is_told_where_its_server_is_and_runs_nothing_else(client):
    for encoding in ("gzip", "identity"):
        answer = client.get("/customers", Accept=PAGE, Accept_Encoding=encoding, If_None_Match='"anything"')
        assert answer.status == 200
        assert len(answer.content) == int(answer.headers["content-length"])
        assert {"etag", "last-modified"}.isdisjoint(answer.headers)
        scripts = re.findall(r"<script>(.*?)</script>", answer.content.decode(), re.DOTALL)
        assert "BACKEND_BASE_URL: location.origin" in scripts[0]
        allowed = [f"'sha256-{base64.b64encode(sha256(s.encode()).digest()).decode()}'" for s in scripts]
        policy = answer.headers["content-security-policy"]
        assert all(source in policy for source in allowed)
        assert policy.count("'sha256-") == len(scripts) == 2
    # Whoever asks for no page gets Streamlit's answers as they are.
    assert b"BACKEND_BASE_URL" not in client.get("/customers").content


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.5:8501", "[::1]"])
def test_another_host_name_is_refused(client, host):
    assert client.get("/", Host=host).status == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8501"])
def test_this_machine_is_served(client, host):
    assert client.get("/home", Host=host).status == 200


@pytest.mark.parametrize(("host", "status"), [("evil.example", 400), (f"{HOST}:8501", 101)])
def test_a_websocket_is_opened_for_this_machine_only(client, host, status):
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Origin": f"http://{host}",
        "Cookie": client.cookie,
    }
    with socket.create_connection((HOST, client.port), timeout=20) as connection:
        lines = ["GET /_stcore/stream HTTP/1.1", f"Host: {host}", *(f"{k}: {v}" for k, v in upgrade.items()), "", ""]
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(200).split()[1] == str(status).encode()


def test_a_page_of_another_site_opens_no_websocket(client):
    answer = client.get(
        "/_stcore/stream",
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
        Origin="https://evil.example",
    )
    assert answer.status == 403


def test_assets_are_compressed_and_whole(client):
    script = max((STATIC / "js").iterdir(), key=lambda path: path.stat().st_size)
    path = f"/static/js/{script.name}"
    for _ in range(2):
        small = client.get(path, Accept_Encoding="gzip")
        assert small.headers["content-encoding"] == "gzip"
        assert int(small.headers["content-length"]) == len(small.content) < script.stat().st_size / 2
        assert gzip.decompress(small.content) == script.read_bytes()
        assert "immutable" in small.headers["cache-control"]
        assert "accept-encoding" in small.headers["vary"].lower()
    plain = client.get(path)
    assert "content-encoding" not in plain.headers
    assert plain.content == script.read_bytes()


def test_a_browser_that_has_the_asset_still_gets_a_whole_one(client):
    script = next((STATIC / "js").glob("*.js"))
    etag = client.get(f"/static/js/{script.name}").headers["etag"]
    answer = client.get(f"/static/js/{script.name}", Accept_Encoding="gzip", If_None_Match=etag, Range="bytes=0-9")
    assert gzip.decompress(answer.content) == script.read_bytes()


def test_who_leaves_before_the_end_spoils_the_asset_for_nobody(client):
    for script in sorted((STATIC / "js").glob("*.js"), key=lambda path: path.stat().st_size)[-5:]:
        path = f"/static/js/{script.name}"
        request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{client.port}\r\nCookie: {client.cookie}\r\n"
        with socket.create_connection((HOST, client.port), timeout=20) as connection:
            connection.sendall(f"{request}Accept-Encoding: gzip\r\n\r\n".encode())
        assert gzip.decompress(client.get(path, Accept_Encoding="gzip").content) == script.read_bytes()


def test_fonts_are_left_as_they_are(client):
    font = next((STATIC / "media").glob("*.woff2"))
    answer = client.get(f"/static/media/{font.name}", Accept_Encoding="gzip")
    assert "content-encoding" not in answer.headers
    assert answer.content == font.read_bytes()


def test_names_of_the_settings_are_served(monkeypatch):
    monkeypatch.setenv("LOUPAN_HOSTS", "loupan.example, *.loupan.example")
    get_settings.cache_clear()
    before = config.get_option("server.allowedHosts")
    try:
        app = create_app()
        names = [HOST, "localhost", "loupan.example", "*.loupan.example"]
        assert config.get_option("server.allowedHosts") == names
        (guard,) = (middleware for middleware in app._user_middleware if middleware.cls is TrustedHostMiddleware)
        assert guard.kwargs["allowed_hosts"] == names
    finally:
        config.set_option("server.allowedHosts", before)


def test_a_taken_port_is_said_so(tmp_path):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(ServerError, match="--port"):
            serve(taken.getsockname()[1])


def test_over_https_no_cookie_travels_in_the_clear(client, monkeypatch):
    monkeypatch.setenv("LOUPAN_HTTPS", "1")
    get_settings.cache_clear()
    secure = replace(client, cookie=f"__Host-{client.cookie}")
    for path in ("/_stcore/health", "/_stcore/host-config", "/login", "/customers"):
        headers = secure.get(path, Accept=PAGE).headers
        assert "max-age=" in headers["strict-transport-security"]
        assert "secure" in headers.get("set-cookie", "secure").lower()
    assert "_streamlit_xsrf" in secure.get("/_stcore/health").headers["set-cookie"]


@pytest.mark.parametrize("path", ["/customers", "/login", "/media/nothing.csv", "/files/1", "/data-docs/", "/nothing"])
def test_private_answers_are_kept_nowhere(client, path):
    assert re.search("no-store|no-cache", client.get(path, Accept=PAGE).headers["cache-control"])


def test_a_refused_host_is_told_no_less(client):
    refused = client.get("/", Host="evil.example")
    assert refused.status == 400
    assert "default-src 'self'" in refused.headers["content-security-policy"]
