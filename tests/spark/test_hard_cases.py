"""Spark and DuckDB agree on companies that are full of hard cases: circles of merges, equal moments, empty values."""

from __future__ import annotations

import shutil
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


@pytest.mark.parametrize("seed", [3, 11])
def test_a_random_company(tmp_path: Path, seed: int) -> None:
    company = random_crm(seed, customers=400)
    expected = tmp_path / "expected.duckdb"
    with closing(duckdb.connect(str(expected))) as connection:
        built(company.tables, company.as_of, connection)
    settings = Settings(data_dir=tmp_path / "data", engine="spark", spark_venv=VENV)
    settings.data_dir.mkdir()
    shutil.copy(expected, settings.warehouse_path)
    with closing(duckdb.connect(str(settings.warehouse_path))) as connection:
        connection.execute("drop schema marts cascade")
    assert spark.build(settings, lambda node: None).broken == []
    assert assert_equal_marts(settings.warehouse_path, expected) > 1000
