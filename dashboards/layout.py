"""The parts dashboards are built of: chart cards with a table view, notices."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from dashboards import filters, incidents, screen, shown
from dashboards.card_menu import card_menu
from dashboards.confidence import HIGH
from dashboards.enlarged import enlarged
from dashboards.export import about
from dashboards.export.exhibit import Exhibit
from dashboards.gateway import FILTERS
from dashboards.view import View
from data_entry.pages import links
from loupan import ui
from loupan.errors import LoupanError
from loupan.i18n import Translator, marked
from loupan.i18n.codes import dimension_title
from loupan.metrics.errors import QueryError
from loupan.ui.drawing import WORDS, Drawing, Finished

LOG = logging.getLogger(__name__)
_NOT_YET = marked("The published data does not hold this yet. It appears with the next refresh.")
_PLOTLY = {"displayModeBar": False, "scrollZoom": False}


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
        st.markdown(ui.sentence(str(error)))
        st.markdown(t("Go back to the last whole snapshot, then reload this page:"))
        st.code("loupan snapshots rollback", language=None)


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
    """
    t = view.t
    exhibit = Exhibit(view, title, draw, arguments, measures, caption)
    shown.add(key, exhibit)
    mode = screen.mode()
    with st.container(border=True, key=f"lp_card_{key}", height="stretch"):
        as_table = st.session_state.get(f"lp_as_table_{key}", tables)
        with st.container(horizontal=True, vertical_alignment="center", key=f"lp_over_{key}"):
            st.html(f"<h3 class='lp-title'>{html.escape(title)}</h3>")
            if is_switchable and st.button(
                t("Chart") if as_table else t("Table"),
                key=f"lp_switch_{key}",
                type="tertiary",
                icon=":material/bar_chart:" if as_table else ":material/table_rows:",
                help=t("Show {title} as a chart", title=ui.plain(title))
                if as_table
                else t("Show {title} as a table", title=ui.plain(title)),
            ):
                st.session_state[f"lp_as_table_{key}"] = not as_table
                st.rerun(scope="fragment")
            if not mode:
                with guarded(view):
                    card_menu(exhibit, key)
        if mode:
            caption = " ".join([caption, *map(t(": ").join, about.added(view, measures))]).strip()
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
                # Of a table without numbers of its own, everything is words.
                words = {c.title for c in drawing.columns if c.unit == WORDS}
                ui.table(drawing.table, title, is_words=not drawing.columns and drawing.figure is None, words=words)
            else:
                _chart(view, drawing, drawing.figure, f"{title}. {drawing.alt}", key, is_large=mode == screen.FULL)
            if drawing.signals and not drawing.is_empty:
                items = "".join(f"<li>{html.escape(signal)}</li>" for signal in drawing.signals)
                st.html(f"<ul class='lp-signals'>{items}</ul>")
            if drawing.note and not drawing.is_empty:
                st.html(f"<p class='lp-note'>{html.escape(drawing.note)}</p>")
            if not drawing.is_empty:
                _entry(exhibit, key)


def _entry(exhibit: Exhibit, key: str) -> None:
    """Show how far the entry of the data can be trusted: few words where it can, the reasons where it cannot."""
    grade = exhibit.confidence
    if grade is None:
        return
    words = grade.short if grade.grade == HIGH else grade.sentence
    with st.container(key=f"lp_entry_{key}"):
        links.link("completeness", f"{grade.mark} {words}")


def _chart(view: View, drawing: Drawing, figure: Finished, alt: str, key: str, *, is_large: bool) -> None:
    """Show a chart; a click on a mark of a dimension that is a filter of every page filters by it, or no longer."""
    options: dict[str, Any] = {"theme": None, "config": _PLOTLY, "alt": alt}
    is_telephone = "Mobi" in st.context.headers.get("User-Agent", "")
    if is_large and not is_telephone:
        figure = enlarged(figure, screen.ENLARGEMENT)
    # What answers to taps keeps a finger from scrolling the page; there, and for the keyboard, are the filters above.
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

    st.plotly_chart(figure.pickable(), key=name, on_select=picked, selection_mode="points", **options)


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
    except QueryError as error:
        if not view.gateway.is_outdated:
            _cannot_be_shown(view.t, error)
            return
        st.info(view.t(_NOT_YET), icon=":material/upgrade:")
    except LoupanError as error:
        _cannot_be_shown(view.t, error)
    except Exception as error:
        # A mistake of ours in one chart must not take the others from the reader.
        incidents.show(view.t, "A part of the page could not be drawn", error)


def _cannot_be_shown(t: Translator, error: LoupanError) -> None:
    LOG.error("A part of the page could not be drawn", exc_info=error)
    st.error(t("This could not be shown: {error}", error=ui.sentence(str(error))), icon=":material/error:")


def outdated(t: Translator) -> None:
    """Say that the data was published before the program was upgraded."""
    st.info(
        t("The program was upgraded after this data was published. What is new in it appears with the next refresh."),
        icon=":material/upgrade:",
    )
