"""What of the figures was taken away as a file, and by whom: a line in the trail before the file is made."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboards.view import View
from data_entry.pages.desk import Desk
from data_entry.services import trail

_NAME = "lp_taken_by"


def by(desk: Desk) -> None:
    """Say who sits at the page that is drawn."""
    st.session_state[_NAME] = desk


def recorded(make: Callable[[], bytes], title: str, kind: str, view: View | None = None) -> Callable[[], bytes]:
    """Return what makes a file after it has left a line in the trail; without the line there is no file.

    Streamlit calls it outside of any run of the page, when the reader has pressed the button: who that is is asked of
    the CRM at that moment, so a session that has ended takes nothing away.

    Args:
        make: makes the file.
        title: what it shows.
        kind: its ending.
        view: what bounds it, where it is one exhibit.
    """
    desk: Desk | None = st.session_state.get(_NAME)
    if desk is None:  # a page drawn alone, which has no reader
        return make
    bounds: dict[str, object] = {}
    if view is not None:
        bounds = {
            "since": view.period.start,
            "until": view.period.end,
            "filters": {name: list(values) for name, values in view.where},
            "snapshot": view.gateway.version,
        }

    def make_recorded() -> bytes:
        with desk.writing() as work:
            trail.exported(work, title, kind, **bounds)
        return make()

    return make_recorded
