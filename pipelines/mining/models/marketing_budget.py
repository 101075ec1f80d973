"""What spending on each channel brings, and how the same budget could be divided better; or why nobody can tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Evaluation, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.response import (
    Floats,
    Following,
    Foresight,
    Response,
    allocate,
    carried_over,
    fit,
    follows_demand,
    foresight,
    months_to_learn,
)

READS = ("fct_expense", "fct_lead", "fct_attribution", "dim_source")
ONCE_A_DAY = True

LEAST_MONTHS, MOST_MONTHS = 24, 60
LEAST_PAID_MONTHS, LEAST_LEADS, LEAST_VARIATION = 9, 100, 0.2
LEAST_CHANNELS = 2
MOST_CHANGE, SURE_ENOUGH, BY_CHANCE = 0.25, 0.9, 0.05
PRESENT_MONTHS, MATURE_DAYS, LIKE_ALL = 12, 180, 30
NEXT = 10_000
ATTRIBUTION = "last_non_direct"
PUBLISHED_ELASTICITY = 0.12
CHANGES, MOST_TRIAL_MONTHS = (0.25, 0.5, 0.8), 12

CARD = Card(
    title=marked("Marketing budget: what the next amount brings"),
    purpose=marked(
        "For the marketing director: how much more each channel brings when more is spent on it, and whether the same "
        "budget would bring more if it were divided differently."
    ),
    action=marked(
        "Move money only where a suggestion is given, in small steps, and look again after three months. Where none is "
        "given, use the trial that is proposed: it tells what past spending cannot."
    ),
    data=marked(
        "Each month of the last five years at most: approved and paid expenses whose activity names a source, by the "
        "market type of the source, and the leads of that market type. The current month is left out."
    ),
    features=(
        Feature(
            marked("Spend of a month by market type"),
            marked("decided before its leads came in; part of it works on in later months"),
        ),
        Feature(
            marked("How the month's leads divide among the market types"),
            marked("what moves all of them at once, such as season or a launch, cancels out"),
        ),
        Feature(
            marked("Contracts per lead of a market type"),
            marked("only of leads at least half a year old, which have had time to sign"),
        ),
    ),
    excluded=marked(
        "Expenses without an activity or without a source: nobody knows which channel they were for; they stay as they "
        "are."
    ),
    baseline=marked(
        "Each channel's share of leads stays what it was: over all earlier months, or over the last twelve."
    ),
    fails=marked(
        "These are observations and no trial. When planners spend more where demand is rising anyway, the channel "
        "seems to bring what would have come without it; only if spend follows last month's leads is that noticed "
        "here. Leads that one channel brings but another is credited with, and effects later than a few months, are "
        "not seen."
    ),
    abstains=marked(
        "With less than 24 whole months, fewer than two channels with enough leads and enough change in their spend. "
        "No division is suggested when later months are not foretold better than by the simple rule, when spend "
        "follows demand, or when the gain is not likely enough (90 %)."
    ),
    method=marked(
        "Saturating response with carry-over (adstock; Broadbent 1979, Jin et al. 2017) in a multinomial model of how "
        "leads divide among channels, Bayesian by Laplace's approximation; bounded division of the same total (Fox "
        "1966)."
    ),
)

_KEPT = {
    "": marked("may be changed"),
    "unpaid": marked("no expense names it"),
    "few_months": marked("too few months with spend"),
    "few_leads": marked("too few leads"),
    "steady": marked("its spend hardly varied"),
}


@dataclass(frozen=True)
class Months:
    """Whole months of all channels.

    Attributes:
        channels: market types; those with spend first.
        months: labels, YYYY-MM.
        leads, spend: months × channels.
        unassigned: share of expense that no channel can be named for.
    """

    channels: list[str]
    months: list[str]
    leads: Floats
    spend: Floats
    unassigned: float

    @property
    def paid(self) -> int:
        """How many channels money was ever spent on."""
        return int((self.spend > 0).any(axis=0).sum())


def whole_months(marts: Marts) -> Months:
    """Return leads and spend of each whole month; months after the as-of's last whole one are left out."""
    last = pd.Period(marts.as_of_on, "M")
    if (marts.as_of_on + pd.Timedelta(days=1)).month == marts.as_of_on.month:
        last -= 1
    leads = marts.query(
        "select strftime(opened_on, '%Y-%m') as month, market_type, count(*) as n from fct_lead "
        "inner join dim_source using (source_id) group by all"
    )
    spend = marts.query(
        "select strftime(incurred_on, '%Y-%m') as month, coalesce(market_type, '') as market_type, "
        "cast(sum(amount) as double) as n from fct_expense left join dim_source using (source_id) group by all"
    )
    known = [frame[frame["month"] <= str(last)] for frame in (leads, spend)]
    leads, spend = known
    if leads.empty or spend.empty:
        raise Abstain(marked("There are no leads with a source, or no approved expenses, to learn from."))
    # Before both were recorded, nothing can be compared.
    first = max(frame["month"].min() for frame in known)
    months = [str(month) for month in pd.period_range(first, last, freq="M")][-MOST_MONTHS:]
    named = spend[spend["market_type"] != ""]
    totals = named[named["month"].isin(months)].groupby("market_type")["n"].sum()
    paid = sorted(totals[totals > 0].index)
    channels = [*paid, *sorted(set(leads["market_type"]) - {*paid})]

    def table(frame: pd.DataFrame) -> Floats:
        wide = frame.pivot_table(index="month", columns="market_type", values="n", aggfunc="sum")
        return wide.reindex(index=months, columns=channels).fillna(0.0).clip(lower=0).to_numpy(float)

    of_months = spend[spend["month"].isin(months)]
    everything = float(of_months["n"].sum())
    unassigned = float(of_months.loc[of_months["market_type"] == "", "n"].sum())
    return Months(channels, months, table(leads), table(named), unassigned / everything if everything else 0.0)


def kept(made: Months) -> list[str]:
    """Return, of each channel, why its spend stays as it is; empty where it may be changed."""
    reasons = []
    for leads, spend in zip(made.leads.T, made.spend.T, strict=True):
        deviation = spend.std() / spend.mean() if spend.mean() else 0.0
        reasons.append(
            "unpaid" if not spend.any()
            else "few_months" if (spend > 0).sum() < LEAST_PAID_MONTHS
            else "few_leads" if leads.sum() < LEAST_LEADS
            else "steady" if deviation < LEAST_VARIATION
            else ""
        )  # fmt: skip
    return reasons


def worth_of_leads(marts: Marts, channels: list[str], draws: int, seed: int) -> tuple[Floats, Floats | None]:
    """Return contracts per lead, draws × channels, and the margin of a contract by channel where margins are known.

    Few cases are drawn towards all channels together, as if thirty more had gone like those.
    """
    days = f"date '{marts.as_of_on:%Y-%m-%d}' - opened_on"
    rates = marts.query(
        f"select market_type, count(*) as n, sum(is_converted::int) as signed from fct_lead "  # noqa: S608 - a date
        f"inner join dim_source using (source_id) where {days} >= {MATURE_DAYS} group by all"
    ).set_index("market_type")
    rates = rates.reindex(channels).fillna(0)
    common = float((rates["signed"].sum() + 0.5) / (rates["n"].sum() + 1))
    rng = np.random.default_rng(seed)
    signed, n = rates["signed"].to_numpy(float), rates["n"].to_numpy(float)
    per_lead = rng.beta(signed + LIKE_ALL * common, n - signed + LIKE_ALL * (1 - common), (draws, len(channels)))
    margins = marts.query(
        "select market_type, cast(sum(credit) as double) as n, cast(sum(margin) as double) as margin, "  # noqa: S608
        "bool_or(margin is null) as lacks from fct_attribution inner join dim_source using (source_id) "
        f"where attribution_model = '{ATTRIBUTION}' group by all"
    )
    if margins.empty or margins["lacks"].any() or margins["n"].sum() < LIKE_ALL:
        return per_lead, None
    margins = margins.set_index("market_type")
    usual = margins["margin"].sum() / margins["n"].sum()
    margins = margins.reindex(channels).fillna(0)
    per_contract = (margins["margin"] + LIKE_ALL * usual) / (margins["n"] + LIKE_ALL)
    return per_lead, per_contract.to_numpy(float)


def run(marts: Marts) -> Result:
    """Fit the responses and suggest a division, or say why there is none."""
    made = whole_months(marts)
    if len(made.months) < LEAST_MONTHS:
        raise Abstain(
            marked("There are {months} whole months with leads and expenses; {least} are needed to learn from."),
            months=len(made.months), least=LEAST_MONTHS,
        )  # fmt: skip
    reasons = kept(made)
    movable = np.flatnonzero([reason == "" for reason in reasons])
    if len(movable) < LEAST_CHANNELS:
        raise Abstain(
            marked(
                "{channels} channels have enough leads, months with spend and change in their spend; two are needed. "
                "Vary what is spent on a channel from month to month, and enter the source of each activity."
            ),
            channels=len(movable),
        )  # fmt: skip
    paid = np.arange(made.paid)
    present = made.spend[-PRESENT_MONTHS:, paid].mean(axis=0)
    leads = made.leads[-PRESENT_MONTHS:, paid].mean(axis=0)
    response = fit(made.leads, made.spend, present, leads)
    per_lead, margin = worth_of_leads(marts, made.channels[: made.paid], len(response.coefficients), seed=1)
    seen = foresight(made.leads, made.spend)
    following = follows_demand(made.leads, made.spend)
    plan = _divided(made, movable, response, per_lead, margin)
    verdict = _verdict(seen, following, plan)
    outputs = [
        *([_plan(made, plan, response, reasons)] if verdict == SUGGESTED else []),
        *([_gain(plan)] if verdict == SUGGESTED else []),
        _next(made, response, per_lead, reasons),
        _curves(made, response),
        _trials(made, response),
    ]
    values = {
        "chance": round(100 * plan.chance), "months": seen.months,
        "unassigned": round(100 * made.unassigned),
    }  # fmt: skip
    return Result(outputs, _evaluation(seen, following), verdict, values)


SUGGESTED = marked(
    "Later months are foretold better than by the simple rule. The division suggested brings more with a probability "
    "of {chance} %. This rests on observations: move in small steps. {unassigned} % of the expense names no channel "
    "and stays as it is."
)
UNFORETOLD = marked(
    "No other division is suggested: knowing the spend, the last {months} months are not foretold better than by the "
    "simple rule that each channel keeps its share of leads. {unassigned} % of the expense names no channel."
)
FOLLOWING = marked(
    "No other division is suggested: spend on a channel goes by the leads it had the month before, so what looks like "
    "the effect of spending may be its cause. Only a trial can tell: see what is proposed below. {unassigned} % of the "
    "expense names no channel."
)
UNSURE = marked(
    "No other division is suggested: spend tells something of later leads, but that another division brings more is "
    "not likely enough ({chance} %). {unassigned} % of the expense names no channel."
)


@dataclass(frozen=True)
class Plan:
    """The best division within bounds, and what it gains, by draw."""

    spend: Floats
    low: Floats
    high: Floats
    contracts: Floats
    money: Floats | None
    chance: float


def _divided(made: Months, movable: np.ndarray, response: Response, per_lead: Floats, margin: Floats | None) -> Plan:
    present = response.spend
    # Months are as different as channels are; three together tell what was tried for long enough to speak of.
    seen = carried_over(made.spend[:, : made.paid], 2 / 3)[2:]
    low, high = present.copy(), present.copy()
    low[movable] = np.maximum(present * (1 - MOST_CHANGE), np.minimum(seen.min(axis=0), present))[movable]
    high[movable] = np.minimum(present * (1 + MOST_CHANGE), np.maximum(seen.max(axis=0), present))[movable]
    worth = per_lead if margin is None else per_lead * margin
    spend = allocate(response, worth, low, high)
    more = (response.leads_at(spend) - response.leads_at(present)) * per_lead
    money = None if margin is None else (more * margin).sum(axis=1)
    goal = more.sum(axis=1) if money is None else money
    return Plan(spend, low, high, more.sum(axis=1), money, float((goal > 0).mean()))


def _verdict(seen: Foresight, following: Following, plan: Plan) -> str:
    if following.p_value < BY_CHANCE:
        return FOLLOWING
    if not seen.is_better:
        return UNFORETOLD
    return SUGGESTED if plan.chance >= SURE_ENOUGH else UNSURE


def _plan(made: Months, plan: Plan, response: Response, reasons: list[str]) -> Output:
    leads = response.leads_at(plan.spend).mean(axis=0)
    frame = pd.DataFrame(
        {
            "market_type": made.channels[: made.paid],
            "present": response.spend,
            "suggested": plan.spend,
            "change": np.divide(
                plan.spend - response.spend, response.spend, out=np.zeros_like(plan.spend), where=response.spend > 0
            ),
            "least": plan.low,
            "most": plan.high,
            "leads_now": response.leads,
            "leads_then": leads,
            "why": [_KEPT[reason] for reason in reasons[: made.paid]],
        }
    )
    return Output(
        "plan",
        marked("The same budget, divided differently"),
        frame.sort_values("change", ascending=False, ignore_index=True),
        {
            "market_type": Field(marked("Market type")),
            "change": Field(marked("Change suggested"), "percent"),
            "present": Field(marked("Spent a month now"), "currency"),
            "suggested": Field(marked("Suggested a month"), "currency"),
            "least": Field(marked("At least"), "currency"),
            "most": Field(marked("At most"), "currency"),
            "leads_now": Field(marked("Leads a month now"), "decimal"),
            "leads_then": Field(marked("Leads a month expected then"), "decimal"),
            "why": Field(marked("Whether it may be changed")),
        },
        Picture("bars", "market_type", "change"),
        marked(
            "Present spend is the mean of the last twelve months. No channel changes by more than a quarter, or beyond "
            "what was ever spent on it for about three months."
        ),
    )


def _gain(plan: Plan) -> Output:
    rows = [("contracts", plan.contracts)] + ([] if plan.money is None else [("margin", plan.money)])
    names = {"contracts": marked("Contracts a month"), "margin": marked("Margin a month, in the company's currency")}
    frame = pd.DataFrame(
        [
            (names[name], draws.mean(), *np.quantile(draws, [0.025, 0.975]), float((draws > 0).mean()))
            for name, draws in rows
        ],
        columns=["what", "gain", "low", "high", "chance"],
    )
    return Output(
        "gain",
        marked("What the other division is expected to bring"),
        frame,
        {
            "what": Field(marked("What")),
            "gain": Field(marked("More than now"), "number"),
            "low": Field(marked("At least (95% interval)"), "number"),
            "high": Field(marked("At most (95% interval)"), "number"),
            "chance": Field(marked("Probability that it is more"), "percent"),
        },
    )


def _next(made: Months, response: Response, per_lead: Floats, reasons: list[str]) -> Output:
    contracts = NEXT * response.next_leads(response.spend) * per_lead
    low, high = np.quantile(contracts, [0.025, 0.975], axis=0)
    frame = pd.DataFrame(
        {
            "market_type": made.channels[: made.paid],
            "present": response.spend,
            "leads": NEXT * response.next_leads(response.spend).mean(axis=0),
            "contracts": contracts.mean(axis=0),
            "low": low,
            "high": high,
            "why": [_KEPT[reason] for reason in reasons[: made.paid]],
        }
    )
    return Output(
        "next",
        marked("What the next 10,000 a month brings at present spend"),
        frame.sort_values("contracts", ascending=False, ignore_index=True),
        {
            "market_type": Field(marked("Market type")),
            "contracts": Field(marked("Contracts more"), "number"),
            "low": Field(marked("At least (95% interval)"), "number"),
            "high": Field(marked("At most (95% interval)"), "number"),
            "leads": Field(marked("Leads more"), "number"),
            "present": Field(marked("Spent a month now"), "currency"),
            "why": Field(marked("Whether it may be changed")),
        },
        Picture("points", "market_type", "contracts", "low", "high"),
        marked("An interval that reaches below 0 means that past spending does not tell whether more spending helps."),
    )


def _curves(made: Months, response: Response) -> Output:
    """Return the leads a month over the spend ever tried, by channel."""
    tried = carried_over(made.spend[:, : made.paid], 2 / 3)[2:]
    low, high = np.minimum(tried.min(axis=0), response.spend), np.maximum(tried.max(axis=0), response.spend)
    frames = []
    for place in np.linspace(0, 1, 13):
        spend = low + place * (high - low)
        leads = response.leads_at(spend)
        at_least, at_most = np.quantile(leads, [0.025, 0.975], axis=0)
        frames.append(
            pd.DataFrame(
                {
                    "market_type": made.channels[: made.paid],
                    "spend": spend,
                    "leads": leads.mean(axis=0),
                    "low": at_least,
                    "high": at_most,
                }
            )
        )
    return Output(
        "curves",
        marked("Leads a month by what is spent a month"),
        pd.concat(frames).sort_values(["market_type", "spend"], ignore_index=True),
        {
            "market_type": Field(marked("Market type")),
            "spend": Field(marked("Spent a month"), "currency"),
            "leads": Field(marked("Leads a month"), "number"),
            "low": Field(marked("At least (95% interval)"), "number"),
            "high": Field(marked("At most (95% interval)"), "number"),
        },
        Picture("lines", "spend", "leads", group="market_type"),
        marked("Each line covers what was ever spent on the channel, and no more. The table has the intervals."),
    )


def _trials(made: Months, response: Response) -> Output:
    """Return how long a channel's spend must be varied by lot until an effect of the usual size would show."""
    rows = []
    for channel, leads, spend in zip(made.channels, response.leads, response.spend, strict=False):
        months = [months_to_learn(PUBLISHED_ELASTICITY, c, float(leads), response.dispersion) for c in CHANGES]
        fitting = [(c, m) for c, m in zip(CHANGES, months, strict=True) if m <= MOST_TRIAL_MONTHS]
        change, needed = fitting[0] if fitting else (CHANGES[-1], months[-1])
        advice = marked("worth a trial") if fitting else marked("too few leads to learn within a year")
        rows.append((channel, advice, spend, change, np.ceil(needed) if np.isfinite(needed) else None))
    frame = pd.DataFrame(rows, columns=["market_type", "advice", "present", "change", "months"])
    return Output(
        "trials",
        marked("A trial that would tell"),
        frame.sort_values(["months", "market_type"], ignore_index=True),
        {
            "market_type": Field(marked("Market type")),
            "advice": Field(marked("Advice")),
            "present": Field(marked("Spent a month now"), "currency"),
            "change": Field(marked("Spend so much more, or less"), "percent"),
            "months": Field(marked("Months needed"), "count"),
        },
        note=marked(
            "Draw by lot, month by month, whether the channel gets more or less; leave the other channels alone. In so "
            "many months an effect as large as the average of published studies (1 % more spend, 0.12 % more leads) is "
            "found four times out of five. Several estates tried at the same time, each with a lot of its own, shorten "
            "it."
        ),
    )


def _evaluation(seen: Foresight, following: Following) -> list[Evaluation]:
    return [
        Evaluation(
            marked("Log-likelihood of how 100 leads of a later month divide; baseline: shares of all earlier months"),
            seen.model, seen.mean, better="high",
        ),
        Evaluation(
            marked("The same; baseline: shares of the twelve months before"), seen.model, seen.recent, better="high",
        ),
        Evaluation(
            marked("Gain of the model over the better baseline"), seen.gain, 0.0, seen.low, seen.high, better="high",
        ),
        Evaluation(
            marked("Probability (p) of spend following last month's leads so closely by chance"),
            None if np.isnan(following.p_value) else following.p_value, better="high",
        ),
    ]  # fmt: skip
