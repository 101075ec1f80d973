"""Feedback of customers and of people who are none."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from data_entry.schema.customer import Customer
from data_entry.schema.estate import Project
from data_entry.schema.marketing import Activity, Plan
from data_entry.services import feedback, records
from data_entry.services.errors import Forbidden, Invalid
from data_entry.services.feedback import Filter
from data_entry.services.work import reading, writing
from tests.data_entry.services.people import clock, hire


@pytest.fixture
def fair(crm):
    clerk = hire(crm, "clerk", "marketing")
    with Session(crm) as session:
        for row in (
            Project(id=1, name="A"), Project(id=2, name="B"), Customer(id=1, name="Zhang"),
            Plan(id=1, name="P", project_id=1, start_on=dt.date(2026, 1, 1)), Activity(id=1, plan_id=1, name="Fair"),
        ):  # fmt: skip
            session.add(row)
            session.flush()
        session.commit()
    return crm, clerk


def say(fair, **values):
    crm, clerk = fair
    with writing(crm, clerk, clock) as work:
        return records.create(work, "feedback", {"received_at": "2026-03-09 10:00"} | values)


def test_the_estate_follows_from_the_activity(fair):
    key = say(fair, activity_id=1, rating=5)
    with reading(*fair, clock) as work:
        assert records.get(work, "feedback", key)["project_id"] == 1


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ({}, "rating"),
        ({"text": "  "}, "rating"),
        ({"rating": 6}, "rating"),
        ({"rating": 0}, "rating"),
        ({"rating": 3, "received_at": "2026-03-10 11:00"}, "received_at"),
        ({"rating": 3, "activity_id": 1, "project_id": 2}, "project_id"),
        ({"rating": 3, "customer_id": 77}, "customer_id"),
    ],
)
def test_what_does_not_fit(fair, values, column):
    with pytest.raises(Invalid) as caught:
        say(fair, **values)
    assert [problem.column for problem in caught.value.problems] == [column]


def test_statistics(fair):
    say(fair, activity_id=1, rating=5, customer_id=1)
    say(fair, activity_id=1, rating=2, respondent_name="Passer-by")
    say(fair, activity_id=1, text="Too loud", respondent_name="Li")
    say(fair, rating=4, received_at="2026-02-28 23:59", project_id=2)
    crm, clerk = fair
    with reading(crm, clerk, clock) as work:
        found = feedback.statistics(work, Filter())
        assert (found.everybody.count, found.everybody.rated) == (4, 3)
        assert found.everybody.mean == pytest.approx(11 / 3)
        assert found.everybody.good == pytest.approx(2 / 3)
        assert (found.customers.count, found.customers.mean) == (1, 5)
        assert (found.others.count, found.others.ratings) == (3, {1: 0, 2: 1, 3: 0, 4: 1, 5: 0})
        assert [(a.name, a.count, a.mean) for a in found.by_activity] == [("Fair", 3, 3.5), (None, 1, 4)]
        assert [(m.key, m.count) for m in found.by_month] == [("2026-02", 1), ("2026-03", 3)]
        for wanted, count in [
            (Filter(is_customer=True), 1), (Filter(is_customer=False), 3), (Filter(activity_id=1), 3),
            (Filter(project_id=2), 1), (Filter(since=dt.date(2026, 3, 1)), 3), (Filter(until=dt.date(2026, 2, 28)), 1),
        ]:  # fmt: skip
            assert feedback.statistics(work, wanted).everybody.count == count
            assert records.list_rows(work, "feedback", where=feedback.where(work, wanted)).total == count
        nothing = feedback.statistics(work, Filter(project_id=99)).everybody
        assert (nothing.mean, nothing.good) == (None, None)


def test_who_may_not_read_it(fair):
    crm, _ = fair
    say(fair, rating=1, text="secret")
    with reading(crm, hire(crm, "seller", "sales"), clock) as work, pytest.raises(Forbidden):
        feedback.statistics(work, Filter())
    with reading(crm, hire(crm, "chief", "executive"), clock) as work:
        (row,) = records.list_rows(work, "feedback").rows
        assert (row["rating"], row["text"]) == (1, None)
