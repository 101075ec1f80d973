"""The web server: Streamlit as an ASGI application behind our own middleware and the gate.

By itself it listens on this machine only, since it speaks no TLS; as one of several processes, on a socket that only
the balancer in front of them reaches. Requests whose Host header names neither this machine nor one of LOUPAN_HOSTS
are refused: a page on the web could otherwise reach the server by rebinding its own name.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import secrets
import socket
import tomllib
from collections.abc import MutableMapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import uvicorn
from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import App, config
from streamlit import logger as streamlit_logger

from dashboards import cookies, incidents, shell, telemetry
from dashboards.from_balancer import behind_balancer
from dashboards.gate import Gate, Visits, ready_engine
from dashboards.policy import inline_script_hashes
from dashboards.sign_in import SignIn
from dashboards.warm_up import warm_up
from data_entry.access import SYSTEM
from data_entry.services import accounts
from data_entry.services.work import reading
from loupan import web_worker
from loupan.errors import LoupanError
from loupan.settings import get_settings
from loupan.web_worker import Worker

HOST = "127.0.0.1"
DEFAULT_PORT = 8501
GRACE_SECONDS = 10
SCRIPT = Path(__file__).with_name("app.py")
CONFIGURATION = Path(__file__).parent / ".streamlit" / "config.toml"

# What a browser says at once: a form, a pasted table. Uploads come by a way of their own.
_LARGEST_MESSAGE = 16 * 2**20
_COMPRESSED_TYPES = ("text/", "application/javascript", "application/json", "image/svg+xml")


class ServerError(LoupanError):
    """The server cannot be started; the message says why and what to do."""


@cache
def security_headers() -> dict[str, str]:
    """Return the headers that every HTTP response carries.

    The page may load and send nothing from or to anywhere but this server. Of scripts within the page only those
    of the shell run, known by their hashes; scripts set styles too, which needs leave for any inline style.
    """
    policy = {
        "default-src": "'self'",
        "script-src": f"'self' 'wasm-unsafe-eval' {inline_script_hashes(shell.page().decode())}".strip(),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "worker-src": "'self' blob:",
        "connect-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }


# A browser that came over HTTPS once comes over nothing else for a year. Subdomains are for their owner to decide.
_HTTPS_ONLY = "max-age=31536000"


class SecurityHeaders:
    """Adds the security headers to every HTTP response, and lets no cookie travel in the clear beside HTTPS.

    What says nothing of being kept is kept nowhere: files that people download are made for one reader.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in security_headers().items():
                    headers.setdefault(name, value)  # a file's own, stricter policy stays
                headers.setdefault("cache-control", "private, no-store")
                if cookies.is_secure(scope):
                    headers.setdefault("strict-transport-security", _HTTPS_ONLY)
                    message["headers"] = [(name, _only_over_https(name, value)) for name, value in headers.raw]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _only_over_https(name: bytes, value: bytes) -> bytes:
    """Return a header's value; a cookie of Streamlit's, which knows of no proxy, is bound to HTTPS as ours are."""
    is_open = name == b"set-cookie" and b"secure" not in (part.strip() for part in value.lower().split(b";"))
    return value + b"; Secure" if is_open else value


class CompressedAssets:
    """Serves Streamlit's scripts and styles compressed, each compressed once.

    Streamlit sends them as they are (8 MB for a first page) and leaves compression to a proxy; there is none here.
    Their names carry a hash of their content, so a compressed copy is never stale.
    """

    _PREFIX = "/static/"

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._copies: dict[str, tuple[list[tuple[bytes, bytes]], bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or not scope["path"].startswith(self._PREFIX)
            or "gzip" not in Headers(scope=scope).get("accept-encoding", "")
        ):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path not in self._copies:
            start, body = await self._fetch(scope)
            headers = MutableHeaders(raw=list(start["headers"]))
            is_whole = start["status"] == 200 and headers.get("content-length") in (None, str(len(body)))
            if not is_whole or not headers.get("content-type", "").startswith(_COMPRESSED_TYPES):
                await send(start)
                await send({"type": "http.response.body", "body": body})
                return
            compressed = await to_thread.run_sync(gzip.compress, body, 6)
            headers["content-encoding"] = "gzip"
            headers["content-length"] = str(len(compressed))
            headers.add_vary_header("Accept-Encoding")
            self._copies[path] = (headers.raw, compressed)
        raw, compressed = self._copies[path]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": compressed})

    async def _fetch(self, scope: Scope) -> tuple[MutableMapping[str, Any], bytes]:
        """Return the start message and the whole body that the application answers with, without conditions."""
        headers = [(k, v) for k, v in scope["headers"] if k not in (b"if-none-match", b"if-modified-since", b"range")]
        messages: list[Message] = []

        async def receive() -> Message:
            # Whoever asked may be gone before the end; those after them want the whole all the same.
            await asyncio.Event().wait()
            raise AssertionError

        async def collect(message: Message) -> None:
            messages.append(message)

        await self.app({**scope, "headers": headers}, receive, collect)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


# Routes of other parts, in front of Streamlit: name "module:function" of what returns them. Their addresses stand in
# `dashboards.gate.PUBLIC` where they are open to everybody; all others are behind the gate.
FURTHER_ROUTES: tuple[str, ...] = (
    "dashboards.files:routes",
    "dashboards.plotly_script:routes",
    "dashboards.public_survey:routes",
    "dashboards.documentation:routes",
    "dashboards.health:routes",
    "dashboards.telemetry:routes",
)


def further_routes() -> list[BaseRoute]:
    """Return the routes of other parts."""
    routes: list[BaseRoute] = []
    for name in FURTHER_ROUTES:
        module, _, function = name.partition(":")
        routes += getattr(import_module(module), function)()
    return routes


def _provider_routes(sign_in: SignIn) -> list[Route]:
    if not get_settings().oidc_issuer:
        return []
    from dashboards import oidc

    return oidc.routes(sign_in)


def create_app(setup_token: str | None = None) -> App:
    """Build the ASGI application.

    Args:
        setup_token: opens the page that makes the first administrator.

    Raises:
        ServerError: if an option of our configuration file is not in force.
    """
    visits = Visits()
    sign_in = SignIn(visits, setup_token)
    hosts = [HOST, "localhost", *get_settings().host_names]
    routes = [*sign_in.routes(), *_provider_routes(sign_in), *further_routes()]
    others = frozenset(str(getattr(route, "path", "")).strip("/").partition("/")[0] for route in routes)
    app = App(
        SCRIPT,
        routes=routes,
        on_script_error=incidents.show_uncaught,
        middleware=[
            Middleware(telemetry.Telemetry, known=others),
            Middleware(SecurityHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            Middleware(incidents.Incidents),
            Middleware(Gate, visits=visits),
            Middleware(shell.Shell, others=others),
            Middleware(CompressedAssets),
        ],
    )
    _require_configuration()
    # Signs what a provider's sign-in keeps in the browser between two requests, which two processes may answer.
    config.set_option("server.cookieSecret", web_worker.key("cookies").hex())
    if get_settings().host_names:
        config.set_option("server.allowedHosts", hosts)
    return app


def new_setup_token() -> str | None:
    """Return a token for the page that makes the first administrator, None where there is an account or no CRM."""
    try:
        with reading(ready_engine(), SYSTEM) as work:
            return None if accounts.is_set_up(work.session) else secrets.token_urlsafe(24)
    except LoupanError:
        return None


def serve(port: int = DEFAULT_PORT, host: str = HOST, setup_token: str | None = None) -> None:
    """Serve the web app until it is stopped.

    Args:
        port: TCP port.
        host: address to listen on.
        setup_token: opens the page that makes the first administrator.

    Raises:
        ServerError: if the address cannot be listened on, or the configuration is overruled.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise ServerError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Choose others with `loupan serve --host --port`."
            ) from error
        _run(listener, setup_token)


def serve_as(worker: Worker, setup_token: str | None = None) -> None:
    """Serve the web app as one of several processes until it is stopped.

    Args:
        worker: which; this process has become it.
        setup_token: opens the page that makes the first administrator; the same in all processes.

    Raises:
        ServerError: if the socket cannot be listened on, or the configuration is overruled.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            worker.socket.unlink(missing_ok=True)  # of a process that was killed
            listener.bind(str(worker.socket))
        except OSError as error:
            raise ServerError(
                f"Cannot listen on {worker.socket}: {error.strerror}. Check LOUPAN_DATA_DIR, or set TMPDIR to a folder "
                "of yours."
            ) from error
        _run(listener, setup_token)


def _run(listener: socket.socket, setup_token: str | None) -> None:
    """Serve at a socket that is bound."""
    _log_like_everything()
    served: ASGIApp = create_app(setup_token)
    is_behind = listener.family == socket.AF_UNIX
    if is_behind:
        served = behind_balancer(served)
    # Before Streamlit's runtime exists: drawing the page needs one of its own, and there is one per process.
    warm_up(SCRIPT)
    uvicorn.Server(
        uvicorn.Config(
            served,
            ws_max_size=_LARGEST_MESSAGE,
            # Like Streamlit by itself: a page's hundred small messages cost more to compress than to send.
            ws_per_message_deflate=False,
            access_log=False,
            # Its own handlers would write beside ours.
            log_config=None,
            server_header=False,
            proxy_headers=not is_behind,
            # Open pages are asked to come back; a page that is being drawn has this long to end.
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    ).run(sockets=[listener])


def _log_like_everything() -> None:
    """Let Streamlit's loggers write where all others do: it gives each a handler of its own, whenever it makes one."""

    def leave_to_root(logger: logging.Logger) -> None:
        logger.propagate = True

    streamlit_logger.setup_formatter = leave_to_root


def configuration() -> dict[str, Any]:
    """Return the options of our configuration file under their full names, as ``server.headless``."""

    def flat(table: dict[str, Any], prefix: str) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for name, value in table.items():
            options |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
        return options

    return flat(tomllib.loads(CONFIGURATION.read_text(encoding="utf-8")), "")


def _require_configuration() -> None:
    """Refuse to start without our options: Streamlit ignores a file it cannot read, silently and whole."""
    options = config.get_config_options(force_reparse=True)
    for name, wanted in configuration().items():
        if options[name].value != wanted:
            raise ServerError(
                f"Streamlit's option {name} is {options[name].value!r} instead of {wanted!r}, set by "
                f"{options[name].where_defined}. Remove it there, or mend {CONFIGURATION}."
            )
