"""The charts of the pages on paper: a Plotly figure's data and layout become lines, areas and words in their places.

The typesetter draws them as vectors, with the fonts of the document; no browser is needed. Understood is what charts of
the pages are made of: bars, lines, points, error bars, bands, straight shapes. `Unprintable` tells of anything else.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards.report.colours import hexadecimal
from dashboards.report.marks import Anchor, Box, Dot, Line, Mark, Plot, Words
from loupan.formats import is_missing, nice_ticks
from loupan.ui.drawing import letters
from loupan.ui.palette import COLOURS, Colours

SIZE = 6.8
"""Of the words in charts, in points."""
_ROWS = ((6, 15.5), (10, 13.5), (10**6, 11.5))
"""Up to so many rows of a horizontal chart, the height of each, in points."""
_ROW_OF_TWO = 19.0
COURSE = 118.0
"""Height of a chart over time without its legend, in points."""
_LINE = 1.25 * SIZE
# Of a letter of the font, as a share of its size: a little more than the average, so that nothing collides.
_LETTER = 0.54
_GAP = 4.0
_PIXEL = 0.55
"""A pixel of the pages, in points of print."""
_TAG = re.compile(r"<[^>]*>")
_MOST_LABEL = 0.42
"""Names beside an axis take no more of the width."""


class Unprintable(ValueError):
    """A figure has parts that this module does not know."""


@dataclass
class _Axis:
    """Where values stand: their range, and the stretch of paper it is laid on."""

    low: float
    high: float
    start: float = 0.0
    end: float = 1.0
    categories: dict[str, int] = field(default_factory=dict)

    def number(self, value: Any) -> float | None:
        if isinstance(value, str):
            place = self.categories.get(value)
            return None if place is None else float(place)
        return None if is_missing(value) else float(value)

    def place(self, value: Any) -> float | None:
        """Return where a value stands on paper; what lies beyond the range stands at its end."""
        number = self.number(value)
        if number is None:
            return None
        low, high = min(self.low, self.high), max(self.low, self.high)
        share = (min(max(number, low), high) - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.end - self.start)

    def holds(self, value: Any) -> bool:
        """Say whether a value lies within the range."""
        number, slack = self.number(value), 1e-9 * abs(self.high - self.low)
        return number is not None and min(self.low, self.high) - slack <= number <= max(self.low, self.high) + slack

    @property
    def step(self) -> float:
        """How much paper one unit takes."""
        return abs((self.end - self.start) / ((self.high - self.low) or 1.0))


def words_width(text: str, size: float = SIZE) -> float:
    """Return about how wide a line of text is, in points."""
    return letters(text) * _LETTER * size


def plot(figure: Mapping[str, Any], width: float) -> Plot:
    """Lay a figure out for paper.

    Args:
        figure: Plotly's data and layout.
        width: of the paper it may take, in points.

    Raises:
        Unprintable: if it holds something else than bars, lines and points.
    """
    return _Layout(figure["data"], figure["layout"], width).plot()


class _Layout:
    def __init__(self, traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], width: float) -> None:
        for trace in traces:
            if trace["type"] not in ("bar", "scatter"):
                raise Unprintable(f"a trace of the type {trace['type']}")
        self.traces, self.layout, self.width = traces, layout, width
        self.colours: Colours = COLOURS["light"]
        self.is_horizontal = any(trace.get("orientation") == "h" for trace in traces) or self._has_rows()
        self.x, self.y = self._axis("x"), self._axis("y")
        self.strip = self._axis("y2") if "yaxis2" in layout else None
        self.marks: list[Mark] = []

    def _has_rows(self) -> bool:
        """Say whether the vertical axis holds names: it runs downwards."""
        low, high = self.layout.get("yaxis", {}).get("range", (0, 1))
        return float(low) > float(high)

    def _axis(self, name: str) -> _Axis:
        told = self.layout.get(f"{name[0]}axis{name[1:]}", {})
        values = [value for trace in self.traces for value in self._values(trace, name)]
        named = sorted({value for value in values if isinstance(value, str)})
        axis = _Axis(0.0, 1.0, categories={value: place for place, value in enumerate(named)})
        if "range" in told:
            axis.low, axis.high = (float(end) for end in told["range"])
        else:
            numbers = [number for value in values if (number := axis.number(value)) is not None] or [0.0, 1.0]
            axis.low, axis.high = min(0.0, *numbers), max(numbers)
        return axis

    def _values(self, trace: Mapping[str, Any], axis: str) -> Iterable[Any]:
        on = trace.get(f"{axis[0]}axis", axis[0])
        return trace.get(axis[0], ()) if on == axis else ()

    def plot(self) -> Plot:
        legend = self._legend_rows()
        top = len(legend) * (_LINE + 2) + (3 if legend else 2)
        left, bottom = self._margins()
        rows = abs(self.y.high - self.y.low)
        inner = self._row(rows) * max(rows, 1.6) if self.is_horizontal else COURSE - bottom
        height = top + inner + bottom
        self.x.start, self.x.end = left, self.width - 5
        self.y.start, self.y.end = height - bottom, top
        self._domains(top, height - bottom)
        self._grid(height - bottom)
        self._shapes()
        self._bars()
        below: Mapping[str, Any] | None = None
        for trace in self.traces:
            if trace["type"] == "scatter":
                self._scatter(trace, below)
                below = trace
        self._legend(legend)
        return Plot(round(self.width, 2), round(height, 2), self.marks)

    def _row(self, rows: float) -> float:
        """Return the height of a row: less of each where there are many, more where names take two lines."""
        height = next(height for most, height in _ROWS if rows <= most + 0.5)
        is_of_two = any(len(_lines(text)) > 1 for _, text in self._ticks("y"))
        return max(height, _ROW_OF_TWO) if is_of_two else height

    def _domains(self, top: float, bottom: float) -> None:
        """Give each vertical axis its part of the height."""
        for axis, name in ((self.y, "yaxis"), (self.strip, "yaxis2")):
            if axis is None:
                continue
            low, high = self.layout.get(name, {}).get("domain", (0.0, 1.0))
            axis.start, axis.end = bottom - low * (bottom - top), bottom - high * (bottom - top)

    def _margins(self) -> tuple[float, float]:
        """Return the room for the words left of the plot and beneath it."""
        names = [line for _, text in self._ticks("y") for line in _lines(text)]
        left = max((words_width(line) for line in names), default=0.0)
        left = min(left, _MOST_LABEL * self.width) + _GAP + 2 if names else 6.0
        depth = max((len(_lines(text)) for _, text in self._ticks("x")), default=0)
        bottom = depth * _LINE + (5.0 if depth else 2.0)
        return left, bottom + (_LINE if self._title("x") else 0.0)

    def _title(self, name: str) -> str:
        title = self.layout.get(f"{name}axis", {}).get("title", {})
        return " ".join(_lines(title.get("text", ""))) if isinstance(title, Mapping) else ""

    def _ticks(self, name: str) -> list[tuple[Any, str]]:
        """Return what is written along an axis: the value, and its words."""
        told = self.layout.get(f"{name}axis", {})
        axis = self.x if name == "x" else self.y
        if told.get("visible") is False:
            return []
        if "tickvals" in told:
            texts = told.get("ticktext", told["tickvals"])
            pairs = [(value, str(text)) for value, text in zip(told["tickvals"], texts, strict=True)]
            return [(value, text) for value, text in pairs if axis.holds(value)]
        return [(tick, f"{tick:g}") for tick in nice_ticks(axis.low, axis.high)]

    def _grid(self, bottom: float) -> None:
        grid, muted, ink = self.colours.grid, self.colours.muted, self.colours.ink
        for value, text in self._ticks("y"):
            y = self.y.place(value)
            if y is None:
                continue
            if self.layout.get("yaxis", {}).get("showgrid"):
                self.marks.append(Line([(self.x.start, y), (self.x.end, y)], grid, 0.5))
            lines = [_cut(line, _MOST_LABEL * self.width) for line in _lines(text)]
            for number, line in enumerate(lines):
                shift = (number - (len(lines) - 1) / 2) * _LINE
                colour = ink if self.is_horizontal else muted
                self.marks.append(Words(self.x.start - _GAP, y + shift, line, SIZE, colour, "right"))
        if self.layout.get("yaxis", {}).get("zeroline") and (zero := self.y.place(0.0)) is not None:
            self.marks.append(Line([(self.x.start, zero), (self.x.end, zero)], self.colours.faint, 0.7))
        written = float("-inf")
        for value, text in self._ticks("x"):
            x = self.x.place(value)
            if x is None:
                continue
            if self.layout.get("xaxis", {}).get("showgrid"):
                self.marks.append(Line([(x, self.y.end), (x, bottom)], grid, 0.5))
            half = max((words_width(line) for line in _lines(text)), default=0.0) / 2
            if x - half < written:
                continue  # It would run into the one before.
            written = x + half
            for number, line in enumerate(_lines(text)):
                self.marks.append(Words(x, bottom + 3 + (number + 0.5) * _LINE, line, SIZE, muted, "middle"))
        if title := self._title("x"):
            depth = max((len(_lines(text)) for _, text in self._ticks("x")), default=0)
            y = bottom + 3 + (depth + 0.5) * _LINE
            self.marks.append(Words((self.x.start + self.x.end) / 2, y, title, SIZE, muted, "middle"))

    def _shapes(self) -> None:
        for shape in self.layout.get("shapes", ()):
            if shape["type"] != "line":
                raise Unprintable(f"a shape of the type {shape['type']}")
            ends = []
            for number in ("0", "1"):
                x, y = (
                    self._on_paper(axis, shape[f"{name}{number}"], shape.get(f"{name}ref", name))
                    for name, axis in (("x", self.x), ("y", self.y))
                )
                ends.append((x, y))
            line = shape.get("line", {})
            colour = hexadecimal(line.get("color", self.colours.muted))
            self.marks.append(Line(ends, colour, _PIXEL * line.get("width", 1), _dash(line)))

    def _on_paper(self, axis: _Axis, value: Any, reference: str) -> float:
        if reference == "paper":
            return axis.start + float(value) * (axis.end - axis.start)
        place = axis.place(value)
        if place is None:
            raise Unprintable(f"a shape at {value!r}")
        return place

    def _bars(self) -> None:
        bars = [trace for trace in self.traces if trace["type"] == "bar"]
        is_stacked = self.layout.get("barmode") in ("relative", "stack")
        along, across = (self.x, self.y) if self.is_horizontal else (self.y, self.x)
        thickness = across.step * (1 - float(self.layout.get("bargap", 0.32)))
        reached: dict[tuple[float, bool], float] = {}
        for number, trace in enumerate(bars):
            values, places = (trace["x"], trace["y"]) if self.is_horizontal else (trace["y"], trace["x"])
            width, shift = thickness, 0.0
            if not is_stacked and len(bars) > 1 and self.layout.get("barmode") != "overlay":
                width = thickness / len(bars)
                shift = (number - (len(bars) - 1) / 2) * width
            fills = _each(trace.get("marker", {}).get("color", self.colours.main), len(values))
            opacity = float(trace.get("marker", {}).get("opacity", 1.0))
            texts = _each(trace.get("text", ""), len(values))
            positions = _each(trace.get("textposition", "outside"), len(values))
            bases = _each(trace.get("base", 0.0), len(values))
            for value, place, fill, text, position, base in zip(
                values, places, fills, texts, positions, bases, strict=True
            ):
                middle = across.place(place)
                if middle is None or is_missing(value):
                    continue
                begin = float(base)
                if is_stacked:
                    key = (middle, value < 0)
                    begin = reached.get(key, 0.0)
                    reached[key] = begin + float(value)
                ends = [end for e in (begin, begin + float(value)) if (end := along.place(e)) is not None]
                box = (min(ends), middle + shift - width / 2, abs(ends[1] - ends[0]), width)
                x, y, wide, high = box if self.is_horizontal else (box[1], box[0], box[3], box[2])
                self.marks.append(Box(x, y, wide, high, hexadecimal(fill, opacity)))
                if text and self.is_horizontal:
                    self._bar_label(str(text), ends[1], ends[0], middle + shift, fill, position == "inside")
            if "error_x" in trace or "error_y" in trace:
                self._whiskers(trace, is_bar=True)

    def _bar_label(self, text: str, end: float, start: float, y: float, fill: str, is_inside: bool) -> None:
        line = _plain(text)
        wide = words_width(line)
        if is_inside and wide + 4 < abs(end - start):
            from loupan.ui.drawing import bar_text

            colour = str(bar_text([fill], 10, "light")["insidetextfont"]["color"][0])
            self.marks.append(Words(end - 3, y, line, SIZE, colour, "right"))
            return
        anchor: Anchor = "right" if end < start else "left"
        place = end - 3 if anchor == "right" else end + 3
        # What would run out of the picture ends at its edge.
        if anchor == "left" and place + wide > self.width:
            anchor, place = "right", self.width
        if anchor == "right" and place - wide < 0:
            anchor, place = "left", 0.0
        self.marks.append(Words(place, y, line, SIZE, self.colours.ink, anchor))

    def _scatter(self, trace: Mapping[str, Any], below: Mapping[str, Any] | None) -> None:
        x_axis, y_axis = self.x, self.strip if trace.get("yaxis") == "y2" and self.strip else self.y
        points = [
            None if (x := x_axis.place(a)) is None or (y := y_axis.place(b)) is None else (x, y)
            for a, b in zip(trace["x"], trace["y"], strict=True)
        ]
        mode = trace.get("mode", "lines")
        if trace.get("fill") == "tonexty" and below is not None:
            edge = [
                (x, y)
                for a, b in zip(below["x"], below["y"], strict=True)
                if (x := x_axis.place(a)) is not None and (y := y_axis.place(b)) is not None
            ]
            area = [point for point in points if point is not None] + edge[::-1]
            if len(area) > 2:
                self.marks.append(Line(area, fill=hexadecimal(trace.get("fillcolor", self.colours.band))))
        if "error_x" in trace or "error_y" in trace:
            self._whiskers(trace)
        line = trace.get("line", {})
        if "lines" in mode and line.get("width", 2) > 0:
            colour = hexadecimal(line.get("color", self.colours.main))
            width = _PIXEL * line.get("width", 2)
            for part in _unbroken(points):
                drawn = _stepped(part, x_axis.step) if line.get("shape") == "hvh" else part
                if len(drawn) > 1:
                    self.marks.append(Line(_visible(drawn), colour, width, _dash(line)))
        if "markers" in mode:
            self._markers(trace, points)
        if "text" in mode:
            self._texts(trace, points)

    def _markers(self, trace: Mapping[str, Any], points: Sequence[tuple[float, float] | None]) -> None:
        marker, count = trace.get("marker", {}), len(points)
        line = marker.get("line", {})
        base = trace.get("line", {}).get("color", self.colours.main)
        opacity = float(marker.get("opacity", 1.0))
        for point, size, colour, symbol, edge in zip(
            points,
            _each(marker.get("size", 6), count),
            _each(marker.get("color", base), count),
            _each(marker.get("symbol", "circle"), count),
            _each(line.get("color", ""), count),
            strict=True,
        ):
            if point is None or not size or opacity <= 0:
                continue
            x, y = point
            radius, width = 0.8 * _PIXEL * float(size) / 2, _PIXEL * float(line.get("width", 0))
            if symbol in ("line-ew", "line-ns"):
                reach = _PIXEL * float(size) / 2
                ends = [(x - reach, y), (x + reach, y)] if symbol == "line-ew" else [(x, y - reach), (x, y + reach)]
                self.marks.append(Line(ends, hexadecimal(edge or colour), width or 1.0))
            elif str(symbol).endswith("-open"):
                self.marks.append(Dot(x, y, radius, "#ffffff", hexadecimal(colour), max(width, 0.9)))
            else:
                fill, outline = hexadecimal(colour, opacity), hexadecimal(edge) if width and edge else ""
                self.marks.append(Dot(x, y, radius, fill, outline, width if outline else 0.0))

    def _texts(self, trace: Mapping[str, Any], points: Sequence[tuple[float, float] | None]) -> None:
        position = str(trace.get("textposition", "middle center"))
        anchor: Anchor = "left" if "right" in position else "right" if "left" in position else "middle"
        lift = -0.8 * _LINE if "top" in position else 0.8 * _LINE if "bottom" in position else 0.0
        colour = hexadecimal(trace.get("textfont", {}).get("color", self.colours.ink))
        for point, text in zip(points, _each(trace.get("text", ""), len(points)), strict=True):
            if point is None or not text:
                continue
            line = _plain(str(text))
            x = point[0] + (2 if anchor == "left" else 0)
            anchored = anchor
            if anchor == "left" and x + words_width(line) > self.width:
                x, anchored = self.width, "right"
            self.marks.append(Words(x, point[1] + lift, line, SIZE, colour, anchored))

    def _whiskers(self, trace: Mapping[str, Any], *, is_bar: bool = False) -> None:
        error = trace.get("error_x") or trace.get("error_y") or {}
        axis = self.x if "error_x" in trace else self.y
        colour, width = hexadecimal(error.get("color", self.colours.faint)), _PIXEL * error.get("thickness", 2)
        bases = _each(trace.get("base", 0.0) if is_bar else 0.0, len(trace["x"]))
        for x, y, more, less, base in zip(
            trace["x"], trace["y"], error["array"], error["arrayminus"], bases, strict=True
        ):
            middle = x if axis is self.x else y
            if is_missing(more) or is_missing(less) or is_missing(middle):
                continue
            value = float(base) + float(middle)
            low, high = axis.place(value - float(less)), axis.place(value + float(more))
            other = self.y.place(y) if axis is self.x else self.x.place(x)
            if low is None or high is None or other is None:
                continue
            ends = [(low, other), (high, other)] if axis is self.x else [(other, low), (other, high)]
            self.marks.append(Line(ends, colour, width))

    def _legend_rows(self) -> list[list[Mapping[str, Any]]]:
        """Return the traces that are named above the plot, in lines that fit."""
        if self.layout.get("showlegend") is False:
            return []
        named = [trace for trace in self.traces if trace.get("name") and trace.get("showlegend", True)]
        if len(named) < 2 and self.layout.get("showlegend") is not True:
            return []
        rows: list[list[Mapping[str, Any]]] = []
        used = self.width
        for trace in named:
            wide = words_width(_plain(str(trace["name"]))) + 22
            if used + wide > self.width:
                rows.append([])
                used = 0.0
            rows[-1].append(trace)
            used += wide
        return rows

    def _legend(self, rows: Sequence[Sequence[Mapping[str, Any]]]) -> None:
        for number, row in enumerate(rows):
            x, y = 0.0, number * (_LINE + 2) + _LINE / 2
            for trace in row:
                name = _cut(_plain(str(trace["name"])), self.width - 22)
                marker, line = trace.get("marker", {}), trace.get("line", {})
                colour = line.get("color") or marker.get("color") or self.colours.main
                if symbol := str(marker.get("symbol", "")) if isinstance(marker.get("symbol", ""), str) else "":
                    colour = marker.get("line", {}).get("color", colour) if symbol.startswith("line-") else colour
                colour = colour[0] if isinstance(colour, list) else colour
                if trace["type"] == "bar":
                    shade = hexadecimal(colour, float(marker.get("opacity", 1.0)))
                    self.marks.append(Box(x, y - 3, 8, 6, shade))
                elif "fill" in trace:
                    self.marks.append(Box(x, y - 3, 8, 6, hexadecimal(trace["fillcolor"])))
                else:
                    width = max(1.1, _PIXEL * float(line.get("width", 2)))
                    self.marks.append(Line([(x, y), (x + 9, y)], hexadecimal(colour), width))
                self.marks.append(Words(x + 12, y, name, SIZE, self.colours.ink))
                x += words_width(name) + 22


def course_line(values: Sequence[float | None], width: float, height: float, colour: str) -> Plot:
    """Return a small line without axes, as beside a key figure."""
    known = [float(value) for value in values if value is not None and not is_missing(value)]
    if len(known) < 2:
        return Plot(width, height, [])
    low, high = min(known), max(known)
    axis_x, axis_y = _Axis(0, len(values) - 1, 2, width - 2), _Axis(low, high or low + 1, height - 2, 2)
    if low == high:
        axis_y = _Axis(low - 1, low + 1, height - 2, 2)
    points = [
        None if (y := axis_y.place(value)) is None or (x := axis_x.place(place)) is None else (x, y)
        for place, value in enumerate(values)
    ]
    marks: list[Mark] = [Line(part, colour, 0.9) for part in _unbroken(points) if len(part) > 1]
    last = next(point for point in reversed(points) if point is not None)
    return Plot(width, height, [*marks, Dot(*last, 1.5, colour)])


def _each(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] * count


def _dash(line: Mapping[str, Any]) -> str:
    return "dotted" if line.get("dash") in ("dot", "dash", "dashdot") else ""


def _unbroken(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    parts: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            parts.append([])
        else:
            parts[-1].append(point)
    return [part for part in parts if part]


def _visible(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a line; one that has no length, as a range of one value has none, gets a little."""
    if len(points) == 2 and points[0] == points[1]:
        x, y = points[0]
        return [(x - 1.2, y), (x + 1.2, y)]
    return list(points)


def _stepped(points: Sequence[tuple[float, float]], step: float) -> list[tuple[float, float]]:
    """Return a level stretch around each point, joined by upright lines."""
    return [(x + side, y) for x, y in points for side in (-step / 2, step / 2)]


def _lines(text: str) -> list[str]:
    return [_plain(part) for part in re.split(r"<br\s*/?>", text)] if text else []


def _plain(text: str) -> str:
    """Return what is to be read of a label of Plotly's: without its tags, and names as they were before escaping."""
    return html.unescape(_TAG.sub("", text)).strip()


def _cut(line: str, width: float) -> str:
    """Shorten a line, which has no tags any more, to a width in points."""
    if words_width(line) <= width:
        return line
    while line and words_width(line + "…") > width:
        line = line[:-1]
    return line.rstrip() + "…"
