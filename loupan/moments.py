"""Moments as text: ISO 8601, in UTC where no offset is written."""

from __future__ import annotations

import datetime as dt


def moment_of(text: str) -> dt.datetime:
    """Return the moment (aware) that a text names.

    Raises:
        ValueError: if it names none.
    """
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
