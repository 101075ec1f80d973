"""Sort the rows that changed, and those that follow from them, where a whole sort would leave the same.

A load that changes a thousandth of the rows must not type and judge all others again. What a row is depends on its own
values, on the rows it refers to, and on rows that share its key or a unique value. Changed rows are judged by their own
values and references; the rows that refer to one that went, and those in quarantine that wait for one, are looked at
again. Where rows of a table share a key or a unique value the choice among them wants the whole table: such a table,
and all that refer to it, are sorted in full.
"""

# ruff: noqa: S608 - names and values in the SQL are quoted by pipelines.sql

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import duckdb

from pipelines import delta, sql
from pipelines.contract import Contract, Table
from pipelines.landing import TableLoad
from pipelines.quarantine import Sorter, keyed_rows, typed
from pipelines.warehouse import TableState

# Of a table with more changes than this share and number, a whole sort is faster.
MOST_CHANGED_SHARE, MOST_CHANGED_ROWS = 0.1, 10_000


def sort_loaded(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    as_of: dt.datetime,
    loads: Mapping[str, TableLoad],
    states: Mapping[str, TableState],
) -> None:
    """Bring ``raw`` and ``quarantine`` up to date with what was loaded, and note in ``delta`` what changed in ``raw``.

    Args:
        connection: open on the warehouse, in a transaction, with the temporary table ``landed_change``.
        contract: the tables.
        as_of: the moment of the load (naive UTC).
        loads: what the load did to each table.
        states: of the tables, as the load left them.
    """
    # A warehouse of an earlier version does not know since when.
    connection.execute("update quarantine.quarantine_row set since = ? where since is null", [as_of])
    changes = _ChangeSorter(connection, contract, as_of)
    changed = {name for name, load in loads.items() if load.changed}
    whole = contract.with_descendants(
        {name for name in changed if not loads[name].by_row or changes.are_too_many(name, states[name])}
    )
    # A row that comes and goes with its parent may leave its place to another of the same key.
    touched = contract.with_descendants(changed)
    whole |= contract.with_descendants({name for name in touched if not states[name].keys_unique})
    whole |= contract.with_descendants(changes.with_repeated_values(touched))
    whole |= contract.with_descendants(
        {name for name in changed - whole if changes.collide(contract.by_name[name])},
    )
    if changed - whole:
        changes.sort_rows(changed - whole, whole)
    if whole:
        unique = {name for name, load in loads.items() if load.full and load.changed and states[name].keys_unique}
        Sorter(connection, contract, as_of).sort(whole, unique)
        delta.mark_whole(connection, whole)


class _ChangeSorter(Sorter):
    """Works through the changed rows. A table's changes lie in the temporary tables ``redone_*`` and ``before_*``.

    Landed rows are found by reading nothing but their keys, and then by their place: a condition on the key alone would
    read all columns of all rows.
    """

    def are_too_many(self, table_name: str, state: TableState) -> bool:
        changes = self._one(f"select count(*) from landed_change where table_name = {sql.literal(table_name)}")
        return changes > max(MOST_CHANGED_ROWS, MOST_CHANGED_SHARE * state.row_count)

    def with_repeated_values(self, tables: set[str]) -> set[str]:
        """Return those of the tables of which rows are kept out because others have the same key or unique value."""
        found = self._connection.execute(
            "select distinct table_name from quarantine.quarantine_row where rule in ('duplicate_key', 'unique')"
        ).fetchall()
        return tables & {name for (name,) in found}

    def collide(self, table: Table) -> bool:
        """Say whether changed rows may share their key or a unique value with others."""
        landing, raw, quarantine = (sql.name(schema, table.name) for schema in ("landing", "raw", "quarantine"))
        key = table.by_name[table.key]
        changed = f"select row_key from landed_change where table_name = {sql.literal(table.name)}"
        # A new row whose key is written in another way than the old row's of the same key.
        new = f"select {typed(key, 'row_key')} from ({changed} and is_new)"
        if self._one(
            f"select exists (from {raw} where {sql.name(key.name)} in ({new})) or exists "
            f"(from {quarantine} where {typed(key, sql.name(key.name))} in ({new}))"
        ):
            return True
        for column in table.columns:
            if not column.unique or column is key:
                continue
            text = sql.name(column.name)
            changed_keys = f"select {typed(key, 'row_key')} from ({changed})"
            values = (
                f"select {typed(column, f'l.{text}')} as value from {landing} l "
                f"where l.{sql.name(key.name)} in ({changed}) and value is not null"
            )
            others = (
                f"select {text} as value from {raw} where {sql.name(key.name)} not in ({changed_keys}) union all "
                f"select {typed(column, text)} from {quarantine} where {sql.name(key.name)} not in ({changed})"
            )
            if self._one(
                f"select (select count(value) <> count(distinct value) from ({values})) "
                f"or exists (from ({others}) where value in ({values}))"
            ):
                return True
        return False

    def sort_rows(self, changed: set[str], whole: set[str]) -> None:
        """Sort the changed rows of these tables, and what follows from them in all tables but the ``whole`` ones."""
        self._followed = self._contract.with_descendants(changed) - whole
        # The tables that have changes, and those of them that lost rows others may refer to.
        self._touched: set[str] = set()
        self._lost: set[str] = set()
        (waiting,) = self._connection.execute(
            "select coalesce(list(distinct table_name), []) from quarantine.quarantine_row where rule = 'references'"
        ).fetchall()[0]
        for component in self._contract.components:
            tables = [table for table in component if table.name in self._followed]
            names = {table.name for table in tables}
            for table in tables:
                parents = {parent for _, parent in table.references} & (self._touched | names)
                is_waiting = table.name in waiting and bool(parents & self._followed)
                if is_waiting or table.name in changed:
                    self._take(table, is_waiting=is_waiting)
            for table in tables:
                self._note_gone(table)
            self._reject_orphans(tables)
            for table in tables:
                self._note_gone(table)
        self._explain_orphans()
        for table in self._contract.tables:
            if table.name in self._touched:
                self._list_redone(table)
                self._note_delta(table)

    def _touch(self, table: Table) -> None:
        """Make the tables that hold the changes of one, empty, where they are not there yet."""
        if table.name not in self._touched:
            self._touched.add(table.name)
            self._connection.execute(f"create or replace temp table {_redone(table)} (row_key varchar)")
            self._connection.execute(
                f"create or replace temp table {_before(table)} as from {sql.name('raw', table.name)} limit 0"
            )

    def _take(self, table: Table, *, is_waiting: bool) -> None:
        """Judge the rows of a table that changed, and those kept out for the want of a row that may have changed."""
        raw, key = sql.name("raw", table.name), table.by_name[table.key]
        self._touch(table)
        redone, before = _redone(table), _before(table)
        self._connection.execute(
            f"insert into {redone} "
            f"select row_key from landed_change where table_name = {sql.literal(table.name)} union "
            "select row_key from quarantine.quarantine_row "
            f"where {is_waiting} and rule = 'references' and table_name = {sql.literal(table.name)}"
        )
        taken = f"{sql.name(key.name)} in ({_redone_keys(table)})"
        self._connection.execute(f"insert into {before} from {raw} where {taken}")
        self._connection.execute(f"delete from {raw} where {taken}")
        self._judge_alone(table, f"l.rowid in ({keyed_rows(table, f'from {redone}')})")
        self._connection.execute(
            f"insert into {raw} select * exclude (landing_row, is_deleted, is_broken) from typed where not is_broken"
        )

    def _note_gone(self, table: Table) -> None:
        """Note the keys of the rows that others could refer to before the load, and cannot any more."""
        if table.name not in self._touched:
            return
        key = sql.name(table.key)
        live = f" and {sql.name(table.deleted_at)} is null" if table.deleted_at else ""
        before = _before(table)
        self._connection.execute(
            f"create or replace temp table {_gone(table.name)} as select {key} as key from {before} where true{live} "
            f"except select {key} from {sql.name('raw', table.name)} where {key} in (select {key} from {before}){live}"
        )
        if self._one(f"select exists (from {_gone(table.name)})"):
            self._lost.add(table.name)

    def _suspects(self, table: Table, column: str, parent: str) -> list[str]:
        """Narrow the search: other rows refer to what they referred to before."""
        suspects = []
        taken = f"in ({_redone_keys(table)})"
        if table.name in self._touched:
            suspects.append(f"c.{sql.name(table.key)} {taken}")
        if parent in self._lost:
            # Two conditions joined by "or" would be looked up in every row.
            others = f" and c.{sql.name(table.key)} not {taken}" if suspects else ""
            suspects.append(f"c.{sql.name(column)} in (from {_gone(parent)}){others}")
        return suspects

    def _remove(self, table: Table, condition: str) -> None:
        # Of a row that was taken, what was there before the load is known already.
        self._touch(table)
        untaken = f"{sql.name(table.key)} not in ({_redone_keys(table)})"
        raw = sql.name("raw", table.name)
        self._connection.execute(f"insert into {_before(table)} from {raw} where ({condition}) and {untaken}")
        super()._remove(table, condition)

    def _list_redone(self, table: Table) -> None:
        landing, quarantine = sql.name("landing", table.name), sql.name("quarantine", table.name)
        key = sql.name(table.key)
        redone = _redone(table)
        self._connection.execute(
            f"insert into {redone} select {key} from {landing} where rowid in "
            f"(select landing_row from violation where table_name = {sql.literal(table.name)}) "
            f"and {key} not in (from {redone})"
        )
        if self._one(f"select exists (from {redone})"):
            self._connection.execute(f"delete from {quarantine} where {key} in (from {redone})")
            self._list_broken(table, f"row_key in (from {redone})")

    def _note_delta(self, table: Table) -> None:
        key, before = sql.name(table.key), _before(table)
        now = (
            f"from {sql.name('raw', table.name)} "
            f"where {key} in ({_redone_keys(table)} union select {key} from {before})"
        )
        self._connection.execute(
            f"insert into {sql.name(delta.SCHEMA, table.name)} "
            f"select *, true from (from {before} except all {now}) union all "
            f"select *, false from ({now} except all from {before})"
        )


def _redone(table: Table) -> str:
    return sql.name(f"redone_{table.name}")


def _before(table: Table) -> str:
    return sql.name(f"before_{table.name}")


def _gone(table_name: str) -> str:
    return sql.name(f"gone_{table_name}")


def _redone_keys(table: Table) -> str:
    # Without NULL, of which nothing can be said that it is not in a list.
    return (
        f"select key from (select {typed(table.by_name[table.key], 'row_key')} as key from {_redone(table)}) "
        "where key is not null"
    )
