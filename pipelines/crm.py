"""Read the CRM database: one consistent, read-only view of all tables, streamed as Arrow through ADBC.

Every column is cast to text in the source's own SQL, on both engines: SQLite does not hold its columns to their types,
and typing happens once, in the warehouse, where a value that does not fit costs a row and not the load. On PostgreSQL
the casts are as fast as the native types.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import adbc_driver_sqlite.dbapi
import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_manager import Error as DriverError
from sqlalchemy.exc import ArgumentError

from pipelines import sql
from pipelines.errors import IngestError, SourceUnavailable
from pipelines.silence import Silence, connected

BUSY_TIMEOUT_MS = 30_000
CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 600
POSTGRES_PORT = 5432
_SETTING = "Mend LOUPAN_CRM_URL"
# Cursors before this text are no timestamps, see `changed_since`.
_FIRST_TIMESTAMP = "1900-"
# What drivers and servers say when the database is away, starting, stopping or busy, but neither wrong nor damaged.
_PASSING = (
    "ailed to connect", "onnection refused", "timeout expired", "server closed the connection", "onnection reset",
    "terminating connection", "the database system is", "too many clients", "too many connections", "is locked",
    "connection has been closed", "no connection to the server", "could not receive data from server",
)  # fmt: skip


class _Dialect(Protocol):
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

    def explain(self, message: str) -> str | None:
        """Say what to do about a driver's message, None if nothing special is known."""

    columns_query: str  # rows of table, column, declared type

    def cursor_filter(self, column: str, declared_type: str, since: dt.datetime) -> str:
        """Return the SQL condition for :meth:`Crm.changed_since`."""


class _Sqlite:
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

    def cursor_filter(self, column: str, declared_type: str, since: dt.datetime) -> str:
        # Text order is time order for ISO timestamps; numbers sort before all text. Each branch can use the index.
        floor = since.isoformat(sep=" ", timespec="microseconds")
        column = sql.name(column)
        return f"({column} >= {sql.literal(floor)} or {column} < {sql.literal(_FIRST_TIMESTAMP)} or {column} is null)"


class _Postgres:
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

    def cursor_filter(self, column: str, declared_type: str, since: dt.datetime) -> str:
        floor = sql.literal(since.isoformat(sep=" ", timespec="microseconds"))
        column = sql.name(column)
        if declared_type.startswith("timestamp") or declared_type == "date":
            return f"({column} >= {floor}::timestamp or {column} is null)"
        text = f'{column}::text collate "C"'
        return f"({text} >= {floor} or {text} < {sql.literal(_FIRST_TIMESTAMP)} or {column} is null)"


def _is_refusal(message: str) -> bool:
    """Say whether a server answered, but not to this user or for this database: waiting will not help."""
    return any(part in message for part in ("authentication failed", "no password supplied", "does not exist"))


def _dialect(url: str) -> _Dialect:
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


def _valid_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Replace bytes that are no UTF-8 (SQLite stores any bytes as text) by U+FFFD."""
    try:
        batch.validate(full=True)
        return batch
    except pa.ArrowInvalid:
        columns = [
            pa.array(
                [
                    None if value is None else value.decode("utf-8", "replace")
                    for value in column.view(pa.binary()).to_pylist()
                ],
                pa.string(),
            )
            for column in batch.columns
        ]
        return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


class Crm:
    """One consistent view of the CRM's tables; see :func:`open_crm`."""

    def __init__(self, dialect: _Dialect, connection: Any, silence: Silence | None) -> None:
        self._dialect, self._connection, self._silence = dialect, connection, silence
        self.where = dialect.where
        self.failure: IngestError | None = None
        """What broke a stream while another program was reading from it."""
        self._columns: dict[str, dict[str, str]] | None = None

    @property
    def identity(self) -> str:
        """Text that tells this database from others: its address, without password."""
        return hashlib.sha256(self.where.encode()).hexdigest()

    def error(self, what: str, error: Exception) -> IngestError:
        """Describe a driver's error: what was done, where, and how to mend it."""
        if self._silence is not None and self._silence.is_broken:
            return SourceUnavailable(
                f"{what} {self.where} was given up: the server has not answered for {self._silence.seconds:g} seconds. "
                "Look there for a frozen or overloaded server, or a lock on the table; LOUPAN_SOURCE_SECONDS sets how "
                "long to wait."
            )
        message = " ".join(str(error).split())
        for secret in self._dialect.secrets:
            message = message.replace(secret, "***")
        advice = self._dialect.explain(message)
        kind = (
            SourceUnavailable if any(part in message for part in _PASSING) and not _is_refusal(message) else IngestError
        )
        return kind(f"{what} {self.where} failed. {advice + '. ' if advice else ''}The driver says: {message}")

    def _waiting(self) -> AbstractContextManager[None]:
        """Be inside a call that waits for the database."""
        return nullcontext() if self._silence is None else self._silence.waiting()

    def columns(self) -> dict[str, dict[str, str]]:
        """Return the declared type of each column, by table and column."""
        if self._columns is None:
            try:
                with self._waiting(), self._connection.cursor() as cursor:
                    cursor.execute(self._dialect.columns_query)
                    rows = cursor.fetchall()
            except (DriverError, OSError) as error:
                raise self.error("Reading the list of tables of", error) from error
            self._columns = {}
            for table, column, data_type in rows:
                self._columns.setdefault(table, {})[column] = str(data_type or "").lower()
        return self._columns

    def changed_since(self, table: str, cursor_column: str, since: dt.datetime) -> str:
        """Return the SQL condition of the rows whose cursor is at or after ``since`` (UTC), or is no timestamp.

        The condition may let more rows through, never fewer of those written as ISO timestamps in UTC.
        """
        return self._dialect.cursor_filter(cursor_column, self.columns()[table][cursor_column], since)

    def newest(self, cursors: Mapping[str, str]) -> dict[str, str | None]:
        """Return the greatest cursor of each table as text; None where it has no rows.

        Args:
            cursors: the cursor column by table.

        Raises:
            IngestError: if a table or column is missing, or the database does not answer.
        """
        each = [
            f"select {sql.literal(table)}, cast(max({sql.name(column)}) as text) from {sql.name(table)}"  # noqa: S608
            for table, column in cursors.items()
        ]
        try:
            with self._waiting(), self._connection.cursor() as cursor:
                cursor.execute(" union all ".join(each))
                return dict(cursor.fetchall())
        except (DriverError, OSError) as error:
            raise self.error("Looking for changes in", error) from error

    def _next(self, reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
        with self._waiting():
            return next(reader, None)

    @contextmanager
    def rows(self, table: str, columns: Sequence[str], condition: str = "true") -> Iterator[pa.RecordBatchReader]:
        """Stream rows of a table, every column as text, in batches.

        Raises:
            IngestError: if the query fails. An error later in the stream reaches whoever reads it as an error of his
                own engine; :attr:`failure` then holds the cause.
        """
        # The driver takes a column's type from the first rows, and a column empty there would become a number: a first
        # row of column names makes all of them text. It is dropped again below.
        header = ", ".join(f"{sql.literal(column)} as {sql.name(column)}" for column in columns)
        casts = ", ".join(f"cast({sql.name(column)} as text)" for column in columns)
        query = f"select {header} union all select {casts} from {sql.name(table)} where {condition}"  # noqa: S608 quoted
        what = f"Reading table {table} of"
        with self._connection.cursor() as cursor:
            try:
                with self._waiting():
                    cursor.execute(query)
                    reader = cursor.fetch_record_batch()
                schema = pa.schema([(column, pa.string()) for column in columns])
            except (DriverError, OSError) as error:
                raise self.error(what, error) from error

            def batches() -> Iterator[pa.RecordBatch]:
                first = True
                try:
                    while (batch := self._next(reader)) is not None:
                        yield _valid_text(batch.slice(1) if first else batch)
                        first = False
                except (DriverError, OSError, pa.ArrowException) as error:
                    self.failure = self.error(what, error)
                    raise

            yield pa.RecordBatchReader.from_batches(schema, batches())


@contextmanager
def open_crm(url: str, patience: float = ANSWER_TIMEOUT_S) -> Iterator[Crm]:
    """Open the CRM at a SQLAlchemy URL (SQLite or PostgreSQL), read-only, in one transaction.

    All tables are seen as they stood at one moment, so a child never lacks a parent that was entered before it.

    Args:
        url: of the CRM.
        patience: seconds that a server may take for an answer, before each batch of rows.

    Raises:
        IngestError: if the URL is wrong or the database cannot be opened.
    """
    dialect = _dialect(url)
    try:
        connection, silence = dialect.connect(patience)
    except (DriverError, OSError) as error:
        raise Crm(dialect, None, None).error("Opening", error) from error
    try:
        yield Crm(dialect, connection, silence)
    finally:
        connection.close()
        if silence is not None:
            silence.close()
