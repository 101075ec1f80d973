"""Requests that a balancer of ours passes on: whatever stands behind sees them as if they had come directly."""

from __future__ import annotations

import os

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from loupan.web_worker import CLIENT_HEADER


def behind_balancer(app: ASGIApp) -> ASGIApp:
    """Return an application to which each request comes from who asked the balancer.

    What proxies in front of the balancer say of who asked them is judged as without it: believed of those that
    FORWARDED_ALLOW_IPS names, by default this machine's.
    """
    # As uvicorn does by itself, but only after the balancer's own word.
    judged = ProxyHeadersMiddleware(app, os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1"))  # type: ignore[arg-type]
    return _FromBalancer(judged)  # type: ignore[arg-type]


class _FromBalancer:
    """Takes the address that the balancer wrote into a header of its own, and the header away."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] in ("http", "websocket"):
            host, _, port = Headers(scope=scope).get(CLIENT_HEADER, "").rpartition(":")
            scope = {
                **scope,
                "client": (host, int(port)) if host else None,
                "headers": [header for header in scope["headers"] if header[0] != CLIENT_HEADER.encode()],
            }
        await self.app(scope, receive, send)
