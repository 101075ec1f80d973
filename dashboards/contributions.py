"""Which groups a change comes from, so that the parts add up to the whole of it.

Sums are taken apart group by group. Of a ratio, each group adds in two ways: its own rate changed, and its weight among
the groups did (Kitagawa, *Components of a difference between two rates*, JASA 50, 1955).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

RATE, MIX = "rate", "mix"


def of_sum(before: pd.Series, after: pd.Series) -> pd.Series:
    """Return each group's part of the change of a sum.

    Args:
        before, after: amounts by group; a group that is missing had none.
    """
    return after.sub(before, fill_value=0.0).astype(float)


def of_ratio(before: pd.DataFrame, after: pd.DataFrame, scale: float = 1.0) -> pd.DataFrame:
    """Return each group's part of the change of a ratio of sums.

    Args:
        before, after: ``numerator`` and ``denominator`` by group; a group that is missing had neither.
        scale: what the ratio is multiplied by.

    Returns:
        By group: ``rate``, what the change of its own rate adds at its mean weight; ``mix``, what the change of its
        weight adds by how far its mean rate lies from the mean of all. All of them add up to the change.

    Raises:
        ValueError: if either ratio has no denominator at all.
    """
    groups = before.index.union(after.index)
    old, new = (frame.reindex(groups, fill_value=0).astype(float) for frame in (before, after))
    if old["denominator"].sum() <= 0 or new["denominator"].sum() <= 0:
        raise ValueError("A ratio without a denominator does not change.")
    weights = [frame["denominator"] / frame["denominator"].sum() for frame in (old, new)]
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = [frame["numerator"] / frame["denominator"] for frame in (old, new)]
    # A group that is there on one side only has not changed its rate: all it adds is its weight.
    rates = [rates[0].where(old["denominator"] > 0, rates[1]), rates[1].where(new["denominator"] > 0, rates[0])]
    rates = [rate.fillna(0.0) for rate in rates]
    whole = sum(float(frame["numerator"].sum() / frame["denominator"].sum()) for frame in (old, new)) / 2
    return pd.DataFrame(
        {
            RATE: scale * (weights[0] + weights[1]) / 2 * (rates[1] - rates[0]),
            MIX: scale * (weights[1] - weights[0]) * ((rates[0] + rates[1]) / 2 - whole),
        }
    )
