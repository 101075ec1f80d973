"""Every metric of the project, through the gateway, over the real marts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loupan.metrics import Metrics, compare
from loupan.metrics.catalogue import TIME_DIMENSIONS
from loupan.metrics.errors import InvalidCombination
from loupan.settings import Settings
from loupan.snapshot import publish
from tests.support.warehouse import Warehouse, manifest

UNITS = {"count", "currency", "percent", "per_100", "days", "hours", "minutes", "sqm", "ratio"}
# Metrics of tables that are dated by month.
BY_MONTH = {"customer_months", "complaint_rate", "fields_expected", "fields_filled", "field_completeness"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    folder = tmp_path_factory.mktemp("real")
    warehouse = Warehouse()
    warehouse.load(
        {
            "project": [{"id": 1, "name": "River Bay", "type": "residential", "district": "East"}],
            "source": [{"id": 1, "name": "Expo", "market_type": "event"}],
            "customer": [{"id": 1}],
            "lead": [
                {"id": 1, "customer_id": 1, "project_id": 1, "source_id": 1, "opened_at": "2026-01-31 15:59:59"},
            ],
        },
        as_of="2026-03-31 16:00:00",
    )
    warehouse.build()
    path = folder / "semantic_manifest.json"
    path.write_text(manifest().semantic_json, encoding="utf-8")
    opened = Metrics(publish(Settings(data_dir=folder), warehouse.con, path, {"as_of": "2026-03-31T16:00:00Z"}))
    yield opened
    warehouse.con.close()


def test_every_metric_says_what_it_is(metrics: Metrics) -> None:
    for metric in metrics.list(hidden=True):
        assert metric.unit in UNITS, metric.name
        assert metric.label, metric.name
        assert metric.label_zh != metric.label, metric.name
        if not metric.hidden:
            assert metric.description, metric.name
            assert metric.date_basis, metric.name
            assert metric.owner, metric.name
            assert metric.better in {"higher", "lower", "neutral"}, metric.name
    for dimension in metrics.dimensions():
        assert dimension.label_zh != dimension.name, dimension.name


def test_every_table_by_each_of_its_dimensions(metrics: Metrics) -> None:
    """One metric per table answers for the others: how a dimension is reached depends on the table alone."""
    answering = {metric.model: metric for metric in metrics.list(hidden=True) if metric.model}
    by_dimension: dict[str, list[str]] = {}
    for metric in answering.values():
        for dimension in metric.dimensions:
            by_dimension.setdefault(dimension, []).append(metric.name)
    assert set(by_dimension) == {dimension.name for dimension in metrics.dimensions()}
    for dimension, names in by_dimension.items():
        rows = metrics.records(names, by=[dimension], where={dimension: ["x", None]})
        assert all(set(row) == {dimension, *names} for row in rows)


def test_every_metric_by_month(metrics: Metrics) -> None:
    names = [metric.name for metric in metrics.list(hidden=True)]
    for name in names:
        by_month = name in BY_MONTH or name.startswith("target_")
        by_month |= name.endswith("_attainment")
        coarse = {"month", "quarter", "year"} if by_month else set(TIME_DIMENSIONS)
        assert coarse == set(TIME_DIMENSIONS) & set(metrics.describe(name).dimensions)
    months = [row["month"] for row in metrics.records(names, by=["month"])]
    assert months == sorted(months)
    assert "2026-01" in months


def test_totals_of_one_lead(metrics: Metrics) -> None:
    (row,) = metrics.records([metric.name for metric in metrics.list()])
    assert row["leads"] == 1
    assert (row["conversion_rate"], row["conversion_rate__denominator"]) == (0, 1)
    assert row["contract_amount"] == 0
    assert row["cost_per_contract"] is None
    # 2026-01-31 15:59:59 in UTC is the last second of January in Shanghai.
    assert metrics.records(["leads"], by=["month", "project", "source"]) == [
        {"month": "2026-01", "project": "River Bay", "source": "Expo", "leads": 1}
    ]


def test_nothing_changed_against_itself(metrics: Metrics) -> None:
    assert compare(metrics, metrics) == []


def test_a_median_over_categories_that_hold_one_another_is_refused(metrics: Metrics) -> None:
    for name in ("first_reply_minutes", "resolution_hours"):
        with pytest.raises(InvalidCombination, match="may hold another"):
            metrics.records([name], where={"demand_category": ["Quality", "Quality / Walls"]})
        metrics.records([name], by=["demand_category"], where={"demand_category": ["Quality", "Quality / Walls"]})
    metrics.records(["complaints"], where={"demand_category": ["Quality", "Quality / Walls"]})
