"""The categories of the knowledge base: agreed on, ordered, renamed in every article, taken out of use."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.services import knowledge_categories
from data_entry.services.knowledge_categories import Category
from data_entry.services.work import Work
from loupan import ui


def draw(desk: Desk) -> None:
    """Draw the list; a press on a category opens what can be done with it."""
    t = desk.t
    ui.message(t("Who writes an article chooses one of these, in this order; the article is found by it."))
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        found = knowledge_categories.listing(work)
    if not outcome.ok:
        return
    if desk.actor.may("create", "vocabulary_term") and st.button(
        t("New category"), icon=":material/add:", key="kb_category_new"
    ):
        _new(desk)
    if not found:
        parts.nothing(t("There are no categories yet."))
        return
    columns = [Column("", t("Category")), Column("", t("Articles"), is_number=True), Column("", t("In use"))]
    rows = {
        place: (
            Cell(category.name, "" if category.is_active else "quiet"),
            Cell(f"{category.articles:,}"),
            _state(desk, category),
        )
        for place, category in enumerate(found)
    }  # fmt: skip
    event = table(desk, columns, rows, title=t("Categories of the knowledge base"), key="kb_category_list")
    if event.open is not None:
        _open(desk, found[event.open])


def _state(desk: Desk, category: Category) -> Cell:
    if not category.is_agreed:
        return Cell(desk.t("Typed by a writer"), "warn")
    return Cell(desk.t("Yes")) if category.is_active else Cell(desk.t("No"), "quiet")


def _new(desk: Desk) -> None:
    t, key = desk.t, f"kb_category_{secrets.token_hex(4)}"

    @st.dialog(t("New category"))
    def dialog() -> None:
        names = st.text_area(
            t("New categories"), key=f"{key}_names", height=120, placeholder=t("One name on each line")
        )
        if st.button(t("Add them"), type="primary", key=f"{key}_add"):
            _do(desk, lambda work: knowledge_categories.add(work, parts.lines(names)), t("The categories are there."))

    dialog()


def _open(desk: Desk, category: Category) -> None:
    t, key = desk.t, f"kb_category_{secrets.token_hex(4)}"

    @st.dialog(ui.plain(category.name))
    def dialog() -> None:
        ui.message(t("{count} articles have this category.", count=f"{category.articles:,}"))
        if desk.actor.may("update", "article"):
            name = st.text_input(t("Name"), category.name, key=f"{key}_name", max_chars=100)
            if st.button(t("Rename in every article"), key=f"{key}_rename", disabled=name == category.name):
                _do(desk, lambda work: knowledge_categories.rename(work, category.name, name), t("Renamed."))
        if not category.is_agreed:
            if st.button(t("Agree on it"), key=f"{key}_agree", type="primary"):
                _do(desk, lambda work: knowledge_categories.add(work, [category.name]), t("Changed."))
            return
        with st.container(horizontal=True):
            for words, icon, places in ((t("Up"), "arrow_upward", -1), (t("Down"), "arrow_downward", 1)):
                if st.button(words, icon=f":material/{icon}:", key=f"{key}_by_{places}"):
                    _do(
                        desk,
                        partial(knowledge_categories.shift, name=category.name, places=places),
                        t("Moved."),
                    )
            words = t("Take out of use") if category.is_active else t("Take into use")
            if st.button(words, key=f"{key}_use"):
                _do(
                    desk,
                    lambda work: knowledge_categories.use(work, category.name, not category.is_active),
                    t("Changed."),
                )

    dialog()


def _do(desk: Desk, step: Callable[[Work], object], said: str) -> None:
    with forms.showing_errors(desk, "vocabulary_term") as outcome, desk.writing() as work:
        step(work)
    if outcome.ok:
        parts.say(said)
