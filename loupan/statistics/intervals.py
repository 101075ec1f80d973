"""How sure a rate is: intervals for proportions and rates, and the limits within which chance alone moves them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

ENOUGH = 30
"""Smallest denominator that is shown in full colour and may be compared."""

Floats = NDArray[np.float64]
_DRAWS = 4_000


def wilson(successes: ArrayLike, trials: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the Wilson score interval of proportions (Wilson 1927); NaN where there are no trials."""
    x, n = np.asarray(successes, float), np.asarray(trials, float)
    z = stats.norm.ppf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = x / n
        centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At the ends the bounds are 0 and 1 exactly; rounding leaves a little beside them.
    low = np.where(x <= 0, 0.0, np.clip(centre - half, 0, 1))
    high = np.where(x >= n, 1.0, np.clip(centre + half, 0, 1))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def poisson_exact(events: ArrayLike, exposure: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the exact interval of rates events ÷ exposure (Garwood 1936); NaN where there is no exposure."""
    x, e = np.asarray(events, float), np.asarray(exposure, float)
    tail = (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(x > 0, stats.chi2.ppf(tail, 2 * x) / 2, 0.0) / e
        high = stats.chi2.ppf(1 - tail, 2 * (x + 1)) / 2 / e
    return np.where(e > 0, low, np.nan), np.where(e > 0, high, np.nan)


@dataclass(frozen=True)
class Dispersion:
    """Spread of units around their common rate, against what chance alone would give.

    Attributes:
        factor: variance over what chance gives, from Winsorised z-scores, never below 1.
        units: how many units it rests on.
        is_excessive: whether the spread is beyond chance, at 5 %.
    """

    factor: float
    units: int
    is_excessive: bool


def dispersion(z_scores: ArrayLike, winsorised: float = 0.1) -> Dispersion:
    """Test z-scores for over-dispersion (Spiegelhalter 2005, Statistics in Medicine 24:1185).

    The extreme tenth on each side is pulled in first, so that a few real outliers do not widen the limits that should
    show them. That makes the mean square smaller than 1 where there is nothing but chance; it is compared with what it
    is there, by simulation.
    """
    z = np.asarray(z_scores, float)
    z = z[np.isfinite(z)]
    if len(z) < 3:
        return Dispersion(1.0, len(z), False)
    expected, limit = _by_chance(len(z), winsorised)
    phi = _mean_square(z, winsorised)
    return Dispersion(max(phi / expected, 1.0), len(z), phi > limit)


def _mean_square(z: Floats, winsorised: float) -> float:
    low, high = np.quantile(z, [winsorised, 1 - winsorised])
    return float(np.mean(np.clip(z, low, high) ** 2))


@lru_cache(maxsize=512)
def _by_chance(units: int, winsorised: float) -> tuple[float, float]:
    """Return mean and 95 % quantile of the Winsorised mean square of standard normal scores."""
    draws = np.random.default_rng(units).standard_normal((_DRAWS, units))
    low, high = np.quantile(draws, [winsorised, 1 - winsorised], axis=1, keepdims=True)
    squares = np.mean(np.clip(draws, low, high) ** 2, axis=1)
    return float(squares.mean()), float(np.quantile(squares, 0.95))


def proportion_limits(rate: float, trials: ArrayLike, level: float, factor: float = 1.0) -> tuple[Floats, Floats]:
    """Return the limits a proportion keeps by chance when its true rate is `rate`, widened by √`factor`."""
    n = np.asarray(trials, float)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(factor * rate * (1 - rate) / n)
    return np.clip(rate - half, 0, 1), np.clip(rate + half, 0, 1)


def rate_limits(rate: float, exposure: ArrayLike, level: float, factor: float = 1.0) -> tuple[Floats, Floats]:
    """Return the limits an events ÷ exposure rate keeps by chance when its true rate is `rate`.

    Exact Poisson quantiles; with `factor` above 1 the normal limits widened by √`factor`.
    """
    e = np.asarray(exposure, float)
    if factor > 1:
        half = stats.norm.ppf((1 + level) / 2) * np.sqrt(factor * rate / e)
        return np.clip(rate - half, 0, None), rate + half
    tail = (1 - level) / 2
    return stats.poisson.ppf(tail, rate * e) / e, stats.poisson.ppf(1 - tail, rate * e) / e
