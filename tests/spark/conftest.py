"""Builds on Spark take minutes: `make test-spark` runs them, the ordinary suite does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loupan.settings import REPOSITORY
from pipelines.spark import SparkError, check_java

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


@pytest.fixture(autouse=True, scope="session")
def _java_that_starts_soon() -> Iterator[None]:
    """Let Java compile once and simply: small companies are built before its second compiler pays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        yield


def processes_of(folder: Path) -> list[int]:
    """Return the processes whose command names a folder."""
    return [p.pid for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]
