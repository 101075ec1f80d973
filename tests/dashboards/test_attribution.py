"""Attribution under every model: nothing is lost, intervals hold what they are around, and returns say what decides."""

import pandas as pd
import pytest

from dashboards.attribution import MODELS, Return, _payback, credit, returns, unplaced
from dashboards.charts.attribution import _verdict
from dashboards.pages import campaign_return

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("cut", ["source", "market_type", "plan", "activity"])
@pytest.mark.parametrize("metric", ["attributed_contracts", "attributed_amount"])
def test_every_model_gives_out_the_whole_and_lies_within_its_interval(view, metric, cut):
    found = credit(view, metric, cut)
    assert tuple(found.values) == MODELS
    totals = found.values.sum()
    assert totals.to_dict() == pytest.approx(dict.fromkeys(MODELS, view.value(metric)))
    assert (found.low <= found.values + 1e-6).all(axis=None)
    assert (found.values <= found.high + 1e-6).all(axis=None)


def test_the_credits_are_the_gateways(view):
    found = credit(view, "attributed_amount", "source")
    asked = view.ask("attributed_amount", by=("source", "attribution_model"))
    expected = asked.set_index(["source", "attribution_model"])["attributed_amount"].astype(float)
    assert found.values.stack()[expected.index].to_dict() == pytest.approx(expected.to_dict())


def test_the_markov_chain_is_less_sure_than_its_credits_alone(view, monkeypatch):
    widened = credit(view, "attributed_contracts", "source")
    monkeypatch.setattr("dashboards.attribution.rows_of", lambda *_: None)
    alone = credit.__wrapped__(view, "attributed_contracts", "source")
    wider = (widened.high - widened.low) - (alone.high - alone.low)
    assert (wider["markov"] >= 0).all()
    assert wider["markov"].max() > 0
    assert (wider.drop(columns="markov") == 0).all(axis=None)


def test_returns_are_the_metrics_own(view):
    found = {one.name: one for one in returns(view, "source")}
    asked = view.ask("roi", "cost_per_contract", by=("source",), where={"attribution_model": ("linear",)})
    asked = asked.set_index("source")
    for name, one in found.items():
        assert one.roi["linear"] == pytest.approx(float(asked.loc[name, "roi"])), name
        cost = asked.loc[name, "cost_per_contract"]
        assert (one.cost_per_contract["linear"] is None) == pd.isna(cost)
        if not pd.isna(cost):
            assert one.cost_per_contract["linear"] == pytest.approx(float(cost)), name


def test_only_what_begins_and_ends_is_paid_back(view):
    assert all(one.payback == {} for one in returns(view, "source"))
    assert any(months for one in returns(view, "plan") for months in one.payback.values())


def test_expense_that_names_no_source_is_told(view):
    asked = view.ask("marketing_expense", by=("source",))
    unnamed = asked.loc[asked["source"].isna(), "marketing_expense"].astype(float).sum()
    share = unplaced(view, "source")
    assert share == pytest.approx(unnamed / asked["marketing_expense"].astype(float).sum())
    assert ("names no source" in campaign_return.returned(view, "source").note) == (share > 0)


MONTHS = pd.Index(["2026-01", "2026-03"])


@pytest.mark.parametrize(
    ("margin", "months"),
    [
        ({"2026-01": 100.0, "2026-03": 100.0}, 1),
        ({"2026-02": 90.0, "2026-03": 110.0}, 3),
        ({"2026-02": 150.0, "2026-04": 50.0}, 4),
        ({"2026-02": 150.0}, None),
        ({"2025-12": 500.0}, None),
    ],
)
def test_paid_back_is_what_stays_paid_back(margin, months):
    spent = pd.Series([100.0, 100.0], index=MONTHS)
    assert _payback(spent, pd.Series(margin)) == months


def test_without_margin_nothing_is_paid_back():
    assert _payback(pd.Series([100.0, 100.0], index=MONTHS), None) is None


def one(roi, spread, contracts=50.0):
    low, high = ({model: value + sign * spread for model, value in roi.items()} for sign in (-1, 1))
    return Return("Fair", 100.0, dict.fromkeys(roi, contracts), roi, low, high, dict.fromkeys(roi))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (one({}, 0), "Cannot be told: the gross margin of an estate is not recorded."),
        (one({"first": 0.5, "last": 0.4}, 0.1), "Pays under every model."),
        (one({"first": -0.5, "last": -0.4}, 0.1), "Pays under no model."),
        (one({"first": 0.5, "last": -0.4}, 0.1), "Depends on the model: it pays under First touch only."),
        (one({"first": 0.5, "last": 0.4}, 0.6), "Pays under every model, but chance alone could have made it so."),
        (one({"first": -0.5, "last": -0.4}, 0.6), "Pays under no model, but chance alone could have made it so."),
        (
            one({"first": 0.5, "last": 0.4}, 0.1, contracts=5.0),
            "Pays under every model. It rests on fewer than 30 contracts.",
        ),
    ],
)
def test_what_the_decision_depends_on(view, found, said):
    assert _verdict(view, found) == said
