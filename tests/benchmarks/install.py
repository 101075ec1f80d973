"""A fresh installation: how long it takes, how large it is, how soon its commands and its web app answer."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.benchmarks.company import Company, company
from tests.benchmarks.result import Cell, Measured, Table
from tests.benchmarks.watch import Spent, brief, watched

_ROOT = Path(__file__).resolve().parents[2]
_UV = str(Path(sys.executable).with_name("uv"))
_MIB = 2**20
_SHOWN = 8
REPEATS = 9
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("--help",),
    ("status",),
    ("snapshots", "list"),
    ("metrics", "list"),
    ("metrics", "query", "leads"),
    ("refresh", "--help"),
    ("crm", "--help"),
    ("serve", "--help"),
)
_PATIENCE = 300


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Install, then start the commands of that installation on a published company of a scale."""
    environment = folder / "environment"
    shutil.rmtree(environment, ignore_errors=True)
    steps = _install(folder, environment)
    with company(folder / "company", scale) as made:
        made.refresh(models=False)
        starting = measure_starts(made, environment)
    figures = {"install_seconds": sum(spent.seconds for _, _, spent in steps)}
    return Measured((_steps_table(steps), _sizes(environment), *starting.tables), figures | starting.figures)


def measure_starts(made: Company, environment: Path) -> Measured:
    """Start the commands and the web app of an environment on a published company."""
    commands = [(arguments, _started(made, environment, arguments)) for arguments in COMMANDS]
    served = _served(made, environment)
    figures = {"help_seconds": commands[0][1][0], "serve_seconds": served[-1][1]}
    return Measured((_starts(commands), _serving(served)), figures)


def _install(folder: Path, environment: Path) -> list[tuple[str, str, Spent]]:
    """Do what ``make install`` does, from a clean checkout."""
    checkout = folder / "checkout"
    shutil.rmtree(checkout, ignore_errors=True)
    checkout.mkdir(parents=True)
    tracked = subprocess.run(["git", "archive", "HEAD"], cwd=_ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=checkout, input=tracked, check=True)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    variables |= {"UV_LINK_MODE": "copy"}
    variables.pop("PYTHONPATH", None)
    install = [_UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(environment / "bin" / "python")]
    steps = (
        ("an empty environment", [sys.executable, "-m", "venv", "--without-pip", str(environment)]),
        ("packages, compiled to bytecode", [*install, "-r", str(checkout / "requirements" / "run.txt")]),
        ("Loupan itself", [*install, "--no-deps", str(checkout)]),
    )
    return [(name, _told(command), watched(command, variables)) for name, command in steps]


def _told(command: Sequence[str]) -> str:
    return " ".join(Path(part).name if part.startswith("/") else part for part in command)


def _steps_table(steps: Sequence[tuple[str, str, Spent]]) -> Table:
    return Table(
        "A fresh install",
        ("step", "command", "seconds", "core-seconds"),
        tuple((name, f"`{told}`", spent.seconds, spent.core_seconds) for name, told, spent in steps),
    )


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def _sizes(environment: Path) -> Table:
    packages = next(environment.glob("lib/python*/site-packages"))
    sizes = sorted(((_size(path), path.name) for path in packages.iterdir() if path.is_dir()), reverse=True)
    compiled = sum(file.stat().st_size for file in environment.rglob("*.pyc"))
    rows: list[tuple[Cell, ...]] = [("all of it", _size(environment) / _MIB), ("of it bytecode", compiled / _MIB)]
    rows += [(name, size / _MIB) for size, name in sizes[:_SHOWN]]
    count = len(list(packages.glob("*.dist-info")))
    return Table("Its size, and the largest packages", ("", "MiB"), tuple(rows), note=f"{count} packages.")


def _started(made: Company, environment: Path, arguments: Sequence[str]) -> tuple[float, float]:
    command = [str(environment / "bin" / "loupan"), *arguments]
    variables = {name: value for name, value in made.environment.items() if name != "PYTHONPATH"}
    runs = [brief(command, variables) for _ in range(REPEATS)]
    seconds, core_seconds = (statistics.median(values) for values in zip(*runs, strict=True))
    return seconds, core_seconds


def _starts(commands: Sequence[tuple[Sequence[str], tuple[float, float]]]) -> Table:
    return Table(
        "Commands, each in a process of its own",
        ("command", "seconds", "core-seconds"),
        tuple((f"`loupan {' '.join(arguments)}`", *taken) for arguments, taken in commands),
        {"seconds": 2, "core-seconds": 2},
        note=f"Medians of {REPEATS}.",
    )


def _served(made: Company, environment: Path) -> list[tuple[str, float]]:
    """Return the seconds from the start of the web app until it answers, by what is asked for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    variables = {name: value for name, value in made.environment.items() if name != "PYTHONPATH"}
    start = time.perf_counter()
    command = [str(environment / "bin" / "loupan"), "serve", "--port", str(port)]
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            return [(path, _answered(port, path) - start) for path in ("/healthz", "/login")]
        finally:
            server.send_signal(signal.SIGTERM)


def _answered(port: int, path: str) -> float:
    """Ask until there is an answer that is no error; return when that was."""
    deadline = time.perf_counter() + _PATIENCE
    while time.perf_counter() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        with suppress(OSError):
            connection.request("GET", path)
            if connection.getresponse().status < http.HTTPStatus.BAD_REQUEST:
                return time.perf_counter()
        connection.close()
        time.sleep(0.02)
    raise TimeoutError(f"loupan serve did not answer {path} within {_PATIENCE} s")


def _serving(served: Sequence[tuple[str, float]]) -> Table:
    rows = tuple((f"`{path}`", seconds) for path, seconds in served)
    return Table("`loupan serve`, from its start until it answers (seconds)", ("asked for", "seconds"), rows)
