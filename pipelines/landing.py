"""Bring the CRM's rows into ``landing.<table>``: every declared column as text, exactly as the CRM delivers it.

A table is loaded in full, or incrementally: rows whose cursor moved since the last load (less an overlap) are merged by
key; then keys and cursors of *all* rows are added up on both sides, and read and compared where the sums differ. Keys
that are gone were hard-deleted. A row that is missing here, or has another cursor, was changed behind the cursor's back
(a late commit, a restored backup): the table is then loaded in full. Only a change that leaves the cursor untouched,
and lies before the overlap, stays unseen until the next full load; the CRM's own triggers do not allow one.
"""

# ruff: noqa: S608 - names and values in the SQL are quoted by pipelines.sql

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from pipelines import sql
from pipelines.contract import Contract, Table
from pipelines.crm import Crm, checksum_of
from pipelines.errors import IngestError
from pipelines.warehouse import TableState, write_state

# All rows of a table this small are read and compared each time: it costs nothing, and shows even what left the cursor
# untouched, e.g. another company's master data of the same day in the same file.
SMALL_TABLE_ROWS = 1000


@dataclass(frozen=True)
class TableLoad:
    """What a load did to one table of the landing schema."""

    table: str
    full: bool
    why: str  # of a full load
    rows: int  # in the table now
    inserted: int
    updated: int
    deleted: int
    changed: bool  # whether any row may differ from before
    by_row: bool = False  # whether the changed rows are known, in `landed_change`


def require_columns(crm: Crm, contract: Contract) -> None:
    """Check that the CRM has every table and column of the contract.

    Raises:
        IngestError: naming all that is missing.
    """
    present = crm.columns()
    missing = []
    for table in contract.tables:
        if table.name not in present:
            missing.append(f"table {table.name}")
            continue
        lacking = [column.name for column in table.columns if column.name not in present[table.name]]
        if lacking:
            missing.append(f"column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)} of table {table.name}")
    if missing:
        raise IngestError(
            f"The CRM {crm.where} lacks {'; '.join(missing)}. Bring its schema up to date with `loupan crm migrate`, "
            "or point LOUPAN_CRM_URL at the right database."
        )


class Loader:
    """Loads tables from one CRM view into one open warehouse transaction."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, crm: Crm, *, now: dt.datetime, overlap: dt.timedelta
    ) -> None:
        """``now`` is the present moment (naive UTC)."""
        self._connection, self._crm = connection, crm
        self._now, self._overlap = now, overlap
        # The landed rows that changed, of those tables where they are known. Deleted ones are not new.
        connection.execute(
            "create or replace temp table landed_change (table_name varchar, row_key varchar, is_new boolean)"
        )

    def load(self, table: Table, state: TableState | None, full_because: str) -> TableLoad:
        """Load one table; ``full_because`` says why in full, empty to load incrementally where that is possible."""
        why = full_because or self._why_full(table, state)
        if why or state is None:
            known = state is not None and state.fingerprint == table.fingerprint and not full_because
            return self._load_full(table, state, why, known=known)
        load = self._load_increment(table, state)
        if load is None:
            self._connection.execute("delete from landed_change where table_name = ?", [table.name])
            why = "its keys and cursors differ from the CRM's in a way that the cursor does not show"
            return self._load_full(table, state, why, known=False)
        return load

    def _why_full(self, table: Table, state: TableState | None) -> str:
        if state is None:
            return "it was never loaded before"
        if state.fingerprint != table.fingerprint:
            return "its contract changed"
        if table.cursor is None:
            return "it has no cursor"
        if state.last_cursor is None:
            return "no row had a cursor at the last load"
        if not state.keys_unique:
            return "several of its rows share a key"
        return ""

    def _copy(self, target: str, table: Table, columns: Sequence[str], condition: str = "true") -> None:
        """Copy rows of the CRM; ``target`` is a table with how to create it, e.g. "temp table stage"."""
        with self._crm.rows(table.name, columns, condition) as reader:
            self._connection.register("crm_rows", reader)
            try:
                self._connection.execute(f"create or replace {target} as select * from crm_rows")
            except duckdb.Error as error:
                raise self._crm.failure or error from error
            # Not where it failed: that ends the load, and in its broken transaction this would fail and hide the cause.
            self._connection.unregister("crm_rows")

    def _load_full(self, table: Table, state: TableState | None, why: str, *, known: bool) -> TableLoad:
        """Load all rows; a ``known`` table, with the contract of the last load, may turn out not to have changed."""
        landing, names = sql.name("landing", table.name), [column.name for column in table.columns]
        before = state.row_count if state else 0
        by_row = False
        if known:
            self._copy("temp table stage", table, names)
            if self._one("select count(*) from stage") == before and not self._one(
                f"select exists (select * from stage except all select * from {landing})"
            ):
                return TableLoad(table.name, True, why, before, 0, 0, 0, changed=False)
            by_row = state is not None and state.keys_unique and self._keys_unique("stage", table)
            if by_row:
                key = sql.name(table.key)
                self._connection.execute(
                    f"insert into landed_change select ?, coalesce(s.{key}, l.{key}), l.{key} is null "
                    f"from stage s full join {landing} l on l.{key} = s.{key} "
                    f"where s.{key} is null or l.{key} is null or {_differs(names)}",
                    [table.name],
                )
            self._connection.execute(f"create or replace table {landing} as select * from stage")
        else:
            self._copy(f"table {landing}", table, names)
        rows = self._one(f"select count(*) from {landing}")
        self._connection.execute("delete from ingest.unchecked_row where table_name = ?", [table.name])
        write_state(
            self._connection,
            table.name,
            TableState(
                fingerprint=table.fingerprint,
                last_cursor=self._last_cursor(table, landing),
                keys_unique=self._keys_unique(landing, table),
                row_count=rows,
                checked_row_count=state.checked_row_count if state else None,
                all_unchecked=True,
            ),
        )
        return TableLoad(
            table.name, True, why, rows, max(rows - before, 0), 0, max(before - rows, 0), changed=True, by_row=by_row
        )

    def _load_increment(self, table: Table, state: TableState) -> TableLoad | None:
        """Merge what changed; None if the result would differ from a full load."""
        if table.cursor is None or state.last_cursor is None:
            return None
        names = [column.name for column in table.columns]
        landing, key = sql.name("landing", table.name), sql.name(table.key)
        moved = "true"
        if state.row_count > SMALL_TABLE_ROWS:
            moved = self._crm.changed_since(table.name, table.cursor, state.last_cursor - self._overlap)
        self._copy("temp table stage", table, names, moved)
        if not self._keys_unique("stage", table):
            return None
        self._connection.execute(
            f"create or replace temp table changed as select s.*, l.{key} is null as is_new "
            f"from stage s left join {landing} l on l.{key} = s.{key} where l.{key} is null or {_differs(names)}"
        )
        inserted, updated = self._connection.execute(
            "select count(*) filter (is_new), count(*) filter (not is_new) from changed"
        ).fetchall()[0]
        if inserted or updated:
            # A MERGE would read all columns of all rows.
            listed = ", ".join(map(sql.name, names))
            self._connection.execute(f"delete from {landing} where {key} in (select {key} from changed)")
            self._connection.execute(f"insert into {landing} ({listed}) select {listed} from changed")
            self._connection.execute(f"insert into ingest.unchecked_row select ?, {key} from changed", [table.name])
            self._connection.execute(f"insert into landed_change select ?, {key}, is_new from changed", [table.name])

        is_same = self._crm.checksum(table) == self._checksum(table)
        deleted = 0 if is_same else self._reconcile(table, table.cursor)
        if deleted is None:
            return None
        changed = bool(inserted or updated or deleted)
        rows = self._one(f"select count(*) from {landing}")
        load = TableLoad(table.name, False, "", rows, inserted, updated, deleted, changed, by_row=True)
        if load.changed:
            # Rows that are gone leave it where it was: it only has to be no later than what comes next.
            last_cursor = max(state.last_cursor, self._last_cursor(table, "changed") or state.last_cursor)
            write_state(self._connection, table.name, replace(state, last_cursor=last_cursor, row_count=rows))
        return load

    def _checksum(self, table: Table) -> tuple[int, ...]:
        """Return the numbers of what landed that :meth:`Crm.checksum` gives of the CRM's rows."""
        key = f"try_cast({sql.name(table.key)} as bigint)"
        milliseconds = f"(epoch_us(try_cast({sql.name(table.cursor or '')} as timestamp)) + 500) // 1000"
        numbers = checksum_of(key, milliseconds)
        return self._connection.execute(f"select {numbers} from {sql.name('landing', table.name)}").fetchall()[0]

    def _reconcile(self, table: Table, cursor_column: str) -> int | None:
        """Compare key and cursor of every row, and delete the rows that are gone from the CRM.

        Returns:
            How many they were; None if rows differ in another way.
        """
        landing, key, cursor = sql.name("landing", table.name), sql.name(table.key), sql.name(cursor_column)
        self._copy("temp table present", table, [table.key, cursor_column])
        rows, present, unequal = self._connection.execute(
            f"select (select count(*) from {landing}), (select count(*) from present), "
            f"exists (select 1 from present p "
            f"anti join {landing} l on l.{key} = p.{key} and l.{cursor} is not distinct from p.{cursor})"
        ).fetchall()[0]
        if unequal:
            return None
        deleted = self._delete_gone(table) if rows != present else 0
        return deleted if rows - deleted == present else None

    def _delete_gone(self, table: Table) -> int:
        """Delete the rows that are not ``present`` in the CRM any more; return how many."""
        landing, key = sql.name("landing", table.name), sql.name(table.key)
        self._connection.execute(
            f"create or replace temp table gone as select l.{key} from {landing} l "
            f"anti join present p on p.{key} = l.{key}"
        )
        self._connection.execute(f"insert into landed_change select ?, {key}, false from gone", [table.name])
        # An empty key says that rows were deleted.
        self._connection.execute("insert into ingest.unchecked_row values (?, null)", [table.name])
        return self._one(f"delete from {landing} where {key} in (from gone)")

    def _keys_unique(self, relation: str, table: Table) -> bool:
        """Tell whether every row has a key of its own; typed, because that is faster and says no less."""
        key = f"try_cast({sql.name(table.key)} as {table.by_name[table.key].data_type})"
        return self._one(f"select count(*) = count(distinct {key}) from {relation}")

    def _last_cursor(self, table: Table, relation: str) -> dt.datetime | None:
        if table.cursor is None:
            return None
        # A cursor in the future, written by a wrong clock, must not hide the changes until then.
        return self._one(
            "select max(cursor) filter (where cursor between timestamp '1900-01-01' and ?) "
            f"from (select {sql.moment(sql.name(table.cursor))} as cursor from {relation})",
            self._now,
        )

    def _one(self, query: str, *values: object) -> Any:
        return self._connection.execute(query, values).fetchall()[0][0]


def _differs(columns: Sequence[str]) -> str:
    """Return the SQL condition that a row of the CRM ("s") differs from what landed of it ("l")."""
    return " or ".join(f"s.{sql.name(column)} is distinct from l.{sql.name(column)}" for column in columns)
