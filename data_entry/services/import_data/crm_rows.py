"""Read from and write to the CRM in bulk, inside the transaction of the import."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

READ_BATCH = 50_000


def lock_tables(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Keep other writers out of the tables until the transaction ends; readers go on.

    SQLite's transaction has locked the whole database from its beginning.
    """
    if connection.dialect.name == "postgresql" and tables:
        preparer = connection.dialect.identifier_preparer
        names = ", ".join(preparer.format_table(table) for table in tables)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
        # Dates are read as text.
        connection.exec_driver_sql("SET LOCAL datestyle = 'ISO'")


def read_as_text(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], *, every_row: bool
) -> Iterator[pa.Table]:
    """Yield batches of a table as text: id, external_ref, deleted_at and ``columns``; at least one, maybe empty.

    Without ``every_row`` only rows that have an ``external_ref`` come.
    """
    names = ["id", "external_ref", "deleted_at", *columns]
    query = sa.select(*(sa.cast(table.c[name], sa.Text).label(name) for name in names))
    if not every_row:
        query = query.where(table.c.external_ref.is_not(None))
    schema = pa.schema([(name, pa.string()) for name in names])
    with connection.execute(query, execution_options={"stream_results": True, "max_row_buffer": READ_BATCH}) as result:
        batches = result.partitions(READ_BATCH)
        first = next(batches, None)
        if first is None:
            yield schema.empty_table()
        while first is not None:
            yield pa.table(list(zip(*first, strict=True)), schema=schema)
            first = next(batches, None)


_SEQUENCE = "CAST(pg_get_serial_sequence(:name, 'id') AS regclass)"


def first_free_id(connection: sa.Connection, table: sa.Table) -> int:
    """Return the first key from which on all keys are free."""
    highest: int = connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0))).scalar_one()
    if connection.dialect.name == "postgresql":
        # The sequence may have given out keys whose rows are gone again.
        last = sa.text(f"SELECT pg_sequence_last_value({_SEQUENCE})")
        highest = max(highest, connection.execute(last, {"name": table.name}).scalar_one() or 0)
    return highest + 1


def move_sequence(connection: sa.Connection, table: sa.Table) -> None:
    """Let the database go on giving keys after those that the import gave."""
    if connection.dialect.name == "postgresql":
        last: int = connection.execute(sa.select(sa.func.max(table.c.id))).scalar_one()
        connection.execute(sa.text(f"SELECT setval({_SEQUENCE}, :id)"), {"name": table.name, "id": last})


def insert_rows(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]], now: dt.datetime
) -> None:
    """Insert rows of (id, *columns), entered at ``now`` unless the columns say otherwise."""
    moments = {"created_at": now, "updated_at": now}
    names = ["id", *columns]
    connection.execute(sa.insert(table), [moments | dict(zip(names, row, strict=True)) for row in rows])


def update_rows(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]], now: dt.datetime
) -> None:
    """Set the columns of rows of (id, *columns); the version of each rises by one."""
    statement = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("key"))
        .values(
            {column: sa.bindparam(f"new_{column}") for column in columns}
            | {"updated_at": now, "row_version": table.c.row_version + 1}
        )
    )
    names = ["key", *(f"new_{column}" for column in columns)]
    connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
