"""The plan of refreshes: kept whole, refused where it cannot be used, and working days as people have them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from loupan.i18n import translator
from loupan.refresh_words import cron_in_words
from loupan.schedules import (
    FILE,
    RefreshPlan,
    RefreshSchedule,
    ScheduleError,
    is_working_day,
    read_plan,
    write_plan,
)
from loupan.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, refresh_cron="15 5 * * *")


def test_without_a_plan_all_rows_are_loaded_daily_and_the_changed_ones_while_people_work(settings: Settings) -> None:
    rules = {rule.name: rule for rule in read_plan(settings).refreshes}
    assert (rules["daily"].cron, rules["daily"].full, rules["daily"].working_days) == ("15 5 * * *", True, False)
    assert (rules["hourly"].full, rules["hourly"].working_days) == (False, True)


def test_a_plan_is_read_as_it_was_written(settings: Settings) -> None:
    plan = RefreshPlan(refreshes=(RefreshSchedule(name="night", cron="0 3 * * 1-5", full=True, working_days=True),))
    write_plan(settings, plan)
    assert read_plan(settings) == plan
    write_plan(settings, RefreshPlan(refreshes=()))
    assert read_plan(settings).refreshes == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "Invalid JSON"),
        ('{"refreshes": [{"name": "Nightly Run", "cron": "0 3 * * *"}]}', "refreshes.0.name"),
        ('{"refreshes": [{"name": "a", "cron": "every day"}]}', "five parts"),
        ('{"refreshes": [{"name": "a", "cron": "0 3 * * *", "ful": true}]}', "refreshes.0.ful"),
        ('{"refreshes": [{"name": "a", "cron": "0 3 * * *"}, {"name": "a", "cron": "0 4 * * *"}]}', "a is there twice"),
    ],
)
def test_a_damaged_plan_is_named_with_what_is_wrong(settings: Settings, text: str, said: str) -> None:
    (settings.data_dir / FILE).write_text(text)
    with pytest.raises(ScheduleError) as error:
        read_plan(settings)
    assert said in str(error.value)
    assert str(settings.data_dir / FILE) in str(error.value)
    assert (settings.data_dir / FILE).read_text() == text


def test_working_days_are_those_of_the_country() -> None:
    assert is_working_day("CN", dt.date(2026, 2, 13))
    assert not is_working_day("CN", dt.date(2026, 2, 17))  # the Spring Festival, a Tuesday
    assert is_working_day("CN", dt.date(2026, 2, 28))  # a Saturday worked for it
    assert not is_working_day("CN", dt.date(2026, 3, 7))
    assert is_working_day("GB", dt.date(2026, 2, 17))


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("5 6 * * *", "daily at 06:05"),
        ("0 9-18 * * *", "hourly from 09:00 to 18:00"),
        ("*/15 8-20 * * *", "every 15 minutes from 08:00 to 20:59"),
        ("0 3 1 * *", "0 3 1 * *"),
    ],
)
def test_common_times_are_said_in_words(cron: str, words: str) -> None:
    assert cron_in_words(translator("en"), cron) == words
