"""The CRM schema on both engines: migrations, triggers, constraints, exact values, clear errors."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from data_entry.database import DatabaseError, create_engine_for, create_schema, head_version, schema_version
from data_entry.schema import metadata
from data_entry.schema.customer import Customer
from data_entry.schema.dbt_sources import source_files
from data_entry.schema.deal import Payment
from data_entry.schema.estate import Project


def test_migrations_lead_to_the_schema_of_the_code(crm: sa.Engine) -> None:
    with crm.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert schema_version(crm) == head_version()
    create_schema(crm)  # repeating it changes nothing


def test_every_foreign_key_is_in_the_database(crm: sa.Engine) -> None:
    inspector = sa.inspect(crm)
    declared = {(t.name, fk.parent.name, fk.column.table.name) for t in metadata.sorted_tables for fk in t.foreign_keys}
    real = {
        (table, key["constrained_columns"][0], key["referred_table"])
        for table in metadata.tables
        for key in inspector.get_foreign_keys(table)
    }
    assert real == declared
    assert len(declared) > 100


def test_every_table_moves_updated_at_and_row_version_whoever_writes(crm: sa.Engine) -> None:
    with crm.connect() as connection:
        if crm.dialect.name == "sqlite":
            query = "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'"
        else:
            query = "SELECT event_object_table FROM information_schema.triggers"
        assert set(connection.exec_driver_sql(query).scalars()) == set(metadata.tables)
    old = "2020-01-01 00:00:00.000000"
    with crm.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO project (id, name, created_at, updated_at) VALUES (1, 'A', '{old}', '{old}')"
        )
    with crm.begin() as connection:
        connection.exec_driver_sql("UPDATE project SET name = 'B'")
    with Session(crm) as session:
        project = session.get_one(Project, 1)
        assert project.row_version == 2
        assert project.updated_at.year > 2020
        assert project.created_at.year == 2020


def test_the_trail_takes_new_rows_and_no_other_change(crm: sa.Engine) -> None:
    with crm.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit_log (id, at, entity, action) VALUES (1, '2026-01-01', 'lead', 'x')"
        )
    statements = ["UPDATE audit_log SET action = 'y'", "DELETE FROM audit_log"]
    for statement in statements + (["TRUNCATE audit_log"] if crm.dialect.name == "postgresql" else []):
        with pytest.raises(sa.exc.DBAPIError, match="never changed"), crm.begin() as connection:
            connection.exec_driver_sql(statement)
    with crm.connect() as connection:
        assert connection.exec_driver_sql("SELECT action FROM audit_log").scalars().all() == ["x"]


def test_orm_moves_them_once_per_change_and_refuses_a_stale_save(crm: sa.Engine) -> None:
    with Session(crm) as session:
        session.add(Project(id=1, name="A"))
        session.commit()
    with Session(crm, expire_on_commit=False) as first, Session(crm, expire_on_commit=False) as second:
        mine = first.get_one(Project, 1)
        first.commit()
        yours = second.get_one(Project, 1)
        second.commit()
        mine.name = "B"
        first.commit()
        assert mine.row_version == 2
        yours.name = "C"
        with pytest.raises(StaleDataError):
            second.commit()


def test_readers_do_not_wait_for_a_writer(crm: sa.Engine) -> None:
    with crm.begin() as writer:
        writer.exec_driver_sql("INSERT INTO project (id, name) VALUES (1, 'A')")
        with crm.execution_options(read_only=True).connect() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM project").scalar() == 0


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("INSERT INTO lead (customer_id, project_id, opened_at) VALUES (1, 99, '2026-01-01 00:00:00')", "foreign key"),
        ("INSERT INTO customer (kind) VALUES ('ghost')", "unknown choice"),
        ("UPDATE customer SET merged_into_id = id", "merged into itself"),
        ("INSERT INTO project (name, gross_margin_rate) VALUES ('x', 1.5)", "margin above 1"),
    ],
)
def test_database_refuses_what_makes_no_sense(crm: sa.Engine, statement: str, why: str) -> None:
    with crm.begin() as connection:
        connection.exec_driver_sql("INSERT INTO customer (id, kind) VALUES (1, 'person')")
    with pytest.raises(DBAPIError), crm.begin() as connection:
        connection.exec_driver_sql(statement)


def test_money_is_exact_and_never_rounded_silently(crm: sa.Engine) -> None:
    amount = Decimal("1234567890123.45")
    with Session(crm) as session:
        session.add(Project(id=1, name="A"))
        session.add(Customer(id=1))
        session.flush()
        session.execute(sa.text("INSERT INTO deal (id, customer_id, project_id) VALUES (1, 1, 1)"))
        session.add(Payment(id=1, deal_id=1, received_on=dt.date(2026, 1, 1), amount=amount))
        session.commit()
        session.expire_all()
        assert session.get_one(Payment, 1).amount == amount
        session.add(Payment(deal_id=1, received_on=dt.date(2026, 1, 1), amount=Decimal("0.005")))
        with pytest.raises(StatementError, match="more than 2 decimals"):
            session.flush()


def test_moments_are_stored_in_utc(crm: sa.Engine) -> None:
    shanghai = dt.timezone(dt.timedelta(hours=8))
    with Session(crm) as session:
        session.add(Customer(id=1, consent_at=dt.datetime(2026, 1, 1, 7, 0, tzinfo=shanghai)))
        session.commit()
        session.expire_all()
        assert session.get_one(Customer, 1).consent_at == dt.datetime(2025, 12, 31, 23, 0)


def test_every_foreign_key_is_indexed() -> None:
    unindexed = []
    for table in metadata.sorted_tables:
        leading = {next(iter(index.columns)).name for index in table.indexes}
        leading |= {next(iter(c.columns)).name for c in table.constraints if isinstance(c, sa.UniqueConstraint)}
        unindexed += [f"{table.name}.{fk.parent.name}" for fk in table.foreign_keys if fk.parent.name not in leading]
    assert unindexed == []


def test_dbt_sources_are_those_of_the_schema() -> None:
    stale = [str(path) for path, text in source_files().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `python -m data_entry.schema.dbt_sources`"


def test_personal_columns_are_never_declared_as_sources() -> None:
    declared = {
        (table["name"], column["name"])
        for text in source_files().values()
        for source in yaml.safe_load(text)["sources"]
        for table in source["tables"]
        for column in table["columns"]
    }
    columns = {(table.name, column.name): column for table in metadata.sorted_tables for column in table.columns}
    assert declared <= columns.keys()
    assert not [name for name in declared if columns[name].info.get("personal")]
    assert not {name for _, name in declared} & {"phone", "password_hash", "respondent_name", "note", "comment"}
    # The words of an event that the company marks on its charts; of a demand, a report, a task they are personal.
    assert {table for table, name in declared if name == "title"} == {"annotation"}


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(DatabaseError, match=r"damaged\.sqlite.* restore it from a backup"):
        create_schema(create_engine_for(f"sqlite:///{damaged}"))


@pytest.mark.parametrize("table", ["customer", "lead", "of_others"])
def test_a_database_of_others_is_refused_and_left_as_it_is(crm_url: str, table: str) -> None:
    engine = create_engine_for(crm_url)
    with sa.create_engine(engine.url).begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {table} (x int)")
        connection.exec_driver_sql("CREATE VIEW a_view AS SELECT 1 AS x")
    with pytest.raises(DatabaseError, match=rf"2 tables that Loupan did not make \(a_view, {table}\).*loupan import"):
        create_schema(engine)
    assert schema_version(engine) is None
    assert sa.inspect(engine).get_table_names() == [table]
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
    engine.dispose()


@pytest.mark.postgres
def test_on_postgres_only_the_schema_written_to_must_be_empty(postgres_url: str) -> None:
    with create_engine_for(postgres_url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE of_others (x int)")
        connection.exec_driver_sql("CREATE SCHEMA crm")
    engine = create_engine_for(f"{postgres_url}?options=-csearch_path%3Dcrm,public")
    create_schema(engine)
    assert "lead" in sa.inspect(engine).get_table_names(schema="crm")
    engine.dispose()


@pytest.mark.parametrize("versions", [["abcdef"], ["0001", "abcdef"]])
def test_a_database_of_another_version_is_refused(crm: sa.Engine, versions: list[str]) -> None:
    with crm.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
        for version in versions:
            connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{version}')")
    for use in (schema_version, create_schema):
        with pytest.raises(DatabaseError, match=r"made by another version .*abcdef.*mend LOUPAN_CRM_URL"):
            use(crm)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is no SQLAlchemy URL"),
        ("mysql://a:secret@h/d", "names 'mysql'"),
        ("postgres://a:secret@h/d", "names 'postgres'.* postgresql://…"),
        ("postgresql://u:secret@127.0.0.1:1/d", "Check that the server runs, and host, port"),
        ("postgresql+asyncpg://u:secret@127.0.0.1:1/d", "Check that the server runs, and host, port"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite+aiosqlite://", "in memory"),
        ("sqlite:///file::memory:?uri=true", "plain path"),
        ("sqlite:///{folder}/crm.sqlite?mode=ro", "plain path"),
        ("sqlite:///file:{folder}/new/crm.sqlite", "plain path"),
        ("sqlite:///{folder}", "is a folder"),
        ("sqlite://host/crm.sqlite", "is no SQLAlchemy URL"),
        ("sqlite:///~nobody-of-this-name/crm.sqlite", "is no SQLAlchemy URL"),
        ("sqlite:////etc/passwd/crm.sqlite", "cannot be made"),
    ],
)
def test_unusable_urls_are_refused_without_repeating_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseError, match=message) as refusal:
        create_schema(create_engine_for(url.format(folder=tmp_path)))
    assert "secret" not in str(refusal.value)
    assert "LOUPAN_CRM_URL" in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_not_made_by_asking(tmp_path: Path) -> None:
    assert schema_version(create_engine_for(f"sqlite:///{tmp_path}/new/crm.sqlite")) is None
    assert list(tmp_path.iterdir()) == []


def test_integrity_errors_leave_nothing_half_written(crm: sa.Engine) -> None:
    with Session(crm) as session:
        session.add(Project(id=1, name="A"))
        session.flush()
        session.add(Project(id=2, name=None))
        with pytest.raises(IntegrityError):
            session.commit()
    with crm.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM project").scalar() == 0
