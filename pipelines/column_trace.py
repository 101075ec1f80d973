"""Trace the columns of a SELECT to the tables it reads: what a value is made of, and what decides which rows there are.

sqlglot's own lineage follows values alone; a number depends as much on the conditions that choose its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer import build_scope
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope
from sqlglot.schema import MappingSchema

from loupan.lineage import ROWS, Column


@dataclass
class Origins:
    """Where something comes from.

    Attributes:
        values: the columns that a value is made of.
        conditions: what else decides the value, by way of the rows that are joined or kept.
    """

    values: set[Column] = field(default_factory=set)
    conditions: set[Column] = field(default_factory=set)

    def add(self, other: Origins) -> None:
        """Take in what another has."""
        self.values |= other.values
        self.conditions |= other.conditions

    def add_condition(self, other: Origins) -> None:
        """Take in what another has as something that decides about rows."""
        self.conditions |= other.values | other.conditions


class Trace:
    """The origins of the columns and rows of one query.

    Args:
        query: parsed; changed in place.
        tables: SQL name (schema, table) → what the caller calls the table.
        schema: the columns of these tables.
        dialect: of the query.

    Raises:
        SqlglotError: if the query cannot be understood.
    """

    def __init__(
        self, query: exp.Expr, tables: Mapping[tuple[str, str], str], schema: MappingSchema, dialect: str
    ) -> None:
        self._tables = tables
        root = build_scope(qualify(query, schema=schema, dialect=dialect, validate_qualify_columns=False))
        if root is None:
            raise SqlglotError("the text is no query")
        self._root = root
        self._scopes = {id(scope.expression): scope for scope in root.traverse()}
        self._found: dict[Hashable, Origins] = {}

    def column(self, name: str) -> Origins:
        """Return the origins of an output column."""
        return self._column(self._root, name)

    def rows(self) -> Origins:
        """Return what decides which rows the query has, all of it conditions."""
        return self._rows(self._root)

    def _once(self, key: Hashable, find: Callable[[Origins], None]) -> Origins:
        if key not in self._found:
            # Stored before it is filled: a condition of a join speaks of the joined table itself.
            self._found[key] = Origins()
            find(self._found[key])
        return self._found[key]

    def _column(self, scope: Scope, name: str) -> Origins:
        def find(origins: Origins) -> None:
            if scope.set_operation_scopes:
                place = _output(scope).index(name)
                for branch in scope.set_operation_scopes:
                    origins.add(self._column(branch, _output(branch)[place]))
            elif isinstance(scope.expression, exp.Select):
                for selected in scope.expression.selects:
                    if selected.alias_or_name == name:
                        origins.add(self._expression(selected))
            else:  # a table made of a value, such as unnest
                origins.add(self._expression(scope.expression))

        return self._once((id(scope), name), find)

    def _expression(self, *expressions: exp.Expr | None) -> Origins:
        origins = Origins()
        for expression in filter(None, expressions):
            for query in expression.find_all(exp.Select):
                if id(query) in self._scopes:
                    origins.add_condition(self._rows(self._scopes[id(query)]))
            for column in expression.find_all(exp.Column):
                origins.add(self._reference(column))
        return origins

    def _reference(self, column: exp.Column) -> Origins:
        select = column.find_ancestor(exp.Select)
        scope = self._scopes.get(id(select))
        while scope is not None and column.table not in scope.sources:
            scope = scope.parent  # a subquery speaks of the query around it
        if scope is None:
            return Origins()
        source, origins = scope.sources[column.table], Origins()
        if isinstance(source, Scope):
            origins.add(self._column(source, column.name))
        elif (table := self._table(source)) is not None:
            origins.values.add(Column(table, column.name))
        join = _optional_joins(scope).get(column.table)
        if join is not None:
            origins.add_condition(self._joined(scope, column.table, join))
        return origins

    def _joined(self, scope: Scope, alias: str, join: exp.Join) -> Origins:
        """Return what decides which row of an optional table stands beside a row."""

        def find(origins: Origins) -> None:
            origins.add_condition(self._rows_of(scope.sources.get(alias)))
            origins.add_condition(self._expression(join.args.get("on")))

        return self._once(("join", id(scope), alias), find)

    def _rows_of(self, source: exp.Expr | Scope | None) -> Origins:
        if isinstance(source, Scope):
            return self._rows(source)
        table = self._table(source)
        return Origins() if table is None else Origins(conditions={Column(table, ROWS)})

    def _rows(self, scope: Scope) -> Origins:
        def find(origins: Origins) -> None:
            for branch in scope.set_operation_scopes:
                origins.add(self._rows(branch))
            if not isinstance(scope.expression, exp.Select):
                return
            arguments = scope.expression.args
            optional = _optional_joins(scope)
            for alias in scope.selected_sources:
                if alias not in optional:
                    origins.add(self._rows_of(scope.sources.get(alias)))
            kept = [join.args.get("on") for join in arguments.get("joins") or () if join.side != "LEFT"]
            kept += [arguments.get(clause) for clause in ("where", "having", "qualify")]
            origins.add_condition(self._expression(*kept))

        return self._once(("rows", id(scope)), find)

    def _table(self, source: exp.Expr | None) -> str | None:
        return self._tables.get((source.db, source.name)) if isinstance(source, exp.Table) else None


def _optional_joins(scope: Scope) -> dict[str, exp.Join]:
    """Return the left joins of a query by the name of what is joined: its rows neither add rows nor take them away."""
    joins: Iterable[exp.Join] = scope.expression.args.get("joins") or ()
    return {join.alias_or_name: join for join in joins if join.side == "LEFT"}


def _output(scope: Scope) -> list[str]:
    """Return the names of a query's columns, in their order."""
    return scope.expression.named_selects if isinstance(scope.expression, exp.Query) else []
