"""Type the mapped rows, resolve their references and find every row that the CRM must not take.

The tables live in the DuckDB connection of the source files:

===================  ===================================================================================
``mapped.<table>``   what the mapping returned, and ``_row``
``typed.<table>``    the same in the types of the CRM; references still as ``x_ref``
``crm.<table>``      rows of the CRM that matter here, in the same types
``resolved.<table>``  typed rows with their key, references as keys, and ``_state``: new, changed, unchanged, deleted
``staged.key``       every known ``external_ref`` with the key it stands for
``staged.problem``   what is wrong, row by row
===================  ===================================================================================
"""

# ruff: noqa: S608 - SQL is put together from names of our own schema; values of the user stay in the tables.

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import sqlalchemy as sa

from data_entry.services.import_data.contract import Reference, Value, contract_of, importable_tables
from data_entry.services.import_data.conversion import Conversion, conversion_to, literal, quoted
from data_entry.services.import_data.mapping import ROW, Mapping
from data_entry.services.import_data.report import EXAMPLES_PER_KIND, Problem, TableOutcome
from data_entry.services.personal.columns import ERASED_REFERENCE

BATCH = 20_000
# A row somebody deleted in the CRM is not touched, so nothing about it can be wrong.
ALIVE = "_state <> 'deleted'"


class Staging:
    """The rows of one import on their way into the CRM."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        for schema in ("mapped", "typed", "crm", "resolved", "staged"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            "create table staged.problem "
            '(table_name varchar, _row bigint, kind varchar, "column" varchar, "value" varchar, reason varchar)'
        )
        connection.execute(
            "create table staged.key "
            "(table_name varchar, external_ref varchar, id bigint, is_deleted boolean, new_row bigint)"
        )
        self.mapped: dict[str, list[str]] = {}

    # -- step 1: types -------------------------------------------------------------------------------------------

    def convert(self, mapping: Mapping) -> None:
        """Make ``typed.<table>`` from ``mapped.<table>``, and note values that do not fit."""
        contract = contract_of(mapping.table)
        described = self._run(f"describe mapped.{quoted(mapping.table)}")
        columns = [str(row[0]).lower() for row in described if row[0] != ROW]
        self.mapped[mapping.table] = columns
        expressions = []
        for column in columns:
            text = f"cast(m.{quoted(column)} as varchar)"
            target = (contract.values | contract.references)[column]
            conversion = _conversion(target, text)
            expressions.append(f"{_with_default(target, conversion)} as {quoted(column)}")
            reason = conversion.reason()
            if target.required:
                reason = f"coalesce({reason}, case when {conversion.value} is null then 'required value missing' end)"
            self._run(
                f"""insert into staged.problem
                select {literal(mapping.table)}, {ROW}, if(reason = 'required value missing', 'required', 'wrong_type'),
                    {literal(column)}, delivered, reason
                from (select m.{ROW}, {text} as delivered, {reason} as reason from mapped.{quoted(mapping.table)} as m)
                where reason is not null"""
            )
        self._run(
            f"create table typed.{quoted(mapping.table)} as "
            f"select m.{ROW}, {', '.join(expressions)} from mapped.{quoted(mapping.table)} as m"
        )
        self._run(
            f"""insert into staged.problem
            select {literal(mapping.table)}, {ROW}, 'duplicate_key', 'external_ref', external_ref,
                'occurs in ' || rows_with_it || ' rows; which one is right is not known'
            from (select {ROW}, external_ref, count(*) over (partition by external_ref) as rows_with_it
                from typed.{quoted(mapping.table)} where external_ref is not null)
            where rows_with_it > 1"""
        )

    def row_count(self, table: str) -> int:
        """Return how many rows the mapping returned."""
        return self._number(f"select count(*) from mapped.{quoted(table)}")

    def keys_needed(self) -> set[str]:
        """Return the tables whose ``external_ref`` the mapped rows may point to or already have."""
        needed = set(self.mapped)
        for table, columns in self.mapped.items():
            for name, reference in contract_of(table).references.items():
                if name in columns:
                    needed |= set(self._targets(table, reference))
        if "feature_value" in self.mapped:
            needed.add("feature")
        return needed

    def _targets(self, table: str, reference: Reference) -> Sequence[str]:
        """The tables a reference can point to in this import: those of the features' entities, not of all tables."""
        if reference.only_target:
            return [reference.only_target]
        described = contract_of("feature").table.c.entity.type.enums  # type: ignore[attr-defined]
        names = described if table == "feature_value" else [f"{entity}_class" for entity in described]
        return sorted(set(names) & set(importable_tables()))

    # -- step 2: what the CRM holds -------------------------------------------------------------------------------

    def columns_compared(self, table: str) -> list[str]:
        """Return the table columns of which the import must know the present value."""
        contract = contract_of(table)
        stored: set[str] = set()
        if table in self.mapped:
            given = self.mapped[table]
            stored |= {name for name in contract.values if name in given}
            stored |= {reference.column for name, reference in contract.references.items() if name in given}
            stored |= contract.columns_of_rules()
        if table == "feature" and "feature_value" in self.mapped:
            stored.add("entity")
        return sorted(stored - {"external_ref", "deleted_at"})

    def needs_every_row(self, table: str) -> bool:
        """Whether rows that were entered by hand matter as well: they may collide, or close a circle."""
        return table in self.mapped and bool(contract_of(table).unique or self._given_references(table, to=table))

    def take_crm_rows(self, table: str, columns: Sequence[str], batches: Iterator[Any]) -> None:
        """Make ``crm.<table>`` from batches of Arrow tables of text: id, external_ref, deleted_at, and ``columns``."""
        types = contract_of(table).table.c
        named = ["id", "external_ref", "deleted_at", *columns]
        select = ", ".join(
            f"{conversion_to(types[column].type, quoted(column)).value} as {quoted(column)}" for column in named
        )
        made = False
        for batch in batches:
            self.connection.register("crm_batch", batch)
            verb = f"insert into crm.{quoted(table)}" if made else f"create table crm.{quoted(table)} as"
            self._run(f"{verb} select {select} from crm_batch")
            self.connection.unregister("crm_batch")
            made = True

    def recognise_erased(self, table: str) -> None:
        """Take rows that a person was erased from for deleted ones: they stay so, however often they are imported.

        Their reference was replaced by its hash; see `data_entry.services.personal.columns.reference_of`.
        """
        if table in self.mapped:
            self._run(
                f"""update crm.{quoted(table)} as c set external_ref = t.external_ref,
                    deleted_at = coalesce(c.deleted_at, timestamp '1970-01-01')
                from (select distinct external_ref from typed.{quoted(table)}) as t
                where c.external_ref = {literal(ERASED_REFERENCE)} || sha256(t.external_ref)"""
            )

    def make_keys(self, table: str, first_new_id: int) -> None:
        """Add the keys of a table to ``staged.key``; give new rows the keys from ``first_new_id`` on."""
        name = literal(table)
        if table not in self.mapped:
            self._run(
                f"insert into staged.key select {name}, external_ref, id, deleted_at is not null, null "
                f"from crm.{quoted(table)} where external_ref is not null"
            )
            return
        deleted_here = "t.deleted_at is not null" if "deleted_at" in self.mapped[table] else "false"
        typed = (
            f"(select * from typed.{quoted(table)} "
            f"qualify row_number() over (partition by external_ref order by {ROW}) = 1)"
        )
        self._run(
            f"""insert into staged.key
            select {name}, c.external_ref, c.id, c.deleted_at is not null or coalesce({deleted_here}, false), null
            from crm.{quoted(table)} as c left join {typed} as t on t.external_ref = c.external_ref
            where c.external_ref is not null"""
        )
        self._run(
            f"""insert into staged.key
            select {name}, t.external_ref, {first_new_id} - 1 + row_number() over (order by t.{ROW}), {deleted_here},
                t.{ROW}
            from {typed} as t anti join crm.{quoted(table)} as c on c.external_ref = t.external_ref
            where t.external_ref is not null"""
        )

    # -- step 3: references, states, rules ------------------------------------------------------------------------

    def resolve(self, table: str) -> None:
        """Make ``resolved.<table>``, and note references that lead nowhere."""
        contract = contract_of(table)
        given = self.mapped[table]
        references = [contract.references[name] for name in given if name in contract.references]
        if table == "feature_value":
            self._make_feature_entities()
        targets = "".join(f", {r.target_sql} as {quoted('_table_' + r.name)}" for r in references)
        joins = "".join(
            f" left join staged.key as {quoted(r.name)} on {quoted(r.name)}.table_name = t.{quoted('_table_' + r.name)}"
            f" and {quoted(r.name)}.external_ref = t.{quoted(r.name)}"
            for r in references
        )
        final = {name: f"t.{quoted(name)}" for name in given if name in contract.values}
        final |= {r.column: f"{quoted(r.name)}.id" for r in references}
        differs = " or ".join(
            # The source may mark a row as deleted, but never brings one back.
            "t.deleted_at is not null" if column == "deleted_at" else f"{value} is distinct from c.{quoted(column)}"
            for column, value in final.items()
            if column != "external_ref"
        )
        # Values that the mapping does not touch, but that a rule looks at together with those it does.
        for column in self.columns_compared(table):
            if column not in final:
                default = contract.values[column].default if column in contract.values else None
                final[column] = f"coalesce(c.{quoted(column)}, {literal(default) if default else 'null'})"
        select = ", ".join(f"{value} as {quoted(column)}" for column, value in final.items())
        links = "".join(
            f", t.{quoted(r.name)} as {quoted('_given_' + r.name)}, {quoted(r.name)}.is_deleted as "
            f"{quoted('_deleted_' + r.name)}, {quoted(r.name)}.new_row as {quoted('_new_' + r.name)}, "
            f"t.{quoted('_table_' + r.name)} as {quoted('_table_' + r.name)}"
            for r in references
        )
        self._run(
            f"""create table resolved.{quoted(table)} as
            with t as (select t.*{targets} from typed.{quoted(table)} as t)
            select t.{ROW}, own.id, {select}{links},
                case when c.deleted_at is not null then 'deleted' when c.id is null then 'new'
                    when {differs or "false"} then 'changed' else 'unchanged' end as _state
            from t
            left join crm.{quoted(table)} as c on c.external_ref = t.external_ref
            left join staged.key as own on own.table_name = {literal(table)} and own.external_ref = t.external_ref
            {joins}"""
        )
        self._run(
            f"""delete from staged.problem where table_name = {literal(table)}
            and {ROW} in (select {ROW} from resolved.{quoted(table)} where not ({ALIVE}))"""
        )
        for reference in references:
            self._check_reference(table, reference)
        for rule, expression in contract.checks.items():
            self._check_rule(table, rule, expression)

    def _make_feature_entities(self) -> None:
        """List which table each feature describes: features of this import before those in the CRM."""
        from_import = (
            "union all select external_ref, entity, 1 from typed.feature"
            if "entity" in self.mapped.get("feature", [])
            else ""
        )
        self._run(
            f"""create table staged.feature_entity as
            select external_ref, entity from (select external_ref, entity, 2 as rank from crm.feature {from_import})
            where external_ref is not null qualify row_number() over (partition by external_ref order by rank) = 1"""
        )

    def _check_reference(self, table: str, reference: Reference) -> None:
        given, column = f"_given_{reference.name}", literal(reference.name)
        target = f"coalesce({quoted('_table_' + reference.name)}, 'row')"
        own_deletion = "deleted_at is null" if "deleted_at" in self.mapped[table] else "true"
        for kind, condition, reason in (
            (
                "missing_reference",
                f"{quoted(reference.column)} is null",
                f"'no ' || {target} || ' with this external_ref, neither in the CRM nor in this import'",
            ),
            (
                "deleted_reference",
                f"{quoted('_deleted_' + reference.name)} and _state <> 'unchanged' and {own_deletion}",
                f"'this ' || {target} || ' is deleted; a row under it would not count'",
            ),
        ):
            self._run(
                f"""insert into staged.problem
                select {literal(table)}, {ROW}, '{kind}', {column}, {quoted(given)}, {reason}
                from resolved.{quoted(table)} where {quoted(given)} is not null and {ALIVE} and {condition}"""
            )

    def _check_rule(self, table: str, rule: str, expression: str) -> None:
        concerned = sorted(set(re.findall(r"\w+", expression)) & set(contract_of(table).table.c.keys()) - {"id"})
        shown = " || ', ' || ".join(f"'{c} = ' || coalesce(cast({quoted(c)} as varchar), '')" for c in concerned)
        self._run(
            f"""insert into staged.problem
            select {literal(table)}, {ROW}, 'check', {literal(", ".join(concerned))}, {shown},
                {literal(f"breaks the rule {expression} ({rule})")}
            from resolved.{quoted(table)} where {ALIVE} and ({expression}) is false"""
        )

    # -- step 4: rules between rows, until nothing more falls -------------------------------------------------------

    def settle(self) -> None:
        """Find the rows that cannot be loaded because of others, until no more fall.

        ``staged.bad`` then lists every bad row of every table.
        """
        self.gather_bad()
        while True:
            found = 0
            for table in self.mapped:
                found_here = self._reject_referrers(table) + self._reject_collisions(table)
                found_here += self._reject_circles(table)
                if found_here:
                    self.gather_bad()
                found += found_here
            if not found:
                return

    def gather_bad(self) -> None:
        """Make ``staged.bad`` from the problems noted so far."""
        self._run(f"create or replace table staged.bad as select distinct table_name, {ROW} from staged.problem")

    def _good(self, table: str, states: str = ALIVE) -> str:
        """SQL of the resolved rows without a problem."""
        return (
            f"(select r.* from resolved.{quoted(table)} as r "
            f"anti join (select {ROW} from staged.bad where table_name = {literal(table)}) as b using ({ROW}) "
            f"where {states})"
        )

    def _reject_referrers(self, table: str) -> int:
        """Reject rows that point to a rejected new row; one that is in the CRM already can still be pointed to."""
        found = 0
        for name in self._given_references(table):
            found += self._number(
                f"""insert into staged.problem
                select {literal(table)}, g.{ROW}, 'rejected_reference', {literal(name)}, {quoted("_given_" + name)},
                    'this ' || {quoted("_table_" + name)} || ' is in the import, but has a problem itself'
                from {self._good(table)} as g join staged.bad as target
                on target.table_name = g.{quoted("_table_" + name)} and target.{ROW} = g.{quoted("_new_" + name)}"""
            )
        return found

    def _reject_collisions(self, table: str) -> int:
        """Reject new and changed rows that would share a unique key with another row."""
        found = 0
        for columns in contract_of(table).unique:
            key = ", ".join(map(quoted, columns))
            shown = " || ', ' || ".join(f"cast({quoted(column)} as varchar)" for column in columns)
            complete = " and ".join(f"{quoted(column)} is not null" for column in columns)
            names = " and ".join(columns)
            found += self._number(
                f"""insert into staged.problem
                with good as (from {self._good(table)}),
                final as (
                    select id, {ROW}, _state, {key} from good
                    union all
                    select id, null, 'crm', {key} from crm.{quoted(table)} as c anti join good using (id)
                ),
                counted as (
                    select *, count(*) over (partition by {key}) as rows_with_it,
                        bool_or(_state in ('crm', 'unchanged')) over (partition by {key}) as is_in_crm
                    from final where {complete}
                )
                select {literal(table)}, {ROW}, 'duplicate_key', {literal(", ".join(columns))}, {shown},
                    if(is_in_crm, 'the CRM already has a row with the same {names}',
                        'another row of this import has the same {names}')
                from counted where rows_with_it > 1 and _state in ('new', 'changed')"""
            )
        return found

    def _reject_circles(self, table: str) -> int:
        """Reject new and changed rows that would stand above themselves in a tree or chain of their table."""
        found = 0
        for name in self._given_references(table, to=table):
            column = contract_of(table).references[name].column
            edges = self._run(
                f"""with good as (from {self._good(table)})
                select id, {column} as target, if(_state in ('new', 'changed'), {ROW}, null), {quoted("_given_" + name)}
                from good where {column} is not null
                union all
                select id, {column}, null, null from crm.{quoted(table)} as c anti join good using (id)
                where {column} is not null"""
            )
            above = {row[0]: row[1] for row in edges}
            circles = _on_a_circle(above)
            problems = [
                (table, row, "circle", name, given, "the row would stand above itself")
                for key, _, row, given in edges
                if key in circles and row is not None
            ]
            if problems:
                self.connection.executemany("insert into staged.problem values (?, ?, ?, ?, ?, ?)", problems)
            found += len(problems)
        return found

    def _given_references(self, table: str, to: str | None = None) -> list[str]:
        """Return the names of the mapped references (to one table)."""
        references = contract_of(table).references
        return [
            name for name in self.mapped[table] if name in references and to in (None, references[name].only_target)
        ]

    # -- step 5: results ------------------------------------------------------------------------------------------

    def count(self, outcome: TableOutcome) -> None:
        """Fill in what becomes of the rows of a table."""
        table = outcome.table
        states = dict(self._run(f"select _state, count(*) from {self._good(table, 'true')} group by all"))
        outcome.inserted = states.get("new", 0)
        outcome.updated = states.get("changed", 0)
        outcome.unchanged = states.get("unchanged", 0)
        outcome.left_deleted = states.get("deleted", 0)
        outcome.not_in_export = self._number(
            f"select count(*) from crm.{quoted(table)} as c anti join typed.{quoted(table)} as t using (external_ref) "
            "where external_ref is not null and c.deleted_at is null"
        )

    def count_bad(self, table: str) -> int:
        """Return how many rows of a table have a problem."""
        return self._number(f"select count(*) from staged.bad where table_name = {literal(table)}")

    def written_columns(self, table: str) -> list[str]:
        """Return the table columns that the mapping fills."""
        contract = contract_of(table)
        return [
            contract.references[name].column if name in contract.references else name for name in self.mapped[table]
        ]

    def new_rows(self, table: str) -> Iterator[list[tuple[Any, ...]]]:
        """Yield batches of rows to insert: id, then the written columns; a row comes after those it points to."""
        select = ", ".join(quoted(column) for column in ["id", *self.written_columns(table)])
        new = self._good(table, "_state = 'new'")
        own = [contract_of(table).references[name].column for name in self._given_references(table, to=table)]
        if not own:
            yield from self._batches(f"select {select} from {new} order by {ROW}")
            return
        edges = " union all ".join(
            f"select n.id, n.{quoted(column)} as target from fresh as n "
            f"semi join fresh as m on m.id = n.{quoted(column)}"
            for column in own
        )
        yield from self._batches(
            f"""with recursive fresh as materialized (from {new}),
            edge as materialized ({edges}),
            placed as (
                select id, 0 as level from fresh anti join edge using (id)
                union all
                select edge.id, placed.level + 1 from edge join placed on placed.id = edge.target
            ),
            deepest as (select id, max(level) as level from placed group by id)
            select {select} from fresh join deepest using (id) order by level, {ROW}"""
        )

    def changed_rows(self, table: str) -> Iterator[list[tuple[Any, ...]]]:
        """Yield batches of rows to update: id, then the written columns."""
        select = ", ".join(quoted(column) for column in ["id", *self.written_columns(table)])
        changed = self._good(table, "_state = 'changed'")
        yield from self._batches(f"select {select} from {changed} order by {ROW}")

    def rejected_rows(self, table: str) -> tuple[list[str], Iterator[list[tuple[Any, ...]]]]:
        """Return the header and batches of the bad rows: row, reasons, and the row as delivered, all as text."""
        columns = self.mapped[table]
        select = ", ".join(f"cast(m.{quoted(column)} as varchar)" for column in columns)
        return ["row", "reason", *columns], self._batches(
            f"""with reasons as (
                select {ROW}, string_agg(distinct "column" || ': ' || reason, '; ') as reason
                from staged.problem where table_name = {literal(table)} group by {ROW}
            )
            select {ROW}, reasons.reason, {select}
            from mapped.{quoted(table)} as m join reasons using ({ROW}) order by {ROW}"""
        )

    def problems(self, mapping: Mapping) -> list[Problem]:
        """Return the problems of one table's rows, at most 1,000 of each kind and column, in the order of the rows."""
        rows = self._run(
            f"""select p.kind, p.reason, p.{ROW}, p."column", p."value", cast(m.external_ref as varchar)
            from staged.problem as p join mapped.{quoted(mapping.table)} as m using ({ROW})
            where p.table_name = {literal(mapping.table)}
            qualify row_number() over (partition by p.kind, p."column" order by {ROW}) <= {EXAMPLES_PER_KIND}
            order by {ROW}, p."column", p.kind"""
        )
        return [Problem(mapping.file, *row) for row in rows]

    def problem_count(self) -> int:
        """Return how many problems the rows have."""
        return self._number("select count(*) from staged.problem")

    def _batches(self, query: str) -> Iterator[list[tuple[Any, ...]]]:
        # A cursor of its own: the caller may run other queries between two batches.
        cursor = self.connection.cursor()
        cursor.execute(query)
        while rows := cursor.fetchmany(BATCH):
            yield rows

    def _number(self, query: str) -> int:
        """Return the one number of a query; DuckDB answers an INSERT with the count of its rows."""
        return int(self._run(query)[0][0])

    def _run(self, statement: str) -> list[Any]:
        # DuckDB refuses other work on a connection while a result is not read to its end.
        return self.connection.execute(statement).fetchall()


def _conversion(target: Value | Reference, text: str) -> Conversion:
    if isinstance(target, Reference):
        return conversion_to(sa.String(200), text)
    return conversion_to(target.column.type, text)


def _with_default(target: Value | Reference, conversion: Conversion) -> str:
    default = target.default if isinstance(target, Value) else None
    return f"coalesce({conversion.value}, {literal(default)})" if default is not None else conversion.value


def _on_a_circle(above: dict[int, int]) -> set[int]:
    """Return the keys that reach themselves by going up."""
    circles: set[int] = set()
    done: set[int] = set()
    for start in above:
        path: list[int] = []
        on_path: set[int] = set()
        key: int | None = start
        while key is not None and key not in done and key not in on_path:
            path.append(key)
            on_path.add(key)
            key = above.get(key)
        if key is not None and key in on_path:
            circles.update(path[path.index(key) :])
        done |= on_path
    return circles
