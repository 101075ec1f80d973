"""Signing in at an OpenID Connect provider: authorization code with PKCE; state, nonce and signature are checked."""

from __future__ import annotations

import logging
from typing import Any

import httpx
from anyio import to_thread
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards import cookies
from dashboards.gate import ready_engine
from dashboards.sign_in import SignIn, local_path
from data_entry.services import accounts
from data_entry.services.errors import Refused
from loupan.i18n import marked
from loupan.settings import Settings, get_settings

LOG = logging.getLogger(__name__)
_CALLBACK = "/oidc/callback"
_NEXT = "loupan_next"
# Signatures with a key of the provider's own: none, and those with a shared secret, are not among them.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_FAILED = marked("Signing in at the provider did not work. Try again, or sign in with a password.")


class _ProviderError(Exception):
    """What the provider says does not fit together."""


def routes(sign_in: SignIn) -> list[Route]:
    """Return the routes of the configured provider."""
    provider = _Provider(get_settings(), sign_in)
    return [
        Route("/oidc/start", provider.start, methods=["GET"]),
        Route(_CALLBACK, provider.callback, methods=["GET"]),
    ]


class _Provider:
    def __init__(self, settings: Settings, sign_in: SignIn) -> None:
        self._issuer, self._client_id, self._sign_in = settings.oidc_issuer, settings.oidc_client_id, sign_in
        self._client: Any = OAuth().register(
            "loupan",
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret.get_secret_value() or None,
            server_metadata_url=f"{self._issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile email",
                "code_challenge_method": "S256",
                "timeout": 15,
                **({} if settings.oidc_client_secret.get_secret_value() else {"token_endpoint_auth_method": "none"}),
            },
        )

    async def start(self, request: Request) -> Response:
        """Lead to the provider."""
        next_ = local_path(request.query_params.get("next"))
        try:
            await self._check_metadata()
            back = str(request.url.replace(path=_CALLBACK, query="", fragment=""))
            if cookies.is_secure(request.scope):
                back = back.replace("http://", "https://", 1)
            request.session[_NEXT] = next_
            answer: Response = await self._client.authorize_redirect(request, back)
            return answer
        except (OAuthError, JoseError, httpx.HTTPError, _ProviderError, ValueError, RuntimeError) as error:
            return self._failed(request, error, next_)

    async def _check_metadata(self) -> None:
        metadata = await self._client.load_server_metadata()
        if metadata.get("issuer") != self._issuer:
            raise _ProviderError(f"the provider calls itself {metadata.get('issuer')!r}, not {self._issuer!r}")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [name for name in offered if name in _ALGORITHMS]

    async def callback(self, request: Request) -> Response:
        """Take what the provider says of who signed in there."""
        next_ = local_path(request.session.pop(_NEXT, "/"))
        try:
            await self._check_metadata()
            token = await self._client.authorize_access_token(
                request,
                claims_options={
                    "iss": {"essential": True, "values": [self._issuer]},
                    "aud": {"essential": True, "value": self._client_id},
                    "sub": {"essential": True},
                },
            )
            claims = token.get("userinfo")
            if not claims or not claims.get("sub") or not claims.get("nonce"):
                raise _ProviderError("there is no ID token")
        except (OAuthError, JoseError, httpx.HTTPError, _ProviderError, ValueError, KeyError, RuntimeError) as error:
            return self._failed(request, error, next_)
        names = [claims.get("email") if claims.get("email_verified") is True else None]
        names.append(claims.get("preferred_username"))
        try:
            done = await to_thread.run_sync(
                lambda: accounts.sign_in_by_provider(
                    ready_engine(),
                    f"{self._issuer} {claims['sub']}"[:400],
                    [name for name in names if isinstance(name, str)],
                    address=self._sign_in.address(request),
                    user_agent=request.headers.get("user-agent"),
                    clock=self._sign_in.clock,
                )
            )
        except Refused as error:
            return self._sign_in.refused(request, error, next_)
        # To the start if the link was lost; the session of this exchange is done with.
        request.session.clear()
        return self._sign_in.signed_in(request, done, next_)

    def _failed(self, request: Request, error: Exception, next_: str) -> Response:
        # The kind of error and its short name alone: its text may hold what the provider sent.
        LOG.warning("Sign-in at the provider failed: %s %s", type(error).__name__, getattr(error, "error", ""))
        return self._sign_in.refused(request, Refused(_FAILED), next_)
