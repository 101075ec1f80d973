"""Start a refresh, watch how far it has come, and cancel it."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from data_entry import forms
from data_entry.pages.desk import Desk
from data_entry.services import refreshes
from loupan import ui
from loupan.i18n import marked
from loupan.refresh_lock import is_refreshing
from loupan.refresh_progress import RefreshProgress, StepProgress, read_progress
from loupan.refresh_state import RefreshState, cancelled_by, last_refresh
from loupan.refresh_words import loads, started_by
from loupan.settings import Settings, get_settings

# Seconds between two looks at a refresh that runs.
_LOOK = 1.5
# So long after somebody asked for one, it is awaited: the process has to start first.
_STARTING = dt.timedelta(seconds=30)
_ASKED = "lp_refresh_asked"
# A refresh that waits for another has no steps yet, so its first words come from here.
_STEPS = (
    marked("Loading the CRM"), marked("Checking the loaded tables"), marked("Building and testing the marts"),
    marked("Running the models"), marked("Publishing"), marked("Describing the data"),
)  # fmt: skip


def draw(desk: Desk) -> None:
    """Draw what runs, or the buttons that start it; nothing for who may not see refreshes."""
    if not desk.actor.may("read", refreshes.RESOURCE):
        return
    with st.container(border=True, key="lp_card_refresh"):
        _watch(desk)


def _watch(desk: Desk) -> None:
    settings = get_settings()
    is_busy = is_refreshing(settings.data_dir) or _is_starting()

    @st.fragment(run_every=_LOOK if is_busy else None)
    def watch() -> None:
        state = last_refresh(settings)
        is_running = is_refreshing(settings.data_dir)
        if is_running or _is_starting():
            if is_running:
                st.session_state.pop(_ASKED, None)
            _running(desk, settings, state if state is not None and state.outcome == "running" else None)
        elif is_busy:
            # What the whole page shows has changed.
            st.rerun()
        else:
            _idle(desk, settings)

    watch()


def _is_starting() -> bool:
    asked = st.session_state.get(_ASKED)
    return asked is not None and dt.datetime.now(dt.UTC) - asked < _STARTING


def _idle(desk: Desk, settings: Settings) -> None:
    t = desk.t
    ui.card_title(
        t("Refresh now"),
        t("Loads what was entered, computes all figures, checks them, and publishes them if every check passes."),
    )
    if not desk.actor.may("run", refreshes.RESOURCE):
        ui.message(t("No refresh is running."))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button(t("Refresh"), type="primary", icon=":material/refresh:", key="lp_refresh_start"):
            _start(desk, settings, full=False, tables=[])
        with st.popover(t("Load again …"), icon=":material/history:"):
            ui.message(
                t("Changed rows are found by themselves. Load rows again after the database was mended by hand.")
            )
            tables = st.multiselect(
                t("Only these tables"), _tables(), key="lp_refresh_tables", placeholder=t("All tables")
            )
            if st.button(t("Load again"), key="lp_refresh_full"):
                _start(desk, settings, full=not tables, tables=tables)


def _tables() -> list[str]:
    # Reads the classes of the schema: nothing that a page without this button should wait for.
    from data_entry.schema.dbt_sources import ingested_tables

    return sorted(ingested_tables())


def _start(desk: Desk, settings: Settings, *, full: bool, tables: list[str]) -> None:
    with forms.showing_errors(desk) as outcome, desk.writing() as work:
        refreshes.start(work, settings, full=full, tables=tables)
    if outcome.ok:
        st.session_state[_ASKED] = dt.datetime.now(dt.UTC)
        st.rerun()


def _running(desk: Desk, settings: Settings, state: RefreshState | None) -> None:
    t = desk.t
    if state is None:
        ui.card_title(t("A refresh is starting"), t("Its first step begins in a few seconds."))
        st.progress(0.0)
        return
    began = dt.datetime.fromisoformat(state.started_at)
    seconds = int((dt.datetime.now(dt.UTC) - began).total_seconds())
    ui.card_title(
        t("A refresh is running"),
        t(
            "Since {moment} ({seconds} s). Started by: {who}. Loads: {rows}.",
            moment=desk.formats.moment(began, desk.zone.key),
            seconds=seconds,
            who=started_by(t, state),
            rows=loads(t, full=state.full, tables=state.reloaded),
        ),
    )
    progress = read_progress(settings, state.refresh_id)
    draw_steps(desk, progress)
    if cancelled_by(settings, state.refresh_id) is not None:
        ui.message(t("It was cancelled and is coming to its end; nothing of it will be published."))
    elif desk.actor.may("run", refreshes.RESOURCE):
        with st.popover(t("Cancel"), icon=":material/cancel:"):
            st.markdown(t("Readers keep the figures they have. The next refresh begins anew."))
            if st.button(t("Cancel this refresh"), type="primary", key="lp_refresh_cancel"):
                with forms.showing_errors(desk), desk.writing() as work:
                    refreshes.cancel(work, settings)


def draw_steps(desk: Desk, progress: RefreshProgress | None) -> None:
    """Draw the steps of a refresh, those that are still to come included."""
    steps = progress.steps if progress is not None else []
    known = {step.name for step in steps}
    coming = [StepProgress(name, "") for name in _STEPS if name not in known]
    for step in [*steps, *coming]:
        _step(desk, step)


def _step(desk: Desk, step: StepProgress) -> None:
    name = desk.t(step.name)
    if step.finished_at is not None:
        began, ended = (dt.datetime.fromisoformat(moment) for moment in (step.started_at, step.finished_at))
        seconds = (ended - began).total_seconds()
        st.markdown(f":material/check_circle: {name} :gray[{seconds:.0f} s]")
    elif step.started_at:
        share = min(1.0, step.done / step.total) if step.total else 0.0
        counted = f" {step.done:,} / {step.total:,}" if step.total else ""
        st.progress(share, f"{name}{counted} :gray[{ui.plain(step.detail)}]")
    else:
        st.markdown(f":gray[:material/radio_button_unchecked: {name}]")
