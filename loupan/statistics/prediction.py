"""How good predicted chances are: whether they sort cases well, and whether they come true as often as they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from loupan.statistics.intervals import wilson

Floats = NDArray[np.float64]
# Beyond this far from 0 and 1 a chance says no more, and its logarithm is no use.
_SURE = 1e-6
_MOST_STEPS, _TOLERANCE = 50, 1e-9


def _as_chance(chance: ArrayLike) -> Floats:
    return np.clip(np.asarray(chance, float), _SURE, 1 - _SURE)


@dataclass(frozen=True)
class Scored:
    """Cases with what was predicted of them and what came, sorted once so that resamples are measured quickly.

    Attributes:
        outcome: 0 or 1, by falling chance; shape (n,).
        chance: predicted, falling; shape (n,).
        tie: number of the group of equal chances each case belongs to, from 0; shape (n,).
        order: where each case stood in what was given; shape (n,).
    """

    outcome: Floats
    chance: Floats
    tie: NDArray[np.intp]
    order: NDArray[np.intp]

    @classmethod
    def of(cls, outcome: ArrayLike, chance: ArrayLike) -> Scored:
        """Sort cases by their chance.

        Raises:
            ValueError: if the two are not of one length.
        """
        came, predicted = np.asarray(outcome, float), np.asarray(chance, float)
        if came.shape != predicted.shape:
            raise ValueError(f"{len(came)} outcomes and {len(predicted)} chances")
        order = np.argsort(-predicted, kind="stable")
        falling = predicted[order]
        starts = np.r_[True, falling[1:] != falling[:-1]] if len(falling) else np.zeros(0, bool)
        return cls(came[order], falling, np.cumsum(starts) - 1, order)

    def weights(self, weight: ArrayLike | None) -> Floats:
        """Return weights, given in the order of the cases, in the order of chances; 1 each by default."""
        return np.ones(len(self.outcome)) if weight is None else np.asarray(weight, float)[self.order]

    def auc(self, weight: ArrayLike | None = None) -> float:
        """Return the chance that a case that came was ranked above one that did not, ties counting half.

        This is the Mann–Whitney statistic (Hanley & McNeil 1982, Radiology 143:29), NaN where one kind is missing.
        """
        w = self.weights(weight)
        groups = int(self.tie[-1]) + 1 if len(self.tie) else 0
        came = np.bincount(self.tie, w * self.outcome, groups)
        not_come = np.bincount(self.tie, w * (1 - self.outcome), groups)
        if came.sum() <= 0 or not_come.sum() <= 0:
            return float("nan")
        below = not_come.sum() - np.cumsum(not_come)
        return float((came * (below + not_come / 2)).sum() / (came.sum() * not_come.sum()))

    def lift(self, share: float = 0.1, weight: ArrayLike | None = None) -> float:
        """Return how many times more often cases came in the best-ranked `share` than in all; NaN if none came.

        A case on the edge counts with the part of it that is needed, and cases of one chance count alike.
        """
        w = self.weights(weight)
        if not len(w) or (w * self.outcome).sum() <= 0:
            return float("nan")
        groups = int(self.tie[-1]) + 1
        size, came = np.bincount(self.tie, w, groups), np.bincount(self.tie, w * self.outcome, groups)
        wanted = share * size.sum()
        before = np.cumsum(size) - size
        part = np.clip((wanted - before) / np.where(size > 0, size, 1), 0, 1)
        return float((part * came).sum() / wanted / (came.sum() / size.sum()))

    def brier(self, weight: ArrayLike | None = None) -> float:
        """Return the mean squared difference of chance and outcome (Brier 1950); NaN without cases."""
        w = self.weights(weight)
        return float((w * (self.chance - self.outcome) ** 2).sum() / w.sum()) if w.sum() > 0 else float("nan")

    def log_loss(self, weight: ArrayLike | None = None) -> float:
        """Return the mean of −log of the chance given to what came (Good 1952), in nats; NaN without cases."""
        w, p = self.weights(weight), _as_chance(self.chance)
        loss = -np.where(self.outcome > 0, np.log(p), np.log1p(-p))
        return float((w * loss).sum() / w.sum()) if w.sum() > 0 else float("nan")


@dataclass(frozen=True)
class Line:
    """How log-odds that were predicted become log-odds that come true: intercept + slope × predicted (Cox 1958).

    Attributes:
        intercept, slope: 0 and 1 where the chances are right as they are.
    """

    intercept: float
    slope: float

    def __call__(self, log_odds: ArrayLike) -> Floats:
        """Return corrected log-odds."""
        return self.intercept + self.slope * np.asarray(log_odds, float)


def calibration_line(outcome: ArrayLike, log_odds: ArrayLike) -> Line:
    """Fit the line of Cox (1958, Biometrika 45:562), which is also Platt's (1999) way to correct scores.

    Args:
        outcome: 0 or 1; shape (n,).
        log_odds: predicted; shape (n,).

    Raises:
        ValueError: if all outcomes are the same: then there is no line.
    """
    y, x = np.asarray(outcome, float), np.asarray(log_odds, float)
    if not len(y) or y.min() == y.max():
        raise ValueError("all outcomes are the same")
    if np.ptp(x) == 0:
        return Line(float(special.logit(y.mean())), 0.0)
    centre, width = x.mean(), x.std()
    design = np.column_stack([np.ones(len(x)), (x - centre) / width])
    beta = np.array([special.logit(y.mean()), 0.0])
    for _ in range(_MOST_STEPS):
        p = special.expit(design @ beta)
        # A trace of ridge: cases that can be told apart completely have no largest likelihood.
        information = design.T @ (design * (p * (1 - p))[:, None]) + 1e-6 * np.eye(2)
        step = np.linalg.solve(information, design.T @ (y - p) - 1e-6 * beta)
        # Half a step of Newton's may be as far as it may go.
        step *= min(1.0, 4 / max(float(np.abs(step).max()), 1e-12))
        beta = beta + step
        if np.abs(step).max() < _TOLERANCE:
            break
    slope = float(beta[1] / width)
    return Line(float(beta[0] - slope * centre), slope)


def reliability(
    outcome: ArrayLike, chance: ArrayLike, groups: int = 10, clusters: ArrayLike | None = None
) -> pd.DataFrame:
    """Return how often cases came, by groups of cases of like chance.

    Args:
        outcome: 0 or 1; shape (n,).
        chance: predicted; shape (n,).
        groups: of about equal sums of chances, since equal numbers would make most groups of those without any; cases
            of one chance stay together, so there may be fewer.
        clusters: whose case each is, if there are several of one; shape (n,).

    Returns:
        expected (mean chance), observed, low, high (95 % Wilson interval of what came), cases; from low to high chance.
        With clusters, cases count in the interval for as many as they are worth: divided by the design effect (Kish
        1965; Korn & Graubard 1998, Survey Methodology 24:193).
    """
    y, p = np.asarray(outcome, float), np.asarray(chance, float)
    if not len(p):
        return pd.DataFrame(columns=["expected", "observed", "low", "high", "cases"])
    rising = np.sort(p)
    promised = np.cumsum(rising)
    at = np.searchsorted(promised, promised[-1] * np.arange(1, groups) / groups)
    edges = np.unique(rising[at])
    group = np.searchsorted(edges, p, side="left")
    cases = pd.DataFrame({"group": group, "chance": p, "outcome": y})
    frame = cases.groupby("group")
    table = pd.DataFrame(
        {
            "expected": frame["chance"].mean(),
            "observed": frame["outcome"].mean(),
            "cases": frame.size(),
            "came": frame["outcome"].sum(),
        }
    )
    effect = 1.0 if clusters is None else _design_effect(cases.assign(cluster=np.asarray(clusters)))
    table["low"], table["high"] = wilson(table["came"] / effect, table["cases"] / effect)
    table = table.reset_index(drop=True)
    return table[["expected", "observed", "low", "high", "cases"]]


def _design_effect(cases: pd.DataFrame) -> pd.Series:
    """Return by group how many times as uncertain a share is as if cases of one cluster had nothing in common; >= 1."""
    share = cases.groupby("group")["outcome"].transform("mean")
    off = cases.assign(off=cases["outcome"] - share).groupby(["group", "cluster"])["off"].sum()
    between = (off**2).groupby("group").sum()
    within = (share * (1 - share)).groupby(cases["group"]).sum()
    return (between / within.where(within > 0)).fillna(1.0).clip(lower=1.0)


def resampled(
    measure: Callable[[Floats], Sequence[float]], clusters: ArrayLike, draws: int = 400, seed: int = 0
) -> Floats:
    """Return a measure on resamples of whole clusters, for cases of which several are of one person.

    Args:
        measure: given a weight for each case, in the order of `clusters`; returns one or more numbers.
        clusters: whose case each is; shape (n,).
        draws: number of resamples.
        seed: of the random numbers.

    Returns:
        Shape (draws, numbers), to take quantiles of: the percentile bootstrap (Efron 1979) of clusters (Field & Welsh
        2007, JRSS B 69:369).
    """
    _, member = np.unique(np.asarray(clusters), return_inverse=True)
    number = int(member.max()) + 1 if len(member) else 0
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(draws):
        times = np.bincount(random.integers(0, number, number), minlength=number)
        rows.append([*measure(times[member].astype(float))])
    return np.asarray(rows, float)


def interval(draws: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the middle part of resampled numbers; NaN where more than a tenth of them could not be measured."""
    known = draws[np.isfinite(draws)]
    if len(known) < 0.9 * len(draws) or not len(known):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)
