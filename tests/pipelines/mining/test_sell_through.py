"""Sell-through on small marts."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from loupan.mining import Abstain
from loupan.mining.result import check
from pipelines.mining.models import sell_through
from tests.pipelines.mining.literal import written

AS_OF = dt.date(2026, 6, 30)
PROJECTS = pd.DataFrame({"project_id": [1, 2], "project_name": ["Oak", "Elm"]})


def offers(months: int = 30, units: int = 120, pace: dict[str, float] | None = None, seed: int = 0) -> pd.DataFrame:
    """Units of two projects and two layouts, each sold at its layout's pace."""
    rng = np.random.default_rng(seed)
    rows = []
    for unit in range(units * 4):
        project, layout = 1 + unit % 2, ("two rooms", "three rooms")[unit // 2 % 2]
        begin = AS_OF - dt.timedelta(days=int(months * 30.44))
        sold = begin + dt.timedelta(days=float(rng.exponential(30.44 / (pace or {}).get(layout, 0.05))))
        rows.append((unit, project, layout, 100.0, begin, sold if sold <= AS_OF else None, False))
    columns = ["unit_id", "project_id", "layout", "area_sqm", "offered_from_on", "sold_on", "is_withheld"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["sold_on"] = pd.to_datetime(frame["sold_on"])
    return frame.assign(unit_offer_id=frame["unit_id"].astype(str) + "-0")


def run(folder, frame, as_of_on=AS_OF):
    units = frame.drop_duplicates("unit_id")[["unit_id"]].assign(permitted_value=1e6)
    return sell_through.run(written(folder, as_of_on, fct_unit_offer=frame, fct_unit=units, dim_project=PROJECTS))


def outputs(result):
    return {output.name: output.frame for output in check(result).outputs}


def test_a_slow_layout_is_named_and_lasts_longer(tmp_path):
    found = outputs(run(tmp_path, offers(pace={"two rooms": 0.09, "three rooms": 0.02})))["types"]
    slow = found[found["type"] == "three rooms"]
    assert set(slow["standing"]) == {"Slower than the other types beyond chance"}
    assert slow["months"].min() > 2 * found[found["type"] == "two rooms"]["months"].max()
    assert (slow["months_low"] < 50).all()
    assert (slow["months_high"] > 50).all()
    assert ((found["left_low"] <= found["left"]) & (found["left"] <= found["left_high"])).all()
    assert found["value"].to_numpy() == pytest.approx(found["left"].to_numpy() * 1e6)


def test_types_that_sell_alike_do_not_stand_out(tmp_path):
    found = outputs(run(tmp_path, offers()))["types"]
    assert set(found["standing"]) == {"Like the other types, as far as can be told"}


def test_slower_leaves_more_and_projects_sum_up(tmp_path):
    found = outputs(run(tmp_path, offers()))
    left = found["scenarios"].groupby("scenario")["left12"].sum()
    assert left["A fifth slower"] > left["Pace as now"] > left["A fifth faster"]
    course = found["course"]
    now = course[course["scenario"] == "Pace as now"]
    assert now["month"].tolist()[0] == "2026-07"
    assert now["left"].is_monotonic_decreasing
    assert now["left"].iloc[-1] == pytest.approx(left["Pace as now"])
    assert found["types"]["left"].sum() == pytest.approx(left["Pace as now"])


def test_units_kept_back_do_not_count_and_sizes_stand_for_missing_layouts(tmp_path):
    frame = offers()
    frame.loc[frame["project_id"] == 2, "layout"] = None
    unsold = frame.index[frame["sold_on"].isna() & (frame["project_id"] == 1)]
    frame.loc[unsold, "is_withheld"] = True
    found = outputs(run(tmp_path, frame))["types"]
    assert found[["project", "type"]].to_numpy().tolist() == [["Elm", "90–120 m²"]]


def test_what_happens_later_does_not_change_what_was_foretold(tmp_path):
    frame = offers()
    last = frame["sold_on"] > pd.Timestamp("2026-01-15")
    changed = frame.copy()
    changed.loc[last, "sold_on"] = pd.NaT
    one, other = (outputs(run(tmp_path / name, rows))["checked"] for name, rows in (("a", frame), ("b", changed)))
    columns = ["known_on", "project", "type", "stock", "expected", "low", "high"]
    pd.testing.assert_frame_equal(one[columns], other[columns])
    assert one["sold"].sum() > other["sold"].sum()


def test_the_past_is_held_against_what_came(tmp_path):
    result = run(tmp_path, offers())
    checked = outputs(result)["checked"]
    assert checked["known_on"].nunique() == 3
    assert ((checked["low"] <= checked["sold"]) & (checked["sold"] <= checked["high"])).mean() > 0.8
    assert any(words in result.verdict for words in ("Perhaps", "no better"))
    in_all = next(line for line in result.evaluation if line.measure.startswith("Sold in all"))
    assert in_all.model == pytest.approx(checked["sold"].sum() / checked["expected"].sum())
    assert in_all.low <= in_all.model <= in_all.high


@pytest.mark.parametrize(("days", "words"), [(3, "Perhaps"), (8, "It beats")])
def test_many_types_of_few_days_prove_nothing(days, words):
    rng = np.random.default_rng(1)
    known = np.repeat(pd.date_range("2022-01-31", periods=days, freq="6ME").date, 40)
    sold = rng.poisson(10, len(known)).astype(float)
    checked = pd.DataFrame(
        {
            "known_on": known, "project": np.resize(["Oak", "Elm", "Ash", "Fir"], len(known)), "sold": sold,
            "expected": sold + 1, "naive": sold + 5, "low": 0, "high": 30, "low80": 5, "high80": 20,
        }
    )  # fmt: skip
    message, values, _ = sell_through._judged(checked)
    assert words in message
    assert values["times"] == days


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda frame: frame.iloc[:0], "No unit has a pre-sale permit yet."),
        (lambda frame: frame.assign(offered_from_on=dt.date(2025, 6, 1)), "months old"),
        (lambda frame: frame.assign(sold_on=pd.NaT), "units must have been sold"),
        (lambda frame: frame.dropna(subset="sold_on"), "No unit with a permit is left"),
        (lambda frame: frame.assign(is_withheld=True).query("sold_on.isna()"), "No unit has a pre-sale permit yet."),
    ],
)
def test_abstains(tmp_path, change, reason):
    with pytest.raises(Abstain, match=reason):
        run(tmp_path, change(offers()))
