"""Take a person out of the CRM for good, and leave what statistics and bookkeeping are made of."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.triggers import create_statements, drop_statements
from data_entry.services.personal.belongings import Rows, chunks, rows_about
from data_entry.services.personal.columns import (
    ERASED,
    ERASED_REFERENCE,
    FEWEST,
    Treatment,
    banded_birthday,
    reference_of,
    treatment,
)
from data_entry.services.tables import models

# Shorter ones stand in too many texts that mean something else.
_SHORTEST, _SHORTEST_NAME = 5, 2
# Where somebody else's own particulars stand, which may be the same: a telephone that a family shares.
_OTHERS_OWN = frozenset(
    {"customer.name", "customer.phone", "customer.email", "customer.address", "feedback.respondent_name"}
)
# Free texts that are not meant to name a customer, and may.
_FREE = frozenset({"article.title", "article_version.body", "annotation.title", "saved_view.name", "saved_view.query"})


@dataclass
class Erased:
    """What was done.

    Attributes:
        rows: how many rows of each table were changed or removed.
        mentions: how many texts elsewhere named the person, by table.
        files: SHA-256 of attached files that no row names any more.
        was_published: whether words that only this person had were of those that are loaded into statistics.
        values: what the person was known by; for looking through copies, never to be shown or kept.
    """

    rows: Counter[str] = field(default_factory=Counter)
    mentions: Counter[str] = field(default_factory=Counter)
    files: set[str] = field(default_factory=set)
    was_published: bool = False
    values: list[str] = field(default_factory=list)


def erase_rows(connection: sa.Connection, customer_ids: Sequence[int], now: dt.datetime, today: dt.date) -> Erased:
    """Erase the person behind customers' records within an open transaction.

    Args:
        connection: open on the CRM, in a transaction.
        customer_ids: all records of the person.
        now: UTC without offset.
        today: day of the company.
    """
    if connection.dialect.name == "sqlite":
        # What is overwritten becomes zeros on the disk, and not free space with words in it.
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    result = Erased()
    rows = rows_about(connection, customer_ids)
    result.values = _known_by(connection, rows)
    with _trail_open(connection):
        for name, keys in sorted(rows.items()):
            match name:
                case "audit_log":
                    changed = _clear(connection, metadata.tables[name], keys, ("before", "after", "external_ref"))
                case "attachment":
                    changed = _remove_attachments(connection, keys, result)
                case "feature_value":
                    changed = _erase_features(connection, keys, result)
                case _:
                    changed = _erase_table(connection, metadata.tables[name], keys, today, result)
            if changed:
                result.rows[name] += changed
        _erase_mentions(connection, rows, result)
    customer = metadata.tables["customer"]
    for part in chunks(customer_ids):
        connection.execute(
            sa.update(customer).where(customer.c.id.in_(part), customer.c.erased_at.is_(None)).values(erased_at=now)
        )
    return result


@contextmanager
def _trail_open(connection: sa.Connection) -> Iterator[None]:
    """Let lines of the trail be changed within this transaction: the law is above the rule that none ever is.

    Whoever writes meanwhile waits: SQLite has one writer, PostgreSQL locks the table for the change of its triggers.
    """
    for statement in drop_statements("audit_log", connection.dialect.name):
        connection.exec_driver_sql(statement)
    yield
    for statement in create_statements("audit_log", connection.dialect.name):
        connection.exec_driver_sql(statement)


def _known_by(connection: sa.Connection, rows: Rows) -> list[str]:
    """Return what the person is known by: numbers and addresses, and names that nobody else has."""
    customer, feedback = (metadata.tables[name] for name in ("customer", "feedback"))
    names: set[str] = set()
    others: set[str] = set()
    for part in chunks(rows["customer"]):
        for row in connection.execute(
            sa.select(customer.c.name, customer.c.phone, customer.c.email, customer.c.address, customer.c.external_ref)
            .where(customer.c.id.in_(part))
        ):  # fmt: skip
            names.add(row.name or "")
            others |= {row.phone or "", row.email or "", row.address or "", row.external_ref or ""}
    for part in chunks(rows.get("feedback", ())):
        names |= set(connection.scalars(sa.select(feedback.c.respondent_name).where(feedback.c.id.in_(part)))) - {None}
    names = {name.strip() for name in names if len(name.strip()) >= _SHORTEST_NAME}
    shared = {name for name in names if _is_anothers(connection, name, rows["customer"])}
    numbers = {
        text.strip() for text in others if len(text.strip()) >= _SHORTEST and not text.startswith(ERASED_REFERENCE)
    }
    return sorted({*(names - shared), *numbers}, key=len, reverse=True)


def _is_anothers(connection: sa.Connection, name: str, own: Collection[int]) -> bool:
    """Say whether a name is that of somebody else as well, or a part of it: then a text may mean the other one."""
    customer, employee = metadata.tables["customer"], metadata.tables["employee"]
    return any(
        connection.scalar(query.limit(1)) is not None
        for query in (
            sa.select(employee.c.id).where(employee.c.name.contains(name, autoescape=True)),
            sa.select(customer.c.id).where(
                customer.c.name.contains(name, autoescape=True), customer.c.id.not_in(list(own))
            ),
        )
    )


def _clear(connection: sa.Connection, table: sa.Table, keys: Collection[int], columns: Iterable[str]) -> int:
    """Empty columns, where they hold anything; return how many rows that changed."""
    values = {name: None if table.c[name].nullable else ERASED for name in columns}
    if not values:
        return 0
    filled = sa.or_(
        *(table.c[name].is_not(None) if value is None else table.c[name] != value for name, value in values.items())
    )
    return sum(
        connection.execute(sa.update(table).where(table.c.id.in_(part), filled).values(values)).rowcount
        for part in chunks(keys)
    )


def _erase_table(
    connection: sa.Connection, table: sa.Table, keys: Collection[int], today: dt.date, result: Erased
) -> int:
    kinds = {column.name: treatment(column) for column in table.c}
    cleared = _clear(connection, table, keys, [name for name, kind in kinds.items() if kind is Treatment.CLEAR])
    changed = _hide_references(connection, table, keys)
    for name, kind in kinds.items():
        if kind not in (Treatment.SHARED, Treatment.BIRTHDAY):
            continue
        column = table.c[name]
        for part in chunks(keys):
            held = connection.execute(sa.select(table.c.id, column).where(table.c.id.in_(part), column.is_not(None)))
            for key, value in held.all():
                new = _replaced(connection, column, kind, value, keys, today)
                if new != value:
                    connection.execute(sa.update(table).where(table.c.id == key).values({name: new}))
                    changed += 1
                    result.was_published |= kind is Treatment.SHARED and models()[table.name].ingested
    return max(cleared, changed)


def _replaced(
    connection: sa.Connection,
    column: sa.Column[Any],
    kind: Treatment,
    value: Any,
    keys: Collection[int],
    today: dt.date,
) -> Any:
    if kind is Treatment.BIRTHDAY:
        return banded_birthday(value, today)
    if _is_shared(connection, column, value, keys):
        return value
    return None if column.nullable else ERASED


def _is_shared(connection: sa.Connection, column: sa.Column[Any], value: str, keys: Collection[int]) -> bool:
    """Say whether a text is a term of an agreed list, or stands in the rows of enough others."""
    term, table = metadata.tables["vocabulary_term"], column.table
    agreed = sa.select(term.c.id).where(term.c.field == f"{table.name}.{column.name}", term.c.value == value)
    if connection.scalar(agreed.limit(1)) is not None:
        return True
    alike: set[int] = set(connection.scalars(sa.select(table.c.id).where(column == value).limit(len(keys) + FEWEST)))
    return len(alike - set(keys)) >= FEWEST - 1


def _erase_features(connection: sa.Connection, keys: Collection[int], result: Erased) -> int:
    """Replace typed values that few others have; choices and yes or no are offered to all, and stay."""
    value, feature = metadata.tables["feature_value"], metadata.tables["feature"]
    changed = 0
    for part in chunks(keys):
        query = (
            sa.select(value.c.id, value.c.value, value.c.feature_id, feature.c.data_type, feature.c.options)
            .join(feature, feature.c.id == value.c.feature_id)
            .where(value.c.id.in_(part), value.c.value.is_not(None))
        )
        for row in connection.execute(query).all():
            if row.data_type == "boolean" and row.value.strip().lower() in ("true", "false", "1", "0", "yes", "no"):
                continue
            if row.data_type == "choice" and row.value in (row.options or "").splitlines():
                continue
            others = connection.scalar(
                sa.select(sa.func.count(value.c.entity_id.distinct())).where(
                    value.c.feature_id == row.feature_id, value.c.value == row.value, value.c.id.not_in(list(keys))
                )
            )
            new = f"erased-{row.id}"
            if (others or 0) >= FEWEST - 1 or row.value == new:
                continue
            # Not emptied: the question was answered, and statistics count that under `other`.
            connection.execute(sa.update(value).where(value.c.id == row.id).values(value=new))
            changed += 1
            result.was_published = True
    return max(changed, _hide_references(connection, value, keys))


def _hide_references(connection: sa.Connection, table: sa.Table, keys: Collection[int]) -> int:
    column, changed = table.c.external_ref, 0
    for part in chunks(keys):
        query = sa.select(table.c.id, column).where(table.c.id.in_(part), column.is_not(None))
        for row in connection.execute(query).all():
            if (hidden := reference_of(str(row.external_ref))) != row.external_ref:
                connection.execute(sa.update(table).where(table.c.id == row.id).values(external_ref=hidden))
                changed += 1
    return changed


def _remove_attachments(connection: sa.Connection, keys: Collection[int], result: Erased) -> int:
    """Delete the rows of attached files, and name the contents that no other row has."""
    table = metadata.tables["attachment"]
    digests: set[str] = set()
    for part in chunks(keys):
        digests |= set(connection.scalars(sa.select(table.c.sha256).where(table.c.id.in_(part))))
        connection.execute(sa.delete(table).where(table.c.id.in_(part)))
    still: set[str] = set()
    for part in chunks(digests):
        still |= set(connection.scalars(sa.select(table.c.sha256).where(table.c.sha256.in_(part))))
    result.files |= digests - still
    return len(keys)


def _erase_mentions(connection: sa.Connection, rows: Rows, result: Erased) -> None:
    """Replace what the person is known by in all other texts: discussions, reports, work logs, the trail."""
    if not result.values:
        return
    for table in metadata.sorted_tables:
        for column in table.c:
            if not _is_searched(column):
                continue
            for key, text in _mentioning(connection, table, column, result.values):
                # A line of the trail is JSON: a value of it is written as JSON writes it.
                new = None if table.name == "audit_log" else _without(text, result.values)
                if new is None and not column.nullable:
                    new = ERASED
                connection.execute(sa.update(table).where(table.c.id == key).values({column.name: new}))
                if key not in rows.get(table.name, ()):
                    result.mentions[table.name] += 1


def _is_searched(column: sa.Column[Any]) -> bool:
    name = f"{column.table.name}.{column.name}"
    is_text = isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum)
    is_secret = column.table.name in ("account", "account_session") or column.name == "token_hash"
    return (
        is_text and not is_secret and name not in _OTHERS_OWN and (bool(column.info.get("personal")) or name in _FREE)
    )


def _mentioning(
    connection: sa.Connection, table: sa.Table, column: sa.Column[Any], values: Sequence[str]
) -> list[tuple[int, str]]:
    written = {*values, *(json.dumps(value, ensure_ascii=False)[1:-1] for value in values)}
    condition = sa.or_(*(column.contains(value, autoescape=True) for value in sorted(written)))
    found = connection.execute(sa.select(table.c.id, column).where(condition)).all()
    return [(row[0], row[1]) for row in found]


def _without(text: str, values: Sequence[str]) -> str:
    for value in values:
        text = text.replace(value, ERASED)
        # SQLite's LIKE takes upper and lower case of ASCII for the same.
        start = text.lower().find(value.lower())
        while start >= 0:
            text = text[:start] + ERASED + text[start + len(value) :]
            start = text.lower().find(value.lower(), start + len(ERASED))
    return text
