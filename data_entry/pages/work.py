"""Plans and logs: what is planned, what was done each day, and what the supervisor says of it."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.schema.office import WorkLog, WorkPlan
from data_entry.services import work_plans
from loupan import ui
from loupan.i18n import marked

_PERIODS = {
    "day": marked("Plan of the day"),
    "week": marked("Plan of the week"),
    "month": marked("Plan of the month"),
    "quarter": marked("Plan of the quarter"),
}


def draw(desk: Desk) -> None:
    """Draw the page."""
    parts.hear()
    t = desk.t
    with desk.reading() as work:
        people = work_plans.supervised(work)
    kinds = {"logs": t("Daily logs"), "plans": t("Work plans")}
    if people:
        kinds |= {"their_logs": t("Logs of my people"), "their_plans": t("Plans of my people")}
    view = parts.views(t("What to show"), kinds, "work")
    model: type[WorkLog] | type[WorkPlan] = WorkLog if view.endswith("logs") else WorkPlan
    if view.startswith("their"):
        _draw_theirs(desk, model, people)
    else:
        if model is WorkLog:
            _write_log(desk)
        else:
            _write_plan(desk)
        _draw_rows(desk, model, "mine", None)


def _write_log(desk: Desk) -> None:
    t = desk.t
    with st.container(border=True, key="lp_card_log"):
        day = st.date_input(t("Date"), desk.today, max_value=desk.today, key="log_day", format="YYYY-MM-DD")
        day = day if isinstance(day, dt.date) else desk.today
        with desk.reading() as work:
            present = work_plans.log_of(work, day)
        if present is not None and present.reviewed_at is not None:
            ui.message(t("It has been reviewed, and stays as it was reviewed."))
            return
        with st.form(f"log_{day}_{present.row_version if present else 0}", border=False):
            text = st.text_area(t("What you did"), present.text if present else "", height=120)
            saved = st.form_submit_button(t("Save the log"), type="primary")
    if saved:
        with parts.showing_errors(desk) as outcome, desk.writing() as work:
            work_plans.log(work, day=day, text=text, row_version=present.row_version if present else None)
        if outcome.ok:
            parts.say(t("Your log has been saved."))


def _write_plan(desk: Desk) -> None:
    t = desk.t
    with st.container(border=True, key="lp_card_plan"):
        left, right = ui.columns(1, 1)
        with left:
            names = {period: t(name) for period, name in _PERIODS.items()}
            period = parts.choice(desk, t("Period"), names, key="plan_period", value="week")
        with right:
            day = st.date_input(t("A day in it"), desk.today, key="plan_day", format="YYYY-MM-DD")
        day = day if isinstance(day, dt.date) else desk.today
        with desk.reading() as work:
            present = work_plans.plan_of(work, period, day)
        if present is not None and present.reviewed_at is not None:
            ui.message(t("It has been reviewed, and stays as it was reviewed."))
            return
        start = work_plans.first_day(period, day)
        with st.form(f"plan_{period}_{start}_{present.row_version if present else 0}", border=False):
            text = st.text_area(
                t("What you plan, from {day}", day=desk.formats.day(start)), present.text if present else "", height=140
            )
            saved = st.form_submit_button(t("Save the plan"), type="primary")
    if saved:
        with parts.showing_errors(desk) as outcome, desk.writing() as work:
            work_plans.plan(
                work, period=period, day=day, text=text, row_version=present.row_version if present else None
            )
        if outcome.ok:
            parts.say(t("Your plan has been saved."))


def _draw_theirs(desk: Desk, model: type[WorkLog] | type[WorkPlan], people: dict[int, str]) -> None:
    t = desk.t
    if model is WorkLog:
        with desk.reading() as work:
            missing = work_plans.without_log(work, desk.today)
        if missing:
            ui.message(t("No log of today yet: {names}", names=t(", ").join(missing)))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        whose = parts.choice(desk, t("Whose"), people, key="work_whose", empty=t("All my people"))
        only_new = st.toggle(t("Not reviewed yet"), True, key="work_new", on_change=parts.first_page, args=("work",))
    _draw_rows(desk, model, "to_review" if only_new else "others", whose)


def _draw_rows(desk: Desk, model: type[WorkLog] | type[WorkPlan], whose: str, employee_id: int | None) -> None:
    t = desk.t
    with desk.reading() as work:
        items, total = work_plans.listing(
            work, model, whose=whose, employee_id=employee_id, offset=parts.offset("work"), limit=work_plans.PAGE
        )
    if not items:
        parts.nothing(t("There is nothing here."))
    for item in items:
        row = item.row
        is_log = isinstance(row, WorkLog)
        with st.container(border=True, key=f"lp_card_{'log' if is_log else 'plan'}_{row.id}"):
            when = (
                desk.formats.day(row.day_on)
                if isinstance(row, WorkLog)
                else f"{t(_PERIODS[row.period])} · {desk.formats.day(row.period_on)}"
            )
            ui.card_title(when if whose == "mine" else f"{item.employee} · {when}")
            parts.quoted(row.text)
            if row.review:
                ui.message(f"{item.reviewer} · {parts.moment(desk, row.reviewed_at)}")
                parts.quoted(row.review)
            if whose != "mine":
                label = t("Review again") if row.review else t("Review")
                if st.button(
                    label, icon=":material/rate_review:", key=f"review_{'log' if is_log else 'plan'}_{row.id}"
                ):
                    _review(desk, model, row.id, row.review or "")
    parts.pager(desk, "work", total)


def _review(desk: Desk, model: type[WorkLog] | type[WorkPlan], key: int, present: str) -> None:
    t = desk.t

    @st.dialog(t("Review"))
    def dialog() -> None:
        text = st.text_area(t("What you say of it"), present, key=f"rv_{model.__tablename__}_{key}")
        if st.button(t("Save the review"), type="primary", key="rv_save"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                if model is WorkLog:
                    work_plans.review(work, WorkLog, key, text)
                else:
                    work_plans.review(work, WorkPlan, key, text)
            if outcome.ok:
                parts.say(t("Your review has been saved."))

    dialog()
