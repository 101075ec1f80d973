"""Reports and the flow of their class."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.customer import Feature
from data_entry.schema.office import ApprovalAction, ApprovalStep, Report, ReportClass
from data_entry.schema.organisation import EmployeePosition, Role
from data_entry.services import reports
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused, ServiceError, Stale
from tests.data_entry.services.people import TODAY


@pytest.fixture
def flow(office):
    return make_flow(office)


def make_flow(office):
    """A class whose reports the manager's position approves first, then the role of executives."""
    (key,) = office.add(ReportClass(name="Weekly"))
    with Session(office.engine) as session:
        executive = session.scalar(sa.select(Role.id).where(Role.name == "executive"))
    steps = office.add(
        ApprovalStep(report_class_id=key, sequence=1, position_id=office.position("manager")),
        ApprovalStep(report_class_id=key, sequence=2, role_id=executive),
    )
    return key, steps


def write(office, class_id, login="amy", **values):
    with office.writing(login) as work:
        return reports.write(
            work, report_class_id=class_id, title="Week 10", body=values.pop("body", "All well."), **values
        ).id


def do(office, login, name, *arguments):
    with office.writing(login) as work:
        return getattr(reports, name)(work, *arguments)


def status(office, key):
    with Session(office.engine) as session:
        return session.get(Report, key).status


def waiting(office, login):
    with office.reading(login) as work:
        return [report.id for report in reports.waiting(work)]


def test_a_report_goes_step_by_step(each_office):
    office, flow = each_office, make_flow(each_office)
    class_id, (first, second) = flow
    key = write(office, class_id)
    assert (status(office, key), waiting(office, "manager")) == ("draft", [])
    do(office, "amy", "submit", key)
    assert (waiting(office, "manager"), waiting(office, "boss")) == ([key], [])
    with pytest.raises(Refused):
        do(office, "boss", "approve", key, second)
    do(office, "manager", "approve", key, first, "Agreed")
    assert (waiting(office, "manager"), waiting(office, "boss"), status(office, key)) == ([], [key], "submitted")
    do(office, "boss", "approve", key, second)
    assert (status(office, key), waiting(office, "boss")) == ("approved", [])
    with office.reading("amy") as work:
        item, stages, actions = reports.one(work, key)
        assert [(s.state, s.decided_by) for s in stages] == [("approved", "Manager"), ("approved", "Boss")]
        assert [(a.action, name, a.comment) for a, name in actions] == [
            ("approve", "Manager", "Agreed"),
            ("approve", "Boss", None),
        ]
        assert reports.allowed(work, item.report) == {"comment"}


def test_a_returned_report_begins_at_the_first_step_again(office, flow):
    class_id, (first, second) = flow
    key = write(office, class_id)
    do(office, "amy", "submit", key)
    do(office, "manager", "approve", key, first)
    with pytest.raises(Invalid):
        do(office, "boss", "give_back", key, second, " ")
    do(office, "boss", "give_back", key, second, "Add figures")
    assert status(office, key) == "returned"
    write(office, class_id, report_id=key, body="With figures.")
    do(office, "amy", "submit", key)  # at the very same moment by the clock
    assert (waiting(office, "manager"), waiting(office, "boss")) == ([key], [])
    do(office, "manager", "approve", key, first)
    do(office, "boss", "approve", key, second)
    assert status(office, key) == "approved"


def test_a_class_without_steps_approves_at_once(office):
    (class_id,) = office.add(ReportClass(name="Notice"))
    key = write(office, class_id)
    do(office, "amy", "submit", key)
    assert status(office, key) == "approved"
    with pytest.raises(Refused, match="no approval flow"):
        do(office, "amy", "comment", key, "x")


def test_only_the_author_writes_and_only_drafts(office, flow):
    class_id, (first, _) = flow
    key = write(office, class_id)
    for login in ("bob", "boss", "manager"):
        with pytest.raises((Forbidden, NotFound)):
            write(office, class_id, login, report_id=key)
        with pytest.raises((Forbidden, NotFound)):
            do(office, login, "submit", key)
    with office.reading("boss") as work, pytest.raises(NotFound):
        reports.one(work, key)  # another's draft
    do(office, "amy", "submit", key)
    for name in ("submit", "discard"):
        with pytest.raises(Refused):
            do(office, "amy", name, key)
    with pytest.raises(Refused):
        write(office, class_id, report_id=key)
    for login in ("bob", "sue"):
        with pytest.raises((Forbidden, NotFound)):
            do(office, login, "approve", key, first)


def test_what_is_missing_is_named(office, flow):
    class_id, _ = flow
    with pytest.raises(Invalid), office.writing("amy") as work:
        reports.write(work, report_class_id=class_id, title="", body="x")
    with pytest.raises(Invalid):
        write(office, 999)
    key = write(office, class_id, body="")
    with pytest.raises(Invalid):
        do(office, "amy", "submit", key)


def test_a_stale_save_shows_both(office, flow):
    class_id, _ = flow
    key = write(office, class_id)
    write(office, class_id, report_id=key, body="Second", row_version=1)
    with pytest.raises(Stale) as stale:
        write(office, class_id, report_id=key, body="Third", row_version=1)
    assert (stale.value.mine["body"], stale.value.theirs["body"]) == ("Third", "Second")


def test_nobody_decides_about_an_own_report(office, flow):
    class_id, (first, second) = flow
    key = write(office, class_id, "manager")
    do(office, "manager", "submit", key)
    # The manager's own step is passed over, for nobody else holds the position.
    assert (waiting(office, "manager"), waiting(office, "boss")) == ([], [key])
    with pytest.raises((Forbidden, Refused)):
        do(office, "manager", "approve", key, first)
    do(office, "boss", "approve", key, second)
    assert status(office, key) == "approved"


def test_who_holds_the_position_today_decides(office, flow):
    class_id, (first, _) = flow
    key = write(office, class_id)
    do(office, "amy", "submit", key)
    with Session(office.engine) as session:
        held = session.scalars(
            sa.select(EmployeePosition).where(EmployeePosition.employee_id == office.employee("manager"))
        ).one()
        session.add(EmployeePosition(employee_id=office.employee("bob"), position_id=held.position_id, from_on=TODAY))
        held.to_on = TODAY.replace(day=1)
        session.commit()
    assert (waiting(office, "manager"), waiting(office, "bob")) == ([], [key])
    do(office, "bob", "approve", key, first)
    with pytest.raises((Forbidden, NotFound, Refused)):
        do(office, "manager", "approve", key, first)


def test_comments_are_for_those_in_the_flow(office, flow):
    class_id, _ = flow
    key = write(office, class_id)
    with pytest.raises(Refused):
        do(office, "amy", "comment", key, "too early")
    do(office, "amy", "submit", key)
    for login in ("amy", "manager", "boss"):
        do(office, login, "comment", key, f"from {login}")
    for login in ("bob", "mara"):
        with pytest.raises((Forbidden, NotFound)):
            do(office, login, "comment", key, "x")
    assert waiting(office, "manager") == [key]


def test_two_at_once_decide_once(each_office):
    office, flow = each_office, make_flow(each_office)
    class_id, (first, _) = flow
    office.add(
        EmployeePosition(employee_id=office.employee("bob"), position_id=office.position("manager"), from_on=TODAY)
    )
    key = write(office, class_id)
    do(office, "amy", "submit", key)

    def decide(login):
        try:
            do(office, login, "approve", key, first)
        except ServiceError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(decide, ["manager", "bob", "manager", "bob"]))
    assert outcomes.count(None) == 1
    assert set(outcomes) <= {None, Refused}
    with Session(office.engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ApprovalAction)) == 1


def test_features_of_the_class_are_asked_for(office, flow):
    class_id, _ = flow
    other, needed, choice = office.add(
        Feature(entity="report", name="Other", data_type="text", class_id=class_id + 100, is_required=True),
        Feature(entity="report", name="Visitors", data_type="number", class_id=class_id, is_required=True),
        Feature(entity="report", name="Mood", data_type="choice", options="good\nbad"),
    )
    key = write(office, class_id)
    with pytest.raises(Invalid, match="Visitors"):
        do(office, "amy", "submit", key)
    for values in ({needed: ["many"]}, {choice: ["fine"]}, {needed: ["1", "2"]}):
        with pytest.raises(Invalid):
            write(office, class_id, report_id=key, features=values)
    write(office, class_id, report_id=key, features={needed: ["31"], choice: ["good"], other: ["x"]})
    write(office, class_id, report_id=key, features={needed: ["32"]})
    with office.reading("amy") as work:
        assert [(f.name, v) for f, v in reports.features(work, class_id, key)] == [
            ("Visitors", ["32"]),
            ("Mood", ["good"]),
        ]
    do(office, "amy", "submit", key)
    assert status(office, key) == "submitted"


def test_an_account_of_no_employee_writes_no_report(office, flow):
    from data_entry.access import SYSTEM
    from data_entry.services.work import writing

    with pytest.raises(Refused), writing(office.engine, SYSTEM) as work:
        reports.write(work, report_class_id=flow[0], title="x", body="y")
