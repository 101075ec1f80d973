"""The rows of the sample company keep the rules of the schema and of the business."""

from __future__ import annotations

import pandas as pd
import pytest
import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.base import UtcDateTime
from sample_data.generator import NOT_COMPANY_DATA
from sample_data.vocabulary import HEADQUARTERS
from tests.sample_data.conftest import AS_OF, HISTORY_ENDS, Company

# What is planned or owed may lie after the end of the history.
MAY_LIE_AHEAD = {
    ("activity", "end_on"), ("activity", "start_on"), ("building", "handover_on"), ("care_occasion", "occurs_on"),
    ("demand", "due_at"), ("fee_bill", "due_on"), ("lead", "next_step_on"), ("payment_due", "due_on"),
    ("promise", "due_on"),
    ("plan", "end_on"), ("plan", "start_on"), ("survey", "closes_on"), ("target", "month_on"), ("task", "due_at"),
}  # fmt: skip


def test_every_table_of_company_data_has_rows(company: Company) -> None:
    assert set(company.summary.rows) == set(metadata.tables) - NOT_COMPANY_DATA


def test_summary_counts_what_was_written(company: Company) -> None:
    for table, count in company.summary.rows.items():
        assert company.frame(f"SELECT count(*) AS n FROM {table}").n[0] == count


def test_foreign_keys_hold(company: Company) -> None:
    assert company.frame("PRAGMA foreign_key_check").empty
    assert company.frame("PRAGMA integrity_check").iloc[0, 0] == "ok"


def test_nothing_lies_after_the_history(company: Company) -> None:
    late = []
    for table in metadata.sorted_tables:
        for column in table.columns:
            if (table.name, column.name) in MAY_LIE_AHEAD:
                continue
            if isinstance(column.type, UtcDateTime):
                limit = HISTORY_ENDS
            elif isinstance(column.type, sa.Date):
                limit = AS_OF.isoformat()
            else:
                continue
            last = company.frame(f"SELECT max({column.name}) AS last FROM {table.name}").iloc[0, 0]
            if last is not None and last >= limit:
                late.append((table.name, column.name, last))
    assert not late


def test_rows_are_entered_before_they_are_changed_or_deleted(company: Company) -> None:
    for table in metadata.tables:
        rows = company.frame(
            f"SELECT id FROM {table} WHERE updated_at < created_at OR deleted_at < created_at "
            "OR updated_at < deleted_at OR (row_version = 1 AND updated_at <> created_at)"
        )
        assert rows.empty, table


def test_moments_are_stored_as_sqlalchemy_reads_them(company: Company) -> None:
    lead = metadata.tables["lead"]
    with company.engine.connect() as connection:
        text = connection.exec_driver_sql("SELECT opened_at FROM lead ORDER BY id LIMIT 1").scalar_one()
        value = connection.execute(sa.select(lead.c.opened_at).order_by(lead.c.id).limit(1)).scalar_one()
    assert value.isoformat(sep=" ", timespec="microseconds") == text


def test_rows_under_a_deleted_row_are_deleted(company: Company) -> None:
    deleted = 0
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            parent = key.column.table.name
            rows = company.frame(
                f"SELECT c.deleted_at FROM {table.name} c JOIN {parent} p ON p.id = c.{key.parent.name} "
                "WHERE p.deleted_at IS NOT NULL"
            )
            assert rows.deleted_at.notna().all(), (table.name, parent)
            deleted += len(rows)
    assert deleted > 0


def test_no_unit_is_held_by_two_deals_at_once(company: Company) -> None:
    events = company.frame(
        "SELECT d.unit_id, e.deal_id, min(e.occurred_at) AS begins, "
        "min(CASE WHEN e.kind IN ('cancel', 'swap') THEN e.occurred_at END) AS ends "
        "FROM deal_event e JOIN deal d ON d.id = e.deal_id WHERE d.unit_id IS NOT NULL GROUP BY 1, 2"
    ).sort_values(["unit_id", "begins"])
    before = events.groupby("unit_id").ends.shift()
    followed = events.unit_id.duplicated()
    assert followed.any()
    assert (before[followed] <= events.begins[followed]).all()


def test_events_of_a_deal_come_in_order(company: Company) -> None:
    order = {"small_booking": 0, "booking": 1, "contract": 2, "amend": 3, "swap": 4, "cancel": 4}
    events = company.frame("SELECT deal_id, kind, occurred_at FROM deal_event")
    events["rank"] = events.kind.map(order)
    by_time = events.sort_values(["deal_id", "occurred_at", "rank"])
    assert (by_time.groupby("deal_id")["rank"].diff().fillna(0) >= 0).all()
    assert not events.duplicated(["deal_id", "kind"]).any()


def test_nothing_is_sold_before_the_permit(company: Company) -> None:
    early = company.frame(
        "SELECT e.id FROM deal_event e JOIN deal d ON d.id = e.deal_id JOIN unit u ON u.id = d.unit_id "
        "JOIN building b ON b.id = u.building_id WHERE b.presale_permit_on IS NULL "
        "OR date(e.occurred_at, '+8 hours') < b.presale_permit_on"
    )
    assert early.empty


def test_contract_prices_lie_between_floor_and_list_price_of_the_day(company: Company) -> None:
    contracts = company.frame(
        "SELECT e.amount, p.list_price, p.floor_price FROM deal_event e JOIN deal d ON d.id = e.deal_id "
        "JOIN unit_price p ON p.unit_id = d.unit_id AND p.valid_from_on = (SELECT max(q.valid_from_on) FROM "
        "unit_price q "
        "WHERE q.unit_id = d.unit_id AND q.valid_from_on <= date(e.occurred_at, '+8 hours')) WHERE e.kind = 'contract'"
    )
    assert len(contracts) == company.summary.rows["deal"] - len(
        company.frame("SELECT id FROM deal d WHERE NOT EXISTS (SELECT 1 FROM deal_event WHERE deal_id = d.id "
                      "AND kind = 'contract')")
    )  # fmt: skip
    assert (contracts.amount <= contracts.list_price).all()
    known = contracts.floor_price.notna()
    assert (contracts.amount[known] >= contracts.floor_price[known]).all()


def test_a_swap_ends_one_deal_and_opens_another(company: Company) -> None:
    swapped = company.frame(
        "SELECT s.occurred_at AS given_up, c.occurred_at AS signed, s.amount, o.unit_id AS old_unit, n.unit_id AS "
        "new_unit, "
        "o.customer_id = n.customer_id AND o.lead_id IS n.lead_id AS same FROM deal_event s JOIN deal o ON o.id = "
        "s.deal_id "
        "JOIN deal n ON n.swapped_from_id = o.id JOIN deal_event c ON c.deal_id = n.id AND c.kind = 'contract' "
        "WHERE s.kind = 'swap'"
    )
    assert len(swapped) == company.frame("SELECT id FROM deal WHERE swapped_from_id IS NOT NULL").shape[0] > 0
    assert (swapped.amount == 0).all()
    assert (swapped.signed >= swapped.given_up).all()
    assert (swapped.old_unit != swapped.new_unit).all()


def test_a_cancel_takes_back_what_the_contract_was_worth(company: Company) -> None:
    cancelled = company.frame(
        "SELECT x.amount AS back, c.amount + coalesce((SELECT sum(amount) FROM deal_event a WHERE a.deal_id = "
        "x.deal_id "
        "AND a.kind = 'amend'), 0) AS worth FROM deal_event x JOIN deal_event c ON c.deal_id = x.deal_id "
        "AND c.kind = 'contract' WHERE x.kind = 'cancel'"
    )
    assert len(cancelled) > 0
    assert (cancelled.back == cancelled.worth).all()


def test_shares_of_a_deal_sum_to_one(company: Company) -> None:
    share = metadata.tables["deal_share"]
    with company.engine.connect() as connection:
        rows = connection.execute(sa.select(share.c.deal_id, share.c.share)).all()
    sums: dict[int, object] = {}
    for deal_id, value in rows:
        sums[deal_id] = sums.get(deal_id, 0) + value  # type: ignore[operator]
    assert set(sums.values()) == {1}


def test_payment_plans_sum_to_the_price(company: Company) -> None:
    chains = company.frame(
        "SELECT d.id, (SELECT sum(amount) FROM payment_due WHERE deal_id = d.id) AS due, (SELECT sum(amount) FROM "
        "deal_event "
        "WHERE deal_id = d.id AND kind IN ('contract', 'amend')) AS price FROM deal d WHERE d.swapped_from_id IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM deal n WHERE n.swapped_from_id = d.id) "
        "AND EXISTS (SELECT 1 FROM deal_event WHERE deal_id = d.id AND kind = 'contract')"
    )
    assert (chains.due.round(2) == chains.price.round(2)).all()


def test_state_of_units_follows_from_deals(company: Company) -> None:
    sold = company.frame("SELECT id FROM unit WHERE status = 'sold'").id
    live = company.frame(
        "SELECT d.unit_id FROM deal d WHERE EXISTS (SELECT 1 FROM deal_event WHERE deal_id = d.id AND kind = "
        "'contract') "
        "AND NOT EXISTS (SELECT 1 FROM deal_event WHERE deal_id = d.id AND kind IN ('cancel', 'swap'))"
    ).unit_id
    assert set(sold) == set(live)


def test_duplicates_are_merged_in_chains_without_circles(company: Company) -> None:
    merged = company.frame("SELECT id, merged_into_id FROM customer WHERE merged_into_id IS NOT NULL")
    assert len(merged) > 0
    assert (merged.merged_into_id < merged.id).all()
    names = company.frame(
        "SELECT a.name = b.name AS same FROM customer a JOIN customer b ON b.id = a.merged_into_id"
    ).same
    assert names.all()


def test_some_customers_come_twice_or_never(company: Company) -> None:
    assert company.frame("SELECT 1 FROM lead GROUP BY customer_id, project_id HAVING count(*) > 1").shape[0] > 0
    without = "SELECT 1 FROM customer c WHERE NOT EXISTS (SELECT 1 FROM {} t WHERE t.customer_id = c.id)"
    assert not company.frame(without.format("lead")).empty
    assert not company.frame(without.format("touchpoint")).empty


def test_some_rows_are_entered_late(company: Company) -> None:
    late = company.frame("SELECT julianday(created_at) - julianday(opened_at) AS days FROM lead").days
    assert (late >= 0).all()
    assert 0.02 < (late > 1).mean() < 0.12


def test_fees_are_billed_only_after_the_handover(company: Company) -> None:
    early = company.frame(
        "SELECT 1 FROM fee_bill f JOIN unit u ON u.id = f.unit_id JOIN building b ON b.id = u.building_id "
        "WHERE f.period_on < b.handover_on"
    )
    assert early.empty
    demands = company.frame(
        "SELECT d.received_at, b.handover_on FROM demand d JOIN unit u ON u.id = d.unit_id "
        "JOIN building b ON b.id = u.building_id WHERE d.phase = 'property'"
    )
    assert len(demands) > 0
    assert (demands.received_at > demands.handover_on).all()


def test_employees_act_only_while_employed(company: Company) -> None:
    for table, column in (
        ("lead_event", "occurred_at"),
        ("deal_event", "occurred_at"),
        ("demand_event", "occurred_at"),
    ):
        gone = company.frame(
            f"SELECT 1 FROM {table} x JOIN employee e ON e.id = x.employee_id "
            f"WHERE date(x.{column}, '+8 hours') NOT BETWEEN e.hired_on AND coalesce(e.left_on, '2999-01-01')"
        )
        assert gone.empty, table


def test_employees_hold_one_position_at_a_time_beside_those_at_headquarters(company: Company) -> None:
    held = company.frame(
        "SELECT h.employee_id, h.from_on, coalesce(h.to_on, '2999-01-01') AS to_on FROM employee_position h "
        f"JOIN position p ON p.id = h.position_id JOIN department d ON d.id = p.department_id "
        f"WHERE d.name <> '{HEADQUARTERS.zh}'"
    )
    held = held.sort_values(["employee_id", "from_on"])
    before = held.groupby("employee_id").to_on.shift()
    assert ((held.from_on > before) | before.isna()).all()
    left = company.frame("SELECT 1 FROM employee WHERE left_on IS NOT NULL")
    assert len(left) > 0


def test_deadlines_follow_the_policy_in_force(company: Company) -> None:
    demands = company.frame(
        "SELECT d.severity, k.kind, date(d.received_at, '+8 hours') AS day, "
        "round((julianday(d.due_at) - julianday(d.received_at)) * 1440) AS minutes "
        "FROM demand d JOIN demand_category k ON k.id = d.demand_category_id WHERE d.due_at IS NOT NULL"
    )
    policies = company.frame(
        "SELECT p.severity, p.reply_minutes, p.valid_from_on, p.demand_category_id IS NOT NULL AS special FROM "
        "sla_policy p"
    ).sort_values("valid_from_on")
    for row in demands.head(300).itertuples():
        fitting = policies[
            (policies.severity == row.severity)
            & (policies.valid_from_on <= row.day)
            & (policies.special == (row.kind == "complaint"))
        ]
        assert row.minutes == fitting.reply_minutes.iloc[-1]


@pytest.mark.parametrize("table", ["lead", "lead_event", "demand", "follow_up", "expense", "payment", "customer"])
def test_some_rows_are_deleted(table: str, company: Company) -> None:
    shares = pd.Series(company.frame(f"SELECT deleted_at IS NOT NULL AS gone FROM {table}").gone)
    assert shares.mean() < 0.03
    if table in ("lead", "lead_event", "demand"):
        assert shares.any()
