from datetime import UTC, date, datetime

import pytest

from loupan.formats import Formats, nice_ticks

EN, ZH = Formats("en", "CNY"), Formats("zh", "CNY")


@pytest.mark.parametrize(
    ("value", "unit", "english", "chinese"),
    [
        (4608, "count", "4,608", "4,608"),
        (99_999, "count", "99,999", "99,999"),
        (476_940, "count", "477K", "47.7万"),
        (1_532_000_000, "currency", "¥1.53B", "¥15.3亿"),
        (-7_731_234, "currency", "−¥7.73M", "−¥773万"),
        (999_960, "currency", "¥1.00M", "¥100万"),
        (9_999.6, "currency", "¥10.0K", "¥1.00万"),
        (950, "currency", "¥950", "¥950"),
        (0, "currency", "¥0", "¥0"),
        (0.1053, "percent", "10.5%", "10.5%"),
        (-0.00001, "percent", "0.0%", "0.0%"),
        (1.2, "per_100", "1.20", "1.20"),
        (45.4, "days", "45 days", "45 天"),
        (3.25, "hours", "3.2 h", "3.2 小时"),
        (31.6, "minutes", "32 min", "32 分钟"),
        (123_456, "sqm", "123K m²", "12.3万 m²"),
        (2.5, "ratio", "2.50", "2.50"),
        (None, "count", "–", "–"),
        (float("nan"), "percent", "–", "–"),
        (float("inf"), "hours", "–", "–"),
    ],
)
def test_values_are_written_in_the_readers_units(value, unit, english, chinese):
    assert EN.value(value, unit) == english
    assert ZH.value(value, unit) == chinese


@pytest.mark.parametrize(
    ("now", "before", "unit", "written"),
    [
        (110, 100, "count", "+10.0%"),
        (90, 100, "currency", "−10.0%"),
        (0.12, 0.10, "percent", "+2.0 pp"),
        (100, 100, "count", "0.0%"),
        (39, 4, "count", "+875.0%"),
        (839, 3, "count", "×280"),
        (1e9, 2, "currency", "×500,000,000"),
        (5, 0, "count", None),
        (5, -3, "currency", None),
        (None, 3, "count", None),
        (3, float("nan"), "count", None),
    ],
)
def test_changes(now, before, unit, written):
    assert EN.change(now, before, unit) == written


def test_a_currency_has_its_shortest_sign():
    assert Formats("en", "USD").value(12, "currency") == "$12"
    assert Formats("zh", "USD").value(12, "currency") == "$12"
    assert Formats("zh", "BRL").value(12, "currency") == "R$12"


@pytest.mark.parametrize(
    ("label", "english", "chinese"),
    [
        ("2026", "2026", "2026年"),
        ("2026-Q3", "Q3 2026", "2026年3季度"),
        ("2026-01", "Jan 2026", "2026年1月"),
        ("2026-01-31", "31 Jan 2026", "2026年1月31日"),
    ],
)
def test_periods_of_the_gateway_are_written_for_the_reader(label, english, chinese):
    assert EN.period_label(label) == english
    assert ZH.period_label(label) == chinese


def test_moments_are_in_company_time():
    late = datetime(2026, 10, 31, 17, 30, tzinfo=UTC)
    assert EN.moment(late, "Asia/Shanghai") == "1 Nov 2026, 01:30"
    assert ZH.moment(late.replace(tzinfo=None), "Asia/Shanghai") == "2026年11月1日 01:30"
    assert ZH.month(date(2026, 3, 1)) == "2026年3月"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (0, 100, [0, 25, 50, 75, 100]), (-8, 76, [-25, 0, 25, 50, 75, 100]), (3, 3, [3])],
)
def test_ticks_are_round_and_cover_the_values(low, high, ticks):
    assert nice_ticks(low, high) == ticks


def test_ticks_have_no_needless_decimals():
    assert [EN.tick(v, "currency") for v in (0, 2.5e7, 7.5e7, 1e8)] == ["¥0", "¥25M", "¥75M", "¥100M"]
    assert EN.tick(1.5e6, "currency") == "¥1.5M"
    assert [EN.tick(v, "percent") for v in (0, 0.025, 0.1)] == ["0%", "2.5%", "10%"]
    assert EN.tick(1.25, "ratio") == "1.25"
    assert EN.tick(2.0, "per_100") == "2"
