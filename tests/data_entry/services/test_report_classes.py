"""Flows of approval: who decides in which order, and what a change does to reports on their way."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.office import ReportClass
from data_entry.schema.organisation import Role
from data_entry.services import records, report_classes, reports
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused
from tests.data_entry.services.test_reports import do, make_flow, status, waiting, write


def change(office, step, *args, who="admin", **values):
    with office.writing(who) as work:
        return step(work, *args, **values)


def steps(office, class_id):
    """The flow of a class as positions and roles in order, after a look at how they are numbered."""
    with office.reading("admin") as work:
        assert [s.sequence for s in reports.flow_of(work, class_id)] == list(
            range(1, len(reports.flow_of(work, class_id)) + 1)
        )
        (flow,) = (flow for flow in report_classes.flows(work) if flow.id == class_id)
        return [(step.position, step.role, step.people) for step in flow.steps]


def role(office, name):
    with Session(office.engine) as session:
        return session.scalars(sa.select(Role.id).where(Role.name == name)).one()


MANAGER = ("Head office / Sales · manager's", None, ("Manager",))
EXECUTIVE = (None, "executive", ("Boss",))
MARKETING = (None, "marketing", ("Mara",))


@pytest.mark.function("1.iii.2")
def test_a_flow_is_built_reordered_and_shortened(each_office):
    office = each_office
    class_id = change(office, report_classes.add, "Weekly").id
    assert steps(office, class_id) == []
    first = change(office, report_classes.add_step, class_id, position_id=office.position("manager")).id
    second = change(office, report_classes.add_step, class_id, role_id=role(office, "executive")).id
    third = change(office, report_classes.add_step, class_id, role_id=role(office, "marketing")).id
    assert steps(office, class_id) == [MANAGER, EXECUTIVE, MARKETING]
    change(office, report_classes.shift_step, third, -2)
    assert steps(office, class_id) == [MARKETING, MANAGER, EXECUTIVE]
    change(office, report_classes.shift_step, first, 9)
    assert steps(office, class_id) == [MARKETING, EXECUTIVE, MANAGER]
    change(office, report_classes.remove_step, second)
    assert steps(office, class_id) == [MARKETING, MANAGER]
    change(office, report_classes.add_step, class_id, role_id=role(office, "executive"))
    assert steps(office, class_id) == [MARKETING, MANAGER, EXECUTIVE]
    with pytest.raises(NotFound):
        change(office, report_classes.shift_step, second, 1)


def test_a_step_is_one_position_or_role_and_each_decides_once(office):
    class_id, _ = make_flow(office)
    for values in (
        {},
        {"position_id": office.position("manager"), "role_id": role(office, "sales")},
        {"role_id": 10**9},
    ):
        with pytest.raises(Invalid):
            change(office, report_classes.add_step, class_id, **values)
    with pytest.raises(NotFound):
        change(office, report_classes.add_step, class_id, position_id=10**9)
    with pytest.raises(Refused, match="already"):
        change(office, report_classes.add_step, class_id, role_id=role(office, "executive"))


def test_a_report_that_waited_for_a_step_taken_out_goes_on(office):
    class_id, (first, second) = make_flow(office)
    at_first, at_second = write(office, class_id), write(office, class_id)
    for key in (at_first, at_second):
        do(office, "amy", "submit", key)
    do(office, "manager", "approve", at_second, first)
    change(office, report_classes.remove_step, second)
    assert (status(office, at_first), status(office, at_second)) == ("submitted", "approved")
    assert waiting(office, "manager") == [at_first]
    do(office, "manager", "approve", at_first, first)
    assert status(office, at_first) == "approved"


def test_what_was_decided_counts_on_when_the_order_changes_and_a_new_step_is_asked_too(office):
    class_id, (first, second) = make_flow(office)
    key = write(office, class_id)
    do(office, "amy", "submit", key)
    do(office, "manager", "approve", key, first)
    change(office, report_classes.shift_step, first, 1)
    assert waiting(office, "boss") == [key]
    third = change(office, report_classes.add_step, class_id, role_id=role(office, "marketing")).id
    do(office, "boss", "approve", key, second)
    assert status(office, key) == "submitted"
    change(office, report_classes.remove_step, third)
    assert status(office, key) == "approved"


def test_a_class_out_of_use_takes_no_new_reports_and_those_written_go_on(office):
    class_id, (first, _) = make_flow(office)
    key = write(office, class_id)
    change(office, report_classes.use, class_id, False)
    with pytest.raises(Invalid):
        write(office, class_id)
    with office.reading("amy") as work:
        assert reports.classes(work) == {}
        assert reports.classes(work, class_id) == {class_id: "Weekly"}
    write(office, class_id, report_id=key, body="More.")
    do(office, "amy", "submit", key)
    do(office, "manager", "approve", key, first)
    change(office, report_classes.use, class_id, True)
    write(office, class_id)


def test_classes_have_names_of_their_own(office):
    class_id, _ = make_flow(office)
    other = change(office, report_classes.add, "Monthly").id
    for step, args in (
        (report_classes.add, ("Weekly",)),
        (report_classes.add, (" ",)),
        (report_classes.add, ("x" * 201,)),
        (report_classes.rename, (other, "Weekly")),
    ):
        with pytest.raises(Invalid):
            change(office, step, *args)
    change(office, report_classes.rename, class_id, "Weekly")
    change(office, report_classes.rename, class_id, "Every week")
    with Session(office.engine) as session:
        assert session.get(ReportClass, class_id).name == "Every week"


def test_only_administrators_change_flows_and_nobody_does_past_this_service(office):
    class_id, (first, _) = make_flow(office)
    for login in ("boss", "manager", "amy", "mara"):
        for step, args in (
            (report_classes.add, ("X",)),
            (report_classes.rename, (class_id, "X")),
            (report_classes.use, (class_id, False)),
            (report_classes.add_step, (class_id,)),
            (report_classes.remove_step, (first,)),
            (report_classes.shift_step, (first, 1)),
        ):
            with pytest.raises(Forbidden):
                change(office, step, *args, who=login)
    with pytest.raises(Refused):
        change(office, records.delete, "approval_step", first)
