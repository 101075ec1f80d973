"""A cluster of two workers builds the same company as DuckDB: marts, metrics and checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loupan.settings import Settings
from loupan.snapshot import current
from tests.spark.conftest import VENV, processes_of
from tests.spark.equality import assert_equal_marts
from tests.support.installation import AS_OF, copy_crm, crm_installation, run_loupan, sample_installation
from tests.support.numbers import assert_equal_numbers, published_numbers
from tests.support.spark_cluster import spark_cluster

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder of the sample company as the cluster published it, with no other engine before it."""
    folder = tmp_path_factory.mktemp("spark")
    data_dir = folder / "data"
    data_dir.mkdir()
    copy_crm(crm_installation(), data_dir)
    with spark_cluster(VENV, folder / "cluster") as address:
        environment = {
            "LOUPAN_ENGINE": "spark",
            "LOUPAN_SPARK_VENV": str(VENV),
            "LOUPAN_SPARK_REMOTE": address,
            "LOUPAN_WITHOUT_MODELS": "*",
        }
        run_loupan(data_dir, "refresh", "--as-of", f"{AS_OF}T16:00:00", environment=environment)
        workers = [path for path in (folder / "cluster").glob("worker_*/app-*/*") if path.is_dir()]
    assert len(workers) == 2, "each worker ran an executor"
    assert processes_of(folder) == []
    assert list((data_dir / "spark").iterdir()) == [], "a run leaves nothing behind"
    return data_dir


def test_every_table_is_the_same(on_spark: Path) -> None:
    rows = assert_equal_marts(on_spark / "warehouse.duckdb", sample_installation() / "warehouse.duckdb")
    assert rows > 10_000


def test_every_metric_is_the_same(on_spark: Path) -> None:
    assert_equal_numbers(published_numbers(on_spark), published_numbers(sample_installation()))


def _checks(data_dir: Path) -> dict[str, Any]:
    checks = current(Settings(data_dir=data_dir)).report["checks"]
    # The models of statistics do not run in the one that Spark built.
    recorded = [check for check in checks if not check["name"].startswith("model/")]
    return {check["name"]: (check["passed"], check["blocking"]) for check in recorded}


def test_data_tests_are_recorded_as_the_same_checks(on_spark: Path) -> None:
    checks = _checks(on_spark)
    assert sum("keys_and_required" in name for name in checks) > 50
    assert checks == _checks(sample_installation())
