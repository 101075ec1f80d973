"""Charts of the CRM's own pages, each with its numbers as a table."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from data_entry.pages.desk import Desk
from loupan import ui
from loupan.ui.drawing import HOVER, Drawing, figure, hover, label_axis, month_axis, safe, value_axis, wrapped
from loupan.ui.palette import COLOURS

_PLOTLY = {"displayModeBar": False}
_ROW = 30
_LINE = 12
_AXIS_ROOM = 44
_HEIGHT = 260
# The unit of observed numbers, whatever they count.
NUMBER = "number"


def theme() -> str:
    """Return ``light`` or ``dark``, as the reader's browser shows the page."""
    return "dark" if st.context.theme.type == "dark" else "light"


def plain_number(value: float) -> str:
    """Write a number as it was observed, without decimals it does not have."""
    return f"{value:,.2f}".rstrip("0").rstrip(".").replace("-", "−")


def card(desk: Desk, title: str, drawing: Drawing, key: str, caption: str = "") -> None:
    """Show a drawing in a frame, with a switch that turns it into its table.

    Args:
        desk: the reader.
        title: what it shows.
        drawing: picture and table.
        key: unique on the page.
        caption: a sentence under the title.
    """
    t = desk.t
    with st.container(border=True, key=f"lp_card_{key}"):
        name = f"lp_as_table_{key}"
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(f"<h3 class='lp-title'>{html.escape(title)}</h3>", width="content")
            as_table = st.toggle(t("Table"), key=name, help=t("Show {title} as a table", title=ui.plain(title)))
        if caption:
            st.html(f"<p class='lp-caption'>{html.escape(caption)}</p>")
        if drawing.is_empty:
            st.html(f"<p class='lp-empty'>{html.escape(t('There is nothing yet.'))}</p>")
        elif as_table or drawing.figure is None:
            ui.table(drawing.table, title)
        else:
            st.plotly_chart(
                drawing.figure, theme=None, config=_PLOTLY, alt=f"{title}. {drawing.alt}", key=f"lp_chart_{key}"
            )


def bars(
    desk: Desk, names: Sequence[str], values: Sequence[float], unit: str, heads: tuple[str, str],
    notes: Sequence[str] | None = None, marked_row: int | None = None,
) -> Drawing:  # fmt: skip
    """Draw values as horizontal bars, in the order given.

    Args:
        desk: the reader.
        names: one per bar.
        values: their lengths.
        unit: of the values, as for `Formats.value`.
        heads: of the table's two columns.
        notes: a further line in the box of each bar.
        marked_row: number of a bar to stand out.
    """
    if not values:
        return Drawing(None)
    look, colours = theme(), COLOURS[theme()]
    written = [plain_number(value) if unit == NUMBER else desk.formats.value(value, unit) for value in values]
    boxes = [
        hover([safe(name), text, *([safe(notes[i])] if notes else [])])
        for i, (name, text) in enumerate(zip(names, written, strict=True))
    ]
    trace: dict[str, Any] = {
        "type": "bar", "orientation": "h", "x": list(values), "y": list(range(len(values))), "text": written,
        "textposition": "outside", "cliponaxis": False, "hovertemplate": HOVER, "customdata": boxes,
        "marker": {"color": [colours.accent if i == marked_row else colours.main for i in range(len(values))]},
        "outsidetextfont": {"color": colours.ink, "size": 12},
    }  # fmt: skip
    axis = value_axis(desk.formats, unit, 0, max(values) * 1.25, look, is_tight=True)
    labels = [wrapped(name) for name in names]
    row = _ROW + _LINE * (max(len(lines) for lines in labels) - 1)
    drawn = figure(
        look, [trace], row * len(values) + _AXIS_ROOM, xaxis=axis,
        yaxis=label_axis(names, ticktext=["<br>".join(lines) for lines in labels]), showlegend=False,
    )  # fmt: skip
    alt = "; ".join(f"{name}: {text}" for name, text in list(zip(names, written, strict=True))[:6])
    return Drawing(drawn, alt, pd.DataFrame({heads[0]: list(names), heads[1]: written}))


def months(desk: Desk, keys: Sequence[str], values: Sequence[float], unit: str, heads: tuple[str, str]) -> Drawing:
    """Draw values by month (keys YYYY-MM, none left out) as columns."""
    if not keys:
        return Drawing(None)
    look, colours = theme(), COLOURS[theme()]
    names = [desk.formats.period_label(key) for key in keys]
    written = [desk.formats.value(value, unit) for value in values]
    trace = {
        "type": "bar", "x": list(keys), "y": list(values), "marker": {"color": colours.main},
        "hovertemplate": HOVER, "customdata": [hover([n, w]) for n, w in zip(names, written, strict=True)],
    }  # fmt: skip
    drawn = figure(
        look, [trace], _HEIGHT, xaxis=month_axis(desk.formats, keys),
        yaxis=value_axis(desk.formats, unit, 0, max(*values, 0.0), look), showlegend=False,
    )  # fmt: skip
    alt = f"{names[0]} – {names[-1]}: {written[0]} – {written[-1]}"
    return Drawing(drawn, alt, pd.DataFrame({heads[0]: names, heads[1]: written}))


def histories(
    desk: Desk, series: Sequence[tuple[str, Sequence[tuple[dt.date, float]], bool]], heads: tuple[str, str]
) -> Drawing:
    """Draw values that were seen on days as steps: a value holds until another is seen.

    Args:
        desk: the reader.
        series: name, (day, value) in order, and whether it is to stand out.
        heads: of the table: of the day and the name column.
    """
    shown = [one for one in series if one[1]]
    if not shown:
        return Drawing(None)
    look, colours = theme(), COLOURS[theme()]
    formats = desk.formats
    traces = []
    # The second of the series can hardly be told from what stands out.
    others = [colour for place, colour in enumerate(colours.series) if place != 1]
    for i, (name, points, stands_out) in enumerate(shown):
        colour = colours.accent if stands_out else others[i % len(others)]
        traces.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": safe(name), "x": [day for day, _ in points],
                "y": [value for _, value in points],
                "line": {"shape": "hv", "color": colour, "width": 3 if stands_out else 2,
                         "dash": ("solid", "dash", "dot", "dashdot")[i % 4]},
                "marker": {"size": 6}, "hovertemplate": HOVER,
                "customdata": [hover([safe(name), formats.day(d), plain_number(v)]) for d, v in points],
            }
        )  # fmt: skip
    every = [value for _, points, _ in shown for _, value in points]
    low, high = min(every), max(every)
    spare = (high - low) * 0.1 or abs(high) * 0.05 or 1.0
    days = [day for _, points, _ in shown for day, _ in points]
    drawn = figure(
        look, traces, _HEIGHT + 60, xaxis=_day_axis(desk, min(days), max(days)),
        yaxis=value_axis(formats, NUMBER, max(low - spare, 0.0), high + spare, look),
        showlegend=len(shown) > 1,
    )  # fmt: skip
    alt = "; ".join(f"{name}: {plain_number(points[-1][1])}" for name, points, _ in shown)
    rows = [(formats.day(d), name, plain_number(v)) for name, points, _ in shown for d, v in reversed(points)]
    return Drawing(drawn, alt, pd.DataFrame(rows, columns=[*heads, desk.t("Value")]))


def _day_axis(desk: Desk, first: dt.date, last: dt.date) -> dict[str, Any]:
    """Return an axis of days with at most six months named on it, the year under the first of each."""
    starts = [d.date() for d in pd.date_range(first.replace(day=1), last, freq="MS")]
    step = -(-len(starts) // 6)
    ticks = [day for day in starts[::step] if day >= first] or [first]
    years = [None, *(day.year for day in ticks)]
    texts = [
        desk.formats.short_month(day) + (f"<br>{day.year}" if day.year != before else "")
        for before, day in zip(years, ticks, strict=False)
    ]
    return {"type": "date", "tickvals": ticks, "ticktext": texts, "tickangle": 0}
