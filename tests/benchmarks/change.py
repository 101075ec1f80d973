"""What people change between two refreshes: a share of the rows, spread over customers, written with plain SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import sqlalchemy as sa

from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.schema.dbt_sources import ingested_tables
from tests.benchmarks.company import Company

SHARE = 0.001

# Tables of what happens every day, and what is done to the same share of the rows of each.
_UPDATED = {"customer": "occupation", "lead": "intent_level", "demand": "severity", "payment": "amount"}
_INSERTED = ("lead_event", "touchpoint", "demand_event", "payment")
_DELETED = ("lead_event", "touchpoint", "payment")
# Of as many rows as come to a table, one in so many goes.
_DELETED_ONE_IN = 10


def change_some(made: Company) -> int:
    """Change 0.1 % of the rows of a company, as of now, and return how many rows that was."""
    engine = create_engine_for(made.settings.crm_database_url)
    try:
        return change(engine, SHARE, dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0))
    finally:
        engine.dispose()


def change(engine: sa.Engine, share: float, moment: dt.datetime) -> int:
    """Change a share of all rows and return how many rows that was.

    Args:
        engine: of the CRM.
        share: of all rows that a refresh loads.
        moment: in UTC without offset, stands in ``updated_at``.
    """
    with engine.begin() as connection:
        rows = {name: _count(connection, name) for name in ingested_tables()}
        # All that would change if each row of the tables below did.
        most = (
            sum(rows[name] for name in (*_UPDATED, *_INSERTED)) + sum(rows[name] for name in _DELETED) / _DELETED_ONE_IN
        )
        every = max(round(most / (share * sum(rows.values()))), 2)
        # Without the option SQLAlchemy does not ask every driver how many rows an INSERT wrote.
        counted = connection.execution_options(preserve_rowcount=True)
        return sum(counted.execute(statement).rowcount for statement in _statements(every, moment))


def _count(connection: sa.Connection, name: str) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(metadata.tables[name])) or 0


def _statements(every: int, moment: dt.datetime) -> Iterator[sa.Update | sa.Insert]:
    for name, column in _UPDATED.items():
        table = metadata.tables[name]
        # A value that another row has is one that the column can hold.
        other = table.alias()
        anothers = sa.select(other.c[column]).where(other.c.id < table.c.id).order_by(other.c.id.desc()).limit(1)
        values = {column: sa.func.coalesce(anothers.scalar_subquery(), table.c[column]), "updated_at": moment}
        yield sa.update(table).where(_one_in(table, every, 1)).values(values)
    for name in _INSERTED:
        table = metadata.tables[name]
        copied = [column for column in table.columns if column.name not in ("id", "row_version", "updated_at")]
        rows = sa.select(*copied, sa.literal(moment, table.c.updated_at.type)).where(_one_in(table, every, 2))
        yield sa.insert(table).from_select([*(column.name for column in copied), "updated_at"], rows)
    for name in _DELETED:
        table = metadata.tables[name]
        chosen = _one_in(table, every * _DELETED_ONE_IN, 3)
        yield sa.update(table).where(chosen).values(deleted_at=moment, updated_at=moment)


def _one_in(table: sa.Table, every: int, remainder: int) -> sa.ColumnElement[bool]:
    """One row in so many, everywhere in the table, among those that count."""
    return sa.and_(table.c.id % every == remainder % every, table.c.deleted_at.is_(None))
