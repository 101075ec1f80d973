"""The parts dashboards are built of: definition tiles, chart cards with a table view, notices."""

from __future__ import annotations

import base64
import html
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import drill, filters, screen, shown
from dashboards.card_menu import card_menu
from dashboards.enlarged import enlarged
from dashboards.export.exhibit import Exhibit
from dashboards.export.key_figures import key_figures
from dashboards.gateway import FILTERS
from dashboards.view import YEAR_BEFORE, View
from data_entry.pages import links
from loupan import ui
from loupan.errors import LoupanError
from loupan.formats import is_missing
from loupan.i18n import Translator
from loupan.i18n.codes import date_basis, dimension_title, value_label
from loupan.metrics import Metric
from loupan.ui.drawing import Drawing
from loupan.ui.palette import COLOURS

LOG = logging.getLogger(__name__)
_PLOTLY = {"displayModeBar": False, "responsive": True, "scrollZoom": False}


def nothing_published(t: Translator) -> None:
    """Say what to do while there is no snapshot."""
    with st.container(border=True, key="lp_notice"):
        st.subheader(t("Nothing has been published yet"), anchor=False)
        st.markdown(t("The dashboards show the last refresh that passed all its checks. To make the first one:"))
        st.markdown(t("1. To use a CRM of your own, set `LOUPAN_CRM_URL`. To try it out, make a sample company:"))
        st.code("loupan crm init\nloupan sample", language=None)
        st.markdown(t("2. Load, check and publish it:"))
        st.code("loupan refresh", language=None)
        st.markdown(t("3. Reload this page."))


def damaged(t: Translator, error: Exception) -> None:
    """Say that the snapshot in force cannot be read, and how to go back to the one before."""
    LOG.error("The current snapshot cannot be read: %s", error)
    with st.container(border=True, key="lp_notice"):
        st.subheader(t("The published data cannot be read"), anchor=False)
        st.markdown(ui.plain(str(error)))
        st.markdown(t("Go back to the last whole snapshot, then reload this page:"))
        st.code("loupan snapshots rollback", language=None)


def tiles(view: View, metrics: Sequence[str], where: dict[str, list[str]] | None = None) -> None:
    """Show key figures: the value, its change against the period before, its course, its definition on a click."""
    known = [m for m in metrics if view.gateway.has(m)]
    if not known:
        return
    t, restrictions = view.t, tuple((name, tuple(values)) for name, values in (where or {}).items())
    choices = [(dimension_title(t, n), t(", ").join(value_label(t, n, v) for v in vs)) for n, vs in restrictions]
    figures = Exhibit(view, t("Key figures"), key_figures, (tuple(known), restrictions), choices=choices)
    shown.add(f"tiles_{known[0]}", figures)
    with st.container(key="lp_tiles"):
        cells = st.grid(columns=min(len(known), 7), min_column_width=140, gap=12)
        for metric in known:
            with cells.cell(), st.container(border=True, key=f"lp_tile_{metric}", height="stretch"):
                _tile(view, metric, where or {})


def _tile(view: View, metric: str, where: dict[str, list[str]]) -> None:
    definition = view.gateway.metric(metric)
    if definition is None:
        return
    compared = view.comparison
    with guarded(view):
        now = view.ask(metric, where=where)
        nothing = pd.DataFrame()
        is_state = view.is_state(metric)
        before = nothing if is_state or compared is None else view.ask(metric, where=where, period=compared)
        by_month = nothing if is_state else view.ask(metric, by=("month",), where=where)
        value, earlier = _only(now, metric), _only(before, metric)
        n = _only(now, f"{metric}__denominator")
        _definition(view, definition, n)
        change = None if view.is_maturing(metric) else view.formats.change(value, earlier, definition.unit)
        st.html(
            f"<div class='lp-tile' data-metric='{html.escape(metric)}'>"
            f"<p class='lp-value'>{html.escape(view.formats.value(value, definition.unit))}</p>"
            f"{_change(view, change, value, earlier, definition)}{_attained(view, metric)}"
            f"{_sparkline(view, by_month, metric)}</div>"
        )


def _definition(view: View, definition: Metric, n: float | None) -> None:
    t, formats, before = view.t, view.formats, view.comparison
    with st.popover(
        ui.plain(view.label(definition.name)), type="tertiary", icon=":material/info:", key=f"lp_def_{definition.name}"
    ):
        rows = [(t("Definition"), t(definition.description))]
        if definition.numerator and definition.denominator:
            rows += [
                (t("Numerator"), view.label(definition.numerator)),
                (t("Denominator"), view.label(definition.denominator)),
            ]
        if n is not None and not is_missing(n):
            rows.append(("n", f"{n:,.0f}"))
        rows.append((t("Date basis"), date_basis(t, definition.date_basis)))
        if not view.is_state(definition.name):
            rows.append((t("Period"), f"{formats.day(view.period.start)} – {formats.day(view.period.end)}"))
            if before is not None:
                rows.append((t("Compared with"), f"{formats.day(before.start)} – {formats.day(before.end)}"))
        rows += [
            (t("Data as of"), formats.moment(view.gateway.as_of, view.gateway.time_zone)),
            (t("Name"), definition.name),
        ]
        ignored = view.ignored(definition.name)
        if ignored:
            rows.append((t("Filters without effect"), t(", ").join(dimension_title(t, name) for name in ignored)))
        body = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in rows)
        st.html(f"<dl class='lp-definition'>{body}</dl>")
        drill.button(view, (definition.name,), definition.name)
        if links.is_open("dictionary"):
            links.link("dictionary", t("In the dictionary"), ":material/dictionary:", metric=definition.name)


def _change(view: View, change: str | None, value: float | None, before: float | None, metric: Metric) -> str:
    if change is None or value is None or before is None:
        # Older cohorts have had longer to decide: set beside them, young ones would always look worse.
        if not view.gateway.is_recorded(metric.name):
            reason = view.t("not recorded")
        elif view.is_state(metric.name):
            reason = view.t("as of the data's date")
        elif view.comparison is None:
            reason = view.t("not compared")
        else:
            reason = view.t("cohorts still maturing") if view.is_maturing(metric.name) else view.t("no comparison")
        return f"<p class='lp-change'><span>{html.escape(reason)}</span></p>"
    against = view.t("vs last year") if view.compare == YEAR_BEFORE else view.t("vs prior period")
    colours = COLOURS[view.theme]
    arrow, colour = "→", colours.muted
    # What is written decides, not the bare numbers: an arrow beside 0.0 % would puzzle.
    if any(digit in change for digit in "123456789"):
        has_risen = value > before
        arrow = "↑" if has_risen else "↓"
        if metric.better in ("higher", "lower"):
            colour = colours.good if has_risen == (metric.better == "higher") else colours.bad
    return (
        f"<p class='lp-change' style='color:{colour}'>{arrow} {html.escape(change)} "
        f"<span>{html.escape(against)}</span></p>"
    )


def _attained(view: View, metric: str) -> str:
    """Return how much of a metric's target the period has reached, where one is set."""
    ratio = f"{metric}_attainment"
    share = _only(view.ask(ratio), ratio) if view.gateway.has(ratio) else None
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


@st.fragment
def card(
    view: View,
    title: str,
    draw: Callable[..., Drawing],
    *arguments: object,
    key: str,
    measures: Sequence[str] = (),
    caption: str = "",
    tables: bool = False,
    is_switchable: bool = True,
    choices: Sequence[tuple[str, str]] = (),
) -> None:
    """Show a chart in a frame, with a button that turns it into a table and back.

    Args:
        view: the reader's view.
        title: what the chart shows.
        draw: makes the drawing from the view and `arguments`.
        arguments: handed to `draw`.
        key: unique on the page.
        measures: the metrics shown, to say which filters do not apply to them.
        caption: a sentence under the title: the date basis, a caution.
        tables: whether the reader prefers tables everywhere.
        is_switchable: False for what is a table only.
        choices: choices of the page that the title does not tell: what is chosen, and the chosen.
    """
    t = view.t
    exhibit = Exhibit(view, title, draw, arguments, measures, caption, choices)
    shown.add(key, exhibit)
    mode = screen.mode()
    with st.container(border=True, key=f"lp_card_{key}", height="stretch"):
        as_table = st.session_state.get(f"lp_as_table_{key}", tables)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.html(f"<h3 class='lp-title'>{html.escape(title)}</h3>")
            if is_switchable and st.button(
                t("Chart") if as_table else t("Table"),
                key=f"lp_switch_{key}",
                type="tertiary",
                icon=":material/bar_chart:" if as_table else ":material/table_rows:",
                help=t("Show {title} as a chart", title=title)
                if as_table
                else t("Show {title} as a table", title=title),
            ):
                st.session_state[f"lp_as_table_{key}"] = not as_table
                st.rerun(scope="fragment")
            if not mode:
                with guarded(view):
                    card_menu(exhibit, key)
        if mode:
            caption = " ".join([caption, *(f"{what}{t(': ')}{chosen}" for what, chosen in choices)]).strip()
        ignored = view.ignored(*measures) if measures else ()
        if ignored:
            names = t(", ").join(dimension_title(t, name) for name in ignored)
            caption = f"{caption} {t('Not filtered by: {names}.', names=names)}".strip()
        if caption:
            st.html(f"<p class='lp-caption'>{html.escape(caption)}</p>")
        with guarded(view):
            drawing = draw(view, *arguments)
            if drawing.is_empty:
                no_data(view, measures)
            elif as_table or drawing.figure is None:
                ui.table(drawing.table, title)
            else:
                _chart(view, drawing, f"{title}. {drawing.alt}", key, is_large=mode == screen.FULL)
            if drawing.note and not drawing.is_empty:
                st.html(f"<p class='lp-note'>{html.escape(drawing.note)}</p>")


def _chart(view: View, drawing: Drawing, alt: str, key: str, *, is_large: bool) -> None:
    """Show a chart; a click on a mark of a dimension that is a filter of every page filters by it, or no longer."""
    figure = enlarged(drawing.figure, screen.ENLARGEMENT) if is_large else drawing.figure
    options: dict[str, Any] = {"theme": None, "config": _PLOTLY, "alt": alt}
    # What answers to taps keeps a finger from scrolling the page; there, and for the keyboard, are the filters above.
    is_telephone = "Mobi" in st.context.headers.get("User-Agent", "")
    if drawing.dimension not in FILTERS or is_telephone:
        st.plotly_chart(figure, key=f"lp_chart_{key}", **options)
        return
    # A new key after each click: a chart remembers what was clicked, and would grey all else.
    clicks = f"lp_clicks_{key}"
    name = f"lp_pick_{key}_{st.session_state.get(clicks, 0)}"

    def picked() -> None:
        st.session_state[clicks] = st.session_state.get(clicks, 0) + 1
        for point in st.session_state[name]["selection"]["points"]:
            value = drawing.values[point["point_index"]] if point["curve_number"] == 0 else None
            if value in view.gateway.values(drawing.dimension):
                filters.toggle(drawing.dimension, value)
        # The filters, and the other charts, stand outside of this one's fragment.
        st.rerun()

    st.plotly_chart(figure, key=name, on_select=picked, selection_mode="points", **options)


def no_data(view: View, measures: Sequence[str] = ()) -> None:
    """Say that there is nothing to show, and whether there ever was: never a zero, which would be a statement."""
    if view.gateway.withholds(*measures):
        reason = view.t("These records do not say whose they are, so this cannot be limited to what you may see.")
    elif measures and not any(view.gateway.is_recorded(m) for m in measures):
        reason = view.t("The data holds nothing of this kind.")
    else:
        reason = view.t("No data for this period and these filters.")
    st.html(f"<p class='lp-empty'>{html.escape(reason)}</p>")


@contextmanager
def guarded(view: View) -> Iterator[None]:
    """Turn an error into a notice in its place, so that the rest of the page stands."""
    try:
        yield
    except LoupanError as error:
        LOG.exception("A part of the page could not be drawn")
        st.error(view.t("This could not be shown: {error}", error=ui.plain(str(error))), icon=":material/error:")
    except Exception:
        # A mistake of ours in one chart must not take the others from the reader.
        LOG.exception("A part of the page could not be drawn")
        st.error(view.t("This could not be shown; the reason is in the server's log."), icon=":material/error:")


def _only(frame: pd.DataFrame, column: str) -> float | None:
    """Return the one value of a frame with one row, None where it has none."""
    if frame.empty or column not in frame:
        return None
    value = frame[column].iloc[0]
    return None if is_missing(value) else float(value)
