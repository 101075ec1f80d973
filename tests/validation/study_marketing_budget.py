"""Does the model of the marketing budget find planted responses, and does its advice help where it gives one?

The sample company plants no effect of spend on leads, so the months are made here: six paid channels with responses of
another form than the model's (Hill, with leads that come without any spend), one channel without, months that move all
channels together, and counts that scatter more than chance alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupan.statistics.response import (
    Floats,
    Response,
    allocate,
    carried_over,
    fit,
    follows_demand,
    foresight,
)
from tests.validation.result import Result, coverage

CHANNELS, MOST_CHANGE = 6, 0.25
METHOD = "Marketing budget"


@dataclass(frozen=True)
class Months:
    """Planted months: leads and spend of the paid channels and, last, one without; what a steady spend truly brings."""

    leads: Floats
    spend: Floats
    level: Floats
    paid_share: Floats
    half: Floats

    def truth(self, spend: Floats) -> Floats:
        """Return the leads a month that a steady spend on each paid channel truly brings in an average month."""
        return np.asarray(self.level * (1 - self.paid_share + self.paid_share * spend / (spend + self.half)))


def planted(
    seed: int, *, months: int = 36, size: float = 120, paid_share: float = 0.7, follows: str = "", excess: float = 1.6
) -> Months:
    """Make months.

    Args:
        seed: of chance.
        months: how many.
        size: leads of a channel in a month if spend were without limit, on average.
        paid_share: of those leads that spend brings; 0 plants no effect.
        follows: ``last`` makes spend follow each channel's leads of the month before, ``same`` the demand of the month.
        excess: variance of the counts over that of chance.
    """
    rng = np.random.default_rng([seed, 5])
    level = size * rng.lognormal(0, 0.4, CHANNELS)
    usual = 100_000 * rng.lognormal(0, 0.4, CHANNELS)
    half = usual * rng.uniform(0.5, 1.5, CHANNELS)
    share = paid_share * rng.uniform(0.6, 1.2, CHANNELS).clip(0, 1) if paid_share else np.zeros(CHANNELS)
    common = rng.lognormal(0, 0.25, months)
    # What a channel is in demand beyond all spend; it lasts.
    own = np.zeros((months, CHANNELS))
    for month in range(1, months):
        own[month] = 0.6 * own[month - 1] + rng.normal(0, 0.12, CHANNELS)
    carry = 0.3
    spend = np.zeros((months, CHANNELS))
    leads = np.zeros((months, CHANNELS + 1))
    working = usual.copy()
    for month in range(months):
        wish = rng.normal(0, 0.5, CHANNELS)
        if follows == "last" and month:
            last = np.log((leads[month - 1, :CHANNELS] + 1) / (level * common[month - 1]))
            wish += 2.0 * (last - last.mean())
        if follows == "same":
            wish += 3.0 * own[month]
        spend[month] = usual * np.exp(wish) * (rng.random(CHANNELS) > 0.1)
        working = (1 - carry) * spend[month] + carry * working
        paid = level * (1 - share + share * working / (working + half))
        drift = own[month] if follows else 0.3 * own[month]
        mean = common[month] * np.append(paid * np.exp(drift), size)
        leads[month] = rng.negative_binomial(mean / (excess - 1), 1 / excess)
    return Months(leads, np.column_stack([spend, np.zeros(months)]), level * common.mean(), share, half)


def _now(made: Months) -> tuple[Floats, Floats]:
    """Return the present monthly spend, and the leads that it truly brings in an average month."""
    present = np.maximum(made.spend[-12:, :CHANNELS].mean(axis=0), 1.0)
    return present, made.truth(present)


def _bounds(made: Months, present: Floats) -> tuple[Floats, Floats]:
    seen = carried_over(made.spend[:, :CHANNELS], 0.3)
    low = np.maximum(present * (1 - MOST_CHANGE), np.minimum(seen.min(axis=0), present))
    return low, np.minimum(present * (1 + MOST_CHANGE), np.maximum(seen.max(axis=0), present))


def _advice(made: Months) -> tuple[Response, Floats, float, Floats, bool]:
    """Return the responses, the suggested spend, the chance that it is better, its gain by draw, and if it is given."""
    present, leads = _now(made)
    response = fit(made.leads, made.spend, present, leads, draws=800)
    worth = np.ones_like(response.coefficients)
    spend = allocate(response, worth, *_bounds(made, present), steps=150)
    gain = (response.leads_at(spend) - response.leads_at(present)).sum(axis=1)
    chance = float((gain > 0).mean())
    is_given = (
        chance >= 0.9
        and not follows_demand(made.leads, made.spend).p_value < 0.05
        and foresight(made.leads, made.spend, step=6).is_better
    )
    return response, spend, chance, gain, is_given


def study(seeds: int) -> list[Result]:
    """Return what the seeds say of coverage, of the gain of advice, and of the cases in which there must be none."""
    inside, trials, gains, inside_gain, given, better = 0, 0, [], 0, 0, 0
    for seed in range(seeds):
        made = planted(seed)
        response, spend, _, gain, is_given = _advice(made)
        present, leads = _now(made)
        for times in (1 - MOST_CHANGE, 1 + MOST_CHANGE):
            low, high = np.quantile(response.leads_at(times * present), [0.025, 0.975], axis=0)
            truth = made.truth(times * present)
            inside += int(((low <= truth) & (truth <= high)).sum())
            trials += CHANNELS
        true_gain = float(made.truth(spend).sum() - leads.sum())
        low, high = np.quantile(gain, [0.025, 0.975])
        inside_gain += int(low <= true_gain <= high)
        if is_given:
            given += 1
            better += true_gain > 0
            gains.append(true_gain / leads.sum())
    noise = [_advice(planted(seed, paid_share=0)) for seed in range(seeds)]
    noise_given = sum(found[-1] for found in noise)
    last = [planted(seed, follows="last", paid_share=0) for seed in range(seeds)]
    noticed = sum(follows_demand(made.leads, made.spend).p_value < 0.05 for made in last)
    free = sum(follows_demand(planted(seed).leads, planted(seed).spend).p_value < 0.05 for seed in range(seeds))
    same = [_advice(planted(seed, follows="same", paid_share=0)) for seed in range(seeds)]
    same_given = sum(found[-1] for found in same)
    fooled = float(np.mean([np.median(found[0].coefficients) for found in same]))
    few_given = sum(_advice(planted(seed, size=6))[-1] for seed in range(seeds))
    return [
        coverage(
            METHOD, "interval of the leads at 25% more or less spend holds the truth", inside, trials,
            slack=0.05, groups=seeds,
        ),
        coverage(
            METHOD, "interval of the gain of the suggested budget holds the true gain", inside_gain, seeds, slack=0.1,
        ),
        Result(
            METHOD, "where there are true responses: is advice given, and does it truly bring more leads?",
            "given mostly; better in at least 90% of the cases",
            f"given in {given / seeds:.0%}, better in {better / max(1, given):.0%}, "
            f"by {np.mean(gains or [0]):+.1%} on average",
            given > 0 and better / max(1, given) >= 0.9,
        ),
        Result(
            METHOD, "where spend has no effect: is advice given?", "in 5% at most",
            f"{noise_given / seeds:.1%} of {seeds}", noise_given / seeds <= 0.05 + 3 * (0.05 * 0.95 / seeds) ** 0.5,
        ),
        Result(
            METHOD, "six leads a month and channel: is advice given?", "hardly (no power)",
            f"{few_given / seeds:.1%} of {seeds}", few_given / seeds <= 0.2,
        ),
        Result(
            METHOD, "spend that follows last month's leads is noticed (no effect planted)", "at least 80%",
            f"{noticed / seeds:.0%} of {seeds}", noticed / seeds >= 0.8,
        ),
        Result(
            METHOD, "spend drawn by lot is taken for following demand", "5%",
            f"{free / seeds:.1%} of {seeds}", free / seeds <= 0.05 + 3 * (0.05 * 0.95 / seeds) ** 0.5,
        ),
        Result(
            METHOD, "spend that follows demand within the month (no effect planted): how wrong?",
            "cannot be noticed; told on the card",
            f"β is {fooled:+.2f} on average instead of 0; advice in {same_given / seeds:.0%}", True,
        ),
    ]  # fmt: skip
