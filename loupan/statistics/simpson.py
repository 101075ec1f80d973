"""Pairs of units whose crude order is turned round by what their cases differ in (Simpson 1951)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import logit

from loupan.statistics.casemix import Adjusted
from loupan.statistics.intervals import Floats

# How sure each of the two orders must be.
_SURE = 0.95
# A difference has come to nothing when so much of it is left at most, and the order is as good as even.
_LEFT, _EVEN = 1 / 3, 0.75


@dataclass(frozen=True)
class Reversal:
    """Two units of which the crude rates tell the opposite of the adjusted ones, or more than these bear out.

    Attributes:
        better, worse: positions in the units: who has the higher rate with like cases, and who has the higher crude
            rate; where the difference only vanishes, `worse` has the higher crude rate.
        is_reversed: the adjusted order is sure; else the crude difference vanishes.
        sure: how sure the less sure of the two orders is.
        inputs: what explains it, what explains most first.
        strata, agreeing: of a reversal, how many groups of cases alike in the first of `inputs` both have some of, and
            in how many of them `better` has the higher rate.
    """

    better: int
    worse: int
    is_reversed: bool
    sure: float
    inputs: tuple[str, ...]
    strata: int
    agreeing: int


def reversals(cells: pd.DataFrame, crude: Adjusted, adjusted: Adjusted) -> tuple[Reversal, ...]:
    """Return the pairs whose crude order is sure and is turned round, or comes to nothing, by adjustment.

    An order is sure when the posterior probability of the mixed model says so at 95 %. Effects are shrunk towards each
    other by as much as all units together differ, so that comparing all pairs does not find differences by looking
    often enough (Gelman, Hill and Yajima 2012, Journal of Research on Educational Effectiveness 5:189). A reversal must
    also show within groups of cases that are alike in what explains it (Mantel and Haenszel 1959, JNCI 22:719), not
    only in the model.

    Args:
        cells: as given to `casemix.adjust`.
        crude: the comparison without inputs.
        adjusted: that with inputs, of the same units.

    Returns:
        Reversals first, the surest first of each kind; only pairs of which both have enough cases.
    """
    if not adjusted.inputs or crude.units != adjusted.units:
        return ()
    before, after = _higher(crude), _higher(adjusted)
    rates = crude.observed / crude.exposure
    enough = crude.has_enough[:, None] & crude.has_enough[None, :]
    is_sure = enough & (before >= _SURE) & (rates[:, None] > rates[None, :])
    turned = is_sure & (after <= 1 - _SURE) & (adjusted.rate[:, None] < adjusted.rate[None, :])
    differences, left = (r[:, None] - r[None, :] for r in (rates, adjusted.rate))
    gone = is_sure & ~turned & (after <= _EVEN) & (left <= _LEFT * differences)
    found = []
    for worse, better in np.argwhere(turned | gone):
        inputs = _explaining(crude, adjusted, worse, better)
        pair = (adjusted.units[better], adjusted.units[worse])
        sure, is_turned = before[worse, better], bool(turned[worse, better])
        strata = agreeing = 0
        if is_turned and inputs:
            if _pooled(_strata(cells, inputs, pair), adjusted.is_proportion) <= 0:
                continue
            sure = min(sure, 1 - after[worse, better])
            strata, agreeing = _agreement(_strata(cells, inputs[:1], pair))
        if inputs:
            found.append(Reversal(int(better), int(worse), is_turned, float(sure), inputs, strata, agreeing))
    return tuple(sorted(found, key=lambda pair: (not pair.is_reversed, -pair.sure)))


def _higher(units: Adjusted) -> Floats:
    """Return the probability that the row's true effect is above the column's."""
    variance = np.diag(units.covariance)
    error = np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2 * units.covariance, 1e-12))
    return np.asarray(stats.norm.cdf((units.effect[:, None] - units.effect[None, :]) / error))


def _explaining(crude: Adjusted, adjusted: Adjusted, worse: int, better: int) -> tuple[str, ...]:
    """Return the fewest inputs whose mix makes up for the crude difference, those that add most first."""
    rates = crude.observed[[worse, better]] / crude.exposure[[worse, better]]
    with np.errstate(divide="ignore"):
        levels = logit(rates) if crude.is_proportion else np.log(rates)
    left = float(levels[0] - levels[1])
    favour = adjusted.mix[worse] - adjusted.mix[better]
    named = []
    for place in np.argsort(-favour, kind="stable"):
        if left <= 0 or favour[place] <= 0:
            break
        named.append(adjusted.inputs[place])
        left -= float(favour[place])
    return tuple(named)


def _strata(cells: pd.DataFrame, inputs: Sequence[str], pair: tuple[str, str]) -> pd.DataFrame:
    """Return events and exposure of both units (better ``_0``, worse ``_1``) by group of cases that both have."""
    own = cells[cells["unit"].isin(pair) & (cells["exposure"] > 0)]
    sums = own.groupby([*inputs, "unit"], dropna=False)[["observed", "exposure"]].sum().reset_index()
    sides = [sums[sums["unit"] == unit].drop(columns="unit") for unit in pair]
    return sides[0].merge(sides[1], on=list(inputs), suffixes=("_0", "_1"))


def _pooled(table: pd.DataFrame, is_proportion: bool) -> float:
    """Return the Mantel-Haenszel log ratio (odds ratio of proportions, ratio of rates) of better to worse."""
    x, n, y, m = (table[c].to_numpy(float) for c in ("observed_0", "exposure_0", "observed_1", "exposure_1"))
    total = n + m
    others, own_others = (m - y, n - x) if is_proportion else (m, n)
    over, under = float(np.sum(x * others / total)), float(np.sum(y * own_others / total))
    return float(np.log(over / under)) if over > 0 and under > 0 else np.sign(over - under)


def _agreement(table: pd.DataFrame, least: int = 10) -> tuple[int, int]:
    """Return in how many groups both have some cases, and in how many of them the better one has the higher rate."""
    told = table[(table["exposure_0"] >= least) & (table["exposure_1"] >= least)]
    agrees = told["observed_0"] / told["exposure_0"] > told["observed_1"] / told["exposure_1"]
    return len(told), int(agrees.sum())
