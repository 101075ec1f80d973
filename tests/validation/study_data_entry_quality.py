"""Do the questions about habits of entry come up when there is something to ask, and hardly otherwise?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from loupan.statistics.entry import compared, discoveries, heaping, shift
from tests.validation.result import Result, coverage

PEOPLE, STRATA, PATTERNS = 30, 6, 4
METHOD = "Quality of entry"


def _counts(rng: np.random.Generator, *, spread: float = 0.0, odd: float = 1.0) -> pd.DataFrame:
    """Make the marked records of people in strata whose shares differ.

    Args:
        rng: chance.
        spread: standard deviation (of log-odds) by which people differ from each other.
        odd: by how many times the odds of the first person are higher than those of the others.
    """
    level = rng.normal(-3, 0.8, STRATA)
    own = rng.poisson(rng.gamma(1.2, 40, PEOPLE)[:, None] * rng.dirichlet(np.ones(STRATA), PEOPLE))
    own[0] += 40
    person = rng.normal(0, spread, PEOPLE)
    person[0] += np.log(odd)
    marked = rng.binomial(own, 1 / (1 + np.exp(-(level + person[:, None]))))
    index = np.indices(own.shape)
    rows = pd.DataFrame(
        {
            "person": index[0].ravel(),
            "stratum": index[1].ravel(),
            "own": own.ravel(),
            "marked": marked.ravel(),
        }
    )
    return rows[rows["own"] > 0]


def _asked(rng: np.random.Generator, *, spread: float = 0.0, odd: float = 1.0) -> pd.DataFrame:
    """Compare people by several patterns, the first of which may have an odd person; return the discoveries."""
    tests = pd.concat(
        [
            compared(_counts(rng, spread=spread, odd=odd if pattern == 0 else 1.0)).assign(pattern=pattern)
            for pattern in range(PATTERNS)
        ],
        ignore_index=True,
    )
    return tests[discoveries(tests["p_value"])]


def study(seeds: int) -> list[Result]:
    """Return what the seeds say of false alarms and of power."""
    slack = 3 * (0.05 * 0.95 / seeds) ** 0.5
    alike = sum(len(_asked(np.random.default_rng([seed, 1]))) > 0 for seed in range(seeds))
    differing = [len(_asked(np.random.default_rng([seed, 2]), spread=0.5)) for seed in range(seeds)]
    comparisons = PEOPLE * PATTERNS
    found, false, all_found = 0, 0, 0
    for seed in range(seeds):
        asked = _asked(np.random.default_rng([seed, 3]), odd=6.0)
        is_odd = (asked["person"] == 0) & (asked["pattern"] == 0)
        found += bool(is_odd.any())
        false += int((~is_odd).sum())
        all_found += len(asked)
    heaped = plain = 0
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 4])
        minutes = rng.integers(0, 60, 300)
        plain += heaping(minutes, 60, (0, 30)).p_value < 0.05
        rounded = np.where(rng.random(300) < 0.06, 30 * np.round(minutes / 30), minutes)
        heaped += heaping(rounded, 60, (0, 30)).p_value < 0.05
    worse, still, inside = 0, 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 5])
        expected = rng.poisson(150, 15)
        share = 1 / (1 + np.exp(-rng.normal(1.5, 0.25, 15)))
        still += shift(rng.binomial(expected, share), expected, 3).p_value < 0.05
        fallen = np.where(np.arange(15) >= 12, share - 0.12, share)
        seen = shift(rng.binomial(expected, fallen), expected, 3)
        worse += seen.p_value < 0.05
        truth = float(np.mean(1 / (1 + np.exp(-np.random.default_rng(0).normal(1.5, 0.25, 20_000)))))
        inside += seen.low <= (truth - 0.12) - truth <= seen.high
    return [
        Result(
            METHOD, "everybody alike: a question about anybody, over 120 comparisons (familywise)", "in 5% at most",
            f"{alike / seeds:.1%} of {seeds}", alike / seeds <= 0.05 + slack,
        ),
        Result(
            METHOD, "people differ by chance of nature (log-odds ± 0.5): questions asked", "hardly any of 120",
            f"{np.mean(differing):.2f} of {comparisons} on average", float(np.mean(differing)) <= 1.2,
        ),
        Result(
            METHOD, "one person with six times the odds among thirty: is that person asked about?", "at least 80%",
            f"{found / seeds:.0%} of {seeds}", found / seeds >= 0.8,
        ),
        Result(
            METHOD, "share of false ones among all questions then", "5% at most",
            f"{false / max(1, all_found):.1%} of {all_found}", false / max(1, all_found) <= 0.05 + slack,
        ),
        Result(
            METHOD, "times at random: taken for rounded", "5% at most (discrete)",
            f"{plain / seeds:.1%} of {seeds}", plain / seeds <= 0.05 + slack,
        ),
        Result(
            METHOD, "6% of 300 times rounded to the half hour: noticed", "at least 80%",
            f"{heaped / seeds:.0%} of {seeds}", heaped / seeds >= 0.8,
        ),
        Result(
            METHOD, "a field filled as before, months that differ by themselves: called changed", "5%, up to 10%",
            f"{still / seeds:.1%} of {seeds}", still / seeds <= 0.10 + slack,
        ),
        Result(
            METHOD, "a field filled 12 points less in the last three months: noticed", "at least 80%",
            f"{worse / seeds:.0%} of {seeds}", worse / seeds >= 0.8,
        ),
        coverage(METHOD, "interval of the change holds the planted one", inside, seeds, slack=0.05),
    ]  # fmt: skip
