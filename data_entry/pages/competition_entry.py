"""What was seen of competing estates and of our own: one visit or one web page, all features at once."""

from __future__ import annotations

import datetime as dt
from typing import Any

import streamlit as st

from data_entry import forms
from data_entry.pages import attached, links, parts
from data_entry.pages.competition_parts import choose_own_estate, own_estates
from data_entry.pages.desk import Desk
from data_entry.pages.plans import money
from data_entry.schema.competition import CompetitorObservation
from data_entry.schema.customer import Feature
from data_entry.services import competition, records
from data_entry.services import features as custom
from data_entry.services.competition import Seen
from loupan import ui
from loupan.formats import NO_DATA

_OWN = -1


def draw(desk: Desk) -> None:
    """Draw the form of an observation, and what was observed lately."""
    t = desk.t
    parts.hear()
    names = own_estates(desk)
    if not names:
        return
    left, right = ui.columns(1, 1)
    with left:
        project = choose_own_estate(desk, names, "entry_project")
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        found = competition.compare(work, project)
    if not outcome.ok:
        return
    estates = {estate.id: estate.name for estate in found.rivals}
    estates[found.own.id if found.own else _OWN] = t("{estate} (our own)", estate=names[project])
    with right:
        estate = st.selectbox(t("Observed estate"), list(estates), format_func=estates.__getitem__, key="entry_estate")
    with st.container(horizontal=True, key="entry_more"):
        if desk.actor.may("create", "competitor_project") and st.button(
            t("New competing estate"), icon=":material/add_home:", key="entry_new_estate"
        ):
            forms.open_record(desk, "competitor_project", defaults={"own_project_id": project})
        if desk.actor.may("create", "competitor") and st.button(
            t("New competitor"), icon=":material/add_business:", key="entry_new_competitor"
        ):
            forms.open_record(desk, "competitor")
        if desk.actor.may("create", "feature") and st.button(
            t("New feature to compare"), icon=":material/playlist_add:", key="entry_new_feature"
        ):
            forms.open_record(desk, "feature", defaults={"entity": competition.ENTITY, "data_type": "number"})
        if links.is_open("competition-analysis") and st.button(
            t("Comparison"), icon=":material/compare:", key="entry_compare"
        ):
            links.go("competition-analysis", project=project)
    is_own = estate == (found.own.id if found.own else _OWN)
    if desk.actor.may("create", "competitor_observation"):
        newest = {f.id: found.newest.get((estate, f.id)) for f in found.features}
        _form(desk, project, estate, found.features, newest, is_own=is_own)
    _latest(desk, estate, found.features)


def _form(
    desk: Desk, project: int, estate: int, features: list[Feature], newest: dict[int, Seen | None], *, is_own: bool
) -> None:
    t = desk.t
    if not features:
        ui.message(t("No features are defined yet. Add what estates are to be compared by."))
        return
    ui.section(t("New observation"))
    if is_own:
        _own_figures(desk, project)
    turn = st.session_state.get("entry_turn", 0)
    key = f"entry_{estate}_{turn}"
    with st.form(key, border=True):
        left, right = ui.columns(1, 2)
        with left:
            day = st.date_input(t("Seen on"), desk.today, max_value=desk.today, key=f"{key}_day", format="YYYY-MM-DD")
        with right:
            address = st.text_input(
                t("Web address of the source"), key=f"{key}_url", max_chars=500, placeholder="https://",
                help=t("Leave it empty for what you saw yourself: your name is then the source."),
            )  # fmt: skip
        values: dict[int, Any] = {}
        cells: list[Any] = []
        for feature in features:
            if not cells:
                cells = list(ui.columns(1, 1))
            with cells.pop(0):
                values[feature.id] = _input(desk, feature, newest[feature.id], f"{key}_{feature.id}")
                forms.errors.show_problem("entry", custom.name_of(feature.id))
        if not st.form_submit_button(t("Save the observation"), type="primary"):
            return
    with forms.showing_errors(desk, "competitor_observation", "entry") as outcome, desk.writing() as work:
        target = competition.own_estate(work, project).id if estate == _OWN else estate
        seen_on = day if isinstance(day, dt.date) else desk.today
        number = len(competition.record(work, target, values, seen_on, address.strip() or None))
    if outcome.ok:
        st.session_state["entry_turn"] = turn + 1
        parts.say(t("Values recorded: {number}", number=number))


def _input(desk: Desk, feature: Feature, last: Seen | None, key: str) -> Any:
    t, title = desk.t, ui.plain(feature.name)
    before = (
        t("Last: {value} on {day}", value=_written(desk, last), day=desk.formats.day(last.observed_on))
        if last is not None
        else t("Not seen yet")
    )
    if feature.data_type == "boolean":
        words = {"true": t("Yes"), "false": t("No")}
        return st.selectbox(title, list(words), index=None, format_func=words.__getitem__, key=key, placeholder=before)
    if feature.data_type == "choice":
        return st.selectbox(title, custom.options(feature), index=None, key=key, placeholder=before)
    if feature.data_type == "date":
        return st.date_input(title, None, key=key, format="YYYY-MM-DD", help=ui.plain(before))
    return st.text_input(title, key=key, max_chars=500, placeholder=before)


def _written(desk: Desk, seen: Seen) -> str:
    if seen.data_type == "boolean" and seen.number is not None:
        return desk.t("Yes") if seen.number else desk.t("No")
    if seen.data_type == "number" and seen.number is not None:
        return f"{seen.number:,f}"
    return seen.value


def _own_figures(desk: Desk, project: int) -> None:
    t = desk.t
    with desk.reading() as work:
        known = competition.own_figures(work, project)
    ui.message(t("What the CRM itself knows of our estate:"))
    area = desk.formats.value(float(known.typical_area), "sqm") if known.typical_area else NO_DATA
    ui.facts(
        [
            (t("List price per m² of units for sale"), money(desk, known.price_per_sqm)),
            (t("Median floor area"), area),
            (t("Contracts in the last 30 days"), NO_DATA if known.contracts is None else f"{known.contracts:,}"),
        ]
    )  # fmt: skip


def _latest(desk: Desk, estate: int, features: list[Feature]) -> None:
    t = desk.t
    ui.section(t("Observed so far"))
    if estate == _OWN:
        ui.message(t("Our own estate was not observed yet."))
        return
    known = {feature.id: feature for feature in features}

    def value(row: records.Row) -> str:
        feature = known.get(row["feature_id"])
        return forms.shown_feature(desk, feature, [row["value"]]) if feature else str(row["value"])

    forms.record_list(
        desk, "competitor_observation", columns=("observed_on", "feature_id", "source_url", "employee_id"),
        extra={forms.label(desk, "competitor_observation", "value"): value},
        filters={"competitor_project_id": estate}, key=f"entry_list_{estate}", sort="observed_on", descending=True,
        on_open=lambda key: _open(desk, key), size=15,
    )  # fmt: skip


def _open(desk: Desk, key: int) -> None:
    def more(row: records.Row) -> None:
        attached.files(desk, CompetitorObservation.__tablename__, row["id"])

    forms.open_record(desk, "competitor_observation", key, more=more)
