"""Reports: written, submitted, decided along the flow of their class."""

from __future__ import annotations

import streamlit as st

from data_entry import forms
from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.pages.role_names import role_title
from data_entry.services import reports
from loupan import ui
from loupan.i18n import marked

_STATUS = {
    "draft": marked("Draft"),
    "submitted": marked("On its way"),
    "returned": marked("Sent back"),
    "approved": marked("Approved"),
}
_COLOURS = {"draft": "gray", "submitted": "blue", "returned": "orange", "approved": "green"}
_STAGES = {
    "approved": (":material/check_circle:", marked("approved by {name}, {moment}")),
    "returned": (":material/undo:", marked("sent back by {name}, {moment}")),
    "current": (":material/pending:", marked("waits for {name}")),
    "ahead": (":material/radio_button_unchecked:", marked("then {name}")),
    "passed_over": (":material/redo:", marked("passed over: only the author could decide")),
}
_ACTIONS = {
    "approve": marked("{name} approved"),
    "return": marked("{name} sent it back"),
    "comment": marked("{name} commented"),
}


def draw(desk: Desk) -> None:
    """Draw the list, the report that the address names, or the editor."""
    parts.record_or_list(desk, _draw_report, _draw_list, _draw_editor)


def _draw_list(desk: Desk) -> None:
    t = desk.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = parts.views(
            t("Which reports"),
            {"waiting": t("Waiting for me"), "mine": t("Written by me"), "all": t("All I may see")},
            "reports",
        )
        if desk.actor.may("create", "report") and st.button(
            t("New report"), icon=":material/add:", type="primary", key="report_new"
        ):
            st.query_params["write"] = "new"
            st.rerun()
    with desk.reading() as work:
        items, total = reports.listing(work, view, offset=parts.offset("reports"), limit=reports.PAGE)
    if not items:
        parts.nothing(t("No report waits for you.") if view == "waiting" else t("There is no report here."))
    for item in items:
        report = item.report
        details = (
            item.report_class, item.author, parts.moment(desk, report.submitted_at or report.created_at),
            t("waits for {name}", name=role_title(t, item.waits_for)) if item.waits_for else "",
        )  # fmt: skip
        status = report.status
        if parts.entry(f"report_{report.id}", report.title, details, mark=t(_STATUS[status]), colour=_COLOURS[status]):
            parts.open_record(report.id)
    parts.pager(desk, "reports", total)


def _draw_report(desk: Desk, report_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        item, stages, actions = reports.one(work, report_id)
        may = reports.allowed(work, item.report)
        features = reports.features(work, item.report.report_class_id, report_id)
    report = item.report
    if "write" in may and st.query_params.get("write") == str(report_id):
        _draw_editor(desk, report_id)
        return
    ui.section(report.title)
    ui.facts(
        [
            (t("State"), t(_STATUS[report.status])), (t("Class"), item.report_class), (t("Author"), item.author),
            (t("Submitted"), parts.moment(desk, report.submitted_at) or "–"),
        ]
    )  # fmt: skip
    answered = [(feature.name, forms.shown_feature(desk, feature, values)) for feature, values in features if values]
    if answered:
        ui.facts(answered)
    if report.body:
        with st.container(border=True, key="lp_card_report_body"):
            parts.written(report.body)
    if stages:
        ui.section(t("The flow"))
        for number, stage in enumerate(stages, 1):
            icon, words = _STAGES[stage.state]
            able = ", ".join(stage.people) or t("nobody: the position is vacant")
            values = (
                {"name": stage.decided_by, "moment": parts.moment(desk, stage.decided_at)}
                if stage.state in ("approved", "returned")
                else {"name": able}
                if stage.state in ("current", "ahead")
                else {}
            )
            st.markdown(f"{icon} {number}. **{ui.plain(role_title(t, stage.who))}** – {ui.plain(t(words, **values))}")
    _draw_decision(desk, report_id, stages, may)
    _draw_authors_steps(desk, report_id, may)
    if actions:
        ui.section(t("What was said"))
        for action, name in actions:
            ui.message(f"{parts.moment(desk, action.acted_at)} · {t(_ACTIONS[action.action], name=name)}")
            if action.comment:
                parts.quoted(action.comment)
    if "comment" in may:
        with st.form("report_comment", clear_on_submit=True, border=False):
            text = st.text_area(t("Comment"), height=80)
            if st.form_submit_button(t("Add the comment")):
                with parts.showing_errors(desk) as outcome, desk.writing() as work:
                    reports.comment(work, report_id, text)
                if outcome.ok:
                    parts.say(t("Your comment has been added."))
    parts.attached(desk, "report", report_id, may_add="write" in may)


def _draw_decision(desk: Desk, report_id: int, stages: list[reports.Stage], may: frozenset[str]) -> None:
    t = desk.t
    if "approve" not in may:
        return
    step_id = next(stage.step.id for stage in stages if stage.state == "current")
    ui.section(t("Your decision"))
    with st.form("report_decision", border=True):
        text = st.text_area(t("A word to it; needed to send it back"), height=80)
        with st.container(horizontal=True):
            approved = st.form_submit_button(t("Approve"), type="primary", icon=":material/check:")
            returned = st.form_submit_button(t("Send back to the author"), icon=":material/undo:")
    if approved or returned:
        with parts.showing_errors(desk) as outcome, desk.writing() as work:
            if approved:
                reports.approve(work, report_id, step_id, text)
            else:
                reports.give_back(work, report_id, step_id, text)
        if outcome.ok:
            parts.say(t("The report has been approved.") if approved else t("The report has been sent back."))


def _draw_authors_steps(desk: Desk, report_id: int, may: frozenset[str]) -> None:
    t = desk.t
    with st.container(horizontal=True):
        if "submit" in may and st.button(t("Submit"), icon=":material/send:", type="primary", key="report_submit"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                reports.submit(work, report_id)
            if outcome.ok:
                parts.say(t("The report has been submitted."))
        if "write" in may and st.button(t("Change"), icon=":material/edit:", key="report_change"):
            st.query_params["write"] = str(report_id)
            st.rerun()
        if "discard" in may and st.button(t("Discard"), icon=":material/delete:", key="report_discard"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                reports.discard(work, report_id)
            if outcome.ok:
                st.query_params.pop("id", None)
                parts.say(t("The report has been discarded."))


def _draw_editor(desk: Desk, report_id: int | None = None) -> None:
    t = desk.t
    with desk.reading() as work:
        report = reports.one(work, report_id)[0].report if report_id is not None else None
        classes = reports.classes(work, report.report_class_id if report else None)
    key = f"rw_{report_id or 'new'}"
    class_id = parts.choice(
        desk, t("Class"), classes, key=f"{key}_class", value=report.report_class_id if report else None
    )
    given: dict[int, list[str]] = {}
    with st.form(key):
        title = st.text_input(t("Title"), report.title if report else "", max_chars=300)
        body = st.text_area(t("Text (Markdown)"), (report.body or "") if report else "", height=320)
        if class_id is not None:
            with desk.reading() as work:
                asked = reports.features(work, class_id, report_id)
            for feature, values in asked:
                label = ui.plain(f"{feature.name} *" if feature.is_required else feature.name)
                given[feature.id] = _feature(desk, label, feature.data_type, feature.options, feature.is_multi, values)
        with st.container(horizontal=True):
            saved = st.form_submit_button(t("Save as draft"))
            submitted = st.form_submit_button(t("Save and submit"), type="primary")
    if not (saved or submitted):
        return
    with parts.showing_errors(desk) as outcome, desk.writing() as work:
        row = reports.write(
            work, report_class_id=class_id or 0, title=title, body=body, report_id=report_id,
            row_version=report.row_version if report else None, features=given,
        )  # fmt: skip
        if submitted:
            reports.submit(work, row.id)
        key_of_row = row.id
    if outcome.ok:
        st.query_params.pop("write", None)
        st.query_params["id"] = str(key_of_row)
        parts.say(t("The report has been submitted.") if submitted else t("The report has been saved."))


def _feature(
    desk: Desk, label: str, data_type: str, options: str | None, is_multi: bool, values: list[str]
) -> list[str]:
    offered = [line.strip() for line in (options or "").splitlines() if line.strip()]
    if data_type == "choice" and offered:
        every = list(dict.fromkeys([*offered, *values]))
        if is_multi:
            return st.multiselect(label, every, values, placeholder=desk.t("Choose"))
        first = values[0] if values else None
        chosen = st.selectbox(
            label, every, index=every.index(first) if first in every else None, placeholder=desk.t("Choose")
        )
        return [chosen] if chosen else []
    if data_type == "boolean":
        return ["true" if st.checkbox(label, values == ["true"]) else "false"]
    return [st.text_input(label, values[0] if values else "", max_chars=500)]
