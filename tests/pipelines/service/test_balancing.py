"""HAProxy with our configuration, before small servers in the processes' place: who is led where."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from loupan.settings import Settings
from pipelines.service import balancer
from pipelines.service.place import Place, ServiceError, place_of

NAMES = ("web-1", "web-2", "web-3")


class _Server(socketserver.ThreadingUnixStreamServer):
    """Answers with its name, and with who asked; counts what it was asked, and may break off in the middle."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.name, self.breaks_off = path.stem, False
        self.asked: Counter[str] = Counter()
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path != "/healthz":
            self.server.asked[self.command] += 1
            if self.server.breaks_off:
                self.close_connection = True
                return
        self.send_response(200)
        body = f"{self.server.name} {self.headers['x-loupan-client']}".encode()
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Balanced:
    """HAProxy and what stands behind it."""

    def __init__(self, place: Place, port: int) -> None:
        self.place, self.address = place, f"http://127.0.0.1:{port}"
        self.orders, self.client = balancer.Orders(place), httpx.Client(timeout=30)
        self.servers = {name: _Server(place.worker_socket(name)) for name in NAMES}

    def ask(self, session: str = "", *, cookie: str = "loupan_session", method: str = "GET", **headers: str) -> str:
        """Return the name of the process that answered, and whom it saw."""
        brought = {**headers, **({"cookie": f"{cookie}={session}"} if session else {})}
        answer = self.client.request(method, self.address, headers=brought)
        return answer.text if answer.status_code == 200 else str(answer.status_code)

    def process(self, session: str = "", **options: str) -> str:
        return self.ask(session, **options).partition(" ")[0]

    def end(self, name: str) -> None:
        self.servers.pop(name).end()
        self.place.worker_socket(name).unlink()

    def begin(self, name: str) -> None:
        self.servers[name] = _Server(self.place.worker_socket(name))
        assert self.orders.wait_until_up(name, 30)


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    try:
        program = balancer.executable(3)
    except ServiceError:
        pytest.skip("haproxy is not installed: see tests/support/system_packages.sh")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = place_of(Settings(data_dir=tmp_path))
    place.make()
    place.starting_page.write_bytes(balancer.starting_page().encode())
    place.balancer_configuration.write_text(balancer.configuration(place, "127.0.0.1", port, NAMES, 12))
    site = Balanced(place, port)
    with subprocess.Popen(
        [program, "-db", "-f", str(place.balancer_configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            deadline = time.monotonic() + 30
            while not place.balancer_socket.exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            for name in NAMES:
                assert site.orders.wait_until_up(name, 30)
            yield site
        finally:
            running.terminate()
            for server in site.servers.values():
                server.end()


def test_a_session_stays_where_it_is(balanced: Balanced) -> None:
    sessions = {f"token {number}": balanced.process(f"token {number}") for number in range(60)}
    assert set(sessions.values()) == set(NAMES)
    assert {session: balanced.process(session) for session in sessions} == sessions
    # Over HTTPS the cookie is called otherwise; the session is the same.
    assert {session: balanced.process(session, cookie="__Host-loupan_session") for session in sessions} == sessions
    # Who is not signed in goes round.
    assert {balanced.process() for _ in range(6)} == set(NAMES)
    # The balancer's own memory holds no token.
    table = balanced.orders._tell("show table workers")
    assert ("used:60" in table, "token" in table.replace("table", "")) == (True, False)


def test_whose_process_is_gone_moves_and_stays(balanced: Balanced) -> None:
    sessions = {f"token {number}": balanced.process(f"token {number}") for number in range(30)}
    balanced.end("web-1")
    moved = {session: balanced.process(session) for session in sessions}
    assert "web-1" not in moved.values()
    assert {s: p for s, p in moved.items() if sessions[s] != "web-1"} == {
        s: p for s, p in sessions.items() if p != "web-1"
    }
    balanced.begin("web-1")
    assert {session: balanced.process(session) for session in sessions} == moved


def test_a_closed_process_is_asked_no_more(balanced: Balanced) -> None:
    balanced.orders.close("web-2")
    assert balanced.orders.states()["web-2"] == "MAINT"
    assert {balanced.process(f"token {number}") for number in range(30)} == {"web-1", "web-3"}
    balanced.orders.open("web-2")
    assert balanced.orders.wait_until_up("web-2", 30)
    assert "web-2" in {balanced.process(f"other {number}") for number in range(40)}


def test_what_changes_something_is_not_asked_for_twice(balanced: Balanced) -> None:
    session = next(f"token {n}" for n in range(50) if balanced.process(f"token {n}") == "web-1")
    first = balanced.servers["web-1"]
    first.asked.clear()
    first.breaks_off = True
    # The first request of its connection: a later one is answered by closing it, as the process itself would.
    balanced.client = httpx.Client(timeout=30)
    assert balanced.ask(session, method="POST") == "502"
    assert first.asked == {"POST": 1}
    others = [balanced.servers[name] for name in ("web-2", "web-3")]
    assert not any(server.asked["POST"] for server in others)
    # Looking may be tried elsewhere.
    assert balanced.process(session) in ("web-2", "web-3")


def test_nobody_says_who_asks(balanced: Balanced) -> None:
    _, seen = balanced.ask(**{"x-loupan-client": "203.0.113.9:1"}).split()
    assert seen.startswith("127.0.0.1:")


def test_without_any_process_it_asks_for_patience(balanced: Balanced) -> None:
    for name in NAMES:
        balanced.end(name)
    answer = httpx.get(balanced.address, timeout=60)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert "Loupan is starting." in answer.text
    assert "正在启动" in answer.text
    with pytest.raises(ServiceError, match=r"The balancer does not answer at .*service logs balancer"):
        balancer.Orders(place_of(Settings(data_dir=balanced.place.folder))).states()
