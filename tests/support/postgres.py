"""A real PostgreSQL server for the tests: one cluster per session, one empty database per test."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


def _program(name: str) -> str | None:
    found = shutil.which(name)
    if found:
        return found
    candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(candidates[-1]) if candidates else None


def missing_programs() -> str | None:
    """Say what keeps the server from starting here, or None."""
    for name in ("initdb", "pg_ctl"):
        if _program(name) is None:
            return f"PostgreSQL's {name} is not installed (Debian: apt-get install postgresql)"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL does not run as root and there is no user 'postgres'"
    return None


def _as_server_user(command: list[str]) -> list[str]:
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def _run(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, cwd="/")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresServer:
    """A running cluster."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://loupan@127.0.0.1:{self.port}/{database}"

    def new_url(self) -> str:
        """Return the SQLAlchemy URL of a database that does not exist yet."""
        return self.url(f"crm_{uuid.uuid4().hex[:12]}")

    def create_database(self, url: str | None = None) -> str:
        """Create an empty database, at a new URL or the one given, and return its URL."""
        url = url or self.new_url()
        name = url.rpartition("/")[2]
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="loupan", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return url

    def drop_database(self, url: str) -> None:
        name = url.rpartition("/")[2]
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="loupan", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="loupan-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data, port = folder / "data", _free_port()
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    assert initdb
    assert pg_ctl
    _run(
        _as_server_user(
            [initdb, "-D", str(data), "-U", "loupan", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        ),
    )
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c timezone=Asia/Tokyo "
        # Nothing has to survive a crash of the machine.
        "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_wal_size=4GB -c checkpoint_timeout=1h"
    )
    _run(_as_server_user([pg_ctl, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start"]))
    try:
        yield PostgresServer(port)
    finally:
        _run(_as_server_user([pg_ctl, "-D", str(data), "-m", "immediate", "stop"]))
        shutil.rmtree(folder, ignore_errors=True)
