"""Loss reasons on literal marts: what is found, what is told of it, and when nothing is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loupan.mining import Abstain, Marts, Result
from loupan.mining.result import check
from pipelines.mining.models import loss_reasons

AS_OF = dt.datetime(2026, 6, 30, 16, tzinfo=dt.UTC)
REASONS = pd.DataFrame(
    {
        "reason_id": [1, 2, 3, 4, 5], "reason_name": ["Price", "Layout", "Loan", "Bought at Hill", "Bought at Bay"],
        "competitor_project_id": pd.array([None, None, None, 70, 71], "Int64"),
    }
)  # fmt: skip


def run_on(folder: Path, losses: pd.DataFrame) -> Result:
    number = len(losses)
    lost = losses.assign(lead_id=np.arange(number)).astype({"reason_id": "Int64", "lost_at": "datetime64[us]"})
    flags = dict.fromkeys(("has_contract", "has_booked", "has_small_booked"), False)
    lead = pd.DataFrame({"lead_id": np.arange(number), "has_visited": np.arange(number) % 2 == 0, **flags})
    frames = {
        "fct_lost_lead": lost, "fct_lead": lead, "dim_reason": REASONS,
        "dim_source": pd.DataFrame({"source_id": [1, 2, 3], "source_name": ["Street", "Fair", "Web"]}),
        "dim_project": pd.DataFrame({"project_id": [1, 2], "project_name": ["North", "Lake"]}),
    }  # fmt: skip
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return check(loss_reasons.run(Marts(folder, AS_OF, AS_OF.date(), loss_reasons.READS)))


def made(number=3_000, seed=1, start="2024-08-01", days=690):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "lost_at": pd.Timestamp(start) + pd.to_timedelta(np.sort(random.uniform(0, days, number)), "D"),
            "source_id": random.integers(1, 4, number),
            "project_id": random.integers(1, 3, number),
            "reason_id": random.choice([1, 2, 3, 4, 5], number, p=[0.4, 0.25, 0.15, 0.1, 0.1]),
        }
    )


def frames(result: Result) -> dict[str, pd.DataFrame]:
    return {output.name: output.frame for output in result.outputs}


def test_what_a_source_has_more_of_is_found_with_what_to_do(tmp_path):
    losses = made()
    random = np.random.default_rng(2)
    losses.loc[(losses["source_id"] == 3) & (random.random(len(losses)) < 0.3), "reason_id"] = 3
    result = run_on(tmp_path, losses)
    (row,) = frames(result)["excess"].query("about == 'Source' and kind == 'Loan'").to_dict("records")
    assert row["group"] == "Web"
    assert row["observed"] > 1.3 * row["expected"]
    assert 1 <= row["low"] < row["times"] < row["high"]
    assert row["to_do"] == loss_reasons._TO_DO[loss_reasons.SOURCE]
    assert result.verdict == loss_reasons._FOUND or result.values["earlier"] < 5


def test_reasons_spread_alike_stand_out_nowhere(tmp_path):
    result = run_on(tmp_path, made(seed=3))
    assert "excess" not in frames(result)
    assert result.verdict == loss_reasons._NONE


def test_competing_estates_are_one_reason(tmp_path):
    # Each estate loses to its own competitor: no news.
    losses = made(seed=4)
    is_competitor = losses["reason_id"] >= 4
    losses.loc[is_competitor, "reason_id"] = losses.loc[is_competitor, "project_id"] + 3
    assert "excess" not in frames(run_on(tmp_path, losses))


def test_losses_without_a_reason_are_counted_by_estate(tmp_path):
    losses = made(seed=5)
    losses.loc[(losses["project_id"] == 2) & (np.arange(len(losses)) % 4 == 0), "reason_id"] = None
    missing = frames(run_on(tmp_path, losses))["missing"].set_index("project")
    assert missing.loc["Lake", "share"] == pytest.approx(0.25, abs=0.04)
    assert missing.loc["North", "without"] == 0
    assert missing["losses"].sum() == len(losses)


def test_a_growing_reason_is_said_to_grow(tmp_path):
    losses = made(seed=6)
    random = np.random.default_rng(7)
    growing = random.random(len(losses)) < np.linspace(0, 0.3, len(losses))
    losses.loc[growing, "reason_id"] = 2
    trends = frames(run_on(tmp_path, losses))["trends"].set_index("kind")
    assert trends.loc["Layout", "trend"] == loss_reasons._GROWS
    assert trends.loc["Price", "trend"] == loss_reasons._SHRINKS
    assert trends.loc["Layout", "after"] > trends.loc["Layout", "before"]


def test_old_losses_do_not_count(tmp_path):
    with pytest.raises(Abstain) as abstained:
        run_on(tmp_path, made(start="2022-01-01", days=300))
    assert abstained.value.values["n"] == 0


def test_it_abstains_in_words(tmp_path):
    with pytest.raises(Abstain) as abstained:
        run_on(tmp_path, made(150))
    assert abstained.value.reason == loss_reasons._TOO_FEW
    with pytest.raises(Abstain) as abstained:
        run_on(tmp_path, made(400).assign(reason_id=1))
    assert abstained.value.reason == loss_reasons._ONE_REASON
    with pytest.raises(Abstain):
        run_on(tmp_path, made(10).head(0))


def test_one_estate_and_no_names_are_no_error(tmp_path):
    result = run_on(tmp_path, made(600, seed=8).assign(project_id=1, source_id=99))
    assert {output.name for output in result.outputs} >= {"months", "trends", "missing"}
