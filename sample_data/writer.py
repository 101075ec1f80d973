"""Writes rows to the CRM database in bulk, values exactly as the schema's types would bind them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.base import ExactNumeric
from sample_data.clock import Clock
from sample_data.errors import SampleArgumentError
from sample_data.rows import NONE, Array, Batch

# Rows handed to the driver at once: bounds the memory of their Python or CSV form.
ROWS_AT_ONCE = 100_000
CACHE_KIB = 262_144
# These two point at each other, so that neither can be written before the other.
WRITTEN_TOGETHER = ("task", "care_occasion")


class Writer(Protocol):
    """Writes batches into one kind of database."""

    def write(self, batch: Batch, progress: Callable[[float, str], None]) -> dict[str, int]:
        """Write all rows of ``batch`` in one transaction; return the number of rows by table."""

    def finish(self) -> None:
        """Leave the database ready for use by others."""


def writer_for(engine: sa.Engine, clock: Clock) -> Writer:
    """Return the writer for the database of ``engine``.

    Raises:
        SampleArgumentError: if it is neither SQLite nor PostgreSQL.
    """
    if engine.dialect.name == "sqlite":
        return SqliteWriter(engine, clock)
    if engine.dialect.name == "postgresql":
        return PostgresWriter(engine, clock)
    raise SampleArgumentError(f"sample data are written to SQLite or PostgreSQL, not to {engine.dialect.name}")


def _order() -> list[str]:
    """Return all tables, parents first, those of ``WRITTEN_TOGETHER`` side by side."""
    names = [table.name for table in metadata.sorted_tables if table.name not in WRITTEN_TOGETHER]
    place = max(names.index(p) for t in WRITTEN_TOGETHER for p in _parents(t) if p in names) + 1
    return names[:place] + list(WRITTEN_TOGETHER) + names[place:]


def _parents(table: str) -> set[str]:
    return {key.column.table.name for key in metadata.tables[table].foreign_keys}


def _decimal_text(values: Array, scale: int) -> pa.Array:
    """Return integers in units of the last decimal as decimal text."""
    absolute = pa.array(np.abs(values))
    whole = pc.cast(pc.divide(absolute, 10**scale), pa.string())
    rest = pc.subtract(absolute, pc.multiply(pc.divide(absolute, 10**scale), 10**scale))
    decimals = pc.utf8_lpad(pc.cast(rest, pa.string()), width=scale, padding="0")
    sign = pa.array(np.where(values < 0, "-", ""))
    return pc.binary_join_element_wise(pc.binary_join_element_wise(sign, whole, ""), decimals, ".")


def to_arrow(column: sa.Column[Any], values: Array, clock: Clock) -> pa.Array:
    """Return a column of ``rows.py``'s conventions as Arrow: integers, or text in the database's own format."""
    if values.dtype.kind == "M":
        if isinstance(column.type, sa.Date):
            return pc.cast(pa.array(values.astype("datetime64[D]")), pa.string())
        return pc.cast(pa.array(clock.to_utc(values)), pa.string())
    if values.dtype.kind == "O":
        return pa.array(values, type=pa.string())
    if values.dtype.kind != "i":
        raise TypeError(f"column {column} holds {values.dtype}")
    empty = values == NONE
    if isinstance(column.type, ExactNumeric):
        text = _decimal_text(np.where(empty, 0, values), column.type.scale)
        return pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), text)
    return pa.array(values, mask=empty)


def _slices(rows: dict[str, Array]) -> Iterable[dict[str, Array]]:
    count = len(rows["id"])
    for first in range(0, count, ROWS_AT_ONCE):
        yield {name: values[first : first + ROWS_AT_ONCE] for name, values in rows.items()}


class _BulkWriter:
    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self.engine, self.clock = engine, clock
        self.order = _order()

    def _columns(self, table: str, rows: dict[str, Array]) -> dict[str, pa.Array]:
        columns = metadata.tables[table].columns
        return {name: to_arrow(columns[name], values, self.clock) for name, values in rows.items()}

    def write(self, batch: Batch, progress: Callable[[float, str], None]) -> dict[str, int]:
        """Write all rows of ``batch`` in one transaction; return the number of rows by table."""
        written: dict[str, int] = {}
        total = sum(len(batch.rows(table)["id"]) for table in batch.tables())
        unknown = set(batch.tables()) - set(self.order)
        if unknown:
            raise KeyError(f"the schema has no table {', '.join(sorted(unknown))}")
        with self.engine.begin() as connection:
            self._begin(connection)
            for table in self.order:
                rows = batch.rows(table)
                if rows:
                    progress(sum(written.values()) / total, f"writing {table.replace('_', ' ')}")
                    self._write_table(connection, table, rows)
                    written[table] = len(rows["id"])
                self._after_table(connection, table)
        return written

    def _begin(self, connection: sa.Connection) -> None:
        raise NotImplementedError

    def _write_table(self, connection: sa.Connection, table: str, rows: dict[str, Array]) -> None:
        raise NotImplementedError

    def _after_table(self, connection: sa.Connection, table: str) -> None:
        """Do what has to be done when ``table`` is complete."""


class SqliteWriter(_BulkWriter):
    """Writes prepared tuples through the driver's ``executemany``."""

    def _begin(self, connection: sa.Connection) -> None:
        # Rows that point at each other are checked when the transaction ends.
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        # Keys arrive in no order: the indexes being built have to stay in memory (KiB, negative by SQLite's rule).
        connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")

    def _write_table(self, connection: sa.Connection, table: str, rows: dict[str, Array]) -> None:
        names = ", ".join(f'"{name}"' for name in rows)
        statement = f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(rows))})'  # noqa: S608
        cursor = connection.connection.cursor()
        for part in _slices(rows):
            columns = (
                column.to_numpy(zero_copy_only=False).astype(object).tolist()
                if column.null_count == 0
                else column.to_pylist()
                for column in self._columns(table, part).values()
            )
            cursor.executemany(statement, list(zip(*columns, strict=True)))

    def finish(self) -> None:
        """Gather the statistics that SQLite plans queries by."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA cache_size = -2000")
            connection.exec_driver_sql("ANALYZE")


class PostgresWriter(_BulkWriter):
    """Writes CSV through COPY."""

    def _begin(self, connection: sa.Connection) -> None:
        for table in WRITTEN_TOGETHER:
            connection.exec_driver_sql(
                f'CREATE TEMPORARY TABLE "new_{table}" (LIKE "{table}" INCLUDING DEFAULTS) ON COMMIT DROP'
            )

    def _write_table(self, connection: sa.Connection, table: str, rows: dict[str, Array]) -> None:
        target = f"new_{table}" if table in WRITTEN_TOGETHER else table
        names = ", ".join(f'"{name}"' for name in rows)
        cursor = connection.connection.cursor()
        for part in _slices(rows):
            buffer = io.BytesIO()
            content = pa.table(self._columns(table, part))
            pyarrow.csv.write_csv(content, buffer, pyarrow.csv.WriteOptions(include_header=False))
            with cursor.copy(f'COPY "{target}" ({names}) FROM STDIN (FORMAT csv)') as copy:
                copy.write(buffer.getbuffer())

    def _after_table(self, connection: sa.Connection, table: str) -> None:
        """Insert the rows of ``WRITTEN_TOGETHER`` in one statement, at whose end the foreign keys are checked."""
        first, last = WRITTEN_TOGETHER
        if table == last:
            connection.exec_driver_sql(
                f'WITH moved AS (INSERT INTO "{first}" SELECT * FROM "new_{first}") '  # noqa: S608
                f'INSERT INTO "{last}" SELECT * FROM "new_{last}"'
            )

    def finish(self) -> None:
        """Advance the sequences past the keys written, and gather the planner's statistics."""
        with self.engine.begin() as connection:
            for table in self.order:
                sequence = connection.execute(
                    sa.text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": f'"{table}"'}
                ).scalar()
                last = connection.exec_driver_sql(f'SELECT max(id) FROM "{table}"').scalar()  # noqa: S608
                if sequence and last:
                    connection.execute(
                        sa.text("SELECT setval(CAST(:sequence AS regclass), :last)"),
                        {"sequence": sequence, "last": last},
                    )
            connection.exec_driver_sql("ANALYZE")
