"""A mapping folder and a source folder to try imports with."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from data_entry.database import create_engine_for, create_schema
from data_entry.schema import metadata
from data_entry.services.import_data import ImportReport, import_directory


class ImportCase:
    """Two folders and a CRM."""

    def __init__(self, folder: Path, crm: sa.Engine) -> None:
        self.crm = crm
        self.mappings, self.sources, self.rejects = folder / "mapping", folder / "source", folder / "rejects"
        self.mappings.mkdir()
        self.sources.mkdir()

    def source(self, name: str, text: str, encoding: str = "utf-8") -> Path:
        path = self.sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding=encoding)
        return path

    def mapping(self, table: str, sql: str) -> None:
        (self.mappings / f"{table}.sql").write_text(sql, encoding="utf-8")

    def values(self, table: str, columns: str, *rows: str) -> None:
        """Map a table from literal rows: ``values("source", "external_ref, name", "'a', 'A'")``."""
        self.mapping(table, f"select * from (values {', '.join(f'({row})' for row in rows)}) as t ({columns})")

    def run(self, **options: Any) -> ImportReport:
        if options.get("skip_bad"):
            options.setdefault("reject_dir", self.rejects)
        return import_directory(self.crm, self.mappings, self.sources, **options)

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return rows of the CRM, ordered by external_ref."""
        target = metadata.tables[table]
        chosen = [target.c[column] for column in columns] if columns else list(target.c)
        with self.crm.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.select(*chosen).order_by(target.c.external_ref))]

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table, to see whether anything changed; each import leaves lines in the trail."""
        return {table: self.rows(table) for table in metadata.tables if table != "audit_log"}


@functools.cache
def _empty_crm() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crm.sqlite"
        engine = create_engine_for(f"sqlite:///{path}")
        create_schema(engine)
        engine.dispose()  # the last connection brings the write-ahead log into the file
        return path.read_bytes()


def on_sqlite(folder: Path) -> ImportCase:
    """Return a case on SQLite, for what does not depend on the engine; the schema is made only once."""
    path = folder / "crm.sqlite"
    path.write_bytes(_empty_crm())
    return ImportCase(folder, create_engine_for(f"sqlite:///{path}"))


def told(report: ImportReport) -> list[tuple[Any, ...]]:
    """Return the problems as (file, kind, row, column, value)."""
    return [(p.file, p.kind, p.row, p.column, p.value) for p in report.problems]
