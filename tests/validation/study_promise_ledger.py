"""The ledger of promises: do the intervals hold what they promise for people with few promises each."""

from __future__ import annotations

import numpy as np

from loupan.statistics.foresight import compared, log_losses
from loupan.statistics.intervals import wilson
from loupan.statistics.shrinkage import beta_binomial
from tests.validation.result import Result, coverage

_METHOD = "Ledger of promises"
_PEOPLE = 45
# Of one company in so many it is asked how often real differences are seen: that is told, not demanded.
_SOME = 4


def study(seeds: int) -> list[Result]:
    """Draw people who differ in how many promises they keep, and people who do not."""
    held = shrunken_held = trials = falsely = shown = 0
    squares = np.zeros(2)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        # As in the sample company: from one promise to two dozen a person, three in four kept.
        settled = np.minimum(rng.geometric(0.12, _PEOPLE), 40)
        truth = rng.beta(12, 4, _PEOPLE)
        kept = rng.binomial(settled, truth)
        low, high = wilson(kept, settled)
        found = beta_binomial(kept, settled)
        held += int(((low <= truth) & (truth <= high)).sum())
        shrunken_held += int(((found.low <= truth) & (truth <= found.high)).sum())
        trials += _PEOPLE
        squares += ((kept / settled - truth) ** 2).sum(), ((found.rate - truth) ** 2).sum()
        if seed % _SOME == 0:
            shown += _says_people_differ(rng, truth, settled)
        falsely += _says_people_differ(rng, np.full(_PEOPLE, 0.76), settled)
    errors = np.sqrt(squares / trials)
    return [
        coverage(_METHOD, "Wilson interval of a person's rate", held, trials, groups=seeds, slack=0.02),
        coverage(_METHOD, "Shrunken interval of a person's rate", shrunken_held, trials, groups=seeds, slack=0.02),
        Result(
            _METHOD,
            "Error of a person's rate, shrunken against its own",
            "smaller",
            f"{errors[1]:.3f} against {errors[0]:.3f}",
            bool(errors[1] < errors[0]),
        ),
        Result(
            _METHOD,
            "People who do not differ: the verdict says that who promised tells something",
            "at most 2.5 %",
            f"{falsely / seeds:.1%} (where people do differ: {shown / len(range(0, seeds, _SOME)):.0%})",
            falsely / seeds <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / seeds),
        ),
    ]


def _says_people_differ(rng: np.random.Generator, truth: np.ndarray, settled: np.ndarray) -> bool:
    """Learn rates of one half of the promises and foresee the other, as the model does."""
    earlier = (settled + 1) // 2
    kept = rng.binomial(earlier, truth)
    person = np.repeat(np.arange(len(truth)), settled - earlier)
    outcome = rng.random(len(person)) < truth[person]
    rates = beta_binomial(kept, earlier).rate
    return compared(log_losses(rates[person], outcome), log_losses(kept.sum() / earlier.sum(), outcome)).is_better
