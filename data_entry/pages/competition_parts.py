"""What the two pages about competition share: the estate of ours that is compared."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from data_entry import forms
from data_entry.pages import links
from data_entry.pages.desk import Desk
from data_entry.services import competition
from loupan import ui


def own_estates(desk: Desk) -> dict[int, str]:
    """Return the names of our estates by key; if there is none, say so and return nothing."""
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        projects = competition.projects(work)
    if not outcome.ok or not projects:
        ui.message(desk.t("There is no estate yet."))
        return {}
    # The estate with the most observations is the first choice.
    return {key: name for key, name, _ in sorted(projects, key=lambda project: -project[2])}


def choose_own_estate(desk: Desk, names: dict[int, str], key: str, width: int | Literal["stretch"] = "stretch") -> int:
    """Draw the choice of one of our estates, first the one that the address names."""
    asked, keys = links.chosen("project"), list(names)
    return st.selectbox(
        desk.t("Our estate"), keys, index=keys.index(asked) if asked in names else 0,
        format_func=names.__getitem__, key=key, width=width,
    )  # fmt: skip
