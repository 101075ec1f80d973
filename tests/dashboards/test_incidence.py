"""How many sign by which day, on whole installations and on literal courses."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from dashboards.charts import cohorts
from dashboards.charts.incidence import curves
from dashboards.courses import DEMANDS, LEADS, course, courses
from dashboards.gateway import NO_VALUE, Gateway, Period, open_gateway
from dashboards.pages import complaints, conversion
from dashboards.view import View, company_date, last_months
from loupan.metrics import EVERYTHING
from loupan.statistics.incidence import Incidence, course_of
from tests.support.installation import empty_installation, sample_installation

pytestmark = pytest.mark.slow
NONE = ([], [])


def view_of(gateway: Gateway, months: int = 12) -> View:
    return View(gateway, "en", "light", last_months(months, company_date(gateway)))


@pytest.fixture
def view(use) -> View:
    use(sample_installation())
    return view_of(open_gateway(EVERYTHING), 24)


def test_where_all_were_followed_it_is_the_rate_of_the_window(view):
    old = replace(view, period=Period(view.period.start, view.period.end - timedelta(days=200)))
    whole = conversion.by_days(old, "project")
    for day in (30, 90, 180):
        rates = old.ask(f"conversion_rate_{day}d", by=("project",)).set_index("project")[f"conversion_rate_{day}d"]
        columns = {column.title: column.values for column in whole.columns}
        found = dict(zip(columns["Project"], columns[f"By day {day}"], strict=True))
        assert found == pytest.approx(rates.to_dict())


def test_every_lead_of_the_view_has_one_course(view):
    for cut in conversion._CUTS:
        found = courses(view, LEADS, cut)
        leads = view.ask("leads", by=(cut,))
        assert sum(one.size for one in found.values()) == leads["leads"].sum() == course(view, LEADS).size
        signed = sum(one.events.sum() for one in found.values())
        assert signed == view.ask("gross_conversion_rate")["gross_conversion_rate__numerator"].iloc[0]


def test_a_young_month_is_told_by_what_earlier_leads_did(view):
    drawn = conversion.cohorts(view, "month", 180)
    told = pd.DataFrame({column.title: list(column.values) for column in drawn.columns})
    last, first = told.iloc[-1], told.iloc[0]
    assert last["Gross conversion rate"] < last["95% interval, from"] <= last["By day 180"]
    assert last["Undecided"] > 0.5 > first["Undecided"]
    assert (last["Rests on"], first["Rests on"]) == ("its own and earlier leads", "its own leads")
    assert last["Ended, or followed for 180 days"] < 1 == first["Ended, or followed for 180 days"]
    assert f"{last['Gross conversion rate']:.1%}" in drawn.note
    line = next(trace for trace in drawn.figure.data if (trace.name or "").startswith("Signed by day"))
    assert line.marker.symbol[-1] == "circle-open"
    assert line.marker.symbol[0] == "circle"
    shares = conversion.standing(view, "month").columns
    assert [sum(parts) for parts in zip(*(column.values for column in shares[2:5]), strict=True)] == pytest.approx(
        [1.0] * len(told)
    )


def test_demands_are_resolved_by_the_same_reckoning(view):
    old = replace(view, period=Period(view.period.start, view.period.end - timedelta(days=60)))
    whole = course(old, DEMANDS)
    assert whole.size == old.ask("demands_not_withdrawn")["demands_not_withdrawn"].iloc[0]
    assert whole.events.sum() == old.ask("resolution_rate")["resolution_rate__numerator"].iloc[0]
    # All were followed for 60 days, so the median is that of the hours, in days begun.
    day = math.ceil(old.ask("resolution_hours")["resolution_hours"].iloc[0] / 24)
    share = Incidence(whole).share
    assert share[day] >= 0.5 > share[day - 1]
    drawn = complaints.resolved_by_days(view, "severity")
    assert sum(drawn.columns[1].values) == view.ask("demands_not_withdrawn")["demands_not_withdrawn"].iloc[0]


def test_people_stand_by_name_and_a_filter_chooses_curves(view):
    names = conversion.by_days(view, "employee").table["Employee"].tolist()
    assert names == sorted(names)
    one = conversion.by_days(view, "source").table["Source"].tolist()[8]
    chosen = replace(view, where=(("source", (one,)),))
    drawn = [trace.name for trace in conversion.by_days(chosen, "source").figure.data if trace.line.dash]
    assert drawn == [one, "All"]
    # The others stay in the table, and in the line of all.
    assert len(conversion.by_days(chosen, "source").table) == len(view.ask("leads", by=("source",)))


def test_too_little_is_said_not_drawn(view):
    few = course_of(([3], [1]), ([9], [2]), ([5], [4]))
    drawn = curves(view, LEADS, {"A": few}, few, "source")
    assert drawn.figure is None
    assert drawn.table["By day 30"].tolist() == ["–"]
    assert drawn.table["Undecided"].tolist() == ["(57.1%)"]
    assert "fewer than 30" in drawn.note
    # Nobody signed, nobody is known, and one group only.
    lost = course_of(NONE, ([9], [200]), NONE)
    assert curves(view, LEADS, {None: lost}, lost, "source", (NO_VALUE,)).table["By day 90"].tolist() == [
        "0.0% (0.0%–1.9%)"
    ]
    month = view.months()[-1]
    for one in (few, lost, course_of(NONE, NONE, ([0], [50])), course_of(([0], [50]), NONE, NONE)):
        for earlier in (one, course_of(NONE, NONE, NONE)):
            drawn = cohorts.cohorts(view, "month", {month: one}, earlier, 365)
            assert len(drawn.table) == len(view.months())
            assert drawn.note
            assert not cohorts.standing(view, "month", {month: one}).is_empty


def test_a_company_without_leads_has_no_curve(use):
    use(empty_installation())
    empty = view_of(open_gateway(EVERYTHING))
    assert conversion.by_days(empty, "source").is_empty
    assert conversion.cohorts(empty, "quarter", LEADS.horizons[0]).is_empty
    assert conversion.standing(empty, "month").is_empty
    assert conversion.days_to_contract(empty).is_empty
    assert complaints.resolved_by_days(empty, "severity").is_empty
