"""The raw CRM tables as plain Python rows: only what counts, at the moment the statistics speak of."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from functools import cached_property
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.base import ExactNumeric, UtcDateTime

Row = SimpleNamespace

# The column that says when a thing happened. What happened after the as-of moment does not count.
HAPPENED = {
    "lead": "opened_at",
    "lead_event": "occurred_at",
    "touchpoint": "occurred_at",
    "deal_event": "occurred_at",
    "payment": "received_on",
    "demand": "received_at",
    "demand_event": "occurred_at",
    "follow_up": "occurred_at",
    "promise": "made_at",
    "expense": "incurred_on",
    "survey_response": "submitted_at",
    "fee_payment": "received_on",
    "annotation": "happened_on",
}


def plain(value: Any, column_type: sa.types.TypeEngine[Any]) -> Any:
    """Return a cell of a data frame as a plain Python value of the type the schema declares."""
    if value is None or pd.isna(value):
        return None
    if isinstance(column_type, ExactNumeric):
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-column_type.scale))
    if isinstance(column_type, UtcDateTime):
        return pd.Timestamp(value).to_pydatetime()
    if isinstance(column_type, sa.Date):
        return pd.Timestamp(value).date()
    return column_type.python_type(value)


def rows_of(name: str, frame: pd.DataFrame) -> list[Row]:
    """Return the rows of a table with every column of the schema; a column the frame lacks is empty."""
    table = metadata.tables[name]
    columns = {
        column.name: [plain(value, column.type) for value in frame[column.name]]
        if column.name in frame.columns
        else [None] * len(frame)
        for column in table.columns
    }
    return [Row(**dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True)]


class Crm:
    """The rows that count: not deleted, and not later than the as-of moment.

    ``tables`` maps table names to data frames with the columns of the schema: moments in UTC without offset, money as
    exact decimals. ``as_of`` is in UTC; days are days of ``time_zone``.
    """

    def __init__(self, tables: dict[str, pd.DataFrame], as_of: dt.datetime, time_zone: str) -> None:
        self.as_of = as_of
        self._zone = ZoneInfo(time_zone)
        self._frames = tables
        self._rows: dict[str, list[Row]] = {}
        self._indexes: dict[tuple[str, str], dict[Any, list[Row]]] = {}

    def day(self, moment: dt.datetime) -> dt.date:
        """Return the company's date of a moment in UTC."""
        return moment.replace(tzinfo=dt.UTC).astimezone(self._zone).date()

    @cached_property
    def as_of_day(self) -> dt.date:
        """The company's date of the as-of moment."""
        return self.day(self.as_of)

    def has_happened(self, value: dt.date) -> bool:
        """Say whether a moment or a day is not after the as-of moment or day."""
        return value <= self.as_of if isinstance(value, dt.datetime) else value <= self.as_of_day

    def rows(self, table: str) -> list[Row]:
        """Return the rows of a table that count, by key."""
        if table not in self._rows:
            frame = self._frames.get(table, pd.DataFrame())
            happened = HAPPENED.get(table)
            self._rows[table] = sorted(
                (
                    row
                    for row in rows_of(table, frame)
                    if row.deleted_at is None and (happened is None or self.has_happened(getattr(row, happened)))
                ),
                key=lambda row: row.id,
            )
        return self._rows[table]

    def children(self, table: str, column: str, key: Any) -> list[Row]:
        """Return the rows of ``table`` whose ``column`` is ``key``; events come in the order they happened."""
        index = self._indexes.get((table, column))
        if index is None:
            index = defaultdict(list)
            for row in self.rows(table):
                index[getattr(row, column)].append(row)
            if "occurred_at" in metadata.tables[table].columns:
                for events in index.values():
                    events.sort(key=lambda event: (event.occurred_at, event.id))
            self._indexes[table, column] = index
        return index.get(key, [])

    def get(self, table: str, key: int | None) -> Row | None:
        """Return the row with that key, or None."""
        found = self.children(table, "id", key) if key is not None else []
        return found[0] if found else None
