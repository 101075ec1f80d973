"""Dagster's event log in SQLite without a new connection, a disk flush and a look at the schema for each event.

A refresh leaves some 700 events. Dagster's own storage opens a connection and flushes the disk several times for each,
and asks for every asset whether its tables are those of an older version, which takes longer than the refresh itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

KEPT_OPEN = 8  # databases; there is one per run, and one index


def _prepare(connection: Any, _: Any) -> None:
    # With the write-ahead log that Dagster sets, this flushes at checkpoints only; a power cut may lose the last
    # events of a run, but never damages the file.
    connection.execute("PRAGMA synchronous = NORMAL")


class PooledSqliteEventLogStorage(SqliteEventLogStorage):
    """The same storage, with its connections kept open."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
        # What is there stays there: nothing takes a table or a column away while a storage is open.
        self._tables_there: set[str] = set()
        self._has_index_columns = False
        super().__init__(*arguments, **options)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledSqliteEventLogStorage:
        """Make the storage; the inherited method names its own class."""
        return cls(inst_data=inst_data, **config_value)

    def _engine(self, shard: str) -> sa.Engine:
        if shard not in self._engines:
            engine = sa.create_engine(self.conn_string_for_shard(shard), connect_args={"timeout": 60})
            sa.event.listen(engine, "connect", _prepare)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > KEPT_OPEN:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        if shard not in self._initialized_dbs:
            with super()._connect(shard):
                pass
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def has_table(self, table_name: str) -> bool:
        """Say whether a table is there; asked once of each that is."""
        if table_name not in self._tables_there and super().has_table(table_name):
            self._tables_there.add(table_name)
        return table_name in self._tables_there

    def _has_asset_key_index_cols_on_connection(self, conn: sa.Connection) -> bool:
        self._has_index_columns = self._has_index_columns or super()._has_asset_key_index_cols_on_connection(conn)
        return self._has_index_columns

    def delete_events(self, run_id: str) -> None:
        """Delete what is known of a run, and the file of its events, which the inherited method leaves behind empty."""
        super().delete_events(run_id)
        with self._db_lock:
            if engine := self._engines.pop(run_id, None):
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)

    def dispose(self) -> None:
        """Close all connections."""
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()
