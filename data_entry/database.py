"""Open the CRM database and keep its schema at the version of this code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from data_entry.schema import metadata
from data_entry.schema.triggers import create_statements
from loupan.errors import LoupanError

MIGRATIONS = Path(__file__).parent / "schema" / "migrations"


class DatabaseError(LoupanError):
    """The CRM database cannot be used; the message names it and the way to mend it."""


def _prepare_sqlite(engine: sa.Engine) -> None:
    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: Any) -> None:
        # The driver's own transaction handling begins too late: SQLAlchemy's recipe is to switch it off.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = NORMAL", "busy_timeout = 30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # IMMEDIATE takes the write lock at once: two writers wait for each other instead of failing half-way.
        # Readers ask for `engine.execution_options(read_only=True)` and wait for nobody.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def create_engine_for(url: str) -> sa.Engine:
    """Return an engine for the CRM at a SQLAlchemy URL (SQLite or PostgreSQL).

    SQLite runs in WAL mode with foreign keys enforced.

    Raises:
        DatabaseError: if the URL cannot be used.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "postgresql" and "+" not in parsed.drivername:
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise DatabaseError(
                f"LOUPAN_CRM_URL names {parsed.get_backend_name()!r}; the CRM runs on sqlite:///… or postgresql://…"
            )
        if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        # The URL itself is not repeated: it may hold a password.
        raise DatabaseError(
            "LOUPAN_CRM_URL is no SQLAlchemy URL; use sqlite:///path/to/crm.sqlite or "
            "postgresql://user:password@host/database"
        ) from error
    except OSError as error:
        raise DatabaseError(f"The folder of the CRM database cannot be made: {error}") from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    return engine


@contextmanager
def _clear_errors(engine: sa.Engine) -> Iterator[None]:
    """Turn a driver's error into one that names the database without its password."""
    try:
        yield
    except DBAPIError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise DatabaseError(f"The CRM database {where} cannot be used: {error.orig}") from error


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def schema_version(engine: sa.Engine) -> str | None:
    """Return the migration the database stands at, None for a database without the CRM schema."""
    with _clear_errors(engine), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_version() -> str:
    """Return the newest migration of this code."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    if head is None:  # pragma: no cover - the migrations folder is part of the package
        raise DatabaseError(f"No migration found in {MIGRATIONS}; the installation is incomplete")
    return head


def create_schema(engine: sa.Engine) -> None:
    """Create the CRM schema, or upgrade it to the version of this code, in one transaction.

    Raises:
        DatabaseError: if the database is damaged, unreachable, or holds foreign tables of the same names.
    """
    with _clear_errors(engine), engine.begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current is None and sa.inspect(connection).has_table("customer"):
            raise DatabaseError(
                f"{engine.url.render_as_string(hide_password=True)} already has a table 'customer' that Loupan did not "
                "make. Give Loupan a database of its own and bring the data in with `loupan import`."
            )
        command.upgrade(_config(connection), "head")
        # After the migrations, not in them: a new table, or one that SQLite had to rebuild, has its trigger at once.
        for table in metadata.tables:
            for statement in create_statements(table, engine.dialect.name):
                connection.exec_driver_sql(statement)
