"""The dbt project as a whole: documentation against what is built, the graph, and the dictionary of metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.warehouse import PROJECT_DIR, Warehouse, manifest, semantic_engine

# Every metric of the dictionary except the curves, which are no single numbers.
DICTIONARY = [
    "leads", "visits", "first_visits", "conversion_rate", "gross_conversion_rate", "conversion_rate_30d",
    "conversion_rate_90d", "conversion_rate_180d", "visit_rate", "small_booking_rate", "booking_rate",
    "lost_leads", "open_leads", "loss_rate", "days_to_contract", "contracts_gross", "contracts_cancelled",
    "contracts", "contract_amount_gross", "contract_amount_amended", "contract_amount_cancelled",
    "contract_amount", "contract_amount_restated", "contract_area", "bookings_gross", "bookings_cancelled",
    "bookings", "small_bookings_gross", "small_bookings_cancelled", "small_bookings", "cancel_rate",
    "collected_amount", "collection_rate", "sell_through_rate", "sell_through_area_rate",
    "sell_through_value_rate", "demands", "complaints", "suggestions", "valid_complaints", "customer_months",
    "complaint_rate", "complaints_per_100_served", "reply_timeliness_rate", "first_reply_minutes",
    "resolution_hours", "resolution_rate", "reopen_rate", "follow_up_rate", "follow_up_satisfaction",
    "customer_satisfaction", "promises", "promises_kept_rate",
    "promise_complaint_rate", "marketing_expense", "attributed_contracts", "attributed_amount", "cost_per_lead",
    "cost_per_contract", "return_on_expense", "roi", "fee_billed", "fee_collected", "fee_arrears",
    "target_contract_amount", "target_contracts", "target_collected_amount", "target_leads", "target_visits",
    "contract_amount_attainment", "contracts_attainment", "collected_amount_attainment", "leads_attainment",
    "visits_attainment", "marketing_budget", "budget_used_rate", "annotations", "records_entered", "late_entries",
    "late_entry_rate",
]  # fmt: skip
META = {"label_zh", "unit", "date_basis", "better", "owner"}
UNITS = {"count", "currency", "percent", "per_100", "days", "hours", "minutes", "sqm", "ratio"}
OWNERS = {"sales", "service", "marketing", "property", "finance", "data"}


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    empty = Warehouse()
    empty.load({}, as_of="2026-02-01 00:00:00")
    empty.build()
    return empty


def graph() -> dict[str, Any]:
    return dict(json.loads(manifest().manifest_json))


def semantics() -> dict[str, Any]:
    return dict(json.loads(manifest().semantic_json))


def models() -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in graph()["nodes"].values() if node["resource_type"] == "model"}


def test_documented_columns_are_the_materialised_ones(warehouse: Warehouse) -> None:
    built: dict[str, dict[str, str]] = {}
    columns = warehouse.rows(
        "select table_name, column_name, lower(data_type) from duckdb_columns()"
        " where schema_name in ('staging', 'intermediate', 'marts') order by table_name, column_index"
    )
    for table, column, data_type in columns:
        built.setdefault(table, {})[column] = data_type
    documented = {
        name: {column["name"]: (column["data_type"] or "").lower() for column in node["columns"].values()}
        for name, node in models().items()
    }
    assert documented.keys() == built.keys()
    for name, declared in documented.items():
        assert declared == built[name], name


def test_everything_is_described() -> None:
    for name, node in models().items():
        assert "Grain - " in node["description"], name
        for column in node["columns"].values():
            assert column["description"].strip(), f"{name}.{column['name']}"


def test_each_model_stands_beside_its_yaml() -> None:
    for sql in PROJECT_DIR.glob("models/**/*.sql"):
        assert sql.with_suffix(".yml").exists(), sql


def test_no_model_is_an_orphan() -> None:
    nodes = graph()["nodes"]
    used = {
        parent
        for node in [*nodes.values(), *graph()["semantic_models"].values()]
        if node["resource_type"] in ("model", "semantic_model")
        for parent in node["depends_on"]["nodes"]
    }
    for name, node in models().items():
        is_for_people = node["schema"] == "marts" and name.startswith(("dim_", "fct_", "mart_"))
        assert node["unique_id"] in used or is_for_people or node.get("time_spine"), name


def test_every_source_is_staged() -> None:
    staged = {
        parent
        for node in models().values()
        if node["schema"] == "staging"
        for parent in node["depends_on"]["nodes"]
        if parent.startswith("source.")
    }
    assert staged == set(graph()["sources"])


def test_marts_and_keys_are_tested() -> None:
    tested = {
        parent
        for node in graph()["nodes"].values()
        if node["resource_type"] == "test"
        for parent in node["depends_on"]["nodes"]
    }
    for name, node in models().items():
        if node["schema"] == "marts" and not node.get("time_spine"):
            assert node["unique_id"] in tested, name


def test_wide_tables_enforce_their_contract() -> None:
    wide = {name: node for name, node in models().items() if name.startswith("mart_")}
    assert wide.keys() == {"mart_conversion", "mart_complaint_rate", "mart_campaign_roi", "mart_staff_performance"}
    assert all(node["config"]["contract"]["enforced"] for node in wide.values())


def test_no_personal_data_reaches_the_warehouse() -> None:
    from data_entry.schema import metadata

    for node in graph()["sources"].values():
        table = metadata.tables.get(node["name"])
        for column in node["columns"] if table is not None else ():
            assert not table.columns[column].info.get("personal"), f"{node['name']}.{column}"


def test_every_metric_of_the_dictionary_is_there() -> None:
    declared = {metric["name"] for metric in semantics()["metrics"]}
    assert set(DICTIONARY) <= declared


def test_metrics_are_described_in_both_languages() -> None:
    for metric in semantics()["metrics"]:
        meta = metric["config"]["meta"]
        assert metric["label"], metric["name"]
        assert metric["description"], metric["name"]
        assert meta.keys() >= META, metric["name"]
        assert meta["unit"] in UNITS, metric["name"]
        assert meta["owner"] in OWNERS, metric["name"]
        assert meta["better"] in {"higher", "lower", "neutral"}, metric["name"]
        if metric["type"] == "ratio":
            assert meta.keys() >= {"numerator", "denominator", "scale"}, metric["name"]
            parts = [metric["type_params"][part]["name"] for part in ("numerator", "denominator")]
            assert parts == [meta["numerator"], meta["denominator"]], metric["name"]


def test_entities_and_dimensions_share_no_name() -> None:
    semantic_models = semantics()["semantic_models"]
    entities = {entity["name"] for model in semantic_models for entity in model["entities"]}
    dimensions = {dimension["name"] for model in semantic_models for dimension in model["dimensions"]}
    assert not entities & dimensions


@pytest.mark.slow
def test_every_metric_runs_by_every_dimension(warehouse: Warehouse) -> None:
    for metric in semantics()["metrics"]:
        if metric["type"] != "simple":
            continue
        dimensions = semantic_engine().simple_dimensions_for_metrics([metric["name"]], without_any_property=())
        names = sorted({dimension.granularity_free_dunder_name for dimension in dimensions})
        short = [name for name in names if name.count("__") == 1]
        warehouse.query([metric["name"]], by=["metric_time__month", *short])


@pytest.mark.slow
def test_dbt_builds_and_tests_an_empty_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs dbt's own data tests and unit tests: the literal rows of every rule."""
    from dbt.cli.main import dbtRunner

    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        Warehouse(connection).load({}, as_of="2026-02-01 00:00:00")
    monkeypatch.setenv("LOUPAN_WAREHOUSE_PATH", str(path))
    folders = [f"--{name}-dir={PROJECT_DIR}" for name in ("project", "profiles")]
    outputs = [f"--{name}-path={tmp_path / 'target'}" for name in ("target", "log")]
    result = dbtRunner().invoke(["build", "--quiet", *folders, *outputs])
    failed = [
        f"{r.node.name}: {r.message}"
        for r in getattr(result.result, "results", [])
        if r.status not in ("pass", "success")
    ]
    assert result.success, failed or result.exception
    assert not failed
