"""The mark of how far the entry of data can be trusted: what it rests on, what it says, and where it is shown."""

from dataclasses import replace

import pytest

from dashboards import confidence as module
from dashboards.confidence import HIGH, LOW, MEDIUM, confidence, rests_on, titles
from dashboards.export import about
from dashboards.export.exhibit import Exhibit
from dashboards.pages import conversion, customer_structure, features, overview
from loupan.metrics import Scope
from tests.support.installation import sample_installation
from tests.support.pages import run_page

pytestmark = pytest.mark.slow


def test_what_a_number_rests_on(view):
    assert rests_on(view, ["leads"], ["source"]) == (("lead.source_id",), ("lead", "lead_event"))
    assert rests_on(view, ["contract_amount"], ["age_band"]) == (("customer.birth_on",), ("deal_event",))
    # Touchpoints and activities have sources of their own.
    assert rests_on(view, ["attributed_contracts"], ["source"]) == ((), ("deal_event",))
    assert rests_on(view, ["marketing_expense"], ["source"]) == ((), ("expense",))
    assert rests_on(view, ["cost_per_lead"], ["source"])[0] == ("lead.source_id",)
    assert rests_on(view, ["complaint_rate"], ["channel"])[0] == ("demand.channel",)
    assert rests_on(view, ["lost_leads"], ["reason"])[0] == ("lead_event.reason_id",)
    assert rests_on(view, ["leads"], ["feature:Pets"])[0] == ("customer/Pets",)
    assert rests_on(view, ["sell_through_rate", "no such metric"], ["source"]) == ((), ())


def test_every_declared_field_is_counted(view):
    counted = set(view.ask("field_completeness", by=("crm_field",), all_time=True)["crm_field"])
    assert {field for known in module._FIELDS.values() for field in known.values()} <= counted
    tables = set(view.ask("late_entry_rate", by=("crm_table",), all_time=True)["crm_table"])
    assert {table for known in module._TABLES.values() for table in known} <= tables


def test_the_sentence_says_the_share_that_the_gateway_gives(view):
    found = confidence(view, ("leads",), ("income_band",))
    frame = view.ask("field_completeness", by=("crm_field",)).set_index("crm_field")
    share = 1 - frame.loc["customer.income_band", "field_completeness"]
    assert found.grade == LOW
    assert view.formats.value(share, "percent") in found.sentence
    assert found.sentence.startswith("Data entry: low confidence: ")
    assert "“Income band”" in found.sentence
    chinese = confidence(replace(view, language="zh"), ("leads",), ("income_band",))
    assert chinese.grade == LOW
    assert "Income" not in chinese.sentence


def test_what_is_entered_well_is_said_in_few_words(view):
    found = confidence(view, ("leads",), ("source",))
    assert (found.grade, found.short, found.mark) == (HIGH, "Entered on time and completely", "●●●")
    assert "“Source”" in found.sentence
    assert confidence(view, ("leads",), ()).short == "Entered on time"


@pytest.mark.parametrize(("share", "grade"), [(0.0499, HIGH), (0.05, MEDIUM), (0.1499, MEDIUM), (0.15, LOW), (1, LOW)])
def test_grades_begin_where_they_are_said_to(share, grade):
    assert module._graded(share, module._MISSING) == grade


def test_the_worst_reason_decides(view, monkeypatch):
    monkeypatch.setattr(module, "_lateness", lambda _: {"lead": (0.3, 100.0), "lead_event": (0.01, 100.0)})
    found = confidence.__wrapped__(view, ("leads",), ("source",))
    assert found.grade == LOW
    assert "30.0% of leads were entered more than seven days late" in found.sentence
    assert "Source" not in found.sentence


def test_few_records_say_nothing(view, monkeypatch):
    monkeypatch.setattr(module, "ENOUGH", 10**9)
    assert module._rates(view, "field_completeness", "crm_field") == {}
    monkeypatch.setattr(module, "_completeness", lambda _: {})
    monkeypatch.setattr(module, "_lateness", lambda _: {})
    assert confidence.__wrapped__(view, ("leads",), ("source",)) is None


def test_what_is_kept_out_is_told_to_who_sees_everything(view, monkeypatch):
    report = view.gateway.metrics.snapshot.report
    monkeypatch.setitem(report, "quarantined", {"lead": 10**6})
    monkeypatch.setattr(type(view.gateway.metrics.snapshot), "report", property(lambda _: report))
    assert "kept out because of errors" in confidence.__wrapped__(view, ("leads",), ()).sentence


def test_the_reader_s_scope_and_filters_hold(view_in, view):
    project = view.gateway.values("project")[0]
    one = view_in(project=[project])
    frame = one.ask("field_completeness", by=("crm_field",)).set_index("crm_field")
    share = 1 - frame.loc["customer.income_band", "field_completeness"]
    assert one.formats.value(share, "percent") in confidence(one, ("leads",), ("income_band",)).sentence
    nobody = replace(view.gateway, metrics=view.gateway.metrics.within(Scope.of({"project_id": []})))
    assert confidence(replace(view, gateway=nobody), ("leads",), ("source",)) is None


def test_an_exhibit_knows_by_what_it_is_cut(view):
    income = Exhibit(view, "Income", customer_structure.structure, ("income_band",), ("leads",))
    assert income.confidence.grade == LOW
    assert ("Data entry: low confidence", income.confidence.reasons) in about.context(income)
    by_month = Exhibit(view, "Amount", overview.monthly_amount, (), ("contract_amount",))
    assert by_month.confidence.short == "Entered on time"
    reasons = Exhibit(view, "Reasons", conversion.loss_reasons, (), ("lost_leads",))
    assert "“Reason”" in reasons.confidence.sentence
    name = features.names(view, *features.GROUPS)[0]
    feature = Exhibit(view, name, features.structure, (name,), features.GROUPS)
    assert f"“{name}”" in feature.confidence.sentence


def test_titles_lead_to_dimensions(view):
    assert titles(view)[view.title("source")] == "source"


def test_cards_bear_the_mark(use):
    use(sample_installation())
    labels = [link.proto.label for link in run_page(lang="en").get("page_link")]
    assert any(label.startswith("●●● Entered on time") for label in labels)
