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
from rich.table import Table

from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.services import backup
from data_entry.services.backup.encryption import make_key
from loupan.console import byte_size
from loupan.settings import Settings
from tests.support.installation import AS_OF, run_loupan
from tests.support.postgres import missing_programs, running_server

# What people change on a working day of a company of scale 1: a few thousand rows.
_CHANGED_SHARE = 0.01


def measure(folder: Path, scale: float) -> Table:
    """Return the table of times, for a company of a scale."""
    settings = Settings(data_dir=folder / "sqlite")
    run_loupan(settings.data_dir, "crm", "init")
    run_loupan(settings.data_dir, "sample", "--scale", f"{scale:g}", "--seed", "1", "--as-of", AS_OF)
    table = Table(title="Recovery", title_justify="left")
    for title in ("engine", "rows", "backup", "made in", "restored in (RTO)", "rows/s", "compared in", "would be lost"):
        table.add_column(title, justify="left" if title == "engine" else "right")
    encrypted = settings.model_copy(update={"backup_key_file": folder / "key.txt"})
    make_key(folder / "key.txt")
    engine = create_engine_for(settings.crm_database_url)
    first = _row(table, "SQLite", engine, settings)
    _row(table, "SQLite, encrypted", engine, encrypted)
    engine.dispose()
    with _postgresql(folder, first) as places:
        for engine, there in places:
            _row(table, "PostgreSQL", engine, there)
    return table


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


def _row(table: Table, name: str, engine: sa.Engine, settings: Settings) -> Path:
    began = time.perf_counter()
    path = backup.create(engine, settings)
    made = time.perf_counter() - began
    _work_on(engine)
    drill = backup.drill(engine, settings, path)
    assert drill.passed, drill.problem
    table.add_row(
        name, f"{drill.rows:,}", byte_size(path.stat().st_size), f"{made:.1f} s", f"{drill.restore_seconds:.1f} s",
        f"{drill.rows_per_second or 0:,.0f}", f"{drill.check_seconds:.1f} s",
        f"{drill.lost_rows:,} rows, {drill.lost_seconds:.0f} s",
    )  # fmt: skip
    return path


def _work_on(engine: sa.Engine) -> None:
    """Change some rows after the copy, as people do: they are what a recovery loses."""
    lead = metadata.tables["lead"]
    with engine.begin() as connection:
        most = int(connection.scalar(sa.select(sa.func.max(lead.c.id))) or 0)
        connection.execute(
            sa.update(lead).where(lead.c.id <= max(1, int(most * _CHANGED_SHARE))).values(intent_level="A")
        )
