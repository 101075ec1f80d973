"""The company's calendar: seasons, weekdays, hours, and moments that lie within them."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd

from sample_data.errors import SampleArgumentError
from sample_data.rows import ONE_DAY, Array

YEARS = 3
FIRST_AS_OF, LAST_AS_OF = dt.date(1995, 1, 1), dt.date(2060, 12, 31)

# Golden September and Silver October; little is sold in the cold and around the Spring Festival.
MONTH_FACTOR = np.array([0.90, 0.80, 1.05, 1.00, 1.05, 0.95, 0.85, 0.90, 1.35, 1.30, 1.05, 0.95])
# Monday to Sunday: visitors come at the weekend.
LEAD_WEEKDAY_FACTOR = np.array([0.85, 0.80, 0.80, 0.85, 1.00, 1.55, 1.60])
OFFICE_WEEKDAY_FACTOR = np.array([1.10, 1.05, 1.00, 1.00, 1.05, 0.60, 0.50])
# Share of contacts that begin in each hour of the local day.
HOUR_FACTOR = np.array([0, 0, 0, 0, 0, 0, 0, 1, 3, 7, 9, 8, 5, 6, 9, 10, 9, 7, 5, 5, 4, 2, 1, 0], dtype=float)


def spring_festival(year: int) -> dt.date:
    """Return the first day of the Chinese lunar year that begins in ``year`` (right from 1990 to 2060).

    It is the day, in China, of the new moon between 21 January and 20 February (Meeus, *Astronomical Algorithms*,
    chapter 49, main terms).
    """
    first, last = dt.date(year, 1, 21), dt.date(year, 2, 20)
    k = math.floor((year - 2000) * 12.3685) - 1
    while True:
        day = _new_moon_day(k)
        if first <= day <= last:
            return day
        k += 1


def _new_moon_day(k: int) -> dt.date:
    century = k / 1236.85
    julian_day = 2451550.09766 + 29.530588861 * k + 0.00015437 * century**2
    sun = math.radians(2.5534 + 29.10535670 * k)
    moon = math.radians(201.5643 + 385.81693528 * k)
    latitude = math.radians(160.7108 + 390.67050284 * k)
    node = math.radians(124.7746 - 1.56375588 * k)
    e = 1 - 0.002516 * century
    julian_day += (
        -0.40720 * math.sin(moon) + 0.17241 * e * math.sin(sun) + 0.01608 * math.sin(2 * moon)
        + 0.01039 * math.sin(2 * latitude) + 0.00739 * e * math.sin(moon - sun)
        - 0.00514 * e * math.sin(moon + sun) + 0.00208 * e * e * math.sin(2 * sun)
        - 0.00111 * math.sin(moon - 2 * latitude) - 0.00057 * math.sin(moon + 2 * latitude)
        + 0.00056 * e * math.sin(2 * moon + sun) - 0.00042 * math.sin(3 * moon)
        + 0.00042 * e * math.sin(sun + 2 * latitude) - 0.00017 * math.sin(node)
    )  # fmt: skip
    # Terrestrial time runs about 70 s ahead of UTC; China is 8 hours ahead of UTC.
    china = julian_day - 70 / ONE_DAY + 8 / 24
    return dt.date.fromordinal(math.floor(china + 0.5) - 1721425)


class Clock:
    """The three years up to ``as_of``, in local time.

    The history ends with the midnight that begins ``as_of``: that day is "today" and has only just begun.

    Raises:
        SampleArgumentError: if ``as_of`` is outside of the years for which the calendar is right.
    """

    def __init__(self, as_of: dt.date, time_zone: str) -> None:
        if not FIRST_AS_OF <= as_of <= LAST_AS_OF:
            raise SampleArgumentError(f"as-of {as_of} is outside of {FIRST_AS_OF} to {LAST_AS_OF}")
        self.time_zone = time_zone
        self.today = np.datetime64(as_of, "D")
        # A 29 February goes back to the 28th.
        day = min(as_of.day, 28) if as_of.month == 2 else as_of.day
        self.start = np.datetime64(as_of.replace(year=as_of.year - YEARS, day=day), "D")
        self.now = self.today.astype("datetime64[s]")
        self.days = np.arange(self.start, self.today)
        months = self.days.astype("datetime64[M]").astype(int) % 12
        self.weekday = (self.days.astype(int) + 3) % 7
        self.season = MONTH_FACTOR[months] * self._spring_festival_dip()

    def _spring_festival_dip(self) -> Array:
        factor = np.ones(len(self.days))
        for year in range(int(str(self.start)[:4]), int(str(self.today)[:4]) + 1):
            distance = (self.days - np.datetime64(spring_festival(year), "D")).astype(int)
            factor[(distance >= -10) & (distance < -2)] *= 0.45
            factor[(distance >= -2) & (distance <= 7)] *= 0.12
            factor[(distance > 7) & (distance <= 15)] *= 0.60
        return factor

    def to_utc(self, local: Array) -> Array:
        """Return local moments as UTC, ``datetime64[us]``."""
        index = pd.DatetimeIndex(local.astype("datetime64[us]"))
        aware = index.tz_localize(
            self.time_zone, ambiguous=np.ones(len(index), dtype=bool), nonexistent="shift_forward"
        )
        return aware.tz_convert("UTC").tz_localize(None).to_numpy()

    def at_some_hour(self, rng: np.random.Generator, days: Array) -> Array:
        """Return a moment in the opening hours of each day of ``days``."""
        hours = rng.choice(24, size=len(days), p=HOUR_FACTOR / HOUR_FACTOR.sum())
        seconds = hours * 3600 + rng.integers(0, 3600, size=len(days))
        return days.astype("datetime64[D]").astype("datetime64[s]") + seconds

    def later(self, rng: np.random.Generator, moments: Array, lag_days: Array) -> Array:
        """Return moments about ``lag_days`` after ``moments``, in opening hours, never less than ten minutes later."""
        target = (moments + np.round(lag_days * ONE_DAY).astype("timedelta64[s]")).astype("datetime64[D]")
        within = self.at_some_hour(rng, target)
        soonest = moments + np.timedelta64(600, "s") + rng.integers(0, 7200, size=len(moments))
        return np.where(np.isnat(moments), moments, np.maximum(within, soonest))

    def spread(self, rng: np.random.Generator, first: Array, last: Array) -> Array:
        """Return a moment between ``first`` and ``last``, both moments, following opening hours."""
        share = rng.random(len(first))
        span = np.maximum((last - first).astype(np.int64), 0)
        raw = first + (share * span).astype("timedelta64[s]")
        return np.clip(self.at_some_hour(rng, raw), first, np.maximum(first, last))

    def past(self, moments: Array) -> Array:
        """Say of each moment whether it lies in the history (false for empty ones)."""
        return moments < self.now

    def entered(self, rng: np.random.Generator, moments: Array, late_share: float = 0.05) -> Array:
        """Return when records of ``moments`` were typed in: mostly within the hour, some days later."""
        count = len(moments)
        delay = rng.exponential(1500, count)
        late = rng.random(count) < late_share
        delay = np.where(late, rng.gamma(1.5, 4.0, count) * ONE_DAY, delay).astype("timedelta64[s]")
        return np.minimum(moments.astype("datetime64[s]") + delay, self.now - np.timedelta64(1, "s"))


def lognormal_days(rng: np.random.Generator, median: float | Array, sigma: float, count: int) -> Array:
    """Draw ``count`` lags in days, lognormal with this median."""
    return np.asarray(median * np.exp(sigma * rng.standard_normal(count)))
