"""Customer care: who is due for a greeting, the rules behind it, and the tasks made of it."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
import streamlit as st

from data_entry.pages import links, parts
from data_entry.pages.desk import Desk
from data_entry.schema.customer import CustomerClass
from data_entry.schema.service import CareRule
from data_entry.services import care, tasks
from loupan import ui
from loupan.i18n import marked

_CALENDARS = {
    "gregorian": marked("Same date every year"),
    "lunar": marked("Chinese calendar"),
    "birthday": marked("Customer’s birthday"),
    "anniversary": marked("Anniversary of the first contract"),
}
_STATES = {
    "": marked("No task yet"),
    "assigned": marked("To do"),
    "started": marked("In work"),
    "done": marked("Greeted"),
    "checked": marked("Greeted"),
}
_COLOURS = {"": "gray", "assigned": "blue", "started": "violet", "done": "green", "checked": "green"}
_DAYS = (7, 14, 30, 60, 90)


def draw(desk: Desk) -> None:
    """Draw the page."""
    parts.hear()
    t = desk.t
    if parts.views(t("What to show"), {"due": t("Due list"), "rules": t("Rules")}, "care") == "rules":
        _draw_rules(desk)
    else:
        _draw_due(desk)


def _draw_due(desk: Desk) -> None:
    t = desk.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.selectbox(
            t("In the next"), _DAYS, index=1, format_func=lambda n: t("{number} days", number=n), key="care_days",
            on_change=parts.first_page, args=("care_list",),
        )  # fmt: skip
        until = desk.today + dt.timedelta(days=days)
        with desk.reading() as work:
            named = {rule.id: rule.name for rule, _ in care.rules(work)}
        rule = parts.choice(desk, t("Occasion"), named, key="care_rule", empty=t("All occasions"))
        if desk.actor.may("run", "care_occasion") and st.button(
            t("Bring the list up to date"), icon=":material/refresh:", type="primary", key="care_run"
        ):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                made = care.generate_due(work, until)
            if outcome.ok:
                parts.say(
                    t("{occasions} greetings and {tasks} tasks are new.", occasions=made.occasions, tasks=made.tasks)
                )
    with desk.reading() as work:
        items, total = care.due_list(work, until, rule_id=rule, offset=parts.offset("care_list"), limit=care.PAGE)
    if not items:
        parts.nothing(t("Nobody is due for a greeting in these days."))
    for item in items:
        _draw_item(desk, item)
    parts.pager(desk, "care_list", total)


def _draw_item(desk: Desk, item: care.Item) -> None:
    t, key = desk.t, item.occasion.id
    who = (
        t("with {name}", name=item.assignee)
        if item.assignee
        else t("looked after by {name}", name=item.owner)
        if item.owner
        else t("nobody looks after this customer")
    )
    details = (parts.day(desk, item.occasion.occurs_on), item.rule.name, item.phone, who)
    name = item.customer or t("Customer {number}", number=item.occasion.customer_id)
    if parts.entry(f"care_{key}", name, details, mark=t(_STATES[item.task_state]), colour=_COLOURS[item.task_state]):
        links.go("customer", id=item.occasion.customer_id)
    if item.task is not None:
        return
    with st.container(horizontal=True):
        if desk.actor.may("run", "care_occasion") and st.button(
            t("Make the task"), icon=":material/add_task:", key=f"care_task_{key}"
        ):
            _make_task(desk, item)
        if desk.actor.may("delete", "care_occasion") and st.button(
            t("Leave out this time"), icon=":material/close:", key=f"care_off_{key}"
        ):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                care.dismiss(work, key)
            if outcome.ok:
                parts.say(t("The greeting has been left out."))


def _make_task(desk: Desk, item: care.Item) -> None:
    t = desk.t

    @st.dialog(t("Make the task"))
    def dialog() -> None:
        with desk.reading() as work:
            people = tasks.people_to_give_to(work)
        to = parts.choice(desk, t("Who is to greet"), people, key=f"ct_to_{item.occasion.id}", value=item.owner_id)
        if st.button(t("Make the task"), type="primary", key="ct_save", disabled=to is None):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                care.make_task(work, item.occasion.id, to)
            if outcome.ok:
                parts.say(t("The task has been made."))

    dialog()


def _draw_rules(desk: Desk) -> None:
    t = desk.t
    may_write = desk.actor.may("update", "care_rule")
    with desk.reading() as work:
        rules = care.rules(work)
        offered = care.offered(work, work.today)
    if may_write and st.button(t("New rule"), icon=":material/add:", type="primary", key="care_new"):
        _write(desk, None)
    for rule, next_day in rules:
        details = (
            _day_of(desk, rule),
            t("next {day}", day=parts.day(desk, next_day)) if next_day else "",
            t("task {number} days ahead", number=care.LEAD_DAYS if rule.lead_days is None else rule.lead_days),
            rule.greeting or "",
        )
        mark, colour = (t("Active"), "green") if rule.is_active else (t("Switched off"), "gray")
        if parts.entry(f"rule_{rule.id}", rule.name, details, mark=mark, colour=colour) and may_write:
            _write(desk, rule)
    if may_write and offered:
        ui.section(t("Ready-made rules"))
        for entry, next_day in offered:
            with st.container(horizontal=True, vertical_alignment="center"):
                if st.button(t("Add"), icon=":material/add:", key=f"care_add_{entry.key}"):
                    with parts.showing_errors(desk) as outcome, desk.writing() as work:
                        care.add_ready_made(work, entry.key, t)
                    if outcome.ok:
                        parts.say(t("The rule has been added."))
                words = f"{t(entry.name)} · {parts.day(desk, next_day)}" if next_day else t(entry.name)
                ui.message(words)


def _day_of(desk: Desk, rule: CareRule) -> str:
    t = desk.t
    if rule.month is None or rule.day is None:
        return t(_CALENDARS[rule.calendar])
    words = t("month {month}, day {day}", month=rule.month, day=rule.day)
    return f"{t(_CALENDARS[rule.calendar])}: {words}"


def _write(desk: Desk, rule: CareRule | None) -> None:
    t = desk.t

    @st.dialog(t("Change the rule") if rule else t("New rule"))
    def dialog() -> None:
        key = f"cw_{rule.id if rule else 'new'}"
        name = st.text_input(t("Name"), rule.name if rule else "", max_chars=200, key=f"{key}_name")
        calendars = {kind: t(word) for kind, word in _CALENDARS.items()}
        calendar = parts.choice(
            desk, t("How the day is found"), calendars, key=f"{key}_calendar", value=rule.calendar if rule else "lunar"
        )
        month = day = None
        if calendar in ("gregorian", "lunar"):
            left, right = st.columns(2)
            month = left.number_input(t("Month"), 1, 12, (rule.month or 1) if rule else 1, key=f"{key}_month")
            day = right.number_input(
                t("Day"), 1, 30 if calendar == "lunar" else 31, (rule.day or 1) if rule else 1, key=f"{key}_day"
            )
        lead = st.number_input(
            t("Task made so many days ahead"), 0, 90,
            care.LEAD_DAYS if rule is None or rule.lead_days is None else rule.lead_days, key=f"{key}_lead",
        )  # fmt: skip
        customer_class = parts.choice(
            desk, t("Class of customers"), _classes(desk), key=f"{key}_class",
            value=rule.customer_class_id if rule else None, empty=t("All customers"),
        )  # fmt: skip
        greeting = st.text_area(
            t("Words to greet with"), (rule.greeting or "") if rule else "", max_chars=500, key=f"{key}_greeting"
        )
        active = st.checkbox(t("Active"), rule.is_active if rule else True, key=f"{key}_active")
        if st.button(t("Save"), type="primary", key=f"{key}_save"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                care.save_rule(
                    work, name=name, calendar=calendar, month=month, day=day, lead_days=lead,
                    customer_class_id=customer_class, greeting=greeting, is_active=active,
                    rule_id=rule.id if rule else None, row_version=rule.row_version if rule else None,
                )  # fmt: skip
            if outcome.ok:
                parts.say(t("The rule has been saved."))

    dialog()


def _classes(desk: Desk) -> dict[int, str]:
    with desk.reading() as work:
        rows = work.session.execute(
            sa.select(CustomerClass.id, CustomerClass.name)
            .where(CustomerClass.deleted_at.is_(None))
            .order_by(CustomerClass.name)
        )
        return dict(rows.all())
