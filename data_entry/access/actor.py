"""The account behind a call, with what it may do as the database says at this moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.organisation import (
    Account,
    AccountRole,
    Department,
    Employee,
    EmployeePosition,
    EmployeeProject,
    Position,
    Role,
    RolePermission,
)
from data_entry.services.errors import Forbidden
from loupan.i18n import marked

# From the narrowest to the widest; of several, the union of what they reach is reached.
SCOPES = ("own", "department", "project", "all")
# A permission on this resource or action is one on every resource or action.
EVERY = "*"


@dataclass(frozen=True)
class Actor:
    """An account and its rights.

    Attributes:
        account_id: None for the system itself.
        employee_id: the employee who signs in with it; None for an account of no employee, which owns no rows.
        name: how it is shown: the employee's name, else the login.
        roles: names of its roles.
        permissions: scopes by (resource, action).
        colleague_ids: employees who today hold a position in the departments the employee belongs to, or below them;
            the employee included.
        project_ids: estates the employee works for today.
        locale: language chosen for the account, or None.
    """

    account_id: int | None
    login: str = ""
    name: str = ""
    employee_id: int | None = None
    roles: tuple[str, ...] = ()
    permissions: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    colleague_ids: frozenset[int] = frozenset()
    project_ids: frozenset[int] = frozenset()
    locale: str | None = None

    def scopes(self, action: str, resource: str) -> frozenset[str]:
        """Return the scopes in which the actor may do an action with a resource; empty when not at all."""
        return frozenset().union(
            *(self.permissions.get((r, a), frozenset()) for r in (resource, EVERY) for a in (action, EVERY))
        )

    def may(self, action: str, resource: str) -> bool:
        """Say whether the actor may do an action with a resource at all, if only with some of its rows."""
        return bool(self.scopes(action, resource))

    def require(self, action: str, resource: str) -> frozenset[str]:
        """Return the scopes of a permission.

        Raises:
            Forbidden: if there is none.
        """
        scopes = self.scopes(action, resource)
        if not scopes:
            raise Forbidden(marked("You may not do this. Ask an administrator if you need to."))
        return scopes


SYSTEM = Actor(None, name="Loupan", permissions={(EVERY, EVERY): frozenset({"all"})})


def load_actor(session: Session, account_id: int, today: dt.date) -> Actor:
    """Return the actor of an account.

    Args:
        session: open on the CRM.
        account_id: key of the account.
        today: day of the company time zone on which positions and estates are looked up.

    Raises:
        Forbidden: if there is no such account, or it is not active.
    """
    account = session.get(Account, account_id)
    if account is None or not account.is_active or account.deleted_at is not None:
        raise Forbidden(marked("This account may not sign in."))
    employee = session.get(Employee, account.employee_id) if account.employee_id else None
    if employee is not None and employee.deleted_at is not None:
        employee = None
    granted = session.execute(
        sa.select(Role.name, RolePermission.resource, RolePermission.action, RolePermission.scope)
        .select_from(AccountRole)
        .join(Role, Role.id == AccountRole.role_id)
        .outerjoin(RolePermission, sa.and_(RolePermission.role_id == Role.id, RolePermission.deleted_at.is_(None)))
        .where(AccountRole.account_id == account_id, AccountRole.deleted_at.is_(None), Role.deleted_at.is_(None))
        .order_by(Role.id)
    ).all()
    permissions: dict[tuple[str, str], frozenset[str]] = {}
    for _, resource, action, scope in granted:
        if resource is not None:
            permissions[resource, action] = permissions.get((resource, action), frozenset()) | {scope}
    employee_id = employee.id if employee else None
    return Actor(
        account_id=account_id,
        login=account.login,
        name=employee.name if employee else account.login,
        employee_id=employee_id,
        roles=tuple(dict.fromkeys(row[0] for row in granted)),
        permissions=permissions,
        colleague_ids=_colleagues(session, employee_id, today) if employee_id else frozenset(),
        project_ids=_projects(session, employee_id, today) if employee_id else frozenset(),
        locale=account.locale,
    )


def _holds(table: type[EmployeePosition] | type[EmployeeProject], today: dt.date) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.deleted_at.is_(None), table.from_on <= today, sa.or_(table.to_on.is_(None), table.to_on >= today)
    )


def _colleagues(session: Session, employee_id: int, today: dt.date) -> frozenset[int]:
    held = sa.and_(_holds(EmployeePosition, today), Position.deleted_at.is_(None))
    below = (
        sa.select(Position.department_id.label("id"))
        .join(EmployeePosition, EmployeePosition.position_id == Position.id)
        .where(EmployeePosition.employee_id == employee_id, held)
        .cte("below", recursive=True)
    )
    # UNION, not UNION ALL: a tree that was made a ring by mistake ends as well.
    below = below.union(
        sa.select(Department.id).where(Department.parent_id == below.c.id, Department.deleted_at.is_(None))
    )
    people = session.scalars(
        sa.select(EmployeePosition.employee_id)
        .join(Position, Position.id == EmployeePosition.position_id)
        .where(held, Position.department_id.in_(sa.select(below.c.id)))
    )
    return frozenset(people) | {employee_id}


def _projects(session: Session, employee_id: int, today: dt.date) -> frozenset[int]:
    query = sa.select(EmployeeProject.project_id).where(
        EmployeeProject.employee_id == employee_id, _holds(EmployeeProject, today)
    )
    return frozenset(session.scalars(query))
