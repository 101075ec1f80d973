"""What each tool does from the CRM to the answers, step by step, as commands."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.company import LOUPAN, Company
from tests.benchmarks.peers.environments import DLT, PROGRAMS, SQLMESH, clean
from tests.benchmarks.peers.questions import QUESTIONS
from tests.benchmarks.watch import Spent, watched

_HERE = "tests.benchmarks.peers"


@dataclass(frozen=True)
class Step:
    """A command of a tool.

    Attributes:
        name: what it does.
        told: the command as a person types it.
        command: program and arguments.
        environment: all its variables.
        folder: where it is run, None for anywhere.
    """

    name: str
    told: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path | None = None

    def run(self) -> Spent:
        """Run it and return what it took."""
        return watched(self.command, self.environment, folder=self.folder)


@dataclass(frozen=True)
class Run:
    """A state of the CRM that is to be answered from.

    Attributes:
        crm: SQLAlchemy URL.
        as_of: ISO 8601.
        is_first: nothing was loaded before.
        answers: file to write.
    """

    crm: str
    as_of: str
    is_first: bool
    answers: Path


@dataclass(eq=False)
class Tool:
    """A way from the CRM to the answers.

    Attributes:
        name: in tables.
        folder: of its own.
        checks: what it checks on the way, in words.
        versions: of what it is made of.
    """

    name: str
    folder: Path
    checks: str
    versions: str = ""
    plan: Mapping[str, object] = field(default_factory=dict)

    def steps(self, run: Run) -> list[Step]:
        """Return its commands in order, the last of which writes the answers."""
        raise NotImplementedError


class Loupan(Tool):
    """Ours, without the models of statistics: no other tool has them."""

    def __init__(self, made: Company) -> None:
        super().__init__(
            "Loupan", made.settings.data_dir, "rules of raw rows, Great Expectations, dbt tests", _of_ours("duckdb")
        )
        self._made = made

    def steps(self, run: Run) -> list[Step]:
        """Refresh and ask the gateway."""
        variables = self._made.environment | {"LOUPAN_WITHOUT_MODELS": "*"}
        options = ["--full"] if run.is_first else []
        ask = [sys.executable, "-m", f"{_HERE}.our_answers", str(self.folder), str(run.answers)]
        return [
            Step(
                "load, check, build, test, publish",
                " ".join(["loupan refresh", *options]),
                [LOUPAN, "refresh", *options, "--as-of", run.as_of],
                variables,
            ),
            Step("answer", f"python -m {_HERE}.our_answers", ask, variables),
        ]


class Pandas(Tool):
    """The tables that the questions need, read and computed in one process."""

    def __init__(self, folder: Path, source: str) -> None:
        super().__init__("pandas", folder, "none", _of_ours("pandas", f"adbc-driver-{source}"))

    def steps(self, run: Run) -> list[Step]:
        """Read and compute, everything each time."""
        module = f"{_HERE}.pandas_answers"
        command = [sys.executable, "-m", module, run.crm, run.as_of, str(run.answers)]
        return [Step("read, compute, answer", f"python -m {module}", command, clean_of_settings())]


class DltDbt(Tool):
    """dlt loads into DuckDB, dbt's own command builds and tests our models there."""

    def __init__(self, folder: Path, plan: Mapping[str, object], project: Path) -> None:
        super().__init__("dlt + dbt-duckdb", folder, "dbt tests", DLT.versions(), plan)
        self._project = str(project)

    def steps(self, run: Run) -> list[Step]:
        """Load, build, ask."""
        warehouse, target = self.folder / "warehouse.duckdb", str(self.folder / "target")
        places = ["--project-dir", self._project, "--profiles-dir", self._project, "--target", "duckdb"]
        build = [DLT.program("dbt"), "build", "--exclude-resource-type", "unit_test", *places]
        return [
            _loaded_by_dlt(DLT.python, self, run, warehouse),
            Step(
                "build and test",
                "dbt build --exclude-resource-type unit_test",
                [*build, "--target-path", target, "--log-path", target],
                clean(LOUPAN_WAREHOUSE_PATH=str(warehouse)),
            ),
            _asked_of_marts(DLT.python, self, run, warehouse),
        ]


class DltSqlmesh(Tool):
    """dlt loads into DuckDB, sqlmesh builds our dbt project there and audits it with the project's tests."""

    def __init__(self, folder: Path, plan: Mapping[str, object], project: Path) -> None:
        super().__init__("dlt + sqlmesh (its dbt adapter)", folder, "dbt tests, as audits", SQLMESH.versions(), plan)
        self._project = folder / "project"
        shutil.copytree(project, self._project)
        # What `sqlmesh init --template dbt` writes; JSON is YAML as well.
        (self._project / "sqlmesh.yaml").write_text(json.dumps({"model_defaults": {"start": "2020-01-01"}}))

    def steps(self, run: Run) -> list[Step]:
        """Load, apply the plan, ask; later all models are restated: a plan that knows no change runs once a day."""
        warehouse = self.folder / "warehouse.duckdb"
        again = [f"--restate-model={schema}.*" for schema in ("staging", "intermediate", "marts")]
        plan = ["plan", "--auto-apply", "--no-prompts", *([] if run.is_first else again)]
        told = " ".join(["sqlmesh", *plan[:3], *([] if run.is_first else ["--restate-model …"])])
        variables = clean(LOUPAN_WAREHOUSE_PATH=str(warehouse))
        return [
            _loaded_by_dlt(SQLMESH.python, self, run, warehouse),
            Step("build and audit", told, [SQLMESH.program("sqlmesh"), *plan], variables, self._project),
            _asked_of_marts(SQLMESH.python, self, run, warehouse),
        ]


def clean_of_settings() -> dict[str, str]:
    """Return the environment variables of a program that imports from this tree, without settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOUPAN_")}


def _of_ours(*packages: str) -> str:
    return ", ".join(f"{package} {version(package)}" for package in packages)


def _loaded_by_dlt(python: str, tool: Tool, run: Run, warehouse: Path) -> Step:
    plan = tool.folder / "plan.json"
    plan.write_text(json.dumps({"tables": tool.plan["tables"], "as_of": run.as_of}), encoding="utf-8")
    disposition = "replace" if run.is_first else "merge"
    program, pipelines = str(PROGRAMS / "dlt_load.py"), str(tool.folder / "pipelines")
    command = [python, program, run.crm, str(warehouse), str(plan), pipelines, disposition]
    told = f"python dlt_load.py … {disposition}"
    return Step("load", told, command, clean(DLT_DATA_DIR=str(tool.folder / "dlt")))


def _asked_of_marts(python: str, tool: Tool, run: Run, warehouse: Path) -> Step:
    questions = tool.folder / "questions.json"
    asked = {question.metric: question.sql("marts.") for question in QUESTIONS}
    questions.write_text(json.dumps(asked), encoding="utf-8")
    command = [python, str(PROGRAMS / "ask_marts.py"), str(warehouse), str(questions), str(run.answers)]
    return Step("answer", "python ask_marts.py", command, clean())
