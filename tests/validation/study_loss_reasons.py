"""Loss reasons: planted over-representations are found, and nothing where reasons are spread alike."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.mining.models.loss_reasons import FALSE_ALARMS, PROJECT, SOURCE, STAGES, compare, standing_out
from tests.validation.result import Result

_LOSSES = 6_000
_REASONS = np.array([0.26, 0.2, 0.16, 0.12, 0.1, 0.08, 0.05, 0.03])
# What is so many times likelier where: a reason among the losses of a source or of an estate.
_PLANTED = ((SOURCE, "s3", "r4", 2.0), (SOURCE, "s7", "r5", 2.2), (PROJECT, "p2", "r3", 1.8))
_METHOD = "Loss reasons"


def simulated(seed: int, *, is_planted: bool) -> pd.DataFrame:
    """Return losses of eight estates that differ in their sources and stages."""
    random = np.random.default_rng([seed, int(is_planted)])
    project = random.integers(0, 8, _LOSSES)
    mix = random.dirichlet(np.full(12, 12.0), 8)
    source = np.array([random.choice(12, p=mix[p]) for p in project])
    frame = pd.DataFrame(
        {
            "project": [f"p{k}" for k in project],
            "source": [f"s{k}" for k in source],
            "stage": random.choice(STAGES, _LOSSES, p=[0.55, 0.33, 0.04, 0.06, 0.02]),
            "quarter": [f"2025-Q{k}" for k in random.integers(1, 9, _LOSSES)],
        }
    )
    # Estates have reasons of their own as well, which must not be taken for those of their sources.
    weight = _REASONS * np.exp(random.normal(0, 0.0 if not is_planted else 0.05, (8, len(_REASONS))))[project]
    if is_planted:
        for about, group, reason, times in _PLANTED:
            column = "source" if about == SOURCE else "project"
            weight[np.ix_(frame[column] == group, [int(reason[1:])])] *= times
    chance = np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1)
    frame["reason"] = [f"r{k}" for k in (random.random((_LOSSES, 1)) > chance).sum(axis=1)]
    return frame


def study(seeds: int) -> list[Result]:
    """Count alarms where nothing is, and what is found of what is planted."""
    alarms, found, others = 0, np.zeros(len(_PLANTED)), []
    ratios = []
    planted = {cell[:3] for cell in _PLANTED}
    for seed in range(seeds):
        alarms += len(standing_out(compare(simulated(seed, is_planted=False)))) > 0
        cells = standing_out(compare(simulated(seed, is_planted=True)))
        keys = list(zip(cells["about"], cells["group"], cells["kind"], strict=True))
        found += [cell[:3] in keys for cell in _PLANTED]
        others.append(sum(key not in planted for key in keys) / max(len(keys), 1))
        ratios += cells.loc[[key == _PLANTED[0][:3] for key in keys], "times"].tolist()
    bound = FALSE_ALARMS + 3 * float(np.sqrt(FALSE_ALARMS * (1 - FALSE_ALARMS) / seeds))
    # As far as so few seeds can tell.
    power_slack = 3 * float(np.sqrt(0.8 * 0.2 / (len(_PLANTED) * seeds)))
    return [
        Result(
            _METHOD, "Companies in which anything stands out where reasons are spread alike",
            f"at most {FALSE_ALARMS:.0%}", f"{alarms / seeds:.1%} of {seeds}", alarms / seeds <= bound,
        ),
        Result(
            _METHOD, "Planted over-representations (odds × 1.8 to 2.2, some 500 losses) that are found", "at least 80%",
            f"{found.mean() / seeds:.1%}", bool(found.mean() / seeds >= 0.8 - power_slack),
        ),
        Result(
            _METHOD, "Not planted, among what is listed (false alarms)", f"at most {FALSE_ALARMS:.0%}",
            f"{np.mean(others):.1%}", bool(np.mean(others) <= bound),
        ),
        Result(
            _METHOD, "Shrunken ratio of a cell planted at twice the odds (1.7 times the share)", "1.5 to 2.0",
            f"{np.mean(ratios):.2f}" if ratios else "–", bool(ratios) and 1.5 <= float(np.mean(ratios)) <= 2.0,
        ),
    ]  # fmt: skip
