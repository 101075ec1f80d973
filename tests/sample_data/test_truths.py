"""The planted truths are truly in the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from sample_data.demands import WORSENING_ESTATE
from sample_data.master_data import HARD_MARKETS
from tests.sample_data.conftest import Company, make_company
from tests.validation.company import make_company as planted


def test_truths_name_what_is_in_the_data(company: Company) -> None:
    effects = company.truths["effects"]
    numbers = set(company.frame("SELECT number FROM employee").number)
    for name in ("staff", "staff_complaint", "staff_reply", "staff_satisfaction"):
        assert set(effects[name]) <= numbers
    assert set(effects["project"]) == set(company.frame("SELECT name FROM project").name)
    leaves = company.frame(
        "SELECT s.name FROM source s WHERE NOT EXISTS (SELECT 1 FROM source c WHERE c.parent_id = s.id)"
    ).name
    assert set(effects["source"]) == set(leaves)
    pair = company.truths["parameters"]["simpson_pair"]
    assert {pair["better_but_ranked_lower"], pair["worse_but_ranked_higher"]} <= numbers
    assert company.truths["parameters"]["worsening_project"]["project"] in effects["project"]
    assert company.truths["made_with"] == {"scale": 0.05, "seed": 1, "as_of": "2026-06-30", "language": "zh"}
    assert set(company.truths["model"]) >= {
        "conversion",
        "timing",
        "cancellation",
        "case_mix",
        "complaints",
        "handling",
    }


@pytest.fixture(scope="module", params=[1, 2])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The company at scale 1, for two seeds."""
    made = make_company(tmp_path_factory.mktemp("large"), scale=1, seed=request.param)
    yield made
    made.engine.dispose()


def journeys(company: Company) -> pd.DataFrame:
    """Return one row per collapsed lead: owner's number, source, market type, month, and whether a live deal "
    "followed."""
    customers = company.frame("SELECT id, merged_into_id FROM customer").set_index("id").merged_into_id
    survivor = customers.fillna(customers.index.to_series()).astype(int)
    while not (survivor == survivor[survivor].to_numpy()).all():
        survivor = pd.Series(survivor[survivor].to_numpy(), index=survivor.index)
    leads = company.frame(
        "SELECT l.id, l.customer_id, l.project_id, l.opened_at, e.number, s.name AS source, s.market_type FROM lead l "
        "LEFT JOIN employee e ON e.id = l.employee_id LEFT JOIN source s ON s.id = l.source_id "
        "WHERE l.deleted_at IS NULL ORDER BY l.opened_at, l.id"
    )
    leads["survivor"] = survivor[leads.customer_id].to_numpy()
    leads["head"] = leads.groupby(["survivor", "project_id"]).id.transform("first")
    live = company.frame(
        "SELECT lead_id FROM deal d WHERE EXISTS (SELECT 1 FROM deal_event WHERE deal_id = d.id AND kind = 'contract') "
        "AND NOT EXISTS (SELECT 1 FROM deal_event WHERE deal_id = d.id AND kind IN ('cancel', 'swap')) "
        "AND lead_id IS NOT NULL AND deleted_at IS NULL"
    ).lead_id
    converted = set(leads.set_index("id")["head"].reindex(live).dropna())
    heads = leads[leads.id == leads["head"]].copy()
    heads["converted"] = heads.id.isin(converted)
    return heads


@pytest.mark.slow
def test_shape_at_scale_1(large: Company) -> None:
    heads = journeys(large)
    assert 0.08 < heads.converted.mean() < 0.12
    deals = large.frame(
        "SELECT max(kind = 'contract') AS signed, max(kind = 'cancel') AS cancelled FROM deal_event GROUP BY deal_id"
    )
    assert 0.03 < deals.cancelled[deals.signed == 1].mean() < 0.07
    month = pd.to_datetime(heads.opened_at).dt.month
    # Golden September and Silver October against January and February.
    assert month.isin([9, 10]).sum() > 1.5 * month.isin([1, 2]).sum()
    # The Spring Festival of 2025 was on 29 January.
    by_day = pd.to_datetime(heads.opened_at).dt.date.value_counts()
    days = pd.Series({d.date(): by_day.get(d.date(), 0) for d in pd.date_range("2024-12-01", "2025-03-15")})
    festival = pd.date_range("2025-01-28", "2025-02-04").date
    assert days[festival].mean() < 0.35 * days.drop(festival).mean()
    weekday = pd.to_datetime(heads.opened_at).dt.tz_localize("UTC").dt.tz_convert("Asia/Shanghai").dt.day_of_week
    assert (weekday >= 5).mean() > 0.33
    leads_of_staff = heads.number.value_counts()
    assert leads_of_staff.max() > 3 * leads_of_staff.median() / 2


@pytest.mark.slow
def test_ranking_of_the_planted_pair_reverses(large: Company) -> None:
    heads = journeys(large)
    pair = large.truths["parameters"]["simpson_pair"]
    better = heads[heads.number == pair["better_but_ranked_lower"]]
    worse = heads[heads.number == pair["worse_but_ranked_higher"]]
    assert min(len(better), len(worse)) > 1_000
    assert better.converted.mean() < worse.converted.mean()
    for hard in (True, False):
        mine, yours = (frame[frame.market_type.isin(HARD_MARKETS) == hard] for frame in (better, worse))
        assert mine.converted.mean() > yours.converted.mean()
    # Standardised to the mix of both together, by source.
    mix = pd.concat([better, worse]).source.value_counts(normalize=True)
    rates = [frame.groupby("source").converted.mean().reindex(mix.index) for frame in (better, worse)]
    known = rates[0].notna() & rates[1].notna()
    assert (rates[0] * mix)[known].sum() > (rates[1] * mix)[known].sum()


@pytest.mark.slow
def test_sources_differ_as_planted(large: Company) -> None:
    heads = journeys(large)
    rate = heads.groupby("source").converted.mean()
    truth = pd.Series(large.truths["effects"]["source"])
    assert np.corrcoef(np.log(rate / (1 - rate)), truth[rate.index])[0, 1] > 0.93


@pytest.mark.slow
def test_one_project_grows_worse(large: Company) -> None:
    demands = large.frame(
        "SELECT p.name, k.kind = 'complaint' AS complains, d.received_at > '2026-03-31' AS now FROM demand d "
        "JOIN project p ON p.id = d.project_id JOIN demand_category k ON k.id = d.demand_category_id "
        "WHERE d.received_at > '2026-03-31' OR d.received_at BETWEEN '2025-03-31' AND '2025-06-30'"
    )
    counts = demands.groupby(["name", "complains", "now"]).size().unstack()
    growth = (counts[1] / counts[0]).unstack()
    # Buildings are handed over and sold at different times: complaints are compared with all else that is asked for.
    relative = growth[1] / growth[0]
    worsening = large.truths["parameters"]["worsening_project"]["project"]
    assert relative[worsening] > 1.8 * relative.drop(worsening).median()
    assert relative.idxmax() == worsening


@pytest.mark.parametrize("seed", [1, 2])
def test_demands_of_the_sales_phase_do_not_pile_up_at_the_end(seed: int) -> None:
    """A recent lead has had less time to complain: the last four weeks are like the half year before."""
    company = planted(seed, 1.0)
    demands = company.demands
    steady = ~demands.is_property & (demands.promise < 0) & (demands.estate != WORSENING_ESTATE)
    days = (company.world.clock.now - demands.received_at[steady]) / np.timedelta64(86_400, "s")
    counts = np.bincount((days // 28).astype(int))[:7]
    assert 0.6 < counts[0] / counts[1:].mean() < 1.5
