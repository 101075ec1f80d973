"""Logistic and Poisson models in which every input is a set of levels that share a spread: fitted by weighted ridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import expit

from loupan.statistics.intervals import Floats

# Spreads in log-odds or log-rates: none is larger in practice, and below the least nothing differs.
LARGEST_SPREAD, LEAST_SPREAD = 3.0, 1e-3
_FIRST_SPREAD = 0.3
_MOST_STEPS = 60
_TOLERANCE = 1e-3
# A step of the whole predictor beyond this overshoots, as where an outcome never happened in a level.
_LONGEST_STEP = 2.0


@dataclass(frozen=True)
class MixedModel:
    """A fitted model: log-odds (or log-rate) of a cell = intercept + the effect of its level in each block.

    Attributes:
        blocks: by block, the column of each level's effect in `effects`.
        effects: intercept first, then the levels of each block.
        covariance: of `effects`, given the spreads.
        spreads: standard deviation of the effects of each block.
        design: cells × effects, zeros and ones.
    """

    blocks: tuple[NDArray[np.int64], ...]
    effects: Floats
    covariance: Floats
    spreads: tuple[float, ...]
    design: sparse.csr_array

    def predictor(self, *without: int) -> Floats:
        """Return the log-odds (log-rate) of each cell, leaving out the effects of some blocks."""
        effects = self.effects.copy()
        for block in without:
            effects[self.blocks[block]] = 0.0
        return np.asarray(self.design @ effects)


def fit(
    codes: Sequence[ArrayLike],
    observed: ArrayLike,
    exposure: ArrayLike,
    *,
    is_proportion: bool,
    spreads: Sequence[float | None] | None = None,
    like: MixedModel | None = None,
) -> MixedModel:
    """Fit by penalised quasi-likelihood (Breslow and Clayton 1993, JASA 88:9, section 2).

    The effects of a block are normal around 0 with a spread of its own, by restricted likelihood (Schall 1991,
    Biometrika 78:719): what tells nothing shrinks to nothing, and what is rare does not run off to infinity.

    Args:
        codes: by block, the level of each cell, counted from 0.
        observed: events of each cell.
        exposure: trials of each cell (logistic) or what the rate is per (Poisson); above 0.
        is_proportion: logistic, else Poisson.
        spreads: by block, a spread that is known; None where it is to be estimated.
        like: a model of the same levels, to start from and to take spreads and levels from.
    """
    x, n = np.asarray(observed, float), np.asarray(exposure, float)
    if like is None:
        levels = [int(np.max(code)) + 1 for code in map(np.asarray, codes)]
        edges = 1 + np.cumsum([0, *levels])
        blocks = tuple(np.arange(first, last) for first, last in zip(edges[:-1], edges[1:], strict=True))
        known = list(spreads or [None] * len(blocks))
        variances = np.array([(s if s is not None else _FIRST_SPREAD) ** 2 for s in known])
        effects = np.zeros(int(edges[-1]))
        effects[0] = _common(x.sum(), n.sum(), is_proportion)
    else:
        blocks, known = like.blocks, list(like.spreads)
        variances, effects = np.square(like.spreads), like.effects.copy()
    design = _design(codes, blocks, len(effects))
    transposed = design.T.tocsr()
    covariance = np.empty(0)
    for _ in range(_MOST_STEPS):
        predictor = np.asarray(design @ effects)
        mean = n * (expit(predictor) if is_proportion else np.exp(predictor))
        weight = mean * (1 - mean / n) if is_proportion else mean
        precision = np.zeros(len(effects))
        for block, variance in zip(blocks, variances, strict=True):
            precision[block] = 1 / variance
        curvature = (transposed @ (design * weight[:, None])).toarray() + np.diag(precision)
        covariance = np.linalg.inv(curvature)
        step = covariance @ (transposed @ (x - mean) - precision * effects)
        longest = float(np.max(np.abs(design @ step)))
        effects = effects + step * min(1.0, _LONGEST_STEP / max(longest, 1e-12))
        before = variances.copy()
        for place, (block, spread) in enumerate(zip(blocks, known, strict=True)):
            if spread is None:
                variances[place] = _variance(effects[block], np.diag(covariance)[block], variances[place])
        moved = np.max(np.abs(np.sqrt(variances) - np.sqrt(before)), initial=0.0)
        if max(longest, moved) < _TOLERANCE:
            break
    return MixedModel(blocks, effects, covariance, tuple(np.sqrt(variances).tolist()), design)


def _variance(effects: Floats, errors: Floats, variance: float) -> float:
    """Return the sum of squared effects over the number of effects that the data, not the spread, determine."""
    determined = len(effects) - float(errors.sum()) / variance
    found = float(effects @ effects) / max(determined, 1e-9)
    return float(np.clip(found, LEAST_SPREAD**2, LARGEST_SPREAD**2))


def _common(events: float, exposure: float, is_proportion: bool) -> float:
    return float(np.log(events / (exposure - events)) if is_proportion else np.log(events / exposure))


def _design(codes: Sequence[ArrayLike], blocks: Sequence[NDArray[np.int64]], width: int) -> sparse.csr_array:
    columns = [block[np.asarray(code)] for code, block in zip(codes, blocks, strict=True)]
    cells = len(columns[0]) if columns else 0
    places = np.column_stack([np.zeros(cells, dtype=np.int64), *columns])
    starts = np.arange(cells + 1) * places.shape[1]
    return sparse.csr_array((np.ones(places.size), places.ravel(), starts), shape=(cells, width))
