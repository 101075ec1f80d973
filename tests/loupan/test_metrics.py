"""The gateway against numbers that can be counted by hand in ``mini_project``."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from loupan.metrics import (
    InvalidCombination,
    InvalidFilter,
    InvalidPeriod,
    Metrics,
    QueryError,
    UnknownDimension,
    UnknownMetric,
    UnusableManifest,
)
from tests.loupan.conftest import HOSTILE_NAME


def named(manifest: dict[str, Any], metric: str) -> dict[str, Any]:
    return next(declared for declared in manifest["metrics"] if declared["name"] == metric)


class TestGroups:
    def test_total(self, metrics: Metrics) -> None:
        assert metrics.records(["leads"]) == [{"leads": 6}]

    def test_groups_are_sorted_and_missing_values_come_last(self, metrics: Metrics) -> None:
        assert metrics.records(["leads"], by=["project"]) == [
            {"project": HOSTILE_NAME, "leads": 2},
            {"project": "River Bay", "leads": 3},
            {"project": None, "leads": 1},
        ]

    @pytest.mark.parametrize(
        ("period", "labels"),
        [
            ("day", ["2025-12-31", "2026-01-05", "2026-01-11", "2026-01-31", "2026-02-28", "2026-03-01"]),
            ("week", ["2025-12-29", "2026-01-05", "2026-01-26", "2026-02-23"]),
            ("month", ["2025-12", "2026-01", "2026-02", "2026-03"]),
            ("quarter", ["2025-Q4", "2026-Q1"]),
            ("year", ["2025", "2026"]),
        ],
    )
    def test_labels_of_periods(self, metrics: Metrics, period: str, labels: list[str]) -> None:
        assert [row[period] for row in metrics.records(["leads"], by=[period])] == labels

    def test_metrics_of_several_tables_meet_with_null_equal_to_null(self, metrics: Metrics) -> None:
        rows = metrics.records(["leads", "contracts", "days_to_contract"], by=["month", "district"])
        found = {(row["month"], row["district"]): row for row in rows}
        assert len(found) == len(rows)
        # A count without rows is 0, a median without rows is unknown.
        assert found["2026-02", "East"] | {} == {
            "month": "2026-02",
            "district": "East",
            "leads": 0,
            "contracts": 0,
            "days_to_contract": None,
        }
        assert found["2025-12", None]["leads"] == 1
        assert found["2025-12", None]["contracts"] == 0

    def test_an_infinite_median_is_no_number(self, metrics: Metrics) -> None:
        (row,) = metrics.records(["days_to_contract"], where={"project": [HOSTILE_NAME]})
        assert row == {"days_to_contract": None}

    def test_dimension_reached_over_two_joins(self, metrics: Metrics) -> None:
        assert metrics.records(["contracts"], by=["department"]) == [
            {"department": "North", "contracts": 1},
            {"department": "South", "contracts": 0},
        ]
        assert metrics.records(["contracts"], where={"department": ["North"]}) == [{"contracts": 1}]

    def test_the_nearest_of_two_ways_counts(self, metrics: Metrics) -> None:
        # Lead 4 belongs to employee E002 of department South, but to department North at the time.
        assert metrics.records(["leads"], by=["department"], where={"employee": ["E002"]}) == [
            {"department": "North", "leads": 1},
            {"department": "South", "leads": 1},
        ]

    def test_names_asked_twice_count_once(self, metrics: Metrics) -> None:
        assert metrics.records(["leads", "leads"], by=["year", "year"])[0] == {"year": "2025", "leads": 1}

    def test_money_stays_exact(self, metrics: Metrics) -> None:
        assert metrics.records(["contract_amount"]) == [{"contract_amount": Decimal("12345678901234567.02")}]


class TestRatios:
    def test_ratio_of_sums_with_its_terms(self, metrics: Metrics) -> None:
        (row,) = metrics.records(["conversion_rate"])
        assert row == {
            "conversion_rate": pytest.approx(4 / 6),
            "conversion_rate__numerator": 4,
            "conversion_rate__denominator": 6,
        }

    def test_zero_denominator_is_no_data(self, metrics: Metrics) -> None:
        rows = {row["project"]: row for row in metrics.records(["complaint_rate"], by=["project"])}
        assert rows["Empty Estate"]["complaint_rate"] is None
        assert rows["Empty Estate"]["complaint_rate__denominator"] == 0

    def test_group_without_numerator_has_rate_zero(self, metrics: Metrics) -> None:
        rows = metrics.records(["complaint_rate"], by=["month"], where={"project": ["River Bay"]})
        assert [(row["month"], row["complaint_rate"]) for row in rows] == [("2026-01", 4.0), ("2026-02", 0.0)]

    def test_dimension_of_the_numerator_alone_keeps_the_whole_denominator(self, metrics: Metrics) -> None:
        rows = metrics.records(["complaint_rate"], by=["project", "severity"])
        assert [(row["project"], row["severity"], row["complaint_rate__denominator"]) for row in rows] == [
            (HOSTILE_NAME, "low", 30),
            ("River Bay", "high", 90),
            ("River Bay", "low", 90),
        ]

    def test_filter_on_the_numerator_alone(self, metrics: Metrics) -> None:
        (row,) = metrics.records(["complaint_rate"], where={"severity": ["high"]})
        assert (row["complaint_rate__numerator"], row["complaint_rate__denominator"]) == (1, 120)

    def test_variant_stands_in_and_keeps_the_name(self, metrics: Metrics) -> None:
        rows = metrics.records(["complaint_rate", "complaints"], by=["demand_category"])
        assert [(row["demand_category"], row["complaints"], row["complaint_rate__numerator"]) for row in rows] == [
            ("Quality", 1, 1),
            ("Service", 2, 2),
            ("Service / Slow", 1, 1),
        ]
        assert {row["complaint_rate__denominator"] for row in rows} == {120}
        (row,) = metrics.records(["complaints"], where={"demand_category": ["Service", "Service / Slow"]})
        assert row == {"complaints": 2}

    def test_default_choice_of_view(self, metrics: Metrics) -> None:
        (row,) = metrics.records(["attributed_contracts"])
        assert row == {"attributed_contracts": 1.0}
        assert metrics.records(["attributed_amount"], by=["attribution_model"]) == [
            {"attribution_model": "first", "attributed_amount": 1000.0},
            {"attribution_model": "last", "attributed_amount": 1000.0},
        ]

    def test_a_view_may_belong_to_the_denominator_alone(self, metrics: Metrics) -> None:
        rows = metrics.records(["cost_per_contract"], by=["attribution_model", "project"])
        found = {(row["attribution_model"], row["project"]): row for row in rows}
        assert found["first", "River Bay"]["cost_per_contract"] == pytest.approx(100.3)
        assert found["last", "River Bay"]["cost_per_contract"] == pytest.approx(200.6)

    def test_a_cut_of_the_denominator_alone_is_refused(self, metrics: Metrics) -> None:
        with pytest.raises(InvalidCombination, match="cost_per_lead has no dimension 'employee'"):
            metrics.records(["cost_per_lead"], by=["employee"])

    def test_derived_metric_over_two_tables(self, metrics: Metrics) -> None:
        rows = {row["project"]: row for row in metrics.records(["roi"], by=["project"])}
        assert rows["River Bay"]["roi__numerator"] == pytest.approx(600 * 0.2 - 100.30)
        assert rows["Empty Estate"]["roi"] == pytest.approx(-1)
        assert rows[HOSTILE_NAME]["roi"] is None

    def test_derived_metric_by_a_view_of_one_input(self, metrics: Metrics) -> None:
        rows = metrics.records(["roi", "attributed_profit"], by=["attribution_model"])
        assert [row["attributed_profit"] for row in rows] == pytest.approx([200 - 107.3] * 2)


class TestWholeMonths:
    """Customer-months are recorded by month: 50 and 40 of River Bay in January and February, 30 of another."""

    @pytest.mark.parametrize(
        ("start", "end", "complaints", "customer_months"),
        [
            ("2026-01-16", "2026-02-15", 1, 120),
            ("2026-01-31", "2026-01-31", 0, 80),
            ("2026-02-01", "2026-02-01", 0, 40),
            ("2026-01-16", None, 2, 120),
            (None, "2026-01-15", 1, 80),
            ("2026-03-15", None, 0, 0),
        ],
    )
    def test_a_period_counts_every_month_it_touches(
        self, metrics: Metrics, start: str | None, end: str | None, complaints: int, customer_months: int
    ) -> None:
        (row,) = metrics.records(["complaint_rate", "customer_months"], start=start, end=end)
        assert row["customer_months"] == row["complaint_rate__denominator"] == customer_months
        assert row["complaint_rate__numerator"] == complaints

    @pytest.mark.parametrize("period", ["day", "week"])
    @pytest.mark.parametrize("metric", ["customer_months", "complaint_rate"])
    def test_no_finer_than_recorded(self, metrics: Metrics, metric: str, period: str) -> None:
        assert metrics.describe(metric).dimensions[:3] == ("month", "quarter", "year")
        for question in ({"by": [period]}, {"where": {period: ["2026-01-05"]}}):
            with pytest.raises(InvalidCombination, match=f"{metric} counts whole months, so it has no '{period}'"):
                metrics.records(["leads", metric], **question)

    def test_coarser_periods(self, metrics: Metrics) -> None:
        rows = metrics.records(["complaint_rate"], by=["quarter"])
        assert [(row["quarter"], row["complaint_rate__denominator"]) for row in rows] == [("2026-Q1", 120)]


class TestStateAtTheAsOf:
    """Units are dated by the as-of, 31 March: of other periods nothing is known, not even that there were none."""

    def test_by_month_beside_others(self, metrics: Metrics) -> None:
        rows = metrics.records(["leads", "units", "sell_through_rate"], by=["month"])
        assert [(row["month"], row["leads"], row["units"]) for row in rows] == [
            ("2025-12", 1, None), ("2026-01", 3, None), ("2026-02", 1, None), ("2026-03", 1, 3),
        ]  # fmt: skip
        assert [row["sell_through_rate__numerator"] for row in rows] == [None, None, None, 1]

    @pytest.mark.parametrize(
        ("question", "units"),
        [
            ({}, 3),
            ({"start": "2026-03-31"}, 3),
            ({"end": "2026-03-31"}, 3),
            ({"end": "2026-03-30"}, None),
            ({"start": "2026-04-01"}, None),
            ({"where": {"month": ["2026-02", "2026-03"]}}, 3),
            ({"where": {"week": ["2026-03-30"]}}, 3),
            ({"where": {"quarter": ["2025-Q4"]}}, None),
            # Known, and none there.
            ({"where": {"project": ["Empty Estate"]}}, 0),
            ({"where": {"project": ["Empty Estate"]}, "end": "2026-03-31"}, 0),
            ({"where": {"project": ["Empty Estate"]}, "end": "2026-02-28"}, None),
        ],
    )
    def test_known_where_the_period_holds_the_as_of(
        self, metrics: Metrics, question: dict[str, Any], units: int | None
    ) -> None:
        assert metrics.records(["units"], **question) == [{"units": units}]

    def test_a_group_without_units(self, metrics: Metrics) -> None:
        rows = metrics.records(["marketing_expense", "units"], by=["project", "year"])
        assert {row["project"]: row["units"] for row in rows} == {"Empty Estate": 0, "River Bay": 2, HOSTILE_NAME: 1}


class TestFilters:
    def test_several_views_at_once_are_refused(self, metrics: Metrics) -> None:
        both = {"attribution_model": ["first", "last"]}
        for metric in ("attributed_contracts", "cost_per_contract", "roi"):
            with pytest.raises(InvalidCombination, match="Filter one value, or ask for it by attribution_model"):
                metrics.records([metric], where=both)
        rows = metrics.records(["attributed_contracts"], by=["attribution_model"], where=both)
        assert [row["attributed_contracts"] for row in rows] == [1.0, 1.0]
        same = {"attribution_model": ["first", "first"]}
        assert metrics.records(["attributed_contracts"], where=same) == [{"attributed_contracts": 1.0}]

    def test_several_values_and_none(self, metrics: Metrics) -> None:
        assert metrics.records(["leads"], where={"project": ["River Bay", None]}) == [{"leads": 4}]
        assert metrics.records(["leads"], where={"project": None}) == [{"leads": 1}]

    def test_no_value_accepts_nothing(self, metrics: Metrics) -> None:
        assert metrics.records(["leads"], where={"project": []}) == [{"leads": 0}]

    def test_period_is_inclusive(self, metrics: Metrics) -> None:
        assert metrics.records(["leads"], start="2026-01-05", end=date(2026, 1, 31)) == [{"leads": 3}]
        assert metrics.records(["leads"], start=datetime(2026, 2, 28, 23, 59)) == [{"leads": 2}]

    def test_period_as_filter(self, metrics: Metrics) -> None:
        assert metrics.records(["leads"], where={"month": ["2026-01", "2026-03"]}) == [{"leads": 4}]
        assert metrics.records(["leads"], where={"quarter": "2026-Q1"}) == [{"leads": 5}]

    def test_hostile_name_is_a_name(self, metrics: Metrics) -> None:
        assert metrics.records(["leads"], where={"project": [HOSTILE_NAME]}) == [{"leads": 2}]

    @pytest.mark.parametrize(
        "value",
        [
            "'",
            "''",
            '"',
            "\\'",
            "' or 1=1 --",
            "'; drop table fct_lead; --",
            "{{ 1/0 }}",
            "{% for x in range(10**9) %}{% endfor %}",
            "{{ Dimension('project_key__project') }}",
            "$start",
            "%s",
            "?",
            "\0",
            "River Bay\0",
            "River Bay'",
            "滨江 🏠",
            "\u202eriver",
            "x" * 1_000_000,
        ],
        ids=lambda value: repr(value[:20]),
    )
    def test_hostile_values_match_nothing_and_break_nothing(self, metrics: Metrics, value: str) -> None:
        assert metrics.records(["leads", "complaint_rate"], where={"project": [value]})[0]["leads"] == 0
        assert metrics.records(["leads"], where={"month": [value]}) == [{"leads": 0}]
        assert metrics.records(["leads"]) == [{"leads": 6}]

    def test_broken_characters_are_refused(self, metrics: Metrics) -> None:
        with pytest.raises(InvalidFilter, match="project"):
            metrics.records(["leads"], where={"project": ["\ud800"]})

    @pytest.mark.parametrize("name", ["project; drop table x", "project'", "{{ 1/0 }}", "project_key__project", ""])
    def test_hostile_dimension_names(self, metrics: Metrics, name: str) -> None:
        for question in ({"by": [name]}, {"where": {name: ["x"]}}):
            with pytest.raises(UnknownDimension):
                metrics.records(["leads"], **question)


class TestErrors:
    def test_unknown_metric_suggests(self, metrics: Metrics) -> None:
        with pytest.raises(UnknownMetric, match="Did you mean leads"):
            metrics.query(["leds"])

    def test_unknown_dimension_suggests(self, metrics: Metrics) -> None:
        with pytest.raises(UnknownDimension, match="Did you mean project"):
            metrics.query(["leads"], by=["projct"])

    def test_invalid_combination_says_what_is_possible(self, metrics: Metrics) -> None:
        with pytest.raises(InvalidCombination, match="can be cut by day, week, month, quarter, year, department"):
            metrics.query(["leads"], by=["severity"])

    @pytest.mark.parametrize(
        "day", ["2026-02-30", "2026-1-1", "20260101", "today", "", "2026-01-01'; --", "٢٠٢٦-٠١-٠١"]
    )
    def test_invalid_date(self, metrics: Metrics, day: str) -> None:
        with pytest.raises(InvalidPeriod, match="is no date"):
            metrics.query(["leads"], start=day)

    def test_end_before_start(self, metrics: Metrics) -> None:
        with pytest.raises(InvalidPeriod, match="before it starts"):
            metrics.query(["leads"], start="2026-02-01", end="2026-01-31")

    def test_extreme_dates(self, metrics: Metrics) -> None:
        assert metrics.records(["leads"], start="0001-01-01", end="9999-12-31") == [{"leads": 6}]

    def test_nothing_asked(self, metrics: Metrics) -> None:
        with pytest.raises(QueryError, match="at least one metric"):
            metrics.query([])

    def test_periods_have_no_list_of_values(self, metrics: Metrics) -> None:
        with pytest.raises(UnknownDimension, match="is a period"):
            metrics.dimension_values("month")


class TestFrames:
    def test_types(self, metrics: Metrics) -> None:
        frame = metrics.query(["leads", "conversion_rate", "contract_amount"], by=["project"])
        assert list(frame.columns) == [
            "project",
            "leads",
            "conversion_rate",
            "conversion_rate__numerator",
            "conversion_rate__denominator",
            "contract_amount",
        ]
        assert frame["project"].iloc[-1] is None
        assert frame.dtypes.astype(str).to_list() == ["object", "int64", "float64", "int64", "int64", "float64"]

    def test_no_rows(self, metrics: Metrics) -> None:
        frame = metrics.query(["leads", "conversion_rate"], by=["project"], start="2030-01-01")
        assert frame.empty
        assert list(frame.columns)[:2] == ["project", "leads"]
        assert isinstance(frame, pd.DataFrame)


class TestCatalogue:
    def test_list_leaves_helpers_out(self, metrics: Metrics) -> None:
        names = [metric.name for metric in metrics.list()]
        assert names == sorted(names)
        assert "conversion_rate" in names
        assert "converted_leads" not in names
        assert "converted_leads" in {metric.name for metric in metrics.list(hidden=True)}

    def test_describe(self, metrics: Metrics) -> None:
        metric = metrics.describe("conversion_rate")
        assert (metric.label, metric.label_zh, metric.unit) == ("Conversion rate", "转化率", "percent")
        assert (metric.numerator, metric.denominator, metric.scale) == ("converted_leads", "leads", 1)
        assert metric.dimensions[:6] == ("day", "week", "month", "quarter", "year", "project")

    def test_dimensions_that_metrics_share(self, metrics: Metrics) -> None:
        shared = metrics.dimensions("complaint_rate", "leads")
        assert [dimension.name for dimension in shared if not dimension.is_time] == ["project", "district"]
        assert {dimension.name: dimension.label_zh for dimension in shared}["project"] == "楼盘"

    def test_values(self, metrics: Metrics) -> None:
        assert metrics.dimension_values("project") == ["Empty Estate", HOSTILE_NAME, "River Bay"]
        assert metrics.dimension_values("district") == ["East", "West", None]
        assert metrics.dimension_values("severity") == ["high", "low"]


class TestUnusableManifests:
    """Declarations that would be answered wrongly are refused when the snapshot is opened or asked."""

    def test_condition_on_an_operand(self, open_with: Callable[..., Metrics]) -> None:
        def change(manifest: dict[str, Any]) -> None:
            numerator = named(manifest, "conversion_rate")["type_params"]["numerator"]
            numerator["filter"] = {"where_filters": [{"where_sql_template": "1 = 0"}]}

        with pytest.raises(UnusableManifest, match="conversion_rate filters"):
            open_with(change)

    def test_default_for_a_dimension_out_of_reach(self, open_with: Callable[..., Metrics]) -> None:
        def change(manifest: dict[str, Any]) -> None:
            named(manifest, "leads")["config"]["meta"]["default_where"] = {"severity": "high"}

        with pytest.raises(UnusableManifest, match="leads has a default"):
            open_with(change).query(["leads"])

    def test_reference_to_nothing(self, open_with: Callable[..., Metrics]) -> None:
        def change(manifest: dict[str, Any]) -> None:
            named(manifest, "complaints")["config"]["meta"]["variants"] = {"demand_category": "nothing"}

        with pytest.raises(UnusableManifest, match="refers to nothing"):
            open_with(change)

    def test_two_ways_of_equal_length(self, open_with: Callable[..., Metrics]) -> None:
        def change(manifest: dict[str, Any]) -> None:
            for model in manifest["semantic_models"]:
                if model["name"] in ("project", "employee_dimension"):
                    model["dimensions"].append({**model["dimensions"][0], "name": "class", "expr": "1"})

        with pytest.raises(UnusableManifest, match="reaches class in two ways"):
            open_with(change).query(["leads"], by=["class"])


def test_threads_get_the_answers_of_their_own_questions(open_with: Callable[..., Metrics]) -> None:
    def change(manifest: dict[str, Any]) -> None:
        named(manifest, "leads")["description"] = "A manifest of its own, so that nothing is compiled yet."

    metrics = open_with(change)
    questions: list[dict[str, Any]] = [
        {"metrics": [metric], "by": by, "where": where}
        for metric in ("leads", "conversion_rate", "complaint_rate", "roi")
        for by in ([], ["project"], ["month"], ["month", "project"])
        for where in ({}, {"project": ["River Bay"]}, {"project": [HOSTILE_NAME]})
    ]
    answers: list[list[Any]] = []

    def ask(shift: int) -> None:
        shifted = questions[shift:] + questions[:shift]
        given = [metrics.records(**question) for question in shifted]
        answers.append(given[len(questions) - shift :] + given[: len(questions) - shift])

    threads = [threading.Thread(target=ask, args=(5 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = [metrics.records(**question) for question in questions]
    assert answers == [alone] * 8


def test_imports_are_light() -> None:
    heavy = "{'metricflow', 'duckdb', 'pandas', 'dbt', 'metricflow_semantics'}"
    program = (
        "import sys, loupan.snapshot, loupan.metrics, loupan.metrics_command, loupan.snapshots_command, "
        f"loupan.status_command; print(sorted({heavy} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
