"""Charts over periods of any length: columns, lines by the values of a dimension, one small panel for each value."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboards.charts.comparison import ratio_interval, scale_of
from dashboards.charts.limits import limit_lines, reach, rings, with_signals
from dashboards.charts.series import band, course, earlier_columns, earlier_course, earlier_values, unfinished
from dashboards.control import Control, control_of, controls_by, controls_of
from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import Formats, is_missing
from loupan.statistics.intervals import ENOUGH
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
    shortened,
    value_axis,
    written,
)
from loupan.ui.palette import COLOURS

_LABELS = 7
_PANEL = 150
_PANELS_ACROSS = 3


def columns_by_period(view: View, frame: pd.DataFrame, grain: str, metric: str, height: int = 320) -> Drawing:
    """Draw a metric by period as columns, downwards where it is negative.

    Args:
        view: the reader's view.
        frame: columns `grain` and `metric`.
        grain: day, week, month, quarter or year.
        metric: what the columns measure.
        height: in pixels.
    """
    periods = view.periods(grain)
    values = _values(view, frame, grain, metric, periods)
    if values.isna().all():
        return NOTHING
    colours, formats = COLOURS[view.theme], view.formats
    texts = _texts(view, periods, metric, values)
    trace = {
        "type": "bar",
        "x": periods,
        "y": _plain(values),
        "marker": {
            "color": [colours.main if view.is_over(p, grain) else colours.faint for p in periods],
            "cornerradius": 3,
        },
        "customdata": texts,
        "hovertemplate": HOVER,
    }
    found = control_of(view, metric, grain)
    drawn = figure(
        view.theme,
        [trace, *limit_lines(view, found, periods), *rings(view, found, periods)],
        height,
        xaxis=period_axis(formats, periods, grain),
        yaxis=_value_axis(view, view.unit(metric), [values], found),
        showlegend=False,
    )
    note = "" if view.is_over(periods[-1], grain) else view.t("Grey: not over yet.")
    columns = _columns(view, grain, {view.label(metric): (metric, values)})
    drawing = Drawing(drawn, _alt(view, metric, values), written(formats, columns), note, columns)
    return with_signals(view, drawing, {view.label(metric): found}, view.unit(metric), view.label(metric))


def lines_by_period(
    view: View,
    frame: pd.DataFrame,
    grain: str,
    metrics: Sequence[str],
    height: int = 320,
    before: pd.DataFrame | None = None,
) -> Drawing:
    """Draw metrics of one unit by period, one line each; what stands alone within the limits of its variation.

    Where limits are refused, a rate that stands alone is drawn with its 95 % intervals.

    Args:
        view: the reader's view.
        frame: columns `grain` and the metrics, of rates their numerators and denominators as well.
        grain: day, week, month, quarter or year.
        metrics: all of one unit.
        height: in pixels.
        before: `grain` and the first metric in the days compared with, for a faint line where it is the only metric.
    """
    periods = view.periods(grain)
    found = {metric: _values(view, frame, grain, metric, periods) for metric in metrics if metric in frame}
    found = {metric: values for metric, values in found.items() if values.notna().any()}
    if not found:
        return NOTHING
    colours, formats, unit = COLOURS[view.theme], view.formats, view.unit(next(iter(found)))
    traces: list[dict[str, Any]] = []
    controls = controls_of(view, metrics, grain)
    first, earlier, alone = next(iter(found)), None, None
    if len(found) == 1:
        alone = controls.get(first)
        earlier = earlier_values(view, before, grain, first)
        if alone is None or alone.limits is None:
            traces += _interval_band(view, frame, grain, first, periods)
        traces += earlier_course(view, earlier, periods, first)
        traces += limit_lines(view, alone, periods)
    for place, (metric, values) in enumerate(found.items()):
        colour = colours.series[place % len(colours.series)]
        is_few = _is_few(frame, grain, metric, periods)
        traces += course(
            view,
            view.label(metric),
            periods,
            _plain(values),
            colour,
            _texts(view, periods, metric, values),
            marks=[colours.faint if few else colour for few in is_few],
            grain=grain,
        )
    drawn = figure(
        view.theme,
        [*traces, *rings(view, alone, periods)],
        height,
        xaxis=period_axis(formats, periods, grain),
        yaxis=_value_axis(view, unit, [*found.values(), *([] if earlier is None else [earlier])], alone),
        showlegend=len(found) > 1 or earlier is not None,
    )
    alt = view.t("; ").join(_alt(view, metric, values) for metric, values in found.items())
    columns = [
        *_columns(view, grain, {view.label(metric): (metric, values) for metric, values in found.items()}),
        *earlier_columns(view, earlier, periods, first),
    ]
    drawing = Drawing(drawn, alt, written(formats, columns), unfinished(view, grain), columns)
    courses = {view.label(metric): controls.get(metric) for metric in found}
    return with_signals(view, drawing, courses, unit, view.label(first) if alone else "")


def lines_by_value(
    view: View, frame: pd.DataFrame, grain: str, metric: str, dimension: str, *, most: int = 6
) -> Drawing:
    """Draw a metric by period with a line for each value of a dimension, the largest values.

    Args:
        view: the reader's view.
        frame: columns `grain`, `dimension` and `metric`, of a rate its numerator and denominator as well.
        grain: day, week, month, quarter or year.
        metric: what the lines measure.
        dimension: what the lines are.
        most: how many lines; the note says how many are left out.
    """
    periods, shown, left_out = view.periods(grain), *_largest(frame, dimension, metric, most)
    if not shown:
        return NOTHING
    colours, names = COLOURS[view.theme], names_of(view, dimension)
    found: dict[str, tuple[str, pd.Series]] = {}
    traces: list[dict[str, Any]] = []
    for place, value in enumerate(shown):
        part = _of_value(frame, dimension, value)
        values, colour = _values(view, part, grain, metric, periods), colours.series[place % len(colours.series)]
        found[_unlike(names(value), found)] = (metric, values)
        is_few = _is_few(part, grain, metric, periods)
        traces += course(
            view,
            shortened(names(value)),
            periods,
            _plain(values),
            colour,
            _texts(view, periods, metric, values, names(value)),
            marks=[colours.faint if few else colour for few in is_few],
            grain=grain,
        )
    drawn = figure(
        view.theme,
        traces,
        360,
        xaxis=period_axis(view.formats, periods, grain),
        yaxis=_value_axis(view, view.unit(metric), [values for _, values in found.values()]),
    )
    note = f"{view.left_out(left_out)} {unfinished(view, grain)}".strip()
    columns = _columns(view, grain, found)
    drawing = Drawing(drawn, _alt_of_values(view, metric, found), written(view.formats, columns), note, columns)
    courses = _courses(view, metric, grain, dimension, shown, [*found])
    return with_signals(view, drawing, courses, view.unit(metric))


def panels_by_value(
    view: View, frame: pd.DataFrame, grain: str, metric: str, dimension: str, *, most: int = 9
) -> Drawing:
    """Draw a metric by period in small panels on one scale, one for each value of a dimension; see `lines_by_value`."""
    periods, shown, left_out = view.periods(grain), *_largest(frame, dimension, metric, most)
    if not shown:
        return NOTHING
    colours, formats, names = COLOURS[view.theme], view.formats, names_of(view, dimension)
    across = min(_PANELS_ACROSS, len(shown))
    down = -(-len(shown) // across)
    found: dict[str, tuple[str, pd.Series]] = {}
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"grid": {"rows": down, "columns": across, "pattern": "independent", "ygap": 0.45}}
    titles = []
    for place, value in enumerate(shown):
        values = _values(view, _of_value(frame, dimension, value), grain, metric, periods)
        found[_unlike(names(value), found)] = (metric, values)
        number = str(place + 1) if place else ""
        texts = _texts(view, periods, metric, values, names(value))
        traces += [
            trace | {"xaxis": f"x{number}", "yaxis": f"y{number}"}
            for trace in course(view, names(value), periods, _plain(values), colours.main, texts, grain=grain)
        ]
        titles.append(
            {
                "text": f"<b>{shortened(names(value), 24)}</b>",
                "xref": f"x{number} domain",
                "yref": f"y{number} domain",
                "x": 0,
                "y": 1.02,
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 12},
            }
        )
    axis = _value_axis(view, view.unit(metric), [values for _, values in found.values()])
    for place in range(len(shown)):
        number = str(place + 1) if place else ""
        ends = [periods[0], periods[-1]] if len(periods) > 1 else periods
        layout[f"xaxis{number}"] = {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": periods,
            "tickvals": ends,
            "ticktext": [_short(formats, end, grain) for end in ends],
            "tickangle": 0,
            "range": [-0.6, len(periods) - 0.4],
        }
        layout[f"yaxis{number}"] = axis | {"showticklabels": place % across == 0}
    drawn = figure(
        view.theme,
        traces,
        _PANEL * down + 30,
        showlegend=False,
        annotations=titles,
        margin={"l": 4, "r": 8, "t": 26, "b": 4},
        **layout,
    )
    note = f"{view.left_out(left_out)} {unfinished(view, grain)}".strip()
    columns = _columns(view, grain, found)
    drawing = Drawing(drawn, _alt_of_values(view, metric, found), written(view.formats, columns), note, columns)
    courses = _courses(view, metric, grain, dimension, shown, [*found])
    return with_signals(view, drawing, courses, view.unit(metric))


def _courses(
    view: View, metric: str, grain: str, dimension: str, shown: Sequence[Hashable], found: Sequence[str]
) -> dict[str, Control | None]:
    """Return the courses of the values shown, by the names they are shown under."""
    courses = controls_by(view, metric, grain, dimension)
    return {name: courses.get(value) for name, value in zip(found, shown, strict=True)}


def period_axis(formats: Formats, periods: Sequence[str], grain: str) -> dict[str, Any]:
    """Return a category axis of periods, few enough labels to fit a telephone; see `month_axis`."""
    if grain == "month":
        return month_axis(formats, periods)
    step = 1 + (len(periods) - 1) // _LABELS
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": list(periods),
        "tickvals": list(periods[::step]),
        "ticktext": [_short(formats, period, grain) for period in periods[::step]],
        "tickangle": 0,
        "range": [-0.6, len(periods) - 0.4],
    }


def period_heads(view: View, grain: str, periods: Sequence[str]) -> Column:
    """Return the column that heads the rows of periods: months as they are, so that files can sort them."""
    if grain == "month":
        return Column(view.title(grain), list(periods), MONTHS)
    return Column(view.title(grain), [view.formats.period_label(period) for period in periods])


def _short(formats: Formats, period: str, grain: str) -> str:
    match grain:
        case "quarter":
            return formats.short_quarter(period)
        case "year":
            return period
        case "month":
            day = date.fromisoformat(f"{period}-01")
            return f"{formats.short_month(day)}<br>{day.year}"
    day = date.fromisoformat(period)
    return f"{formats.short_day(day)}<br>{day.year}"


def _values(view: View, frame: pd.DataFrame, grain: str, metric: str, periods: list[str]) -> pd.Series:
    """Return a metric by all the periods; where the gateway has no row, counts and sums are 0, all else is unknown."""
    known = frame.dropna(subset=[grain]).set_index(grain)[metric].astype(float)
    values = known.reindex(periods)
    definition = view.gateway.metric(metric)
    return values.fillna(0.0) if definition and definition.is_additive and len(known) else values


def _is_few(frame: pd.DataFrame, grain: str, metric: str, periods: list[str]) -> list[bool]:
    if f"{metric}__denominator" not in frame:
        return [False] * len(periods)
    sizes = frame.dropna(subset=[grain]).set_index(grain)[f"{metric}__denominator"].astype(float).reindex(periods)
    return (sizes.fillna(0) < ENOUGH).tolist()


def _interval_band(
    view: View, frame: pd.DataFrame, grain: str, metric: str, periods: list[str]
) -> list[dict[str, Any]]:
    """Return the 95 % interval of a rate as a shaded band; nothing for what is no rate of counted cases."""
    if not view.is_estimate(metric):
        return []
    terms = frame.dropna(subset=[grain]).set_index(grain).reindex(periods)
    numerator, denominator = (
        terms[f"{metric}__{term}"].astype(float).fillna(0) for term in ("numerator", "denominator")
    )
    low, high = ratio_interval(view.unit(metric), numerator, denominator, scale_of(view, metric))
    known = np.where(denominator >= ENOUGH, 1.0, np.nan)
    return band(pd.Index(periods), low * known, high * known, COLOURS[view.theme].band, view.t("95% interval"))


def _largest(frame: pd.DataFrame, dimension: str, metric: str, most: int) -> tuple[list[Hashable], int]:
    """Return the values of a dimension with most of a metric, of a ratio of its denominator, and how many are left."""
    size = next((column for column in (f"{metric}__denominator", metric) if column in frame), None)
    if size is None or frame.empty:
        return [], 0
    # None groups with NaN: both mean that nothing is known.
    totals = frame.assign(size=frame[size].astype(float).abs()).groupby(dimension, dropna=False)["size"].sum()
    totals = totals[totals > 0].sort_values(ascending=False, kind="stable")
    return [None if is_missing(value) else value for value in totals.index[:most]], max(len(totals) - most, 0)


def _of_value(frame: pd.DataFrame, dimension: str, value: Hashable) -> pd.DataFrame:
    return frame[frame[dimension].isna() if value is None else frame[dimension] == value]


def _unlike(name: str, taken: dict[str, Any]) -> str:
    """Return a name for a column of a table that no other column has."""
    while name in taken:
        name += " "
    return name


def _plain(values: pd.Series) -> list[float | None]:
    return [None if is_missing(value) else float(value) for value in values]


def _value_axis(view: View, unit: str, series: Sequence[pd.Series], course: Control | None = None) -> dict[str, Any]:
    everything = pd.concat([*series, pd.Series(reach(course), dtype=float)]).astype(float)
    return value_axis(view.formats, unit, min(0.0, everything.min()), max(0.0, everything.max()), view.theme)


def _texts(view: View, periods: Sequence[str], metric: str, values: pd.Series, name: str = "") -> list[str]:
    return [
        hover(
            [
                *([safe(name)] if name else []),
                view.formats.period_label(period),
                f"{safe(view.label(metric))}: {view.write(value, metric)}",
            ]
        )
        for period, value in zip(periods, values, strict=True)
    ]


def _columns(view: View, grain: str, found: dict[str, tuple[str, pd.Series]]) -> list[Column]:
    return [
        period_heads(view, grain, [str(period) for period in next(iter(found.values()))[1].index]),
        *(Column(name, values.tolist(), view.unit(metric), metric) for name, (metric, values) in found.items()),
    ]


def _alt(view: View, metric: str, values: pd.Series) -> str:
    known = values.dropna()
    return view.t(
        "{metric}: between {low} ({low_period}) and {high} ({high_period}), last {last}.",
        metric=view.label(metric),
        low=view.write(known.min(), metric),
        low_period=view.formats.period_label(str(known.idxmin())),
        high=view.write(known.max(), metric),
        high_period=view.formats.period_label(str(known.idxmax())),
        last=view.write(known.iloc[-1], metric),
    )


def _alt_of_values(view: View, metric: str, found: dict[str, tuple[str, pd.Series]]) -> str:
    lasts = {name: values.dropna() for name, (_, values) in found.items()}
    written = (f"{name} {view.write(known.iloc[-1], metric)}" for name, known in lasts.items() if len(known))
    return view.t("{metric}, last: {values}.", metric=view.label(metric), values=view.t("; ").join(written))
