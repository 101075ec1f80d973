"""The columns of the CRM that the questions need, read into pandas the way its documentation advises: over ADBC."""

from __future__ import annotations

from typing import Any

import pandas as pd

# By table: key and columns with what they hold. Text and moments are never null in the reply (ADBC takes SQLite's types
# from the first rows), money is a float in whole currency.
COLUMNS: dict[str, dict[str, str]] = {
    "customer": {"merged_into_id": "key"},
    "source": {"name": "text"},
    "project": {"name": "text"},
    "employee": {"number": "text"},
    "activity": {"source_id": "key"},
    "demand_category": {"kind": "text"},
    "lead": {"customer_id": "key", "project_id": "key", "source_id": "key", "opened_at": "moment"},
    "lead_event": {
        "lead_id": "key", "kind": "text", "occurred_at": "moment", "employee_id": "key", "is_effective": "flag",
    },
    "deal": {"lead_id": "key", "customer_id": "key", "project_id": "key", "swapped_from_id": "key"},
    "deal_event": {
        "deal_id": "key", "kind": "text", "occurred_at": "moment", "amount": "money", "employee_id": "key",
    },
    "deal_share": {"deal_id": "key", "employee_id": "key", "share": "money"},
    "payment": {"deal_id": "key", "received_on": "moment", "amount": "money", "is_void": "flag"},
    "demand": {
        "customer_id": "key", "project_id": "key", "demand_category_id": "key", "received_at": "moment",
        "due_at": "moment", "withdrawn_at": "moment", "duplicate_of_id": "key", "is_founded": "flag",
    },
    "demand_event": {"demand_id": "key", "kind": "text", "occurred_at": "moment", "to_employee_id": "key"},
    "touchpoint": {"customer_id": "key", "project_id": "key", "source_id": "key", "occurred_at": "moment"},
    "expense": {"activity_id": "key", "incurred_on": "moment", "amount": "money", "status": "text"},
}  # fmt: skip
_SQLITE = {
    "key": "cast({0} as integer)",
    "flag": "cast({0} as integer)",
    "text": "coalesce(cast({0} as text), '')",
    "moment": "coalesce(cast({0} as text), '')",
    "money": "coalesce(cast({0} as real), 0.0)",
}
_POSTGRESQL = {
    "key": "{0}",
    "flag": "cast({0} as integer)",
    "text": "coalesce({0}, '')",
    "moment": "cast({0} as timestamp)",
    "money": "coalesce(cast({0} as double precision), 0.0)",
}


def read(crm: str) -> dict[str, pd.DataFrame]:
    """Return the tables of a CRM, rows that are soft-deleted left out; ``crm`` is its SQLAlchemy URL."""
    is_sqlite = crm.startswith("sqlite:///")
    with _connect(crm) as connection:
        return {table: _read(connection, table, columns, is_sqlite) for table, columns in COLUMNS.items()}


def _connect(crm: str) -> Any:
    if crm.startswith("sqlite:///"):
        import adbc_driver_sqlite.dbapi as sqlite

        return sqlite.connect(f"file:{crm.removeprefix('sqlite:///')}?mode=ro")
    import adbc_driver_postgresql.dbapi as postgresql

    return postgresql.connect(crm.replace("postgresql+psycopg://", "postgresql://"))


def _read(connection: Any, table: str, columns: dict[str, str], is_sqlite: bool) -> pd.DataFrame:
    forms = _SQLITE if is_sqlite else _POSTGRESQL
    selected = ", ".join(f"{forms[kind].format(column)} as {column}" for column, kind in columns.items())
    frame = pd.read_sql_query(f"select id, {selected} from {table} where deleted_at is null order by id", connection)
    for column, kind in columns.items():
        if kind == "moment":
            frame[column] = pd.to_datetime(frame[column].replace("", None), format="ISO8601")
    return frame
