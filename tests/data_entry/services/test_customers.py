"""Customers: duplicates, owners, merging, finding, and the alarm."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from data_entry.schema.customer import Customer, CustomerOwner
from data_entry.services import customers, leads
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused, ServiceError
from data_entry.services.profile import profile
from tests.data_entry.services.sales_company import (
    CANCEL,
    ELSEWHERE,
    ESTATE,
    LOSS,
    MANAGER,
    SERVICE,
    STRANGER,
    WANG,
    ZHAO,
)


def test_who_enters_a_customer_looks_after_it(company):
    with company.write() as work:
        customer = customers.enter(work, {"name": " 陈一 ", "phone": "+86 138 0000 0001"}, project_id=ESTATE)
        assert (customer.name, customer.phone) == ("陈一", "13800000001")
    with Session(company.engine) as session:
        owner = session.scalars(sa.select(CustomerOwner)).one()
        assert (owner.employee_id, owner.project_id, owner.from_at) == (WANG, ESTATE, company.now)
    with company.read(ZHAO) as work, pytest.raises(NotFound):
        profile(work, customer.id)
    with company.read(MANAGER) as work:
        assert profile(work, customer.id).row.owners == ["Wang"]


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ({"name": ""}, "name"),
        ({"name": "x", "phone": "12"}, "phone"),
        ({"name": "x", "email": "nobody"}, "email"),
        ({"name": "x", "birth_on": dt.date(2030, 1, 1)}, "birth_on"),
        ({"name": "x" * 201}, "name"),
        ({"name": "x", "gender": "n/a"}, "gender"),
        ({"name": "x", "customer_class_id": 99}, "customer_class_id"),
        ({"name": "x", "merged_into_id": 1}, "merged_into_id"),
    ],
)
def test_particulars_that_do_not_fit(company, values, column):
    with company.write() as work, pytest.raises(Invalid) as error:
        customers.enter(work, values)
    assert [problem.column for problem in error.value.problems] == [column]


def test_the_same_number_is_noticed_and_somebody_elses_customer_not_told(company_on_each):
    company = company_on_each
    with company.write(ZHAO) as work:
        customers.enter(work, {"name": "陈一", "phone": "138-0000-0001"}, project_id=ESTATE)
    with company.write(WANG) as work, pytest.raises(customers.Duplicate) as error:
        customers.enter(work, {"name": "Someone", "phone": "8613800000001"})
    found = error.value.candidates[0]
    assert (found.customer_id, found.name, found.owners, found.why) == (None, None, ("Zhao",), "phone")
    with company.write(MANAGER) as work, pytest.raises(customers.Duplicate) as error:
        customers.enter(work, {"name": "Someone", "phone": "13800000001"})
    assert error.value.candidates[0].name == "陈一"
    with company.write(WANG) as work:
        customers.enter(work, {"name": "Someone", "phone": "13800000001"}, despite_duplicates=True)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"name": "欧阳明月", "phone": "13800000002"}, "number"),
        ({"name": "欧阳明月", "birth_on": dt.date(1990, 5, 1)}, "birthday"),
        ({"name": "欧阳明月"}, "name"),
        ({"name": "Li", "email": "OM@example.com"}, "email"),
        ({"name": "欧阳明月", "phone": "13999999999"}, None),
        ({"name": "李四", "phone": "13800000002"}, None),
        ({"name": "李四", "birth_on": dt.date(1990, 5, 1)}, None),
    ],
)
def test_similar_customers(company, other, why):
    with company.write() as work:
        customers.enter(
            work,
            {"name": "欧阳明月", "phone": "13800000001", "birth_on": dt.date(1990, 5, 1), "email": "om@example.com"},
        )
        found = customers.find_duplicates(work, **other)
    assert [candidate.why for candidate in found] == ([why] if why else [])


def test_a_merged_customer_counts_as_its_survivor(company_on_each):
    company = company_on_each
    first, second = company.lead(), company.lead(ZHAO, "陈一一", "13900000009")
    one, two = company.customer_of(first), company.customer_of(second)
    company.later()
    with company.write(WANG) as work, pytest.raises((Forbidden, NotFound)):
        customers.merge(work, two, one)
    with company.write(MANAGER) as work:
        top = customers.merge(work, two, one, {"name": "陈一"})
        assert (top.id, top.phone) == (one, "13800000001")
    with company.read(MANAGER) as work:
        found = profile(work, two)
        assert (found.customer.id, [c.id for c in found.merged]) == (one, [two])
        assert {lead.id for lead in found.leads} == {first, second}
        rows, total = customers.listing(work, text="13900000009")
        assert ([row.customer.id for row in rows], total) == ([one], 1)
    for loop in ((one, two), (two, one), (one, one)):
        with company.write(MANAGER) as work, pytest.raises(Refused):
            customers.merge(work, *loop)


def test_the_survivor_gets_what_it_lacks_and_whom_it_lacks(company):
    with company.write(MANAGER) as work:
        one = customers.enter(work, {"name": "A", "phone": "13800000001"}, project_id=ELSEWHERE).id
        two = customers.enter(work, {"name": "B", "occupation": "nurse"}, project_id=ESTATE, employee_id=ZHAO).id
        top = customers.merge(work, two, one)
        assert (top.name, top.occupation) == ("A", "nurse")
    with company.read(ZHAO) as work:
        assert profile(work, one).customer.name == "A"


def test_a_customer_is_handed_over(company):
    key = company.customer_of(company.lead())
    company.later()
    with company.write(WANG) as work, pytest.raises(Forbidden):
        customers.assign(work, key, ZHAO, "leave")
    for employee, reason, error in ((ZHAO, " ", Invalid), (STRANGER, "x", Forbidden), (99, "x", Invalid)):
        with company.write(MANAGER) as work, pytest.raises(error):
            customers.assign(work, key, employee, reason)
    with company.write(MANAGER) as work:
        customers.assign(work, key, ZHAO, "leave", ESTATE)
    with company.write(MANAGER) as work, pytest.raises(Refused):
        customers.assign(work, key, ZHAO, "again", ESTATE)
    with company.read(WANG) as work:
        assert customers.listing(work) == ([], 0)
    with company.read(ZHAO) as work:
        assert [row.owners for row in customers.listing(work)[0]] == [["Zhao"]]
    with Session(company.engine) as session:
        before, after = session.scalars(sa.select(CustomerOwner).order_by(CustomerOwner.id))
        assert (before.to_at, after.from_at, before.reason) == (company.now, company.now, "leave")


def test_handing_over_one_estate_keeps_the_others(company):
    with company.write(MANAGER) as work:
        key = customers.enter(work, {"name": "A"}, employee_id=WANG).id
    with company.write(WANG) as work:
        leads.open_lead(work, key, ESTATE)
        leads.open_lead(work, key, ELSEWHERE)
    with company.write(MANAGER) as work:
        customers.assign(work, key, ZHAO, "team", ESTATE)
    with Session(company.engine) as session:
        present = session.scalars(sa.select(CustomerOwner).where(CustomerOwner.to_at.is_(None)))
        assert {(o.project_id, o.employee_id) for o in present} == {(ESTATE, ZHAO), (ELSEWHERE, WANG)}


def test_the_alarm_rings_for_open_leads_only(company_on_each):
    company = company_on_each
    quiet, lost, due = company.lead(), company.lead(name="B", phone="13800000012"), company.lead(name="C", phone=None)
    with company.write() as work:
        leads.record(work, lost, "lost", reason_id=LOSS)
        leads.plan_next_step(work, due, "Call", dt.date(2026, 3, 10))
    company.later(13)
    with company.read() as work:
        assert customers.listing(work, view="silent")[1] == 0
        assert [row.next_step for row in customers.listing(work, view="todo")[0]] == [("Call", dt.date(2026, 3, 10))]
    company.later(1)
    with company.write() as work:
        leads.record(work, due, "call")
    with company.read() as work:
        rows, _ = customers.listing(work, view="silent")
        assert [(row.customer.id, row.silent_days, row.is_silent) for row in rows] == [
            (company.customer_of(quiet), 14, True)
        ]
        assert customers.listing(work, view="todo")[1] == 2
        assert (customers.listing(work, view="open")[1], customers.listing(work)[1]) == (2, 3)


def test_sql_and_python_agree_on_what_is_open(company_on_each):
    company = company_on_each
    from data_entry.services import deals

    keys = [company.lead(name=f"N{n}", phone=f"1380000010{n}") for n in range(5)]
    with company.write() as work:
        company.later(0.01)
    with company.write() as work:
        deals.open_deal(work, keys[1], "contract", 1_000_000, unit_id=1)
        booked = deals.open_deal(work, keys[2], "booking", 1000, unit_id=2).id
        deals.cancel(work, booked, CANCEL)
        again = deals.open_deal(work, keys[3], "contract", 1_000_000, unit_id=3).id
        deals.cancel(work, again, CANCEL, keeps_looking=True)
        leads.record(work, keys[4], "lost", reason_id=LOSS)
    with company.read() as work:
        found = {row.customer.id for row in customers.listing(work, view="open")[0]}
        assert found == {company.customer_of(keys[0]), company.customer_of(keys[3])}
        states = {row.customer.id: row.ways[0].state for row in customers.listing(work)[0]}
        assert {key for key, state in states.items() if state == "open"} == found


def test_anybody_of_the_service_finds_any_customer(company_on_each):
    company = company_on_each
    from data_entry.services import deals

    lead = company.lead(name="欧阳明月")
    key = company.customer_of(lead)
    with company.write() as work:
        deals.open_deal(work, lead, "booking", 1000, unit_id=1)
    for text in ("明月", "138 0000 0001", "0001", str(key), "1 101", "1-101", "101"):
        with company.read(SERVICE) as work:
            assert [row.customer.id for row in customers.listing(work, text=text)[0]] == [key], text
    for text in ("%", "_", "'; --", "nobody", "\\"):
        with company.read(SERVICE) as work:
            assert customers.listing(work, text=text) == ([], 0)
    with company.read(STRANGER) as work:
        assert customers.listing(work, text="明月") == ([], 0)


def test_a_search_does_not_tell_names_to_who_may_not_read_them(company):
    from data_entry.access.actor import Actor

    key = company.customer_of(company.lead(name="欧阳明月"))
    blind = Actor(None, permissions={("customer", "read"): frozenset({"all"})})
    from data_entry.services.work import reading

    with reading(company.engine, blind, clock=lambda: company.now) as work:
        assert customers.listing(work, text="明月") == ([], 0)
        rows, _ = customers.listing(work)
        assert [(row.customer.id, row.is_known) for row in rows] == [(key, False)]
        assert customers.find_duplicates(work, phone="13800000001")[0].name is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(
        st.sampled_from(("name", "phone", "email", "note", "gender", "kind", "birth_on", "customer_class_id")),
        st.one_of(st.none(), st.text(max_size=250), st.dates(), st.integers(-5, 2**40)),
    ),
    text=st.text(max_size=30),
)
def test_whatever_is_entered_is_a_row_or_a_message(fuzzed, values, text):
    before = fuzzed.count()
    try:
        with fuzzed.company.write() as work:
            customers.enter(work, values, despite_duplicates=True)
        assert fuzzed.count() == before + 1
    except ServiceError:
        assert fuzzed.count() == before
    with fuzzed.company.read() as work:
        customers.listing(work, text=text)


@pytest.fixture
def fuzzed(company):
    class Fuzzed:
        def __init__(self):
            self.company = company

        def count(self):
            with Session(company.engine) as session:
                return session.scalar(sa.select(sa.func.count()).select_from(Customer))

    return Fuzzed()
