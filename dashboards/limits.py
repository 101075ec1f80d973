"""How much one browser, or one address, may ask for at a time; beyond it the answer is 429 with when to come back.

Requests of strangers are counted over all processes that serve the web app. What a session asks for is counted in the
memory of the one process that the balancer leads it to; an address may have that many tabs open at each process, and
each is what the limit protects.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from dashboards.throttle import Throttle, throttle
from data_entry.downloads import language
from loupan.i18n import marked, translator
from loupan.settings import Settings

_MINUTE = 60.0
# A closed tab is noticed within seconds; whoever opened too many comes back then.
_COME_BACK_SECONDS = 10
_DOWNLOADS = ("/media/", "/files/")
_UPLOADS = ("/_stcore/upload_file/",)
# Asked by the machines that watch the server, and by every browser; the survey counts for itself.
_UNCOUNTED = ("/_stcore/health", "/favicon.ico", "/survey/")


class Limits:
    """What has been asked for lately, and how many websockets are open, by session and by address.

    Args:
        settings: how much is let through.
        clock: tells the seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._strangers = throttle("strangers", settings.strangers_a_minute, _MINUTE, clock=clock)
        self._downloads = Throttle(settings.downloads_a_minute, _MINUTE, clock=clock)
        self._uploads = Throttle(settings.uploads_a_minute, _MINUTE, clock=clock)
        self._most = {"session": settings.connections_per_session, "address": settings.connections_per_address}
        self._open: Counter[tuple[str, str]] = Counter()

    def stranger(self, path: str, address: str) -> int:
        """Count a request to a page in front of the login; return 0 to go on, else in how many seconds to come back."""
        return 0 if path.startswith(_UNCOUNTED) else self._strangers.attempt(address)

    def reader(self, path: str, session: str) -> int:
        """Count a request of a signed-in browser, if it fetches or brings a file; see `stranger`."""
        if path.startswith(_UPLOADS):
            return self._uploads.attempt(session)
        return self._downloads.attempt(session) if path.startswith(_DOWNLOADS) else 0

    @contextmanager
    def connection(self, session: str, address: str) -> Iterator[int]:
        """Count a websocket while it is open; see `stranger`. One that is not to go on is not counted."""
        places = (("session", session), ("address", address))
        if any(self._open[place] >= self._most[place[0]] for place in places):
            yield _COME_BACK_SECONDS
            return
        self._open.update(places)
        try:
            yield 0
        finally:
            self._open.subtract(places)
            for place in places:
                if not self._open[place]:
                    del self._open[place]


def too_many(scope: Scope, seconds: int) -> Response:
    """Return the answer to a request beyond a limit."""
    text = marked("Too many requests. Wait {seconds} seconds, then try again.")
    return PlainTextResponse(
        translator(language(Headers(scope=scope)))(text, seconds=seconds),
        429,
        headers={"retry-after": str(seconds), "cache-control": "no-store"},
    )
