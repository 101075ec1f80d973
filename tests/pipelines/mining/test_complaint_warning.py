"""The early warning of complaints on literal rows."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from loupan.mining import Abstain
from loupan.mining.result import check
from pipelines.mining.models import complaint_warning
from tests.pipelines.mining.literal import marts_of, typed

TODAY = dt.date(2026, 6, 30)
DEMAND = {
    "demand_id": "int64", "customer_id": "int64", "project_id": "int64", "phase": "object",
    "received_on": "datetime64[us]", "is_valid_complaint": "bool",
}  # fmt: skip
MONTHS = pd.period_range("2023-07", "2026-06", freq="M")


def complaints(seed=1, grown=1.0, projects=2):
    """Ten complaints a month in each project, in the last six months of the second so many times as many."""
    rng = np.random.default_rng(seed)
    rows = []
    for project in range(1, projects + 1):
        for month in MONTHS:
            mean = 10 * (grown if project == 2 and month >= MONTHS[-6] else 1)
            for day in rng.integers(0, month.days_in_month, rng.poisson(mean)):
                on = month.start_time + pd.Timedelta(days=int(day))
                rows.append((len(rows) + 1, project * 1000, project, "sales", on, True))
    return rows


def frames(rows, categories=(11, 12)):
    demand = typed(DEMAND, rows)
    own = demand["demand_id"].map(lambda key: categories[key % len(categories)])
    listed = pd.concat(
        [demand.assign(counted_category_id=own), demand.assign(counted_category_id=10)], ignore_index=True
    )
    # A hundred customers in each project all the time.
    months = pd.DataFrame(
        [(customer, project, month.start_time) for project in (1, 2) for month in MONTHS
         for customer in range(project * 1000, project * 1000 + 100)],
        columns=["customer_id", "project_id", "month_on"],
    )  # fmt: skip
    leads = months.drop_duplicates(["customer_id", "project_id"]).rename(columns={"month_on": "opened_on"})
    return {
        "fct_demand": demand,
        "fct_demand_category": listed,
        "dim_demand_category": pd.DataFrame(
            {
                "demand_category_id": [10, 11, 12],
                "demand_category_name": ["Complaint", "Noise", "Leak"],
                "depth": [0, 1, 1],
            }
        ),
        "fct_customer_month": months,
        "fct_lead": leads,
        "fct_deal_chain": typed(
            {
                "customer_id": "int64", "project_id": "int64", "unit_id": "int64",
                "first_contract_on": "datetime64[us]", "is_live": "bool",
            }
        ),
        "fct_unit": typed({"unit_id": "int64", "handover_on": "datetime64[us]"}),
        "dim_project": pd.DataFrame({"project_id": [1, 2], "project_name": ["North", "Lake"]}),
    }  # fmt: skip


def warned(folder, given):
    return check(complaint_warning.run(marts_of(folder, given, complaint_warning.READS, TODAY)))


def outputs(result):
    return {output.name: output.frame for output in result.outputs}


def test_the_project_that_has_grown_is_warned_of(tmp_path):
    found = outputs(warned(tmp_path, frames(complaints(grown=3))))
    alerts = found["alerts"]
    assert set(alerts["project"]) == {"Lake"}
    every = alerts[alerts["theme"] == "All complaints"].iloc[0]
    assert every["observed"] > every["upper"] > every["expected"]
    assert every["expected"] == pytest.approx(10 * 7 * every["weeks"] / 30.4, rel=0.25)
    assert pd.Timestamp(every["since_on"]) == pytest.approx(pd.Timestamp("2026-01-01"), abs=pd.Timedelta(days=45))
    assert set(found["course"]["project_id"]) == {2}


def test_one_theme_that_has_grown_is_named(tmp_path):
    extra = [
        (100_000 + 2 * key, 1000, 1, "sales", pd.Timestamp("2026-06-20") - pd.Timedelta(days=key), True)
        for key in range(40)
    ]
    alerts = outputs(warned(tmp_path, frames(complaints() + extra)))["alerts"]
    assert "Noise" in set(alerts["theme"])
    assert "Leak" not in set(alerts["theme"])


def test_the_result_of_each_theme_is_told_beside_its_limit(tmp_path):
    found = outputs(warned(tmp_path, frames(complaints(grown=3))))
    tested = found["tested"]
    keys = ["project", "phase", "theme"]
    grown = tested[tested["state"] == "Grown"]
    assert set(found["alerts"][keys].itertuples(index=False)) <= set(grown[keys].itertuples(index=False))
    assert len(grown)
    assert (grown["chance"] <= 0.05).all()
    assert (tested["state"] == "No more than chance").sum() == len(tested) - len(grown) > 0


def test_steady_projects_are_quiet(tmp_path):
    result = warned(tmp_path, frames(complaints()))
    assert set(outputs(result)["tested"]["state"]) == {"No more than chance"}
    assert outputs(result)["alerts"].empty
    assert result.values["found"] == 0
    # All complaints and two themes of two projects; the category above all of them is the same series once more.
    assert len(outputs(result)["tested"]) == 6


def test_complaints_without_limits_of_time_change_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    later = [(200_000 + key, 2000, 2, "sales", pd.Timestamp("2026-07-05"), True) for key in range(90)]
    before = outputs(warned(tmp_path / "a", frames(complaints())))
    after = outputs(warned(tmp_path / "b", frames(complaints() + later)))
    for name, frame in before.items():
        pd.testing.assert_frame_equal(frame, after[name])


def test_the_past_is_learnt_without_the_last_half_year(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = outputs(warned(tmp_path / "a", frames(complaints(grown=1))))["tested"]
    other = outputs(warned(tmp_path / "b", frames(complaints(grown=4))))["tested"]
    merged = one.merge(other, on=["project", "phase", "theme"], suffixes=("", "_grown"))
    weekly, grown = (merged[f"expected{end}"] / merged[f"weeks{end}"] for end in ("", "_grown"))
    assert weekly.tolist() == pytest.approx(grown.tolist(), rel=0.15)


def test_too_short_a_history_is_told(tmp_path):
    given = frames([row for row in complaints() if row[4] >= pd.Timestamp("2026-03-01")])
    with pytest.raises(Abstain, match="No theme of any project"):
        warned(tmp_path, given)


def test_an_empty_company_is_told(tmp_path):
    given = {name: frame.head(0) for name, frame in frames(complaints()).items()}
    with pytest.raises(Abstain, match="0 valid complaints"):
        warned(tmp_path, given)
