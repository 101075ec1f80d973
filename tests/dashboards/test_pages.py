"""The pages without a browser, on whole installations: what stands on them, and that nothing misleads."""

import re
import shutil
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import pytest

from dashboards.charts import events
from dashboards.definition import told
from dashboards.drill import columns_of, rows_behind
from dashboards.export.key_figures import key_figures
from dashboards.gateway import Period, open_gateway
from dashboards.pages import (
    campaign_return,
    complaints,
    conversion,
    customer_structure,
    features,
    overview,
    property_fees,
    sales,
    staff,
)
from dashboards.view import View, company_date, last_months
from loupan.formats import Formats
from loupan.metrics import EVERYTHING
from loupan.statistics.intervals import poisson_exact
from tests.support.installation import empty_installation, imported_installation, sample_installation
from tests.support.pages import drawn, run_page, values_of

pytestmark = pytest.mark.slow


def view_of(language="en", months=12):
    gateway = open_gateway(EVERYTHING)
    return View(gateway, language, "light", last_months(months, gateway.span()[1] or company_date(gateway)))


def test_the_overview_of_the_sample_has_all_its_numbers(use):
    use(sample_installation())
    shown = values_of(drawn(lang="en"))
    assert set(shown) == set(overview.TILES)
    assert "–" not in shown.values()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_chart_of_the_sample_is_drawn_with_words_and_a_table(use, language):
    use(sample_installation())
    view = view_of(language)
    linear = view.narrowed(((campaign_return.MODEL, ("linear",)),))
    charts = {
        "amount": overview.monthly_amount(view),
        "funnel": overview.funnel(view),
        "sources": overview.source_structure(view),
        "projects": overview.projects(view),
        "complaints": overview.complaints(view),
        "by_month": conversion.by_month(view, "conversion_rate_30d"),
        "reasons": conversion.loss_reasons(view),
        "stages": conversion.stage_rates(view),
        "days": conversion.days_to_contract(view),
        "cohorts": conversion.cohorts(view, "month", 180),
        "standing": conversion.standing(view, "month"),
        "cohorts by quarter": conversion.cohorts(view, "quarter", 90),
        "standing by quarter": conversion.standing(view, "quarter"),
        **{f"signed by {cut}": conversion.by_days(view, cut) for cut in conversion._CUTS},
        "grid": complaints.by_project_and_quarter(view),
        **{f"{rate} by project": complaints.by_cut(view, rate, "project") for rate in complaints._RATES},
        **{f"{rate} by person": complaints.by_cut(view, rate, "employee") for rate in complaints._RATES.values()},
        "volumes": complaints.volumes(view),
        **{f"resolved by {cut}": complaints.resolved_by_days(view, cut) for cut in complaints._RESOLUTION_CUTS},
        "handling": complaints.handling(view, "reply_timeliness_rate"),
        "expense": campaign_return.expense(view),
        "expense_categories": campaign_return.categories(view),
        "people": staff.people(view, "conversion_rate"),
        "effect by type": campaign_return.effect(linear, "leads", "market_type"),
        "effect by plan": campaign_return.effect(linear, "attributed_amount", "plan"),
        "reconciliation": sales.reconciliation(view),
        "pipeline": sales.pipeline(view),
        "collected": sales.collected(view),
        "sell-through": sales.share_by_project(view, "sell_through_rate"),
        "collection": sales.share_by_project(view, "collection_rate"),
        "fees": property_fees.flows(view),
        "arrears": property_fees.by_cut(view, "fee_arrears", "fee_type"),
        "target by month": sales.target_by_month(view, "contract_amount_attainment"),
        "target by project": sales.target_by_project(view, "leads_attainment"),
        "budget": campaign_return.budget(view),
        **{f"feature {name}": features.structure(view, name) for name in features.names(view, *features.GROUPS)},
        **{f"conversion {name}": features.conversion(view, name) for name in features.names(view, "leads")},
        **{
            f"sales by {name}": sales.by_cut(view, "contract_amount", f"feature:{name}")
            for name in features.names(view, "contract_amount")
        },
        "income": customer_structure.conversion(view, "income_band"),
        **{f"sales by {cut}": sales.by_cut(view, "contract_amount", cut) for cut in sales._CUTS if cut != "plan"},
        **{f"structure {d}": customer_structure.structure(view, d) for d in customer_structure._ABOUT},
        **{
            f"cut {c}": conversion.by_cut(view, "conversion_rate", c)
            for c in ("source", "project", "employee", "age_band")
        },
        **{f"by {c}": campaign_return.credited(linear, "attributed_amount", c) for c in ("source", "plan", "activity")},
    }
    for name, chart in charts.items():
        assert chart.figure is not None, name
        assert len(chart.alt) > 10, name
        assert len(chart.table), name
        assert chart.table.notna().all().all(), name
        assert {len(column.values) for column in chart.columns} == {len(chart.table)}, name
    tables = {"returns": campaign_return.returns(linear, "source"), "work": staff.work(view)}
    for name, chart in tables.items():
        assert {len(column.values) for column in chart.columns} == {len(chart.table)}, name
        assert len(chart.table), name


def test_the_way_from_gross_to_restated_is_that_of_the_gateway(use):
    use(sample_installation())
    view = view_of()
    frame = view.ask(*sales._LEDGER, sales._RESTATED).iloc[0].fillna(0)
    (bars,) = sales.reconciliation(view).figure.data
    assert list(bars.measure) == ["absolute", "relative", "relative", "absolute", "relative", "absolute"]
    gross, amended, cancelled, net, later, restated = bars.x
    assert (gross, amended, -cancelled, net) == pytest.approx(tuple(frame[list(sales._LEDGER)]))
    assert gross + amended + cancelled == pytest.approx(net)
    assert net + later == pytest.approx(restated) == pytest.approx(frame[sales._RESTATED])


def test_everybody_who_sold_is_shown_by_name(use):
    use(sample_installation())
    view = view_of(months=36)
    sold = view.ask("contracts", by=("employee",))["contracts"]
    shown = sales.by_cut(view, "contracts", "employee").table["Employee"].tolist()
    assert len(shown) == (sold.fillna(0) != 0).sum()
    assert shown == sorted(shown)


def test_what_is_a_state_is_the_same_in_every_period(use):
    use(sample_installation())
    view = view_of()
    earlier = View(view.gateway, "en", "light", last_months(3, view.period.start))
    for metric in ("sell_through_rate", "fee_arrears"):
        now = view.gateway.ask((metric,))[metric].iloc[0]
        assert now > 0
        assert view.ask(metric)[metric].iloc[0] == earlier.ask(metric)[metric].iloc[0] == now


def test_the_structure_of_customers_counts_everybody_once(use):
    use(sample_installation())
    view = view_of()
    leads = view.ask("leads")["leads"].iloc[0]
    for dimension in customer_structure._ABOUT:
        chart = customer_structure.structure(view, dimension)
        assert [sum(trace.x) for trace in chart.figure.data] == pytest.approx([1] * len(chart.figure.data)), dimension
        assert sum(int(n.replace(",", "")) for n in chart.table["Leads"]) == leads, dimension
    ages = customer_structure.structure(view, "age_band").table["Age"].tolist()
    assert ages == [*sorted(ages[:-1]), "Unknown"]


def test_a_month_that_is_not_over_looks_like_none_that_is(use):
    use(sample_installation())
    gateway = open_gateway(EVERYTHING)
    last = company_date(gateway)
    over = View(gateway, "en", "light", last_months(6, last.replace(day=1) - timedelta(days=1)))
    running = View(gateway, "en", "light", last_months(6, last + timedelta(days=31)))
    for chart in (overview.monthly_amount, overview.complaints, complaints.volumes):
        finished, unfinished = chart(over), chart(running)
        assert "not over" in unfinished.note
        assert "not over" not in finished.note
        dotted = [t for t in unfinished.figure.data if t.type == "scatter" and t.marker.symbol == "circle-open"]
        lines = [t for t in finished.figure.data if t.type == "scatter" and t.mode == "lines+markers"]
        assert len(dotted) == len(lines)
        assert all(trace.x[-1] == running.months()[-1] and trace.line.dash == "dot" for trace in dotted)
        assert not any(t.marker.symbol == "circle-open" for t in lines)


def test_key_figures_are_compared_as_the_reader_wants(use):
    use(sample_installation())
    gateway = open_gateway(EVERYTHING)
    leads = {
        code: gateway.ask(("leads",), period=Period(start, end))["leads"].iloc[0]
        for code, start, end in (
            ("now", date(2026, 1, 1), date(2026, 6, 30)),
            ("previous", date(2025, 7, 1), date(2025, 12, 31)),
            ("year", date(2025, 1, 1), date(2025, 6, 30)),
        )
    }
    for code, words in (("previous", "vs prior period"), ("year", "vs last year")):
        (tile,) = re.findall(r"data-metric='leads'>.*?<p class='lp-change'.*?</p>", drawn(period="6m", compare=code))
        assert gateway_change(leads["now"], leads[code]) in tile
        assert words in tile
    text = drawn(period="6m", compare="none")
    assert "vs " not in text
    assert text.count("not compared") == len(overview.TILES)
    # Nobody's choice: the comparison that is made without one.
    assert "vs prior period" in drawn(period="6m", compare="<script>")


def test_a_definition_tells_how_certain_its_number_is(use):
    use(sample_installation())
    (row,) = open_gateway(EVERYTHING).metrics.records(["complaint_rate"], start="2025-07-01", end="2026-06-30")
    low, high = poisson_exact(row["complaint_rate__numerator"], row["complaint_rate__denominator"])
    complaints_told = told(view_of(), "complaint_rate")
    assert f"<dt>n</dt><dd>{row['complaint_rate__denominator']:,}</dd>" in complaints_told
    assert f"<dt>95% interval</dt><dd>{100 * low:.2f}–{100 * high:.2f}</dd>" in complaints_told
    assert "<dt>Answered for by</dt><dd>Customer service</dd>" in complaints_told
    # Money per money: no cases that could have fallen out otherwise.
    assert "95% interval" not in told(view_of(), "return_on_expense")
    # Limited to what the figure is limited to.
    (row,) = open_gateway(EVERYTHING).metrics.records(
        ["conversion_rate"], where={"gender": ["female"]}, start="2025-07-01", end="2026-06-30"
    )
    women = told(view_of().narrowed((("gender", ("female",)),)), "conversion_rate")
    assert f"<dt>n</dt><dd>{row['conversion_rate__denominator']:,}</dd>" in women


@pytest.mark.parametrize("metric", ["valid_complaints", "suggestions"])
def test_the_rows_of_a_category_are_those_under_it(use, metric):
    use(sample_installation())
    view = view_of()
    counts = complaints._by_path(view, metric)
    assert len({path.count("›") for path in counts}) > 1
    for path, number in counts.items():
        assert len(rows_behind(view.narrowed(((complaints._PATH, (path,)),)), metric)) == number


def test_a_part_of_the_result_is_not_set_against_the_whole_target(use):
    use(sample_installation())
    view = view_of()
    whole = view.value("contract_amount_attainment")
    source, project = (view.gateway.values(name)[0] for name in ("source", "project"))
    of_a_source = replace(view, where=(("source", (source,)),))
    assert of_a_source.value("contract_amount_attainment") == whole
    assert of_a_source.ignored("contract_amount_attainment") == ("source",)
    assert "of target" in drawn()
    assert "of target" not in drawn(source=source)
    # A target is set for a project.
    of_a_project = replace(view, where=(("project", (project,)),))
    assert of_a_project.value("contract_amount_attainment") != whole
    assert "of target" in drawn(project=project)


@pytest.mark.parametrize("model", ["first", "linear"])
def test_the_rows_of_a_return_are_of_the_model_that_is_chosen(use, model):
    use(sample_installation())
    metric = "attributed_amount"
    view = view_of().narrowed(((campaign_return.MODEL, (model,)),))
    rows = pd.DataFrame(rows_behind(view, metric), columns=["record", *columns_of(view, metric), metric])
    wanted = view.gateway.metrics.query(
        [metric], ["source"], {campaign_return.MODEL: model}, "2025-07-01", "2026-06-30"
    ).set_index("source")[metric]
    found = rows.astype({metric: float}).groupby("source")[metric].sum()
    assert found.to_dict() == pytest.approx(wanted.to_dict())
    (tile,) = key_figures(view, (metric,)).columns[1].values[:1]
    assert tile == pytest.approx(wanted.sum())


def gateway_change(value, before):
    return Formats("en", "CNY").change(value, before, "count")


def test_a_line_is_drawn_beside_that_of_the_days_compared_with(use):
    use(sample_installation())
    view = replace(view_of(months=6), compare="year")
    # What can be pointed at; the lines of limits cannot.
    earlier, now = (trace for trace in sales.collected(view).figure.data if trace.customdata is not None)
    before = view.gateway.ask(("collected_amount",), ("month",), None, Period(date(2025, 1, 1), date(2025, 6, 30)))
    assert list(earlier.y) == pytest.approx(before["collected_amount"])
    assert list(earlier.x) == list(now.x) == view.months()
    assert sales.collected(view).table.columns.tolist()[:3] == ["Month", "Collected amount", "Same period last year"]
    alone = sales.collected(replace(view, compare="none"))
    assert len([trace for trace in alone.figure.data if trace.customdata is not None]) == 1


def test_marks_of_a_filter_say_what_they_filter_by(use):
    use(sample_installation())
    view = view_of()
    sources = overview.source_structure(view)
    assert sources.dimension == "source"
    assert len(sources.values) == len(sources.figure.data[0].x) == 9
    assert sources.values[-1] is None, "the others are no value"
    assert set(sources.values[:-1]) <= {*view.gateway.values("source"), None}
    rates = conversion.by_cut(view, "conversion_rate", "project")
    assert sorted(rates.values) == sorted(view.gateway.values("project"))


def test_a_filter_of_a_value_that_is_gone_is_said(use):
    use(sample_installation())
    run = run_page(lang="en", project=["No such estate", "<b>x</b>"])
    (said,) = [caption.value for caption in run.caption if "left out of the filters" in caption.value]
    assert "No such estate" in said
    assert "<b>" not in said


@pytest.mark.parametrize("metric", ["valid_complaints", "suggestions"])
def test_every_category_level_can_be_opened(use, metric):
    use(sample_installation())
    view = view_of()
    counts = complaints._by_path(view, metric)
    parents = [path for path in counts if complaints._children(counts, path)]
    assert parents
    for path in parents:
        assert sum(complaints._children(counts, path).values()) <= counts[path]
        assert not complaints.categories(view, metric, path).is_empty


@pytest.mark.parametrize("months", [24, 36])
def test_events_are_marked_where_nothing_else_is_and_told_in_words(use, months):
    use(sample_installation())
    view = view_of(months=months)
    chart = sales.collected(view)
    (marks,) = [trace for trace in chart.figure.data if trace.yaxis == "y2"]
    assert [*marks.text] == [str(number) for number in range(1, len(marks.x) + 1)]
    # At most as many as fit side by side on a telephone, each over months of its own.
    places = [view.months().index(month) for month in marks.x]
    assert min([b - a for a, b in pairwise(places)], default=months) >= months / 14
    assert chart.figure.layout.yaxis2.domain[1] < chart.figure.layout.yaxis.domain[0]
    happened = [events for events in chart.table["Events"] if events]
    assert sum(map(len, (text.split("; ") for text in happened))) == len(events.events(view))
    words = "Numbers mark" if len(events.events(view)) > 6 else f"(1) {happened[0]}"
    assert words in chart.note
    assert words in chart.alt


def test_events_are_those_of_the_projects_chosen_and_of_the_company(use):
    use(sample_installation())
    view = view_of(months=36)
    first = view.gateway.values("project")[0]
    chosen = events.events(View(view.gateway, "en", "light", view.period, (("project", (first,)),)))
    assert chosen == tuple(event for event in events.events(view) if event[1].startswith(first) or " " not in event[1])
    assert 1 < len(chosen) < len(events.events(view))


def test_attribution_models_agree_on_the_total(use):
    use(sample_installation())
    view = view_of()
    frame = view.ask("attributed_contracts", by=("attribution_model",))
    assert frame["attributed_contracts"].max() == pytest.approx(frame["attributed_contracts"].min())


def test_a_filter_that_does_not_apply_is_said(use):
    use(sample_installation())
    view = view_of()
    source = view.gateway.values("source")[0]
    filtered = View(view.gateway, "en", "light", view.period, (("source", (source,)),))
    assert filtered.ignored("complaint_rate") == ("source",)
    assert filtered.ignored("leads") == ()
    assert filtered.ask("complaint_rate").equals(view.ask("complaint_rate"))
    assert filtered.ask("leads")["leads"].iloc[0] < view.ask("leads")["leads"].iloc[0]


def test_few_cases_are_grey_and_unranked(use):
    use(sample_installation())
    view = view_of(months=1)
    chart = conversion.by_cut(view, "conversion_rate", "source")
    sizes = [int(n.replace(",", "")) for n in chart.table["Out of"]]
    assert any(n < 30 for n in sizes), "the sample has no small source in its last month"
    first_few = next(i for i, n in enumerate(sizes) if n < 30)
    assert all(n < 30 for n in sizes[first_few:])
    assert "fewer than 30" in chart.note


def test_before_the_first_refresh_the_way_to_it_is_shown(use, tmp_path):
    use(tmp_path)
    assert "loupan refresh" in drawn(lang="en")
    assert "尚未发布任何数据" in drawn(lang="zh")


def test_a_damaged_snapshot_is_said_so(use, tmp_path):
    shutil.copytree(sample_installation() / "snapshots", tmp_path / "snapshots")
    for manifest in tmp_path.glob("snapshots/*/semantic_manifest.json"):
        manifest.write_text("{")
    use(tmp_path)
    text = drawn(lang="en")
    assert "cannot be read" in text
    assert "loupan snapshots rollback" in text


def test_a_rollback_changes_the_page_at_once(use, tmp_path):
    shutil.copytree(sample_installation() / "snapshots", tmp_path / "snapshots")
    use(tmp_path)
    before = open_gateway(EVERYTHING)
    (first,) = tmp_path.glob("snapshots/2*")
    later = first.with_name("20991231T000000000000Z")
    shutil.copytree(first, later)
    (tmp_path / "snapshots" / "CURRENT").write_text(f"{later.name}\n")
    assert open_gateway(EVERYTHING) != before


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_empty_crm_has_no_numbers_rather_than_zeros(use, language):
    use(empty_installation())
    shown = values_of(drawn(lang=language))
    assert set(shown.values()) == {"–"}


def test_an_empty_crm_has_no_charts_either(use):
    use(empty_installation())
    view = view_of()
    charts = {
        "reconciliation": sales.reconciliation(view),
        "pipeline": sales.pipeline(view),
        "collected": sales.collected(view),
        "effect": campaign_return.effect(view, "leads", "plan"),
        "fees": property_fees.flows(view),
        **{f"sales by {cut}": sales.by_cut(view, "contracts", cut) for cut in sales._CUTS},
        **{f"share of {m}": sales.share_by_project(view, m) for m in ("sell_through_rate", "collection_rate")},
        **{f"arrears by {cut}": property_fees.by_cut(view, "fee_arrears", cut) for cut in property_fees._CUTS},
        **{f"structure {d}": customer_structure.structure(view, d) for d in customer_structure._ABOUT},
        **{f"conversion {d}": customer_structure.conversion(view, d) for d in customer_structure._ABOUT},
    }
    assert [name for name, chart in charts.items() if not chart.is_empty] == []


def test_an_imported_sales_funnel_shows_its_own_numbers_and_no_others(use, shared_data):
    use(imported_installation("olist_funnel", shared_data / "olist_funnel", "2018-12-31T00:00:00"))
    shown = values_of(drawn(lang="en", period="all"))
    assert shown["leads"] == "8,000"
    assert shown["conversion_rate"] == "10.5%"
    # It keeps no complaints and no expenses: that is no rate of 0.
    assert shown["complaint_rate"] == "–"
    assert shown["return_on_expense"] == "–"
    view = view_of()
    # Nor does it record lost leads.
    assert not view.gateway.is_recorded("loss_rate")
    assert view.gateway.is_recorded("conversion_rate")
    everything = View(view.gateway, "en", "light", Period(view.gateway.span()[0], view.period.end))
    table = conversion.by_cut(everything, "conversion_rate", "source").table
    rates = dict(zip(table["Source"], table.iloc[:, 1], strict=True))
    assert {name: rates[name] for name in rates if name.lower().replace("_", " ") in ("paid search", "social")}
    assert "12.3%" in rates.values()
    assert complaints.by_month(everything).is_empty
    assert campaign_return.expense(everything).is_empty


def test_an_imported_service_desk_shows_its_own_numbers_and_no_others(use, shared_data):
    use(imported_installation("helpdesk", shared_data / "helpdesk", "2016-12-31T00:00:00"))
    shown = values_of(drawn(lang="en", period="all"))
    assert shown["leads"] == "–"
    assert shown["conversion_rate"] == "–"
    view = view_of()
    total = view.ask("demands", all_time=True)["demands"].iloc[0]
    assert total == 3804
    assert not complaints.volumes(view).is_empty
    assert overview.funnel(view).is_empty
