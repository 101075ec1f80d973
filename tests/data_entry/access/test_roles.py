"""Every ready-made role × table × action × row: a work allows what the matrix of permissions says, and nothing else."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from dashboards.menu import DASHBOARDS
from data_entry.access import ensure_roles
from data_entry.access.actor import EVERY, SCOPES
from data_entry.access.roles import READY_MADE
from data_entry.database import create_engine_for, create_schema
from data_entry.pages.menu import MENU
from data_entry.schema import Base, Record, metadata
from data_entry.services.errors import Forbidden, NotFound, ServiceError
from data_entry.services.work import Work, reading, writing
from tests.data_entry.access.oracle import Oracle
from tests.data_entry.access.random_crm import NOW, RandomCrm, Row, draw, fill, unique_keys

ACTIONS = (
    "read", "personal", "create", "update", "delete", "assign", "merge", "cancel", "approve", "issue", "run",
    "export", "erase",
)  # fmt: skip
MODELS: dict[str, type[Record]] = {m.class_.__tablename__: m.class_ for m in Base.registry.mappers}
ROLES = sorted(READY_MADE)
# Accounts beyond the random ones, each of an employee, one for each role.
FIRST_ACCOUNT = 501


def clock() -> dt.datetime:
    return NOW


@dataclass
class Place:
    """A random CRM with an account for each role; all of the same employee, so that only the role differs."""

    engine: sa.Engine
    crm: RandomCrm
    oracle: Oracle
    employee: int
    accounts: dict[str, int]


def make_place(url: str, seed: int) -> Place:
    engine = create_engine_for(url)
    create_schema(engine)
    crm = fill(engine, seed)
    oracle = Oracle(crm)
    # Somebody with colleagues and an estate, but not with everything.
    employee = max(range(1, 6), key=lambda e: (len(oracle.projects(e)) == 1, 1 < len(oracle.colleagues(e)) < 5))
    accounts = {name: FIRST_ACCOUNT + place for place, name in enumerate(ROLES)}
    account, held = metadata.tables["account"], metadata.tables["account_role"]
    with sa.orm.Session(engine) as session:
        ensure_roles(session)
        keys = dict(session.execute(sa.select(metadata.tables["role"].c.name, metadata.tables["role"].c.id)).all())
        for name, key in accounts.items():
            values = {"id": key, "login": f"demo-{name}", "employee_id": employee, "failed_count": 0}
            session.execute(sa.insert(account).values(**values))
            crm.rows["account"][key] = values | {"created_by": None, "deleted_at": None}
            given = {"id": key, "account_id": key, "role_id": keys[name]}
            session.execute(sa.insert(held).values(**given))
            crm.rows["account_role"][key] = given | {"deleted_at": None, "created_by": None}
        session.commit()
    return Place(engine, crm, oracle, employee, accounts)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = make_place(f"sqlite:///{tmp_path_factory.mktemp('roles') / 'crm.sqlite'}", 11)
    yield made
    made.engine.dispose()


def scopes_in_the_matrix(role: str, table: str, action: str) -> set[str]:
    """Return the scopes that the role's grants, as they are written down, give."""
    return {
        scope
        for resources, actions, scope in READY_MADE[role].grants
        if {table, EVERY} & set(resources) and {action, EVERY} & set(actions)
    }


def expected(place: Place, role: str, table: str, action: str, row: Row) -> type[ServiceError] | None:
    """Return what is refused with, or None."""

    def reached(what: str) -> bool:
        return any(
            place.oracle.reaches(scope, place.employee, table, row, what)
            for scope in scopes_in_the_matrix(role, table, what)
        )

    if row["deleted_at"] is not None or not reached("read"):
        return NotFound
    return None if reached(action) else Forbidden


def outcome(work: Work, model: type[Record], key: int, action: str) -> type[ServiceError] | None:
    try:
        assert work.get(model, key, action).id == key
    except ServiceError as error:
        return type(error)
    return None


def walk(place: Place, role: str, rows_of_a_table: int) -> int:
    """Try every table, action and some rows; return how many cases there were."""
    cases = 0
    with reading(place.engine, place.accounts[role], clock) as work:
        for table, model in MODELS.items():
            rows = list(place.crm.rows[table].items())[:rows_of_a_table]
            for action in ACTIONS:
                wanted = scopes_in_the_matrix(role, table, action)
                assert work.actor.scopes(action, table) == wanted
                for key, row in rows:
                    assert outcome(work, model, key, action) is expected(place, role, table, action, row), (
                        role, table, action, key,
                    )  # fmt: skip
                    cases += 1
    return cases


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_role_does_what_the_matrix_says(role: str, place: Place) -> None:
    assert walk(place, role, 2) > 1000


@pytest.mark.postgres
def test_role_does_what_the_matrix_says_on_postgresql(postgres_url: str) -> None:
    made = make_place(postgres_url, 12)
    for role in ("sales", "sales_manager", "property"):
        walk(made, role, 2)
    made.engine.dispose()


# Key of a row that is tried: beyond those of the ready-made permissions.
NEW = 1_000_001


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_role_makes_rows_within_its_reach_alone(role: str, place: Place) -> None:
    tried = {"made": 0, "refused": 0}
    rng = random.Random(role)
    for table, model in MODELS.items():
        taken = {key for row in place.crm.rows[table].values() for key in unique_keys(model.__table__, row)}
        row = draw(rng, place.crm, model.__table__, NEW) | {"deleted_at": None}
        if table == "account":
            row["employee_id"] = rng.choice([None, place.employee])
        if unique_keys(model.__table__, row) & taken:
            continue
        # Entered by whom it is entered: the draw does not matter.
        row["created_by"] = place.accounts[role]
        values = {model.__mapper__.get_property_by_column(c).key: row[c.name] for c in model.__table__.c}
        place.crm.rows[table][NEW] = row
        may = any(
            place.oracle.reaches(scope, place.employee, table, row, "create")
            for scope in scopes_in_the_matrix(role, table, "create")
        )
        try:
            with pytest.raises(_RolledBack), writing(place.engine, place.accounts[role], clock) as work:
                _try(work, model, values, may, (role, table, row))
        finally:
            del place.crm.rows[table][NEW]
        tried["made" if may else "refused"] += 1
    assert sum(tried.values()) > 40, tried


class _RolledBack(Exception):
    """Undoes what was tried."""


def _try(work: Work, model: type[Record], values: Row, may: bool, what: object) -> None:
    try:
        work.add(model(**values))
    except Forbidden:
        assert not may, what
    else:
        assert may, what
    raise _RolledBack


@pytest.mark.parametrize("role", ROLES)
def test_role_opens_its_landing_page_and_pages_that_exist(role: str) -> None:
    paths = {entry.path for entries in MENU.values() for entry in entries}
    statistics = {dashboard.path for dashboards in DASHBOARDS.values() for dashboard in dashboards}
    granted = {
        resource.removeprefix("page:")
        for resources, actions, _ in READY_MADE[role].grants
        for resource in resources
        if resource.startswith("page:") and "open" in actions
    }
    assert granted <= paths | statistics
    assert role == "admin" or READY_MADE[role].landing_page in granted


def test_the_matrix_speaks_of_tables_actions_and_scopes_that_exist() -> None:
    others = {"import", "backup", "refresh", EVERY}
    for role, ready_made in READY_MADE.items():
        for resources, actions, scope in ready_made.grants:
            assert scope in SCOPES
            for resource in resources:
                assert resource in others or resource in metadata.tables or resource.startswith("page:"), (
                    role,
                    resource,
                )
            assert set(actions) <= {*ACTIONS, "open", EVERY}, (role, actions)


def test_nobody_but_the_administrator_touches_accounts_roles_and_the_trail() -> None:
    kept = ("account", "account_session", "account_role", "role", "role_permission", "audit_log")
    for role in set(ROLES) - {"admin"}:
        for table in kept:
            for action in ACTIONS:
                assert not scopes_in_the_matrix(role, table, action), (role, table, action)
