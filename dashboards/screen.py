"""Two other ways to look at a page, kept in the URL: full screen for a meeting room, and as it is printed.

Both leave out the menu and every control and say in words what was chosen. One card of a page can be printed alone.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st

from dashboards.export import about
from dashboards.export.exhibit import Exhibit
from dashboards.view import View
from loupan import ui
from loupan.i18n import Translator

FULL, PRINT = "full", "print"
ENLARGEMENT = 1.35
_PARAMETER, _CARD = "screen", "card"


def mode() -> str:
    """Return how the page is looked at: `FULL`, `PRINT`, or empty for as usual."""
    asked = st.query_params.get(_PARAMETER, "")
    return asked if asked in (FULL, PRINT) else ""


def theme() -> str:
    """Return ``light`` or ``dark``, as the reader's browser shows the page; paper is light."""
    return "dark" if st.context.theme.type == "dark" and mode() != PRINT else "light"


def choose(wanted: str, card: str = "") -> None:
    """Look at the page in another way from the next run on.

    Args:
        wanted: a mode; empty for as usual.
        card: key of the one card to be printed; empty for all.
    """
    for parameter, value in ((_PARAMETER, wanted), (_CARD, card)):
        if value:
            st.query_params[parameter] = value
        else:
            st.query_params.pop(parameter, None)


def is_pressed(kind: str, label: str, icon: str, key: str) -> bool:
    """Draw a button that does something in the browser when it is pressed, and say whether it was.

    Args:
        kind: ``enter`` and ``leave`` full screen (Esc leaves too), or ``print``.
        label: what it says.
        icon: name of a Material symbol.
        key: unique on the page.
    """
    data = {"kind": kind, "label": label, "icon": icon}
    width = "stretch" if kind == "enter" else "content"
    result = _component()(key=key, data=data, width=width, on_pressed_change=_nothing)
    return bool(result.get("pressed"))


def bar(t: Translator) -> None:
    """Draw the way back, and on the page to be printed the button that prints it."""
    now = mode()
    if not now:
        return
    ui.sheets("bare", "full" if now == FULL else "paper")
    with st.container(key=f"lp_screen_{now}", horizontal=True, horizontal_alignment="right"):
        if now == PRINT:
            is_pressed("print", t("Print or save as PDF"), "print", "lp_print")
        label = t("Leave full screen (Esc)") if now == FULL else t("Back to the page (Esc)")
        if is_pressed("leave", label, "close_fullscreen" if now == FULL else "arrow_back", "lp_leave"):
            choose("")
            st.rerun()


def chosen(view: View) -> None:
    """Say in words what the hidden controls would show."""
    if mode():
        lines = [about.period(view), *about.filters(view)]
        st.html(f"<p class='lp-caption'>{html.escape(' · '.join(view.t(': ').join(line) for line in lines))}</p>")


def definitions(view: View, shown: Mapping[str, Exhibit]) -> None:
    """Write on a page to be printed what its metrics mean; leave out all cards but the one asked for, if any is."""
    if mode() != PRINT:
        return
    card = st.query_params.get(_CARD, "")
    if card in shown and not card.startswith("tiles_"):
        ui.only_card(card)
        shown = {card: shown[card]}
    lines = about.definitions(view, [metric for exhibit in shown.values() for metric in exhibit.metrics])
    body = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in [*lines, about.origin(view)])
    st.html(
        f"<section class='lp-printed'><h2 class='lp-section'>{html.escape(view.t('Definitions'))}</h2>"
        f"<dl>{body}</dl></section>"
    )


@cache
def _component() -> Any:
    return st.components.v2.component(
        "loupan.screen", js="screen.js", css="action.css", html="<button type='button'></button>"
    )


def _nothing() -> None:
    """Streamlit asks for a callback before it returns a trigger's value."""
