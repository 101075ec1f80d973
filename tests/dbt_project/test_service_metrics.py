"""Metrics of customer service and property on literal rows, asked through the gateway, and the complaint table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.reference.agreement import published
from tests.reference.random_crm import random_crm
from tests.support.gateway import metrics_of
from tests.support.warehouse import Warehouse

AS_OF = "2026-04-30 15:59:59"
COMPANY: dict[str, list[dict[str, Any]]] = {
    "project": [
        {"id": 1, "name": "River Bay", "district": "East"},
        {"id": 2, "name": "Hill View", "district": "West"},
    ],
    "customer": [{"id": 1}, {"id": 2, "merged_into_id": 1}, {"id": 3}],
    "employee": [{"id": 1, "number": "E1", "name": "Li"}, {"id": 2, "number": "E2", "name": "Wang"}],
    "demand_category": [
        {"id": 1, "kind": "complaint", "name": "Complaint"},
        {"id": 2, "parent_id": 1, "kind": "complaint", "name": "Quality"},
        {"id": 3, "parent_id": 2, "kind": "complaint", "name": "Leak"},
        {"id": 4, "kind": "suggestion", "name": "Suggestion"},
    ],
}


def demand(key: int, received_at: str, category: int = 3, customer: int = 1, project: int = 1, **values: Any) -> Any:
    return {
        "id": key, "received_at": received_at, "demand_category_id": category, "customer_id": customer,
        "project_id": project, "phase": "sales", **values,
    }  # fmt: skip


def step(key: int, demand_id: int, kind: str, occurred_at: str, **values: Any) -> dict[str, Any]:
    return {"id": key, "demand_id": demand_id, "kind": kind, "occurred_at": occurred_at, **values}


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """Publish literal rows beside the company's and return a function that asks for numbers of one metric."""

    def load(**tables: Sequence[Mapping[str, Any]]) -> Any:
        warehouse = Warehouse()
        warehouse.load({**COMPANY, **tables}, AS_OF)
        warehouse.build()
        metrics = metrics_of(warehouse, tmp_path)

        def query(metric: str, *by: str, **where: Sequence[Any]) -> dict[Any, Any]:
            rows = metrics.records([metric], by=by, where=where)
            return {tuple(row[name] for name in by): row[metric] for row in rows}

        return query

    return load


def test_complaint_rate_keeps_the_whole_denominator_of_a_category(ask: Any) -> None:
    query = ask(
        lead=[
            {"id": 1, "customer_id": 2, "project_id": 1, "opened_at": "2026-03-31 15:59:59"},
            {"id": 2, "customer_id": 3, "project_id": 1, "opened_at": "2026-03-31 16:00:00"},
            {"id": 3, "customer_id": 3, "project_id": 2, "opened_at": "2026-04-01 00:00:00"},
        ],
        demand=[
            demand(1, "2026-04-02 00:00:00"),
            demand(2, "2026-04-03 00:00:00", category=2),
            demand(3, "2026-04-03 00:00:00", is_founded=False),
            demand(4, "2026-04-03 00:00:00", withdrawn_at="2026-04-30 15:59:59"),
            demand(5, "2026-04-03 00:00:00", duplicate_of_id=1),
            demand(6, "2026-04-03 00:00:00", category=4),
        ],
    )
    assert query("customer_months", "month", "project") == {
        ("2026-03", "River Bay"): 1,
        ("2026-04", "River Bay"): 2,
        ("2026-04", "Hill View"): 1,
    }
    assert query("complaint_rate", "project", month=["2026-04"]) == {("River Bay",): 100, ("Hill View",): 0}
    assert query("complaint_rate", "demand_category", project=["River Bay"], month=["2026-04"]) == {
        ("Complaint",): 100,
        ("Quality",): 100,
        ("Leak",): 50,
    }
    assert query("complaint_rate", "month", demand_category=["Quality", "Leak"]) == {
        ("2026-03",): 0,
        ("2026-04",): pytest.approx(200 / 3),
    }
    assert query("demands", "demand_category") == {
        ("Complaint",): 4,
        ("Quality",): 4,
        ("Leak",): 3,
        ("Suggestion",): 1,
    }
    assert query("demands") == {(): 5}


@pytest.mark.parametrize(
    ("resolved", "expected"),
    [
        (["2026-04-01 02:00:00", "2026-04-01 04:00:00", "2026-04-01 06:00:00", None], 5.0),
        (["2026-04-01 02:00:00", "2026-04-01 04:00:00", None], 4.0),
        (["2026-04-01 02:00:00", "2026-04-01 04:00:00", None, None], None),
        (["2026-04-01 02:00:00", None, None], None),
        ([None, None, None, None], None),
        ([], None),
    ],
)
def test_open_demands_count_as_unfinished_in_the_median(
    ask: Any, resolved: list[str | None], expected: float | None
) -> None:
    query = ask(
        demand=[demand(key, "2026-04-01 00:00:00") for key in range(1, len(resolved) + 1)],
        demand_event=[step(key, key, "resolve", at) for key, at in enumerate(resolved, start=1) if at],
    )
    assert query("resolution_hours") == {(): expected}
    assert query("resolution_hours", "demand_category").get(("Quality",)) == expected


def test_replies_count_for_whom_they_were_assigned_to(ask: Any) -> None:
    due = {"due_at": "2026-04-02 00:00:00"}
    query = ask(
        department=[{"id": 1, "name": "Service"}, {"id": 2, "name": "Sales"}],
        position=[{"id": 1, "department_id": 1, "name": "Clerk"}, {"id": 2, "department_id": 2, "name": "Seller"}],
        employee_position=[
            {"id": 1, "employee_id": 2, "position_id": 1, "from_on": "2020-01-01", "to_on": "2026-04-01"},
            {"id": 2, "employee_id": 2, "position_id": 2, "from_on": "2026-04-02"},
        ],
        demand=[
            demand(1, "2026-04-01 00:00:00", **due),
            demand(2, "2026-04-01 00:00:00", **due),
            demand(3, "2026-04-01 00:00:00"),
            demand(4, "2026-04-29 00:00:00", due_at="2026-04-30 16:00:00"),
        ],
        demand_event=[
            step(1, 1, "assign", "2026-04-01 01:00:00", to_employee_id=1),
            step(2, 1, "forward", "2026-04-01 02:00:00", to_employee_id=2),
            step(3, 1, "reply", "2026-04-02 00:00:00", employee_id=1),
            step(4, 2, "assign", "2026-04-01 02:00:00", to_employee_id=1),
            step(5, 2, "assign", "2026-04-02 00:00:01", to_employee_id=2),
            step(6, 2, "reply", "2026-04-02 00:00:02", employee_id=2),
        ],
    )
    assert query("reply_timeliness_rate", "employee") == {("E1",): 0, ("E2",): 1}
    assert query("reply_timeliness_rate", "department", "day") == {("Sales", "2026-04-02"): 1, (None, "2026-04-02"): 0}
    assert query("replies_due") == {(): 2}
    assert query("first_reply_minutes") == {(): pytest.approx(1440 + 1 / 60)}


def test_resolution_and_follow_up(ask: Any) -> None:
    query = ask(
        demand=[demand(key, "2026-04-01 00:00:00") for key in range(1, 5)]
        + [demand(5, "2026-04-01 00:00:00", withdrawn_at="2026-04-20 00:00:00")],
        demand_event=[
            step(1, 1, "resolve", "2026-04-02 00:00:00", employee_id=1),
            step(2, 2, "resolve", "2026-04-02 00:00:00", employee_id=1),
            step(3, 2, "reopen", "2026-04-03 00:00:00"),
            step(4, 3, "resolve", "2026-04-02 00:00:00", employee_id=1),
            step(5, 3, "reopen", "2026-04-03 00:00:00"),
            step(6, 3, "resolve", "2026-04-04 00:00:00", employee_id=2),
            step(7, 5, "resolve", "2026-04-04 00:00:00", employee_id=2),
        ],
        follow_up=[
            {"id": 1, "demand_id": 1, "occurred_at": "2026-04-05 00:00:00", "was_reached": False},
            {"id": 2, "demand_id": 2, "occurred_at": "2026-04-02 12:00:00", "was_reached": True, "satisfaction": 4},
            {"id": 3, "demand_id": 3, "occurred_at": "2026-04-02 12:00:00", "was_reached": True, "satisfaction": 5},
            {"id": 4, "demand_id": 3, "occurred_at": "2026-04-05 00:00:00", "was_reached": True, "satisfaction": 3},
        ],
    )
    assert query("resolution_rate") == {(): 0.5}
    assert query("reopen_rate") == {(): pytest.approx(2 / 3)}
    # Withdrawn demands that were resolved are resolved all the same.
    assert query("follow_up_rate") == {(): pytest.approx(1 / 3)}
    assert query("follow_up_satisfaction", "employee", "day") == {("E1", "2026-04-02"): 1, ("E2", "2026-04-05"): 0}


def test_fees_and_arrears(ask: Any) -> None:
    bill = {"unit_id": 1, "customer_id": 2, "fee_type_id": 1}
    query = ask(
        building=[{"id": 1, "project_id": 1, "name": "A"}],
        unit=[{"id": 1, "building_id": 1, "number": "101"}],
        fee_type=[{"id": 1, "name": "Property fee"}],
        fee_bill=[
            {"id": 1, **bill, "period_on": "2026-03-01", "due_on": "2026-04-30", "amount": "100.10"},
            {"id": 2, **bill, "period_on": "2026-04-01", "due_on": "2026-05-01", "amount": "50"},
            {"id": 3, **bill, "period_on": "2026-05-01", "due_on": "2026-05-01", "amount": "70"},
        ],
        fee_payment=[
            {"id": 1, "fee_bill_id": 1, "received_on": "2026-04-30", "amount": "60"},
            {"id": 2, "fee_bill_id": 1, "received_on": "2026-04-30", "amount": "9", "is_void": True},
            {"id": 3, "fee_bill_id": 1, "received_on": "2026-05-01", "amount": "9"},
            {"id": 4, "fee_bill_id": 2, "received_on": "2026-04-30", "amount": "20"},
        ],
    )
    assert query("fee_billed") == {(): Decimal("150.10")}
    assert query("fee_collected", "month") == {("2026-04",): 80}
    assert query("fee_arrears", "day", "project") == {("2026-04-30", "River Bay"): Decimal("40.10")}


def test_the_wide_table_agrees_with_the_metrics(tmp_path: Path) -> None:
    crm = random_crm(seed=7)
    metrics = published(crm.tables, crm.as_of, tmp_path)
    counts = ["demands", "complaints", "valid_complaints", "customer_months"]
    with metrics.snapshot.connect() as marts:
        totals = marts.execute(
            f"""
            select strftime(month_on, '%Y-%m') as month, project, {", ".join(counts)}, complaint_rate
            from mart_complaint_rate where is_total
            """
        ).fetchall()
        categories = marts.execute(
            f"""
            select strftime(month_on, '%Y-%m') as month, demand_category, {", ".join(f"sum({c})" for c in counts[:3])}
            from mart_complaint_rate where not is_total group by all
            """
        ).fetchall()
    by_project = metrics.records([*counts, "complaint_rate"], by=["month", "project"])
    assert len(totals) > 30
    assert {row[:2]: row[2:6] for row in totals} == {
        (row["month"], row["project"]): tuple(row[name] for name in counts) for row in by_project
    }
    assert {row[:2]: row[6] for row in totals} == pytest.approx(
        {(row["month"], row["project"]): row["complaint_rate"] for row in by_project}
    )
    by_category = metrics.records(counts[:3], by=["month", "demand_category"])
    assert {row[:2]: row[2:] for row in categories} == {
        (row["month"], row["demand_category"]): tuple(row[name] for name in counts[:3]) for row in by_category
    }
