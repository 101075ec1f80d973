"""What a chart on paper is made of: lines, areas, rectangles, circles and words at their places."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Anchor = Literal["left", "middle", "right"]


@dataclass(frozen=True)
class Line:
    """A line through points (in points of print, from the top left), or the outline of an area."""

    points: list[tuple[float, float]]
    colour: str = ""
    width: float = 0.6
    dash: str = ""
    fill: str = ""
    kind: str = field(default="line", init=False)


@dataclass(frozen=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    kind: str = field(default="box", init=False)


@dataclass(frozen=True)
class Dot:
    """A circle around a point; without a fill it is hollow."""

    x: float
    y: float
    radius: float
    fill: str = ""
    colour: str = ""
    width: float = 0.0
    kind: str = field(default="dot", init=False)


@dataclass(frozen=True)
class Words:
    """One line of text whose middle is at the height `y` and whose `anchor` is at `x`."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    anchor: Anchor = "left"
    kind: str = field(default="words", init=False)


Mark = Line | Box | Dot | Words


@dataclass(frozen=True)
class Plot:
    """A chart laid out for paper: its size in points of print, and its marks from the lowest to the topmost."""

    width: float
    height: float
    marks: list[Mark]

    def plain(self) -> dict[str, Any]:
        """Return the chart as the typesetter reads it."""
        return asdict(self)
