"""Begin the marts file of the next snapshot while models are made, for which one core is often idle.

After a build of everything every mart is written to that file once more, which takes about as long as making it. A mart
is done when its model is, so it is copied while others are made. After an incremental build the file is that of the
last snapshot with what changed, and can be copied before anything has. Whether what was begun is used is decided by
:mod:`pipelines.difference` and :mod:`loupan.snapshot`: only if the build it belongs to has succeeded.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb

from loupan.marts_file import identifier
from loupan.settings import Settings
from loupan.snapshot import copy_base
from pipelines import sql

LOG = logging.getLogger(__name__)
_BEGUN = "begun_marts"


class BegunMarts:
    """A marts file that is being begun.

    Attributes:
        is_finished: whether publishing may take the file.
    """

    def __init__(self, settings: Settings, base: str | None) -> None:
        self._settings, self._base = settings, base
        # One at a time: all share the memory with the models that are being made.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="begun")
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._copied: dict[str, Future[bool]] = {}
        self.is_finished = False
        if base:
            self._copied[base] = self._pool.submit(self._ahead, base, self._copy_base)

    def add(self, mart: str) -> None:
        """Copy a mart that is done; in an incremental build it is not needed.

        Args:
            mart: name of a table in the schema ``marts`` of the warehouse, which is open in this process.
        """
        if not self._base:
            self._copied[mart] = self._pool.submit(self._ahead, mart, self._copy_mart)

    def finish(self) -> frozenset[str]:
        """Wait for all copies, close the file, and return the names of what is in it: of marts, or of the base."""
        names = frozenset(name for name, copied in self._copied.items() if copied.result())
        try:
            if self._connection is not None:
                self._connection.execute(f"checkpoint {_BEGUN}")
            self.close()
        except duckdb.Error:
            LOG.warning("What was copied ahead cannot be kept", exc_info=True)
            return frozenset()
        self.is_finished = bool(names)
        return names

    def close(self) -> None:
        """Let what is being copied come to its end, and nothing else begin."""
        self._pool.shutdown(cancel_futures=True)
        if self._connection is not None:
            # Before it is detached, which a full disk may prevent: else the warehouse would stay open.
            connection, self._connection = self._connection, None
            with connection:
                connection.execute(f"detach {_BEGUN}")

    def _ahead(self, name: str, copy: Callable[[str], bool]) -> bool:
        """Copy, and say whether that was done: publishing does it if not, and a build does not fail for it."""
        try:
            return copy(name)
        except (OSError, duckdb.Error):
            LOG.warning("%s cannot be copied ahead", name, exc_info=True)
            return False

    def _copy_base(self, version: str) -> bool:
        target = self._settings.begun_marts_path
        if not copy_base(self._settings, version, target):
            return False
        # Publishing flushes the file; most of it is on the disk by then.
        with target.open("rb") as file:
            os.fsync(file.fileno())
        return True

    def _copy_mart(self, mart: str) -> bool:
        if self._connection is None:
            self._connection = self._opened()
        self._connection.execute(f"create table {_BEGUN}.main.{identifier(mart)} as from {sql.name('marts', mart)}")
        return True

    def _opened(self) -> duckdb.DuckDBPyConnection:
        # dbt has it open: this is one more connection to the same database, whose settings are the same.
        connection = duckdb.connect(str(self._settings.warehouse_path))
        try:
            connection.execute(f"attach {sql.literal(str(self._settings.begun_marts_path))} as {_BEGUN}")
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def begin(settings: Settings, base: str | None) -> Iterator[BegunMarts]:
    """Begin the marts file of the next snapshot, and leave none behind that was not finished.

    Args:
        settings: where warehouse and snapshots lie.
        base: version of the snapshot that is patched; None if there is none.
    """
    settings.snapshots_dir.mkdir(parents=True, exist_ok=True)
    _remove(settings.begun_marts_path)
    begun = BegunMarts(settings, base)
    try:
        yield begun
    finally:
        if not begun.is_finished:
            try:
                begun.close()
            except duckdb.Error:
                LOG.warning("What was copied ahead cannot be closed", exc_info=True)
            _remove(settings.begun_marts_path)


def _remove(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}.wal")):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            LOG.warning("%s cannot be removed: %s", file, error)
