"""A change taken apart: which groups added to it, and which took from it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboards.change import Change
from dashboards.charts.comparison import ROW
from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import is_missing
from loupan.ui.drawing import HOVER, NOTHING, Column, Drawing, bar_text, figure, hover, label_axis, safe
from loupan.ui.palette import COLOURS

# How far the axis goes beyond the longest bar, for its label, on a telephone.
_ROOM = 1.8


def parts_of_change(view: View, change: Change | None, *, most: int = 8) -> Drawing:
    """Draw the parts of a change as bars to either side, the largest first; small ones are one bar.

    Args:
        view: the reader's view.
        change: what is taken apart.
        most: how many bars.
    """
    if change is None or not change.parts.any():
        return NOTHING
    colours, formats, unit = COLOURS[view.theme], view.formats, view.unit(change.metric)
    definition = view.gateway.metric(change.metric)
    write_name = names_of(view, change.dimension)
    parts = change.parts[change.parts != 0]
    parts = parts.reindex(parts.abs().sort_values(ascending=False, kind="stable").index)
    shown = [(write_name(None if is_missing(v) else v), float(amount)) for v, amount in parts.items()]
    if len(shown) > most:
        rest = shown[most - 1 :]
        shown = [*shown[: most - 1], (view.t("{number} others", number=len(rest)), sum(amount for _, amount in rest))]
    labels = [formats.difference(amount, unit) for _, amount in shown]
    better = definition.better if definition else "neutral"
    fills = [_tone(colours, amount, better) for _, amount in shown]
    span = max(abs(amount) for _, amount in shown)
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [amount for _, amount in shown],
        "y": list(range(len(shown))),
        "text": labels,
        "textposition": "outside",
        **bar_text(fills, 12, view.theme),
        "cliponaxis": False,
        "marker": {"color": fills, "cornerradius": 3},
        "customdata": [hover([safe(name), label]) for (name, _), label in zip(shown, labels, strict=True)],
        "hovertemplate": HOVER,
    }
    has_below, has_above = any(a < 0 for _, a in shown), any(a > 0 for _, a in shown)
    drawn = figure(
        view.theme,
        [trace],
        ROW * len(shown) + 12,
        # Labels stand beyond the bars' ends.
        xaxis={"visible": False, "range": [-_ROOM * span * has_below, _ROOM * span * has_above]},
        yaxis=label_axis([name for name, _ in shown]),
        shapes=[{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": colours.grid}}],
    )
    summary = view.t(
        "{metric}: {before} before, {after} now ({change}).",
        metric=view.label(change.metric), before=view.write(change.before, change.metric),
        after=view.write(change.after, change.metric), change=formats.difference(change.amount, unit),
    )  # fmt: skip
    note = summary
    if change.mix is not None:
        note += " " + view.t(
            "Of the change, {mix} comes from other weights of the groups, {rate} from the groups themselves.",
            mix=formats.difference(change.mix, unit),
            rate=formats.difference(change.amount - change.mix, unit),
        )
    alt = f"{summary} " + view.t("; ").join(f"{name} {label}" for (name, _), label in zip(shown, labels, strict=True))
    table = pd.DataFrame(
        {view.title(change.dimension): [name for name, _ in shown], view.t("Part of the change"): labels}
    )
    columns = [
        Column(view.title(change.dimension), [name for name, _ in shown]),
        Column(view.t("Part of the change"), [amount for _, amount in shown], unit, change.metric),
    ]
    return Drawing(drawn, alt, table, note, columns)


def _tone(colours: Any, amount: float, better: str) -> str:
    if better not in ("higher", "lower"):
        return str(colours.main)
    return str(colours.good if (amount > 0) == (better == "higher") else colours.bad)
