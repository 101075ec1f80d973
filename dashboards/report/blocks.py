"""How exhibits of the pages become blocks of a report: charts in pairs, tables, cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from dashboards.confidence import HIGH
from dashboards.export.exhibit import Exhibit
from dashboards.key_figure import Compared
from dashboards.report.document import Block, Cell, Chart, Charts, Table
from dashboards.report.marks import Plot
from dashboards.report.plot import Unprintable, plot
from dashboards.view import View
from loupan.ui.drawing import Drawing

WIDTH = 493.0
"""Of the text on the page, in points."""
_BESIDE = 14.0
_HALF = (WIDTH - _BESIDE) / 2
_MOST_ROWS = 10


def rows_of_charts(exhibits: Sequence[Exhibit], without: str = "") -> Iterator[Block]:
    """Yield charts in pairs, one that stands alone over the whole width; what cannot be drawn on paper is a table.

    Args:
        exhibits: of the pages.
        without: words that their notes leave out, since they are told once for all.
    """
    shown = [exhibit for exhibit in exhibits if not exhibit.drawing.is_empty]
    drawn = [(exhibit, picture) for exhibit in shown if (picture := _picture(exhibit, _HALF)) is not None]
    for start in range(0, len(drawn), 2):
        pair = drawn[start : start + 2]
        if len(pair) == 1:
            exhibit = pair[0][0]
            pair = [(exhibit, _picture(exhibit, WIDTH) or pair[0][1])]
        yield Charts([_chart(exhibit, picture, without) for exhibit, picture in pair])
    pictured = [exhibit for exhibit, _ in drawn]
    for exhibit in shown:
        if exhibit not in pictured:
            yield table(exhibit.title, exhibit.drawing, _MOST_ROWS, exhibit.view)


def _picture(exhibit: Exhibit, width: float) -> Plot | None:
    figure = exhibit.drawing.figure
    try:
        return None if figure is None else plot(figure.to_dict(), width)
    except Unprintable:
        return None


def _chart(exhibit: Exhibit, picture: Plot, without: str) -> Chart:
    drawing, grade = exhibit.drawing, exhibit.confidence
    return Chart(
        exhibit.title,
        exhibit.caption,
        picture,
        drawing.alt or exhibit.title,
        drawing.signals,
        drawing.note.replace(without, "").strip() if without else drawing.note,
        "" if grade is None or grade.grade == HIGH else grade.mark,
    )


def table(title: str, drawing: Drawing, most: int, view: View) -> Table:
    """Return a drawing's table, its first rows; the note says how many there are."""
    frame: pd.DataFrame = drawing.table.head(most)
    rows = [[Cell(str(text)) for text in row] for row in frame.itertuples(index=False)]
    is_whole = len(drawing.table) <= most
    note = drawing.note if is_whole else view.t("The first {number} of {all}.", number=most, all=len(drawing.table))
    return Table(title, [*map(str, frame.columns)], rows, note=note)


def change(told: Compared) -> Cell:
    """Return the cell of a change: in words why there is none, else with its direction and whether it is wanted."""
    if told.change is None:
        return Cell(told.reason)
    return Cell(f"{told.arrow} {told.change}", "" if told.is_good is None else "good" if told.is_good else "bad")
