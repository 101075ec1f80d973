"""Limits of ordinary variation on charts over time: thin lines, rings around signals, and both in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from dashboards.control import MOST, Control, basis, in_table, told
from dashboards.view import View
from loupan.statistics.control import Rule
from loupan.ui.drawing import Column, Drawing, written
from loupan.ui.palette import COLOURS

_CLEAR = "rgba(0,0,0,0)"
# A point beyond the limits is ringed once, one of a row by a smaller ring.
_RINGS = {Rule.RUN: (12, 1.0), Rule.BEYOND: (16, 2.0)}


def limit_lines(view: View, found: Control | None, periods: Sequence[str]) -> list[dict[str, Any]]:
    """Return the traces of a course's centre and limits; none where there are no limits."""
    if found is None or found.limits is None:
        return []
    shared = {"type": "scatter", "mode": "lines", "x": list(periods), "hoverinfo": "skip", "showlegend": False}
    muted = COLOURS[view.theme].muted
    return [
        {
            **shared,
            "y": values,
            "line": {"color": muted, "width": 1, "shape": "hvh", **({"dash": "dot"} if is_centre else {})},
        }
        for values, is_centre in ((found.lower(), False), (found.centre(), True), (found.upper(), False))
        if any(value is not None for value in values)
    ]


def rings(view: View, found: Control | None, periods: Sequence[str], sign: float = 1.0) -> list[dict[str, Any]]:
    """Return the traces of the rings around a course's signals."""
    if found is None:
        return []
    values = found.values[-found.shown :]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "cliponaxis": False,
            "x": [periods[place] for place in places],
            "y": [sign * float(values[place]) for place in places],
            "marker": {"size": size, "color": _CLEAR, "line": {"width": width, "color": COLOURS[view.theme].ink}},
            "hoverinfo": "skip",
            "showlegend": False,
        }
        for rule, (size, width) in _RINGS.items()
        if (places := found.marked(rule))
    ]


def reach(found: Control | None) -> list[float]:
    """Return the limits that an axis must have room for."""
    return [] if found is None else [value for value in (*found.lower(), *found.upper()) if value is not None]


def with_signals(
    view: View, drawing: Drawing, courses: Mapping[str, Control | None], unit: str, *, is_drawn: bool = True
) -> Drawing:
    """Tell of the signals of the courses of a drawing: the last ones as sentences, all in its table and its columns.

    Args:
        view: the reader's view.
        drawing: with a row per period.
        courses: by the name that sentences and columns give them.
        unit: of the values.
        is_drawn: whether the limits are drawn, which are those of the only course.
    """
    found = {name: course for name, course in courses.items() if course is not None}
    if not found:
        return drawing
    is_single = len(courses) == 1
    sentences = [
        (course.last - signal.end, sentence)
        for name, course in found.items()
        for signal, sentence in zip(course.signals, told(view, course, "" if is_single else name), strict=True)
    ]
    # The latest first; the sort keeps the order of the courses.
    texts = [sentence for _, sentence in sorted(sentences, key=lambda pair: pair[0])]
    if len(texts) > MOST:
        texts = [*texts[:MOST], view.t("{number} more: see the table.", number=len(texts) - MOST)]
    limited = [course for course in found.values() if course.limits is not None]
    if limited and not texts:
        texts = [view.t("Nothing beyond ordinary variation.")]
    words = basis(view, limited[0] if limited else next(iter(found.values())), is_drawn=is_drawn and is_single)
    numbers = [column for name, course in found.items() for column in _numbers(view, course, unit, is_single, name)]
    in_words = numbers if is_single else [column for column in numbers if not column.unit]
    return replace(
        drawing,
        alt=" ".join([drawing.alt, *texts]).strip(),
        table=pd.concat([drawing.table, written(view.formats, in_words)], axis=1),
        note=f"{words} {drawing.note}".strip(),
        columns=[*drawing.columns, *numbers],
        signals=tuple(texts),
    )


def _numbers(view: View, course: Control, unit: str, is_single: bool, name: str) -> list[Column]:
    """Return a course's centre, limits and signals as columns; nothing where there are no limits."""
    if course.limits is None:
        return []
    t = view.t

    def titled(words: str) -> str:
        return words if is_single else t("{name}: {part}", name=name, part=words)

    return [
        Column(titled(t("Average")), course.centre(), unit),
        Column(titled(t("Lower limit")), course.lower(), unit),
        Column(titled(t("Upper limit")), course.upper(), unit),
        Column(titled(t("Signal")), in_table(view, course)),
    ]
