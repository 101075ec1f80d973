"""In what the marts of the warehouse differ from a published snapshot, so that publishing may write only that.

The schema ``difference`` of the warehouse holds either of two things, or nothing, in which case nothing is known:

- ``published``: the version of the snapshot that holds the marts as they stand. Whatever makes models takes it away
  first; publishing writes it last.
- ``base``, ``mart``, and the keys and rows that it refers to: what one incremental build has changed since that
  snapshot.

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
    steps = {name: built.steps[name] for name in _tables(connection, "marts") if name in built.steps}
    changed = {name: step for name, step in steps.items() if step.replaced and name not in made_anew}
    kept = {f"{increment.ROWS}{name}" for name in changed}
    connection.execute("begin")
    connection.execute(f"create schema {SCHEMA}")
    for name in _tables(connection, increment.SCHEMA):
        if name.startswith(increment.KEPT_TABLES) or name in kept:
            connection.execute(f"create table {_name(name)} as from {sql.name(increment.SCHEMA, name)}")
    connection.execute(f"create table {_name('mart')} (name varchar, condition varchar, rows varchar)")
    for name, step in changed.items():
        connection.execute(f"insert into {_name('mart')} values (?, ?, ?)", [name, step.replaced, step.rows])
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
        return Difference("", {name: NO_ROW for (name,) in marts}, is_begun=is_begun) if marts else None
    noted = connection.execute(f"select name, condition, rows from {_name('mart')}").fetchall()
    keys = f"{{warehouse}}.{SCHEMA}"
    replaced = {name: condition.replace("{keys}", keys) for name, condition, _ in noted}
    rows = {name: query.replace("{keys}", keys) for name, _, query in noted if query}
    return Difference(base, replaced, rows, is_begun)


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
