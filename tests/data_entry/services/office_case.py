"""A small company for tests of the office: accounts by role, and a customer or two."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.database import create_engine_for, create_schema
from data_entry.schema.customer import Customer, CustomerOwner
from data_entry.schema.estate import Project
from data_entry.schema.organisation import Account, Department, Employee, EmployeePosition, EmployeeProject
from data_entry.services.work import reading, writing
from tests.data_entry.services.people import NOW, hire

LONG_AGO = dt.datetime(2024, 1, 1)


class Clock:
    """Tells a moment that tests move."""

    def __init__(self, now: dt.datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def on(self, **by: float) -> None:
        self.now += dt.timedelta(**by)


@dataclass
class Office:
    """Accounts by login, and ways to work as one of them."""

    engine: sa.Engine
    accounts: dict[str, int]
    clock: Clock
    employees: dict[str, int]
    positions: dict[str, int]

    def reading(self, login: str):
        return reading(self.engine, self.accounts[login], self.clock)

    def writing(self, login: str):
        return writing(self.engine, self.accounts[login], self.clock)

    def employee(self, login: str) -> int:
        return self.employees[login]

    def position(self, login: str) -> int:
        return self.positions[login]

    def add(self, *rows) -> list[int]:
        """Put rows into the CRM past all services, and return their keys."""
        with Session(self.engine) as session:
            session.add_all(rows)
            session.commit()
            return [row.id for row in rows]

    def customer(self, name: str, owner: str | None = None, **columns) -> int:
        (key,) = self.add(Customer(name=name, phone="13800000000", **columns))
        if owner is not None:
            self.add(CustomerOwner(customer_id=key, employee_id=self.employee(owner), from_at=LONG_AGO))
        return key

    def leave(self, login: str, day: dt.date) -> None:
        with Session(self.engine) as session:
            session.get(Employee, self.employee(login)).left_on = day
            session.commit()


def make_office(engine: sa.Engine) -> Office:
    """Hire one of each role; two salespeople work under a manager in one department."""
    for login, role, department in (
        ("boss", "executive", "Head office"),
        ("manager", "sales_manager", "Sales"),
        ("amy", "sales", "Sales"),
        ("bob", "sales", "Sales"),
        ("mara", "marketing", "Marketing"),
        ("sue", "service", "Service"),
        ("pat", "property", "Property"),
        ("admin", "admin", "Head office"),
    ):
        hire(engine, login, role, department=department)
    with Session(engine) as session:
        head = session.scalars(sa.select(Department).where(Department.name == "Head office")).one()
        for department in session.scalars(sa.select(Department).where(Department.id != head.id)):
            department.parent_id = head.id
        project = Project(name="Riverside")
        session.add(project)
        session.flush()
        for login in ("manager", "amy", "bob", "pat"):
            employee = session.scalars(sa.select(Employee).where(Employee.number == login)).one()
            session.add(EmployeeProject(employee_id=employee.id, project_id=project.id, from_on=dt.date(2020, 1, 1)))
        session.commit()
    return office_of(engine)


def office_of(engine: sa.Engine) -> Office:
    """Find the office that `make_office` made."""
    with Session(engine) as session:
        hired = dict(session.execute(sa.select(Account.login, Account.id)).all())
        employees = dict(session.execute(sa.select(Employee.number, Employee.id)).all())
        held = dict(session.execute(sa.select(EmployeePosition.employee_id, EmployeePosition.position_id)).all())
    return Office(engine, hired, Clock(), employees, {name: held[key] for name, key in employees.items()})


@pytest.fixture(scope="session")
def office_file(tmp_path_factory) -> Path:
    """The office in a SQLite file, made once and copied for each test."""
    path = tmp_path_factory.mktemp("office") / "crm.sqlite"
    engine = create_engine_for(f"sqlite:///{path}")
    create_schema(engine)
    make_office(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture
def office(office_file, tmp_path) -> Iterator[Office]:
    """A fresh office, on SQLite."""
    shutil.copy(office_file, tmp_path / "crm.sqlite")
    engine = create_engine_for(f"sqlite:///{tmp_path / 'crm.sqlite'}")
    yield office_of(engine)
    engine.dispose()


@pytest.fixture
def each_office(crm) -> Office:
    """A fresh office, on each engine: for what their SQL or their locks could do differently."""
    return make_office(crm)
