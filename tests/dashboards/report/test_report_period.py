"""Which days a report is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from dashboards.gateway import Period
from dashboards.report.period import reported, twelve_months

SHANGHAI = "Asia/Shanghai"
# Midnight of the first of July in Shanghai.
JULY = datetime(2026, 6, 30, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "code", "start", "end"),
    [
        ("month", "2026-06", date(2026, 6, 1), date(2026, 6, 30)),
        ("quarter", "2026-Q2", date(2026, 4, 1), date(2026, 6, 30)),
        ("week", "2026-W26", date(2026, 6, 22), date(2026, 6, 28)),
    ],
)
def test_it_is_the_last_one_that_is_over(kind, code, start, end):
    found = reported(kind, JULY + timedelta(hours=6), SHANGHAI, JULY + timedelta(hours=8))
    assert (found.code, found.period.start, found.period.end) == (code, start, end)
    assert found.is_whole
    assert not found.is_late


def test_days_are_those_of_the_company():
    # A second before midnight in Shanghai, June is not over; in New York it is not by twelve hours more.
    assert reported("month", JULY, SHANGHAI, JULY - timedelta(seconds=1)).code == "2026-06"
    assert reported("month", JULY - timedelta(seconds=1), SHANGHAI, JULY - timedelta(seconds=1)).code == "2026-05"
    assert reported("month", JULY, "America/New_York", JULY).code == "2026-05"


def test_data_that_end_early_make_a_report_that_says_so():
    found = reported("month", JULY - timedelta(hours=18), SHANGHAI, JULY + timedelta(hours=8))
    assert (found.code, found.is_whole, found.is_late) == ("2026-06", False, False)


def test_data_that_do_not_reach_a_period_are_not_reported_as_it():
    found = reported("month", JULY, SHANGHAI, datetime(2026, 9, 2, tzinfo=UTC))
    assert (found.code, found.is_whole, found.is_late) == ("2026-06", True, True)
    early = reported("month", JULY - timedelta(days=40), SHANGHAI, JULY + timedelta(days=40))
    assert (early.code, early.is_whole, early.is_late) == ("2026-05", False, True)


def test_data_later_than_the_clock_count_as_now():
    assert reported("month", JULY, SHANGHAI, datetime(2020, 1, 1, tzinfo=UTC)).code == "2026-06"


def test_a_week_is_compared_with_weeks_of_the_same_weekdays():
    week = reported("week", JULY, SHANGHAI, JULY).period
    assert (week.previous().start, week.previous().end) == (date(2026, 6, 15), date(2026, 6, 21))
    assert (week.year_before().start, week.year_before().end) == (date(2025, 6, 23), date(2025, 6, 29))
    assert week.year_before().previous().start == date(2025, 6, 16)


def test_the_week_of_the_turn_of_the_year_bears_the_year_of_its_thursday():
    found = reported("week", datetime(2027, 1, 5, tzinfo=UTC), "UTC", datetime(2027, 1, 5, tzinfo=UTC))
    assert (found.code, found.label) == ("2026-W53", "2026-12-28")


def test_twelve_months_end_with_the_period():
    assert twelve_months(Period(date(2026, 6, 1), date(2026, 6, 30))) == Period(date(2025, 7, 1), date(2026, 6, 30))
    assert twelve_months(Period(date(2026, 6, 22), date(2026, 6, 28))) == Period(date(2025, 7, 1), date(2026, 6, 28))
