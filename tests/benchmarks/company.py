"""The sample company that is measured, on SQLite or on PostgreSQL, and the command that works on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from loupan.errors import LoupanError
from loupan.settings import Settings
from loupan.snapshot import current
from tests.benchmarks.watch import FailedError, Spent, watched
from tests.support.postgres import missing_programs, running_server

SOURCES = ("sqlite", "postgresql")
DAY = "2026-06-30"
# Midnight in the company's time zone.
MOMENT = f"{DAY}T16:00:00+00:00"
LOUPAN = str(Path(sys.executable).with_name("loupan"))


class MissingError(LoupanError):
    """Something that a part measures is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Company:
    """A company that can be refreshed.

    Attributes:
        settings: data folder and CRM.
        source: the engine of its CRM.
        further: environment variables of all its commands.
    """

    settings: Settings
    source: str
    further: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of its commands: no setting of whoever measures is in it."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("LOUPAN_")}
        places = {
            "LOUPAN_DATA_DIR": str(self.settings.data_dir),
            "LOUPAN_WAREHOUSE_PATH": str(self.settings.warehouse_path),
            "DO_NOT_TRACK": "1",
        }
        if self.settings.crm_url:
            places["LOUPAN_CRM_URL"] = self.settings.crm_url
        return {**own, **places, **self.further}

    def loupan(self, *arguments: str, **variables: str) -> Spent:
        """Run the command and return what it took."""
        return watched([LOUPAN, *arguments], self.environment | variables)

    def refresh(self, *options: str, as_of: str = MOMENT, models: bool = True) -> Spent:
        """Refresh, with the models of statistics or without.

        Raises:
            FailedError: if it fails, or a model does, which would be measured as a fast one.
        """
        variables = {} if models else {"LOUPAN_WITHOUT_MODELS": "*"}
        spent = self.loupan("refresh", *options, "--as-of", as_of, **variables)
        if failed := failed_models(self.settings):
            raise FailedError(f"The refresh was published without what these models say: {', '.join(failed)}")
        return spent


@contextmanager
def company(folder: Path, scale: float, source: str = "sqlite", seed: int = 1) -> Iterator[Company]:
    """Make the sample company in a folder; one that is kept there from the last time is taken as it stands.

    Raises:
        MissingError: if there is no PostgreSQL to run it on.
    """
    if source == "sqlite":
        made = Company(Settings(data_dir=folder, crm_url=""), source)
        if not (folder / "crm.sqlite").exists():
            _fill(made, scale, seed)
        yield made
        return
    if missing := missing_programs():
        raise MissingError(f"PostgreSQL cannot be measured: {missing}.")
    with running_server() as server:
        made = Company(Settings(data_dir=folder, crm_url=server.create_database()), source)
        _fill(made, scale, seed)
        yield made


def _fill(made: Company, scale: float, seed: int) -> None:
    made.loupan("crm", "init")
    made.loupan("sample", "--scale", f"{scale:g}", "--seed", str(seed), "--as-of", DAY)


def failed_models(settings: Settings) -> list[str]:
    """Return the checks of what is published that say that a model failed."""
    checks = current(settings).report["checks"]
    return [check["name"] for check in checks if check["name"].startswith("model/") and not check["passed"]]


def raw_rows(made: Company) -> int:
    """Return how many rows a refreshed company has loaded."""
    with duckdb.connect(str(made.settings.warehouse_path), read_only=True) as warehouse:
        counts: Sequence[tuple[int]] = warehouse.execute(
            "select estimated_size from duckdb_tables() where schema_name = 'raw'"
        ).fetchall()
    return sum(count for (count,) in counts)
