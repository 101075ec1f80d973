"""A whole installation made by the ``loupan`` command as a person would make it, and its web app."""

from __future__ import annotations

import functools
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

AS_OF = "2026-06-30"
LOUPAN = Path(sys.executable).with_name("loupan")
_MINUTES = 60


def run_loupan(data_dir: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run the command on a data folder and return what it printed; fail with all it said if it failed."""
    done = subprocess.run(
        [LOUPAN, *arguments],
        env={**_environment(data_dir), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=10 * _MINUTES,
        check=False,
    )
    assert done.returncode == 0, f"loupan {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@functools.cache
def sample_installation() -> Path:
    """Return the data folder of a published sample company, made once per test session."""
    data_dir = Path(tempfile.mkdtemp(prefix="loupan-sample-"))
    run_loupan(data_dir, "crm", "init")
    run_loupan(data_dir, "sample", "--scale", "0.03", "--seed", "1", "--as-of", AS_OF)
    run_loupan(data_dir, "refresh", "--as-of", f"{AS_OF}T16:00:00")
    return data_dir


@functools.cache
def imported_installation(name: str, source_dir: Path, as_of: str) -> Path:
    """Return the data folder of a published import, made once per test session.

    Args:
        name: a folder of ``sample_data/imports``.
        source_dir: the files it reads.
        as_of: moment of the statistics, ISO 8601 in UTC.
    """
    data_dir = Path(tempfile.mkdtemp(prefix=f"loupan-{name}-"))
    imports = Path(__file__).parents[2] / "sample_data" / "imports" / name
    run_loupan(data_dir, "crm", "init")
    run_loupan(data_dir, "import", str(imports), "--source-dir", str(source_dir))
    run_loupan(data_dir, "refresh", "--as-of", as_of)
    return data_dir


@contextmanager
def running_server(data_dir: Path) -> Iterator[str]:
    """Run ``loupan serve`` and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = data_dir / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [LOUPAN, "serve", "--port", str(port)], env=_environment(data_dir), stdout=output, stderr=output
        )
        try:
            _wait(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 2 * _MINUTES
    while time.monotonic() < deadline:
        assert process.poll() is None, f"loupan serve stopped:\n{log.read_text()}"
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/_stcore/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"loupan serve did not answer:\n{log.read_text()}")


def _environment(data_dir: Path) -> Mapping[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOUPAN_")}
    return own | {"LOUPAN_DATA_DIR": str(data_dir)}
