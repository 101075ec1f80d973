"""The company's events beside charts over time: numbered marks in a strip of their own, between plot and months.

Nothing else is drawn in the strip, and at most one mark stands for a few months, so that marks collide with nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.memory import remembered
from dashboards.view import View
from loupan.formats import is_missing
from loupan.ui.drawing import HOVER, hover, safe
from loupan.ui.palette import COLOURS

_METRIC = "annotations"
STRIP = 24
"""Height of the strip, in pixels."""
# So many marks stand side by side on a telephone.
_MOST_MARKS = 14
# More than so many events are named in the table alone.
_MOST_IN_WORDS = 6


@dataclass(frozen=True)
class Marks:
    """The events of a period as they are drawn and told.

    Attributes:
        trace: the marks, on the axes ``x`` and ``y2``.
        words: a sentence that names the events, or says where they are named.
        by_month: what happened, for each month asked for.
    """

    trace: dict[str, Any]
    words: str
    by_month: tuple[str, ...]


@remembered()
def events(view: View) -> tuple[tuple[str, str], ...]:
    """Return day (YYYY-MM-DD) and words of what happened in the period, to the company or to the projects chosen."""
    frame = view.ask(_METRIC, by=("day", "project", "annotation"), without=("project",))
    if frame.empty or _METRIC not in frame:
        return ()
    chosen = dict(view.where).get("project", ())
    return tuple(
        (str(day), str(title) if is_missing(project) else f"{project} {title}")
        for day, project, title in zip(frame["day"], frame["project"], frame["annotation"], strict=True)
        if is_missing(project) or not chosen or project in chosen
    )


def marks(view: View, months: Sequence[str]) -> Marks | None:
    """Return the events of some months (YYYY-MM, in order), None where nothing happened."""
    formats = view.formats
    happened: dict[str, list[str]] = defaultdict(list)
    for day, words in events(view):
        happened[day[:7]].append(view.t("{day}: {event}", day=formats.period_label(day), event=words))
    shown = [month for month in months if month in happened]
    if not shown:
        return None
    width = -(-len(months) // _MOST_MARKS)
    slots = [months[start : start + width] for start in range(0, len(months), width)]
    marked = [slot for slot in slots if any(month in happened for month in slot)]
    colours = COLOURS[view.theme]
    texts = [[event for month in slot for event in happened.get(month, ())] for slot in marked]
    trace = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [slot[len(slot) // 2] for slot in marked],
        "y": [0.5] * len(marked),
        "yaxis": "y2",
        "text": [str(number) for number in range(1, len(marked) + 1)],
        "textposition": "middle center",
        "textfont": {"size": 10, "color": colours.ink},
        "marker": {"size": 17, "color": colours.band, "line": {"width": 1, "color": colours.muted}},
        "cliponaxis": False,
        "customdata": [hover([view.t("Events"), *map(safe, lines)]) for lines in texts],
        "hovertemplate": HOVER,
        "showlegend": False,
    }
    named = [f"({number}) {view.t('; ').join(lines)}" for number, lines in enumerate(texts, start=1)]
    if sum(map(len, texts)) > _MOST_IN_WORDS:
        words = view.t("Numbers mark {number} events: point at them, or see the table.", number=sum(map(len, texts)))
    else:
        words = " ".join(named)
    return Marks(trace, words, tuple(view.t("; ").join(happened.get(month, ())) for month in months))
