"""What a mapping may return for a table: its columns, and the rules that a row must keep.

Everything follows from the CRM schema; only the keys without a foreign key are spelled out here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from data_entry.schema import metadata

# The CRM keeps these itself.
SYSTEM_COLUMNS = frozenset({"id", "created_by", "updated_at", "updated_by", "row_version"})
# Who may do what is granted in this CRM, never carried over; what was done here is recorded here; and an attachment
# is nothing without its file.
NOT_IMPORTED = frozenset({"account", "account_role", "role", "role_permission", "audit_log", "attachment"})

# Keys whose table is named by the row, not by a foreign key: the SQL (over the mapping's row ``t``) that names it.
_NAMED_BY_THE_ROW = {
    ("feature", "class_id"): "t.entity || '_class'",
    ("feature_value", "entity_id"): (
        "(select f.entity from staged.feature_entity as f where f.external_ref = t.feature_ref)"
    ),
}


@dataclass(frozen=True)
class Value:
    """A column that takes a value as it is."""

    name: str
    column: sa.Column[Any]

    @property
    def default(self) -> str | None:
        """The value the database puts in where none is given, as text; None without a constant default."""
        default = self.column.server_default
        argument = default.arg if isinstance(default, sa.DefaultClause) else None
        if isinstance(argument, str):
            return argument
        if isinstance(argument, sa.True_ | sa.False_):
            return "true" if isinstance(argument, sa.True_) else "false"
        return None

    @property
    def required(self) -> bool:
        """Whether a row without the value is refused."""
        return self.name == "external_ref" or (not self.column.nullable and self.default is None)

    @property
    def must_be_mapped(self) -> bool:
        """Whether a mapping without the column is refused."""
        return self.required and (self.name == "external_ref" or self.column.server_default is None)


@dataclass(frozen=True)
class Reference:
    """A column ``x_ref`` that names another row by its ``external_ref``; the CRM stores that row's key in ``x_id``."""

    name: str
    column: str
    required: bool
    target_sql: str
    """SQL over the mapping's row ``t`` that yields the name of the table pointed to."""
    only_target: str | None
    """The table pointed to, if it is the same for every row."""

    @property
    def must_be_mapped(self) -> bool:
        """Whether a mapping without the column is refused."""
        return self.required


@dataclass(frozen=True)
class TableContract:
    """The columns a mapping may return for one table, and the rules between them."""

    name: str
    table: sa.Table
    values: dict[str, Value]
    references: dict[str, Reference]
    unique: tuple[tuple[str, ...], ...]
    """Columns (of the table) that are unique together."""
    checks: dict[str, str]
    """Check constraints that concern more than one value's type: name to SQL, true for good rows."""

    @property
    def columns(self) -> list[str]:
        """Every column name a mapping may return."""
        return [*self.values, *self.references]

    def columns_of_rules(self) -> set[str]:
        """Return the table columns that unique and check constraints look at."""
        concerned = {column for columns in self.unique for column in columns}
        for expression in self.checks.values():
            words = set(re.findall(r"\w+", expression))
            concerned |= words & set(self.table.c.keys())
        return concerned - {"id"}


def importable_tables() -> list[str]:
    """Return the names of the tables that can be imported, each after those its foreign keys point to."""
    return [table.name for table in metadata.sorted_tables if table.name not in NOT_IMPORTED]


@cache
def contract_of(name: str) -> TableContract:
    """Return the contract of an importable table."""
    table = metadata.tables[name]
    values: dict[str, Value] = {}
    references: dict[str, Reference] = {}
    for column in table.columns:
        stem = column.name.removesuffix("_id")
        if column.name in SYSTEM_COLUMNS:
            continue
        if (name, column.name) in _NAMED_BY_THE_ROW:
            target_sql, target = _NAMED_BY_THE_ROW[name, column.name], None
        elif column.foreign_keys:
            target = next(iter(column.foreign_keys)).column.table.name
            target_sql = f"'{target}'"
        else:
            values[column.name] = Value(column.name, column)
            continue
        references[f"{stem}_ref"] = Reference(f"{stem}_ref", column.name, not column.nullable, target_sql, target)
    # A constraint's type says little, and external_ref has a rule of its own.
    unique = [
        tuple(column.name for column in constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    checks = {
        str(constraint.name).removeprefix(f"ck_{name}_"): str(constraint.sqltext)
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint) and not constraint._type_bound
    }
    return TableContract(
        name,
        table,
        values,
        references,
        tuple(sorted(columns for columns in unique if columns != ("external_ref",))),
        dict(sorted(checks.items())),
    )
