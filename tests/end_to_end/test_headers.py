"""The headers as Chromium keeps them: what a script, another page, or an uploaded file can do here, and cannot."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.installation import data_dir_at

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

HARM = b"<!doctype html><script>window.pwned = 1; document.title = 'harm'</script><b>harm</b>"


class _Elsewhere(BaseHTTPRequestHandler):
    """Another site: it answers anything, lets anybody read it, and writes down what it was asked."""

    def __init__(self, asked, *arguments):
        self.asked = asked
        super().__init__(*arguments)

    def do_GET(self):
        self.asked.append(self.path)
        is_script = self.path.startswith("/script")
        body = b"window.pwned = 1" if is_script else HARM
        self.send_response(200)
        self.send_header("content-type", "text/javascript" if is_script else "text/html")
        self.send_header("access-control-allow-origin", "*")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def elsewhere():
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Elsewhere, asked))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(context_of, office):
    """A page of its own of somebody who is signed in."""
    page = context_of(office, "admin").new_page()
    page.add_init_script(
        "window.violations = []; document.addEventListener('securitypolicyviolation', "
        "e => window.violations.push(e.effectiveDirective));"
    )
    yield page
    page.close()


# Each tries to run or to send something; what of it the policy stops is told by the directive.
ATTEMPTS = {
    "an inline script": (
        "() => { const s = document.createElement('script'); s.textContent = 'window.pwned = 1'; "
        "document.body.append(s) }",
        "script-src-elem",
    ),
    "a handler in an attribute": (
        "() => document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"window.pwned = 1\">')",
        "script-src-attr",
    ),
    "a link that is a script": (
        "() => { const a = document.createElement('a'); a.href = 'javascript:window.pwned=1'; document.body.append(a); "
        "a.click() }",
        "script-src-elem",
    ),
    "a text that is run": (
        "() => { const s = document.createElement('script'); s.src = 'data:text/javascript,window.pwned=1'; "
        "document.body.append(s) }",
        "script-src-elem",
    ),
    "a script of another site": (
        "place => { const s = document.createElement('script'); s.src = place + '/script.js'; "
        "document.body.append(s) }",
        "script-src-elem",
    ),
    "a picture of another site": (
        "place => { const i = document.createElement('img'); i.src = place + '/i.png'; document.body.append(i) }",
        "img-src",
    ),
    "a style of another site": (
        "place => { const l = document.createElement('link'); l.rel = 'stylesheet'; l.href = place + '/s.css'; "
        "document.head.append(l) }",
        "style-src-elem",
    ),
    "data sent elsewhere": ("place => { fetch(place + '/stolen', {mode: 'no-cors'}).catch(() => {}) }", "connect-src"),
    "a socket elsewhere": ("place => { new WebSocket(place.replace('http', 'ws')) }", "connect-src"),
    "a form sent elsewhere": (
        "place => { const f = document.createElement('form'); f.method = 'post'; f.action = place + '/form'; "
        "document.body.append(f); f.submit() }",
        "form-action",
    ),
    "a frame of another site": (
        "place => { const f = document.createElement('iframe'); f.src = place + '/frame'; document.body.append(f) }",
        "frame-src",
    ),
    "an object": (
        "place => { const o = document.createElement('object'); o.data = place + '/o'; document.body.append(o) }",
        "object-src",
    ),
    "another base": (
        "place => { const b = document.createElement('base'); b.href = place; document.head.append(b) }", "base-uri",
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", ["account?lang=en", "logout?lang=en"])
def test_no_script_gets_in_or_out(page, office, elsewhere, path):
    place, asked = elsewhere
    asked.clear()
    page.goto(f"{office}/{path}")
    page.wait_for_load_state()
    stopped = {}
    for name, (attempt, directive) in ATTEMPTS.items():
        before = page.evaluate("window.violations.length")
        page.evaluate(attempt, place)
        page.wait_for_function("count => window.violations.length > count", arg=before, timeout=10_000)
        stopped[name] = page.evaluate(f"window.violations.slice({before})")
        assert directive in stopped[name], name
    assert page.evaluate("window.pwned") is None
    assert asked == []
    # A session is no script's to read, nor what ties forms to it.
    assert "loupan_session" not in page.evaluate("document.cookie")
    assert "loupan_form" not in page.evaluate("document.cookie")
    kept = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert kept["loupan_session"]["httpOnly"]
    assert kept["loupan_session"]["sameSite"] == "Lax"


def test_no_other_page_frames_or_reads_us(page, office, elsewhere):
    place, _ = elsewhere
    page.goto(f"{place}/page")
    for path in ("login", "account", "data-docs/"):
        page.evaluate(
            "address => new Promise(done => { const f = document.createElement('iframe'); f.src = address; "
            "f.onload = f.onerror = done; document.body.append(f) })",
            f"{office}/{path}",
        )
    frames = [frame for frame in page.frames if frame != page.main_frame]
    assert len(frames) == 3
    assert all(frame.url.startswith("chrome-error://") for frame in frames), "the browser shows none of them"
    for path in ("account", "_stcore/host-config", "files/1", "login"):
        read = page.evaluate(
            "address => fetch(address, {credentials: 'include'}).then(a => a.text()).catch(e => null)",
            f"{office}/{path}",
        )
        assert read is None, path
    opened = page.evaluate(
        "address => new Promise(done => { const s = new WebSocket(address); s.onopen = () => done('open'); "
        "s.onerror = () => done('refused') })",
        f"{office.replace('http', 'ws')}/_stcore/stream",
    )
    assert opened == "refused"
    # A form of that page brings the cookie along where it may; it is refused all the same.
    with page.expect_navigation() as sent:
        page.evaluate(
            "address => { const f = document.createElement('form'); f.method = 'post'; f.action = address; "
            "document.body.append(f); f.submit() }",
            f"{office}/logout",
        )
    assert sent.value.status == 403
    page.goto(f"{office}/logout")
    assert page.get_by_role("button", name="Sign out").count() == 1, "still signed in"


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "text/plain", "application/xhtml+xml"])
def test_a_file_is_saved_and_never_shown_in_our_origin(page, office, media_type):
    # Past the service, which takes no such file: what an older version, or a restored backup, may have let in.
    folder = data_dir_at(office)
    digest = sha256(HARM).hexdigest()
    kept = folder / "attachments" / digest[:2] / digest[2:4] / digest
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(HARM)
    name = 'harm".html\r\nset-cookie: a=b'
    with closing(sqlite3.connect(folder / "crm.sqlite", timeout=30)) as crm:
        key = crm.execute(
            "INSERT INTO attachment (entity, entity_id, file_name, media_type, byte_count, sha256) "
            "SELECT 'demand', min(id), ?, ?, ?, ? FROM demand WHERE deleted_at IS NULL RETURNING id",
            (name, media_type, len(HARM), digest),
        ).fetchone()[0]
        crm.commit()
    page.goto(f"{office}/login")
    answer = page.request.get(f"{office}/files/{key}")
    assert answer.status == 200
    assert answer.body() == HARM
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "set-cookie" not in answer.headers
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]
    part = page.request.get(f"{office}/files/{key}", headers={"range": "bytes=0-3"})
    assert part.body() in (HARM, HARM[:4])
    with page.expect_download() as saved, pytest.raises(playwright_api.Error, match="Download is starting"):
        page.goto(f"{office}/files/{key}")
    assert "\n" not in saved.value.suggested_filename
    assert page.title() != "harm"
    with closing(sqlite3.connect(folder / "crm.sqlite", timeout=30)) as crm:
        crm.execute("DELETE FROM attachment WHERE id = ?", (key,))
        crm.commit()
