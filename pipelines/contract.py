"""The contract with the CRM: which tables are loaded, and which rules their rows keep.

It is declared once, as dbt sources (``dbt_project/models/staging/<area>/_sources.yml``), and read here from the
manifest that ``dbt parse`` writes. Ingest, quarantine and checks all work from these dataclasses.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

# Raise this number when rows would be typed or judged in another way than before: all tables are then loaded again.
RULES_VERSION = 1

# Columns that the conventions of the CRM schema give every table.
DELETED_AT = "deleted_at"

_TYPES = re.compile(r"BIGINT|INTEGER|BOOLEAN|DATE|TIMESTAMP|VARCHAR|DECIMAL\((\d+),(\d+)\)")


class ContractError(Exception):
    """The contract contradicts itself or cannot be read; the message names table, column and file."""


@dataclass(frozen=True)
class Column:
    """A column that is loaded, with the rules of its values."""

    name: str
    data_type: str  # as DuckDB names it, upper case
    required: bool = False
    accepted_values: tuple[str, ...] = ()
    references: str | None = None  # table whose key the value must be
    unique: bool = False
    sensitive: bool = False  # its values are shown nowhere

    @property
    def is_text(self) -> bool:
        """Whether any text is a value of the column."""
        return self.data_type == "VARCHAR"

    @property
    def is_temporal(self) -> bool:
        """Whether the column holds dates or timestamps."""
        return self.data_type in ("DATE", "TIMESTAMP")

    @property
    def decimal(self) -> tuple[int, int] | None:
        """Precision and scale, None for other types."""
        match = _TYPES.fullmatch(self.data_type)
        return (int(match[1]), int(match[2])) if match and match[1] else None


@dataclass(frozen=True)
class Table:
    """A table of the CRM that is loaded."""

    name: str
    key: str
    cursor: str | None  # moves on every change of a row; without one the table is always loaded in full
    columns: tuple[Column, ...]
    checks: tuple[tuple[str, str], ...] = ()  # name, SQL expression that is not false for a good row

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    @property
    def deleted_at(self) -> str | None:
        """The column that marks a soft delete, None if rows are never soft-deleted."""
        return DELETED_AT if DELETED_AT in self.by_name else None

    @property
    def references(self) -> tuple[tuple[str, str], ...]:
        """Pairs of foreign key column and referenced table."""
        return tuple((column.name, column.references) for column in self.columns if column.references)

    @property
    def fingerprint(self) -> str:
        """Text that differs whenever columns, types, keys or rules differ."""
        return hashlib.sha256(
            repr((RULES_VERSION, self.key, self.cursor, self.columns, self.checks)).encode()
        ).hexdigest()


@dataclass(frozen=True)
class Contract:
    """All tables that are loaded."""

    tables: tuple[Table, ...]

    @cached_property
    def by_name(self) -> dict[str, Table]:
        """The tables by name."""
        return {table.name: table for table in self.tables}

    @cached_property
    def children(self) -> dict[str, set[str]]:
        """For each table, the tables that refer to it."""
        children: dict[str, set[str]] = {table.name: set() for table in self.tables}
        for table in self.tables:
            for _, parent in table.references:
                children[parent].add(table.name)
        return children

    @cached_property
    def components(self) -> tuple[tuple[Table, ...], ...]:
        """The tables, parents first; tables that refer to each other in a circle stand together."""
        reached = {table.name: self.with_descendants({table.name}) for table in self.tables}
        circle = {name: min(other for other in others if name in reached[other]) for name, others in reached.items()}
        parents: dict[str, set[str]] = {first: set() for first in circle.values()}
        for table in self.tables:
            for _, parent in table.references:
                if circle[parent] != circle[table.name]:
                    parents[circle[table.name]].add(circle[parent])
        return tuple(
            tuple(table for table in self.tables if circle[table.name] == first)
            for first in TopologicalSorter(parents).static_order()
        )

    def with_descendants(self, names: set[str]) -> set[str]:
        """Return ``names`` and every table that refers to one of them, directly or through others."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self.children[name])
        return found


def _column(table: str, name: str, described: Mapping[str, Any]) -> Column:
    meta = described.get("config", {}).get("meta") or {}
    data_type = re.sub(r"\s", "", str(described.get("data_type") or "")).upper()
    if not _TYPES.fullmatch(data_type):
        raise ContractError(
            f"Source table {table}, column {name}: data_type {described.get('data_type')!r} is none of BIGINT, "
            "INTEGER, BOOLEAN, DATE, TIMESTAMP, VARCHAR, DECIMAL(p,s). Mend its _sources.yml."
        )
    return Column(
        name=name,
        data_type=data_type,
        required=bool(meta.get("required")),
        accepted_values=tuple(str(value) for value in meta.get("accepted_values", ())),
        references=meta.get("references"),
        unique=bool(meta.get("unique")),
        sensitive=bool(meta.get("sensitive")),
    )


def _table(source: Mapping[str, Any]) -> Table:
    name, meta = str(source["name"]), source["config"].get("meta") or {}
    table = Table(
        name=name,
        key=str(meta.get("key")),
        cursor=meta.get("cursor"),
        columns=tuple(_column(name, str(column), described) for column, described in source["columns"].items()),
        checks=tuple((str(check), str(expression)) for check, expression in (meta.get("checks") or {}).items()),
    )
    for role, column_name in (("key", table.key), ("cursor", table.cursor)):
        if column_name is not None and column_name not in table.by_name:
            raise ContractError(
                f"Source table {name}: its {role} {column_name!r} is not among its columns. "
                f"Mend meta.{role} in {source['original_file_path']}."
            )
    return table


def read_contract(manifest: Mapping[str, Any]) -> Contract:
    """Read the contract from dbt's manifest.

    Source tables with ``meta.written_by`` are not loaded from the CRM and left out.

    Raises:
        ContractError: if a table lacks its key, a type is unknown, or a reference leads nowhere.
    """
    sources = [
        source for source in manifest["sources"].values() if not (source["config"].get("meta") or {}).get("written_by")
    ]
    contract = Contract(tuple(sorted((_table(source) for source in sources), key=lambda table: table.name)))
    if not contract.tables:
        raise ContractError("The dbt manifest declares no source table to load. Write the _sources.yml files anew.")
    if len(contract.by_name) < len(contract.tables):
        raise ContractError("Two dbt sources declare a table of the same name; table names are unique in the CRM.")
    for table in contract.tables:
        for column, parent in table.references:
            if parent not in contract.by_name:
                raise ContractError(
                    f"Source table {table.name}, column {column} refers to {parent!r}, which is no source table. "
                    "Declare it, or drop meta.references."
                )
    return contract


def load_contract(manifest_path: Path) -> Contract:
    """Read the contract from a ``manifest.json`` file.

    Raises:
        ContractError: as :func:`read_contract`, or if the file is missing or damaged.
    """
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        return read_contract(manifest)
    except (OSError, ValueError, KeyError) as error:
        raise ContractError(f"dbt's manifest {manifest_path} cannot be read ({error}). Run `dbt parse`.") from error
