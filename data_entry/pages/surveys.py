"""Surveys: build, issue, record what was said by telephone, and read the results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from data_entry import forms
from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.schema.estate import Project
from data_entry.schema.service import Survey, SurveyQuestion
from data_entry.services import surveys
from loupan import ui
from loupan.i18n import marked
from loupan.spreadsheet import inert

_STATES = {
    "draft": marked("Draft"),
    "ahead": marked("Not begun"),
    "open": marked("Open"),
    "closed": marked("Ended"),
}
_COLOURS = {"draft": "gray", "ahead": "blue", "open": "green", "closed": "gray"}
_KINDS = {
    "satisfaction": marked("Satisfaction, 1 to 5"),
    "rating": marked("Rating, 1 to 5"),
    "choice": marked("One of several answers"),
    "text": marked("Free text"),
}
_LINKS = "lp_survey_links"
_FEW = 30


def draw(desk: Desk) -> None:
    """Draw the list, or the survey that the address names."""
    parts.record_or_list(desk, _draw_survey, _draw_list)


def _draw_list(desk: Desk) -> None:
    st.session_state.pop(_LINKS, None)
    t = desk.t
    if desk.actor.may("create", "survey") and st.button(
        t("New survey"), icon=":material/add:", type="primary", key="survey_new"
    ):
        _build(desk, None)
    with desk.reading() as work:
        items, total = surveys.listing(work, offset=parts.offset("surveys"), limit=surveys.PAGE)
    if not items:
        parts.nothing(t("There is no survey yet."))
    for item in items:
        survey = item.survey
        days = " – ".join(parts.day(desk, day) or "…" for day in (survey.opens_on, survey.closes_on))
        details = (
            item.project or t("All estates"),
            days if survey.opens_on or survey.closes_on else "",
            t("{invited} invited, {answers} answers", invited=item.invited, answers=item.responses),
        )
        if parts.entry(
            f"survey_{survey.id}", survey.name, details, mark=t(_STATES[item.state]), colour=_COLOURS[item.state]
        ):
            parts.open_record(survey.id)
    parts.pager(desk, "surveys", total)


def _draw_survey(desk: Desk, survey_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        survey, state, is_answered = surveys.one(work, survey_id)
        questions = surveys.questions(work, survey_id)
    may_write = desk.actor.may("update", "survey")
    ui.section(survey.name)
    days = " – ".join(parts.day(desk, day) or "…" for day in (survey.opens_on, survey.closes_on))
    ui.message(f"{t(_STATES[state])} · {days}" if survey.opens_on or survey.closes_on else t(_STATES[state]))
    views = {"results": t("Results")}
    if may_write:
        views = {"results": t("Results"), "questions": t("Questions"), "issue": t("Issue")}
        if desk.actor.may("create", "survey_response"):
            views["record"] = t("Record answers")
    match parts.views(t("What to show"), views, f"survey_view_{survey_id}"):
        case "questions":
            _draw_questions(desk, survey, questions, is_answered)
        case "issue":
            _draw_issue(desk, survey)
        case "record":
            _draw_recording(desk, survey, state, questions)
        case _:
            _draw_results(desk, survey_id)


def _build(desk: Desk, survey: Survey | None) -> None:
    t = desk.t

    @st.dialog(t("Change the survey") if survey else t("New survey"))
    def dialog() -> None:
        name = st.text_input(t("Name, as those asked see it"), survey.name if survey else "", max_chars=200, key="sb_n")
        project = parts.choice(
            desk, t("Estate"), _projects(desk), key="sb_project", value=survey.project_id if survey else None,
            empty=t("All estates"),
        )  # fmt: skip
        words = st.text_area(t("Introduction"), (survey.introduction or "") if survey else "", key="sb_words")
        left, right = st.columns(2)
        opens = left.date_input(
            t("First day"), survey.opens_on if survey else None, key="sb_opens", format="YYYY-MM-DD"
        )
        closes = right.date_input(
            t("Last day"), survey.closes_on if survey else None, key="sb_closes", format="YYYY-MM-DD"
        )
        if st.button(t("Save"), type="primary", key="sb_save"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                key = surveys.build(
                    work, name=name, survey_id=survey.id if survey else None, project_id=project, introduction=words,
                    opens_on=opens, closes_on=closes, row_version=survey.row_version if survey else None,
                ).id  # fmt: skip
            if outcome.ok:
                st.query_params["id"] = str(key)
                parts.say(t("The survey has been saved."))

    dialog()


def _draw_questions(desk: Desk, survey: Survey, questions: list[SurveyQuestion], is_answered: bool) -> None:
    t = desk.t
    with st.container(horizontal=True):
        if st.button(t("Change name and days"), icon=":material/edit:", key="survey_change"):
            _build(desk, survey)
        if st.button(t("Copy the survey"), icon=":material/content_copy:", key="survey_copy"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                new = surveys.copy(work, survey.id, t("Copy of {name}", name=survey.name)[:200]).id
            if outcome.ok:
                st.query_params["id"] = str(new)
                parts.say(t("The survey has been copied."))
    if is_answered:
        ui.message(t("Somebody has answered already, so the questions stay. Copy the survey to change them."))
    for number, question in enumerate(questions, 1):
        with st.container(border=True, key=f"lp_card_question_{question.id}"):
            ui.card_title(f"{number}. {question.text}")
            words = [t(_KINDS[question.kind])]
            if question.options:
                words.append(" / ".join(question.options.splitlines()))
            if question.is_required:
                words.append(t("must be answered"))
            ui.message(" · ".join(words))
            if not is_answered:
                _draw_question_steps(desk, question, number, len(questions))
    if not is_answered and st.button(t("Add a question"), icon=":material/add:", type="primary", key="question_new"):
        _ask(desk, survey.id, None)


def _draw_question_steps(desk: Desk, question: SurveyQuestion, number: int, total: int) -> None:
    t = desk.t
    with st.container(horizontal=True):
        key = question.id
        up = st.button(t("Up"), icon=":material/arrow_upward:", key=f"q_up_{key}", disabled=number == 1)
        down = st.button(t("Down"), icon=":material/arrow_downward:", key=f"q_down_{key}", disabled=number == total)
        if st.button(t("Change"), icon=":material/edit:", key=f"q_edit_{key}"):
            _ask(desk, question.survey_id, question)
        out = st.button(t("Leave out"), icon=":material/delete:", key=f"q_out_{key}")
    if up or down or out:
        with parts.showing_errors(desk) as outcome, desk.writing() as work:
            if out:
                surveys.leave_out(work, key)
            else:
                surveys.move(work, key, -1 if up else 1)
        if outcome.ok:
            parts.say(t("The questions have been saved."))


def _ask(desk: Desk, survey_id: int, question: SurveyQuestion | None) -> None:
    t = desk.t

    @st.dialog(t("Change the question") if question else t("Add a question"))
    def dialog() -> None:
        kinds = {kind: t(name) for kind, name in _KINDS.items()}
        kind = parts.choice(desk, t("Kind"), kinds, key="qa_kind", value=question.kind if question else "satisfaction")
        text = st.text_input(t("Wording"), question.text if question else "", max_chars=500, key="qa_text")
        options = (question.options or "") if question else ""
        if kind == "choice":
            options = st.text_area(t("Answers offered, one on each line"), options, key="qa_options")
        required = st.checkbox(t("Must be answered"), question.is_required if question else False, key="qa_required")
        if st.button(t("Save"), type="primary", key="qa_save"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                surveys.ask(
                    work, survey_id, kind=kind, text=text, options=options, is_required=required,
                    question_id=question.id if question else None,
                )  # fmt: skip
            if outcome.ok:
                parts.say(t("The questions have been saved."))

    dialog()


def links_file(made: Sequence[tuple[str, str]]) -> bytes:
    """Return links as CSV with the names of those who get them; what customers call themselves runs nowhere."""
    frame = pd.DataFrame([(inert(name), link) for name, link in made], columns=["name", "link"])
    return frame.to_csv(index=False).encode("utf-8-sig")


def _draw_issue(desk: Desk, survey: Survey) -> None:
    t = desk.t
    if not desk.actor.may("issue", "survey"):
        parts.nothing(t("You may not do this. Ask an administrator if you need to."))
        return
    made: list[tuple[str, str]] = st.session_state.get(_LINKS, [])
    if made:
        st.warning(t("Copy the links now: they are kept nowhere and will not be shown again."), icon=":material/key:")
        for name, link in made:
            ui.message(name or t("Public link"))
            st.code(link, language=None)
        st.download_button(t("Save the links as a file"), links_file(made), "links.csv", "text/csv", key="links_file")
    left, right = ui.columns(1, 1)
    with left, st.container(border=True, key="lp_card_invite"):
        ui.card_title(t("Invite customers"), t("Each gets a link of their own, which can be answered once."))
        customers = parts.pick_customers(desk, f"invite_{survey.id}")
        if st.button(t("Make the links"), type="primary", disabled=not customers, key="invite_go"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                new = surveys.issue(work, survey.id, customers)
            if outcome.ok:
                st.session_state[_LINKS] = [(link.customer, _address(link.token)) for link in new]
                st.session_state.pop(f"invite_{survey.id}_chosen", None)
                parts.say(t("{number} links have been made.", number=len(new)))
    with right, st.container(border=True, key="lp_card_public"):
        ui.card_title(t("Public link"), t("Anybody may answer it, any number of times."))
        if st.button(t("Make a public link"), key="public_go"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                public_link = surveys.issue_publicly(work, survey.id)
            if outcome.ok:
                st.session_state[_LINKS] = [("", _address(public_link.token))]
                parts.say(t("{number} links have been made.", number=1))
        with desk.reading() as work:
            public = surveys.public_links(work, survey.id)
        for invitation, answers in public:
            with st.container(horizontal=True, vertical_alignment="center"):
                made_at = parts.moment(desk, invitation.sent_at)
                ui.message(t("Made {moment}, {answers} answers", moment=made_at, answers=answers))
                if st.button(t("Switch off"), key=f"public_off_{invitation.id}"):
                    with parts.showing_errors(desk) as outcome, desk.writing() as work:
                        surveys.revoke(work, invitation.id)
                    if outcome.ok:
                        parts.say(t("The link no longer leads anywhere."))


def _address(token: str) -> str:
    """The whole link, on the server that the person's own browser reached."""
    base = (st.context.url or "").split("?")[0]
    scheme, _, rest = base.partition("://")
    host = rest.partition("/")[0]
    return f"{scheme}://{host}/survey/{token}" if host else f"/survey/{token}"


def _draw_recording(desk: Desk, survey: Survey, state: str, questions: list[SurveyQuestion]) -> None:
    t = desk.t
    if state != "open" or not questions:
        parts.nothing(t("The survey is not open on this day."))
        return
    ui.message(t("For answers given by telephone or on paper."))
    customer = forms.pick(desk, "customer", t("Customer"), key=f"record_{survey.id}")
    given: dict[int, int | str | None] = {}
    with st.form("survey_record"):
        for question in questions:
            label = ui.plain(f"{question.text} *" if question.is_required else question.text)
            key = f"answer_{question.id}"
            if question.kind in ("satisfaction", "rating"):
                given[question.id] = st.segmented_control(label, [1, 2, 3, 4, 5], key=key)
            elif question.kind == "choice":
                offered = (question.options or "").splitlines()
                given[question.id] = st.radio(label, offered, index=None, key=key, format_func=ui.plain)
            else:
                given[question.id] = st.text_area(label, key=key, max_chars=surveys.LONGEST_ANSWER)
        saved = st.form_submit_button(t("Record the answers"), type="primary")
    if saved:
        with parts.showing_errors(desk) as outcome, desk.writing() as work:
            surveys.record(work, survey.id, given, customer_id=customer)
        if outcome.ok:
            for question in questions:
                st.session_state.pop(f"answer_{question.id}", None)
            parts.say(t("The answers have been recorded."))


def _draw_results(desk: Desk, survey_id: int) -> None:
    t, formats = desk.t, desk.formats
    with desk.reading() as work:
        found = surveys.results(work, survey_id)
    share = found.answered_invitations / found.invited if found.invited else None
    ui.facts(
        [
            (t("Invited"), formats.value(found.invited, "count")),
            (t("Answers"), formats.value(found.responses, "count")),
            (t("Of those invited, answered"), formats.value(share, "percent")),
        ]
    )
    for result in found.questions:
        with st.container(border=True, key=f"lp_card_result_{result.question.id}"):
            ui.card_title(result.question.text)
            if result.satisfied is not None and result.answers:
                low, high = _wilson(result.satisfied, result.answers)
                words = t(
                    "{share} of {number} answers are 4 or 5 (95 % interval {interval}); mean {mean}",
                    share=formats.value(result.satisfied / result.answers, "percent"), number=result.answers,
                    interval=formats.interval(low, high, "percent"), mean=formats.value(result.mean, "ratio"),
                )  # fmt: skip
                ui.message(words)
                if result.answers < _FEW:
                    ui.message(t("Fewer than {number} answers: no ground for a judgement.", number=_FEW))
            elif not result.answers:
                ui.message(t("No answer yet."))
            if result.distribution and result.answers:
                frame = pd.DataFrame(
                    [
                        (value, formats.value(count, "count"), formats.value(count / result.answers, "percent"))
                        for value, count in result.distribution
                    ],
                    columns=[t("Answer"), t("Number"), t("Share of the total")],
                )
                ui.table(frame, result.question.text)
            elif result.question.kind == "text" and result.answers:
                ui.message(t("{number} answers", number=result.answers))
                for text in result.texts:
                    parts.quoted(text)


def _wilson(successes: int, total: int) -> tuple[float, float]:
    """The Wilson interval of a share at 95 %."""
    z = 1.959964
    share, square = successes / total, z * z
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = z * math.sqrt(share * (1 - share) / total + square / (4 * total * total)) / (1 + square / total)
    return max(0.0, centre - half), min(1.0, centre + half)


def _projects(desk: Desk) -> dict[int, str]:
    with desk.reading() as work:
        rows = work.session.execute(
            sa.select(Project.id, Project.name).where(Project.deleted_at.is_(None)).order_by(Project.name)
        )
        return dict(rows.all())
