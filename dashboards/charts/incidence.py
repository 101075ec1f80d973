"""Charts of how many cases come to an end by which day, where some are too young to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from plotly.colors import hex_to_rgb

from dashboards.charts.series import band
from dashboards.courses import Kind
from dashboards.gateway import NO_VALUE
from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import NO_DATA
from loupan.i18n import marked
from loupan.i18n.codes import is_unknown
from loupan.statistics.incidence import ENOUGH_AT_RISK, Course, Estimate, Incidence
from loupan.statistics.intervals import ENOUGH
from loupan.ui.drawing import (
    HOVER,
    NOTHING,
    Column,
    Drawing,
    Finished,
    figure,
    hover,
    safe,
    shortened,
    value_axis,
    written,
)
from loupan.ui.palette import COLOURS

# More curves than these cannot be told apart.
_MOST = 5
# Days between ticks, of which a telephone has room for a few.
_STEPS, _MOST_STEPS = (5, 10, 30, 90), 6
_HEIGHT, _RISK_ROW = 330, 18
BY_DAY = marked("By day {day}")
"""Heads the share that has come to the event by a day."""


@dataclass(frozen=True, eq=False)
class _Group:
    """Cases with one value of a dimension, or all of them: then the value is None."""

    name: str
    value: str | None
    curve: Incidence

    @property
    def size(self) -> float:
        return self.curve.course.size


def curves(
    view: View,
    kind: Kind,
    courses: Mapping[Any, Course],
    everything: Course,
    dimension: str,
    chosen: Sequence[str] = (),
) -> Drawing:
    """Draw the share that has come to the event by each day, one curve for each value, with 95 % bands.

    Beneath stand the numbers that have not ended and are still followed. Groups of fewer than 30 are not drawn, unless
    chosen, and then in grey. The table has all.

    Args:
        view: the reader's view.
        kind: of the cases.
        courses: by value of the dimension.
        everything: all of them together, drawn as a dotted line.
        dimension: what the curves are of; people are ordered by name.
        chosen: values to draw; else those with the most cases.
    """
    if not everything.size:
        return NOTHING
    t, name_of = view.t, names_of(view, dimension)
    groups = [
        _Group(name_of(value), NO_VALUE if is_unknown(value) else str(value), Incidence(found))
        for value, found in courses.items()
    ]
    groups.sort(key=lambda group: (0.0 if dimension == "employee" else -group.size, group.name))
    wanted = [group for group in groups if group.value in chosen] or [g for g in groups if g.size >= ENOUGH]
    largest = sorted(wanted, key=lambda group: -group.size)[:_MOST]
    drawn = [group for group in groups if group in largest]
    lines = [*drawn, _Group(t("All"), None, Incidence(everything))]
    notes = [
        t("Shaded: 95% bands. A curve ends where fewer than {number} are still followed.", number=ENOUGH_AT_RISK),
        t("Grey, or not drawn: fewer than 30.") if any(is_few(group.curve.course) for group in groups) else "",
        view.left_out(len(wanted) - len(drawn)),
    ]
    note = " ".join(filter(None, notes))
    told = "; ".join(
        t("{name}: {share} by day {day}", name=line.name, share=_share(view, line.curve.at(day)), day=day)
        for line in lines
        if (day := _last_horizon(kind, line.curve))
    )
    columns = _numbers(view, kind, dimension, groups)
    drawing = None if is_few(everything) else _figure(view, kind, lines)
    return Drawing(drawing, f"{told}." if told else note, _table(view, kind, columns, groups), note, columns)


def is_few(found: Course) -> bool:
    """Say whether there are too few cases to be compared."""
    return found.size < ENOUGH


def _last_horizon(kind: Kind, curve: Incidence) -> int:
    """Return the last horizon of which a curve tells, 0 for none."""
    return max((day for day in kind.horizons if curve.at(day).is_known), default=0)


def _figure(view: View, kind: Kind, lines: Sequence[_Group]) -> Finished:
    """Draw the curves, the last of them dotted, and beneath them the numbers at risk."""
    t, colours, formats = view.t, COLOURS[view.theme], view.formats
    shades = iter(colours.series)
    traces: list[dict[str, Any]] = []
    highest, last = 0.01, 1
    grid = _grid(kind.horizons[-1])
    for line in lines:
        curve, is_whole = line.curve, line.value is None
        colour = colours.muted if is_whole else colours.faint if is_few(curve.course) else next(shades)
        days = grid[: np.searchsorted(grid, curve.known_until, "right")]
        if not len(days):
            continue
        found = [curve.at(int(day)) for day in days]
        shares, low, high = (np.array([getattr(one, end) for one in found]) for end in ("share", "low", "high"))
        if not is_whole:
            shaded = band(pd.Index(days), low, high, _clear(colour), line.name)
            traces += [{**trace, "showlegend": False} for trace in shaded]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": safe(line.name),
                "x": days.tolist(),
                "y": shares.tolist(),
                "line": {"color": colour, "width": 2 if is_whole else 2.5, "dash": "dot" if is_whole else "solid"},
                "customdata": [_hover(view, kind, line, int(day), one) for day, one in zip(days, found, strict=True)],
                "hovertemplate": HOVER,
            }
        )
        last = max(last, int(days[-1]))
        highest = max(highest, float(shares[-1]) * 1.15, min(float(high[-1]), float(shares[-1]) * 1.8))
    step = next((step for step in _STEPS if last <= step * _MOST_STEPS), _STEPS[-1])
    ticks = [*range(0, last + 1, step)]
    rows = len(lines)
    room = (rows + 1) * _RISK_ROW
    height = _HEIGHT + room
    at_risk = {
        "type": "scatter",
        "mode": "text",
        "x": ticks * rows,
        "y": [row for row in range(rows) for _ in ticks],
        "text": [f"{line.curve.at_risk(day):,.0f}" for line in lines for day in ticks],
        "textfont": {"size": 11, "color": colours.ink},
        "cliponaxis": False,
        "hoverinfo": "skip",
        "showlegend": False,
        "yaxis": "y2",
    }
    heading = {
        "text": t(kind.at_risk),
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": (rows + 0.1) * _RISK_ROW / height,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": colours.muted},
    }
    return figure(
        view.theme,
        [*traces, at_risk],
        height,
        xaxis={
            "anchor": "y2",
            "tickvals": ticks,
            "ticktext": [formats.value(day, "count") for day in ticks],
            "range": [-0.08 * last, last * 1.03],
            "title": {"text": t(kind.days_title)},
        },
        yaxis=value_axis(formats, "percent", 0.0, min(highest, 1.0), view.theme)
        | {"domain": [(room + 12) / height, 1]},
        yaxis2={
            "domain": [0, rows * _RISK_ROW / height],
            "range": [rows - 0.5, -0.5],
            "tickvals": [*range(rows)],
            "ticktext": [shortened(line.name, 14) for line in lines],
            "tickfont": {"size": 11},
        },
        annotations=[heading],
        showlegend=True,
        legend={"traceorder": "normal"},
    )


def _grid(last: int) -> NDArray[np.int_]:
    """Return the days on which a curve is drawn: fewer where it climbs no more."""
    return np.array([*range(0, min(last, 60), 2 if last > 60 else 1), *range(min(last, 60), last + 1, 5)])


def _clear(colour: str) -> str:
    """Return a colour that others shine through."""
    red, green, blue = hex_to_rgb(colour)
    return f"rgba({red},{green},{blue},0.13)"


def _hover(view: View, kind: Kind, line: _Group, day: int, found: Estimate) -> str:
    t, formats = view.t, view.formats
    return hover(
        [
            safe(line.name),
            t(kind.told, day=day, share=_share(view, found)),
            t("95% interval: {interval}", interval=formats.interval(found.low, found.high, "percent")),
            f"{t(kind.at_risk)}: {line.curve.at_risk(day):,.0f}",
        ]
    )


def _share(view: View, found: Estimate) -> str:
    return view.formats.value(found.share, "percent")


def known(value: float) -> float | None:
    """Return a number, None for one that is not known."""
    return value if np.isfinite(value) else None


def _numbers(view: View, kind: Kind, dimension: str, groups: Sequence[_Group]) -> list[Column]:
    """Return what is told of each group, as numbers."""
    t = view.t
    curves = [group.curve for group in groups]
    counted = view.gateway.metric(kind.metric)
    # Files explain the metrics of their columns; helpers have no words for readers.
    explained = "" if counted is None or counted.hidden else kind.metric
    columns = [
        Column(view.title(dimension), [group.name for group in groups]),
        Column(view.label(kind.metric), [curve.course.size for curve in curves], "count", explained),
        Column(view.label(kind.rate), [to_date(curve.course) for curve in curves], "percent", kind.rate),
        Column(t(kind.open_title), [curve.course.undecided / curve.course.size for curve in curves], "percent"),
    ]
    for day in kind.horizons:
        title, found = t(BY_DAY, day=day), [curve.at(day) for curve in curves]
        columns += [
            Column(title, [known(one.share) for one in found], "percent"),
            Column(t("{metric}, 95% from", metric=title), [known(one.low) for one in found], "percent"),
            Column(t("{metric}, 95% to", metric=title), [known(one.high) for one in found], "percent"),
            Column(t("{metric}, still followed", metric=title), [curve.at_risk(day) for curve in curves], "count"),
        ]
    columns += [
        Column(t("Levels off at"), [known(curve.eventual.share) for curve in curves], "percent"),
        Column(t("Half of them by"), [curve.half_time() for curve in curves], "days"),
    ]
    return columns


def _table(view: View, kind: Kind, columns: Sequence[Column], groups: Sequence[_Group]) -> pd.DataFrame:
    """Write the numbers for a reader: the interval behind its share; in brackets where there are fewer than 30."""
    texts = written(view.formats, [*columns[:4], *columns[-2:]])
    for place, day in enumerate(kind.horizons):
        texts.insert(
            4 + place, view.t(BY_DAY, day=day), [_with_interval(view, group.curve.at(day)) for group in groups]
        )
    has_few = [is_few(group.curve.course) for group in groups]
    for title in texts.columns[2:]:
        texts[title] = [
            f"({text})" if few and text != NO_DATA else text for text, few in zip(texts[title], has_few, strict=True)
        ]
    return texts


def _with_interval(view: View, found: Estimate) -> str:
    share = _share(view, found)
    return f"{share} ({view.formats.interval(found.low, found.high, 'percent')})" if found.is_known else share


def to_date(found: Course) -> float | None:
    """Return the share that has come to the event by now, None of no cases."""
    return float(found.events.sum()) / found.size if found.size else None
