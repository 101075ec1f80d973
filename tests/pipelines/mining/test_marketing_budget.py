"""The marketing budget on literal marts: advice within its bounds, and the cases in which there must be none."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loupan.mining import Abstain, Marts, Result
from loupan.mining.result import check
from pipelines.mining.models import marketing_budget as model
from tests.pipelines.mining.literal import marts_of
from tests.validation.study_marketing_budget import Months, planted

AS_OF = dt.date(2026, 6, 30)
MARKET_TYPES = ["channel", "event", "media", "online", "outdoor", "referral", "direct"]


def as_marts(
    folder: Path, made: Months, *, as_of: dt.date = AS_OF, margin: float | None = 0.2, convert: float = 0.1
) -> Marts:
    """Write planted months as marts; the last one is that of the as-of."""
    folder.mkdir(exist_ok=True)
    months = pd.period_range(end=pd.Period(AS_OF, "M"), periods=len(made.leads), freq="M")
    channels = made.leads.shape[1]
    month, channel = (index.ravel() for index in np.indices(made.leads.shape))
    times = made.leads.ravel().astype(int)
    opened = pd.to_datetime([f"{months[m]}-10" for m in np.repeat(month, times)])
    lead = pd.DataFrame(
        {
            "opened_on": opened,
            "source_id": np.repeat(channel, times) + 1,
            "is_converted": np.arange(times.sum()) % round(1 / convert) == 0,
        }
    )
    expense = pd.DataFrame(
        {
            "incurred_on": pd.to_datetime([f"{months[m]}-15" for m in month]),
            "source_id": pd.array(channel + 1, "Int64"),
            "amount": made.spend.ravel(),
        }
    )
    # A tenth of one month's spend is for nobody knows what.
    unnamed = pd.DataFrame({"incurred_on": [expense["incurred_on"].max()], "source_id": [pd.NA], "amount": [9e4]})
    expense = pd.concat([expense[expense["amount"] > 0], unnamed.astype({"source_id": "Int64"})], ignore_index=True)
    attribution = pd.DataFrame(
        {
            "attribution_model": "last_non_direct",
            "source_id": np.arange(channels) + 1,
            "credit": 40.0,
            "margin": 40 * 1e6 * margin if margin is not None else None,
        }
    )
    source = pd.DataFrame({"source_id": np.arange(channels) + 1, "market_type": MARKET_TYPES[:channels]})
    typed_ = {"margin": "float64"}
    frames = {
        "fct_lead": lead.astype({"opened_on": "datetime64[s]"}),
        "fct_expense": expense,
        "fct_attribution": attribution.astype(typed_),
        "dim_source": source,
    }
    for name, column in (("fct_lead", "opened_on"), ("fct_expense", "incurred_on")):
        frames[name] = frames[name].assign(**{column: frames[name][column].dt.date})
    return marts_of(folder, frames, model.READS, as_of)


def found(result: Result, name: str) -> pd.DataFrame:
    (output,) = [output for output in result.outputs if output.name == name]
    return output.frame


@pytest.fixture(scope="module")
def clear() -> Months:
    """Months in which spend brings many leads."""
    return planted(7, months=48, size=400, excess=1.2)


def test_where_spend_works_the_same_budget_is_divided_anew(tmp_path: Path, clear: Months) -> None:
    result = check(model.run(as_marts(tmp_path, clear)))
    assert result.verdict == model.SUGGESTED
    plan = found(result, "plan")
    assert plan["suggested"].sum() == pytest.approx(plan["present"].sum())
    assert (plan["change"].abs() <= model.MOST_CHANGE + 1e-6).all()
    assert (plan["suggested"] >= plan["least"] - 1e-3).all()
    assert (plan["suggested"] <= plan["most"] + 1e-3).all()
    gain = found(result, "gain").set_index("what")
    assert list(gain.index) == ["Contracts a month", "Margin a month, in the company's currency"]
    assert (gain["low"] < gain["gain"]).all()
    assert (gain["gain"] < gain["high"]).all()
    # Three contracts of a million with a fifth of margin in forty are worth as much as everywhere.
    money, contracts = gain.iloc[1]["gain"], gain.iloc[0]["gain"]
    assert money == pytest.approx(contracts * 200_000, rel=0.05)
    present = plan.set_index("market_type")["suggested"]
    order = [MARKET_TYPES.index(name) for name in MARKET_TYPES[:6]]
    truth = clear.truth(present[MARKET_TYPES[:6]].to_numpy()[order]).sum()
    now = clear.truth(plan.set_index("market_type")["present"][MARKET_TYPES[:6]].to_numpy()).sum()
    assert truth > now
    assert result.values["unassigned"] in (0, 1, 2)


def test_curves_end_where_spending_ended(tmp_path: Path, clear: Months) -> None:
    curves = found(model.run(as_marts(tmp_path, clear)), "curves")
    most = clear.spend.max(axis=0)
    for name, part in curves.groupby("market_type"):
        assert part["spend"].max() <= most[MARKET_TYPES.index(str(name))]
        assert (part["low"] <= part["high"]).all()


def test_months_in_disorder_find_no_signal(tmp_path: Path, clear: Months) -> None:
    order = np.random.default_rng(0).permutation(len(clear.spend))
    shuffled = Months(clear.leads, clear.spend[order], clear.level, clear.paid_share, clear.half)
    result = check(model.run(as_marts(tmp_path, shuffled)))
    assert result.verdict in (model.UNFORETOLD, model.FOLLOWING)
    assert {output.name for output in result.outputs} == {"next", "curves", "trials"}


def test_spend_that_follows_demand_is_no_ground_for_advice(tmp_path: Path) -> None:
    result = check(model.run(as_marts(tmp_path, planted(1, follows="last"))))
    assert result.verdict == model.FOLLOWING


def test_what_is_not_over_does_not_count(tmp_path: Path, clear: Months) -> None:
    """A month that has only begun, and whatever lies after the as-of's whole months, changes nothing."""
    whole = as_marts(tmp_path / "a", clear, as_of=dt.date(2026, 5, 31))
    begun = as_marts(tmp_path / "b", clear, as_of=dt.date(2026, 6, 29))
    assert model.whole_months(begun).months[-1] == "2026-05"
    first, second = model.run(whole), model.run(begun)
    assert first.evaluation == second.evaluation
    pd.testing.assert_frame_equal(found(first, "curves"), found(second, "curves"))


def test_the_same_rows_in_another_order_give_the_same(tmp_path: Path, clear: Months) -> None:
    marts = as_marts(tmp_path, clear)
    first = model.run(marts)
    for name in model.READS:
        frame = pd.read_parquet(tmp_path / f"{name}.parquet").sample(frac=1, random_state=1)
        frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
    second = model.run(Marts(tmp_path, marts.as_of, marts.as_of_on, marts.reads))
    pd.testing.assert_frame_equal(found(first, "next"), found(second, "next"))


def test_a_channel_whose_spend_hardly_varies_keeps_it(tmp_path: Path, clear: Months) -> None:
    spend = clear.spend.copy()
    spend[:, 2] = 50_000
    steady = Months(clear.leads, spend, clear.level, clear.paid_share, clear.half)
    made = model.whole_months(as_marts(tmp_path, steady))
    assert dict(zip(made.channels, model.kept(made), strict=True))["media"] == "steady"
    assert dict(zip(made.channels, model.kept(made), strict=True))["direct"] == "unpaid"
    result = model.run(as_marts(tmp_path, steady))
    if result.verdict == model.SUGGESTED:
        media = found(result, "plan").set_index("market_type").loc["media"]
        assert media["suggested"] == pytest.approx(media["present"])


def test_unknown_margins_leave_contracts(tmp_path: Path, clear: Months) -> None:
    result = check(model.run(as_marts(tmp_path, clear, margin=None)))
    assert found(result, "gain")["what"].tolist() == ["Contracts a month"]


def test_too_little_gives_a_sentence(tmp_path: Path, clear: Months) -> None:
    with pytest.raises(Abstain, match="23 whole months"):
        model.run(as_marts(tmp_path / "short", planted(1, months=23)))
    few = Months(np.minimum(clear.leads, 2), clear.spend, clear.level, clear.paid_share, clear.half)
    with pytest.raises(Abstain, match="0 channels"):
        model.run(as_marts(tmp_path / "few", few))
    marts = as_marts(tmp_path / "none", clear)
    for name in model.READS:
        pd.read_parquet(marts.folder / f"{name}.parquet").head(0).to_parquet(marts.folder / f"{name}.parquet")
    with pytest.raises(Abstain, match="no leads with a source"):
        model.run(marts)
