"""Parts that the office's pages share: said after a write, refusals, lists with pages, texts in Markdown."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
import streamlit as st
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML

from data_entry import forms
from data_entry.access import reach
from data_entry.forms.errors import Outcome
from data_entry.pages import links
from data_entry.pages.desk import Desk
from data_entry.schema.customer import Customer
from data_entry.services import wording
from data_entry.services.errors import Stale
from loupan import ui

_SAID = "lp_office_said"
_PAGE_SIZE = 20
_MATCHES = 20


@contextmanager
def showing_errors(desk: Desk) -> Iterator[Outcome]:
    """Show what is refused within, as the forms do; of a stale save both versions, so that neither is lost."""
    with forms.showing_errors(desk) as outcome:
        yield outcome
    if isinstance(outcome.error, Stale):
        _show_versions(desk, outcome.error)


def _show_versions(desk: Desk, stale: Stale) -> None:
    """Show both versions of the texts that differ, so that neither is lost."""
    t = desk.t
    for column, mine in stale.mine.items():
        theirs = stale.theirs.get(column)
        if isinstance(mine, str) and mine != theirs:
            left, right = ui.columns(1, 1)
            left.text_area(t("Your version"), mine, key=f"mine_{column}", disabled=True)
            right.text_area(t("The version saved meanwhile"), str(theirs or ""), key=f"theirs_{column}", disabled=True)


def say(text: str) -> None:
    """Say that something was done, and draw the page anew."""
    st.session_state[_SAID] = text
    st.rerun()


def hear() -> None:
    """Show what the last run said; at the beginning of a page."""
    said = st.session_state.pop(_SAID, None)
    if said:
        st.toast(ui.sentence(said), icon=":material/check_circle:")


def open_record(key: int | None, **query: object) -> None:
    """Show one record of this page, or with None its list."""
    for name in ("id", *query):
        st.query_params.pop(name, None)
    if key is not None:
        st.query_params["id"] = str(key)
    for name, value in query.items():
        if value is not None:
            st.query_params[name] = str(value)
    st.rerun()


def record_or_list(
    desk: Desk,
    draw_record: Callable[[Desk, int], None],
    draw_list: Callable[[Desk], None],
    draw_new: Callable[[Desk], None] | None = None,
) -> None:
    """Draw the record that the address names with the way back to the list, or the list.

    Args:
        desk: the reader.
        draw_record: draws the record of a key.
        draw_list: draws the list.
        draw_new: draws the editor of a new record, which the address asks for with ``write``.
    """
    hear()
    chosen = links.chosen()
    if chosen is not None:
        back(desk)
        with showing_errors(desk):
            draw_record(desk, chosen)
    elif draw_new is not None and "write" in st.query_params:
        back(desk)
        draw_new(desk)
    else:
        draw_list(desk)


def back(desk: Desk) -> None:
    """Offer the way back to the list."""
    if st.button(desk.t("Back to the list"), icon=":material/arrow_back:", type="tertiary", key="lp_back"):
        open_record(None, write=None)


def moment(desk: Desk, at: dt.datetime | None) -> str:
    """Write a moment of the CRM, or nothing."""
    return desk.formats.moment(at, desk.zone.key) if at is not None else ""


def day(desk: Desk, on: dt.date | None) -> str:
    """Write a day, or nothing."""
    return desk.formats.day(on) if on is not None else ""


def offset(key: str) -> int:
    """Return how many rows the list named `key` has passed over."""
    return int(st.session_state.get(f"lp_page_{key}", 0)) * _PAGE_SIZE


def first_page(key: str) -> None:
    """Let a list begin at its beginning, as after another search."""
    st.session_state.pop(f"lp_page_{key}", None)


def pager(desk: Desk, key: str, total: int) -> None:
    """Draw the way through a list's pages; nothing where there is one only."""
    name, last = f"lp_page_{key}", max(0, (total - 1) // _PAGE_SIZE)
    page = int(st.session_state.get(name, 0))
    if page > last:
        st.session_state[name] = last
        st.rerun()
    if not last:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(desk.t("Previous"), icon=":material/chevron_left:", disabled=page == 0, key=f"{name}_back"):
            st.session_state[name] = page - 1
            st.rerun()
        ui.message(
            desk.t(
                "{first} to {last} of {total}",
                first=page * _PAGE_SIZE + 1, last=min(total, (page + 1) * _PAGE_SIZE), total=total,
            )
        )  # fmt: skip
        if st.button(desk.t("Next"), icon=":material/chevron_right:", disabled=page == last, key=f"{name}_on"):
            st.session_state[name] = page + 1
            st.rerun()


def entry(key: str, title: str, details: Sequence[str], *, mark: str = "", colour: str = "gray") -> bool:
    """Draw a line of a list, and say whether it was pressed.

    Args:
        key: names the line on the page.
        title: what is pressed.
        details: further words under it; empty ones are left out.
        mark: a word on a badge.
        colour: of the badge.
    """
    with st.container(border=True, key=f"lp_card_entry_{key}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            pressed = st.button(ui.plain(title) or "–", type="tertiary", key=f"lp_open_{key}")
            if mark:
                st.badge(ui.plain(mark), color=colour)  # type: ignore[arg-type]
        ui.message(" · ".join(detail for detail in details if detail))
    return pressed


def lines(text: str) -> list[str]:
    """Return what was typed as one thing on each line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def nothing(text: str) -> None:
    """Say that a list is empty."""
    st.html(f"<p class='lp-empty'>{html.escape(text)}</p>")


def choice(
    desk: Desk, label: str, options: Mapping[Any, str], *, key: str, value: Any = None, empty: str | None = None
) -> Any:
    """Let one of some named things be chosen; None is the empty choice, where one is offered."""
    keys: list[Any] = ([None] if empty is not None else []) + list(options)
    first = 0 if empty is not None or len(keys) == 1 else None
    index: Any = keys.index(value) if value in keys else first

    def name(chosen: Any) -> str:
        return (empty or "") if chosen is None else options[chosen]

    return st.selectbox(label, keys, index=index, format_func=name, key=key, placeholder=desk.t("Choose"))


def views(label: str, options: Mapping[str, str], key: str, first: str | None = None) -> str:
    """Let one view of a list be chosen; `first` is the one to begin with, where it is offered."""
    names = list(options)
    first = first if first is not None and first in options else names[0]
    chosen = st.segmented_control(
        label, names, default=first, format_func=options.__getitem__, key=key, label_visibility="collapsed",
        required=True, on_change=first_page, args=(key,),
    )  # fmt: skip
    return chosen or first


def pick_customers(desk: Desk, key: str) -> list[int]:
    """Let several customers be found by name or telephone, among those the person may see by name."""
    t = desk.t
    words = st.text_input(t("Find a customer by name or telephone"), key=f"{key}_words").strip()
    chosen: dict[int, str] = st.session_state.setdefault(f"{key}_chosen", {})
    if words:
        pattern = wording.pattern(words)
        with desk.reading() as work:
            found = work.session.execute(
                sa.select(Customer.id, Customer.name, Customer.phone)
                .where(
                    Customer.deleted_at.is_(None), Customer.merged_into_id.is_(None),
                    reach(work.actor, "personal", "customer"), reach(work.actor, "read", "customer"),
                    sa.or_(
                        sa.func.lower(Customer.name).like(pattern, escape="\\"),
                        Customer.phone.like(pattern, escape="\\"),
                    ),
                )
                .order_by(Customer.name, Customer.id)
                .limit(_MATCHES)
            ).all()  # fmt: skip
        options = {k: f"{name or ''} · {phone or ''}" for k, name, phone in found}
        if not options:
            ui.message(t("Nobody is found."))
            return list(chosen)
        options |= chosen
        picked = st.multiselect(
            t("Customers"), list(options), default=list(chosen), format_func=options.__getitem__,
            key=f"{key}_pick_{words}", placeholder=t("Choose"),
        )  # fmt: skip
        st.session_state[f"{key}_chosen"] = {k: options[k] for k in picked}
        return list(picked)
    if chosen:
        ui.message("; ".join(chosen.values()))
    return list(chosen)


def _links_only(self: RendererHTML, tokens: Any, place: int, options: Any, env: Any) -> str:
    """Show a picture as a link to it: nothing is loaded from outside by looking at a text."""
    token = tokens[place]
    words = html.escape(self.renderInlineAsText(token.children or [], options, env) or str(token.attrs["src"]))
    return f"<a href='{html.escape(str(token.attrs['src']), quote=True)}' rel='noopener noreferrer'>{words}</a>"


def _lower(self: RendererHTML, tokens: Any, place: int, options: Any, env: Any) -> str:
    """Let the headings of a text stand below those of the page."""
    tokens[place].tag = f"h{min(6, int(tokens[place].tag[1]) + 2)}"
    return self.renderToken(tokens, place, options, env)


_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
_MARKDOWN.add_render_rule("image", _links_only)
_MARKDOWN.add_render_rule("heading_open", _lower)
_MARKDOWN.add_render_rule("heading_close", _lower)


def markdown(text: str) -> str:
    """Return a text in Markdown as HTML: what is HTML in it is shown as it is typed, and no picture is loaded."""
    return str(_MARKDOWN.render(text))


def written(text: str) -> None:
    """Show a text in Markdown."""
    st.html(f"<div class='lp-written'>{markdown(text)}</div>")


def quoted(text: str) -> None:
    """Show a text as it was typed, with its lines."""
    st.html(f"<p class='lp-quoted'>{html.escape(text)}</p>")


def attached(desk: Desk, entity: str, entity_id: int, *, may_add: bool) -> None:
    """Show the files beside a record."""
    import data_entry.pages.attached as files

    ui.section(desk.t("Files"))
    files.files(desk, entity, entity_id, may_add=may_add)
