"""The list of whom to call: each sees their own open leads, by name where they may, and is told why there is none."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from dashboards.pages import lead_list
from dashboards.seat import stand_in
from data_entry.access import SYSTEM, Actor
from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.services import accounts
from data_entry.services.work import reading, writing
from loupan.i18n import translator
from loupan.mining import Card
from loupan.mining.published import ABSTAINED, FAILED, OK, ModelRun, PublishedOutput, output_table
from pipelines.mining.models import lead_score
from tests.support.installation import copy_crm, empty_installation, sample_installation

pytestmark = pytest.mark.slow
_NUMBERS = itertools.count()
SCRIPT = Path(__file__).with_name("lead_list_script.py")
LEAD = {
    "chance": 0.42, "priority": 0.42, "days_quiet": 9.0, "days_open": 20.4, "source": "Street", "intent_level": "A",
    "customer_class": None, "visits": 2, "visits_in_vain": 0, "days_since_visit": 9.0, "calls": 1, "calls_in_vain": 3,
    "booking": None, "days_since_booking": None, "asked_again": 0, "markets_met": "event", "was_lost": False,
    "is_qualified": True, "reason_1": lead_score.VISITS, "times_1": 2.5, "reason_2": lead_score.BOOKING, "times_2": 0.5,
    "reason_3": None, "times_3": None, "last_contact_at": dt.datetime(2026, 6, 20),
}  # fmt: skip


@dataclasses.dataclass
class Company:
    """An installation with a list of some open leads of two people."""

    folder: Path
    leads: pd.DataFrame
    engine: sa.Engine

    def actor(self, *scopes: str, **parts: Any) -> Actor:
        """Somebody whose page and whose reading in the CRM have the same scopes."""
        rights = {("page:lead-list", "open"): frozenset(scopes)}
        rights |= {(table, act): frozenset(scopes) for table in ("customer", "lead") for act in ("read", "personal")}
        return Actor(None, name="R", permissions=rights, **parts)

    def names(self, leads: pd.DataFrame) -> set[str]:
        table = metadata.tables["customer"]
        with self.engine.connect() as connection:
            query = sa.select(table.c.name).where(table.c.id.in_(leads["customer_id"].tolist()))
            return set(connection.execute(query).scalars())


def publish(folder: Path, status: str, leads: pd.DataFrame | None = None) -> None:
    """Put results into the snapshot in force, as a refresh would."""
    (marts,) = folder.glob("snapshots/2*/marts.duckdb")
    card = Card(*["x"] * 8)
    outputs: tuple[PublishedOutput, ...] = ()
    with duckdb.connect(str(marts)) as connection:
        connection.execute("delete from model_run where name = 'lead_score'")
        connection.execute(f"drop table if exists {output_table('lead_score', 'leads')}")
        if leads is not None:
            outputs = (PublishedOutput("leads", "x", len(leads), {}, None, ""),)
            connection.register("found", leads)
            connection.execute(f"create table {output_table('lead_score', 'leads')} as from found")
        run = ModelRun("lead_score", False, status, "Because {n}.", {"n": 7}, 1.0, None, card, (), outputs)
        connection.execute("insert into model_run values (?, ?, ?, ?, ?, ?, ?)", run.as_row())


@pytest.fixture
def company(use, tmp_path):
    source = sample_installation()
    (published,) = source.glob("snapshots/2*")
    # Of a version of its own: what is shown is remembered by it.
    version = f"209901{next(_NUMBERS) + 1:02d}T000000000000Z"
    shutil.copytree(published, tmp_path / "snapshots" / version)
    (tmp_path / "snapshots" / "CURRENT").write_text(f"{version}\n")
    copy_crm(source, tmp_path)
    use(tmp_path)
    (marts,) = tmp_path.glob("snapshots/2*/marts.duckdb")
    with duckdb.connect(str(marts), read_only=True) as connection:
        leads = connection.execute("""
            select lead.lead_id, lead.customer_id, lead.project_id, project_name as project,
                owner.employee_id, employee_number as employee
            from fct_lead as lead
            join fct_customer_ownership as owner on lead.customer_id = owner.customer_id
                and lead.project_id = owner.project_id and owner.to_at is null
            join dim_project as project on lead.project_id = project.project_id
            join dim_employee on owner.employee_id = dim_employee.employee_id
            where lead.is_open and lead.first_contract_at is null
            order by lead.lead_id desc
        """).df()
    two = leads["employee_id"].value_counts().index[:2]
    leads = leads[leads["employee_id"].isin(two)].groupby("employee_id").head(6).reset_index(drop=True)
    leads = leads.assign(**{name: pd.Series([value] * len(leads)) for name, value in LEAD.items()})
    publish(tmp_path, OK, leads)
    engine = create_engine_for(f"sqlite:///{tmp_path / 'crm.sqlite'}")
    yield Company(tmp_path, leads, engine)
    engine.dispose()


def shown(actor: Actor) -> tuple[str, list[dict[str, Any]]]:
    """Return the words of the page and the rows of its list as cells by head."""
    run = AppTest.from_file(str(SCRIPT), default_timeout=120)
    run.query_params["lang"] = "en"
    with stand_in(actor):
        run.run()
    assert not run.exception
    words = "\n".join(
        element.value for kind in ("html", "markdown", "caption", "warning", "error", "info", "success")
        for element in run.get(kind)
    )  # fmt: skip
    return words, json.loads(run.session_state["lp_rows"])


def test_a_salesperson_sees_the_own_leads_alone(company):
    mine, others = (group for _, group in company.leads.groupby("employee_id"))
    key = int(mine["employee_id"].iloc[0])
    words, rows = shown(company.actor("own", employee_id=key))
    names = {row["Customer"] for row in rows}
    assert names == company.names(mine)
    assert not company.names(others) - company.names(mine) & names
    assert "of 100 such leads about 12 sign" in words
    assert {row["To do today"] for row in rows} == {"Call today"}
    assert {row["Chance to sign"] for row in rows} == {"42%"}
    (why,) = {row["Why"] for row in rows}
    assert why == "For it: visits: 2, the last 9 days ago. Against it: no booking yet."
    assert "Looked after by" not in rows[0]


def test_a_manager_sees_the_leads_of_the_estate_and_whose_they_are(company):
    project = int(company.leads["project_id"].iloc[0])
    within = company.leads[company.leads["project_id"] == project]
    _, rows = shown(company.actor("project", project_ids=frozenset({project})))
    assert len(rows) == len(within)
    _, rows = shown(company.actor("department", employee_id=1, colleague_ids=frozenset(company.leads["employee_id"])))
    assert {row["Customer"] for row in rows} == company.names(company.leads)
    assert {row["Looked after by"].split("(")[1] for row in rows} == {f"{n})" for n in company.leads["employee"]}


def test_who_reads_the_figures_but_not_the_customers_sees_none(company):
    key = int(company.leads["employee_id"].iloc[0])
    rights = {("page:lead-list", "open"): frozenset({"all"})} | {
        (table, "read"): frozenset({"own"}) for table in ("customer", "lead")
    }
    nobody = Actor(None, name="R", permissions=rights)
    assert shown(nobody)[1] == []
    # Who may not know names sees numbers.
    _, rows = shown(Actor(None, name="R", permissions=rights, employee_id=key))
    assert rows
    assert all(row["Customer"].startswith("Customer ") for row in rows)


def test_leads_that_changed_since_the_refresh_are_not_called_again(company):
    key = int(company.leads["employee_id"].iloc[0])
    mine = company.leads[company.leads["employee_id"] == key]
    first, second = (int(lead) for lead in mine["lead_id"][:2])
    handed_over = int(mine["customer_id"].iloc[2])
    other = next(int(k) for k in company.leads["employee_id"] if k != key)
    events, owners = metadata.tables["lead_event"], metadata.tables["customer_owner"]
    now = dt.datetime(2026, 7, 1, 3, tzinfo=dt.UTC)
    with writing(company.engine, SYSTEM) as work:
        for lead, kind in ((first, "lost"), (second, "call")):
            work.session.execute(sa.insert(events).values(lead_id=lead, kind=kind, occurred_at=now))
        work.session.execute(
            sa.update(owners)
            .where(owners.c.customer_id == handed_over, owners.c.to_at.is_(None))
            .values(employee_id=other)
        )
    _, rows = shown(company.actor("own", employee_id=key))
    assert len(rows) == len(mine) - 2
    assert [row["To do today"] for row in rows] == ["Call today"] * (len(rows) - 1) + ["Spoken to since"]


@pytest.mark.parametrize(("status", "said"), [(ABSTAINED, "No result"), (FAILED, "Failed in the last refresh")])
def test_without_a_result_the_page_says_why(company, status, said):
    publish(company.folder, status)
    words, rows = shown(company.actor("all"))
    assert said in words
    assert "Because 7." in words
    assert rows == []


def test_an_empty_crm_has_nobody_to_call(use):
    use(empty_installation())
    words, rows = shown(SYSTEM)
    assert "No lead has been recorded yet." in words
    assert rows == []


def test_who_is_to_be_called_today_stands_first():
    leads = pd.DataFrame(
        {"chance": [0.69, 0.004, 0.11, 0.3, 0.05], "days_quiet": [3, 40, 9, 6, 12]}, index=[10, 11, 12, 13, 14]
    )
    told = lead_list.by_what_to_do(leads)
    assert told.index.tolist() == [12, 14, 10, 13, 11]
    assert told["to_do"].tolist() == [0, 0, 1, 1, 2]


def test_one_day_is_told_as_one():
    t, word = translator("en"), lead_list.WORDS[lead_score.CONTACT]
    told = {days: word(t, {"days_quiet": days}) for days in (0.3, 1.2, 2.0)}
    assert told == {
        0.3: "last contact less than a day ago", 1.2: "last contact 1 day ago", 2.0: "last contact 2 days ago"
    }  # fmt: skip


def test_every_reason_of_the_model_has_words():
    assert set(lead_list.WORDS) == set(lead_score.REASONS)
    lead = {**LEAD, "project": "North"}
    bare = dict.fromkeys(lead) | {"days_open": 0.2, "days_quiet": 0.2, "was_lost": False, "visits": 0}
    for language in ("en", "zh"):
        t = translator(language)
        told = [{word(t, each) for word in lead_list.WORDS.values()} for each in (lead, bare)]
        assert all(len(words) == len(lead_list.WORDS) and all(words) for words in told)


def test_ready_made_salespeople_may_open_it(company):
    with reading(company.engine, SYSTEM) as work:
        keys = {login: accounts.by_login(work, login).id for login in ("sales", "sales_manager", "property")}
    for login, key in keys.items():
        with reading(company.engine, key) as work:
            assert work.actor.may("open", "page:lead-list") == (login != "property")
