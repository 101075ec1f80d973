"""Data Docs and dbt's documentation inside the login, for those who may open the page of the data's status."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards import cookies
from dashboards.gate import ready_engine
from dashboards.policy import inline_script_hashes
from data_entry import downloads
from data_entry.services import sessions
from data_entry.services.errors import PageForbidden, ServiceError
from data_entry.services.work import reading
from loupan.errors import LoupanError
from loupan.i18n import marked, translator
from loupan.settings import Settings, get_settings

RESOURCE = "page:data-status"
PAGE = "index.html"
_NONE = "'none'"
_LOG = logging.getLogger(__name__)
_HEADERS = {"cache-control": "private, no-cache", "cross-origin-resource-policy": "same-origin"}


@dataclass(frozen=True)
class Site:
    """A folder of pages that a refresh writes.

    Attributes:
        address: where it stands on the server.
        setting: the property of the settings that names its folder.
        files: the files that are handed out, with their media types; no others are.
    """

    address: str
    setting: str
    files: dict[str, str]

    def folder(self, settings: Settings) -> Path:
        """Return its folder."""
        return Path(getattr(settings, self.setting))


DATA_DOCS = Site("/data-docs", "data_docs_dir", {PAGE: "text/html"})
DBT_DOCS = Site(
    "/dbt-docs",
    "dbt_docs_dir",
    {PAGE: "text/html", "manifest.json": "application/json", "catalog.json": "application/json"},
)


def model_address(name: str) -> str:
    """Return where dbt's documentation tells of a model."""
    return f"{DBT_DOCS.address}/#!/model/model.loupan.{name}"


def routes() -> list[BaseRoute]:
    """Return the routes of both sites."""
    return [route for site in (DATA_DOCS, DBT_DOCS) for route in _routes(site)]


def _routes(site: Site) -> list[Route]:
    # No coroutines: Starlette runs them in threads of their own.
    def to_page(request: Request) -> Response:
        # The page asks for its files beside itself, so its address must end with a slash.
        return RedirectResponse(f"{site.address}/", 307)

    def send(request: Request) -> Response:
        return _refusal(request) or _answer(site, request)

    return [Route(site.address, to_page), Route(f"{site.address}/{{name:path}}", send)]


def _refusal(request: Request) -> Response | None:
    token = cookies.session_token(request.cookies, secure=cookies.is_secure(request.scope))
    try:
        with reading(ready_engine(), sessions.ByToken(token)) as work:
            work.actor.require("open", RESOURCE)
    except ServiceError:
        return _said(request, PageForbidden().message, 403)
    except LoupanError:
        _LOG.exception("Documentation could not be handed out")
        return _said(request, marked("The page cannot be fetched now. Try again later."), 503)
    return None


def _answer(site: Site, request: Request) -> Response:
    name = request.path_params["name"] or PAGE
    # By the list alone: whatever else stands in an address leads to no file.
    media_type = site.files.get(name)
    if media_type is None:
        return _said(request, marked("There is no such page."), 404)
    path = site.folder(get_settings()) / name
    try:
        policy = _policy(path, path.stat().st_mtime_ns)
    except OSError:
        return _said(request, marked("This is not written yet; the next refresh writes it."), 404)
    return FileResponse(path, media_type=media_type, headers={**_HEADERS, "content-security-policy": policy})


@lru_cache(maxsize=8)
def _policy(path: Path, changed_at: int) -> str:
    """Return the content security policy of a file: it loads from and sends to this server alone.

    Of scripts only those within the page as it was written run, known by their hashes.
    """
    scripts = inline_script_hashes(path.read_text(encoding="utf-8")) if path.suffix == ".html" else ""
    return (
        f"default-src 'none'; script-src {scripts or _NONE}; style-src 'unsafe-inline'; img-src data:; "
        "font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _said(request: Request, text: str, status: int) -> Response:
    return PlainTextResponse(
        translator(downloads.language(request.headers))(text), status, headers={"cache-control": "no-store"}
    )
