"""What differs between the engines that a CRM may live on: SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import adbc_driver_sqlite.dbapi
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from pipelines import sql
from pipelines.errors import IngestError
from pipelines.silence import Silence, connected

BUSY_TIMEOUT_MS = 30_000
CONNECT_TIMEOUT_S = 10
POSTGRES_PORT = 5432
_SETTING = "Mend LOUPAN_CRM_URL"
# Cursors before this text are no timestamps, see `cursor_filter`.
_FIRST_TIMESTAMP = "1900-"
# Of a file written within so many seconds the time says nothing: it may be written again within the clock's next tick.
_SETTLED_SECONDS = 2.0


class Dialect(Protocol):
    """What differs between the engines."""

    where: str  # the database, without password, for messages
    secrets: tuple[str, ...]  # texts that no message may hold

    def connect(self, patience: float) -> tuple[Any, Silence | None]:
        """Open an ADBC connection inside one read-only transaction with a fixed view of all tables.

        Args:
            patience: seconds that a server may take for an answer.

        Returns:
            The connection, and what ends it if the server falls silent (None for a file).
        """

    def connect_beside(self, version: str) -> Any | None:
        """Open a second connection that sees what the first does, None where that cannot be had.

        Args:
            version: what :meth:`version` said before the first was opened, which has read something since.
        """

    def explain(self, message: str) -> str | None:
        """Say what to do about a driver's message, None if nothing special is known."""

    columns_query: str  # rows of table, column, declared type

    def cursor_filter(self, column: str, declared_type: str, since: dt.datetime) -> tuple[str, ...]:
        """Return the SQL conditions for :meth:`Crm.changed_since`."""

    def milliseconds(self, column: str, declared_type: str) -> str | None:
        """Return the SQL expression of a cursor as whole milliseconds since 1970, rounded; None if there is none."""

    def version(self) -> str:
        """Return a text that was another before every change of any row, '' if none is known.

        Asked for before the view of the tables is fixed: what is written in between makes the next text another.
        """

    @property
    def version_query(self) -> str | None:
        """SQL of such a text, in the view of the tables itself, where the engine keeps one."""


class _Sqlite:
    version_query = None
    columns_query = (
        "select m.name, p.name, p.type from sqlite_master m join pragma_table_xinfo(m.name) p "
        "where m.type in ('table', 'view')"
    )

    def __init__(self, url: sa.URL) -> None:
        if url.database in (None, "", ":memory:"):
            raise IngestError(
                f"The CRM URL {url} names a database in memory, which no other program can read. {_SETTING}: "
                "sqlite:///path/to/crm.sqlite."
            )
        self.path = Path(str(url.database)).expanduser().resolve()
        self.where = f"sqlite:///{self.path}"
        self.secrets: tuple[str, ...] = ()

    def connect(self, patience: float) -> tuple[Any, None]:
        del patience  # a file answers at once, or is locked: BUSY_TIMEOUT_MS
        if self.path.is_dir():
            raise IngestError(f"The CRM database {self.path} is a folder. {_SETTING}: sqlite:///path/to/crm.sqlite.")
        if not self.path.is_file():
            raise IngestError(
                f"The CRM database {self.path} does not exist. {_SETTING}, or make a CRM with `loupan crm init`."
            )
        # mode=ro: neither can the load change the CRM, nor does a wrong path leave an empty file behind.
        # The transaction is begun by hand, because the driver's own begins anew after each statement.
        connection = adbc_driver_sqlite.dbapi.connect(f"file:{quote(str(self.path))}?mode=ro", autocommit=True)
        for statement in (f"pragma busy_timeout = {BUSY_TIMEOUT_MS}", "begin"):
            with connection.cursor() as cursor:
                cursor.execute(statement)
        return connection, None

    def connect_beside(self, version: str) -> Any | None:
        if not version:
            return None
        connection, _ = self.connect(0)
        try:
            with connection.cursor() as cursor:
                # The first thing read fixes the view.
                cursor.execute("select count(*) from sqlite_master")
                cursor.fetchall()
            if self.version() == version:
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        return None

    def explain(self, message: str) -> str | None:
        if "not a database" in message or "malformed" in message:
            return (
                "The file is damaged or not a SQLite database. Restore it from a backup, or point LOUPAN_CRM_URL "
                "at the right file"
            )
        if "locked" in message:
            return "Another program holds the database locked. Let it finish and try again"
        if "failed to open" in message or "unable to open" in message or "readonly" in message:
            return "The file or its folder cannot be opened. Check who may read them"
        return None

    def cursor_filter(self, column: str, declared_type: str, since: dt.datetime) -> tuple[str, ...]:
        # Text order is time order for ISO timestamps; numbers sort before all text. Joined by "or", SQLite would read
        # the whole table where each alone is looked up in the index.
        floor = since.isoformat(sep=" ", timespec="microseconds")
        column = sql.name(column)
        return (
            f"{column} >= {sql.literal(floor)}",
            f"{column} < {sql.literal(min(floor, _FIRST_TIMESTAMP))}",
            f"{column} is null",
        )

    def milliseconds(self, column: str, declared_type: str) -> str:
        return f"cast(round(unixepoch({sql.name(column)}, 'subsec') * 1000) as integer)"

    def version(self) -> str:
        # A commit appends to the log or begins it anew; a checkpoint writes the file. Their counters and salts are told
        # along with size and time.
        parts = []
        for file in (self.path, self.path.with_name(f"{self.path.name}-wal")):
            try:
                with file.open("rb") as opened:
                    status, head = os.fstat(opened.fileno()), opened.read(100)
            except FileNotFoundError:
                parts.append("none")
                continue
            except OSError:
                return ""
            if not head:
                # A reader has made it where there was none: no commit is in it.
                parts.append("none")
                continue
            if time.time() - status.st_mtime < _SETTLED_SECONDS:
                return ""
            parts.append(f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {head.hex()}")
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()


class _Postgres:
    # Equal only if no transaction that writes has begun since, in any of the server's databases, and none was open.
    version_query = (
        "select case when pg_snapshot_xmin(s) = pg_snapshot_xmax(s) "
        "then concat(s, ' ', pg_postmaster_start_time()) else '' end from pg_current_snapshot() s"
    )
    columns_query = (
        "select c.relname, a.attname, format_type(a.atttypid, null) from pg_attribute a "
        "join pg_class c on c.oid = a.attrelid where c.relkind in ('r', 'p', 'v', 'm', 'f') "
        "and a.attnum > 0 and not a.attisdropped and pg_table_is_visible(c.oid) "
        "and c.relnamespace <> 'pg_catalog'::regnamespace"
    )

    def __init__(self, url: sa.URL) -> None:
        url = url.set(drivername="postgresql")
        self.where = url.render_as_string(hide_password=True)
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT_S)})
        self._port = url.port or POSTGRES_PORT
        self._uri = url.render_as_string(hide_password=False)
        password = str(url.password) if url.password else ""
        self.secrets = tuple({password, quote(password, safe="")} - {""})

    def connect(self, patience: float) -> tuple[Any, Silence]:
        try:
            import adbc_driver_postgresql.dbapi
        except ImportError as error:
            raise IngestError(
                "Loading from PostgreSQL needs the extra `postgres`: install it with `uv pip install -e '.[postgres]'`."
            ) from error
        connection, sockets = connected(
            lambda: adbc_driver_postgresql.dbapi.connect(self._uri, autocommit=True), self._port
        )
        silence = Silence(patience, sockets)
        for statement in (
            "set datestyle = 'ISO, YMD'",
            "set timezone = 'UTC'",
            "set intervalstyle = 'iso_8601'",
            "begin isolation level repeatable read read only",
        ):
            try:
                with silence.waiting(), connection.cursor() as cursor:
                    cursor.execute(statement)
            except BaseException:
                connection.close()
                silence.close()
                raise
        return connection, silence

    def connect_beside(self, version: str) -> None:
        return None

    def explain(self, message: str) -> str | None:
        if "password authentication failed" in message or "no password supplied" in message:
            return f"The server refuses user or password. {_SETTING}"
        if "role " in message and "does not exist" in message:
            return f"The server does not know this user. {_SETTING}"
        if "database " in message and "does not exist" in message:
            return f"The server has no such database. {_SETTING}, or create the database"
        if "ermission denied" in message:
            return "The user may not read the table. Grant SELECT on the CRM's tables to it"
        if "ailed to connect" in message:
            return "The server cannot be reached. Check that it runs, and host and port in LOUPAN_CRM_URL"
        return None

    def cursor_filter(self, column: str, declared_type: str, since: dt.datetime) -> tuple[str, ...]:
        floor = sql.literal(since.isoformat(sep=" ", timespec="microseconds"))
        column = sql.name(column)
        if declared_type.startswith("timestamp") or declared_type == "date":
            return (f"({column} >= {floor}::timestamp or {column} is null)",)
        text = f'{column}::text collate "C"'
        return (f"({text} >= {floor} or {text} < {sql.literal(_FIRST_TIMESTAMP)} or {column} is null)",)

    def milliseconds(self, column: str, declared_type: str) -> str | None:
        if declared_type != "timestamp without time zone":
            return None
        return f"round(extract(epoch from {sql.name(column)}) * 1000)::bigint"

    def version(self) -> str:
        return ""  # the server tells


def dialect_of(url: str) -> Dialect:
    """Return the engine that a SQLAlchemy URL names.

    Raises:
        IngestError: if it names none that can be loaded.
    """
    try:
        parsed = sa.make_url(url)
        engine = parsed.get_backend_name()
    except (ArgumentError, ValueError) as error:
        # The URL itself is not repeated: it may hold a password.
        raise IngestError(
            f"LOUPAN_CRM_URL is no SQLAlchemy URL. {_SETTING}: sqlite:///path/to/crm.sqlite or "
            "postgresql://user:password@host/database."
        ) from error
    if engine == "sqlite":
        return _Sqlite(parsed)
    if engine == "postgresql":
        return _Postgres(parsed)
    raise IngestError(f"The CRM URL names {engine!r}. {_SETTING}: only sqlite:///… and postgresql://… can be loaded.")
