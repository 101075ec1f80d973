"""Saved views in the row of filters: keep the present one under a name, open, share and delete, copy the link."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

import streamlit as st

from dashboards.view import DEFAULT_PERIOD
from data_entry.pages import links
from data_entry.pages.desk import Desk
from data_entry.services import saved_views
from data_entry.services.errors import ServiceError
from data_entry.services.saved_views import Address, Item
from loupan import ui

_KEY = "lp_views"
_OPEN = "lp_views_open"
# How somebody likes to look at a page is no part of what there is to see.
_PERSONAL = frozenset({"lang", "tables"})


@st.fragment
def popover(desk: Desk, path: str) -> None:
    """Offer the saved views of a page, and to save the present one.

    Args:
        desk: who looks.
        path: the page that is shown.
    """
    t = desk.t
    if desk.actor.account_id is None or not desk.actor.may("read", "saved_view"):
        return
    opened = st.popover(t("Views"), icon=":material/bookmark:", key=_KEY, on_change="rerun")
    with opened:
        # Closed, it costs no look into the CRM.
        if not opened.open:
            return
        with _saying_refusals(desk):
            if desk.actor.may("create", "saved_view"):
                _save(desk, path)
        with _saying_refusals(desk):
            with desk.reading() as work:
                here = [item for item in saved_views.listing(work) if item.path == path]
            _list(desk, here)
            if not here:
                ui.message(t("Nothing is saved for this page yet."))


@contextmanager
def _saying_refusals(desk: Desk) -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        st.error(ui.sentence(error.text(desk.t)), icon=":material/error:")


def present() -> Address:
    """Return the parameters of the page's address that make up what is seen, the period always among them."""
    kept = {name: st.query_params.get_all(name) for name in st.query_params if name not in _PERSONAL}
    # Named, it holds: a page that is opened without one takes over that of the page before.
    return {"period": [DEFAULT_PERIOD], **kept}


def _save(desk: Desk, path: str) -> None:
    t = desk.t
    with st.form(f"{_KEY}_save", clear_on_submit=True, border=False):
        name = st.text_input(t("Save this view as"), max_chars=100, key=f"{_KEY}_name")
        is_wanted = st.form_submit_button(t("Save"), icon=":material/bookmark_add:")
    if is_wanted:
        with desk.writing() as work:
            saved_views.save(work, name=name, path=path, address=present())
        st.toast(t("Saved."))


def _list(desk: Desk, items: Sequence[Item]) -> None:
    t = desk.t
    for item in items:
        with st.container(gap="xxsmall", key=f"{_KEY}_row_{item.key}"):
            if st.button(
                ui.plain(item.name), key=f"{_KEY}_open_{item.key}", icon=":material/bookmark:", width="stretch"
            ):
                links.go(item.path, **item.address)
            if not item.is_own:
                ui.message(t("Shared by {name}", name=item.owner))
            elif item.is_shared:
                ui.message(t("Shared with all who may open this page"))
            with st.container(horizontal=True, gap="small"):
                _actions(desk, item)
            if st.session_state.get(_OPEN) == ("link", item.key):
                st.code(_link(item), language=None, wrap_lines=True)
            elif st.session_state.get(_OPEN) == ("rename", item.key):
                _rename(desk, item)


def _actions(desk: Desk, item: Item) -> None:
    t = desk.t

    def button(name: str, label: str, help_: str) -> bool:
        return st.button(label, key=f"{_KEY}_{name}_{item.key}", type="tertiary", help=help_)

    if button("link", t("Link"), t("Show the link to {name}", name=ui.plain(item.name))):
        _open("link", item)
    if not item.is_own:
        return
    if button("rename", t("Rename"), t("Rename {name}", name=ui.plain(item.name))):
        _open("rename", item)
    if item.is_shared:
        wants_change = button("share", t("Stop sharing"), t("Stop sharing {name}", name=ui.plain(item.name)))
    else:
        help_ = t("Share {name} with all who may open this page", name=ui.plain(item.name))
        wants_change = button("share", t("Share with others"), help_)
    if wants_change:
        with desk.writing() as work:
            saved_views.share(work, item.key, not item.is_shared)
        st.rerun(scope="fragment")
    if button("delete", t("Delete"), t("Delete {name}", name=ui.plain(item.name))):
        with desk.writing() as work:
            saved_views.delete(work, item.key)
        st.rerun(scope="fragment")


def _rename(desk: Desk, item: Item) -> None:
    t = desk.t
    with st.form(f"{_KEY}_renamed_{item.key}", border=False):
        name = st.text_input(t("New name"), item.name, max_chars=100)
        is_wanted = st.form_submit_button(t("Rename"))
    if is_wanted:
        with desk.writing() as work:
            saved_views.rename(work, item.key, name)
        _open("rename", item)


def _open(what: str, item: Item) -> None:
    """Unfold something under a view, or fold it up again."""
    asked = (what, item.key)
    st.session_state[_OPEN] = None if st.session_state.get(_OPEN) == asked else asked
    st.rerun(scope="fragment")


def _link(item: Item) -> str:
    here = urlsplit(st.context.url or "")
    pairs = [(name, value) for name, values in item.address.items() for value in values]
    return f"{here.scheme}://{here.netloc}/{item.path}?{urlencode(pairs)}"
