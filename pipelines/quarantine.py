"""Type the landed rows, and part those that keep every hard rule from those that do not.

``raw.<table>`` receives the good rows, typed; ``quarantine.<table>`` the rest, as text with all reasons, and
``quarantine.quarantine_row`` one line per broken rule of all tables. Both are made from the landing tables alone: a row
returns by itself when it, or the row it refers to, has been mended.

The rules, each declared once in the contract:

- ``type``: the value can be read as the declared type without losing anything: no fraction in a whole number, no
  decimals beyond the scale, no time of day in a date. Empty text counts as missing in any column that does not hold
  text.
- ``required``, ``accepted_values``, ``date_range`` (years 1900 to 2199), and the table's own checks.
- ``duplicate_key``: of several rows with one key the one with the latest cursor stays.
- ``unique``: of several live rows with one value the one with the lowest key stays.
- ``references``: the row referred to exists, is not soft-deleted, and is not in quarantine itself. Circles of
  references are no violation.

Soft-deleted rows count nowhere and nobody mends them: they are no violation. They stay in ``raw`` if they keep the
rules of their own values, so that staging can drop them by their mark; the others are left out of both.
"""

# ruff: noqa: S608 - names and values in the SQL are quoted by pipelines.sql

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from pipelines import sql
from pipelines.contract import Column, Contract, ContractError, Table

FIRST_DAY, DAY_AFTER_LAST = "1900-01-01", "2200-01-01"
MAX_VALUE_LENGTH = 200


def typed(column: Column, text: str) -> str:
    """Return the SQL expression that types a landed text, NULL where it cannot."""
    if column.is_text:
        return text
    if column.data_type == "TIMESTAMP":
        return sql.moment(text)
    return f"try_cast(nullif({text}, '') as {column.data_type})"


def typed_columns(table: Table, alias: str) -> str:
    """Return the select list that types all columns of a landing table known as ``alias``."""
    return ", ".join(
        f"{typed(column, f'{alias}.{sql.name(column.name)}')} as {sql.name(column.name)}" for column in table.columns
    )


def typed_rows(table: Table) -> str:
    """Return the query of a landing table's rows: ``landing_row``, every text as "<column>~text", every typed value."""
    texts = ", ".join(f"l.{sql.name(column.name)} as {text_of(column.name)}" for column in table.columns)
    return (
        f"select l.rowid as landing_row, {texts}, {typed_columns(table, 'l')} from {sql.name('landing', table.name)} l"
    )


def keyed_rows(table: Table, keys: str) -> str:
    """Return the query of the places ("rowid") of the landed rows whose key, as text, a query of keys gives."""
    return f"select rowid from {sql.name('landing', table.name)} where {sql.name(table.key)} in ({keys})"


def text_of(column: str) -> str:
    """Return the SQL name of a column's landed text in :func:`typed_rows`."""
    return sql.name(f"{column}~text")


def shown(column: Column) -> str:
    """Return the landed text of a column as quarantine may show it: nothing of a sensitive one."""
    return "null::varchar" if column.sensitive else text_of(column.name)


def in_date_range(value: str) -> str:
    """Return the SQL condition of a possible date or timestamp."""
    return f"{value} >= date '{FIRST_DAY}' and {value} < date '{DAY_AFTER_LAST}'"


@dataclass(frozen=True)
class Rule:
    """A rule that a row keeps or breaks by its own values."""

    column: str
    name: str
    broken: str  # SQL condition over the typed columns and their texts, NULL counts as kept
    reason: str


def _type_rule(column: Column) -> Rule:
    value, text = sql.name(column.name), text_of(column.name)
    broken = f"{text} <> '' and {value} is null"
    if column.data_type in ("BIGINT", "INTEGER"):
        # The cast rounds. Only a point or a negative exponent can bring a fraction in.
        broken += (
            f" or (contains({text}, '.') or contains({text}, '-')) "
            f"and {value} is distinct from try_cast(nullif({text}, '') as decimal(38, 15))"
        )
    elif column.decimal:
        precision, scale = column.decimal
        exact = f"try_cast(nullif({text}, '') as decimal(38, {38 - (precision - scale)}))"
        broken += f" or {value} is distinct from {exact}"
    elif column.data_type == "DATE":
        broken += f" or length({text}) > 10 and {value}::timestamp is distinct from {sql.moment(text)}"
    return Rule(column.name, "type", broken, f"is no {column.data_type}")


def row_rules(table: Table) -> list[Rule]:
    """Return the rules that a row of the table keeps or breaks by its own values."""
    rules = []
    for column in table.columns:
        value = sql.name(column.name)
        if not column.is_text:
            rules.append(_type_rule(column))
        if column.required or column.name == table.key:
            missing = f"{text_of(column.name)} is null"
            if not column.is_text:
                missing += f" or {text_of(column.name)} = ''"
            rules.append(Rule(column.name, "required", missing, "is missing"))
        if column.accepted_values:
            accepted = ", ".join(sql.literal(accepted) for accepted in column.accepted_values)
            reason = f"is none of {', '.join(column.accepted_values)}"
            rules.append(Rule(column.name, "accepted_values", f"{value} not in ({accepted})", reason))
        if column.is_temporal:
            reason = "is outside the years 1900 to 2199"
            rules.append(Rule(column.name, "date_range", f"not ({in_date_range(value)})", reason))
    for check, expression in table.checks:
        # An expression that fails, e.g. by overflow, judges nothing.
        rules.append(Rule(checked_column(table, expression), check, f"not try({expression})", f"breaks {expression}"))
    return rules


def checked_column(table: Table, expression: str) -> str:
    """Return the column that a check is reported under: the first that its expression names."""
    words = "".join(character if character.isalnum() or character == "_" else " " for character in expression).split()
    return next((word for word in words if word in table.by_name), table.key)


class Sorter:
    """Works through landing tables inside one open warehouse transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, contract: Contract, as_of: dt.datetime) -> None:
        """Begin.

        Args:
            connection: open on the warehouse, in a transaction.
            contract: the tables.
            as_of: the moment of the load (naive UTC), from which a row that is found now is said to be kept out.
        """
        self._connection, self._contract, self._as_of = connection, contract, as_of
        connection.execute(
            "create or replace temp table violation (table_name varchar, landing_row bigint, is_deleted boolean, "
            "column_name varchar, rule varchar, value varchar, reason varchar)"
        )
        connection.execute(
            "create or replace temp table orphan (table_name varchar, row_key varchar, column_name varchar, "
            "parent varchar, parent_key varchar, generation integer)"
        )

    def sort(self, changed: Iterable[str], unique: Container[str] = ()) -> None:
        """Make ``raw`` and ``quarantine`` of the changed tables, and of all that refer to them, anew.

        Args:
            changed: the tables.
            unique: tables of which it is known that no two landed rows share a key.
        """
        affected = self._contract.with_descendants(set(changed))
        for component in self._contract.components:
            tables = [table for table in component if table.name in affected]
            for table in tables:
                self._judge(table, keys_unique=table.name in unique)
                self._fill_raw(table)
            self._reject_orphans(tables)
        self._fill_quarantine([table for table in self._contract.tables if table.name in affected])

    def _judge(self, table: Table, *, keys_unique: bool) -> None:
        """Type a table's rows into ``typed``, and note every rule that a row breaks, but for its references."""
        self._judge_alone(table)
        # The last term only makes the choice among rows of one cursor the same in every load.
        latest = f"t.{sql.name(table.cursor)} desc nulls last, " if table.cursor else ""
        if not keys_unique:
            self._judge_repeated(table, table.key, "duplicate_key", "true", f"{latest}l::varchar desc")
        for column in table.columns:
            if column.unique and column.name != table.key:
                fit = "not is_deleted and not is_broken"
                self._judge_repeated(table, column.name, "unique", fit, f"t.{sql.name(table.key)}")

    def _judge_alone(self, table: Table, condition: str = "true") -> None:
        """Type the landed rows ("l") that meet a condition into ``typed``, and note the rules of a row's own values."""
        rules = row_rules(table)
        deleted = f"{sql.name(table.deleted_at)} is not null" if table.deleted_at else "false"
        rows = f"{typed_rows(table)} where ({condition})"
        any_broken = " or ".join(f"({rule.broken})" for rule in rules)
        found = ", ".join(
            f"case when {rule.broken} then {{'column_name': {sql.literal(rule.column)}, "
            f"'rule': {sql.literal(rule.name)}, 'value': {shown(table.by_name[rule.column])}, "
            f"'reason': {sql.literal(rule.reason)}}} end"
            for rule in rules
        )
        names = ", ".join(sql.name(column.name) for column in table.columns)
        try:
            # Computed in the select list, each cast runs once; as a filter it would be repeated for every rule.
            self._connection.execute(
                f"create or replace temp table typed as select landing_row, {names}, {deleted} as is_deleted, "
                f"coalesce({any_broken}, false) as is_broken from ({rows})"
            )
            if self._one("select bool_or(is_broken) from typed"):
                self._connection.execute(
                    f"insert into violation select {sql.literal(table.name)}, landing_row, is_deleted, found.* from ("
                    f"select landing_row, {deleted} as is_deleted, unnest([{found}]) as found "
                    f"from ({rows} and l.rowid in (select landing_row from typed where is_broken))) "
                    "where found is not null"
                )
        except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException) as error:
            raise ContractError(
                f"A check of source table {table.name} cannot be evaluated. Mend meta.checks: {error}"
            ) from error

    def _judge_repeated(self, table: Table, column: str, rule: str, fit: str, best_first: str) -> None:
        """Note all rows but the best of those fit ones that share a value of a column."""
        value = sql.name(column)
        if self._one(f"select count({value}) <> count(distinct {value}) from typed where {fit}"):
            # "t" are the typed rows, "l" the same as they landed.
            self._connection.execute(
                f"insert into violation select {sql.literal(table.name)}, landing_row, is_deleted, "
                f"{sql.literal(column)}, {sql.literal(rule)}, t.{value}::varchar, 'another row has the same value' "
                f"from typed t join {sql.name('landing', table.name)} l on l.rowid = t.landing_row "
                f"where t.{value} is not null and {fit} "
                f"qualify row_number() over (partition by t.{value} order by {best_first}) > 1"
            )
            self._connection.execute(
                "update typed set is_broken = true where landing_row in "
                "(select landing_row from violation where table_name = ?)",
                [table.name],
            )

    def _fill_raw(self, table: Table) -> None:
        self._connection.execute(
            f"create or replace table {sql.name('raw', table.name)} as "
            "select * exclude (landing_row, is_deleted, is_broken) from typed where not is_broken"
        )

    def _one(self, query: str) -> Any:
        return self._connection.execute(query).fetchall()[0][0]

    def _reject_orphans(self, tables: list[Table]) -> None:
        """Remove from ``raw`` the live rows of one component that refer to a row that is not live there."""
        if not tables:
            return
        generation = self._one("select coalesce(max(generation), 0) + 1 from orphan")
        for table in tables:
            conditions = [
                (
                    column,
                    parent,
                    f"{suspect} and not exists "
                    f"(select 1 from {self._live(parent)} p where p.key = c.{sql.name(column)})",
                )
                for column, parent in table.references
                for suspect in self._suspects(table, column, parent)
            ]
            self._reject(table, conditions, generation)
        # Within the component a row may have lost its parent after its own turn: follow those only.
        inside = {table.name for table in tables}
        while self._connection.execute(
            "select exists (select 1 from orphan where generation = ?)", [generation]
        ).fetchall()[0][0]:
            for table in tables:
                conditions = [
                    (
                        column,
                        parent,
                        f"c.{sql.name(column)} in (select try_cast(row_key as {self._key_type(parent)}) from orphan "
                        f"where table_name = {sql.literal(parent)} and generation between {generation} and "
                        f"{generation} + 1)",
                    )
                    for column, parent in table.references
                    if parent in inside
                ]
                self._reject(table, conditions, generation + 1)
            generation += 1

    def _live(self, table_name: str) -> str:
        table = self._contract.by_name[table_name]
        live = f"where {sql.name(table.deleted_at)} is null" if table.deleted_at else ""
        return f"(select {sql.name(table.key)} as key from {sql.name('raw', table_name)} {live})"

    def _key_type(self, table_name: str) -> str:
        table = self._contract.by_name[table_name]
        return table.by_name[table.key].data_type

    def _suspects(self, table: Table, column: str, parent: str) -> list[str]:
        """Return SQL conditions of the rows ("c") that are looked at, none of them at two: here all."""
        del table, column, parent
        return ["true"]

    def _reject(self, table: Table, conditions: list[tuple[str, str, str]], generation: int) -> None:
        """Note and remove the live rows for which one of (column, parent, SQL condition) holds."""
        raw, key = sql.name("raw", table.name), sql.name(table.key)
        live = f" and c.{sql.name(table.deleted_at)} is null" if table.deleted_at else ""
        found = 0
        for column, parent, condition in conditions:
            found += self._connection.execute(
                f"insert into orphan select {sql.literal(table.name)}, c.{key}::varchar, {sql.literal(column)}, "
                f"{sql.literal(parent)}, c.{sql.name(column)}::varchar, {generation} from {raw} c "
                f"where c.{sql.name(column)} is not null{live} and {condition}"
            ).fetchall()[0][0]
        if found:
            self._remove(
                table,
                f"{key} in (select try_cast(row_key as {self._key_type(table.name)}) from orphan "
                f"where table_name = {sql.literal(table.name)} and generation = {generation})",
            )

    def _remove(self, table: Table, condition: str) -> None:
        """Remove rows from ``raw``."""
        self._connection.execute(f"delete from {sql.name('raw', table.name)} where {condition}")

    def _fill_quarantine(self, tables: list[Table]) -> None:
        self._explain_orphans()
        for table in tables:
            landing, quarantine = sql.name("landing", table.name), sql.name("quarantine", table.name)
            self._connection.execute(
                f"create or replace table {quarantine} as select *, ''::varchar as reasons from {landing} limit 0"
            )
            self._list_broken(table)

    def _list_broken(self, table: Table, condition: str = "true") -> None:
        """List the broken rows of a table in place of what is listed under keys ("row_key") that meet a condition."""
        landing, quarantine = sql.name("landing", table.name), sql.name("quarantine", table.name)
        listed = f"table_name = {sql.literal(table.name)} and ({condition})"
        self._connection.execute(
            "create or replace temp table kept_out as select row_key, column_name, rule, min(since) as since "
            f"from quarantine.quarantine_row where {listed} group by all"
        )
        self._connection.execute(f"delete from quarantine.quarantine_row where {listed}")
        # Qualified: a table may have columns of the same names, such as "value" or "reason".
        of_table = f"v.table_name = {sql.literal(table.name)} and not v.is_deleted"
        if not self._one(f"select exists (from violation v where {of_table})"):
            return
        self._connection.execute(
            f"insert into {quarantine} select l.*, v.reasons from {landing} l join ("
            "select landing_row, string_agg(concat_ws(' ', column_name, reason), '; ' "
            "order by column_name, rule, reason) as reasons "
            f"from violation v where {of_table} group by landing_row) v on v.landing_row = l.rowid"
        )
        self._connection.execute(
            "insert into quarantine.quarantine_row by name "
            f"select v.table_name, l.{sql.name(table.key)} as row_key, v.column_name, v.rule, "
            f"left(v.value, {MAX_VALUE_LENGTH}) as value, v.reason, coalesce(k.since, ?) as since "
            f"from violation v join {landing} l on l.rowid = v.landing_row "
            f"left join kept_out k on k.row_key is not distinct from l.{sql.name(table.key)} "
            "and k.column_name = v.column_name and k.rule = v.rule "
            f"where {of_table}",
            [self._as_of],
        )

    def _explain_orphans(self) -> None:
        """Turn orphans into violations of their landing rows, saying what became of the parent."""
        pairs = self._connection.execute("select distinct table_name, parent from orphan").fetchall()
        for table_name, parent_name in pairs:
            table, parent = self._contract.by_name[table_name], self._contract.by_name[parent_name]
            key = typed(table.by_name[table.key], f"l.{sql.name(table.key)}")
            orphan_key = f"try_cast(o.row_key as {self._key_type(table_name)})"
            orphan_parent = f"try_cast(o.parent_key as {self._key_type(parent_name)})"
            parent_key = typed(parent.by_name[parent.key], f"p.{sql.name(parent.key)}")
            is_deleted = "false"
            if parent.deleted_at:
                is_deleted = (
                    f"{typed(parent.by_name[parent.deleted_at], f'p.{sql.name(parent.deleted_at)}')} is not null"
                )
            # Rows judged before share no key with an orphan but as its older duplicates.
            self._connection.execute(
                f"insert into violation "
                f"with parent as (select {parent_key} as key, bool_or({is_deleted}) as is_deleted "
                f"from {sql.name('landing', parent_name)} p where {parent_key} in "
                f"(select {orphan_parent} from orphan o where o.parent = {sql.literal(parent_name)}) group by 1) "
                f"select {sql.literal(table_name)}, l.rowid, false, o.column_name, 'references', o.parent_key, "
                f"concat('refers to a row of {parent_name} that ', case when p.key is null then 'does not exist' "
                f"when p.is_deleted then 'is deleted' else 'is in quarantine itself' end) "
                f"from orphan o join {sql.name('landing', table_name)} l on {key} = {orphan_key} "
                f"left join parent p on p.key = {orphan_parent} "
                f"where o.table_name = {sql.literal(table_name)} and o.parent = {sql.literal(parent_name)} "
                f"and not exists (select 1 from violation v where v.table_name = {sql.literal(table_name)} "
                f"and v.landing_row = l.rowid and v.rule <> 'references')"
            )
