"""Refreshes: start, watch and cancel one, plan them, and what became of each with its log."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import parts, refresh_alerts, refresh_plan, refresh_watch
from data_entry.pages.desk import Desk
from data_entry.services import refreshes
from loupan import ui
from loupan.formats import NO_DATA
from loupan.refresh_progress import read_log
from loupan.refresh_state import RefreshState, ended_and_running
from loupan.refresh_words import loads, outcome, started_by
from loupan.settings import get_settings

_SHOWN = 50
_TONES = {"published": "good", "unchanged": "good", "refused": "warn", "error": "bad", "cancelled": "quiet"}


def draw(desk: Desk) -> None:
    """Draw the page."""
    parts.hear()
    with forms.showing_errors(desk) as outcome_, desk.reading() as work:
        refreshes.require_reading(work)
    if not outcome_.ok:
        return
    refresh_watch.draw(desk)
    refresh_alerts.draw(desk)
    refresh_plan.draw(desk)
    _history(desk)


def _history(desk: Desk) -> None:
    t = desk.t
    ui.section(t("What became of each"))
    runs = ended_and_running(get_settings())[0][::-1][:_SHOWN]
    if not runs:
        parts.nothing(t("No refresh has run yet."))
        return
    columns = [
        Column("", t("Started")), Column("", t("Outcome")), Column("", t("Duration"), is_number=True),
        Column("", t("Loads")), Column("", t("Rows"), is_number=True), Column("", t("Kept out"), is_number=True),
        Column("", t("Started by")),
    ]  # fmt: skip
    rows = {number: _cells(desk, run) for number, run in enumerate(runs)}
    event = table(desk, columns, rows, title=t("Refreshes"), key="refresh_history")
    if event.open is not None and event.open in rows:
        _open(desk, runs[event.open])


def _moment(desk: Desk, text: str) -> str:
    return desk.formats.moment(dt.datetime.fromisoformat(text), desk.zone.key)


def _duration(run: RefreshState) -> str:
    return NO_DATA if run.seconds is None else f"{run.seconds:,.0f} s"


def _cells(desk: Desk, run: RefreshState) -> list[Cell]:
    t = desk.t
    return [
        Cell(_moment(desk, run.started_at)),
        Cell(outcome(t, run), _TONES.get(run.outcome, "")),
        Cell(_duration(run)),
        Cell(loads(t, full=run.full, tables=run.reloaded)),
        Cell(f"{sum(run.rows.values()):,}" if run.rows else NO_DATA),
        Cell(f"{sum(run.quarantined.values()):,}" if run.rows else NO_DATA),
        Cell(started_by(t, run)),
    ]


def _open(desk: Desk, run: RefreshState) -> None:
    t = desk.t

    @st.dialog(t("Refresh of {moment}", moment=_moment(desk, run.started_at)), width="large", on_dismiss="rerun")
    def show() -> None:
        with forms.showing_errors(desk) as allowed, desk.reading() as work:
            refreshes.require_reading(work)
        if not allowed.ok:
            return
        ui.facts(
            [
                (t("Outcome"), outcome(t, run)), (t("Duration"), _duration(run)),
                (t("Started by"), started_by(t, run)), (t("Published snapshot"), run.version or NO_DATA),
            ]
        )  # fmt: skip
        if run.error:
            st.error(ui.sentence(run.error), icon=":material/error:")
        for message in run.messages:
            st.info(ui.sentence(message), icon=":material/info:")
        for check in run.failed_checks:
            st.warning(ui.sentence(check), icon=":material/block:")
        log = read_log(get_settings(), run.refresh_id)
        if not log:
            ui.message(t("No log of it is kept."))
            return
        st.code(log, language=None, height=320)
        st.download_button(t("Download the log"), log, f"refresh-{run.refresh_id}.log", "text/plain", on_click="ignore")

    show()
