"""A company small enough to know by heart: two estates, a person of each role, customers, categories, policies."""

from __future__ import annotations

import datetime as dt
import functools
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import ensure_roles
from data_entry.database import create_engine_for
from data_entry.schema.customer import Customer, CustomerOwner
from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.demand import DemandCategory, SlaPolicy
from data_entry.schema.estate import Building, Project, Unit
from data_entry.schema.organisation import (
    Account,
    AccountRole,
    Department,
    Employee,
    EmployeePosition,
    EmployeeProject,
    Position,
    Role,
)
from data_entry.schema.service import FeeType
from data_entry.services.work import reading, writing
from tests.support.crm import create_crm

# Wednesday noon in Shanghai.
NOW = dt.datetime(2026, 3, 18, 4, 0)
TODAY = dt.date(2026, 3, 18)
ROLES = ("sales", "sales_manager", "property", "service", "executive", "admin")


def at(days: float = 0, now: dt.datetime = NOW):
    """A clock that stands so many days after NOW."""
    return lambda: now + dt.timedelta(days=days)


@functools.cache
def _template() -> tuple[Path, SimpleNamespace]:
    """A SQLite file of the company, made once: making the schema takes longer than most tests."""
    path = Path(tempfile.mkdtemp(prefix="loupan-company-")) / "crm.sqlite"
    engine = create_engine_for(f"sqlite:///{path}")
    create_crm(engine, with_roles=True)
    with Session(engine) as session:
        keys = SimpleNamespace(**_build(session))
        session.commit()
    engine.dispose()
    return path, keys


@contextmanager
def company_on(url: str) -> Iterator[Company]:
    """Make the company in an empty place."""
    if url.startswith("sqlite"):
        path, keys = _template()
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = WAL")
    engine = create_engine_for(url)
    if not url.startswith("sqlite"):
        create_crm(engine, with_roles=True)
        with Session(engine) as session:
            keys = SimpleNamespace(**_build(session))
            session.commit()
    yield Company(engine, keys)
    engine.dispose()


@dataclass
class Company:
    """Keys by name, and works of its people."""

    engine: sa.Engine
    key: SimpleNamespace

    def writing(self, who: str, days: float = 0):
        return writing(self.engine, getattr(self.key, f"account_{who}"), at(days))

    def reading(self, who: str, days: float = 0):
        return reading(self.engine, getattr(self.key, f"account_{who}"), at(days))


def _build(session: Session) -> dict[str, int]:
    ensure_roles(session)
    keys: dict[str, int] = {}

    def add(name: str, row):
        session.add(row)
        session.flush()
        keys[name] = row.id
        return row

    for name in ("garden", "tower"):
        add(name, Project(name=name.title()))
        add(f"{name}_building", Building(project_id=keys[name], name="1", handover_on=dt.date(2025, 6, 1)))
    for number in ("101", "102", "103"):
        add(f"unit_{number}", Unit(building_id=keys["garden_building"], number=number, area_sqm=Decimal("89.50")))
    add("unit_tower", Unit(building_id=keys["tower_building"], number="901", area_sqm=Decimal("120")))
    for role in ROLES:
        department = add(f"department_{role}", Department(name=role))
        position = add(f"position_{role}", Position(department_id=department.id, name=role))
        people = (role, f"{role}_2") if role in ("sales", "service") else (role,)
        for person in people:
            employee = add(person, Employee(number=person, name=person.title(), hired_on=dt.date(2020, 1, 1)))
            session.add(EmployeePosition(employee_id=employee.id, position_id=position.id, from_on=dt.date(2020, 1, 1)))
            session.add(
                EmployeeProject(employee_id=employee.id, project_id=keys["garden"], from_on=dt.date(2020, 1, 1))
            )
            account = add(f"account_{person}", Account(employee_id=employee.id, login=person))
            role_id = session.scalar(sa.select(Role.id).where(Role.name == role))
            session.add(AccountRole(account_id=account.id, role_id=role_id))
    add("gone", Employee(number="gone", name="Gone", left_on=dt.date(2026, 1, 31)))
    for name, person in (("wang", "sales"), ("li", "sales_2"), ("zhao", None)):
        customer = add(name, Customer(name=name.title(), phone=f"138{len(name)}0000"))
        if person:
            session.add(
                CustomerOwner(
                    customer_id=customer.id, project_id=keys["garden"], employee_id=keys[person],
                    from_at=NOW - dt.timedelta(days=400),
                )
            )  # fmt: skip
    deal = add("deal", Deal(customer_id=keys["wang"], project_id=keys["garden"], unit_id=keys["unit_101"]))
    session.add(DealEvent(deal_id=deal.id, kind="contract", occurred_at=NOW - dt.timedelta(days=300), amount=100))
    cancelled = add("cancelled", Deal(customer_id=keys["li"], project_id=keys["garden"], unit_id=keys["unit_102"]))
    for kind, days in (("contract", 200), ("cancel", 100)):
        session.add(DealEvent(deal_id=cancelled.id, kind=kind, occurred_at=NOW - dt.timedelta(days=days), amount=100))
    top = add("complaint", DemandCategory(kind="complaint", name="Complaint"))
    quality = add("quality", DemandCategory(kind="complaint", name="Quality", parent_id=top.id))
    add("leak", DemandCategory(kind="complaint", name="Leak", parent_id=quality.id))
    add("suggestion", DemandCategory(kind="suggestion", name="Suggestion"))
    add("retired", DemandCategory(kind="complaint", name="Retired", parent_id=top.id, is_active=False))
    first = dt.date(2025, 1, 1)
    for category, severity, reply, resolve, valid in (
        (None, None, 2880, None, first),
        ("complaint", None, 1440, 10_000, first),
        ("complaint", "urgent", 60, 360, first),
        ("quality", None, 600, None, first),
        ("quality", None, 300, None, dt.date(2026, 3, 1)),
        ("quality", None, 5, None, dt.date(2026, 4, 1)),
        ("quality", "low", 5000, None, first),
    ):
        session.add(
            SlaPolicy(
                demand_category_id=keys[category] if category else None, severity=severity, reply_minutes=reply,
                resolve_minutes=resolve, valid_from_on=valid,
            )
        )  # fmt: skip
    add("property_fee", FeeType(name="Property", rate=Decimal("2.80"), basis="area", period_months=3, payment_days=30))
    add("parking", FeeType(name="Parking", rate=Decimal("300"), basis="flat", period_months=1, payment_days=10))
    return keys
