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
    """A cluster that can be stopped and started again."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self._folder = port, folder

    @property
    def pids(self) -> list[int]:
        """Its processes, the one that listens first."""
        leader = int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        return [leader, *map(int, children)]

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c timezone=Asia/Tokyo "
            # Nothing has to survive a crash of the machine.
            "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_wal_size=4GB "
            "-c checkpoint_timeout=1h"
        )
        self._control("-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: ``fast`` breaks off what is being done, ``immediate`` is a crash."""
        self._control("-m", mode, "stop")

    def _control(self, *arguments: str) -> None:
        pg_ctl = _program("pg_ctl")
        assert pg_ctl
        _run(_as_server_user([pg_ctl, "-D", str(self._folder / "data"), *arguments]))

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://loupan@127.0.0.1:{self.port}/{database}"

    def new_url(self) -> str:
        """Return the SQLAlchemy URL of a database that does not exist yet."""
        return self.url(f"crm_{uuid.uuid4().hex[:12]}")

    def create_database(self, url: str | None = None, template: str | None = None) -> str:
        """Create a database, at a new URL or the one given, and return its URL.

        It is empty, or a copy of the one at the URL ``template``.
        """
        url = url or self.new_url()
        name = url.rpartition("/")[2]
        copied = f' TEMPLATE "{template.rpartition("/")[2]}" STRATEGY FILE_COPY' if template else ""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="loupan", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"{copied}')
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
    initdb = _program("initdb")
    assert initdb
    _run(
        _as_server_user(
            [
                *(initdb, "-D", str(folder / "data"), "-U", "loupan", "--auth=trust", "--encoding=UTF8"),
                *("--no-locale", "--no-sync"),
            ]
        ),
    )
    server = PostgresServer(_free_port(), folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
