"""What can be wrong, and what is found wrong at a moment."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum

Fact = str | int | float | list[str] | None


class Kind(StrEnum):
    """What can be wrong."""

    REFRESH_FAILED = "refresh_failed"
    PUBLISHING_REFUSED = "publishing_refused"
    STALE_DATA = "stale_data"
    SNAPSHOT_DAMAGED = "snapshot_damaged"
    QUARANTINE = "quarantine"
    VOLUME = "volume"
    METRIC = "metric"
    BACKUP_OLD = "backup_old"
    DRILL_FAILED = "drill_failed"
    UNDELIVERED = "undelivered"


class Severity(StrEnum):
    """How much it matters, least first."""

    NOTICE = "notice"
    WARNING = "warning"
    URGENT = "urgent"

    @property
    def rank(self) -> int:
        """Place in the order, 0 for the least."""
        return list(Severity).index(self)


SEVERITIES = {
    Kind.REFRESH_FAILED: Severity.WARNING,
    Kind.PUBLISHING_REFUSED: Severity.WARNING,
    Kind.STALE_DATA: Severity.URGENT,
    Kind.SNAPSHOT_DAMAGED: Severity.URGENT,
    Kind.QUARANTINE: Severity.WARNING,
    Kind.VOLUME: Severity.WARNING,
    Kind.METRIC: Severity.NOTICE,
    Kind.BACKUP_OLD: Severity.WARNING,
    Kind.DRILL_FAILED: Severity.URGENT,
    Kind.UNDELIVERED: Severity.WARNING,
}
"""How much each matters where ``alerts.toml`` says nothing else."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong now.

    Attributes:
        kind: what.
        severity: how much it matters.
        since: when it began, as far as is known.
        subject: the table, metric or recipient it is about; empty where there is one of the kind only.
        edition: the period it is about; in another period the same is another alert.
        facts: numbers and names that its message tells.
    """

    kind: Kind
    severity: Severity
    since: dt.datetime
    subject: str = ""
    edition: str = ""
    facts: dict[str, Fact] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells it from others that are found at the same moment."""
        return f"{self.kind}:{self.subject}"


@dataclass(frozen=True)
class Evaluation:
    """Everything found at a moment.

    Attributes:
        findings: what is wrong.
        unjudged: kinds that could not be judged: what was wrong of these stays as it was.
        problems: why not.
        facts: what a message about the end of something tells.
    """

    findings: tuple[Finding, ...]
    unjudged: frozenset[Kind] = frozenset()
    problems: tuple[str, ...] = ()
    facts: dict[str, Fact] = field(default_factory=dict)
