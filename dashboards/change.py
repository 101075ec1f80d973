"""What changed against an earlier period, and which groups the change comes from."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from dashboards.charts.comparison import ratio_frame
from dashboards.contributions import MIX, RATE, of_ratio, of_sum
from dashboards.gateway import Period
from dashboards.memory import remembered
from dashboards.view import View
from loupan.formats import is_missing

# Groups that are most of the whole explain nothing: they are the whole.
_MOST_OF_IT = 0.8


@dataclass(frozen=True)
class Change:
    """A metric in two periods, and what each group of a dimension adds to the difference.

    Attributes:
        metric, dimension: what is taken apart, and by what.
        before, after: the metric in either period.
        parts: value of the dimension → part of the change; they add up to it, in the metric's unit.
        mix: how much of the change comes from other weights of the groups rather than from themselves; None for sums.
    """

    metric: str
    dimension: str
    before: float
    after: float
    parts: pd.Series
    mix: float | None = None

    @property
    def amount(self) -> float:
        """The whole change."""
        return self.after - self.before


@remembered(256)
def change_of(view: View, metric: str, dimension: str, before: Period) -> Change | None:
    """Take the change of a metric between two periods apart by a dimension.

    Args:
        view: the reader's view; its period is the later one.
        metric: a sum, or a ratio of sums.
        dimension: whose values are groups that add up to the whole.
        before: the earlier period.

    Returns:
        The change; None where the metric has no value in one of the periods, no such dimension, or groups that do not
        add up to it.
    """
    definition = view.gateway.metric(metric)
    if definition is None or view.is_state(metric) or dimension not in view.gateway.dimensions(metric):
        return None
    totals = [view.ask(metric, period=period) for period in (before, view.period)]
    if any(frame.empty or metric not in frame or is_missing(frame[metric].iloc[0]) for frame in totals):
        return None
    old, new = (float(frame[metric].iloc[0]) for frame in totals)
    frames = [view.ask(metric, by=(dimension,), period=period) for period in (before, view.period)]
    if definition.is_ratio:
        terms = [
            ratio_frame(frame, dimension, metric).groupby(dimension, dropna=False)[["numerator", "denominator"]].sum()
            for frame in frames
        ]
        wholes = [float(frame[f"{metric}__denominator"].iloc[0]) for frame in totals]
        if any(not _is_close(t["denominator"].sum(), whole) for t, whole in zip(terms, wholes, strict=True)):
            return None
        both = of_ratio(terms[0], terms[1], definition.scale)
        return Change(metric, dimension, old, new, both[RATE] + both[MIX], float(both[MIX].sum()))
    amounts = [
        frame.groupby(dimension, dropna=False)[metric].sum().astype(float)
        if metric in frame
        else pd.Series(dtype=float)
        for frame in frames
    ]
    parts = of_sum(*amounts)
    return Change(metric, dimension, old, new, parts) if _is_close(parts.sum(), new - old) else None


def largest(view: View, metric: str, dimensions: tuple[str, ...], before: Period) -> tuple[Change, str] | None:
    """Return the group, of all dimensions, that adds most to a change in its direction; None where none stands out."""
    found: list[tuple[float, Change, str]] = []
    for dimension in dimensions:
        change = change_of(view, metric, dimension, before)
        if change is None or len(change.parts) < 2 or not change.amount:
            continue
        towards = change.parts * (1 if change.amount > 0 else -1)
        group = towards.idxmax() if towards.notna().any() else None
        share = float(towards.max()) / float(change.parts.abs().sum() or 1)
        if not is_missing(group) and share < _MOST_OF_IT and towards.max() > 0:
            found.append((share, change, str(group)))
    if not found:
        return None
    _, change, group = max(found, key=lambda item: item[0])
    return change, group


def _is_close(value: float, whole: float) -> bool:
    return abs(value - whole) <= 1e-6 * max(1.0, abs(whole))
