"""Charts that set things side by side: stages, shares, estimates with their intervals, ranges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import is_missing
from loupan.i18n.codes import is_unknown
from loupan.statistics.intervals import ENOUGH, Floats, poisson_exact, wilson
from loupan.ui.drawing import (
    HOVER,
    NOTHING,
    Column,
    Drawing,
    bar_text,
    figure,
    hover,
    label_axis,
    safe,
    value_axis,
    whiskers,
    wrapped,
)
from loupan.ui.palette import COLOURS

ROW, ROW_OF_TWO = 30, 36
"""Height of one row of a horizontal chart in pixels, with names of one line and of up to two."""
AXIS_ROOM = 44


def stages(view: View, names: Sequence[str], counts: Sequence[float]) -> Drawing:
    """Draw how many cases reached each stage, with the share of the first stage and of the one before."""
    if not counts or is_missing(counts[0]) or counts[0] <= 0:
        return NOTHING
    colours, formats = COLOURS[view.theme], view.formats
    of_first = [c / counts[0] for c in counts]
    of_previous = [None, *(c / before if before else None for before, c in pairwise(counts))]
    labels = [
        f"{formats.value(c, 'count')} · {formats.value(s, 'percent')}" for c, s in zip(counts, of_first, strict=True)
    ]
    texts = [
        hover(
            [
                safe(name),
                f"{count:,.0f}",
                view.t("{share} of the first stage", share=formats.value(share, "percent")),
                *(
                    [view.t("{share} of the stage before", share=formats.value(step, "percent"))]
                    if step is not None
                    else []
                ),
            ]
        )
        for name, count, share, step in zip(names, counts, of_first, of_previous, strict=True)
    ]
    shades = _fading(colours.heat[-1], colours.heat[2], len(names))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": of_first,
        "y": list(range(len(names))),
        "text": labels,
        "textposition": ["inside" if share > 0.55 else "outside" for share in of_first],
        "insidetextanchor": "start",
        **bar_text(shades, 13, view.theme),
        "cliponaxis": False,
        "marker": {"color": shades, "cornerradius": 4},
        "customdata": texts,
        "hovertemplate": HOVER,
    }
    drawn = figure(
        view.theme,
        [trace],
        54 * len(names) + 10,
        xaxis={"visible": False, "range": [0, 1]},
        yaxis=label_axis(names, tickfont={"color": colours.ink, "size": 13}),
        bargap=0.28,
    )
    alt = view.t("; ").join(f"{name} {label}" for name, label in zip(names, labels, strict=True))
    table = pd.DataFrame(
        {
            view.t("Stage"): list(names),
            view.t("Number"): [f"{c:,.0f}" for c in counts],
            view.t("Share of the first stage"): [formats.value(s, "percent") for s in of_first],
            view.t("Share of the stage before"): [formats.value(s, "percent") for s in of_previous],
        }
    )
    columns = [
        Column(view.t("Stage"), list(names)),
        Column(view.t("Number"), list(counts), "count"),
        Column(view.t("Share of the first stage"), of_first, "percent"),
        Column(view.t("Share of the stage before"), of_previous, "percent"),
    ]
    return Drawing(drawn, alt, table, columns=columns)


def ranked_bars(
    view: View,
    frame: pd.DataFrame,
    dimension: str,
    metric: str,
    *,
    chosen: Sequence[str] = (),
    most: int = 12,
    share: bool = False,
    cumulative: bool = False,
    is_ranked: bool = True,
    is_ascending: bool = False,
    whole: float | None = None,
) -> Drawing:
    """Draw a metric by the values of a dimension as horizontal bars, largest first.

    Args:
        view: the reader's view.
        frame: columns `dimension` and `metric`.
        dimension: what the bars are.
        metric: what they measure.
        chosen: values drawn in colour while the others turn grey; all are in colour when none is chosen.
        most: how many bars; the rest is summed up as one where summing makes sense (`share`). Elsewhere the note says
            how many more there are, and the table has all.
        share: whether the parts add up, so that shares can be written and the rest summed.
        cumulative: write the running share too, as in a Pareto chart.
        is_ranked: False sorts by name, for people.
        is_ascending: smallest first.
        whole: what the shares are of, where the bars overlap; else their sum.
    """
    data = frame[[dimension, metric]].dropna(subset=[metric]).astype({metric: float})
    data = data[data[metric] != 0].sort_values(metric, ascending=is_ascending, kind="stable")
    if data.empty:
        return NOTHING
    colours, unit = COLOURS[view.theme], view.unit(metric)
    total = float(data[metric].sum()) if whole is None else whole
    data["name"] = data[dimension].map(names_of(view, dimension), na_action=None)
    if not is_ranked:
        # Drawn are those with the most, the others follow in the table; by name, both.
        data = pd.concat([part.sort_values("name", kind="stable") for part in (data.head(most), data.iloc[most:])])
    shown, values = data["name"].tolist(), data[metric].tolist()
    is_chosen = [not chosen or str(v) in chosen for v in data[dimension]]
    picks = _picks(data[dimension])
    if len(values) > most and share:
        shown = [*shown[: most - 1], view.t("{number} others", number=len(values) - most + 1)]
        values = [*values[: most - 1], float(sum(values[most - 1 :]))]
        is_chosen = [*is_chosen[: most - 1], not chosen]
        picks = (*picks[: most - 1], None)
    running = np.cumsum(values) / total
    labels = []
    for i, value in enumerate(values):
        label = view.formats.value(value, unit)
        if share and total > 0:
            label += f" · {view.formats.value(value / total, 'percent')}"
        if cumulative and i:
            label += f" (Σ {view.formats.value(running[i], 'percent')})"
        labels.append(label)
    table = pd.DataFrame({view.title(dimension): shown, view.label(metric): labels})
    columns = [
        Column(view.title(dimension), shown),
        Column(view.label(metric), values, unit, metric),
    ]
    if share and total > 0:
        columns.append(Column(view.t("Share of the total"), [value / total for value in values], "percent"))
    if cumulative:
        columns.append(Column(view.t("Running share"), running.tolist(), "percent"))
    note = view.left_out(len(values) - most)
    shown, values, labels, is_chosen = shown[:most], values[:most], labels[:most], is_chosen[:most]
    top = max(0.0, *values)
    fills = [colours.main if c else colours.faint for c in is_chosen]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": values,
        "y": list(range(len(values))),
        "text": labels,
        "textposition": ["inside" if value > 0.62 * top else "outside" for value in values],
        "insidetextanchor": "end",
        **bar_text(fills, 12, view.theme),
        "cliponaxis": False,
        "marker": {"color": fills, "cornerradius": 3},
        "customdata": [hover([safe(n), label]) for n, label in zip(shown, labels, strict=True)],
        "hovertemplate": HOVER,
    }
    drawn = figure(
        view.theme,
        [trace],
        ROW * len(values) + 12,
        xaxis={"visible": False, "range": [min(0.0, *values), top * 1.02]},
        yaxis=label_axis(shown),
    )
    most_of = int(np.argmax(values))
    alt = view.t(
        "{metric}: most for {name} with {value}.", metric=view.label(metric), name=shown[most_of], value=labels[most_of]
    )
    return Drawing(drawn, alt, table, note, columns, dimension, picks[:most])


def ranked(view: View, metric: str, dimension: str, **options: Any) -> Drawing:
    """Draw `ranked_bars` of a metric by a dimension, the values that the reader has filtered by in colour.

    Args:
        view: the reader's view.
        metric: what the bars measure.
        dimension: what they are; its own filter is left aside.
        options: of `ranked_bars`.
    """
    if dimension not in view.gateway.dimensions(metric):
        return NOTHING
    frame = view.ask(metric, by=(dimension,), without=(dimension,))
    if frame.empty or metric not in frame:
        return NOTHING
    return ranked_bars(view, frame, dimension, metric, chosen=dict(view.where).get(dimension, ()), **options)


def estimates(
    view: View,
    frame: pd.DataFrame,
    dimension: str,
    metric: str,
    *,
    chosen: Sequence[str] = (),
    is_ranked: bool = True,
    is_ascending: bool = False,
    most: int = 40,
    common: float | None = None,
) -> Drawing:
    """Draw a ratio by the values of a dimension as points with their 95 % intervals beside the common rate.

    Those with fewer than 30 in the denominator come last, in grey and by name: they are never ranked.

    Args:
        view: the reader's view.
        frame: columns `dimension`, `metric`, its numerator and its denominator.
        dimension: what the points are.
        metric: a ratio of unit percent (Wilson intervals) or per_100 (exact Poisson intervals).
        chosen: values drawn in colour while the others turn grey.
        is_ranked: False sorts by name, for people.
        is_ascending: lowest rate first.
        most: how many rows are drawn, those with the largest denominators; the note says how many more there are, and
            the table has all.
        common: the rate over all, where rows overlap and it is not that of their sums.
    """
    data = ratio_frame(frame, dimension, metric)
    if data.empty:
        return NOTHING
    data["name"] = data[dimension].map(names_of(view, dimension), na_action=None)
    data["is_few"] = data["denominator"] < ENOUGH
    data["is_chosen"] = [not chosen or str(v) in chosen for v in data[dimension]]
    unit, formats, colours = view.unit(metric), view.formats, COLOURS[view.theme]
    scale = scale_of(view, metric)
    data["low"], data["high"] = ratio_interval(unit, data["numerator"], data["denominator"], scale)
    data["order"] = np.where(data["is_few"] | (not is_ranked), 0.0, data["rate"] * (1 if is_ascending else -1))
    data = data.sort_values(["is_few", "order", "name"], kind="stable").reset_index(drop=True)
    shown = data.loc[data["denominator"].nlargest(most).index].sort_index().reset_index(drop=True)
    if common is None:
        common = float(scale * data["numerator"].sum() / data["denominator"].sum())
    rows = list(range(len(shown)))
    shades = [
        colours.faint if few or not is_chosen else colours.main
        for few, is_chosen in zip(shown["is_few"], shown["is_chosen"], strict=True)
    ]
    texts = ratio_texts(view, shown, metric)
    top = max(float(shown["rate"].max()), float(np.nanquantile(shown["high"], 0.85)), common)
    trace = {
        "type": "scatter",
        "mode": "markers",
        "cliponaxis": False,
        "x": shown["rate"].tolist(),
        "y": rows,
        "error_x": whiskers(shown["rate"], shown["low"], shown["high"], colours.faint),
        "marker": {"size": 10, "color": shades, "line": {"width": 0}},
        "customdata": texts,
        "hovertemplate": HOVER,
    }
    labels = [_label_with_n(name, n) for name, n in zip(shown["name"], shown["denominator"], strict=True)]
    drawn = figure(
        view.theme,
        [trace],
        (ROW_OF_TWO if any("<br>" in label for label in labels) else ROW) * len(shown) + AXIS_ROOM,
        xaxis=value_axis(formats, unit, 0.0, top, view.theme, is_tight=True),
        # A point at 0 stands on the axis: the name keeps off it.
        yaxis=label_axis(shown["name"].tolist(), ticktext=labels, ticklabelstandoff=6),
        shapes=[_rule(common, colours.accent)],
        showlegend=False,
    )
    enough = data[~data["is_few"]]
    alt = view.t("{metric}: {common} over all.", metric=view.label(metric), common=formats.value(common, unit))
    if len(enough) and is_ranked:
        best, worst = enough.iloc[int(enough["rate"].argmax())], enough.iloc[int(enough["rate"].argmin())]
        alt += " " + view.t(
            "Highest {high_name} with {high}, lowest {low_name} with {low}.",
            high_name=best["name"],
            high=formats.value(best["rate"], unit),
            low_name=worst["name"],
            low=formats.value(worst["rate"], unit),
        )
    title = view.title(dimension)
    table = ratio_table(view, data, metric, title)
    columns = ratio_columns(view, data, metric, Column(title, data["name"].tolist()))
    note = view.t("Line: the common rate, {rate}. Bars: 95% intervals.", rate=formats.value(common, unit))
    if data["is_few"].any():
        note += " " + view.t("Grey and unranked: fewer than 30.")
    note = f"{note} {view.left_out(len(data) - len(shown))}".strip()
    return Drawing(drawn, alt, table, note, columns, dimension, _picks(shown[dimension]))


def rated(view: View, metric: str, dimension: str, **options: Any) -> Drawing:
    """Draw `estimates` of a rate by a dimension, the values that the reader has filtered by in colour.

    People stand by name: they are not ranked.

    Args:
        view: the reader's view.
        metric: the rate.
        dimension: what the points are; its own filter is left aside.
        options: of `estimates`.
    """
    if dimension not in view.gateway.dimensions(metric):
        return NOTHING
    frame = view.ask(metric, by=(dimension,), without=(dimension,))
    options = {"chosen": dict(view.where).get(dimension, ()), "is_ranked": dimension != "employee", **options}
    return NOTHING if frame.empty else estimates(view, frame, dimension, metric, **options)


def ratio_frame(frame: pd.DataFrame, dimension: str, metric: str) -> pd.DataFrame:
    """Return `dimension`, rate, numerator and denominator of the rows that have a denominator."""
    if frame.empty or f"{metric}__denominator" not in frame:
        return pd.DataFrame({dimension: [], "rate": [], "numerator": [], "denominator": []}, dtype=float)
    data = pd.DataFrame(
        {
            dimension: frame[dimension].to_numpy(),
            "rate": frame[metric].astype(float).to_numpy(),
            "numerator": frame[f"{metric}__numerator"].astype(float).fillna(0).to_numpy(),
            "denominator": frame[f"{metric}__denominator"].astype(float).fillna(0).to_numpy(),
        }
    )
    return data[data["denominator"] > 0].reset_index(drop=True)


def ratio_interval(
    unit: str, numerator: pd.Series, denominator: pd.Series, scale: float = 1.0
) -> tuple[Floats, Floats]:
    """Return the 95 % interval of ratios: Wilson for proportions, exact Poisson for rates, none for ratios of money."""
    if unit == "percent":
        return wilson(numerator, denominator)
    if unit == "per_100":
        low, high = poisson_exact(numerator, denominator)
        return scale * low, scale * high
    nothing = np.full(len(numerator), np.nan)
    return nothing, nothing


def ratio_table(view: View, data: pd.DataFrame, metric: str, title: str) -> pd.DataFrame:
    """Return rates as text: name, rate, interval, numerator, denominator."""
    unit, formats = view.unit(metric), view.formats
    return pd.DataFrame(
        {
            title: data["name"].tolist(),
            view.label(metric): [formats.value(v, unit) for v in data["rate"]],
            view.t("95% interval"): [
                formats.interval(lo, hi, unit) for lo, hi in zip(data["low"], data["high"], strict=True)
            ],
            view.t("Cases"): [f"{v:,.0f}" for v in data["numerator"]],
            view.t("Out of"): [f"{v:,.0f}" for v in data["denominator"]],
        }
    )


def ratio_columns(view: View, data: pd.DataFrame, metric: str, heads: Column) -> list[Column]:
    """Return rates as they are: what heads the rows, rate, both ends of the interval, numerator, denominator.

    Args:
        view: the reader's view.
        data: columns rate, low, high, numerator and denominator.
        metric: the ratio.
        heads: the first column.
    """
    unit = view.unit(metric)
    columns = [
        heads,
        Column(view.label(metric), data["rate"].tolist(), unit, metric),
        Column(view.t("95% interval, from"), data["low"].tolist(), unit),
        Column(view.t("95% interval, to"), data["high"].tolist(), unit),
        Column(view.t("Cases"), data["numerator"].tolist(), "count"),
        Column(view.t("Out of"), data["denominator"].tolist(), "count"),
    ]
    has_interval = bool(data[["low", "high"]].notna().any(axis=None))
    return columns if has_interval else [*columns[:2], *columns[4:]]


def _picks(values: pd.Series) -> tuple[str | None, ...]:
    """Return what a click on each mark filters by."""
    return tuple(None if is_unknown(value) else str(value) for value in values)


def _rule(x: float, colour: str) -> dict[str, Any]:
    line = {"color": colour, "width": 1.5, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line, "layer": "below"}


def _label_with_n(name: str, denominator: float) -> str:
    return f"{'<br>'.join(wrapped(name, 18))}  <span style='font-size:10px'>n={denominator:,.0f}</span>"


def scale_of(view: View, metric: str) -> float:
    """Return what a ratio's quotient is multiplied by."""
    definition = view.gateway.metric(metric)
    return float(definition.scale) if definition else 1.0


def ratio_texts(view: View, data: pd.DataFrame, metric: str) -> list[str]:
    """Return what is said of each rate when a pointer rests on it."""
    unit, formats = view.unit(metric), view.formats
    columns = (data[c] for c in ("name", "rate", "low", "high", "numerator", "denominator", "is_few"))
    return [
        hover(
            [
                safe(name),
                f"{safe(view.label(metric))}: {formats.value(rate, unit)}",
                view.t("95% interval: {interval}", interval=formats.interval(low, high, unit)),
                view.t("{numerator} of {denominator}", numerator=f"{cases:,.0f}", denominator=f"{size:,.0f}"),
                *([view.t("Fewer than 30: not comparable")] if is_few else []),
            ]
        )
        for name, rate, low, high, cases, size, is_few in zip(*columns, strict=True)
    ]


def _fading(dark: str, light: str, count: int) -> list[str]:
    """Return `count` colours from `dark` to `light`."""
    first, last = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)], float) for c in (dark, light))
    steps = (first + (last - first) * i / max(count - 1, 1) for i in range(count))
    return [f"rgb({r:.0f},{g:.0f},{b:.0f})" for r, g, b in steps]
