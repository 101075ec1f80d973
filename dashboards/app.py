"""The script Streamlit runs for every reader and every click: navigation, the reader's choices, then the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import streamlit as st

from dashboards import filters, layout
from dashboards.gateway import open_gateway
from dashboards.pages import campaign_return, complaints, conversion, data_status, overview, staff
from dashboards.server import START_PAGE
from dashboards.view import View
from loupan import ui
from loupan.formats import Formats
from loupan.i18n import marked, translator
from loupan.snapshot import NoSnapshot, SnapshotError

_LOGO = str(Path(__file__).with_name("logo.svg"))
_MARK = str(Path(__file__).with_name("mark.svg"))


@dataclass(frozen=True)
class _Entry:
    """A page in the menu.

    Attributes:
        path: its address.
        title, lead: what it is called and, in one line, for.
        icon: a Material symbol.
        draw: draws what stands under the filters; given the view and whether tables are preferred.
        has_filters: whether period, project, source and department mean anything on it.
    """

    path: str
    title: str
    lead: str
    icon: str
    draw: Callable[[View, bool], None]
    has_filters: bool = True


_MENU = {
    marked("Decision support"): (
        _Entry(
            START_PAGE,
            marked("Overview"),
            marked("Sales, prospects and complaints at a glance"),
            ":material/monitoring:",
            overview.draw,
        ),
        _Entry(
            "conversion",
            marked("Conversion"),
            marked("How many prospects become customers, and where they are lost"),
            ":material/filter_alt:",
            conversion.draw,
        ),
        _Entry(
            "complaints",
            marked("Complaints"),
            marked("How often customers complain, about what, and how we answer"),
            ":material/support_agent:",
            complaints.draw,
        ),
        _Entry(
            "campaign-return",
            marked("Campaign return"),
            marked("What marketing costs and what it brings, under every attribution model"),
            ":material/campaign:",
            campaign_return.draw,
        ),
        _Entry(
            "staff",
            marked("Staff"),
            marked("A fair comparison: chance is shown, nobody is ranked"),
            ":material/groups:",
            staff.draw,
        ),
    ),
    marked("Data"): (
        _Entry(
            "data-status",
            marked("Data status"),
            marked("How fresh and how sound the numbers are"),
            ":material/database:",
            data_status.draw,
            has_filters=False,
        ),
    ),
}


def main() -> None:
    """Draw one run of the app."""
    filters.keep_address()
    language = filters.language()
    t = translator(language)
    st.set_page_config(page_title="Loupan", page_icon=_MARK, layout="wide")
    theme = "dark" if st.context.theme.type == "dark" else "light"
    ui.style(theme)
    st.logo(_LOGO, size="large", icon_image=_MARK)
    pages = {
        t(group): [
            st.Page(
                partial(_show, entry, language, theme),
                title=t(entry.title),
                icon=entry.icon,
                url_path=entry.path,
                default=entry.path == START_PAGE,
            )
            for entry in entries
        ]
        for group, entries in _MENU.items()
    }
    page = st.navigation(pages)
    with st.sidebar:
        filters.language_switch(language)
    page.run()


def _show(entry: _Entry, language: str, theme: str) -> None:
    t = translator(language)
    with st.sidebar:
        tables = filters.tables_switch(t)
    try:
        gateway = open_gateway()
        as_of = Formats(language, gateway.currency).moment(gateway.as_of, gateway.time_zone)
        ui.head(t(entry.title), t(entry.lead), t("Data as of {moment}", moment=as_of))
        view = (
            filters.bar(gateway, language, theme) if entry.has_filters else filters.unfiltered(gateway, language, theme)
        )
        entry.draw(view, tables)
    except NoSnapshot:
        ui.head(t(entry.title), t(entry.lead))
        layout.nothing_published(t)
    except SnapshotError as error:
        layout.damaged(t, error)


main()
