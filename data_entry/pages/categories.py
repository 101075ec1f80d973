"""Settings of the words that others choose from, and of the approval of reports."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from data_entry.pages import category_tree, knowledge_categories_view, parts, report_flows_view
from data_entry.pages.desk import Desk
from data_entry.services import categories
from loupan import ui
from loupan.i18n import marked

# By the table that a person must be allowed to change: what it is called, and what draws it.
_VIEWS: dict[str, tuple[str, Callable[[Desk], None]]] = {
    "vocabulary_term": (marked("Knowledge base"), knowledge_categories_view.draw),
    "demand_category": (marked("Demands"), partial(category_tree.draw, tree=categories.DEMANDS)),
    "expense_category": (marked("Expenses"), partial(category_tree.draw, tree=categories.EXPENSES)),
    "report_class": (marked("Reports"), report_flows_view.draw),
}


def draw(desk: Desk) -> None:
    """Draw the setting that the address or the person chooses."""
    parts.hear()
    t = desk.t
    offered = {name: t(words) for name, (words, _) in _VIEWS.items() if desk.actor.may("update", name)}
    if not offered:
        ui.message(t("There is nothing here that you may change."))
        return
    chosen = parts.views(t("What to show"), offered, "categories_tab", st.query_params.get("of"))
    st.query_params["of"] = chosen
    _VIEWS[chosen][1](desk)
