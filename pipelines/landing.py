"""Bring the CRM's rows into ``landing.<table>``: every declared column as text, exactly as the CRM delivers it.

A table is loaded in full, or incrementally: rows whose cursor moved since the last load (less an overlap) are merged by
key; then keys and cursors of *all* rows are added up in the CRM, and read and compared where the sums differ from those
of what landed. These lie in the warehouse, are moved on by the rows that change, and made anew wherever they tell of a
difference. Keys that are gone were hard-deleted. A row that is missing here, or has another cursor, was changed behind
the cursor's back (a late commit, a restored backup): the table is then loaded in full. Only a change that leaves the
cursor untouched, and lies before the overlap, stays unseen until the next full load; the CRM's own triggers do not
allow one.
"""

# ruff: noqa: S608 - names and values in the SQL are quoted by pipelines.sql

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import duckdb

from pipelines import sql
from pipelines.contract import Contract, Table
from pipelines.crm import Crm, checksum_of
from pipelines.errors import IngestError
from pipelines.quarantine import keyed_rows, typed
from pipelines.warehouse import Sums, TableState, write_state

# All rows of a table this small are read and compared each time: it costs nothing, and shows even what left the cursor
# untouched, e.g. another company's master data of the same day in the same file.
SMALL_TABLE_ROWS = 1000
# Up to how many bits it is worth to tell keys apart by marking each: a list of them takes 64 each, and is searched.
BITS_PER_KEY, MOST_BITS = 64, 1 << 30


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


@dataclass(frozen=True)
class _Landed:
    """What key and cursor of landed rows come to."""

    sums: Sums  # what :meth:`Crm.checksum` gives of the same rows of the CRM
    last_cursor: dt.datetime | None  # the greatest that does not lie in the future
    lowest: int | None  # key
    highest: int | None


@dataclass(frozen=True)
class _Merged:
    """What became of the rows that an incremental load read."""

    inserted: int
    updated: int
    sums: Sums  # of what landed, then
    last_cursor: dt.datetime | None  # the greatest of the changed rows


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


def why_full(table: Table, state: TableState | None) -> str:
    """Say why a table can only be loaded in full; '' where the rows that changed can be loaded alone."""
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


class Loader:
    """Loads tables from one CRM view into one open warehouse transaction."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        crm: Crm,
        checksum: Callable[[Table], tuple[int, ...] | None],
        *,
        now: dt.datetime,
        overlap: dt.timedelta,
    ) -> None:
        """Begin.

        Args:
            connection: open on the warehouse, in a transaction.
            crm: what is loaded.
            checksum: what :meth:`Crm.checksum` gives of a table.
            now: the present moment (naive UTC).
            overlap: how far before its greatest cursor a table is read again.
        """
        self._connection, self._crm, self._checksum = connection, crm, checksum
        self._now, self._overlap = now, overlap
        # The landed rows that changed, of those tables where they are known. Deleted ones are not new.
        connection.execute(
            "create or replace temp table landed_change (table_name varchar, row_key varchar, is_new boolean)"
        )

    def load(self, table: Table, state: TableState | None, full_because: str) -> TableLoad | Callable[[], TableLoad]:
        """Load one table.

        Args:
            table: which.
            state: how the last load left it.
            full_because: why in full, empty to load incrementally where that is possible.

        Returns:
            What was done, or what ends the load: it compares the table with the CRM's sums, which come while the
            changes of other tables are merged.
        """
        why = full_because or why_full(table, state)
        if why or state is None:
            known = state is not None and state.fingerprint == table.fingerprint and not full_because
            return self._load_full(table, state, why, known=known)
        merged = self._load_increment(table, state)
        return partial(self._finish, table, state, merged)

    def _finish(self, table: Table, state: TableState, merged: _Merged | None) -> TableLoad:
        """End an incremental load, with a full one where something is left that the cursor does not show."""
        load = self._compare(table, state, merged) if merged else None
        if load is None:
            self._connection.execute("delete from landed_change where table_name = ?", [table.name])
            why = "its keys and cursors differ from the CRM's in a way that the cursor does not show"
            return self._load_full(table, state, why, known=False)
        return load

    def _copy(self, target: str, table: Table, columns: Sequence[str], conditions: Sequence[str] = ("true",)) -> None:
        """Copy rows of the CRM; ``target`` is a table with how to create it, e.g. "temp table stage"."""
        with self._crm.rows(table.name, columns, conditions) as reader:
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
        landed = self._add_up(table, landing)
        rows = landed.sums.rows
        self._connection.execute("delete from ingest.unchecked_row where table_name = ?", [table.name])
        write_state(
            self._connection,
            table.name,
            TableState(
                fingerprint=table.fingerprint,
                last_cursor=landed.last_cursor,
                keys_unique=self._all_keys_unique(table, landed),
                row_count=rows,
                checked_row_count=state.checked_row_count if state else None,
                all_unchecked=True,
                key_sum=landed.sums.keys,
                cursor_sum=landed.sums.cursors,
            ),
        )
        return TableLoad(
            table.name, True, why, rows, max(rows - before, 0), 0, max(before - rows, 0), changed=True, by_row=by_row
        )

    def _load_increment(self, table: Table, state: TableState) -> _Merged | None:
        """Merge what changed; None where that cannot be done."""
        if table.cursor is None or state.last_cursor is None:
            return None
        names = [column.name for column in table.columns]
        moved: Sequence[str] = ("true",)
        if state.row_count > SMALL_TABLE_ROWS:
            moved = self._crm.changed_since(table.name, table.cursor, state.last_cursor - self._overlap)
        self._copy("temp table stage", table, names, moved)
        if not self._keys_unique("stage", table):
            return None
        return self._merge(table, state, names)

    def _compare(self, table: Table, state: TableState, merged: _Merged) -> TableLoad | None:
        """Delete what is gone from the CRM and note the new state; None if the result would differ from a full load."""
        if table.cursor is None or state.last_cursor is None:
            return None
        sums, deleted = merged.sums, 0
        if self._checksum(table) != sums:
            gone = self._reconcile(table, table.cursor)
            if gone is None:
                return None
            deleted, sums = gone, self._add_up(table, sql.name("landing", table.name)).sums
        changed = bool(merged.inserted or merged.updated or deleted)
        if changed or sums != state.sums:
            # Rows that are gone leave the cursor where it was: it only has to be no later than what comes next.
            last_cursor = max(state.last_cursor, merged.last_cursor or state.last_cursor)
            write_state(
                self._connection,
                table.name,
                replace(
                    state,
                    last_cursor=last_cursor,
                    row_count=sums.rows,
                    key_sum=sums.keys,
                    cursor_sum=sums.cursors,
                ),
            )
        return TableLoad(
            table.name, False, "", sums.rows, merged.inserted, merged.updated, deleted, changed, by_row=True
        )

    def _merge(self, table: Table, state: TableState, names: Sequence[str]) -> _Merged:
        """Bring the rows of ``stage`` that are new, or other than what landed of them, into the landing table."""
        landing, key = sql.name("landing", table.name), sql.name(table.key)
        sums = state.sums
        if sums is None or sums.rows != self._one(f"select count(*) from {landing}"):
            # A warehouse of an earlier version does not know them.
            sums = self._add_up(table, landing).sums
        if not self._one("select exists (from stage)"):
            # Nothing else is read of the table: what was cut off or damaged is noticed here.
            self._one(f"select sum(strlen({key})) from {landing}")
            return _Merged(0, 0, sums, None)
        # Found by the key alone: a join would read all columns of all rows.
        self._connection.execute(
            f"create or replace temp table landed as select rowid as landed_row, * from {landing} "
            f"where rowid in ({keyed_rows(table, f'select {key} from stage')})"
        )
        rows = self._one(
            "create or replace temp table changed as select s.*, l.landed_row from stage s "
            f"left join landed l on l.{key} = s.{key} where l.{key} is null or {_differs(names)}"
        )
        if not rows:
            return _Merged(0, 0, sums, None)
        before = self._add_up(table, "landed semi join changed using (landed_row)").sums
        after = self._add_up(table, "changed")
        # A MERGE would read all columns of all rows.
        listed = ", ".join(map(sql.name, names))
        self._connection.execute(f"delete from {landing} where rowid in (select landed_row from changed)")
        self._connection.execute(f"insert into {landing} ({listed}) select {listed} from changed")
        self._connection.execute(f"insert into ingest.unchecked_row select ?, {key} from changed", [table.name])
        self._connection.execute(
            f"insert into landed_change select ?, {key}, landed_row is null from changed", [table.name]
        )
        return _Merged(rows - before.rows, before.rows, sums.exchanged(before, after.sums), after.last_cursor)

    def _add_up(self, table: Table, relation: str) -> _Landed:
        """Look once at key and cursor of landed rows."""
        cursor = sql.moment(sql.name(table.cursor)) if table.cursor else "null::timestamp"
        # A cursor in the future, written by a wrong clock, must not hide the changes until then.
        last_cursor, lowest, highest, *sums = self._connection.execute(
            f"select max(cursor) filter (where cursor between timestamp '1900-01-01' and ?), min(key), max(key), "
            f"{checksum_of('key', '(epoch_us(cursor) + 500) // 1000')} "
            f"from (select try_cast({sql.name(table.key)} as bigint) as key, {cursor} as cursor from {relation})",
            [self._now],
        ).fetchall()[0]
        return _Landed(Sums(*sums), last_cursor, lowest, highest)

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
        key = typed(table.by_name[table.key], sql.name(table.key))
        return self._one(f"select count(*) = count(distinct {key}) from {relation}")

    def _all_keys_unique(self, table: Table, landed: _Landed) -> bool:
        """Tell the same of all landed rows; where keys are numbers that lie close, by marking each one's bit."""
        relation, rows = sql.name("landing", table.name), landed.sums.rows
        if table.by_name[table.key].data_type != "BIGINT" or landed.lowest is None or landed.highest is None:
            return self._keys_unique(relation, table)
        if landed.highest - landed.lowest >= min(BITS_PER_KEY * rows, MOST_BITS):
            return self._keys_unique(relation, table)
        key = f"try_cast({sql.name(table.key)} as bigint)"
        marked = f"bitstring_agg({key}, {landed.lowest}, {landed.highest})"
        return self._one(f"select bit_count({marked}) = {rows} from {relation}")

    def _one(self, query: str, *values: object) -> Any:
        return self._connection.execute(query, values).fetchall()[0][0]


def _differs(columns: Sequence[str]) -> str:
    """Return the SQL condition that a row of the CRM ("s") differs from what landed of it ("l")."""
    return " or ".join(f"s.{sql.name(column)} is distinct from l.{sql.name(column)}" for column in columns)
