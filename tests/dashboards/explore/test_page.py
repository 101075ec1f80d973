"""Explore on a whole company: every number is the gateway's, and no address does harm."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dashboards.charts.relation import scatter
from dashboards.drill import parts_of, rows_behind
from dashboards.explore import drawings, question, shape
from dashboards.explore.question import Question
from dashboards.export import about
from dashboards.export.exhibit import Exhibit
from dashboards.gateway import Period, open_gateway
from dashboards.names import names_of
from dashboards.view import View
from loupan.metrics import EVERYTHING, open_current
from loupan.metrics.catalogue import TIME_DIMENSIONS
from loupan.settings import get_settings
from loupan.ui.palette import COLOURS
from tests.support.installation import empty_installation, sample_installation

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("page_alone.py")
PERIOD = Period(date(2025, 7, 1), date(2026, 6, 30))


@pytest.fixture
def use(monkeypatch):
    """Let this process read an installation's data folder, and return the view of a reader there."""

    def choose(data_dir):
        monkeypatch.setenv("LOUPAN_DATA_DIR", str(data_dir))
        get_settings.cache_clear()
        return View(open_gateway(EVERYTHING), "en", "light", PERIOD)

    return choose


@pytest.fixture
def view(use):
    return use(sample_installation())


def drawn(**address):
    run = AppTest.from_file(str(SCRIPT), default_timeout=120)
    for name, values in address.items():
        run.query_params[name.replace("__", ".")] = values
    run.run()
    assert not run.exception
    assert not run.error
    return run


def texts(run):
    return "\n".join(element.value for kind in ("html", "markdown") for element in run.get(kind))


def charts_of(view, asked):
    view = view.narrowed(asked.where)
    for kind in shape.kinds(question.shape(asked, view)):
        if kind == "tiles":
            continue
        for metrics in drawings.groups_of_metrics(view, asked, kind):
            yield kind, drawings.chart(view, asked, kind, metrics)


@pytest.mark.parametrize(
    ("metrics", "by"),
    [
        (("leads",), ("source",)),
        (("contract_amount", "contracts"), ("month",)),
        (("conversion_rate",), ("project", "quarter")),
        (("complaint_rate", "valid_complaints"), ("project",)),
        (("attributed_amount",), ("attribution_model", "market_type")),
        (("first_reply_minutes",), ("demand_category",)),
        (("fee_arrears",), ("fee_type",)),
        (("visits",), ("week",)),
    ],
)
def test_every_number_is_that_of_the_gateway(view, metrics, by):
    asked, notices = question.fitted(Question(metrics, by, sort=question.NAME), view)
    assert (asked.metrics, asked.by, notices) == (metrics, by, ())
    gateway = open_current()
    is_state = all(gateway.describe(metric).date_basis == "as_of" for metric in metrics)
    bounds = {} if is_state else {"start": PERIOD.start, "end": PERIOD.end}
    wanted = {
        tuple(names_of(view, name)(row[name]) for name in by): tuple(row[metric] for metric in metrics)
        for row in gateway.records(metrics, by, **bounds)
    }
    table = drawings.table(view, asked).table
    shown = {
        tuple(row[view.title(name)] for name in by): tuple(row[view.label(metric)].strip("()") for metric in metrics)
        for _, row in table.iterrows()
    }
    assert shown == {
        group: tuple(view.write(None if value is None else float(value), metric) for value, metric in pairs)
        for group, values in wanted.items()
        for pairs in [list(zip(values, metrics, strict=True))]
    }


def test_every_kind_of_metric_is_drawn_by_whatever_fits_it(view):
    gateway = view.gateway
    kinds = {(metric.unit, metric.kind, metric.date_basis): metric for metric in question.offered(gateway)}
    assert len(kinds) > 15
    for metric in kinds.values():
        fitting = question.dimensions(gateway, [metric.name])
        periods = [name for name in fitting if name == "month"]
        categories = [name for name in fitting if name not in TIME_DIMENSIONS][:2]
        cuts = [
            *((name,) for name in periods + categories[:1]),
            *((name, categories[0]) for name in periods),
            categories,
        ]
        for by in cuts:
            asked, notices = question.fitted(Question((metric.name,), tuple(by)), view)
            assert notices == ()
            for kind, chart in charts_of(view, asked):
                if chart.figure is not None:
                    assert len(chart.alt) > 10, (metric.name, by, kind)
                    assert chart.table.notna().all().all(), (metric.name, by, kind)


def test_what_holds_others_is_not_summed_up(view):
    asked = Question(("valid_complaints",), ("demand_category",), top=5)
    ((_, chart),) = charts_of(view, asked)
    assert len(chart.figure.data[0].y) == 5
    whole = view.ask("valid_complaints", by=("demand_category",))
    assert len(chart.table) == (whole["valid_complaints"] != 0).sum() > 5
    assert f"{len(chart.table) - 5} more are not drawn" in chart.note
    assert not any("others" in name or "·" in value for name, value in chart.table.itertuples(index=False))
    ((_, chart),) = charts_of(view, Question(("leads",), ("source",), top=5))
    assert "others" in chart.table["Source"].iloc[-1]
    assert sum(chart.figure.data[0].x) == view.ask("leads")["leads"].iloc[0]


def test_people_are_all_there_and_by_name(view):
    asked = Question(("contracts",), ("employee",), sort=question.HIGH, top=5)
    ((_, chart),) = charts_of(view, asked)
    assert chart.table["Employee"].tolist() == sorted(chart.table["Employee"])
    assert len(chart.table) > 5
    assert not any("·" in value for value in chart.table[view.label("contracts")])


def test_small_groups_are_last_and_in_brackets(view):
    short = replace(view, period=Period(date(2026, 6, 1), date(2026, 6, 30)))
    answer = drawings.table(short, Question(("conversion_rate",), ("source",)))
    rates = answer.table[view.label("conversion_rate")].tolist()
    few = [rate.startswith("(") for rate in rates]
    assert any(few)
    assert few == sorted(few)
    assert "fewer than 30" in answer.note


def test_a_rate_whose_denominator_counts_whole_has_no_intervals(view):
    assert view.is_estimate("complaint_rate", "project")
    # Customer-months have no category of demands: each category is a part of one rate.
    assert not view.is_estimate("complaint_rate", "demand_category")
    assert not view.is_estimate("sell_through_rate", "project")
    assert not view.is_estimate("collection_rate")


def test_a_state_has_no_course_over_time(view):
    assert TIME_DIMENSIONS.keys().isdisjoint(question.dimensions(view.gateway, ["fee_arrears", "fee_billed"]))
    asked, notices = question.fitted(Question(("fee_arrears",), ("month", "fee_type")), view)
    assert asked.by == ("fee_type",)
    assert [notice.text(view.t) for notice in notices] == [
        f"Month does not fit {view.label('fee_arrears')} and is left out."
    ]


def test_a_question_of_too_many_groups_is_refused(view):
    everything = replace(view, period=Period(date(2023, 1, 1), PERIOD.end))
    asked = Question(("leads",), ("day", "activity"))
    assert question.most_groups(asked, everything) > question.MOST_GROUPS
    assert question.most_groups(replace(asked, by=("month", "activity")), everything) <= question.MOST_GROUPS


def test_a_long_answer_is_cut_and_says_so(view, monkeypatch):
    monkeypatch.setattr(drawings, "MOST_ROWS", 100)
    answer = drawings.table(view, Question(("leads",), ("day", "source")))
    assert len(answer.table) == 100
    assert "The first 100 of" in answer.note


def test_two_metrics_are_set_against_each_other(view):
    asked = Question(("leads", "conversion_rate"), ("source",))
    (_, chart), *_ = charts_of(view, asked)
    assert shape.kinds(question.shape(asked, view))[0] == shape.SCATTER
    frame = view.ask("leads", "conversion_rate", by=("source",)).dropna(subset=["conversion_rate"])
    assert sorted(chart.figure.data[0].x) == sorted(frame["leads"])


def test_names_of_points_cover_neither_each_other_nor_a_point(view):
    # Many on one spot, and many in a row close to each other.
    frame = pd.DataFrame({"source": [f"Source {n}" for n in range(12)], "leads": [40] * 4 + [*range(50, 58)]})
    frame["contracts"] = [0] * 4 + [5] * 8
    trace = scatter(view, frame, "source", "leads", "contracts").figure.data[0]
    points = zip(trace.x, trace.y, trace.text, trace.textposition, strict=True)
    named = [(x, y, text, place) for x, y, text, place in points if text]
    assert 2 <= len(named) < 12
    assert len({(x, y, place) for x, y, _, place in named}) == len(named)
    assert not any(y == 0 and place == "bottom center" for _, y, _, place in named)
    apart = pd.DataFrame({"source": ["A", "B", "C"], "leads": [30, 60, 90], "contracts": [1, 5, 9]})
    assert list(scatter(view, apart, "source", "leads", "contracts").figure.data[0].text) == ["A", "B", "C"]


def test_a_share_of_a_target_is_not_filtered_by_what_none_is_set_for(view):
    asked = Question(("contract_amount_attainment",), ("project",), (("gender", ("female",)),))
    fitted, (notice,) = question.fitted(asked, view)
    assert fitted.where == ()
    assert "Gender does not fit" in notice.text(view.t)


hostile = st.text(max_size=10) | st.sampled_from(["leads", "complaint_rate", "fee_arrears", "' or 1=1 --", "%s", "\0"])
dimension = st.text(max_size=10) | st.sampled_from(
    ["month", "day", "source", "employee", "employee_name", "demand_category", "attribution_model", "project"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(hostile, max_size=4),
    st.lists(dimension, max_size=4),
    st.dictionaries(dimension, st.lists(hostile, min_size=1, max_size=3), max_size=2),
    st.text(max_size=8),
)
def test_whatever_the_address_says_there_is_an_answer_or_a_reason(view, metrics, by, where, chart):
    address = {"m": metrics, "by": by, "chart": [chart], **{f"w.{name}": values for name, values in where.items()}}
    asked, notices = question.fitted(question.read(address), view)
    assert all(notice.text(view.t) for notice in notices)
    again, nothing = question.fitted(asked, view)
    assert (again, nothing) == (asked, ())
    if asked.by and question.most_groups(asked, view) <= question.MOST_GROUPS:
        list(charts_of(view, asked))
        drawings.table(view.narrowed(asked.where), asked)


def test_the_page_says_what_it_left_out(view):
    run = drawn(m=["leads", "<b>nothing</b>"], by=["source", "severity", "nowhere"], w__plan=["gone"], chart="pie")
    (warning,) = run.warning
    for words in ("no metric called", "Severity does not fit", "no dimension called", "gone"):
        assert words in warning.value
    assert "<b>nothing" not in warning.value.replace("\\<", "")
    assert "data-metric='leads'" in texts(run)


def test_the_page_is_the_same_in_either_language(view):
    address = {"m": ["leads", "visit_rate"], "by": ["market_type"], "w__gender": ["female"]}
    english, chinese = drawn(**address, lang="en"), drawn(**address, lang="zh")
    assert not english.warning
    assert not chinese.warning
    assert "市场类型" in texts(chinese)
    values = [
        [widget.value for widget in run.get("multiselect") if widget.key == "lp_explore_metrics"]
        for run in (english, chinese)
    ]
    assert values[0] == values[1] == [["leads", "visit_rate"]]


def test_what_is_not_known_can_be_asked_for(view):
    gateway = open_current()
    bounds = {"start": PERIOD.start, "end": PERIOD.end}
    groups = {row["occupation"]: row["leads"] for row in gateway.records(["leads"], ["occupation"], **bounds)}
    assert groups[None] > 0
    known = next(value for value in groups if value)
    run = drawn(m=["leads"], w__occupation=["", known])
    assert not run.warning
    (chosen,) = [widget for widget in run.get("multiselect") if widget.key == "lp_explore_values_occupation"]
    assert "Unknown" in chosen.options
    assert f">{groups[None] + groups[known]:,}</p>" in texts(run)
    # An older address says it in a word.
    assert question.read({"m": ["leads"], "w.gender": ["unknown"]}).where == (("gender", ("",)),)


@pytest.mark.parametrize("dimension", ["plan", "source", "employee", "activity"])
def test_rows_without_a_value_of_another_table_can_be_asked_for(view, dimension):
    groups = {row[dimension]: row["leads"] for row in open_current().records(["leads"], [dimension])}
    asked = Question(("leads",), (dimension,), ((dimension, ("",)),))
    everything = replace(view, period=Period(date(2000, 1, 1), PERIOD.end))
    if dimension == "source":  # a filter of every page
        assert "" not in question.filterable(view.gateway, ["leads"])
        return
    fitted, notices = question.fitted(asked, everything)
    assert (fitted.where, notices) == (asked.where, ())
    assert everything.narrowed(fitted.where).value("leads") == groups[None]
    (name,) = drawings.table(everything.narrowed(fitted.where), fitted).table.iloc[:, 0]
    assert name == ("Not assigned" if dimension == "employee" else "Unknown")
    assert dict(about.added(everything.narrowed(fitted.where)))[view.title(dimension)] == name


def test_a_bar_that_is_asked_for_is_not_grey(view):
    asked = Question(("leads",), ("occupation",), (("occupation", ("",)),))
    ((_, chart),) = charts_of(view, asked)
    assert set(chart.figure.data[0].marker.color) == {COLOURS["light"].main}


def test_the_rows_of_the_first_metric_come_first(view):
    assert next(iter(parts_of(view, ("leads", "conversion_rate")).items())) == ("leads", "leads")
    parts = parts_of(view, ("conversion_rate", "leads"))
    assert set(parts.values()) == {"conversion_rate"}
    assert parts["leads"] == "conversion_rate"


def test_rows_and_files_are_of_the_filters_of_the_question(view):
    asked = Question(("leads",), ("source",), (("gender", ("female",)),))
    narrowed = view.narrowed(asked.where)
    wanted = open_current().records(["leads"], where={"gender": "female"}, start=PERIOD.start, end=PERIOD.end)
    assert len(rows_behind(narrowed, "leads")) == wanted[0]["leads"]
    exhibit = Exhibit(narrowed, "Leads", drawings.table, (asked,), asked.metrics)
    assert ("Gender", "Female") in about.context(exhibit)
    assert exhibit.drawing.table["Leads"].map(lambda text: int(text.replace(",", ""))).sum() == wanted[0]["leads"]


def test_a_change_is_written_into_the_address(view):
    run = drawn(m=["leads", "complaint_rate"], by=["project"], chart="bars")
    run.multiselect(key="lp_explore_metrics").set_value(["leads"]).run()
    assert run.query_params["m"] == "leads"
    run.multiselect(key="lp_explore_by").set_value(["source"]).run()
    assert run.query_params["by"] == "source"
    # What no longer fits goes with the metric it came with.
    run.multiselect(key="lp_explore_metrics").set_value(["complaint_rate"]).run()
    assert "by" not in run.query_params
    assert not run.warning


def test_without_a_question_there_are_examples(view):
    run = drawn()
    labels = [button.label for button in run.button]
    assert "Conversion rate by source" in labels
    run.button(key="lp_explore_example_1").click().run()
    assert run.query_params["m"] == "conversion_rate"
    assert "data-metric='conversion_rate'" in texts(run)


def test_an_empty_company_has_no_numbers(use):
    use(empty_installation())
    assert not drawn().button
    run = drawn(m=["leads", "conversion_rate"], by=["source"])
    assert "<p class='lp-value'>–</p>" in texts(run)
    assert "The data holds nothing of this kind." in texts(run)
