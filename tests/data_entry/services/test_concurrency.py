"""Fifty people who write at once: no unit sold twice, nothing lost, and nothing but a message for who comes second."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.customer import Customer, CustomerOwner
from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.lead import Lead, LeadEvent
from data_entry.services import customers, deals, leads
from data_entry.services.errors import ServiceError
from tests.data_entry.services.sales_company import CANCEL, ESTATE, LIST, LOSS, MANAGER, UNITS, WANG, ZHAO

WRITERS, SECONDS = 50, 12
PEOPLE = (WANG, ZHAO, MANAGER)


def in_parallel(count, act):
    """Let `count` threads begin at the same moment; return what each gave or raised."""
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait()
        try:
            return act(number)
        except ServiceError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_two_people_want_one_unit_at_the_same_second(company_on_each):
    company = company_on_each
    wanted = [company.lead(PEOPLE[n % 2], f"N{n}", f"1380000020{n}") for n in range(8)]

    def book(number):
        with company.write(PEOPLE[number % 2]) as work:
            return deals.open_deal(work, wanted[number], "contract", LIST, unit_id=1).id

    results = in_parallel(len(wanted), book)
    assert Counter(isinstance(result, int) for result in results) == {True: 1, False: 7}
    with Session(company.engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Deal)) == 1


def test_one_customer_gets_one_lead(company_on_each):
    company = company_on_each
    with company.write() as work:
        key = customers.enter(work, {"name": "A"}, project_id=ESTATE).id

    def open_(_):
        with company.write() as work:
            return leads.open_lead(work, key, ESTATE).id

    assert Counter(isinstance(result, int) for result in in_parallel(6, open_)) == {True: 1, False: 5}


def test_one_customer_is_entered_once(company_on_each):
    def enter(number):
        with company_on_each.write(PEOPLE[number % 2]) as work:
            return customers.enter(work, {"name": f"N{number}", "phone": "13811112222"}).id

    assert Counter(isinstance(result, int) for result in in_parallel(6, enter)) == {True: 1, False: 5}


@pytest.mark.slow
def test_fifty_writers(company_on_each):
    company = company_on_each
    known = [company.lead(PEOPLE[n % 2], f"N{n}", f"138000003{n:02}") for n in range(10)]
    ends = time.monotonic() + SECONDS
    outcome: Counter[str] = Counter()
    calls = Counter()
    lock = threading.Lock()

    def write(number):
        rng = random.Random(number)
        while time.monotonic() < ends:
            lead, unit = rng.choice(known), rng.randint(1, UNITS)
            with company.read(MANAGER) as work:
                mine = work.session.scalars(sa.select(Deal.id).where(Deal.lead_id == lead)).all()
            deal = rng.choice(mine) if mine else 0
            acts = {
                "call": lambda w, x=lead: leads.record(w, x, "call"),
                "lost": lambda w, x=lead: leads.record(w, x, "lost", reason_id=LOSS),
                "reopened": lambda w, x=lead: leads.record(w, x, "reopened"),
                "step": lambda w, x=lead: leads.plan_next_step(w, x, f"step {number}", w.today),
                "book": lambda w, x=lead, u=unit: deals.open_deal(w, x, "booking", 1000, unit_id=u),
                "sign": lambda w, d=deal: deals.advance(w, d, "contract", LIST),
                "swap": lambda w, d=deal, u=unit: deals.swap(w, d, u, LIST),
                "amend": lambda w, d=deal: deals.amend(w, d, 1),
                "cancel": lambda w, d=deal: deals.cancel(w, d, CANCEL, keeps_looking=True),
                "pay": lambda w, d=deal: deals.pay(w, d, 1, "deposit"),
            }
            name = rng.choice(list(acts))
            try:
                with company.write(MANAGER) as work:
                    acts[name](work)
                done = "written"
            except ServiceError:
                done = "refused"
            with lock:
                outcome[done] += 1
                calls[name] += done == "written"

    with ThreadPoolExecutor(WRITERS) as pool:
        for future in [pool.submit(write, number) for number in range(WRITERS)]:
            future.result()
    assert outcome["written"] > 20
    with Session(company.engine) as session:
        # Nothing that was reported as written is missing, and nothing that was refused is there.
        for name, kind in (("call", "call"), ("lost", "lost")):
            query = sa.select(sa.func.count()).select_from(LeadEvent).where(LeadEvent.kind == kind)
            assert session.scalar(query) == calls[name]
        for name, kind in (("book", "booking"), ("amend", "amend"), ("cancel", "cancel"), ("swap", "swap")):
            query = sa.select(sa.func.count()).select_from(DealEvent).where(DealEvent.kind == kind)
            assert session.scalar(query) == calls[name], name
        assert session.scalar(sa.select(sa.func.count()).select_from(Lead)) == len(known)
        assert session.scalar(sa.select(sa.func.count()).select_from(Customer)) == len(known)
        assert session.scalar(sa.select(sa.func.count()).select_from(CustomerOwner)) == len(known)
        every = session.scalars(sa.select(Deal)).all()
        events = leads.deal_events(session, [deal.id for deal in every])
        held = [
            (deal.unit_id, state) for deal in every if (state := leads.deal_state(events[deal.id])).is_active
        ]  # fmt: skip
    assert len({unit for unit, _ in held}) == len(held), "a unit is held twice"
    for unit in range(1, UNITS + 1):
        state = dict(held).get(unit)
        assert company.status(unit) == (deals.UNIT_STATUS[state.stage] if state else "available")
