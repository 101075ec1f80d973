"""A refresh against the bare work: the same reads and the same compiled SQL in plain DuckDB, and one ``dbt build``."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from loupan.settings import Settings

AS_OF = "2026-06-30"


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "LOUPAN_DATA_DIR": str(settings.data_dir),
        "LOUPAN_WAREHOUSE_PATH": str(settings.warehouse_path),
        "DO_NOT_TRACK": "1",
    }


def _loupan(settings: Settings, *arguments: str) -> None:
    program = str(Path(sys.executable).with_name("loupan"))
    subprocess.run(
        [program, *arguments], env=_environment(settings), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def prepare(folder: Path, scale: float, *, refreshed: bool = False) -> Settings:
    """Make the sample company, and publish it where it is to be ``refreshed``."""
    settings = Settings(data_dir=folder)
    _loupan(settings, "crm", "init")
    _loupan(settings, "sample", "--scale", str(scale), "--as-of", AS_OF)
    if refreshed:
        _loupan(settings, "refresh", "--as-of", f"{AS_OF}T16:00:00+00:00")
    return settings


def _dbt_build(settings: Settings) -> None:
    project, target = str(settings.dbt_project_dir), str(settings.data_dir / "bench_target")
    command = ["build", "--quiet", "--exclude-resource-type", "unit_test", "--project-dir", project]
    places = ["--profiles-dir", project, "--target-path", target, "--log-path", target]
    subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), *command, *places],
        env=_environment(settings),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _bare(settings: Settings) -> Callable[[], object]:
    """Return the bare work as a call; what it needs to know is gathered before the clock runs."""
    from pipelines import dbt_runner
    from pipelines.contract import read_contract

    manifest = dbt_runner.read_manifest(settings)
    compiled = dbt_runner.compiled_sql(settings)
    models = [manifest["nodes"][key] for key in _in_order(manifest)]
    plan = {
        "tables": {t.name: {c.name: c.data_type for c in t.columns} for t in read_contract(manifest).tables},
        "models": [
            (f'{m["schema"]}."{m["name"]}"', m["config"]["materialized"], _unplaced(compiled[m["unique_id"]]))
            for m in models
        ],
        "as_of": f"{AS_OF} 16:00:00",
    }
    path = settings.data_dir / "plan.json"
    path.write_text(json.dumps(plan), encoding="utf-8")
    target = settings.data_dir / "bare.duckdb"
    target.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.bare",
        str(settings.data_dir / "crm.sqlite"),
        str(target),
        str(path),
    ]
    return lambda: subprocess.run(command, check=True)


def _unplaced(sql: str) -> str:
    """Drop the name of the database: the bare run has its own."""
    return sql.replace('"warehouse".', "")


def _in_order(manifest: dict) -> list[str]:
    ordered: list[str] = []

    def visit(key: str) -> None:
        node = manifest["nodes"].get(key)
        if node and node["resource_type"] == "model" and key not in ordered:
            for parent in node["depends_on"]["nodes"]:
                visit(parent)
            ordered.append(key)

    for key in manifest["nodes"]:
        visit(key)
    return ordered


class _Stopwatch:
    """A reporter that keeps the seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def step(self, name: str, total: int | None = None) -> _Watched:
        return _Watched(self, name)


class _Watched:
    def __init__(self, watch: _Stopwatch, name: str) -> None:
        self._watch, self._name, self._start = watch, name, time.perf_counter()

    def advance(self, pieces: int = 1, detail: str = "") -> None:
        pass

    def finish(self) -> None:
        self._watch.seconds[self._name] = time.perf_counter() - self._start


def measure(settings: Settings) -> list[Table]:
    """Time refreshes against their floor; report where the seconds go."""
    first = _timed(lambda: _loupan(settings, "refresh", "--full", "--as-of", f"{AS_OF}T16:00:00+00:00"))
    dbt = _timed(lambda: _dbt_build(settings))  # parses in full: a new target folder
    dbt = min(dbt, _timed(lambda: _dbt_build(settings)))
    full = _timed(lambda: _loupan(settings, "refresh", "--full", "--as-of", f"{AS_OF}T16:00:00+00:00"))
    unchanged = _timed(lambda: _loupan(settings, "refresh", "--as-of", f"{AS_OF}T16:00:00+00:00"))
    bare = _timed(_bare(settings))

    table = Table(title="A refresh", title_justify="left")
    for column in ("work", "seconds", "× one dbt build", "× bare work + dbt build"):
        table.add_column(column, justify="left" if column == "work" else "right")
    for name, seconds in (
        ("bare reads and SQL in plain DuckDB", bare),
        ("one `dbt build` process", dbt),
        ("`loupan refresh --full`, first (parses the project)", first),
        ("`loupan refresh --full`", full),
        ("`loupan refresh`, nothing changed", unchanged),
    ):
        table.add_row(name, f"{seconds:.1f}", f"{seconds / dbt:.2f}", f"{seconds / (bare + dbt):.2f}")

    from pipelines.refresh import refresh

    watch = _Stopwatch()
    as_of = dt.datetime.fromisoformat(f"{AS_OF}T16:00:00+00:00")
    whole = _timed(lambda: refresh(settings, watch, full=True, as_of=as_of))
    steps = Table(title="Where the seconds of a full refresh go (imports done)", title_justify="left")
    steps.add_column("step")
    steps.add_column("seconds", justify="right")
    for name, seconds in watch.seconds.items():
        steps.add_row(name, f"{seconds:.1f}")
    steps.add_row("the rest: Dagster's events, parsing", f"{whole - sum(watch.seconds.values()):.1f}")
    return [table, steps]
