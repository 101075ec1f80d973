"""The pages about the data itself, without a browser, on whole installations."""

import re
import shutil

import duckdb
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.charts.runs import MEASURES, by_refresh
from dashboards.pages import completeness, lineage, quarantine
from dashboards.seat import stand_in
from data_entry.access import SYSTEM
from loupan.errors import LoupanError
from loupan.i18n import translator
from loupan.kept_out import forget_refused_rows, keep_refused_rows, refused_rows
from loupan.lineage import Column, read_lineage
from loupan.refresh_state import RefreshState
from loupan.settings import get_settings
from loupan.snapshot import Snapshot
from tests.dashboards import page_script
from tests.dashboards.test_pages import view_of
from tests.support.installation import empty_installation, sample_installation

pytestmark = pytest.mark.slow


def drawn(path, language="en", **query):
    run = AppTest.from_file(page_script.__file__, default_timeout=120)
    for name, value in {"page": path, "lang": language, **query}.items():
        run.query_params[name] = value
    with stand_in(SYSTEM):
        run.run()
    assert not run.exception
    kinds = ("html", "markdown", "info", "success", "error")
    return "\n".join(str(element.value) for kind in kinds for element in run.get(kind))


def test_an_entry_says_what_a_metric_is(use):
    use(sample_installation())
    text = drawn("dictionary", metric="conversion_rate")
    for words in (
        "Conversion rate", "Leads with a live deal ÷ leads", "conversion_rate", "Day the lead came in", "Higher",
        "Sales", "Customer class", "Deal events",
    ):  # fmt: skip
        assert words in text, words
    assert "Metrics (" in text
    assert "成交转化率" in drawn("dictionary", "zh", metric="conversion_rate")


@pytest.mark.parametrize(
    ("asked", "found"), [("complaint", 4), ("投诉", 4), ("去化 面积", 1), ("conversion_rate_30d", 1)]
)
def test_the_search_finds_names_and_definitions_in_both_languages(use, asked, found):
    use(sample_installation())
    for language in ("en", "zh"):
        text = drawn("dictionary", language, q=asked)
        (number,) = re.findall(r"(?:Metrics \(|指标（)(\d+)[)）]", text)
        assert found <= int(number) < 40


def test_addresses_nobody_wrote_are_answered(use):
    use(sample_installation())
    assert "no metric called" in drawn("dictionary", metric="<script>", q="💥" * 500)
    assert "Nothing in the dictionary" in drawn("dictionary", q="zzzz")
    drawn("lineage", metric="nothing", column="lead", way="x")
    drawn("quarantine", table="nothing", rule="x")


@pytest.mark.parametrize("page", ["dictionary", "lineage", "quarantine", "completeness", "data-status"])
def test_an_empty_crm_misleads_on_no_page(use, page):
    use(empty_installation())
    assert "could not be shown" not in drawn(page)


def test_the_way_of_the_data_is_that_of_the_definitions(use):
    use(sample_installation())
    way = read_lineage(get_settings())

    def read(metric):
        return {f"{c.table_name}.{c.column}" for c in way.crm_columns_of(metric)}

    assert {"lead.opened_at", "lead.customer_id", "deal_event.kind", "deal.lead_id", "customer.merged_into_id"} <= read(
        "conversion_rate"
    )
    assert not {"payment.amount", "demand.received_at", "lead.intent_level", "refresh.as_of"} & read("conversion_rate")
    assert {"deal_event.amount", "deal_event.occurred_at", "deal_share.share"} <= read("contract_amount")
    assert {"demand.is_founded", "demand.duplicate_of_id", "demand_category.kind", "lead_event.kind"} <= read(
        "complaint_rate"
    )
    assert "contract_amount" not in way.metrics_on(Column("raw/payment", "amount"))
    assert set(way.metrics_on(Column("raw/payment", "amount"))) >= {"collected_amount", "collection_rate"}
    assert "age_band" in way.dimensions_on(Column("raw/customer", "birth_on"))
    # Every metric comes from somewhere, and no model is left untraced.
    assert [name for name in way.metrics if not way.crm_columns_of(name)] == []
    assert [table for table, columns in way.tables.items() if not columns] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_picture_of_the_way_has_words_and_a_table(use, language):
    use(sample_installation())
    view, way = view_of(language), read_lineage(get_settings())
    drawing = lineage.picture(view, way, "complaint_rate")
    assert view.label("complaint_rate") in drawing.alt
    assert "fct_demand" in drawing.table.to_string()
    (trace,) = drawing.figure.data
    assert len(trace.node.label) == len(set(trace.node.label))
    listed = lineage._crm_columns(view, way, "complaint_rate")
    assert "demand.is_founded" in listed.iloc[:, 2].tolist()


def test_completeness_is_that_of_the_gateway_the_emptiest_first(use):
    use(sample_installation())
    view = view_of()
    rate = view.ask("field_completeness")
    assert 0 < rate["field_completeness"].iloc[0] < 1
    fields = completeness.by_field(view).table
    shares = [float(text.strip("()%")) for text in fields.iloc[:, 1]]
    assert shares == sorted(shares)
    assert "Source · Leads" in fields.iloc[:, 0].tolist()
    people = completeness.by_person(view).table.iloc[:, 0].tolist()
    assert len(people) > 3
    assert not completeness.by_month(view).is_empty
    assert not completeness.by_person(view.narrowed((("crm_field", ("lead.intent_level",)),))).is_empty


def test_rows_kept_out_are_grouped_and_told_without_their_values(use, monkeypatch):
    use(sample_installation())
    rows = pd.DataFrame(
        [
            (
                "demand",
                "5",
                "severity",
                "accepted_values",
                "secret",
                "is none of low, high",
                pd.Timestamp("2026-03-01"),
            ),
            (
                "demand",
                "6",
                "severity",
                "accepted_values",
                "secret",
                "is none of low, high",
                pd.Timestamp("2026-02-01"),
            ),
            ("lead", "7", "source_id", "references", "99", "refers to a row of source that is deleted", pd.NaT),
        ],
        columns=["table_name", "row_key", "column_name", "rule", "value", "reason", "since"],
    )
    monkeypatch.setattr(Snapshot, "quarantined_rows", lambda self, limit: rows)
    text = drawn("quarantine")
    assert "secret" not in text
    assert "Is none of the allowed values" in text
    groups = quarantine._by_reason(view_of(), rows)
    assert groups.iloc[0].tolist() == ["Demands", "Severity", "Is none of the allowed values", "2", "1 Feb 2026, 08:00"]
    t = translator("zh")
    assert quarantine.reason_words(t, "references", rows["reason"].iloc[2]) == "引用的来源记录已删除"
    assert (
        quarantine.reason_words(translator("en"), "dates_in_order", "breaks a < b") == "Breaks the check dates in order"
    )


def test_what_a_refused_refresh_kept_out_is_shown_until_one_is_published(use, tmp_path):
    use(shutil.copytree(sample_installation(), tmp_path / "company"))
    assert "No row was kept out." in drawn("quarantine")
    settings = get_settings()
    with duckdb.connect() as warehouse:
        warehouse.execute(
            "create schema quarantine; create table quarantine.quarantine_row (table_name varchar, "
            "row_key varchar, column_name varchar, rule varchar, value varchar, reason varchar, since timestamp)"
        )
        warehouse.execute(
            "insert into quarantine.quarantine_row values "
            "('demand', '5', 'severity', 'accepted_values', 'secret', 'is none of low, high', '2026-03-01')"
        )
        keep_refused_rows(settings, warehouse)
        text = drawn("quarantine")
        warehouse.execute("delete from quarantine.quarantine_row")
        # Refused for another reason: nothing was kept out.
        keep_refused_rows(settings, warehouse)
        assert refused_rows(settings) is None
        warehouse.execute("insert into quarantine.quarantine_row (table_name, row_key) values ('lead', '1')")
        keep_refused_rows(settings, warehouse)
    assert "Is none of the allowed values" in text
    assert "secret" not in text
    assert "No row was kept out." in drawn("quarantine", of="published")
    (tmp_path / "company" / "refused_rows.parquet").write_bytes(b"half")
    with pytest.raises(LoupanError, match=r"refused_rows\.parquet"):
        refused_rows(settings)
    # What does not need the file is shown all the same.
    text = drawn("quarantine")
    assert "refused\\_rows.parquet" in text or "refused_rows.parquet" in text
    assert "No row was kept out." in text
    forget_refused_rows(settings)
    assert "No row was kept out." in drawn("quarantine")


def test_refused_and_stopped_refreshes_are_shown_beside_the_published(use):
    use(sample_installation())
    runs = [
        RefreshState("1", "2026-03-01T06:00:00+00:00", "published", "2026-03-01T06:02:00+00:00", rows={"lead": 5}),
        RefreshState("2", "2026-03-02T06:00:00+00:00", "refused", "2026-03-02T06:01:00+00:00", failed_checks=["a", "b"],
                     rows={"lead": 4}, quarantined={"lead": 3}),
        RefreshState("3", "2026-03-03T06:00:00+00:00", "error", error="the disk is full"),
    ]  # fmt: skip
    view = view_of()
    failed = by_refresh(view, runs, MEASURES["failed"])
    assert [trace.name for trace in failed.figure.data] == ["published", "refused", "stopped with an error"]
    assert failed.table.iloc[:, 2].tolist() == ["0", "2", "0"]
    # What nobody counted is no zero.
    assert by_refresh(view, runs, MEASURES["kept_out"]).table.iloc[:, 2].tolist() == ["3", "0"]
    assert by_refresh(view, runs, MEASURES["seconds"]).figure.data[0].y == (120.0,)
    assert by_refresh(view, [], MEASURES["rows"]).is_empty
