"""Models that are built by increments hold the very rows of models that are built anew, to the last bit."""

from __future__ import annotations

import copy
import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import delta, increment
from pipelines.increment import Increment, IncrementError
from tests.reference.changes import frames_of, rows_of
from tests.reference.random_crm import random_crm
from tests.support.increments import CHANGES, PASSED, RECIPE, IncrementalWarehouse, built_tables, live_through


@settings(max_examples=4)
@given(data=st.data())
def test_increments_end_in_what_is_built_anew(data: st.DataObject) -> None:
    day = st.tuples(st.sampled_from(CHANGES), st.sampled_from(PASSED), st.none() | st.sampled_from(built_tables()))
    days = data.draw(st.lists(day, min_size=1, max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        live_through(data.draw(st.integers(0, 10_000)), days, Path(folder))


def test_time_alone_changes_rows_and_would_not_be_missed(tmp_path: Path) -> None:
    forty_days = [(0, PASSED[-1], None)]
    (tmp_path / "once").mkdir()
    life = live_through(0, forty_days, tmp_path / "once")
    assert (life.increments, life.patches) == (1, 1)
    assert life.aggregates > 10
    (tmp_path / "again").mkdir()
    with (
        mock.patch.object(increment._Planner, "_moved", return_value=()),
        pytest.raises(AssertionError, match="mart_conversion"),
    ):
        live_through(0, forty_days, tmp_path / "again")


COMPANY = random_crm(5)


@pytest.fixture(scope="module")
def built() -> IncrementalWarehouse:
    warehouse = IncrementalWarehouse()
    rows = rows_of(COMPANY.tables, warehouse.contract)
    warehouse.change(frames_of(rows, warehouse.contract), COMPANY.as_of)
    assert warehouse.build_increment() is None
    return warehouse


@pytest.fixture
def warehouse(built: IncrementalWarehouse) -> Iterator[IncrementalWarehouse]:
    """A company that was built; what a test notes is forgotten after it."""
    yield built
    built.con.execute("update raw.refresh set as_of = ?", [COMPANY.as_of])
    increment.drop_twins(built.con)
    delta.note_built(built.con, built.contract, delta.Built(COMPANY.as_of, RECIPE))


def plan(warehouse: IncrementalWarehouse, recipe: str = RECIPE, most: float = 1.0) -> Increment | None:
    with mock.patch.object(increment, "MOST_CUSTOMERS", most):
        return increment.plan(
            warehouse.con, warehouse.contract, warehouse.artifact, recipe=recipe, time_zone=warehouse.time_zone
        )


def note(warehouse: IncrementalWarehouse, table: str, condition: str = "true", limit: int = 1) -> None:
    """Note rows of a table as if they had been others."""
    for is_old in (True, False):
        warehouse.con.execute(
            f"insert into delta.{table} select * replace (updated_at + to_seconds({int(is_old)}) as updated_at), "
            f"{is_old} from (from raw.{table} where {condition} order by id limit {limit})"
        )


def test_nothing_changed_leaves_all_tables_that_know_no_time(warehouse: IncrementalWarehouse) -> None:
    planned = plan(warehouse)
    assert planned is not None
    assert planned.customers == 0
    kept = {name for name, step in planned.steps.items() if not step.script}
    assert {"dim_project", "dim_employee", "int_customer_survivor", "fct_plan_budget"} <= kept
    assert "fct_unit" not in planned.steps


def test_of_what_stays_the_tests_are_left_out_too_but_not_those_that_look_at_more(
    warehouse: IncrementalWarehouse,
) -> None:
    artifact = copy.deepcopy(warehouse.artifact)
    nodes = artifact["nodes"]
    tests = {
        node["depends_on"]["nodes"][0]: unique_id
        for unique_id, node in nodes.items()
        if node["resource_type"] == "test"
    }
    nodes[tests["model.loupan.dim_source"]]["depends_on"]["nodes"].append("model.loupan.fct_lead")
    nodes[tests["model.loupan.dim_employee"]]["depends_on"]["nodes"].append("model.loupan.stg_employee")
    planned = increment.plan(warehouse.con, warehouse.contract, artifact, recipe=RECIPE, time_zone=warehouse.time_zone)
    assert planned is not None
    kept = {f"model.loupan.{name}" for name in ("dim_project", "dim_source", "dim_employee", "stg_employee")}
    assert kept | {tests["model.loupan.dim_project"]} <= planned.kept
    # A test of a view has to be made again: its rows may differ though the view stays.
    assert not {tests[f"model.loupan.{name}"] for name in ("dim_source", "dim_employee", "fct_lead")} & planned.kept
    assert not {f"model.loupan.{name}" for name in ("fct_lead", "fct_unit", "stg_lead")} & planned.kept


def test_undecided_leads_are_made_anew_when_half_a_day_has_passed(warehouse: IncrementalWarehouse) -> None:
    note(warehouse, "lead")
    for passed, is_part in ((dt.timedelta(hours=12), True), (dt.timedelta(hours=12, microseconds=1), False)):
        warehouse.con.execute("update raw.refresh set as_of = ?", [COMPANY.as_of + passed])
        increment.drop_twins(warehouse.con)
        planned = plan(warehouse)
        assert planned is not None
        assert ("fct_lead" in planned.steps) == is_part
        # What reads its twin does not read what moved with time.
        assert {"fct_lead_feature", "mart_conversion", "int_campaign", "mart_campaign_roi"} <= planned.steps.keys()


def test_fees_are_made_anew_each_day_of_the_company(warehouse: IncrementalWarehouse) -> None:
    (midnight,) = warehouse.rows(
        f"select timezone('UTC', timezone('{warehouse.time_zone}', date_trunc('day', "
        f"timezone('{warehouse.time_zone}', timezone('UTC', timestamp '{COMPANY.as_of}'))) + interval 1 day))"
    )[0]
    for as_of, is_within_day in ((midnight - dt.timedelta(seconds=1), True), (midnight, False)):
        warehouse.con.execute("update raw.refresh set as_of = ?", [as_of])
        planned = plan(warehouse)
        assert planned is not None
        assert planned.is_within_day == is_within_day
        assert ("fct_fee_entry" in planned.steps) == is_within_day


def test_only_credits_that_follow_from_all_customers_are_read_from_all(warehouse: IncrementalWarehouse) -> None:
    note(warehouse, "touchpoint")
    planned = plan(warehouse)
    assert planned is not None
    assert "int_channel_removal" not in planned.steps
    for name in ("int_attribution", "fct_attribution"):
        made = (
            "select * from ({after}) where not (attribution_model = 'markov') "
            "union all select * from ({whole}) where attribution_model = 'markov';"
        )
        assert f'"rows_{name}" as {made}' in planned.steps[name].script
        assert "or attribution_model = 'markov')" in planned.steps[name].replaced


def test_what_follows_from_a_sum_is_made_anew_with_it_and_with_the_names_it_adds(
    warehouse: IncrementalWarehouse,
) -> None:
    note(warehouse, "lead")
    planned = plan(warehouse)
    assert planned is not None
    assert planned.steps["mart_campaign_roi"].after.keys() == {'"memory"."intermediate"."int_campaign"'}
    # The second time sums are made anew.
    planned = plan(warehouse)
    assert planned is not None
    assert not {"int_campaign", "mart_campaign_roi"} & planned.steps.keys()
    increment.drop_twins(warehouse.con)
    note(warehouse, "plan")
    planned = plan(warehouse)
    assert planned is not None
    assert "int_campaign" in planned.steps
    assert "mart_campaign_roi" not in planned.steps


def test_what_makes_everything_anew(warehouse: IncrementalWarehouse) -> None:
    assert plan(warehouse, "another recipe") is None
    assert delta.read_built(warehouse.con) is None
    delta.note_built(warehouse.con, warehouse.contract, delta.Built(COMPANY.as_of, RECIPE))
    warehouse.con.execute("update raw.refresh set as_of = ?", [COMPANY.as_of - dt.timedelta(seconds=1)])
    assert plan(warehouse) is None
    warehouse.con.execute("update raw.refresh set as_of = ?", [COMPANY.as_of])
    delta.note_built(warehouse.con, warehouse.contract, delta.Built(COMPANY.as_of, RECIPE))
    note(warehouse, "customer", limit=1000)
    assert plan(warehouse, most=0.9) is None
    delta.note_built(warehouse.con, warehouse.contract, delta.Built(COMPANY.as_of, RECIPE))
    warehouse.con.execute("alter table marts.dim_source rename to was_there")
    assert plan(warehouse) is None
    warehouse.con.execute("alter table marts.was_there rename to dim_source")


def test_a_change_concerns_its_customers_and_whom_they_share_rows_with(warehouse: IncrementalWarehouse) -> None:
    (lead, customer), *_ = warehouse.rows("select id, customer_id from raw.lead where deleted_at is null order by id")
    note(warehouse, "lead_event", f"lead_id = {lead}")
    planned = plan(warehouse)
    assert planned is not None
    concerned = {key for (key,) in warehouse.rows("select id from increment.key_customer")}
    assert customer in concerned
    survivors = "select survivor_id from intermediate.int_customer_survivor where customer_id"
    merged = warehouse.rows(
        f"select customer_id from intermediate.int_customer_survivor where survivor_id in ({survivors} = {customer})"
    )
    assert {key for (key,) in merged} <= concerned
    others = warehouse.rows(f"select count(*) from raw.customer where id not in ({', '.join(map(str, concerned))})")
    assert others[0][0] > 0
    assert warehouse.rows("select count(*) from increment.lead") == warehouse.rows(
        "select count(*) from raw.lead where customer_id in (from increment.key_customer)"
    )


def test_a_changed_unit_concerns_who_refers_to_it_and_a_position_all(warehouse: IncrementalWarehouse) -> None:
    unit, customer = warehouse.rows("select unit_id, customer_id from raw.deal where unit_id is not null limit 1")[0]
    note(warehouse, "unit", f"id = {unit}")
    planned = plan(warehouse)
    assert planned is not None
    assert (customer,) in warehouse.rows("select id from increment.key_customer")
    assert "delete from" in planned.steps["int_lead_journey"].script
    note(warehouse, "employee_position")
    planned = plan(warehouse)
    assert planned is not None
    anew = {
        "int_employee_department",
        "int_lead_journey",
        "fct_lead_event",
        "fct_demand",
        "fct_promise",
        "mart_conversion",
    }
    assert not anew & planned.steps.keys()
    assert "delete from" in planned.steps["int_demand_handling"].script


def test_a_table_of_which_the_changes_are_unknown_makes_anew_what_reads_it(warehouse: IncrementalWarehouse) -> None:
    delta.mark_whole(warehouse.con, ["lead_event"])
    planned = plan(warehouse)
    assert planned is not None
    assert not {"int_lead_journey", "fct_lead_event", "fct_entry", "fct_field_completeness"} & planned.steps.keys()
    assert "delete from" in planned.steps["int_demand_handling"].script


def test_sums_are_made_anew_after_a_build_that_did_not_end(warehouse: IncrementalWarehouse) -> None:
    note(warehouse, "lead")
    for is_first in (True, False):
        planned = plan(warehouse)
        assert planned is not None
        assert ("mart_conversion" in planned.steps) == is_first
        assert "delete from" in planned.steps["int_lead_journey"].script


def test_a_model_that_mixes_customers_may_not_be_read_by_one_built_in_part(warehouse: IncrementalWarehouse) -> None:
    artifact = copy.deepcopy(warehouse.artifact)
    says = artifact["nodes"]["model.loupan.fct_visit"]["config"]["meta"]
    says["increment"] = {}
    artifact["nodes"]["model.loupan.fct_first_visit"]["depends_on"]["nodes"].append("model.loupan.fct_visit")
    note(warehouse, "lead")
    with pytest.raises(IncrementError, match="reads fct_visit, whose rows belong to no customer"):
        increment.plan(warehouse.con, warehouse.contract, artifact, recipe=RECIPE, time_zone=warehouse.time_zone)
