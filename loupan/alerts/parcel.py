"""What one recipient is told in one message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from loupan.alerts.config import Recipient
from loupan.alerts.incident import Incident


class What(StrEnum):
    """What is told of an incident."""

    OPENED = "opened"
    WORSE = "worse"
    STILL = "still"
    OVER = "over"
    WAS = "was"  # it was over before it could be told


@dataclass(frozen=True)
class Item:
    """One thing to be told."""

    incident: Incident
    what: What


@dataclass(frozen=True)
class Parcel:
    """All that one recipient is told in one message; ``is_gathered`` if it had to wait for the bound per hour."""

    recipient: Recipient
    items: tuple[Item, ...]
    is_gathered: bool
