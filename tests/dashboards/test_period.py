from datetime import date

import pytest

from dashboards.gateway import Period
from dashboards.view import period_of

LAST, FIRST = date(2026, 10, 20), date(2023, 11, 5)


@pytest.mark.parametrize(
    ("code", "start", "end"),
    [
        ("12m", date(2025, 11, 1), LAST),
        ("3m", date(2026, 8, 1), LAST),
        ("ytd", date(2026, 1, 1), LAST),
        ("all", date(2023, 11, 1), LAST),
        ("2026-01..2026-03", date(2026, 1, 1), date(2026, 3, 31)),
        ("2026-09..2026-12", date(2026, 9, 1), LAST),
        ("2027-01..2027-02", date(2027, 1, 1), date(2027, 2, 28)),
    ],
)
def test_codes(code, start, end):
    assert period_of(code, LAST, FIRST) == Period(start, end)


@pytest.mark.parametrize(
    "code", ["", "13", "2026-03..2026-01", "2026-13..2026-14", "12m; drop table", "0000-01..0000-02"]
)
def test_a_code_that_means_nothing_is_none(code):
    assert period_of(code, LAST, FIRST) is None


@pytest.mark.parametrize(
    ("period", "before"),
    [
        (Period(date(2025, 11, 1), date(2026, 10, 20)), Period(date(2024, 11, 1), date(2025, 10, 20))),
        (Period(date(2026, 1, 1), date(2026, 2, 28)), Period(date(2025, 11, 1), date(2025, 12, 31))),
        (Period(date(2026, 3, 1), date(2026, 3, 30)), Period(date(2026, 2, 1), date(2026, 2, 28))),
    ],
)
def test_the_period_before_is_as_long_and_cut_at_the_same_day(period, before):
    assert period.previous() == before


@pytest.mark.parametrize(
    ("period", "before"),
    [
        (Period(date(2026, 1, 1), date(2026, 6, 30)), Period(date(2025, 1, 1), date(2025, 6, 30))),
        (Period(date(2026, 4, 1), date(2026, 5, 18)), Period(date(2025, 4, 1), date(2025, 5, 18))),
        (Period(date(2025, 2, 1), date(2025, 2, 28)), Period(date(2024, 2, 1), date(2024, 2, 29))),
        (Period(date(2024, 2, 1), date(2024, 2, 29)), Period(date(2023, 2, 1), date(2023, 2, 28))),
    ],
)
def test_the_same_period_of_the_year_before(period, before):
    assert period.year_before() == before
