"""Fixtures that every part of the tests shares."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from data_entry.database import create_engine_for
from loupan.cli import main
from loupan.settings import get_settings
from tests.support.crm import create_crm
from tests.support.postgres import PostgresServer, missing_programs, running_server
from tests.support.shared import begin_run

# How long an example takes is for the benchmarks to say.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
Run = Callable[..., tuple[int, str, str]]
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run fast tests first, then slow ones, then those that drive a browser."""
    items.sort(key=lambda item: ("slow" in item.keywords) + 2 * ("browser" in item.keywords))


def pytest_configure(config: pytest.Config) -> None:
    """Share one folder between the processes of a run; pytest-xdist's workers have a ``workerinput``."""
    if not hasattr(config, "workerinput"):
        begin_run()


@pytest.fixture(autouse=True)
def _own_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give every test a data folder of its own, and no settings of the person who runs it."""
    monkeypatch.setenv("LOUPAN_DATA_DIR", str(tmp_path / "var"))
    for name in ("LOUPAN_CRM_URL", "LOUPAN_TIME_ZONE"):
        monkeypatch.delenv(name, raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server whose own time zone is not UTC."""
    reason = missing_programs()
    if reason:
        pytest.skip(reason)
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """SQLAlchemy URL of a fresh empty database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """SQLAlchemy URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'crm.sqlite'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def crm_place(request: pytest.FixtureRequest) -> Iterator[str]:
    """SQLAlchemy URL where nothing is, not even an empty database, on each engine; for `create_crm`."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server = request.getfixturevalue("postgres_server")
    url = server.new_url()
    yield url
    server.drop_database(url)


@pytest.fixture
def crm_url(crm_place: str, request: pytest.FixtureRequest) -> str:
    """SQLAlchemy URL of an empty place, on each engine."""
    if not crm_place.startswith("sqlite"):
        request.getfixturevalue("postgres_server").create_database(crm_place)
    return crm_place


@pytest.fixture
def crm(crm_place: str) -> Iterator[sa.Engine]:
    """A CRM with the ready-made roles and nothing else, on each engine."""
    engine = create_engine_for(crm_place)
    create_crm(engine, with_roles=True)
    yield engine
    engine.dispose()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs is not allowed here")
    yield disk
    # A lock of this process may still be open there.
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is not here")
    return SHARED_DATA


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``loupan`` in this process with arguments; return exit code, stdout and stderr."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["loupan", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run_command
