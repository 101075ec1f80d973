"""Charts of two dimensions: shaded cells with their values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboards.charts.comparison import AXIS_ROOM, ROW
from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import is_missing
from loupan.statistics.intervals import ENOUGH
from loupan.ui.drawing import HOVER, NOTHING, Column, Drawing, figure, hover, label_axis, safe, shortened
from loupan.ui.palette import COLOURS

_CELLS_WITH_TEXT = 8
_ANGLED_ROOM = 96


def heatmap(view: View, frame: pd.DataFrame, rows: str, metric: str, quarters: Sequence[str]) -> Drawing:
    """Draw a ratio by a dimension and quarter as shaded cells; those with fewer than 30 in the denominator stay empty.

    Args:
        view: the reader's view.
        frame: columns `rows`, ``quarter``, `metric` and its denominator.
        rows: the dimension down the side.
        metric: a ratio.
        quarters: the labels (YYYY-Qn) across, in order.
    """
    if frame.empty or f"{metric}__denominator" not in frame:
        return NOTHING
    enough = frame[frame[f"{metric}__denominator"].astype(float).fillna(0) >= ENOUGH]
    if enough.empty:
        return NOTHING
    grid = enough.pivot(index=rows, columns="quarter", values=metric).reindex(columns=list(quarters)).astype(float)
    grid = grid.loc[grid.mean(axis=1).sort_values(ascending=False).index]
    formats = view.formats
    return cells(
        view,
        grid,
        rows,
        metric,
        names=[*map(names_of(view, rows), grid.index)],
        labels=[formats.period_label(quarter) for quarter in quarters],
        short_labels=[formats.short_quarter(quarter) for quarter in quarters],
        empty=view.t("Fewer than 30"),
    )


def crossed(view: View, frame: pd.DataFrame, rows: str, columns: str, metric: str, most: tuple[int, int]) -> Drawing:
    """Draw an additive metric by two dimensions as shaded cells, the largest rows and columns first.

    Args:
        view: the reader's view.
        frame: columns `rows`, `columns` and `metric`.
        rows: the dimension down the side.
        columns: the dimension across.
        metric: what is shown.
        most: how many rows and columns; the others are summed up in the last of each.
    """
    if frame.empty or metric not in frame:
        return NOTHING
    named = pd.DataFrame(
        {
            "row": [*map(names_of(view, rows), frame[rows])],
            "column": [*map(names_of(view, columns), frame[columns])],
            metric: frame[metric].astype(float),
        }
    )
    named = named[named[metric].fillna(0) != 0]
    if named.empty:
        return NOTHING
    others = view.t("All others")
    for axis, number in zip(("row", "column"), most, strict=True):
        totals = named.groupby(axis)[metric].sum().sort_values(ascending=False, kind="stable")
        if len(totals) > number:
            kept = set(totals.index[: number - 1])
            named[axis] = named[axis].where(named[axis].isin(kept), others)
    grid = named.pivot_table(index="row", columns="column", values=metric, aggfunc="sum")

    def in_order(totals: pd.Series) -> list[str]:
        names = [str(name) for name in totals.sort_values(ascending=False, kind="stable").index]
        return sorted(names, key=lambda name: name == others)

    grid = grid.reindex(index=in_order(grid.sum(axis=1)), columns=in_order(grid.sum(axis=0)))
    labels = [str(name) for name in grid.columns]
    return cells(
        view,
        grid,
        rows,
        metric,
        names=[str(name) for name in grid.index],
        labels=labels,
        short_labels=[shortened(label, 12) for label in labels],
        empty="–",
        angle=-45,
    )


def cells(
    view: View,
    grid: pd.DataFrame,
    rows: str,
    metric: str,
    *,
    names: Sequence[str],
    labels: Sequence[str],
    short_labels: Sequence[str],
    empty: str,
    angle: int = 0,
) -> Drawing:
    """Draw a grid of values, which is not empty; a missing one has no colour and is called `empty`.

    `angle` is that of the labels across, in degrees; at 0 they must be short.
    """
    formats, colours, unit = view.formats, COLOURS[view.theme], view.unit(metric)
    values = grid.to_numpy(dtype=float)
    written = [["" if is_missing(v) else formats.value(v, unit) for v in line] for line in values]
    has_text = len(labels) <= _CELLS_WITH_TEXT
    trace = {
        "type": "heatmap",
        "z": [[None if is_missing(v) else float(v) for v in line] for line in values],
        "x": list(range(len(labels))),
        "y": list(range(len(names))),
        "zmin": 0,
        "colorscale": [[i / (len(colours.heat) - 1), colour] for i, colour in enumerate(colours.heat)],
        "showscale": False,
        "xgap": 3,
        "ygap": 3,
        "text": written,
        "texttemplate": "%{text}" if has_text else "",
        "textfont": {"size": 12},
        "customdata": [
            [hover([safe(name), safe(label), text or empty]) for label, text in zip(labels, line, strict=True)]
            for name, line in zip(names, written, strict=True)
        ],
        "hovertemplate": HOVER,
    }
    step = 1 + (len(labels) - 1) // _CELLS_WITH_TEXT
    drawn = figure(
        view.theme,
        [trace],
        ROW * len(names) + (AXIS_ROOM + 8 if angle == 0 else _ANGLED_ROOM),
        xaxis={
            "tickvals": list(range(0, len(labels), step)),
            "ticktext": list(short_labels[::step]),
            "tickangle": angle,
        },
        yaxis=label_axis(names),
    )
    table = pd.DataFrame(written, columns=list(labels))
    table.insert(0, view.title(rows), names)
    row, place = divmod(int(np.nanargmax(values)), values.shape[1])
    alt = view.t(
        "{metric}: highest for {name} in {period} with {value}.",
        metric=view.label(metric),
        name=names[row],
        period=labels[place],
        value=written[row][place],
    )
    columns = [
        Column(view.title(rows), list(names)),
        *(Column(label, values[:, i].tolist(), unit, metric) for i, label in enumerate(labels)),
    ]
    return Drawing(drawn, alt, table, columns=columns)
