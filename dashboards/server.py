"""The web server: Streamlit as an ASGI application behind our own middleware, on this machine only.

There is no login yet, so nothing but 127.0.0.1 is listened on, and requests whose Host header names anything else are
refused: a page on the web could otherwise reach the server by rebinding its own name to 127.0.0.1.
"""

from __future__ import annotations

import base64
import gzip
import re
import socket
import tomllib
from collections.abc import MutableMapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import streamlit
import uvicorn
from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import App, config

from dashboards.warm_up import warm_up
from loupan.errors import LoupanError

HOST = "127.0.0.1"
DEFAULT_PORT = 8501
START_PAGE = "overview"
SCRIPT = Path(__file__).with_name("app.py")
CONFIGURATION = Path(__file__).parent / ".streamlit" / "config.toml"

_COMPRESSED_TYPES = ("text/", "application/javascript", "application/json", "image/svg+xml")


class ServerError(LoupanError):
    """The server cannot be started; the message says why and what to do."""


@cache
def security_headers() -> dict[str, str]:
    """Return the headers that every HTTP response carries.

    The page may load and send nothing from or to anywhere but this server. Of scripts within the page only Streamlit's
    own start-up script runs, known by its hash; scripts set styles too, which needs leave for any inline style.
    """
    shell = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", shell, re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'" for text in inline)
    policy = {
        "default-src": "'self'",
        "script-src": f"'self' 'wasm-unsafe-eval' {hashes}".strip(),
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


class SecurityHeaders:
    """Adds the security headers to every HTTP response."""

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
            await send(message)

        await self.app(scope, receive, send_with_headers)


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
            start, body = await self._fetch(scope, receive)
            headers = MutableHeaders(raw=list(start["headers"]))
            if start["status"] != 200 or not headers.get("content-type", "").startswith(_COMPRESSED_TYPES):
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

    async def _fetch(self, scope: Scope, receive: Receive) -> tuple[MutableMapping[str, Any], bytes]:
        """Return the start message and the whole body that the application answers with, without conditions."""
        headers = [(k, v) for k, v in scope["headers"] if k not in (b"if-none-match", b"if-modified-since", b"range")]
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self.app({**scope, "headers": headers}, receive, collect)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


async def _start_page(request: Request) -> RedirectResponse:
    """Lead a link that names the start page to it: Streamlit knows a menu's default page by no address but ``/``."""
    query = request.url.query
    return RedirectResponse(f"/?{query}" if query else "/")


def create_app() -> App:
    """Build the ASGI application.

    Raises:
        ServerError: if an option of our configuration file is not in force.
    """
    app = App(
        SCRIPT,
        routes=[Route(f"/{START_PAGE}", _start_page)],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False),
            Middleware(SecurityHeaders),
            Middleware(CompressedAssets),
        ],
    )
    _require_configuration()
    return app


def serve(port: int = DEFAULT_PORT, host: str = HOST) -> None:
    """Serve the web app until it is stopped.

    Args:
        port: TCP port.
        host: must be 127.0.0.1 as long as there is no login.

    Raises:
        ServerError: if another host is asked for, the port is taken, or the configuration is overruled.
    """
    if host != HOST:
        raise ServerError(f"There is no login yet, so the web app is served on {HOST} only, not on {host!r}.")
    app = create_app()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise ServerError(
                f"Cannot listen on {HOST}:{port}: {error.strerror}. Choose another with `loupan serve --port`."
            ) from error
        # Before Streamlit's runtime exists: drawing the page needs one of its own, and there is one per process.
        warm_up(SCRIPT)
        size = int(config.get_option("server.maxMessageSize")) * 1024 * 1024
        uvicorn.Server(
            uvicorn.Config(app, ws_max_size=size, access_log=False, log_level="warning", server_header=False)
        ).run(sockets=[listener])


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
