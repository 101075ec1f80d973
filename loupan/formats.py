"""Numbers and dates in the reader's own units: 万 and 亿 in Chinese, K, M and B in English."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import get_currency_symbol

from loupan.i18n import translator

NO_DATA = "–"
_LOCALES = {"en": "en_GB", "zh": "zh_CN"}
_SCALES = {
    "en": ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")),
    "zh": ((1e12, "万亿"), (1e8, "亿"), (1e4, "万")),
}
_COUNTED_IN_FULL_BELOW = 100_000
_TOLD_AS_TIMES = 10
# The same months stand in every list and on every axis, and Babel works its pattern out each time.
_by_skeleton = lru_cache(maxsize=4096)(format_skeleton)


def is_missing(value: Any) -> bool:
    """Say whether a value from the gateway means "no data" (None, NaN or an infinity)."""
    return value is None or bool(pd.isna(value)) or (isinstance(value, float) and math.isinf(value))


@dataclass(frozen=True)
class Formats:
    """Writes numbers and dates for one language and one currency."""

    language: str
    currency: str

    @property
    def currency_sign(self) -> str:
        """The currency's shortest sign: with one currency per installation, ¥ needs no country before it."""
        return min((get_currency_symbol(self.currency, locale) for locale in ("en_US", "zh_CN")), key=len)

    def value(self, value: float | None, unit: str) -> str:
        """Write a metric's value in its unit, or a dash when there is no data.

        Args:
            value: the number as the gateway returns it; percentages as fractions of 1.
            unit: a metric's unit (count, currency, percent, per_100, days, hours, minutes, sqm, ratio), or ``decimal``
                for an expected number, with one decimal.
        """
        if value is None or is_missing(value):
            return NO_DATA
        number = float(value)
        t = translator(self.language)
        match unit:
            case "percent":
                text = f"{_plain(number * 100, 1)}%"
            case "currency":
                text = f"{'−' if number < 0 else ''}{self.currency_sign}{self._scaled(abs(number))}"
            case "count":
                text = _plain(number, 0) if abs(number) < _COUNTED_IN_FULL_BELOW else self._scaled(number)
            case "decimal":
                text = _plain(number, 1)
            case "days":
                text = t("{number} days", number=_plain(number, 0 if number >= 10 else 1))
            case "hours":
                text = t("{number} h", number=_plain(number, 1))
            case "minutes":
                text = t("{number} min", number=_plain(number, 0))
            case "sqm":
                text = f"{self._scaled(number)} m²"
            case _:
                text = _plain(number, 2)
        return text

    def tick(self, value: float, unit: str) -> str:
        """Write a value on an axis: as `value`, without needless decimals."""
        if unit == "percent":
            return f"{value * 100:.6g}%".replace("-", "−")
        return re.sub(r"\.0+(?!\d)|(?<=\.\d)0+(?!\d)", "", self.value(value, unit))

    def change(self, value: float | None, before: float | None, unit: str) -> str | None:
        """Write the change against an earlier value: points for rates, percent or how many times for all else.

        Returns None when either is missing or the change has no meaning (an earlier value of zero or below).
        """
        if value is None or before is None or is_missing(value) or is_missing(before):
            return None
        if unit == "percent":
            return self.difference(float(value) - float(before), unit)
        if float(before) <= 0:
            return None
        times = float(value) / float(before)
        # Nobody sees from +27,866.7% that 3 became 839.
        return f"×{times:,.0f}" if times >= _TOLD_AS_TIMES else f"{_signed((times - 1) * 100)}%"

    def difference(self, amount: float, unit: str) -> str:
        """Write a difference of two values with its sign: in the metric's unit, percentage points for rates."""
        if unit == "percent":
            t = translator(self.language)
            return t("{points} pp", points=_signed(amount * 100))
        text = self.value(amount, unit)
        return f"+{text}" if amount > 0 and any(digit in text for digit in "123456789") else text

    def interval(self, low: float | None, high: float | None, unit: str) -> str:
        """Write an interval, such as ``8.9%–10.6%``."""
        if is_missing(low) or is_missing(high):
            return NO_DATA
        if float(low or 0) < 0:
            # A minus beside the dash reads as one more of them.
            t = translator(self.language)
            return t("{low} to {high}", low=self.value(low, unit), high=self.value(high, unit))
        return f"{self.value(low, unit)}–{self.value(high, unit)}"

    def period_label(self, label: str) -> str:
        """Write a time label of the gateway (YYYY, YYYY-Qn, YYYY-MM or YYYY-MM-DD) for the reader."""
        if len(label) == 4:
            return f"{label}年" if self.language == "zh" else label
        if "Q" in label:
            year, quarter = label.split("-Q")
            return f"{year}年{quarter}季度" if self.language == "zh" else f"Q{quarter} {year}"
        if len(label) == 7:
            return self.month(date.fromisoformat(f"{label}-01"))
        return self.day(date.fromisoformat(label[:10]))

    def short_quarter(self, label: str) -> str:
        """Write a quarter in two lines, for an axis."""
        year, quarter = label.split("-Q")
        return f"{quarter}季度<br>{year}" if self.language == "zh" else f"Q{quarter}<br>{year}"

    def month(self, day: date) -> str:
        """Write a month with its year."""
        return _by_skeleton("yMMM", day, locale=_LOCALES[self.language])

    def month_in_full(self, day: date) -> str:
        """Write a month with its year, unabridged, as in a title."""
        return _by_skeleton("yMMMM", day, locale=_LOCALES[self.language])

    def short_month(self, day: date) -> str:
        """Write a month without its year, for an axis."""
        return _by_skeleton("MMM", day, locale=_LOCALES[self.language])

    def short_day(self, day: date) -> str:
        """Write a day without its year, for an axis."""
        return _by_skeleton("MMMd", day, locale=_LOCALES[self.language])

    def day(self, day: date) -> str:
        """Write a date."""
        return format_date(day, "medium", locale=_LOCALES[self.language])

    def moment(self, moment: datetime, time_zone: str) -> str:
        """Write a moment in the company's time zone; naive moments are UTC."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("UTC"))
        local = aware.astimezone(ZoneInfo(time_zone))
        pattern = "y年M月d日 HH:mm" if self.language == "zh" else "d MMM y, HH:mm"
        return format_datetime(local, pattern, locale=_LOCALES[self.language])

    def _scaled(self, number: float) -> str:
        for scale, suffix in _SCALES[self.language]:
            # 999,960 must become 1M, not 1000K: compare what will be shown, three significant figures.
            if abs(_significant(number)) >= scale:
                return f"{_plain(number / scale, _decimals(number / scale))}{suffix}"
        return _plain(number, 0 if abs(number) >= 100 or number == int(number) else 2)


def nice_ticks(low: float, high: float, wanted: int = 4, *, is_whole: bool = False) -> list[float]:
    """Return round tick positions that cover [low, high], about `wanted` intervals of them.

    Args:
        low: the lowest value.
        high: the highest value.
        wanted: intervals.
        is_whole: whether only whole numbers make sense.
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    raw = max((high - low) / wanted, 1.0 if is_whole else 0.0)
    magnitude = 10 ** math.floor(math.log10(raw))
    multiples = (1, 2, 5, 10) if is_whole and magnitude < 10 else (1, 2, 2.5, 5, 10)
    step = next(m * magnitude for m in multiples if m * magnitude >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _significant(number: float) -> float:
    return float(f"{number:.3g}")


def _decimals(number: float) -> int:
    magnitude = abs(_significant(number))
    return 0 if magnitude >= 100 else 1 if magnitude >= 10 else 2


def _plain(number: float, decimals: int) -> str:
    text = f"{number:,.{decimals}f}"
    is_negative_zero = text.startswith("-") and not text.strip("-0.,")
    return (text[1:] if is_negative_zero else text).replace("-", "−")


def _signed(number: float) -> str:
    text = _plain(number, 1)
    return text if text.startswith("−") or not text.strip("0.") else f"+{text}"
