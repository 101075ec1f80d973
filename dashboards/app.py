"""The script Streamlit runs for every reader and every click: who it is, navigation, the reader's choices, the page."""

from __future__ import annotations

import html
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboards import cookies, filters, incidents, layout, reader, saved_views, screen, seat, shown, taken, telemetry
from dashboards.gateway import open_gateway
from dashboards.menu import DASHBOARDS, Dashboard
from dashboards.page_menu import page_menu
from dashboards.view import company_date
from data_entry.pages import links
from data_entry.pages.desk import Desk
from data_entry.pages.menu import MENU, Entry
from data_entry.pages.role_names import role_title
from data_entry.schema import metadata
from data_entry.services.errors import PageForbidden, ServiceError
from loupan import ui
from loupan.errors import LoupanError
from loupan.formats import Formats
from loupan.i18n import Translator, translator
from loupan.snapshot import NoSnapshot, SnapshotError

LOG = logging.getLogger(__name__)
_LOGO = str(Path(__file__).with_name("logo.svg"))
_MARK = str(Path(__file__).with_name("mark.svg"))


def main() -> None:
    """Draw one run of the app."""
    filters.keep_address()
    st.set_page_config(page_title="Loupan", page_icon=_MARK, layout="wide")
    theme = screen.theme()
    ui.style(theme)
    st.logo(_LOGO, size="large", icon_image=_MARK)
    try:
        desk = seat.take(filters.asked_language(), filters.browser_language())
    except LoupanError as error:
        _nobody(translator(filters.asked_language() or filters.browser_language()), error)
        return
    pages = _pages(desk, theme)
    page = st.navigation(pages, expanded=True)
    with st.sidebar:
        filters.language_switch(desk.language)
        _signed_in(desk)
    with telemetry.page_run(page.url_path):
        page.run()


def _nobody(t: Translator, error: LoupanError) -> None:
    """Say why nothing can be shown, and lead to the login page."""
    st.navigation([st.Page(lambda: None, title="Loupan")], position="hidden")
    with st.container(border=True, key="lp_notice"):
        st.subheader(t("Sign in"), anchor=False)
        st.markdown(ui.sentence(error.text(t) if isinstance(error, ServiceError) else t(str(error))))
        st.html(f"<a class='lp-link' href='/login'>{html.escape(t('To the login page'))}</a>")


def _may_open(desk: Desk, path: str) -> bool:
    return desk.actor.may("open", f"page:{path}")


def _pages(desk: Desk, theme: str) -> dict[str, list[StreamlitPage]]:
    """Return the pages by group of the menu, and let pages lead to each other.

    Pages the person may not open have addresses as well, which say so: a link from a colleague is not a broken one.
    """
    t = desk.t
    groups: dict[str, list[StreamlitPage]] = {"": []}
    open_: dict[str, StreamlitPage] = {}
    by_group: dict[str, list[tuple[Dashboard | Entry, bool]]] = {}
    for group, entries in MENU.items():
        by_group.setdefault(group, []).extend((entry, entry.is_listed) for entry in entries)
    for group, dashboards in DASHBOARDS.items():
        by_group.setdefault(group, []).extend((entry, True) for entry in dashboards)
    for group, listed in by_group.items():
        for entry, is_listed in listed:
            may_open = _may_open(desk, entry.path)
            is_visible = may_open and is_listed
            draw = partial(_show, entry, desk, theme) if isinstance(entry, Dashboard) else partial(_work, entry, desk)
            page = st.Page(
                draw,
                title=t(entry.title),
                icon=entry.icon,
                url_path=entry.path,
                visibility="visible" if is_visible else "hidden",
            )
            groups.setdefault(t(group) if is_visible else "", []).append(page)
            if may_open:
                open_[entry.path] = page
    # The start has a page of its own, which leads on: a menu's default page could not be reached by its address.
    start = st.Page(partial(_start, desk), title="Loupan", url_path="start", default=True, visibility="hidden")
    groups[""].insert(0, start)
    links.register(open_, [table for table in metadata.tables if desk.actor.may("read", table)])
    return _landing_first(desk, groups, open_)


def _landing_first(
    desk: Desk, groups: dict[str, list[StreamlitPage]], open_: dict[str, StreamlitPage]
) -> dict[str, list[StreamlitPage]]:
    """Let the group with the page the role begins with come first."""
    landing = open_.get(desk.landing_page)
    first = next((name for name, pages in groups.items() if name and landing in pages), "")
    return {name: groups[name] for name in ("", first, *groups) if groups[name]}


def _start(desk: Desk) -> None:
    # With all that the address asks for: a link to the start may carry a period.
    links.go(desk.landing_page, **{name: st.query_params.get_all(name) for name in st.query_params})
    links.go("home")
    with st.container(border=True, key="lp_notice"):
        st.markdown(desk.t("Your account has no role that opens a page. Ask an administrator."))


def _signed_in(desk: Desk) -> None:
    """Say who is signed in, and offer to sign out: a POST, which a page of Streamlit's own cannot make."""
    t = desk.t
    token = cookies.token_of_page(st.context.cookies.to_dict())
    roles = t(", ").join(role_title(t, name) for name in desk.actor.roles)
    form_token = cookies.form_token(token) if token else ""
    st.html(
        f"<div class='lp-who'><p><b>{html.escape(desk.actor.name)}</b><span>{html.escape(roles)}</span></p>"
        f"<form method='post' action='/logout'><input type='hidden' name='{cookies.FIELD}' value='{form_token}'>"
        f"<button type='submit'>{html.escape(t('Sign out'))}</button></form></div>"
    )


@contextmanager
def _saying_errors(desk: Desk) -> Iterator[None]:
    """Turn an error that left a page into a notice in the reader's language."""
    try:
        yield
    except ServiceError as error:
        st.error(ui.sentence(error.text(desk.t)), icon=":material/error:")
    except LoupanError as error:
        LOG.exception("A page could not be drawn")
        st.error(desk.t("This could not be shown: {error}", error=ui.sentence(str(error))), icon=":material/error:")
    except Exception as error:
        incidents.show(desk.t, "A page could not be drawn", error)


def _require_open(desk: Desk, path: str) -> None:
    if not _may_open(desk, path):
        raise PageForbidden()


def _work(entry: Entry, desk: Desk) -> None:
    """Draw a page of the CRM."""
    ui.head(desk.t(entry.title), desk.t(entry.lead))
    with _saying_errors(desk):
        _require_open(desk, entry.path)
        entry.draw(desk)


def _show(entry: Dashboard, desk: Desk, theme: str) -> None:
    """Draw a page of decision support."""
    t, language = desk.t, desk.language
    with st.sidebar:
        reader.choice(desk)
    try:
        who = reader.of(desk, entry.path)
    except LoupanError:
        ui.head(t(entry.title), t(entry.lead))
        with _saying_errors(desk):
            raise
        return
    with st.sidebar:
        tables = filters.tables_switch(t)
    try:
        gateway = open_gateway(who.scope)
        as_of = Formats(language, gateway.currency).moment(gateway.as_of, gateway.time_zone)
        exhibits = shown.begin()
        taken.by(desk)
        screen.bar(t)
        with st.container(horizontal=True, vertical_alignment="bottom", key="lp_head"):
            ui.head(t(entry.title), t(entry.lead), t("Data as of {moment}", moment=as_of))
            if not screen.mode():
                page_menu(t, t(entry.title), company_date(gateway), exhibits)
        reader.notice(desk, who)
        if gateway.is_outdated:
            layout.outdated(t)
        if who.scope.is_nothing:
            return
        if entry.has_filters:
            view = filters.bar(gateway, language, theme, partial(saved_views.popover, desk, entry.path))
        else:
            view = filters.unfiltered(gateway, language, theme)
        screen.chosen(view)
        entry.draw(view, tables)
        with layout.guarded(view):
            screen.definitions(view, exhibits)
    except NoSnapshot:
        ui.head(t(entry.title), t(entry.lead))
        layout.nothing_published(t)
    except SnapshotError as error:
        layout.damaged(t, error)


main()
