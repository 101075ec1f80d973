"""The bootstrap of sums that are known by group only: what chance alone could have made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loupan.statistics.intervals import Floats

RESAMPLES = 1000
GROUPS = 100
"""Into so many groups the marts divide customers at random; see ``resampling_group``."""


def resampled_sums(sums: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Draw whole groups again and again, with replacement, and add them up.

    The bootstrap of Efron (1979, Annals of Statistics 7:1) with groups of customers in place of single ones: as groups
    are drawn at random, their sums are independent and alike, and what belongs to one customer stays together. Chamandy
    et al. (2012, Estimating uncertainty for massive data streams, Google) do so where single cases are too many.

    Args:
        sums: groups × figures; a group without any case is a row of zeros.
        resamples: how often.
        seed: of the random numbers; equal data give equal intervals.

    Returns:
        resamples × figures.
    """
    groups = sums.shape[0]
    random = np.random.default_rng(seed)
    drawn: NDArray[np.int64] = random.multinomial(groups, np.full(groups, 1 / groups), size=resamples)
    return np.asarray(drawn @ sums, float)


def percentile_interval(resampled: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the percentile interval of each figure (Efron & Tibshirani 1993, chapter 13).

    Args:
        resampled: resamples × figures; NaN where a resample has no such figure, as a ratio to 0.
        level: of the interval.
    """
    tail = (1 - level) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
    return low, high
