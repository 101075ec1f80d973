"""Lead from one page to another, with what is to be shown there in the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

_PAGES = "lp_pages"


def register(pages: Mapping[str, StreamlitPage]) -> None:
    """Remember the pages of this run by their paths; called by the app before it runs one of them."""
    st.session_state[_PAGES] = dict(pages)


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
        shown: dict[str, str | list[str]] = {
            name: value if isinstance(value, list) else str(value) for name, value in query.items() if value is not None
        }
        if (language := st.query_params.get("lang")) is not None:
            shown.setdefault("lang", language)
        st.switch_page(st.session_state[_PAGES][path], query_params=shown)


def chosen(name: str = "id") -> int | None:
    """Return the key that the address names, None where it names none or rubbish."""
    text = st.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= 18 else None
