"""Early warning of counts: what is to be expected from their own past, what lies beyond it, and since when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from loupan.statistics.intervals import Floats

# Above this Anscombe residual a period of the past counts less: it was an outbreak itself (Noufaily et al. 2013).
_OUTBREAK = 2.58
# Over these parts of its distribution the over-dispersion is averaged.
_QUANTILES = (np.arange(12) + 0.5) / 12


@dataclass(frozen=True)
class Level:
    """The level of each series in its past, arrays by series.

    Attributes:
        rate: events per unit of exposure.
        factor: variance over what chance alone gives, never below 1.
        error: standard error of the logarithm of the rate.
        periods: on how many periods they rest.
    """

    rate: Floats
    factor: Floats
    error: Floats
    periods: Floats

    def of(self, series: NDArray[np.int64]) -> Level:
        """Return the level of some of the series."""
        return Level(self.rate[series], self.factor[series], self.error[series], self.periods[series])


def past_level(counts: ArrayLike, exposure: ArrayLike) -> Level:
    """Fit each series' past by a quasi-Poisson model with one level; periods that were outbreaks count less.

    Farrington et al. 1996 (Journal of the Royal Statistical Society A 159:547), sections 3.2 to 3.6, without trend and
    season, with the threshold of Noufaily et al. 2013 (Statistics in Medicine 32:1206) for outbreaks of the past. Half
    an event is added to each series, so that one without events still has a level.

    Args:
        counts: events, series × periods.
        exposure: what they arose from, of the same shape; a period without any does not count.

    Returns:
        The levels; NaN for series of fewer than two periods with exposure.
    """
    y, e = np.atleast_2d(np.asarray(counts, float)), np.atleast_2d(np.asarray(exposure, float))
    has = e > 0
    periods = has.sum(axis=1)
    y, e = np.where(has, y, 0.0), np.where(has, e, 0.0)
    weights = has.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, factor = _fitted(y, e, weights, periods)
        weights = _without_outbreaks(y, e, has, weights, rate, factor)
        rate, factor = _fitted(y, e, weights, periods)
        error = np.sqrt(factor / (rate * (weights * e).sum(axis=1)))
    known = periods >= 2
    rate, factor, error = (np.where(known, values, np.nan) for values in (rate, factor, error))
    return Level(rate, factor, error, periods.astype(float))


def _fitted(y: Floats, e: Floats, weights: Floats, periods: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return level and dispersion: of a model with a level only, the weighted likelihood has them in closed form."""
    rate = ((weights * y).sum(axis=1) + 0.5) / (weights * e).sum(axis=1)
    mean = rate[:, None] * e
    squares = np.where(e > 0, weights * (y - mean) ** 2 / mean, 0.0).sum(axis=1)
    return rate, np.maximum(squares / (periods - 1), 1.0)


def _without_outbreaks(
    y: Floats, e: Floats, has: NDArray[np.bool_], weights: Floats, rate: Floats, factor: Floats
) -> Floats:
    """Return weights that fall with the square of a large residual and add up to the number of periods."""
    mean = rate[:, None] * e
    leverage = weights * mean / (weights * mean).sum(axis=1, keepdims=True)
    residual = 1.5 * (y ** (2 / 3) * mean ** (-1 / 6) - np.sqrt(mean)) / np.sqrt(factor[:, None] * (1 - leverage))
    raw = np.where(has, np.where(residual > _OUTBREAK, residual**-2.0, 1.0), 0.0)
    return np.asarray(raw * has.sum(axis=1, keepdims=True) / raw.sum(axis=1, keepdims=True))


def chance_of(level: Level, observed: ArrayLike, exposure: ArrayLike) -> Floats:
    """Return how likely as many events in a window, or more, are if nothing has changed since the past.

    The count is negative binomial around the expected one (Noufaily et al. 2013, section 3.3), its variance that of
    chance, over-dispersion and the error of the level together (Farrington et al. 1996, section 3.5). Over-dispersion
    is not known well from few periods: the probability is the mean over what it may be, its estimate being distributed
    as χ² over its degrees of freedom (as in Student's t, for which the same mean is taken over the variance).

    Args:
        level: of each series.
        observed: events in the window, by series.
        exposure: what they arose from.

    Returns:
        By series; NaN where the past or the window has no exposure.
    """
    y, e = np.asarray(observed, float), np.asarray(exposure, float)
    expected = level.rate * e
    freedom = np.maximum(level.periods - 1, 1.0)
    # Thousands of series have few different numbers of periods.
    different, place = np.unique(freedom, return_inverse=True)
    p = np.zeros(np.broadcast(expected, y).shape)
    for quantile in _QUANTILES:
        factor = np.maximum(level.factor * freedom / stats.chi2.ppf(quantile, different)[place], 1.0)
        variance = factor * expected + (expected * level.error) ** 2
        # As near to Poisson as numbers allow where nothing but chance is at work.
        size = expected**2 / np.maximum(variance - expected, 1e-9 * np.maximum(expected, 1e-12))
        with np.errstate(invalid="ignore"):
            p += stats.nbinom.sf(y - 1, size, size / (size + expected)) / len(_QUANTILES)
    return np.where(np.isfinite(expected) & (e > 0), p, np.nan)


def upper_limit(level: Level, exposure: ArrayLike, confidence: float = 0.95) -> Floats:
    """Return the most events that chance explains in a window: more are less likely than half of what is left.

    Args:
        level: of each series.
        exposure: of the window, by series.
        confidence: two-sided; the limit is its upper end.
    """
    e = np.asarray(exposure, float)
    known = np.isfinite(chance_of(level, np.zeros(len(e)), e))
    low, high = np.zeros(len(e)), 10 + 10 * np.nan_to_num(level.rate * e)
    # The smallest count that is exceeded less often lies between the two, found by halving.
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        is_enough = chance_of(level, middle + 1, e) <= (1 - confidence) / 2
        low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
    is_low = chance_of(level, low + 1, e) <= (1 - confidence) / 2
    return np.where(known, np.where(is_low, low, high), np.nan)


def false_share(p: ArrayLike) -> Floats:
    """Return, of each p-value, the share of false ones among all at least as small (Benjamini and Hochberg 1995).

    Choosing those of at most q keeps the expected share of false alarms at q, also where series overlap and rise
    together (Benjamini and Yekutieli 2001, Annals of Statistics 29:1165). NaN stays NaN and counts as no test.
    """
    values = np.asarray(p, float)
    known = np.isfinite(values)
    result = np.full(values.shape, np.nan)
    if known.any():
        result[known] = stats.false_discovery_control(values[known])
    return result


def onset(counts: ArrayLike, expected: ArrayLike) -> int:
    """Return since which period a series has most clearly run above expectation: the start of the likeliest run.

    Scan statistic over runs that reach the last period (Kulldorff 1997, Communications in Statistics 26:1481).

    Args:
        counts: events by period, the last one the present.
        expected: what the past lets expect of each.

    Returns:
        The number of the run's first period; that of the last where no run lies above expectation.
    """
    y, mu = np.asarray(counts, float)[::-1].cumsum(), np.asarray(expected, float)[::-1].cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(y > mu, np.where(y > 0, y * np.log(y / mu), 0.0) - (y - mu), 0.0)
    return len(y) - 1 - int(np.nanargmax(gain))
