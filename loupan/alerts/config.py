"""``alerts.toml`` in the data folder: who is told what, when and how, and by which rules."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator

from loupan.addresses import environment, filled_in, names_in
from loupan.alerts.finding import SEVERITIES, Kind, Severity
from loupan.errors import LoupanError
from loupan.notify import NotifyError, check_address
from loupan.settings import Settings

FILE = "alerts.toml"
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
Loc = tuple[int | str, ...]


class AlertsError(LoupanError):
    """``alerts.toml`` cannot be used; the message names line, field and remedy, never an address."""


def _hours(value: Any) -> Any:
    """Read hours such as 22:00-08:00 as the moments they begin and end."""
    if not isinstance(value, str):
        return value
    match = _HOURS.fullmatch(value.replace(" ", "").replace("–", "-"))
    if match is None or (match[1], match[2]) == (match[3], match[4]):
        raise ValueError("is no time of the day; write it as '22:00-08:00'")
    return dt.time(int(match[1]), int(match[2])), dt.time(int(match[3]), int(match[4]))


Hours = Annotated[tuple[dt.time, dt.time], BeforeValidator(_hours)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Recipient(_Table):
    """Somebody, or a group, that is told of alerts."""

    name: str = Field(min_length=1, max_length=80)
    address: SecretStr
    kinds: frozenset[Kind] = frozenset(Kind)
    least_severity: Severity = Severity.NOTICE
    language: Literal["en", "zh"] = "en"
    quiet_hours: Hours | None = None
    urgent_in_quiet_hours: bool = True
    most_per_hour: int = Field(6, ge=1, le=60)

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable() or not name.strip():
            raise ValueError("must be one line of text")
        return name.strip()

    def is_quiet(self, local: dt.datetime) -> bool:
        """Say whether a moment, in the company's time zone, lies in the quiet hours."""
        if self.quiet_hours is None:
            return False
        begin, end = self.quiet_hours
        at = local.time()
        return begin <= at < end if begin < end else at >= begin or at < end


class Rules(_Table):
    """What counts as wrong, and how often it is told.

    Attributes:
        reminder_hours: after so many hours what is still wrong is told again; the last counts for all later ones.
        settle_minutes: so long something must be right again before it counts as over; each time it came back within a
            day doubles it.
        quarantine_near: share of the tolerated rows in quarantine from which a table is told of.
        volume_least_history: so many earlier loads a table needs before its volume is judged.
        metrics: metrics whose newest complete period is judged against their control limits.
        metric_period: the period: week, month or quarter.
    """

    reminder_hours: tuple[Annotated[float, Field(ge=0.25, le=24 * 60)], ...] = (4, 24, 72)
    settle_minutes: float = Field(2, ge=0, le=24 * 60)
    quarantine_near: float = Field(0.8, gt=0, le=1)
    volume_least_history: int = Field(8, ge=4, le=100)
    metrics: tuple[str, ...] = ("leads", "contracts_gross", "demands", "cancel_rate", "complaint_rate")
    metric_period: Literal["week", "month", "quarter"] = "month"

    @field_validator("reminder_hours")
    @classmethod
    def _growing(cls, hours: tuple[float, ...]) -> tuple[float, ...]:
        if list(hours) != sorted(hours):
            raise ValueError("must grow, as [4, 24, 72]")
        return hours


class AlertsConfig(_Table):
    """The whole file."""

    recipient: tuple[Recipient, ...] = ()
    rules: Rules = Rules()
    severity: dict[Kind, Severity] = Field(default_factory=dict)

    @field_validator("recipient")
    @classmethod
    def _different_names(cls, recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
        names = [recipient.name for recipient in recipients]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two are called {name!r}; give each a name of its own")
        return recipients

    def severity_of(self, kind: Kind) -> Severity:
        """Return how much a kind matters."""
        return self.severity.get(kind, SEVERITIES[kind])


def config_path(settings: Settings) -> Path:
    """Return where the file lies."""
    return settings.data_dir / FILE


def read_config(settings: Settings) -> AlertsConfig:
    """Read the file; without one there is nobody to tell, and the rules are the ready-made ones.

    Raises:
        AlertsError: naming everything that cannot be used.
    """
    path = config_path(settings)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return AlertsConfig()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise AlertsError(f"{path} cannot be read: line {line} is not UTF-8. Save the file as UTF-8.") from error
    except OSError as error:
        raise AlertsError(f"{path} cannot be read: {error.strerror}. Allow it, or move the file away.") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # What the parser quotes is one character, never a value.
        raise AlertsError(f"{path} is no TOML: {error}. Compare it with `loupan alerts example`.") from error
    problems = list(_filled_in(tables))
    config = None
    if not problems:
        try:
            config = AlertsConfig.model_validate(tables)
        except ValidationError as error:
            problems = [(tuple(e["loc"]), _said(e)) for e in error.errors(include_input=False, include_url=False)]
    if config is not None:
        problems = list(_no_addresses(config))
    if problems or config is None:
        told = "; ".join(f"{_place(text, loc)} {problem}" for loc, problem in problems)
        raise AlertsError(f"{path} cannot be used: {told}. Compare it with `loupan alerts example`.")
    return config


def _filled_in(tables: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """Put secrets of the environment into the addresses; yield what cannot be."""
    recipients = tables.get("recipient")
    known: Mapping[str, str | None] | None = None
    for number, recipient in enumerate(recipients if isinstance(recipients, list) else ()):
        address = recipient.get("address") if isinstance(recipient, dict) else None
        if not isinstance(address, str) or not (names := names_in(address)):
            continue
        known = environment() if known is None else known
        for name in names:
            if not known.get(name):
                yield (
                    ("recipient", number, "address"),
                    f"takes ${{{name}}} from the environment, where it is not set; set it for whatever runs Loupan, "
                    "or in .env",
                )
        recipient["address"] = filled_in(address, known)


def _no_addresses(config: AlertsConfig) -> Iterator[tuple[Loc, str]]:
    for number, recipient in enumerate(config.recipient):
        try:
            check_address(recipient.address.get_secret_value())
        except NotifyError as error:
            yield ("recipient", number, "address"), f"is not usable: {str(error).removesuffix('.')}"


def _said(error: Any) -> str:
    kind, message = error["type"], str(error["msg"])
    if kind == "extra_forbidden":
        return "is unknown; mend its spelling or remove it"
    if kind == "missing":
        return "is missing"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _place(text: str, loc: Loc) -> str:
    """Name a field with the line it stands in, or that of the table which lacks it."""
    # What comes after a number within a field is which of its values.
    depth = 3 if len(loc) > 1 and isinstance(loc[1], int) else 2
    table, field = loc[: depth - 1], [str(part) for part in loc[depth - 1 : depth]]
    name = ".".join([str(table[0]) if table else "the file", *field])
    line = _line(text, table, field[0] if field else None)
    return f"line {line}, {name}:" if line else f"{name}:"


def _line(text: str, table: Loc, field: str | None) -> int | None:
    """Find the line of a field of a table; the table's own where it has no such field; None where there is none."""
    if not table:
        return None
    wanted = table[1] if len(table) > 1 and isinstance(table[1], int) else 0
    name = re.escape(str(table[0]))
    header = re.compile(rf"\s*\[{{1,2}}\s*[\"']?{name}[\"']?\s*\]{{1,2}}")
    key = re.compile(rf"\s*[\"']?{re.escape(field)}[\"']?\s*=") if field else None
    top = re.compile(rf"\s*[\"']?{name}[\"']?\s*[=.]")
    found, seen, is_inside = None, -1, False
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(r"\s*\[", line) and not line.strip().startswith(("[]",)):
            seen += bool(header.match(line))
            is_inside = bool(header.match(line)) and seen == wanted
            found = number if is_inside else found
        elif (is_inside and key and key.match(line)) or (found is None and top.match(line)):
            return number
    return found


def kinds_listed(kinds: Sequence[Kind] | frozenset[Kind]) -> str:
    """Name kinds in their order."""
    return ", ".join(kind for kind in Kind if kind in kinds)


EXAMPLE = """\
# Who is told when something is wrong, and how. Save as {path}
# Passwords and tokens need not stand here: ${{NAME}} is taken from the environment (or .env) of whatever runs Loupan.
# `loupan alerts test` sends a message to each recipient.

[[recipient]]
name = "data team"
# Any address of Apprise (https://github.com/caronc/apprise): mailtos:// e-mail, jsons:// webhook, a chat.
# A special character within a user or password is written as %40 for @; in a ${{NAME}} that happens by itself.
# Of several addresses in one, all get a message again if one of them was not taken: better a recipient each.
address = "mailtos://user:${{SMTP_PASSWORD}}@smtp.example.com?from=loupan@example.com&to=data@example.com"
# All kinds by default: {kinds}
# kinds = ["refresh_failed", "publishing_refused", "stale_data"]
# Nothing less than this: notice, warning, urgent.
least_severity = "notice"
language = "en"                 # en or zh
# In the company's time zone. What comes up meanwhile is sent afterwards in one message, if it is still so.
quiet_hours = "22:00-08:00"
urgent_in_quiet_hours = true    # what is urgent is sent all the same
most_per_hour = 6               # beyond that messages are gathered

# [[recipient]]
# name = "on duty"
# address = "${{CHAT_HOOK}}"
# least_severity = "urgent"
# language = "zh"

[rules]
# After so many hours what is still wrong is told again; the last counts for all later ones.
reminder_hours = [4, 24, 72]
# So long something must be right again before it counts as over; each time it came back within a day doubles it.
settle_minutes = 2
# A table is told of from this share of the rows that LOUPAN_QUARANTINE_THRESHOLD tolerates in quarantine.
quarantine_near = 0.8
# So many earlier loads a table needs before the number of its rows is judged.
volume_least_history = 8
# Metrics whose newest complete period is judged against their control limits: see `loupan metrics list`.
metrics = ["leads", "contracts_gross", "demands", "cancel_rate", "complaint_rate"]
metric_period = "month"         # week, month or quarter

# How much each kind matters, where it is to be other than this.
[severity]
{severities}
"""


def example(settings: Settings) -> str:
    """Return a commented file to begin with."""
    return EXAMPLE.format(
        path=config_path(settings),
        kinds=kinds_listed(frozenset(Kind)),
        severities="\n".join(f'# {kind} = "{severity}"' for kind, severity in SEVERITIES.items()),
    )
