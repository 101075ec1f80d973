"""Spark and DuckDB agree on companies that are full of hard cases: circles of merges, equal moments, empty values."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from loupan.settings import Settings
from pipelines import spark
from tests.reference.agreement import built
from tests.reference.random_crm import random_crm
from tests.spark.conftest import VENV
from tests.spark.equality import assert_equal_marts

pytestmark = pytest.mark.timeout(3600)


def _written(warehouse: duckdb.DuckDBPyConnection, path: Path, *schemas: str) -> Path:
    """Write the tables of schemas into a file."""
    warehouse.execute(f"attach '{path}' as file")
    for schema in schemas:
        warehouse.execute(f"create schema file.{schema}")
        for (table,) in warehouse.execute(
            f"select table_name from duckdb_tables() where schema_name = '{schema}' and database_name = 'memory'"
        ).fetchall():
            warehouse.execute(f"create table file.{schema}.{table} as from memory.{schema}.{table}")
    warehouse.execute("detach file")
    return path


def test_a_random_company(tmp_path: Path) -> None:
    # Many in one build: Spark's time goes into planning, not into rows.
    company = random_crm(3, customers=1000)
    with closing(built(company.tables, company.as_of).con) as warehouse:
        expected = _written(warehouse, tmp_path / "expected.duckdb", "raw", "marts")
        settings = Settings(data_dir=tmp_path / "data", engine="spark", spark_venv=VENV)
        settings.data_dir.mkdir()
        _written(warehouse, settings.warehouse_path, "raw")
    assert spark.build(settings, lambda node: None).broken == []
    assert assert_equal_marts(settings.warehouse_path, expected) > 1000
