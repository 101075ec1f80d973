"""For whom figures are drawn: the rows they may see, what they are told of it, and looking as somebody else does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import streamlit as st

from data_entry.access import Actor
from data_entry.pages.desk import Desk
from data_entry.services import accounts, figures
from data_entry.services.work import Work
from loupan import ui
from loupan.i18n import Translator, marked
from loupan.metrics import EVERYTHING, Scope

_VIEWED = "lp_view_as"
_MOST_ACCOUNTS = 500


@dataclass(frozen=True)
class Reader:
    """Who looks at a page of figures.

    Attributes:
        actor: whose rights decide: the signed-in person's, or those of the account they look as.
        scope: the rows that count.
        told: what a bounded reader is told above the page; empty for who sees everything.
        is_stand_in: whether it is not the signed-in person.
    """

    actor: Actor
    scope: Scope
    told: str = ""
    is_stand_in: bool = False


def of(desk: Desk, page: str) -> Reader:
    """Return for whom the figures of a page are to be drawn.

    Raises:
        Forbidden: if the page may not be opened.
    """
    actor = _viewed(desk) or desk.actor
    return of_actor(desk.reading, desk.t, actor, page, is_stand_in=actor is not desk.actor)


def of_actor(
    reading: Callable[[], AbstractContextManager[Work]],
    t: Translator,
    actor: Actor,
    page: str,
    *,
    is_stand_in: bool = False,
) -> Reader:
    """Return for whom the figures of a page are to be drawn where it is known whose rights decide.

    Args:
        reading: opens a work that reads the CRM.
        t: the reader's translator.
        actor: whose rights decide.
        page: path of the page.
        is_stand_in: whether it is not the signed-in person.

    Raises:
        Forbidden: if the page may not be opened.
    """
    reached = figures.reach(actor, page)
    if reached is None:
        return Reader(actor, EVERYTHING, is_stand_in=is_stand_in)
    scope = Scope.of({name: map(str, keys) for name, keys in reached.items()})
    with reading() as work:
        told = _told(t, figures.described(work, reached))
    return Reader(actor, scope, told, is_stand_in)


def _told(t: Translator, reached: figures.Reached) -> str:
    parts = []
    if reached.estates:
        parts.append(t("estates {names}", names=t(", ").join(reached.estates)))
    if reached.people == 1:
        parts.append(t("what is your own"))
    elif reached.people:
        parts.append(t("what {number} people did, you among them", number=reached.people))
    if not parts:
        return t("You are assigned to no estate and no department, so there is nothing that you may see here.")
    return t("You see: {parts}.", parts=t("; ").join(parts))


def notice(desk: Desk, reader: Reader) -> None:
    """Say what bounds the figures of a page, and through whose eyes they are seen."""
    if reader.is_stand_in:
        with st.container(horizontal=True, vertical_alignment="center", key="lp_viewed"):
            ui.message(desk.t("Shown as {name} sees it.", name=reader.actor.name))
            st.button(desk.t("Stop"), key="lp_view_as_stop", type="tertiary", on_click=_stop, width="content")
    if reader.told:
        ui.message(reader.told)


def choice(desk: Desk) -> None:
    """Let who may look as other accounts do choose one."""
    if not figures.may_view_as(desk.actor):
        return
    with desk.reading() as work:
        rows, _ = accounts.listing(work, limit=_MOST_ACCOUNTS)
    names = {row.id: f"{row.employee or row.login} · {row.login}" for row in rows if row.is_active}
    names.pop(desk.actor.account_id or 0, None)
    st.session_state[_VIEWED] = st.session_state.get(_VIEWED) if st.session_state.get(_VIEWED) in names else None

    def begin() -> None:
        if (chosen := st.session_state[_VIEWED]) is not None:
            with desk.writing() as work:
                figures.begin_view_as(work, chosen)

    st.selectbox(
        desk.t(marked("View as")), list(names), index=None, key=_VIEWED, format_func=names.__getitem__,
        placeholder=desk.t("Yourself"), on_change=begin,
        help=desk.t("Shows pages of figures with the rights of another account. The trail says that you looked."),
    )  # fmt: skip


def _viewed(desk: Desk) -> Actor | None:
    """Return the rights of the account that is looked as, as they are at this moment."""
    account_id = st.session_state.get(_VIEWED)
    if account_id is None:
        return None
    with desk.reading() as work:
        return figures.view_as(work, account_id)


def _stop() -> None:
    st.session_state[_VIEWED] = None
