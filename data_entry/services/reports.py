"""Reports on their way through the approval flow of their class.

A report is written as a *draft*, *submitted*, decided step by step in the order of its class, and ends *approved*; an
approver may send it back (*returned*), after which the author mends it and it begins at the first step again. Only
decisions since ``report.submitted_at`` count. A class without steps approves at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.customer import Feature, FeatureValue
from data_entry.schema.office import ApprovalAction, ApprovalStep, Report, ReportClass
from data_entry.schema.organisation import Position, Role
from data_entry.services import staff, wording
from data_entry.services.errors import Forbidden, Invalid, NotFound, Problem, Refused
from data_entry.services.work import Work
from loupan.i18n import marked

VIEWS = ("waiting", "mine", "all")
PAGE = 20


@dataclass(frozen=True)
class Stage:
    """A step of a report's flow as it stands.

    Attributes:
        who: name of the position or role that decides.
        people: names of those who can decide today, the author excluded.
        state: ``approved``, ``returned``, ``passed_over`` (only the author could have decided), ``current`` or
            ``ahead``.
        decided_by, decided_at: of an approved or returned step.
    """

    step: ApprovalStep
    who: str
    people: tuple[str, ...]
    state: str
    decided_by: str = ""
    decided_at: dt.datetime | None = None


@dataclass(frozen=True)
class Item:
    """A report in a list."""

    report: Report
    author: str
    report_class: str
    waits_for: str


def write(
    work: Work,
    *,
    report_class_id: int,
    title: str,
    body: str | None,
    report_id: int | None = None,
    row_version: int | None = None,
    features: Mapping[int, Sequence[str]] | None = None,
) -> Report:
    """Write a new report, or change a draft or a returned one of one's own.

    Args:
        work: the transaction.
        report_class_id: class of the report; its flow is followed.
        title: what it is about.
        body: Markdown.
        report_id: key of the report to change; None for a new one.
        row_version: of the state it was read in.
        features: values by feature, of those asked for in the class; None leaves them.

    Raises:
        Stale: if it has changed since.
    """
    report_class = work.session.get(ReportClass, report_class_id)
    # A report written before its class was taken out of use keeps it.
    present = _own(work, report_id).report_class_id if report_id is not None else None
    if report_class is None or report_class.deleted_at is not None or not (
        report_class.is_active or report_class.id == present
    ):  # fmt: skip
        raise Invalid([Problem("report_class_id", marked("Choose one of the values offered."))])
    title, text = wording.line("title", title, 300), wording.optional("body", body)
    if report_id is None:
        report = work.add(
            Report(
                report_class_id=report_class_id, author_id=staff.myself(work), title=title, body=text, status="draft"
            )
        )
    else:
        report = _own(work, report_id)
        wording.require_version(report, row_version, title=title, body=text, report_class_id=report_class_id)
        _require_writable(report)
        report.report_class_id, report.title, report.body = report_class_id, title, text
        work.session.flush()
    if features is not None:
        _save_features(work, report, features)
    return report


def submit(work: Work, report_id: int) -> Report:
    """Send a draft or returned report on its way; the author's right."""
    report = _own(work, report_id)
    _require_writable(report)
    if not report.body:
        raise Invalid([Problem("body", marked("A value is needed here."))])
    _require_features(work, report)
    last = work.session.scalar(
        sa.select(sa.func.max(ApprovalAction.acted_at)).where(ApprovalAction.report_id == report.id)
    )
    # Later than every decision of an earlier round, whatever the clock says.
    report.submitted_at = max(work.now, last + dt.timedelta(microseconds=1)) if last else work.now
    report.status = "submitted"
    work.session.flush()
    _finish(work, report)
    return report


def approve(work: Work, report_id: int, step_id: int, comment: str | None = None) -> Report:
    """Approve a report at the step it has come to.

    Args:
        work: the transaction.
        report_id: the report.
        step_id: the step the approver saw: a second press of the button does not approve the next one too.
        comment: a word to it.
    """
    report, step = _to_decide(work, report_id, step_id)
    _act(work, report, step, "approve", comment)
    _finish(work, report)
    return report


def give_back(work: Work, report_id: int, step_id: int, comment: str) -> Report:
    """Send a report back to its author with a word why."""
    report, step = _to_decide(work, report_id, step_id)
    _act(work, report, step, "return", wording.block("comment", comment))
    report.status = "returned"
    work.session.flush()
    return report


def comment(work: Work, report_id: int, text: str) -> ApprovalAction:
    """Say a word to a report that is on its way; for its author and everybody in its flow."""
    report = work.get(Report, report_id, "personal", lock=True)
    if report.status == "draft":
        raise Refused(marked("The report has not been submitted yet."))
    steps = flow_of(work, report.report_class_id)
    me = staff.myself(work)
    if me != report.author_id and not any(me in _deciders(work, step) for step in steps):
        raise Forbidden(marked("Only the author and those who approve may comment."))
    if not steps:
        raise Refused(marked("This class of reports has no approval flow to comment in."))
    step = _current(work, report, steps) or steps[-1]
    return _act(work, report, step, "comment", wording.block("comment", text))


def discard(work: Work, report_id: int) -> None:
    """Delete a draft or returned report of one's own."""
    report = _own(work, report_id)
    _require_writable(report)
    work.require_with("delete", report)
    report.deleted_at = work.now
    work.session.flush()


def listing(work: Work, view: str = "waiting", *, offset: int = 0, limit: int = PAGE) -> tuple[list[Item], int]:
    """Return a piece of a list of reports and how many there are.

    Args:
        work: the transaction.
        view: ``waiting`` for the actor's decision, ``mine`` written by the actor, ``all`` that the actor may see
            (of others' drafts none).
        offset: how many to pass over.
        limit: how many to return.
    """
    where: list[sa.ColumnElement[bool]] = [Report.deleted_at.is_(None), reach(work.actor, "personal", "report")]
    me = work.actor.employee_id
    match view:
        case "waiting":
            found = waiting(work)
            return items(work, found[offset : offset + limit]), len(found)
        case "mine":
            where.append(Report.author_id == me if me is not None else sa.false())
        case "all":
            where.append(sa.or_(Report.status != "draft", Report.author_id == me if me is not None else sa.false()))
        case _:
            raise ValueError(f"no such view: {view!r}")
    total = work.session.scalar(sa.select(sa.func.count()).select_from(Report).where(*where)) or 0
    newest = sa.func.coalesce(Report.submitted_at, Report.created_at).desc()
    rows = work.session.scalars(
        sa.select(Report).where(*where).order_by(newest, Report.id.desc()).offset(offset).limit(limit)
    )
    return items(work, list(rows)), total


def waiting(work: Work) -> list[Report]:
    """Return the reports that wait for the actor's decision, the longest waiting first."""
    me = work.actor.employee_id
    if me is None or not work.actor.may("approve", "report"):
        return []
    mine = [step for step in _all_steps(work) if me in _deciders(work, step)]
    if not mine:
        return []
    candidates = work.session.scalars(
        sa.select(Report)
        .where(
            Report.status == "submitted", Report.deleted_at.is_(None), Report.author_id != me,
            Report.report_class_id.in_({step.report_class_id for step in mine}), reach(work.actor, "approve", "report"),
        )
        .order_by(Report.submitted_at, Report.id)
    )  # fmt: skip
    own = {step.id for step in mine}
    flows: dict[int, list[ApprovalStep]] = {}
    found = []
    for report in candidates:
        steps = flows.setdefault(report.report_class_id, flow_of(work, report.report_class_id))
        current = _current(work, report, steps)
        if current is not None and current.id in own:
            found.append(report)
    return found


def items(work: Work, rows: Sequence[Report]) -> list[Item]:
    """Return reports with the names that a list shows."""
    people = staff.names(work, [row.author_id for row in rows])
    classes = dict(work.session.execute(sa.select(ReportClass.id, ReportClass.name)).all()) if rows else {}
    found = []
    for row in rows:
        current = _current(work, row, flow_of(work, row.report_class_id)) if row.status == "submitted" else None
        found.append(
            Item(
                row, people.get(row.author_id, ""), classes.get(row.report_class_id, ""),
                _names(work, [current])[current.id] if current is not None else "",
            )
        )  # fmt: skip
    return found


def one(work: Work, report_id: int) -> tuple[Item, list[Stage], list[tuple[ApprovalAction, str]]]:
    """Return a report, the stages of its flow, and every action with the name of who acted, the oldest first."""
    report = work.get(Report, report_id, "personal")
    if report.status == "draft" and report.author_id != work.actor.employee_id:
        raise NotFound(marked("There is no such record, or you may not see it."))
    actions = list(
        work.session.scalars(
            sa.select(ApprovalAction)
            .where(ApprovalAction.report_id == report.id, ApprovalAction.deleted_at.is_(None))
            .order_by(ApprovalAction.acted_at, ApprovalAction.id)
        )
    )
    people = staff.names(work, [action.employee_id for action in actions])
    return (
        items(work, [report])[0],
        _stages(work, report, people),
        [(action, people.get(action.employee_id, "")) for action in actions],
    )


def allowed(work: Work, report: Report) -> frozenset[str]:
    """Return what the actor may do with a report now; for what a page offers, never for what is done."""
    me = work.actor.employee_id
    if me is None:
        return frozenset()
    may: set[str] = set()
    steps = flow_of(work, report.report_class_id)
    if report.author_id == me and report.status in ("draft", "returned"):
        may |= {"write", "submit", "discard"}
    if (
        report.status != "draft"
        and steps
        and (report.author_id == me or any(me in _deciders(work, step) for step in steps))
    ):
        may.add("comment")
    current = _current(work, report, steps) if report.status == "submitted" else None
    if current is not None and report.author_id != me and me in _deciders(work, current):
        may |= {"approve", "return"}
    return frozenset(may)


def classes(work: Work, present: int | None = None) -> dict[int, str]:
    """Return the classes that new reports may take, and the present one of a report, by key: the name."""
    work.require("read", "report_class")
    offered = sa.and_(ReportClass.deleted_at.is_(None), sa.or_(ReportClass.is_active, ReportClass.id == present))
    rows = work.session.execute(sa.select(ReportClass.id, ReportClass.name).where(offered).order_by(ReportClass.name))
    return dict(rows.all())


def features(work: Work, report_class_id: int, report_id: int | None = None) -> list[tuple[Feature, list[str]]]:
    """Return the features asked for in a class of reports, with the values a report has."""
    asked = work.session.scalars(
        sa.select(Feature)
        .where(
            Feature.entity == "report", Feature.is_active, Feature.deleted_at.is_(None),
            sa.or_(Feature.class_id.is_(None), Feature.class_id == report_class_id),
        )
        .order_by(Feature.sequence.is_(None), Feature.sequence, Feature.id)
    ).all()  # fmt: skip
    values: dict[int, list[str]] = {}
    if report_id is not None and asked:
        for row in _values(work, report_id, [feature.id for feature in asked]):
            values.setdefault(row.feature_id, []).append(row.value or "")
    return [(feature, values.get(feature.id, [])) for feature in asked]


def _values(work: Work, report_id: int, feature_ids: Sequence[int]) -> list[FeatureValue]:
    return list(
        work.session.scalars(
            sa.select(FeatureValue)
            .where(
                FeatureValue.entity_id == report_id, FeatureValue.feature_id.in_(feature_ids),
                FeatureValue.deleted_at.is_(None),
            )
            .order_by(FeatureValue.id)
        )
    )  # fmt: skip


def _save_features(work: Work, report: Report, given: Mapping[int, Sequence[str]]) -> None:
    for feature, before in features(work, report.report_class_id, report.id):
        if feature.id not in given:
            continue
        values = [text for text in (" ".join(value.split()) for value in given[feature.id]) if text]
        column = f"feature_{feature.id}"
        if len(values) > 1 and not feature.is_multi:
            raise Invalid([Problem(column, marked("Only one value is asked for."))])
        choices = [line.strip() for line in (feature.options or "").splitlines() if line.strip()]
        for value in values:
            wording.line(column, value, 500)
            if feature.data_type == "choice" and choices and value not in choices:
                raise Invalid([Problem(column, marked("Choose one of the values offered."))])
            _require_type(column, feature.data_type, value)
        if values == before:
            continue
        for row in _values(work, report.id, [feature.id]):
            row.deleted_at = work.now
        work.session.add_all(FeatureValue(feature_id=feature.id, entity_id=report.id, value=v) for v in values)
    work.session.flush()


def _require_type(column: str, data_type: str, value: str) -> None:
    try:
        if data_type == "number":
            if not abs(float(value.replace(",", ""))) < float("inf"):
                raise ValueError
        elif data_type == "date":
            dt.date.fromisoformat(value)
        elif data_type == "boolean" and value not in ("true", "false"):
            raise ValueError
    except ValueError as error:
        raise Invalid([Problem(column, marked("This value does not fit the type of the field."))]) from error


def _require_features(work: Work, report: Report) -> None:
    missing = [
        Problem(f"feature_{feature.id}", marked("Please fill in “{name}”."), {"name": feature.name})
        for feature, values in features(work, report.report_class_id, report.id)
        if feature.is_required and not values
    ]
    if missing:
        raise Invalid(missing)


def _all_steps(work: Work) -> list[ApprovalStep]:
    return list(work.session.scalars(sa.select(ApprovalStep).where(ApprovalStep.deleted_at.is_(None))))


def flow_of(work: Work, report_class_id: int) -> list[ApprovalStep]:
    """Return the steps of the flow of a class of reports, in order."""
    return list(
        work.session.scalars(
            sa.select(ApprovalStep)
            .where(ApprovalStep.report_class_id == report_class_id, ApprovalStep.deleted_at.is_(None))
            .order_by(ApprovalStep.sequence, ApprovalStep.id)
        )
    )


def _deciders(work: Work, step: ApprovalStep) -> set[int]:
    return staff.deciders(work, step.position_id, step.role_id)


def _decisions(work: Work, report: Report) -> dict[int, ApprovalAction]:
    """The last approval or return of this round, by step."""
    if report.submitted_at is None:
        return {}
    actions = work.session.scalars(
        sa.select(ApprovalAction)
        .where(
            ApprovalAction.report_id == report.id, ApprovalAction.action != "comment",
            ApprovalAction.acted_at >= report.submitted_at, ApprovalAction.deleted_at.is_(None),
        )
        .order_by(ApprovalAction.acted_at, ApprovalAction.id)
    )  # fmt: skip
    return {action.approval_step_id: action for action in actions}


def _is_passed_over(work: Work, report: Report, step: ApprovalStep) -> bool:
    # Nobody decides about an own report; where nobody else could, the step would stand for ever.
    return _deciders(work, step) == {report.author_id}


def _current(work: Work, report: Report, steps: Sequence[ApprovalStep]) -> ApprovalStep | None:
    decided = _decisions(work, report)
    for step in steps:
        if step.id not in decided and not _is_passed_over(work, report, step):
            return step
    return None


def _finish(work: Work, report: Report) -> None:
    if _current(work, report, flow_of(work, report.report_class_id)) is None:
        report.status = "approved"
        work.session.flush()


def _stages(work: Work, report: Report, people: Mapping[int | None, str]) -> list[Stage]:
    steps = flow_of(work, report.report_class_id)
    names, decided = _names(work, steps), _decisions(work, report)
    current = _current(work, report, steps) if report.status == "submitted" else None
    stages = []
    for step in steps:
        action = decided.get(step.id)
        able = staff.names(work, _deciders(work, step) - {report.author_id})
        if action is not None:
            state = "approved" if action.action == "approve" else "returned"
        elif current is not None and step.id == current.id:
            state = "current"
        else:
            state = "passed_over" if _is_passed_over(work, report, step) else "ahead"
        stages.append(
            Stage(
                step, names[step.id], tuple(sorted(able.values())), state,
                people.get(action.employee_id, "") if action else "", action.acted_at if action else None,
            )
        )  # fmt: skip
    return stages


def finish_waiting(work: Work, report_class_id: int) -> None:
    """Approve the reports on their way whose flow, changed meanwhile, has no step left to decide at."""
    for report in work.session.scalars(
        sa.select(Report)
        .where(
            Report.report_class_id == report_class_id, Report.status == "submitted", Report.deleted_at.is_(None)
        )
        .with_for_update()
    ):  # fmt: skip
        _finish(work, report)


def _names(work: Work, steps: Sequence[ApprovalStep]) -> dict[int, str]:
    found = {}
    for step in steps:
        holder = (
            work.session.get(Position, step.position_id)
            if step.position_id is not None
            else work.session.get(Role, step.role_id)
            if step.role_id is not None
            else None
        )
        found[step.id] = holder.name if holder is not None else ""
    return found


def _own(work: Work, report_id: int) -> Report:
    report = work.get(Report, report_id, "update", lock=True)
    if report.author_id != work.actor.employee_id:
        raise Forbidden(marked("Only the author may do this."))
    return report


def _require_writable(report: Report) -> None:
    if report.status not in ("draft", "returned"):
        raise Refused(marked("The report is on its way or approved, and cannot be changed."))


def _to_decide(work: Work, report_id: int, step_id: int) -> tuple[Report, ApprovalStep]:
    report = work.get(Report, report_id, "approve", lock=True)
    if report.status != "submitted":
        raise Refused(marked("The report does not wait for a decision."))
    me = staff.myself(work)
    if report.author_id == me:
        raise Forbidden(marked("Nobody decides about an own report."))
    current = _current(work, report, flow_of(work, report.report_class_id))
    if current is None or current.id != step_id:
        raise Refused(marked("Somebody has decided about this step already. Look at the report again."))
    if me not in _deciders(work, current):
        raise Forbidden(marked("This step of the flow is not yours to decide."))
    return report, current


def _act(work: Work, report: Report, step: ApprovalStep, action: str, comment: str | None) -> ApprovalAction:
    acted = ApprovalAction(
        report_id=report.id, approval_step_id=step.id, employee_id=staff.myself(work), action=action,
        comment=wording.optional("comment", comment), acted_at=max(work.now, report.submitted_at or work.now),
    )  # fmt: skip
    work.session.add(acted)
    work.session.flush()
    return acted
