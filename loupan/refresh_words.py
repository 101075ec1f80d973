"""Words for refreshes and their plan, as people read them."""

from __future__ import annotations

import re

from loupan.i18n import Translator, marked
from loupan.refresh_state import RefreshState

OUTCOMES = {
    "published": marked("published"),
    "unchanged": marked("nothing had changed"),
    "refused": marked("refused"),
    "error": marked("stopped with an error"),
    "cancelled": marked("cancelled"),
}
_RUNNING = marked("running")
_ALL, _CHANGED = marked("All rows"), marked("Changed rows")
_COMMAND = marked("Command line or Dagster")
_ON_CHANGE = marked("A change of the CRM")

_DAILY = re.compile(r"(\d{1,2}) (\d{1,2}) \* \* \*")
_HOURLY = re.compile(r"(\d{1,2}) (\d{1,2})-(\d{1,2}) \* \* \*")
_MINUTES = re.compile(r"\*/(\d{1,2}) (\d{1,2})-(\d{1,2}) \* \* \*")


def outcome(t: Translator, run: RefreshState) -> str:
    """Say what became of a refresh."""
    return t(OUTCOMES.get(run.outcome, _RUNNING))


def started_by(t: Translator, run: RefreshState) -> str:
    """Say who or what started a refresh."""
    kind, _, name = run.started_by.partition(" ")
    if kind == "schedule":
        return t("Schedule {name}", name=name.removeprefix("refresh_"))
    if kind == "sensor":
        return t(_ON_CHANGE)
    return run.started_by or t(_COMMAND)


def loads(t: Translator, *, full: bool, tables: list[str] | None = None) -> str:
    """Say which rows are loaded."""
    words = t(_ALL if full else _CHANGED)
    if tables and not full:
        words = t("{rows}, and all of {tables}", rows=words, tables=t(", ").join(tables))
    return words


def cron_in_words(t: Translator, cron: str) -> str:
    """Say when a schedule runs; what is no common pattern stays as it is."""
    if found := _DAILY.fullmatch(cron):
        return t("daily at {time}", time=_time(found[2], found[1]))
    if found := _HOURLY.fullmatch(cron):
        return t("hourly from {first} to {last}", first=_time(found[2], found[1]), last=_time(found[3], found[1]))
    if found := _MINUTES.fullmatch(cron):
        return t(
            "every {minutes} minutes from {first} to {last}",
            minutes=found[1],
            first=_time(found[2], "0"),
            last=_time(found[3], "59"),
        )
    return cron


def _time(hour: str, minute: str) -> str:
    return f"{int(hour):02}:{int(minute):02}"
