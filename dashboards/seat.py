"""Who sits at a page: found anew in every run from the cookie that the websocket came with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import streamlit as st

from dashboards import cookies
from dashboards.gate import ready_engine
from data_entry.access import Actor
from data_entry.database import shared_engine
from data_entry.pages.desk import Desk
from data_entry.services import accounts, sessions
from data_entry.services.work import Identify, reading
from loupan.i18n import LANGUAGES
from loupan.settings import get_settings

_ACCOUNT = "lp_account"
_STAND_INS: list[Actor] = []


@contextmanager
def stand_in(actor: Actor) -> Iterator[None]:
    """Let pages be drawn for somebody without a browser, before anybody is served.

    The process must not serve meanwhile: whoever came would be taken for the stand-in.
    """
    _STAND_INS.append(actor)
    try:
        yield
    finally:
        _STAND_INS.pop()


def take(asked_language: str | None, browser_language: str) -> Desk:
    """Return the desk of who is signed in.

    Args:
        asked_language: the language in the address, if any; else the account's holds.
        browser_language: what holds where neither says anything.

    Raises:
        Forbidden: if nobody is signed in any more.
        LoupanError: if the CRM cannot be used.
    """
    settings = get_settings()
    who: Identify | Actor
    if _STAND_INS:
        # Drawn without a CRM as well: dashboards need none.
        engine, actor = shared_engine(settings.crm_database_url), _STAND_INS[-1]
        who, landing = actor, "overview"
    else:
        engine = ready_engine()
        who = sessions.ByToken(cookies.token_of_page(st.context.cookies.to_dict()))
        with reading(engine, who) as work:
            actor = work.actor
            landing = accounts.landing_page(work.session, actor.account_id) if actor.account_id is not None else "home"
    _forget_others(actor)
    own = (actor.locale or "").partition("_")[0]
    language = next((code for code in (asked_language, own) if code in LANGUAGES), browser_language)
    return Desk(engine, who, actor, str(language), settings.currency, ZoneInfo(settings.time_zone), landing)


def _forget_others(actor: Actor) -> None:
    """Drop what a run for another account left in this tab: a browser may connect to its old tab after a new login."""
    if st.session_state.get(_ACCOUNT, actor.account_id) != actor.account_id:
        st.session_state.clear()
    st.session_state[_ACCOUNT] = actor.account_id
