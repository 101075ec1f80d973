"""Whether a request comes from this machine itself, and not through a proxy on it."""

from __future__ import annotations

import ipaddress

from starlette.requests import HTTPConnection

# What proxies add; a request that bears one comes from elsewhere, whatever its address says.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
_OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")


def is_local(connection: HTTPConnection) -> bool:
    """Say whether it comes from this machine.

    A proxy on this machine passes the name on that readers asked for, or adds a header; a request without either, from
    a loopback address, was made by somebody here.
    """
    name = connection.headers.get("host", "")
    host = name[: name.index("]") + 1] if name.startswith("[") and "]" in name else name.partition(":")[0]
    if host.lower() not in _OWN_NAMES or any(header in connection.headers for header in _FORWARDED):
        return False
    try:
        return connection.client is not None and ipaddress.ip_address(connection.client.host).is_loopback
    except ValueError:
        return False
