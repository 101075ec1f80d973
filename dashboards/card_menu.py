"""The menu of one card: its files, its picture, its chart in large. Nothing is made before the menu is opened."""

from __future__ import annotations

import html
from functools import cache, partial
from typing import Any

import streamlit as st

from dashboards.enlarged import enlarged
from dashboards.export import about
from dashboards.export.csv_file import csv_file
from dashboards.export.exhibit import Exhibit
from dashboards.export.names import file_name
from dashboards.export.picture import picture
from dashboards.export.workbook import MIME, workbook
from dashboards.plotly_script import ADDRESS
from dashboards.screen import ENLARGEMENT
from loupan import ui

_PLOTLY = {"displayModeBar": False, "responsive": True, "scrollZoom": False}
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


def _entries(exhibit: Exhibit, key: str, name: str) -> None:
    """Draw the entries of an open menu; further ones belong here, each a function of its own."""
    if exhibit.drawing.is_empty:
        ui.message(exhibit.view.t("No data for this period and these filters."))
        return
    _downloads(exhibit, key)
    _picture(exhibit, key)
    _full_screen(exhibit, key, name)


def _downloads(exhibit: Exhibit, key: str) -> None:
    t, as_of = exhibit.view.t, exhibit.view.as_of_on
    st.download_button(
        t("Download CSV"),
        partial(csv_file, exhibit),
        file_name(exhibit.title, as_of, "csv"),
        "text/csv",
        key=f"lp_csv_{key}",
        on_click="ignore",
        type="tertiary",
        icon=":material/csv:",
        width="stretch",
    )
    st.download_button(
        t("Download Excel"),
        partial(workbook, exhibit.title, [exhibit]),
        file_name(exhibit.title, as_of, "xlsx"),
        MIME,
        key=f"lp_xlsx_{key}",
        on_click="ignore",
        type="tertiary",
        icon=":material/table:",
        width="stretch",
    )


def _picture(exhibit: Exhibit, key: str) -> None:
    if exhibit.drawing.figure is None:
        return
    t = exhibit.view.t
    words = {"label": t("Download picture (PNG)"), "failed": t("The picture could not be made."), "icon": "image"}
    _component()(key=f"lp_png_{key}", data={**picture(exhibit), **words, "script": ADDRESS})


def _full_screen(exhibit: Exhibit, key: str, name: str) -> None:
    def ask() -> None:
        st.session_state[name] = False
        st.session_state[_asked_for_large(key)] = True

    st.button(
        exhibit.view.t("Full screen"),
        key=f"lp_enlarge_{key}",
        on_click=ask,
        type="tertiary",
        icon=":material/fullscreen:",
        width="stretch",
    )


def _asked_for_large(key: str) -> str:
    return f"lp_large_{key}"


def _large(exhibit: Exhibit) -> None:
    view, drawing = exhibit.view, exhibit.drawing

    @st.dialog(ui.plain(exhibit.title), width="large")
    def dialog() -> None:
        context = " · ".join(view.t(": ").join(line) for line in about.context(exhibit))
        st.html(f"<p class='lp-large lp-caption'>{html.escape(context)}</p>")
        if drawing.figure is None:
            ui.table(drawing.table, exhibit.title)
        else:
            st.plotly_chart(
                enlarged(drawing.figure, ENLARGEMENT, _LARGE),
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
