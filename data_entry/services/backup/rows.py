"""The rows of a table as lines of JSON, the same whichever engine they stand in.

Whole numbers and truth values are JSON's own; decimals are text of the column's scale, moments ``YYYY-MM-DD
HH:MM:SS.ffffff``, days ``YYYY-MM-DD``. A line is the list of a row's values in the order of the columns.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.base import ExactNumeric

# Signed-in browsers are no data: a login that was ended must not come back with a restore.
LEFT_OUT = frozenset({"account_session"})
ROWS_AT_ONCE = 5_000


@dataclass(frozen=True)
class Column:
    """A column: name, kind (integer, boolean, numeric, datetime, date, text), digits and decimals of a numeric."""

    name: str
    kind: str
    precision: int | None = None
    scale: int | None = None

    @property
    def type(self) -> Any:
        """Return the type its values are read and written with."""
        if self.kind == "numeric":
            return ExactNumeric(self.precision or 18, self.scale or 0)
        return {
            "integer": sa.BigInteger(), "boolean": sa.Boolean(), "datetime": sa.DateTime(), "date": sa.Date(),
            "text": sa.Text(),
        }[self.kind]  # fmt: skip

    def to_json(self, value: Any) -> Any:
        """Return a value as it stands in a line."""
        if value is None or self.kind in ("integer", "boolean", "text"):
            return value
        if self.kind == "datetime":
            return value.isoformat(" ", "microseconds")
        return value.isoformat() if self.kind == "date" else format(value, "f")

    @property
    def from_json(self) -> Callable[[Any], Any]:
        """Return what makes a value of what stands in a line."""
        readers: dict[str, Callable[[Any], Any]] = {
            "datetime": dt.datetime.fromisoformat, "date": dt.date.fromisoformat, "numeric": Decimal,
        }  # fmt: skip
        return readers.get(self.kind, lambda value: value)


@dataclass(frozen=True)
class Table:
    """A table with its columns; the key comes first among those it is sorted by."""

    name: str
    columns: tuple[Column, ...]

    def clause(self) -> sa.TableClause:
        """Return the table as SQLAlchemy takes it, whatever version the schema has."""
        return sa.table(self.name, *(sa.column(column.name, column.type) for column in self.columns))


def tables_of(connection: sa.Connection) -> list[Table]:
    """Return the tables of the CRM as they stand in the database, at whatever version it is; parents first."""
    inspector = sa.inspect(connection)
    present = set(inspector.get_table_names())
    return [
        Table(table.name, tuple(_column(column) for column in inspector.get_columns(table.name)))
        for table in sorted(metadata.tables.values(), key=lambda table: table.name)
        if table.name in present - LEFT_OUT
    ]


def _column(found: Any) -> Column:
    kind = found["type"]
    if isinstance(kind, sa.Boolean):
        return Column(found["name"], "boolean")
    if isinstance(kind, sa.Integer):
        return Column(found["name"], "integer")
    if isinstance(kind, sa.Numeric):
        return Column(found["name"], "numeric", kind.precision, kind.scale)
    if isinstance(kind, sa.DateTime):
        return Column(found["name"], "datetime")
    return Column(found["name"], "date" if isinstance(kind, sa.Date) else "text")


def lines(connection: sa.Connection, table: Table) -> Iterator[bytes]:
    """Yield the rows of a table, by key, each as a line."""
    clause = table.clause()
    query = sa.select(clause).order_by(clause.c.id).execution_options(yield_per=ROWS_AT_ONCE)
    to_json = [column.to_json for column in table.columns]
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    for row in connection.execute(query):
        yield encode([write(value) for write, value in zip(to_json, row, strict=True)]).encode() + b"\n"


def parse(line: bytes, table: Table, readers: Sequence[Callable[[Any], Any]]) -> list[Any]:
    """Return the values of a line."""
    values = json.loads(line)
    return [None if v is None else read(v) for read, v in zip(readers, values, strict=True)]
