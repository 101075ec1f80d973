"""Send a message by e-mail, webhook or chat, through Apprise.

Nothing secret leaves: Apprise writes addresses and answers into its log, which is kept to this module; of what it says
about a failure only the kind is told.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from loupan.errors import LoupanError

if TYPE_CHECKING:
    import apprise

SECONDS = 15.0
"""So long one message may take."""

# What Apprise's log says of a failure → what is told of it. The first that is found counts.
_REASONS = (
    (r"certificate|ssl|tls", "no safe connection (TLS) could be made; check the port, and the server's certificate"),
    (
        r"authenticat|\b535\b|\b534\b|error=401|error=403|credentials",
        "it refused user, password or token; mend them in the address",
    ),
    (r"connection refused", "nothing listens there; check host and port"),
    (
        r"name or service not known|getaddrinfo|name ?resolution|nodename|temporary failure in name",
        "there is no host of that name; check the host",
    ),
    (
        r"sender address|mail from|recipients? (?:address )?(?:refused|rejected)|\b55[0-4]\b",
        "it refused the sender's or the recipient's address; check from= and to=",
    ),
)
_LATE = re.compile(r"timed? ?out", re.IGNORECASE)
_UNKNOWN = "check address, user, password and network"
_STATUS = re.compile(r"error=(\d{3})\b")


class NotifyError(LoupanError):
    """A message could not be sent; the message names the kind of address and its host, never its secrets."""


class NotAnswered(NotifyError):
    """Whether the message arrived is not known: its time was over before the server said so."""


@dataclass(frozen=True)
class Message:
    """What is to be said: plain text, or HTML as well, and files."""

    title: str
    text: str
    html: str | None = None
    attachments: Sequence[Path] = ()


def described(url: str) -> str:
    """Name an address without what is secret in it: its kind and, of e-mail and webhooks, its host.

    Other kinds keep tokens where those have their host, as ``slack://TOKEN/…``.
    """
    scheme, colon, _ = url.partition("://")
    kind = scheme.strip().lower()
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]*", kind):
        return "an address without a kind"
    try:
        host = urlsplit(url).hostname if kind in _WITH_HOST else None
    except ValueError:
        host = None
    return f"{kind}://{host or '…'}"


_WITH_HOST = frozenset({"mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms", "mmost", "mmosts"})


def check_address(url: str) -> None:
    """Check an Apprise address, as ``mailto://user:password@host?to=…`` or ``json://host/path``.

    Raises:
        NotifyError: if Apprise does not know it.
    """
    _service(url)


def send(url: str, message: Message, timeout: float = SECONDS) -> None:
    """Send a message to one address, and wait until it was taken.

    Args:
        url: an Apprise address.
        message: what is said.
        timeout: after so many seconds it counts as not taken, though it may still arrive.

    Raises:
        NotAnswered: if the time is over.
        NotifyError: if it was not taken.
    """
    import apprise

    sender = apprise.Apprise(asset=_asset())
    sender.add(_service(url))
    result = sender.notify(
        title=message.title,
        body=message.html or message.text,
        body_format=apprise.NotifyFormat.HTML if message.html else apprise.NotifyFormat.TEXT,
        attach=[str(path) for path in message.attachments] or None,
        timeout=timeout,
        log_level=logging.DEBUG,
    )
    if result:
        return
    said = "\n".join(entry.message for entry in result.logs())
    if result.status == apprise.AppriseResultStatus.TIMEOUT or _LATE.search(said):
        raise NotAnswered(
            f"{described(url)} did not take the message: it did not answer in time; check host, port and network."
        )
    raise NotifyError(f"{described(url)} did not take the message: {_reason(said)}.")


def _service(url: str) -> apprise.NotifyBase:
    import apprise

    _keep_log()
    service = apprise.Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
    if service is None:
        raise NotifyError(
            f"{described(url)} is no address that messages can be sent to. Write it as Apprise does, "
            "e.g. mailtos://user:password@smtp.example.com?to=data@example.com or jsons://chat.example.com/hook."
        )
    return service


@cache
def _asset() -> apprise.AppriseAsset:
    """How Apprise behaves: it writes no files and fetches nothing."""
    import apprise

    return apprise.AppriseAsset(
        app_id="Loupan",
        app_desc="Loupan",
        app_url="",
        # Pictures that a chat would fetch from elsewhere.
        image_url_mask="",
        image_url_logo="",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
        # A moved address would be asked with GET, and the message be lost with the answer "well done".
        http_redirects=False,
        async_mode=False,
    )


@cache
def _keep_log() -> None:
    """Keep from the log of the program what Apprise, and the HTTP library below it, write of addresses and answers."""
    log = logging.getLogger("apprise")
    log.propagate = False
    # What it says of a failure reaches `send` by the result, and only what is logged does.
    log.setLevel(logging.DEBUG)
    log.addHandler(logging.NullHandler())
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


def _reason(said: str) -> str:
    """Tell of what Apprise's log says the kind of failure alone: the rest may hold tokens and addresses."""
    for pattern, reason in _REASONS:
        if re.search(pattern, said, re.IGNORECASE):
            return reason
    status = _STATUS.search(said)
    return f"it answered with HTTP status {status[1]}; check path and token in the address" if status else _UNKNOWN
