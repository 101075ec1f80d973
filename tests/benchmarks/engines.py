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
class Build:
    """What one build took."""

    rows: int  # of all raw tables
    seconds: float
    core_seconds: float  # of all its processes: what other programs on the machine take does not show in it
    memory: int  # bytes, the most that all its processes held together


def _watched(command: list[str], environment: dict[str, str], rows: int) -> Build:
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
                    held += each.memory_info().rss
        memory = max(memory, held)
        time.sleep(_PAUSE)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return Build(rows, time.perf_counter() - start, sum(spent.values()), memory)


def _build(settings: Settings, engine: str) -> Build:
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
        sizes = warehouse.execute("select estimated_size from duckdb_tables() where schema_name = 'raw'").fetchall()
    environment = os.environ | {"LOUPAN_DATA_DIR": str(settings.data_dir), "LOUPAN_ENGINE": engine}
    command = [sys.executable, "-m", "tests.benchmarks.engine_build"]
    return _watched(command, environment, sum(size for (size,) in sizes))


def measure(scale: float) -> Table:
    """Time builds of a company of a scale and of one ``STEP`` times as large, on each engine."""
    builds: dict[str, list[Build]] = {engine: [] for engine in ENGINES}
    for size in (scale, STEP * scale):
        with tempfile.TemporaryDirectory(prefix="loupan-bench-") as folder:
            settings = prepare(Path(folder), size, refreshed=True)
            for engine in ENGINES:
                builds[engine].append(_build(settings, engine))
    table = Table(title="Building and testing all marts, by engine and number of raw rows")
    for column in ("engine", "raw rows", "seconds", "core-seconds", "memory, MiB"):
        table.add_column(column, justify="left" if column == "engine" else "right")
    for engine, (small, large) in builds.items():
        for build in (small, large):
            numbers = (
                f"{build.rows:,}",
                f"{build.seconds:.1f}",
                f"{build.core_seconds:.1f}",
                f"{build.memory >> 20:,}",
            )
            table.add_row(engine, *numbers)
        each = (large.core_seconds - small.core_seconds) / (large.rows - small.rows) * _MILLION
        fixed = small.core_seconds - each * small.rows / _MILLION
        table.add_row(engine, "per million", "", f"{each:.1f}", "")
        table.add_row(engine, "fixed", "", f"{fixed:.1f}", "", end_section=True)
    return table
