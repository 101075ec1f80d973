"""What can be wrong with a question to the gateway."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from loupan.errors import LoupanError


class QueryError(LoupanError):
    """A question that cannot be answered as asked; the message says what to ask instead."""


class UnknownMetric(QueryError):
    """There is no metric of that name."""


class UnknownDimension(QueryError):
    """No metric has a dimension of that name."""


class InvalidCombination(QueryError):
    """The metric cannot be cut or filtered by that dimension."""


class InvalidFilter(QueryError):
    """A filter value that no database text can equal."""


class OutOfScope(QueryError):
    """A metric that cannot be limited to the rows that the reader may see."""


class InvalidPeriod(QueryError):
    """A start or end that is no date, or an end before the start."""


class UnusableManifest(LoupanError):
    """A metric is declared in a way that the gateway would answer wrongly."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean …?`` with the names most alike, or nothing."""
    spelt = {text.lower(): text for text in known}
    close = get_close_matches(name.lower(), sorted(spelt), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(spelt[text] for text in close)}?" if close else ""
