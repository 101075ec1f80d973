"""What a refresh of a small company takes beside its work, and what it would take as several programs."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from loupan.settings import Settings
from tests.benchmarks.company import MOMENT, Company, company
from tests.benchmarks.result import Measured, Table
from tests.benchmarks.stopwatch import Step
from tests.benchmarks.watch import brief

REPEATS = 5
LIBRARIES = {
    "dagster": "dagster, dagster_dbt",
    "dbt": "dbt.cli.main, dbt.adapters.duckdb.connections",
    "Great Expectations": "great_expectations",
    "MetricFlow": "metricflow.engine.metricflow_engine",
    "pandas, DuckDB, ADBC": "pandas, duckdb, adbc_driver_sqlite.dbapi",
}


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Measure refreshes of a company of a scale, and the programs that it could be made of."""
    with company(folder, scale) as made:
        # The first parses the project; what follows is what a schedule does every hour.
        made.refresh("--full", models=False)
        runs = [steps_of(made) for _ in range(REPEATS)]
        steps = [
            Step(
                steps[0].name,
                statistics.median(step.seconds for step in steps),
                statistics.median(step.core_seconds for step in steps),
            )
            for steps in zip(*runs, strict=True)
        ]
        build = next(step for step in steps if step.name.startswith("Building"))
        alone = _median(_dbt(made.settings), made)
    imports = {name: _median([sys.executable, "-c", f"import {names}"], made) for name, names in LIBRARIES.items()}
    figures = {
        "refresh_seconds": sum(step.seconds for step in steps),
        "refresh_core_seconds": sum(step.core_seconds for step in steps),
        "dbt_alone_to_inside": alone[0] / build.seconds,
    }
    return Measured((_one_process(steps), _dbt_table(build, alone), _imports(imports)), figures)


def steps_of(made: Company) -> list[Step]:
    """Refresh in full, in a process of its own, and return its steps."""
    command = [sys.executable, "-m", "tests.benchmarks.stopwatch", MOMENT]
    variables = {**made.environment, "LOUPAN_WITHOUT_MODELS": "*"}
    told = subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout
    return [Step(**step) for step in json.loads(told.splitlines()[-1])]


def _dbt(settings: Settings) -> list[str]:
    """Return the command that builds and tests the same models as a program of its own."""
    from pipelines import dbt_runner

    project = str(settings.dbt_project_dir)
    return [
        str(Path(sys.executable).with_name("dbt")), "--quiet", *dbt_runner.BUILD,
        "--project-dir", project, "--profiles-dir", project, "--target", dbt_runner.TARGET,
        # Its own folder: other settings of the command line make dbt parse the project anew.
        "--target-path", str(settings.data_dir / "dbt-alone"), "--log-path", str(settings.data_dir / "dbt-alone"),
        "--vars", json.dumps({"time_zone": settings.time_zone}),
    ]  # fmt: skip


def _median(command: list[str], made: Company) -> tuple[float, float]:
    variables = {**made.environment, "LOUPAN_WAREHOUSE_MEMORY": made.settings.refresh_memory}
    brief(command, variables)  # compiles bytecode, parses
    runs = [brief(command, variables) for _ in range(REPEATS)]
    seconds, core_seconds = (statistics.median(values) for values in zip(*runs, strict=True))
    return seconds, core_seconds


def _one_process(steps: list[Step]) -> Table:
    rows = [(step.name, step.seconds, step.core_seconds) for step in steps]
    rows.append(("all", sum(step.seconds for step in steps), sum(step.core_seconds for step in steps)))
    return Table("A full refresh, in one process", ("step", "seconds", "core-seconds"), tuple(rows))


def _dbt_table(build: Step, alone: tuple[float, float]) -> Table:
    rows = (("in the process of the refresh", build.seconds, build.core_seconds), ("`dbt build`, a program", *alone))
    return Table("The same models and tests, built by dbt", ("", "seconds", "core-seconds"), rows)


def _imports(imports: dict[str, tuple[float, float]]) -> Table:
    rows = tuple((name, *taken) for name, taken in imports.items())
    return Table("What every further program would pay for imports", ("library", "seconds", "core-seconds"), rows)
