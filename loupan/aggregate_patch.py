"""Changes the aggregate tables of a patched marts file by what the changed rows of the facts come to.

Of each fact a *subset* of rows is read twice, as it was in the snapshot before and as it is. Whatever lies outside of
it is in both the same, and adds the same to the same row of an aggregate. So what the subset came to is taken off, and
what it comes to is added; rows of an aggregate of which nothing is left go. All that is added is whole numbers and
decimals, so what comes out is what would be made anew, to the last unit. In any doubt the table is made anew.

A subset holds the rows

- that the build has replaced, or, of a fact that was made anew, those that differ under the same key;
- that are joined with such a row of a table whose columns are kept;
- of the days that another cut puts into the other part of their month;
- for an aggregate that counts distinct things, all those of the things of any of these rows: whether a thing stands in
  several rows is then seen within the subset.
"""

# Names in the SQL come from the semantic manifest, conditions from pipelines.increment.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loupan.aggregate_tables import (
    ROW,
    Aggregate,
    Source,
    foreign_key,
    joined_by,
    key_of,
    once_of,
    others_of,
    relation_of,
    select,
)
from loupan.marts_file import NO_ROW, Difference, identifier, in_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

# Of more than this share of a fact's rows, making all anew costs less.
_MOST_ROWS = 0.3
# Of fewer rows, an aggregate costs less to make anew than to look up what changed.
_LARGE = 50_000
# To find the rows of a fact that differ costs about as much as to make one of its aggregates anew.
_FEWEST_TO_COMPARE = 2
_NO_CUT = 31


@dataclass(frozen=True)
class Before:
    """The snapshot that a marts file was patched from.

    Attributes:
        catalogue: what its marts file, attached to the connection, is called.
        replaced: as `loupan.marts_file.Difference` has it, with the name of the warehouse filled in.
    """

    catalogue: str
    replaced: Mapping[str, str]

    @classmethod
    def of(cls, difference: Difference, catalogue: str, warehouse: str) -> Before:
        """Return what a difference is to, whose marts file is attached by one name, and the warehouse by another."""
        return cls(catalogue, in_catalogue(difference.replaced, warehouse))

    def relation(self, model: Mapping[str, Any]) -> str:
        """Return, as SQL, the relation of a semantic model as it was."""
        return f"{identifier(self.catalogue)}.main.{identifier(model['node_relation']['alias'])}"


class CannotPatch(Exception):
    """An aggregate has to be made anew; the message says why."""


@dataclass(frozen=True)
class _Subset:
    """Rows of a fact.

    Attributes:
        before: table of the rows as they were.
        after: table of the rows as they are.
    """

    before: str
    after: str


class Patcher:
    """Works on one connection, whose current database holds the aggregates as they were."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        manifest: Mapping[str, Any],
        aggregates: Sequence[Aggregate],
        before: Before,
        cut: int | None,
    ) -> None:
        """Remember what is to be patched.

        Args:
            connection: open on both marts files, and on the warehouse.
            manifest: the semantic manifest.
            aggregates: those to be patched.
            before: the snapshot in which they were made.
            cut: the day of the month that cuts months now.
        """
        self._connection, self._manifest, self._before, self._cut = connection, manifest, before, cut
        self._aggregates = [a for a in aggregates if self._count(identifier(a.table)) >= _LARGE]
        self._subsets: dict[tuple[str, int | None], _Subset] = {}
        self._changed: dict[str, str] = {}
        self._tables = 0

    def patch(self, aggregate: Aggregate, cut: int | None) -> None:
        """Bring an aggregate up to date.

        Args:
            aggregate: one of those that are to be patched.
            cut: the day of the month that cut months before.

        Raises:
            CannotPatch: if it has to be made anew; it is then as it was.
            duckdb.Error: likewise.
        """
        if self._is_untouched(aggregate, cut):
            return
        if aggregate not in self._aggregates:
            raise CannotPatch("it is small")
        subset = self._subset(aggregate.model, cut)
        if aggregate.counts:
            subset = self._with_things_of(aggregate, subset, cut)
        made = select(aggregate, self._manifest, self._cut, self._source(aggregate, subset.after, relation_of))
        with self._transaction():
            if aggregate.is_by_row:
                self._replace(aggregate, subset.before, made)
            else:
                source = self._source(aggregate, subset.before, self._before.relation)
                self._add(aggregate, select(aggregate, self._manifest, cut, source), made)

    # Which rows are looked at.

    def _is_untouched(self, aggregate: Aggregate, cut: int | None) -> bool:
        """Say whether no row can add anything else than before."""
        read = [aggregate.model, *(joined_by(entity, self._manifest) for entity in aggregate.joins)]
        is_of_same_rows = all(self._before.replaced.get(_name(model)) == NO_ROW for model in read)
        return is_of_same_rows and (cut == self._cut or not aggregate.is_cut)

    def _conditions(self, aggregates: Sequence[Aggregate], cut: int | None) -> list[str]:
        """Return conditions of the rows of a fact, before and after, that may add something else to aggregates."""
        model = aggregates[0].model
        found = []
        condition = self._before.replaced.get(_name(model))
        if condition is None:
            found.append(f"{key_of(model)} in (from {self._keys(model)})")
        elif condition != NO_ROW:
            found.append(f"({condition})")
        for entity in dict.fromkeys(entity for aggregate in aggregates for entity in aggregate.joins):
            joined = joined_by(entity, self._manifest)
            if self._before.replaced.get(_name(joined)) != NO_ROW:
                found.append(f"{foreign_key(model, entity)} in (from {self._keys(joined)})")
        if cut != self._cut:
            between = sorted((cut or _NO_CUT, self._cut or _NO_CUT))
            moments = dict.fromkeys(aggregate.moment for aggregate in aggregates if aggregate.is_cut)
            found += [f"day({moment}) > {between[0]} and day({moment}) <= {between[1]}" for moment in moments]
        return found

    def _subset(self, model: Mapping[str, Any], cut: int | None) -> _Subset:
        """Return the rows of a fact that any of its aggregates has to look at."""
        name = _name(model)
        if (name, cut) not in self._subsets:
            conditions = self._conditions(self._of_fact(name), cut)
            self._subsets[name, cut] = self._read(model, f"where {' or '.join(conditions)}", cut)
        return self._subsets[name, cut]

    def _read(self, model: Mapping[str, Any], which: str, cut: int | None) -> _Subset:
        """Keep rows of a fact, before and after, with the columns that its aggregates read."""
        columns = ", ".join(map(identifier, self._columns(model, self._of_fact(_name(model)), cut)))
        subset = _Subset(
            self._table(f"select {columns} from {self._before.relation(model)} {which}"),
            self._table(f"select {columns} from {relation_of(model)} {which}"),
        )
        if self._count(subset.before) > _MOST_ROWS * self._count(self._before.relation(model)):
            raise CannotPatch(f"too many rows of {_name(model)} may differ")
        return subset

    def _with_things_of(self, aggregate: Aggregate, subset: _Subset, cut: int | None) -> _Subset:
        """Add to a subset all rows of the things that stand in it."""
        things = self._table(
            f"select {aggregate.distinct} as _thing from {subset.before} "
            f"union select {aggregate.distinct} from {subset.after}"
        )
        fact = relation_of(aggregate.model)
        which = f"semi join {things} as things on ({aggregate.distinct}) is not distinct from things._thing"
        # Mostly there is none to be added, and all columns need not be read once more. What is not in the subset is the
        # same before and after.
        if self._count(f"{fact} {which}") == self._count(subset.after):
            return subset
        return self._read(aggregate.model, which, cut)

    def _keys(self, model: Mapping[str, Any]) -> str:
        """Return the table of the keys under which another row, or none, stands in a relation than before."""
        if _name(model) not in self._changed:
            self._changed[_name(model)] = self._compared(model)
        return self._changed[_name(model)]

    def _compared(self, model: Mapping[str, Any]) -> str:
        condition = self._before.replaced.get(_name(model))
        readers = self._of_fact(_name(model)) or self._aggregates
        if len(readers) < _FEWEST_TO_COMPARE and condition is None:
            raise CannotPatch(f"it is not known which rows of {_name(model)} differ")
        columns = self._columns(model, readers, None)
        listed = ", ".join(f"{identifier(column)} as {identifier(column)}" for column in columns)
        differs = " or ".join(f"was.{identifier(name)} is distinct from made.{identifier(name)}" for name in columns)
        row = f"select {key_of(model)} as _key, true as _is_there, {listed} from"
        which = f"where {condition}" if condition else ""
        was, made = (f"{relation} {which}" for relation in (self._before.relation(model), relation_of(model)))
        compared = self._table(
            f"select case when {differs} then coalesce(was._key, made._key) end as _key, "
            "count(*) filter (where was._is_there and made._is_there) as pairs, "
            "count(*) filter (where made._is_there is null) as gone, "
            "count(*) filter (where was._is_there is null) as come "
            f"from ({row} {was}) as was full join ({row} {made}) as made on was._key = made._key group by 1"
        )
        # A key that two rows have on one side pairs a row of the other twice.
        ((were, are, without_key),) = self._connection.execute(
            "select coalesce(sum(pairs + gone), 0), coalesce(sum(pairs + come), 0), "
            f"sum(gone + come) filter (where _key is null) from {compared}"
        ).fetchall()
        if without_key or (were, are) != (self._count(was), self._count(made)):
            raise CannotPatch(f"rows of {_name(model)} cannot be told apart by {key_of(model)}")
        return self._table(f"select _key from {compared} where _key is not null")

    def _of_fact(self, name: str) -> list[Aggregate]:
        return [aggregate for aggregate in self._aggregates if _name(aggregate.model) == name]

    def _columns(self, model: Mapping[str, Any], readers: Sequence[Aggregate], cut: int | None) -> list[str]:
        """Return the columns of a relation that aggregates read, and at most a few more."""
        described = [
            {name: data_type for name, data_type, *_ in self._connection.execute(f"describe {relation}").fetchall()}
            for relation in (self._before.relation(model), relation_of(model))
        ]
        sql = " ".join(select(reader, self._manifest, cut) for reader in readers).lower()
        columns = [name for name in described[1] if name.lower() in sql]
        if any(described[0].get(name) != described[1][name] for name in columns):
            raise CannotPatch(f"{_name(model)} has other columns than before")
        return columns

    def _source(self, aggregate: Aggregate, subset: str, relation: Source) -> Source:
        return lambda model: subset if model is aggregate.model else relation(model)

    # What is done with them.

    def _replace(self, aggregate: Aggregate, before: str, made: str) -> None:
        """Replace the rows of a table that holds one for each of the fact."""
        table, key = identifier(aggregate.table), key_of(aggregate.model)
        ((keys,),) = self._connection.execute(f"select count(distinct {key}) from {before}").fetchall()
        ((deleted,),) = self._connection.execute(
            f"delete from {table} where {ROW} in (select {key} from {before})"
        ).fetchall()
        if not keys == deleted == self._count(before):
            raise CannotPatch(f"its rows cannot be told apart by {key}")
        self._connection.execute(f"insert into {table} by name {made}")

    def _add(self, aggregate: Aggregate, was: str, made: str) -> None:
        """Take off a table what rows came to, and add what they come to."""
        others = [others_of(measure["name"]) for measure in aggregate.counts]
        once = [once_of(measure["name"]) for measure in aggregate.counts]
        counts = aggregate.value_counts
        sums = [measure["name"] for measure in aggregate.sums]
        values = list(dict.fromkeys([*sums, *once, *counts.values(), aggregate.row_count]))
        keys = [*aggregate.keys, *others]
        # Things that stand in several rows are not counted, those that stand in one are.
        is_of_several = f"{identifier(once[0])} is null" if once else "false"
        changes = ", ".join(
            f"coalesce(sum({name}) filter (where _is_made), 0) - coalesce(sum({name}) filter (where not _is_made), 0) "
            f"as {name}"
            for name in map(identifier, values)
        )
        listed = ", ".join(map(identifier, keys))
        both = f"select *, false as _is_made from ({was}) union all by name select *, true as _is_made from ({made})"
        change = self._table(
            f"from (select {listed}, {is_of_several} as _is_of_several, {changes} from ({both}) group by all) "
            f"where {' or '.join(f'{identifier(value)} <> 0' for value in values)}"
        )
        table = identifier(aggregate.table)
        same = " and ".join(
            f"change.{name} is not distinct from present.{name}" for name in [*map(identifier, keys), "_is_of_several"]
        )
        totals = {name: f"coalesce(present.{identifier(name)}, 0) + change.{identifier(name)}" for name in values}
        # A sum of no value is NULL.
        now = totals | {
            name: f"case when {totals[count]} > 0 then {totals[name]} end" for name, count in counts.items()
        }
        now |= {name: f"case when not change._is_of_several then {totals[name]} end" for name in once}
        merged = self._table(
            f"select present.rowid as _place, {', '.join(f'change.{identifier(key)}' for key in keys)}, "
            f"{', '.join(f'{value} as {identifier(name)}' for name, value in now.items())} from {change} as change "
            f"left join (select rowid, *, {is_of_several} as _is_of_several from {table}) as present on {same}"
        )
        rows = identifier(aggregate.row_count)
        wrong = [f"{rows} < 0", *(f"{identifier(count)} not between 0 and {rows}" for count in counts.values())]
        if self._count(f"{merged} where {' or '.join(wrong)}"):
            raise CannotPatch("it is not of the rows that its fact had")
        self._connection.execute(f"delete from {table} where rowid in (select _place from {merged})")
        self._connection.execute(
            f"insert into {table} by name select * exclude (_place) from {merged} where {rows} > 0"
        )

    # SQL.

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("begin")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def _table(self, query: str) -> str:
        """Keep the rows of a query; return the name of their table."""
        self._tables += 1
        name = f"temp.main._patch_{self._tables}"
        self._connection.execute(f"create temp table _patch_{self._tables} as {query}")
        return name

    def _count(self, relation: str) -> int:
        return int(self._connection.execute(f"select count(*) from {relation}").fetchall()[0][0])


def _name(model: Mapping[str, Any]) -> str:
    """Return the name of the mart that a semantic model describes."""
    return str(model["node_relation"]["alias"])
