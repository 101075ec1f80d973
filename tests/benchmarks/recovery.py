"""What a recovery costs: backup, restore and comparison of a sample company, on SQLite and on PostgreSQL.

The work is that of a drill: the restore ends with a CRM that can be used, proven in its own transaction; the comparison
from outside comes on top of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.services import backup
from data_entry.services.backup.encryption import make_key
from loupan.settings import Settings
from tests.benchmarks.company import company
from tests.benchmarks.result import Cell, Measured, Table
from tests.support.postgres import missing_programs, running_server

# What people change on a working day of a company of scale 1: a few thousand rows.
_CHANGED_SHARE = 0.01


_COLUMNS = (
    "engine", "rows", "backup, MiB", "made in, s", "restored in (RTO), s", "rows/s", "compared in, s",
    "rows that would be lost", "seconds that would be lost",
)  # fmt: skip


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Measure recoveries of a company of a scale."""
    with company(folder / "sqlite", scale) as made:
        settings = made.settings
        encrypted = settings.model_copy(update={"backup_key_file": folder / "key.txt"})
        make_key(folder / "key.txt")
        engine = create_engine_for(settings.crm_database_url)
        first, row = _drilled("SQLite", engine, settings)
        rows = [row, _drilled("SQLite, encrypted", engine, encrypted)[1]]
        engine.dispose()
    with _postgresql(folder, first) as places:
        rows += [_drilled("PostgreSQL", engine, there)[1] for engine, there in places]
    return Measured((Table("Recovery", _COLUMNS, tuple(rows), {"rows/s": 0, "seconds that would be lost": 0}),))


@contextmanager
def _postgresql(folder: Path, first: Path) -> Iterator[list[tuple[sa.Engine, Settings]]]:
    """Give the same company on a PostgreSQL server, where there is one."""
    if missing_programs():
        yield []
        return
    with running_server() as server:
        settings = Settings(data_dir=folder / "postgresql", crm_url=server.create_database())
        engine = create_engine_for(settings.crm_database_url)
        try:
            backup.restore(engine, settings, first)
            yield [(engine, settings)]
        finally:
            engine.dispose()


def _drilled(name: str, engine: sa.Engine, settings: Settings) -> tuple[Path, tuple[Cell, ...]]:
    """Return the backup that was made and the line of the table."""
    began = time.perf_counter()
    path = backup.create(engine, settings)
    made = time.perf_counter() - began
    _work_on(engine)
    drill = backup.drill(engine, settings, path)
    assert drill.passed, drill.problem
    return path, (
        name, drill.rows, path.stat().st_size / 2**20, made, drill.restore_seconds, drill.rows_per_second,
        drill.check_seconds, drill.lost_rows, drill.lost_seconds,
    )  # fmt: skip


def _work_on(engine: sa.Engine) -> None:
    """Change some rows after the copy, as people do: they are what a recovery loses."""
    lead = metadata.tables["lead"]
    with engine.begin() as connection:
        most = int(connection.scalar(sa.select(sa.func.max(lead.c.id))) or 0)
        connection.execute(
            sa.update(lead).where(lead.c.id <= max(1, int(most * _CHANGED_SHARE))).values(intent_level="A")
        )
