"""Every table of the CRM that the person may read: searched, entered, changed, deleted and restored."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages.desk import Desk
from data_entry.pages.links import chosen
from data_entry.schema import metadata
from data_entry.schema.labels import choice_label
from data_entry.services import records
from data_entry.services.records import Row
from data_entry.services.tables import READ_ONLY, areas, is_personal, is_tree, own_columns, references, target
from loupan import ui
from loupan.i18n import marked

_AREAS = {
    "organisation": marked("Organisation"),
    "estate": marked("Estates"),
    "customer": marked("Customers"),
    "lead": marked("Leads"),
    "deal": marked("Deals"),
    "demand": marked("Demands"),
    "marketing": marked("Marketing"),
    "competition": marked("Competition"),
    "service": marked("Surveys, care and property"),
    "office": marked("Office"),
    "planning": marked("Planning"),
}
_FIRST = "customer"
_KEY = "records"
_MOST_NODES = 1000


def draw(desk: Desk) -> None:
    """Draw the choice of a table, and its rows."""
    names = [
        name for area in _AREAS for name in sorted(areas().get(area, ()), key=lambda n: forms.table_names(desk, n))
        if desk.actor.may("read", name)
    ]  # fmt: skip
    if not names:
        ui.message(desk.t(marked("There is nothing here that you may read.")))
        return
    area_of = {name: desk.t(_AREAS[area]) for area, tables in areas().items() for name in tables}
    asked = st.query_params.get("table")
    name = asked if asked in names else _FIRST if _FIRST in names else names[0]
    with ui.columns(2, 3)[0]:
        picked = st.selectbox(
            desk.t(marked("Records of")), names, index=names.index(name), key=f"{_KEY}_table_{name}",
            format_func=lambda n: " · ".join(dict.fromkeys((forms.table_names(desk, n), area_of[n]))),
        )  # fmt: skip
    if picked != name:
        _go(picked)
    _rows(desk, name)


def _go(name: str, **more: Any) -> None:
    st.query_params.from_dict({"table": name, **{k: str(v) for k, v in more.items() if v is not None}})
    st.rerun()


def _rows(desk: Desk, name: str) -> None:
    filters = _of_one(desk, name)
    deleted = False
    as_tree = False
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{_KEY}_filters"):
        _choices(desk, name, filters)
        if desk.actor.may("delete", name) and name not in READ_ONLY:
            deleted = st.toggle(desk.t(marked("Deleted")), key=f"{_KEY}_{name}_deleted")
        if is_tree(name) and not deleted:
            as_tree = st.toggle(desk.t(marked("As a tree")), value=True, key=f"{_KEY}_{name}_tree")

    def add() -> None:
        if (
            desk.actor.may("create", name)
            and name not in READ_ONLY
            and st.button(desk.t(marked("New")), type="primary", icon=":material/add:", key=f"{_KEY}_{name}_new")
        ):
            forms.open_record(desk, name, defaults={k: v for k, v in filters.items() if v is not None})

    def open_one(key: int) -> None:
        forms.open_record(desk, name, key, more=(lambda row: _related(desk, name, row)) if not deleted else None)

    if as_tree and not filters:
        add()
        _tree(desk, name, open_one)
    else:
        forms.record_list(
            desk, name, filters=filters, key=f"{_KEY}_{name}", on_open=open_one, actions=add, deleted=deleted
        )
    linked = chosen()
    if linked is not None and st.session_state.get(f"{_KEY}_opened") != (name, linked):
        st.session_state[f"{_KEY}_opened"] = (name, linked)
        open_one(linked)


def _of_one(desk: Desk, name: str) -> dict[str, Any]:
    """Return the filter that the address names: the rows of one record; and say so."""
    by, key = st.query_params.get("by", ""), chosen("of")
    columns = metadata.tables[name].c
    if by not in columns or key is None or target(columns[by]) is None:
        return {}
    with desk.reading() as work:
        caption = records.caption(work, str(target(columns[by])), key)
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.message(f"{forms.label(desk, name, by)}: {caption}")
        if st.button(desk.t(marked("Show all")), key=f"{_KEY}_all", type="tertiary"):
            _go(name)
    return {by: key}


def _choices(desk: Desk, name: str, filters: dict[str, Any]) -> None:
    """Draw a filter for each column of few values."""
    few = [c for c in own_columns(name) if isinstance(c.type, (sa.Enum, sa.Boolean)) and not is_personal(c)]
    for column in few[:3]:
        words: dict[Any, str] = {True: desk.t("Yes"), False: desk.t("No")}
        if isinstance(column.type, sa.Enum):
            words = {choice: desk.t(choice_label(choice)) for choice in column.type.enums}
        value = st.selectbox(
            forms.label(desk, name, column.name), list(words), index=None, format_func=words.__getitem__,
            key=f"{_KEY}_{name}_by_{column.name}", placeholder=desk.t(marked("All")), width=220,
        )  # fmt: skip
        if value is not None:
            filters[column.name] = value


def _tree(desk: Desk, name: str, open_one: Any) -> None:
    rows = metadata.tables[name]
    with desk.reading() as work:
        page = records.list_rows(work, name, sort="name", size=500)
        found = list(page.rows)
        while len(found) < min(page.total, _MOST_NODES):
            page = records.list_rows(work, name, sort="name", size=500, page=page.page + 1)
            found += page.rows
    below: dict[int | None, list[Row]] = {}
    known = {row["id"] for row in found}
    for row in found:
        below.setdefault(row["parent_id"] if row["parent_id"] in known else None, []).append(row)
    shown: dict[int, list[Cell]] = {}
    others = [c.name for c in own_columns(name) if c.name not in ("name", "parent_id", "external_ref")][:4]

    def walk(parent: int | None, depth: int) -> None:
        for row in below.get(parent, []):
            indent = "\u2003" * depth + ("└ " if depth else "")
            cells = [Cell(forms.shown(desk, name, n, row[n], row.get(f"{n}_caption"))) for n in others]
            shown[row["id"]] = [Cell(indent + row["name"]), *cells]
            walk(row["id"], depth + 1)

    walk(None, 0)
    if not shown:
        ui.message(desk.t(marked("There is nothing yet.")))
        return
    heads = [Column("", forms.label(desk, name, c)) for c in ("name", *others)]
    event = table(desk, heads, shown, title=forms.table_names(desk, rows.name), key=f"{_KEY}_{name}_nodes")
    ui.message(desk.t(marked("To move one, open it and choose another place above it.")))
    if event.open is not None:
        open_one(event.open)


def _related(desk: Desk, name: str, row: Row) -> None:
    """Draw how many rows of each table point to a record, and the way to them."""
    any_shown = False
    listed = {t for tables in areas().values() for t in tables}
    for column in references(name):
        other = column.table.name
        if other not in listed or not desk.actor.may("read", other) or column.name == "parent_id":
            continue
        with desk.reading() as work:
            page = records.list_rows(work, other, filters={column.name: row["id"]}, size=1)
        # What belongs to the record can be added; what merely mentions it is shown where there is any.
        may_add = desk.actor.may("create", other) and other not in READ_ONLY and not column.nullable
        if not page.rows and not may_add:
            continue
        any_shown = True
        count = f"{page.total:,}+" if page.is_more else f"{page.total:,}"
        with st.container(horizontal=True, vertical_alignment="center"):
            several = sum(c.table.name == other for c in references(name)) > 1
            by = f" · {forms.label(desk, other, column.name)}" if several else ""
            ui.message(f"{forms.table_names(desk, other)}{by} ({count})")
            if st.button(
                desk.t(marked("Show and add")) if may_add else desk.t(marked("Show")),
                key=f"{_KEY}_{name}_{other}_{column.name}", type="tertiary", icon=":material/arrow_forward:",
            ):  # fmt: skip
                _go(other, by=column.name, of=row["id"])
    if not any_shown:
        ui.message(desk.t(marked("Nothing points to this record.")))
