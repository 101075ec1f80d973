"""Attribution by the Markov chain and by the Shapley value, each straight from its definition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise
from math import factorial

import numpy as np

Path = Sequence[int]
"""The channels met, in order."""
_START, _CONTRACT, _NOTHING = "start", "contract", "nothing"


def contract_chance(steps: Counter[tuple[object, object]], without: int | None = None) -> float:
    """Return the chance to get from the start to a contract; who comes to the channel left out gets nowhere."""
    places = sorted({place for step in steps for place in step} - {_CONTRACT, _NOTHING, without}, key=str)
    number = {place: i for i, place in enumerate(places)}
    totals: Counter[object] = Counter()
    for (place, _), count in steps.items():
        totals[place] += count
    onward, home = np.zeros((len(places), len(places))), np.zeros(len(places))
    for (place, following), count in steps.items():
        if place == without:
            continue
        if following == _CONTRACT:
            home[number[place]] = count / totals[place]
        elif following in number:
            onward[number[place], number[following]] = count / totals[place]
    return float(np.linalg.solve(np.eye(len(places)) - onward, home)[number[_START]])


def removal_effects(sold: Sequence[Path], unsold: Sequence[Path]) -> dict[int, float]:
    """Return the removal effect of each channel: the part of the chance of a contract that is lost without it."""
    steps: Counter[tuple[object, object]] = Counter()
    for paths, end in ((sold, _CONTRACT), (unsold, _NOTHING)):
        for path in paths:
            places: list[object] = [_START, *path, end]
            steps.update(pairwise(places))
    channels = {channel for path in (*sold, *unsold) for channel in path}
    whole = contract_chance(steps) if sold else 0.0
    return {channel: 1 - contract_chance(steps, channel) / whole if whole else 0.0 for channel in channels}


def shapley_values(path: Path) -> dict[int, float]:
    """Return each channel's Shapley value in the game one sold path plays: a coalition that holds the path's channels
    wins the contract.

    The value is additive over games, so the sum over paths is the value of the game in which a coalition is worth the
    contracts of the paths it covers (Zhao, Mahboobi & Bagheri 2018).
    """
    channels = sorted(set(path))
    n = len(channels)

    def worth(coalition: set[int]) -> float:
        return float(coalition >= set(channels))

    values = {}
    for channel in channels:
        others = [other for other in channels if other != channel]
        values[channel] = sum(
            factorial(size)
            * factorial(n - size - 1)
            / factorial(n)
            * (worth({*coalition, channel}) - worth(set(coalition)))
            for size in range(n)
            for coalition in combinations(others, size)
        )
    return values


def divided(path: Path, of_channel: dict[int, float]) -> list[float]:
    """Share a contract among the touches of its path: by channel, then evenly among a channel's touches."""
    raw = [of_channel[channel] / path.count(channel) for channel in path]
    return [weight / sum(raw) for weight in raw]
