"""Classes of reports: who approves them in which order, and what they are asked for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
import streamlit as st

from data_entry import forms
from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.pages.role_names import role_title
from data_entry.schema import metadata
from data_entry.schema.labels import choice_label
from data_entry.services import records, report_classes
from data_entry.services.report_classes import Flow, Step
from data_entry.services.work import Work
from loupan import ui

_ASKED = ("name", "data_type", "options", "is_multi", "is_required", "sequence", "is_active")


def draw(desk: Desk) -> None:
    """Draw each class with its flow and its features."""
    t = desk.t
    ui.message(t("A report is decided step by step, from the first to the last; each may send it back to its author."))
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        flows = report_classes.flows(work)
    if not outcome.ok:
        return
    if desk.actor.may("create", "report_class") and st.button(
        t("New class of reports"), icon=":material/add:", key="report_class_new"
    ):
        _named(desk, t("New class of reports"), "", report_classes.add)
    if not flows:
        parts.nothing(t("There are no classes of reports yet."))
    for flow in flows:
        _draw_flow(desk, flow)


def _draw_flow(desk: Desk, flow: Flow) -> None:
    t = desk.t
    may_change = desk.actor.may("update", "report_class")
    with st.container(horizontal=True, vertical_alignment="center", key=f"lp_flow_{flow.id}"):
        ui.section(flow.name)
        if not flow.is_active:
            st.badge(t("Not in use"), color="gray")
        if flow.on_their_way:
            st.badge(t("{count} on their way", count=f"{flow.on_their_way:,}"), color="blue")
        if may_change:
            with st.popover(t("More"), icon=":material/more_horiz:"):
                if st.button(t("Rename"), key=f"flow_{flow.id}_rename"):
                    _named(
                        desk, t("Rename"), flow.name, lambda work, name: report_classes.rename(work, flow.id, name)
                    )  # fmt: skip
                words = t("Take out of use") if flow.is_active else t("Take into use")
                if st.button(words, key=f"flow_{flow.id}_use"):
                    _do(desk, lambda work: report_classes.use(work, flow.id, not flow.is_active), t("Changed."))
    left, right = ui.columns(3, 2)
    with left, st.container(border=True, key=f"lp_card_steps_{flow.id}"):
        ui.card_title(t("Who approves"))
        if not flow.steps:
            ui.message(t("Nobody: such a report is approved as soon as it is submitted."))
        for place, step in enumerate(flow.steps):
            _draw_step(desk, flow, place, step, may_change)
        if may_change and st.button(t("Add a step"), icon=":material/add:", key=f"flow_{flow.id}_add"):
            _add_step(desk, flow)
    with right, st.container(border=True, key=f"lp_card_asked_{flow.id}"):
        _draw_features(desk, flow)


def _draw_step(desk: Desk, flow: Flow, place: int, step: Step, may_change: bool) -> None:
    t = desk.t
    who = step.position if step.position is not None else role_title(t, step.role or "–")
    people = ", ".join(step.people[:5]) + (" …" if len(step.people) > 5 else "")
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key=f"lp_step_{step.id}"
    ):
        st.markdown(f"{place + 1}. **{ui.plain(who)}**", width="content")
        if may_change:
            with st.popover(t("Change"), type="tertiary", key=f"lp_step_menu_{step.id}"):
                _draw_step_menu(desk, flow, place, step, who)
    told = t("Position") if step.position is not None else t("Role")
    if people:
        ui.message(f"{told} · {t('today: {people}', people=people)}")
    else:
        st.badge(t("nobody today: reports would wait"), color="orange")


def _draw_step_menu(desk: Desk, flow: Flow, place: int, step: Step, who: str) -> None:
    t = desk.t
    for words, icon, by, is_end in (
        (t("Up"), "arrow_upward", -1, place == 0),
        (t("Down"), "arrow_downward", 1, place == len(flow.steps) - 1),
    ):
        if st.button(words, icon=f":material/{icon}:", key=f"step_{step.id}_by_{by}", disabled=is_end):
            _do(desk, partial(report_classes.shift_step, step_id=step.id, places=by), t("Moved."))
    if st.button(t("Take out"), icon=":material/delete:", key=f"step_{step.id}_remove"):
        _remove(desk, flow, step, who)


def _remove(desk: Desk, flow: Flow, step: Step, who: str) -> None:
    t = desk.t

    @st.dialog(t("Take a step out"))
    def dialog() -> None:
        ui.message(
            t("{who} will no longer decide about reports of the class {name}.", who=who, name=flow.name)
            + " "
            + t("Reports that wait for this step go on without it.")
        )
        if st.button(t("Take out"), type="primary", key=f"step_{step.id}_really"):
            _do(desk, lambda work: report_classes.remove_step(work, step.id), t("The step is taken out."))

    dialog()


def _add_step(desk: Desk, flow: Flow) -> None:
    t, key = desk.t, f"flow_step_{secrets.token_hex(4)}"

    @st.dialog(t("Add a step"))
    def dialog() -> None:
        by = st.radio(
            t("Who decides"), ["position", "role"], horizontal=True, key=f"{key}_by",
            format_func=lambda b: t("A position") if b == "position" else t("A role"),
        )  # fmt: skip
        position_id = role_id = None
        if by == "position":
            position_id = forms.pick(desk, "position", t("Position"), key=f"{key}_position")
        else:
            with desk.reading() as work:
                roles = {role: role_title(t, name) for role, name in report_classes.roles(work).items()}
            role_id = parts.choice(desk, t("Role"), roles, key=f"{key}_role")
        ui.message(t("The step comes last; move it where it belongs."))
        if st.button(t("Add"), type="primary", key=f"{key}_save"):
            _do(
                desk,
                lambda work: report_classes.add_step(work, flow.id, position_id=position_id, role_id=role_id),
                t("The step is added."),
            )

    dialog()


def _draw_features(desk: Desk, flow: Flow) -> None:
    t = desk.t
    if not desk.actor.may("read", "feature"):
        return
    ui.card_title(t("What is asked for beside title and text"))
    rows = metadata.tables["feature"]
    with desk.reading() as work:
        features = records.list_rows(
            work, "feature", filters={"entity": "report"}, sort="sequence", size=100,
            where=sa.or_(rows.c.class_id == flow.id, rows.c.class_id.is_(None)),
        ).rows  # fmt: skip
    if not features:
        ui.message(t("Nothing more."))
    may_change = desk.actor.may("update", "feature")
    for feature in features:
        details = " · ".join(
            word
            for word in (
                t(choice_label(feature["data_type"])),
                t("needed") if feature["is_required"] else "",
                t("of all classes") if feature["class_id"] is None else "",
                "" if feature["is_active"] else t("Not in use"),
            )
            if word
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            key = f"flow_{flow.id}_feature_{feature['id']}"
            if st.button(ui.plain(feature["name"]), type="tertiary", key=key, disabled=not may_change):
                forms.open_record(desk, "feature", feature["id"], columns=_ASKED)
            ui.message(details)
    if desk.actor.may("create", "feature") and st.button(
        t("Add a feature"), icon=":material/playlist_add:", key=f"flow_{flow.id}_feature_new"
    ):
        _new_feature(desk, flow)


def _new_feature(desk: Desk, flow: Flow) -> None:
    def save(values: dict[str, object]) -> int:
        with desk.writing() as work:
            return records.create(work, "feature", values | {"entity": "report", "class_id": flow.id})

    forms.open_record(desk, "feature", columns=_ASKED, save=save)


def _named(desk: Desk, title: str, name: str, step: Callable[[Work, str], object]) -> None:
    t, key = desk.t, f"report_class_{secrets.token_hex(4)}"

    @st.dialog(title)
    def dialog() -> None:
        text = st.text_input(t("Name"), name, key=f"{key}_name", max_chars=200)
        if st.button(t("Save"), type="primary", key=f"{key}_save"):
            _do(desk, lambda work: step(work, text), t("Saved."))

    dialog()


def _do(desk: Desk, step: Callable[[Work], object], said: str) -> None:
    with forms.showing_errors(desk, "report_class") as outcome, desk.writing() as work:
        step(work)
    if outcome.ok:
        parts.say(said)
