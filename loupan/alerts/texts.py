"""What is told: what happened, since when, with which numbers, what stays true, and what to do next."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from loupan.alerts.finding import Kind, Severity
from loupan.alerts.incident import Incident
from loupan.alerts.parcel import Item, Parcel, What
from loupan.formats import Formats
from loupan.i18n import Translator, marked, translator
from loupan.notify import Message
from loupan.settings import Settings

_SEVERITIES = {
    Severity.NOTICE: marked("notice"),
    Severity.WARNING: marked("warning"),
    Severity.URGENT: marked("urgent"),
}
_WHAT = {
    What.OPENED: marked("New ({severity})"),
    What.WORSE: marked("Worse ({severity})"),
    What.STILL: marked("Still so ({severity})"),
    What.OVER: marked("Over"),
    What.WAS: marked("Was so, and is over"),
}
_LABELLED = marked("{label}: {headline}")
_HEADLINES = {
    Kind.REFRESH_FAILED: marked("The refresh failed"),
    Kind.PUBLISHING_REFUSED: marked("Publishing was refused"),
    Kind.STALE_DATA: marked("Published data is older than promised"),
    Kind.SNAPSHOT_DAMAGED: marked("The published snapshot cannot be read"),
    Kind.QUARANTINE: marked("Table {subject}: too many rows in quarantine"),
    Kind.VOLUME: marked("Table {subject}: unusual number of rows"),
    Kind.METRIC: marked("{metric}, {period}: beyond its control limits"),
    Kind.BACKUP_OLD: marked("The newest backup is old"),
    Kind.DRILL_FAILED: marked("A backup could not be restored on trial"),
    Kind.UNDELIVERED: marked("Messages do not reach {subject}"),
}
_INTERRUPTED = marked("The refresh was interrupted")
_NEAR = marked("Table {subject}: nearly too many rows in quarantine")
_OVER = {
    Kind.REFRESH_FAILED: marked("Refreshes come to their end again"),
    Kind.PUBLISHING_REFUSED: marked("Publishing is no longer refused"),
    Kind.STALE_DATA: marked("Published data is fresh again"),
    Kind.SNAPSHOT_DAMAGED: marked("The published snapshot can be read again"),
    Kind.QUARANTINE: marked("Table {subject}: rows in quarantine are well below what is tolerated again"),
    Kind.VOLUME: marked("Table {subject}: the number of rows is as usual again"),
    Kind.METRIC: marked("{metric}: the newest complete period is within its control limits"),
    Kind.BACKUP_OLD: marked("There is a new backup again"),
    Kind.DRILL_FAILED: marked("A backup was restored on trial without fault"),
    Kind.UNDELIVERED: marked("Messages reach {subject} again"),
}
_REMEDIES = {
    Kind.REFRESH_FAILED: marked(
        "Next: `loupan status` and the page Data status say what went wrong; `loupan refresh` tries again."
    ),
    Kind.PUBLISHING_REFUSED: marked(
        "Next: mend the records that the page Quarantine lists; the next refresh publishes by itself. "
        "All failed checks: `loupan status`."
    ),
    Kind.STALE_DATA: marked(
        "Next: see that `loupan service` runs, and what `loupan status` says; `loupan refresh` brings new data."
    ),
    Kind.SNAPSHOT_DAMAGED: marked(
        "Next: `loupan snapshots rollback` goes back to the last whole one, `loupan refresh` publishes a new one."
    ),
    Kind.QUARANTINE: marked("Next: the page Quarantine, or `loupan status --quarantined`, lists the rows and reasons."),
    Kind.VOLUME: marked(
        "Next: compare with what was entered or imported; `loupan snapshots diff` shows what changed. If rows are gone "
        "that should not be, restore them before the next refresh."
    ),
    Kind.METRIC: marked("Next: the page Overview shows its course and the groups it came from."),
    Kind.BACKUP_OLD: marked("Next: `loupan backup create` makes one now; see why the schedule did not."),
    Kind.DRILL_FAILED: marked(
        "Next: `loupan backup drills` says what failed; make a new backup and try it with `loupan backup drill`."
    ),
    Kind.UNDELIVERED: marked("Next: mend the address in alerts.toml; `loupan alerts test` tries it."),
}
_STEPS = {
    "day": marked("{added} rows in the last day"),
    "week": marked("{added} rows in the last week"),
}
_USUAL = {
    "day": marked("usual are {usual} a day, between {low} and {high} ({steps} earlier days)"),
    "week": marked("usual are {usual} a week, between {low} and {high} ({steps} earlier weeks)"),
}


# Of these it is said already what readers see, or it does not matter to them.
_NOT_OF_READERS = (Kind.STALE_DATA, Kind.METRIC, Kind.BACKUP_OLD, Kind.DRILL_FAILED, Kind.UNDELIVERED)
# Nobody counts more days than these in hours.
_TOLD_IN_HOURS = 3


@dataclass(frozen=True)
class Told:
    """An incident in words.

    Attributes:
        headline: what is wrong.
        lines: since when, numbers, what stays true.
        remedy: what to do next.
    """

    headline: str
    lines: tuple[str, ...]
    remedy: str


def told(incident: Incident, settings: Settings, language: str) -> Told:
    """Put an incident into words.

    Args:
        incident: open or over.
        settings: name time zone and currency.
        language: a key of `loupan.i18n.LANGUAGES`.
    """
    return _Words(incident, settings, language).told()


def compose(parcel: Parcel, settings: Settings, now: dt.datetime) -> Message:
    """Write the message to one recipient.

    Args:
        parcel: what is told.
        settings: name time zone and currency.
        now: the moment of sending.
    """
    language = parcel.recipient.language
    t = translator(language)
    formats = Formats(language, settings.currency)
    parts = [_part(item, settings, language) for item in parcel.items]
    title = t("Loupan: {headline}", headline=_headline(parcel.items[0], settings, language))
    if len(parts) > 1:
        title = t("{title} (and {number} more)", title=title, number=len(parts) - 1)
    if parcel.is_gathered:
        note = t("Gathered: at most {number} messages an hour are sent to you.", number=parcel.recipient.most_per_hour)
        parts.insert(0, note)
    parts.append(t("Sent {moment}.", moment=formats.moment(now, settings.time_zone)))
    return Message(title, "\n\n".join(parts))


def _headline(item: Item, settings: Settings, language: str) -> str:
    words = _Words(item.incident, settings, language)
    return words.over() if item.what == What.OVER else words.headline()


def _part(item: Item, settings: Settings, language: str) -> str:
    words = _Words(item.incident, settings, language)
    t = words.t
    label = t(_WHAT[item.what], severity=t(_SEVERITIES[item.incident.severity]))
    if item.what == What.OVER:
        return "\n".join([t(_LABELLED, label=label, headline=words.over()), *words.ending()])
    whole = words.told()
    lines = [t(_LABELLED, label=label, headline=whole.headline), *whole.lines]
    return "\n".join([*lines, *words.ending()] if item.what == What.WAS else [*lines, whole.remedy])


class _Words:
    """The words for one incident."""

    def __init__(self, incident: Incident, settings: Settings, language: str) -> None:
        self.incident, self.facts = incident, incident.facts
        self.language, self._zone = language, settings.time_zone
        self.t: Translator = translator(language)
        self.formats = Formats(language, str(incident.facts.get("currency") or settings.currency))

    def told(self) -> Told:
        return Told(
            self.headline(),
            tuple(line for line in (self._since(), *self._details(), self._stays()) if line),
            self.t(_REMEDIES[self.incident.kind]),
        )

    def headline(self) -> str:
        words = _HEADLINES[self.incident.kind]
        if self.incident.kind == Kind.REFRESH_FAILED and self.facts.get("interrupted"):
            words = _INTERRUPTED
        if self.incident.kind == Kind.QUARANTINE and not self.facts.get("crossed"):
            words = _NEAR
        return self.t(words, **self._names())

    def over(self) -> str:
        return self.t(_OVER[self.incident.kind], **self._names())

    def ending(self) -> list[str]:
        """Say from when to when it was so, and what readers see now."""
        began, ended = self._moment(self.incident.since), self._moment(self.incident.closed_at)
        sees = self._moment(self.incident.ending.get("readers_see"))
        lines = [self.t("It was so from {began} to {ended}.", began=began, ended=ended)]
        return [*lines, self.t("Readers see data as of {moment}.", moment=sees)] if sees else lines

    def _names(self) -> dict[str, Any]:
        label = self.facts.get("label_zh") if self.language == "zh" else self.facts.get("label")
        period = str(self.facts.get("period") or "")
        return {
            "subject": self.incident.subject,
            "metric": label or self.incident.subject,
            "period": self.formats.period_label(period) if period else "",
        }

    def _since(self) -> str:
        return self.t("Since {moment}.", moment=self._moment(self.incident.since))

    def _details(self) -> list[str]:
        details = {
            Kind.REFRESH_FAILED: lambda: [*self._times(), *self._error()],
            Kind.PUBLISHING_REFUSED: lambda: [*self._times(), *self._checks()],
            Kind.STALE_DATA: self._age,
            Kind.QUARANTINE: lambda: [self._quarantined()],
            Kind.VOLUME: lambda: [self._rows()],
            Kind.METRIC: lambda: [self._beyond()],
            Kind.BACKUP_OLD: lambda: [self.t("It is {age} old.", age=self._duration(self._number("hours")))],
        }
        return details.get(self.incident.kind, self._error)()

    def _times(self) -> list[str]:
        number = int(self._number("times"))
        return [self.t("{number} times in a row.", number=number)] if number > 1 else []

    def _error(self) -> list[str]:
        error = str(self.facts.get("error") or "")
        if not error or self.facts.get("interrupted"):
            return []
        return [self.t("It said: {error}", error=error)]

    def _checks(self) -> list[str]:
        listed = self.facts.get("checks")
        checks = listed if isinstance(listed, list) else []
        more = int(self._number("failed")) - len(checks)
        lines = [self.t("{number} checks failed:", number=int(self._number("failed"))), *(f"- {c}" for c in checks)]
        return [*lines, self.t("- and {number} more", number=more)] if more > 0 else lines

    def _age(self) -> list[str]:
        lines = [
            self.t(
                "Data is as of {moment}, {age} ago; at most {promised} are promised.",
                moment=self._moment(self.facts.get("readers_see")),
                age=self._duration(self._number("hours")),
                promised=self._duration(self._number("promised")),
            )
        ]
        started = self._moment(self.facts.get("last_started"))
        if started:
            words = {
                "running": marked("A refresh runs since {moment}."),
                "published": marked("The last refresh began {moment} and was published; none has begun since."),
                "refused": marked("The last refresh began {moment}, and publishing was refused."),
                "error": marked("The last refresh began {moment} and failed."),
                "cancelled": marked("The last refresh began {moment} and was cancelled."),
            }.get(str(self.facts.get("last_outcome")), marked("The last refresh began {moment}."))
            lines.append(self.t(words, moment=started))
        return lines

    def _quarantined(self) -> str:
        return self.t(
            "{quarantined} of {rows} rows lie in quarantine; publishing is refused beyond {allowed} ({threshold}).",
            quarantined=self._write("quarantined"),
            rows=self._write("rows"),
            allowed=self._write("allowed"),
            threshold=self._write("threshold", "percent"),
        )

    def _rows(self) -> str:
        step = str(self.facts.get("step"))
        added = self._number("added")
        newest = self.t(_STEPS[step], added=f"{'+' if added > 0 else ''}{self._write('added')}")
        usual = self.t(
            _USUAL[step],
            usual=self._write("usual"),
            low=self._write("low"),
            high=self._write("high"),
            steps=int(self._number("steps")),
        )
        return self.t("{newest}, {rows} in all; {usual}.", newest=newest, rows=self._write("rows"), usual=usual)

    def _beyond(self) -> str:
        unit = str(self.facts.get("unit"))
        value, low, high = (self._write(name, unit) for name in ("value", "low", "high"))
        if unit == "count" and value in (low, high):
            # In whole numbers the limit would read like the value that is beyond it.
            low, high = (self._write(name, "ratio") for name in ("low", "high"))
        return self.t(
            "{value}; the limits are {low} and {high} around an average of {centre} ({periods} earlier periods).",
            value=value,
            low=low,
            high=high,
            centre=self._write("centre", unit),
            periods=int(self._number("periods")),
        )

    def _stays(self) -> str:
        sees = self._moment(self.facts.get("readers_see"))
        if self.incident.kind in _NOT_OF_READERS:
            return ""
        if self.incident.kind == Kind.SNAPSHOT_DAMAGED:
            return self.t("Readers see no figures until it is mended; earlier snapshots are untouched.")
        if not sees:
            return self.t("Nothing is published yet.")
        return self.t("Readers see data as of {moment}, which was checked.", moment=sees)

    def _number(self, name: str) -> float:
        value = self.facts.get(name)
        return float(value) if isinstance(value, int | float) else 0.0

    def _duration(self, hours: float) -> str:
        days = hours / 24
        return self.formats.value(days, "days") if days > _TOLD_IN_HOURS else self.formats.value(hours, "hours")

    def _write(self, name: str, unit: str = "count") -> str:
        value = self.facts.get(name)
        if not isinstance(value, int | float):
            return self.formats.value(None, unit)
        return self.formats.value(round(value) if unit == "count" else value, unit)

    def _moment(self, moment: object) -> str:
        if isinstance(moment, str):
            moment = dt.datetime.fromisoformat(moment)
        return self.formats.moment(moment, self._zone) if isinstance(moment, dt.datetime) else ""
