"""What is found more often somewhere than elsewhere: counts beside what was to be expected, many at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]
# A spread of the true ratios smaller or larger than this cannot be told from none, or from any.
_SHAPES = (0.5, 1e4)


def stratified_excess(kind: ArrayLike, group: ArrayLike, stratum: ArrayLike) -> pd.DataFrame:
    """Count kinds of cases by group, beside what each group would have if kinds did not depend on it within strata.

    Args:
        kind: what each case is; shape (n,).
        group: where it is; shape (n,).
        stratum: what else decides about its kind and is to be kept apart; shape (n,).

    Returns:
        One row per group and kind: group, kind, cases (of the group), observed, expected (Σ over strata of the group's
        cases × the kind's share), p (chance of as many or more: the sum of hypergeometric counts of Mantel & Haenszel
        1959, J. Nat. Cancer Inst. 22:719, here as a binomial of the same mean and variance, which keeps its skewness).
    """
    (kinds, k), (groups, g), (strata, s) = (_numbered(values) for values in (kind, group, stratum))
    shape = (len(strata), len(groups), len(kinds))
    cells = np.ravel_multi_index((s, g, k), shape)
    count = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape).astype(float)
    of_group, of_kind = count.sum(axis=2, keepdims=True), count.sum(axis=1, keepdims=True)
    total = count.sum(axis=(1, 2), keepdims=True)
    expected = (of_group * of_kind / total).sum(axis=0)
    variance = (
        of_group * (total - of_group) * of_kind * (total - of_kind) / (total**2 * np.maximum(total - 1, 1))
    ).sum(axis=0)
    observed = count.sum(axis=0)
    rows, columns = np.indices(observed.shape)
    return pd.DataFrame(
        {
            "group": groups[rows.ravel()],
            "kind": kinds[columns.ravel()],
            "cases": np.broadcast_to(of_group.sum(axis=0), observed.shape).ravel(),
            "observed": observed.ravel(),
            "expected": expected.ravel(),
            "p": _as_many(observed, expected, variance).ravel(),
        }
    )


def _numbered(values: ArrayLike) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return the different values as texts, in order, and the number of each value's text."""
    # Categories are numbers already; texts of millions of cases would have to be made and sorted.
    codes, different = pd.factorize(values if isinstance(values, pd.Series) else np.asarray(values, object))
    texts, place = np.unique(np.asarray(different, str), return_inverse=True)
    return texts, place[codes]


def _as_many(observed: Floats, expected: Floats, variance: Floats) -> Floats:
    """Return the chance of as many or more of a count with a mean and a variance not above it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(1 - variance / expected, 1e-9, 1 - 1e-12)
        trials = expected / share
        p = special.betainc(observed, np.maximum(trials - observed + 1, 1e-9), share)
    p = np.where((observed <= 0) | (variance <= 0), 1.0, p)
    return np.where((variance > 0) & (observed > trials + 1), 0.0, p)


def shrunken_ratio(observed: ArrayLike, expected: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Return how many times more often than expected, drawn towards 1 where little is known.

    Counts are Poisson around expected × ratio. A part of the ratios is 1, the others are gamma around 1; how many and
    how far is estimated from all of them (empirical Bayes: Clayton & Kaldor 1987, Biometrics 43:671; the mixture, which
    keeps a few large ratios from being drawn in by many that are 1: DuMouchel 1999, Am. Stat. 53:177).

    Args:
        observed, expected: shape (n,); expected above 0.
        level: of the interval.

    Returns:
        Ratio (posterior mean), lower and upper bound, shape (n,) each.
    """
    o, e = np.asarray(observed, float), np.asarray(expected, float)
    if not len(o):
        return o, o, o
    part, shape = _spread(o, e)
    differs = _responsibility(o, e, part, shape)
    mean = 1 - differs + differs * (o + shape) / (e + shape)
    tail = (1 - level) / 2
    low, high = (_quantile(q, differs, o + shape, e + shape) for q in (tail, 1 - tail))
    return mean, low, high


def _log_marginals(observed: Floats, expected: Floats, shape: float) -> tuple[Floats, Floats]:
    """Return the log-likelihoods of counts whose ratio is 1, and of those whose ratio is gamma around 1."""
    return (
        stats.poisson.logpmf(observed, expected),
        stats.nbinom.logpmf(observed, shape, shape / (shape + expected)),
    )


def _responsibility(observed: Floats, expected: Floats, part: float, shape: float) -> Floats:
    """Return the chance that each ratio is none of those that are 1."""
    one, other = _log_marginals(observed, expected, shape)
    return np.asarray(special.expit(special.logit(part) + other - one), float)


def _spread(observed: Floats, expected: Floats) -> tuple[float, float]:
    """Return the likeliest part of ratios that differ from 1, and the shape of their gamma distribution."""

    def loss(parameters: Floats) -> float:
        part, shape = special.expit(parameters[0]), float(np.exp(np.clip(parameters[1], *np.log(_SHAPES))))
        one, other = _log_marginals(observed, expected, shape)
        return -float(np.logaddexp(np.log1p(-part) + one, np.log(part) + other).sum())

    # Few large ones, and many small ones: from either the likeliest may be found.
    starts = ([-3.0, np.log(3.0)], [2.0, np.log(30.0)])
    bounds = [(-9.0, 9.0), tuple(np.log(_SHAPES))]
    found = min(
        (optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts), key=lambda f: f.fun
    )
    return float(special.expit(found.x[0])), float(np.exp(found.x[1]))


def _quantile(level: float, differs: Floats, shape: Floats, rate: Floats) -> Floats:
    """Return quantiles of ratios that are 1, or gamma with the chance `differs`."""
    below_one = differs * stats.gamma.cdf(1, shape, scale=1 / rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = stats.gamma.ppf(np.clip(level / differs, 0, 1), shape, scale=1 / rate)
        upper = stats.gamma.ppf(np.clip((level - (1 - differs)) / differs, 0, 1), shape, scale=1 / rate)
    return np.where(level < below_one, lower, np.where(level <= below_one + 1 - differs, 1.0, upper))


def trend(came: ArrayLike, cases: ArrayLike, at: ArrayLike) -> tuple[float, float]:
    """Test whether a share rises or falls over time (Cochran 1954, Armitage 1955).

    Args:
        came, cases: by period; shape (n,).
        at: when the period was, in any unit; shape (n,).

    Returns:
        z (above 0 where it rises) and two-sided p; 0 and 1 where nothing can be told.
    """
    x, n, t = (np.asarray(part, float) for part in (came, cases, at))
    if n.sum() <= 0:
        return 0.0, 1.0
    share = x.sum() / n.sum()
    from_middle = t - (n * t).sum() / n.sum()
    variance = share * (1 - share) * (n * from_middle**2).sum()
    if variance <= 0:
        return 0.0, 1.0
    z = float((from_middle * (x - n * share)).sum() / np.sqrt(variance))
    return z, float(2 * stats.norm.sf(abs(z)))


def false_discoveries(p: ArrayLike) -> Floats:
    """Return for each p-value the share of false alarms among all that are as small (Benjamini & Hochberg 1995)."""
    values = np.asarray(p, float)
    return np.asarray(stats.false_discovery_control(values) if len(values) else values, float)
