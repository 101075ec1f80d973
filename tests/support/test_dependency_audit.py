"""The dependency audit against a service of advisories of its own: pip-audit runs, and what it says is understood."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.dependency_audit import audit, verdict

FLAW = {
    "id": "PYSEC-2026-1", "summary": "A flaw", "details": "A flaw", "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "rotten", "ecosystem": "PyPI"}, "versions": ["1.0"],
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}  # fmt: skip


class _Advisories(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = {"vulns": [FLAW]} if asked["package"]["name"] == "rotten" else {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Advisories)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    path = tmp_path / "run.txt"
    path.write_text("fresh==2.0\n    # via nothing\nrotten==1.0\n")
    return path


def test_a_known_vulnerability_fails_and_is_named(service: str, locked: Path) -> None:
    code, said = audit(locked, "-s", "osv", "--osv-url", service)
    assert code == 1
    assert "rotten 1.0: PYSEC-2026-1, mended in 1.1" in said
    assert "fresh" not in said


def test_without_one_it_says_so(service: str, tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_text("fresh==2.0\n")
    assert audit(path, "-s", "osv", "--osv-url", service) == (
        0, "Dependency audit: 1 packages without known vulnerability.",
    )  # fmt: skip


def test_a_service_that_is_not_there_is_no_all_clear(locked: Path) -> None:
    code, said = audit(locked, "-s", "osv", "--osv-url", "http://127.0.0.1:9/v1/query")
    assert code == 0
    assert said == "Dependency audit not possible: the service of advisories cannot be reached."


def test_a_lock_file_that_is_none_is_an_error_without_addresses(tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_text("fresh>=2\n")
    code, said = audit(path)
    assert code == 2
    assert "fresh" in said
    assert "://" not in said


def test_packages_that_the_service_does_not_know_are_told() -> None:
    skipped = [{"name": f"p{n}", "skip_reason": "Dependency not found"} for n in range(7)]
    assert verdict(skipped) == (
        0, "Dependency audit not possible: none of 7 packages is known to the service of advisories.",
    )  # fmt: skip
    code, said = verdict([*skipped, {"name": "fresh", "version": "2.0", "vulns": []}])
    assert (code, said) == (
        0, "Dependency audit: 1 packages without known vulnerability; not looked at: p0, p1, p2, p3, p4 …",
    )  # fmt: skip
    flaw = {"id": "X-1", "fix_versions": []}
    assert verdict([*skipped, {"name": "rotten", "version": "1.0", "vulns": [flaw]}])[0] == 1
