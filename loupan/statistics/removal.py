"""The Markov chain of channels: removal effects, the credit they give, and how far chance moves both.

Anderl, Becker, von Wangenheim & Schumann (2016), Mapping the customer journey, International Journal of Research in
Marketing 33:457. The same numbers are computed by dbt (``int_channel_removal``); here they are computed again and again
without a part of the customers, which tells how sure they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from loupan.statistics.intervals import Floats

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Journeys:
    """Who met which channels, in which order, and whether a contract came of it.

    Attributes:
        path: number of the path of each touch; the touches of a path stand together, in order.
        channel: channel of each touch, from 0.
        is_sold: by path, whether it ended with a contract.
        group: by path, the group of customers it belongs to, from 0.
        channels: how many channels there are.
    """

    path: Integers
    channel: Integers
    is_sold: NDArray[np.bool_]
    group: Integers
    channels: int


def transitions(journeys: Journeys, groups: int) -> Floats:
    """Return how often each place followed each: groups × (channels, start) × (channels, contract, nothing)."""
    k = journeys.channels
    starts = np.concatenate([[True], journeys.path[1:] != journeys.path[:-1]])
    ends = np.concatenate([starts[1:], [True]])
    counts = np.zeros((groups, k + 1, k + 2))
    group = journeys.group[journeys.path]
    np.add.at(counts, (group[starts], k, journeys.channel[starts]), 1)
    onward = np.flatnonzero(~ends)
    np.add.at(counts, (group[onward], journeys.channel[onward], journeys.channel[onward + 1]), 1)
    outcome = np.where(journeys.is_sold[journeys.path[ends]], k, k + 1)
    np.add.at(counts, (group[ends], journeys.channel[ends], outcome), 1)
    return counts


def removal_effects(counts: Floats) -> Floats:
    """Return the removal effect of each channel.

    With N = (I − Q)⁻¹ the expected visits and h the chance of a contract from each place, the effect of channel j is
    the chance to come to j at all, N[start, j] / N[j, j], times h[j], by h[start]: what is lost if whoever comes to j
    is lost there.

    Args:
        counts: of transitions, (channels and start) × (channels, contract, nothing); the last row is the start.

    Returns:
        One number per channel, from 0 to 1; 0 where nothing was sold.
    """
    k = counts.shape[0] - 1
    totals = counts.sum(axis=1, keepdims=True)
    chances = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    onward = np.zeros((k + 1, k + 1))
    onward[:, :k] = chances[:, :k]
    visits = np.linalg.inv(np.eye(k + 1) - onward)
    contract = visits @ chances[:, k]
    if contract[k] <= 0:
        return np.zeros(k)
    return np.asarray(visits[k, :k] / np.diag(visits)[:k] * contract[:k] / contract[k])


def credits(journeys: Journeys, effects: Floats) -> Floats:
    """Return the contracts each path gives each channel: by its removal effect among the channels of the path.

    Args:
        journeys: the paths.
        effects: removal effect of each channel.

    Returns:
        paths × channels; zeros for a path without a contract.
    """
    return _shares(_met(journeys), effects) * journeys.is_sold[:, None]


def _met(journeys: Journeys) -> Floats:
    met = np.zeros((len(journeys.is_sold), journeys.channels))
    met[journeys.path, journeys.channel] = 1.0
    return met


def _shares(met: Floats, effects: Floats) -> Floats:
    """Return how much of a contract each channel is given of those that were met (sets × channels)."""
    weights = met * effects
    totals = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0)


@dataclass(frozen=True, eq=False)
class Counted:
    """Journeys, counted by fold: all that removal effects, credits and their errors rest on.

    Attributes:
        transitions: folds × (channels, start) × (channels, contract, nothing).
        met: sets × channels, 1 for the channels of each set that led to a contract.
        contracts: folds × sets, how many contracts came of people who had met these and no others.
    """

    transitions: Floats
    met: Floats
    contracts: Floats

    @property
    def paths(self) -> Floats:
        """Return how many paths there are in each fold: each begins once."""
        return np.asarray(self.transitions[:, -1].sum(axis=1))


def counted(journeys: Journeys, folds: int = 20) -> Counted:
    """Count journeys, groups of customers drawn together into so many folds."""
    fold = journeys.group % folds
    folded = Journeys(journeys.path, journeys.channel, journeys.is_sold, fold, journeys.channels)
    met, kind = np.unique(_met(journeys)[journeys.is_sold], axis=0, return_inverse=True)
    contracts = np.zeros((folds, len(met)))
    np.add.at(contracts, (fold[journeys.is_sold], kind), 1)
    return Counted(transitions(folded, folds), met, contracts)


@dataclass(frozen=True, eq=False)
class Spread:
    """How sure the credit of each channel is.

    Attributes:
        effects: removal effects.
        credit: contracts credited.
        effect_error: standard error of each removal effect.
        weight_error: standard error that the credit owes to the weights being estimates; 0 where they add none.
    """

    effects: Floats
    credit: Floats
    effect_error: Floats
    weight_error: Floats


def widened(value: Floats, low: Floats, high: Floats, error: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return an interval with an independent, normal error added to what it allows for already.

    Args:
        value, low, high: the value and its interval.
        error: standard error added.
        level: of the interval.
    """
    added = stats.norm.ppf((1 + level) / 2) * error
    return value - np.hypot(value - low, added), value + np.hypot(high - value, added)


def spread(journeys: Counted) -> Spread:
    """Return removal effects, credits, and what the effects' own uncertainty adds to that of the credits.

    By the jackknife over groups of customers (Efron & Stein 1981): once with the effects computed anew without each
    group, once with the effects of all; the difference of the two variances is what the effects add.
    """
    folds, channels = len(journeys.transitions), journeys.met.shape[1]
    total, contracts = journeys.transitions.sum(axis=0), journeys.contracts.sum(axis=0)
    paths = journeys.paths.sum()
    effects = removal_effects(total)
    given = _shares(journeys.met, effects)
    anew, as_they_are, effects_anew = (np.empty((folds, channels)) for _ in range(3))
    for left_out in range(folds):
        stays = contracts - journeys.contracts[left_out]
        scale = paths / max(paths - journeys.paths[left_out], 1.0)
        effects_anew[left_out] = removal_effects(total - journeys.transitions[left_out])
        anew[left_out] = scale * (stays @ _shares(journeys.met, effects_anew[left_out]))
        as_they_are[left_out] = scale * (stays @ given)

    def variance(values: Floats) -> Floats:
        return np.asarray((folds - 1) / folds * ((values - values.mean(axis=0)) ** 2).sum(axis=0))

    added = np.maximum(variance(anew) - variance(as_they_are), 0.0)
    return Spread(effects, contracts @ given, np.sqrt(variance(effects_anew)), np.sqrt(added))
