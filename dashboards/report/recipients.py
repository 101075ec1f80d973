"""Who gets a report: the file ``reports.toml`` in the data folder, which an operator writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from dashboards.report.compose import ReportError
from dashboards.report.period import Kind
from loupan.addresses import environment, filled_in, names_in
from loupan.notify import NotifyError, check_address
from loupan.settings import Settings

FILE = "reports.toml"
EXAMPLE = """\
# Who gets a board report. Save it as reports.toml in the data folder (LOUPAN_DATA_DIR), readable by the server alone.
# Within an address ${NAME} stands for the environment variable NAME (or that of .env): keep passwords there.

company = ""                  # stands above the title

[[recipient]]
name = "board"                # your name for it; each recipient gets each period's report once
login = "executive"           # the account whose pages and rows the report holds
to = "mailtos://reports%40example.com:${REPORT_PASSWORD}@smtp.example.com?from=reports@example.com&to=board@example.com"
language = "zh"               # en or zh
period = "month"              # week, month or quarter

# [[recipient]]
# name = "estate managers"
# login = "sales_manager"     # within the estates and people of this account
# to = "mailtos://…"          # any address that Apprise knows and that takes files
# language = "en"
# period = "week"             # then let LOUPAN_REPORT_CRON run every week, as "0 8 * * 1"
"""


class Recipient(BaseModel):
    """One who gets a report.

    Attributes:
        name: the operator's name for them; each gets each period's report once.
        login: of the account whose rights and rows count.
        to: an Apprise address.
        language, period: of the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=100)
    login: str = Field(min_length=1)
    to: SecretStr
    language: Literal["en", "zh"] = "en"
    period: Kind = "month"

    @field_validator("to")
    @classmethod
    def _known_address(cls, to: SecretStr) -> SecretStr:
        try:
            check_address(to.get_secret_value())
        except NotifyError as error:
            raise ValueError(str(error)) from error
        return to


class Recipients(BaseModel):
    """The file: all who get a report, and what their reports share."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    company: str = Field("", max_length=200)
    recipient: tuple[Recipient, ...] = ()

    @field_validator("recipient")
    @classmethod
    def _different_names(cls, recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
        names = [recipient.name for recipient in recipients]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the name {repeated[0]!r} stands there twice; give each recipient its own")
        return recipients


def path_of(settings: Settings) -> Path:
    """Return where the file of the recipients is."""
    return settings.data_dir / FILE


def read_recipients(settings: Settings) -> Recipients:
    """Read who gets a report.

    Raises:
        ReportError: if there is no file, or it holds something that cannot be used.
    """
    path = path_of(settings)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ReportError(
            f"{path} is missing, so there is nobody to send a report to. `loupan report example` prints one."
        ) from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{path} cannot be read: it is not UTF-8. Save it as UTF-8.") from error
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}. Allow it, or move the file away.") from error
    except tomllib.TOMLDecodeError as error:
        raise ReportError(
            f"{path} is no TOML: {error}. `loupan report example` prints a file to begin with."
        ) from error
    known, lacking = environment(), set[str]()
    for recipient in told["recipient"] if isinstance(told.get("recipient"), list) else ():
        if isinstance(recipient, dict) and isinstance(address := recipient.get("to"), str):
            lacking |= {name for name in names_in(address) if not known.get(name)}
            recipient["to"] = filled_in(address, known)
    if lacking:
        raise ReportError(
            f"{path} names environment variables that are not set: {', '.join(sorted(lacking))}. "
            "Set them for whatever runs Loupan, or in .env."
        )
    try:
        return Recipients.model_validate(told)
    except ValidationError as error:
        raise ReportError(f"{path} cannot be used: {'; '.join(map(_problem, error.errors()))}.") from error


def _problem(error: Any) -> str:
    """Say what is wrong and where, without the value: it may hold a password."""
    where = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in error["loc"])
    return f"{where}: {str(error['msg']).removeprefix('Value error, ').rstrip('.')}"
