"""Who asked, as the application behind a balancer is told; and that nobody can say it for themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dashboards.from_balancer import behind_balancer


def seen(headers: dict[str, str]) -> tuple[Any, str, dict[str, str]]:
    """Return client, scheme and headers as the application sees them."""
    found: dict[str, Any] = {}

    async def app(scope, receive, send):
        found.update(scope)

    scope = {
        "type": "http", "scheme": "http", "client": None,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    asyncio.run(behind_balancer(app)(scope, None, None))  # type: ignore[arg-type]
    return found["client"], found["scheme"], {name.decode(): value.decode() for name, value in found["headers"]}


PROXIED = {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"}


@pytest.mark.parametrize(
    ("allowed", "asker", "headers", "client", "scheme"),
    [
        # Nobody in front: the balancer's word, and nothing of what the request says.
        (None, "203.0.113.9:4711", {}, ("203.0.113.9", 4711), "http"),
        (None, "203.0.113.9:4711", PROXIED, ("203.0.113.9", 4711), "http"),
        (None, "2001:db8::9:4711", PROXIED, ("2001:db8::9", 4711), "http"),
        # A proxy on this machine, and one that the settings name.
        (None, "127.0.0.1:4711", PROXIED, ("198.51.100.7", 0), "https"),
        ("10.0.0.0/8", "10.1.2.3:4711", PROXIED, ("198.51.100.7", 0), "https"),
        ("10.0.0.0/8", "127.0.0.1:4711", PROXIED, ("127.0.0.1", 4711), "http"),
        # The balancer's own look at a process: of nobody.
        (None, "", PROXIED, None, "http"),
    ],
)
def test_who_asked(monkeypatch, allowed, asker, headers, client, scheme):
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    if allowed:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", allowed)
    brought = {**headers, **({"x-loupan-client": asker} if asker else {})}
    assert seen(brought) == (client, scheme, headers)
