"""Charts of what flows from one place into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from plotly.colors import hex_to_rgb

from dashboards.view import View
from loupan.ui.drawing import HOVER, NOTHING, Drawing, figure, hover, safe, shortened
from loupan.ui.palette import COLOURS

_ROW, _LEAST_HEIGHT = 34, 260


@dataclass(frozen=True)
class Place:
    """Something that flows come from or lead to.

    Attributes:
        key: tells it from others.
        label: what it is called.
        layer: how far it stands from the left, in columns.
    """

    key: str
    label: str
    layer: float


@dataclass(frozen=True)
class Flow:
    """A flow between two places.

    Attributes:
        source, target: keys of places.
        weight: its breadth.
        says: what it carries, a line each.
        is_main: whether it stands out.
    """

    source: str
    target: str
    weight: float
    says: tuple[str, ...]
    is_main: bool = True


def flows(view: View, places: Sequence[Place], streams: Sequence[Flow], table: pd.DataFrame, alt: str) -> Drawing:
    """Draw flows between places that stand in layers, from left to right.

    Args:
        view: the reader's view.
        places: what flows come from and lead to.
        streams: the flows.
        table: the same in words.
        alt: one or two sentences that say what the picture shows.
    """
    if not streams:
        return NOTHING
    colours = COLOURS[view.theme]
    order = {place.key: number for number, place in enumerate(places)}
    last = max(place.layer for place in places)
    in_layer = pd.Series([place.layer for place in places]).value_counts()
    main, side = _faded(colours.main, 0.42), _faded(colours.faint, 0.42)
    trace = {
        "type": "sankey",
        "arrangement": "snap",
        "node": {
            "label": [shortened(place.label, 26) for place in places],
            # A place at the very edge would be drawn beyond it.
            "x": [0.001 + 0.998 * place.layer / last for place in places],
            "y": _heights(places),
            "color": [colours.series[int(place.layer) % len(colours.series)] for place in places],
            "pad": 14,
            "thickness": 12,
            "line": {"width": 0},
            "customdata": [safe(place.label) for place in places],
            "hovertemplate": HOVER,
        },
        "link": {
            "source": [order[flow.source] for flow in streams],
            "target": [order[flow.target] for flow in streams],
            "value": [flow.weight for flow in streams],
            "color": [main if flow.is_main else side for flow in streams],
            "customdata": [hover([safe(line) for line in flow.says]) for flow in streams],
            "hovertemplate": HOVER,
        },
        "textfont": {"size": 12, "color": colours.ink},
    }
    height = max(_LEAST_HEIGHT, _ROW * int(in_layer.max()) + 40)
    return Drawing(figure(view.theme, [trace], height, margin={"l": 8, "r": 8, "t": 8, "b": 12}), alt, table)


def _heights(places: Sequence[Place]) -> list[float]:
    """Spread the places of each layer evenly from top to bottom."""
    sizes = pd.Series([place.layer for place in places]).value_counts()
    seen: dict[float, int] = {}
    heights = []
    for place in places:
        number = seen.get(place.layer, 0)
        seen[place.layer] = number + 1
        heights.append((number + 0.5) / int(sizes[place.layer]))
    return heights


def _faded(colour: str, opacity: float) -> str:
    red, green, blue = hex_to_rgb(colour)
    return f"rgba({red},{green},{blue},{opacity})"
