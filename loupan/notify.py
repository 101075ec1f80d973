"""Send a message by e-mail, webhook or chat, through Apprise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from loupan.errors import LoupanError


class NotifyError(LoupanError):
    """A message could not be sent; the message names the kind of address and its host, never its secrets."""


@dataclass(frozen=True)
class Message:
    """What is to be said: plain text, or HTML as well, and files."""

    title: str
    text: str
    html: str | None = None
    attachments: Sequence[Path] = ()


def described(url: str) -> str:
    """Name an address without what is secret in it: its kind and host."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or '…'}" if parts.scheme else "an address without a kind"


def check_address(url: str) -> None:
    """Check an Apprise address, as ``mailto://user:password@host?to=…`` or ``json://host/path``.

    Raises:
        NotifyError: if Apprise does not know it.
    """
    import apprise

    if apprise.Apprise.instantiate(url, suppress_exceptions=True) is None:
        raise NotifyError(
            f"{described(url)} is no address that messages can be sent to. Write it as Apprise does, "
            "e.g. mailtos://user:password@smtp.example.com?to=data@example.com or jsons://chat.example.com/hook."
        )


def send(url: str, message: Message) -> None:
    """Send a message to one address, and wait until it was taken.

    Raises:
        NotifyError: if it was not taken.
    """
    import apprise

    check_address(url)
    sender = apprise.Apprise()
    sender.add(url)
    taken = sender.notify(
        title=message.title,
        body=message.html or message.text,
        body_format=apprise.NotifyFormat.HTML if message.html else apprise.NotifyFormat.TEXT,
        attach=[str(path) for path in message.attachments] or None,
    )
    if not taken:
        raise NotifyError(f"{described(url)} did not take the message. Check address, user, password and network.")
