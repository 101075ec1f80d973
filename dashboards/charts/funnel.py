"""Funnel plots: units against how much each rests on, with the limits within which chance alone moves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dashboards.charts.comparison import (
    ratio_columns,
    ratio_frame,
    ratio_interval,
    ratio_table,
    ratio_texts,
    scale_of,
)
from dashboards.comparison_inputs import EMPLOYEE
from dashboards.fair_comparison import FairComparison
from dashboards.names import names_of
from dashboards.view import View
from loupan.statistics.casemix import ratio_limits
from loupan.statistics.intervals import (
    ENOUGH,
    Dispersion,
    Floats,
    dispersion,
    proportion_limits,
    rate_limits,
)
from loupan.ui.drawing import HOVER, NOTHING, Column, Drawing, Finished, figure, hover, safe, value_axis
from loupan.ui.palette import COLOURS

_INNER, _OUTER = 0.95, 0.998
_HIGHEST = 2.0
Limits = Callable[[Floats, float], tuple[Floats, Floats]]


def funnel_plot(view: View, frame: pd.DataFrame, dimension: str, metric: str, *, height: int = 420) -> Drawing:
    """Draw each unit's rate against its size with the limits of chance at 95 % and 99.8 % around the common rate.

    Args:
        view: the reader's view.
        frame: columns `dimension`, `metric`, its numerator and its denominator.
        dimension: the units compared, usually employees.
        metric: a ratio of unit percent or per_100.
        height: in pixels.
    """
    data = ratio_frame(frame, dimension, metric)
    if data.empty:
        return NOTHING
    data["name"] = data[dimension].map(names_of(view, dimension), na_action=None)
    data["is_few"] = data["denominator"] < ENOUGH
    unit, formats = view.unit(metric), view.formats
    scale = scale_of(view, metric)
    data["low"], data["high"] = ratio_interval(unit, data["numerator"], data["denominator"], scale)
    ordered, title = data.sort_values("name", kind="stable"), view.title(dimension)
    columns = ratio_columns(view, ordered, metric, Column(title, ordered["name"].tolist()))
    if data["is_few"].all():
        note = view.t("Nobody has 30 cases in this period: too few to compare by.")
        return Drawing(None, table=ratio_table(view, ordered, metric, title), note=note, columns=columns)
    common = data["numerator"].sum() / data["denominator"].sum()
    is_proportion = unit == "percent"
    spread = _dispersion(data[~data["is_few"]], common, is_proportion)
    factor = spread.factor if spread.is_excessive else 1.0

    def limits(sizes: Floats, level: float) -> tuple[Floats, Floats]:
        low, high = (proportion_limits if is_proportion else rate_limits)(common, sizes, level, factor)
        return scale * low, scale * high

    data["size"], data["value"], data["text"] = data["denominator"], data["rate"], ratio_texts(view, data, metric)
    _mark(data, limits)
    # Rates of few cases do not stretch the axis; nor is a proportion ever above its whole.
    top = max(float(data.loc[~data["is_few"], "rate"].max()) * 1.1, scale * common * 2)
    top = min(top, scale) if is_proportion else top
    ends = max(5.0, float(data["size"].min())), float(data["size"].max()) * 1.04
    sizes: Floats = np.unique(np.round(np.geomspace(*ends, 120))).astype(float)
    drawn = _picture(
        view, data, limits, sizes, scale * common, top, unit, (_denominator_label(view, metric), ""), height
    )
    alt = view.t(
        "{metric} against size: common rate {common}; {outside} of {units} lie outside the 99.8% limits.",
        metric=view.label(metric),
        common=formats.value(scale * common, unit),
        outside=int(data["is_outside"].sum()),
        units=int((~data["is_few"]).sum()),
    )
    note = " ".join(
        [
            _spread_note(view, dimension, spread, has_outside=bool(data["is_outside"].any())),
            view.t("Differences in who was served are not taken out here: a point outside is a question, no verdict."),
            *([view.t("Triangles at the edge stand for rates beyond it.")] if (data["value"] > top).any() else []),
        ]
    )
    return Drawing(drawn, alt, ratio_table(view, ordered, metric, title), note, columns=columns)


def fair_funnel(view: View, found: FairComparison, *, height: int = 420) -> Drawing:
    """Draw each unit's observed ÷ expected against its expected number, with the limits of chance around 1.

    Args:
        view: the reader's view.
        found: the comparison.
        height: in pixels.
    """
    units, formats, t = found.adjusted, view.formats, view.t
    name = names_of(view, found.unit)
    data = pd.DataFrame(
        {
            "name": [*map(name, units.units)],
            "size": units.expected,
            "value": units.ratio,
            "is_few": ~units.has_enough,
        }
    )
    spread = units.dispersion()
    factor = spread.factor if spread.is_excessive else 1.0
    share = float(units.variance.sum() / units.expected.sum())

    def limits(expected: Floats, level: float) -> tuple[Floats, Floats]:
        return ratio_limits(expected, level, share, factor)

    columns = [
        Column(view.title(found.unit), data["name"].tolist()),
        Column(t("Cases"), units.observed.tolist(), "count"),
        Column(t("Expected"), units.expected.tolist(), "ratio"),
        Column(t("Observed ÷ expected"), units.ratio.tolist(), "ratio"),
        Column(t("95% interval, from"), units.ratio_low.tolist(), "ratio"),
        Column(t("95% interval, to"), units.ratio_high.tolist(), "ratio"),
    ]
    data["text"] = [
        hover(
            [
                safe(who),
                t("{observed} observed, {expected} expected", observed=f"{o:,.0f}", expected=f"{e:,.1f}"),
                t("Observed ÷ expected: {ratio}", ratio=formats.value(ratio, "ratio")),
                t("95% interval: {interval}", interval=formats.interval(low, high, "ratio")),
                *([t("Fewer than 30: not comparable")] if is_few else []),
            ]
        )
        for who, o, e, ratio, low, high, is_few in zip(
            data["name"], units.observed, units.expected, units.ratio, units.ratio_low, units.ratio_high,
            data["is_few"], strict=True,
        )
    ]  # fmt: skip
    _mark(data, limits)
    # Neither rates of few cases nor wide limits stretch the axis.
    compared = data[~data["is_few"]]
    widest = float(limits(compared["size"].to_numpy(float), _OUTER)[1].max())
    top = max(float(compared["value"].max()) * 1.1, min(widest, _HIGHEST))
    sizes = np.geomspace(max(0.5, data["size"].min()), data["size"].max() * 1.04, 120)
    titles = t("Expected number"), t("Observed ÷ expected")
    drawn = _picture(view, data, limits, sizes, 1.0, top, "ratio", titles, height)
    alt = t(
        "{metric}, observed ÷ expected: {outside} of {units} lie outside the 99.8% limits around 1.",
        metric=view.label(found.metric),
        outside=int(data["is_outside"].sum()),
        units=int((~data["is_few"]).sum()),
    )
    note = _spread_note(view, found.unit, spread, has_outside=bool(data["is_outside"].any()))
    if (data["value"] > top).any():
        note += " " + t("Triangles at the edge stand for rates beyond it.")
    order = data["name"].argsort(kind="stable")
    columns = [Column(c.title, [c.values[place] for place in order], c.unit) for c in columns]
    table = pd.DataFrame(
        {c.title: c.values if c.unit == "" else [formats.value(v, c.unit) for v in c.values] for c in columns[:4]}
        | {
            t("95% interval"): [
                formats.interval(low, high, "ratio")
                for low, high in zip(columns[4].values, columns[5].values, strict=True)
            ]
        }
    )
    return Drawing(drawn, alt, table, note, columns)


def _mark(data: pd.DataFrame, limits: Limits) -> None:
    """Say which units with enough cases lie outside the outer limits."""
    low, high = limits(data["size"].to_numpy(float), _OUTER)
    data["is_outside"] = ~data["is_few"] & ((data["value"] > high) | (data["value"] < low))


def _picture(
    view: View,
    data: pd.DataFrame,
    limits: Limits,
    sizes: Floats,
    centre: float,
    top: float,
    unit: str,
    titles: tuple[str, str],
    height: int,
) -> Finished:
    """Draw a funnel.

    Args:
        view: the reader's view.
        data: columns size, value, text, is_few and is_outside.
        limits: from sizes and a level.
        sizes: at which the limits are drawn.
        centre: where all would be without chance.
        top: end of the vertical axis; what is beyond stands at it as a triangle.
        unit: of the values.
        titles: of the axis of sizes and of that of values.
        height: in pixels.
    """
    colours, formats = COLOURS[view.theme], view.formats
    traces: list[dict[str, Any]] = []
    for level, dash, name in ((_INNER, "dot", view.t("95% limits")), (_OUTER, "solid", view.t("99.8% limits"))):
        traces += [
            {
                "type": "scatter",
                "mode": "lines",
                "x": sizes.tolist(),
                "y": bound.tolist(),
                "line": {"color": colours.muted, "width": 1.2, "dash": dash},
                "hoverinfo": "skip",
                "name": name,
                "legendgroup": name,
                "showlegend": i == 0,
            }
            for i, bound in enumerate(limits(sizes, level))
        ]
    groups = (
        (data["is_few"], colours.faint, view.t("Fewer than 30")),
        (~data["is_few"] & ~data["is_outside"], colours.main, view.t("Within the limits")),
        (data["is_outside"], colours.accent, view.t("Outside the limits")),
    )
    for is_member, colour, name in groups:
        members = data[is_member]
        if members.empty:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": members["size"].tolist(),
                "y": members["value"].clip(upper=top).tolist(),
                "marker": {
                    "size": 10,
                    "color": colour,
                    "line": {"width": 1, "color": "rgba(255,255,255,0.6)"},
                    "symbol": ["triangle-up" if value > top else "circle" for value in members["value"]],
                },
                "cliponaxis": False,
                "name": name,
                "customdata": members["text"].tolist(),
                "hovertemplate": HOVER,
            }
        )
    across, up = (safe(title) for title in titles)
    return figure(
        view.theme,
        traces,
        height,
        xaxis=value_axis(formats, "count", 0, float(data["size"].max()), view.theme, is_tight=True)
        | {"showgrid": False, "title": {"text": across}},
        yaxis=value_axis(formats, unit, 0.0, top, view.theme)
        | {"range": [0, top], **({"title": {"text": up}} if up else {})},
        shapes=[_level(centre, colours.accent)],
    )


def _spread_note(view: View, dimension: str, spread: Dispersion, *, has_outside: bool) -> str:
    """Say whether units differ by more than chance gives."""
    is_people = dimension == EMPLOYEE
    if spread.is_excessive:
        words = (
            view.t("People differ more than chance allows (dispersion {factor}); the limits are widened accordingly.")
            if is_people
            else view.t(
                "They differ more than chance allows (dispersion {factor}); the limits are widened accordingly."
            )
        )
        return words.format(factor=view.formats.value(spread.factor, "ratio"))
    if not is_people:
        return view.t("Apart from any points outside, no spread between them beyond chance could be shown.")
    if has_outside:
        return view.t("Apart from the points outside, no spread between people beyond chance could be shown.")
    return view.t("No spread between people beyond chance could be shown.")


def _level(y: float, colour: str) -> dict[str, Any]:
    line = {"color": colour, "width": 1.5, "dash": "dot"}
    return {"type": "line", "y0": y, "y1": y, "x0": 0, "x1": 1, "xref": "paper", "line": line, "layer": "below"}


def _denominator_label(view: View, metric: str) -> str:
    definition = view.gateway.metric(metric)
    return view.label(definition.denominator) if definition and definition.denominator else ""


def _dispersion(data: pd.DataFrame, common: float, is_proportion: bool) -> Dispersion:
    """Test the spread of units with enough cases; square roots stabilise the variance of both kinds of rate."""
    n, x = data["denominator"].to_numpy(float), data["numerator"].to_numpy(float)
    if is_proportion:
        z = 2 * np.sqrt(n) * (np.arcsin(np.sqrt(np.clip(x / n, 0, 1))) - np.arcsin(np.sqrt(common)))
    else:
        z = 2 * (np.sqrt(x) - np.sqrt(common * n))
    return dispersion(z)
