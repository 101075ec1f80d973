"""The asset graph: whole, described, checked, and honest about checks that left no result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from loupan.lineage import ROWS
from loupan.settings import Settings
from pipelines import dbt_runner
from pipelines.definitions import REFRESH, build_definitions
from pipelines.lineage import column_lineage
from pipelines.progress import LogReporter
from pipelines.publish import SNAPSHOT, failed_checks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("definitions"))


@pytest.fixture(scope="module")
def repository(settings: Settings) -> dg.RepositoryDefinition:
    return build_definitions(settings, LogReporter()).get_repository_def()


@pytest.fixture(scope="module")
def graph(repository: dg.RepositoryDefinition) -> dg.AssetGraph:
    return repository.asset_graph


def test_alerts_are_evaluated_every_minute_without_being_switched_on(repository: dg.RepositoryDefinition) -> None:
    sensor = repository.get_sensor_def("alerts")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 60


def test_every_crm_table_leads_to_the_snapshot(graph: dg.AssetGraph) -> None:
    upstream: set[dg.AssetKey] = set()
    waiting = [SNAPSHOT]
    while waiting:
        key = waiting.pop()
        if key not in upstream:
            upstream.add(key)
            waiting.extend(graph.get(key).parent_keys)
    tables = {key for key in graph.get_all_asset_keys() if key.path[0] == "crm"}
    assert len(tables) > 30
    assert tables - upstream == set()


def test_every_asset_has_group_owner_and_description(graph: dg.AssetGraph) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.owners == ["team:data"], key
        assert node.group_name not in (None, "default"), key
        assert node.description, key


def test_every_data_test_is_an_asset_check(settings: Settings, graph: dg.AssetGraph) -> None:
    manifest = dbt_runner.read_manifest(settings)
    tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    assert tests
    assert tests - {key.name for key in graph.asset_check_keys} == set()


def test_the_job_refreshes_everything(settings: Settings, graph: dg.AssetGraph) -> None:
    job = build_definitions(settings, LogReporter()).resolve_job_def(REFRESH)
    selected = set(job.asset_layer.executable_asset_keys)
    assert {key for key in graph.get_all_asset_keys() if key.path[0] != "crm"} == selected


def test_columns_can_be_traced_to_the_loaded_tables(settings: Settings) -> None:
    manifest = dbt_runner.read_manifest(settings)
    lineage = column_lineage(settings)
    named = {manifest["nodes"][key]["name"]: columns for key, columns in lineage.items()}
    assert ("raw/lead", "opened_at") in named["stg_lead"]["opened_on"].values
    assert ("raw/lead", "deleted_at") in named["stg_lead"][ROWS].conditions
    untraced = [
        f"{model}.{column}"
        for model, columns in named.items()
        for column, made in columns.items()
        if column != ROWS and not made.values and model.startswith(("stg_", "dim_"))
    ]
    # Constants have no origin; most columns must have one.
    assert len(untraced) < 0.1 * sum(len(columns) for columns in named.values())
    assert column_lineage.__wrapped__(settings) == lineage  # read back from the file


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def test_a_check_without_a_result_counts_as_failed(instance: dg.DagsterInstance) -> None:
    @dg.asset(
        check_specs=[
            dg.AssetCheckSpec("good", asset="a"),
            dg.AssetCheckSpec("bad", asset="a"),
            dg.AssetCheckSpec("doubtful", asset="a"),
        ]
    )
    def a() -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(check_name="good", passed=True)
        yield dg.AssetCheckResult(check_name="bad", passed=False, description="half of it is missing")
        yield dg.AssetCheckResult(check_name="doubtful", passed=False, severity=dg.AssetCheckSeverity.WARN)

    run = dg.materialize([a], instance=instance)
    key = dg.AssetKey("a")
    expected = [dg.AssetCheckKey(key, name) for name in ("good", "bad", "doubtful", "silent")]
    failed, recorded = failed_checks(instance, run.run_id, expected)
    assert failed == ["a: bad – half of it is missing", "a: silent (left no result)"]
    assert {check["name"]: check["passed"] for check in recorded} == {
        "a: good": True,
        "a: bad": False,
        "a: doubtful": False,
    }
    assert {check["message"] for check in recorded} == {None, "half of it is missing"}
