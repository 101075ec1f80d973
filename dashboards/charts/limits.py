"""Limits of ordinary variation on charts over time: thin lines, rings around signals, and both in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from dashboards.control import MOST, Control, basis, basis_of_all, in_table, told
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


def rings(view: View, found: Control | None, periods: Sequence[str]) -> list[dict[str, Any]]:
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
            "y": [float(values[place]) for place in places],
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
    view: View, drawing: Drawing, courses: Mapping[str, Control | None], unit: str, drawn: str = ""
) -> Drawing:
    """Tell of the signals of the courses of a drawing: the last ones as sentences, all in its table and its columns.

    Args:
        view: the reader's view.
        drawing: with a row per period.
        courses: by the name that sentences and columns give them.
        unit: of the values.
        drawn: the name of the course whose limits are drawn, if any; it is told of first.
    """
    found = {name: course for name, course in courses.items() if course is not None}
    if not found:
        return drawing
    is_alone = len(courses) == 1
    sentences = [
        (course.last - signal.end, sentence)
        for name, course in found.items()
        for signal, sentence in zip(course.signals, told(view, course, "" if is_alone else name), strict=True)
    ]
    # The latest first; the sort keeps the order of the courses.
    texts = [sentence for _, sentence in sorted(sentences, key=lambda pair: pair[0])]
    if len(texts) > MOST:
        texts = [*texts[:MOST], view.t("{number} more: see the table.", number=len(texts) - MOST)]
    limited = {name: course for name, course in found.items() if course.limits is not None}
    if limited and not texts:
        texts = [view.t("Nothing beyond ordinary variation.")]
    words = basis(view, found[drawn]) if drawn in found else basis_of_all(view, [*found.values()])
    numbers = {name: _numbers(view, course, unit, "" if is_alone else name) for name, course in limited.items()}
    # Beside several courses the table has room for their signals; the file has all.
    shown = [column for name, own in numbers.items() for column in (own if name == drawn else own[-1:])]
    return replace(
        drawing,
        alt=" ".join([drawing.alt, *texts]).strip(),
        table=pd.concat([drawing.table, written(view.formats, shown)], axis=1),
        note=f"{words} {drawing.note}".strip(),
        columns=[*drawing.columns, *(column for own in numbers.values() for column in own)],
        signals=tuple(texts),
    )


def _numbers(view: View, course: Control, unit: str, name: str) -> list[Column]:
    """Return a course's centre, limits and signals as columns, headed by its name where it has one."""
    t = view.t

    def titled(words: str) -> str:
        return t("{name}: {part}", name=name, part=words) if name else words

    return [
        Column(titled(t("Average")), course.centre(), unit),
        Column(titled(t("Lower limit")), course.lower(), unit),
        Column(titled(t("Upper limit")), course.upper(), unit),
        Column(titled(t("Signal")), in_table(view, course)),
    ]
