"""The menu of one card: its files, its picture, its chart in large. Nothing is made before the menu is opened."""

from __future__ import annotations

import html
from functools import cache
from typing import Any

import streamlit as st

from dashboards import drill, screen
from dashboards.downloads import downloads
from dashboards.enlarged import enlarged
from dashboards.export import about
from dashboards.export.exhibit import Exhibit
from dashboards.export.picture import picture
from dashboards.plotly_script import ADDRESS
from loupan import ui

_PLOTLY = {"displayModeBar": False, "scrollZoom": False}
_LARGE = 560
"""The least height of a chart in full screen, in pixels."""


def card_menu(exhibit: Exhibit, key: str) -> None:
    """Draw the button that opens the menu, and the menu while it is open.

    Args:
        exhibit: what the card shows.
        key: the card's.
    """
    t, name = exhibit.view.t, f"lp_menu_{key}"
    menu = st.popover(
        ui.plain(t("More on {title}", title=exhibit.title)),
        key=name,
        type="tertiary",
        icon=":material/more_horiz:",
        on_change="rerun",
    )
    if menu.open:
        with menu, st.container(gap="xxsmall", key=f"lp_entries_{key}"):
            _entries(exhibit, key, name)
    if st.session_state.pop(_asked_for_large(key), False):
        _large(exhibit)
    elif st.session_state.pop(_asked_for_rows(key), False):
        drill.show(exhibit.view, exhibit.metrics)


def _entries(exhibit: Exhibit, key: str, name: str) -> None:
    """Draw the entries of an open menu; further ones belong here, each a function of its own."""
    if exhibit.drawing.is_empty:
        ui.message(exhibit.view.t("No data for this period and these filters."))
        return
    if drill.has_rows(exhibit.view, exhibit.metrics):
        _dialog_entry(exhibit.view.t("Rows behind it"), "list_alt", _asked_for_rows(key), name)
    downloads(exhibit, key)
    _picture(exhibit, key)
    t = exhibit.view.t
    if st.button(t("Print or PDF"), key=f"lp_print_{key}", type="tertiary", icon=":material/print:", width="stretch"):
        screen.choose(screen.PRINT, key)
        st.rerun()
    _dialog_entry(exhibit.view.t("Full screen"), "fullscreen", _asked_for_large(key), name)


def _picture(exhibit: Exhibit, key: str) -> None:
    if exhibit.drawing.figure is None:
        return
    t = exhibit.view.t
    words = {"label": t("Download picture (PNG)"), "failed": t("The picture could not be made."), "icon": "image"}
    _component()(key=f"lp_png_{key}", data={**picture(exhibit), **words, "script": ADDRESS})


def _dialog_entry(label: str, icon: str, asked: str, menu: str) -> None:
    """Draw an entry that closes the menu and asks, by a name in the session's state, for a dialog."""

    def ask() -> None:
        st.session_state[menu] = False
        st.session_state[asked] = True

    st.button(label, key=f"{asked}_ask", on_click=ask, type="tertiary", icon=f":material/{icon}:", width="stretch")


def _asked_for_rows(key: str) -> str:
    return f"lp_rows_asked_{key}"


def _asked_for_large(key: str) -> str:
    return f"lp_large_{key}"


def _large(exhibit: Exhibit) -> None:
    view, drawing = exhibit.view, exhibit.drawing

    @st.dialog(ui.plain(exhibit.title), width="large")
    def dialog() -> None:
        context = " · ".join(view.t(": ").join(line) for line in about.context(exhibit))
        ui.sheets("large")
        st.html(f"<p class='lp-caption'>{html.escape(context)}</p>")
        if drawing.figure is None:
            ui.table(drawing.table, exhibit.title)
        else:
            st.plotly_chart(
                enlarged(drawing.figure, screen.ENLARGEMENT, _LARGE),
                theme=None,
                config=_PLOTLY,
                alt=f"{exhibit.title}. {drawing.alt}",
                key="lp_chart_in_large",
            )

    dialog()


@cache
def _component() -> Any:
    return st.components.v2.component(
        "loupan.picture", js="picture.js", css="action.css", html="<button type='button'></button><p role='status'></p>"
    )
