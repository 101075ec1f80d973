"""Targets of a year: set, changed, taken back; whole or not at all; within reach; never over somebody else's change."""

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.estate import Project
from data_entry.schema.organisation import AuditLog, EmployeeProject
from data_entry.schema.planning import Annotation, Target
from data_entry.services import records, targets
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused
from data_entry.services.work import reading, writing
from tests.data_entry.services.people import clock, employee_of, hire

RIVER, HILL = 1, 2


@pytest.fixture
def chief(crm):
    key = hire(crm, "chief", "executive")
    with Session(crm) as session:
        session.add_all([Project(id=RIVER, name="River Bay"), Project(id=HILL, name="Hill View")])
        session.commit()
    return key


@pytest.fixture
def manager(crm, chief):
    key = hire(crm, "manager", "sales_manager", department="Sales")
    with Session(crm) as session:
        employee = employee_of(crm, key)
        session.add(EmployeeProject(employee_id=employee, project_id=RIVER, from_on=dt.date(2020, 1, 1)))
        session.commit()
    return key


def year(crm, who, metric="contract_amount", number=2026):
    with reading(crm, who, clock) as work:
        return targets.year_of(work, metric, number)


def save(crm, who, changes, shown=None, metric="contract_amount"):
    shown = shown or year(crm, who, metric)
    with writing(crm, who, clock) as work:
        return targets.save(work, shown, changes)


def test_targets_are_set_changed_and_taken_back(crm, chief):
    assert save(crm, chief, {(RIVER, 1): "1.2亿", (RIVER, 12): "￥5,000.50", (HILL, 1): ""}) == 2
    assert year(crm, chief).values == {(RIVER, 1): Decimal(120_000_000), (RIVER, 12): Decimal("5000.50")}
    assert year(crm, chief, number=2025).values == {}
    assert year(crm, chief, "leads").values == {}
    assert save(crm, chief, {(RIVER, 1): 130, (RIVER, 12): None}) == 2
    assert year(crm, chief).values == {(RIVER, 1): Decimal(130)}
    # Taken back and set again: the month is the key, so it is the same row.
    assert save(crm, chief, {(RIVER, 12): "7"}) == 1
    assert year(crm, chief).values[RIVER, 12] == 7
    assert save(crm, chief, {(RIVER, 12): "7.00"}) == 0
    with Session(crm) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Target)) == 2
        acts = session.scalars(sa.select(AuditLog.action).where(AuditLog.entity == "target").order_by(AuditLog.id))
        assert sorted(acts) == ["create", "create", "delete", "restore", "update"]


def test_all_or_nothing_and_every_wrong_value_is_named(crm, chief):
    with pytest.raises(Invalid) as caught:
        save(crm, chief, {(RIVER, 1): "10", (RIVER, 2): "-1", (HILL, 3): "many", (HILL, 4): "2.5"}, metric="leads")
    assert {problem.column: problem.message for problem in caught.value.problems} == {
        "River Bay 2026-02": "This must be at least {bound}.",
        "Hill View 2026-03": "This is not a number.",
        "Hill View 2026-04": "Write a whole number.",
    }
    assert year(crm, chief, "leads").values == {}


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(crm, chief):
    save(crm, chief, {(RIVER, 1): 100})
    opened = year(crm, chief)
    save(crm, chief, {(RIVER, 1): 200, (HILL, 5): 50})
    for changes in ({(RIVER, 1): 300}, {(HILL, 5): 60}, {(RIVER, 1): None}):
        with pytest.raises(Refused, match="changed") as caught:
            save(crm, chief, {**changes, (HILL, 6): 1}, opened)
        assert list(caught.value.values) == ["cells"]
    # What nobody touched may be saved from the same table.
    assert save(crm, chief, {(HILL, 6): 1}, opened) == 1
    assert year(crm, chief).values == {(RIVER, 1): 200, (HILL, 5): 50, (HILL, 6): 1}


def test_a_manager_sets_the_targets_of_own_estates_alone(crm, chief, manager):
    save(crm, chief, {(RIVER, 1): 100, (HILL, 1): 100})
    shown = year(crm, manager)
    assert [(estate.name, estate.is_open) for estate in shown.estates] == [("River Bay", True)]
    assert shown.values == {(RIVER, 1): 100}
    assert save(crm, manager, {(RIVER, 1): 150, (RIVER, 2): 160}) == 2
    for forged in ({(HILL, 1): 1}, {(HILL, 2): 1}, {(HILL, 1): None}):
        with pytest.raises((Forbidden, NotFound, Refused)):
            save(crm, manager, forged, year(crm, chief))
    assert year(crm, chief).values == {(RIVER, 1): 150, (HILL, 1): 100, (RIVER, 2): 160}


def test_who_only_reads_cannot_save_and_others_see_nothing(crm, chief):
    save(crm, chief, {(RIVER, 1): 100})
    marketing, sales = hire(crm, "planner", "marketing"), hire(crm, "seller", "sales")
    shown = year(crm, marketing)
    assert (shown.values, {estate.is_open for estate in shown.estates}) == ({(RIVER, 1): 100}, {False})
    for changes in ({(RIVER, 1): 1}, {(RIVER, 2): 1}, {(RIVER, 1): None}):
        with pytest.raises(Forbidden):
            save(crm, marketing, changes)
    with pytest.raises(Forbidden):
        year(crm, sales)
    assert year(crm, chief).values == {(RIVER, 1): 100}


def test_metrics_and_years_that_do_not_exist(crm, chief):
    for metric, number in (("roi", 2026), ("leads", 1900)):
        with pytest.raises(NotFound):
            year(crm, chief, metric, number)
    for cell in ((RIVER, 13), (99, 1)):
        with pytest.raises(NotFound):
            save(crm, chief, {cell: 1})


def test_an_annotation_names_who_entered_it(crm, manager):
    values = {"happened_on": "2026-03-01", "project_id": RIVER, "kind": "launch", "title": "Phase 2 opens"}
    with writing(crm, manager, clock) as work:
        key = records.create(work, "annotation", values)
    author = employee_of(crm, manager)
    with Session(crm) as session:
        assert session.get(Annotation, key).employee_id == author
    # The company's own events are beyond the estates of a manager.
    with pytest.raises(Forbidden), writing(crm, manager, clock) as work:
        records.create(work, "annotation", values | {"project_id": None})
