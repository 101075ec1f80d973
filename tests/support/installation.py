"""A whole installation made by the ``loupan`` command as a person would make it, and its web app."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from data_entry import demo_accounts
from tests.support.command import Command
from tests.support.shared import made_once

AS_OF = "2026-06-30"
LOUPAN = Path(sys.executable).with_name("loupan")
_MINUTES = 60
# Running servers' data folders, and the servers, by address.
_DATA_DIRS: dict[str, Path] = {}
_SERVERS: dict[str, Command] = {}


def run_loupan(data_dir: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run the command on a data folder and return what it printed; fail with all it said if it failed."""
    command = Command(arguments, {**_environment(data_dir), **(environment or {})})
    out, err = command.communicate(timeout=10 * _MINUTES)
    assert command.returncode == 0, f"loupan {' '.join(arguments)}: {command.returncode}\n{out}\n{err}"
    return out


def _make_crm(data_dir: Path) -> None:
    run_loupan(data_dir, "crm", "init")
    run_loupan(data_dir, "sample", "--scale", "0.03", "--seed", "1", "--as-of", AS_OF)
    run_loupan(data_dir, "account", "demo")


def demonstrate(data_dir: Path, scale: float) -> None:
    """Make a published sample company of a scale with an account per role."""
    run_loupan(data_dir, "crm", "init")
    run_loupan(data_dir, "sample", "--scale", f"{scale:g}", "--seed", "1", "--as-of", AS_OF)
    run_loupan(data_dir, "account", "demo")
    run_loupan(data_dir, "refresh", "--as-of", f"{AS_OF}T16:00:00")


def crm_installation() -> Path:
    """Return the data folder of a sample CRM with an account per role and nothing published."""
    return made_once("crm", _make_crm)


def _make_sample(data_dir: Path) -> None:
    copy_crm(crm_installation(), data_dir)
    run_loupan(data_dir, "refresh", "--as-of", f"{AS_OF}T16:00:00")


def sample_installation() -> Path:
    """Return the data folder of a published sample company."""
    return made_once("sample", _make_sample)


def _make_empty(data_dir: Path) -> None:
    run_loupan(data_dir, "crm", "init")
    # What dbt knows of the project need not be found out again.
    shutil.copytree(sample_installation() / "dbt", data_dir / "dbt")
    run_loupan(data_dir, "refresh", "--as-of", f"{AS_OF}T16:00:00")


def empty_installation() -> Path:
    """Return the data folder of a published company that has entered nothing."""
    return made_once("empty", _make_empty)


def copy_crm(source: Path, target: Path) -> None:
    """Copy the CRM of an installation with its accounts, as they stand."""
    with (
        closing(sqlite3.connect(source / "crm.sqlite")) as whole,
        closing(sqlite3.connect(target / "crm.sqlite")) as copy,
    ):
        whole.backup(copy)
    shutil.copy(source / demo_accounts.FILE, target / demo_accounts.FILE)


def data_dir_at(address: str) -> Path:
    """Return the data folder of a running server."""
    return _DATA_DIRS[address]


def passwords_at(address: str) -> dict[str, str]:
    """Return the passwords of the demonstration accounts of a running server, by login."""
    return demo_accounts.passwords(_DATA_DIRS[address])


def said_at(address: str) -> str:
    """Return what a running server has written until now, output and errors."""
    return "".join(_SERVERS[address].output())


def imported_installation(name: str, source_dir: Path, as_of: str) -> Path:
    """Return the data folder of a published import.

    Args:
        name: a folder of ``sample_data/imports``.
        source_dir: the files it reads.
        as_of: moment of the statistics, ISO 8601 in UTC.
    """

    def make(data_dir: Path) -> None:
        imports = Path(__file__).parents[2] / "sample_data" / "imports" / name
        run_loupan(data_dir, "crm", "init")
        run_loupan(data_dir, "import", str(imports), "--source-dir", str(source_dir))
        run_loupan(data_dir, "refresh", "--as-of", as_of)

    return made_once(f"import-{name}", make)


@contextmanager
def running_server(data_dir: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run ``loupan serve``, with settings of its own, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Command(["serve", "--port", str(port)], {**_environment(data_dir), **(environment or {})})
    try:
        _wait(server, port)
        address = f"http://127.0.0.1:{port}"
        _DATA_DIRS[address], _SERVERS[address] = data_dir, server
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def _wait(server: Command, port: int) -> None:
    deadline = time.monotonic() + 2 * _MINUTES
    while time.monotonic() < deadline:
        assert server.returncode is None, f"loupan serve stopped:\n{server.output()}"
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/_stcore/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"loupan serve did not answer:\n{server.output()}")


def _environment(data_dir: Path) -> Mapping[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOUPAN_")}
    return own | {"LOUPAN_DATA_DIR": str(data_dir)}
