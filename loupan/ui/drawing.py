"""What every chart is made of: the shared layout, axes in the reader's units, the finished drawing."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar
from zlib import crc32

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb, unlabel_rgb

from loupan.formats import Formats, nice_ticks
from loupan.ui.palette import COLOURS, Colours

Numbers = TypeVar("Numbers", pd.Series, np.ndarray)
FONT = "'Source Sans', 'Noto Sans SC', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"


WORDS = ""
"""The unit of a column of words."""
MONTHS = "month"
"""The unit of a column of months, YYYY-MM."""
_IS_AXIS = re.compile(r"[xy]axis\d*")


@dataclass(frozen=True)
class Column:
    """One column of the numbers a drawing was made from, as they are before they are written for a reader.

    Attributes:
        title: its head, in the reader's language.
        values: texts, or numbers as the gateway returns them (proportions as fractions of 1); None where unknown.
        unit: a metric's, or `WORDS`, or `MONTHS`.
        metric: the metric whose values these are, or empty.
    """

    title: str
    values: Sequence[Any]
    unit: str = WORDS
    metric: str = ""


class Finished(go.Figure):
    """A figure that nobody changes once it is shown: what goes to the browser is worked out once, not for each one."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as data and layout; shared, not to be changed."""
        if "_lp_dict" not in self.__dict__:
            self._lp_dict = super().to_dict()
            self._lp_dict["layout"].pop("template", None)  # Streamlit's own
            # Streamlit reads the figure anew when it has laid it out; without this, Plotly takes equal data for other.
            self._lp_dict["layout"]["datarevision"] = crc32(repr(self._lp_dict["data"]).encode())
        return self._lp_dict

    def pickable(self) -> Finished:
        """Return the figure as Streamlit would change it, and have it drawn once more, where marks can be clicked."""
        layout = self.to_dict()["layout"] | {"clickmode": "event+select", "dragmode": "pan", "hovermode": "closest"}
        changed = Finished.__new__(Finished)
        changed.__dict__.update(self.__dict__, _lp_dict={**self.to_dict(), "layout": layout})
        return changed


@dataclass(frozen=True)
class Drawing:
    """A finished chart.

    Attributes:
        figure: the picture, or None for a drawing that is a table only.
        alt: one or two sentences that say what the picture shows.
        table: the same numbers as text, one row per mark, headed in the reader's language.
        note: a sentence of caution shown beneath, or empty.
        columns: the same numbers unwritten, for files; none where the table says all.
        dimension: what the marks of the first trace are the values of, where they are; else empty.
        values: those values, one per mark; None for a mark of several values or of none known.
        signals: what lies beyond ordinary variation, a sentence each.
    """

    figure: Finished | None
    alt: str = ""
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    note: str = ""
    columns: Sequence[Column] = ()
    dimension: str = ""
    values: tuple[str | None, ...] = ()
    signals: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to show."""
        return self.figure is None and self.table.empty


NOTHING = Drawing(None)


def written(formats: Formats, columns: Sequence[Column]) -> pd.DataFrame:
    """Write columns for a reader: the table of a drawing whose texts are its numbers and nothing else."""

    def texts(column: Column) -> list[str]:
        if column.unit == WORDS:
            return [str(value) for value in column.values]
        if column.unit == MONTHS:
            return [formats.period_label(str(value)) for value in column.values]
        return [formats.value(value, column.unit) for value in column.values]

    return pd.DataFrame({column.title: texts(column) for column in columns})


def _axis(colours: Colours) -> dict[str, Any]:
    return {
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "fixedrange": True,
        "automargin": True,
        "tickfont": {"color": colours.muted, "size": 12},
        "title": {"font": {"color": colours.muted, "size": 12}, "standoff": 8},
    }


def _layout(colours: Colours) -> dict[str, Any]:
    return {
        "font": {"family": FONT, "size": 13, "color": colours.ink},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(colours.series),
        "margin": {"l": 4, "r": 8, "t": 8, "b": 4, "pad": 4},
        "hoverlabel": {"font": {"family": FONT, "size": 13}, "align": "left", "namelength": -1},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12, "color": colours.ink},
            "itemclick": False,
            "itemdoubleclick": False,
        },
        "bargap": 0.32,
        "dragmode": False,
        "autosize": True,
    }


def _laid_out(colours: Colours, traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layout over what all charts share.

    Not as a Plotly template: those are compared by identity, and each chart would be drawn once more for it.
    """
    on_axes = [trace for trace in traces if trace["type"] != "sankey"]
    axes = {f"{name}axis{trace.get(f'{name}axis', name)[1:]}" for trace in on_axes for name in "xy"}
    axes |= {*filter(_IS_AXIS.fullmatch, layout)}
    return _over(_layout(colours) | {name: _axis(colours) for name in axes}, layout)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        merged[name] = _over(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def bar_text(backgrounds: Sequence[str], size: int, theme: str) -> dict[str, Any]:
    """Return how the labels of bars are written: inside in black or white, whichever stands out more.

    Args:
        backgrounds: the colour of each bar, ``#rrggbb`` or ``rgb(r,g,b)``.
        size: in pixels.
        theme: ``light`` or ``dark``, of what lies outside the bars.
    """
    return {
        "insidetextfont": {"size": size, "color": [_text_on(background) for background in backgrounds]},
        "outsidetextfont": {"size": size, "color": COLOURS[theme].ink},
        "constraintext": "none",
    }


def _text_on(background: str) -> str:
    """Return black or white by WCAG's relative luminance, where 0.179 has the same contrast to both."""
    parts = unlabel_rgb(background) if background.startswith("rgb") else hex_to_rgb(background)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in parts)]
    return "#0b141d" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 else "#ffffff"


def figure(theme: str, traces: Sequence[Mapping[str, Any]], height: int, **layout: Any) -> Finished:
    """Build a figure in one constructor call; chains of updates cost Plotly a third of a page's time.

    What is still to be added must be added before it is shown.

    Args:
        theme: ``light`` or ``dark``.
        traces: Plotly traces as mappings.
        height: in pixels.
        layout: further layout, over what all charts share.
    """
    whole = _laid_out(COLOURS[theme], traces, {"height": height, **layout})
    return Finished({"data": list(traces), "layout": whole})


def value_axis(
    formats: Formats, unit: str, low: float, high: float, theme: str, *, is_tight: bool = False
) -> dict[str, Any]:
    """Return an axis for a metric's values with round ticks written in the reader's units.

    Args:
        formats: the reader's.
        unit: the metric's; proportions never go beyond 100 %.
        low: the lowest value shown.
        high: the highest value shown.
        theme: ``light`` or ``dark``.
        is_tight: end at `high` instead of the next tick; for horizontal axes, where Plotly drops a label at the edge.
    """
    ticks = nice_ticks(low, high if high > low else low + 1, is_whole=unit == "count")
    if unit == "percent" and high <= 1:
        ticks = [tick for tick in ticks if tick <= 1]
    end = max(ticks[-1], high)
    if is_tight:
        end = high + (high - low) * 0.04
        ticks = [tick for tick in ticks if tick <= high]
    return {
        "tickvals": ticks,
        "ticktext": [formats.tick(tick, unit) for tick in ticks],
        "range": [ticks[0], end * 1.015 if unit == "percent" and end >= 1 else end],
        "showgrid": True,
        "gridcolor": COLOURS[theme].grid,
    }


def month_axis(formats: Formats, months: Sequence[str]) -> dict[str, Any]:
    """Return a category axis of months (YYYY-MM), few enough labels to fit a telephone, the year under the first."""
    step = next(s for s, most in ((1, 8), (2, 16), (3, 25), (6, 50), (12, 10**6)) if len(months) <= most)
    values, texts, year_shown = [], [], ""
    for month in months[::step]:
        day = date.fromisoformat(f"{month}-01")
        year = str(day.year)
        values.append(month)
        texts.append(formats.short_month(day) + (f"<br>{year}" if year != year_shown else ""))
        year_shown = year
    return {
        "type": "category",
        "tickvals": values,
        "ticktext": texts,
        "tickangle": 0,
        "range": [-0.6, len(months) - 0.4],
    }


def label_axis(labels: Sequence[str], **axis: Any) -> dict[str, Any]:
    """Return a category axis of names, top to bottom, positioned by number because names may repeat."""
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": [shortened(label) for label in labels],
        "range": [len(labels) - 0.4, -0.6],
        "tickangle": 0,
        **axis,
    }


# Room of a name beside an axis, in Latin letters; a Chinese character takes that of two.
LABEL_WIDTH = 22


def shortened(label: str, width: int = LABEL_WIDTH) -> str:
    """Cut a name to `width` Latin letters and make it safe for Plotly."""
    fitting = _fitting(label, width)
    return safe(label) if fitting == len(label) else safe(label[:fitting].rstrip()) + "…"


def wrapped(label: str, width: int = LABEL_WIDTH) -> list[str]:
    """Write a name in one line or two of at most `width` Latin letters, and make it safe for Plotly.

    Names that need more room often differ only at their end, so it is the middle that is left out.
    """
    fitting = _fitting(label, width)
    if fitting == len(label):
        return [safe(label)]
    space = label.rfind(" ", 1, fitting + 1)
    leaves_room = space > 0 and _fitting(label[space + 1 :], width) == len(label) - space - 1
    broken = space if leaves_room or space >= fitting // 2 else fitting
    first, rest = label[:broken].rstrip(), label[broken:].lstrip()
    if _fitting(rest, width) < len(rest):
        end = _fitting(rest[::-1], width - 1)
        rest = "…" + rest[-end:].lstrip()
    return [safe(first), safe(rest)]


def _fitting(text: str, width: int) -> int:
    """Return how many characters of a text fit into `width` Latin letters."""
    for place in range(len(text)):
        if letters(text[: place + 1]) > width:
            return place
    return len(text)


def letters(text: str) -> int:
    """Return how wide a text is, in Latin letters; a Chinese character is as wide as two."""
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)


def whiskers(values: Numbers, low: Numbers, high: Numbers, colour: str, width: int = 0) -> dict[str, Any]:
    """Return the error bars of points or bars.

    Args:
        values: where the points stand.
        low, high: ends of their intervals.
        colour: of the lines.
        width: of their ends, in pixels.
    """
    return {
        "type": "data",
        "symmetric": False,
        "array": (high - values).tolist(),
        "arrayminus": (values - low).tolist(),
        "thickness": 2,
        "width": width,
        "color": colour,
    }


def safe(text: str) -> str:
    """Escape text from the database: Plotly reads a subset of HTML in every label."""
    return html.escape(text, quote=False)


def hover(lines: Sequence[str]) -> str:
    """Join the lines of a hover box, the first in bold."""
    first, *rest = lines
    return "<br>".join([f"<b>{first}</b>", *rest])


HOVER = "%{customdata}<extra></extra>"
