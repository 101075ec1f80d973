import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize, signal

from loupan.statistics import response as module
from loupan.statistics.response import (
    Response,
    allocate,
    carried_over,
    fit,
    follows_demand,
    foresight,
    months_to_learn,
    saturated,
)
from tests.validation.study_marketing_budget import CHANNELS, planted


def response_of(spend, leads, beta, scale, *, is_bounded=False):
    shape = (1, len(spend))
    return Response(
        np.full(shape, beta), np.full(shape, scale), np.zeros(1), np.array([is_bounded]),
        np.array(leads, float), np.array(spend, float), 1.0,
    )  # fmt: skip


def test_adstock_is_the_filter_of_signal_processing():
    spend = np.random.default_rng(1).gamma(2, 50, (20, 3))
    for share in (0.0, 0.3, 0.6):
        expected = signal.lfilter([1 - share], [1, -share], spend, axis=0, zi=share * spend[:1])[0]
        assert carried_over(spend, share) == pytest.approx(expected)
    assert carried_over(np.full((9, 1), 7.0), 0.6) == pytest.approx(np.full((9, 1), 7.0))


def test_half_of_the_bound_is_reached_where_spend_equals_the_scale():
    # Hill's curve with exponent 1: half of the most at the half-saturation point (Jin et al. 2017, equation 3).
    assert saturated(np.array([0.0, 1.0, 1e12]), True) == pytest.approx([0, 1, 2])
    assert saturated(np.array([0.0, np.e - 1]), False) == pytest.approx([0, 1])


def test_the_mode_and_its_covariance_are_those_of_a_poisson_model_with_an_effect_of_each_month():
    """McFadden's equivalence: given the totals, the Poisson with month effects is the multinomial."""
    import statsmodels.api as sm

    made = planted(3, months=18)
    months, channels = made.leads.shape
    has_spend = np.arange(channels) < CHANNELS
    usual = module.usual_spend(made.spend)
    design = module._design(np.log1p(made.spend[:, has_spend] / usual[has_spend]), has_spend)
    parameters = design.shape[2]
    found = module._mode(made.leads, design, 1e-10 * np.eye(parameters), 1.0)
    month_effects = np.kron(np.eye(months), np.ones((channels, 1)))
    regressors = np.column_stack([design.reshape(-1, parameters), month_effects])
    expected = sm.GLM(made.leads.ravel(), regressors, family=sm.families.Poisson()).fit(tol=1e-12)
    assert found.parameters == pytest.approx(expected.params[:parameters], abs=1e-5)
    covariance = expected.cov_params()[:parameters, :parameters]
    assert found.covariance == pytest.approx(covariance, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("is_bounded", [False, True])
def test_what_the_next_amount_brings_is_the_slope(is_bounded):
    response = response_of([80.0, 20.0], [50, 30], 0.4, 60.0, is_bounded=is_bounded)
    step = 1e-4
    slope = (response.leads_at(response.spend + step) - response.leads_at(response.spend - step)) / (2 * step)
    assert response.next_leads(response.spend) == pytest.approx(slope, rel=1e-6)
    assert response.leads_at(response.spend)[0] == pytest.approx([50, 30])


def test_channels_that_are_alike_share_alike():
    response = response_of([120.0, 80.0], [60, 60 * (180 / 220) ** 0.4], 0.4, 100.0)
    spend = allocate(response, np.ones((1, 2)), np.array([60.0, 60.0]), np.array([140.0, 140.0]))
    assert spend == pytest.approx([100, 100], abs=0.3)


@pytest.mark.parametrize("seed", range(5))
def test_the_division_is_the_one_a_general_optimizer_finds(seed):
    rng = np.random.default_rng(seed)
    spend = rng.uniform(50, 150, 5)
    response = Response(
        rng.uniform(0.05, 0.8, (40, 5)), rng.uniform(30, 200, (40, 5)), np.zeros(40), rng.random(40) < 0.5,
        rng.uniform(20, 90, 5), spend, 1.0,
    )  # fmt: skip
    worth = rng.uniform(0.05, 0.2, (40, 5))
    low, high = 0.75 * spend, 1.25 * spend

    def minus_value(x):
        return -float((response.leads_at(x) * worth).mean(axis=0).sum())

    best = optimize.minimize(
        minus_value, spend, bounds=list(zip(low, high, strict=True)), method="SLSQP", options={"ftol": 1e-12},
        constraints={"type": "eq", "fun": lambda x: x.sum() - spend.sum()},
    )  # fmt: skip
    found = allocate(response, worth, low, high)
    assert found.sum() == pytest.approx(spend.sum())
    assert (found >= low - 1e-6).all()
    assert (found <= high + 1e-6).all()
    assert minus_value(found) <= best.fun + 1e-4 * abs(best.fun)


def test_months_to_learn_follow_the_power_of_a_comparison_of_two_means():
    from statsmodels.stats.power import NormalIndPower

    effect = 0.12 * np.log(1.5 / 0.5)
    deviation = np.sqrt(1.4 / 60)
    per_group = NormalIndPower().solve_power(effect / deviation, alpha=0.05, power=0.8)
    assert months_to_learn(0.12, 0.5, 60, 1.4) == pytest.approx(2 * per_group, rel=1e-3)


def test_months_to_learn_follow_the_published_rule_of_sixteen():
    # Lehr 1992, Statistics in Medicine 11:1099: 16 in each group find a difference of one standard deviation.
    elasticity = 1 / np.log(3)
    assert months_to_learn(elasticity, 0.5, 1, 1) == pytest.approx(2 * 16, rel=0.03)
    assert months_to_learn(0.1, 0.5, 0, 1) == float("inf")


def test_following_demand_is_tested_as_by_a_regression_with_dummies():
    import statsmodels.api as sm

    made = planted(2, follows="last")
    leads, spend = made.leads[:, :CHANNELS], made.spend[:, :CHANNELS]
    level = np.log1p(spend / module.usual_spend(spend))
    demand = module._within(np.log(leads + 0.5))
    demand /= demand.std()
    months, channels = level[2:].shape
    dummies = [np.kron(np.eye(months)[:, 1:], np.ones((channels, 1))), np.tile(np.eye(channels), (months, 1))]
    regressors = np.column_stack([demand[1:-1].ravel(), level[1:-1].ravel(), level[:-2].ravel(), *dummies])
    groups = np.repeat(np.arange(months), channels)
    expected = sm.OLS(level[2:].ravel(), regressors).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    found = follows_demand(made.leads, made.spend)
    assert found.slope == pytest.approx(expected.params[0])
    error = expected.bse[0] * np.sqrt(months / (months - 1))
    from scipy import stats

    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.slope) / error, months - 1), rel=1e-6)
    assert found.p_value < 0.05


def test_later_months_are_foretold_without_looking_at_them():
    """Their own leads count only as what is to be foretold: doubling those of the last month weighs it twice."""
    made = planted(1)

    def told(times):
        leads = made.leads.copy()
        leads[-1] *= times
        seen = foresight(leads, made.spend, step=6)
        return seen.model * leads[-seen.months :].sum() / 100

    assert told(3) - told(2) == pytest.approx(told(2) - told(1), rel=1e-9)


def test_spend_that_tells_nothing_foretells_nothing():
    better = 0
    for seed in range(8):
        made = planted(seed)
        order = np.random.default_rng(seed).permutation(len(made.spend))
        better += foresight(made.leads, made.spend[order], step=6).is_better
    assert better <= 1


def test_the_same_months_give_the_same_response():
    made = planted(4)
    present = made.spend[-12:, :CHANNELS].mean(axis=0)
    first, second = (fit(made.leads, made.spend, present, np.ones(CHANNELS), draws=100) for _ in range(2))
    assert first.coefficients == pytest.approx(second.coefficients)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="two or more"):
        fit(np.ones((5, 1)), np.ones((5, 1)), np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="paid"):
        fit(np.ones((5, 2)), np.zeros((5, 2)), np.ones(0), np.ones(0))
    assert np.isnan(follows_demand(np.ones((20, 1)), np.ones((20, 1))).p_value)
    assert not foresight(np.zeros((20, 2)), np.ones((20, 2))).is_better


@settings(max_examples=25, deadline=None)
@given(
    arrays(float, (14, 3), elements=st.integers(0, 60).map(float)),
    arrays(float, (14, 3), elements=st.sampled_from([0.0, 1.0, 1000.0, 5e6])),
)
def test_any_counts_and_any_spend_give_numbers(leads, spend):
    if not (spend > 0).any():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paid = int((spend > 0).any(axis=0).sum())
        present = spend[:, (spend > 0).any(axis=0)].mean(axis=0)
        response = fit(leads, spend, present, np.ones(paid), draws=20)
        assert np.isfinite(response.leads_at(present * 1.2)).all()
        found = allocate(response, np.ones((20, paid)), 0.8 * present, 1.2 * present, steps=20)
        assert found.sum() == pytest.approx(present.sum())
        foresight(leads, spend)
        follows_demand(leads, spend)
