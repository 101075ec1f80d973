"""The open sessions of an account, each with a button that ends it."""

from __future__ import annotations

import html
from collections.abc import Callable

import streamlit as st

from data_entry.pages.desk import Desk
from data_entry.schema.organisation import AccountSession
from data_entry.services import sessions
from loupan.i18n import marked

# What browsers say of themselves, the most particular first: Edge and Chrome call themselves Safari, too.
_BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("HarmonyOS", "HarmonyOS"),
    ("MicroMessenger", "WeChat"), ("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux"),
)  # fmt: skip
_METHODS = {"password": marked("with password"), "oidc": marked("at the provider")}


def browser_name(user_agent: str | None) -> str:
    """Return browser and system in a few words, as far as they can be told; '' where they cannot."""
    text = user_agent or ""
    parts = [next((name for sign, name in known if sign in text), "") for known in (_BROWSERS, _SYSTEMS)]
    return " · ".join(part for part in parts if part)


def draw(desk: Desk, rows: list[AccountSession], current: int | None, ended: Callable[[], None]) -> None:
    """Show sessions as cards.

    Args:
        desk: who looks.
        rows: the sessions.
        current: key of the one that looks, which has no button: it ends by signing out.
        ended: called after one was ended.
    """
    t, formats = desk.t, desk.formats
    for row in rows:
        zone = desk.zone.key
        with st.container(border=True, key=f"lp_row_session_{row.id}", horizontal=True, vertical_alignment="center"):
            title = browser_name(row.user_agent) or t("Unknown browser")
            mark = f" <b class='lp-mark'>{html.escape(t('This browser'))}</b>" if row.id == current else ""
            facts = [
                t("Signed in {moment} {method}", moment=formats.moment(row.started_at, zone),
                  method=t(_METHODS[row.method])),
                t("Last used {moment}", moment=formats.moment(row.last_seen_at, zone)),
                *([t("Address {address}", address=row.address)] if row.address else []),
            ]  # fmt: skip
            st.html(
                f"<p class='lp-title'>{html.escape(title)}{mark}</p>"
                f"<p class='lp-note'>{html.escape(' · '.join(facts))}</p>",
                width="stretch",
            )
            label = t("End")
            if row.id != current and st.button(label, key=f"lp_end_{row.id}", help=t("Sign this browser out")):
                with desk.writing() as work:
                    sessions.revoke(work, row.id)
                ended()
