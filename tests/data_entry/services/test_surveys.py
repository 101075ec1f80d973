"""Surveys: built, issued, answered by link and by telephone, counted."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import SYSTEM
from data_entry.pages.surveys import links_file
from data_entry.schema.customer import Customer
from data_entry.schema.service import SurveyAnswer, SurveyInvitation, SurveyResponse
from data_entry.services import surveys
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused
from data_entry.services.work import reading, writing
from tests.data_entry.services.people import TODAY


def build(office, **values):
    with office.writing("sue") as work:
        survey = surveys.build(work, name="Handover 2026", project_id=1, **values).id
        asked = [
            surveys.ask(work, survey, kind="satisfaction", text="How satisfied?", is_required=True),
            surveys.ask(work, survey, kind="choice", text="What first?", options="Lifts\n Garden \n\nLifts"),
            surveys.ask(work, survey, kind="text", text="Anything else?"),
        ]
        return survey, [question.id for question in asked]


def answer(office, token, answers):
    with writing(office.engine, SYSTEM, office.clock) as work:
        return surveys.answer(work, token, answers)


def opened(office, token):
    with reading(office.engine, SYSTEM, office.clock) as work:
        return surveys.opened(work, token).state


def test_a_survey_is_built_in_order(office):
    survey, (first, second, third) = build(office)
    with office.writing("sue") as work:
        surveys.move(work, third, -1)
        surveys.move(work, third, -5)
        assert [q.id for q in surveys.questions(work, survey)] == [third, first, second]
        assert surveys.questions(work, survey)[2].options == "Lifts\nGarden"
        surveys.leave_out(work, first)
        assert [q.id for q in surveys.questions(work, survey)] == [third, second]
        for values in ({"kind": "choice", "text": "x", "options": "one"}, {"kind": "odd", "text": "x"}):
            with pytest.raises(Invalid):
                surveys.ask(work, survey, **values)
        with pytest.raises(Invalid):
            surveys.build(work, name="x", opens_on=TODAY, closes_on=TODAY - dt.timedelta(days=1))
    for login in ("amy", "mara", "boss"):
        with pytest.raises(Forbidden), office.writing(login) as work:
            surveys.build(work, name="x")


def test_a_link_is_answered_once_and_counts_for_its_invitation(each_office):
    office = each_office
    survey, (score, choice, text) = build(office)
    li, duplicate = office.customer("Li", owner="amy"), office.customer("Li again")
    with Session(office.engine) as session:
        session.get(Customer, duplicate).merged_into_id = li
        session.commit()
    with office.writing("sue") as work:
        (link,) = surveys.issue(work, survey, [li, duplicate, li])
    with Session(office.engine) as session:
        kept = session.scalars(sa.select(SurveyInvitation)).one()
        assert kept.token_hash != link.token
        assert len(link.token) >= 43
        assert (kept.customer_id, kept.project_id, kept.employee_id) == (li, 1, office.employee("amy"))
    for wrong in (
        {},
        {score: 6},
        {score: "5.0"},
        {score: "5", choice: "Roof"},
        {choice: "Lifts"},
        {score: 5, text: "x" * 2001},
    ):
        with pytest.raises(Invalid):
            answer(office, link.token, wrong)
    assert opened(office, link.token) == "open"
    response = answer(office, link.token, {score: "5", choice: "Garden", text: "  "})
    assert (response.customer_id, response.employee_id, response.project_id) == (li, office.employee("amy"), 1)
    assert opened(office, link.token) == "used"
    with pytest.raises(Refused):
        answer(office, link.token, {score: 1})
    with office.writing("sue") as work:
        assert surveys.issue(work, survey, [li]) == []  # has answered
        results = surveys.results(work, survey)
    assert (results.invited, results.answered_invitations, results.responses) == (1, 1, 1)
    assert results.questions[0].distribution == (("1", 0), ("2", 0), ("3", 0), ("4", 0), ("5", 1))
    assert (results.questions[0].satisfied, results.questions[0].mean) == (1, 5.0)
    assert results.questions[1].distribution == (("Lifts", 0), ("Garden", 1))
    assert results.questions[2].answers == 0
    with Session(office.engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(SurveyAnswer)) == 2


def test_a_new_link_takes_the_place_of_the_old(office):
    survey, (score, *_) = build(office)
    li = office.customer("Li")
    with office.writing("sue") as work:
        (old,) = surveys.issue(work, survey, [li])
    with office.writing("sue") as work:
        (new,) = surveys.issue(work, survey, [li])
    assert (opened(office, old.token), opened(office, new.token)) == ("unknown", "open")
    with pytest.raises(NotFound):
        answer(office, old.token, {score: 4})
    with office.writing("sue") as work:
        surveys.revoke(work, new.invitation_id)
    assert opened(office, new.token) == "unknown"


def test_a_public_link_is_answered_many_times(office):
    survey, (score, _, text) = build(office)
    with office.writing("sue") as work:
        link = surveys.issue_publicly(work, survey)
    for number in (5, 4, 2):
        assert answer(office, link.token, {score: number, text: f"said {number}"}).customer_id is None
    with office.reading("sue") as work:
        results = surveys.results(work, survey)
        assert (results.responses, results.invited) == (3, 0)
        assert (results.questions[0].satisfied, results.questions[0].answers) == (2, 3)
        assert set(results.questions[2].texts) == {"said 5", "said 4", "said 2"}
        assert surveys.public_links(work, survey)[0][1] == 3
    with office.reading("mara") as work:  # reads numbers, no words
        assert surveys.results(work, survey).questions[2].texts == ()
        assert surveys.results(work, survey).questions[2].answers == 3


def test_days_are_kept(office):
    survey, (score, *_) = build(office, opens_on=TODAY + dt.timedelta(days=1), closes_on=TODAY + dt.timedelta(days=2))
    with office.writing("sue") as work:
        link = surveys.issue_publicly(work, survey)
    assert opened(office, link.token) == "ahead"
    with pytest.raises(Refused):
        answer(office, link.token, {score: 4})
    office.clock.on(days=2)
    answer(office, link.token, {score: 4})
    office.clock.on(days=1)
    assert opened(office, link.token) == "closed"
    with pytest.raises(Refused):
        answer(office, link.token, {score: 4})
    with pytest.raises(Refused), office.writing("sue") as work:
        surveys.issue_publicly(work, survey)


def test_answers_fix_the_questions_and_a_copy_frees_them(office):
    survey, (score, *_) = build(office)
    with office.writing("sue") as work:
        surveys.record(work, survey, {score: 3})
    with office.writing("sue") as work:
        for call in (
            lambda: surveys.ask(work, survey, kind="text", text="More?"),
            lambda: surveys.move(work, score, 1),
            lambda: surveys.leave_out(work, score),
        ):
            with pytest.raises(Refused):
                call()
        new = surveys.copy(work, survey, "Next")
        assert [q.text for q in surveys.questions(work, new.id)] == ["How satisfied?", "What first?", "Anything else?"]


def test_answers_by_telephone_use_up_the_invitation(office):
    survey, (score, *_) = build(office)
    li = office.customer("Li", owner="bob")
    with office.writing("sue") as work:
        (link,) = surveys.issue(work, survey, [li])
    with office.writing("sue") as work:
        response = surveys.record(work, survey, {score: 4}, customer_id=li)
        assert (response.survey_invitation_id, response.employee_id) == (link.invitation_id, office.employee("bob"))
    assert opened(office, link.token) == "used"
    with pytest.raises(Refused), office.writing("sue") as work:
        surveys.record(work, survey, {score: 4}, customer_id=li)
    for login in ("amy", "mara"):
        with pytest.raises(Forbidden), office.writing(login) as work:
            surveys.record(work, survey, {score: 4})


def test_the_file_of_links_runs_nothing_where_it_is_opened():
    text = links_file([("=cmd|' /C calc'!A0", "https://x/survey/a"), ("李", "https://x/survey/b")]).decode("utf-8-sig")
    assert text.splitlines() == ["name,link", "'=cmd|' /C calc'!A0,https://x/survey/a", "李,https://x/survey/b"]


def test_a_survey_without_questions_is_not_issued(office):
    with office.writing("sue") as work:
        survey = surveys.build(work, name="Empty").id
    with pytest.raises(Refused), office.writing("sue") as work:
        surveys.issue_publicly(work, survey)
    with Session(office.engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(SurveyResponse)) == 0
