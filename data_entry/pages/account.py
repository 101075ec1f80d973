"""My account: password, language, and where one is signed in."""

from __future__ import annotations

import html

import streamlit as st

from data_entry.pages import session_list
from data_entry.pages.desk import Desk
from data_entry.pages.role_names import role_title
from data_entry.services import accounts, sessions
from loupan import ui
from loupan.formats import NO_DATA

_LANGUAGE = "lp_account_language"
_LOCALES = {"": "", "en": "English", "zh_CN": "中文"}


def draw(desk: Desk) -> None:
    """Draw the page."""
    t = desk.t
    with desk.reading() as work:
        own = accounts.own(work)
        rows = sessions.listing(work, work.actor.account_id or 0)
        current = sessions.current(work, desk.identify)
    changed = desk.formats.moment(own.password_changed_at, desk.zone.key) if own.password_changed_at else NO_DATA
    ui.facts(
        [
            (t("Full name"), desk.actor.name),
            (t("Login"), own.login),
            (t("Roles"), t(", ").join(role_title(t, name) for name in desk.actor.roles) or NO_DATA),
        ]
    )
    left, right = ui.columns(1, 1)
    with left:
        ui.section(t("Password"))
        ui.message(t("Last changed: {moment}", moment=changed))
        # A page of its own, in front of the app: no password passes through here.
        if own.has_password:
            st.html(f"<a class='lp-link' href='/password'>{html.escape(t('Change the password'))}</a>")
        else:
            ui.message(t("You sign in at the provider; there is no password here."))
    with right:
        ui.section(t("Language"))
        _language(desk, own.locale)
    ui.section(t("Signed in on"))

    def ended() -> None:
        st.toast(t("That browser is signed out."))
        st.rerun()

    session_list.draw(desk, rows, current, ended)
    if len(rows) > 1 and st.button(t("Sign out everywhere else"), key="lp_end_others", icon=":material/logout:"):
        with desk.writing() as work:
            number = sessions.revoke_all(work, work.actor.account_id or 0, but=current)
        st.toast(t("{number} browsers are signed out.", number=number))
        st.rerun()


def _language(desk: Desk, present: str | None) -> None:
    t = desk.t
    st.session_state[_LANGUAGE] = present if present in _LOCALES else ""

    def chosen() -> None:
        with desk.writing() as work:
            accounts.set_locale(work, st.session_state[_LANGUAGE] or None)
        # The address would overrule it.
        st.query_params.pop("lang", None)

    st.selectbox(
        t("Language of your pages"),
        list(_LOCALES),
        key=_LANGUAGE,
        format_func=lambda code: _LOCALES[code] or t("As the browser says"),
        on_change=chosen,
        help=t("The switch in the menu changes it for this visit only."),
    )
