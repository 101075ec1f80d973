"""Parts that the pages of the sales process share: words, amounts, choices, moments, pages of a list."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import sqlalchemy as sa
import streamlit as st

from data_entry import forms
from data_entry.access import reach
from data_entry.pages import links
from data_entry.pages.desk import Desk
from data_entry.schema import Record
from data_entry.schema.deal import Reason
from data_entry.schema.labels import choice_label
from data_entry.schema.lead import Source
from data_entry.schema.organisation import Employee
from data_entry.services import estates
from data_entry.services.work import Work
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import marked

STATES = {
    "open": marked("Open lead"),
    "lost": marked("Lost lead"),
    "converted": marked("Bought"),
}
_HAPPENED = {
    "opened": marked("Lead opened"),
    "call": marked("Call"),
    "visit": marked("Visit"),
    "qualified": marked("Lead qualified"),
    "lost": marked("Lead lost"),
    "reopened": marked("Lead reopened"),
    "small_booking": marked("Small booking"),
    "booking": marked("Unit booked"),
    "contract": marked("Contract signed"),
    "cancel": marked("Deal cancelled"),
    "swap": marked("Unit swapped"),
    "amend": marked("Price amended"),
    "demand": marked("Customer demand"),
    "promise": marked("Promise made"),
    "owner": marked("Looked after by"),
}


def choose_estate(desk: Desk, label: str, key: str) -> int | None:
    """Draw the choice of an estate: first the one that the address names, or one the reader works for.

    Says so if there is no estate, and returns None.
    """
    with desk.reading() as work:
        found = projects(work)
    if not found:
        ui.message(desk.t("There is no estate yet."))
        return None
    first = links.chosen("project") or next(iter(sorted(desk.actor.project_ids & set(found))), None)
    return choose(desk, label, found, key, first if first in found else next(iter(found)))


def happened(desk: Desk, kind: str) -> str:
    """Return what a kind of event is called on a time line."""
    return desk.t(_HAPPENED[kind])


def word(desk: Desk, value: str | None) -> str:
    """Return what a value of a column of choices is called."""
    return desk.t(choice_label(value)) if value else NO_DATA


def money(desk: Desk, amount: Decimal | None) -> str:
    """Write an amount in full, without cents where there are none."""
    if amount is None:
        return NO_DATA
    text = f"{abs(amount):,.2f}".removesuffix(".00")
    return f"{'−' if amount < 0 else ''}{desk.formats.currency_sign}{text}"


def moment(desk: Desk, at: dt.datetime | None) -> str:
    """Write a moment of the CRM for the reader."""
    return desk.formats.moment(at, str(desk.zone)) if at is not None else NO_DATA


def day(desk: Desk, on: dt.date | None) -> str:
    """Write a day for the reader."""
    return desk.formats.day(on) if on is not None else NO_DATA


def badges(*texts: tuple[str, str]) -> str:
    """Return small labels as HTML: text, and a tone of ``good``, ``warn``, ``bad`` or ``plain``."""
    return "".join(f"<span class='lp-badge lp-{tone}'>{html.escape(text)}</span>" for text, tone in texts)


def style() -> None:
    """Put the parts' own rules on the page."""
    st.html(_STYLE)


_STYLE = """<style>
.lp-badge { display: inline-block; font-size: 0.8rem; padding: 0.1rem 0.5rem; margin: 0 0.3rem 0.2rem 0;
  border-radius: 0.8rem;
  border: 1px solid color-mix(in srgb, currentColor 30%, transparent); white-space: nowrap; }
.lp-badge.lp-good { background: color-mix(in srgb, #009e73 22%, transparent); }
.lp-badge.lp-warn { background: color-mix(in srgb, #e69f00 28%, transparent); }
.lp-badge.lp-bad { background: color-mix(in srgb, #d55e00 26%, transparent); font-weight: 600; }
.lp-time { list-style: none; margin: 0 !important; padding: 0 !important; font-size: 0.92rem; }
.lp-time li { display: grid; grid-template-columns: minmax(8.5rem, 11rem) 1fr; gap: 0.2rem 0.9rem; margin: 0;
  padding: 0.35rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.lp-time time, .lp-time small { opacity: 0.75; font-variant-numeric: tabular-nums; }
.lp-time p { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 640px) { .lp-time li { grid-template-columns: 1fr; } }
</style>"""


def dialog(title: str, draw: Callable[[], None], *, is_wide: bool = False) -> None:
    """Open a dialog with what `draw` draws."""
    st.dialog(title, width="large" if is_wide else "small")(draw)()


def saved(desk: Desk) -> None:
    """Say that something was saved, and draw the page anew."""
    st.toast(desk.t("Saved."), icon=":material/check:")
    st.rerun()


def when(desk: Desk, key: str) -> dt.datetime | None:
    """Ask when something happened; empty means now."""
    return st.datetime_input(desk.t("When (empty: now)"), value=None, key=key, format="YYYY-MM-DD", step=60)


def amount(
    desk: Desk, label: str, key: str, value: Decimal | None = None, *, is_signed: bool = False
) -> Decimal | None:
    """Ask for an amount of money."""
    number = st.number_input(
        f"{label} ({desk.formats.currency_sign})",
        value=None if value is None else float(value),
        min_value=None if is_signed else 0.0,
        step=1000.0,
        format="%.2f",
        key=key,
    )
    return None if number is None else Decimal(f"{number:.2f}")


def choose(
    desk: Desk, label: str, offered: Mapping[int, str], key: str, value: int | None = None, *, is_needed: bool = False,
    is_filter: bool = False,
) -> int | None:  # fmt: skip
    """Let the person choose one of a few rows by their names; of a filter, no choice means all."""
    keys = list(offered)
    index = (
        keys.index(value) if value is not None and value in offered else (0 if is_needed and len(keys) == 1 else None)
    )
    return st.selectbox(
        label, keys, index=index, format_func=lambda each: offered.get(each, NO_DATA), key=key,
        placeholder=desk.t("All") if is_filter else desk.t("Choose"),
    )  # fmt: skip


def _tree(rows: Sequence[Source | Reason]) -> dict[int, str]:
    """Return the rows of a tree by key, each under its parents' names."""
    names = {row.id: row for row in rows}

    def path(row: Source | Reason, depth: int = 0) -> str:
        parent = names.get(row.parent_id or 0)
        return f"{path(parent, depth + 1)} › {row.name}" if parent is not None and depth < 10 else row.name

    return dict(sorted(((row.id, path(row)) for row in rows), key=lambda pair: pair[1]))


def sources(work: Work) -> dict[int, str]:
    """Return where customers come from, by key."""
    return _tree(list(work.session.scalars(sa.select(Source).where(Source.deleted_at.is_(None)))))


def reasons(work: Work, kind: str) -> dict[int, str]:
    """Return the reasons of a kind, by key."""
    return _tree(list(work.session.scalars(sa.select(Reason).where(Reason.deleted_at.is_(None), Reason.kind == kind))))


def projects(work: Work) -> dict[int, str]:
    """Return the estates, by key."""
    return {project.id: project.name for project in estates.projects(work)}


def colleagues(work: Work) -> dict[int, str]:
    """Return the employees whom the actor may give customers to, by key."""
    scopes = work.actor.scopes("assign", "customer")
    if not scopes:
        return {}
    query = sa.select(Employee).where(
        Employee.deleted_at.is_(None), sa.or_(Employee.left_on.is_(None), Employee.left_on >= work.today)
    )
    if "all" not in scopes:
        query = query.where(Employee.id.in_(work.actor.colleague_ids))
    return {row.id: f"{row.name} ({row.number})" for row in work.session.scalars(query.order_by(Employee.name))}


def reachable(work: Work, model: type[Record], action: str) -> sa.ColumnElement[bool]:
    """Return the condition on the rows with which the actor may do an action."""
    return reach(work.actor, action, model.__tablename__)


def pager(desk: Desk, key: str, total: int, size: int) -> int:
    """Draw the steps through a list, and return the page that is shown, from 0."""
    last = max((total - 1) // size, 0)
    st.session_state[key] = min(max(st.session_state.get(key, 0), 0), last)
    page = int(st.session_state[key])

    def turn(by: int) -> None:
        st.session_state[key] += by

    if total > size:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                desk.t("Previous page"), key=f"{key}_back", icon=":material/chevron_left:", disabled=page == 0,
                on_click=turn, args=(-1,),
            )  # fmt: skip
            st.button(
                desk.t("Next page"), key=f"{key}_on", icon=":material/chevron_right:", disabled=page == last,
                on_click=turn, args=(1,),
            )  # fmt: skip
            ui.message(
                desk.t(
                    "{first}–{last} of {total}", first=page * size + 1, last=min((page + 1) * size, total),
                    total=f"{total:,}",
                )
            )  # fmt: skip
    return page


def submit(desk: Desk, label: str, act: Callable[[Work], object], *, key: str) -> None:
    """Draw the button of a form; do what it says, and say what was refused."""
    if st.button(label, type="primary", key=key):
        with forms.showing_errors(desk) as done, desk.writing() as work:
            act(work)
        if done.ok:
            saved(desk)
