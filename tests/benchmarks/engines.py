"""What a row costs on DuckDB and on Spark: builds of two sizes of the sample company, and the line through them."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

from loupan.settings import Settings
from tests.benchmarks.company import Company, company
from tests.benchmarks.result import Cell, Measured, Table
from tests.benchmarks.watch import Spent, watched

ENGINES = ("duckdb", "spark")
# How much larger the second company is.
STEP = 4
_MILLION = 1e6


@dataclass(frozen=True)
class Size:
    """How large a company is."""

    raw_rows: int
    raw_bytes: int  # as Parquet
    mart_rows: int


@dataclass(frozen=True)
class Build:
    """What one build took."""

    size: Size
    spent: Spent


def _size(settings: Settings) -> Size:
    rows = {"raw": 0, "marts": 0}
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
        tables = warehouse.execute("select schema_name, table_name, estimated_size from duckdb_tables()").fetchall()
        with tempfile.TemporaryDirectory() as folder:
            for schema, table, count in tables:
                if schema in rows:
                    rows[schema] += count
                if schema == "raw":
                    warehouse.execute(f"copy raw.{table} to '{folder}/{table}.parquet'")
            held = sum(path.stat().st_size for path in Path(folder).iterdir())
    return Size(rows["raw"], held, rows["marts"])


def _build(made: Company, engine: str) -> Spent:
    command = [sys.executable, "-m", "tests.benchmarks.engine_build"]
    return watched(command, made.environment | {"LOUPAN_ENGINE": engine})


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Time builds of a company of a scale and of one ``STEP`` times as large, on each engine."""
    builds: dict[str, list[Build]] = {engine: [] for engine in ENGINES}
    for scaled in (scale, STEP * scale):
        with company(folder / f"{scaled:g}", scaled) as made:
            made.refresh()
            size = _size(made.settings)
            for engine in ENGINES:
                builds[engine].append(Build(size, _build(made, engine)))
    return Measured((_sizes([build.size for build in builds[ENGINES[0]]]), _costs(builds)))


def _sizes(sizes: list[Size]) -> Table:
    return Table(
        "The companies",
        ("raw rows", "their Parquet, MiB", "bytes a row", "rows of marts"),
        tuple((s.raw_rows, s.raw_bytes >> 20, s.raw_bytes // s.raw_rows, s.mart_rows) for s in sizes),
    )


def _costs(builds: dict[str, list[Build]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for engine, (small, large) in builds.items():
        rows += [
            (engine, f"{b.size.raw_rows:,}", b.spent.seconds, b.spent.core_seconds, b.spent.memory >> 20)
            for b in (small, large)
        ]
        # The line through both: what a million more rows cost, and what costs however few there are.
        more = (large.size.raw_rows - small.size.raw_rows) / _MILLION
        each = (large.spent.core_seconds - small.spent.core_seconds) / more
        fixed = small.spent.core_seconds - each * small.size.raw_rows / _MILLION
        rows += [(engine, "a million more", None, each, None), (engine, "none", None, fixed, None)]
    columns = ("engine", "raw rows", "seconds", "core-seconds", "memory, MiB")
    return Table("Building and testing all marts", columns, tuple(rows))
