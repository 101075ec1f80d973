"""The categories of demands or of expenses: the tree with its counts; split, renamed, moved, taken out of use."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import parts
from data_entry.pages.demand_words import KINDS
from data_entry.pages.desk import Desk
from data_entry.services import categories
from data_entry.services.categories import Branch, Tree
from data_entry.services.work import Work
from loupan import ui
from loupan.i18n import marked


@dataclass(frozen=True)
class _Words:
    title: str
    here: str
    counts: str


_WORDS = {
    categories.DEMANDS.table: _Words(
        marked("Categories of demands"),
        marked("Demands here"),
        marked("{direct} demands here, {whole} with those below."),
    ),
    categories.EXPENSES.table: _Words(
        marked("Categories of expenses"),
        marked("Expenses here"),
        marked("{direct} expenses here, {whole} with those below."),
    ),
}


def draw(desk: Desk, tree: Tree) -> None:
    """Draw the tree; a press on a category opens what can be done with it."""
    t, words = desk.t, _WORDS[tree.table]
    ui.message(
        t("Split a category to tell finer: what was recorded stays where it is and counts in the category above.")
    )
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        found = categories.branches(work, tree)
    if not outcome.ok:
        return
    if desk.actor.may("create", tree.table) and st.button(
        t("New category at the top"), icon=":material/add:", key="category_top"
    ):
        _split(desk, tree)
    if not found:
        parts.nothing(t("There are no categories yet."))
        return
    has_kinds = tree is categories.DEMANDS
    columns = [
        Column("", t("Category")), *([Column("", t("Kind"))] if has_kinds else []),
        Column("", t(words.here), is_number=True), Column("", t("With those below"), is_number=True),
        Column("", t("In use")),
    ]  # fmt: skip
    rows = {
        branch.id: (
            Cell("\u2003" * branch.depth + branch.name, "" if branch.is_active else "quiet"),
            *([Cell(t(KINDS[str(branch.kind)]))] if has_kinds else []),
            Cell(f"{branch.direct:,}"), Cell(f"{branch.whole:,}"),
            Cell(t("Yes") if branch.is_active else t("No"), "" if branch.is_active else "quiet"),
        )
        for branch in found
    }  # fmt: skip
    may_change = desk.actor.may("update", tree.table)
    event = table(desk, columns, rows, title=t(words.title), key=f"{tree.table}_tree", can_open=may_change)
    if event.open is not None and may_change:
        _open(desk, tree, found, next(branch for branch in found if branch.id == event.open))


def _open(desk: Desk, tree: Tree, found: list[Branch], branch: Branch) -> None:
    t, key = desk.t, f"category_{secrets.token_hex(4)}"

    @st.dialog(ui.plain(branch.name))
    def dialog() -> None:
        ui.message(t(_WORDS[tree.table].counts, direct=f"{branch.direct:,}", whole=f"{branch.whole:,}"))
        if branch.is_active and desk.actor.may("create", tree.table):
            _split_form(desk, tree, branch.id, key)
        name = st.text_input(t("Name"), branch.name, key=f"{key}_name", max_chars=200)
        if st.button(t("Rename"), key=f"{key}_rename", disabled=name == branch.name):
            _do(desk, tree, lambda work: categories.rename(work, tree, branch.id, name), t("Renamed."))
        _move_form(desk, tree, found, branch, key)
        words = t("Take out of use") if branch.is_active else t("Take into use")
        if st.button(words, key=f"{key}_use"):
            _do(desk, tree, lambda work: categories.use(work, tree, branch.id, not branch.is_active), t("Changed."))

    dialog()


def _move_form(desk: Desk, tree: Tree, found: list[Branch], branch: Branch, key: str) -> None:
    t = desk.t
    places: dict[int | None, str] = {None: t("At the top")}
    places.update(categories.places(found, branch.id).items())
    if branch.parent_id not in places:
        places[branch.parent_id] = next(other.name for other in found if other.id == branch.parent_id)
    place = st.selectbox(
        t("Stands below"), list(places), index=list(places).index(branch.parent_id), format_func=places.__getitem__,
        key=f"{key}_place",
        help=t("What was recorded moves with it, and counts in the categories above the new place."),
    )  # fmt: skip
    if st.button(t("Move"), key=f"{key}_move", disabled=place == branch.parent_id):
        _do(desk, tree, lambda work: categories.move(work, tree, branch.id, place), t("Moved."))


def _split(desk: Desk, tree: Tree) -> None:
    key = f"category_{secrets.token_hex(4)}"

    @st.dialog(desk.t("New category at the top"))
    def dialog() -> None:
        _split_form(desk, tree, None, key)

    dialog()


def _split_form(desk: Desk, tree: Tree, category_id: int | None, key: str) -> None:
    t = desk.t
    kind = None
    if category_id is None and tree is categories.DEMANDS:
        kind = st.selectbox(t("Kind"), list(KINDS), format_func=lambda k: t(KINDS[k]), key=f"{key}_kind")
    names = st.text_area(
        t("New categories") if category_id is None else t("Split into"), key=f"{key}_names", height=120,
        placeholder=t("One name on each line"),
    )  # fmt: skip
    if st.button(t("Add them") if category_id is None else t("Split"), type="primary", key=f"{key}_split"):
        _do(
            desk, tree, lambda work: categories.split(work, tree, category_id, parts.lines(names), kind),
            t("The categories are there."),
        )  # fmt: skip


def _do(desk: Desk, tree: Tree, step: Callable[[Work], object], said: str) -> None:
    with forms.showing_errors(desk, tree.table) as outcome, desk.writing() as work:
        step(work)
    if outcome.ok:
        parts.say(said)
