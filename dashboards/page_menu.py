"""The menu of a page: its numbers as one workbook, its print, full screen for a meeting room."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial

import streamlit as st

from dashboards import screen, taken
from dashboards.export.exhibit import Exhibit
from dashboards.export.names import file_name
from dashboards.export.workbook import MIME, workbook
from loupan import ui
from loupan.i18n import Translator


@st.fragment
def page_menu(t: Translator, title: str, as_of: date, shown: Mapping[str, Exhibit]) -> None:
    """Draw the button that opens the menu, and the menu while it is open.

    Args:
        t: the reader's.
        title: the page's.
        as_of: the last day the data is of.
        shown: the page's exhibits; they may be added after this.
    """
    menu = st.popover(ui.plain(t("Export")), key="lp_menu_page", icon=":material/ios_share:", on_change="rerun")
    if not menu.open:
        return
    with menu, st.container(gap="xxsmall", key="lp_entries_page"):
        if shown:
            st.download_button(
                t("All tables as Excel"),
                taken.recorded(partial(_whole, title, shown), title, "xlsx"),
                file_name(title, as_of, "xlsx"),
                MIME,
                key="lp_xlsx_page",
                on_click="ignore",
                type="tertiary",
                icon=":material/table:",
                width="stretch",
            )
        if st.button(t("Print or PDF"), key="lp_print_page", type="tertiary", icon=":material/print:", width="stretch"):
            _look(screen.PRINT)
        if screen.is_pressed("enter", t("Full screen"), "fullscreen", "lp_full_page"):
            _look(screen.FULL)


def _whole(title: str, shown: Mapping[str, Exhibit]) -> bytes:
    return workbook(title, list(shown.values()))


def _look(mode: str) -> None:
    screen.choose(mode)
    st.rerun()
