"""Plans and their activities: dates, and what they cost and brought."""

import datetime as dt
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from data_entry.schema.customer import Customer
from data_entry.schema.estate import Project
from data_entry.schema.lead import Lead
from data_entry.schema.marketing import Activity, Expense, Feedback, Plan
from data_entry.services import plans, records
from data_entry.services.errors import Forbidden, Invalid, Refused
from data_entry.services.work import reading, writing
from tests.data_entry.services.people import NOW, clock, hire


@pytest.fixture
def marketing(crm):
    clerk = hire(crm, "clerk", "marketing")
    with Session(crm) as session:
        session.add(Project(id=1, name="滨江壹号"))
        session.commit()
    return crm, clerk


def make_plan(crm, clerk, **values):
    values = {
        "name": "Fair",
        "project_id": 1,
        "start_on": "2026-03-01",
        "end_on": "2026-03-31",
        "budget": 1000,
    } | values
    with writing(crm, clerk, clock) as work:
        return records.create(work, "plan", values)


def make_activity(crm, clerk, plan, **values):
    values = {"name": "Stand", "plan_id": plan, "start_on": "2026-03-05", "end_on": "2026-03-10"} | values
    with writing(crm, clerk, clock) as work:
        return records.create(work, "activity", values)


def problems_of(call):
    with pytest.raises(Invalid) as caught:
        call()
    return {problem.column: str(problem.message) for problem in caught.value.problems}


def test_an_activity_lies_within_its_plan(marketing):
    crm, clerk = marketing
    plan = make_plan(crm, clerk)
    make_activity(crm, clerk, plan, start_on="2026-03-01", end_on="2026-03-31")
    make_activity(crm, clerk, plan, start_on=None, end_on=None)
    outside = "This is outside of the plan ({first} to {last})."
    assert problems_of(lambda: make_activity(crm, clerk, plan, start_on="2026-02-28")) == {"start_on": outside}
    assert problems_of(lambda: make_activity(crm, clerk, plan, end_on="2026-04-01")) == {"end_on": outside}
    assert "start_on" in problems_of(lambda: make_activity(crm, clerk, plan, start_on=None))
    assert "plan_id" in problems_of(lambda: make_activity(crm, clerk, None))
    assert "end_on" in problems_of(lambda: make_activity(crm, clerk, plan, end_on="2026-03-04"))


def test_an_open_plan_takes_later_activities(marketing):
    crm, clerk = marketing
    make_activity(crm, clerk, make_plan(crm, clerk, end_on=None), end_on="2030-01-01")


def test_a_plan_does_not_shrink_below_its_activities(marketing):
    crm, clerk = marketing
    plan = make_plan(crm, clerk)
    make_activity(crm, clerk, plan)

    def change(**values):
        with writing(crm, clerk, clock) as work:
            records.update(work, "plan", plan, values, None)

    change(start_on="2026-03-05", end_on="2026-03-10")
    assert set(problems_of(lambda: change(start_on="2026-03-06"))) == {"start_on"}
    assert set(problems_of(lambda: change(end_on="2026-03-09"))) == {"end_on"}
    assert set(problems_of(lambda: change(budget="-1"))) == {"budget"}
    change(end_on=None)


def test_old_rows_that_break_a_rule_can_still_be_mended_elsewhere(marketing):
    crm, clerk = marketing
    plan = make_plan(crm, clerk)
    with Session(crm) as session:
        old = Activity(plan_id=plan, name="Old", start_on=dt.date(2020, 1, 1))
        session.add(old)
        session.commit()
        key = old.id
    with writing(crm, clerk, clock) as work:
        records.update(work, "activity", key, {"name": "Renamed"}, None)
    with pytest.raises(Invalid), writing(crm, clerk, clock) as work:
        records.update(work, "activity", key, {"start_on": "2020-01-02"}, None)


def test_budget_beside_what_was_spent_and_waits(marketing):
    crm, clerk = marketing
    plan = make_plan(crm, clerk)
    stand, ad = make_activity(crm, clerk, plan), make_activity(crm, clerk, plan, name="Ad")
    with Session(crm) as session:
        day = dt.date(2026, 3, 6)
        for status, amount, of_plan, activity in [
            ("paid", "100.10", plan, None), ("approved", "50", None, stand), ("submitted", "7", plan, ad),
            ("draft", "900", plan, None), ("rejected", "800", plan, stand), ("paid", "3", None, None),
        ]:  # fmt: skip
            session.add(
                Expense(plan_id=of_plan, activity_id=activity, incurred_on=day, amount=Decimal(amount), status=status)
            )
        session.add(Expense(plan_id=plan, incurred_on=day, amount=Decimal(5), status="paid", deleted_at=NOW))
        customer = Customer(name="x")
        session.add(customer)
        session.flush()
        session.add_all(
            [
                Lead(customer_id=customer.id, project_id=1, activity_id=stand, opened_at=NOW),
                Feedback(activity_id=stand, rating=4, received_at=NOW),
                Feedback(activity_id=stand, rating=5, received_at=NOW),
            ]
        )
        session.commit()
    with reading(crm, clerk, clock) as work:
        (line,), total = plans.overview(work)
        assert total == 1
        assert (line.spent, line.waiting, line.activities, line.leads) == (Decimal("150.10"), Decimal(7), 2, 1)
        assert line.used == pytest.approx(0.1501)
        assert line.state == "running"
        assert line.project == "滨江壹号"
        assert plans.plan(work, plan) == line
        first, second = plans.activities(work, plan)
        assert (first.name, first.spent, first.waiting, first.leads, first.rating) == ("Stand", 50, 0, 1, 4.5)
        assert (second.name, second.spent, second.waiting, second.leads, second.rating) == ("Ad", 0, 7, 0, None)


def test_plans_are_found_by_state_estate_and_name(marketing):
    crm, clerk = marketing
    make_plan(crm, clerk, name="Past", start_on="2026-01-01", end_on="2026-03-09")
    make_plan(crm, clerk, name="Now", start_on="2026-03-10", end_on="2026-03-10")
    make_plan(crm, clerk, name="Open", start_on="2026-01-02", end_on=None, project_id=None)
    make_plan(crm, clerk, name="Next 100%", start_on="2026-03-11")

    def names(**wanted):
        with reading(crm, clerk, clock) as work:
            return [line.name for line in plans.overview(work, **wanted)[0]]

    assert names() == ["Next 100%", "Now", "Open", "Past"]
    assert names(state="over") == ["Past"]
    assert names(state="running") == ["Now", "Open"]
    assert names(state="coming") == ["Next 100%"]
    assert names(search="0%") == ["Next 100%"]
    assert names(search="%") == ["Next 100%"]
    assert names(project_id=1, state="running") == ["Now"]
    assert names(page=1, size=3) == ["Past"]


def test_others_read_nothing(marketing):
    crm, clerk = marketing
    make_plan(crm, clerk)
    seller = hire(crm, "seller", "sales")
    with reading(crm, seller, clock) as work, pytest.raises(Forbidden):
        plans.overview(work)


def test_a_plan_with_money_spent_is_not_deleted(marketing):
    crm, clerk = marketing
    plan = make_plan(crm, clerk)
    with Session(crm) as session:
        session.add(Expense(plan_id=plan, incurred_on=dt.date(2026, 3, 1), amount=Decimal(1), status="paid"))
        session.commit()
    with pytest.raises(Refused), writing(crm, clerk, clock) as work:
        records.delete(work, "plan", plan)
    with Session(crm) as session:
        assert session.get(Plan, plan).deleted_at is None
