"""A list of rows: searched, sorted and paged on the server, opened by click or key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import streamlit as st

from data_entry.forms.errors import showing_errors
from data_entry.forms.table import Cell, Column, table
from data_entry.forms.words import MASKED, label, shown, table_names
from data_entry.pages.desk import Desk
from data_entry.schema import metadata
from data_entry.schema.base import ExactNumeric
from data_entry.services import records
from data_entry.services.captions import Condition, parts
from data_entry.services.records import Page, Row
from data_entry.services.tables import own_columns
from loupan import ui
from loupan.i18n import marked

_SIZE = 25
_MOST_COLUMNS = 7


def standard_columns(table_name: str) -> list[str]:
    """Return the columns that a list shows where a page names none: what names the row first, long texts never."""
    own = [c for c in own_columns(table_name) if c.name != "external_ref" and not c.info.get("sensitive")]
    short = [c.name for c in own if not isinstance(c.type, sa.Text) and getattr(c.type, "length", 0) not in (300, 500)]
    named = [name for name in parts(table_name) if name != "parent_id"]
    first = [name for name in named if name in {c.name for c in own}]
    return [*first, *(name for name in short if name not in first)][:_MOST_COLUMNS]


def record_list(
    desk: Desk,
    table_name: str,
    *,
    columns: Sequence[str] | None = None,
    filters: Mapping[str, Any] | None = None,
    where: Condition | None = None,
    key: str,
    on_open: Callable[[int], None] | None = None,
    actions: Callable[[], None] | None = None,
    sort: str | None = None,
    descending: bool = False,
    size: int = _SIZE,
    search: bool = True,
    deleted: bool = False,
    extra: Mapping[str, Callable[[Row], str]] | None = None,
    empty: str | None = None,
) -> Page | None:
    """Draw a list and return the page shown, None where it could not be read.

    Args:
        desk: the reader.
        table_name: name of the table.
        columns: what to show, in order; by default what names the row, and short columns.
        filters: values by column, see `records.list_rows`.
        where: a further condition.
        key: of the widgets; the list remembers search, order and page under it.
        on_open: called with the key of the row that was clicked, within this run: dialogs can be opened.
        actions: draws what stands beside the search, such as a button that adds a row.
        sort, descending: the order to begin with; by default the latest rows first.
        size: rows on a page.
        search: whether there is a search field.
        deleted: the deleted rows instead of those that count.
        extra: further columns by (translated) title: what to write for a row.
        empty: what to say where nothing is found and nothing was searched for.
    """
    chosen = list(columns) if columns is not None else standard_columns(table_name)
    state = st.session_state.setdefault(f"{key}_list", {"sort": sort, "descending": descending, "page": 0})
    words = _head(desk, table_name, key, actions) if search else ""
    asked = (words, repr(filters), str(where), deleted)
    if state.get("asked", asked) != asked:
        state["page"] = 0
    state["asked"] = asked
    page: Page | None = None
    with showing_errors(desk), desk.reading() as work:
        page = records.list_rows(
            work, table_name, search=words, filters=filters, where=where, sort=state["sort"],
            descending=state["descending"], page=state["page"], size=size, deleted=deleted,
        )  # fmt: skip
    if page is None:
        return None
    state["page"] = page.page
    if not page.rows:
        text = (
            desk.t(marked("Nothing fits this search.")) if words else empty or desk.t(marked("There is nothing yet."))
        )
        ui.message(text)
        return page
    heads = [Column(name, label(desk, table_name, name), _is_number(table_name, name)) for name in chosen]
    heads += [Column("", title, False) for title in extra or {}]
    rows = {
        row["id"]: [
            *(_cell(desk, table_name, name, row) for name in chosen),
            *(Cell(f(row)) for f in (extra or {}).values()),
        ]
        for row in page.rows
    }
    event = table(
        desk, heads, rows, title=table_names(desk, table_name), key=f"{key}_table", sort=state["sort"],
        descending=state["descending"], can_open=on_open is not None,
    )  # fmt: skip
    if event.sort:
        state["descending"] = state["sort"] == event.sort and not state["descending"]
        state["sort"], state["page"] = event.sort, 0
        st.rerun()
    _turning(desk, page, state, key)
    if event.open is not None and on_open is not None and event.open in rows:
        on_open(event.open)
    return page


def _head(desk: Desk, table_name: str, key: str, actions: Callable[[], None] | None) -> str:
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{key}_head"):
        words = st.text_input(
            desk.t(marked("Search")), key=f"{key}_search", type="search", live=True,
            placeholder=desk.t(marked("Part of a name or number")), label_visibility="collapsed",
            icon=":material/search:",
        )  # fmt: skip
        if actions is not None:
            actions()
    return (words or "").strip()


def _is_number(table_name: str, name: str) -> bool:
    column = metadata.tables[table_name].c[name]
    return isinstance(column.type, ExactNumeric) or (
        isinstance(column.type, sa.Integer) and not isinstance(column.type, sa.BigInteger)
    )


def _cell(desk: Desk, table_name: str, name: str, row: Row) -> Cell:
    if name in row["masked"]:
        return Cell(MASKED)
    return Cell(shown(desk, table_name, name, row[name], row.get(f"{name}_caption")))


def _turning(desk: Desk, page: Page, state: dict[str, Any], key: str) -> None:
    """Draw how many rows there are, and the way to the other pages."""
    first = page.page * page.size + 1
    last = first + len(page.rows) - 1
    total = f"{page.total:,}+" if page.is_more else f"{page.total:,}"
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_turning"):
        ui.message(desk.t("{first}–{last} of {total}", first=f"{first:,}", last=f"{last:,}", total=total))
        if page.pages <= 1 and not page.is_more and page.page == 0:
            return
        is_last = (last >= page.total and not page.is_more) or len(page.rows) < page.size

        def turn(to: int) -> None:
            state["page"] = to

        st.button(
            desk.t(marked("Previous page")), key=f"{key}_previous", icon=":material/chevron_left:",
            disabled=page.page == 0, on_click=turn, args=(page.page - 1,),
        )  # fmt: skip
        st.button(
            desk.t(marked("Next page")), key=f"{key}_next", icon=":material/chevron_right:", icon_position="right",
            disabled=is_last, on_click=turn, args=(page.page + 1,),
        )  # fmt: skip
