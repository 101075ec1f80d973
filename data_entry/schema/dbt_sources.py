"""Declare the CRM tables as dbt sources: the contract from which ingest, checks and staging models work.

``python -m data_entry.schema.dbt_sources`` writes ``dbt_project/models/staging/<area>/_sources.yml``. Run it
after a change of the schema; a test fails while the files and the schema differ. Personal columns are left out:
what is not declared here is not loaded.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import sqlalchemy as sa
import yaml

from data_entry.schema import AREAS, Base, Record
from data_entry.schema.base import ExactNumeric, UtcDateTime
from loupan.settings import get_settings

# Of the columns that every table has, those that no statistic needs are not loaded.
NOT_LOADED = {"updated_by", "row_version", "external_ref"}
# An outside CRM may leave these empty without making the row useless.
NOT_REQUIRED = {"created_at", "updated_at"}

HEADER = (
    "# Written by `python -m data_entry.schema.dbt_sources` from the CRM schema. Change the schema, not this file.\n"
)


def _duckdb_type(column_type: sa.types.TypeEngine[Any]) -> str:
    if isinstance(column_type, ExactNumeric):
        return f"DECIMAL({column_type.precision},{column_type.scale})"
    for kind, name in (
        (sa.BigInteger, "BIGINT"),
        (sa.Integer, "INTEGER"),
        (sa.Boolean, "BOOLEAN"),
        (sa.Date, "DATE"),
        ((sa.DateTime, UtcDateTime), "TIMESTAMP"),
        ((sa.String, sa.Enum), "VARCHAR"),
    ):
        if isinstance(column_type, kind):
            return name
    raise TypeError(f"no DuckDB type for {column_type!r}")


@cache
def ingested_tables() -> set[str]:
    """Return the names of the tables that are loaded."""
    return {mapper.class_.__tablename__ for mapper in Base.registry.mappers if mapper.class_.ingested}


def _column(column: sa.Column[Any]) -> dict[str, Any]:
    """Describe one column; ``meta`` holds the rules that a loaded value must keep."""
    meta: dict[str, Any] = {}
    if not column.nullable and column.name not in NOT_REQUIRED:
        meta["required"] = True
    if isinstance(column.type, sa.Enum):
        meta["accepted_values"] = list(column.type.enums)
    targets = [str(key.column.table.name) for key in column.foreign_keys]
    if targets and targets[0] in ingested_tables():
        meta["references"] = targets[0]
    if column.info.get("sensitive"):
        meta["sensitive"] = True
    if column.unique:
        meta["unique"] = True
    described: dict[str, Any] = {
        "name": str(column.name),
        "description": column.comment,
        "data_type": _duckdb_type(column.type),
    }
    if meta:
        described["config"] = {"meta": meta}
    return described


def _table(model: type[Record]) -> dict[str, Any]:
    table = cast(sa.Table, model.__table__)
    checks = {
        str(constraint.name).removeprefix(f"ck_{table.name}_"): str(constraint.sqltext)
        for constraint in sorted(table.constraints, key=lambda c: str(c.name))
        if isinstance(constraint, sa.CheckConstraint) and not constraint._type_bound
    }
    meta: dict[str, Any] = {"key": "id", "cursor": "updated_at"}
    if checks:
        meta["checks"] = checks
    return {
        "name": str(table.name),
        "description": (model.__doc__ or "").strip(),
        "config": {"meta": meta},
        "columns": [
            _column(column)
            for column in table.columns
            if column.name not in NOT_LOADED and not column.info.get("personal")
        ],
    }


def area_sources(area: ModuleType) -> str | None:
    """Return the YAML that declares the ingested tables of one schema module, or None if it has none."""
    models = [
        mapper.class_
        for mapper in Base.registry.mappers
        if mapper.class_.__module__ == area.__name__ and mapper.class_.ingested
    ]
    if not models:
        return None
    models.sort(key=lambda model: model.__tablename__)
    source = {
        "name": "raw",
        "schema": "raw",
        "description": (area.__doc__ or "").strip(),
        "tables": [_table(model) for model in models],
    }
    body = yaml.safe_dump(
        {"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False
    )
    return HEADER + body


def source_files() -> dict[Path, str]:
    """Return every sources file of the dbt project with the text it must have."""
    staging = get_settings().dbt_project_dir / "models" / "staging"
    files = {}
    for area in AREAS:
        text = area_sources(area)
        if text:
            files[staging / area.__name__.rpartition(".")[2] / "_sources.yml"] = text
    return files


def main() -> None:
    """Write all sources files."""
    for path, text in source_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
