"""The cookies of the web app, and the tokens that prove a form came from a page of ours.

Before anybody is signed in, a form carries the signature of a random cookie; afterwards that of the session's token.
The key of the signatures lives as long as the processes that serve.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Scope

from loupan import web_worker
from loupan.settings import get_settings

_SESSION, _FORM, _LANGUAGE = "loupan_session", "loupan_form", "loupan_language"
# A browser takes a cookie of this name from nobody but this very host, over HTTPS.
_HOST_ONLY = "__Host-"
FIELD = "form_token"


def is_secure(scope: Scope) -> bool:
    """Say whether the reader came over HTTPS, as far as the server or the settings know."""
    return get_settings().https or scope.get("scheme") in ("https", "wss")


def _name(name: str, *, secure: bool) -> str:
    return f"{_HOST_ONLY}{name}" if secure else name


def session_token(cookies: Mapping[str, str], *, secure: bool) -> str | None:
    """Return the session's token, None where the browser brings none."""
    return cookies.get(_name(_SESSION, secure=secure)) or None


def token_of_page(cookies: Mapping[str, str]) -> str | None:
    """Return the session's token to a page behind the gate, which has checked it with the connection at hand."""
    return session_token(cookies, secure=True) or session_token(cookies, secure=False)


def keep_session(response: Response, token: str, *, secure: bool) -> None:
    """Let the browser keep the token until it is closed or the session ends.

    Lax and not Strict: Strict is not sent after a link from elsewhere or a provider's redirect, so whoever is signed in
    would be asked to sign in again. What changes anything is a POST, with a token of its own.
    """
    _set(response, _SESSION, token, secure=secure)


def drop_session(response: Response, *, secure: bool) -> None:
    """Let the browser forget the token."""
    name = _name(_SESSION, secure=secure)
    response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")


def _set(response: Response, name: str, value: str, *, secure: bool, days: int | None = None) -> None:
    response.set_cookie(
        _name(name, secure=secure),
        value,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
        max_age=None if days is None else days * 24 * 60 * 60,
    )


def language(cookies: Mapping[str, str], *, secure: bool) -> str | None:
    """Return the language chosen on the login page before."""
    return cookies.get(_name(_LANGUAGE, secure=secure))


def keep_language(response: Response, chosen: str, *, secure: bool) -> None:
    """Let the browser keep the language of the login page."""
    _set(response, _LANGUAGE, chosen, secure=secure, days=365)


def new_form_cookie(cookies: Mapping[str, str], *, secure: bool) -> str:
    """Return the random value that the forms of this browser are tied to: the one it has, else a new one."""
    kept = cookies.get(_name(_FORM, secure=secure), "")
    return kept if 20 <= len(kept) <= 100 else secrets.token_urlsafe(24)


def keep_form_cookie(response: Response, value: str, *, secure: bool) -> None:
    """Let the browser keep the value its forms are tied to."""
    _set(response, _FORM, value, secure=secure)


def form_token(tied_to: str) -> str:
    """Return what a form carries to prove that a page of ours made it, for this session or form cookie."""
    return hmac.new(web_worker.key("forms"), tied_to.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def is_ours(cookies: Mapping[str, str], given: str, *, secure: bool) -> bool:
    """Say whether a form's token belongs to this browser."""
    ties = (session_token(cookies, secure=secure), cookies.get(_name(_FORM, secure=secure)))
    return any(hmac.compare_digest(form_token(tie).encode(), given.encode("utf-8", "replace")) for tie in ties if tie)
