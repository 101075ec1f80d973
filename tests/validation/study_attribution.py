"""Attribution on planted journeys: are the intervals wide enough, is nothing lost, and is the better channel found?"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from scipy import stats

from loupan.statistics.bootstrap import GROUPS, percentile_interval, resampled_sums
from loupan.statistics.removal import Journeys, counted, spread, widened
from tests.reference.attribution import divided, removal_effects, shapley_values
from tests.reference.marketing import decayed_weights, position_weights
from tests.validation.result import Result, coverage

CHANNELS = 6
CUSTOMERS = 2000
_REACH = np.array([0.30, 0.25, 0.15, 0.12, 0.10, 0.08])
_INTERCEPT = -2.6
MODELS = ("first", "last", "linear", "position", "time_decay", "markov", "shapley")


def journeys(seed: int, effects: np.ndarray) -> tuple[list[list[int]], list[list[float]], np.ndarray]:
    """Return the channels each customer met, how many days before the end, and whether they signed."""
    random = np.random.default_rng(seed)
    counts = 1 + random.poisson(1.2, CUSTOMERS)
    met = random.choice(CHANNELS, counts.sum(), p=_REACH)
    days = random.uniform(0, 60, counts.sum())
    ends = np.cumsum(counts)
    paths = [met[end - count : end].tolist() for end, count in zip(ends, counts, strict=True)]
    ages = [sorted(days[end - count : end].tolist(), reverse=True) for end, count in zip(ends, counts, strict=True)]
    chance = 1 / (1 + np.exp(-np.array([_INTERCEPT + sum(effects[c] for c in set(path)) for path in paths])))
    return paths, ages, random.random(CUSTOMERS) < chance


def credits(paths: list[list[int]], ages: list[list[float]], signs: np.ndarray) -> dict[str, np.ndarray]:
    """Return contracts credited to each channel by group of customers: model → groups × channels."""
    sold = [path for path, sign in zip(paths, signs, strict=True) if sign]
    removals = removal_effects(sold, [path for path, sign in zip(paths, signs, strict=True) if not sign])
    sums = {model: np.zeros((GROUPS, CHANNELS)) for model in MODELS}
    for customer in np.flatnonzero(signs):
        path = paths[customer]
        n = len(path)
        shares = {
            "first": [1.0, *[0.0] * (n - 1)],
            "last": [*[0.0] * (n - 1), 1.0],
            "linear": [1 / n] * n,
            "position": position_weights(n),
            "time_decay": decayed_weights(ages[customer]),
            "markov": divided(path, removals),
            "shapley": divided(path, shapley_values(path)),
        }
        for model, weights in shares.items():
            np.add.at(sums[model][customer % GROUPS], path, weights)
    return sums


def as_journeys(paths: list[list[int]], signs: np.ndarray) -> Journeys:
    """Return the journeys as the Markov chain takes them."""
    lengths = [len(path) for path in paths]
    return Journeys(
        path=np.repeat(np.arange(len(paths)), lengths),
        channel=np.concatenate(paths),
        is_sold=signs,
        group=np.arange(len(paths)) % GROUPS,
        channels=CHANNELS,
    )


def study(seeds: int) -> list[Result]:
    """Plant the effects of six channels, in each seed others, and look at every model's credits."""
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    ranks: dict[str, list[float]] = defaultdict(list)
    worst = 0.0
    effects = np.array([0.9, 0.0, 0.6, 0.3, 1.2, -0.3])
    for seed in range(seeds):
        paths, ages, signs = journeys(seed, effects)
        reached = np.bincount([channel for path in paths for channel in set(path)], minlength=CHANNELS)
        for model, sums in credits(paths, ages, signs).items():
            worst = max(worst, abs(sums.sum() - signs.sum()))
            low, high = percentile_interval(resampled_sums(sums))
            if model == "markov":
                error = spread(counted(as_journeys(paths, signs))).weight_error
                low, high = widened(sums.sum(axis=0), low, high, error)
            found[model].append(np.stack([sums.sum(axis=0), low, high]))
            ranks[model].append(float(stats.spearmanr(sums.sum(axis=0) / reached, effects).statistic))
    lines = [
        Result(
            "Attribution", "Every model gives out exactly the contracts there are", "0",
            f"off by {worst:.1e} contracts at most", worst < 1e-6,
        )
    ]  # fmt: skip
    for model in MODELS:
        values = np.stack(found[model])
        # What the model would credit on average: its own expectation, which is what its interval is to hold.
        expected = values[:, 0].mean(axis=0)
        hits = int(((values[:, 1] <= expected) & (expected <= values[:, 2])).sum())
        lines.append(
            coverage(
                "Attribution, bootstrap by groups of customers",
                f"Does the interval hold what the model `{model}` credits a channel with on average?",
                hits, values[:, 0].size, slack=0.01, groups=seeds,
            )
        )  # fmt: skip
    worst_model = min(MODELS, key=lambda model: np.mean(ranks[model]))
    best = max(MODELS, key=lambda model: np.mean(ranks[model]))
    lines.append(
        Result(
            "Attribution",
            "Do credited contracts per person reached put channels in the order of their planted effects?",
            "rank correlation above 0.5 under every model",
            f"{np.mean(ranks[best]):.2f} (`{best}`) to {np.mean(ranks[worst_model]):.2f} (`{worst_model}`) on average",
            float(np.mean(ranks[worst_model])) > 0.5,
        )
    )
    return lines
