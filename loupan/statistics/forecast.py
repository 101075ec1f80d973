"""Forecasts of monthly series that sum to a whole, chosen and calibrated by what earlier forecasts missed.

Series are rows, months are columns; NaN stands before a series began. The last row is the sum of the others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
# From the months known and the number wanted to forecasts (series × horizon).
Method = Callable[[Floats, int], Floats]

YEAR = 12
_ALPHAS, _BETAS, _DAMPING = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8), (0.0, 0.1, 0.3), 0.9
# A method is chosen by its errors once it has this many origins behind it.
_ORIGINS_TO_CHOOSE = 3
# A series younger than this teaches nothing of how far forecasts miss.
_OLD_ENOUGH = 6
# Months whose errors count for the width of intervals: how well things can be foreseen changes.
_REMEMBERED = 24
# Sums that overlap tell half as much again as those among them that do not (Lo & MacKinlay 1988, *RFS* 1:41).
_OVERLAP = 1.5
# Months around the first day of the lunar year in which little is signed: from a week before to the Lantern Festival.
_FESTIVAL_DAYS = (-7, 15)


def mean_of_last(y: Floats, horizon: int, window: int = YEAR) -> Floats:
    """Return the mean of the last ``window`` months, or of those there are, for each month to come."""
    last = y[:, -window:]
    known = np.isfinite(last)
    mean = np.where(known, last, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.repeat(mean[:, None], horizon, axis=1)


def seasonal_naive(y: Floats, horizon: int, period: int = YEAR) -> Floats:
    """Return the value of the same month a year before; the mean of the last year where there is none.

    Hyndman & Athanasopoulos (2021), *Forecasting: Principles and Practice*, 3rd ed., section 5.2.
    """
    steps = np.arange(horizon) % period
    short = max(0, period - y.shape[1])
    last_year = np.pad(y, ((0, 0), (short, 0)), constant_values=np.nan)[:, -period:]
    same_month = last_year[:, steps]
    return np.where(np.isfinite(same_month), same_month, mean_of_last(y, horizon, period))


def smoothed(y: Floats, horizon: int, *, trend: bool = False) -> Floats:
    """Return forecasts of simple exponential smoothing, or of Holt's method with a damped trend.

    Hyndman & Athanasopoulos (2021), sections 8.1 and 8.2. The parameters of each series are those of a grid with the
    smallest one-step errors; all series are smoothed at once, because a back-test does it hundreds of times.
    """
    grid = np.array([(a, b) for a in _ALPHAS for b in (_BETAS if trend else (0.0,))])
    level, slope, errors = smoothing_states(y, grid[:, 0], grid[:, 1], _DAMPING)
    best = np.argmin(errors, axis=1)
    rows = np.arange(len(y))
    steps = np.cumsum(_DAMPING ** np.arange(1, horizon + 1))
    return level[rows, best][:, None] + slope[rows, best][:, None] * steps


def smoothing_states(y: Floats, alpha: Floats, beta: Floats, damping: float) -> tuple[Floats, Floats, Floats]:
    """Return level, slope and sum of squared one-step errors after the last month (each series × parameters).

    A series begins at the mean of its first three months, with no slope.
    """
    start = np.array([row[np.isfinite(row)][:3].mean() if np.isfinite(row).any() else 0.0 for row in y])
    level = np.repeat(start[:, None], len(alpha), axis=1)
    slope, errors = np.zeros_like(level), np.zeros_like(level)
    for month in y.T:
        known = np.isfinite(month)[:, None]
        expected = level + damping * slope
        error = np.where(known, np.nan_to_num(month)[:, None] - expected, 0.0)
        errors += error**2
        level = np.where(known, expected + alpha * error, level)
        slope = np.where(known, damping * slope + alpha * beta * error, slope)
    return level, slope, errors


@lru_cache(maxsize=64)
def festival_share(year: int, month: int) -> float:
    """Return the share of a month's days that lie around the Spring Festival.

    The windows follow the idea of Lin & Liu (2003), *Modeling Lunar Calendar Holiday Effects in Taiwan*: effects of a
    moving holiday are spread over the days before and after it and posted to months by their days.
    """
    from lunardate import LunarDate

    first = dt.date(year, month, 1)
    after = dt.date(year + month // 12, month % 12 + 1, 1)
    new_year = LunarDate(year, 1, 1).to_solar_date()
    begin, end = (new_year + dt.timedelta(days) for days in _FESTIVAL_DAYS)
    days = (min(end, after) - max(begin, first)).days
    return max(0, days) / (after - first).days


def calendar_weights(months: Sequence[tuple[int, int]], depth: float) -> Floats:
    """Return how much each month counts for sales: its days, less ``depth`` times those around the Spring Festival.

    Args:
        months: year and month of each.
        depth: 0 for no effect, 1 if nothing is sold on those days.
    """
    days = [(dt.date(y + m // 12, m % 12 + 1, 1) - dt.date(y, m, 1)).days for y, m in months]
    share = np.array([festival_share(*month) for month in months])
    return np.asarray(days, float) / 30.4375 * (1 - depth * share)


def adjusted(method: Method, months: Sequence[tuple[int, int]], depth: float) -> Method:
    """Return a method that works on months of equal weight and gives forecasts for months as they are.

    Args:
        method: what forecasts.
        months: year and month from the first month of all on, those to be forecast included.
        depth: see `calendar_weights`.
    """
    weights = calendar_weights(months, depth)

    def forecast(y: Floats, horizon: int) -> Floats:
        n = y.shape[1]
        return method(y / weights[:n], horizon) * weights[n : n + horizon]

    return forecast


def reconciled(forecasts: Floats, variances: ArrayLike) -> Floats:
    """Make the parts sum to the whole, each moved by its share of the variances.

    MinT with a diagonal covariance (Wickramasuriya, Athanasopoulos & Hyndman 2019, *JASA* 114:804, WLS), written out
    for one level: with d = whole − Σ parts, part i moves by d·vᵢ/(v_whole + Σv).

    Args:
        forecasts: … × series × horizon, the whole last.
        variances: of the errors of each series.
    """
    variance = np.asarray(variances, float)
    parts, whole = forecasts[..., :-1, :], forecasts[..., -1:, :]
    total = variance.sum()
    share = variance[:-1] / total if total > 0 else np.zeros(len(variance) - 1)
    moved = parts + share[:, None] * (whole - parts.sum(axis=-2, keepdims=True))
    return np.concatenate([moved, moved.sum(axis=-2, keepdims=True)], axis=-2)


def scaled_error(y: ArrayLike, period: int = YEAR) -> float:
    """Return the mean absolute difference to the same month a year before, the unit of the MASE.

    Hyndman & Koehler (2006), *International Journal of Forecasting* 22:679. To the month before where there is no year;
    NaN where nothing can be compared or all is equal.
    """
    values = np.asarray(y, float)
    values = values[np.isfinite(values)]
    lag = period if len(values) > period else 1
    if len(values) <= lag:
        return float("nan")
    scale = float(np.mean(np.abs(values[lag:] - values[:-lag])))
    return scale if scale > 0 else float("nan")


@dataclass(frozen=True)
class Gain:
    """By how much errors are smaller than those of another forecast.

    Attributes:
        share: 1 − own mean error ÷ the other's.
        low, high: 95 % interval; None with fewer than eight origins.
    """

    share: float
    low: float | None
    high: float | None

    @property
    def is_sure(self) -> bool:
        """Whether the errors are smaller beyond chance."""
        return self.low is not None and self.low > 0


def gain(own: ArrayLike, other: ArrayLike, horizon: int) -> Gain:
    """Compare two forecasts of the same origins (Diebold & Mariano 1995).

    Small-sample correction and Student's t of Harvey, Leybourne & Newbold (1997), *International Journal of
    Forecasting* 13:281; Bartlett weights, so that the variance cannot be negative.

    Args:
        own, other: mean absolute error at each origin, in order of time.
        horizon: how many months ahead they reach; errors of origins nearer than that depend on each other.
    """
    a, b = np.asarray(own, float), np.asarray(other, float)
    base = float(b.mean()) if len(b) else 0.0
    if base <= 0:
        return Gain(0.0, None, None)
    d = b - a
    n, share = len(d), float(d.mean()) / base
    if n < 8:
        return Gain(share, None, None)
    centred = d - d.mean()
    reach = min(horizon, n - 1)
    variance = float(centred @ centred) / n
    for lag in range(1, reach):
        variance += 2 * (1 - lag / reach) * float(centred[lag:] @ centred[:-lag]) / n
    correction = max((n + 1 - 2 * reach + reach * (reach - 1) / n) / n, 1 / n)
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(max(variance, 0.0) / n / correction) / base
    return Gain(share, share - float(half), share + float(half))


@dataclass(frozen=True)
class Calibration:
    """How wide intervals must be, learnt from the errors of earlier forecasts.

    Attributes:
        errors: |error| ÷ (scale × growth), of months that had come by then.
        months: how many independent errors they are worth.
        growth: factor on the scale for each number of months ahead.
    """

    errors: Floats
    months: float
    growth: Floats

    def factor(self, level: float) -> float:
        """Return the factor on the scale that holds errors with this probability.

        The quantile of split conformal prediction, level·(1 + 1/n) (Lei et al. 2018, *JASA* 113:1094; for forecasts one
        after the other Xu & Xie 2021, *ICML*). With too few errors for it (n < 19 for 95 %) Student's t on their root
        mean square. NaN without errors.
        """
        if not len(self.errors) or self.months < 2:
            return float("nan")
        share = level * (1 + 1 / self.months)
        if share <= 1:
            return float(np.quantile(self.errors, share))
        spread = np.sqrt(np.mean(self.errors**2) * (1 + 1 / self.months))
        return float(stats.t.ppf((1 + level) / 2, self.months - 1) * spread)


def calibrate(errors: Floats, months: float) -> Calibration:
    """Learn how wide intervals must be.

    Args:
        errors: scaled errors (cases × horizon), NaN where the month has not come.
        months: how many independent cases they are worth.
    """
    horizon = errors.shape[1]
    steps = np.broadcast_to(np.arange(horizon), errors.shape)
    known = np.isfinite(errors)
    growth = np.ones(horizon)
    if known.sum() >= 3 * horizon and horizon > 1:
        squared = errors[known] ** 2
        slope, start = np.polyfit(steps[known], squared, 1)
        # Errors do not shrink with the distance; what looks so is chance.
        if slope > 0 and start > 0:
            growth = np.sqrt(1 + slope / start * np.arange(horizon))
        elif slope > 0:
            growth = np.sqrt(1 + np.arange(horizon))
    return Calibration(np.abs(errors / growth)[known], months, growth)


@dataclass(frozen=True)
class BackTest:
    """What would have been forecast at each past month, and what came.

    Attributes:
        origins: number of months known at each; the last is the present.
        forecasts, actuals: origins × series × horizon; actuals are NaN where the month has not come.
        every: forecasts of each method, not yet made to agree, by name.
        chosen: the methods taken for the parts and for the whole, by origin.
        unit: size of one event.
        is_old: whether the series had begun six months before (origins × series).
    """

    origins: NDArray[np.int64]
    forecasts: Floats
    actuals: Floats
    every: dict[str, Floats]
    chosen: list[tuple[str, str]]
    unit: float
    is_old: NDArray[np.bool_]

    def scale(self, forecasts: Floats) -> Floats:
        """Return the size of errors to be expected of forecasts: they grow with the root of the level."""
        return np.sqrt(np.maximum(np.abs(forecasts), self.unit) * self.unit)

    def losses(self, series: slice, method: str = "", scales: ArrayLike = 1.0) -> Floats:
        """Return the mean absolute error by origin, over series and the months that have come; NaN where none has."""
        forecasts = self.every[method] if method else self.forecasts
        errors = np.abs(self.actuals - forecasts) / np.broadcast_to(scales, self.actuals.shape[1])[None, :, None]
        errors = np.where(self.is_old[:, :, None], errors, np.nan)[:, series, :].reshape(len(self.origins), -1)
        known = np.isfinite(errors)
        with np.errstate(invalid="ignore"):
            return np.where(known, errors, 0.0).sum(axis=1) / np.where(known.any(axis=1), known.sum(axis=1), np.nan)

    def past_errors(self, place: int, series: slice, remembered: int) -> tuple[Floats, Floats]:
        """Return what forecasts had missed by the time of an origin, and their scales.

        Errors of the whole procedure, the choice of a method included: those of the method now taken, which was taken
        because they are small, would promise too much.

        Args:
            place: which origin.
            series: which series.
            remembered: how many months back.

        Returns:
            Two arrays, origins before × series × horizon, NaN where the month had not come or the series was young.
        """
        known, horizon = self.origins[place], self.forecasts.shape[2]
        come = (self.origins[:place, None] + np.arange(horizon)) < known
        kept = come & (self.origins[:place, None] >= known - remembered)
        # Before there was anything to choose by, the procedure was another one.
        kept[:_ORIGINS_TO_CHOOSE] = False
        errors = np.where(kept[:, None, :] & self.is_old[:place, :, None], self.errors[:place], np.nan)
        return errors[:, series], self.scale(self.forecasts[:place, series])

    @property
    def errors(self) -> Floats:
        """What came, less what was forecast."""
        return self.actuals - self.forecasts

    def calibration(self, place: int, series: slice) -> Calibration:
        """Learn how wide intervals must be at an origin from what had come by then."""
        errors, scale = self.past_errors(place, series, _REMEMBERED)
        # A month that was forecast six times over is one month.
        months = np.isfinite(errors[:, :, 0]).sum()
        return calibrate((errors / scale).reshape(-1, errors.shape[2]), float(months))

    def sums_factor(self, series: slice, level: float) -> float:
        """Return the factor on the scale of the sum over all months ahead that holds its error at present."""
        # All there are: sums of origins within the horizon of each other overlap, and few are worth much.
        errors, scale = self.past_errors(len(self.origins) - 1, series, int(self.origins[-1]))
        sums = errors.sum(axis=2) / np.sqrt((scale**2).sum(axis=2))
        known = np.isfinite(sums)
        worth = _OVERLAP * known.sum() / errors.shape[2]
        return Calibration(np.abs(sums[known]), worth, np.ones(1)).factor(level)


def back_test(
    y: Floats,
    horizon: int,
    methods: Sequence[tuple[str, Callable[[int], Floats]]],
    unit: float,
    first: int = YEAR,
) -> BackTest:
    """Forecast at each past month with what was known then, choosing the method that had done best by then.

    Rolling origin (Tashman 2000, *International Journal of Forecasting* 16:437). The methods for the parts (together)
    and for the whole are chosen at each origin by the errors of earlier origins, so that what is reported is of the
    whole procedure, choice included.

    Args:
        y: series × months, the sum last.
        horizon: months ahead.
        methods: names and functions from the number of months known to forecasts (series × horizon). The second is
            taken until there are errors to choose by.
        unit: size of one event in the units of `y`.
        first: months known at the first origin.

    Returns:
        The origins from ``first`` to the present; the last has no actuals.
    """
    count, n = y.shape
    origins = np.arange(first, n + 1)
    padded = np.hstack([y, np.full((count, horizon), np.nan)])
    actuals = np.stack([padded[:, t : t + horizon] for t in origins])
    every = {name: np.stack([method(int(t)) for t in origins]) for name, method in methods}
    names = list(every)
    made, chosen = [], []
    for place, t in enumerate(origins):
        scales = np.array([scaled_error(row[:t]) for row in y])
        scales = np.where(np.isfinite(scales), scales, np.nanmean(scales) if np.isfinite(scales).any() else 1.0)
        come = ((origins[:place, None] + np.arange(horizon)) < t)[:, None, :]
        past = {
            name: np.where(come, (actuals - forecasts)[:place], np.nan) / scales[:, None]
            for name, forecasts in every.items()
        }
        enough = place >= _ORIGINS_TO_CHOOSE
        parts, whole = (
            min(names, key=lambda name: _mean(np.abs(past[name][:, series]))) if enough else names[1]
            for series in (slice(0, -1), slice(-1, None))
        )
        squares = np.concatenate([past[parts][:, :-1], past[whole][:, -1:]], axis=1) ** 2
        variance = np.array([_mean(squares[:, row]) for row in range(count)])
        variance = np.where(np.isfinite(variance), variance, 1.0) * scales**2
        made.append(reconciled(np.vstack([every[parts][place, :-1], every[whole][place, -1:]]), variance))
        chosen.append((parts, whole))
    began = np.array([np.flatnonzero(np.isfinite(row))[0] if np.isfinite(row).any() else n for row in y])
    is_old = origins[:, None] - began[None, :] >= _OLD_ENOUGH
    return BackTest(origins, np.stack(made), actuals, every, chosen, unit, is_old)


def _mean(values: Floats) -> float:
    """Return the mean of what is known, infinite where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("inf")
