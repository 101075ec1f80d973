"""What may happen to a company between two loads: any row comes, goes, is deleted softly, or is another one."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import pandas as pd

from pipelines.contract import Contract, Table

Rows = dict[str, dict[Any, dict[str, Any]]]  # table → key → row

IMPORT_ROWS = 30
# Tables of which more happens than of others.
BUSY = ("lead", "lead_event", "deal", "deal_event", "demand", "demand_event", "customer", "touchpoint", "feature_value")


def rows_of(tables: dict[str, pd.DataFrame], contract: Contract) -> Rows:
    """Return the rows of the contract's tables and columns."""
    found: Rows = {}
    for table in contract.tables:
        frame = tables.get(table.name)
        records = [] if frame is None else frame.to_dict("records")
        found[table.name] = {
            record[table.key]: {column.name: _value(record.get(column.name)) for column in table.columns}
            for record in records
        }
    return found


def _value(value: Any) -> Any:
    return None if pd.isna(value) else value


def frames_of(rows: Rows, contract: Contract) -> dict[str, pd.DataFrame]:
    """Return what the load lets through to ``raw``: no live row refers to one that is not there or not live."""
    kept = {name: dict(of_table) for name, of_table in rows.items()}
    is_done = False
    while not is_done:
        is_done = True
        for table in contract.tables:
            for key, row in list(kept[table.name].items()):
                if row.get("deleted_at") is None and any(
                    row[column] is not None and not _is_live(kept, parent, row[column])
                    for column, parent in table.references
                ):
                    del kept[table.name][key]
                    is_done = False
    return {
        table.name: pd.DataFrame(
            {
                column.name: pd.Series([row[column.name] for row in kept[table.name].values()], dtype=object)
                for column in table.columns
            }
        )
        for table in contract.tables
    }


def _is_live(rows: Rows, table: str, key: Any) -> bool:
    row = rows[table].get(key)
    return row is not None and row.get("deleted_at") is None


def change(rows: Rows, contract: Contract, rng: random.Random, as_of: dt.datetime, count: int) -> None:
    """Make so many random changes; moments lie about ``as_of``."""
    for _ in range(count):
        name = rng.choice(BUSY) if rng.random() < 0.6 else rng.choice(contract.tables).name
        table = contract.by_name[name]
        if not rows[name]:
            continue
        kind = rng.choices(("update", "insert", "soft", "delete", "import"), (10, 5, 3, 1, 0.3))[0]
        key = rng.choice(list(rows[name]))
        if kind == "update":
            _update(rows, table, rows[name][key], rng, as_of)
        elif kind == "insert":
            new = dict(rows[name][key])
            new[table.key] = max(rows[name]) + 1
            _update(rows, table, new, rng, as_of)
            for column in table.columns:
                if column.unique and column.name != table.key:
                    new[column.name] = f"new {new[table.key]}"
            rows[name][new[table.key]] = new
        elif kind == "soft" and table.deleted_at:
            is_live = rows[name][key]["deleted_at"] is None
            rows[name][key]["deleted_at"] = _moment(rng, as_of) if is_live else None
        elif kind == "delete":
            del rows[name][key]
        elif kind == "import" and "created_at" in table.by_name:
            # On the edge of so many that they count as an import.
            moment = as_of - dt.timedelta(days=1)
            for chosen in rng.sample(list(rows[name]), min(len(rows[name]), IMPORT_ROWS + rng.randrange(-1, 2))):
                rows[name][chosen]["created_at"] = moment


def _update(rows: Rows, table: Table, row: dict[str, Any], rng: random.Random, as_of: dt.datetime) -> None:
    columns = [column for column in table.columns if column.name != table.key and not column.unique]
    for column in rng.sample(columns, min(len(columns), rng.choice((1, 1, 2, 4)))):
        if column.name == "deleted_at":
            continue
        if not column.required and rng.random() < 0.15:
            row[column.name] = None
        elif column.references:
            if rows[column.references]:
                row[column.name] = rng.choice(list(rows[column.references]))
        elif column.data_type == "TIMESTAMP":
            row[column.name] = _moment(rng, as_of)
        elif column.data_type == "DATE":
            row[column.name] = _moment(rng, as_of).date()
        elif column.decimal and rng.random() < 0.3 and row[column.name] is not None:
            row[column.name] = row[column.name] + Decimal("0.01")
        else:
            row[column.name] = rng.choice(list(rows[table.name].values()))[column.name]


def _moment(rng: random.Random, as_of: dt.datetime) -> dt.datetime:
    """Return a moment long ago, just before or after the as-of, at it, or a window's length before."""
    offset = rng.choice(
        (
            dt.timedelta(days=rng.randrange(-400, 40), seconds=rng.randrange(86400)),
            dt.timedelta(seconds=rng.randrange(-7200, 7200)),
            dt.timedelta(days=rng.randrange(-3, 3), seconds=rng.randrange(86400)),
            dt.timedelta(days=-180, seconds=rng.randrange(-86400, 86400)),
            dt.timedelta(0),
        )
    )
    return as_of + offset
