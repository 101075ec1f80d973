"""Accounts with roles, and the works they open, for the tests of services."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa

from data_entry.access import SYSTEM, ensure_roles
from data_entry.schema.organisation import Account, AccountRole, Employee, Role, RolePermission
from data_entry.services.work import Work, reading, writing

NOW = dt.datetime(2026, 3, 2, 1, 30)


def clock() -> dt.datetime:
    return NOW


def account(engine: sa.Engine, login: str, role: str = "admin", employee: str | None = None) -> int:
    """Make an account with a ready-made role and return its key."""
    with writing(engine, SYSTEM, clock) as work:
        ensure_roles(work.session)
        person = None
        if employee is not None:
            person = Employee(number=login.upper(), name=employee)
            work.session.add(person)
            work.session.flush()
        made = Account(login=login, employee_id=person.id if person else None)
        work.session.add(made)
        work.session.flush()
        role_id = work.session.scalar(sa.select(Role.id).where(Role.name == role))
        work.session.add(AccountRole(account_id=made.id, role_id=role_id))
        return made.id


def account_with(engine: sa.Engine, login: str, grants: Mapping[tuple[str, str], str]) -> int:
    """Make an account that may do exactly the given actions, as (resource, action) to scope, and return its key."""
    with writing(engine, SYSTEM, clock) as work:
        role = Role(name=f"of {login}")
        made = Account(login=login)
        work.session.add_all([role, made])
        work.session.flush()
        work.session.add(AccountRole(account_id=made.id, role_id=role.id))
        work.session.add_all(
            RolePermission(role_id=role.id, resource=resource, action=action, scope=scope)
            for (resource, action), scope in grants.items()
        )
        return made.id


@contextmanager
def writes(engine: sa.Engine, who: int) -> Iterator[Work]:
    with writing(engine, who, clock) as work:
        yield work


@contextmanager
def reads(engine: sa.Engine, who: int) -> Iterator[Work]:
    with reading(engine, who, clock) as work:
        yield work
