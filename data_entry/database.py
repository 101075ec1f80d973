"""Open the CRM database and keep its schema at the version of this code."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError

from data_entry.schema import metadata
from data_entry.schema.triggers import create_statements
from loupan.errors import LoupanError

MIGRATIONS = Path(__file__).parent / "schema" / "migrations"
# The driver is ours to choose, whatever the URL names: the load from the CRM has drivers of its own as well.
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
VERSION_TABLE = "alembic_version"

_SQLITE_FORM = "sqlite:///path/to/crm.sqlite"
# What to do about a driver's message, by words in it; the first found holds.
_ADVICE = {
    "unable to open": "The file or its folder cannot be opened: allow it, or mend LOUPAN_CRM_URL",
    "readonly": "The file may only be read: allow writing to it and its folder",
    "not a database": "The file is damaged or no SQLite database: restore it from a backup, or mend LOUPAN_CRM_URL",
    "malformed": "The file is damaged: restore it from a backup",
    "locked": "Another program holds the database locked: let it finish and try again",
    "disk is full": "Make room on the disk",
    "permission denied": "The user lacks a right: grant it, or mend the user in LOUPAN_CRM_URL",
    "resolve host": "Check the host in LOUPAN_CRM_URL",
    "connection": "Check that the server runs, and host, port, database, user and password in LOUPAN_CRM_URL",
    "": "Check that LOUPAN_CRM_URL names the right database",
}


class DatabaseError(LoupanError):
    """The CRM database cannot be used; the message names it and the way to mend it."""


def _prepare_sqlite(engine: sa.Engine) -> None:
    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: Any) -> None:
        # The driver's own transaction handling begins too late: SQLAlchemy's recipe is to switch it off.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("foreign_keys = ON", "synchronous = NORMAL", "busy_timeout = 30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # IMMEDIATE takes the write lock at once: two writers wait for each other instead of failing half-way.
        # Readers ask for `engine.execution_options(read_only=True)` and wait for nobody.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _prepare_postgresql(engine: sa.Engine) -> None:
    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        connection.autocommit = True
        with connection.cursor() as cursor:
            # Pages ask for a few rows: compiling a query takes longer than the query, and what is read is in memory.
            for setting in ("jit = off", "random_page_cost = 1.1"):
                cursor.execute(f"SET {setting}")
        connection.autocommit = False


def _sqlite_file(url: sa.URL) -> Path:
    """Return the file of an SQLite URL: the one that the load from the CRM opens as well."""
    if url.database in (None, "", ":memory:"):
        raise DatabaseError(
            "LOUPAN_CRM_URL names a database in memory, which is lost when the command ends. "
            f"Mend LOUPAN_CRM_URL: {_SQLITE_FORM}."
        )
    if url.query or str(url.database).startswith("file:"):
        raise DatabaseError(
            f"LOUPAN_CRM_URL={url.render_as_string()} has parameters or a 'file:' in it; Loupan takes the plain path "
            f"of a file. Mend LOUPAN_CRM_URL: {_SQLITE_FORM}."
        )
    path = Path(str(url.database)).expanduser().resolve()
    if os.path.isdir(path):
        raise DatabaseError(f"The CRM database {path} is a folder. Mend LOUPAN_CRM_URL: {_SQLITE_FORM}.")
    return path


def create_engine_for(url: str) -> sa.Engine:
    """Return an engine for the CRM at a SQLAlchemy URL (SQLite or PostgreSQL); nothing is opened or made yet.

    SQLite enforces foreign keys.

    Raises:
        DatabaseError: if the URL cannot be used.
    """
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
        if backend not in DRIVERS:
            raise DatabaseError(
                f"LOUPAN_CRM_URL names {backend!r}. Mend LOUPAN_CRM_URL: the CRM runs on sqlite:///… or postgresql://…"
            )
        parsed = parsed.set(drivername=DRIVERS[backend])
        if backend == "sqlite":
            parsed = parsed.set(database=str(_sqlite_file(parsed)))
        engine = sa.create_engine(parsed)
    except (ArgumentError, ValueError, RuntimeError) as error:  # the last: a home folder of nobody
        # The URL itself is not repeated: it may hold a password.
        raise DatabaseError(
            f"LOUPAN_CRM_URL is no SQLAlchemy URL. Mend LOUPAN_CRM_URL: {_SQLITE_FORM} or "
            "postgresql://user:password@host/database"
        ) from error
    except ImportError as error:
        raise DatabaseError(
            "A CRM on PostgreSQL needs the extra `postgres`: install it with `uv pip install -e '.[postgres]'`."
        ) from error
    (_prepare_sqlite if backend == "sqlite" else _prepare_postgresql)(engine)
    return engine


@cache
def shared_engine(url: str) -> sa.Engine:
    """Return the one engine of this process for a URL; see `create_engine_for`."""
    return create_engine_for(url)


def ready_engine(url: str) -> sa.Engine:
    """Return the shared engine of a CRM that stands at the version of this program.

    Raises:
        DatabaseError: if there is none yet, or it stands at another version.
    """
    engine = shared_engine(url)
    version = schema_version(engine)
    if version is None:
        raise DatabaseError(
            f"There is no CRM at {engine.url.render_as_string()} yet. Make it with `loupan crm init`, or mend "
            "LOUPAN_CRM_URL."
        )
    if version != head_version():
        raise DatabaseError(f"The CRM stands at version {version}. Upgrade it with `loupan crm migrate`.")
    return engine


@contextmanager
def clear_errors(engine: sa.Engine) -> Iterator[None]:
    """Turn a driver's error into one that names the database without its password, and says what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        message = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
        advice = next(advice for words, advice in _ADVICE.items() if words in message)
        raise DatabaseError(
            f"The CRM database {engine.url.render_as_string()} cannot be used. {advice}. The driver says: {message}"
        ) from error


def migrations() -> Config:
    """Return what Alembic needs to know of the migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def head_version() -> str:
    """Return the newest migration of this code."""
    head = ScriptDirectory.from_config(migrations()).get_current_head()
    if head is None:  # pragma: no cover - the migrations folder is part of the package
        raise DatabaseError(f"No migration found in {MIGRATIONS}; the installation is incomplete")
    return head


def schema_version(engine: sa.Engine) -> str | None:
    """Return the migration the database stands at, None for a database without the CRM schema.

    Raises:
        DatabaseError: if the database is damaged or unreachable, or was made by another version of the program.
    """
    if engine.dialect.name == "sqlite" and not os.path.exists(str(engine.url.database)):
        return None  # opening it would make the file
    with clear_errors(engine), engine.connect() as connection:
        return version_within(connection)


def version_within(connection: sa.Connection) -> str | None:
    """Return the migration the database of an open connection stands at; see `schema_version`."""
    versions = MigrationContext.configure(connection).get_current_heads()
    known = {script.revision for script in ScriptDirectory.from_config(migrations()).walk_revisions()}
    if not known.issuperset(versions):
        raise DatabaseError(
            f"The CRM database {connection.engine.url.render_as_string()} was made by another version of Loupan, or by "
            f"another program: it stands at {', '.join(versions)}, this program knows up to {head_version()}. Install "
            "the newer Loupan, or mend LOUPAN_CRM_URL."
        )
    return next(iter(versions), None)


def create_schema(engine: sa.Engine) -> None:
    """Create the CRM schema, or upgrade it to the version of this code, in one transaction.

    Raises:
        DatabaseError: if the database is damaged or unreachable, was made by another version, or holds others' tables.
    """
    if engine.dialect.name == "sqlite":
        folder = Path(str(engine.url.database)).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"The folder of the CRM database cannot be made: {error}. Mend LOUPAN_CRM_URL."
            ) from error
    with clear_errors(engine):
        with upgrading(engine) as connection:
            if version_within(connection) is None:
                refuse_foreign_tables(connection)
            upgrade(connection)
        if engine.dialect.name == "sqlite":
            let_readers_read(engine)


def upgrade(connection: sa.Connection, version: str = "head") -> None:
    """Bring the schema to a version within an open transaction; tables have their triggers then."""
    config = migrations()
    config.attributes["connection"] = connection
    command.upgrade(config, version)
    # After the migrations and not in them: a new table, or one that SQLite rebuilt, has its trigger at once.
    present = set(sa.inspect(connection).get_table_names())
    for table in metadata.tables:
        if table in present:
            for statement in create_statements(table, connection.dialect.name):
                connection.exec_driver_sql(statement)


@contextmanager
def upgrading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open the transaction of an upgrade.

    SQLite alters a table by building it anew and dropping the old one, which would count as deleting its rows: foreign
    keys are not enforced meanwhile (which can be said only outside of a transaction), and checked at the end.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if is_sqlite:
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                before = _dangling(connection) if is_sqlite else set()
                yield connection
                if is_sqlite and (dangling := _dangling(connection) - before):
                    shown = ", ".join(sorted(f"{table} row {row} → {parent}" for table, row, parent in dangling)[:5])
                    raise DatabaseError(
                        f"The CRM database {engine.url.render_as_string()} was not upgraded: rows would point to rows "
                        f"that do not exist ({shown}). Nothing was changed; mend those rows, or restore a backup."
                    )
        finally:
            if is_sqlite:
                driver.execute("PRAGMA foreign_keys = ON")


def _dangling(connection: sa.Connection) -> set[tuple[Any, ...]]:
    """Return table, row and parent table of every reference to a row that does not exist."""
    return {tuple(row)[:3] for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}


def refuse_foreign_tables(connection: sa.Connection) -> None:
    """Raise `DatabaseError` if there are tables or views in the database, which cannot be Loupan's."""
    # Only where the tables would go: on PostgreSQL the first schema of the search path, not all that can be seen.
    schema = connection.scalar(sa.select(sa.func.current_schema())) if connection.dialect.name == "postgresql" else None
    inspector = sa.inspect(connection)
    tables = {*inspector.get_table_names(schema), *inspector.get_view_names(schema)} - {VERSION_TABLE}
    if tables:
        shown = ", ".join(sorted(tables)[:5]) + (" …" if len(tables) > 5 else "")
        where = connection.engine.url.render_as_string() + (f", schema {schema}," if schema else "")
        raise DatabaseError(
            f"The CRM database {where} is not empty: it has {len(tables)} tables that Loupan did not make ({shown}). "
            "Mend LOUPAN_CRM_URL: give Loupan a database of its own, and bring the data in with `loupan import`."
        )


def let_readers_read(engine: sa.Engine) -> None:
    """Switch to the write-ahead log, which the file remembers: readers and a writer no longer wait for each other."""
    connection = engine.raw_connection()  # it cannot be switched within a transaction
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
