"""The way of the data: which columns of the CRM a metric is made of, and what depends on a column.

Every refresh writes it down beside the snapshots: ``<data_dir>/lineage.json``. It speaks of columns and holds no data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from loupan.files import replace_text
from loupan.settings import Settings

ROWS = "*"
CRM = "raw"
"""The layer of the tables that were loaded from the CRM, each under its own name there."""

_AS_OF = "refresh"  # stands in that layer too, but nobody enters it


class Column(NamedTuple):
    """A column of a table; the column ``*`` stands for which rows the table has.

    Attributes:
        table: layer and name, as ``marts/fct_lead``.
        column: its name.
    """

    table: str
    column: str

    @property
    def layer(self) -> str:
        """The part of the warehouse that the table belongs to: raw, staging, intermediate or marts."""
        return self.table.partition("/")[0]

    @property
    def table_name(self) -> str:
        """The table's name within its layer."""
        return self.table.rpartition("/")[2]

    @property
    def is_entered(self) -> bool:
        """Whether it is a column of the CRM."""
        return self.layer == CRM and self.table_name != _AS_OF and self.column != ROWS


class Made(NamedTuple):
    """What a column is made of.

    Attributes:
        values: the columns its values come from.
        conditions: what else decides them, by way of the rows that are joined or kept.
    """

    values: tuple[Column, ...] = ()
    conditions: tuple[Column, ...] = ()

    @classmethod
    def read(cls, parts: Iterable[Iterable[Iterable[str]]]) -> Made:
        """Return what JSON keeps as lists."""
        values, conditions = (tuple(Column(*origin) for origin in part) for part in parts)
        return cls(values, conditions)


class MadeOf(NamedTuple):
    """What a metric or dimension is made of.

    Attributes:
        inputs: the metrics it calculates with.
        columns: the columns of the marts it reads.
    """

    inputs: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()


class Step(NamedTuple):
    """One step of the way.

    Attributes:
        source: what is read.
        target: what is made of it.
        is_value: whether the value itself comes from there, rather than the choice of rows.
    """

    source: Column
    target: Column
    is_value: bool


@dataclass(frozen=True)
class Lineage:
    """The whole way of the data.

    Attributes:
        tables: table → column → what it is made of; of the CRM's own tables nothing.
        metrics: metric → what it is made of.
        dimensions: dimension → what it is made of.
    """

    tables: Mapping[str, Mapping[str, Made]]
    metrics: Mapping[str, MadeOf]
    dimensions: Mapping[str, MadeOf]

    def columns_of(self, metric: str) -> frozenset[Column]:
        """Return the columns of the marts that a metric and all it calculates with read; empty if it is unknown."""
        found: set[Column] = set()
        seen: set[str] = set()
        waiting = [metric]
        while waiting:
            name = waiting.pop()
            if name in self.metrics and name not in seen:
                seen.add(name)
                found |= set(self.metrics[name].columns)
                waiting += self.metrics[name].inputs
        return frozenset(found)

    def upstream(self, columns: Iterable[Column]) -> frozenset[Step]:
        """Return all steps that lead from the CRM to these columns."""
        steps: set[Step] = set()
        waiting, seen = list(columns), set(columns)
        while waiting:
            target = waiting.pop()
            for source, is_value in self._sources(target):
                steps.add(Step(source, target, is_value))
                if source not in seen:
                    seen.add(source)
                    waiting.append(source)
        return frozenset(steps)

    def crm_columns_of(self, metric: str) -> frozenset[Column]:
        """Return the columns of the CRM that a metric depends on."""
        return frozenset(step.source for step in self.upstream(self.columns_of(metric)) if step.source.is_entered)

    def downstream(self, column: Column) -> frozenset[Column]:
        """Return every column, and every table's rows, that depend on a column; itself included."""
        found, waiting = {column}, [column]
        while waiting:
            for target in self._targets.get(waiting.pop(), ()):
                if target not in found:
                    found.add(target)
                    waiting.append(target)
        return frozenset(found)

    def metrics_on(self, column: Column) -> tuple[str, ...]:
        """Return the metrics that depend on a column, by name."""
        reached = self.downstream(column)
        return tuple(sorted(name for name in self.metrics if self.columns_of(name) & reached))

    def dimensions_on(self, column: Column) -> tuple[str, ...]:
        """Return the dimensions whose values come from a column, by name."""
        reached = self.downstream(column)
        return tuple(sorted(n for n, made in self.dimensions.items() if not reached.isdisjoint(made.columns)))

    @cached_property
    def crm_tables(self) -> Mapping[str, tuple[str, ...]]:
        """Table of the CRM → those of its columns that anything is made of, both sorted."""
        read: dict[str, set[str]] = {}
        for source in self._targets:
            if source.is_entered:
                read.setdefault(source.table_name, set()).add(source.column)
        return {table: tuple(sorted(columns)) for table, columns in sorted(read.items())}

    def _sources(self, target: Column) -> Iterator[tuple[Column, bool]]:
        made = self.tables.get(target.table, {}).get(target.column, Made())
        yield from ((source, True) for source in made.values)
        yield from ((source, False) for source in made.conditions)

    @cached_property
    def _targets(self) -> Mapping[Column, set[Column]]:
        targets: dict[Column, set[Column]] = {}
        for table, columns in self.tables.items():
            for name in columns:
                target = Column(table, name)
                for source, _ in self._sources(target):
                    targets.setdefault(source, set()).add(target)
        return targets


_ADAPTER = TypeAdapter(Lineage)


def _path(settings: Settings) -> Path:
    return settings.data_dir / "lineage.json"


def write_lineage(settings: Settings, lineage: Lineage) -> None:
    """Replace the file atomically."""
    replace_text(_path(settings), _ADAPTER.dump_json(lineage).decode())


def read_lineage(settings: Settings) -> Lineage | None:
    """Return the way of the data as the last refresh wrote it down, None where it did not or the file is damaged."""
    path = _path(settings)
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=1)
def _read(path: Path, changed_at: int) -> Lineage:
    return _ADAPTER.validate_json(path.read_bytes())
