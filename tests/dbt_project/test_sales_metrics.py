"""Sales metrics on literal rows, asked through the gateway, and the wide tables against the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from loupan.metrics import Metrics
from tests.reference.agreement import published
from tests.reference.random_crm import random_crm
from tests.support.gateway import metrics_of
from tests.support.warehouse import Warehouse

AS_OF = "2026-04-30 15:59:59"
COMPANY: dict[str, list[dict[str, Any]]] = {
    "project": [{"id": 1, "name": "River Bay", "district": "East"}],
    "building": [
        {"id": 1, "project_id": 1, "name": "A", "presale_permit_on": "2026-01-01"},
        {"id": 2, "project_id": 1, "name": "B", "presale_permit_on": "2026-05-01"},
    ],
    "unit": [
        {"id": 1, "building_id": 1, "number": "101", "area_sqm": "80", "list_price": "1000"},
        {"id": 2, "building_id": 1, "number": "102", "area_sqm": "95.5", "list_price": "1200"},
        {"id": 3, "building_id": 1, "number": "103", "area_sqm": "100", "list_price": "1300"},
        {"id": 4, "building_id": 2, "number": "104", "area_sqm": "120", "list_price": "1500"},
    ],
    "customer": [{"id": 1}, {"id": 2, "merged_into_id": 1}, {"id": 3}],
    "employee": [{"id": 1, "number": "E1", "name": "Li"}, {"id": 2, "number": "E2", "name": "Wang"}],
    "source": [
        {"id": 1, "name": "Search", "market_type": "online"},
        {"id": 2, "name": "Walk-in", "market_type": "direct"},
    ],
}


def lead(key: int, opened_at: str, customer: int = 1, **values: Any) -> dict[str, Any]:
    return {"id": key, "customer_id": customer, "project_id": 1, "opened_at": opened_at, **values}


def deal(key: int, customer: int = 1, **values: Any) -> dict[str, Any]:
    return {"id": key, "customer_id": customer, "project_id": 1, **values}


def events(deal_id: int, *steps: tuple[str, str, int], first_key: int | None = None) -> list[dict[str, Any]]:
    """Events of a deal as (kind, moment, amount), entered by the employee E1."""
    first = 100 * deal_id if first_key is None else first_key
    return [
        {"id": first + n, "deal_id": deal_id, "kind": kind, "occurred_at": at, "amount": amount, "employee_id": 1}
        for n, (kind, at, amount) in enumerate(steps)
    ]


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """Publish literal rows beside the company's and return a function that asks for numbers of one metric."""

    def load(**tables: Sequence[Mapping[str, Any]]) -> Any:
        warehouse = Warehouse()
        warehouse.load({**COMPANY, **tables}, AS_OF)
        warehouse.build()
        metrics = metrics_of(warehouse, tmp_path)

        def query(metric: str, *by: str, **where: Sequence[Any]) -> Any:
            rows = metrics.records([metric], by=by, where=where)
            found = {tuple(row[name] for name in by): row[metric] for row in rows}
            return found if by else found[()]

        return query

    return load


def test_leads_of_merged_customers_collapse_into_the_earliest(ask: Any) -> None:
    query = ask(
        lead=[
            lead(1, "2026-03-31 15:59:59", customer=1, source_id=1, employee_id=1),
            lead(2, "2026-01-31 16:00:00", customer=2, source_id=2, employee_id=2),
            lead(3, "2026-04-30 16:00:00", customer=3),
        ],
        deal=[deal(1, lead_id=1, unit_id=1)],
        deal_event=events(1, ("contract", "2026-04-01 00:00:00", 1000)),
    )
    assert query("leads", "month", "source", "employee") == {("2026-02", "Walk-in", "E2"): 1}
    assert query("conversion_rate", "source") == {("Walk-in",): 1}
    assert query("contracts", "source", "employee") == {("Walk-in", "E1"): 1}


def test_a_swap_is_one_sale_and_posts_the_difference(ask: Any) -> None:
    query = ask(
        lead=[lead(1, "2026-01-01 00:00:00")],
        deal=[deal(1, lead_id=1, unit_id=1), deal(2, lead_id=1, unit_id=2, swapped_from_id=1)],
        deal_event=[
            *events(
                1,
                ("booking", "2026-01-05 00:00:00", 50),
                ("contract", "2026-01-10 00:00:00", 1000),
                ("amend", "2026-02-01 00:00:00", -100),
                ("swap", "2026-03-01 00:00:00", 0),
            ),
            *events(2, ("contract", "2026-03-01 00:00:00", 1150)),
        ],
        payment=[{"id": 1, "deal_id": 1, "received_on": "2026-01-10", "amount": "300"}],
        payment_due=[
            {"id": 1, "deal_id": 2, "due_on": "2026-04-30", "amount": "600"},
            {"id": 2, "deal_id": 2, "due_on": "2026-05-01", "amount": "550"},
        ],
    )
    assert query("contracts", "month") == {("2026-01",): 1}
    assert query("contract_amount", "month") == {("2026-01",): 1000, ("2026-02",): -100, ("2026-03",): 250}
    assert query("contract_amount_gross") == 1000
    assert query("contract_amount_amended") == 150
    assert query("contract_amount_restated", "month") == {("2026-01",): 1150}
    assert query("contract_area", "month") == {("2026-01",): 80, ("2026-03",): Decimal("15.5")}
    assert query("bookings") == 1
    assert query("cancel_rate") == 0
    assert query("conversion_rate") == 1
    assert query("collection_rate") == 0.5
    # One of three permitted units; the sold one at the price of the deal, the others at list price.
    assert query("sell_through_rate", "day") == {("2026-04-30",): pytest.approx(1 / 3)}
    assert query("sell_through_area_rate") == pytest.approx(95.5 / 275.5)
    assert query("sell_through_value_rate") == pytest.approx(1150 / (1000 + 1150 + 1300))


def test_a_swap_that_is_cancelled_leaves_nothing(ask: Any) -> None:
    query = ask(
        lead=[lead(1, "2026-01-01 00:00:00")],
        deal=[
            deal(1, lead_id=1, unit_id=1),
            deal(2, unit_id=2, swapped_from_id=1),
            deal(3, unit_id=3, swapped_from_id=2),
        ],
        deal_event=[
            *events(1, ("contract", "2026-01-10 00:00:00", 1000), ("swap", "2026-02-01 00:00:00", 0)),
            *events(2, ("contract", "2026-02-01 00:00:00", 1150), ("swap", "2026-03-01 00:00:00", 0)),
            *events(3, ("contract", "2026-03-01 00:00:00", 1300), ("cancel", "2026-04-01 00:00:00", 1300)),
        ],
    )
    assert query("contracts", "month") == {("2026-01",): 1, ("2026-04",): -1}
    for metric in ("contracts", "contract_amount", "contract_amount_restated", "contract_area", "conversion_rate"):
        assert query(metric) == 0, metric
    assert query("cancel_rate", "month") == {("2026-01",): 1}
    assert query("gross_conversion_rate") == 1
    assert query("lost_leads") == 1
    assert query("sell_through_rate") == 0


def test_a_sale_signed_again_is_live(ask: Any) -> None:
    query = ask(
        lead=[lead(1, "2026-01-01 00:00:00")],
        deal=[deal(1, lead_id=1, unit_id=1)],
        deal_event=events(
            1,
            ("contract", "2026-01-10 00:00:00", 1000),
            ("cancel", "2026-02-10 00:00:00", 1000),
            ("contract", "2026-02-10 00:00:00", 1100),
        ),
    )
    assert (query("contracts_gross"), query("contracts_cancelled"), query("contracts")) == (2, 1, 1)
    assert query("contract_amount") == 1100
    assert query("contract_amount_restated", "month") == {("2026-01",): 1100}
    assert (query("cancel_rate"), query("conversion_rate"), query("lost_leads")) == (1, 1, 0)


def test_shares_follow_a_contract_to_its_cancellation(ask: Any) -> None:
    query = ask(
        deal=[deal(1, unit_id=1)],
        deal_event=events(1, ("contract", "2026-01-10 00:00:00", 100), ("cancel", "2026-02-10 00:00:00", 100)),
        deal_share=[
            {"id": 1, "deal_id": 1, "employee_id": 1, "share": "0.333333"},
            {"id": 2, "deal_id": 1, "employee_id": 2, "share": "0.666667"},
        ],
    )
    assert query("contracts_gross", "employee") == {("E1",): Decimal("0.333333"), ("E2",): Decimal("0.666667")}
    assert query("contract_amount_gross", "employee")[("E2",)] == Decimal("66.6667")
    assert query("contract_amount", "employee") == {("E1",): 0, ("E2",): 0}
    # The customer has no lead: the sale has no source.
    assert query("contracts", "source") == {(None,): 0}


def test_what_lies_after_the_as_of_does_not_count(ask: Any) -> None:
    query = ask(
        lead=[lead(1, "2026-04-30 15:59:59"), lead(2, "2026-04-30 16:00:00", customer=3)],
        deal=[deal(1, lead_id=1, unit_id=1)],
        deal_event=events(1, ("contract", "2026-04-30 15:59:59", 100), ("cancel", "2026-04-30 16:00:00", 100)),
        payment=[
            {"id": 1, "deal_id": 1, "received_on": "2026-04-30", "amount": "30"},
            {"id": 2, "deal_id": 1, "received_on": "2026-05-01", "amount": "70"},
        ],
    )
    assert query("leads", "day") == {("2026-04-30",): 1}
    assert (query("contracts"), query("conversion_rate"), query("collected_amount")) == (1, 1, 30)


def test_no_denominator_is_no_data(ask: Any) -> None:
    query = ask()
    for metric in (
        "conversion_rate", "gross_conversion_rate", "conversion_rate_30d", "visit_rate", "loss_rate", "cancel_rate",
        "collection_rate", "days_to_contract",
    ):  # fmt: skip
        assert query(metric) is None, metric
    for metric in ("leads", "contracts", "contract_amount", "collected_amount", "visits", "first_visits"):
        assert query(metric) == 0, metric


@pytest.fixture(scope="module", params=[3, 11])
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Metrics:
    """The metrics of a random company with every hard case."""
    crm = random_crm(seed=request.param)
    return published(crm.tables, crm.as_of, tmp_path_factory.mktemp("company"))


def test_mart_conversion_agrees_with_the_metrics(company: Metrics) -> None:
    names = [
        "leads", "converted_leads", "contracted_leads", "visited_leads", "small_booked_leads", "booked_leads",
        "lost_leads", "open_leads", "mature_leads_30d", "contracted_leads_30d", "mature_leads_90d",
        "contracted_leads_90d", "mature_leads_180d", "contracted_leads_180d",
    ]  # fmt: skip
    by = ["month", "project", "source", "employee", "age_band"]
    assert_wide(company, "mart_conversion", names, by)


def test_mart_staff_performance_agrees_with_the_metrics(company: Metrics) -> None:
    names = [
        "leads", "converted_leads", "contracted_leads", "visits", "contracts_gross", "contracts_cancelled",
        "contract_amount_gross", "contract_amount_amended", "contract_amount_cancelled", "contracts_signed",
        "contracts_ever_cancelled", "contract_amount_restated", "collected_amount", "complaints_about_staff",
        "customers_served", "replies_due", "replies_in_time", "follow_ups_rated", "follow_ups_satisfied",
        "satisfaction_answers", "satisfied_answers",
    ]  # fmt: skip
    assert_wide(company, "mart_staff_performance", names, ["month", "employee", "department"])


def assert_wide(metrics: Metrics, table: str, names: list[str], by: list[str]) -> None:
    """Assert that the sums of a wide table are the metrics, group by group; rows without an employee aside."""
    groups = ", ".join("strftime(month_on, '%Y-%m')" if name == "month" else name for name in by)
    sums = ", ".join(f"sum({name})" for name in names)
    with metrics.snapshot.connect() as marts:
        found = marts.execute(
            f"select {groups}, {sums} from {table} where employee is not null group by all"
        ).fetchall()
    wide = {row[: len(by)]: row[len(by) :] for row in found}
    told = {
        tuple(record[name] for name in by): tuple(record[name] or 0 for name in names)
        for record in metrics.records(names, by=by)
        if record["employee"] is not None
    }
    assert {key: values for key, values in told.items() if any(values)} == {
        key: values for key, values in wide.items() if any(values)
    }


def test_what_is_divided_among_people_adds_up(company: Metrics) -> None:
    names = ["contracts_gross", "contract_amount_gross", "contract_amount_restated", "collected_amount", "cancel_rate"]
    [total] = company.records(names)
    people = company.records(names, by=["employee"])
    for name in names[:-1]:
        assert sum(Decimal(str(record[name] or 0)) for record in people) == Decimal(str(total[name])), name
    assert total["contracts_gross"] == int(total["contracts_gross"])
