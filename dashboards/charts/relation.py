"""Charts of how two metrics go together."""

from __future__ import annotations

import pandas as pd

from dashboards.intervals import ENOUGH
from dashboards.names import names_of
from dashboards.view import View
from loupan.ui.drawing import HOVER, NOTHING, Column, Drawing, figure, hover, safe, shortened, value_axis
from loupan.ui.drawing import written as texts_of
from loupan.ui.palette import COLOURS

_NAMED = 12


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
    trace = {
        "type": "scatter",
        "mode": "markers+text",
        "cliponaxis": False,
        "x": x.tolist(),
        "y": y.tolist(),
        "text": [shortened(name, 14) if at in named else "" for at, name in zip(data.index, written, strict=True)],
        "textposition": "top center",
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
