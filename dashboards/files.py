"""The files attached to records, handed out to the person whose session the browser brings."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import BaseRoute

from dashboards import cookies
from dashboards.gate import ready_engine
from data_entry import downloads
from data_entry.services import sessions
from data_entry.services.work import Identify


def routes() -> list[BaseRoute]:
    """Return the routes of the files."""
    return [*downloads.routes(ready_engine, _who)]


def _who(request: Request) -> Identify:
    return sessions.ByToken(cookies.session_token(request.cookies, secure=cookies.is_secure(request.scope)))
