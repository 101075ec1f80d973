"""Charts of what was reached beside what was to be reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboards.charts.comparison import ROW
from dashboards.charts.limits import with_signals
from dashboards.charts.series import over_months
from dashboards.control import control_of
from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import is_missing
from loupan.ui.drawing import (
    HOVER,
    MONTHS,
    NOTHING,
    Column,
    Drawing,
    figure,
    hover,
    label_axis,
    safe,
    value_axis,
    written,
)
from loupan.ui.palette import COLOURS

# Beyond so many months their figures no longer fit side by side on a telephone.
_MOST_FIGURES = 12
# Width of the plot there, in pixels.
_PHONE = 260
_MOST_NAMED = 6
# Figures beside the bars.
_WORDS = {"type": "scatter", "mode": "text", "cliponaxis": False, "hoverinfo": "skip", "showlegend": False}


def by_month(view: View, frame: pd.DataFrame, ratio: str, height: int = 320) -> Drawing:
    """Draw a metric by month as columns with its target as a mark across each, and above them the per cent attained.

    Args:
        view: the reader's view.
        frame: columns month, the ratio of result and target, its numerator and its denominator.
        ratio: name of the ratio.
        height: in pixels.
    """
    data = _terms(frame, "month", ratio)
    if data is None:
        return NOTHING
    months = view.months()
    data = data.set_index("month").reindex(months)
    # The gateway leaves out months in which nothing happened; where no target was set there is none.
    data["actual"] = data["actual"].fillna(0.0)
    actual, target = _names(view, ratio)
    formats, colours, unit = view.formats, COLOURS[view.theme], view.unit(actual)
    shares = _shares(data)
    texts = [
        hover([formats.period_label(month), *lines])
        for month, lines in zip(months, _told(view, ratio, data, shares), strict=True)
    ]
    known = {"x": months, "customdata": texts, "hovertemplate": HOVER}
    heights = data[["actual", "target"]].max(axis=1)
    traces: list[dict[str, Any]] = [
        {
            **known,
            "type": "bar",
            "name": view.label(actual),
            "y": data["actual"].tolist(),
            "marker": {"color": colours.main, "cornerradius": 3},
        },
        {
            **known,
            "type": "scatter",
            "mode": "markers",
            "name": view.label(target),
            "y": _nulls(data["target"]),
            "marker": {
                "symbol": "line-ew",
                "size": max(6, min(20, _PHONE // len(months))),
                "line": {"width": 3, "color": colours.accent},
            },
            "cliponaxis": False,
        },
    ]
    if len(months) <= _MOST_FIGURES:
        traces.append(
            {
                **_WORDS,
                "x": months,
                "y": heights.clip(lower=0).tolist(),
                "text": ["" if share is None else f"{share * 100:.0f}" for share in shares],
                "textposition": "top center",
                "textfont": {"size": 11, "color": colours.ink},
            }
        )
    columns = _columns(view, ratio, Column(view.t("Month"), months, MONTHS), data, shares)
    axis = value_axis(formats, unit, min(0.0, float(data["actual"].min())), float(heights.max()) * 1.1, view.theme)
    drawing = over_months(
        view,
        months,
        traces,
        axis,
        Drawing(None, _alt(view, ratio, data), written(formats, columns), _note(view), columns),
        height,
    )
    # Beside the targets, limits would be one line too many: what they say is listed.
    return with_signals(view, drawing, {view.label(actual): control_of(view, actual)}, unit)


def by_dimension(
    view: View, frame: pd.DataFrame, dimension: str, ratio: str, *, without: str, most: int = 12
) -> Drawing:
    """Draw a metric by the values of a dimension as bars with a tick at the target of each and the share attained.

    Args:
        view: the reader's view.
        frame: columns `dimension`, the ratio of result and target, its numerator and its denominator.
        dimension: what the bars are.
        ratio: name of the ratio.
        without: how the note names what has no target: a message with ``{names}`` and ``{total}``.
        most: how many bars, those with the largest targets; the note says how many more there are, and the table
            has all.
    """
    data = _terms(frame, dimension, ratio)
    if data is None:
        return NOTHING
    data["actual"] = data["actual"].fillna(0.0)
    data = data[(data["actual"] != 0) | data["target"].notna()]
    data = data.sort_values(["target", "actual"], ascending=False, na_position="last", kind="stable")
    actual, target = _names(view, ratio)
    formats, colours, unit = view.formats, COLOURS[view.theme], view.unit(actual)
    names = [*map(names_of(view, dimension), data[dimension])]
    shares = _shares(data)
    columns = _columns(view, ratio, Column(view.title(dimension), names), data, shares)
    alt = _alt(view, ratio, data)
    shown = data.head(most)
    rows = list(range(len(shown)))
    labels = [
        formats.value(value, unit) + ("" if share is None else f" · {share * 100:.0f}%")
        for value, share in zip(shown["actual"], shares[:most], strict=True)
    ]
    texts = [
        hover([safe(name), *lines])
        for name, lines in zip(names[:most], _told(view, ratio, shown, shares[:most]), strict=True)
    ]
    ends = shown[["actual", "target"]].max(axis=1).clip(lower=0)
    known = {"y": rows, "customdata": texts, "hovertemplate": HOVER, "cliponaxis": False}
    traces: list[dict[str, Any]] = [
        {
            **known,
            "type": "bar",
            "orientation": "h",
            "name": view.label(actual),
            "x": shown["actual"].tolist(),
            "marker": {"color": colours.main, "cornerradius": 3},
        },
        {
            **known,
            "type": "scatter",
            "mode": "markers",
            "name": view.label(target),
            "x": _nulls(shown["target"]),
            "marker": {"symbol": "line-ns", "size": 20, "line": {"width": 3, "color": colours.accent}},
        },
        {
            **_WORDS,
            "x": ends.tolist(),
            "y": rows,
            "text": [f"  {label}" for label in labels],
            "textposition": "middle right",
            "textfont": {"size": 12, "color": colours.ink},
        },
    ]
    top = float(ends.max()) or 1.0
    drawn = figure(
        view.theme,
        traces,
        ROW * len(shown) + 40,
        # Labels stand beyond the bars' ends.
        xaxis={"visible": False, "range": [min(0.0, float(shown["actual"].min())), top * 1.85]},
        yaxis=label_axis(names[:most]),
    )
    missing = data["target"].isna().to_numpy()
    lacking = [name for name, has_none in zip(names, missing, strict=True) if has_none]
    note = view.left_out(len(data) - len(shown))
    if lacking:
        total = view.write(float(data.loc[missing, "actual"].sum()), actual)
        named = lacking[:_MOST_NAMED] + (["…"] if len(lacking) > _MOST_NAMED else [])
        note = f"{view.t(without, names=view.t(', ').join(named), total=total)} {note}".strip()
    return Drawing(drawn, alt, written(formats, columns), note, columns)


def _terms(frame: pd.DataFrame, dimension: str, ratio: str) -> pd.DataFrame | None:
    """Return result and target by a dimension, or None where no target is set at all."""
    if frame.empty or f"{ratio}__denominator" not in frame or frame[f"{ratio}__denominator"].isna().all():
        return None
    return pd.DataFrame(
        {
            dimension: frame[dimension].to_numpy(),
            "actual": frame[f"{ratio}__numerator"].astype(float).to_numpy(),
            "target": frame[f"{ratio}__denominator"].astype(float).to_numpy(),
        }
    )


def _names(view: View, ratio: str) -> tuple[str, str]:
    """Return the names of result and target; the ratio has been answered, so the snapshot knows it."""
    definition = view.gateway.metrics.describe(ratio)
    return str(definition.numerator), str(definition.denominator)


def _share(actual: float, target: float) -> float | None:
    return None if is_missing(target) or target == 0 else actual / target


def _shares(data: pd.DataFrame) -> list[float | None]:
    return [_share(float(a), float(t)) for a, t in zip(data["actual"], data["target"], strict=True)]


def _nulls(values: pd.Series) -> list[float | None]:
    return [None if is_missing(value) else float(value) for value in values]


def _told(view: View, ratio: str, data: pd.DataFrame, shares: Sequence[float | None]) -> list[list[str]]:
    """Return the lines of a hover box beneath its head, for each row."""
    actual, target = _names(view, ratio)
    return [
        [
            f"{safe(view.label(actual))}: {view.write(reached, actual)}",
            f"{safe(view.label(target))}: {view.write(aim, target)}",
            f"{safe(view.label(ratio))}: {view.write(share, ratio)}",
        ]
        for reached, aim, share in zip(data["actual"], data["target"], shares, strict=True)
    ]


def _columns(view: View, ratio: str, heads: Column, data: pd.DataFrame, shares: Sequence[float | None]) -> list[Column]:
    actual, target = _names(view, ratio)
    return [
        heads,
        Column(view.label(actual), data["actual"].tolist(), view.unit(actual), actual),
        Column(view.label(target), _nulls(data["target"]), view.unit(target), target),
        Column(view.label(ratio), shares, view.unit(ratio), ratio),
    ]


def _alt(view: View, ratio: str, data: pd.DataFrame) -> str:
    actual, target = _names(view, ratio)
    set_for = data[data["target"].notna()]
    total, aim = float(set_for["actual"].sum()), float(set_for["target"].sum())
    return view.t(
        "{metric}: {actual} of {target}, {share}.",
        metric=view.label(ratio),
        actual=view.write(total, actual),
        target=view.write(aim, target),
        share=view.write(_share(total, aim), ratio),
    )


def _note(view: View) -> str:
    if view.is_over(view.months()[-1]):
        return ""
    return view.t("The last month is not over yet; its target counts whole.")
