"""The words of every alert, in both languages: whole, filled in, with what happened, since when, and what to do."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from loupan.alerts.config import Recipient
from loupan.alerts.finding import Fact, Kind, Severity
from loupan.alerts.incident import Incident
from loupan.alerts.parcel import Item, Parcel, What
from loupan.alerts.texts import _NOT_OF_READERS, compose, told
from loupan.settings import get_settings

SINCE = dt.datetime(2026, 6, 30, 1, tzinfo=dt.UTC)
SEES: dict[str, Fact] = {"readers_see": "2026-06-28T16:00:00+00:00"}
FACTS: dict[Kind, dict[str, Fact]] = {
    Kind.REFRESH_FAILED: {"times": 3, "error": "the disk is full", "interrupted": 0},
    Kind.PUBLISHING_REFUSED: {"times": 1, "checks": ["raw/lead: expectations"], "failed": 4},
    Kind.STALE_DATA: {
        "hours": 33.0, "promised": 26, "last_started": "2026-06-29T22:00:00+00:00", "last_outcome": "error",
    },
    Kind.SNAPSHOT_DAMAGED: {"error": "marts.duckdb has 4 bytes"},
    Kind.QUARANTINE: {"rows": 1000, "quarantined": 30, "allowed": 20, "threshold": 0.02, "crossed": 1},
    Kind.VOLUME: {
        "step": "day", "rows": 12_400, "added": -312.0, "usual": 98.4, "low": 41.0, "high": 160.2, "steps": 28,
    },
    Kind.METRIC: {
        "label": "Complaint rate", "label_zh": "投诉率", "unit": "per_100", "period": "2026-05",
        "value": 4.21, "low": 1.0, "high": 3.5, "centre": 2.2, "periods": 24, "currency": "CNY",
    },
    Kind.BACKUP_OLD: {"hours": 49.0},
    Kind.DRILL_FAILED: {"error": "table deal: 3 rows differ"},
    Kind.UNDELIVERED: {"error": "nothing listens there"},
}  # fmt: skip
EXPECTED = {
    Kind.REFRESH_FAILED: ["The refresh failed", "3 times in a row.", "It said: the disk is full"],
    Kind.PUBLISHING_REFUSED: ["4 checks failed:", "- raw/lead: expectations", "- and 3 more"],
    Kind.STALE_DATA: [
        "Data is as of 29 Jun 2026, 00:00, 33.0 h ago; at most 26.0 h are promised.",
        "The last refresh began 30 Jun 2026, 06:00 and failed.",
    ],
    Kind.SNAPSHOT_DAMAGED: ["Readers see no figures until it is mended", "marts.duckdb has 4 bytes"],
    Kind.QUARANTINE: [
        "Table lead: too many",
        "30 of 1,000 rows lie in quarantine; publishing is refused beyond 20 (2.0%).",
    ],
    Kind.VOLUME: [
        "−312 rows in the last day, 12,400 in all; usual are 98 a day, between 41 and 160 (28 earlier days)."
    ],
    Kind.METRIC: [
        "Complaint rate, May 2026: beyond its control limits",
        "4.21; the limits are 1.00 and 3.50 around an average of 2.20 (24 earlier periods).",
    ],
    Kind.BACKUP_OLD: ["The newest backup is old", "It is 49.0 h old"],
    Kind.DRILL_FAILED: ["A backup could not be restored on trial", "table deal: 3 rows differ"],
    Kind.UNDELIVERED: ["Messages do not reach lead", "nothing listens there"],
}


def incident(kind: Kind, **more: object) -> Incident:
    made = Incident(kind, "lead", "", Severity.WARNING, SINCE, SINCE, SINCE, {**SEES, **FACTS[kind]})
    for name, value in more.items():
        setattr(made, name, value)
    return made


def message(items: list[Item], language: str) -> str:
    recipient = Recipient.model_validate({"name": "a", "address": "json://h", "language": language})
    composed = compose(Parcel(recipient, tuple(items), False), get_settings(), SINCE)
    return f"{composed.title}\n{composed.text}"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_says_what_since_when_and_what_to_do(kind: Kind) -> None:
    words = told(incident(kind), get_settings(), "en")
    text = "\n".join((words.headline, *words.lines))
    for part in EXPECTED[kind]:
        assert part in text
    assert "Since 30 Jun 2026, 09:00." in words.lines
    assert words.remedy.startswith("Next: ")
    if kind not in (*_NOT_OF_READERS, Kind.SNAPSHOT_DAMAGED):
        assert "Readers see data as of 29 Jun 2026, 00:00, which was checked." in words.lines


@pytest.mark.parametrize("what", What)
@pytest.mark.parametrize("kind", Kind)
def test_chinese_messages_have_no_english_sentence(kind: Kind, what: What) -> None:
    over = {"closed_at": SINCE, "ending": SEES} if what in (What.OVER, What.WAS) else {}
    text = message([Item(incident(kind, **over), what)], "zh")
    assert "{" not in text
    # What remains are names, commands and what a program said.
    known = (
        "table deal: 3 rows differ",
        "the disk is full",
        "marts.duckdb has 4 bytes",
        "nothing listens there",
        "raw/lead: expectations",
    )
    for said in known:
        text = text.replace(said, "")
    text = re.sub(r"`[^`]*`|alerts\.toml", "", text)
    assert set(re.findall(r"[A-Za-z]+", text)) <= {"Loupan", "lead", "h"}, text


def test_what_is_over_says_from_when_to_when() -> None:
    over = incident(Kind.STALE_DATA, closed_at=SINCE + dt.timedelta(hours=2), ending=SEES)
    assert message([Item(over, What.OVER)], "en").splitlines() == [
        "Loupan: Published data is fresh again",
        "Over: Published data is fresh again",
        "It was so from 30 Jun 2026, 09:00 to 30 Jun 2026, 11:00.",
        "Readers see data as of 29 Jun 2026, 00:00.",
        "",
        "Sent 30 Jun 2026, 09:00.",
    ]


def test_a_limit_never_reads_like_the_value_beyond_it() -> None:
    none = incident(Kind.METRIC)
    none.facts |= {"metric": "leads", "unit": "count", "value": 0, "low": 0.04, "high": 53.6, "centre": 27}
    assert "0; the limits are 0.04 and 53.60 around an average of 27" in message([Item(none, What.OPENED)], "en")
    none.facts["value"] = 60
    assert "60; the limits are 0 and 54 around an average of 27" in message([Item(none, What.OPENED)], "en")


def test_what_is_years_old_is_told_in_days() -> None:
    old = incident(Kind.STALE_DATA)
    old.facts["hours"] = 3599.0
    assert "150 days ago; at most 26.0 h are promised" in message([Item(old, What.OPENED)], "en")
