"""Surveys: built, issued, answered, and what the answers say.

A survey is answered through a link whose token opens nothing else. Of the token only its hash is kept, so a link is
shown once, when it is made. An invitation names the customer, the estate and the employee that its answers count for;
who answers sees none of them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.customer import Customer, CustomerOwner
from data_entry.schema.estate import Project
from data_entry.schema.organisation import Employee
from data_entry.schema.service import Survey, SurveyAnswer, SurveyInvitation, SurveyQuestion, SurveyResponse
from data_entry.services import wording
from data_entry.services.errors import Invalid, NotFound, Problem, Refused
from data_entry.services.work import Work
from loupan.i18n import marked

KINDS = ("satisfaction", "rating", "choice", "text")
SCALE = (1, 5)
SATISFIED_FROM = 4
TOKEN_BYTES = 32
LONGEST_ANSWER = 2_000
MOST_QUESTIONS = 60
PAGE = 20

Answers = Mapping[int, int | str | None]
"""Answers by question: 1 to 5 for satisfaction and rating, the choice's words, or free text; None for no answer."""


@dataclass(frozen=True)
class Item:
    """A survey in a list; `state` is ``draft`` (never issued), ``ahead``, ``open`` or ``closed``."""

    survey: Survey
    project: str
    state: str
    questions: int
    invited: int
    responses: int


@dataclass(frozen=True)
class Link:
    """A link just made; the token is in no other place.

    Attributes:
        customer_id: None for a public link.
        customer: the customer's name.
    """

    invitation_id: int
    token: str
    customer_id: int | None = None
    customer: str = ""


@dataclass(frozen=True)
class Opened:
    """What a link leads to.

    Attributes:
        state: ``open``, ``ahead`` (of its first day), ``closed``, ``used`` or ``unknown``.
        survey, questions: None and empty unless the state is ``open``, ``ahead`` or ``closed``.
    """

    state: str
    survey: Survey | None = None
    questions: tuple[SurveyQuestion, ...] = ()


@dataclass(frozen=True)
class Result:
    """The answers to one question.

    Attributes:
        answers: how many.
        distribution: (value, number of answers), every value of the scale or choice, zeros included.
        satisfied: answers of 4 and 5, for satisfaction and rating questions.
        mean: their mean, None without answers.
        texts: what was written, the newest first; empty without the right to personal data.
    """

    question: SurveyQuestion
    answers: int
    distribution: tuple[tuple[str, int], ...] = ()
    satisfied: int | None = None
    mean: float | None = None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """What came back of a survey; an invitation of a customer counts as answered once."""

    survey: Survey
    invited: int
    answered_invitations: int
    responses: int
    questions: tuple[Result, ...] = field(default_factory=tuple)


def build(
    work: Work,
    *,
    name: str,
    survey_id: int | None = None,
    project_id: int | None = None,
    introduction: str | None = None,
    opens_on: dt.date | None = None,
    closes_on: dt.date | None = None,
    row_version: int | None = None,
) -> Survey:
    """Begin a survey, or change its name, words and days.

    Args:
        work: the transaction.
        name: its name, which those asked see.
        survey_id: key of the survey to change; None for a new one.
        project_id: estate it asks about; None for all.
        introduction: what the page of questions begins with.
        opens_on, closes_on: first and last day it can be answered.
        row_version: of the state it was read in.
    """
    if opens_on and closes_on and closes_on < opens_on:
        raise Invalid([Problem("closes_on", marked("The last day lies before the first."))])
    if project_id is not None:
        work.get(Project, project_id)
    values = {
        "name": wording.line("name", name, 200), "project_id": project_id, "opens_on": opens_on, "closes_on": closes_on,
        "introduction": wording.optional("introduction", introduction, 5_000),
    }  # fmt: skip
    if survey_id is None:
        return work.add(Survey(**values))
    survey = work.get(Survey, survey_id, "update", lock=True)
    wording.require_version(survey, row_version, **values)
    for column, value in values.items():
        setattr(survey, column, value)
    work.session.flush()
    work.require_with("update", survey)
    return survey


def copy(work: Work, survey_id: int, name: str) -> Survey:
    """Begin a survey with the questions of another one, without its days."""
    old = work.get(Survey, survey_id)
    new = build(work, name=name, project_id=old.project_id, introduction=old.introduction)
    for question in questions(work, old.id):
        work.add(
            SurveyQuestion(
                survey_id=new.id, sequence=question.sequence, kind=question.kind, text=question.text,
                options=question.options, is_required=question.is_required,
            )
        )  # fmt: skip
    return new


def ask(
    work: Work,
    survey_id: int,
    *,
    kind: str,
    text: str,
    options: str | Iterable[str] | None = None,
    is_required: bool = False,
    question_id: int | None = None,
) -> SurveyQuestion:
    """Add a question at the end, or change one; only while nobody has answered the survey.

    Args:
        work: the transaction.
        survey_id: the survey.
        kind: ``satisfaction``, ``rating``, ``choice`` or ``text``.
        text: its wording.
        options: of a choice, two at least, one on each line.
        is_required: whether it must be answered.
        question_id: key of the question to change.
    """
    _for_building(work, survey_id)
    if kind not in KINDS:
        raise Invalid([Problem("kind", marked("Choose one of the values offered."))])
    lines = options.splitlines() if isinstance(options, str) else list(options or ())
    choices = list(dict.fromkeys(line for line in (" ".join(line.split()) for line in lines) if line))
    if kind == "choice" and len(choices) < 2:
        raise Invalid([Problem("options", marked("A choice needs two options at least."))])
    if any(len(choice) > 200 for choice in choices):
        raise Invalid([Problem("options", marked("At most {length} characters."), {"length": 200})])
    text = wording.line("text", text, 500)
    kept = wording.block("options", "\n".join(choices)) if kind == "choice" else None
    present = questions(work, survey_id)
    if question_id is not None:
        question = next((row for row in present if row.id == question_id), None)
        if question is None:
            raise NotFound(marked("There is no such record, or you may not see it."))
        work.require_with("update", question)
        question.kind, question.text, question.options, question.is_required = kind, text, kept, is_required
        work.session.flush()
        return question
    if len(present) >= MOST_QUESTIONS:
        raise Refused(marked("A survey has at most {number} questions."), number=MOST_QUESTIONS)
    return work.add(
        SurveyQuestion(
            survey_id=survey_id, sequence=max((row.sequence for row in present), default=0) + 1, kind=kind, text=text,
            options=kept, is_required=is_required,
        )
    )  # fmt: skip


def move(work: Work, question_id: int, by: int) -> None:
    """Move a question up (−1) or down (1) among the others; only while nobody has answered."""
    question = work.get(SurveyQuestion, question_id, "update")
    _for_building(work, question.survey_id)
    order = questions(work, question.survey_id)
    place = [row.id for row in order].index(question.id)
    order.insert(min(max(place + by, 0), len(order) - 1), order.pop(place))
    for sequence, row in enumerate(order, 1):
        row.sequence = sequence
    work.session.flush()


def leave_out(work: Work, question_id: int) -> None:
    """Take a question out; only while nobody has answered."""
    question = work.get(SurveyQuestion, question_id, "delete")
    _for_building(work, question.survey_id)
    question.deleted_at = work.now
    work.session.flush()


def questions(work: Work, survey_id: int) -> list[SurveyQuestion]:
    """Return the questions of a survey in their order."""
    return list(
        work.session.scalars(
            sa.select(SurveyQuestion)
            .where(SurveyQuestion.survey_id == survey_id, SurveyQuestion.deleted_at.is_(None))
            .order_by(SurveyQuestion.sequence, SurveyQuestion.id)
        )
    )


def issue(
    work: Work,
    survey_id: int,
    customer_ids: Iterable[int],
    *,
    project_id: int | None = None,
    employee_id: int | None = None,
) -> list[Link]:
    """Invite customers, each by a link of their own that can be answered once.

    A merged customer is invited as the surviving one. Who was invited before and has not answered gets a new link; the
    old one no longer leads anywhere. Who has answered is left out.

    Args:
        work: the transaction.
        survey_id: the survey.
        customer_ids: whom to invite; each must be in the actor's reach.
        project_id: estate the answers count for; None for that of the survey.
        employee_id: employee they count for; None for who looks after the customer there.
    """
    survey = _for_issuing(work, survey_id)
    project_id = project_id if project_id is not None else survey.project_id
    links: list[Link] = []
    for customer in _survivors(work, customer_ids):
        row = work.session.scalar(
            sa.select(SurveyInvitation)
            .where(
                SurveyInvitation.survey_id == survey.id, SurveyInvitation.customer_id == customer.id,
                SurveyInvitation.deleted_at.is_(None),
            )
            .order_by(SurveyInvitation.id.desc())
            .limit(1)
        )  # fmt: skip
        if row is not None and _responses(work, row.id):
            continue
        token = _new_token()
        if row is None:
            row = SurveyInvitation(survey_id=survey.id, customer_id=customer.id)
        row.project_id, row.sent_at, row.token_hash = project_id, work.now, hash_of(token)
        row.employee_id = employee_id if employee_id is not None else _owner(work, customer.id, project_id)
        if row.id is None:
            work.add(row)
        else:
            work.session.flush()
        links.append(Link(row.id, token, customer.id, customer.name or ""))
    return links


def issue_publicly(
    work: Work, survey_id: int, *, project_id: int | None = None, employee_id: int | None = None
) -> Link:
    """Make a link that anybody may answer, any number of times, such as for a notice in the lobby."""
    survey = _for_issuing(work, survey_id)
    token = _new_token()
    row = work.add(
        SurveyInvitation(
            survey_id=survey.id, customer_id=None, sent_at=work.now, token_hash=hash_of(token), is_reusable=True,
            project_id=project_id if project_id is not None else survey.project_id, employee_id=employee_id,
        )
    )  # fmt: skip
    return Link(row.id, token)


def revoke(work: Work, invitation_id: int) -> None:
    """Make a link lead nowhere; answers that came by it stay."""
    row = work.get(SurveyInvitation, invitation_id, "update", lock=True)
    work.require_with("issue", work.get(Survey, row.survey_id))
    row.token_hash = None
    work.session.flush()


def public_links(work: Work, survey_id: int) -> list[tuple[SurveyInvitation, int]]:
    """Return the public links of a survey that still lead there, with the number of answers each brought."""
    rows = work.session.execute(
        sa.select(SurveyInvitation, sa.func.count(SurveyResponse.id))
        .outerjoin(
            SurveyResponse,
            sa.and_(
                SurveyResponse.survey_invitation_id == SurveyInvitation.id, SurveyResponse.deleted_at.is_(None)
            ),
        )
        .where(
            SurveyInvitation.survey_id == survey_id, SurveyInvitation.is_reusable,
            SurveyInvitation.token_hash.is_not(None), SurveyInvitation.deleted_at.is_(None),
            reach(work.actor, "read", "survey_invitation"),
        )
        .group_by(SurveyInvitation.id)
        .order_by(SurveyInvitation.id)
    ).all()  # fmt: skip
    return [(row, count) for row, count in rows]


def hash_of(token: str) -> str:
    """Return what is kept of a token: its SHA-256, in hexadecimal. A random token needs no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def opened(work: Work, token: str) -> Opened:
    """Return what a link leads to. Needs no account: the token is the right."""
    invitation = _invitation(work, token)
    survey = work.session.get(Survey, invitation.survey_id) if invitation is not None else None
    if invitation is None or survey is None or survey.deleted_at is not None:
        return Opened("unknown")
    if not invitation.is_reusable and _responses(work, invitation.id):
        return Opened("used")
    state = _state(survey, work.today)
    return Opened(state, survey, tuple(questions(work, survey.id)) if state == "open" else ())


def answer(work: Work, token: str, answers: Answers) -> SurveyResponse:
    """Hand in the answers of a link; open the work as `SYSTEM`, for the token is the right.

    Raises:
        NotFound: if the link leads nowhere.
        Refused: if the survey is not open, or the link was used.
        Invalid: with the column ``question_<id>`` of each answer that does not fit.
    """
    invitation = _invitation(work, token, lock=True)
    found = opened(work, token)
    if invitation is None or found.survey is None:
        if found.state == "used":
            raise Refused(marked("This link has been used. Thank you for your answers."))
        raise NotFound(marked("This link is not valid. Please check it, or ask for a new one."))
    if found.state == "ahead":
        raise Refused(marked("This survey has not begun yet."))
    if found.state == "closed":
        raise Refused(marked("This survey has ended."))
    return _save(
        work,
        SurveyResponse(
            survey_id=found.survey.id, survey_invitation_id=invitation.id, customer_id=invitation.customer_id,
            project_id=invitation.project_id, employee_id=invitation.employee_id, submitted_at=work.now,
        ),
        found.questions, answers,
    )  # fmt: skip


def record(
    work: Work,
    survey_id: int,
    answers: Answers,
    *,
    customer_id: int | None = None,
    project_id: int | None = None,
    employee_id: int | None = None,
) -> SurveyResponse:
    """Record answers that somebody gave by telephone or on paper; uses up the customer's invitation, if there is one.

    Args:
        work: the transaction.
        survey_id: the survey, which must be open.
        answers: as in `answer`.
        customer_id: who answered; None if unknown.
        project_id, employee_id: what and whom it is about; None for those of the invitation, or as in `issue`.
    """
    work.require("create", "survey_response")
    survey = work.get(Survey, survey_id)
    if _state(survey, work.today) != "open":
        raise Refused(marked("The survey is not open on this day."))
    asked = questions(work, survey.id)
    if not asked:
        raise Refused(marked("The survey has no questions yet."))
    invitation = None
    if customer_id is not None:
        customer = _survivors(work, [customer_id])[0]
        customer_id = customer.id
        invitation = work.session.scalar(
            sa.select(SurveyInvitation)
            .where(
                SurveyInvitation.survey_id == survey.id, SurveyInvitation.customer_id == customer_id,
                SurveyInvitation.deleted_at.is_(None),
            )
            .order_by(SurveyInvitation.id.desc())
            .limit(1)
            .with_for_update()
        )  # fmt: skip
        if invitation is not None and _responses(work, invitation.id):
            raise Refused(marked("This customer has answered already."))
    project_id = project_id or (invitation.project_id if invitation else None) or survey.project_id
    if employee_id is None:
        employee_id = invitation.employee_id if invitation else None
        if employee_id is None and customer_id is not None:
            employee_id = _owner(work, customer_id, project_id)
    return _save(
        work,
        SurveyResponse(
            survey_id=survey.id, survey_invitation_id=invitation.id if invitation else None, customer_id=customer_id,
            project_id=project_id, employee_id=employee_id, submitted_at=work.now,
        ),
        asked, answers,
    )  # fmt: skip


def listing(work: Work, *, offset: int = 0, limit: int = PAGE) -> tuple[list[Item], int]:
    """Return a piece of the list of surveys, the newest first, and how many there are."""
    where = [Survey.deleted_at.is_(None), reach(work.actor, "read", "survey")]
    total = work.session.scalar(sa.select(sa.func.count()).select_from(Survey).where(*where)) or 0

    def number(model: type[SurveyQuestion] | type[SurveyInvitation] | type[SurveyResponse]) -> sa.ScalarSelect[int]:
        return (
            sa.select(sa.func.count())
            .select_from(model)
            .where(model.survey_id == Survey.id, model.deleted_at.is_(None))
            .scalar_subquery()
        )

    rows = work.session.execute(
        sa.select(Survey, Project.name, number(SurveyQuestion), number(SurveyInvitation), number(SurveyResponse))
        .outerjoin(Project, Project.id == Survey.project_id)
        .where(*where)
        .order_by(sa.func.coalesce(Survey.opens_on, sa.func.date(Survey.created_at)).desc(), Survey.id.desc())
        .offset(offset)
        .limit(limit)
    ).all()
    return [
        Item(
            survey, project or "",
            "draft" if not invited and not responses else _state(survey, work.today), asked, invited, responses,
        )
        for survey, project, asked, invited, responses in rows
    ], total  # fmt: skip


def one(work: Work, survey_id: int) -> tuple[Survey, str, bool]:
    """Return a survey, its state, and whether its questions are fixed because somebody has answered."""
    survey = work.get(Survey, survey_id)
    return survey, _state(survey, work.today), _is_answered(work, survey.id)


def results(work: Work, survey_id: int, *, texts: int = 50) -> Results:
    """Return what the answers say, of the responses the actor reaches.

    Args:
        work: the transaction.
        survey_id: the survey.
        texts: how many free texts to return per question.
    """
    survey = work.get(Survey, survey_id)
    mine = [
        SurveyResponse.survey_id == survey.id, SurveyResponse.deleted_at.is_(None),
        reach(work.actor, "read", "survey_response"),
    ]  # fmt: skip
    invited = sa.select(sa.func.count()).select_from(SurveyInvitation).where(
        SurveyInvitation.survey_id == survey.id, SurveyInvitation.deleted_at.is_(None),
        SurveyInvitation.customer_id.is_not(None), reach(work.actor, "read", "survey_invitation"),
    )  # fmt: skip
    responses = sa.select(sa.func.count()).select_from(SurveyResponse).where(*mine)
    by_invitation = (
        sa.select(sa.func.count(SurveyResponse.survey_invitation_id.distinct()))
        .join(SurveyInvitation, SurveyInvitation.id == SurveyResponse.survey_invitation_id)
        .where(*mine, SurveyInvitation.customer_id.is_not(None))
    )
    counted: Any = work.session.execute(
        sa.select(
            SurveyAnswer.survey_question_id, SurveyAnswer.value_number,
            sa.case((SurveyQuestion.kind == "choice", SurveyAnswer.value_text), else_=None).label("choice"),
            sa.func.count(),
        )
        .join(SurveyResponse, SurveyResponse.id == SurveyAnswer.survey_response_id)
        .join(SurveyQuestion, SurveyQuestion.id == SurveyAnswer.survey_question_id)
        .where(*mine, SurveyAnswer.deleted_at.is_(None))
        .group_by(SurveyAnswer.survey_question_id, SurveyAnswer.value_number, sa.text("choice"))
    ).all()  # fmt: skip
    may_read = work.actor.may("personal", "survey_answer")
    return Results(
        survey,
        work.session.scalar(invited) or 0,
        work.session.scalar(by_invitation) or 0,
        work.session.scalar(responses) or 0,
        tuple(
            _result(
                question,
                [(number, choice, count) for key, number, choice, count in counted if key == question.id],
                _texts(work, question, mine, texts) if may_read and question.kind == "text" else (),
            )
            for question in questions(work, survey.id)
        ),
    )


def _result(
    question: SurveyQuestion, counted: Sequence[tuple[int | None, str | None, int]], texts: tuple[str, ...]
) -> Result:
    total = sum(count for _, _, count in counted)
    if question.kind in ("satisfaction", "rating"):
        by_value = dict.fromkeys(range(SCALE[0], SCALE[1] + 1), 0)
        for value, _, count in counted:
            if value is not None:
                by_value[value] = by_value.get(value, 0) + count
        rated = sum(by_value.values())
        return Result(
            question, rated, tuple((str(value), count) for value, count in sorted(by_value.items())),
            sum(count for value, count in by_value.items() if value >= SATISFIED_FROM),
            sum(value * count for value, count in by_value.items()) / rated if rated else None,
        )  # fmt: skip
    if question.kind == "choice":
        by_choice = dict.fromkeys((question.options or "").splitlines(), 0)
        for _, choice, count in counted:
            by_choice[choice or ""] = by_choice.get(choice or "", 0) + count
        return Result(question, total, tuple(by_choice.items()))
    return Result(question, total, texts=texts)


def _texts(work: Work, question: SurveyQuestion, mine: Sequence[sa.ColumnElement[bool]], limit: int) -> tuple[str, ...]:
    rows = work.session.scalars(
        sa.select(SurveyAnswer.value_text)
        .join(SurveyResponse, SurveyResponse.id == SurveyAnswer.survey_response_id)
        .where(
            *mine, SurveyAnswer.survey_question_id == question.id, SurveyAnswer.deleted_at.is_(None),
            SurveyAnswer.value_text.is_not(None), reach(work.actor, "personal", "survey_answer"),
        )
        .order_by(SurveyResponse.submitted_at.desc(), SurveyResponse.id.desc())
        .limit(limit)
    )  # fmt: skip
    return tuple(text for text in rows if text)


def _new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def _state(survey: Survey, today: dt.date) -> str:
    if survey.opens_on is not None and today < survey.opens_on:
        return "ahead"
    return "closed" if survey.closes_on is not None and today > survey.closes_on else "open"


def _is_answered(work: Work, survey_id: int) -> bool:
    return bool(work.session.scalar(sa.select(sa.exists().where(SurveyResponse.survey_id == survey_id))))


def _for_building(work: Work, survey_id: int) -> Survey:
    survey = work.get(Survey, survey_id, "update", lock=True)
    if _is_answered(work, survey.id):
        raise Refused(marked("Somebody has answered already, so the questions stay. Copy the survey to change them."))
    return survey


def _for_issuing(work: Work, survey_id: int) -> Survey:
    survey = work.get(Survey, survey_id, "issue", lock=True)
    if not questions(work, survey.id):
        raise Refused(marked("The survey has no questions yet."))
    if _state(survey, work.today) == "closed":
        raise Refused(marked("The survey has ended."))
    return survey


def _survivors(work: Work, customer_ids: Iterable[int]) -> list[Customer]:
    found: dict[int, Customer] = {}
    for key in dict.fromkeys(customer_ids):
        customer = work.get(Customer, key)
        seen = {customer.id}
        while customer.merged_into_id is not None and customer.merged_into_id not in seen:
            seen.add(customer.merged_into_id)
            customer = work.get(Customer, customer.merged_into_id)
        found[customer.id] = customer
    return list(found.values())


def _owner(work: Work, customer_id: int, project_id: int | None) -> int | None:
    """Who looks after a customer (in an estate) at this moment."""
    where = [
        CustomerOwner.customer_id == customer_id, CustomerOwner.to_at.is_(None), CustomerOwner.deleted_at.is_(None),
        Employee.deleted_at.is_(None),
    ]  # fmt: skip
    if project_id is not None:
        where.append(sa.or_(CustomerOwner.project_id == project_id, CustomerOwner.project_id.is_(None)))
    return work.session.scalar(
        sa.select(CustomerOwner.employee_id)
        .join(Employee, Employee.id == CustomerOwner.employee_id)
        .where(*where)
        .order_by(CustomerOwner.from_at.desc(), CustomerOwner.id.desc())
        .limit(1)
    )


def _invitation(work: Work, token: str, *, lock: bool = False) -> SurveyInvitation | None:
    query = sa.select(SurveyInvitation).where(
        SurveyInvitation.token_hash == hash_of(token), SurveyInvitation.deleted_at.is_(None)
    )
    return work.session.scalar(query.with_for_update() if lock else query)


def _responses(work: Work, invitation_id: int) -> int:
    return (
        work.session.scalar(
            sa.select(sa.func.count())
            .select_from(SurveyResponse)
            .where(SurveyResponse.survey_invitation_id == invitation_id, SurveyResponse.deleted_at.is_(None))
        )
        or 0
    )


def _save(work: Work, response: SurveyResponse, asked: Sequence[SurveyQuestion], answers: Answers) -> SurveyResponse:
    problems: list[Problem] = []
    kept: list[tuple[SurveyQuestion, int | None, str | None]] = []
    for question in asked:
        value = answers.get(question.id)
        if value is None or (isinstance(value, str) and not value.strip()):
            if question.is_required:
                problems.append(Problem(f"question_{question.id}", marked("Please answer this question.")))
            continue
        try:
            number, text = _valued(question, value)
        except Invalid as error:
            problems += error.problems
            continue
        kept.append((question, number, text))
    if not kept and not problems:
        problems.append(Problem("survey", marked("Please answer one question at least.")))
    if problems:
        raise Invalid(problems)
    work.add(response)
    for question, number, text in kept:
        work.add(
            SurveyAnswer(
                survey_response_id=response.id, survey_question_id=question.id, value_number=number, value_text=text
            )
        )
    return response


def _valued(question: SurveyQuestion, value: int | str) -> tuple[int | None, str | None]:
    column = f"question_{question.id}"
    if question.kind in ("satisfaction", "rating"):
        text = str(value).strip()
        if text not in {str(number) for number in range(SCALE[0], SCALE[1] + 1)}:
            raise Invalid([Problem(column, marked("Please choose a number from 1 to 5."))])
        return int(text), None
    if question.kind == "choice":
        if str(value) not in (question.options or "").splitlines():
            raise Invalid([Problem(column, marked("Please choose one of the options."))])
        return None, str(value)
    return None, wording.block(column, str(value), LONGEST_ANSWER)
