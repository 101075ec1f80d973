"""In what the marts of the warehouse differ from a published snapshot, so that publishing may write only that.

The schema ``difference`` of the warehouse holds either of two things, or nothing, in which case nothing is known:

- ``published``: the version of the snapshot that holds the marts as they stand. Whatever makes models takes it away
  first; publishing writes it last.
- ``base``, ``mart``, and the keys and rows that it refers to: what one incremental build has changed since that
  snapshot.

``begun`` stands beside the latter, or alone, if the next marts file was begun while models were made
(:mod:`pipelines.begun_marts`): the names of the marts in it that need nothing more.
"""

# ruff: noqa: S608 - names and values in the SQL are quoted by pipelines.sql

from __future__ import annotations

from collections.abc import Collection, Iterable

import duckdb

from loupan.marts_file import Difference
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


def note(
    connection: duckdb.DuckDBPyConnection, built: Increment, base: str, begun: Collection[str] | None = None
) -> None:
    """Note what an incremental build that has just ended has changed; its twins must still be there.

    Args:
        connection: open on the warehouse, in no transaction.
        built: what was built.
        base: version of the snapshot that held the marts before.
        begun: names of the marts that are done in the copy of its file; None if it was not copied ahead.
    """
    made_anew = increment.made_anew(connection)
    steps = {name: built.replacing(name, made_anew) for name in _tables(connection, "marts")}
    changed = {name: step for name, step in steps.items() if step}
    # Aggregates ask for conditions alone.
    rows = {name: step.rows for name, step in changed.items() if step.rows and name not in (begun or ())}
    kept = {f"{increment.ROWS}{name}" for name in rows}
    connection.execute("begin")
    connection.execute(f"create schema {SCHEMA}")
    for name in _tables(connection, increment.SCHEMA):
        if name.startswith(increment.KEPT_TABLES) or name in kept:
            connection.execute(f"create table {_name(name)} as from {sql.name(increment.SCHEMA, name)}")
    connection.execute(f"create table {_name('mart')} (name varchar, condition varchar, rows varchar)")
    for name, step in changed.items():
        connection.execute(f"insert into {_name('mart')} values (?, ?, ?)", [name, step.replaced, rows.get(name, "")])
    connection.execute(f"create table {_name('base')} as select {sql.literal(base)} as version")
    if begun is not None:
        _note_begun(connection, begun)
    connection.execute("commit")


def note_begun(connection: duckdb.DuckDBPyConnection, marts: Iterable[str]) -> None:
    """Note which marts of a build of everything were copied ahead, as they stand.

    Args:
        connection: open on the warehouse, in no transaction.
        marts: their names.
    """
    connection.execute("begin")
    connection.execute(f"create schema {SCHEMA}")
    _note_begun(connection, marts)
    connection.execute("commit")


def read(connection: duckdb.DuckDBPyConnection) -> Difference | None:
    """Return in what the marts differ from which snapshot, None if that is not known."""
    begun = None
    if _is_there(connection, "begun"):
        begun = frozenset(name for (name,) in connection.execute(f"from {_name('begun')}").fetchall())
    base = _only_value(connection, "base")
    if base is None:
        return Difference("", {}, begun=begun) if begun else None
    noted = connection.execute(f"select name, condition, rows from {_name('mart')}").fetchall()
    keys = f"{{warehouse}}.{SCHEMA}"
    replaced = {name: condition.replace("{keys}", keys) for name, condition, _ in noted}
    rows = {name: query.replace("{keys}", keys) for name, _, query in noted if query}
    return Difference(base, replaced, rows, begun)


def note_published(connection: duckdb.DuckDBPyConnection, version: str) -> None:
    """Note that a snapshot holds the marts as they stand."""
    connection.execute("begin")
    connection.execute(f"drop schema if exists {SCHEMA} cascade")
    connection.execute(f"create schema {SCHEMA}")
    connection.execute(f"create table {_name('published')} as select {sql.literal(version)} as version")
    connection.execute("commit")


def _note_begun(connection: duckdb.DuckDBPyConnection, marts: Iterable[str]) -> None:
    connection.execute(f"create table {_name('begun')} as select unnest(?::varchar[]) as name", [sorted(marts)])


def _only_value(connection: duckdb.DuckDBPyConnection, table: str) -> str | None:
    """Return what a table of one row and one column holds, None if it is not there."""
    if not _is_there(connection, table):
        return None
    return str(connection.execute(f"from {_name(table)}").fetchall()[0][0])


def _tables(connection: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    """Return the names of tables and views of a schema of the warehouse."""
    found = connection.execute(
        "select table_name from information_schema.tables "
        "where table_catalog = current_database() and table_schema = ? order by 1",
        [schema],
    ).fetchall()
    return [name for (name,) in found]


def _is_there(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return table in _tables(connection, SCHEMA)


def _name(table: str) -> str:
    return sql.name(SCHEMA, table)
