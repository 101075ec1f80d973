"""Upgrading a CRM that holds data keeps every row, every reference and every rule."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from data_entry.database import MIGRATIONS, DatabaseError, create_engine_for, create_schema
from data_entry.schema import metadata

# Rows as an older version wrote them, with references in both directions between tables that are built anew.
ROWS = """
INSERT INTO employee (id, number, name) VALUES (1, 'E1', 'Lin');
INSERT INTO project (id, name) VALUES (1, 'A');
INSERT INTO customer (id, name, phone) VALUES (1, '陈', '13800000000');
INSERT INTO customer (id, name, merged_into_id) VALUES (2, '陈', 1);
INSERT INTO demand_category (id, kind, name) VALUES (1, 'complaint', 'Noise');
INSERT INTO demand (id, customer_id, project_id, demand_category_id, phase, received_at)
    VALUES (1, 1, 1, 1, 'sales', '2026-01-01 00:00:00');
INSERT INTO demand (id, customer_id, project_id, demand_category_id, phase, received_at, duplicate_of_id)
    VALUES (2, 1, 1, 1, 'sales', '2026-01-02 00:00:00', 1);
INSERT INTO demand_event (id, demand_id, kind, occurred_at) VALUES (1, 1, 'reply', '2026-01-01 01:00:00');
INSERT INTO task (id, title, demand_id) VALUES (1, 'Call back', 1);
INSERT INTO feature (id, entity, name) VALUES (1, 'customer', 'Car');
INSERT INTO feature_value (id, feature_id, entity_id, value) VALUES (1, 1, 1, 'yes');
INSERT INTO account (id, login) VALUES (1, 'lin');
INSERT INTO role (id, name) VALUES (1, 'sales');
INSERT INTO account_role (id, account_id, role_id) VALUES (1, 1, 1);
INSERT INTO expense (id, incurred_on, amount) VALUES (1, '2026-01-01', 12345678901234.56);
INSERT INTO work_plan (id, employee_id, period_on, text) VALUES (1, 1, '2026-01-05', 'Visit');
INSERT INTO survey (id, name) VALUES (1, 'S');
INSERT INTO survey_invitation (id, survey_id) VALUES (1, 1);
INSERT INTO survey_response (id, survey_id, survey_invitation_id, submitted_at)
    VALUES (1, 1, 1, '2026-01-01 00:00:00');
"""


@pytest.fixture
def old_crm(crm_url: str):
    """A CRM at the first version, with rows."""
    engine = create_engine_for(crm_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in ROWS.split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    yield engine
    engine.dispose()


def _contents(engine: sa.Engine, tables: dict[str, list[str]]) -> dict[str, list[tuple]]:
    with engine.connect() as connection:
        return {
            table: [
                tuple(row)
                for row in connection.execute(
                    sa.select(*(sa.column(c) for c in columns)).select_from(sa.table(table)).order_by(sa.column("id"))
                )
            ]
            for table, columns in tables.items()
        }


def test_an_upgrade_keeps_every_row(old_crm: sa.Engine) -> None:
    inspector = sa.inspect(old_crm)
    tables = {name: [c["name"] for c in inspector.get_columns(name)] for name in inspector.get_table_names()}
    del tables["alembic_version"]
    before = _contents(old_crm, tables)
    assert sum(map(len, before.values())) == 19
    create_schema(old_crm)
    assert _contents(old_crm, tables) == before


def test_an_upgraded_schema_is_that_of_a_new_one(old_crm: sa.Engine) -> None:
    create_schema(old_crm)
    inspector = sa.inspect(old_crm)
    for table in metadata.sorted_tables:
        declared = {c.name for c in table.constraints if isinstance(c, sa.CheckConstraint) and c.name}
        assert {c["name"] for c in inspector.get_check_constraints(table.name)} == declared, table.name
    with old_crm.begin() as connection:
        connection.exec_driver_sql("INSERT INTO feature (id, entity, name) VALUES (2, 'report', 'Weather')")
    for statement in (
        "INSERT INTO feature (id, entity, name) VALUES (3, 'ghost', 'x')",
        "INSERT INTO demand_event (id, demand_id, kind, occurred_at) VALUES (9, 99, 'reply', '2026-01-01 00:00:00')",
        "UPDATE demand SET service_item_id = 99",
        "DELETE FROM project",
    ):
        with pytest.raises(DBAPIError), old_crm.begin() as connection:
            connection.exec_driver_sql(statement)


def test_an_upgrade_that_would_break_a_reference_changes_nothing(
    old_crm: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_crm.dialect.name != "sqlite":
        pytest.skip("PostgreSQL enforces references while it upgrades")
    upgrade = command.upgrade

    def upgrade_and_lose_a_row(config: Config, revision: str) -> None:
        upgrade(config, revision)
        config.attributes["connection"].exec_driver_sql("DELETE FROM project")

    monkeypatch.setattr(command, "upgrade", upgrade_and_lose_a_row)
    with pytest.raises(DatabaseError, match=r"was not upgraded: .*demand row 1 → project"):
        create_schema(old_crm)
    assert "unit_owner" not in sa.inspect(old_crm).get_table_names()
    with old_crm.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM project").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
