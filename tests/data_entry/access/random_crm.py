"""A small CRM whose rows are drawn at random: every table has some, pointing anywhere they may."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.access.reach import ATTACHABLE
from data_entry.schema import metadata
from data_entry.schema.base import ExactNumeric, UtcDateTime

TODAY = dt.date(2026, 6, 30)
NOW = dt.datetime(2026, 6, 30, 4, 0)
COUNTS = {"department": 6, "position": 8, "employee": 6, "project": 3, "account": 6, "role": 2, "employee_position": 12}
PLAIN_COUNT = 5
# Rows of these decide who looks after whom, so there are more of them.
COUNTS |= {"customer": 8, "customer_owner": 10, "lead": 10, "deal": 8, "demand": 8, "report": 6, "approval_step": 6}
COUNTS |= {"feature": 8, "feature_value": 14, "attachment": 14, "account_role": 8, "employee_project": 8}

Row = dict[str, Any]


@dataclass
class RandomCrm:
    """Rows by table and key, as they were written."""

    rows: dict[str, dict[int, Row]]

    def live(self, table: str) -> list[Row]:
        """Return the rows that are not deleted."""
        return [row for row in self.rows[table].values() if row["deleted_at"] is None]


def fill(engine: sa.Engine, seed: int) -> RandomCrm:
    """Write a random CRM into an empty one and return its rows."""
    crm = RandomCrm({name: {} for name in metadata.tables})
    rng = random.Random(seed)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            seen: set[tuple[Any, ...]] = set()
            for number in range(1, COUNTS.get(table.name, PLAIN_COUNT) + 1):
                row = draw(rng, crm, table, number)
                keys = unique_keys(table, row)
                if keys & seen:
                    continue
                seen |= keys
                connection.execute(sa.insert(table).values(**row))
                crm.rows[table.name][number] = row
        if engine.dialect.name == "postgresql":
            for table in metadata.sorted_tables:
                connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('\"{table.name}\"', 'id'), 1000)")
    return crm


def unique_keys(table: sa.Table, row: Row) -> set[tuple[Any, ...]]:
    """Return what no two rows of the table may have in common."""
    groups = [
        tuple(column.name for column in constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    groups += [(column.name,) for column in table.columns if column.unique]
    return {
        (group, *(row.get(name) for name in group))
        for group in groups
        if all(row.get(name) is not None for name in group)
    }


def draw(rng: random.Random, crm: RandomCrm, table: sa.Table, number: int) -> Row:
    """Return a random row that fits the table."""
    row: Row = {}
    for column in table.columns:
        row[column.name] = _value(rng, crm, table, column, number)
    row |= {
        "id": number, "row_version": 1, "external_ref": None, "created_at": NOW, "updated_at": NOW, "updated_by": None,
        "created_by": rng.choice([None, *crm.rows["account"]]),
        "deleted_at": NOW if rng.random() < 0.15 else None,
    }  # fmt: skip
    if row.get("parent_id") == number:
        row["parent_id"] = None
    for name in ("merged_into_id", "swapped_from_id", "duplicate_of_id"):
        if row.get(name) == number:
            row[name] = None
    if table.name == "attachment":
        row["entity"] = rng.choice([*ATTACHABLE, "unit", "nothing"])
    if table.name == "account":
        row["employee_id"] = number if number <= COUNTS["employee"] else None
        row |= {"is_active": True, "deleted_at": None}
    if table.name == "employee":
        row["deleted_at"] = None
    if table.name in ("employee_position", "employee_project"):
        # Before today, until today, over, to come.
        first, last = rng.choice(
            [(-10, None), (-10, 0), (-10, 5), (-20, -1), (1, None), (0, None)],
        )
        row["from_on"] = TODAY + dt.timedelta(days=first)
        row["to_on"] = None if last is None else TODAY + dt.timedelta(days=last)
    return row


def _value(rng: random.Random, crm: RandomCrm, table: sa.Table, column: sa.Column[Any], number: int) -> Any:  # noqa: PLR0911
    if column.foreign_keys:
        parent = next(iter(column.foreign_keys)).column.table.name
        keys = list(crm.rows[parent])
        if column.nullable and (not keys or rng.random() < 0.35):
            return None
        return rng.choice(keys)
    kind = column.type
    if isinstance(kind, sa.Enum):
        return rng.choice(kind.enums)
    if isinstance(kind, UtcDateTime):
        if column.name == "to_at":
            return rng.choice([None, None, NOW])
        return None if column.nullable else NOW - dt.timedelta(days=5)
    if isinstance(kind, sa.Date):
        first = column.name == "month_on"
        return None if column.nullable else TODAY.replace(day=1) if first else TODAY
    if isinstance(kind, sa.Boolean):
        return rng.random() < 0.5
    if isinstance(kind, ExactNumeric):
        return 1
    if isinstance(kind, sa.Integer):
        return rng.randint(1, 5)
    return f"{table.name}{number}"[: getattr(kind, "length", None) or 100]
