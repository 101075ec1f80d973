"""Spark on this machine: companies full of hard cases, projects with faults, and a refresh that is cancelled."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loupan.settings import REPOSITORY, Settings
from pipelines import spark
from pipelines.dbt_runner import DbtError
from tests.reference.agreement import built
from tests.reference.random_crm import random_crm
from tests.spark.conftest import VENV, processes_of
from tests.spark.equality import assert_equal_marts
from tests.support.command import Command
from tests.support.installation import AS_OF, copy_crm, crm_installation

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


def _own_project(tmp_path: Path, **models: str) -> Settings:
    """Return the settings of a dbt project with our macros, and models of its own."""
    project = tmp_path / "project"
    shutil.copytree(REPOSITORY / "dbt_project", project, ignore=shutil.ignore_patterns("models", "target", "logs"))
    folder = project / "models" / "marts"
    folder.mkdir(parents=True)
    for name, text in models.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    settings = Settings(data_dir=tmp_path / "data", dbt_project_dir=project, spark_venv=VENV, engine="spark")
    settings.data_dir.mkdir()
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create schema raw; create schema marts; create table marts.good as select 0 as id")
    return settings


GOOD = {
    "good__sql": """
select
    cast(7 as bigint) as id,
    cast('楼盘 ''A''' as string) as label,
    timestamp '2026-01-31 15:59:59' as at
""",
    "good__yml": """
version: 2
models:
- name: good
  columns:
  - {name: id, data_type: bigint, data_tests: [unique]}
  - {name: label, data_type: varchar}
  - {name: at, data_type: timestamp}
""",
}


def _good(settings: Settings) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
        return warehouse.execute("from marts.good").fetchall()


def test_a_failed_test_is_a_result_and_the_marts_come_back_in_their_types(tmp_path: Path) -> None:
    settings = _own_project(tmp_path, **GOOD)
    test = settings.dbt_project_dir / "tests" / "seven_is_wrong.sql"
    test.parent.mkdir()
    test.write_text("select * from {{ ref('good') }} where id = 7", encoding="utf-8")
    seen: list[str] = []
    built = spark.build(settings, seen.append)
    assert built.broken == []
    statuses = {r["data"]["node_info"]["node_name"]: r["data"]["status"] for r in built.results}
    assert statuses == {"good": "OK", "unique_good_id": "pass", "seven_is_wrong": "fail"}
    assert sorted(seen) == sorted(statuses)
    assert _good(settings) == [(7, "楼盘 'A'", dt.datetime(2026, 1, 31, 15, 59, 59))]


def test_a_broken_model_is_named_and_the_marts_stay_as_they_were(tmp_path: Path) -> None:
    settings = _own_project(tmp_path, **GOOD, broken__sql="select * from nowhere_at_all")
    (told,) = spark.build(settings, lambda node: None).broken
    assert told.startswith("broken: ")
    assert "nowhere_at_all" in told
    assert _good(settings) == [(0,)]


def test_a_project_that_cannot_be_parsed_is_told_in_dbts_words(tmp_path: Path) -> None:
    settings = _own_project(tmp_path, lost__sql="select * from {{ ref('no_such_model') }}")
    with pytest.raises(DbtError, match="no_such_model"):
        spark.build(settings, lambda node: None)


def test_a_cancelled_refresh_leaves_no_java_behind(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    copy_crm(crm_installation(), data_dir)
    environment = {"LOUPAN_ENGINE": "spark", "LOUPAN_SPARK_VENV": str(VENV), "LOUPAN_DATA_DIR": str(data_dir)}
    command = Command(["refresh", "--as-of", f"{AS_OF}T16:00:00"], environment)
    until = time.monotonic() + 300
    while not any((data_dir / "spark").glob("run-*/tables/*")):
        assert time.monotonic() < until
        time.sleep(0.5)
    assert processes_of(data_dir / "spark")
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=120)
    until = time.monotonic() + 30
    while processes_of(data_dir / "spark") and time.monotonic() < until:
        time.sleep(0.5)
    assert processes_of(data_dir / "spark") == []
    assert list((data_dir / "spark").iterdir()) == []
    assert not (data_dir / "snapshots" / "CURRENT").exists()
