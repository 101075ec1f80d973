"""People, projects and sources like for like: from the gateway's cells to what the page says."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboards import fair_comparison, findings, simpson_notice
from dashboards.comparison_inputs import EMPLOYEE, MEASURES, PROJECT, SALES, SOURCE, UNITS, measures_of
from dashboards.fair_comparison import FairComparison, cells_of, checked, compared
from dashboards.gateway import open_gateway
from dashboards.pages import headlines, staff
from dashboards.view import View, company_date, last_months
from data_entry.pages import links
from loupan.metrics import EVERYTHING
from loupan.statistics.casemix import adjust
from loupan.statistics.shrinkage import beta_binomial
from loupan.statistics.simpson import reversals
from tests.dashboards import page_script
from tests.support.installation import empty_installation, sample_installation
from tests.support.pages import run_page

pytestmark = pytest.mark.slow


def view_of(language="en", months=36):
    gateway = open_gateway(EVERYTHING)
    return View(gateway, language, "light", last_months(months, gateway.span()[1] or company_date(gateway)))


def every_comparison(view):
    return [(metric, unit) for unit in UNITS for metric in measures_of(view, unit)]


def test_all_six_measures_compare_people_and_some_projects_and_sources(use):
    use(sample_installation())
    view = view_of()
    assert measures_of(view, EMPLOYEE) == (
        "conversion_rate", SALES, "customer_satisfaction", "complaints_per_100_served", "follow_up_satisfaction",
        "reply_timeliness_rate",
    )  # fmt: skip
    assert {"conversion_rate", "complaint_rate"} <= set(measures_of(view, PROJECT))
    assert measures_of(view, SOURCE) == ("conversion_rate",)
    assert set(staff.COMPARED) == set(measures_of(view, EMPLOYEE))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_comparison_is_drawn_or_says_that_there_is_too_little(use, language):
    use(sample_installation())
    drawn_ones = 0
    for months in (1, 36):
        view = view_of(language, months)
        for metric, unit in every_comparison(view):
            for draw in (staff.like_for_like, staff.rates):
                drawing = draw(view, metric, unit)
                drawn_ones += drawing.figure is not None
                assert not drawing.is_empty or view.ask(metric, by=(unit,)).empty or months == 1
                assert all(len(column.values) == len(drawing.table) for column in drawing.columns)
                if drawing.figure is not None:
                    assert drawing.table.iloc[:, 0].tolist() == sorted(drawing.table.iloc[:, 0])
                    assert drawing.note
    assert drawn_ones > 12


def test_more_than_can_be_compared_at_once_is_said_and_not_asked(use, monkeypatch):
    use(sample_installation())
    monkeypatch.setattr(fair_comparison, "_MOST", 100)
    # A period that no other test asks for: what was compared is remembered.
    whole = view_of(months=30)
    project = whole.gateway.values("project")[0]
    assert compared(whole, "conversion_rate", EMPLOYEE) is None
    assert checked(whole, "conversion_rate", EMPLOYEE) is None
    (said,) = staff.like_for_like(whole, "conversion_rate", EMPLOYEE).table.iloc[:, 0]
    assert "choose an estate" in said
    page = AppTest.from_file(page_script.__file__, default_timeout=120)
    page.query_params["page"], page.query_params["lang"] = "staff", "en"
    page.run()
    assert not page.exception
    texts = "\n".join(element.value for kind in ("html", "markdown") for element in page.get(kind))
    assert "choose an estate" in texts
    assert "No data" not in texts
    # Whoever chooses less is answered.
    monkeypatch.setattr(fair_comparison, "_MOST", 100_000_000)
    assert compared(replace(whole, where=(("project", (project,)),)), "conversion_rate", EMPLOYEE) is not None


def test_what_is_counted_is_what_the_gateway_counts(use):
    use(sample_installation())
    view = view_of()
    for metric, unit in every_comparison(view):
        found = compared(view, metric, unit)
        if found is None or metric == SALES:
            continue
        frame = view.ask(metric, by=(unit,)).dropna(subset=[unit]).set_index(unit)
        units = list(found.adjusted.units)
        assert found.adjusted.observed == pytest.approx(frame[f"{metric}__numerator"].loc[units].astype(float))
        assert found.adjusted.exposure == pytest.approx(frame[f"{metric}__denominator"].loc[units].astype(float))
        assert found.adjusted.expected.sum() == pytest.approx(found.adjusted.observed.sum())
        assert unit not in found.adjusted.inputs


def test_contracts_are_expected_by_project_and_month(use):
    use(sample_installation())
    view = view_of()
    found = compared(view, SALES, EMPLOYEE)
    sold = view.ask(SALES, by=(EMPLOYEE,)).set_index(EMPLOYEE)[SALES].astype(float)
    assert (found.adjusted.observed <= sold.reindex(found.adjusted.units).fillna(0).to_numpy() + 1e-9).all()
    assert found.adjusted.expected.sum() == pytest.approx(found.adjusted.observed.sum())


def test_every_input_has_a_reason_and_is_nobodys_own_doing(use):
    use(sample_installation())
    view = view_of()
    for measure in MEASURES.values():
        assert all(one.reason for one in measure.inputs)
        assert "intent_level" not in {one.dimension for one in measure.inputs}
        for unit in measure.units:
            assert {one.dimension for one in measure.inputs} - {unit} <= set(view.gateway.dimensions(measure.metric))
    found = compared(view, "conversion_rate", EMPLOYEE)
    shown = staff.inputs_taken_out(view, found)
    assert len(shown) == len(found.adjusted.inputs) > 3
    assert shown["Why"].str.len().min() > 20


def test_rates_of_few_cases_are_in_brackets_and_not_drawn(use):
    use(sample_installation())
    view = view_of()
    found = compared(view, "conversion_rate", EMPLOYEE)
    few = (~found.adjusted.has_enough).sum()
    drawing = staff.rates(view, "conversion_rate", EMPLOYEE)
    assert len(drawing.figure.data[1].y) == len(found.adjusted.units) - few
    assert drawing.table["As counted"].str.startswith("(").sum() == few
    assert np.isnan(found.shrunken.rate).sum() == few


def test_an_expectation_is_checked(use):
    use(sample_installation())
    view = view_of()
    found = checked(view, "conversion_rate", EMPLOYEE)
    _, cells = cells_of(view, "conversion_rate", EMPLOYEE)
    assert found.exposure.sum() == cells.dropna(subset=["unit"])["exposure"].sum()
    assert "of 100" in staff.trusted(view, "conversion_rate", EMPLOYEE).note


def test_an_empty_crm_is_compared_to_nothing(use):
    use(empty_installation())
    view = view_of()
    for metric, unit in every_comparison(view):
        assert compared(view, metric, unit) is None
        assert all(draw(view, metric, unit).is_empty for draw in (staff.like_for_like, staff.rates, staff.trusted))


def the_reversal(view):
    """A comparison in which the first project does better with both kinds of source, and is handed the hard ones."""
    one, other = view.gateway.values(PROJECT)[:2]
    rows = [(one, "hard", 240, 1600), (one, "easy", 160, 400), (other, "hard", 30, 400), (other, "easy", 480, 1600)]
    cells = pd.DataFrame(rows, columns=["unit", SOURCE, "observed", "exposure"])
    crude, adjusted = (adjust(cells, inputs, is_proportion=True) for inputs in ((), (SOURCE,)))
    shrunken = beta_binomial(adjusted.observed, adjusted.exposure)
    return FairComparison("conversion_rate", PROJECT, adjusted, shrunken, reversals(cells, crude, adjusted), 1.0)


def test_the_alarm_names_both_with_their_rates_and_what_explains_it(use):
    use(sample_installation())
    view = view_of()
    found = the_reversal(view)
    (said,) = simpson_notice.misleading(view, found)
    one, other = view.gateway.values(PROJECT)[:2]
    assert f"{other} is above {one} (25.5% against 20.0%)" in said
    assert "the other way round" in said
    assert said.endswith(
        f"What explains it: source. Among cases alike in source, {one} is the higher one in 2 of 2 groups."
    )
    (in_chinese,) = simpson_notice.misleading(replace(view, language="zh"), found)
    assert one in in_chinese
    assert not re.search(r"explains|against", in_chinese)


def test_the_alarm_is_a_finding_and_one_of_people_is_for_who_may_compare_them(use, monkeypatch):
    use(sample_installation())
    view = view_of()
    found = the_reversal(view)
    monkeypatch.setattr(findings, "compared", lambda view, metric, unit: found if metric == "conversion_rate" else None)
    people, projects = findings._reversals(view)
    assert people.is_personal
    assert not projects.is_personal
    assert projects.filters == (("unit", PROJECT), ("metric", "conversion_rate"))
    secret, open_to_all = replace(people, text="About a person"), replace(projects, text="About a project")
    monkeypatch.setattr(headlines, "findings", lambda view: (secret, open_to_all))
    is_open = links.is_open
    for closed in ("", "staff"):
        monkeypatch.setattr(links, "is_open", lambda page, closed=closed: page != closed and is_open(page))
        run = run_page(lang="en")
        said = [element.label for element in run.button] + [element.value for element in run.get("html")]
        assert any("About a project" in text for text in said)
        assert any("About a person" in text for text in said) == (closed == "")
