"""Classes of reports, and the flow of approval of each: who decides, in which order.

A change of a flow holds for reports that are on their way as well: what was decided at a step that stays counts on,
and a report that waited for a step taken out goes on, or is approved if no other is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.office import ApprovalStep, Report, ReportClass
from data_entry.schema.organisation import Position, Role
from data_entry.services import captions, reports, staff
from data_entry.services.errors import Refused
from data_entry.services.given import Given
from data_entry.services.work import Work
from loupan.i18n import marked


@dataclass(frozen=True)
class Step:
    """A step of a flow: the position or the role that decides, and the names of those who could today."""

    id: int
    position: str | None
    role: str | None
    people: tuple[str, ...]


@dataclass(frozen=True)
class Flow:
    """A class of reports with its steps in order, and how many reports are on their way."""

    id: int
    name: str
    is_active: bool
    steps: tuple[Step, ...]
    on_their_way: int


def flows(work: Work) -> list[Flow]:
    """Return the classes of reports by name, those in use first."""
    work.require("read", "report_class")
    work.require("read", "approval_step")
    rows = work.session.scalars(
        sa.select(ReportClass)
        .where(ReportClass.deleted_at.is_(None), reach(work.actor, "read", "report_class"))
        .order_by(ReportClass.is_active.desc(), ReportClass.name, ReportClass.id)
    ).all()
    waiting: dict[int, int] = dict(
        work.session.execute(
            sa.select(Report.report_class_id, sa.func.count())
            .where(Report.status == "submitted", Report.deleted_at.is_(None))
            .group_by(Report.report_class_id)
        ).all()
    )
    return [
        Flow(
            row.id, row.name, row.is_active,
            tuple(_described(work, step) for step in reports.flow_of(work, row.id)), waiting.get(row.id, 0),
        )
        for row in rows
    ]  # fmt: skip


def _described(work: Work, step: ApprovalStep) -> Step:
    role = work.session.get(Role, step.role_id) if step.position_id is None and step.role_id is not None else None
    position = (
        captions.captions(work, "position", [step.position_id]).get(step.position_id, "")
        if step.position_id is not None
        else None
    )
    people = staff.names(work, staff.deciders(work, step.position_id, step.role_id))
    return Step(step.id, position, role.name if role is not None else None, tuple(sorted(people.values())))


def roles(work: Work) -> dict[int, str]:
    """Return the roles that a step can name, by key."""
    work.require("read", "approval_step")
    return dict(
        work.session.execute(sa.select(Role.id, Role.name).where(Role.deleted_at.is_(None)).order_by(Role.id)).all()
    )


def add(work: Work, name: str) -> ReportClass:
    """Make a class of reports; until it has steps, its reports are approved as they are submitted.

    Raises:
        Invalid: if the name is missing, or another class has it.
    """
    work.require("create", "report_class")
    return work.add(ReportClass(name=_free_name(work, name)))


def rename(work: Work, class_id: int, name: str) -> None:
    """Give a class another name; see `add`."""
    row = _class(work, class_id)
    row.name = _free_name(work, name, row.id)
    work.session.flush()


def use(work: Work, class_id: int, is_active: bool) -> None:
    """Take a class out of use for new reports, or back into use; those written go on."""
    _class(work, class_id).is_active = is_active
    work.session.flush()


def add_step(work: Work, class_id: int, *, position_id: int | None = None, role_id: int | None = None) -> ApprovalStep:
    """Add a step at the end of a flow: a position or a role that decides.

    Raises:
        Invalid: unless one of the two is given, and there is such a one.
        Refused: if it decides in this flow already.
    """
    row = _class(work, class_id)
    given = Given()
    if (position_id is None) == (role_id is None):
        given.wrong("position_id", marked("Choose a position or a role."))
        given.check()
    if position_id is not None:
        work.get(Position, position_id)
    else:
        role = work.session.get(Role, given.key("role_id", role_id))
        if role is None or role.deleted_at is not None:
            given.wrong("role_id", marked("Choose one of the values offered."))
    given.check()
    steps = reports.flow_of(work, row.id)
    if any((step.position_id, step.role_id) == (position_id, role_id) for step in steps):
        raise Refused(marked("This position or role decides in the flow already."))
    last = max((step.sequence for step in steps), default=0)
    return work.add(ApprovalStep(report_class_id=row.id, sequence=last + 1, position_id=position_id, role_id=role_id))


def remove_step(work: Work, step_id: int) -> None:
    """Take a step out of its flow; decisions made at it stay on record."""
    step, row = _step(work, step_id, "delete")
    step.deleted_at = work.now
    # Its place is free for another one; places are unique, those of deleted steps included.
    step.sequence = -step.id
    work.session.flush()
    _number(work, reports.flow_of(work, row.id))
    reports.finish_waiting(work, row.id)


def shift_step(work: Work, step_id: int, places: int) -> None:
    """Move a step later in its flow by some places, or earlier by negative ones; it stops at either end."""
    step, row = _step(work, step_id, "update")
    steps = reports.flow_of(work, row.id)
    at = steps.index(step)
    steps.insert(min(max(at + places, 0), len(steps) - 1), steps.pop(at))
    _number(work, steps)


def _number(work: Work, steps: list[ApprovalStep]) -> None:
    """Give steps their places, from 1."""
    moved = {step: place for place, step in enumerate(steps, 1) if step.sequence != place}
    for step in moved:
        work.require_with("update", step)
        # Two steps never have one place, not even for a moment: those that move stand aside first.
        step.sequence = -step.id
    work.session.flush()
    for step, place in moved.items():
        step.sequence = place
    work.session.flush()


def _class(work: Work, class_id: int) -> ReportClass:
    """Return a class to change, while others who change it or its flow wait."""
    return work.get(ReportClass, class_id, "update", lock=True)


def _step(work: Work, step_id: int, action: str) -> tuple[ApprovalStep, ReportClass]:
    row = _class(work, work.get(ApprovalStep, step_id).report_class_id)
    return work.get(ApprovalStep, step_id, action, lock=True), row


def _free_name(work: Work, name: str, class_id: int | None = None) -> str:
    given = Given()
    text = given.text("name", name, 200, required=True)
    taken = sa.select(ReportClass.id).where(ReportClass.name == text, ReportClass.deleted_at.is_(None))
    if text is not None and not given.problems and work.session.scalar(taken.where(ReportClass.id != (class_id or 0))):
        given.wrong("name", marked("There is a class {name} already."), name=text)
    given.check()
    return str(text)
