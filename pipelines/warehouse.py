"""Open the warehouse file, and keep the state of the load in it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb

from pipelines.errors import IngestError

SCHEMAS = ("landing", "raw", "quarantine", "ingest")
DAMAGED_SUFFIX = ".damaged"
# Builds put together row groups that lost rows, once a day. DuckDB would do so whenever a file with changes is closed,
# in all of its tables, which costs more than writing the changes. Whoever else writes here begins with this setting.
WITHOUT_VACUUM = "set max_vacuum_tasks = 0"


class DamagedWarehouse(Exception):
    """The warehouse file is not readable; it holds nothing that cannot be built again."""


class Sums(NamedTuple):
    """What the rows of a table come to, see :func:`pipelines.crm.checksum_of`; equal to what the CRM tells of them."""

    rows: int
    keys: int
    cursors: int

    def exchanged(self, old: Sums, new: Sums) -> Sums:
        """Return what they come to once some rows are others."""
        return Sums(*(before - gone + come for before, gone, come in zip(self, old, new, strict=True)))


@dataclass(frozen=True)
class TableState:
    """What the warehouse knows about a table from the loads before."""

    fingerprint: str  # of the contract the table was loaded under
    last_cursor: dt.datetime | None  # the greatest cursor loaded (UTC) that did not lie in the future
    keys_unique: bool
    row_count: int
    checked_row_count: int | None  # rows not deleted when the checks last passed
    all_unchecked: bool  # loaded in full since the checks last passed
    key_sum: int | None = None  # of what landed, see `Sums`; None if it is not known
    cursor_sum: int | None = None

    @property
    def sums(self) -> Sums | None:
        """What the landed rows come to, None if it is not known."""
        if self.key_sum is None or self.cursor_sum is None:
            return None
        return Sums(self.row_count, self.key_sum, self.cursor_sum)


def _explain(error: duckdb.Error, path: Path) -> Exception | None:
    """Tell damage, locks and full disks apart; DuckDB raises the same classes for them."""
    message = " ".join(str(error).split())
    if "No space left" in message or disk_is_full(path):
        return IngestError(
            f"The disk that holds {path} is full; the last good state is kept. Free space and try again."
        )
    if "onflicting lock" in message or "Could not set lock" in message:
        return IngestError(f"Another program has {path} open. Let it finish and try again. DuckDB says: {message}")
    if "ermission denied" in message or "Cannot open file" in message:
        return IngestError(f"The warehouse {path} cannot be opened or made. Check who may write there: {message}")
    if isinstance(error, duckdb.InternalException | duckdb.FatalException | duckdb.SerializationException) or (
        says_damage(message)
    ):
        return DamagedWarehouse(message)
    return None


def says_damage(message: str) -> bool:
    """Say whether an error of whatever reads the warehouse comes from damage to the file; a full disk is none."""
    signs = (
        "not a valid DuckDB",
        "orrupt",
        "checksum",
        "replaying WAL",
        "deserializ",
        "version number",
        "Could not read enough bytes",  # of a file cut off
        "Could not read all bytes",
    )
    return "No space left" not in message and any(sign in message for sign in signs)


def disk_is_full(path: Path) -> bool:
    """Say whether next to nothing is free where a file lies; not all libraries say so when it is."""
    try:
        return shutil.disk_usage(path.parent).free < 1 << 20
    except OSError:
        return False


@contextmanager
def open_warehouse(path: Path, memory: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for writing and make the schemas that the load fills.

    Args:
        path: of the file.
        memory: what DuckDB may take before it puts tables on the disk; its own share of the machine's without it.

    Raises:
        DamagedWarehouse: if the file cannot be read.
        IngestError: if another program has it open, the disk is full, or it may not be written.
    """
    if path.is_dir():
        raise IngestError(f"The warehouse {path} is a folder. Move it away; the next refresh makes the file anew.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IngestError(f"The folder of the warehouse {path} cannot be made: {error}") from error
    connection = None
    try:
        connection = duckdb.connect(str(path))
        # DuckDB 2.0 gives wrong results for two intervals on one column with this optimizer on.
        connection.execute("set disabled_optimizers = 'common_subexpressions'")
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(WITHOUT_VACUUM)
        if memory:
            connection.execute(f"set memory_limit = '{memory}'")
        _create(connection)
        yield connection
    except duckdb.Error as error:
        explained = _explain(error, path)
        if explained is None:
            raise
        raise explained from error
    finally:
        if connection is not None:
            connection.close()


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
    connection.execute(
        "create table if not exists ingest.table_state (table_name varchar primary key, fingerprint varchar, "
        "last_cursor timestamp, keys_unique boolean, row_count bigint, checked_row_count bigint, all_unchecked boolean)"
    )
    # Keys of the rows changed since all checks last passed (a load whose checks failed is not forgotten); an empty key
    # says that rows were deleted.
    connection.execute("create table if not exists ingest.unchecked_row (table_name varchar, row_key varchar)")
    connection.execute("create table if not exists ingest.source (identity varchar, version varchar)")
    connection.execute(
        "create table if not exists quarantine.quarantine_row (table_name varchar, row_key varchar, "
        "column_name varchar, rule varchar, value varchar, reason varchar)"
    )
    # A warehouse of an earlier version has the tables without them.
    for column in ("key_sum", "cursor_sum"):
        connection.execute(f"alter table ingest.table_state add column if not exists {column} hugeint")
    connection.execute("alter table ingest.source add column if not exists version varchar")
    connection.execute("alter table quarantine.quarantine_row add column if not exists since timestamp")


def read_source(path: Path) -> tuple[str, str] | None:
    """Return identity and version of the CRM that a warehouse was loaded from; None if it does not tell.

    Raises:
        duckdb.Error: if it cannot be read.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute("select identity, version from ingest.source").fetchall()
    return rows[0] if len(rows) == 1 else None


def set_aside(path: Path) -> Path:
    """Move a damaged warehouse out of the way, over the one set aside before; return where it lies."""
    target = path.with_name(path.name + DAMAGED_SUFFIX)
    for suffix in ("", ".wal"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            os.replace(file, target.with_name(target.name + suffix))
    return target


def read_states(connection: duckdb.DuckDBPyConnection) -> dict[str, TableState]:
    """Return the state of every table that was loaded before."""
    rows = connection.execute(
        "select table_name, fingerprint, last_cursor, keys_unique, row_count, checked_row_count, all_unchecked, "
        "key_sum, cursor_sum from ingest.table_state"
    ).fetchall()
    return {name: TableState(*state) for name, *state in rows}


def write_state(connection: duckdb.DuckDBPyConnection, table: str, state: TableState) -> None:
    """Store the state of a table; part of the caller's transaction."""
    connection.execute(
        "insert or replace into ingest.table_state values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            table,
            state.fingerprint,
            state.last_cursor,
            state.keys_unique,
            state.row_count,
            state.checked_row_count,
            state.all_unchecked,
            state.key_sum,
            state.cursor_sum,
        ],
    )


def forget_table(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Drop what was loaded of a table that the contract no longer names; part of the caller's transaction."""
    for schema in ("landing", "raw", "quarantine"):
        quoted = table.replace('"', '""')
        connection.execute(f'drop table if exists {schema}."{quoted}"')
    connection.execute("delete from quarantine.quarantine_row where table_name = ?", [table])
    connection.execute("delete from ingest.unchecked_row where table_name = ?", [table])
    connection.execute("delete from ingest.table_state where table_name = ?", [table])
