"""What the overview says of itself: causes that add up, findings that hold, and snapshots set side by side."""

from __future__ import annotations

import shutil

import pytest

from dashboards.change import change_of, largest
from dashboards.findings import findings
from dashboards.gateway import Period, earlier_versions, open_earlier, open_gateway
from dashboards.pages import changes, headlines
from dashboards.view import View, last_months
from loupan.metrics import EVERYTHING, Scope
from tests.support.installation import empty_installation, sample_installation

pytestmark = pytest.mark.slow


def view_of(months=12, language="en"):
    gateway = open_gateway(EVERYTHING)
    return View(gateway, language, "light", last_months(months, gateway.span()[1] or gateway.as_of.date()))


def test_the_parts_of_a_change_are_the_gateways_differences(use):
    use(sample_installation())
    view = view_of()
    before = view.period.previous()
    for metric in headlines.METRICS:
        for dimension in headlines.DIMENSIONS:
            change = change_of(view, metric, dimension, before)
            if change is None:
                continue
            old, new = (view.ask(metric, period=p)[metric].iloc[0] for p in (before, view.period))
            assert (change.before, change.after) == pytest.approx((float(old), float(new)))
            assert change.parts.sum() == pytest.approx(float(new) - float(old), abs=1e-6)
    sums = change_of(view, "leads", "project", before)
    by_project = [
        view.ask("leads", by=("project",), period=p).set_index("project")["leads"] for p in (before, view.period)
    ]
    assert sums.parts.to_dict() == (by_project[1] - by_project[0]).astype(float).to_dict()


def test_groups_that_count_twice_are_not_taken_for_parts(use):
    use(sample_installation())
    view = view_of()
    # A demand counts in its category and in all above: they add up to more than there are.
    assert change_of(view, "complaints", "demand_category", view.period.previous()) is None


def test_what_is_nearly_the_whole_explains_nothing(use):
    use(sample_installation())
    view = view_of()
    found = largest(view, "leads", headlines.DIMENSIONS, view.period.previous())
    if found is not None:
        change, group = found
        assert abs(change.parts[group]) < 0.8 * change.parts.abs().sum()
        assert change.parts[group] * change.amount > 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_findings_carry_the_gateways_numbers(use, language):
    use(sample_installation())
    view = view_of(36, language)
    found = findings(view)
    assert [f.weight for f in found] == sorted((f.weight for f in found), reverse=True)
    overdue = view.ask("collection_rate", by=("project",), all_time=True)
    for row in overdue.to_dict("records"):
        missing = row["collection_rate__denominator"] - row["collection_rate__numerator"]
        text = view.formats.value(float(missing), "currency")
        is_told = any(f.page == "sales" and str(row["project"]) in f.text and text in f.text for f in found)
        assert is_told == (missing / row["collection_rate__denominator"] > 0.02)
    for row in view.ask("contract_amount_attainment", by=("project",)).to_dict("records"):
        reached = view.formats.value(float(row["contract_amount_attainment__numerator"]), "currency")
        is_told = any(f.page == "sales" and str(row["project"]) in f.text and reached in f.text for f in found)
        assert is_told == (row["contract_amount_attainment"] < 0.8)
    running = view.ask("marketing_expense", by=("plan",))["plan"].dropna()
    spent = view.ask("budget_used_rate", by=("plan",), all_time=True).set_index("plan")["budget_used_rate"]
    spent = spent[spent.index.isin(running)]
    shares = {view.write(float(share), "budget_used_rate") for share in spent.dropna().nlargest(3) if share > 1}
    assert all(any(f"({share})" in f.text or f"（{share}）" in f.text for f in found) for share in shares)
    idle = {f.text for f in found if "brought no contract" in f.text or "尚未带来签约" in f.text}
    end = Period(view.period.start, view.as_of_on)
    brought = view.ask("attributed_contracts", by=("plan",), period=end).set_index("plan")["attributed_contracts"]
    assert not [
        plan for plan, contracts in brought.items() if contracts > 0 and any(str(plan) in text for text in idle)
    ]


def test_an_empty_company_has_no_findings_and_no_causes(use):
    use(empty_installation())
    view = view_of()
    assert findings(view) == ()
    assert all(headlines.contributors(view, metric, "project").is_empty for metric in headlines.METRICS)


def test_an_earlier_snapshot_is_set_beside_the_one_in_force(use, tmp_path):
    shutil.copytree(sample_installation() / "snapshots", tmp_path / "snapshots")
    (first,) = tmp_path.glob("snapshots/2*")
    later = first.with_name("20991231T000000000000Z")
    shutil.copytree(first, later)
    _forget_a_month(later / "marts.duckdb")
    (tmp_path / "snapshots" / "CURRENT").write_text(f"{later.name}\n")
    use(tmp_path)
    view = view_of()
    assert list(earlier_versions(view.gateway)) == [first.name]
    before = open_earlier(view.gateway, first.name)
    asked = [g.ask(("leads",), by=("month",)).set_index("month")["leads"] for g in (before, view.gateway)]
    gone = asked[0].sum() - asked[1].sum()
    assert gone > 0
    table = changes.totals(view, before).table.set_index("Metric")
    assert table.loc["Leads"].tolist() == [f"{asked[0].sum():,}", f"{asked[1].sum():,}", f"−{gone:,}"]
    months = changes.restated_months(view, before).table
    assert len(months[months["Metric"] == "Leads"]) == 1
    nobody = open_gateway(Scope.of({"project_id": ["0"]}))
    assert open_earlier(nobody, first.name).ask(("leads",), by=("project",)).empty


def _forget_a_month(marts):
    import duckdb

    # What is deleted from the fact stands in the aggregates still.
    (marts.parent / "aggregates.json").unlink()
    with duckdb.connect(str(marts)) as connection:
        connection.execute("delete from fct_lead where strftime(opened_on, '%Y-%m') = '2026-01'")
