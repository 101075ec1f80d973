"""The two imports that come with the product, against real data with published answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data_entry.services.import_data import import_directory
from tests.support.installation import imported_installation, run_loupan

IMPORTS = Path(__file__).resolve().parents[2] / "sample_data" / "imports"

pytestmark = pytest.mark.slow


def number(crm: sa.Engine, query: str) -> int:
    with crm.connect() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


# Leads of a source, and those of them with a contract.
BY_SOURCE = """
    SELECT source.name, count(DISTINCT lead.id), count(DISTINCT deal.lead_id)
    FROM lead
    JOIN source ON source.id = lead.source_id
    LEFT JOIN deal ON deal.lead_id = lead.id
        AND EXISTS (SELECT 1 FROM deal_event WHERE deal_event.deal_id = deal.id AND deal_event.kind = 'contract')
    GROUP BY source.name
"""


def test_olist_funnel(crm: sa.Engine, shared_data: Path) -> None:
    report = import_directory(crm, IMPORTS / "olist_funnel", shared_data / "olist_funnel")
    assert report.problems == []
    assert report.committed
    assert number(crm, "SELECT count(*) FROM lead") == 8000
    assert number(crm, "SELECT count(DISTINCT customer_id) FROM lead") == 8000
    assert number(crm, "SELECT count(*) FROM deal_event WHERE kind = 'contract'") == 842
    # Everyone of the funnel, and the sellers who did not come through it.
    assert number(crm, "SELECT count(*) FROM customer") == 8000 + 3095 - 380
    with crm.connect() as connection:
        rates = {name: (won, leads) for name, leads, won in connection.execute(sa.text(BY_SOURCE))}
    assert sum(leads for _, leads in rates.values()) == 8000
    assert sum(won for won, _ in rates.values()) == 842
    percent = {name: f"{won / leads:.2%}" for name, (won, leads) in rates.items()}
    known = {"Paid Search": "12.30%", "Organic Search": "11.80%", "Social": "5.56%", "Other": "2.67%"}
    assert {name: percent[name] for name in known} == known
    pages = """
        SELECT count(*), count(deal.id) FROM lead LEFT JOIN deal ON deal.lead_id = lead.id
        GROUP BY lead.activity_id ORDER BY 1 DESC LIMIT 2
    """
    with crm.connect() as connection:
        largest = [(leads, f"{won / leads:.2%}") for leads, won in connection.execute(sa.text(pages))]
    assert largest == [(912, "18.75%"), (883, "19.71%")]


def test_what_is_odd_in_olist_stays_as_it_is(crm: sa.Engine, shared_data: Path) -> None:
    import_directory(crm, IMPORTS / "olist_funnel", shared_data / "olist_funnel")
    assert number(crm, "SELECT count(*) FROM deal_event WHERE amount = 0") == 797
    assert number(crm, "SELECT count(*) FROM deal_event WHERE amount IS NULL") == 0
    won_before_contact = """
        SELECT count(*) FROM deal_event
        JOIN deal ON deal.id = deal_event.deal_id JOIN lead ON lead.id = deal.lead_id
        WHERE deal_event.occurred_at < lead.opened_at
    """
    assert number(crm, won_before_contact) == 1
    # The export names staff for won deals only; as owners at entry they would all convert at 100 %.
    assert number(crm, "SELECT count(*) FROM lead WHERE employee_id IS NOT NULL") == 0
    assert number(crm, "SELECT count(*) FROM employee") == 41


def test_helpdesk(crm: sa.Engine, shared_data: Path) -> None:
    report = import_directory(crm, IMPORTS / "helpdesk", shared_data / "helpdesk")
    assert report.problems == []
    assert number(crm, "SELECT count(*) FROM demand") == 3804
    assert number(crm, "SELECT count(*) FROM demand_event") == 13710
    assert number(crm, "SELECT count(DISTINCT note) FROM demand_event") == 9
    first = "SELECT min(occurred_at) FROM demand_event WHERE demand_id = demand.id"
    assert number(crm, f"SELECT count(*) FROM demand WHERE received_at = ({first})") == 3804
    # Activity 6 ends each case, and is a resolution wherever it stands.
    assert number(crm, "SELECT count(DISTINCT demand_id) FROM demand_event WHERE kind = 'resolve'") == 3804
    assert number(crm, "SELECT count(*) FROM demand_event WHERE kind = 'resolve'") == 4150
    assert number(crm, "SELECT count(*) FROM demand_event WHERE kind = 'reply'") == 0


def test_both_in_one_crm_and_a_second_time(crm: sa.Engine, shared_data: Path) -> None:
    def state() -> list[tuple[object, ...]]:
        tables = ("customer", "project", "lead", "deal_event", "demand", "demand_event", "feature_value")
        with crm.connect() as connection:
            return [
                tuple(connection.execute(sa.text(f"SELECT count(*), max(updated_at), max(row_version) FROM {t}")).one())
                for t in tables
            ]

    for name in ("olist_funnel", "helpdesk"):
        assert import_directory(crm, IMPORTS / name, shared_data / name).committed
    before = state()
    for name in ("olist_funnel", "helpdesk"):
        report = import_directory(crm, IMPORTS / name, shared_data / name)
        assert report.committed
        assert {(o.inserted, o.updated, o.unchanged - o.rows) for o in report.tables} == {(0, 0, 0)}
    assert state() == before


def query(data_dir: Path, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(run_loupan(data_dir, "metrics", "query", *arguments, "--format", "json")))


def test_metrics_of_the_sales_funnel_are_the_published_ones(shared_data: Path) -> None:
    data_dir = imported_installation("olist_funnel", shared_data / "olist_funnel", "2018-12-31T00:00:00")
    total = query(data_dir, "leads", "contracts", "conversion_rate")[0]
    assert (total["leads"], total["contracts"], total["conversion_rate"]) == (8000, 842, 842 / 8000)
    by_source = query(data_dir, "conversion_rate", "--by", "source")
    percent = {row["source"]: f"{row['conversion_rate']:.2%}" for row in by_source}
    known = {"Paid Search": "12.30%", "Organic Search": "11.80%", "Social": "5.56%", "Other": "2.67%"}
    assert {name: percent[name] for name in known} == known


def test_metrics_of_the_service_desk_are_those_of_its_log(shared_data: Path) -> None:
    data_dir = imported_installation("helpdesk", shared_data / "helpdesk", "2016-12-31T00:00:00")
    total = query(data_dir, "demands", "resolution_rate", "reply_timeliness_rate")[0]
    assert (total["demands"], total["resolution_rate"], total["reply_timeliness_rate"]) == (3804, 1, None)
