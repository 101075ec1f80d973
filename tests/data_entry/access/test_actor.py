"""Who an account is at the moment of a call: nobody without rights, and no right outlives its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import SYSTEM, Actor, ensure_roles, load_actor
from data_entry.schema.customer import Customer, CustomerOwner
from data_entry.schema.estate import Project
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
from data_entry.services.errors import Forbidden, NotFound
from data_entry.services.work import reading, writing

TODAY = dt.date(2026, 6, 30)
NOW = dt.datetime(2026, 6, 30, 4, 0)


def clock() -> dt.datetime:
    return NOW


@pytest.fixture
def staffed(crm: sa.Engine) -> sa.Engine:
    """Two consultants of one team (accounts 1 and 2) and their manager's department; customer 1 is the first one's."""
    with Session(crm) as session:
        ensure_roles(session)
        session.add_all([Department(id=1, name="Sales"), Department(id=2, name="Team", parent_id=1)])
        session.flush()
        session.add_all(
            [Position(id=1, department_id=1, name="Head"), Position(id=2, department_id=2, name="Consultant")]
        )
        session.add_all([Employee(id=k, number=f"E{k}", name=f"Employee {k}") for k in (1, 2, 3)])
        session.add_all([Project(id=1, name="North"), Customer(id=1, name="Wang"), Customer(id=2, name="Li")])
        session.flush()
        held = ((1, 2), (2, 2), (3, 1))
        session.add_all(EmployeePosition(employee_id=e, position_id=p, from_on=dt.date(2026, 1, 1)) for e, p in held)
        session.add(EmployeeProject(employee_id=1, project_id=1, from_on=dt.date(2026, 1, 1)))
        session.add_all(Account(id=k, employee_id=k, login=f"user{k}") for k in (1, 2, 3))
        session.add(CustomerOwner(customer_id=1, project_id=1, employee_id=1, from_at=NOW - dt.timedelta(days=1)))
        session.flush()
        role = {
            name: session.scalars(sa.select(Role.id).where(Role.name == name)).one()
            for name in ("sales", "sales_manager")
        }
        session.add_all(AccountRole(account_id=k, role_id=role["sales"]) for k in (1, 2))
        session.add(AccountRole(account_id=3, role_id=role["sales_manager"]))
        session.commit()
    return crm


def change(engine: sa.Engine, statement: Any) -> None:
    with engine.begin() as connection:
        connection.execute(statement)


def sees(engine: sa.Engine, account: int, customer: int = 1) -> bool:
    with reading(engine, account, clock) as work:
        try:
            work.get(Customer, customer)
        except NotFound:
            return False
    return True


def test_consultant_sees_own_customers_and_the_manager_those_of_the_team(staffed: sa.Engine) -> None:
    assert sees(staffed, 1)
    assert not sees(staffed, 2)
    assert sees(staffed, 3)
    assert not sees(staffed, 1, 2)
    assert not sees(staffed, 3, 2)


@pytest.mark.parametrize(
    "statement",
    [
        sa.update(Account).where(Account.id == 1).values(is_active=False),
        sa.update(Account).where(Account.id == 1).values(deleted_at=NOW),
    ],
)
def test_an_account_that_is_closed_does_nothing(statement: Any, staffed: sa.Engine) -> None:
    change(staffed, statement)
    for opened in (reading, writing):
        with pytest.raises(Forbidden), opened(staffed, 1, clock):
            pass


def test_an_account_that_does_not_exist_does_nothing(staffed: sa.Engine) -> None:
    with pytest.raises(Forbidden), reading(staffed, 4711, clock):
        pass


@pytest.mark.parametrize(
    "statement",
    [
        sa.update(AccountRole).where(AccountRole.account_id == 1).values(deleted_at=NOW),
        sa.delete(AccountRole).where(AccountRole.account_id == 1),
        sa.update(Role).where(Role.name == "sales").values(deleted_at=NOW),
        sa.update(RolePermission).where(RolePermission.resource == "customer").values(deleted_at=NOW),
        sa.delete(RolePermission).where(RolePermission.resource == "customer"),
        sa.update(Employee).where(Employee.id == 1).values(deleted_at=NOW),
        sa.update(Account).where(Account.id == 1).values(employee_id=None),
        sa.update(CustomerOwner).values(to_at=NOW),
        sa.update(CustomerOwner).values(deleted_at=NOW),
    ],
)
def test_a_right_taken_away_ends_with_the_next_call(statement: Any, staffed: sa.Engine) -> None:
    assert sees(staffed, 1)
    change(staffed, statement)
    assert not sees(staffed, 1)


@pytest.mark.parametrize(
    "statement",
    [
        sa.update(EmployeePosition).where(EmployeePosition.employee_id == 3).values(to_on=dt.date(2026, 6, 29)),
        sa.update(EmployeePosition).where(EmployeePosition.employee_id == 3).values(deleted_at=NOW),
        sa.update(EmployeePosition).where(EmployeePosition.employee_id == 1).values(to_on=dt.date(2026, 6, 29)),
        sa.update(Department).where(Department.id == 2).values(deleted_at=NOW),
        sa.update(Department).where(Department.id == 2).values(parent_id=None),
        sa.update(Position).where(Position.id == 2).values(deleted_at=NOW),
    ],
)
def test_a_manager_loses_the_team_that_changes(statement: Any, staffed: sa.Engine) -> None:
    assert sees(staffed, 3)
    change(staffed, statement)
    assert not sees(staffed, 3)


def test_departments_in_a_ring_end(staffed: sa.Engine) -> None:
    change(staffed, sa.update(Department).where(Department.id == 1).values(parent_id=2))
    with Session(staffed) as session:
        assert load_actor(session, 1, TODAY).colleague_ids == {1, 2, 3}


def test_an_account_without_roles_may_do_nothing(staffed: sa.Engine) -> None:
    change(staffed, sa.delete(AccountRole))
    with reading(staffed, 1, clock) as work:
        assert work.actor.permissions == {}
        for action in ("read", "create", "update", "delete"):
            with pytest.raises(Forbidden):
                work.require(action, "customer")
        with pytest.raises(NotFound):
            work.get(Customer, 1)


def test_an_employee_without_position_has_no_colleagues(staffed: sa.Engine) -> None:
    change(staffed, sa.delete(EmployeePosition))
    with Session(staffed) as session:
        actor = load_actor(session, 3, TODAY)
    assert actor.colleague_ids == {3}
    assert actor.project_ids == frozenset()
    assert actor.name == "Employee 3"


def test_stints_count_by_the_day_of_the_company(staffed: sa.Engine) -> None:
    change(staffed, sa.update(EmployeeProject).values(from_on=TODAY, to_on=TODAY))
    for day, estates in ((TODAY, {1}), (TODAY - dt.timedelta(days=1), set()), (TODAY + dt.timedelta(days=1), set())):
        with Session(staffed) as session:
            assert load_actor(session, 1, day).project_ids == estates
    # 17:00 UTC on the 29th is the 30th in Shanghai already.
    with reading(staffed, 1, lambda: dt.datetime(2026, 6, 29, 17)) as work:
        assert work.actor.project_ids == {1}


def test_whoever_is_behind_a_call_is_found_within_it(staffed: sa.Engine) -> None:
    def nobody(session: Session, now: dt.datetime) -> int:
        raise Forbidden("Sign in again.")

    with pytest.raises(Forbidden), reading(staffed, nobody, clock):
        pass
    with reading(staffed, lambda session, now: 2, clock) as work:
        assert work.actor.login == "user2"


def test_the_system_may_do_everything() -> None:
    assert SYSTEM.scopes("anything", "at all") == {"all"}
    assert Actor(1).scopes("read", "customer") == frozenset()


def test_roles_are_added_once_and_stay_as_they_are(staffed: sa.Engine) -> None:
    change(staffed, sa.update(Role).where(Role.name == "data").values(deleted_at=NOW))
    change(staffed, sa.update(RolePermission).where(RolePermission.resource == "lead").values(deleted_at=NOW))
    counted: Callable[[], int] = lambda: _count(staffed)  # noqa: E731
    before = counted()
    with Session(staffed) as session:
        assert ensure_roles(session) == []
        session.commit()
    assert counted() == before


def test_a_page_of_a_later_version_is_granted_and_what_was_taken_stays_taken(staffed: sa.Engine) -> None:
    """As in an installation whose roles were made before there was a dictionary."""

    def granted(page: str) -> set[str]:
        return given(f"page:{page}")

    def given(resource: str) -> set[str]:
        with Session(staffed) as session:
            return set(
                session.scalars(
                    sa.select(Role.name)
                    .join(RolePermission, RolePermission.role_id == Role.id)
                    .where(RolePermission.resource == resource, RolePermission.deleted_at.is_(None))
                )
            )

    def ensure() -> None:
        with Session(staffed) as session:
            assert ensure_roles(session) == []
            session.commit()

    change(staffed, sa.delete(RolePermission).where(RolePermission.resource.in_(["page:dictionary", "target"])))
    change(staffed, sa.update(RolePermission).where(RolePermission.resource == "page:staff").values(deleted_at=NOW))
    change(staffed, sa.update(Role).where(Role.name == "service").values(deleted_at=NOW))
    ensure()
    assert granted("dictionary") == {"executive", "marketing", "sales_manager", "property", "data"}
    assert granted("staff") == set()
    assert given("target") >= {"executive", "sales_manager", "data"}
    executive = sa.select(Role.id).where(Role.name == "executive").scalar_subquery()
    taken = sa.update(RolePermission).where(
        RolePermission.resource == "page:dictionary", RolePermission.role_id == executive
    )
    change(staffed, taken.values(deleted_at=NOW))
    ensure()
    assert granted("dictionary") == {"marketing", "sales_manager", "property", "data"}


def _count(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(RolePermission)) or 0)
