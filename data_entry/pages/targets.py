"""Targets of a year as a table of estates and months, and the events that charts mark."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from data_entry import forms
from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.schema.labels import choice_label
from data_entry.services import targets
from data_entry.services.targets import Cell, Year
from data_entry.services.validation import Wrong, is_empty, read_number
from loupan import ui
from loupan.i18n import marked

_SHOWN = "targets_shown"
_EDITOR = "targets_editor"
_MONTHS = range(1, 13)
_MONEY = frozenset({"contract_amount", "collected_amount"})


def draw(desk: Desk) -> None:
    """Draw the targets, or the events."""
    parts.hear()
    t = desk.t
    views = {
        name: words
        for name, words, table in (
            ("targets", t("Targets"), "target"),
            ("events", t("Events on charts"), "annotation"),
        )
        if desk.actor.may("read", table)
    }
    if not views:
        parts.nothing(t("There is nothing here that you may read."))
    elif parts.views(t("What to show"), views, "targets_tab") == "events":
        _events(desk)
    else:
        _targets(desk)


def _targets(desk: Desk) -> None:
    t = desk.t
    with ui.columns(2, 1, 3)[0]:
        metric = st.selectbox(
            t("Metric"), targets.METRICS, format_func=lambda name: t(choice_label(name)), key="targets_metric"
        )
    years = range(desk.today.year - 5, desk.today.year + 3)
    year = st.segmented_control(
        t("Year"), years, default=desk.today.year, key="targets_year", required=True, format_func=str
    )
    with forms.showing_errors(desk):
        shown = _shown(desk, metric, year)
        if not shown.estates:
            parts.nothing(t("There is no estate whose targets you may see."))
            return
        _table(desk, shown)


def _shown(desk: Desk, metric: str, year: int) -> Year:
    """Return the table as it was when it was opened, so that a save can tell what others changed since."""
    kept = st.session_state.get(_SHOWN)
    if not isinstance(kept, Year) or (kept.metric, kept.year) != (metric, year):
        with desk.reading() as work:
            kept = targets.year_of(work, metric, year)
        _keep(kept)
    return kept


def _keep(year: Year | None) -> None:
    """Show a table, or read it anew; what was typed into the one before is gone."""
    st.session_state[_SHOWN] = year
    st.session_state[f"{_EDITOR}_turn"] = st.session_state.get(f"{_EDITOR}_turn", 0) + 1


def _table(desk: Desk, shown: Year) -> None:
    t = desk.t
    months = {month: desk.formats.short_month(dt.date(shown.year, month, 1)) for month in _MONTHS}
    is_open = any(estate.is_open for estate in shown.estates)
    head = t("Estate")
    written = pd.DataFrame(
        [
            {head: estate.name, **{months[m]: _written(shown.values.get((estate.id, m))) for m in _MONTHS}}
            for estate in shown.estates
        ]
    )
    edited = st.data_editor(
        written,
        hide_index=True,
        width="stretch",
        num_rows="fixed",
        disabled=[head] if is_open else True,
        key=f"{_EDITOR}_{st.session_state[f'{_EDITOR}_turn']}",
        column_config={
            head: st.column_config.TextColumn(head, pinned=True),
            **{name: st.column_config.TextColumn(name, alignment="right", width=110) for name in months.values()},
        },
        alt=t("Targets of {metric} in {year}", metric=t(choice_label(shown.metric)), year=shown.year),
    )
    changes = _changes(shown, edited, list(months.values()))
    if is_open:
        _saving(desk, shown, changes)
    _totals(desk, shown, changes, months)


def _saving(desk: Desk, shown: Year, changes: dict[Cell, Any]) -> None:
    t = desk.t
    ui.message(t("Write 1200000, 120万 or 1.2亿; an empty field takes the target back. Nothing is kept until saved."))
    with st.container(horizontal=True):
        saves = st.button(t("Save"), type="primary", icon=":material/save:", disabled=not changes, key="targets_save")
        if st.button(t("Load again"), icon=":material/refresh:", key="targets_again"):
            _keep(None)
            st.rerun()
    if saves:
        with desk.writing() as work:
            count = targets.save(work, shown, changes)
        _keep(None)
        parts.say(t("Targets saved: {count}", count=count))


def _written(value: Decimal | None) -> str:
    return "" if value is None else f"{value:,.2f}".removesuffix(".00")


def _changes(shown: Year, edited: pd.DataFrame, months: list[str]) -> dict[Cell, Any]:
    """Return the cells that no longer say what they said."""
    changes: dict[Cell, Any] = {}
    for estate, (_, row) in zip(shown.estates, edited.iterrows(), strict=True):
        for month, name in enumerate(months, start=1):
            before = _written(shown.values.get((estate.id, month)))
            typed = "" if is_empty(row[name]) else str(row[name]).strip()
            if typed != before:
                changes[estate.id, month] = typed
    return changes


def _totals(desk: Desk, shown: Year, changes: dict[Cell, Any], months: dict[int, str]) -> None:
    """Show the sums of the table as it is on the screen, saved or not."""
    t = desk.t
    values: dict[Cell, Decimal] = dict(shown.values)
    for cell, typed in changes.items():
        values.pop(cell, None)
        if typed:
            try:
                values[cell] = read_number(typed)
            except Wrong:
                # Said when it is saved.
                continue
    unit = "currency" if shown.metric in _MONEY else "count"
    by_month = {month: sum((v for (_, m), v in values.items() if m == month), Decimal(0)) for month in _MONTHS}
    by_estate = {
        estate.name: sum((v for (project, _), v in values.items() if project == estate.id), Decimal(0))
        for estate in shown.estates
    }
    left, right = ui.columns(1, 1)
    for column, title, head, sums in (
        (left, t("Total by month"), t("Month"), {months[month]: total for month, total in by_month.items()}),
        (right, t("Total by estate"), t("Estate"), by_estate),
    ):
        with column:
            rows = [(t("All"), sum(sums.values(), Decimal(0))), *sums.items()]
            written = [desk.formats.value(float(total), unit) for _, total in rows]
            ui.card_title(title)
            ui.table(pd.DataFrame({head: [name for name, _ in rows], t("Total"): written}), title)


def _events(desk: Desk) -> None:
    t = desk.t
    ui.message(t("Launches, changes of policy or price, campaigns: each is marked on the charts over time."))

    def add() -> None:
        if desk.actor.may("create", "annotation") and st.button(
            t(marked("New")), type="primary", icon=":material/add:", key="events_new"
        ):
            forms.open_record(desk, "annotation", defaults={"happened_on": desk.today})

    forms.record_list(
        desk,
        "annotation",
        columns=["happened_on", "project_id", "kind", "title", "employee_id"],
        key="events",
        sort="happened_on",
        descending=True,
        on_open=lambda key: forms.open_record(desk, "annotation", key),
        actions=add,
    )
