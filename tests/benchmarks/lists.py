"""What a page turn costs among 100,000 customers and demands, on both engines.

The service is timed, from the open connection to the rows with their captions; drawing is not. The roles differ in what
bounds the rows they see: nothing, an estate, the own customers, those of a department.
"""

from __future__ import annotations

import datetime as dt
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from data_entry.access import SYSTEM, Actor
from data_entry.database import create_engine_for, create_schema
from data_entry.schema import metadata
from data_entry.services import customers, demand_list, records
from data_entry.services.demand_list import Filters
from data_entry.services.work import Work, reading
from tests.benchmarks.result import Measured, Table
from tests.support.postgres import missing_programs, running_server

_FAMILY, _GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗", "伟芳娜秀敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂"
_NOW = dt.datetime(2026, 1, 15, 2, 0)
CUSTOMERS_PER_SCALE = 100_000
_PROJECTS, _EMPLOYEES, _CATEGORIES = 10, 50, 5
# A lead's fate, of a hundred leads.
_FATES = {"open": 20, "lost": 62, "reopened": 3, "converted": 12, "cancelled": 3}
_BATCH = 5000
Rows = dict[str, list[dict[str, Any]]]


def fill(engine: sa.Engine, count: int) -> None:
    """Fill a CRM with customers who have owners, leads with what came of them, and as many demands."""
    rng = random.Random(7)
    t = metadata.tables
    with engine.begin() as connection:
        connection.execute(sa.insert(t["project"]), [{"id": n, "name": f"P{n}"} for n in range(1, _PROJECTS + 1)])
        connection.execute(
            sa.insert(t["building"]), [{"id": n, "name": "1", "project_id": n} for n in range(1, _PROJECTS + 1)]
        )
        people = range(1, _EMPLOYEES + 1)
        connection.execute(sa.insert(t["employee"]), [{"id": n, "number": str(n), "name": f"E{n}"} for n in people])
        connection.execute(sa.insert(t["account"]), [{"id": n, "employee_id": n, "login": f"e{n}"} for n in people])
        connection.execute(
            sa.insert(t["demand_category"]),
            [{"id": n, "kind": "complaint", "name": f"C{n}"} for n in range(1, _CATEGORIES + 1)],
        )
        for start in range(1, count + 1, _BATCH):
            rows: Rows = {}
            for key in range(start, min(start + _BATCH, count + 1)):
                _customer(rng, rows, key)
                _demand(rng, rows, key, rng.randint(1, key))
            for table in metadata.sorted_tables:
                if table.name in rows:
                    connection.execute(sa.insert(table), rows[table.name])
        connection.exec_driver_sql("ANALYZE")


def _place(customer: int) -> tuple[int, int]:
    """Return the estate that a customer asked in and the employee who looks after the customer."""
    return customer % _PROJECTS + 1, customer % _EMPLOYEES + 1


def _ago(rng: random.Random, least: float, most: float) -> dt.datetime:
    return _NOW - dt.timedelta(days=rng.uniform(least, most))


def _customer(rng: random.Random, rows: Rows, key: int) -> None:
    """Add a customer, one in fifty merged into the one before, with owner, leads and deals."""
    project, employee = _place(key)
    is_merged = key % 50 == 0 or key % 250 == 249
    _row(
        rows, "customer", id=key, name=rng.choice(_FAMILY) + rng.choice(_GIVEN) + rng.choice(_GIVEN),
        phone=f"1{rng.randrange(3 * 10**9, 10**10)}", occupation=rng.choice("abcdef"),
        merged_into_id=key - 1 if is_merged else None,
    )  # fmt: skip
    fate = rng.choices(list(_FATES), list(_FATES.values()))[0]
    is_open = fate in ("open", "reopened")
    opened = _ago(rng, 0, 60) if is_open else _ago(rng, 60, 1000)
    _row(rows, "customer_owner", customer_id=key, project_id=project, employee_id=employee, from_at=opened)
    lead = {"customer_id": key, "employee_id": employee, "opened_at": opened, "next_step": None, "next_step_on": None}
    if is_open and rng.random() < 0.6:
        day = _NOW.date() + dt.timedelta(days=rng.randint(-5, 20))
        lead |= {"next_step": "Call", "next_step_on": day}
    _row(rows, "lead", id=key, project_id=project, **lead)
    if rng.random() < 0.05:
        lead |= {"next_step": None, "next_step_on": None}
        _row(rows, "lead", id=key + 10**6, project_id=project % _PROJECTS + 1, **lead)
    last = opened
    for kind in ("visit", "call", "qualified", "visit")[: rng.randint(1, 4)]:
        last += (min(opened + dt.timedelta(days=60), _NOW) - last) * rng.random()
        _row(rows, "lead_event", lead_id=key, kind=kind, occurred_at=last, employee_id=employee, note="x" * 60)
    if fate in ("lost", "reopened"):
        _row(rows, "lead_event", lead_id=key, kind="lost", occurred_at=last, employee_id=employee, note=None)
    if fate == "reopened":
        _row(rows, "lead_event", lead_id=key, kind="reopened", occurred_at=last, employee_id=employee, note=None)
    if fate in ("converted", "cancelled"):
        _row(rows, "unit", id=key, building_id=project, number=str(key))
        _row(rows, "deal", id=key, lead_id=key, customer_id=key, project_id=project, unit_id=key)
        for kind in ("booking", "contract", "cancel")[: 3 if fate == "cancelled" else 2]:
            _row(rows, "deal_event", deal_id=key, kind=kind, occurred_at=last, employee_id=employee, amount=1000)
    if fate == "converted":
        _row(rows, "unit_owner", unit_id=key, customer_id=key, from_on=last.date())


def _demand(rng: random.Random, rows: Rows, key: int, customer: int) -> None:
    """Add a demand with its steps; one in ten is open."""
    project, employee = _place(customer)
    is_open = rng.random() < 0.1
    received = _ago(rng, 0, 20) if is_open else _ago(rng, 20, 1000)
    _row(
        rows, "demand", id=key, customer_id=customer, project_id=project,
        demand_category_id=rng.randint(1, _CATEGORIES), phase=rng.choice(("sales", "property")),
        title=f"Demand {key}", description="x" * 200, received_at=received,
        due_at=received + dt.timedelta(days=rng.randint(1, 20)), resolve_due_at=received + dt.timedelta(days=30),
        withdrawn_at=received if rng.random() < 0.02 else None,
    )  # fmt: skip
    kinds = ("assign", "reply", "resolve")
    if is_open:
        kinds = kinds[: rng.randint(0, 2)]
    elif rng.random() < 0.05:
        kinds += ("reopen", "resolve")
    for hours, kind in enumerate(kinds):
        _row(
            rows, "demand_event", demand_id=key, kind=kind, occurred_at=received + dt.timedelta(hours=hours),
            employee_id=employee, to_employee_id=employee if kind == "assign" else None, note="x" * 60,
        )  # fmt: skip


def _row(rows: Rows, table: str, **values: Any) -> None:
    rows.setdefault(table, []).append(values)


def _calls(work: Work, count: int) -> Iterator[tuple[str, Callable[[], object]]]:
    rng = random.Random(11)
    last = min(count, records.COUNTED) // 25 - 1
    for name, options in (
        ("records: latest first", {}),
        ("records: by name", {"sort": "name"}),
        ("records: by phone, descending", {"sort": "phone", "descending": True}),
        ("records: by occupation", {"sort": "occupation"}),
    ):
        for _ in range(20):
            page = rng.randrange(last)
            yield (
                name,
                lambda page=page, options=options: records.list_rows(work, "customer", page=page, size=25, **options),
            )
    for _ in range(20):
        name = rng.choice(_FAMILY) + rng.choice(_GIVEN)
        number = str(rng.randrange(1000, 9999))
        yield "records: name", lambda name=name: records.list_rows(work, "customer", search=name, size=25)
        yield (
            "records: end of number",
            lambda number=number: records.list_rows(work, "customer", search=number, size=25),
        )
        yield "picker", lambda name=name: records.options(work, "customer", name)
        yield "records: leads by customer", lambda: records.list_rows(work, "lead", sort="customer_id", size=25)
        for view in customers.VIEWS:
            page = rng.randrange(10)
            yield f"customers: {view}", lambda view=view, page=page: customers.listing(work, view=view, page=page)
        yield "customers: todo, one estate", lambda: customers.listing(work, view="todo", project_id=1)
        yield "customers: name", lambda name=name: customers.listing(work, text=name)
        yield "customers: end of number", lambda number=number: customers.listing(work, text=number)
        for view in ("open", "overdue", "resolved"):
            filters, page = Filters(view=view), rng.randrange(10)
            yield f"demands: {view}", lambda filters=filters, page=page: demand_list.page_of(work, filters, page)
        yield "demands: how many", lambda: demand_list.counts_of(work, Filters())
        yield "demands: resolved ones", lambda: demand_list.count_of(work, Filters(view="resolved"))
        yield "demands: who has what", lambda: demand_list.loads(work, Filters())


def page_turns(engine: sa.Engine, actor: Actor, count: int) -> dict[str, tuple[float, float]]:
    """Return median and 95th percentile in milliseconds, by what is done."""
    times: dict[str, list[float]] = {}
    with reading(engine, actor, clock=lambda: _NOW) as work:
        for name, call in _calls(work, count):
            work.session.expunge_all()
            start = time.perf_counter()
            call()
            times.setdefault(name, []).append((time.perf_counter() - start) * 1000)
    return {name: (statistics.median(t), statistics.quantiles(t, n=20)[-1]) for name, t in times.items()}


def _actors() -> dict[str, Actor]:
    def actor(scope: str, **parts: Any) -> Actor:
        grants = {
            (table, action): frozenset({scope})
            for table in ("customer", "lead", "deal", "demand")
            for action in ("read", "personal")
        }
        grants |= {(table, "read"): frozenset({"all"}) for table in ("project", "employee", "source")}
        return Actor(None, permissions=grants, **parts)

    return {
        "administrator": SYSTEM,
        "clerk of one estate": actor("project", project_ids=frozenset({1})),
        "salesperson": actor("own", employee_id=7),
        "head of 10 of 50": actor("department", employee_id=7, colleague_ids=frozenset(range(1, 11))),
    }


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Measure page turns at a scale, on SQLite and, if it is there, PostgreSQL."""
    count = int(scale * CUSTOMERS_PER_SCALE)
    crm = folder / "crm.sqlite"
    crm.unlink(missing_ok=True)
    tables = [_measured("SQLite", f"sqlite:///{crm}", count)]
    if missing_programs() is None:
        with running_server() as server:
            tables.append(_measured("PostgreSQL", server.create_database(), count))
    return Measured(tuple(tables))


def _measured(name: str, url: str, count: int) -> Table:
    engine = create_engine_for(url)
    create_schema(engine)
    fill(engine, count)
    found = {who: page_turns(engine, actor, count) for who, actor in _actors().items()}
    engine.dispose()
    rows = tuple(
        (what, *("{:.0f} / {:.0f}".format(*times[what]) for times in found.values()))
        for what in next(iter(found.values()))
    )
    return Table(
        f"{name}: median / p95 of a page turn among {count:,} customers and demands (milliseconds)",
        ("list", *found),
        rows,
    )
