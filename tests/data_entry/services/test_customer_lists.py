"""What the lists of customers find in SQL is what the rows and journeys say one by one, in random companies."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import SYSTEM, Actor, load_actor, reach
from data_entry.access.actor import EVERY
from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.schema.customer import Customer, CustomerOwner
from data_entry.schema.deal import Deal
from data_entry.schema.demand import Demand
from data_entry.schema.lead import Lead
from data_entry.services import customers
from data_entry.services.customers import Row
from data_entry.services.identity import survivor_id, survivors
from data_entry.services.leads import OPEN
from data_entry.services.work import Work, reading
from tests.data_entry.access.random_crm import NOW, TODAY, fill
from tests.support.crm import create_crm

FIRST, CUSTOMERS, LEADS, DEALS = 100, 40, 70, 30
RING = (200, 201, 202, 203)
# The first moment of the day, in Shanghai, from which on a word keeps the alarm quiet.
LOUD = dt.datetime(2026, 6, 16, 16, 0)
# So few that many things happen at the same moment.
MOMENTS = (
    LOUD - dt.timedelta(days=20), LOUD - dt.timedelta(days=10), LOUD - dt.timedelta(seconds=1), LOUD,
    NOW - dt.timedelta(days=1),
)  # fmt: skip
EARLY = (0.3, 0.2, 0.2, 0.15, 0.15)


def populate(engine: sa.Engine, seed: int) -> None:
    """Write a random company with merged customers, leads and deals in every order, and a ring of customers."""
    fill(engine, seed)
    rng = random.Random(seed)
    keys = range(FIRST, FIRST + CUSTOMERS)
    rows: dict[str, list[dict[str, Any]]] = {}

    def add(table: str, **values: Any) -> None:
        rows.setdefault(table, []).append(values)

    def gone(chance: float) -> dt.datetime | None:
        return NOW if rng.random() < chance else None

    def moment() -> dt.datetime:
        return rng.choices(MOMENTS, EARLY)[0]

    for key in keys:
        into = rng.choice([*range(1, 6), *range(FIRST, key)]) if rng.random() < 0.4 else None
        add("customer", id=key, name=f"Name {key}", merged_into_id=into, deleted_at=gone(0.05))
    for key in RING:
        add("customer", id=key, name=f"Name {key}", merged_into_id=None, deleted_at=None)
    people = [*range(1, 6), *keys, *RING]
    for key in range(FIRST, FIRST + LEADS):
        add(
            "lead", id=key, customer_id=rng.choice(people), project_id=rng.randint(1, 3), opened_at=moment(),
            employee_id=rng.choice([None, 1, 2, 3]), next_step=rng.choice([None, "", "Call", "Call"]),
            next_step_on=rng.choice([None, TODAY + dt.timedelta(days=rng.randint(-2, 2))]), deleted_at=gone(0.05),
        )  # fmt: skip
        for kind in rng.choices(("call", "visit", "qualified", "lost", "reopened"), k=rng.randint(0, 3)):
            add("lead_event", lead_id=key, kind=kind, occurred_at=moment(), deleted_at=gone(0.1))
    for key in range(FIRST, FIRST + DEALS):
        # Mostly of the lead's own customer, whether the deal names the lead or not.
        lead = rng.choice(rows["lead"])
        add(
            "deal", id=key, lead_id=rng.choice([None, lead["id"]]),
            customer_id=rng.choice([*people, *[lead["customer_id"]] * 2 * len(people)]),
            project_id=lead["project_id"], deleted_at=gone(0.1),
        )  # fmt: skip
        kinds = ("small_booking", "booking", "contract", "cancel", "cancel", "swap", "amend")
        for kind in rng.choices(kinds, k=rng.randint(0, 4)):
            add("deal_event", deal_id=key, kind=kind, occurred_at=moment(), amount=1, deleted_at=gone(0.1))
    for _ in range(20):
        add(
            "demand", customer_id=rng.choice(people), project_id=1, demand_category_id=1, phase="sales",
            received_at=rng.choice(MOMENTS[2:]), deleted_at=gone(0.2),
        )  # fmt: skip
        add(
            "customer_owner", customer_id=rng.choice(people), project_id=rng.choice([None, 1, 2, 3]),
            employee_id=rng.randint(1, 4), from_at=LOUD, to_at=rng.choice([None, NOW]), deleted_at=gone(0.1),
        )  # fmt: skip
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            for row in rows.get(table.name, ()):
                connection.execute(sa.insert(table).values(**row))
        ring = dict(zip(RING, (201, 202, 200, 200), strict=True))
        for key, into in ring.items():
            connection.execute(sa.update(Customer).where(Customer.id == key).values(merged_into_id=into))


@dataclasses.dataclass
class Oracle:
    """All customers an actor reaches, by rows and journeys."""

    work: Work

    def __post_init__(self) -> None:
        session = self.work.session
        into = dict(session.execute(sa.select(Customer.id, Customer.merged_into_id)).all())
        wanted = sa.select(Customer.id).where(
            Customer.deleted_at.is_(None), Customer.merged_into_id.is_(None), reach(self.work.actor, "read", "customer")
        )
        tops: list[int] = list(session.scalars(wanted))
        self.rows = {row.customer.id: row for row in customers.rows_of(self.work, tops)}
        self.top: dict[int, int] = {}
        for key in into:
            end, steps = key, 0
            while into[end] is not None and steps <= len(into):
                end, steps = into[end], steps + 1
            if end in self.rows:
                self.top[key] = end

    def owned_by(self, model: Any, *where: Any) -> set[int]:
        """Return the persons who have a live row of a table."""
        keys = self.work.session.scalars(sa.select(model.customer_id).where(model.deleted_at.is_(None), *where))
        return {self.top[key] for key in keys if key in self.top}

    def rings(self, row: Row, project_id: int | None) -> bool:
        """Say whether the alarm rings for a customer, for the leads in one estate."""
        if project_id is None:
            return row.is_silent
        in_estate = [way for way in row.ways if way.lead.project_id == project_id]
        of_estate = dataclasses.replace(row, ways=in_estate)
        heard = [way.last_contact_at for way in in_estate if way.state == OPEN and way.last_contact_at]
        has_asked = row.customer.id in self.owned_by(Demand, Demand.received_at >= LOUD)
        of_estate.silent_days = (TODAY - self.work.local(min(heard)).date()).days if heard and not has_asked else 0
        return of_estate.is_silent

    def is_due(self, row: Row, project_id: int | None) -> bool:
        """Say whether a next step of an open lead is due."""
        leads = [
            way.next_step_lead
            for way in row.ways
            if way.state == OPEN and project_id in (None, way.lead.project_id)
        ]  # fmt: skip
        return any(lead.next_step and lead.next_step_on and lead.next_step_on <= TODAY for lead in leads)

    def listed(self, view: str, text: str, project_id: int | None, employee_id: int | None) -> list[int]:
        """Return the keys that a list should have, in its order."""
        found = set(self.rows)
        if text:
            session = self.work.session
            known = reach(self.work.actor, "personal", "customer")
            named = session.scalars(sa.select(Customer.id).where(Customer.name.contains(text), known))
            found &= {self.top[key] for key in named if key in self.top}
        if project_id is not None:
            models = (Lead, Deal, CustomerOwner)
            found &= set().union(*(self.owned_by(model, model.project_id == project_id) for model in models))
        if employee_id is not None:
            present = (CustomerOwner.employee_id == employee_id, CustomerOwner.to_at.is_(None))
            found &= self.owned_by(CustomerOwner, *present)
        rows = [self.rows[key] for key in found]
        if view == "open":
            rows = [
                row for row in rows
                if any(way.state == OPEN and project_id in (None, way.lead.project_id) for way in row.ways)
            ]  # fmt: skip
        elif view == "silent":
            rows = [row for row in rows if self.rings(row, project_id)]
        elif view == "todo":
            rows = [row for row in rows if self.rings(row, project_id) or self.is_due(row, project_id)]
        keys = sorted((row.customer.id for row in rows), reverse=True)
        if view in ("todo", "silent"):
            keys.sort(key=self.first_step)
        return keys

    def first_step(self, key: int) -> dt.date:
        """Return the earliest next step of all the person's leads."""
        leads = [lead for way in self.rows[key].ways for lead in way.leads]
        return min((lead.next_step_on for lead in leads if lead.next_step_on), default=dt.date.max)


def actors(engine: sa.Engine) -> Iterator[Actor]:
    yield SYSTEM
    with Session(engine.execution_options(read_only=True)) as session:
        for account, scopes in ((1, {"own"}), (2, {"department"}), (3, {"project"}), (4, {"own", "project"})):
            permissions = {(EVERY, EVERY): frozenset(scopes)}
            yield dataclasses.replace(load_actor(session, account, TODAY), permissions=permissions)


FILTERS = (
    {}, {"project_id": 1}, {"project_id": 3, "employee_id": 2}, {"employee_id": 1}, {"text": "Name 11"},
    {"text": "Name 12", "project_id": 2},
)  # fmt: skip


def compare(engine: sa.Engine) -> dict[str, int]:
    """Compare every list of some actors with the oracle; return how many customers each view found in all."""
    found = dict.fromkeys(customers.VIEWS, 0)
    for actor in actors(engine):
        with reading(engine, actor, clock=lambda: NOW) as work:
            oracle = Oracle(work)
            for view in customers.VIEWS:
                for filters in FILTERS:
                    expected = oracle.listed(view, *(filters.get(n) for n in ("text", "project_id", "employee_id")))
                    rows, total = customers.listing(work, view=view, size=500, **filters)
                    assert [row.customer.id for row in rows] == expected, (view, filters, actor.employee_id)
                    assert total == len(expected)
                    found[view] += total
    return found


@pytest.fixture
def random_company(crm_url: str) -> Iterator[sa.Engine]:
    engine = create_engine_for(crm_url)
    create_crm(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("seed", range(4))
def test_lists_find_what_rows_say(seed: int, sqlite_url: str) -> None:
    engine = create_engine_for(sqlite_url)
    create_crm(engine)
    populate(engine, seed)
    found = compare(engine)
    assert 0 < found["silent"] <= found["todo"] < found["all"]
    assert 0 < found["open"] < found["all"]
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("seed", [100, 101])
def test_lists_find_what_rows_say_on_postgresql(seed: int, postgres_url: str) -> None:
    engine = create_engine_for(postgres_url)
    create_crm(engine)
    populate(engine, seed)
    compare(engine)
    engine.dispose()


def test_pages_of_a_list_follow_each_other(random_company: sa.Engine) -> None:
    populate(random_company, 50)
    with reading(random_company, SYSTEM, clock=lambda: NOW) as work:
        for view in customers.VIEWS:
            whole, total = customers.listing(work, view=view, size=500)
            pages = [customers.listing(work, view=view, page=page, size=3) for page in range(total // 3 + 2)]
            assert [row.customer.id for rows, _ in pages for row in rows] == [row.customer.id for row in whole]
            # Beyond the end as well, so that a pager finds back.
            assert {number for _, number in pages} == {total}
            assert not pages[-1][0]


def test_survivors_are_found_at_any_depth(random_company: sa.Engine) -> None:
    populate(random_company, 51)
    merged = survivors()
    with Session(random_company.execution_options(read_only=True)) as session:
        found = dict(session.execute(sa.select(merged.c.id, merged.c.survivor_id)).all())
        of_merged = session.scalars(sa.select(Customer.id).where(Customer.merged_into_id.is_not(None))).all()
        assert found == {key: survivor_id(session, key) for key in of_merged if key not in RING}
