"""The conditions of `reach` fetch exactly the rows that belong to the actor, in every table, scope and action."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import Actor, load_actor, reach
from data_entry.access.actor import EVERY, SCOPES
from data_entry.access.reach import ROWS
from data_entry.database import create_engine_for, create_schema
from data_entry.schema import metadata
from tests.data_entry.access.oracle import Oracle
from tests.data_entry.access.random_crm import TODAY, RandomCrm, fill

# Lists that the whole company shares, and what administrators keep: nobody's own, so only the scope `all` reaches them.
ALL_ONLY = {
    "activity_class", "approval_step", "article", "article_version", "care_rule", "competitor", "customer_class",
    "demand_category", "department", "expense_category", "feature", "fee_type", "plan_class", "position", "reason",
    "report_class", "role", "role_permission", "service_class", "service_item", "sla_policy", "source",
    "vocabulary_term",
}  # fmt: skip
ACTIONS = ("read", "update", "delete")


def test_every_table_is_reached_in_a_way_that_was_chosen() -> None:
    assert set(ROWS) | ALL_ONLY == set(metadata.tables)
    assert not set(ROWS) & ALL_ONLY


def test_what_rows_belong_through_exists() -> None:
    for table, belongs in ROWS.items():
        columns = metadata.tables[table].c
        for name in (*belongs.employees, *belongs.authors):
            assert name == "id" or {k.column.table.name for k in columns[name].foreign_keys} == {"employee"}
        for name in belongs.projects:
            assert name == "id" or {k.column.table.name for k in columns[name].foreign_keys} == {"project"}
        for name, parent in belongs.through:
            assert {k.column.table.name for k in columns[name].foreign_keys} == {parent}
            assert parent in ROWS


def reader(engine: sa.Engine) -> sa.Engine:
    return engine.execution_options(read_only=True)


def actor_of(engine: sa.Engine, account: int) -> Actor:
    with Session(reader(engine)) as session:
        return load_actor(session, account, TODAY)


def holding(actor: Actor, scope: str) -> Actor:
    return dataclasses.replace(actor, permissions={(EVERY, EVERY): frozenset({scope})})


def compare(engine: sa.Engine, crm: RandomCrm, employees: Iterator[int] | range) -> int:
    """Compare every table, scope and action for some employees; return the number of rows that were reached."""
    oracle, reached = Oracle(crm), 0
    with reader(engine).connect() as connection:
        for employee in employees:
            # Account and employee have the same key here.
            actor = actor_of(engine, employee)
            assert actor.colleague_ids == oracle.colleagues(employee)
            assert actor.project_ids == oracle.projects(employee)
            for table in metadata.sorted_tables:
                for scope in SCOPES:
                    for action in ACTIONS if ROWS.get(table.name) and ROWS[table.name].authors else ACTIONS[:1]:
                        condition = reach(holding(actor, scope), action, table.name)
                        found = set(connection.scalars(sa.select(table.c.id).where(condition)))
                        expected = {
                            key
                            for key, row in crm.rows[table.name].items()
                            if oracle.reaches(scope, employee, table.name, row, action)
                        }
                        assert found == expected, (table.name, scope, action, employee)
                        reached += len(found)
    return reached


@pytest.mark.parametrize("seed", range(4))
def test_reach_is_what_the_rules_say(seed: int, sqlite_url: str) -> None:
    engine = create_engine_for(sqlite_url)
    create_schema(engine)
    crm = fill(engine, seed)
    assert compare(engine, crm, range(1, 5)) > 1000
    engine.dispose()


@pytest.mark.postgres
def test_reach_is_what_the_rules_say_on_postgresql(postgres_url: str) -> None:
    engine = create_engine_for(postgres_url)
    create_schema(engine)
    compare(engine, fill(engine, 99), range(1, 3))
    engine.dispose()


def test_scopes_add_up(sqlite_url: str) -> None:
    engine = create_engine_for(sqlite_url)
    create_schema(engine)
    fill(engine, 7)
    actor = actor_of(engine, 2)
    lead = metadata.tables["lead"]

    def keys(*scopes: str) -> set[int]:
        both = dataclasses.replace(actor, permissions={("lead", "read"): frozenset(scopes)})
        with reader(engine).connect() as connection:
            return set(connection.scalars(sa.select(lead.c.id).where(reach(both, "read", "lead"))))

    assert keys("own", "project") == keys("own") | keys("project")
    assert keys() == set()
    assert keys("own") <= keys("department")
    engine.dispose()


@pytest.mark.parametrize("scope", [s for s in SCOPES if s != "all"])
def test_an_account_of_no_employee_reaches_nothing_but_all(scope: str, sqlite_url: str) -> None:
    engine = create_engine_for(sqlite_url)
    create_schema(engine)
    fill(engine, 3)
    nobody = Actor(99, permissions={(EVERY, EVERY): frozenset({scope})})
    with reader(engine).connect() as connection:
        for table in metadata.sorted_tables:
            condition = reach(nobody, "read", table.name)
            assert not connection.execute(sa.select(table.c.id).where(condition)).all(), table.name
    engine.dispose()


def test_a_table_that_nobody_described_is_reached_by_all_alone() -> None:
    actor = Actor(1, employee_id=1, project_ids=frozenset({1}), colleague_ids=frozenset({1}),
                  permissions={(EVERY, EVERY): frozenset(SCOPES[:3])})  # fmt: skip
    for table in ALL_ONLY:
        assert str(reach(actor, "read", table)) == "false"
