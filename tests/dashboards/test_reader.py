"""Whose figures a page shows, drawn for people whose rights end somewhere, on a whole installation."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest
import sqlalchemy as sa

from dashboards.drill import columns_of, rows_behind
from dashboards.findings import findings
from dashboards.gateway import open_gateway
from dashboards.menu import DASHBOARDS
from dashboards.pages import headlines, overview, sales, staff
from dashboards.view import View, last_months
from data_entry.access import SYSTEM, Actor
from data_entry.access.actor import SCOPES
from data_entry.access.roles import READY_MADE
from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.services import accounts, figures
from data_entry.services.errors import Forbidden
from data_entry.services.work import reading, writing
from loupan.metrics import Scope
from tests.support.installation import copy_crm, sample_installation
from tests.support.pages import drawn, values_of

pytestmark = pytest.mark.slow
PAGES = [page.path for pages in DASHBOARDS.values() for page in pages]


def actor(*scopes: str, page: str = "overview", **parts: object) -> Actor:
    return Actor(None, name="R", permissions={(f"page:{page}", "open"): frozenset(scopes)}, **parts)  # type: ignore[arg-type]


@pytest.fixture
def company(use):
    """Two estates and the employees of the installation: key → name, key → number."""
    folder = sample_installation()
    use(folder)
    engine = create_engine_for(f"sqlite:///{folder / 'crm.sqlite'}")
    with engine.connect() as connection:
        projects = dict(connection.execute(sa.select(*metadata.tables["project"].c["id", "name"])).all())
        people = dict(connection.execute(sa.select(*metadata.tables["employee"].c["id", "number"])).all())
    engine.dispose()
    return projects, people


def view_of(scope: Scope) -> View:
    gateway = open_gateway(scope)
    return View(gateway, "en", "light", last_months(36, gateway.as_of.date()))


def scope_of(who: Actor, page: str = "overview") -> Scope:
    reached = figures.reach(who, page)
    assert reached is not None
    return Scope.of({name: map(str, keys) for name, keys in reached.items()})


@pytest.mark.parametrize("scopes", [c for n in range(4) for c in itertools.combinations(SCOPES, n)])
def test_the_scope_of_a_page_decides_and_fails_closed(scopes):
    who = actor(*scopes, employee_id=7, colleague_ids=frozenset({7, 8}), project_ids=frozenset({1}))
    if not scopes:
        with pytest.raises(Forbidden):
            figures.reach(who, "overview")
        return
    with pytest.raises(Forbidden):
        figures.reach(who, "sales")
    reached = figures.reach(who, "overview")
    if "all" in scopes:
        assert reached is None
        return
    expected = {}
    if "project" in scopes:
        expected["project_id"] = {1}
    if "department" in scopes:
        expected["employee_id"] = {7, 8}
    elif "own" in scopes:
        expected["employee_id"] = {7}
    assert {name: set(keys) for name, keys in reached.items()} == expected
    unassigned = dataclasses.replace(who, employee_id=None, colleague_ids=frozenset(), project_ids=frozenset())
    assert scope_of(unassigned).is_nothing


def test_every_ready_made_role_reaches_what_it_is_granted():
    bounded = {}
    for role, ready_made in READY_MADE.items():
        grants = {
            (resource, action): frozenset({scope})
            for resources, actions, scope in ready_made.grants
            for resource in resources
            for action in actions
        }
        who = Actor(None, permissions=grants)
        for page in PAGES:
            if who.may("open", f"page:{page}") and figures.reach(who, page) is not None:
                bounded.setdefault(role, set()).add(page)
    assert set(bounded) == {"sales", "sales_manager", "property"}
    assert bounded["sales"] == {"lead-list"}
    assert bounded["property"] == {"property-fees"}


def test_a_page_shows_the_estates_of_its_reader_alone(company):
    projects, _ = company
    key, name = next(iter(projects.items()))
    others = set(projects.values()) - {name}
    text = drawn(actor=actor("project", project_ids=frozenset({key})), lang="en", period="all")
    assert f"You see: estates {name}." in text
    assert not [other for other in others if other in text]
    shown = values_of(text)
    everything = view_of(Scope(None))
    leads = everything.gateway.ask(("leads",), where={"project": [name]})["leads"].iloc[0]
    assert shown["leads"] == f"{leads:,}"


def test_who_is_assigned_to_nothing_is_told_so(company):
    text = drawn(actor=actor("project", "department"), lang="en")
    assert "You are assigned to no estate and no department" in text
    assert not values_of(text)


def test_drawings_and_rows_are_remembered_apart_by_scope(company):
    projects, _ = company
    by_project = {}
    for key, name in projects.items():
        view = view_of(scope_of(actor("project", project_ids=frozenset({key}))))
        by_project[name] = rows_behind(view, "leads")
        at = columns_of(view, "leads").index("project") + 1
        assert {row[at] for row in by_project[name]} == {name}
        drawing = overview.projects(view)
        assert list(drawing.table.iloc[:, 0]) == [name]
    everything = rows_behind(view_of(Scope(None)), "leads")
    assert sorted(map(repr, everything)) == sorted(repr(row) for rows in by_project.values() for row in rows)


def test_what_people_did_shows_no_estates_figures(company):
    """Complaint rates and fees are not recorded by person: who is bounded by people does not see them."""
    _, people = company
    view = view_of(scope_of(actor("department", employee_id=1, colleague_ids=frozenset(people))))
    assert view.gateway.withholds("complaint_rate")
    assert not view.gateway.has("complaint_rate")
    assert overview.complaints(view).is_empty
    assert not sales.by_cut(view, "contract_amount", "project").is_empty
    assert not [f for f in findings(view) if "customer-months" in f.text]


def test_every_chart_of_every_scope_names_only_who_is_within(company):
    _, people = company
    numbers = sorted(people.values())
    chosen = dict(list(people.items())[5:9])
    view = view_of(scope_of(actor("department", employee_id=6, colleague_ids=frozenset(chosen))))
    texts = [
        sales.by_cut(view, "contracts", "employee").table.to_csv(),
        headlines.contributors(view, "leads", "department").table.to_csv(),
        *(
            drawing.table.to_csv()
            for drawing in (staff.people(view, "conversion_rate"), staff.work(view))
            if not drawing.is_empty
        ),
    ]
    outside = set(numbers) - set(chosen.values())
    found = {number for text in texts for number in re.findall(r"E\d{5}", text)}
    assert found
    assert not found & outside


class TestViewAs:
    """Looking as somebody else does is for administrators, and leaves a line."""

    @pytest.fixture
    def crm(self, tmp_path):
        copy_crm(sample_installation(), tmp_path)
        engine = create_engine_for(f"sqlite:///{tmp_path / 'crm.sqlite'}")
        yield engine
        engine.dispose()

    def account_of(self, crm, login):
        with reading(crm, SYSTEM) as work:
            return accounts.by_login(work, login).id

    def test_an_administrator_looks_as_a_manager(self, crm):
        admin, manager = self.account_of(crm, "admin"), self.account_of(crm, "sales_manager")
        with writing(crm, admin) as work:
            other = figures.begin_view_as(work, manager)
        assert other.login == "sales_manager"
        assert figures.reach(other, "overview") is not None
        with reading(crm, SYSTEM) as work:
            trail = metadata.tables["audit_log"]
            lines = work.session.execute(
                sa.select(trail.c.account_id, trail.c.entity_id).where(trail.c.action == "view_as")
            ).all()
        assert lines == [(admin, manager)]

    @pytest.mark.parametrize("login", sorted(set(READY_MADE) - {"admin"}))
    def test_nobody_else_may(self, crm, login):
        admin, who = self.account_of(crm, "admin"), self.account_of(crm, login)
        with reading(crm, who) as work, pytest.raises(Forbidden):
            figures.view_as(work, admin)
