"""Marketing plans, the activities inside them, and what both cost and brought."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import streamlit as st

from data_entry import forms
from data_entry.pages import links
from data_entry.pages.desk import Desk
from data_entry.services import competition, plans
from data_entry.services.plans import ActivityLine, PlanLine
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import marked

_SIZE = 8
_STATES = {"running": marked("Running"), "coming": marked("Coming"), "over": marked("Ended")}
_COLOURS = {"running": "green", "coming": "blue", "over": "gray"}


def draw(desk: Desk) -> None:
    """Draw one plan where the address names it, else the list."""
    key = links.chosen()
    if key is not None:
        _one(desk, key)
    else:
        _list(desk)


def _list(desk: Desk) -> None:
    t = desk.t
    with desk.reading() as work:
        estates = {key: name for key, name, _ in competition.projects(work)}
    with st.container(horizontal=True, vertical_alignment="bottom", key="plans_filters"):
        search = st.text_input(t("Search"), key="plans_search", placeholder=t("Part of the name"), width=260)
        state = st.selectbox(
            t("State"), list(_STATES), index=None, format_func=lambda s: t(_STATES[s]), key="plans_state",
            placeholder=t("All"), width=170,
        )  # fmt: skip
        project = st.selectbox(
            t("Estate"), list(estates), index=None, format_func=estates.__getitem__, key="plans_project",
            placeholder=t("All"), width=220,
        )  # fmt: skip
        if desk.actor.may("create", "plan") and st.button(
            t("New plan"), type="primary", icon=":material/add:", key="plans_new"
        ):
            forms.open_record(desk, "plan", defaults={"start_on": desk.today, "project_id": project})
    asked = (search, state, project)
    if st.session_state.get("plans_asked", asked) != asked:
        st.session_state["plans_page"] = 0
    st.session_state["plans_asked"] = asked
    page = st.session_state.get("plans_page", 0)
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        lines, total = plans.overview(work, project_id=project, state=state, search=search or "", page=page, size=_SIZE)
    if not outcome.ok:
        return
    if not lines:
        ui.message(t("There is no such plan."))
    for line in lines:
        with st.container(border=True, key=f"lp_card_plan_{line.id}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                if st.button(ui.plain(line.name), type="tertiary", key=f"plans_open_{line.id}"):
                    st.query_params["id"] = str(line.id)
                    st.rerun()
                st.badge(t(_STATES[line.state]), color=_COLOURS[line.state])  # type: ignore[arg-type]
            ui.message(
                " · ".join(filter(None, (line.project, line.class_name, _days(desk, line.start_on, line.end_on))))
            )
            _figures(desk, line)
    _turning(desk, page, total)


def _turning(desk: Desk, page: int, total: int) -> None:
    t = desk.t
    if total <= _SIZE:
        return

    def turn(to: int) -> None:
        st.session_state["plans_page"] = to

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            t("Previous page"), icon=":material/chevron_left:", disabled=page == 0, on_click=turn, args=(page - 1,),
            key="plans_previous",
        )  # fmt: skip
        ui.message(f"{page * _SIZE + 1}–{min(total, (page + 1) * _SIZE)} / {total}")
        st.button(
            t("Next page"), icon=":material/chevron_right:", disabled=(page + 1) * _SIZE >= total, on_click=turn,
            args=(page + 1,), key="plans_next",
        )  # fmt: skip


def _figures(desk: Desk, line: PlanLine) -> None:
    t = desk.t
    parts = [
        t("Budget: {amount}", amount=money(desk, line.budget)),
        t("Spent: {amount}", amount=money(desk, line.spent)),
    ]
    if line.waiting:
        parts.append(t("Waiting for approval: {amount}", amount=money(desk, line.waiting)))
    parts.append(t("Activities: {number}", number=line.activities))
    if line.leads is not None:
        parts.append(t("Leads: {number}", number=line.leads))
    if line.used is not None:
        share = desk.formats.value(line.used, "percent")
        words = t("{share} of the budget is spent", share=share)
        st.progress(min(1.0, line.used), text=words if line.used <= 1 else f":orange[{words}]")
    ui.message(" · ".join(parts))


def money(desk: Desk, amount: Decimal | None) -> str:
    """Write an amount, or a dash where there is none."""
    return desk.formats.value(float(amount), "currency") if amount is not None else NO_DATA


def _days(desk: Desk, first: dt.date | None, last: dt.date | None) -> str:
    if first is None and last is None:
        return ""
    return " – ".join(desk.formats.day(day) if day else "…" for day in (first, last))


def _one(desk: Desk, key: int) -> None:
    t = desk.t
    if st.button(t("All plans"), icon=":material/arrow_back:", type="tertiary", key="plans_back"):
        st.query_params.pop("id", None)
        st.rerun()
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        line, inside = plans.plan(work, key), plans.activities(work, key)
    if not outcome.ok:
        return
    ui.section(line.name)
    ui.facts(
        [
            (t("Estate"), line.project or t("Whole company")),
            (t("Time"), _days(desk, line.start_on, line.end_on)),
            (t("Budget"), money(desk, line.budget)),
            (t("Spent"), money(desk, line.spent)),
            (t("Waiting for approval"), money(desk, line.waiting)),
            (t("Leads"), NO_DATA if line.leads is None else f"{line.leads:,}"),
        ]
    )
    if line.used is not None:
        st.progress(
            min(1.0, line.used), t("{share} of the budget is spent", share=desk.formats.value(line.used, "percent"))
        )
    if line.goal:
        ui.message(line.goal)
    with st.container(horizontal=True, key="plans_actions"):
        if desk.actor.may("update", "plan") and st.button(
            t("Change the plan"), icon=":material/edit:", key="plan_edit"
        ):
            forms.open_record(desk, "plan", key)
        if desk.actor.may("create", "activity") and st.button(
            t("New activity"), icon=":material/add:", type="primary", key="plan_activity"
        ):
            forms.open_record(desk, "activity", defaults={"plan_id": key, "start_on": line.start_on})
        if links.is_open("expenses") and st.button(
            t("Expenses of the plan"), icon=":material/payments:", key="plan_cost"
        ):
            links.go("expenses", plan=key)
    ui.section(t("Activities"))
    if not inside:
        ui.message(t("There is no activity in this plan yet."))
    for activity in inside:
        _activity(desk, activity)


def _activity(desk: Desk, line: ActivityLine) -> None:
    t = desk.t
    with st.container(border=True, key=f"lp_card_activity_{line.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(ui.plain(line.name), type="tertiary", key=f"activity_open_{line.id}"):
                forms.open_record(desk, "activity", line.id)
            if (
                links.is_open("expenses")
                and desk.actor.may("create", "expense")
                and st.button(
                    t("Enter an expense"), icon=":material/add_card:", key=f"activity_cost_{line.id}", type="tertiary"
                )
            ):
                links.go("expenses", activity=line.id, new=1)
        ui.message(" · ".join(filter(None, (line.class_name, line.source, _days(desk, line.start_on, line.end_on)))))
        parts = [t("Spent: {amount}", amount=money(desk, line.spent))]
        if line.waiting:
            parts.append(t("Waiting for approval: {amount}", amount=money(desk, line.waiting)))
        if line.leads is not None:
            parts.append(t("Leads: {number}", number=line.leads))
            if line.leads and line.spent:
                parts.append(t("Cost per lead: {amount}", amount=money(desk, line.spent / line.leads)))
        if line.rating is not None:
            parts.append(t("Rating: {rating} of 5", rating=f"{line.rating:.1f}"))
        ui.message(" · ".join(parts))
