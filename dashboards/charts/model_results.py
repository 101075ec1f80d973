"""Charts of what a model found, drawn as its file says: bars, lines over time, points with intervals, or a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboards.charts.comparison import AXIS_ROOM, ROW
from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import NO_DATA, is_missing
from loupan.i18n.codes import DIMENSION_TITLES
from loupan.mining.published import PublishedOutput
from loupan.mining.result import Field, Picture
from loupan.ui.drawing import (
    HOVER,
    WORDS,
    Column,
    Drawing,
    figure,
    hover,
    label_axis,
    month_axis,
    safe,
    value_axis,
    whiskers,
)
from loupan.ui.palette import COLOURS, Colours

MOST_ROWS, MOST_DRAWN, _MOST_LINES = 500, 30, 6
# What the formats call the units of results.
_UNITS = {"number": "ratio", "text": WORDS, "date": WORDS}


def drawn_as_told(view: View, output: PublishedOutput, rows: pd.DataFrame) -> Drawing:
    """Draw a model's table.

    Args:
        view: the reader's view.
        output: how it is to be shown.
        rows: what the reader may see of it.

    Returns:
        The drawing; its table has at most `MOST_ROWS` rows, its columns have all.
    """
    if rows.empty:
        return Drawing(None, table=pd.DataFrame({view.t("Result"): [view.t("Nothing of this kind was found.")]}))
    columns = [_column(view, name, field, rows[name]) for name, field in output.fields.items()]
    shown = rows.head(MOST_ROWS)
    table = pd.DataFrame(
        {
            # A date stands in one line.
            view.t(field.label): [
                text.replace(" ", "\u00a0") if field.unit == "date" else text
                for text in _texts(view, name, field, shown[name])
            ]
            for name, field in output.fields.items()
        }
    )
    notes = [view.t(output.note)] if output.note else []
    if len(rows) > MOST_ROWS:
        notes.append(view.t("The first {shown} of {all} rows; a file has all.", shown=MOST_ROWS, all=f"{len(rows):,}"))
    if output.picture is None:
        return Drawing(None, table=table, note=" ".join(notes), columns=columns)
    for name in {output.picture.x, output.picture.group}:
        rows = _joined(view, output, name, rows)
    draw = _over_time if output.picture.kind == "lines" else _by_name
    drawn, alt, left_out = draw(view, output, output.picture, rows)
    if left_out:
        notes.append(view.left_out(left_out))
    return Drawing(drawn, alt, table, " ".join(notes), columns)


def writer(view: View, name: str, field: Field) -> Callable[[Any], str]:
    """Return what writes one column's values for the reader."""
    if field.unit == "text":
        name_of = names_of(view, name) if name in DIMENSION_TITLES else None
        return lambda value: name_of(value) if name_of else NO_DATA if is_missing(value) else view.t(str(value))
    if field.unit == "month":
        return lambda value: NO_DATA if is_missing(value) else view.formats.period_label(str(value))
    if field.unit == "date":
        return lambda value: NO_DATA if is_missing(value) else view.formats.day(pd.Timestamp(value).date())
    unit = _UNITS.get(field.unit, field.unit)
    return lambda value: view.formats.value(value, unit)


def _texts(view: View, name: str, field: Field, values: pd.Series) -> list[str]:
    return [*map(writer(view, name, field), values.tolist())]


def _column(view: View, name: str, field: Field, values: pd.Series) -> Column:
    """Return a column for files: texts as the reader is shown them, numbers as they are."""
    title = view.t(field.label)
    if field.unit == "month":
        return Column(title, [None if is_missing(value) else str(value) for value in values.tolist()], "month")
    if field.unit in ("text", "date"):
        return Column(title, _texts(view, name, field, values))
    numbers = [None if is_missing(value) else float(value) for value in values.tolist()]
    return Column(title, numbers, _UNITS.get(field.unit, field.unit))


def _field(output: PublishedOutput, column: str) -> Field:
    return output.fields.get(column, Field(column.replace("_", " ").capitalize()))


def _joined(view: View, output: PublishedOutput, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Add the column of names that several columns make together, as the reader is shown them."""
    parts = name.split("+")
    if len(parts) < 2:
        return rows
    texts = [_texts(view, part, _field(output, part), rows[part]) for part in parts]
    return rows.assign(**{name: [" · ".join(each) for each in zip(*texts, strict=True)]})


def _by_name(view: View, output: PublishedOutput, picture: Picture, rows: pd.DataFrame) -> tuple[Any, str, int]:
    """Draw bars, or points with intervals, one below the other."""
    colours, formats = COLOURS[view.theme], view.formats
    field = _field(output, picture.y)
    unit = _UNITS.get(field.unit, field.unit)
    data = rows[rows[picture.y].notna()].head(MOST_DRAWN)
    if data.empty:
        return None, "", 0
    names = _texts(view, picture.x, _field(output, picture.x), data[picture.x])
    values = data[picture.y].astype(float)
    has_interval = bool(picture.low and picture.high)
    low, high = (data[c].astype(float) for c in (picture.low, picture.high)) if has_interval else (values, values)
    texts = [
        hover(
            [
                safe(name),
                f"{safe(view.t(field.label))}: {formats.value(value, unit)}",
                *(
                    [view.t("95% interval: {interval}", interval=formats.interval(lo, hi, unit))]
                    if has_interval
                    else []
                ),
            ]
        )
        for name, value, lo, hi in zip(names, values, low, high, strict=True)
    ]
    trace: dict[str, Any] = {
        "x": values.tolist(),
        "y": list(range(len(names))),
        "customdata": texts,
        "hovertemplate": HOVER,
    }
    # Of how many times as much something is, 1 says nothing: there the bars begin.
    base = 1.0 if picture.kind == "bars" and field.unit == "ratio" else 0.0
    if picture.kind == "bars":
        trace |= {"type": "bar", "orientation": "h", "marker": {"color": colours.main, "cornerradius": 3}}
        trace |= {"base": base, "x": (values - base).tolist()}
    else:
        trace |= {"type": "scatter", "mode": "markers", "marker": {"color": colours.main, "size": 10}}
    if has_interval:
        colour = colours.accent if picture.kind == "bars" else colours.main
        trace["error_x"] = whiskers(values, low.fillna(values), high.fillna(values), colour, 5)
    ends = np.array([np.nanmin([low.min(), values.min()]), np.nanmax([high.max(), values.max()])])
    start = min(base, ends[0]) if picture.kind == "bars" or ends[0] >= 0 else ends[0]
    named = _field(output, picture.x)
    drawn = figure(
        view.theme,
        [trace],
        ROW * len(names) + AXIS_ROOM,
        xaxis=value_axis(formats, unit, float(start), float(ends[1]), view.theme, is_tight=True) | _title(view, field),
        # Names say what they are, numbers do not.
        yaxis=label_axis(names, **({} if named.unit == "text" else _title(view, named))),
    )
    top = int(values.to_numpy().argmax())
    alt = view.t(
        "{measure}: highest for {name} with {value}.",
        measure=view.t(field.label),
        name=names[top],
        value=formats.value(values.iloc[top], unit),
    )
    return drawn, alt, int(rows[picture.y].notna().sum()) - len(data)


def _title(view: View, field: Field) -> dict[str, Any]:
    return {"title": {"text": safe(view.t(field.label))}}


def _over_time(view: View, output: PublishedOutput, picture: Picture, rows: pd.DataFrame) -> tuple[Any, str, int]:
    """Draw lines over months or numbers, one for each value of the group, with a band where there is an interval."""
    colours, formats = COLOURS[view.theme], view.formats
    field, across = _field(output, picture.y), _field(output, picture.x)
    unit = _UNITS.get(field.unit, field.unit)
    is_number = across.unit not in ("month", "date", "text")
    known = rows[picture.x].dropna()
    places: list[Any] = sorted(known.astype(float if is_number else str).unique().tolist())
    if not places:
        return None, "", 0
    write_place = writer(view, picture.x, Field(across.label, across.unit if is_number else "month"))
    groups: list[Any] = list(dict.fromkeys(rows[picture.group].tolist())) if picture.group else [None]
    traces: list[dict[str, Any]] = []
    write = writer(view, picture.group, _field(output, picture.group)) if picture.group else None
    for position, group in enumerate(groups[:_MOST_LINES]):
        part = rows[rows[picture.group] == group] if picture.group else rows
        part = part.assign(**{picture.x: part[picture.x].astype(float if is_number else str)}).set_index(picture.x)
        # A month without a value is a gap; numbers between those given are no gaps.
        part = part.sort_index() if is_number else part.reindex(places)
        name = write(group) if write else view.t(field.label)
        colour = colours.series[position % len(colours.series)]
        traces += _line(view, part, picture, colours, colour, name, unit, write_place)
    values = pd.concat([rows[c].astype(float) for c in (picture.y, picture.low, picture.high) if c])
    drawn = figure(
        view.theme,
        traces,
        300,
        xaxis=_number_axis(view, across, places[0], places[-1]) if is_number else month_axis(formats, places),
        yaxis=value_axis(formats, unit, min(0.0, values.min()), max(0.0, values.max()), view.theme)
        | _title(view, field),
    )
    last = rows[rows[picture.y].notna()].iloc[-1]
    if is_number:
        alt = view.t(
            "{measure} by {across}, from {low} to {high}.",
            measure=view.t(field.label),
            across=view.within(view.t(across.label)),
            low=write_place(places[0]),
            high=write_place(places[-1]),
        )
        return drawn, alt, max(0, len(groups) - _MOST_LINES)
    alt = view.t(
        "{measure} by month, last {value} in {month}.",
        measure=view.t(field.label),
        value=formats.value(float(last[picture.y]), unit),
        month=formats.period_label(str(last[picture.x])),
    )
    return drawn, alt, max(0, len(groups) - _MOST_LINES)


def _number_axis(view: View, field: Field, low: float, high: float) -> dict[str, Any]:
    axis = value_axis(view.formats, _UNITS.get(field.unit, field.unit), low, high, view.theme, is_tight=True)
    return axis | {"showgrid": False} | _title(view, field)


def _line(
    view: View,
    part: pd.DataFrame,
    picture: Picture,
    colours: Colours,
    colour: str,
    name: str,
    unit: str,
    write_place: Callable[[Any], str],
) -> Sequence[dict[str, Any]]:
    formats, places = view.formats, list(part.index)
    values = part[picture.y].astype(float)
    low, high = (part[c].astype(float) if c else None for c in (picture.low, picture.high))
    texts = [
        hover(
            [
                f"{safe(name)} · {safe(write_place(place))}",
                formats.value(value, unit),
                *(
                    [view.t("95% interval: {interval}", interval=formats.interval(least, most, unit))]
                    if not is_missing(least)
                    else []
                ),
            ]
        )
        for place, value, least, most in zip(
            places,
            values,
            [None] * len(values) if low is None else low,
            [None] * len(values) if high is None else high,
            strict=True,
        )
    ]
    line: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": places,
        "y": values.tolist(),
        "line": {"color": colour, "width": 2.5},
        "marker": {"size": 6},
        "customdata": texts,
        "hovertemplate": HOVER,
        "cliponaxis": False,
        "showlegend": bool(picture.group),
    }
    if low is None or high is None:
        return [line]
    edge = {"type": "scatter", "mode": "lines", "x": places, "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        edge | {"y": high.tolist(), "showlegend": False},
        edge | {"y": low.tolist(), "showlegend": False, "fill": "tonexty", "fillcolor": colours.band},
        line,
    ]
