"""Key figures: the value, its change, its course, and what it means on a click."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboards import shown
from dashboards.definition import definition_button
from dashboards.export.exhibit import Exhibit
from dashboards.export.key_figures import key_figures
from dashboards.key_figure import Compared, attained, compared
from dashboards.layout import guarded
from dashboards.memory import remembered
from dashboards.view import YEAR_BEFORE, View
from loupan.formats import is_missing
from loupan.ui.palette import COLOURS


def tiles(view: View, metrics: Sequence[str]) -> None:
    """Show key figures: the value, its change against the period before, its course, its definition on a click."""
    known = [m for m in metrics if view.gateway.has(m)]
    if not known:
        return
    shown.add(f"tiles_{known[0]}", Exhibit(view, view.t("Key figures"), key_figures, (tuple(known),)))
    _cells(view, tuple(known))


@st.fragment
def _cells(view: View, metrics: Sequence[str]) -> None:
    with st.container(key="lp_tiles"):
        cells = st.grid(columns=min(len(metrics), 7), min_column_width=140, gap=12)
        for metric in metrics:
            with cells.cell(), st.container(border=True, key=f"lp_tile_{metric}", height="stretch"), guarded(view):
                definition_button(view, metric)
                st.html(_figure(view, metric))


@remembered(512)
def _figure(view: View, metric: str) -> str:
    """Return the value, its change and its course as HTML."""
    definition = view.gateway.metric(metric)
    if definition is None:
        return ""
    is_state = view.is_state(metric)
    told = compared(view, metric, view.comparison)
    by_month = pd.DataFrame() if is_state else view.ask(metric, by=("month",))
    return (
        f"<div class='lp-tile' data-metric='{html.escape(metric)}'>"
        f"<p class='lp-value'>{html.escape(view.formats.value(told.value, definition.unit))}</p>"
        f"{_change(view, told)}{_attained(view, metric)}"
        f"{_sparkline(view, by_month, metric)}</div>"
    )


def _change(view: View, told: Compared) -> str:
    if told.change is None:
        return f"<p class='lp-change'><span>{html.escape(told.reason)}</span></p>"
    against = view.t("vs last year") if view.compare == YEAR_BEFORE else view.t("vs prior period")
    colours = COLOURS[view.theme]
    colour = colours.muted if told.is_good is None else colours.good if told.is_good else colours.bad
    return (
        f"<p class='lp-change' style='color:{colour}'>{told.arrow} {html.escape(told.change)} "
        f"<span>{html.escape(against)}</span></p>"
    )


def _attained(view: View, metric: str) -> str:
    """Say how much of a metric's target the period has reached, where one is set."""
    share = attained(view, metric)
    if share is None:
        return ""
    words = view.t("{share} of target", share=view.formats.value(share, "percent"))
    return f"<p class='lp-change'><span>{html.escape(words)}</span></p>"


def _sparkline(view: View, frame: pd.DataFrame, metric: str) -> str:
    """Return the metric by month as a small line; decoration for the eye, so without words for screen readers."""
    values = (
        frame.set_index("month")[metric].reindex(view.months()).astype(float)
        if metric in frame
        else pd.Series(dtype=float)
    )
    known = values.dropna()
    if len(known) < 2:
        return "<div class='lp-spark'></div>"
    low, high = float(known.min()), float(known.max())
    span, step = (high - low) or 1.0, 200 / (len(values) - 1)
    points = [f"{i * step:.1f},{36 - 30 * (v - low) / span:.1f}" for i, v in enumerate(values) if not is_missing(v)]
    is_whole = view.is_over(str(known.index[-1]))
    whole = " ".join(points if is_whole else points[:-1])
    unfinished = "" if is_whole else " ".join(points[-2:])
    (left, *_), (right, *_) = points[0].split(","), points[-1].split(",")
    colour = COLOURS[view.theme].main
    # As a picture: the sanitiser of st.html removes SVG elements.
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='-3 0 206 40' preserveAspectRatio='none'>"
        f"<polyline points='{left},40 {' '.join(points)} {right},40' fill='{colour}' fill-opacity='0.10'/>"
        f"<g fill='none' stroke='{colour}' stroke-width='2' stroke-linejoin='round' stroke-linecap='round'>"
        f"<polyline points='{whole}' vector-effect='non-scaling-stroke'/>"
        f"<polyline points='{unfinished}' vector-effect='non-scaling-stroke' stroke-dasharray='1 4'/></g></svg>"
    )
    encoded = base64.b64encode(svg.encode()).decode()
    return f"<img class='lp-spark' alt='' src='data:image/svg+xml;base64,{encoded}'>"
