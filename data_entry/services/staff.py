"""Employees as services need them: who works here today, who holds what, which departments somebody belongs to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from data_entry.schema.organisation import (
    Account,
    AccountRole,
    Department,
    Employee,
    EmployeePosition,
    EmployeeProject,
    Position,
)
from data_entry.services.errors import NotFound, Refused
from data_entry.services.work import Work
from loupan.i18n import marked


def is_employed(on: dt.date) -> sa.ColumnElement[bool]:
    """Return the condition that an employee works here on a day."""
    return sa.and_(
        Employee.deleted_at.is_(None),
        sa.or_(Employee.left_on.is_(None), Employee.left_on >= on),
    )


def is_held(on: dt.date) -> sa.ColumnElement[bool]:
    """Return the condition that a position is held on a day."""
    return sa.and_(
        EmployeePosition.deleted_at.is_(None),
        EmployeePosition.from_on <= on,
        sa.or_(EmployeePosition.to_on.is_(None), EmployeePosition.to_on >= on),
    )


def myself(work: Work) -> int:
    """Return the key of the employee who acts.

    Raises:
        Refused: if the account is no employee's.
    """
    if work.actor.employee_id is None:
        raise Refused(marked("This account belongs to no employee, so it cannot do this."))
    return work.actor.employee_id


def employee(work: Work, key: int) -> Employee:
    """Return an employee who works here today.

    Raises:
        NotFound: if there is no such employee.
        Refused: if the employee has left.
    """
    person = work.session.get(Employee, key)
    if person is None or person.deleted_at is not None:
        raise NotFound(marked("There is no such employee."))
    if person.left_on is not None and person.left_on < work.today:
        raise Refused(marked("{name} has left the company."), name=person.name)
    return person


def names(work: Work, keys: Iterable[int | None]) -> dict[int | None, str]:
    """Return the names of employees by their keys; a missing one, and None, are not in it."""
    wanted = {key for key in keys if key is not None}
    if not wanted:
        return {}
    return dict(work.session.execute(sa.select(Employee.id, Employee.name).where(Employee.id.in_(wanted))).all())


def reached_by(work: Work, action: str, resource: str) -> sa.ColumnElement[bool]:
    """Return the condition on employees that the actor's permission reaches them."""
    scopes = work.actor.scopes(action, resource)
    if "all" in scopes:
        return sa.true()
    conditions: list[sa.ColumnElement[bool]] = [sa.false()]
    if "own" in scopes and work.actor.employee_id is not None:
        conditions.append(Employee.id == work.actor.employee_id)
    if "department" in scopes:
        conditions.append(Employee.id.in_(sorted(work.actor.colleague_ids)))
    if "project" in scopes:
        there = sa.select(EmployeeProject.employee_id).where(
            EmployeeProject.project_id.in_(sorted(work.actor.project_ids)),
            EmployeeProject.deleted_at.is_(None),
            EmployeeProject.from_on <= work.today,
            sa.or_(EmployeeProject.to_on.is_(None), EmployeeProject.to_on >= work.today),
        )
        conditions.append(Employee.id.in_(there))
    return sa.or_(*conditions)


def deciders(work: Work, position_id: int | None, role_id: int | None) -> set[int]:
    """Return the employees who hold a position today, or where none is named, whose active account has a role."""
    query: sa.Select[int | None]
    if position_id is not None:
        query = (
            sa.select(EmployeePosition.employee_id)
            .join(Employee, Employee.id == EmployeePosition.employee_id)
            .where(EmployeePosition.position_id == position_id, is_held(work.today), is_employed(work.today))
        )
    elif role_id is not None:
        query = (
            sa.select(Account.employee_id)
            .join(AccountRole, AccountRole.account_id == Account.id)
            .join(Employee, Employee.id == Account.employee_id)
            .where(AccountRole.role_id == role_id, AccountRole.deleted_at.is_(None))
            .where(Account.deleted_at.is_(None), Account.is_active, is_employed(work.today))
        )
    else:
        return set()
    return {key for key in work.session.scalars(query) if key is not None}


def departments_of(work: Work) -> set[int]:
    """Return the departments the actor belongs to today, those above them, and those below them."""
    if work.actor.employee_id is None:
        return set()
    own = set(
        work.session.scalars(
            sa.select(Position.department_id)
            .join(EmployeePosition, EmployeePosition.position_id == Position.id)
            .where(EmployeePosition.employee_id == work.actor.employee_id, is_held(work.today))
        )
    )
    above = dict(
        work.session.execute(
            sa.select(Department.id, Department.parent_id).where(Department.deleted_at.is_(None))
        ).all()
    )
    return _upwards(own, above) | {key for key in above if _upwards({key}, above) & own}


def _upwards(keys: Collection[int], above: dict[int, int | None]) -> set[int]:
    seen: set[int] = set()
    left = list(keys)
    while left:
        key = left.pop()
        if key in seen:
            continue
        seen.add(key)
        parent = above.get(key)
        if parent is not None:
            left.append(parent)
    return seen
