"""Charts of how two metrics go together."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dashboards.names import names_of
from dashboards.view import View
from loupan.statistics.intervals import ENOUGH
from loupan.ui.drawing import HOVER, NOTHING, Column, Drawing, figure, hover, letters, safe, shortened, value_axis
from loupan.ui.drawing import written as texts_of
from loupan.ui.palette import COLOURS

_NAMED = 12
# Where names are put is reckoned for a telephone, in pixels: the plot and what is free beside it, a line and a Latin
# letter of text, half a point.
_PLOT, _MARGIN, _LINE, _LETTER, _POINT = (250, 300), 12, 14, 5.8, 6


def scatter(view: View, frame: pd.DataFrame, dimension: str, across: str, up: str) -> Drawing:
    """Draw the values of a dimension as points, by one metric across and another up.

    Points of which a rate has fewer than 30 in the denominator are grey.

    Args:
        view: the reader's view.
        frame: columns `dimension` and both metrics, of ratios their denominators as well.
        dimension: what the points are.
        across: the metric across.
        up: the metric up.
    """
    if frame.empty or not {across, up} <= set(frame):
        return NOTHING
    data = frame.dropna(subset=[across, up])
    if data.empty:
        return NOTHING
    colours, formats = COLOURS[view.theme], view.formats
    x, y = data[across].astype(float), data[up].astype(float)
    written = [*map(names_of(view, dimension), data[dimension])]
    is_few = pd.Series(False, index=data.index)
    for metric in (across, up):
        if f"{metric}__denominator" in data:
            is_few |= data[f"{metric}__denominator"].astype(float).fillna(0) < ENOUGH
    texts = [
        hover(
            [
                safe(name),
                f"{safe(view.label(across))}: {view.write(one, across)}",
                f"{safe(view.label(up))}: {view.write(other, up)}",
                *([view.t("Fewer than 30: not comparable")] if few else []),
            ]
        )
        for name, one, other, few in zip(written, x, y, is_few, strict=True)
    ]
    named = (
        set(x.nlargest(_NAMED).index) | set(y.nlargest(_NAMED // 2).index) if len(data) > _NAMED else set(data.index)
    )
    labels = [shortened(name, 14) if at in named else "" for at, name in zip(data.index, written, strict=True)]
    trace = {
        "type": "scatter",
        "mode": "markers+text",
        "cliponaxis": False,
        "x": x.tolist(),
        "y": y.tolist(),
        **_unclashing(_in_axis(x), _in_axis(y), labels),
        "textfont": {"size": 11, "color": colours.muted},
        "marker": {"size": 10, "color": [colours.faint if few else colours.main for few in is_few]},
        "customdata": texts,
        "hovertemplate": HOVER,
    }
    low_x, low_y = min(0.0, float(x.min())), min(0.0, float(y.min()))
    drawn = figure(
        view.theme,
        [trace],
        420,
        xaxis=value_axis(formats, view.unit(across), low_x, float(x.max()) * 1.05, view.theme, is_tight=True)
        | {"title": {"text": safe(view.label(across))}},
        yaxis=value_axis(formats, view.unit(up), low_y, float(y.max()) * 1.1, view.theme)
        | {"title": {"text": safe(view.label(up))}},
        showlegend=False,
    )
    most = int(y.argmax())
    alt = view.t(
        "{up} against {across}: {number} points; highest {name} with {value}.",
        up=view.label(up),
        across=view.label(across),
        number=len(data),
        name=written[most],
        value=view.write(y.iloc[most], up),
    )
    columns = [
        Column(view.title(dimension), written),
        Column(view.label(across), x.tolist(), view.unit(across), across),
        Column(view.label(up), y.tolist(), view.unit(up), up),
    ]
    note = view.t("Grey: fewer than 30.") if is_few.any() else ""
    return Drawing(drawn, alt, texts_of(formats, columns), note, columns)


def _in_axis(values: pd.Series) -> pd.Series:
    """Return values as parts of an axis from 0 to a little above the highest."""
    low = min(0.0, float(values.min()))
    return (values - low) / ((float(values.max()) * 1.1 - low) or 1.0)


def _unclashing(x: pd.Series, y: pd.Series, labels: Sequence[str]) -> dict[str, list[str]]:
    """Return texts and their places such that none covers another or a point: those of the largest come first.

    Args:
        x, y: the points, as parts of the axes.
        labels: what is written at each; empty for nothing.
    """
    across, up = (x * _PLOT[0]).tolist(), (y * _PLOT[1]).tolist()
    taken = [(a - _POINT, u - _POINT, a + _POINT, u + _POINT) for a, u in zip(across, up, strict=True)]
    texts, places = [""] * len(labels), ["top center"] * len(labels)
    named = (at for at, label in enumerate(labels) if label)
    for at in sorted(named, key=lambda at: -(across[at] / _PLOT[0] + up[at] / _PLOT[1])):
        width = _LETTER * letters(labels[at])
        for place, (left, below) in {
            "top center": (-width / 2, _POINT),
            "bottom center": (-width / 2, -_POINT - _LINE),
            "middle right": (_POINT, -_LINE / 2),
            "middle left": (-_POINT - width, -_LINE / 2),
        }.items():
            box = (across[at] + left, up[at] + below, across[at] + left + width, up[at] + below + _LINE)
            is_inside = box[0] >= 0 and box[2] <= _PLOT[0] + _MARGIN and box[1] >= 0
            is_free = is_inside and all(
                box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1] for other in taken
            )
            if is_free:
                texts[at], places[at] = labels[at], place
                taken.append(box)
                break
    return {"text": texts, "textposition": places}
