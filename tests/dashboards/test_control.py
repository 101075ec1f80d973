"""Limits of ordinary variation on the pages' charts: whose they are, what they rest on, and what is told of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from dashboards import findings as found_things
from dashboards import tiles
from dashboards.charts import periods
from dashboards.charts.limits import with_signals
from dashboards.control import MOST, Control, basis, control_of, controls_by, controls_of, in_table, told
from dashboards.gateway import Period, open_gateway
from dashboards.pages import campaign_return, complaints, conversion, overview, property_fees, sales
from dashboards.view import View, company_date, last_months
from loupan.alerts.signals import beyond_limits
from loupan.metrics import EVERYTHING
from loupan.statistics.control import Refusal, Rule, Signal, individuals
from loupan.ui.drawing import Column, Drawing, written
from tests.support.installation import empty_installation, sample_installation

pytestmark = pytest.mark.slow

TRENDS = {
    "amount": (overview.monthly_amount, ()),
    "complaints": (overview.complaints, ()),
    "volumes": (complaints.volumes, ()),
    "timeliness": (complaints.handling, ("reply_timeliness_rate",)),
    "pipeline": (sales.pipeline, ()),
    "collected": (sales.collected, ()),
    "conversion": (conversion.by_month, ("conversion_rate",)),
    "stages": (conversion.stage_rates, ()),
    "days": (conversion.days_to_contract, ()),
    "expense": (campaign_return.expense, ()),
    "fees": (property_fees.flows, ()),
}


def view_of(months=12, language="en", last=None):
    gateway = open_gateway(EVERYTHING)
    return View(gateway, language, "light", last_months(months, last or company_date(gateway)))


def lines(drawing):
    return [trace for trace in drawing.figure.data if trace.type == "scatter" and trace.hoverinfo == "skip"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_trend_says_what_is_unusual_or_why_it_cannot(use, language):
    use(sample_installation())
    view = view_of(language=language)
    for name, (draw, arguments) in TRENDS.items():
        drawing = draw(view, *arguments)
        is_refused = not drawing.signals
        assert len(drawing.signals) <= MOST + 1, name
        assert drawing.note, name
        assert all(signal in drawing.alt for signal in drawing.signals), name
        titles = [column.title for column in drawing.columns]
        assert is_refused == (not any(view.t("Signal") in title for title in titles)), name
        assert len(set(titles)) == len(titles), name


def test_the_limits_are_those_of_the_months_before(use):
    use(sample_installation())
    view = view_of()
    drawing = sales.collected(view)
    frame = view.gateway.ask(("collected_amount",), ("month",), None, Period(date(2023, 7, 1), date(2026, 6, 30)))
    by_month = frame.set_index("month")["collected_amount"].astype(float).reindex(view_of(36).months())
    first = int(np.flatnonzero(by_month.notna())[0])
    values = by_month.fillna(0.0).to_numpy()[first:]
    limits = individuals(values, np.arange(len(values)) < len(values) - 12)
    columns = {column.title: column.values for column in drawing.columns}
    assert columns["Average"] == [pytest.approx(values[:-12].mean())] * 12
    assert columns["Upper limit"] == [pytest.approx(limits.upper[0])] * 12
    assert columns["Lower limit"] == [None] * 12, "money that comes in cannot be less than nothing"
    assert [list(trace.y) for trace in lines(drawing) if trace.mode == "lines"] == [
        columns["Average"],
        columns["Upper limit"],
    ]
    assert view.formats.period_label(view_of(36).months()[first]) in drawing.note
    # Of a metric that is asked for alone and together with others, they are the same.
    together = controls_of(view, ("collected_amount", "contract_amount"))["collected_amount"]
    assert together.limits.centre == control_of(view, "collected_amount").limits.centre


def test_alerts_judge_the_newest_complete_period_as_pages_do(use):
    use(sample_installation())
    gateway = open_gateway(EVERYTHING)
    names = ("leads", "contracts_gross", "contract_amount", "demands", "complaint_rate", "reply_timeliness_rate")
    seen = set()
    for back in range(12):
        newest = last_months(back + 1, company_date(gateway)).start - timedelta(days=1)
        as_of = datetime(newest.year, newest.month, newest.day, 16, tzinfo=UTC)  # midnight in Shanghai
        beyond, problems = beyond_limits(gateway.metrics, names, "month", as_of, gateway.time_zone)
        assert problems == ()
        told = {one.metric: one for one in beyond}
        for name in names:
            control = control_of(View(gateway, "en", "light", last_months(1, newest)), name)
            last = len(control.periods) - 1
            is_beyond = any(s.rule == Rule.BEYOND and s.end == last for s in control.signals)
            assert is_beyond == (name in told), (name, newest)
            seen.add(is_beyond)
            if is_beyond:
                assert told[name].value == pytest.approx(control.values[-1])
                assert told[name].high == pytest.approx(control.limits.upper[-1])
                assert told[name].period == control.periods[-1]
    assert seen == {True, False}


def test_a_longer_period_has_its_own_months_as_the_baseline(use):
    use(sample_installation())
    view = view_of(36)
    found = control_of(view, "demands")
    # Nothing was recorded before them.
    assert found.since >= view.months()[0]
    assert found.until == view.months()[-1]


def test_months_that_are_not_whole_are_not_judged(use):
    use(sample_installation())
    gateway = open_gateway(EVERYTHING)
    running = View(gateway, "en", "light", last_months(6, company_date(gateway) + timedelta(days=31)))
    found = control_of(running, "demands")
    assert np.isnan(found.values[-1])
    assert found.upper()[-1] is None
    # Of young cohorts the rate to date is bound to grow.
    view = view_of(36)
    rate = control_of(view, "visit_rate")
    judged = [month for month, value in zip(rate.periods, rate.values, strict=True) if np.isfinite(value)]
    assert judged
    assert max(judged) < view.young_from
    # Nor are those of fewer than thirty cases, here nearly all of them.
    cases = view.ask("visit_rate", by=("month",)).set_index("month")["visit_rate__denominator"]
    assert all(cases[month] >= 30 for month in judged)
    assert rate.refusal == Refusal.FEW_POINTS
    assert "30 cases" in basis(view, rate)


def test_a_month_whose_late_entries_are_still_to_come_is_not_judged(use):
    use(sample_installation())
    view = view_of()
    found = control_of(view, "late_entry_rate")
    assert np.isnan(found.values[-1])
    assert "late entries still to come" in tiles._figure(view, "late_entry_rate")
    earlier = view_of(6, last=company_date(view.gateway) - timedelta(days=62))
    assert earlier.is_maturing("late_entry_rate") is False
    assert "still to come" not in tiles._figure(earlier, "late_entry_rate")


def test_what_is_no_course_has_no_limits(use):
    use(sample_installation())
    view = view_of()
    assert control_of(view, "sell_through_rate") is None
    assert control_of(view, "contract_amount_target") is None
    assert control_of(view, "leads", "day") is None
    assert control_of(view, "no_such_metric") is None
    assert controls_by(view, "no_such_metric", "month", "project") == {}


def test_an_empty_company_has_neither_limits_nor_signals(use):
    use(empty_installation())
    view = view_of()
    assert control_of(view, "leads") is None
    assert controls_by(view, "leads", "month", "project") == {}
    assert list(found_things._signals(view)) == []


def test_filters_hold_for_the_baseline_as_well(use):
    use(sample_installation())
    view = view_of()
    of_all = controls_by(view, "leads", "month", "project")
    for project in view.gateway.values("project"):
        own = control_of(view.narrowed((("project", (project,)),)), "leads")
        assert np.allclose(own.values, of_all[project].values, equal_nan=True)


@pytest.mark.parametrize("grain", ["week", "month", "quarter"])
def test_explore_draws_limits_around_what_stands_alone(use, grain):
    use(sample_installation())
    view = view_of(36 if grain == "quarter" else 12)
    columns = periods.columns_by_period(view, view.ask("leads", by=(grain,)), grain, "leads")
    alone = periods.lines_by_period(view, view.ask("demands", by=(grain,)), grain, ("demands",))
    for drawing in (columns, alone):
        assert {"Average", "Upper limit", "Signal"} <= {column.title for column in drawing.columns} or (
            "No limits" in drawing.note
        )
    several = ("demands", "complaints")
    beside = periods.lines_by_period(view, view.ask(*several, by=(grain,)), grain, several)
    assert not lines(beside)
    by_value = periods.lines_by_value(view, view.ask("leads", by=(grain, "project")), grain, "leads", "project")
    assert not lines(by_value)
    assert by_value.signals or "No limits" in by_value.note


def course(view, values, signals, limits=None):
    """A course of the months shown, with limits that have been worked out elsewhere."""
    values = np.asarray(values, float)
    limits = limits or individuals(np.r_[np.tile([9.0, 11.0], 12)], np.ones(24, bool))
    ends = np.full(len(values), limits.upper[0])
    limits = replace(limits, lower=2 * limits.centre - ends, upper=ends, sigma=ends)
    months = tuple(view.months())
    since, until = "2023-07", "2025-06"
    return Control(
        "valid_complaints", "month", months, len(months), values, limits, None, tuple(signals), False, since, until
    )


def test_signals_are_told_in_words_and_in_the_table(use):
    use(sample_installation())
    view = view_of()
    values = [12, 12, 12, 12, 12, 12, 12, 12, 10, 61, 10, 61]
    found = course(view, values, [Signal(Rule.BEYOND, 11, 11, True), Signal(Rule.RUN, 0, 7, True)])
    assert told(view, found) == [
        "Jun 2026: 61, above the upper limit of 15.",
        "8 months in a row above the average of 10, Jul 2025 – Feb 2026.",
    ]
    assert told(view, found, "Complaints")[0] == "Complaints, Jun 2026: 61, above the upper limit of 15."
    assert in_table(view, found) == ["in a row above the average"] * 8 + ["", "", "", "above the upper limit"]
    assert found.marked(Rule.RUN) == list(range(8))
    on = course(view, values, [Signal(Rule.RUN, 4, 11, False)])
    assert told(view, on) == ["8 months in a row below the average of 10, from Nov 2025 on."]
    # Two numbers that are written alike would say nothing.
    near = course(view, [10.0] * 11 + [15.4], [Signal(Rule.BEYOND, 11, 11, True)])
    assert told(view, near) == ["Jun 2026: 15, just above the upper limit."]
    months = Column("Month", view.months(), "month")
    plain = Drawing(None, "Alt.", written(view.formats, [months]), "Note.", [months])
    many = course(view, values, [Signal(Rule.BEYOND, place, place, True) for place in range(11, 5, -1)])
    drawing = with_signals(view, plain, {"Complaints": many}, "count", "Complaints")
    assert len(drawing.signals) == MOST + 1
    assert drawing.signals[-1] == "3 more: see the table."
    assert drawing.note == "Thin lines: average and limits of Jul 2023 – Jun 2025. Note."
    assert list(drawing.table) == ["Month", "Average", "Lower limit", "Upper limit", "Signal"]
    quiet = with_signals(view, plain, {"Complaints": course(view, values, [])}, "count", "Complaints")
    assert quiet.signals == ("Nothing beyond ordinary variation.",)
    both = with_signals(view, plain, {"A": many, "B": course(view, values, [])}, "count")
    assert both.note == "Signals against the average of Jul 2023 – Jun 2025. Note."
    assert list(both.table) == ["Month", "A: Signal", "B: Signal"]
    assert len(both.columns) == 1 + 2 * 4


def test_a_signal_of_the_last_month_that_is_over_is_a_finding(use, monkeypatch):
    use(sample_installation())
    view = view_of()
    last, before = (Signal(Rule.BEYOND, place, place, True) for place in (11, 10))
    courses = {
        "complaint_rate": course(view, [1.0] * 12, [last]),
        "leads": course(view, [1.0] * 12, [last]),
        "contracts": course(view, [1.0] * 12, [before]),
        "reply_timeliness_rate": None,
    }
    monkeypatch.setattr(found_things, "control_of", lambda _, metric: courses[metric])
    worse, better = found_things._signals(view)
    assert (worse.page, better.page) == ("complaints", "explore")
    assert worse.weight > better.weight
    assert worse.text.startswith("Complaint rate, Jun 2026: 1")
    assert dict(better.filters) == {"m": "leads", "by": "month"}
