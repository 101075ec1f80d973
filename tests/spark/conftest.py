"""Builds on Spark take minutes: `make test-spark` runs them, the ordinary suite does not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from loupan.settings import REPOSITORY
from pipelines.spark import SparkError, check_java
from tests.support.installation import AS_OF, copy_crm, crm_installation, run_loupan

VENV = Path(os.environ.get("LOUPAN_SPARK_VENV", REPOSITORY / ".venv-spark"))


def _why_not() -> str | None:
    if not os.environ.get("SPARK_TESTS"):
        return "`make test-spark` runs them"
    if not (VENV / "bin" / "dbt").exists():
        return f"Spark's environment is missing: {VENV}; `make spark` makes it"
    try:
        check_java()
    except SparkError as error:
        return str(error)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = _why_not()
    if reason:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


def processes_of(folder: Path) -> list[int]:
    """Return the processes whose command names a folder."""
    return [p.pid for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]


def refresh_on_spark(data_dir: Path, environment: Mapping[str, str] | None = None) -> Path:
    """Publish the sample company as Spark builds it, with no other engine before it; return the data folder."""
    data_dir.mkdir(parents=True, exist_ok=True)
    copy_crm(crm_installation(), data_dir)
    engine = {"LOUPAN_ENGINE": "spark", "LOUPAN_SPARK_VENV": str(VENV), "LOUPAN_WITHOUT_MODELS": "*"}
    run_loupan(data_dir, "refresh", "--as-of", f"{AS_OF}T16:00:00", environment={**engine, **(environment or {})})
    left = [path.name for path in (data_dir / "spark").iterdir()]
    assert left == [], "a run leaves nothing behind"
    return data_dir


@pytest.fixture(scope="session")
def on_spark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder of the sample company, published from what Spark built on this machine."""
    return refresh_on_spark(tmp_path_factory.mktemp("spark") / "data")
