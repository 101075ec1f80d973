"""``/healthz``: the process lives. ``/readyz``: readers get what they are promised. For what watches the service."""

from __future__ import annotations

import datetime as dt
import threading
import time

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards import condition, cookies
from dashboards.condition import Part
from dashboards.gate import ready_engine
from dashboards.local import is_local
from data_entry.services import sessions
from data_entry.services.work import reading
from loupan.errors import LoupanError
from loupan.settings import get_settings

HEALTH, READINESS = "/healthz", "/readyz"
RESOURCE = "page:data-status"
# Anybody may ask; whoever asks more often than this is told what was found last.
_BELIEVED_SECONDS = 2.0
_NEVER_KEPT = {"cache-control": "no-store"}


class _Found:
    """What was found last, looked at by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._parts: list[Part] = []

    def parts(self) -> list[Part]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._parts = condition.check(get_settings(), dt.datetime.now(dt.UTC))
                self._until = time.monotonic() + _BELIEVED_SECONDS
            return self._parts


def routes() -> list[BaseRoute]:
    """Return both routes."""
    found = _Found()

    async def health(request: Request) -> Response:
        return PlainTextResponse("ok", headers=_NEVER_KEPT)

    def readiness(request: Request) -> Response:  # no coroutine: Starlette runs it in a thread of its own
        parts = found.parts()
        is_ready = all(part.is_good for part in parts)
        told: dict[str, object] = {"ready": is_ready}
        if is_local(request) or _may_know(request):
            told["parts"] = {part.name: "good" if part.is_good else part.reason for part in parts}
        return JSONResponse(told, 200 if is_ready else 503, _NEVER_KEPT)

    return [Route(HEALTH, health), Route(READINESS, readiness)]


def _may_know(request: Request) -> bool:
    token = cookies.session_token(request.cookies, secure=cookies.is_secure(request.scope))
    if not token:
        return False
    try:
        with reading(ready_engine(), sessions.ByToken(token)) as work:
            return work.actor.may("open", RESOURCE)
    except (LoupanError, sa.exc.SQLAlchemyError):
        return False
