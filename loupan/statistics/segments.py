"""Segments of cases described by categories, some of them not recorded: latent classes, and how stable they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from loupan.statistics.intervals import Floats

UNKNOWN = -1
# A pseudo-count for each category, in cases: a share is never 0 or 1, and a class never dies of one case.
_PRIOR = 0.5
_TOLERANCE = 1e-5
_AT_ONCE = 50_000


@dataclass(frozen=True)
class Classes:
    """A mixture of classes, in each of which the items are independent.

    Attributes:
        share: of each class.
        chances: classes × categories of all items, side by side: how often each is chosen in each class.
        sizes: number of categories of each item.
        fit: log-likelihood of the cases it was fitted to.
        cases: how many those were.
    """

    share: Floats
    chances: Floats
    sizes: tuple[int, ...]
    fit: float
    cases: int

    @property
    def bic(self) -> float:
        """Schwarz's criterion; the lower, the better (Schwarz 1978, Annals of Statistics 6:461)."""
        classes = len(self.share)
        parameters = classes - 1 + classes * sum(size - 1 for size in self.sizes)
        return float(-2 * self.fit + parameters * np.log(self.cases))

    def memberships(self, codes: ArrayLike) -> Floats:
        """Return how likely each case is of each class, cases × classes; by the shares where nothing is known of it."""
        joint = _joint(self, _indicators(np.asarray(codes), self.sizes))
        return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))

    def assigned(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return the likeliest class of each case."""
        values = np.asarray(codes)
        # A part at a time: with a column for each category, millions of cases take gigabytes.
        parts = [
            _joint(self, _indicators(values[first : first + _AT_ONCE], self.sizes)).argmax(axis=1)
            for first in range(0, len(values), _AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _indicators(codes: NDArray[np.int64], sizes: Sequence[int]) -> Floats:
    """Return cases × categories: 1 for the one chosen; 0 throughout an item that is not recorded."""
    return np.hstack([(codes[:, [item]] == np.arange(size)).astype(float) for item, size in enumerate(sizes)])


def _joint(classes: Classes, chosen: Floats) -> Floats:
    return np.asarray(chosen @ np.log(classes.chances).T + np.log(classes.share))


def fit_classes(
    codes: ArrayLike, sizes: Sequence[int], classes: int, rng: np.random.Generator, starts: int = 4, rounds: int = 200
) -> Classes:
    """Fit latent classes by expectation maximisation, from several random starts; the best is returned.

    Goodman 1974 (Biometrika 61:215), items not recorded left out of a case's likelihood (missing at random; Little and
    Rubin 2002, section 8.4).

    Args:
        codes: cases × items, the number of the category from 0 on, `UNKNOWN` where it is not recorded.
        sizes: number of categories of each item.
        classes: how many.
        rng: for the starts.
        starts, rounds: of the iteration.

    Raises:
        ValueError: if there is no case.
    """
    values = np.asarray(codes, dtype=np.int64)
    if len(values) == 0:
        raise ValueError("no case to be segmented")
    chosen = _indicators(values, sizes)
    # Short runs first: only the most promising start is followed to its end (Biernacki et al. 2003).
    best = max((_climbed(chosen, sizes, _start(chosen, classes, rng), 15) for _ in range(starts)), key=lambda c: c.fit)
    return _climbed(chosen, sizes, best.memberships(values), rounds)


def _start(chosen: Floats, classes: int, rng: np.random.Generator) -> Floats:
    return rng.dirichlet(np.full(classes, 0.5), len(chosen)) if classes > 1 else np.ones((len(chosen), 1))


def _climbed(chosen: Floats, sizes: Sequence[int], membership: Floats, rounds: int) -> Classes:
    """Iterate from memberships until the likelihood hardly rises."""
    before = -np.inf
    edges = np.concatenate([[0], np.cumsum(sizes)])
    # Under no class at all, a category is as frequent as among all: towards that the shares are pulled.
    frequency = chosen.sum(axis=0) + 1e-12
    frequency /= np.repeat(np.add.reduceat(frequency, edges[:-1]), sizes)
    for _ in range(rounds):
        weight = membership.sum(axis=0)
        counts = membership.T @ chosen + _PRIOR * np.repeat(sizes, sizes) * frequency
        chances = counts / np.repeat(np.add.reduceat(counts, edges[:-1], axis=1), sizes, axis=1)
        share = (weight + _PRIOR) / (weight + _PRIOR).sum()
        found = Classes(share, np.maximum(chances, 1e-12), tuple(sizes), 0.0, len(chosen))
        joint = _joint(found, chosen)
        total = logsumexp(joint, axis=1)
        fit = float(total.sum())
        if fit - before < _TOLERANCE * abs(fit) / 10 and np.isfinite(before):
            break
        before = fit
        membership = np.exp(joint - total[:, None])
    return Classes(found.share, found.chances, found.sizes, fit, len(chosen))


def jaccard(one: ArrayLike, other: ArrayLike, classes: int) -> Floats:
    """Return, of each class of the first division, its likeness to the likest of the second: shared ÷ in either.

    Args:
        one, other: class of each case, from 0 on, in two divisions of the same cases.
        classes: of both.
    """
    both = np.zeros((classes, classes))
    np.add.at(both, (np.asarray(one), np.asarray(other)), 1)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    with np.errstate(divide="ignore", invalid="ignore"):
        likeness = np.where(either > 0, both / either, 0.0)
    return np.asarray(likeness.max(axis=1))


def stability(
    codes: ArrayLike, sizes: Sequence[int], whole: Classes, rng: np.random.Generator, draws: int = 20, starts: int = 4
) -> Floats:
    """Return how well each class comes back when the cases are drawn anew, 0 to 1.

    Mean Jaccard likeness to the likest class of bootstrap samples (Hennig 2007, Computational Statistics & Data
    Analysis 52:258); each sample's classes are compared on the cases drawn into it, each counted once.

    Args:
        codes, sizes: as for `fit_classes`.
        whole: fitted to all of them.
        rng: for the draws.
        draws: of bootstrap samples.
        starts: of each fit.
    """
    values = np.asarray(codes, dtype=np.int64)
    classes, own = len(whole.share), whole.assigned(values)
    likeness = np.zeros((draws, classes))
    for draw in range(draws):
        drawn = rng.integers(0, len(values), len(values))
        again = fit_classes(values[drawn], sizes, classes, rng, starts, rounds=60)
        there = np.unique(drawn)
        likeness[draw] = jaccard(own[there], again.assigned(values[there]), classes)
    return np.asarray(likeness.mean(axis=0))


@dataclass(frozen=True)
class Candidate:
    """A number of classes that was tried.

    Attributes:
        classes: fitted to all cases.
        gain: by how much Schwarz's criterion is lower than with one class only; negative where it is higher.
        stability: of each class; empty where there is no gain, as nothing is then to be divided.
    """

    classes: Classes
    gain: float
    stability: Floats


STABLE = 0.75
"""Hennig's bound: below it a class is a pattern at most, not a group to be acted on."""


def candidates(
    codes: ArrayLike, sizes: Sequence[int], most: int, rng: np.random.Generator, draws: int = 20
) -> list[Candidate]:
    """Try two classes to so many; how many are taken is left to `chosen`."""
    values = np.asarray(codes, dtype=np.int64)
    alone = fit_classes(values, sizes, 1, rng, starts=1).bic
    tried = []
    for number in range(2, most + 1):
        classes = fit_classes(values, sizes, number, rng, starts=6)
        gain = alone - classes.bic
        stable = stability(values, sizes, classes, rng, draws) if gain > 0 else np.array([])
        tried.append(Candidate(classes, gain, stable))
    return tried


def chosen(tried: Sequence[Candidate]) -> Candidate | None:
    """Return, of those whose classes are all stable, the one that describes the cases best; None if there is none."""
    stable = [candidate for candidate in tried if len(candidate.stability) and candidate.stability.min() >= STABLE]
    return max(stable, key=lambda candidate: candidate.gain, default=None)
