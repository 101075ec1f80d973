"""Tasks: what is to be done, by whom and until when."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from data_entry import forms
from data_entry.pages import links, parts
from data_entry.pages.desk import Desk
from data_entry.services import tasks
from loupan import ui
from loupan.i18n import marked

_STATES = {
    "assigned": marked("To do"),
    "started": marked("In work"),
    "done": marked("Done, not checked"),
    "checked": marked("Checked"),
}
_COLOURS = {"assigned": "blue", "started": "violet", "done": "orange", "checked": "green"}
_STEPS = {
    "assign": marked("{name} gave it to {to}"),
    "delegate": marked("{name} handed it on to {to}"),
    "start": marked("{name} began"),
    "done": marked("{name} reported it done"),
    "check": marked("{name} checked it"),
    "reopen": marked("{name} sent it back"),
    "comment": marked("{name} commented"),
}
_KINDS = {
    "group purchase": marked("Group purchase"),
    "repeat potential": marked("Repeat purchase"),
    "connected customers": marked("Connected customers"),
    "care": marked("Customer care"),
    "demand": marked("Demand"),
    "other": marked("Other work"),
}


def draw(desk: Desk) -> None:
    """Draw the list, or the task that the address names."""
    parts.record_or_list(desk, _draw_task, _draw_list)


def _draw_list(desk: Desk) -> None:
    t = desk.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = parts.views(
            t("Which tasks"),
            {"mine": t("For me"), "to_check": t("To check"), "given": t("Given by me"), "all": t("All I may see")},
            "tasks",
        )
        is_closed = view != "to_check" and st.toggle(t("Closed ones"), key="tasks_closed")
        if desk.actor.may("create", "task") and st.button(
            t("New task"), icon=":material/add:", type="primary", key="task_new"
        ):
            _write(desk)
    search = st.text_input(
        t("Search in titles"), key="tasks_search", icon=":material/search:", on_change=parts.first_page, args=("tasks",)
    )
    with desk.reading() as work:
        items, total = tasks.listing(
            work, view, is_closed=is_closed, search=search, offset=parts.offset("tasks"), limit=tasks.PAGE
        )
    if not items:
        parts.nothing(t("There is no task here."))
    for item in items:
        who = (
            t("from {name}", name=item.assigner)
            if view == "mine" and item.assigner
            else t("with {name}", name=item.assignee)
            if item.assignee
            else t("with nobody")
        )
        due = t("due {moment}", moment=parts.moment(desk, item.task.due_at)) if item.task.due_at else ""
        mark = t("late") if item.is_overdue else t(_STATES[item.state])
        colour = "red" if item.is_overdue else _COLOURS[item.state]
        if parts.entry(f"task_{item.task.id}", item.task.title, (item.customer, who, due), mark=mark, colour=colour):
            parts.open_record(item.task.id)
    parts.pager(desk, "tasks", total)


def _draw_task(desk: Desk, task_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        item, steps = tasks.one(work, task_id)
        may = tasks.allowed(work, item.task)
    task = item.task
    ui.section(task.title)
    ui.facts(
        [
            (t("State"), t("late") if item.is_overdue else t(_STATES[item.state])),
            (t("Given by"), item.assigner or "–"),
            (t("To be done by"), item.assignee or "–"),
            (t("Due"), parts.moment(desk, task.due_at) or "–"),
            *([(t("Customer"), item.customer)] if item.customer else []),
        ]
    )
    if task.description:
        parts.quoted(task.description)
    with st.container(horizontal=True):
        for page, key, words, icon in (
            ("customer", task.customer_id, t("The customer"), ":material/person:"),
            ("demands", task.demand_id, t("The demand"), ":material/support_agent:"),
        ):
            if key and links.is_open(page) and st.button(words, icon=icon, key=f"task_{page}"):
                links.go(page, id=key)
    _draw_steps(desk, item, may)
    ui.section(t("What has happened"))
    for step in steps:
        words = t(_STEPS[step.event.kind], name=step.employee or "Loupan", **_to(step.event.kind, step.to_employee))
        ui.message(f"{parts.moment(desk, step.event.occurred_at)} · {words}")
        if step.event.note:
            parts.quoted(step.event.note)
    with st.form("task_comment", clear_on_submit=True, border=False):
        text = st.text_area(t("Comment"), height=80)
        if st.form_submit_button(t("Add the comment")):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                tasks.comment(work, task_id, text)
            if outcome.ok:
                parts.say(t("Your comment has been added."))
    parts.attached(desk, "task", task_id, may_add=True)


def _to(kind: str, name: str) -> dict[str, str]:
    return {"to": name} if kind in ("assign", "delegate") else {}


def _draw_steps(desk: Desk, item: tasks.Item, may: frozenset[str]) -> None:
    t, task_id = desk.t, item.task.id
    with st.container(horizontal=True):
        if "start" in may and st.button(t("Begin"), icon=":material/play_arrow:", key="task_start"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                tasks.start(work, task_id)
            if outcome.ok:
                parts.say(t("The task is in work."))
        if "done" in may and st.button(t("Done"), icon=":material/check:", type="primary", key="task_done"):
            _finish(desk, task_id)
        if "check" in may and st.button(t("Accept"), icon=":material/verified:", type="primary", key="task_check"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                tasks.check(work, task_id)
            if outcome.ok:
                parts.say(t("The task has been checked."))
        if "reopen" in may and st.button(t("Send back"), icon=":material/undo:", key="task_reopen"):
            _reopen(desk, task_id)
        if "delegate" in may and st.button(t("Hand on"), icon=":material/forward:", key="task_delegate"):
            _delegate(desk, item)
        if "change" in may and st.button(t("Change"), icon=":material/edit:", key="task_change"):
            _write(desk, item)
        if "withdraw" in may and st.button(t("Withdraw"), icon=":material/delete:", key="task_withdraw"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                tasks.withdraw(work, task_id)
            if outcome.ok:
                st.query_params.pop("id", None)
                parts.say(t("The task has been withdrawn."))


def _write(desk: Desk, item: tasks.Item | None = None) -> None:
    t = desk.t

    @st.dialog(t("Change the task") if item else t("New task"))
    def dialog() -> None:
        task = item.task if item else None
        title = st.text_input(t("What is to be done"), task.title if task else "", max_chars=300, key="tw_title")
        assignee = kind = customer = None
        if task is None:
            with desk.reading() as work:
                people = tasks.people_to_give_to(work)
            assignee = parts.choice(desk, t("To be done by"), people, key="tw_to", value=desk.actor.employee_id)
            kind = parts.choice(desk, t("Kind"), {k: t(v) for k, v in _KINDS.items()}, key="tw_kind", empty=t("None"))
        due_on, due_time = st.columns(2)
        local = _local(desk, task.due_at) if task and task.due_at else None
        day = due_on.date_input(t("Deadline"), local.date() if local else None, key="tw_day", format="YYYY-MM-DD")
        hour = due_time.time_input(t("At"), local.time() if local else dt.time(18), key="tw_hour")
        text = st.text_area(t("In full"), (task.description or "") if task else "", key="tw_text")
        if task is None and desk.actor.may("personal", "customer"):
            customer = forms.pick(desk, "customer", t("Customer"), key="tw_customer")
        if not st.button(t("Save"), type="primary", key="tw_save"):
            return
        with parts.showing_errors(desk) as outcome, desk.writing() as work:
            due_at = work.utc(dt.datetime.combine(day, hour)) if day else None
            if task is None:
                tasks.assign(
                    work, title=title, assignee_id=assignee, due_at=due_at, kind=kind, description=text,
                    customer_id=customer,
                )  # fmt: skip
            else:
                tasks.change(work, task.id, title=title, due_at=due_at, description=text, row_version=task.row_version)
        if outcome.ok:
            parts.say(t("The task has been saved."))

    dialog()


def _local(desk: Desk, at: dt.datetime) -> dt.datetime:
    return at.replace(tzinfo=dt.UTC).astimezone(desk.zone).replace(tzinfo=None)


def _finish(desk: Desk, task_id: int) -> None:
    t = desk.t

    @st.dialog(t("Report the task done"))
    def dialog() -> None:
        note = st.text_area(t("What was done"), key="td_note")
        if st.button(t("Report it done"), type="primary", key="td_save"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                tasks.done(work, task_id, note)
            if outcome.ok:
                parts.say(t("The task has been reported done."))

    dialog()


def _reopen(desk: Desk, task_id: int) -> None:
    t = desk.t

    @st.dialog(t("Send the task back"))
    def dialog() -> None:
        note = st.text_area(t("What is missing"), key="tr_note")
        if st.button(t("Send back"), type="primary", key="tr_save"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                tasks.reopen(work, task_id, note)
            if outcome.ok:
                parts.say(t("The task is open again."))

    dialog()


def _delegate(desk: Desk, item: tasks.Item) -> None:
    t = desk.t

    @st.dialog(t("Hand the task on"))
    def dialog() -> None:
        with desk.reading() as work:
            people = tasks.people_to_give_to(work, handing_on=True)
        people.pop(item.task.assignee_id or 0, None)
        to = parts.choice(desk, t("To whom"), people, key="tg_to")
        note = st.text_area(t("A word to it"), key="tg_note")
        if st.button(t("Hand on"), type="primary", key="tg_save", disabled=to is None):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                tasks.delegate(work, item.task.id, to, note)
            if outcome.ok:
                parts.say(t("The task has been handed on."))

    dialog()
