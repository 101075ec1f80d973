"""In what the marts of the warehouse differ from a published snapshot, so that publishing may write only that.

The schema ``difference`` of the warehouse holds either of two things, or nothing, in which case nothing is known:

- ``published``: the version of the snapshot that holds the marts as they stand. Whatever makes models takes it away
  first; publishing writes it last.
- ``base``, ``mart`` and the keys they refer to: what one incremental build has changed since that snapshot.

``begun`` stands beside the latter, or alone with the names of marts, if the next marts file was begun while models were
made (:mod:`pipelines.begun_marts`).
"""

# ruff: noqa: S608 - names and values in the SQL are quoted by pipelines.sql

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from loupan.marts_file import NO_ROW, Difference
from pipelines import increment, sql
from pipelines.increment import Increment

SCHEMA = "difference"


def forget_published(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return the version of the snapshot that holds the marts as they stand, if any; from here on none does.

    Called before any model is made; what a killed build changed then belongs to no snapshot.
    """
    version = _only_value(connection, "published")
    connection.execute(f"drop schema if exists {SCHEMA} cascade")
    return version


def note(connection: duckdb.DuckDBPyConnection, built: Increment, base: str, *, is_begun: bool = False) -> None:
    """Note what an incremental build that has just ended has changed; its twins must still be there.

    Args:
        connection: open on the warehouse, in no transaction.
        built: what was built.
        base: version of the snapshot that held the marts before.
        is_begun: whether its file was copied ahead.
    """
    made_anew = {name for (name,) in connection.execute(f"from {increment.SCHEMA}.{increment.MADE_ANEW}").fetchall()}
    keys = connection.execute(
        "select table_name from information_schema.tables "
        "where table_catalog = current_database() and table_schema = ? order by 1",
        [increment.SCHEMA],
    ).fetchall()
    connection.execute("begin")
    connection.execute(f"create schema {SCHEMA}")
    for (name,) in keys:
        if name.startswith(increment.KEPT_TABLES):
            connection.execute(f"create table {_name(name)} as from {sql.name(increment.SCHEMA, name)}")
    connection.execute(f"create table {_name('mart')} (name varchar, condition varchar)")
    for name, step in built.steps.items():
        if step.replaced and name not in made_anew:
            connection.execute(f"insert into {_name('mart')} values (?, ?)", [name, step.replaced])
    connection.execute(f"create table {_name('base')} as select {sql.literal(base)} as version")
    if is_begun:
        connection.execute(f"create table {_name('begun')} (name varchar)")
    connection.execute("commit")


def note_begun(connection: duckdb.DuckDBPyConnection, marts: Iterable[str]) -> None:
    """Note which marts of a build of everything were copied ahead, as they stand.

    Args:
        connection: open on the warehouse, in no transaction.
        marts: their names.
    """
    connection.execute("begin")
    connection.execute(f"create schema {SCHEMA}")
    connection.execute(f"create table {_name('begun')} as select unnest(?::varchar[]) as name", [sorted(marts)])
    connection.execute("commit")


def read(connection: duckdb.DuckDBPyConnection) -> Difference | None:
    """Return in what the marts differ from which snapshot, None if that is not known."""
    is_begun = _is_there(connection, "begun")
    base = _only_value(connection, "base")
    if base is None:
        marts = connection.execute(f"from {_name('begun')}").fetchall() if is_begun else []
        return Difference("", {name: NO_ROW for (name,) in marts}, is_begun) if marts else None
    conditions = connection.execute(f"select name, condition from {_name('mart')}").fetchall()
    keys = f"{{warehouse}}.{SCHEMA}"
    replaced = {name: condition.replace("{keys}", keys) for name, condition in conditions}
    return Difference(base, replaced, is_begun)


def note_published(connection: duckdb.DuckDBPyConnection, version: str) -> None:
    """Note that a snapshot holds the marts as they stand."""
    connection.execute("begin")
    connection.execute(f"drop schema if exists {SCHEMA} cascade")
    connection.execute(f"create schema {SCHEMA}")
    connection.execute(f"create table {_name('published')} as select {sql.literal(version)} as version")
    connection.execute("commit")


def _only_value(connection: duckdb.DuckDBPyConnection, table: str) -> str | None:
    """Return what a table of one row and one column holds, None if it is not there."""
    if not _is_there(connection, table):
        return None
    return str(connection.execute(f"from {_name(table)}").fetchall()[0][0])


def _is_there(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(
        connection.execute(
            "select exists (from information_schema.tables "
            "where table_catalog = current_database() and table_schema = ? and table_name = ?)",
            [SCHEMA, table],
        ).fetchall()[0][0]
    )


def _name(table: str) -> str:
    return sql.name(SCHEMA, table)
