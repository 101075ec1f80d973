"""Pick the row that a value points to: by search on the server, or level by level down a tree."""

from __future__ import annotations

import streamlit as st

from data_entry.forms.errors import show_problem
from data_entry.forms.words import table_name
from data_entry.pages.desk import Desk
from data_entry.services import records
from data_entry.services.captions import Condition
from data_entry.services.tables import is_tree
from loupan.i18n import marked

# Up to so many rows are offered without a search.
_FEW = 30


def pick(
    desk: Desk,
    table: str,
    label: str,
    value: int | None = None,
    *,
    key: str,
    where: Condition | None = None,
    help: str | None = None,
    disabled: bool = False,
) -> int | None:
    """Draw a picker of a row and return the key picked; outside of `st.form` only.

    Args:
        desk: the reader.
        table: table of the row.
        label: what the value is called.
        value: key to begin with.
        key: of the widget.
        where: a condition on the rows offered.
        help: explains the value.
        disabled: show it only.
    """
    if is_tree(table) and where is None:
        return _pick_in_tree(desk, table, label, value, key, help, disabled)
    with desk.reading() as work:
        few = records.options(work, table, where=where, limit=_FEW + 1)
        names = {value: records.caption(work, table, value)} if value is not None else {}
    names |= {option.id: option.caption for option in few[:_FEW]}
    if len(few) > _FEW and not disabled:
        search = st.text_input(
            desk.t("{label}: search", label=label.removesuffix(" *")), key=f"{key}_search", type="search", live=True,
            help=help, placeholder=desk.t(marked("Part of a name or number")),
        )  # fmt: skip
        if search:
            with desk.reading() as work:
                found = records.options(work, table, search, where=where, limit=_FEW)
            kept = {value: names[value]} if value is not None else {}
            chosen = st.session_state.get(f"{key}_chosen", {})
            names = {option.id: option.caption for option in found} | kept | chosen
            if not found:
                st.caption(desk.t(marked("Nothing fits.")))
        else:
            names |= st.session_state.get(f"{key}_chosen", {})
        help = None
    # The words are kept, so that what was picked stays on offer when the search changes.
    picked = st.selectbox(
        label, list(names), index=list(names).index(value) if value in names else None,
        format_func=lambda option: names.get(option, f"#{option}"), key=key, help=help, disabled=disabled,
        placeholder=desk.t(marked("Choose")),
    )  # fmt: skip
    st.session_state[f"{key}_chosen"] = {picked: names[picked]} if picked in names else {}
    return picked


def _pick_in_tree(
    desk: Desk, table: str, label: str, value: int | None, key: str, help: str | None, disabled: bool
) -> int | None:
    chosen: int | None = None
    level = 0
    with desk.reading() as work:
        above = records.path(work, table, value)
        while True:
            kept = above[level] if level < len(above) else None
            offered = {option.id: option.caption for option in records.children(work, table, chosen, active=True)}
            if kept is not None and kept not in offered and (level == 0 or above[level - 1] == chosen):
                offered[kept] = records.caption(work, table, kept).rpartition(" / ")[2]
            if not offered:
                if level == 0:
                    st.selectbox(label, [], key=f"{key}_0_", disabled=True, help=help,
                                 placeholder=desk.t(marked("Nothing to choose yet")))  # fmt: skip
                return chosen
            picked = st.selectbox(
                label if level == 0 else desk.t("{table} below", table=table_name(desk, table)),
                list(offered), index=list(offered).index(kept) if kept in offered else None,
                format_func=lambda option, offered=offered: offered.get(option, f"#{option}"),
                key=f"{key}_{level}_{chosen or ''}", help=help if level == 0 else None, disabled=disabled,
                placeholder=desk.t(marked("Choose")) if level == 0 else desk.t(marked("Choose, or leave as it is")),
                label_visibility="visible" if level == 0 else "collapsed",
            )  # fmt: skip
            if picked is None:
                return chosen
            chosen, level = picked, level + 1


def pick_field(desk: Desk, table: str, label: str, value: int | None, key: str, form: str, column: str,
               help: str | None, where: Condition | None = None) -> int | None:  # fmt: skip
    """Draw a picker as a field of a form, with what is wrong with its value."""
    picked = pick(desk, table, label, value, key=key, where=where, help=help)
    show_problem(form, column)
    return picked
