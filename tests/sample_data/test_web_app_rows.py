"""What the sample company holds for the web app: estates of employees, agreed words, owners, next steps."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from data_entry import demo_accounts
from data_entry.schema import metadata
from sample_data.agreed_words import TERMS
from tests.sample_data.conftest import AS_OF, Company, make_company

VOCABULARY = {
    f"{table.name}.{column.name}"
    for table in metadata.tables.values()
    for column in table.columns
    if column.info.get("vocabulary")
}


def test_every_field_of_agreed_words_has_terms() -> None:
    assert set(TERMS) == VOCABULARY


def test_rows_use_the_agreed_words(company: Company) -> None:
    terms = company.frame("SELECT field, value, sequence FROM vocabulary_term ORDER BY field, sequence")
    assert set(terms.field) == VOCABULARY
    for field, group in terms.groupby("field"):
        assert group.sequence.tolist() == list(range(1, len(group) + 1)), field
        table, column = str(field).split(".")
        used = company.frame(f'SELECT DISTINCT "{column}" AS value FROM {table} WHERE "{column}" IS NOT NULL').value
        assert len(used), field
        assert set(used) <= set(group.value), field


@pytest.mark.parametrize("language", ["zh", "en"])
def test_choice_features_and_questions_offer_what_was_answered(language: str, tmp_path: Path) -> None:
    made = make_company(tmp_path, scale=0.01, language=language)
    answers = made.frame(
        "SELECT f.id, f.options, v.value FROM feature f JOIN feature_value v ON v.feature_id = f.id "
        "WHERE f.data_type = 'choice'"
    )
    assert len(answers)
    assert all(row.value in row.options.split("\n") for row in answers.itertuples())
    replies = made.frame(
        "SELECT q.options, a.value_text FROM survey_question q JOIN survey_answer a ON a.survey_question_id = q.id "
        "WHERE q.kind = 'choice'"
    )
    assert all(row.value_text in row.options.split("\n") for row in replies.itertuples())
    made.engine.dispose()


def test_teams_work_for_their_estate(company: Company) -> None:
    # Whoever owned a customer in an estate, or handled a visit there, worked for it on that day.
    absent = company.frame(
        "SELECT 1 FROM lead l WHERE l.employee_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM employee_project p "
        "WHERE p.employee_id = l.employee_id AND p.project_id = l.project_id AND p.from_on <= date(l.opened_at, "
        "'+8 hours') AND coalesce(p.to_on, '2999-12-31') >= date(l.opened_at, '+8 hours'))"
    )
    leads = company.frame("SELECT count(*) AS n FROM lead").n[0]
    assert len(absent) < 0.02 * leads  # a lead that came while nobody was there is given to the first of the team
    present = company.frame(
        f"SELECT DISTINCT employee_id FROM employee_project WHERE coalesce(to_on, '{AS_OF}') >= '{AS_OF}'"
    )
    gone = company.frame(f"SELECT id FROM employee WHERE left_on < '{AS_OF}'").id
    assert len(present)
    assert not set(present.employee_id) & set(gone)
    # Each estate has sales and property staff today.
    assert (
        company.frame(
            f"SELECT project_id FROM employee_project WHERE coalesce(to_on, '{AS_OF}') >= '{AS_OF}' "
            "GROUP BY 1 HAVING count(DISTINCT employee_id) >= 2"
        ).shape[0]
        == company.summary.rows["project"]
    )


def test_owners_hold_units_that_were_handed_over(company: Company) -> None:
    owners = company.frame(
        "SELECT o.unit_id, o.customer_id, o.from_on, b.handover_on, u.status FROM unit_owner o JOIN unit u ON "
        "u.id = o.unit_id JOIN building b ON b.id = u.building_id WHERE o.to_on IS NULL"
    )
    assert len(owners)
    assert owners.unit_id.is_unique
    assert (owners.from_on >= owners.handover_on).all()
    assert (owners.status == "sold").all()
    buyers = company.frame(
        f"SELECT d.unit_id, d.customer_id FROM deal d JOIN unit u ON u.id = d.unit_id JOIN building b ON "
        f"b.id = u.building_id WHERE u.status = 'sold' AND b.handover_on < '{AS_OF}' AND "
        "EXISTS (SELECT 1 FROM deal_event e WHERE e.deal_id = d.id AND e.kind = 'contract') AND NOT EXISTS "
        "(SELECT 1 FROM deal_event e WHERE e.deal_id = d.id AND e.kind IN ('cancel', 'swap'))"
    )
    assert set(zip(owners.unit_id, owners.customer_id, strict=True)) == set(
        zip(buyers.unit_id, buyers.customer_id, strict=True)
    )
    # Bills go to the owners.
    strangers = company.frame(
        "SELECT 1 FROM fee_bill f WHERE NOT EXISTS (SELECT 1 FROM unit_owner o WHERE o.unit_id = f.unit_id "
        "AND o.customer_id = f.customer_id AND o.from_on <= f.period_on)"
    )
    assert strangers.empty


def test_state_of_every_unit_agrees_with_its_live_deal(company: Company) -> None:
    states = company.frame(
        "SELECT u.id, u.status, max(CASE e.kind WHEN 'contract' THEN 3 WHEN 'booking' THEN 2 WHEN 'small_booking' "
        "THEN 1 END) AS stage FROM unit u LEFT JOIN deal d ON d.unit_id = u.id AND d.deleted_at IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM deal_event x WHERE x.deal_id = d.id AND x.kind IN ('cancel', 'swap')) "
        "LEFT JOIN deal_event e ON e.deal_id = d.id GROUP BY u.id, u.status"
    )
    expected = {"reserved": 1, "booked": 2, "sold": 3}
    for row in states.itertuples():
        stage = None if row.stage != row.stage else row.stage
        assert expected.get(row.status) == stage, row
    assert {"sold", "available"} <= set(states.status)


def test_open_leads_have_next_steps(company: Company) -> None:
    planned = company.frame(
        "SELECT l.id, l.next_step_on, (SELECT kind FROM lead_event e WHERE e.lead_id = l.id AND e.kind IN ('lost', "
        "'reopened') ORDER BY e.occurred_at DESC LIMIT 1) AS last, EXISTS (SELECT 1 FROM deal d WHERE d.lead_id = "
        "l.id) AS has_deal FROM lead l WHERE l.next_step IS NOT NULL"
    )
    assert len(planned) > 5
    assert planned.next_step_on.notna().all()
    assert (planned["last"] != "lost").all()
    assert not planned.has_deal.any()
    # Some are overdue, some lie ahead.
    assert (planned.next_step_on < AS_OF.isoformat()).any()
    assert (planned.next_step_on > AS_OF.isoformat()).any()


def test_fees_follow_from_their_types(company: Company) -> None:
    bills = company.frame(
        "SELECT b.amount, t.rate, t.period_months, u.area_sqm FROM fee_bill b JOIN fee_type t ON t.id = b.fee_type_id "
        "JOIN unit u ON u.id = b.unit_id WHERE t.basis = 'area'"
    )
    assert len(bills)
    assert ((bills.rate * bills.period_months * bills.area_sqm - bills.amount).abs() < 0.011).all()


def test_every_term_is_offered(company: Company) -> None:
    term = metadata.tables["vocabulary_term"]
    with company.engine.connect() as connection:
        assert set(connection.scalars(sa.select(term.c.is_active))) == {True}


def test_reports_can_be_approved_through_their_flow(company: Company) -> None:
    steps = company.frame("SELECT id, report_class_id, position_id FROM approval_step")
    assert steps.groupby("report_class_id").size().tolist() == [2, 2, 2]
    held = company.frame(
        "SELECT h.position_id, h.employee_id, h.from_on, coalesce(h.to_on, '2999-12-31') AS to_on, e.left_on "
        "FROM employee_position h JOIN employee e ON e.id = h.employee_id"
    )
    today = held[(held.to_on >= AS_OF.isoformat()) & ~(held.left_on < AS_OF.isoformat())]
    assert (today.position_id.value_counts()[steps.position_id.unique()] == 1).all()
    # Whoever decided held the position of the step on that day, and decided about nothing of their own.
    decided = company.frame(
        "SELECT a.id, a.employee_id, r.author_id, date(a.acted_at, '+8 hours') AS day, s.position_id "
        "FROM approval_action a JOIN report r ON r.id = a.report_id JOIN approval_step s ON s.id = a.approval_step_id"
    )
    assert len(decided) > 50
    rightful = decided.merge(held, on=["position_id", "employee_id"]).query("from_on <= day <= to_on")
    assert set(rightful.id) == set(decided.id)
    assert (decided.employee_id != decided.author_id).all()


def test_accounts_of_the_demonstration_can_approve_a_report(tmp_path: Path) -> None:
    made = make_company(tmp_path, scale=0.01)
    demo_accounts.make(made.engine, tmp_path)
    approving = made.frame(
        "SELECT DISTINCT a.login, c.name FROM account a JOIN employee_position h ON h.employee_id = a.employee_id "
        "AND h.to_on IS NULL JOIN approval_step s ON s.position_id = h.position_id "
        "JOIN report_class c ON c.id = s.report_class_id ORDER BY 2, 1"
    )
    both = approving.groupby("name").login.apply(list)
    assert both["销售周报"] == both["营销费用申请"] == ["executive", "marketing"]
    assert both["客服月报"] == ["executive"]
    made.engine.dispose()
