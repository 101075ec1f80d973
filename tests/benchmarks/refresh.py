"""Refreshes against their floor: the same reads and the same compiled SQL in plain DuckDB, one process.

The floor holds only reads and SQL, so refreshes are measured without the models of statistics as well.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from loupan.refresh_progress import read_progress
from loupan.refresh_state import read_state
from loupan.settings import Settings
from tests.benchmarks.change import change_some
from tests.benchmarks.company import Company, company, raw_rows
from tests.benchmarks.result import Cell, Measured, Table
from tests.benchmarks.stopwatch import watched_refresh
from tests.benchmarks.watch import Spent, watched

# An afternoon in the company's time zone: what follows within hours is of the same day, as most refreshes are.
_AS_OF = dt.datetime(2026, 6, 29, 6, tzinfo=dt.UTC)
_GIB, _MIB = 2**30, 2**20
# From here on parsing the project is nothing beside the work: the first refresh stands for all like it.
_LARGE = 50
# What a refresh is called in figures and in tables.
_KINDS = {
    "first": "`loupan refresh --full`, the first (parses the project)",
    "full": "`loupan refresh --full`",
    "incremental": "`loupan refresh` after 0.1 % changed rows",
    "unchanged": "`loupan refresh`, nothing changed",
    "next_day": "`loupan refresh` after 0.1 % changed rows, on the next day",
}


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Measure refreshes of a company of a scale whose CRM is on SQLite or PostgreSQL."""
    with company(folder, scale, source) as made:
        return _measure(made, scale)


def _measure(made: Company, scale: float) -> Measured:
    # Before all else: what is changed is loaded soon after what is full, as in life, while the system still has the
    # files of both in its memory.
    # A small company needs no more memory than a refresh may take.
    floor, *others = _floors(made, ["", *([made.settings.refresh_memory] if scale >= _LARGE else [])])
    held = others[0] if others else None
    spent: dict[tuple[str, bool], Spent] = {("first", True): made.refresh("--full", as_of=_later(0))}
    # To the second, which is enough where there is much to do; small companies are refreshed once more for it.
    steps = _steps_of_last(made) if scale >= _LARGE else None
    rows, changed = raw_rows(made), 0
    for hour, models in enumerate((True, False)):
        if models and scale >= _LARGE:
            spent["full", models] = spent.pop(("first", True))
        else:
            spent["full", models] = made.refresh("--full", as_of=_later(0), models=models)
        changed = change_some(made)
        # The clock goes on between refreshes, as it does for people.
        spent["incremental", models] = made.refresh(as_of=_later(2 * hour + 1), models=models)
        spent["unchanged", models] = made.refresh(as_of=_later(2 * hour + 2), models=models)
    change_some(made)
    spent["next_day", False] = made.refresh(as_of=_later(24), models=False)
    return Measured(
        (_refreshes(floor, held, spent, rows, changed), steps or _steps(made)),
        _figures(floor, held, spent, rows, changed),
    )


def _later(hours: int) -> str:
    return (_AS_OF + dt.timedelta(hours=hours)).isoformat()


def _figures(
    floor: Spent, held: Spent | None, spent: dict[tuple[str, bool], Spent], rows: int, changed: int
) -> dict[str, float]:
    figures: dict[str, float] = {"raw_rows": rows, "changed_rows": changed, "floor_seconds": floor.seconds}
    for (kind, models), taken in spent.items():
        name = kind if models else f"{kind}_without_models"
        figures |= {f"{name}_seconds": taken.seconds, f"{name}_gib": taken.memory / _GIB}
    for suffix in ("", "_without_models"):
        full = figures[f"full{suffix}_seconds"]
        figures[f"full{suffix}_to_floor"] = full / floor.seconds
        figures[f"incremental{suffix}_to_full"] = figures[f"incremental{suffix}_seconds"] / full
        if held:
            figures[f"full{suffix}_to_held_floor"] = full / held.seconds
    figures["most_gib"] = max(taken.memory for taken in spent.values()) / _GIB
    return figures


def _refreshes(
    floor: Spent, held: Spent | None, spent: dict[tuple[str, bool], Spent], rows: int, changed: int
) -> Table:
    lines = [_line("the floor: bare reads and SQL in plain DuckDB", None, floor, floor)]
    if held:
        lines.append(_line("the floor, with the memory that a refresh takes", None, held, floor))
    for (kind, models), taken in spent.items():
        lines.append(_line(_KINDS[kind], "with" if models else "without", taken, floor))
    return Table(
        "A refresh",
        ("work", "models of statistics", "seconds", "× the floor", "core-seconds", "peak memory, MiB"),
        tuple(lines),
        {"× the floor": 2},
        note=f"{rows:,} rows loaded; {changed:,} of them changed ({changed / rows:.2%}).",
    )


def _line(name: str, models: str | None, taken: Spent, floor: Spent) -> tuple[Cell, ...]:
    return (name, models, taken.seconds, taken.seconds / floor.seconds, taken.core_seconds, taken.memory // _MIB)


def _floors(made: Company, memories: Iterable[str]) -> list[Spent]:
    """Do the bare work once with each amount of memory that DuckDB may take; where it is empty, with what it takes.

    What it needs to know is gathered before the clock runs, in a folder of its own: the first refresh finds nothing.
    """
    with tempfile.TemporaryDirectory(dir=made.settings.data_dir) as folder:
        plan, target = Path(folder) / "plan.json", Path(folder) / "bare.duckdb"
        beside = made.settings.model_copy(update={"data_dir": Path(folder)})
        plan.write_text(json.dumps(plan_of(beside, _AS_OF)), encoding="utf-8")
        crm = made.settings.crm_database_url
        spent = []
        for memory in memories:
            command = [sys.executable, "-m", "tests.benchmarks.bare", crm, str(target), str(plan), memory]
            spent.append(watched(command, dict(os.environ)))
            target.unlink()
        return spent


def plan_of(settings: Settings, as_of: dt.datetime) -> dict:
    """Return what the bare work has to know: tables with columns and types, models in order, the as-of."""
    from pipelines.contract import read_contract

    contract = read_contract(_dbt_manifest(settings))
    return {
        "tables": {table.name: {c.name: c.data_type for c in table.columns} for table in contract.tables},
        "models": _compiled_models(settings),
        "as_of": as_of.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _dbt_manifest(settings: Settings) -> dict:
    """Return dbt's manifest of the project."""
    from pipelines import dbt_runner

    return dict(dbt_runner.read_manifest(settings))


def _compiled_models(settings: Settings) -> list[tuple[str, str, str]]:
    """Return relation (schema and name), kind (table, view) and compiled SQL of every model, in the order of building.

    The SQL names no database, so that it runs in any.
    """
    from pipelines import dbt_runner

    manifest = _dbt_manifest(settings)
    compiled = dbt_runner.compiled_sql(settings)
    return [
        (
            f'{model["schema"]}."{model["name"]}"',
            model["config"]["materialized"],
            compiled[model["unique_id"]].replace('"warehouse".', ""),
        )
        for model in (manifest["nodes"][key] for key in _in_order(manifest))
    ]


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


def _steps(made: Company) -> Table:
    return _table_of_steps((step.name, step.seconds) for step in watched_refresh(made.settings, _AS_OF))


def _steps_of_last(made: Company) -> Table:
    """Return the steps of the last refresh as it told of them itself."""
    state = read_state(made.settings)
    progress = read_progress(made.settings, state.refresh_id) if state else None
    return _table_of_steps(
        (step.name, (_moment(step.finished_at) - _moment(step.started_at)).total_seconds())
        for step in (progress.steps if progress else ())
    )


def _moment(told: str | None) -> dt.datetime:
    return dt.datetime.fromisoformat(str(told))


def _table_of_steps(steps: Iterable[tuple[str, float]]) -> Table:
    return Table(
        "Where the seconds of a full refresh go (imports done, with models)", ("step", "seconds"), tuple(steps)
    )
