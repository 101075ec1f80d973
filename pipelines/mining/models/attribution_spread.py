"""How sure the weights of the Markov chain of attribution are, by source and by market type."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.removal import Counted, spread

READS = ("fct_channel_path", "dim_source")
ONCE_A_DAY = True
LEAST_CONTRACTS = 30

CARD = Card(
    title=marked("What leads through each source"),
    purpose=marked(
        "Shows marketing how much of what leads to contracts passes through each source, and how sure that is. The "
        "page Campaign return widens its intervals by it."
    ),
    action=marked(
        "A small share with little room says that a source matters little on recorded paths. What stopping it would "
        "cost only a trial tells: leave it out for a month in one estate."
    ),
    data=marked("The sources met by everybody who has decided, for or against; the undecided are left out."),
    baseline=marked("Each source weighs the same (the model Linear)."),
    fails=marked(
        "It sees only touchpoints that were recorded, and follows them one step back. It does not know whether "
        "somebody would have come without the source: that takes an experiment."
    ),
    abstains=marked("With fewer than 30 contracts that have a touchpoint."),
    method=marked(
        "Removal effect in a first-order Markov chain (Anderl et al. 2016); errors by the jackknife over groups of "
        "customers (Efron & Stein 1981)."
    ),
    features=(
        Feature(marked("Order of the sources met"), marked("Recorded as touchpoints, up to the first deal event.")),
    ),
)


_FOLDS = 20
# Every touch, what came before and after it on its path, counted: the chain looks one step back and no further.
_STEPS = f"""
with touch as (
    select
        resampling_group % {_FOLDS} as fold, is_sold, source_id,
        lead(source_id) over path as next_id,
        row_number() over path = 1 as is_first,
        lead(touch_number) over path is null as is_last
    from fct_channel_path
    window path as (partition by channel_path_id order by touch_number)
)
select fold, source_id, next_id, is_first, is_last, is_sold, count(*) as n from touch group by all order by all
"""  # noqa: S608 - a number of our own
_CONTRACTS = f"""
with sold as (
    select any_value(resampling_group) % {_FOLDS} as fold, list_sort(list(distinct coalesce(source_id, -1))) as met
    from fct_channel_path where is_sold group by channel_path_id
)
select fold, met, count(*) as n from sold group by all order by all
"""  # noqa: S608 - a number of our own


def run(marts: Marts) -> Result:
    """Return the removal effect of each source, and what its being an estimate adds to the credits' error."""
    steps, contracts = marts.query(_STEPS), marts.query(_CONTRACTS)
    sold = int(contracts["n"].sum())
    if sold < LEAST_CONTRACTS:
        raise Abstain(
            marked("Only {n} contracts have a touchpoint on record; the weights need {least}."),
            n=sold, least=LEAST_CONTRACTS,
        )  # fmt: skip
    return Result(
        [
            Output(
                "by_source",
                marked("How much leads through each source"),
                _weights(steps, contracts, marts.frame("dim_source", ["source_id", "source_name", "market_type"])),
                {
                    "source": Field(marked("Source")),
                    "removal_effect": Field(marked("Share of recorded ways to a contract"), "percent"),
                    "removal_low": Field(marked("From"), "percent"),
                    "removal_high": Field(marked("To"), "percent"),
                    "credit": Field(marked("Contracts credited, of all time"), "decimal"),
                    "relative_error": Field(marked("Error of its weight"), "percent"),
                },
                Picture("bars", "source", "removal_effect", "removal_low", "removal_high"),
                marked("The shares do not add up: most contracts have met several sources."),
            ),
        ],
        verdict=marked("It rests on {sold} contracts and {paths} people who decided."),
        values={"sold": f"{sold:,}", "paths": f"{int(steps.loc[steps['is_first'], 'n'].sum()):,}"},
    )


def _weights(steps: pd.DataFrame, contracts: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Return removal effect, credit and relative error of the weight by source, the largest effect first."""
    met = steps["source_id"].fillna(-1).astype("int64").unique()
    here = sources[sources["source_id"].isin(met)].sort_values("source_id").drop_duplicates("source_name")
    here = here.sort_values("source_name", ignore_index=True)
    # A touch without a source, or of one that is no more, is of a channel without a name.
    number = pd.Series(here.index, here["source_name"])
    channel = dict(zip(sources["source_id"], sources["source_name"].map(number), strict=True))
    places = {source: int(channel[source]) if source in channel else len(here) for source in met.tolist()}
    if len(here) in places.values():
        here = pd.concat([here, pd.DataFrame({"source_name": [None], "market_type": [None]})], ignore_index=True)
    found = spread(_counted(steps, contracts, places, len(here)))
    frame = pd.DataFrame(
        {
            "source": here["source_name"],
            "market_type": here["market_type"],
            "removal_effect": found.effects,
            "removal_low": np.clip(found.effects - 1.96 * found.effect_error, 0, 1),
            "removal_high": np.clip(found.effects + 1.96 * found.effect_error, 0, 1),
            "credit": found.credit,
            "relative_error": np.divide(
                found.weight_error, found.credit, out=np.full(len(here), np.nan), where=found.credit > 0
            ),
        }
    )
    return frame.sort_values("removal_effect", ascending=False, kind="stable").reset_index(drop=True)


def _counted(steps: pd.DataFrame, contracts: pd.DataFrame, places: dict[int, int], channels: int) -> Counted:
    """Put the counts into their places."""
    fold, n = steps["fold"].to_numpy(np.int64), steps["n"].to_numpy(float)
    start, contract, nothing = channels, channels, channels + 1
    place = steps["source_id"].fillna(-1).map(places).to_numpy(np.int64)
    is_first, is_last = (steps[name].to_numpy(bool) for name in ("is_first", "is_last"))
    after = steps["next_id"].fillna(-1).map(places).fillna(-1).to_numpy(np.int64)
    after = np.where(is_last, np.where(steps["is_sold"].to_numpy(bool), contract, nothing), after)
    counts = np.zeros((_FOLDS, channels + 1, channels + 2))
    np.add.at(counts, (fold, place, after), n)
    np.add.at(counts, (fold[is_first], start, place[is_first]), n[is_first])
    sets = {ids: row for row, ids in enumerate(sorted({tuple(ids) for ids in contracts["met"]}))}
    met, by_fold = np.zeros((len(sets), channels)), np.zeros((_FOLDS, len(sets)))
    for ids, row in sets.items():
        met[row, [places[source] for source in ids]] = 1.0
    rows = np.array([sets[tuple(ids)] for ids in contracts["met"]], np.int64)
    np.add.at(by_fold, (contracts["fold"].to_numpy(np.int64), rows), contracts["n"].to_numpy(float))
    return Counted(counts, met, by_fold)
