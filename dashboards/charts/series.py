"""Charts over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dashboards.charts.comparison import ratio_columns, ratio_interval, ratio_table, scale_of
from dashboards.charts.events import STRIP, marks
from dashboards.charts.limits import limit_lines, reach, rings, with_signals
from dashboards.control import control_of, controls_of
from dashboards.view import COMPARISONS, View
from loupan.formats import is_missing
from loupan.metrics.maturity import TO_DATE_METRICS
from loupan.statistics.intervals import ENOUGH, Floats
from loupan.ui.drawing import (
    HOVER,
    MONTHS,
    NOTHING,
    Column,
    Drawing,
    figure,
    hover,
    month_axis,
    safe,
    value_axis,
    written,
)
from loupan.ui.palette import COLOURS


@dataclass(frozen=True)
class Bars:
    """One kind of bar in `columns_and_line`: a metric by month and how to colour it."""

    metric: str
    values: pd.Series
    role: str


def columns_and_line(view: View, bars: Sequence[Bars], line: Bars, height: int = 320) -> Drawing:
    """Draw a metric's parts as columns (downwards where negative) and their balance as a line, by month."""
    months = view.months()
    colours, formats = COLOURS[view.theme], view.formats
    if all(b.values.reindex(months).isna().all() for b in (*bars, line)):
        return NOTHING
    # The gateway leaves out months in which nothing happened; of money that did not move the sum is 0.
    series = [Bars(b.metric, b.values.reindex(months).fillna(0.0), b.role) for b in (*bars, line)]
    unit = view.unit(line.metric)
    texts = [
        hover(
            [
                formats.period_label(m),
                *(f"{safe(view.label(b.metric))}: {formats.value(b.values[m], unit)}" for b in series),
            ]
        )
        for m in months
    ]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": view.label(b.metric),
            "x": months,
            "y": b.values.tolist(),
            "marker": {"color": getattr(colours, b.role), "cornerradius": 3},
            "customdata": texts,
            "hovertemplate": HOVER,
        }
        for b in series[:-1]
    ]
    # Limits of the balance alone: what it is made of is told of in words.
    found = controls_of(view, [b.metric for b in (line, *bars)])
    balance = found.get(line.metric)
    traces += limit_lines(view, balance, months)
    traces += course(view, view.label(line.metric), months, series[-1].values.tolist(), colours.accent, texts)
    traces += rings(view, balance, months)
    everything = [*pd.concat([b.values for b in series]).astype(float), *reach(balance)]
    axis = value_axis(formats, unit, min(0.0, *everything), max(0.0, *everything), view.theme)
    total = float(series[-1].values.sum())
    best = int(series[-1].values.astype(float).argmax())
    alt = view.t(
        "{metric} by month: {total} in all; highest in {month} with {value}.",
        metric=view.label(line.metric),
        total=formats.value(total, unit),
        month=formats.period_label(months[best]),
        value=formats.value(series[-1].values.iloc[best], unit),
    )
    columns = [
        Column(view.t("Month"), months, MONTHS),
        *(Column(view.label(b.metric), b.values.tolist(), unit, b.metric) for b in series),
    ]
    drawing = Drawing(None, alt, written(formats, columns), unfinished(view), columns)
    return over_months(
        view,
        months,
        traces,
        axis | {"zeroline": True, "zerolinecolor": colours.faint},
        with_signals(view, drawing, {view.label(m): c for m, c in found.items()}, unit, view.label(line.metric)),
        height,
        barmode="relative",
    )


def rate_by_month(view: View, frame: pd.DataFrame, metric: str, height: int = 300) -> Drawing:
    """Draw a rate by month within the limits of its ordinary variation; where those are refused, with its intervals.

    Cohorts too young to be compared are drawn hollow.

    Args:
        view: the reader's view.
        frame: columns month, the metric, its numerator and its denominator.
        metric: a ratio of counts, of unit percent or per_100.
        height: in pixels.
    """
    data = _ratio_by_month(view, frame, metric)
    if data is None:
        return NOTHING
    formats, colours, unit, months = view.formats, COLOURS[view.theme], view.unit(metric), list(data.index)
    low, high = ratio_interval(unit, data["numerator"], data["denominator"], scale_of(view, metric))
    found = control_of(view, metric)
    is_limited = found is not None and found.limits is not None
    is_young = [metric in TO_DATE_METRICS and m >= view.young_from for m in months]
    is_few = data["denominator"] < ENOUGH
    traces = [
        *([] if is_limited else band(data.index, low, high, colours.band, view.t("95% interval"))),
        *limit_lines(view, found, months),
        *course(
            view,
            view.label(metric),
            months,
            data["rate"].tolist(),
            colours.main,
            _rate_texts(view, metric, data, low, high),
            marks=[colours.faint if few else colours.main for few in is_few],
            symbols=["circle-open" if young else "circle" for young in is_young] if any(is_young) else (),
            in_legend=False,
        ),
        *rings(view, found, months),
    ]
    notes = [unfinished(view)]
    if any(is_young):
        notes.append(
            view.t("Hollow points are young cohorts: many of their leads are still undecided, so the rate will change.")
        )
    table, columns = _rates(view, metric, data, low, high)
    drawing = Drawing(None, _rate_alt(view, metric, data), table, " ".join(filter(None, notes)), columns)
    top = max([_top(high, data["rate"]) if not is_limited else float(data["rate"].max()) * 1.1, *reach(found)])
    return over_months(
        view,
        months,
        traces,
        value_axis(formats, unit, 0.0, min(top, 1.0) if unit == "percent" else top, view.theme),
        with_signals(view, drawing, {view.label(metric): found}, unit, view.label(metric)),
        height,
        showlegend=False,
    )


def lines_by_month(
    view: View, frame: pd.DataFrame, metrics: Sequence[str], height: int = 300, before: pd.DataFrame | None = None
) -> Drawing:
    """Draw several metrics of one unit by month, one line each.

    Args:
        view: the reader's view.
        frame: columns month and the metrics.
        metrics: all of one unit.
        height: in pixels.
        before: month and the first metric in the days compared with, for a faint line where it is the only metric.
    """
    months = view.months()
    data = frame.set_index("month").reindex(months) if "month" in frame and len(frame) else pd.DataFrame(index=months)
    shown = [m for m in metrics if m in data and data[m].notna().any()]
    if not shown:
        return NOTHING
    # The gateway leaves out months in which nothing happened: counts and sums are 0 there, all else is unknown.
    definitions = {m: view.gateway.metric(m) for m in shown}
    data = data.fillna({m: 0 for m, definition in definitions.items() if definition and definition.is_additive})
    formats, colours, unit = view.formats, COLOURS[view.theme], view.unit(shown[0])
    traces = [
        trace
        for i, metric in enumerate(shown)
        for trace in course(
            view,
            view.label(metric),
            months,
            [None if is_missing(v) else float(v) for v in data[metric]],
            colours.series[i % len(colours.series)],
            [
                hover([formats.period_label(m), f"{safe(view.label(metric))}: {view.write(v, metric)}"])
                for m, v in zip(months, data[metric], strict=True)
            ],
        )
    ]
    found = controls_of(view, metrics)
    # Beside several lines, those of limits would be clutter.
    alone = found.get(shown[0]) if len(shown) == 1 else None
    earlier = earlier_values(view, before, "month", shown[0]) if len(shown) == 1 else None
    traces = [
        *earlier_course(view, earlier, months, shown[0]),
        *limit_lines(view, alone, months),
        *traces,
        *rings(view, alone, months),
    ]
    top = max([float(data[shown].astype(float).max().max()), *([] if earlier is None else [earlier.max()])])
    top = max([top, *reach(alone)])
    columns = [
        Column(view.t("Month"), months, MONTHS),
        *(Column(view.label(m), data[m].tolist(), view.unit(m), m) for m in shown),
        *earlier_columns(view, earlier, months, shown[0]),
    ]
    alt = view.t("; ").join(_in_words(view, m, data[m].dropna()) for m in shown) + "."
    drawing = Drawing(None, alt, written(formats, columns), unfinished(view), columns)
    return over_months(
        view,
        months,
        traces,
        value_axis(formats, unit, 0.0, top, view.theme),
        with_signals(
            view, drawing, {view.label(m): found.get(m) for m in shown}, unit, view.label(shown[0]) if alone else ""
        ),
        height,
        showlegend=len(shown) > 1 or earlier is not None,
    )


def over_months(
    view: View,
    months: Sequence[str],
    traces: Sequence[Mapping[str, Any]],
    axis: Mapping[str, Any],
    told: Drawing,
    height: int,
    **layout: Any,
) -> Drawing:
    """Finish a drawing by month: the figure, and beneath it what happened to the company in these months.

    Args:
        view: the reader's view.
        months: YYYY-MM, in order.
        traces: of the figure.
        axis: the axis of values.
        told: alt, note, and the table with a row per month.
        height: in pixels, without the strip of events.
        layout: further layout.
    """
    events = marks(view, months)
    months_axis = month_axis(view.formats, months)
    if events is None:
        drawn = figure(view.theme, traces, height, xaxis=months_axis, yaxis=dict(axis), **layout)
        return replace(told, figure=drawn)
    strip = STRIP / height
    drawn = figure(
        view.theme,
        [*traces, events.trace],
        height + STRIP,
        xaxis=months_axis | {"anchor": "y2"},
        yaxis=dict(axis) | {"domain": [1.3 * strip, 1]},
        yaxis2={"domain": [0, strip], "range": [0, 1], "visible": False, "fixedrange": True},
        **layout,
    )
    title, texts = view.t("Events"), list(events.by_month)
    return replace(
        told,
        figure=drawn,
        alt=f"{told.alt} {events.words}",
        table=told.table.assign(**{title: texts}),
        note=f"{told.note} {events.words}".strip(),
        columns=[*told.columns, Column(title, texts)],
    )


def earlier_values(view: View, before: pd.DataFrame | None, grain: str, metric: str) -> pd.Series | None:
    """Return a metric by the periods of the days compared with, or None where there is nothing to compare."""
    if before is None or before.empty or metric not in before or view.comparison is None:
        return None
    known = before.dropna(subset=[grain]).set_index(grain)[metric].astype(float)
    values = known.reindex(replace(view, period=view.comparison).periods(grain))
    definition = view.gateway.metric(metric)
    return values.fillna(0.0) if definition and definition.is_additive else values


def earlier_course(view: View, earlier: pd.Series | None, periods: Sequence[str], metric: str) -> list[dict[str, Any]]:
    """Return the faint line of the days compared with, each period at the place of the one it is compared with."""
    if earlier is None:
        return []
    colour, name = COLOURS[view.theme].faint, view.t(COMPARISONS[view.compare])
    pairs = list(zip(periods, earlier.items(), strict=False))
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [period for period, _ in pairs],
            "y": [None if is_missing(value) else value for _, (_, value) in pairs],
            "line": {"color": colour, "width": 2},
            "customdata": [
                hover(
                    [view.formats.period_label(str(label)), f"{safe(view.label(metric))}: {view.write(value, metric)}"]
                )
                for _, (label, value) in pairs
            ],
            "hovertemplate": HOVER,
        }
    ]


def earlier_columns(view: View, earlier: pd.Series | None, periods: Sequence[str], metric: str) -> list[Column]:
    """Return the days compared with as a column, one value per period; none where nothing is compared."""
    if earlier is None:
        return []
    values = [*earlier.iloc[: len(periods)], *[None] * (len(periods) - len(earlier))]
    return [Column(view.t(COMPARISONS[view.compare]), values, view.unit(metric), metric)]


def course(
    view: View,
    name: str,
    months: Sequence[str],
    values: Sequence[float | None],
    colour: str,
    texts: Sequence[str],
    *,
    marks: Sequence[str] = (),
    symbols: Sequence[str] = (),
    in_legend: bool = True,
    grain: str = "month",
) -> list[dict[str, Any]]:
    """Return the traces of one line over months; the way to a month that is not over is dotted, its point hollow.

    Args:
        view: the reader's view.
        name: what the line is.
        months: YYYY-MM; or the labels of periods of another grain.
        values: one per month.
        colour: of the line.
        texts: what to show under the pointer, one per month.
        marks: the colour of each point; the line's by default.
        symbols: the shape of each point; a filled circle by default.
        in_legend: whether the legend names the line.
        grain: of the periods.
    """
    marks = marks or [colour] * len(months)
    cut = len(months) if not months or view.is_over(months[-1], grain) else len(months) - 1
    shapes = {"symbol": list(symbols[:cut]), "line": {"width": 2, "color": list(marks[:cut])}} if symbols else {}
    shared = {
        "type": "scatter",
        "mode": "lines+markers",
        "cliponaxis": False,
        "name": name,
        "legendgroup": name,
        "hovertemplate": HOVER,
    }
    traces: list[dict[str, Any]] = [
        {
            **shared,
            "x": list(months[:cut]),
            "y": list(values[:cut]),
            "line": {"color": colour, "width": 2.5},
            "marker": {
                "size": 7,
                "color": list(marks[:cut]),
                **shapes,
            },
            "customdata": list(texts[:cut]),
            "showlegend": in_legend,
        }
    ]
    if cut < len(months):
        first = max(cut - 1, 0)
        traces.append(
            {
                **shared,
                "x": list(months[first:]),
                "y": list(values[first:]),
                "line": {"color": colour, "width": 2, "dash": "dot"},
                "marker": {"size": [0] * (cut - first) + [8], "symbol": "circle-open", "color": colour},
                "customdata": list(texts[first:]),
                "showlegend": in_legend and cut == 0,
            }
        )
    return traces


def unfinished(view: View, grain: str = "month") -> str:
    """Return the caution that the last month shown, or period of another grain, is not over; or nothing."""
    if view.is_over(view.periods(grain)[-1], grain):
        return ""
    if grain == "month":
        return view.t("The last month is not over yet: dotted, hollow point.")
    return view.t("The last period is not over yet: dotted, hollow point.")


def _ratio_by_month(view: View, frame: pd.DataFrame, metric: str) -> pd.DataFrame | None:
    """Return rate, numerator and denominator by month of the period, or None when no month has a denominator."""
    if frame.empty or f"{metric}__denominator" not in frame:
        return None
    data = pd.DataFrame(
        {
            "rate": frame[metric].astype(float).to_numpy(),
            "numerator": frame[f"{metric}__numerator"].astype(float).fillna(0).to_numpy(),
            "denominator": frame[f"{metric}__denominator"].astype(float).fillna(0).to_numpy(),
        },
        index=pd.Index(frame["month"].astype(str), name="month"),
    ).reindex(view.months())
    data[["numerator", "denominator"]] = data[["numerator", "denominator"]].fillna(0)
    return data if data["denominator"].sum() > 0 else None


def band(months: pd.Index, low: Floats, high: Floats, colour: str, name: str) -> list[dict[str, Any]]:
    """Return the two traces of a shaded band; Plotly cannot fill across gaps, so months without data are left out."""
    known = np.isfinite(low) & np.isfinite(high)
    shared = {
        "type": "scatter",
        "mode": "lines",
        "x": list(months[known]),
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    return [
        {**shared, "y": low[known].tolist(), "showlegend": False},
        {**shared, "y": high[known].tolist(), "fill": "tonexty", "fillcolor": colour, "name": name},
    ]


def _top(high: Floats, rates: pd.Series) -> float:
    """Return the axis' upper end: the rates always fit, a very wide interval of a tiny month may be cut."""
    finite = high[np.isfinite(high)]
    return float(max(rates.max() * 1.1, min(np.quantile(finite, 0.9), rates.max() * 2.5)))


def _in_words(view: View, metric: str, values: pd.Series) -> str:
    return view.t(
        "{metric} by month: between {low} and {high}, last {last}",
        metric=view.label(metric),
        low=view.write(values.min(), metric),
        high=view.write(values.max(), metric),
        last=view.write(values.iloc[-1], metric),
    )


def _rate_texts(view: View, metric: str, data: pd.DataFrame, low: Floats, high: Floats) -> list[str]:
    unit, formats = view.unit(metric), view.formats
    return [
        hover(
            [
                formats.period_label(str(month)),
                f"{safe(view.label(metric))}: {formats.value(row.rate, unit)}",
                view.t("95% interval: {interval}", interval=formats.interval(low[i], high[i], unit)),
                view.t(
                    "{numerator} of {denominator}",
                    numerator=f"{row.numerator:,.0f}",
                    denominator=f"{row.denominator:,.0f}",
                ),
            ]
        )
        for i, (month, row) in enumerate(data.iterrows())
    ]


def _rate_alt(view: View, metric: str, data: pd.DataFrame) -> str:
    known = data["rate"].dropna()
    return view.t(
        "{metric} by month: between {low} ({low_month}) and {high} ({high_month}), last {last}.",
        metric=view.label(metric),
        low=view.write(known.min(), metric),
        low_month=view.formats.period_label(str(known.idxmin())),
        high=view.write(known.max(), metric),
        high_month=view.formats.period_label(str(known.idxmax())),
        last=view.write(known.iloc[-1], metric),
    )


def _rates(view: View, metric: str, data: pd.DataFrame, low: Floats, high: Floats) -> tuple[pd.DataFrame, list[Column]]:
    """Return rates by month as text and as they are."""
    named = data.assign(name=[view.formats.period_label(str(m)) for m in data.index], low=low, high=high)
    title = view.t("Month")
    return ratio_table(view, named, metric, title), ratio_columns(
        view, named, metric, Column(title, list(data.index), MONTHS)
    )
