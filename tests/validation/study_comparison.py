"""Comparing staff: does taking out what they were handed find who is better, and nothing where nobody is?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit

from loupan.statistics.casemix import Adjusted, adjust, ratio_limits
from loupan.statistics.intervals import Floats
from loupan.statistics.shrinkage import beta_binomial
from loupan.statistics.simpson import reversals
from sample_data.company import Company
from tests.validation.company import handed_leads_of, make_company, planted_chance
from tests.validation.result import Result, coverage

INPUTS = ("source", "project", "customer_class")
METHOD = "Fair comparison of staff"
ALARM = "Simpson alarm"
SHRINKAGE = "Beta-binomial shrinkage"


def study(seeds: int) -> list[Result]:
    """Make companies of the sample's size, compare their staff by conversion, and once more with owners shuffled."""
    counts: Counter[str] = Counter()
    ranks, errors = [], []
    for seed in range(seeds):
        company = make_company(seed, 1)
        leads = handed_leads_of(company)
        cells = cells_of(leads)
        crude, adjusted = (adjust(cells, inputs, is_proportion=True) for inputs in ((), INPUTS))
        assert crude is not None
        assert adjusted is not None
        enough = adjusted.has_enough
        truth = _TrueStaff(leads, adjusted)
        within = (adjusted.ratio_low <= truth.ratio) & (truth.ratio <= adjusted.ratio_high)
        counts["ratios"] += int(enough.sum())
        counts["ratios held"] += int(within[enough].sum())
        ranks.append(
            [
                stats.spearmanr(rates[enough], truth.effect[enough]).statistic
                for rates in (crude.observed / crude.exposure, adjusted.rate)
            ]
        )
        shrunken = beta_binomial(adjusted.rate * adjusted.exposure, adjusted.exposure, adjusted.error)
        within = (shrunken.low <= truth.rate) & (truth.rate <= shrunken.high)
        counts["rates"] += len(within)
        counts["rates held"] += int(within.sum())
        errors.append([np.mean((rates - truth.rate) ** 2) for rates in (adjusted.rate, shrunken.rate)])
        counts.update(_alarms(company, cells, crude, adjusted, truth))
        counts.update(_of_nothing(leads, seed))
    return [*_of_ratios(counts, np.array(ranks), seeds), *_of_alarms(counts, seeds), *_of_rates(counts, errors, seeds)]


def cells_of(leads: pd.DataFrame) -> pd.DataFrame:
    """Return leads as cells: events and exposure of each employee by the inputs."""
    renamed = leads.rename(columns={"employee": "unit"})
    groups = renamed.groupby(["unit", *INPUTS], dropna=False)["eventually"]
    return groups.agg(observed="sum", exposure="size").reset_index()


class _TrueStaff:
    """What the planted chances make of each employee, in the order of the units compared."""

    def __init__(self, leads: pd.DataFrame, units: Adjusted) -> None:
        chance, log_odds = planted_chance(leads), leads["log_odds"].to_numpy()
        # The average employee is the one with whom as many leads as with all the employees there are would sign.
        level = brentq(lambda shift: expit(log_odds + shift).sum() - chance.sum(), -2, 2)
        sums = pd.DataFrame({"own": chance, "average": expit(log_odds + level)}).groupby(leads["employee"]).sum()
        sums = sums.loc[list(units.units)]
        self.ratio = (sums["own"] / sums["average"]).to_numpy()
        self.effect = leads.groupby("employee")["effect"].first().loc[list(units.units)].to_numpy()
        levels, number = np.unique(np.round(log_odds, 2), return_counts=True)
        self.rate: Floats = expit(levels[None, :] + self.effect[:, None]) @ number / number.sum()


def _alarms(
    company: Company, cells: pd.DataFrame, crude: Adjusted, adjusted: Adjusted, truth: _TrueStaff
) -> Iterator[str]:
    pair = company.world.truths.parameters["simpson_pair"]
    planted = (pair["better_but_ranked_lower"], pair["worse_but_ranked_higher"])
    for found in reversals(cells, crude, adjusted):
        if not found.is_reversed:
            continue
        if (adjusted.units[found.better], adjusted.units[found.worse]) == planted:
            yield "planted pairs found"
            if found.inputs[:1] == ("source",):
                yield "planted pairs explained"
        else:
            yield "other alarms"
        yield "alarms"
        if truth.effect[found.better] < truth.effect[found.worse]:
            yield "wrong alarms"


def _of_nothing(leads: pd.DataFrame, seed: int) -> Iterator[str]:
    """Hand the leads with their outcome to any owner: nobody is better, and the mix says nothing."""
    shuffled = leads.assign(employee=np.random.default_rng(seed).permutation(leads["employee"]))
    cells = cells_of(shuffled)
    crude, adjusted = (adjust(cells, inputs, is_proportion=True) for inputs in ((), INPUTS))
    assert crude is not None
    assert adjusted is not None
    if any(found.is_reversed for found in reversals(cells, crude, adjusted)):
        yield "companies of equals with an alarm"
    enough = adjusted.has_enough
    for level in (0.95, 0.998):
        share = adjusted.variance.sum() / adjusted.expected.sum()
        low, high = ratio_limits(adjusted.expected[enough], level, share)
        outside = (adjusted.ratio[enough] < low) | (adjusted.ratio[enough] > high)
        yield from [f"equals outside {level}"] * int(outside.sum())
    yield from ["equals"] * int(enough.sum())
    if adjusted.dispersion().is_excessive:
        yield "companies of equals called over-dispersed"


def _of_ratios(counts: Counter[str], ranks: Floats, seeds: int) -> list[Result]:
    crude, adjusted = ranks.mean(axis=0)
    gain = ranks[:, 1] - ranks[:, 0]
    error = gain.std() / np.sqrt(seeds)
    outside = {level: counts[f"equals outside {level}"] / counts["equals"] for level in (0.95, 0.998)}
    called = counts["companies of equals called over-dispersed"] / seeds
    return [
        coverage(
            METHOD, "95 % interval of observed ÷ expected holds the planted ratio",
            counts["ratios held"], counts["ratios"], slack=0.01, groups=seeds,
        ),
        Result(
            METHOD, "rank correlation with the planted effects, crude and adjusted", "adjusted is higher",
            f"{crude:.3f} crude, {adjusted:.3f} adjusted (gain {gain.mean():.3f} ± {1.96 * error:.3f})",
            bool(gain.mean() > 2 * error),
        ),
        Result(
            METHOD, "owners shuffled: people outside the limits of 95 % and 99.8 %", "5 % and 0.2 %",
            f"{outside[0.95]:.2%} and {outside[0.998]:.2%} of {counts['equals']:,}",
            outside[0.95] <= 0.06 and outside[0.998] <= 0.004,
        ),
        Result(
            METHOD, "owners shuffled: companies called over-dispersed", "at most 5 %", f"{called:.1%} of {seeds}",
            called <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / seeds),
        ),
    ]  # fmt: skip


def _of_alarms(counts: Counter[str], seeds: int) -> list[Result]:
    planted, wrong = counts["planted pairs found"] / seeds, counts["wrong alarms"] / max(counts["alarms"], 1)
    equal = counts["companies of equals with an alarm"] / seeds
    return [
        Result(
            ALARM, "the planted pair raises it", "at least 80 %",
            f"{planted:.1%} of {seeds}; source named first in {counts['planted pairs explained']} of "
            f"{counts['planted pairs found']}",
            planted >= 0.8,
        ),
        Result(
            ALARM, "alarms, the planted pairs' and others', whose planted effects lie the other way", "at most 5 %",
            f"{counts['wrong alarms']} of {counts['alarms']} ({counts['other alarms']} of other pairs)",
            wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / max(counts["alarms"], 1)),
        ),
        Result(
            ALARM, "owners shuffled: companies with any alarm", "at most 5 %", f"{equal:.1%} of {seeds}",
            equal <= 0.05,
        ),
    ]  # fmt: skip


def _of_rates(counts: Counter[str], errors: list[list[float]], seeds: int) -> list[Result]:
    raw, shrunken = np.mean(errors, axis=0)
    return [
        Result(
            SHRINKAGE, "mean squared error of adjusted rates, raw and shrunken", "shrunken is lower",
            f"{raw:.2e} raw, {shrunken:.2e} shrunken ({1 - shrunken / raw:.0%} less)", bool(shrunken < raw),
        ),
        coverage(
            SHRINKAGE, "95 % credible interval holds the planted rate", counts["rates held"], counts["rates"],
            slack=0.02, groups=seeds,
        ),
    ]  # fmt: skip
