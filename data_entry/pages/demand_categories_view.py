"""The categories of demands: the tree with its counts, split further without losing history."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import parts
from data_entry.pages.demand_words import KINDS
from data_entry.pages.desk import Desk
from data_entry.services import demand_categories
from data_entry.services.demand_categories import Branch
from data_entry.services.work import Work
from loupan import ui


def draw(desk: Desk) -> None:
    """Draw the tree; a press on a category opens what can be done with it."""
    t = desk.t
    ui.message(
        t("Split a category to tell finer: what was recorded stays where it is and counts in the category above.")
    )
    with forms.showing_errors(desk), desk.reading() as work:
        tree = demand_categories.tree(work)
        if st.button(t("New category at the top"), icon=":material/add:", key="category_top"):
            _split(desk, None)
        columns = [
            Column("", t("Category")), Column("", t("Kind")), Column("", t("Demands here"), is_number=True),
            Column("", t("With those below"), is_number=True), Column("", t("In use")),
        ]  # fmt: skip
        rows = {
            branch.id: (
                Cell("\u2003" * branch.depth + branch.name, "" if branch.is_active else "quiet"),
                Cell(t(KINDS[branch.kind])), Cell(f"{branch.direct:,}"), Cell(f"{branch.whole:,}"),
                Cell(t("Yes") if branch.is_active else t("No"), "" if branch.is_active else "quiet"),
            )
            for branch in tree
        }  # fmt: skip
        if not tree:
            parts.nothing(t("There are no categories yet."))
            return
        event = table(desk, columns, rows, title=t("Categories of demands"), key="category_tree")
    if event.open is not None:
        _open(desk, next(branch for branch in tree if branch.id == event.open))


def _open(desk: Desk, branch: Branch) -> None:
    t, key = desk.t, f"category_{secrets.token_hex(4)}"

    @st.dialog(ui.plain(branch.name))
    def dialog() -> None:
        ui.message(
            t(
                "{direct} demands here, {whole} with those below.",
                direct=f"{branch.direct:,}",
                whole=f"{branch.whole:,}",
            )
        )
        if branch.is_active:
            _split_form(desk, branch.id, key)
        name = st.text_input(t("Name"), branch.name, key=f"{key}_name", max_chars=200)
        with st.container(horizontal=True):
            if st.button(t("Rename"), key=f"{key}_rename", disabled=name == branch.name):
                _do(desk, lambda work: demand_categories.rename(work, branch.id, name), t("Renamed."))
            words = t("Take out of use") if branch.is_active else t("Take into use")
            if st.button(words, key=f"{key}_use"):
                _do(desk, lambda work: demand_categories.use(work, branch.id, not branch.is_active), t("Changed."))

    dialog()


def _split(desk: Desk, category_id: int | None) -> None:
    key = f"category_{secrets.token_hex(4)}"

    @st.dialog(desk.t("New category at the top"))
    def dialog() -> None:
        _split_form(desk, category_id, key)

    dialog()


def _split_form(desk: Desk, category_id: int | None, key: str) -> None:
    t = desk.t
    kind = None
    if category_id is None:
        kind = st.selectbox(t("Kind"), list(KINDS), format_func=lambda k: t(KINDS[k]), key=f"{key}_kind")
    names = st.text_area(
        t("New categories") if category_id is None else t("Split into"), key=f"{key}_names", height=120,
        placeholder=t("One name on each line"),
    )  # fmt: skip
    if st.button(t("Add them") if category_id is None else t("Split"), type="primary", key=f"{key}_split"):
        lines = [line.strip() for line in names.splitlines() if line.strip()]
        _do(desk, lambda work: demand_categories.split(work, category_id, lines, kind), t("The categories are there."))


def _do(desk: Desk, step: Callable[[Work], object], said: str) -> None:
    with forms.showing_errors(desk, "demand_category") as outcome, desk.writing() as work:
        step(work)
    if outcome.ok:
        parts.say(said)
