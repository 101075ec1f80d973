"""The life of a lead: what it allows and what it refuses."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.lead import Lead, LeadEvent, Touchpoint
from data_entry.services import customers, deals, leads
from data_entry.services.errors import Invalid, NotFound, Refused
from tests.data_entry.services.sales_company import (  # noqa: F401 - fixtures
    CANCEL,
    ELSEWHERE,
    ESTATE,
    LOSS,
    MANAGER,
    STRANGER,
    ZHAO,
    Company,
)


def record(company, lead, kind, who=1, **parts):
    with company.write(who) as work:
        return leads.record(work, lead, kind, **parts)


def test_a_lead_begins_with_a_contact(company):
    lead = company.lead(wishes={"intent_level": "A", "budget": 2_000_000})
    with Session(company.engine) as session:
        row, touch = session.get_one(Lead, lead), session.scalars(sa.select(Touchpoint)).one()
        assert (row.employee_id, row.opened_at, row.intent_level, row.source_id) == (1, company.now, "A", 1)
        assert (touch.customer_id, touch.kind, touch.occurred_at) == (row.customer_id, "visit", company.now)


def test_there_is_one_lead_per_customer_and_estate(company):
    lead = company.lead()
    key = company.customer_of(lead)
    with company.write() as work, pytest.raises(Refused, match="looked after by Wang"):
        leads.open_lead(work, key, ESTATE)
    with company.write() as work:
        assert leads.open_lead(work, key, ELSEWHERE).id != lead
    record(company, lead, "lost", reason_id=LOSS)
    with company.write() as work, pytest.raises(Refused, match="reopen"):
        leads.open_lead(work, key, ESTATE)


def test_the_duplicate_of_a_customer_gets_no_second_lead(company):
    one = company.customer_of(company.lead())
    with company.write(ZHAO) as work:
        two = customers.enter(work, {"name": "Other"}, project_id=ESTATE).id
    with company.write(MANAGER) as work:
        customers.merge(work, two, one)
    with company.write(ZHAO) as work, pytest.raises(Refused, match="merged"):
        leads.open_lead(work, two, ESTATE)


def test_a_stranger_reaches_nothing(company):
    lead = company.lead()
    key = company.customer_of(lead)
    for who in (ZHAO, STRANGER):
        with company.write(who) as work, pytest.raises(NotFound):
            leads.record(work, lead, "call")
        with company.write(who) as work, pytest.raises(NotFound):
            leads.plan_next_step(work, lead, "x", None)
        with company.write(who) as work, pytest.raises(NotFound):
            leads.open_lead(work, key, ELSEWHERE)


def test_a_lost_lead_takes_nothing_but_a_reopening(company):
    lead = company.lead()
    with company.write() as work:
        leads.plan_next_step(work, lead, "Call", work.today)
    for reason in (None, CANCEL, 99):
        with pytest.raises(Invalid):
            record(company, lead, "lost", reason_id=reason)
    record(company, lead, "lost", reason_id=LOSS)
    for kind in ("call", "visit", "qualified", "lost"):
        with pytest.raises(Refused, match="lost"):
            record(company, lead, kind, is_effective=True, reason_id=LOSS if kind == "lost" else None)
    with company.write() as work, pytest.raises(Refused):
        leads.plan_next_step(work, lead, "Call", work.today)
    with company.write() as work, pytest.raises(Refused):
        deals.open_deal(work, lead, "small_booking", 1000)
    record(company, lead, "reopened")
    record(company, lead, "visit", is_effective=False)
    with company.read() as work:
        way = leads.state_of(work, lead)
        assert (way.state, way.visits, way.lead.next_step) == ("open", 0, None)


def test_only_a_lost_lead_is_reopened(company):
    lead = company.lead()
    with pytest.raises(Refused):
        record(company, lead, "reopened")
    with company.write() as work:
        deal = deals.open_deal(work, lead, "booking", 1000, unit_id=1).id
    with pytest.raises(Refused, match="Cancel"):
        record(company, lead, "lost", reason_id=LOSS)
    with company.write() as work:
        deals.cancel(work, deal, CANCEL)
    with pytest.raises(Refused, match="lost"):
        record(company, lead, "call")
    record(company, lead, "reopened")
    record(company, lead, "call")


def test_moments_follow_each_other(company):
    opened = company.now
    lead = company.lead()
    company.later(2)
    local = dt.datetime(2026, 3, 3, 9, 0)
    assert record(company, lead, "call", occurred_at=local).occurred_at == dt.datetime(2026, 3, 3, 1, 0)
    for moment in (dt.datetime(2026, 3, 2, 9, 0), dt.datetime(2026, 3, 4, 10, 1), dt.datetime.min, dt.datetime.max):
        with pytest.raises(Invalid):
            record(company, lead, "call", occurred_at=moment)
    record(company, lead, "lost", reason_id=LOSS, occurred_at=dt.datetime(2026, 3, 3, 12, 0))
    with pytest.raises(Invalid):
        record(company, lead, "reopened", occurred_at=dt.datetime(2026, 3, 3, 11, 0))
    record(company, lead, "reopened", occurred_at=dt.datetime(2026, 3, 3, 12, 0))
    with pytest.raises(Invalid):
        record(company, lead, "call", occurred_at=dt.datetime(2026, 3, 3, 11, 0))
    key = company.customer_of(lead)
    with company.write() as work, pytest.raises(Invalid):
        leads.open_lead(work, key, ELSEWHERE, opened_at=opened + dt.timedelta(days=30))


def test_what_does_not_fit(company):
    lead = company.lead()
    for kind, parts in (
        ("visit", {}), ("sold", {}), ("call", {"reason_id": LOSS}), ("call", {"occurred_at": dt.datetime(2030, 1, 1)}),
    ):  # fmt: skip
        with pytest.raises(Invalid):
            record(company, lead, kind, **parts)
    record(company, lead, "qualified", note="  good ")
    with pytest.raises(Refused):
        record(company, lead, "qualified")
    for text, day in (("", dt.date(2026, 4, 1)), ("Call", dt.date(2026, 3, 1)), ("x" * 301, None)):
        with company.write() as work, pytest.raises(Invalid):
            leads.plan_next_step(work, lead, text, day)
    with company.write() as work:
        assert leads.plan_next_step(work, lead, " Call ", dt.date(2026, 3, 2)).next_step == "Call"
    with company.write() as work:
        assert leads.plan_next_step(work, lead, None, None).next_step_on is None
    with Session(company.engine) as session:
        assert [(e.kind, e.note) for e in session.scalars(sa.select(LeadEvent))] == [("qualified", "good")]


def test_a_manager_acts_for_a_colleague(company):
    with company.write(MANAGER) as work:
        key = customers.enter(work, {"name": "A"}, project_id=ESTATE, employee_id=ZHAO).id
        lead = leads.open_lead(work, key, ESTATE, employee_id=ZHAO).id
    assert record(company, lead, "call", MANAGER, employee_id=ZHAO).employee_id == ZHAO
    assert record(company, lead, "call", MANAGER).employee_id == MANAGER
    assert record(company, lead, "call", ZHAO).employee_id == ZHAO
