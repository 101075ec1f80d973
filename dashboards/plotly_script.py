"""Plotly's own script, as the Python package brings it, for browsers that make pictures of charts.

Streamlit has Plotly within a script of its own that nothing else can call.
"""

from __future__ import annotations

import gzip
from functools import cache

from anyio import to_thread
from plotly.offline import get_plotlyjs, get_plotlyjs_version
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

ADDRESS = f"/plotly-{get_plotlyjs_version()}.js"
_HEADERS = {"cache-control": "private, max-age=31536000, immutable", "vary": "Accept-Encoding"}


def routes() -> list[BaseRoute]:
    """Return the route of the script."""
    return [Route(ADDRESS, _script)]


async def _script(request: Request) -> Response:
    body, headers = await to_thread.run_sync(_compressed), {**_HEADERS, "content-encoding": "gzip"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        body, headers = get_plotlyjs().encode(), _HEADERS
    return Response(body, headers=headers, media_type="text/javascript")


@cache
def _compressed() -> bytes:
    return gzip.compress(get_plotlyjs().encode(), 6)
