"""Targets, budgets, events and features on literal rows, asked through the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loupan.metrics import InvalidCombination, Metrics
from tests.support.gateway import metrics_of
from tests.support.warehouse import Warehouse

# River Bay sold for 900 in January and 400 in February, Hill View, which has no target, for 100 in February.
COMPANY: dict[str, list[dict[str, Any]]] = {
    "project": [
        {"id": 1, "name": "River Bay", "district": "East"},
        {"id": 2, "name": "Hill View", "district": "West"},
    ],
    "customer": [{"id": 1, "customer_class_id": 1}, {"id": 2}, {"id": 3}],
    "customer_class": [{"id": 1, "name": "Companies"}],
    "lead": [
        {"id": 1, "customer_id": 1, "project_id": 1, "opened_at": "2026-01-02"},
        {"id": 2, "customer_id": 2, "project_id": 1, "opened_at": "2026-01-03"},
        {"id": 3, "customer_id": 3, "project_id": 2, "opened_at": "2026-02-03"},
    ],
    "deal": [
        {"id": 1, "customer_id": 1, "project_id": 1, "lead_id": 1},
        {"id": 2, "customer_id": 2, "project_id": 1, "lead_id": 2},
        {"id": 3, "customer_id": 3, "project_id": 2, "lead_id": 3},
    ],
    "deal_event": [
        # The last second of January in Shanghai, and the first of February.
        {"id": 1, "deal_id": 1, "kind": "contract", "occurred_at": "2026-01-31 15:59:59", "amount": "900"},
        {"id": 2, "deal_id": 2, "kind": "contract", "occurred_at": "2026-01-31 16:00:00", "amount": "400"},
        {"id": 3, "deal_id": 3, "kind": "contract", "occurred_at": "2026-02-05 00:00:00", "amount": "100"},
    ],
    "target": [
        {"id": 1, "project_id": 1, "month_on": "2026-01-01", "metric": "contract_amount", "value": "1000"},
        {"id": 2, "project_id": 1, "month_on": "2026-02-01", "metric": "contract_amount", "value": "800"},
        {"id": 3, "project_id": 1, "month_on": "2026-03-01", "metric": "contract_amount", "value": "5000"},
        {"id": 4, "project_id": 1, "month_on": "2026-01-01", "metric": "leads", "value": "0"},
        {"id": 5, "project_id": 2, "month_on": "2026-01-01", "metric": "contract_amount", "value": "7",
         "deleted_at": "2026-01-02"},
    ],
    "plan": [
        {"id": 1, "project_id": 1, "name": "Spring", "start_on": "2026-01-31", "end_on": "2026-02-03", "budget": "100"},
        {"id": 2, "name": "Open", "start_on": "2026-02-02", "budget": "10"},
        {"id": 3, "name": "Unplanned", "start_on": "2026-02-02"},
    ],
    "expense": [
        {"id": 1, "plan_id": 1, "project_id": 1, "incurred_on": "2026-02-01", "amount": "60", "status": "paid"},
        {"id": 2, "plan_id": 3, "incurred_on": "2026-02-01", "amount": "5", "status": "paid"},
    ],
    "annotation": [
        {"id": 1, "project_id": 1, "happened_on": "2026-02-28", "kind": "launch", "title": "Phase 2"},
        {"id": 2, "happened_on": "2026-03-01", "kind": "policy", "title": "Rates"},
    ],
    "feature": [
        {"id": 1, "entity": "customer", "name": "Wishes", "data_type": "choice", "is_multi": True},
        {"id": 2, "entity": "customer", "name": "Size", "data_type": "choice", "class_id": 1},
    ],
    "feature_value": [
        {"id": 1, "feature_id": 1, "entity_id": 1, "value": "school"},
        {"id": 2, "feature_id": 1, "entity_id": 1, "value": "metro"},
        {"id": 3, "feature_id": 1, "entity_id": 2, "value": "metro"},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Metrics:
    warehouse = Warehouse()
    # Midnight that ends February: March has not begun.
    warehouse.load(COMPANY, "2026-02-28 16:00:00")
    warehouse.build()
    folder: Path = tmp_path_factory.mktemp("planning")
    return metrics_of(warehouse, folder)


def test_a_target_is_set_against_what_its_month_brought(metrics: Metrics) -> None:
    attained = "contract_amount_attainment"
    assert metrics.records([attained], by=["month"]) == [
        {"month": "2026-01", attained: 0.9, f"{attained}__numerator": 900, f"{attained}__denominator": 1000},
        {"month": "2026-02", attained: 0.625, f"{attained}__numerator": 500, f"{attained}__denominator": 800},
    ]
    by_project = {row["project"]: row[attained] for row in metrics.records([attained], by=["project"])}
    assert by_project == {"River Bay": pytest.approx(1300 / 1800), "Hill View": None}
    (row,) = metrics.records([attained], where={"district": "East"}, start="2026-02-01")
    assert row[attained] == 0.5


def test_no_target_is_no_data_and_a_target_of_zero_no_share(metrics: Metrics) -> None:
    (row,) = metrics.records(["target_contract_amount", "target_leads", "leads_attainment", "target_visits"])
    assert row["target_contract_amount"] == 1800
    assert (row["target_leads"], row["leads_attainment"], row["target_visits"]) == (0, None, None)
    (row,) = metrics.records(["target_contract_amount", "contract_amount"], where={"project": "Hill View"})
    assert (row["target_contract_amount"], row["contract_amount"]) == (None, 100)


def test_targets_have_no_days(metrics: Metrics) -> None:
    with pytest.raises(InvalidCombination, match="whole months"):
        metrics.records(["contract_amount_attainment"], by=["day"])


def test_a_budget_is_spread_over_the_days_of_its_plan(metrics: Metrics) -> None:
    used = "budget_used_rate"
    assert {r["month"]: r["marketing_budget"] for r in metrics.records(["marketing_budget"], by=["month"])} == {
        "2026-01": 25,
        "2026-02": 85,
    }
    assert {r["plan"]: r[used] for r in metrics.records([used], by=["plan"])} == {
        "Spring": 0.6,
        "Open": 0,
        "Unplanned": None,
    }


def test_events_are_those_that_have_happened(metrics: Metrics) -> None:
    by = ["day", "project", "annotation", "annotation_kind"]
    found = [tuple(row.values()) for row in metrics.records(["annotations"], by=by)]
    # The as-of is a moment of 1 March.
    assert found == [("2026-02-28", "River Bay", "Phase 2", "launch", 1), ("2026-03-01", None, "Rates", "policy", 1)]


def test_a_customer_counts_under_each_value_and_once_in_all(metrics: Metrics) -> None:
    names = ["leads", "contracts", "contract_amount", "conversion_rate"]
    rows = metrics.records(names, by=["feature_value"], where={"feature": "Wishes"})
    assert [tuple(row[name] for name in ("feature_value", *names)) for row in rows] == [
        ("metro", 2, 2, 1300, 1),
        ("school", 1, 1, 900, 1),
        (None, 1, 1, 100, 1),
    ]
    (whole,) = metrics.records(names, where={"feature": "Wishes"})
    assert [whole[name] for name in names] == [3, 3, 1400, 1]
    # Asked of companies alone: nobody else is unknown.
    assert metrics.records(["leads"], by=["feature", "feature_value"], where={"feature": "Size"}) == [
        {"feature": "Size", "feature_value": None, "leads": 1}
    ]


def test_what_would_count_rows_twice_is_refused(metrics: Metrics) -> None:
    with pytest.raises(InvalidCombination, match="feature"):
        metrics.records(["leads"], where={"feature": ["Wishes", "Size"]})
    with pytest.raises(InvalidCombination, match="share rows"):
        metrics.records(["contract_amount"], where={"feature": "Wishes", "feature_value": ["metro", "school"]})
    (row,) = metrics.records(["leads"], where={"feature": "Wishes", "feature_value": ["metro", "school"]})
    assert row["leads"] == 2
