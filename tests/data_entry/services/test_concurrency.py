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
from data_entry.schema.demand import Demand, DemandCategory, DemandEvent
from data_entry.schema.lead import Lead, LeadEvent
from data_entry.schema.marketing import Expense, ExpenseCategory
from data_entry.schema.organisation import AccountRole, Role
from data_entry.services import customers, deals, demands, expenses, leads, records
from data_entry.services.errors import ServiceError
from tests.data_entry.services.sales_company import (
    CANCEL,
    ESTATE,
    LIST,
    LOSS,
    MANAGER,
    SERVICE,
    STRANGER,
    UNITS,
    WANG,
    ZHAO,
)

WRITERS, SECONDS = 50, 12
PEOPLE = (WANG, ZHAO, MANAGER)
# Who spends money and who approves of it.
CLERK, CHIEF = SERVICE, STRANGER


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


class Market:
    """What fifty people fight for, and what each of them may try next: an account, and acts by name."""

    def __init__(self, company):
        self.company = company
        self.leads = [company.lead(PEOPLE[n % 2], f"N{n}", f"138000003{n:02}") for n in range(10)]
        category, kind = DemandCategory(kind="complaint", name="Noise"), ExpenseCategory(name="Ads")
        with Session(company.engine) as session:
            session.add_all([category, kind])
            for account, role in ((CLERK, "marketing"), (CHIEF, "executive")):
                role_id = session.scalar(sa.select(Role.id).where(Role.name == role))
                session.add(AccountRole(account_id=account, role_id=role_id))
            session.commit()
            self.spent = {"amount": "100", "incurred_on": "2026-03-01", "expense_category_id": kind.id}
            self.asked = {"project_id": ESTATE, "demand_category_id": category.id, "phase": "sales"}
        self.spent["project_id"] = ESTATE
        self.asked["customer_id"] = company.customer_of(self.leads[0])

    def one_of(self, rng, key, *conditions):
        with Session(self.company.engine) as session:
            keys = session.scalars(sa.select(key).where(*conditions)).all()
        return rng.choice(keys) if keys else 0

    def sell(self, rng, number):
        lead, unit = rng.choice(self.leads), rng.randint(1, UNITS)
        deal = self.one_of(rng, Deal.id, Deal.lead_id == lead)
        return MANAGER, {
            "call": lambda w: leads.record(w, lead, "call"),
            "lost": lambda w: leads.record(w, lead, "lost", reason_id=LOSS),
            "reopened": lambda w: leads.record(w, lead, "reopened"),
            "step": lambda w: leads.plan_next_step(w, lead, f"step {number}", w.today),
            "book": lambda w: deals.open_deal(w, lead, "booking", 1000, unit_id=unit),
            "sign": lambda w: deals.advance(w, deal, "contract", LIST),
            "swap": lambda w: deals.swap(w, deal, unit, LIST),
            "amend": lambda w: deals.amend(w, deal, 1),
            "cancel": lambda w: deals.cancel(w, deal, CANCEL, keeps_looking=True),
            "pay": lambda w: deals.pay(w, deal, 1, "deposit"),
        }

    def serve(self, rng, number):
        demand = self.one_of(rng, Demand.id)
        return MANAGER, {
            "ask": lambda w: demands.enter(w, **self.asked, title=f"by {number}"),
            "reply": lambda w: demands.reply(w, demand, "Heard."),
            "resolve": lambda w: demands.resolve(w, demand, "Quiet now."),
            "reopen": lambda w: demands.reopen(w, demand, "Loud again."),
        }

    def spend(self, rng, _):
        expense = self.one_of(rng, Expense.id)
        if rng.random() < 0.3:
            return CHIEF, {"approve": lambda w: expenses.decide(w, expense, approve=True)}
        return CLERK, {
            "spend": lambda w: records.create(w, "expense", self.spent),
            "submit": lambda w: expenses.submit(w, expense),
        }


@pytest.mark.slow
def test_fifty_writers(company_on_each):
    company, market = company_on_each, Market(company_on_each)
    works = (market.sell, market.sell, market.sell, market.serve, market.spend)
    ends = time.monotonic() + SECONDS
    calls: Counter[str] = Counter()
    lock = threading.Lock()

    def write(number):
        rng = random.Random(number)
        while time.monotonic() < ends:
            who, acts = works[number % len(works)](rng, number)
            name = rng.choice(list(acts))
            try:
                with company.write(who) as work:
                    acts[name](work)
            except ServiceError:
                continue
            with lock:
                calls[name] += 1

    with ThreadPoolExecutor(WRITERS) as pool:
        for future in [pool.submit(write, number) for number in range(WRITERS)]:
            future.result()
    assert calls.total() > WRITERS
    assert min(calls["call"], calls["ask"], calls["spend"]) > 0
    with Session(company.engine) as session:
        check_nothing_is_lost(session, calls)
        assert [count(session, table) for table in (Lead, Customer, CustomerOwner)] == [len(market.leads)] * 3
        every = session.scalars(sa.select(Deal)).all()
        events = leads.deal_events(session, [deal.id for deal in every])
        held = [
            (deal.unit_id, state) for deal in every if (state := leads.deal_state(events[deal.id])).is_active
        ]  # fmt: skip
    assert len({unit for unit, _ in held}) == len(held), "a unit is held twice"
    for unit in range(1, UNITS + 1):
        state = dict(held).get(unit)
        assert company.status(unit) == (deals.UNIT_STATUS[state.stage] if state else "available")


def check_nothing_is_lost(session, calls):
    """Nothing that was reported as written is missing, and nothing that was refused is there."""
    for name in ("call", "lost"):
        assert count(session, LeadEvent, LeadEvent.kind == name) == calls[name], name
    for name, kind in (("book", "booking"), ("amend", "amend"), ("cancel", "cancel"), ("swap", "swap")):
        assert count(session, DealEvent, DealEvent.kind == kind) == calls[name], name
    for name in ("reply", "resolve", "reopen"):
        assert count(session, DemandEvent, DemandEvent.kind == name) == calls[name], name
    assert count(session, Demand) == calls["ask"]
    assert count(session, Expense) == calls["spend"]
    assert count(session, Expense, Expense.status == "approved") == calls["approve"]
    assert count(session, Expense, Expense.status == "submitted") == calls["submit"] - calls["approve"]


def count(session, table, *conditions):
    return session.scalar(sa.select(sa.func.count(table.id)).where(*conditions))
