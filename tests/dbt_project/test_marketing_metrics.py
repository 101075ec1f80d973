"""Metrics of marketing on literal rows, asked through the gateway, and the wide table beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from loupan.metrics import InvalidCombination
from tests.reference.agreement import published
from tests.reference.random_crm import random_crm
from tests.support.gateway import metrics_of
from tests.support.warehouse import Warehouse

COMPANY: dict[str, list[dict[str, Any]]] = {
    "project": [
        {"id": 1, "name": "River Bay", "gross_margin_rate": "0.25"},
        {"id": 2, "name": "Hill View"},
    ],
    "customer": [{"id": 1}, {"id": 2}, {"id": 3}],
    "source": [
        {"id": 1, "name": "Fair", "market_type": "event"},
        {"id": 2, "name": "Walk-in", "market_type": "direct"},
        {"id": 3, "name": "Search", "market_type": "online"},
    ],
    "plan": [{"id": 1, "name": "Spring", "start_on": "2026-01-01"}],
    "activity": [{"id": 1, "plan_id": 1, "source_id": 1, "name": "Opening"}],
    "lead": [
        {"id": 1, "customer_id": 1, "project_id": 1, "source_id": 1, "activity_id": 1, "opened_at": "2026-03-01"},
        {"id": 2, "customer_id": 2, "project_id": 1, "source_id": 3, "opened_at": "2026-03-02"},
    ],
    # One contract of 1,000 after three touchpoints, one of 500 without any.
    "deal": [
        {"id": 1, "customer_id": 1, "project_id": 1, "lead_id": 1},
        {"id": 2, "customer_id": 2, "project_id": 1, "lead_id": 2},
    ],
    "deal_event": [
        {"id": 1, "deal_id": 1, "kind": "booking", "occurred_at": "2026-03-15 00:00:00", "amount": "10"},
        {"id": 2, "deal_id": 1, "kind": "contract", "occurred_at": "2026-04-01 00:00:00", "amount": "900"},
        {"id": 3, "deal_id": 1, "kind": "amend", "occurred_at": "2026-04-02 00:00:00", "amount": "100"},
        {"id": 4, "deal_id": 2, "kind": "contract", "occurred_at": "2026-04-03 00:00:00", "amount": "500"},
    ],
    "touchpoint": [
        {"id": 1, "customer_id": 1, "project_id": 1, "source_id": 1, "activity_id": 1, "occurred_at": "2026-03-01"},
        {"id": 2, "customer_id": 1, "project_id": 1, "source_id": 3, "occurred_at": "2026-03-08 00:00:00"},
        {"id": 3, "customer_id": 1, "project_id": 1, "source_id": 2, "occurred_at": "2026-03-15 00:00:00"},
        {"id": 4, "customer_id": 1, "project_id": 1, "source_id": 2, "occurred_at": "2026-03-20 00:00:00"},
    ],
    "expense": [
        {"id": 1, "activity_id": 1, "project_id": 1, "incurred_on": "2026-03-10", "amount": "100", "status": "paid"},
        {"id": 2, "plan_id": 1, "project_id": 1, "incurred_on": "2026-04-10", "amount": "25", "status": "approved"},
        {"id": 3, "plan_id": 1, "project_id": 1, "incurred_on": "2026-04-11", "amount": "7", "status": "submitted"},
    ],
}  # fmt: skip


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """Publish literal rows in place of the company's and return a function that asks for numbers of one metric."""

    def load(**tables: Sequence[Mapping[str, Any]]) -> Any:
        warehouse = Warehouse()
        warehouse.load({**COMPANY, **tables}, "2026-04-30 00:00:00")
        warehouse.build()
        metrics = metrics_of(warehouse, tmp_path)

        def query(metric: str, *by: str, **where: Sequence[Any]) -> dict[Any, Any]:
            rows = metrics.records([metric], by=by, where=where)
            return {tuple(row[name] for name in by): row[metric] for row in rows}

        return query

    return load


def test_contracts_are_credited_by_the_model_asked_for(ask: Any) -> None:
    query = ask()
    expected = {
        "first": {"Fair": 1},
        "last": {"Walk-in": 1},
        "last_non_direct": {"Search": 1},
        "linear": {"Fair": 1 / 3, "Search": 1 / 3, "Walk-in": 1 / 3},
        "position": {"Fair": 0.4, "Search": 0.2, "Walk-in": 0.4},
        "time_decay": {"Fair": 1 / 7, "Search": 2 / 7, "Walk-in": 4 / 7},
        # Nobody was lost, and the only path leads through all three.
        "markov": {"Fair": 1 / 3, "Search": 1 / 3, "Walk-in": 1 / 3},
        "shapley": {"Fair": 1 / 3, "Search": 1 / 3, "Walk-in": 1 / 3},
    }
    credited = query("attributed_contracts", "attribution_model", "source")
    assert credited == pytest.approx(
        {
            (model, source): credit
            for model, shares in expected.items()
            for source, credit in {**shares, "unattributed": 1}.items()
        }
    )
    assert query("attributed_contracts", "source", "market_type") == {
        ("Search", "online"): 1,
        ("unattributed", "unattributed"): 1,
    }
    assert query("attributed_amount", "plan", "activity", attribution_model=["first"]) == {
        ("Spring", "Opening"): 1000,
        (None, None): 500,
    }
    assert query("attributed_amount", "month") == {("2026-04",): 1500}
    assert query("attributed_contracts", "attribution_model") == pytest.approx({(model,): 2 for model in expected})


def test_expense_belongs_to_the_plan_of_its_activity(ask: Any) -> None:
    query = ask()
    assert query("marketing_expense", "plan", "activity") == {("Spring", "Opening"): 100, ("Spring", None): 25}
    assert query("marketing_expense", "source", "market_type") == {("Fair", "event"): 100, (None, None): 25}
    assert query("cost_per_lead") == {(): 62.5}
    assert query("cost_per_lead", "source") == {("Fair",): 100, ("Search",): 0, (None,): None}


def test_return_stands_the_whole_expense_against_each_model(ask: Any) -> None:
    query = ask()
    assert query("cost_per_contract") == {(): 62.5}
    assert query("return_on_expense") == {(): 12}
    assert query("roi") == {(): pytest.approx((1500 * 0.25 - 125) / 125)}
    assert query("return_on_expense", "source") == {
        ("Fair",): 0,
        ("Search",): None,
        ("unattributed",): None,
        (None,): 0,
    }
    assert query("return_on_expense", "source", attribution_model=["first"])["Fair",] == 10
    # March has expense and no contract yet; its return is known: nothing.
    assert query("roi", "month", attribution_model=["last"]) == {("2026-03",): -1, ("2026-04",): 14}
    assert query("roi", "month", "attribution_model")["2026-03", "linear"] == -1
    with pytest.raises(InvalidCombination):
        query("roi", "customer_class")


def test_a_missing_margin_leaves_no_return_where_it_counts(ask: Any) -> None:
    query = ask(
        deal=[*COMPANY["deal"], {"id": 3, "customer_id": 3, "project_id": 2}],
        deal_event=[
            *COMPANY["deal_event"],
            {"id": 5, "deal_id": 3, "kind": "contract", "occurred_at": "2026-03-03 00:00:00", "amount": "0"},
        ],
    )
    assert query("roi") == {(): None}
    assert query("roi", "project") == {("River Bay",): 2, ("Hill View",): None}
    assert query("roi", "month")["2026-04",] == 14


def test_only_live_chains_are_credited_by_their_first_contract(ask: Any) -> None:
    query = ask(
        deal_event=[
            *COMPANY["deal_event"],
            {"id": 5, "deal_id": 2, "kind": "cancel", "occurred_at": "2026-04-20 00:00:00", "amount": "500"},
        ],
    )
    assert query("attributed_contracts") == {(): 1}
    assert query("attributed_amount") == {(): 1000}


def test_the_wide_table_agrees_with_the_metrics(tmp_path: Path) -> None:
    crm = random_crm(seed=7)
    metrics = published(crm.tables, crm.as_of, tmp_path)
    by = ["month", "project", "source", "plan", "activity"]
    names = ["leads", "marketing_expense", "attributed_contracts", "attributed_amount"]
    with metrics.snapshot.connect() as marts:
        wide = marts.execute(
            f"""
            select strftime(month_on, '%Y-%m') as month, {", ".join(by[1:])}, {", ".join(names)}, return_on_expense, roi
            from mart_campaign_roi where attribution_model = 'last_non_direct'
            -- The random company gives some things one name; the metrics add them up, the wide table keeps them apart.
            qualify count(*) over (partition by month, {", ".join(by[1:])}) = 1
            """
        ).fetchall()
    told = metrics.records([*names, "return_on_expense", "roi"], by=by)
    assert len(wide) > 30
    assert _numbers(wide) == {
        tuple(row[name] for name in by): pytest.approx(
            [None if row[name] is None else float(row[name]) for name in [*names, "return_on_expense", "roi"]]
        )
        for row in told
        if tuple(row[name] for name in by) in {row[:5] for row in wide}
    }


def _numbers(rows: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[float | None]]:
    return {row[:5]: [float(n) if isinstance(n, Decimal | int) else n for n in row[5:]] for row in rows}
