"""The aggregate tables that a semantic manifest declares, and the SQL of their rows; see `loupan.aggregates`.

Beside what readers ask for, a table keeps what it takes to change it by difference (`loupan.aggregate_patch`): of how
many rows of the fact each of its rows was added up, of how many values each sum that may be NULL, and, where none are
added up, the key of the fact's row.
"""

# Names in the SQL come from the semantic manifest.
# ruff: noqa: S608

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from loupan.marts_file import identifier

if TYPE_CHECKING:
    import duckdb

ROW = "_row"
"""Column of a table by row: the key of the fact's row."""
_SUMS = ("sum", "sum_boolean")
_INEXACT = ("DOUBLE", "FLOAT")

Source = Callable[[Mapping[str, Any]], str]
"""Returns, as SQL, the relation that the rows of a semantic model are read from."""


@dataclass(frozen=True)
class Column:
    """A column that an aggregate keeps: its name in both manifests and its SQL over the fact, or over a joined table.

    Attributes:
        join: the entity by which the table is joined; empty for a column of the fact.
    """

    name: str
    sql: str
    join: str = ""


@dataclass(frozen=True)
class Aggregate:
    """An aggregate as it was declared.

    Attributes:
        table: its name.
        model: the semantic model whose measures are added up.
        columns: what is kept, without the date.
        distinct: the column of the things that are counted once; empty where none are.
        within: dimensions under each of whose values a thing is counted once.
        is_by_row: whether it has a row, with its day, for each of the fact.
        measures: what is added up.
    """

    table: str
    model: Mapping[str, Any]
    columns: tuple[Column, ...]
    distinct: str
    within: tuple[str, ...]
    is_by_row: bool
    measures: tuple[Mapping[str, Any], ...]

    @property
    def date(self) -> str:
        """The time dimension that the measures are dated by."""
        return str(self.model["defaults"]["agg_time_dimension"])

    @property
    def moment(self) -> str:
        """SQL of the date of the fact's row."""
        return sql_of(self._time)

    @property
    def is_cut(self) -> bool:
        """Whether its rows hold parts of months."""
        return not self.is_by_row and self._time["type_params"]["time_granularity"] == "day"

    @property
    def _time(self) -> Mapping[str, Any]:
        (found,) = (d for d in self.model["dimensions"] if d["name"] == self.date)
        return dict(found)

    @property
    def counts(self) -> list[Mapping[str, Any]]:
        """The measures that count distinct things."""
        return [measure for measure in self.measures if measure["agg"] == "count_distinct"]

    @property
    def sums(self) -> list[Mapping[str, Any]]:
        """The measures that are added up."""
        return [measure for measure in self.measures if measure["agg"] in _SUMS]

    @property
    def keys(self) -> list[str]:
        """The columns by which rows of the fact are taken together, things that stand in several of them aside."""
        return [self.date, *(column.name for column in self.columns)]

    @property
    def row_count(self) -> str:
        """The column that tells of how many rows of the fact a row was added up."""
        return next((measure["name"] for measure in self.sums if _counts_each(measure)), "_rows")

    @property
    def value_counts(self) -> dict[str, str]:
        """By the name of a sum that may be NULL, the column that tells of how many values it was added up."""
        return {
            measure["name"]: f"_values_of_{measure['name']}"
            for measure in self.sums
            if measure["agg"] == "sum" and not _counts_each(measure)
        }

    @property
    def joins(self) -> list[str]:
        """The entities by which tables are joined whose columns are kept."""
        return list(dict.fromkeys(column.join for column in self.columns if column.join))


def once_of(name: str) -> str:
    """Return the column that counts the things of a measure which stand in one row."""
    return f"{name}_once"


def others_of(name: str) -> str:
    """Return the column with the keys of a measure's things that stand in several rows."""
    return f"{name}_others"


def sql_of(element: Mapping[str, Any]) -> str:
    """Return the SQL of an entity, dimension or measure, over the relation of its model."""
    return str(element.get("expr") or element["name"])


def declared(connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> Iterator[Aggregate]:
    """Yield the aggregates that a semantic manifest declares.

    Args:
        connection: open on the marts that the manifest's relations name.
        manifest: the semantic manifest.

    Raises:
        ValueError: if a declaration names what the model does not have.
    """
    for model in manifest["semantic_models"]:
        declarations = ((model.get("config") or {}).get("meta") or {}).get("aggregates", ())
        for number, says in enumerate(declarations, 1):
            aggregate = Aggregate(
                table=f"aggregate_{model['name']}_{number}",
                model=model,
                columns=tuple(_column(model, name, manifest) for name in says["by"]),
                distinct=says.get("distinct", ""),
                within=tuple(says.get("within", ())),
                is_by_row=bool(says.get("by_row")),
                measures=tuple(_measures(model, says.get("distinct", ""))),
            )
            yield _with_exact_measures(connection, aggregate)


def _measures(model: Mapping[str, Any], distinct: str) -> Iterator[Mapping[str, Any]]:
    """Yield the measures that can be added up: of the model's own date, and of the things that are told apart."""
    things = re.compile(rf"(case when .* then )?{re.escape(distinct)}( end)?")
    for measure in model["measures"]:
        is_of_date = measure["agg_time_dimension"] in (None, model["defaults"]["agg_time_dimension"])
        if measure.get("non_additive_dimension"):
            continue
        is_count = measure["agg"] == "count_distinct" and distinct and things.fullmatch(sql_of(measure))
        if is_of_date and (measure["agg"] in _SUMS or is_count):
            yield measure


def _column(model: Mapping[str, Any], name: str, manifest: Mapping[str, Any]) -> Column:
    for element in (*model["entities"], *model["dimensions"]):
        if element["name"] == name:
            return Column(name, sql_of(element))
    for entity in model["entities"]:
        for dimension in joined_by(entity["name"], manifest).get("dimensions", ()):
            if dimension["name"] == name and entity["type"] == "foreign":
                return Column(name, sql_of(dimension), entity["name"])
    raise ValueError(f"The semantic model {model['name']} has no {name!r} that an aggregate could keep.")


def joined_by(entity: str, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the semantic model, without measures, that an entity leads to; an empty one where there is none."""
    for model in manifest["semantic_models"]:
        if not model["measures"] and any(e["name"] == entity and e["type"] == "primary" for e in model["entities"]):
            return dict(model)
    return {}


def key_of(model: Mapping[str, Any]) -> str:
    """Return the SQL of the key of a semantic model's rows."""
    for entity in model["entities"]:
        if entity["type"] == "primary":
            return sql_of(entity)
    raise ValueError(f"The semantic model {model['name']} has no primary entity that tells its rows apart.")


def foreign_key(model: Mapping[str, Any], entity: str) -> str:
    """Return the SQL of a semantic model's column that leads to an entity."""
    return next(sql_of(found) for found in model["entities"] if found["name"] == entity)


def _with_exact_measures(connection: duckdb.DuckDBPyConnection, aggregate: Aggregate) -> Aggregate:
    """Leave out the sums of floating-point numbers, whose last bits depend on the order of their parts."""
    values = ", ".join(sql_of(measure) for measure in aggregate.measures) or "1"
    described = connection.execute(f"describe select {values} from {relation_of(aggregate.model)}").fetchall()
    exact = [measure for measure, (_, t, *_) in zip(aggregate.measures, described, strict=False) if t not in _INEXACT]
    return replace(aggregate, measures=tuple(exact))


def relation_of(model: Mapping[str, Any]) -> str:
    """Return, as SQL, the relation of a semantic model."""
    return str(model["node_relation"]["relation_name"])


def select(aggregate: Aggregate, manifest: Mapping[str, Any], cut: int | None, source: Source = relation_of) -> str:
    """Return the query of an aggregate's rows, in the order of their date and of what is kept.

    Args:
        aggregate: whose rows.
        manifest: the semantic manifest that declares it.
        cut: the day of the month after which months are cut, None where they are whole.
        source: what the rows of the fact and of the joined tables are read from.
    """
    rows = _rows(aggregate, manifest, cut, source)
    listed = ", ".join(map(identifier, aggregate.keys))
    if aggregate.is_by_row:
        values = [identifier(measure["name"]) for measure in aggregate.sums]
        return f"select {', '.join([listed, *values, ROW])} from ({rows})"
    sums = [f"{_added(measure)} as {identifier(measure['name'])}" for measure in aggregate.sums]
    sums += [f"count({identifier(n)}) as {identifier(count)}" for n, count in aggregate.value_counts.items()]
    if aggregate.row_count not in {measure["name"] for measure in aggregate.sums}:
        sums.append(f"count(*) as {identifier(aggregate.row_count)}")
    # What is asked of one period, or of one estate in it, lies together.
    order = ", ".join(map(identifier, aggregate.keys[:2]))
    if not aggregate.counts:
        return f"select {', '.join([listed, *sums])} from ({rows}) group by all order by {order}"
    # Who stands in one row is counted by adding; who stands in several, which are few, is told apart when asked.
    things = ", ".join(map(identifier, (*aggregate.within, "_thing")))
    once = [f"count({identifier(m['name'])}) as {identifier(once_of(m['name']))}" for m in aggregate.counts]
    none = [f"null as {identifier(others_of(m['name']))}" for m in aggregate.counts]
    others = [f"{identifier(m['name'])} as {identifier(others_of(m['name']))}" for m in aggregate.counts]
    same = " and ".join(
        f"row.{identifier(name)} is not distinct from several.{identifier(name)}"
        for name in (*aggregate.within, "_thing")
    )
    return f"""
        with row as not materialized ({rows}),
        several as materialized (select {things} from row group by all having count(*) > 1)
        from (
            select {", ".join([listed, *sums, *once, *none])}
            from (from row anti join several on {same}) group by all
            union all by name
            select {", ".join([listed, *sums, *others])}
            from (from row semi join several on {same}) group by all
        )
        order by {order}
    """


def _rows(aggregate: Aggregate, manifest: Mapping[str, Any], cut: int | None, source: Source) -> str:
    """Return the query of the fact's rows with the columns that are kept and the measures' parts."""
    model = aggregate.model
    moment = _dated(aggregate.moment, cut) if aggregate.is_cut else aggregate.moment
    columns = [f"{moment} as {identifier(aggregate.date)}"]
    columns += [f"{column.sql} as {identifier(column.name)}" for column in aggregate.columns if not column.join]
    columns += [f"{_part(measure)} as {identifier(measure['name'])}" for measure in aggregate.measures]
    columns += [f"{aggregate.distinct} as _thing"] if aggregate.counts else []
    columns += [f"{key_of(model)} as {ROW}"] if aggregate.is_by_row else []
    joins, further = [], []
    for entity in aggregate.joins:
        joined = joined_by(entity, manifest)
        columns.append(f"{foreign_key(model, entity)} as {identifier(f'_{entity}')}")
        taken = [column for column in aggregate.columns if column.join == entity]
        listed = ", ".join(
            [f"{key_of(joined)} as _key", *(f"{column.sql} as {identifier(column.name)}" for column in taken)]
        )
        joins.append(
            f"left join (select {listed} from {source(joined)}) as {identifier(entity)} "
            f"on fact.{identifier(f'_{entity}')} = {identifier(entity)}._key"
        )
        further += [f"{identifier(entity)}.{identifier(column.name)}" for column in taken]
    hidden = [identifier(f"_{entity}") for entity in aggregate.joins]
    star = f"fact.* exclude ({', '.join(hidden)})" if hidden else "fact.*"
    fact = f"(select {', '.join(columns)} from {source(model)}) as fact"
    return f"select {', '.join([star, *further])} from {fact} {' '.join(joins)}"


def _dated(day: str, cut: int | None) -> str:
    """Return SQL of a day that stands for the part of its month that a day lies in: the first, or the last one.

    Another cut changes it for the days between the one and the other, and for no more.
    """
    month = f"cast(date_trunc('month', {day}) as date)"
    return month if cut is None else f"case when day({day}) > {cut} then last_day({day}) else {month} end"


def _part(measure: Mapping[str, Any]) -> str:
    """Return SQL of what one row adds to a measure."""
    return f"case when {sql_of(measure)} then 1 else 0 end" if measure["agg"] == "sum_boolean" else sql_of(measure)


def _added(measure: Mapping[str, Any]) -> str:
    """Return SQL of a measure's sum; what counts rows needs no more than 64 bits."""
    summed = f"sum({identifier(measure['name'])})"
    counts_rows = measure["agg"] == "sum_boolean" or _counts_each(measure)
    return f"cast({summed} as bigint)" if counts_rows else summed


def _counts_each(measure: Mapping[str, Any]) -> bool:
    """Say whether a measure adds up to the number of rows."""
    return bool(measure["agg"] == "sum" and sql_of(measure) == "1")
