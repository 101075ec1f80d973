"""The comparison: from the CRM to the answers and again after some rows changed, then the reading side."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tests.benchmarks.change import change_some
from tests.benchmarks.company import MOMENT, Company, company
from tests.benchmarks.peers import reading
from tests.benchmarks.peers.environments import DLT, SQLMESH, SUPERSET
from tests.benchmarks.peers.questions import Answers, differences, read_answers
from tests.benchmarks.peers.tools import DltDbt, DltSqlmesh, Loupan, Pandas, Run, Step, Tool
from tests.benchmarks.refresh import plan_of
from tests.benchmarks.result import Cell, Measured, Table
from tests.benchmarks.watch import Spent

_AS_OF = dt.datetime.fromisoformat(MOMENT)
_LATER = _AS_OF + dt.timedelta(hours=1)
_MIB = 2**20
_NOTE = (
    "Times Loupan goes by core-seconds. Again: after {changed:,} changed rows, an hour later; pandas keeps nothing and"
    " does all of it again. Loupan, dbt and sqlmesh build all {models} models (every metric by every dimension); pandas"
    " computes the eight questions alone, reads only the columns for them, and knows no rows in quarantine. Models of"
    " statistics are switched off. Counts must be equal exactly, money to the cent, numerator and denominator each."
)
Taken = list[tuple[Step, Spent]]


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Compare the tools on a company of a scale.

    Raises:
        MissingError: if the environment of a tool has not been made.
    """
    for environment in (DLT, SQLMESH, SUPERSET):
        environment.program("python")
    with company(folder / "loupan", scale, source) as made:
        return _compared(made, folder)


def _compared(made: Company, folder: Path) -> Measured:
    ours = Loupan(made)
    first, expected = _run(ours, _asked(made, folder, "loupan-first", _AS_OF, is_first=True))
    plan = plan_of(made.settings, _AS_OF)
    tools: list[Tool] = [
        Pandas(_made(folder / "pandas"), made.source),
        DltDbt(_made(folder / "dlt"), plan, made.settings.dbt_project_dir),
        DltSqlmesh(_made(folder / "sqlmesh"), plan, made.settings.dbt_project_dir),
    ]
    taken: dict[Tool, list[Taken]] = {ours: [first]}
    problems: dict[Tool, list[str]] = {ours: []}
    _go(tools, made, folder, _AS_OF, expected, taken, problems)
    changed = change_some(made)
    again, expected = _run(ours, _asked(made, folder, "loupan-again", _LATER, is_first=False))
    taken[ours].append(again)
    _go(tools, made, folder, _LATER, expected, taken, problems)
    read, figures = reading.measure(made, folder, _LATER)
    return Measured(
        (_summary(taken, problems, changed, len(plan["models"])), _steps(taken), read), figures | _figures(taken)
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _asked(made: Company, folder: Path, name: str, as_of: dt.datetime, *, is_first: bool) -> Run:
    return Run(made.settings.crm_database_url, as_of.isoformat(), is_first, folder / f"{name}.json")


def _run(tool: Tool, run: Run) -> tuple[Taken, Answers]:
    taken = [(step, step.run()) for step in tool.steps(run)]
    return taken, read_answers(run.answers)


def _go(
    tools: list[Tool],
    made: Company,
    folder: Path,
    as_of: dt.datetime,
    expected: Answers,
    taken: dict[Tool, list[Taken]],
    problems: dict[Tool, list[str]],
) -> None:
    for tool in tools:
        is_first = tool not in taken
        name = f"{tool.folder.name}-{'first' if is_first else 'again'}"
        spent, answers = _run(tool, _asked(made, folder, name, as_of, is_first=is_first))
        taken.setdefault(tool, []).append(spent)
        problems.setdefault(tool, []).extend(differences(expected, answers))


def _seconds(taken: Taken) -> float:
    return sum(spent.seconds for _, spent in taken)


def _core_seconds(taken: Taken) -> float:
    return sum(spent.core_seconds for _, spent in taken)


def _summary(taken: dict[Tool, list[Taken]], problems: dict[Tool, list[str]], changed: int, models: int) -> Table:
    rows: list[tuple[Cell, ...]] = []
    ours = [_core_seconds(run) for run in next(iter(taken.values()))]
    for tool, (first, again) in taken.items():
        most = max(spent.memory for run in (first, again) for _, spent in run)
        cores = (_core_seconds(first), _core_seconds(again))
        numbers = (
            *(_seconds(first), cores[0], cores[0] / ours[0]),
            *(_seconds(again), cores[1], cores[1] / ours[1]),
            most // _MIB,
        )
        rows.append((tool.name, *numbers, tool.checks, "; ".join(problems[tool]) or "equal", tool.versions))
    columns = (
        *("", "first, s", "first, core-seconds", "first, × Loupan"),
        *("again, s", "again, core-seconds", "again, × Loupan"),
        *("peak memory, MiB", "checks on the way", "answers", "versions"),
    )
    return Table(
        "From the CRM to the answers of eight questions",
        columns,
        tuple(rows),
        {"first, × Loupan": 2, "again, × Loupan": 2},
        note=_NOTE.format(changed=changed, models=models),
    )


def _steps(taken: dict[Tool, list[Taken]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for tool, runs in taken.items():
        for when, run in zip(("first", "again"), runs, strict=True):
            rows += [(tool.name, when, step.name, f"`{step.told}`", spent.seconds) for step, spent in run]
    return Table("Step by step", ("", "", "step", "command", "seconds"), tuple(rows))


def _figures(taken: dict[Tool, list[Taken]]) -> dict[str, float]:
    figures = {}
    for tool, runs in taken.items():
        name = tool.folder.name
        for when, run in zip(("first", "again"), runs, strict=True):
            figures[f"{name}_{when}_seconds"] = _seconds(run)
    return figures
