"""The gate: nothing behind it is reached without a valid session, neither by HTTP nor by websocket.

An open websocket is asked for its session with every message and every few seconds, so it ends with the session.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import sqlalchemy as sa
from anyio import to_thread
from sqlalchemy.orm import Session
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from dashboards import cookies
from dashboards.limits import Limits, too_many
from data_entry.access import SYSTEM
from data_entry.database import DatabaseError, head_version, schema_version, shared_engine
from data_entry.services import accounts, sessions
from data_entry.services.work import Clock, reading, utc_now
from loupan.errors import LoupanError
from loupan.i18n import marked
from loupan.settings import get_settings

# Open to everybody; what ends with / stands for one more part behind it, and not for what stands below that: Streamlit
# would answer there.
PUBLIC = (
    "/login", "/logout", "/setup", "/oidc/start", "/oidc/callback", "/survey/", "/favicon.ico", "/_stcore/health",
    "/healthz", "/readyz", "/metrics",  # what strangers learn there is for `dashboards.local` to say
)  # fmt: skip
NEW_PASSWORD = "/password"  # noqa: S105 - an address
# A session that was found valid is believed this long, so that a page's fifty requests do not ask fifty times.
BELIEVED_SECONDS = 5.0
WATCH_SECONDS = 15.0
# Parts of pages, which no person opens by themselves.
_PARTS = ("/_stcore/", "/static/", "/media/", "/component/")
_POLICY_VIOLATION = 1008
_REMEMBERED = 10_000
# A CRM found at the right version is not looked at again for a while: that takes longer than most requests.
_READY_SECONDS = 60.0
_READY: dict[str, float] = {}


class CrmNotReady(LoupanError):
    """There is no CRM to sign in to; the message says what to run."""


def ready_engine() -> sa.Engine:
    """Return the CRM, which must stand at the version of this program.

    Raises:
        CrmNotReady: with the command that mends it.
    """
    url = get_settings().crm_database_url
    engine = shared_engine(url)
    if _READY.get(url, 0) > time.monotonic():
        return engine
    try:
        version = schema_version(engine)
    except DatabaseError as error:
        raise CrmNotReady(str(error)) from error
    if version is None:
        raise CrmNotReady(
            marked("There is no CRM database yet. Make it with `loupan crm init`, then reload this page.")
        )
    if version != head_version():
        raise CrmNotReady(
            marked("The CRM database is of another version. Run `loupan crm migrate`, then reload this page.")
        )
    _READY[url] = time.monotonic() + _READY_SECONDS
    return engine


@dataclass(frozen=True)
class _Belief:
    visit: sessions.Visit | None
    until: float


class Visits:
    """What the gate knows of sessions: asked of the CRM, believed for a few seconds.

    Args:
        clock: tells the moment that sessions are judged at.
        seconds: tells how long something is believed.
    """

    def __init__(self, clock: Clock = utc_now, seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._seconds = clock, seconds
        self._beliefs: OrderedDict[str, _Belief] = OrderedDict()
        # One after the other, and nobody waits: the CRM may be busy.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="session-use")

    def find(self, token: str | None, *, is_use: bool = True) -> sessions.Visit | None:
        """Return the valid session of a token, None where there is none.

        Args:
            token: from the cookie.
            is_use: whether somebody did something, which keeps the session from ending unused.

        Raises:
            CrmNotReady: if there is no CRM to ask.
        """
        if not token:
            return None
        key = sessions.token_hash(token)
        belief = self._beliefs.get(key)
        if belief is None or belief.until <= self._seconds():
            with reading(ready_engine(), SYSTEM, self._clock) as work:
                belief = _Belief(sessions.find(work.session, token, work.now), self._seconds() + BELIEVED_SECONDS)
            self._remember(key, belief)
        if belief.visit is not None and is_use and self._clock() - belief.visit.last_seen_at >= sessions.SEEN_EVERY:
            self._writer.submit(self._write_use, belief.visit.session_id, self._clock())
            seen = sessions.Visit(
                belief.visit.session_id, belief.visit.account_id, belief.visit.must_change_password, self._clock()
            )
            self._remember(key, _Belief(seen, belief.until))
        return belief.visit

    def _remember(self, key: str, belief: _Belief) -> None:
        if belief.visit is None:
            # Not believed: a session begins the moment somebody signs in.
            self._beliefs.pop(key, None)
            return
        self._beliefs[key] = belief
        while len(self._beliefs) > _REMEMBERED:
            self._beliefs.popitem(last=False)

    def forget(self, token: str | None) -> None:
        """Ask anew for a session, as after logout."""
        if token:
            self._beliefs.pop(sessions.token_hash(token), None)

    @staticmethod
    def _write_use(session_id: int, now: dt.datetime) -> None:
        engine = shared_engine(get_settings().crm_database_url)
        with Session(engine) as session, session.begin():
            sessions.touch(session, session_id, now)


def is_public(path: str, extra: Sequence[str] = ()) -> bool:
    """Say whether an address is open to everybody."""
    above, _, last = path.rpartition("/")
    return bool(last) and not {path, f"{above}/"}.isdisjoint((*PUBLIC, *extra))


class Gate:
    """Lets through who has a valid session, and everybody to what is public.

    Args:
        app: what stands behind.
        visits: knows the sessions.
        public: further addresses that are open to everybody.
        limits: how much is let through; by default what the settings say.
    """

    def __init__(self, app: ASGIApp, visits: Visits, public: Sequence[str] = (), limits: Limits | None = None) -> None:
        self.app, self.visits, self._public = app, visits, tuple(public)
        self._limits = limits or Limits(get_settings())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or guard one websocket."""
        if scope["type"] == "http":
            if is_public(scope["path"], self._public):
                wait = self._limits.stranger(scope["path"], _address(scope))
                await (too_many(scope, wait) if wait else self.app)(scope, receive, send)
            else:
                answer = await self._refusal(scope)
                await (answer or self.app)(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._guard(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not let through, None to let it through."""
        connection = HTTPConnection(scope)
        token = cookies.session_token(connection.cookies, secure=cookies.is_secure(scope))
        try:
            visit = await to_thread.run_sync(self.visits.find, token)
            if visit is None:
                return _to_login(scope)
            if visit.must_change_password and scope["path"] != NEW_PASSWORD:
                return _elsewhere(scope, NEW_PASSWORD)
            if scope["path"] == "/" and scope["method"] == "GET":
                page = await to_thread.run_sync(self._landing_page, visit.account_id)
                return _elsewhere(scope, f"/{quote(page)}")
        except LoupanError:
            return _to_login(scope)
        wait = self._limits.reader(scope["path"], str(visit.session_id))
        return too_many(scope, wait) if wait else None

    @staticmethod
    def _landing_page(account_id: int) -> str:
        with reading(ready_engine(), SYSTEM) as work:
            return accounts.landing_page(work.session, account_id)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        token = cookies.session_token(connection.cookies, secure=cookies.is_secure(scope))
        if not _is_same_origin(connection.headers) or not await self._is_valid(token, is_use=True):
            await receive()  # the handshake
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        with self._limits.connection(sessions.token_hash(token or ""), _address(scope)) as wait:
            if wait:
                await WebSocket(scope, receive, send).send_denial_response(too_many(scope, wait))
                return
            await _Watched(self, token, receive, send).run(self.app, scope)

    async def _is_valid(self, token: str | None, *, is_use: bool) -> bool:
        try:
            visit = await to_thread.run_sync(lambda: self.visits.find(token, is_use=is_use))
        except LoupanError:
            return False
        return visit is not None and not visit.must_change_password


class _Watched:
    """A websocket that ends with its session."""

    def __init__(self, gate: Gate, token: str | None, receive: Receive, send: Send) -> None:
        self._gate, self._token, self._receive, self._send = gate, token, receive, send
        self._next: asyncio.Future[Message] | None = None
        self._is_accepted = self._is_over = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self.receive, self.send)
        finally:
            if self._next is not None and not self._next.done():
                self._next.cancel()

    async def send(self, message: Message) -> None:
        if self._is_over:
            return
        self._is_accepted = self._is_accepted or message["type"] == "websocket.accept"
        self._is_over = message["type"] == "websocket.close"
        await self._send(message)

    async def receive(self) -> Message:
        while not self._is_over:
            if self._next is None:
                self._next = asyncio.ensure_future(self._receive())
            done, _ = await asyncio.wait({self._next}, timeout=WATCH_SECONDS)
            message = None
            if done:
                message, self._next = self._next.result(), None
                if message["type"] != "websocket.receive":
                    return message
            if not self._is_accepted or await self._gate._is_valid(self._token, is_use=message is not None):
                if message is not None:
                    return message
                continue
            await self._end()
        return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}

    async def _end(self) -> None:
        self._is_over = True
        try:
            # Streamlit's page follows this to the login page; without it, it would try to connect for ever.
            await self._send({"type": "websocket.send", "bytes": _lead_to("/login")})
            await self._send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        except (RuntimeError, OSError):
            pass  # gone already


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _lead_to(address: str) -> bytes:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    message.auth_redirect.url = address
    return message.SerializeToString()


def _is_same_origin(headers: Headers) -> bool:
    origin = urlsplit(headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc.lower() == headers.get("host", "").lower()


def is_navigation(scope: Scope) -> bool:
    """Say whether a person opens a page, rather than a page asking for a part of it."""
    headers = Headers(scope=scope)
    mode = headers.get("sec-fetch-mode")
    return (
        not scope["path"].startswith(_PARTS)
        and scope["method"] in ("GET", "HEAD")
        and "text/html" in headers.get("accept", "")
        and mode in (None, "navigate")
    )


def _to_login(scope: Scope) -> Response:
    if not is_navigation(scope):
        return PlainTextResponse("Sign in first.", status_code=401, headers={"cache-control": "no-store"})
    query = scope.get("query_string", b"").decode("latin-1")
    here = quote(scope["path"]) + (f"?{query}" if query else "")
    return _never_kept(RedirectResponse("/login" if here == "/" else f"/login?next={quote(here, safe='')}", 303))


def _elsewhere(scope: Scope, path: str) -> Response:
    if not is_navigation(scope) and path == NEW_PASSWORD:
        return PlainTextResponse("Choose a new password first.", status_code=401, headers={"cache-control": "no-store"})
    query = scope.get("query_string", b"").decode("latin-1")
    return _never_kept(RedirectResponse(f"{path}?{query}" if query and path != NEW_PASSWORD else path, 303))


def _never_kept(response: Response) -> Response:
    response.headers["cache-control"] = "no-store"
    return response
