"""A chart as a picture to be made in the reader's browser: the figure, and the words printed around it."""

from __future__ import annotations

from typing import Any

from dashboards.export import about
from dashboards.export.exhibit import Exhibit
from dashboards.export.names import file_name
from loupan.ui.palette import COLOURS

WIDTH = 1000
"""Of the chart in a picture, in pixels; it is drawn twice as fine."""
# An image made of a drawing cannot use the page's own fonts, so that it measures and draws with those of the system.
_FONT = "'Noto Sans', 'Noto Sans CJK SC', 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', Arial, sans-serif"


def picture(exhibit: Exhibit) -> dict[str, Any]:
    """Return what the browser needs to draw an exhibit that has a figure, in light colours.

    Returns:
        ``figure`` (Plotly's JSON as text), ``width``, ``title``, ``caption``, ``lines`` (of small print beneath),
        ``file_name``, ``font`` and ``colours`` (surface, ink, muted).
    """
    light = exhibit.in_theme("light")
    view, figure = light.view, light.drawing.figure
    if figure is None:
        raise ValueError(f"{exhibit.title} has no figure")
    sign = view.t(": ")
    # What stands in the caption is printed on top already.
    context = [line for line in about.context(light) if line[0] != view.t("Remarks")]
    lines = [" · ".join(f"{label}{sign}{words}" for label, words in context)]
    lines += [words for words in (*light.drawing.signals, light.drawing.note) if words]
    lines += [f"{label}{sign}{words}" for label, words in about.definitions(view, light.metrics)]
    lines.append(sign.join(about.origin(view)))
    colours = COLOURS["light"]
    return {
        "figure": figure.to_json(),
        "width": WIDTH,
        "title": light.title,
        "caption": light.caption,
        "lines": lines,
        "file_name": file_name(light.title, view.as_of_on, "png"),
        "font": _FONT,
        "colours": {"surface": colours.surface, "ink": colours.ink, "muted": colours.muted},
    }
