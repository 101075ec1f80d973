"""Lead from one page to another, with what is to be shown there in the address."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from loupan import ui

_PAGES, _READABLE = "lp_pages", "lp_readable"
# Where a record has a page made for it; all others are shown among the records of their table.
_PAGE_OF = {"customer": "customer", "deal": "deals", "demand": "demands"}
_RECORDS = "records"


def register(pages: Mapping[str, StreamlitPage], readable: Collection[str]) -> None:
    """Remember the pages of this run by their paths, and the tables that may be read at all.

    Called by the app before it runs one of the pages.
    """
    st.session_state[_PAGES], st.session_state[_READABLE] = dict(pages), frozenset(readable)


def is_open(path: str) -> bool:
    """Say whether the person may open a page."""
    return path in st.session_state.get(_PAGES, {})


def go(path: str, /, **query: Any) -> None:
    """Open another page, and end this run.

    Args:
        path: the page's path; nothing happens where the person may not open it.
        query: what goes into its address, such as ``id=5``; None is left out, a list is repeated.
    """
    if is_open(path):
        st.switch_page(st.session_state[_PAGES][path], query_params=_asked(query))


def link(path: str, label: str, icon: str | None = None, **query: Any) -> None:
    """Draw a link to another page, or its words alone where the person may not open it.

    Args:
        path: the page's path.
        label: what is written, as plain text.
        icon: a Material symbol.
        query: what goes into its address; None is left out.
    """
    if not is_open(path):
        ui.message(label)
        return
    page = st.session_state[_PAGES][path]
    st.page_link(page, label=ui.plain(label), icon=icon, query_params=_asked(query))


def _asked(query: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return what goes into the address of another page: what is asked for, and the reader's language."""
    asked: dict[str, str | list[str]] = {
        name: value if isinstance(value, list) else str(value) for name, value in query.items() if value is not None
    }
    if (language := st.query_params.get("lang")) is not None:
        asked.setdefault("lang", language)
    return asked


def leads_to(table: str) -> bool:
    """Say whether the person may open a page that shows a record of a table; the page decides about the very record."""
    return table in st.session_state.get(_READABLE, ()) and (is_open(_PAGE_OF.get(table, "")) or is_open(_RECORDS))


def go_to_record(table: str, key: int) -> None:
    """Open the page that shows a record, and end this run; nothing happens where the person may open none."""
    if not leads_to(table):
        return
    page = _PAGE_OF.get(table, "")
    if is_open(page):
        go(page, id=key)
    go(_RECORDS, table=table, id=key)


def chosen(name: str = "id") -> int | None:
    """Return the key that the address names, None where it names none or rubbish."""
    text = st.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= 18 else None
