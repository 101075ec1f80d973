"""Customer segments: planted classes come back, and noise is not divided."""

from __future__ import annotations

import numpy as np

from loupan.statistics.segments import UNKNOWN, Candidate, candidates, chosen
from tests.validation.result import Result

_METHOD = "Customer segments"
_SIZES = (8, 4, 4, 3, 4, 4, 3, 2)
_CASES, _MOST, _DRAWS = 500, 4, 6


def _customers(rng: np.random.Generator, classes: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw customers of classes, each with answers of its own; a third of the answers is not recorded."""
    truth = rng.integers(0, classes, _CASES)
    codes = np.empty((_CASES, len(_SIZES)), dtype=np.int64)
    for item, size in enumerate(_SIZES):
        frequency = rng.dirichlet(np.full(size, 5.0))
        typical = rng.permutation(size)[np.arange(classes) % size]
        is_typical = rng.random(_CASES) < sharpness
        codes[:, item] = np.where(is_typical, typical[truth], rng.choice(size, _CASES, p=frequency))
    codes[rng.random(codes.shape) < 0.33] = UNKNOWN
    return codes, truth


def _taken(codes: np.ndarray, seed: int) -> Candidate | None:
    return chosen(candidates(codes, _SIZES, _MOST, np.random.default_rng(seed), _DRAWS))


def study(seeds: int) -> list[Result]:
    """Segment customers with three planted classes, and customers without any."""
    from sklearn.metrics import adjusted_rand_score

    agreement, numbers, quiet = [], [], 0
    for seed in range(seeds):
        codes, truth = _customers(np.random.default_rng(seed), 3, 0.7)
        taken = _taken(codes, seed)
        numbers.append(0 if taken is None else len(taken.classes.share))
        if taken is not None:
            agreement.append(adjusted_rand_score(truth, taken.classes.assigned(codes)))
        noise, _ = _customers(np.random.default_rng(10_000 + seed), 1, 0.0)
        quiet += _taken(noise, seed) is None
    right = float(np.mean(np.array(numbers) == 3))
    return [
        Result(
            _METHOD,
            "Of customers in three planted classes, a third of the answers missing: how often three are found",
            "at least 90 %",
            f"{right:.1%}; none in {np.mean(np.array(numbers) == 0):.1%}",
            right >= 0.9,
        ),
        Result(
            _METHOD,
            "How well the classes found agree with the planted ones (adjusted Rand index, median; 1 = wholly)",
            "at least 0.8",
            f"{np.median(agreement):.2f} (lowest 5 %: {np.quantile(agreement, 0.05):.2f})",
            bool(np.median(agreement) >= 0.8),
        ),
        Result(
            _METHOD,
            "Customers whose answers are not connected: no segments are made of them",
            "at least 95 %",
            f"{quiet / seeds:.1%}",
            quiet / seeds >= 0.95,
        ),
    ]
