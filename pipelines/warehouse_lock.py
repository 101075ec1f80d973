"""One writer at a time: a refresh holds this lock from its first step to its last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout


class WarehouseLock(dg.ConfigurableResource):
    """Held for the whole run, because the in-process executor makes a run's resources once.

    A second refresh waits. The operating system releases the lock of a killed process.
    """

    data_dir: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[WarehouseLock]:
        """Wait for the lock, hold it while the run lasts."""
        folder = Path(self.data_dir)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "refresh.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            (context.log or dg.get_dagster_logger()).info("Another refresh is running; this one waits for it.")
            lock.acquire()
        try:
            yield self
        finally:
            lock.release()
