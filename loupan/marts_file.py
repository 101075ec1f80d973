"""The marts file of a snapshot: copied from the warehouse as a whole, or made of the last one and what changed since.

Writing a table costs DuckDB about as much as building it, for it compresses every column anew. After an incremental
build nearly all rows are those of the snapshot before, and copying its file takes a twentieth of that.
"""

# ruff: noqa: S608 - names in the SQL are quoted, conditions come from pipelines.increment

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    import duckdb

NO_ROW = "false"
"""Condition of a table in which nothing changed."""
_WAREHOUSE, _PUBLISHED = "warehouse", "published"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Difference:
    """In what the warehouse's marts may differ from those of a snapshot, or of a file that was begun ahead.

    Attributes:
        base: version of the snapshot; empty if there is none.
        replaced: by the name of a mart, the condition (SQL over its columns) of its rows that may differ, before and
            after; `NO_ROW` where none does. ``{warehouse}`` stands for the warehouse, whose tables it may read. All
            rows of a mart that is not named may differ.
        rows: by the name of a mart, a query of these rows as they are now, where there is one that is answered faster
            than the mart is read; ``{warehouse}`` likewise.
        begun: names of the marts that stand as they are now in the next marts file, which was begun while models were
            made, as a copy of ``base`` or as a new file; None if there is no such file.
    """

    base: str
    replaced: Mapping[str, str]
    rows: Mapping[str, str] = field(default_factory=dict)
    begun: frozenset[str] | None = None


class NoMartsError(Exception):
    """The warehouse has no tables in schema ``marts``."""


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def in_catalogue(texts: Mapping[str, str], warehouse: str) -> dict[str, str]:
    """Return conditions or queries of a `Difference` for a connection to which the warehouse is attached by a name."""
    return {name: text.replace("{warehouse}", identifier(warehouse)) for name, text in texts.items()}


def configuration(target: Path, memory: str) -> dict[str, str | bool | int | float | list[str]]:
    """Return how DuckDB is configured while it fills a marts file.

    Args:
        target: the file; beside its folder lies what does not fit into memory.
        memory: what DuckDB may take at most, as ``"4096MB"``.
    """
    return {
        # DuckDB 2.0 gives wrong results for two different intervals on one column in one SELECT.
        "disabled_optimizers": "common_subexpressions",
        "memory_limit": memory,
        "temp_directory": f"{target.parent}-spill",
    }


def copy_with_digest(source: Path, target: Path) -> str:
    """Copy a file to a new one, and return its digest, as `digest` does.

    Raises:
        OSError: if it cannot be read, or not be written.
    """
    found = xxhash.xxh3_128()
    with source.open("rb", buffering=0) as read, target.open("wb", buffering=0) as written:
        while block := read.read(_BLOCK):
            found.update(block)
            written.write(block)
    return found.hexdigest()


def digest(path: Path) -> str:
    """Return XXH3 of a file, 128 bits as hexadecimal text: it shows damage, not what somebody forged.

    Raises:
        OSError: if it cannot be read.
    """
    found = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as read:
        while block := read.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def copy_marts(warehouse: Path | duckdb.DuckDBPyConnection, target: Path, memory: str) -> set[str]:
    """Copy every table and view of the schemas ``marts`` and ``mining`` to a new file.

    Args:
        warehouse: its file, or an open connection to it.
        target: the new file.
        memory: what DuckDB may take at most, as ``"4096MB"``.

    Returns:
        The names of the tables in the file.

    Raises:
        NoMartsError: if there is nothing to copy.
        duckdb.Error: if it cannot be read or written.
    """
    with _opened(warehouse, target, memory) as (connection, catalogue):
        return _fill(connection, catalogue, target, Difference("", {}))


def patch_marts(
    warehouse: Path | duckdb.DuckDBPyConnection, target: Path, memory: str, difference: Difference
) -> set[str]:
    """Replace in a marts file what differs in the warehouse.

    Args:
        warehouse: its file, or an open connection to it.
        target: the file, a copy of a snapshot's or one that was begun ahead.
        memory: what DuckDB may take at most, as ``"4096MB"``.
        difference: to what the file is. Of the schema ``mining`` and of the rows in quarantine everything is replaced.

    Returns:
        The names of the tables in the file.

    Raises:
        NoMartsError: if the warehouse has no marts.
        duckdb.Error: if one of them cannot be read, or the file cannot be written.
    """
    with _opened(warehouse, target, memory) as (connection, catalogue):
        return _fill(connection, catalogue, target, difference)


@contextmanager
def _opened(
    warehouse: Path | duckdb.DuckDBPyConnection, target: Path, memory: str
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """Yield a connection to the warehouse, and what it is called there."""
    import duckdb

    if not isinstance(warehouse, Path):
        with warehouse.cursor() as connection:
            yield connection, connection.execute("select current_database()").fetchall()[0][0]
        return
    with duckdb.connect(":memory:", config=configuration(target, memory)) as connection:
        connection.execute(f"attach {_literal(warehouse)} as {_WAREHOUSE} (read_only)")
        yield connection, _WAREHOUSE


def _fill(connection: duckdb.DuckDBPyConnection, catalogue: str, target: Path, difference: Difference) -> set[str]:
    relations = connection.execute(
        """
        select table_schema, table_name
        from information_schema.tables
        where
            table_catalog = ?
            and (
                table_schema in ('marts', 'mining')
                or (table_schema, table_name) = ('quarantine', 'quarantine_row')
            )
        order by table_schema, table_name
        """,
        [catalogue],
    ).fetchall()
    if not any(schema == "marts" for schema, _ in relations):
        raise NoMartsError
    connection.execute(f"attach {_literal(target)} as {_PUBLISHED}")
    try:
        # What stays needs no copy. What is copied makes room first, else the file grows by as much.
        staying = {
            ("marts", name): condition for name, condition in in_catalogue(difference.replaced, catalogue).items()
        }
        rows = in_catalogue(difference.rows, catalogue)
        ready = {("marts", name) for name in difference.begun or ()}
        _drop_all_but(connection, {name for _, name in set(relations) & (staying.keys() | ready)})

        def write(relation: tuple[str, str]) -> None:
            source = ".".join(identifier(part) for part in (catalogue, *relation))
            published = f"{_PUBLISHED}.main.{identifier(relation[1])}"
            with connection.cursor() as own:
                write_mart(own, source, published, staying.get(relation), rows.get(relation[1], ""))

        _in_parallel(write, (relation for relation in relations if relation not in ready))
        connection.execute(f"checkpoint {_PUBLISHED}")
    finally:
        connection.execute(f"detach {_PUBLISHED}")
    return {table for _, table in relations}


def write_mart(
    connection: duckdb.DuckDBPyConnection, source: str, published: str, condition: str | None = None, rows: str = ""
) -> None:
    """Write a mart to a marts file that is attached.

    Args:
        connection: open on the warehouse.
        source: the mart, quoted.
        published: its name in the marts file, quoted.
        condition: of the rows that may differ, before and after; the mart is not there yet if None.
        rows: query of these rows as they are now, where it is answered faster than ``source`` is read.

    Raises:
        duckdb.Error: if it cannot be read or written. Its rows in the marts file must then be written once more.
    """
    if condition is None:
        connection.execute(f"create table {published} as from {source}")
    elif condition != NO_ROW:
        connection.execute(f"delete from {published} where {condition}")
        connection.execute(f"insert into {published} by name {rows or f'from {source} where {condition}'}")


def _drop_all_but(connection: duckdb.DuckDBPyConnection, names: set[str]) -> None:
    # What has a comment was made in the file itself, by `loupan.aggregates`, which decides on it.
    present = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and comment is null", [_PUBLISHED]
    )
    gone = [name for (name,) in present.fetchall() if name not in names]
    for name in gone:
        connection.execute(f"drop table {_PUBLISHED}.main.{identifier(name)}")
    if gone:
        connection.execute(f"checkpoint {_PUBLISHED}")


def _in_parallel(work: Callable[[tuple[str, str]], None], relations: Iterable[tuple[str, str]]) -> None:
    # One copy leaves a core idle for part of its time.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, relations))


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
