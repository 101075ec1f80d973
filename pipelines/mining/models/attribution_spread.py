"""How sure the weights of the Markov chain of attribution are, by source and by market type."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.removal import Journeys, spread

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


def run(marts: Marts) -> Result:
    """Return the removal effect of each source, and what its being an estimate adds to the credits' error."""
    touches = marts.query(
        "select paths.*, source.source_name as source, source.market_type from fct_channel_path as paths "
        "left join dim_source as source using (source_id) order by channel_path_id, touch_number"
    )
    sold = touches.loc[touches["is_sold"], "channel_path_id"].nunique()
    if sold < LEAST_CONTRACTS:
        raise Abstain(
            marked("Only {n} contracts have a touchpoint on record; the weights need {least}."),
            n=int(sold), least=LEAST_CONTRACTS,
        )  # fmt: skip
    return Result(
        [
            Output(
                "by_source",
                marked("How much leads through each source"),
                _weights(touches),
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
        values={"sold": f"{sold:,}", "paths": f"{touches['channel_path_id'].nunique():,}"},
    )


def _weights(touches: pd.DataFrame) -> pd.DataFrame:
    """Return removal effect, credit and relative error of the weight by source, the largest effect first."""
    channels, labels = pd.factorize(touches["source"], use_na_sentinel=False)
    paths, first = pd.factorize(touches["channel_path_id"])[0], ~touches["channel_path_id"].duplicated()
    found = spread(
        Journeys(
            path=paths,
            channel=channels,
            is_sold=touches.loc[first, "is_sold"].to_numpy(bool),
            group=touches.loc[first, "resampling_group"].to_numpy(np.int64),
            channels=len(labels),
        )
    )
    frame = pd.DataFrame(
        {
            "source": labels,
            "market_type": touches.loc[~touches["source"].duplicated(), "market_type"].to_numpy(),
            "removal_effect": found.effects,
            "removal_low": np.clip(found.effects - 1.96 * found.effect_error, 0, 1),
            "removal_high": np.clip(found.effects + 1.96 * found.effect_error, 0, 1),
            "credit": found.credit,
            "relative_error": np.divide(
                found.weight_error, found.credit, out=np.full(len(labels), np.nan), where=found.credit > 0
            ),
        }
    )
    return frame.sort_values("removal_effect", ascending=False, kind="stable").reset_index(drop=True)
