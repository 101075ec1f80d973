"""Several processes that serve one web app behind a balancer: what they share, and which of them this process is.

They share a folder that lives as long as they do: a key, counts of attempts, metrics. All else that they have in common
is in the CRM and in the published snapshot, as with one process.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loupan.errors import LoupanError
from loupan.files import replace_text

CLIENT_HEADER = "x-loupan-client"
"""Address and port of who asked the balancer, as ``192.0.2.7:51234``: it replaces whatever a request brings."""
SETUP_TOKEN = "LOUPAN_FIRST_ADMINISTRATOR"  # noqa: S105 - the name of a variable
"""Variable that carries what opens the page for the first administrator, from `loupan serve` to the processes."""
_PREFIX = "web-"


class WorkerError(LoupanError):
    """A process cannot join the others; the message says why and what to do."""


def names(processes: int) -> tuple[str, ...]:
    """Return what the processes are called: ``web-1``, ``web-2`` and so on."""
    return tuple(f"{_PREFIX}{number}" for number in range(1, processes + 1))


@dataclass(frozen=True)
class Shared:
    """The folder that the processes share.

    Attributes:
        folder: where it is; its owner's alone.
    """

    folder: Path

    @property
    def counts(self) -> Path:
        """SQLite file of attempts that are counted over all processes."""
        return self.folder / "counts.sqlite"

    @property
    def metrics(self) -> Path:
        """Folder in which each process keeps its numbers for Prometheus."""
        return self.folder / "metrics"

    @property
    def _key_file(self) -> Path:
        return self.folder / "key"

    def make(self) -> None:
        """Make it anew, with another key: what processes of before left there says nothing of these."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        self.metrics.mkdir()
        descriptor = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))

    def key(self, purpose: str) -> bytes:
        """Return the processes' common key for a purpose, 32 bytes.

        Raises:
            WorkerError: if there is none: the folder is made before the first of the processes starts.
        """
        try:
            key = self._key_file.read_bytes()
        except OSError as error:
            raise WorkerError(
                f"{self._key_file} cannot be read: {error.strerror}. Start the web app with `loupan serve` or `loupan "
                "service`, which make it."
            ) from error
        return hmac.digest(key, purpose.encode(), hashlib.sha256)

    def write_pid(self, name: str, pid: int) -> None:
        """Note which process a name belongs to."""
        replace_text(self.folder / f"{name}.pid", str(pid))

    def pids(self) -> dict[str, int]:
        """Return the process of each name, also of one that has just died."""
        files = self.folder.glob(f"{_PREFIX}*.pid")
        return {file.stem: int(file.read_text(encoding="ascii")) for file in sorted(files)}


@dataclass(frozen=True)
class Worker:
    """One of the processes.

    Attributes:
        socket: where it listens, for the balancer alone; called as the process is.
        shared: what all of them share.
    """

    socket: Path
    shared: Shared

    @property
    def name(self) -> str:
        """What it is called."""
        return self.socket.stem


_CURRENT: list[Worker] = []


def become(worker: Worker) -> None:
    """Make this process one of several, before anything of the web app is made."""
    worker.shared.key("")  # there is one, or it says so
    worker.shared.write_pid(worker.name, os.getpid())
    _CURRENT[:] = [worker]
    key.cache_clear()


def current() -> Worker | None:
    """Return which of several processes this is, None where one serves alone."""
    return _CURRENT[0] if _CURRENT else None


@cache
def key(purpose: str) -> bytes:
    """Return a key of 32 bytes for a purpose: the processes' common one, or one that lives as long as this process."""
    worker = current()
    return worker.shared.key(purpose) if worker else secrets.token_bytes(32)
