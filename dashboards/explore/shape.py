"""Which charts suit an answer, by its shape; the first is the one suggested."""

from __future__ import annotations

from dataclasses import dataclass

from loupan.i18n import marked

TILES = "tiles"
COLUMNS = "columns"
LINES = "lines"
BARS = "bars"
ESTIMATES = "estimates"
SCATTER = "scatter"
HEATMAP = "heatmap"
PANELS = "panels"

KIND_NAMES = {
    TILES: marked("Key figures"),
    COLUMNS: marked("Columns"),
    LINES: marked("Lines"),
    BARS: marked("Bars"),
    ESTIMATES: marked("Estimates with intervals"),
    SCATTER: marked("Scatter"),
    HEATMAP: marked("Heatmap"),
    PANELS: marked("Small charts"),
}


@dataclass(frozen=True)
class Shape:
    """What decides how an answer can be drawn.

    Attributes:
        metrics: how many.
        periods: how many of the dimensions are periods, 0 or 1.
        categories: how many are not.
        are_rates: whether all metrics are rates of counted cases, which have intervals.
    """

    metrics: int
    periods: int
    categories: int
    are_rates: bool


def kinds(shape: Shape) -> tuple[str, ...]:
    """Return the kinds of chart that suit a shape, the suggested one first."""
    match (shape.periods, shape.categories):
        case (0, 0):
            return (TILES,)
        case (1, 0):
            # A rate has no bar from zero to stand on; what was counted in a period has.
            if shape.are_rates:
                return (LINES,)
            return (COLUMNS, LINES) if shape.metrics == 1 else (LINES, COLUMNS)
        case (0, 1):
            one_by_one = ESTIMATES if shape.are_rates else BARS
            return (SCATTER, one_by_one) if shape.metrics == 2 else (one_by_one,)
        case (1, 1):
            return (LINES, PANELS, HEATMAP)
        case _:
            return (HEATMAP,)
