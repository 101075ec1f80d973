"""The environments of other tools, each its own because their requirements exclude each other and ours."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.company import MissingError

_ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(__file__).with_name("programs")
_SILENT = {
    "DO_NOT_TRACK": "1",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "true",
}
_VERSIONS = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with a tool.

    Attributes:
        name: as in ``requirements/peers-<name>.txt``.
        packages: whose versions are told.
        root: where the environments lie.
    """

    name: str
    packages: tuple[str, ...]
    root: Path = _ROOT

    @property
    def python(self) -> str:
        """Its interpreter."""
        return self.program("python")

    def program(self, name: str) -> str:
        """Return the path of one of its programs.

        Raises:
            MissingError: if the environment has not been made.
        """
        path = self.root / f".venv-peers-{self.name}" / "bin" / name
        if not path.exists():
            raise MissingError(f"The environment of {self.name} is missing: there is no {path}. Run `make peers`.")
        return str(path)

    def versions(self) -> str:
        """Return its packages with their versions, as text."""
        done = subprocess.run(
            [self.python, "-c", _VERSIONS, *self.packages], capture_output=True, text=True, check=True, env=clean()
        )
        return ", ".join(f"{name} {version}" for name, version in json.loads(done.stdout).items())


DLT = Environment("dlt", ("dlt", "dbt-core", "dbt-duckdb", "duckdb"))
SQLMESH = Environment("sqlmesh", ("dlt", "sqlmesh", "dbt-core", "duckdb"))
SUPERSET = Environment("superset", ("apache-superset", "duckdb-engine", "duckdb"))


def clean(**further: str) -> dict[str, str]:
    """Return the environment variables of a program that has nothing of ours, and tells nobody of its use."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LOUPAN_", "PYTHONPATH"))}
    return own | _SILENT | further
