"""Find every row of the CRM that is about one customer, by the references of the schema.

A table added to the schema is found by itself: from the customer's records down all foreign keys, and by the three
tables that name their row in other ways (values of features, attached files, the trail).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from data_entry.schema import metadata

_CUSTOMER = "customer"
_CHUNK = 500
Rows = dict[str, set[int]]


@dataclass(frozen=True)
class _Links:
    """Columns of a table that name the customer, and those that name another row about a customer, with its table."""

    own: tuple[str, ...]
    through: tuple[tuple[str, str], ...]


@cache
def reachable() -> dict[str, _Links]:
    """Return the tables with rows about customers, by their references.

    A row that names a customer itself is that customer's, whatever else it points to: a demand that repeats somebody
    else's is not that person's.
    """
    found: dict[str, _Links] = {_CUSTOMER: _Links((), ())}
    while True:
        more = {}
        for table in metadata.sorted_tables:
            if table.name == _CUSTOMER:
                continue
            targets = [(column.name, key.column.table.name) for column in table.c for key in column.foreign_keys]
            own = tuple(column for column, target in targets if target == _CUSTOMER)
            through = tuple(
                (column, target)
                for column, target in targets
                if target in found and target not in (_CUSTOMER, table.name)
            )
            if own or through:
                more[table.name] = _Links(own, through)
        if more == {name: links for name, links in found.items() if name != _CUSTOMER}:
            return found
        found |= more


def rows_about(connection: sa.Connection, customer_ids: Sequence[int]) -> Rows:
    """Return the keys of all rows about customers, by table, soft-deleted ones included.

    Args:
        connection: open on the CRM.
        customer_ids: the records of one person: the one that counts and those merged into it.
    """
    found: Rows = {_CUSTOMER: set(customer_ids)}
    grew = True
    while grew:  # tasks and greetings point at each other
        grew = False
        for name, links in reachable().items():
            if name == _CUSTOMER:
                continue
            keys = set(_linked(connection, name, links, found)) - found.get(name, set())
            if keys:
                found.setdefault(name, set()).update(keys)
                grew = True
    found |= {name: keys for name, keys in _named_otherwise(connection, found).items() if keys}
    return found


def _linked(connection: sa.Connection, name: str, links: _Links, found: Rows) -> Iterator[int]:
    table = metadata.tables[name]
    for column in links.own:
        yield from keys_where(connection, table, table.c[column], found[_CUSTOMER])
    nobodys = [table.c[column].is_(None) for column in links.own]
    for column, target in links.through:
        yield from keys_where(connection, table, table.c[column], found.get(target, ()), *nobodys)


def _named_otherwise(connection: sa.Connection, found: Rows) -> Rows:
    value, feature, attachment = (metadata.tables[name] for name in ("feature_value", "feature", "attachment"))
    more: Rows = {"feature_value": set(), "attachment": set()}
    for name, keys in found.items():
        features: set[int] = set(connection.scalars(sa.select(feature.c.id).where(feature.c.entity == name)))
        if features:
            more["feature_value"] |= set(
                keys_where(connection, value, value.c.entity_id, keys, value.c.feature_id.in_(features))
            )
        more["attachment"] |= set(
            keys_where(connection, attachment, attachment.c.entity_id, keys, attachment.c.entity == name)
        )
    trail = metadata.tables["audit_log"]
    lines: set[int] = set()
    for name, keys in (found | more).items():
        lines |= set(keys_where(connection, trail, trail.c.entity_id, keys, trail.c.entity == name))
    return more | {"audit_log": lines}


def keys_where(
    connection: sa.Connection, table: sa.Table, column: sa.Column[Any], values: Any, *conditions: sa.ColumnElement[bool]
) -> Iterator[int]:
    """Yield the keys of the rows of a table whose column holds one of some values, and which fulfil conditions."""
    for part in chunks(values):
        yield from connection.scalars(sa.select(table.c.id).where(column.in_(part), *conditions))


def chunks(values: Any) -> Iterator[list[Any]]:
    """Yield values in parts that a statement can name: databases limit their number."""
    listed = sorted(values)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
