"""A cluster of two workers builds the same marts as DuckDB from the same company."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spark.conftest import VENV, processes_of, refresh_on_spark
from tests.spark.equality import assert_equal_marts
from tests.support.installation import sample_installation
from tests.support.spark_cluster import spark_cluster

pytestmark = pytest.mark.timeout(3600)


def test_a_cluster_of_two_workers_builds_the_same(tmp_path: Path) -> None:
    with spark_cluster(VENV, tmp_path / "cluster") as address:
        data_dir = refresh_on_spark(tmp_path / "data", {"LOUPAN_SPARK_REMOTE": address})
        workers = [path for path in (tmp_path / "cluster").glob("worker_*/app-*/*") if path.is_dir()]
    assert len(workers) == 2, "each worker ran an executor"
    assert processes_of(tmp_path) == []
    assert assert_equal_marts(data_dir / "warehouse.duckdb", sample_installation() / "warehouse.duckdb") > 10_000
