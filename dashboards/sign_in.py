"""The pages in front of the gate: login, logout, the first administrator, a new password. They need no script."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from anyio import CapacityLimiter, to_thread
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboards import cookies
from dashboards.gate import NEW_PASSWORD, CrmNotReady, Visits, ready_engine
from dashboards.throttle import throttle
from data_entry.access import SYSTEM
from data_entry.services import accounts, passwords, sessions
from data_entry.services.accounts import SignedIn
from data_entry.services.errors import Invalid, Problem, Refused, ServiceError
from data_entry.services.work import Clock, reading, utc_now
from loupan.i18n import LANGUAGES, Translator, marked, translator
from loupan.settings import get_settings

LOG = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent
_LONGEST_FORM = 16 * 1024
_LONGEST_NEXT = 1500
# Failed attempts let through: from one address (an office shares one), and with one login.
_BY_ADDRESS, _BY_LOGIN, _WINDOW_SECONDS = 60, 15, 5 * 60.0
STALE = marked("This page was open for too long. Try again.")


@cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined)


@cache
def _logo() -> str:
    return "data:image/svg+xml;base64," + base64.b64encode((_FOLDER / "mark.svg").read_bytes()).decode()


def local_path(asked: str | None) -> str:
    """Return an address of ours to go on to: what was asked for if it is one, else the start.

    Whatever a browser might take for another site is not: two slashes, backslashes, control characters.
    """
    text = asked or ""
    is_local = (
        text.startswith("/")
        and not text.startswith("//")
        and len(text) <= _LONGEST_NEXT
        and "\\" not in text
        and all(" " < character != "\x7f" for character in text)
    )
    if not is_local:
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    is_page = not parts.scheme and not parts.netloc and parts.path not in ("/login", "/logout", "/setup", NEW_PASSWORD)
    return text if is_page else "/"


class SignIn:
    """The routes of the pages in front of the gate, with what they share.

    Args:
        visits: what the gate knows of sessions, to make it forget one that ended.
        setup_token: opens the page that makes the first administrator; None where there is one.
        clock: tells the moment.
    """

    def __init__(self, visits: Visits, setup_token: str | None = None, clock: Clock = utc_now) -> None:
        self.visits, self.setup_token, self.clock = visits, setup_token, clock
        self.by_address = throttle("sign-in by address", _BY_ADDRESS, _WINDOW_SECONDS)
        self.by_login = throttle("sign-in by login", _BY_LOGIN, _WINDOW_SECONDS)
        # Each hash takes 64 MiB and a core.
        self._hashing = CapacityLimiter(4)

    def routes(self) -> list[Route]:
        """Return the routes for the application."""
        return [
            Route("/login", self._guarded(self.show_login), methods=["GET"]),
            Route("/login", self._guarded(self.log_in), methods=["POST"]),
            Route("/logout", self._guarded(self.show_logout), methods=["GET"]),
            Route("/logout", self._guarded(self.log_out), methods=["POST"]),
            Route("/setup", self._guarded(self.show_setup), methods=["GET"]),
            Route("/setup", self._guarded(self.set_up), methods=["POST"]),
            Route(NEW_PASSWORD, self._guarded(self.show_password), methods=["GET"]),
            Route(NEW_PASSWORD, self._guarded(self.change_password), methods=["POST"]),
        ]

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Say so where the CRM is not there, and refuse forms of other sites and of endless length."""

        async def guarded(request: Request) -> Response:
            if request.method == "POST":
                length = request.headers.get("content-length", "")
                if not length.isdecimal() or int(length) > _LONGEST_FORM:
                    return self.page(request, "message.html", status=413, title=marked("Sign in"), message=STALE)
                origin = request.headers.get("origin")
                if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
                    return self.page(request, "message.html", status=403, title=marked("Sign in"), message=STALE)
            try:
                return await answer(request)
            except CrmNotReady as error:
                title = marked("The CRM is not ready")
                return self.page(request, "message.html", status=503, title=title, message=str(error))

        return guarded

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """Draw a page in the reader's language; its forms are tied to this browser."""
        secure = cookies.is_secure(request.scope)
        language = self.language(request)
        form_cookie = cookies.new_form_cookie(request.cookies, secure=secure)
        tied_to = cookies.session_token(request.cookies, secure=secure) or form_cookie
        text = (
            _templates()
            .get_template(template)
            .render(
                t=translator(language),
                language=language,
                languages=LANGUAGES,
                html_language="zh-CN" if language == "zh" else "en",
                links={code: self._in_language(request, code) for code in LANGUAGES},
                form_field=cookies.FIELD,
                form_token=cookies.form_token(tied_to),
                logo=_logo(),
                **{"error": "", "next": "/", "login": "", "shortest": passwords.SHORTEST, **values},
            )
        )
        response = HTMLResponse(text, status, {"cache-control": "no-store"})
        cookies.keep_form_cookie(response, form_cookie, secure=secure)
        if request.query_params.get("lang") in LANGUAGES:
            cookies.keep_language(response, language, secure=secure)
        return response

    @staticmethod
    def language(request: Request) -> str:
        """Return the language asked for, else chosen before, else the browser's, else English."""
        kept = cookies.language(request.cookies, secure=cookies.is_secure(request.scope))
        for asked in (request.query_params.get("lang"), kept):
            if asked in LANGUAGES:
                return str(asked)
        preferred = request.headers.get("accept-language", "").split(",")[0].strip().lower()
        return "zh" if preferred.startswith("zh") else "en"

    @staticmethod
    def _in_language(request: Request, code: str) -> str:
        kept = {name: value for name, value in request.query_params.items() if name != "lang"}
        return f"{quote(request.url.path)}?{urlencode({**kept, 'lang': code})}"

    async def _form(self, request: Request) -> tuple[dict[str, str], bool]:
        """Return the fields of a form, and whether a page of ours made it for this browser."""
        async with request.form(max_fields=20, max_files=0) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        secure = cookies.is_secure(request.scope)
        return fields, cookies.is_ours(request.cookies, fields.get(cookies.FIELD, ""), secure=secure)

    @staticmethod
    def address(request: Request) -> str:
        """Return the network address a request came from."""
        return request.client.host if request.client else ""

    def signed_in(self, request: Request, done: SignedIn, next_: str) -> Response:
        """Give the browser its session and lead it on."""
        to = NEW_PASSWORD if done.must_change_password else self._with_language(request, next_)
        response = RedirectResponse(to, 303, {"cache-control": "no-store"})
        cookies.keep_session(response, done.token, secure=cookies.is_secure(request.scope))
        return response

    @staticmethod
    def _with_language(request: Request, path: str) -> str:
        """Let the pages speak as the login page did, where somebody chose so and the account says nothing else."""
        chosen = cookies.language(request.cookies, secure=cookies.is_secure(request.scope))
        if chosen not in LANGUAGES or "lang=" in path:
            return path
        return f"{path}{'&' if '?' in path else '?'}lang={chosen}"

    async def show_login(self, request: Request) -> Response:
        """Show the login page; who is signed in already is led on."""
        token = cookies.session_token(request.cookies, secure=cookies.is_secure(request.scope))
        next_ = local_path(request.query_params.get("next"))
        if await to_thread.run_sync(self.visits.find, token) is not None:
            return RedirectResponse(next_, 303, {"cache-control": "no-store"})
        await to_thread.run_sync(ready_engine)
        return self._login_page(request, next_)

    def _login_page(self, request: Request, next_: str, status: int = 200, **values: Any) -> Response:
        settings = get_settings()
        provider = (settings.oidc_name or urlsplit(settings.oidc_issuer).netloc) if settings.oidc_issuer else ""
        provider_link = f"/oidc/start?{urlencode({'next': next_})}"
        return self.page(
            request, "login.html", status, next=next_, provider=provider, provider_link=provider_link, **values
        )

    def refused(self, request: Request, error: ServiceError, next_: str = "/") -> Response:
        """Show the login page with what a provider's sign-in was refused for."""
        return self._login_page(request, next_, 403, error=error.text(translator(self.language(request))))

    async def log_in(self, request: Request) -> Response:
        """Sign in with a password."""
        t = translator(self.language(request))
        form, is_ours = await self._form(request)
        if not is_ours:
            return self._login_page(request, local_path(request.query_params.get("next")), 403, error=t(STALE))
        login, next_ = form.get("login", "").strip()[:200], local_path(form.get("next"))
        address = self.address(request)
        wait = self.by_address.attempt(address) or self.by_login.attempt(login.lower())
        if wait:
            return self._slowed_down(request, t, wait, next_, login)
        try:
            done = await to_thread.run_sync(
                lambda: accounts.sign_in(
                    ready_engine(),
                    login,
                    form.get("password", "")[: passwords.LONGEST + 1],
                    address=address,
                    user_agent=request.headers.get("user-agent"),
                    clock=self.clock,
                ),
                limiter=self._hashing,
            )
        except Refused as error:
            LOG.warning("a sign-in was refused")  # whoever it was: what was typed may be a password
            return self._login_page(request, next_, 401, error=error.text(t), login=login)
        self.by_address.forgive(address)
        self.by_login.forgive(login.lower())
        LOG.info("signed in", extra={"account": done.account_id})
        await self._end_present(request)
        return self.signed_in(request, done, next_)

    def _slowed_down(self, request: Request, t: Translator, wait: int, next_: str, login: str) -> Response:
        response = self._login_page(request, next_, 429, error=_wait(t, wait), login=login)
        response.headers["retry-after"] = str(wait)
        return response

    async def _end_present(self, request: Request) -> None:
        """End the session the browser has: a new one takes its place."""
        token = cookies.session_token(request.cookies, secure=cookies.is_secure(request.scope))
        if token:
            await to_thread.run_sync(lambda: accounts.sign_out(ready_engine(), token, self.clock))
            self.visits.forget(token)

    async def show_logout(self, request: Request) -> Response:
        """Ask whether to sign out: a link alone must not do it."""
        token = cookies.session_token(request.cookies, secure=cookies.is_secure(request.scope))
        if await to_thread.run_sync(self.visits.find, token) is None:
            return RedirectResponse("/login", 303, {"cache-control": "no-store"})
        return self.page(request, "logout.html")

    async def log_out(self, request: Request) -> Response:
        """End the session of the browser."""
        _, is_ours = await self._form(request)
        if not is_ours:
            return self.page(request, "logout.html", 403, error=translator(self.language(request))(STALE))
        await self._end_present(request)
        response = RedirectResponse("/login", 303, {"cache-control": "no-store"})
        cookies.drop_session(response, secure=cookies.is_secure(request.scope))
        return response

    def _may_set_up(self, given: str | None) -> bool:
        token = self.setup_token
        if token is None or not secrets.compare_digest(token.encode(), (given or "").encode("utf-8", "replace")):
            return False
        with reading(ready_engine(), SYSTEM) as work:
            return not accounts.is_set_up(work.session)

    async def show_setup(self, request: Request) -> Response:
        """Show the page that makes the first administrator, to whoever has the link."""
        token = request.query_params.get("token")
        if not await to_thread.run_sync(self._may_set_up, token):
            return self._no_setup(request)
        return self.page(request, "setup.html", token=token)

    def _no_setup(self, request: Request) -> Response:
        return self.page(
            request,
            "message.html",
            404,
            title=marked("First administrator"),
            message=marked("This link is not valid, or was used already."),
        )

    async def set_up(self, request: Request) -> Response:
        """Make the first administrator."""
        t = translator(self.language(request))
        form, is_ours = await self._form(request)
        token = form.get("token")
        if not await to_thread.run_sync(self._may_set_up, token):
            return self._no_setup(request)
        if not is_ours:
            return self.page(request, "setup.html", 403, token=token, error=t(STALE))
        login, password = form.get("login", ""), form.get("password", "")
        try:
            _require_same(password, form.get("password_again", ""))
            await to_thread.run_sync(
                lambda: accounts.create_administrator(ready_engine(), login, password, self.clock),
                limiter=self._hashing,
            )
        except ServiceError as error:
            return self.page(request, "setup.html", 400, token=token, login=login, error=error.text(t))
        self.setup_token = None
        done = await to_thread.run_sync(
            lambda: accounts.sign_in(
                ready_engine(),
                login,
                password,
                address=self.address(request),
                user_agent=request.headers.get("user-agent"),
                clock=self.clock,
            ),
            limiter=self._hashing,
        )
        return self.signed_in(request, done, "/")

    async def show_password(self, request: Request) -> Response:
        """Show the page for a new password."""
        return self.page(request, "password.html", is_forced=await self._is_forced(request))

    async def _is_forced(self, request: Request) -> bool:
        token = cookies.session_token(request.cookies, secure=cookies.is_secure(request.scope))
        visit = await to_thread.run_sync(self.visits.find, token)
        return visit is not None and visit.must_change_password

    async def change_password(self, request: Request) -> Response:
        """Change the password of who is signed in; other sessions end."""
        t = translator(self.language(request))
        is_forced = await self._is_forced(request)
        form, is_ours = await self._form(request)
        if not is_ours:
            return self.page(request, "password.html", 403, is_forced=is_forced, error=t(STALE))
        token = cookies.session_token(request.cookies, secure=cookies.is_secure(request.scope)) or ""
        address, name = self.address(request), f"session {sessions.token_hash(token)}"
        if wait := self.by_address.attempt(address) or self.by_login.attempt(name):
            response = self.page(request, "password.html", 429, is_forced=is_forced, error=_wait(t, wait))
            response.headers["retry-after"] = str(wait)
            return response
        try:
            _require_same(form.get("password", ""), form.get("password_again", ""))
            new = await to_thread.run_sync(
                lambda: accounts.change_password(
                    ready_engine(),
                    token,
                    form.get("old_password", "")[: passwords.LONGEST + 1],
                    form.get("password", "")[: passwords.LONGEST + 1],
                    address=address,
                    user_agent=request.headers.get("user-agent"),
                    clock=self.clock,
                ),
                limiter=self._hashing,
            )
        except ServiceError as error:
            return self.page(request, "password.html", 400, is_forced=is_forced, error=error.text(t))
        self.by_address.forgive(address)
        self.visits.forget(token)
        return self.signed_in(request, SignedIn(new, 0, must_change_password=False), "/")


def _wait(t: Translator, seconds: int) -> str:
    return t("Too many attempts. Wait {minutes} minutes, then try again.", minutes=-(-seconds // 60))


def _require_same(password: str, again: str) -> None:
    if password != again:
        raise Invalid([Problem("password_again", marked("The two passwords differ."))])
