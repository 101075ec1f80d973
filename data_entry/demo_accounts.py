"""Accounts to try a sample company with: one per ready-made role, each an employee who fits it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import SYSTEM, ensure_roles
from data_entry.access.roles import READY_MADE
from data_entry.schema.customer import CustomerOwner
from data_entry.schema.estate import Project
from data_entry.schema.lead import Lead
from data_entry.schema.organisation import (
    Account,
    Department,
    Employee,
    EmployeePosition,
    EmployeeProject,
    Position,
    Role,
)
from data_entry.services import accounts
from data_entry.services.errors import Refused
from data_entry.services.passwords import one_time_password
from data_entry.services.work import Work, writing
from loupan.i18n import marked

FILE = "demo_accounts.txt"
# Words in the names of positions by which the employee for a role is found, the best first.
_POSITIONS = {
    "admin": ("行政", "admin"),
    "executive": ("总经理", "general manager", "executive"),
    "marketing": ("营销总监", "marketing director", "策划", "营销", "marketing"),
    "sales": ("置业顾问", "销售", "sales", "consultant"),
    "sales_manager": ("案场经理", "销售经理", "sales manager"),
    "property": ("物业经理", "物业管家", "物业", "property"),
    "service": ("客服专员", "客服", "service"),
    "data": ("数据", "data", "analyst"),
}


def make(engine: sa.Engine, folder: Path) -> Path:
    """Make the accounts that are missing, and return the file that says how to sign in.

    Args:
        engine: the CRM.
        folder: where the file lies, readable by its owner alone.

    Raises:
        Refused: if the CRM has accounts that were not made by this.
    """
    path = folder / FILE
    with writing(engine, SYSTEM) as work:
        is_known = path.is_file()
        if not is_known and accounts.is_set_up(work.session):
            raise Refused(
                marked("This CRM has accounts of its own, so none for demonstration are made. Use `account create`.")
            )
        ensure_roles(work.session)
        _let_people_work_for_estates(work)
        lines = path.read_text(encoding="utf-8").splitlines() if is_known else _HEAD.splitlines()
        for name in READY_MADE:
            line = _make_one(work, name)
            if line:
                lines.append(line)
        folder.mkdir(parents=True, exist_ok=True)
        _write_privately(path, "\n".join(lines) + "\n")
    return path


_HEAD = f"""Accounts of the demonstration: login, password, employee
{"":-<72}"""


def passwords(folder: Path) -> dict[str, str]:
    """Return the passwords of the demonstration by login."""
    rows = (line.split() for line in (folder / FILE).read_text(encoding="utf-8").splitlines()[2:])
    return {row[0]: row[1] for row in rows if len(row) >= 2}


def _write_privately(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def _make_one(work: Work, name: str) -> str | None:
    session = work.session
    if session.scalar(sa.select(Account.id).where(Account.login == name)) is not None:
        return None
    role = session.scalar(sa.select(Role.id).where(Role.name == name, Role.deleted_at.is_(None)))
    if role is None:
        return None
    employee = _fitting(work, name)
    account, password = accounts.create(
        work,
        name,
        role_ids=[role],
        employee_id=employee.id if employee else None,
        password=one_time_password(),
        must_change=False,
    )
    who = f"{employee.name} ({employee.number})" if employee else ""
    return f"{account.login:<16}{password:<24}{who}".rstrip()


def _fitting(work: Work, role: str) -> Employee | None:
    """Return an employee without an account whose position fits a role best; of several, the busiest."""
    for word in _POSITIONS[role]:
        candidates = work.session.scalars(
            sa.select(Employee)
            .join(EmployeePosition, EmployeePosition.employee_id == Employee.id)
            .join(Position, Position.id == EmployeePosition.position_id)
            .where(
                Position.name.icontains(word), EmployeePosition.to_on.is_(None), EmployeePosition.deleted_at.is_(None),
                Employee.left_on.is_(None), Employee.deleted_at.is_(None),
                Employee.id.not_in(sa.select(Account.employee_id).where(Account.employee_id.is_not(None))),
            )
            .order_by(Employee.id)
        ).unique().all()  # fmt: skip
        if candidates:
            busy = _BUSY.get(role, lambda _session: {})(work.session)
            return max(candidates, key=lambda employee: busy.get(employee.id, 0))
    return None


def _customers_by_owner(session: Session) -> dict[int, int]:
    found = session.execute(
        sa.select(CustomerOwner.employee_id, sa.func.count())
        .where(CustomerOwner.to_at.is_(None), CustomerOwner.deleted_at.is_(None))
        .group_by(CustomerOwner.employee_id)
    )
    return {row[0]: row[1] for row in found}


_BUSY: dict[str, Callable[[Session], dict[int, int]]] = {"sales": _customers_by_owner}


def _let_people_work_for_estates(work: Work) -> None:
    """Say which estates people work for, where nothing says so yet: those their departments are named after, else
    the estate of most of their leads."""
    session = work.session
    if session.scalar(sa.select(EmployeeProject.id).limit(1)) is not None:
        return
    estates = session.execute(sa.select(Project.id, Project.name).where(Project.deleted_at.is_(None))).all()
    held = session.execute(
        sa.select(EmployeePosition.employee_id, EmployeePosition.from_on, Department.name)
        .join(Position, Position.id == EmployeePosition.position_id)
        .join(Department, Department.id == Position.department_id)
        .where(EmployeePosition.to_on.is_(None), EmployeePosition.deleted_at.is_(None))
        .order_by(EmployeePosition.id)
    ).all()
    wanted = {
        (employee, estate): since
        for employee, since, department in held
        for estate, name in estates
        if name and name in department
    }
    placed = {employee for employee, _ in wanted}
    since_of = {employee: since for employee, since, _ in held}
    most = session.execute(
        sa.select(Lead.employee_id, Lead.project_id, sa.func.count())
        .where(Lead.deleted_at.is_(None), Lead.employee_id.is_not(None))
        .group_by(Lead.employee_id, Lead.project_id)
        .order_by(sa.func.count().desc(), Lead.project_id)
    )
    for employee, estate, _ in most:
        if employee not in placed and employee in since_of and estate is not None:
            wanted[employee, estate] = since_of[employee]
            placed.add(employee)
    session.add_all(
        EmployeeProject(employee_id=employee, project_id=estate, from_on=since)
        for (employee, estate), since in sorted(wanted.items())
    )
    session.flush()
