"""What the page at hand shows: its exhibits in order, for files and definitions of the whole page."""

from __future__ import annotations

from typing import cast

import streamlit as st

from dashboards.export.exhibit import Exhibit

_NAME = "lp_shown"


def begin() -> dict[str, Exhibit]:
    """Begin a page; return the exhibits by key that are going to be added to it."""
    st.session_state[_NAME] = {}
    return cast(dict[str, Exhibit], st.session_state[_NAME])


def add(key: str, exhibit: Exhibit) -> None:
    """Add an exhibit to the page, or put it in the place of the one with its key."""
    st.session_state.setdefault(_NAME, {})[key] = exhibit
