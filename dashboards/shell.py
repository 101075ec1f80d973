"""Streamlit's own page, which every address of ours answers with and in which its client then draws.

It is told two things that it would find out later: where its server is, and that a page of figures will need the chart
library.
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STATIC = Path(streamlit.__file__).parent / "static"
# By itself the client asks for its server below the page's own address first, waits, and asks for the host's settings
# before it connects; with these it connects at once. Pages of other origins have nothing to say to it.
_START = (
    "window.__streamlit = {BACKEND_BASE_URL: location.origin, "
    "HOST_CONFIG: {allowedOrigins: [location.origin], useExternalAuthToken: false}};"
)

_CONDITIONS = frozenset({b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"})


@cache
def _own_page() -> bytes:
    return (_STATIC / "index.html").read_bytes()


@cache
def page() -> bytes:
    """Return Streamlit's page with what it is told."""
    return _own_page().replace(b"<head>", f"<head><script>{_START}</script>".encode(), 1)


class Shell:
    """Answers with `page` where Streamlit answers with its own, and names the chart library on pages of figures.

    Streamlit's page asks for the library when the first chart arrives; named here, the browser fetches its 5 MB while
    it is connecting.
    """

    def __init__(self, app: ASGIApp, others: frozenset[str] = frozenset()) -> None:
        """Stand before an application.

        Args:
            app: Streamlit, and what else is served.
            others: first parts of the paths that are none of Streamlit's.
        """
        self.app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or not self._may_be_page(scope):
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def send_page(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await send(_told(start, scope["path"], body))
                    await send({"type": "http.response.body", "body": page() if body == _own_page() else body})

        # As it is: Streamlit would compress it, or say that the browser has it.
        headers = [(name, value) for name, value in scope["headers"] if name not in _CONDITIONS]
        await self.app({**scope, "headers": headers}, receive, send_page)

    def _may_be_page(self, scope: Scope) -> bool:
        first = scope["path"].strip("/").partition("/")[0]
        return first not in self._others and "text/html" in Headers(scope=scope).get("accept", "")


def _is_page(start: Message) -> bool:
    headers = MutableHeaders(scope=start)
    return start["status"] == HTTPStatus.OK and headers.get("content-length") == str(len(_own_page()))


def _told(start: Message, path: str, body: bytes) -> Message:
    if body != _own_page():
        return start
    headers = MutableHeaders(scope=start)
    headers["content-length"] = str(len(page()))
    # They are of Streamlit's file: a browser would keep its copy when ours has changed.
    for name in ("etag", "last-modified"):
        del headers[name]
    if path.strip("/") in _pages_of_figures():
        headers.append("link", f"<{_chart_library()}>; rel=preload; as=script; crossorigin")
    return start


@cache
def _pages_of_figures() -> frozenset[str]:
    from dashboards.menu import DASHBOARDS

    return frozenset(entry.path for entries in DASHBOARDS.values() for entry in entries)


@cache
def _chart_library() -> str:
    """Return the address of Streamlit's chart element, which holds Plotly."""
    (script,) = (_STATIC / "static" / "js").glob("PlotlyChart.*.js")
    return f"/static/js/{script.name}"
