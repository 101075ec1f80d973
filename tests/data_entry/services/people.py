"""Accounts of the ready-made roles, for tests of the services."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import ensure_roles
from data_entry.schema.organisation import Account, AccountRole, Department, Employee, EmployeePosition, Position, Role

NOW = dt.datetime(2026, 3, 10, 2, 0)  # 10:00 in Shanghai
TODAY = dt.date(2026, 3, 10)


def clock() -> dt.datetime:
    return NOW


def hire(engine: sa.Engine, login: str, *roles: str, department: str = "Marketing") -> int:
    """Make an employee with an account that holds roles, and return the account's key."""
    with Session(engine) as session:
        ensure_roles(session)
        place = session.scalar(sa.select(Department).where(Department.name == department))
        if place is None:
            place = Department(name=department)
            session.add(place)
            session.flush()
        position = Position(department_id=place.id, name=f"{login}'s")
        employee = Employee(number=login, name=login.title())
        session.add_all([position, employee])
        session.flush()
        session.add(EmployeePosition(employee_id=employee.id, position_id=position.id, from_on=dt.date(2020, 1, 1)))
        account = Account(login=login, employee_id=employee.id)
        session.add(account)
        session.flush()
        for name in roles:
            role = session.scalars(sa.select(Role).where(Role.name == name)).one()
            session.add(AccountRole(account_id=account.id, role_id=role.id))
        session.commit()
        return account.id


def employee_of(engine: sa.Engine, account_id: int) -> int:
    """Return the key of an account's employee."""
    with Session(engine) as session:
        return session.scalars(sa.select(Account.employee_id).where(Account.id == account_id)).one()
