"""Read the CRM database: one consistent, read-only view of all tables, streamed as Arrow through ADBC.

Every column is cast to text in the source's own SQL, on both engines: SQLite does not hold its columns to their types,
and typing happens once, in the warehouse, where a value that does not fit costs a row and not the load. On PostgreSQL
the casts are as fast as the native types.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from queue import SimpleQueue
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error as DriverError

from pipelines import sql
from pipelines.contract import Table
from pipelines.crm_dialects import Dialect, dialect_of
from pipelines.errors import IngestError, SourceUnavailable
from pipelines.silence import Silence

ANSWER_TIMEOUT_S = 600
# For who only looks whether anything changed; Dagster gives a look a minute.
LOOK_TIMEOUT_S = 30
# What drivers and servers say when the database is away, starting, stopping or busy, but neither wrong nor damaged.
_PASSING = (
    "ailed to connect", "onnection refused", "timeout expired", "server closed the connection", "onnection reset",
    "terminating connection", "the database system is", "too many clients", "too many connections", "is locked",
    "connection has been closed", "no connection to the server", "could not receive data from server",
)  # fmt: skip


# How many add up tables at the same time.
_READERS = 4
# Primes. The product of two remainders fits a whole number of 64 bits on every engine, whatever key and cursor are; so
# does the sum of 250 million remainders of the last. A cursor that moved by less than that many milliseconds, 397 days,
# changes it.
_KEY_MODULUS, _CURSOR_MODULUS, _MODULUS = 1_000_003, 8_796_093_022_151, 34_359_738_337


def checksum_of(key: str, milliseconds: str) -> str:
    """Return the SQL select list of three numbers: of rows, of their keys, and of keys and cursors together.

    The warehouse keeps the numbers of what landed. Where this function becomes another, each table is compared with the
    CRM once, row by row, and the numbers are made anew.

    Args:
        key: SQL expression of an integer.
        milliseconds: SQL expression of the cursor as an integer.
    """
    mixed = f"((({key}) % {_KEY_MODULUS}) + 1) * (({milliseconds}) % {_CURSOR_MODULUS}) % {_MODULUS}"
    return f"count(*), coalesce(sum({key}), 0), coalesce(sum({mixed}), 0)"


def _is_refusal(message: str) -> bool:
    """Say whether a server answered, but not to this user or for this database: waiting will not help."""
    return any(part in message for part in ("authentication failed", "no password supplied", "does not exist"))


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

    def __init__(self, dialect: Dialect, connection: Any, silence: Silence | None, version: str = "") -> None:
        self._dialect, self._connection, self._silence, self._version = dialect, connection, silence, version
        self.where = dialect.where
        self.failure: BaseException | None = None
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
            rows = self._ask(self._dialect.columns_query, "Reading the list of tables of")
            self._columns = {}
            for table, column, data_type in rows:
                self._columns.setdefault(table, {})[column] = str(data_type or "").lower()
        return self._columns

    def version(self) -> str:
        """Return a text that is the same only while nobody has written to the database; '' if it tells nothing.

        Raises:
            IngestError: if the database does not answer.
        """
        if self._dialect.version_query is None:
            return self._version
        ((version,),) = self._ask(self._dialect.version_query, "Looking for changes in")
        return str(version)

    def checksum(self, table: Table) -> tuple[int, ...] | None:
        """Return the numbers of :func:`checksum_of` for all rows of a table; None if its types allow none."""
        declared = self.columns()[table.name]
        key, cursor = table.key, table.cursor
        if cursor is None or not declared[key].startswith(("int", "bigint", "smallint")):
            return None
        milliseconds = self._dialect.milliseconds(cursor, declared[cursor])
        if milliseconds is None:
            return None
        query = f"select {checksum_of(sql.name(key), milliseconds)} from {sql.name(table.name)}"  # noqa: S608 quoted
        (numbers,) = self._ask(query, f"Adding up the keys of table {table.name} of")
        return tuple(int(number) for number in numbers)

    @contextmanager
    def adding_up(self, tables: Sequence[Table]) -> Iterator[Callable[[Table], tuple[int, ...] | None]]:
        """Give :meth:`checksum`, made of these tables in the background where the engine lets others look at one view.

        An entry of an index is read for every row of the company, from all over the file: several readers wait for the
        disk together, while what changed is loaded.
        """
        columns = self.columns()
        others: SimpleQueue[Crm] = SimpleQueue()
        with ExitStack() as opened:
            for _ in range(min(_READERS, len(tables))):
                try:
                    connection = self._dialect.connect_beside(self._version)
                except (DriverError, OSError) as error:
                    raise self.error("Opening", error) from error
                if connection is None:
                    yield self.checksum
                    return
                opened.callback(connection.close)
                other = Crm(self._dialect, connection, None)
                other._columns = columns
                others.put(other)

            def add_up(table: Table) -> tuple[int, ...] | None:
                other = others.get()
                try:
                    return other.checksum(table)
                finally:
                    others.put(other)

            with ThreadPoolExecutor(_READERS) as readers:
                coming = {table.name: readers.submit(add_up, table) for table in tables}
                try:
                    yield lambda table: coming[table.name].result()
                finally:
                    readers.shutdown(cancel_futures=True)

    def _ask(self, query: str, what: str) -> list[tuple[Any, ...]]:
        try:
            with self._waiting(), self._connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
        except (DriverError, OSError) as error:
            raise self.error(what, error) from error

    def changed_since(self, table: str, cursor_column: str, since: dt.datetime) -> tuple[str, ...]:
        """Return SQL conditions of the rows whose cursor is at or after ``since`` (UTC), or is no timestamp.

        No row meets two of them. They may let more rows through, never fewer of those written as ISO timestamps in UTC.
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
        return dict(self._ask(" union all ".join(each), "Looking for changes in"))

    def _next(self, reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
        with self._waiting():
            return next(reader, None)

    @contextmanager
    def rows(
        self, table: str, columns: Sequence[str], conditions: Sequence[str] = ("true",)
    ) -> Iterator[pa.RecordBatchReader]:
        """Stream the rows of a table that meet one of some conditions, every column as text, in batches.

        Raises:
            IngestError: if the query fails. An error later in the stream reaches whoever reads it as an error of his
                own engine; :attr:`failure` then holds the cause.
        """
        # The driver takes a column's type from the first rows, and a column empty there would become a number: a first
        # row of column names makes all of them text. It is dropped again below.
        header = ", ".join(f"{sql.literal(column)} as {sql.name(column)}" for column in columns)
        casts = ", ".join(f"cast({sql.name(column)} as text)" for column in columns)
        parts = (f"select {casts} from {sql.name(table)} where {condition}" for condition in conditions)  # noqa: S608 quoted
        query = " union all ".join([f"select {header}", *parts])
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
                    # The next batch is read while the engine stores the one before: each takes a core.
                    with ThreadPoolExecutor(1) as ahead:
                        coming = ahead.submit(self._next, reader)
                        while (batch := coming.result()) is not None:
                            coming = ahead.submit(self._next, reader)
                            yield _valid_text(batch.slice(1) if first else batch)
                            first = False
                except (DriverError, OSError, pa.ArrowException) as error:
                    self.failure = self.error(what, error)
                    raise
                except BaseException as error:
                    # Ctrl-C, as Python and as Dagster raise it: the engine would turn it into an error of its own.
                    if not isinstance(error, Exception | GeneratorExit):
                        self.failure = error
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
    dialect = dialect_of(url)
    version = dialect.version()
    try:
        connection, silence = dialect.connect(patience)
    except (DriverError, OSError) as error:
        raise Crm(dialect, None, None).error("Opening", error) from error
    try:
        yield Crm(dialect, connection, silence, version)
    finally:
        connection.close()
        if silence is not None:
            silence.close()
