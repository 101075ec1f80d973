"""The web app as its readers have it: a real server, a real browser, a generated company."""

import re
import shutil
from datetime import date

import pytest

from dashboards.gateway import Period
from dashboards.pages import overview, sales
from loupan.formats import Formats, is_missing
from loupan.i18n import translator
from loupan.i18n.codes import value_label
from loupan.metrics import open_current
from loupan.refresh_lock import refresh_lock
from loupan.refresh_state import RefreshState, now, write_state
from loupan.settings import Settings
from tests.end_to_end.steps import settle
from tests.support.installation import copy_crm, running_server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = {
    "overview": ("Overview", "经营总览"),
    "changes": ("What changed", "变化情况"),
    "sales": ("Sales", "销售"),
    "customer-structure": ("Customer structure", "客户结构"),
    "conversion": ("Conversion", "转化分析"),
    "complaints": ("Complaints", "投诉分析"),
    "campaign-return": ("Campaign return", "营销回报"),
    "property-fees": ("Property fees", "物业费用"),
    "staff": ("Staff", "人员分析"),
    "explore": ("Explore", "自助分析"),
    "data-status": ("Data status", "数据状态"),
}
# The twelve months to the sample's as-of, midnight after 30 June in the company's time.
PERIOD = Period(date(2025, 7, 1), date(2026, 6, 30))


@pytest.fixture(scope="module")
def metrics(sample_dir):
    return open_current(Settings(data_dir=sample_dir))


def by_name(metrics, metric, dimension, **where):
    """A metric as an English reader has it written, by the names of a dimension's values; what is 0 is left out."""
    frame = metrics.query([metric], by=[dimension], where=where, start=PERIOD.start, end=PERIOD.end)
    formats, unit = Formats("en", "CNY"), metrics.describe(metric).unit
    return {
        value_label(translator("en"), dimension, value): formats.value(number, unit)
        for value, number in zip(frame[dimension], frame[metric], strict=True)
        if not is_missing(number) and number
    }


def table_of(page, card):
    """What the table of a card says: by the heads of its rows, the cells by the heads of their columns."""
    table = page.locator(f".st-key-lp_card_{card} .lp-table table")
    heads = table.locator("thead th").all_inner_texts()
    rows = table.locator("tbody tr").evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.innerText))")
    return {row[0]: dict(zip(heads[1:], row[1:], strict=True)) for row in rows}


# Every page in both languages, themes and widths; over all pages, each two of them meet.
LOOKS = (
    [("en", "light", 1440), ("zh", "dark", 390)],
    [("en", "dark", 1440), ("zh", "light", 390)],
    [("en", "dark", 390), ("zh", "light", 1440)],
    [("en", "light", 390), ("zh", "dark", 1440)],
)


@pytest.mark.parametrize(
    ("path", "language", "theme", "width"),
    [(path, *look) for number, path in enumerate(PAGES) for look in LOOKS[number % len(LOOKS)]],
)
def test_every_page_opens(open_page, address, path, language, theme, width):
    page = open_page(address, f"{path}?lang={language}", theme=theme, width=width)
    assert page.locator("h1").inner_text() == PAGES[path][language == "zh"]
    assert ("Data as of" if language == "en" else "数据截至") in page.locator(".lp-asof").inner_text()
    assert page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if path not in ("changes", "data-status", "explore"):
        page.wait_for_selector(".js-plotly-plot .main-svg")


def test_the_pages_of_the_data_open(open_page, address):
    """Each in one look, all looks among them; their parts are tested without a browser."""
    looks = {
        "dictionary?metric=conversion_rate": ("zh", "dark", 390, "成交转化率"),
        "lineage?metric=conversion_rate": ("en", "light", 390, "lead.opened_at"),
        "quarantine": ("zh", "light", 1440, "没有被隔离的行"),
        "completeness": ("en", "dark", 1440, "Completeness of each field"),
        "models?model=promise_ledger": ("zh", "dark", 390, "承诺"),
    }
    for path, (language, theme, width, words) in looks.items():
        page = open_page(address, f"{path}{'&' if '?' in path else '?'}lang={language}", theme=theme, width=width)
        page.locator("[data-testid=stMain]").get_by_text(words).first.wait_for()
        assert page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def test_the_flows_of_the_lineage_are_visible(open_page, address):
    page = open_page(address, "lineage?metric=contract_amount&lang=en")
    flows = page.locator(".sankey-link")
    flows.first.wait_for(state="attached")
    # What a second drawing does, and now and then leaves so.
    shown = "e => { e.style.opacity = 0; return getComputedStyle(e).opacity; }"
    assert {flow.evaluate(shown) for flow in flows.all()} == {"1"}


def test_the_documentation_needs_no_other_host(context_of, address):
    page = context_of(address, "data").new_page()
    asked, broken = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(f"{address}/data-docs/")
    page.get_by_text("tables keep all that is expected of them").wait_for()
    page.goto(f"{address}/dbt-docs/#!/model/model.loupan.fct_lead")
    page.get_by_text("Leads by the day they were opened").first.wait_for()
    page.get_by_text("bigint").first.wait_for()
    page.close()
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert broken == []


def test_charts_say_in_words_what_they_show(open_page, address):
    page = open_page(address, "overview?lang=en")
    page.wait_for_selector(".js-plotly-plot .main-svg")
    charts = page.locator("[data-testid=stPlotlyChart]")
    assert charts.count() == 6
    # Of a fraction of a pixel, Plotly would draw each of them once more.
    widths = charts.evaluate_all("charts => charts.map(chart => chart.getBoundingClientRect().width)")
    assert all(width == int(width) for width in widths)
    for chart in charts.all():
        described = chart.evaluate("e => (e.getAttribute('aria-label') || e.querySelector('[aria-label]')?.ariaLabel)")
        assert described, chart.inner_html()[:300]
        assert len(described) > 30


@pytest.mark.parametrize(
    ("language", "path", "names"),
    [
        pytest.param("en", "sales", sales.TILES, marks=pytest.mark.function("6.v")),
        ("zh", "overview", overview.TILES),
    ],
)
def test_key_figures_are_those_of_the_gateway(open_page, address, metrics, language, path, names):
    page = open_page(address, f"{path}?lang={language}")
    formats = Formats(language, "CNY")
    for name in names:
        definition = metrics.describe(name)
        bounds = {} if definition.date_basis == "as_of" else {"start": PERIOD.start, "end": PERIOD.end}
        value = metrics.query([name], **bounds)[name].iloc[0]
        shown = page.locator(f"[data-metric={name}] .lp-value").inner_text()
        assert shown == formats.value(value, definition.unit), name


@pytest.mark.function("4.i", "6.i")
def test_a_chart_turns_into_a_table_with_the_numbers_of_the_gateway(open_page, address, metrics):
    page = open_page(address, "customer-structure?lang=en")
    card = page.locator(".st-key-lp_card_education")
    card.get_by_role("button", name="Table").locator("visible=true").click()
    rows = card.locator("tbody tr")
    rows.first.wait_for()
    wanted = by_name(metrics, "leads", "education")
    assert len(wanted) > 2
    assert {row.locator("th").inner_text(): row.locator("td").first.inner_text() for row in rows.all()} == wanted
    card.get_by_role("button", name="Chart").locator("visible=true").click()
    card.locator(".js-plotly-plot").wait_for()


@pytest.mark.function("4.viii", "6.iii", "6.iv")
def test_tables_can_be_had_everywhere(open_page, address, metrics):
    page = open_page(address, "campaign-return?lang=en&tables=1&model=linear")
    page.locator(".lp-table table").first.wait_for()
    assert page.locator(".lp-table table").count() == 9
    assert page.locator(".js-plotly-plot").count() == 0
    returns = table_of(page, "returns")
    by_model = {"attribution_model": ["linear"]}
    for label, metric, where in (
        ("Leads", "leads", {}),
        ("Marketing expense", "marketing_expense", {}),
        ("Attributed amount", "attributed_amount", by_model),
        ("Return on expense", "return_on_expense", by_model),
    ):
        wanted = by_name(metrics, metric, "source", **where)
        assert wanted
        assert {name: row[label] for name, row in returns.items() if row[label] not in ("–", "0.00")} == wanted, metric
    for other in ("market_type", "plan"):
        frame = metrics.query(["leads"], by=["source", other], start=PERIOD.start, end=PERIOD.end)
        cells = [cell for row in table_of(page, f"effect_{other}").values() for cell in row.values()]
        assert sum(int(cell.replace(",", "")) for cell in cells if cell.strip("–")) == frame["leads"].sum() > 0


@pytest.mark.function("6.vi")
def test_a_filter_changes_the_numbers_and_the_url(open_page, address, metrics):
    project = metrics.dimension_values("project")[0]
    page = open_page(address, "staff?lang=en")
    page.locator(".st-key-lp_filter_project").get_by_role("button").click()
    page.get_by_role("combobox", name="Project").click()
    page.get_by_role("option", name=project, exact=True).click()
    page.wait_for_url(re.compile("project="))
    settle(page)
    rows = table_of(page, "work").values()
    for label, metric in (("Leads", "leads"), ("Contracts", "contracts"), ("Contract amount", "contract_amount")):
        wanted = by_name(metrics, metric, "employee", project=[project])
        assert len(wanted) > 1
        assert sorted(row[label] for row in rows if row[label] not in ("–", "0", "¥0")) == sorted(wanted.values())
    wanted = by_name(metrics, "conversion_rate", "employee", project=[project])
    assert sorted(row["Conversion rate"].strip("()") for row in rows if row["Conversion rate"] != "–") == sorted(
        wanted.values()
    )


@pytest.mark.function("6.vii")
def test_a_model_says_what_it_found_how_well_it_does_and_when_not_to_trust_it(open_page, address, metrics):
    page = open_page(address, "models?lang=en")
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="What leads through each source").click()
    page.wait_for_url(re.compile("model=attribution_spread|models"))
    settle(page)
    page.locator(".st-key-lp_switch_result_by_source").get_by_role("button").click()
    settle(page)
    found = table_of(page, "result_by_source")
    assert set(found) <= set(metrics.dimension_values("source"))
    assert all(row["Share of recorded ways to a contract"].endswith("%") for row in found.values())
    page.get_by_text("Model card").click()
    page.get_by_text("Removal effect in a first-order Markov chain").wait_for()
    states = table_of(page, "models")
    assert states["What leads through each source"]["State"] == "Fresh: made with the last refresh"
    assert len(states) > 8


def test_people_projects_and_sources_are_compared_like_for_like(open_page, address):
    page = open_page(address, "staff?lang=en&period=36m")
    page.locator("[data-testid=stMain]").get_by_text("How the comparison is made fair").first.wait_for()
    page.get_by_role("radio", name="Projects").or_(page.get_by_role("button", name="Projects")).first.click()
    page.wait_for_url(re.compile("unit=project"))
    settle(page)
    assert page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
    page.wait_for_selector(".js-plotly-plot .main-svg")


def test_a_sentence_in_the_place_of_a_chart_fits_a_telephone(open_page, address):
    page = open_page(address, "staff?lang=en&period=2025-02..2025-02", width=390)
    sentence = page.locator(".lp-words", has_text="Too few cases in this period").first
    sentence.wait_for()
    assert sentence.evaluate("e => e.scrollWidth - e.clientWidth") == 0


def test_filters_survive_language_and_page(open_page, address, metrics):
    project = metrics.dimension_values("project")[0]
    page = open_page(address, f"overview?lang=en&period=6m&project={project}")
    before = page.locator("[data-metric=leads] .lp-value").inner_text()
    page.get_by_role("radio", name="中文").or_(page.get_by_role("button", name="中文")).first.click()
    page.wait_for_url(re.compile("lang=zh"))
    page.get_by_role("heading", name="经营总览").wait_for()
    settle(page)
    assert "period=6m" in page.url
    assert "project=" in page.url
    assert project in page.locator(".st-key-lp_filter_project").inner_text()
    assert page.locator("[data-metric=leads] .lp-value").inner_text() == before
    page.get_by_role("link", name="转化分析").click()
    page.get_by_role("heading", name="转化分析").wait_for()
    page.wait_for_url(re.compile(r"/conversion\?.*project="))
    settle(page)
    assert {"lang=zh", "period=6m"} <= set(page.url.split("?")[1].split("&"))
    assert page.locator("[data-metric=leads] .lp-value").inner_text() == before
    page.get_by_role("button", name="重置").click()
    page.wait_for_url(lambda url: "project=" not in url and "period=" not in url and "lang=zh" in url)


def test_an_address_nobody_wrote_is_harmless(open_page, address):
    page = open_page(address, "overview?lang=fr&period=' or 1=1&project=<script>alert(1)</script>&source=💥&window=x")
    assert page.locator("h1").inner_text() == "Overview"
    assert "Last 12 months" in page.locator(".st-key-lp_filter_period").inner_text()


def test_a_definition_is_one_click_away(open_page, address, metrics):
    page = open_page(address, "overview?lang=en")
    page.locator(".st-key-lp_def_conversion_rate").get_by_role("button").click()
    box = page.locator("dl.lp-definition")
    box.wait_for()
    text = box.inner_text()
    definition = metrics.describe("conversion_rate")
    assert definition.description in text
    assert metrics.describe(definition.numerator).label in text
    assert metrics.describe(definition.denominator).label in text
    assert "Day the lead came in" in text
    assert "conversion_rate" in text


def test_nothing_published_yet(open_page, sample_dir, tmp_path):
    copy_crm(sample_dir, tmp_path)
    with running_server(tmp_path) as address:
        for language, words in (("en", "Nothing has been published yet"), ("zh", "尚未发布任何数据")):
            page = open_page(address, f"overview?lang={language}")
            page.locator(".st-key-lp_notice").get_by_text(words).wait_for()
            page.locator(".st-key-lp_notice").get_by_text("loupan refresh", exact=True).wait_for()
            page.close()


def test_a_damaged_snapshot_is_said_so(open_page, sample_dir, tmp_path):
    shutil.copytree(sample_dir / "snapshots", tmp_path / "snapshots")
    copy_crm(sample_dir, tmp_path)
    for marts in tmp_path.glob("snapshots/*/marts.duckdb"):
        marts.write_bytes(b"not a database")
    with running_server(tmp_path) as address:
        page = open_page(address, "overview?lang=en")
        page.locator(".st-key-lp_notice").get_by_text("The published data cannot be read").wait_for()
        command = page.locator(".st-key-lp_notice").get_by_test_id("stCode")
        command.get_by_text("loupan snapshots rollback", exact=True).wait_for()
        page.close()


def test_data_status_says_what_became_of_the_last_refresh(open_page, sample_dir, tmp_path):
    shutil.copytree(sample_dir / "snapshots", tmp_path / "snapshots")
    copy_crm(sample_dir, tmp_path)
    settings = Settings(data_dir=tmp_path)
    refused = {"outcome": "refused", "failed_checks": ["raw/demand: expectations – demand: phase is one of …"]}
    with running_server(tmp_path) as address:
        for state, words in (
            ({}, "was interrupted"),
            ({"outcome": "error", "error": "the disk is full"}, "the disk is full"),
            (refused, "demand: phase is one of"),
            ({"messages": ["The warehouse held another CRM"]}, "held another CRM"),
        ):
            write_state(settings, RefreshState("id", now(), **state))
            page = open_page(address, "data-status?lang=en")
            page.locator("[data-testid=stMain]").get_by_text(words).first.wait_for()
            page.close()
        with refresh_lock(tmp_path):
            write_state(settings, RefreshState("id", now()))
            page = open_page(address, "data-status?lang=en")
            page.locator("[data-testid=stMain]").get_by_text("has been running since").wait_for()
            page.close()
