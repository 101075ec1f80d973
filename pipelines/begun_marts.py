"""Begin the marts file of the next snapshot while models are made, for which one core is often idle.

After a build of everything every mart is written to that file once more, which takes about as long as making it. A mart
is done when its model is, so it is copied while others are made. After an incremental build the file is that of the
last snapshot with what changed: it is copied before anything has, and what changed in a mart is written when its model
is done. Whether what was begun is used is decided by :mod:`pipelines.difference` and :mod:`loupan.snapshot`: only if
the build it belongs to has succeeded.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb

from loupan.marts_file import identifier, write_mart
from loupan.settings import Settings
from loupan.snapshot import copy_base
from pipelines import increment, sql
from pipelines.increment import Increment

LOG = logging.getLogger(__name__)
_BEGUN = "begun_marts"


class BegunMarts:
    """A marts file that is being begun.

    Attributes:
        is_finished: whether publishing may take the file.
    """

    def __init__(self, settings: Settings, planned: Increment | None, base: str | None) -> None:
        self._settings = settings
        # Without a base all marts are to be copied.
        self._planned = planned if base else None
        # One at a time: all share the memory with the models that are being made.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="begun")
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._written: dict[str, Future[bool]] = {}
        self.is_finished = False
        self._has_base = self._pool.submit(self._ahead, base, self._copy_base) if base and planned else None

    def add(self, mart: str) -> None:
        """Write a mart that is done: all of it, or what an incremental build has changed in it.

        Args:
            mart: name of a table in the schema ``marts`` of the warehouse, which is open in this process.
        """
        self._written[mart] = self._pool.submit(self._ahead, mart, self._write_mart)

    def finish(self) -> frozenset[str] | None:
        """Wait until all is written, and close the file.

        Returns:
            The names of the marts in it that are done, None if publishing cannot take it.
        """
        done = frozenset(name for name, written in self._written.items() if written.result())
        try:
            if self._connection is not None:
                self._connection.execute(f"checkpoint {_BEGUN}")
            self.close()
        except duckdb.Error:
            LOG.warning("What was written ahead cannot be kept", exc_info=True)
            return None
        self.is_finished = self._has_base.result() if self._has_base else bool(done)
        return done if self.is_finished else None

    def close(self) -> None:
        """Let what is being written come to its end, and nothing else begin."""
        self._pool.shutdown(cancel_futures=True)
        if self._connection is not None:
            # Before it is detached, which a full disk may prevent: else the warehouse would stay open.
            connection, self._connection = self._connection, None
            with connection:
                connection.execute(f"detach {_BEGUN}")

    def _ahead(self, name: str, write: Callable[[str], bool]) -> bool:
        """Write, and say whether that was done: publishing does it if not, and a build does not fail for it."""
        try:
            return write(name)
        except (OSError, duckdb.Error):
            LOG.warning("%s cannot be written ahead", name, exc_info=True)
            return False

    def _copy_base(self, version: str) -> bool:
        target = self._settings.begun_marts_path
        if not copy_base(self._settings, version, target):
            return False
        # Publishing flushes the file; most of it is on the disk by then.
        with target.open("rb") as file:
            os.fsync(file.fileno())
        return True

    def _write_mart(self, mart: str) -> bool:
        if self._has_base and not self._has_base.result():
            return False
        if self._connection is None:
            self._connection = self._opened()
        source, published = sql.name("marts", mart), f"{_BEGUN}.main.{identifier(mart)}"
        condition, rows = self._changed(self._connection, mart)
        if condition is None and self._has_base:
            # A table that goes makes room for what comes with the next checkpoint.
            self._connection.execute(f"drop table if exists {published}")
            self._connection.execute(f"checkpoint {_BEGUN}")
        write_mart(self._connection, source, published, condition, rows)
        return True

    def _changed(self, connection: duckdb.DuckDBPyConnection, mart: str) -> tuple[str | None, str]:
        """Return the condition of the rows that the build has changed, None for all, and their query if any."""
        step = self._planned.replacing(mart, increment.made_anew(connection)) if self._planned else None
        if step is None:
            return None, ""
        return step.replaced.replace("{keys}", increment.SCHEMA), step.rows.replace("{keys}", increment.SCHEMA)

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
def begin(settings: Settings, planned: Increment | None, base: str | None) -> Iterator[BegunMarts]:
    """Begin the marts file of the next snapshot, and leave none behind that was not finished.

    Args:
        settings: where warehouse and snapshots lie.
        planned: what an incremental build makes; None if everything is made.
        base: version of the snapshot that holds the marts as they were before; None if there is none.
    """
    settings.snapshots_dir.mkdir(parents=True, exist_ok=True)
    _remove(settings.begun_marts_path)
    begun = BegunMarts(settings, planned, base)
    try:
        yield begun
    finally:
        if not begun.is_finished:
            try:
                begun.close()
            except duckdb.Error:
                LOG.warning("What was written ahead cannot be closed", exc_info=True)
            _remove(settings.begun_marts_path)


def _remove(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}.wal")):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            LOG.warning("%s cannot be removed: %s", file, error)
