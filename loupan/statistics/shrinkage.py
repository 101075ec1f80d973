"""Rates pulled towards their common rate, by as much as they rest on little: beta-binomial and gamma-Poisson."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats
from scipy.special import betaln, gammaln

from loupan.statistics.intervals import Floats

# The common rate's weight in cases, as the part it has in the estimate of a unit of middle size.
_WEIGHTS = (np.arange(60) + 0.5) / 60
_HALVINGS = 40


@dataclass(frozen=True)
class Shrunken:
    """Estimates of units' rates, arrays in the order given; NaN where there is no exposure.

    Attributes:
        rate: posterior mean.
        low, high: 95 % credible interval.
        own: the part of the estimate that is the unit's own data; the rest is the common rate.
        common: the mean of the units' true rates where their spread is most likely.
        size: how many cases (how much exposure) the common rate then counts for; the greater, the less units differ.
    """

    rate: Floats
    low: Floats
    high: Floats
    own: Floats
    common: float
    size: float


def beta_binomial(events: ArrayLike, trials: ArrayLike) -> Shrunken:
    """Shrink proportions: true rates follow a beta distribution, events given them a binomial one.

    Empirical Bayes by marginal likelihood (Casella 1985, American Statistician 39:83; Spiegelhalter, Abrams and Myles
    2004, Bayesian Approaches to Clinical Trials and Health-Care Evaluation, section 3.17). The mean of the beta
    distribution is estimated; its spread is not known well from few units, so that the posterior is averaged over it,
    with every degree of shrinkage equally likely beforehand (Christiansen and Morris 1997, JASA 92:618, section 2.2).

    Args:
        events: of each unit; may be no whole number, as after standardisation.
        trials: of each unit.
    """
    x, n = np.asarray(events, float), np.asarray(trials, float)

    def likelihood(mean: float, size: float, x: Floats, n: Floats) -> float:
        a, b = mean * size, (1 - mean) * size
        return float(np.sum(betaln(a + x, b + n - x) - betaln(a, b)))

    def below(value: Floats, mean: float, size: float, x: Floats, n: Floats) -> Floats:
        return np.asarray(stats.beta.cdf(value, mean * size + x, (1 - mean) * size + n - x))

    return _shrunken(x, n, likelihood, below, top=1.0)


def gamma_poisson(events: ArrayLike, exposure: ArrayLike) -> Shrunken:
    """Shrink rates, or observed ÷ expected: true rates follow a gamma distribution, events given them a Poisson one.

    Clayton and Kaldor 1987, Biometrics 43:671, section 3.1; the spread as in `beta_binomial`.

    Args:
        events: of each unit.
        exposure: what the rate is per: customers, months, or expected events.
    """
    x, e = np.asarray(events, float), np.asarray(exposure, float)

    def likelihood(mean: float, size: float, x: Floats, e: Floats) -> float:
        shape = mean * size
        terms = gammaln(shape + x) - gammaln(shape) + shape * np.log(size) - (shape + x) * np.log(size + e)
        return float(np.sum(terms))

    def below(value: Floats, mean: float, size: float, x: Floats, e: Floats) -> Floats:
        return np.asarray(stats.gamma.cdf(value, mean * size + x, scale=1 / (size + e)))

    return _shrunken(x, e, likelihood, below, top=None)


Likelihood = Callable[[float, float, Floats, Floats], float]
Below = Callable[[Floats, float, float, Floats, Floats], Floats]


def _shrunken(events: Floats, exposure: Floats, likelihood: Likelihood, below: Below, top: float | None) -> Shrunken:
    nothing = np.full(len(events), np.nan)
    has = exposure > 0
    x, n = events[has], exposure[has]
    if len(x) == 0 or x.sum() <= 0 or (top is not None and x.sum() >= n.sum()):
        return Shrunken(nothing, nothing.copy(), nothing.copy(), nothing.copy(), float("nan"), float("nan"))
    middle = float(np.exp(np.mean(np.log(n))))
    sizes = middle * _WEIGHTS / (1 - _WEIGHTS)
    crude = float(x.sum() / n.sum())
    means = np.array([_best_mean(likelihood, size, x, n, crude, top) for size in sizes])
    logs = np.array([likelihood(mean, size, x, n) for mean, size in zip(means, sizes, strict=True)])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    # What counts for nothing is not reckoned with.
    kept = weights > 1e-6
    grid = list(zip(means[kept], sizes[kept], weights[kept] / weights[kept].sum(), strict=True))
    rate = sum(w * (m * s + x) / (s + n) for m, s, w in grid)
    own = sum(w * n / (s + n) for _, s, w in grid)
    bounds = [_quantile(p, grid, below, x, n, top) for p in (0.025, 0.975)]
    common, size = _most_likely(likelihood, float(sizes[np.argmax(logs)]), x, n, crude, top)

    def placed(values: Floats) -> Floats:
        whole = nothing.copy()
        whole[has] = values
        return whole

    return Shrunken(
        placed(np.asarray(rate)),
        placed(bounds[0]),
        placed(bounds[1]),
        placed(np.asarray(own)),
        common,
        size,
    )


def _most_likely(
    likelihood: Likelihood, near: float, x: Floats, n: Floats, crude: float, top: float | None
) -> tuple[float, float]:
    """Return mean and size of the most likely distribution of the true rates, from a size near it."""

    def lack(log_size: float) -> float:
        size = float(np.exp(log_size))
        return -likelihood(_best_mean(likelihood, size, x, n, crude, top), size, x, n)

    ends = (np.log(near / 3), np.log(near * 3))
    size = float(np.exp(optimize.minimize_scalar(lack, bounds=ends, method="bounded", options={"xatol": 1e-3}).x))
    return _best_mean(likelihood, size, x, n, crude, top), size


def _best_mean(
    likelihood: Likelihood, size: float, x: Floats, n: Floats, crude: float, top: float | None
) -> float:
    """Return the most likely mean of the true rates, given how much they spread."""
    ends = (crude / 5, min(crude * 5, (1 + 4 * crude) / 5) if top else crude * 5)
    found = optimize.minimize_scalar(
        lambda mean: -likelihood(mean, size, x, n), bounds=ends, method="bounded", options={"xatol": crude * 1e-4}
    )
    return float(found.x)


def _quantile(
    p: float, grid: list[tuple[float, float, float]], below: Below, x: Floats, n: Floats, top: float | None
) -> Floats:
    """Return a quantile of each unit's posterior, a mixture over the grid."""
    low = np.zeros(len(x))
    high = np.full(len(x), top) if top else np.full(len(x), 4 * float(np.max((x + 5) / n)))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_low = sum(w * below(middle, m, s, x, n) for m, s, w in grid) < p
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return (low + high) / 2
