"""The reference itself, on cases small enough to work out by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from tests.reference.compute import Reference

AS_OF = dt.datetime(2025, 6, 30, 12, 0)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def on(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def reference(as_of: dt.datetime = AS_OF, **tables: list[dict[str, Any]]) -> Reference:
    """Return the reference on literal rows, numbered from 1, with a company of two projects around them."""
    company: dict[str, list[dict[str, Any]]] = {
        "project": [{"name": "North", "district": "N", "gross_margin_rate": Decimal("0.25")}, {"name": "South"}],
        "customer": [{} for _ in range(4)],
        "employee": [{"number": "E1"}, {"number": "E2"}, {"number": "E3"}],
        "source": [
            {"name": "Fair", "market_type": "event"},
            {"name": "Walk-in", "market_type": "direct"},
            {"name": "Search", "market_type": "online"},
        ],
        "building": [{"project_id": 1, "presale_permit_on": on("2025-01-01")}],
        "unit": [
            {"building_id": 1, "area_sqm": Decimal(100), "list_price": Decimal(1000)},
            {"building_id": 1, "area_sqm": Decimal(120), "list_price": Decimal(1500)},
            {"building_id": 1, "area_sqm": Decimal(80), "list_price": Decimal(800)},
        ],
    }
    frames = {
        name: pd.DataFrame([{"id": number, **row} for number, row in enumerate(rows, start=1)]).astype(object)
        for name, rows in {**company, **tables}.items()
    }
    return Reference(frames, as_of)


def lead(customer_id: int, opened_at: str, project_id: int = 1, **values: Any) -> dict[str, Any]:
    return {"customer_id": customer_id, "project_id": project_id, "opened_at": at(opened_at), **values}


def deal(customer_id: int = 1, project_id: int = 1, **values: Any) -> dict[str, Any]:
    return {"customer_id": customer_id, "project_id": project_id, **values}


def event(deal_id: int, kind: str, occurred_at: str, amount: str | None = None, **values: Any) -> dict[str, Any]:
    amount_or_none = None if amount is None else Decimal(amount)
    return {"deal_id": deal_id, "kind": kind, "occurred_at": at(occurred_at), "amount": amount_or_none, **values}


def test_leads_of_one_survivor_in_one_project_collapse_into_the_earliest() -> None:
    asked = reference(
        customer=[{}, {"merged_into_id": 1}, {"merged_into_id": 2}, {}],
        lead=[
            lead(3, "2025-02-01T00:00", source_id=3),
            lead(1, "2025-01-01T00:00", source_id=1),
            lead(2, "2025-01-01T00:00", source_id=2),
            lead(2, "2025-01-01T00:00", project_id=2, source_id=2),
            lead(4, "2025-07-01T00:00"),
        ],
    )
    assert asked.query("leads", ["project", "source"]) == {("North", "Fair"): 1, ("South", "Walk-in"): 1}


def test_a_circle_of_merges_ends_at_its_smallest_key() -> None:
    customers = [{"merged_into_id": 3}, {"merged_into_id": 3}, {"merged_into_id": 2}]
    asked = reference(customer=customers, lead=[lead(1, "2025-01-01"), lead(2, "2025-01-01"), lead(3, "2025-01-01")])
    assert asked.query("leads") == {(): 1}


def test_days_are_those_of_the_company() -> None:
    asked = reference(lead=[lead(1, "2025-03-31T15:59:59"), lead(2, "2025-03-31T16:00:00")])
    assert asked.query("leads", ["day"]) == {("2025-03-31",): 1, ("2025-04-01",): 1}
    assert asked.query("leads", ["week", "quarter"]) == {("2025-03-31", "2025-Q1"): 1, ("2025-03-31", "2025-Q2"): 1}
    assert asked.query("leads", start=on("2025-04-01"), end=on("2025-04-01")) == {(): 1}


def test_conversion_counts_live_deals_and_gross_conversion_any_contract() -> None:
    asked = reference(
        lead=[lead(1, "2025-01-01"), lead(2, "2025-01-01"), lead(3, "2025-01-01"), lead(4, "2025-01-01")],
        deal=[deal(1, lead_id=1), deal(2, lead_id=2), deal(3, lead_id=3)],
        deal_event=[
            event(1, "contract", "2025-01-31T00:00", "10"),
            event(2, "contract", "2025-02-10", "10"),
            event(2, "cancel", "2025-02-10", "10"),
            event(3, "contract", "2025-01-31T00:00:01", "10"),
            event(3, "cancel", "2025-06-30T12:00:01", "10"),
        ],
    )
    assert asked.query("conversion_rate")[()] == (2, 4, 0.5)
    assert asked.query("gross_conversion_rate")[()] == (3, 4, 0.75)
    assert asked.query("conversion_rate_30d")[()] == (1, 4, 0.25)
    assert asked.query("conversion_rate_180d")[()] == (3, 4, 0.75)
    assert asked.query("days_to_contract")[()] == pytest.approx(30 + 1 / 86_400)
    assert asked.query("booking_rate")[()] == (3, 4, 0.75)
    assert asked.query("lost_leads") == {(): 1}
    assert asked.query("open_leads") == {(): 1}


def test_a_window_must_have_passed_to_count() -> None:
    asked = reference(lead=[lead(1, "2025-05-31T12:00:00"), lead(2, "2025-05-31T12:00:01")])
    assert asked.query("conversion_rate_30d")[()] == (0, 1, 0.0)
    assert asked.query("conversion_rate_180d")[()] == (0, 0, None)


def test_visits_count_when_effective_and_stages_include_later_ones() -> None:
    visit = {"lead_id": 1, "kind": "visit", "employee_id": 2}
    asked = reference(
        lead=[lead(1, "2025-01-01", employee_id=1), lead(2, "2025-01-01")],
        lead_event=[
            {**visit, "occurred_at": at("2025-01-02"), "is_effective": None},
            {**visit, "occurred_at": at("2025-02-02"), "is_effective": True},
            {**visit, "occurred_at": at("2025-03-02"), "is_effective": True},
        ],
        deal=[deal(2, lead_id=2)],
        deal_event=[event(1, "small_booking", "2025-01-05", "1")],
    )
    assert asked.query("visits", ["month"]) == {("2025-02",): 1, ("2025-03",): 1}
    assert asked.query("visits", ["employee"]) == {("E2",): 2}
    assert asked.query("first_visits", ["month", "employee"]) == {("2025-02", "E1"): 1}
    assert asked.query("visit_rate")[()] == (2, 2, 1.0)
    assert asked.query("small_booking_rate")[()] == (1, 2, 0.5)
    assert asked.query("booking_rate")[()] == (0, 2, 0.0)


def test_the_last_of_loss_reopening_and_cancel_decides() -> None:
    def turn(lead_id: int, kind: str, moment: str) -> dict[str, Any]:
        return {"lead_id": lead_id, "kind": kind, "occurred_at": at(moment), "reason_id": 1 if kind == "lost" else None}

    asked = reference(
        reason=[{"kind": "loss", "name": "price"}, {"kind": "cancel", "name": "loan"}],
        lead=[lead(1, "2025-01-01"), lead(2, "2025-01-01"), lead(3, "2025-01-01"), lead(4, "2025-01-01")],
        lead_event=[
            turn(1, "lost", "2025-01-02"),
            turn(2, "lost", "2025-01-02"),
            turn(2, "reopened", "2025-01-03"),
            turn(3, "reopened", "2025-01-03"),
            turn(4, "lost", "2025-02-01"),
        ],
        deal=[deal(3, lead_id=3), deal(4, lead_id=4)],
        deal_event=[
            event(1, "booking", "2025-01-03", "1"),
            event(1, "cancel", "2025-03-10", "1", reason_id=2),
            event(2, "contract", "2025-03-01", "1"),
        ],
    )
    assert asked.query("lost_leads", ["reason"]) == {("price",): 1, ("loan",): 1}
    assert asked.query("loss_rate", ["reason"]) == {("price",): (1, 4, 0.25), ("loan",): (1, 4, 0.25)}
    assert asked.query("open_leads") == {(): 1}
    # Months from January to the loss, or to June: 1 + 6 + 3 + 6.
    assert asked.query("customer_months") == {(): 16}


def swapped_and_cancelled(last_month: str = "2025-06") -> Reference:
    """A sale of 1,000 shared 0.7 to 0.3, amended by 50, swapped to unit 2 for 1,400 (unshared), cancelled in May."""
    return reference(
        as_of=at(f"{last_month}-28T00:00"),
        deal=[deal(unit_id=1), deal(unit_id=2, swapped_from_id=1)],
        deal_share=[
            {"deal_id": 1, "employee_id": 1, "share": Decimal("0.7")},
            {"deal_id": 1, "employee_id": 2, "share": Decimal("0.3")},
        ],
        deal_event=[
            event(1, "contract", "2025-01-10", "1000", employee_id=3),
            event(1, "amend", "2025-02-10", "50"),
            event(1, "swap", "2025-03-10", "0"),
            event(2, "contract", "2025-03-10", "1400", employee_id=3),
            event(2, "cancel", "2025-05-10", "1400", employee_id=1),
        ],
        payment=[
            {"deal_id": 1, "received_on": on("2025-01-11"), "amount": Decimal(300), "is_void": False},
            {"deal_id": 2, "received_on": on("2025-03-11"), "amount": Decimal(400), "is_void": False},
            {"deal_id": 2, "received_on": on("2025-03-11"), "amount": Decimal(400), "is_void": True},
        ],
        payment_due=[
            {"deal_id": 2, "due_on": on("2025-04-01"), "amount": Decimal(1000)},
            {"deal_id": 2, "due_on": on("2025-12-01"), "amount": Decimal(400)},
        ],
    )


def test_a_swapped_chain_is_one_sale() -> None:
    asked = swapped_and_cancelled()
    assert asked.query("contracts", ["month"]) == {("2025-01",): 1, ("2025-05",): -1}
    assert asked.query("contract_amount", ["month"]) == {
        ("2025-01",): 1000, ("2025-02",): 50, ("2025-03",): 350, ("2025-05",): -1400,
    }  # fmt: skip
    assert asked.query("contract_amount_restated") == {(): 0}
    assert asked.query("contract_area", ["month"]) == {("2025-01",): 100, ("2025-03",): 20, ("2025-05",): -120}
    assert asked.query("cancel_rate", ["month"]) == {("2025-01",): (1, 1, 1.0)}
    assert asked.query("sell_through_rate")[()] == (0, 3, 0.0)
    assert asked.query("collected_amount") == {(): 700}
    assert asked.query("collection_rate")[()] == (0, 0, None)
    # A deal without a lead is active from its first event to its cancel: January to May.
    assert asked.query("customer_months") == {(): 5}


def test_before_its_cancel_the_chain_stands_with_its_present_amount() -> None:
    asked = swapped_and_cancelled("2025-04")
    assert asked.query("contract_amount_restated", ["month"]) == {("2025-01",): 1400}
    assert asked.query("cancel_rate")[()] == (0, 1, 0.0)
    assert asked.query("sell_through_rate")[()] == (1, 3, pytest.approx(1 / 3))
    assert asked.query("sell_through_area_rate")[()] == (120, 300, 0.4)
    assert asked.query("sell_through_value_rate")[()] == (1400, 3200, 0.4375)
    assert asked.query("collection_rate")[()] == (700, 1000, 0.7)


def test_a_booking_moved_to_another_unit_is_signed_there() -> None:
    asked = reference(
        deal=[deal(unit_id=1), deal(unit_id=2, swapped_from_id=1)],
        deal_event=[
            event(1, "booking", "2025-01-10", "50"),
            event(1, "swap", "2025-02-10", "0"),
            event(2, "contract", "2025-02-10", "1400"),
        ],
    )
    # The contract replaces a deal: to the letter it is no gross contract, and its whole price is an amendment.
    assert asked.query("contracts_gross") == {(): 0}
    assert asked.query("contract_amount_amended") == asked.query("contract_amount_restated") == {(): 1400}
    assert asked.query("contract_area") == {(): 120}
    assert asked.query("cancel_rate", ["month"]) == {("2025-02",): (0, 1, 0.0)}


def test_people_share_contracts_and_what_follows_them() -> None:
    asked = swapped_and_cancelled()
    assert asked.query("contracts_gross", ["employee"]) == {("E1",): Decimal("0.7"), ("E2",): Decimal("0.3")}
    assert asked.query("contract_amount_amended", ["employee"]) == {("E1",): 35, ("E2",): 15, ("E3",): 350}
    assert asked.query("contract_amount_cancelled", ["employee"]) == {("E3",): 1400}


def test_a_cancel_counts_for_the_furthest_stage() -> None:
    asked = reference(
        deal=[deal(1), deal(2), deal(3)],
        deal_event=[
            event(1, "small_booking", "2025-01-01", "1", employee_id=1),
            event(1, "booking", "2025-01-02", "2", employee_id=2),
            event(1, "cancel", "2025-01-03", "2", employee_id=3),
            event(2, "small_booking", "2025-01-01", "1"),
            event(2, "cancel", "2025-01-01", "1"),
            event(3, "contract", "2025-01-01", "9", employee_id=1),
            event(3, "cancel", "2025-01-02", "8", employee_id=3),
            event(3, "contract", "2025-02-02", "7", employee_id=2),
        ],
    )
    assert [asked.query(f"small_bookings{part}")[()] for part in ("_gross", "_cancelled", "")] == [2, 1, 1]
    assert [asked.query(f"bookings{part}")[()] for part in ("_gross", "_cancelled", "")] == [1, 1, 0]
    assert [asked.query(f"contracts{part}")[()] for part in ("_gross", "_cancelled", "")] == [2, 1, 1]
    assert asked.query("contracts", ["employee"]) == {("E1",): 0, ("E2",): 1}
    assert asked.query("contract_amount") == {(): 8}
    assert asked.query("contract_amount_restated", ["month"]) == {("2025-01",): 7}
    assert asked.query("cancel_rate", ["month"]) == {("2025-01",): (1, 1, 1.0)}


def test_departments_are_those_of_the_day() -> None:
    asked = reference(
        department=[{"name": "A"}, {"name": "B"}],
        position=[{"department_id": 1}, {"department_id": 2}],
        employee_position=[
            {"employee_id": 1, "position_id": 1, "from_on": on("2025-01-01"), "to_on": on("2025-01-31")},
            {"employee_id": 1, "position_id": 2, "from_on": on("2025-02-01"), "to_on": None},
        ],
        lead=[
            lead(1, "2025-01-31T15:59", employee_id=1),
            lead(2, "2025-01-31T16:00", employee_id=1),
            lead(3, "2024-12-01", employee_id=1),
        ],
    )
    assert asked.query("leads", ["department"]) == {("A",): 1, ("B",): 1, (None,): 1}


def demand(received_at: str, category_id: int = 2, **values: Any) -> dict[str, Any]:
    moments = {name: at(values.pop(name)) for name in ("due_at", "withdrawn_at") if name in values}
    return {
        "customer_id": 1, "project_id": 1, "demand_category_id": category_id, "phase": "sales",
        "received_at": at(received_at), **moments, **values,
    }  # fmt: skip


CATEGORIES = [
    {"kind": "complaint", "name": "Complaint"},
    {"kind": "complaint", "name": "Leak", "parent_id": 1},
    {"kind": "suggestion", "name": "Suggestion"},
]


def test_complaints_are_masters_and_valid_ones_stand() -> None:
    asked = reference(
        demand_category=CATEGORIES,
        lead=[lead(1, "2025-03-01", employee_id=1), lead(2, "2025-03-01", employee_id=2)],
        demand=[
            demand("2025-04-01", responsible_employee_id=1),
            demand("2025-04-02", duplicate_of_id=1),
            demand("2025-04-03", withdrawn_at="2025-06-30T12:00:00"),
            demand("2025-04-04", withdrawn_at="2025-06-30T12:00:01"),
            demand("2025-04-05", is_founded=False),
            demand("2025-04-06", category_id=1, is_founded=True),
            demand("2025-04-07", category_id=3),
        ],
    )
    assert [asked.query(name)[()] for name in ("demands", "complaints", "suggestions")] == [6, 5, 1]
    assert asked.query("valid_complaints", ["demand_category"]) == {("Complaint",): 3, ("Leak",): 2}
    assert asked.query("customer_months") == {(): 8}
    assert asked.query("complaint_rate")[()] == (3, 8, 37.5)
    assert asked.query("customer_months", start=on("2025-04-15"), end=on("2025-04-20")) == {(): 2}
    assert asked.query("complaint_rate", ["month", "demand_category"]) == {
        ("2025-04", "Complaint"): (3, 2, 150.0), ("2025-04", "Leak"): (2, 2, 100.0),
    }  # fmt: skip
    assert asked.query("complaints_per_100_served", ["employee"]) == {("E1",): (1, 1, 100.0), ("E2",): (0, 1, 0.0)}
    assert asked.query("complaints_per_100_served")[()] == (1, 2, 50.0)


def test_replies_are_in_time_up_to_the_deadline_and_belong_to_the_last_assigned() -> None:
    def step(demand_id: int, kind: str, moment: str, to: int | None = None) -> dict[str, Any]:
        return {"demand_id": demand_id, "kind": kind, "occurred_at": at(moment), "to_employee_id": to}

    asked = reference(
        demand_category=CATEGORIES,
        demand=[
            demand("2025-04-01T00:00", due_at="2025-04-01T10:00"),
            demand("2025-04-01T00:00", due_at="2025-04-01T10:00"),
            demand("2025-06-30T00:00", due_at="2025-06-30T12:00:01"),
            demand("2025-04-01T00:00", due_at="2025-04-01T10:00", withdrawn_at="2025-04-01T00:01"),
        ],
        demand_event=[
            step(1, "assign", "2025-04-01T01:00", 1),
            step(1, "forward", "2025-04-01T10:00", 2),
            step(1, "reply", "2025-04-01T10:00"),
            step(1, "assign", "2025-04-01T11:00", 3),
            step(2, "assign", "2025-04-01T09:00", 1),
            step(2, "forward", "2025-04-01T10:01", 3),
            step(2, "reply", "2025-04-01T10:02"),
        ],
    )
    assert asked.query("reply_timeliness_rate", ["employee"]) == {("E1",): (0, 1, 0.0), ("E2",): (1, 1, 1.0)}
    assert asked.query("reply_timeliness_rate", ["day"]) == {("2025-04-01",): (1, 2, 0.5)}
    assert asked.query("first_reply_minutes") == {(): 601.0}


def test_a_reopened_demand_is_not_resolved_and_the_latest_rating_counts() -> None:
    def step(demand_id: int, kind: str, moment: str, employee_id: int = 1) -> dict[str, Any]:
        return {"demand_id": demand_id, "kind": kind, "occurred_at": at(moment), "employee_id": employee_id}

    def call(demand_id: int, moment: str, satisfaction: int | None) -> dict[str, Any]:
        reached = satisfaction is not None
        return {
            "demand_id": demand_id, "occurred_at": at(moment), "was_reached": reached, "satisfaction": satisfaction
        }  # fmt: skip

    asked = reference(
        demand_category=CATEGORIES,
        demand=[
            demand("2025-04-01T00:00", severity="high"),
            demand("2025-04-01T00:00"),
            demand("2025-04-01T00:00"),
            demand("2025-04-01T00:00", withdrawn_at="2025-04-03T00:00"),
        ],
        demand_event=[
            step(1, "resolve", "2025-04-01T02:00"),
            step(1, "reopen", "2025-04-02T00:00"),
            step(1, "resolve", "2025-04-03T00:00", 2),
            step(2, "resolve", "2025-04-02T00:00"),
            step(2, "reopen", "2025-04-02T00:00"),
            step(4, "resolve", "2025-04-02T00:00"),
        ],
        follow_up=[
            call(1, "2025-04-02T01:00", 5),
            call(1, "2025-04-04T00:00", 3),
            call(1, "2025-04-05T00:00", None),
            call(2, "2025-04-02T12:00", 4),
        ],
    )
    assert asked.query("resolution_rate")[()] == (1, 3, pytest.approx(1 / 3))
    # Two of three are unfinished: so is the one in the middle.
    assert asked.query("resolution_hours") == {(): None}
    assert asked.query("resolution_hours", where={"severity": ["high"]}) == {(): 48.0}
    assert asked.query("reopen_rate")[()] == (2, 2, 1.0)
    assert asked.query("follow_up_rate")[()] == (1, 2, 0.5)
    assert asked.query("follow_up_satisfaction", ["employee"]) == {("E2",): (0, 1, 0.0), ("E1",): (1, 1, 1.0)}


def test_answers_to_the_satisfaction_question() -> None:
    asked = reference(
        survey=[{}],
        survey_question=[{"survey_id": 1, "kind": "satisfaction"}, {"survey_id": 1, "kind": "rating"}],
        survey_response=[
            {"survey_id": 1, "project_id": 1, "submitted_at": at("2025-03-01")},
            {"survey_id": 1, "submitted_at": at("2025-03-01")},
            {"survey_id": 1, "project_id": 1, "submitted_at": at("2025-07-01")},
        ],
        survey_answer=[
            {"survey_response_id": 1, "survey_question_id": 1, "value_number": 4},
            {"survey_response_id": 1, "survey_question_id": 2, "value_number": 1},
            {"survey_response_id": 2, "survey_question_id": 1, "value_number": 3},
            {"survey_response_id": 3, "survey_question_id": 1, "value_number": 1},
        ],
    )
    assert asked.query("customer_satisfaction", ["project"]) == {("North",): (1, 1, 1.0), (None,): (0, 1, 0.0)}


def touchpoint(moment: str, source_id: int, customer_id: int = 1, project_id: int = 1) -> dict[str, Any]:
    return {
        "customer_id": customer_id, "project_id": project_id, "source_id": source_id, "occurred_at": at(moment)
    }  # fmt: skip


def attribution(touchpoints: list[dict[str, Any]]) -> Reference:
    """A sale of 1,000 signed on 1 June, whose first event is a booking on 15 May at noon."""
    spent = {"project_id": 1, "incurred_on": on("2025-05-01")}
    return reference(
        customer=[{}, {"merged_into_id": 1}, {}, {}],
        deal=[deal(1)],
        deal_event=[event(1, "booking", "2025-05-15T12:00", "1"), event(1, "contract", "2025-06-01", "1000")],
        touchpoint=touchpoints,
        plan=[{"name": "P", "project_id": 1, "start_on": on("2025-01-01")}],
        activity=[{"name": "A", "plan_id": 1, "source_id": 1}],
        expense=[
            {**spent, "activity_id": 1, "amount": Decimal(100), "status": "paid"},
            {**spent, "plan_id": 1, "amount": Decimal(25), "status": "approved"},
            {**spent, "plan_id": 1, "amount": Decimal(9), "status": "submitted"},
        ],
    )


def test_the_window_of_attribution_includes_both_ends() -> None:
    asked = attribution(
        [
            touchpoint("2024-11-16T12:00:00", 1, customer_id=2),
            touchpoint("2024-11-16T11:59:59", 3),
            touchpoint("2025-05-15T12:00:00", 2),
            touchpoint("2025-05-15T12:00:01", 3),
            touchpoint("2025-05-01", 3, project_id=2),
            touchpoint("2025-05-01", 3, customer_id=3),
        ]
    )
    by_model = asked.query("attributed_contracts", ["attribution_model", "source"])
    assert by_model["linear", "Fair"] == by_model["linear", "Walk-in"] == 0.5
    assert by_model["first", "Fair"] == by_model["last", "Walk-in"] == by_model["last_non_direct", "Fair"] == 1
    assert ("linear", "Search") not in by_model
    assert asked.query("attributed_amount", ["source", "month"]) == {("Fair", "2025-06"): 1000}
    assert asked.query("attributed_amount", where={"attribution_model": ["last"], "source": ["Walk-in"]}) == {(): 1000}


def test_weights_by_position_and_by_time() -> None:
    asked = attribution(
        [
            touchpoint("2025-05-01T12:00", 1),
            touchpoint("2025-05-08T12:00", 2),
            touchpoint("2025-05-15T12:00", 3),
            touchpoint("2025-05-08T12:00", 2),
        ]
    )
    shares = asked.query("attributed_contracts", ["source"], {"attribution_model": ["position"]})
    assert shares == pytest.approx({("Fair",): 0.4, ("Walk-in",): 0.2, ("Search",): 0.4})
    shares = asked.query("attributed_contracts", ["source"], {"attribution_model": ["time_decay"]})
    assert shares == pytest.approx({("Fair",): 0.25 / 2.25, ("Walk-in",): 1 / 2.25, ("Search",): 1 / 2.25})


def test_a_sale_without_touchpoints_is_unattributed() -> None:
    asked = attribution([])
    assert asked.query("attributed_contracts", ["source", "market_type"]) == {("unattributed", "unattributed"): 1}


def test_return_on_expense() -> None:
    asked = attribution([touchpoint("2025-05-15T12:00", 1)])
    assert asked.query("marketing_expense", ["plan", "activity"]) == {("P", "A"): 100, ("P", None): 25}
    assert asked.query("marketing_expense", ["source"]) == {("Fair",): 100, (None,): 25}
    assert asked.query("cost_per_contract")[()] == (125, 1, 125)
    assert asked.query("return_on_expense")[()] == (1000, 125, 8)
    assert asked.query("roi")[()] == (125, 125, 1)
    assert asked.query("cost_per_lead")[()] == (125, 0, None)


def test_a_missing_margin_leaves_the_return_unknown() -> None:
    asked = reference(
        deal=[deal(1, project_id=2)],
        deal_event=[event(1, "contract", "2025-06-01", "1000")],
        expense=[{"project_id": 2, "incurred_on": on("2025-06-01"), "amount": Decimal(10), "status": "paid"}],
    )
    assert asked.query("roi")[()].value is None
    assert asked.query("return_on_expense")[()].value == 100


def test_fees() -> None:
    bill = {"unit_id": 1, "customer_id": 1, "fee_type_id": 1}
    asked = reference(
        fee_bill=[
            {**bill, "period_on": on("2025-05-01"), "due_on": on("2025-05-20"), "amount": Decimal("100.10")},
            {**bill, "period_on": on("2025-06-01"), "due_on": on("2025-07-01"), "amount": Decimal(50)},
            {**bill, "period_on": on("2025-07-01"), "due_on": on("2025-07-01"), "amount": Decimal(70)},
        ],
        fee_payment=[
            {"fee_bill_id": 1, "received_on": on("2025-06-01"), "amount": Decimal(60), "is_void": False},
            {"fee_bill_id": 1, "received_on": on("2025-06-01"), "amount": Decimal(9), "is_void": True},
            {"fee_bill_id": 1, "received_on": on("2025-07-01"), "amount": Decimal(9), "is_void": False},
            {"fee_bill_id": 3, "received_on": on("2025-06-02"), "amount": Decimal(8), "is_void": False},
        ],
    )
    assert asked.query("fee_billed", ["project"]) == {("North",): Decimal("150.10")}
    assert asked.query("fee_collected", ["month"]) == {("2025-06",): 68}
    assert asked.query("fee_arrears") == {(): Decimal("40.10")}


def test_deleted_rows_do_not_count() -> None:
    asked = reference(lead=[lead(1, "2025-01-01", deleted_at=at("2026-01-01")), lead(2, "2025-01-01")])
    assert asked.query("leads") == {(): 1}
