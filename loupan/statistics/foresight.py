"""Whether one way to foresee is better than another, case by case on the same cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from loupan.statistics.bootstrap import resampled_sums
from loupan.statistics.intervals import Floats

MOST_CASES = 10_000
"""Of more, groups are drawn."""
_DRAWS, _GROUPS = 1_000, 1_000


@dataclass(frozen=True)
class Compared:
    """Mean errors of two ways to foresee the same cases.

    Attributes:
        model, baseline: mean error of either.
        low, high: 95 % interval of the model's.
        is_better: whether the model's is lower beyond chance: the whole interval of the difference lies below 0.
    """

    model: float
    baseline: float
    low: float
    high: float
    is_better: bool


def log_losses(chance: ArrayLike, outcome: ArrayLike) -> Floats:
    """Return −log of the chance given to what came, by case (Good 1952, JRSS B 14:107).

    Args:
        chance: foreseen, between 0 and 1 and neither of them; one for all, or one per case.
        outcome: whether it came.
    """
    came = np.asarray(outcome, bool)
    foreseen = np.broadcast_to(np.asarray(chance, np.float64), came.shape)
    return np.asarray(-np.log(np.where(came, foreseen, 1 - foreseen)))


def compared(model: ArrayLike, baseline: ArrayLike, seed: int = 1) -> Compared:
    """Compare the errors of two ways by drawing cases anew, in pairs (percentile bootstrap, Efron 1979).

    Of more than `MOST_CASES`, a thousand groups of cases are drawn in their place, every thousandth case in one
    group: drawing millions one by one would take gigabytes and tell the same (Chamandy et al. 2012, as in
    `loupan.statistics.bootstrap`).

    Args:
        model, baseline: errors by case, of the same cases in the same order; at least one.
        seed: of the draws.
    """
    own, other = np.asarray(model, np.float64), np.asarray(baseline, np.float64)
    if len(own) <= MOST_CASES:
        rng = np.random.default_rng(seed)
        # How often each case is drawn: two products instead of two large tables of drawn errors.
        weights = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), _DRAWS) / len(own)
        means, differences = weights @ own, weights @ (own - other)
    else:
        group = np.arange(len(own)) % _GROUPS
        figures = (own, own - other, np.ones(len(own)))
        sums = np.column_stack([np.bincount(group, values).astype(float) for values in figures])
        drawn = resampled_sums(sums, _DRAWS, seed)
        means, differences = drawn[:, 0] / drawn[:, 2], drawn[:, 1] / drawn[:, 2]
    low, high = np.quantile(means, (0.025, 0.975))
    worst = np.quantile(differences, 0.975)
    return Compared(float(own.mean()), float(other.mean()), float(low), float(high), bool(worst < 0))
