"""The address ``/files/<attachment id>``, where a signed-in browser fetches a file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import quote

import sqlalchemy as sa
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from data_entry.database import DatabaseError
from data_entry.services import attachments
from data_entry.services.errors import Forbidden, NotFound, ServiceError
from data_entry.services.work import Identify, writing
from loupan.i18n import CATALOGUES, marked, translator

PATH = "/files"
_LOG = logging.getLogger(__name__)
# Whatever the content, a browser neither guesses its kind, nor runs it, nor keeps it for the next person.
_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-store",
}


def disposition(file_name: str) -> str:
    """Return the header that makes a browser save a file under its name, in any script (RFC 6266, RFC 5987)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in " ._-") else "_" for c in file_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def routes(engine: Callable[[], sa.Engine], identify: Callable[[Request], Identify]) -> list[Route]:
    """Return the routes of the web server that hand out files.

    Args:
        engine: returns the CRM.
        identify: returns, for a request, what finds the account of the browser that sent it.
    """

    def download(request: Request) -> Response:  # not a coroutine: Starlette runs it in a thread of its own
        t = translator(language(request.headers))
        try:
            with writing(engine(), identify(request)) as work:
                row, content = attachments.read(work, _key(request.path_params["key"]))
                work.log("download", row.entity, row.entity_id, attachment=row.id)
        except NotFound as error:
            return _said(error.text(t), 404)
        except (Forbidden, ServiceError) as error:
            return _said(error.text(t), 403)
        except DatabaseError:
            _LOG.exception("a file could not be read")
            return _said(t(marked("The file cannot be fetched now. Try again later.")), 503)
        headers = {**_HEADERS, "content-disposition": disposition(row.file_name)}
        return Response(content, media_type=_media_type(row.media_type), headers=headers)

    return [Route(f"{PATH}/{{key}}", download, methods=["GET"])]


def _key(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def _media_type(found: str) -> str:
    # Without this Starlette would say UTF-8 of a text that may be in another encoding.
    return "application/octet-stream" if found.startswith("text/") else found


def language(headers: Headers) -> str:
    """Return the language that a browser asks for."""
    wanted = headers.get("accept-language", "").lower()
    return next((known for known in CATALOGUES if wanted.startswith(known)), "en")


def _said(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, headers=_HEADERS)
