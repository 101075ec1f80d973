"""When the statistics are refreshed: the plan that data staff keep, in ``<data_dir>/schedules.json``.

Dagster runs it; the app changes it. Without the file, the plan of the settings is in force.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Annotated

from filelock import FileLock
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from loupan.cron import check_cron
from loupan.errors import LoupanError
from loupan.files import replace_text
from loupan.settings import Settings

FILE = "schedules.json"
MOST = 12
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


class ScheduleError(LoupanError):
    """The plan of refreshes cannot be used; the message says what is wrong and how to mend it."""


def _cron(text: str) -> str:
    check_cron(text)
    return text.strip()


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("use small letters, digits and underscores, a letter first, 31 in all")
    return text


class RefreshSchedule(BaseModel):
    """One rule of the plan.

    Attributes:
        name: what it is called in Dagster; small letters, digits and underscores.
        cron: when, in the company's time zone.
        full: load all rows again, instead of the changed ones.
        working_days: only on working days of the country's calendar.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_name)]
    cron: Annotated[str, AfterValidator(_cron)]
    full: bool = False
    working_days: bool = False


class RefreshPlan(BaseModel):
    """All rules; none runs unless Dagster does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refreshes: tuple[RefreshSchedule, ...]

    @model_validator(mode="after")
    def _distinct(self) -> RefreshPlan:
        names = [rule.name for rule in self.refreshes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {', '.join(twice)} is there twice")
        if len(names) > MOST:
            raise ValueError(f"there are {len(names)} rules; no more than {MOST} can be kept")
        return self


def default_plan(settings: Settings) -> RefreshPlan:
    """Return the plan where nobody made another: all rows daily, the changed ones hourly when people work."""
    return RefreshPlan(
        refreshes=(
            RefreshSchedule(name="daily", cron=settings.refresh_cron, full=True),
            RefreshSchedule(name="hourly", cron="0 9-18 * * *", working_days=True),
        )
    )


def read_plan(settings: Settings) -> RefreshPlan:
    """Return the plan in force.

    Raises:
        ScheduleError: if the file cannot be read or holds what is no plan.
    """
    path = settings.data_dir / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return default_plan(settings)
    except (OSError, UnicodeDecodeError) as error:
        raise ScheduleError(f"{path} cannot be read: {error}. Allow it, or move the file away.") from error
    try:
        return RefreshPlan.model_validate_json(text)
    except ValidationError as error:
        raise ScheduleError(
            f"{path} is no plan of refreshes: {_said(error)}. Mend it, or move it away: "
            "until then the plan of the settings is in force."
        ) from error


def write_plan(settings: Settings, plan: RefreshPlan) -> None:
    """Put a plan in force; Dagster follows once it has read it anew."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    replace_text(settings.data_dir / FILE, json.dumps(plan.model_dump(), ensure_ascii=False, indent=2))


@contextmanager
def changing_plan(settings: Settings) -> Iterator[RefreshPlan]:
    """Give the plan in force to one who changes it, while others wait who want to, too.

    Raises:
        ScheduleError: as `read_plan`.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.data_dir / f"{FILE}.lock"):
        yield read_plan(settings)


def is_name(text: str) -> bool:
    """Say whether a schedule can be called so."""
    return _NAME.fullmatch(text) is not None


def _said(error: ValidationError) -> str:
    return "; ".join(
        ".".join(str(part) for part in problem["loc"]) + (": " if problem["loc"] else "")
        + problem["msg"].removeprefix("Value error, ")
        for problem in error.errors()
    )  # fmt: skip


@lru_cache(maxsize=4096)
def is_working_day(country: str, day: dt.date) -> bool:
    """Say whether people work on a day: no weekend, no public holiday, or a weekend day worked instead of one.

    Args:
        country: ISO 3166 code, one that `holidays` knows.
        day: the company's day.
    """
    import holidays

    return bool(holidays.country_holidays(country, years=day.year).is_working_day(day))
