"""What a row costs on DuckDB and on Spark: builds of two sizes of the sample company, and the line through them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil
from rich.table import Table

from loupan.settings import Settings
from tests.benchmarks.refresh import prepare

ENGINES = ("duckdb", "spark")
# How much larger the second company is.
STEP = 4
_MILLION = 1e6
_PAUSE = 0.2


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
    seconds: float
    core_seconds: float  # of all its processes: what other programs on the machine take does not show in it
    memory: int  # bytes, the most that all its processes held together


def _watched(command: list[str], environment: dict[str, str], size: Size) -> Build:
    start = time.perf_counter()
    process = psutil.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    spent: dict[int, float] = {}
    memory = 0
    while process.poll() is None:
        held = 0
        with suppress(psutil.Error):
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.Error):
                    times = each.cpu_times()
                    spent[each.pid] = times.user + times.system
                    # By halves where two share it: Java's helpers are copies of it for a moment.
                    held += each.memory_full_info().pss
        memory = max(memory, held)
        time.sleep(_PAUSE)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return Build(size, time.perf_counter() - start, sum(spent.values()), memory)


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


def _build(settings: Settings, engine: str, size: Size) -> Build:
    environment = os.environ | {"LOUPAN_DATA_DIR": str(settings.data_dir), "LOUPAN_ENGINE": engine}
    return _watched([sys.executable, "-m", "tests.benchmarks.engine_build"], environment, size)


def measure(scale: float) -> tuple[Table, Table]:
    """Time builds of a company of a scale and of one ``STEP`` times as large, on each engine."""
    builds: dict[str, list[Build]] = {engine: [] for engine in ENGINES}
    for scaled in (scale, STEP * scale):
        with tempfile.TemporaryDirectory(prefix="loupan-bench-") as folder:
            settings = prepare(Path(folder), scaled, refreshed=True)
            size = _size(settings)
            for engine in ENGINES:
                builds[engine].append(_build(settings, engine, size))
    return _sizes([build.size for build in builds[ENGINES[0]]]), _costs(builds)


def _sizes(sizes: list[Size]) -> Table:
    table = Table("raw rows", "their Parquet, MiB", "bytes a row", "rows of marts", title="The companies")
    for size in sizes:
        numbers = (size.raw_rows, size.raw_bytes >> 20, size.raw_bytes // size.raw_rows, size.mart_rows)
        table.add_row(*(f"{number:,}" for number in numbers))
    return table


def _costs(builds: dict[str, list[Build]]) -> Table:
    table = Table(title="Building and testing all marts")
    for column in ("engine", "raw rows", "seconds", "core-seconds", "memory, MiB"):
        table.add_column(column, justify="left" if column == "engine" else "right")
    for engine, (small, large) in builds.items():
        for build in (small, large):
            rows, memory = f"{build.size.raw_rows:,}", f"{build.memory >> 20:,}"
            table.add_row(engine, rows, f"{build.seconds:.1f}", f"{build.core_seconds:.1f}", memory)
        # The line through both: what a million more rows cost, and what costs however few there are.
        more = (large.size.raw_rows - small.size.raw_rows) / _MILLION
        each = (large.core_seconds - small.core_seconds) / more
        fixed = small.core_seconds - each * small.size.raw_rows / _MILLION
        table.add_row(engine, "a million more", "", f"{each:.1f}", "")
        table.add_row(engine, "none", "", f"{fixed:.1f}", "", end_section=True)
    return table
