"""What is known of the features that the company defined itself, for the pages that show them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pandas as pd

from dashboards.charts.comparison import estimates, ranked_bars
from dashboards.charts.composition import OTHER, made_up
from dashboards.memory import remembered
from dashboards.view import View
from loupan.formats import is_missing, nice_ticks
from loupan.ui.drawing import NOTHING, Drawing

FEATURE, VALUE = "feature", "feature_value"
GROUPS = ("leads", "converted_leads")
# More different numbers than so many are put into bands.
_MOST_NUMBERS = 10


def names(view: View, *metrics: str) -> list[str]:
    """Return the features that all the metrics can be cut by."""
    return list(view.gateway.values(FEATURE)) if {FEATURE, VALUE} <= view.gateway.dimensions(*metrics) else []


@remembered(64)
def structure(view: View, name: str) -> Drawing:
    """The values of a feature among the leads of the period and among those of them that bought."""
    frame = view.ask(*GROUPS, by=(VALUE,), where={FEATURE: [name]})
    if frame.empty:
        return NOTHING
    whole = view.ask(*GROUPS, where={FEATURE: [name]})
    known = [metric for metric in GROUPS if metric in frame]
    wholes = {metric: float(whole[metric].iloc[0]) for metric in known}
    frame, is_ordered = _in_bands(view, frame)
    drawing = made_up(
        view, {metric: frame[[VALUE, metric]] for metric in known}, VALUE, wholes=wholes, is_ordered=is_ordered
    )
    first = known[0]
    return _overlapping(view, drawing, float(frame[first].sum()), wholes[first])


@remembered(64)
def conversion(view: View, name: str) -> Drawing:
    """The conversion rate to date by the values of a feature."""
    metric = "conversion_rate"
    frame = view.ask(metric, by=(VALUE,), where={FEATURE: [name]})
    if frame.empty or metric not in frame:
        return NOTHING
    frame, _ = _in_bands(view, frame)
    terms = [f"{metric}__numerator", f"{metric}__denominator"]
    summed = frame.groupby(VALUE, dropna=False, as_index=False)[terms].sum()
    summed[metric] = summed[terms[0]].astype(float) / summed[terms[1]].astype(float).where(lambda n: n > 0)
    return estimates(view, summed, VALUE, metric, most=12)


def ranked(view: View, metric: str, name: str) -> Drawing:
    """A volume by the values of a feature; what is unknown is a bar of its own."""
    frame = view.ask(metric, by=(VALUE,), where={FEATURE: [name]})
    whole = view.ask(metric, where={FEATURE: [name]})
    if frame.empty or metric not in frame:
        return NOTHING
    total = float(whole[metric].iloc[0])
    unknown = float(frame.loc[frame[VALUE].map(is_missing), metric].sum())
    frame, _ = _in_bands(view, frame)
    summed = frame.groupby(VALUE, dropna=False, as_index=False).agg({metric: "sum"})
    drawing = ranked_bars(view, summed, VALUE, metric, most=15, share=True, whole=total)
    if not total or drawing.is_empty:
        return drawing
    note = view.t(
        "Known for {share} of {metric}.",
        share=view.formats.value(1 - unknown / total, "percent"),
        metric=view.label(metric),
    )
    return _overlapping(view, replace(drawing, note=note), float(frame[metric].astype(float).sum()), total)


def _overlapping(view: View, drawing: Drawing, summed: float, whole: float) -> Drawing:
    """Say so where the values of a feature sum to more than there is, because one customer has several."""
    # Shares of contracts are fractions, so their sums are not exact.
    if drawing.is_empty or summed <= whole * (1 + 1e-9):
        return drawing
    note = view.t("Several values may hold of one customer, so the shares add up to more than 100%.")
    return replace(drawing, note=f"{drawing.note} {note}".strip())


def _in_bands(view: View, frame: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Return a frame by feature value with many numbers put into bands, and whether its values have an order."""
    numbers = pd.to_numeric(frame[VALUE], errors="coerce")
    is_word = frame[VALUE].notna() & numbers.isna() & (frame[VALUE] != OTHER)
    known = numbers.dropna()
    if known.empty or is_word.any():
        return frame, False
    if len(known) <= _MOST_NUMBERS:
        return frame, True
    # Few of the lowest and highest, which would stretch the bands.
    ticks = nice_ticks(float(known.quantile(0.1)), float(known.quantile(0.9)), is_whole=bool((known % 1 == 0).all()))
    edges = [tick for tick in ticks if known.min() < tick <= known.max()]
    labels = [
        f"< {edges[0]:g}",
        *(f"{low:g} – {high:g}" for low, high in pairwise(edges)),
        view.t("{number} and more", number=f"{edges[-1]:g}"),
    ]
    bands = pd.cut(numbers, [float("-inf"), *edges, float("inf")], right=False, labels=labels)
    return frame.assign(**{VALUE: bands.astype(object).where(numbers.notna(), frame[VALUE])}), True
