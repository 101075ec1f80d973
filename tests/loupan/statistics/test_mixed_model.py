import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from loupan.statistics.mixed_model import LARGEST_SPREAD, LEAST_SPREAD, fit

# Crowder 1978, Applied Statistics 27:34, table 3: seeds that germinated on 21 plates, by kind of seed and of extract.
GERMINATED = np.array([10, 23, 23, 26, 17, 5, 53, 55, 32, 46, 10, 8, 10, 8, 23, 0, 3, 22, 15, 32, 3])
SEEDS = np.array([39, 62, 81, 51, 39, 6, 74, 72, 51, 79, 13, 16, 30, 28, 45, 4, 12, 41, 30, 51, 7])
SEED, EXTRACT = np.repeat([0, 1], [11, 10]), np.repeat([0, 1, 0, 1], [5, 6, 5, 5])


def test_plates_of_seeds_agree_with_the_published_fit():
    # Breslow and Clayton 1993, JASA 88:9: estimates and standard errors of penalised quasi-likelihood.
    model = fit([np.arange(21), SEED + 2 * EXTRACT], GERMINATED, SEEDS, is_proportion=True, spreads=[None, 100])
    none, seed, extract, both = model.effects[model.blocks[1]] + model.effects[0]
    assert model.spreads[0] == pytest.approx(0.313, abs=0.002)
    assert [none, seed - none, extract - none, both - seed - extract + none] == pytest.approx(
        [-0.542, 0.077, 1.339, -0.825], abs=0.002
    )
    covariance = model.covariance[np.ix_(model.blocks[1], model.blocks[1])]
    for contrast, error in (([-1, 1, 0, 0], 0.308), ([-1, 0, 1, 0], 0.270), ([1, -1, -1, 1], 0.430)):
        assert np.sqrt(np.array(contrast) @ covariance @ contrast) == pytest.approx(error, abs=0.002)


@pytest.mark.parametrize("is_proportion", [True, False])
def test_wide_spreads_give_the_fit_of_a_generalised_linear_model(is_proportion):
    rng = np.random.default_rng(1)
    one, two = rng.integers(0, 4, 300), rng.integers(0, 3, 300)
    exposure = rng.integers(5, 40, 300)
    predictor = -1 + 0.4 * one - 0.3 * two
    chance = 1 / (1 + np.exp(-predictor)) if is_proportion else np.exp(predictor)
    events = rng.binomial(exposure, chance) if is_proportion else rng.poisson(exposure * chance)
    model = fit([one, two], events, exposure, is_proportion=is_proportion, spreads=[50, 50])
    design = np.column_stack([np.ones(300), *(one == k for k in (1, 2, 3)), *(two == k for k in (1, 2))]).astype(float)
    if is_proportion:
        known = sm.GLM(np.column_stack([events, exposure - events]), design, sm.families.Binomial()).fit()
    else:
        known = sm.GLM(events, design, sm.families.Poisson(), offset=np.log(exposure)).fit()
    assert model.predictor() == pytest.approx(design @ known.params, abs=1e-3)


def test_a_known_spread_gives_ridge_regression():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    level = rng.integers(0, 6, 500)
    happened = rng.random(500) < 0.2 + 0.1 * level
    model = fit([level], happened, np.ones(500), is_proportion=True, spreads=[0.5])
    known = LogisticRegression(C=0.5**2, tol=1e-8, max_iter=1000).fit(np.eye(6)[level], happened)
    assert model.effects == pytest.approx([*known.intercept_, *known.coef_[0]], abs=1e-3)


def test_an_input_that_tells_nothing_shrinks_to_nothing():
    rng = np.random.default_rng(3)
    unit, noise = rng.integers(0, 20, 4000), rng.integers(0, 8, 4000)
    effect = rng.normal(0, 0.6, 20)
    happened = rng.random(4000) < 1 / (1 + np.exp(1 - effect[unit]))
    model = fit([unit, noise], happened, np.ones(4000), is_proportion=True)
    assert model.spreads[0] == pytest.approx(0.6, abs=0.2)
    assert model.spreads[1] < 0.1


def test_a_level_in_which_nothing_happened_stays_finite():
    level = np.repeat([0, 1, 2], 100)
    happened = np.where(level == 2, 0, np.tile([0, 1], 150))
    model = fit([level], happened, np.ones(300), is_proportion=True)
    assert np.isfinite(model.effects).all()
    assert model.effects[3] < -1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 9), st.floats(0, 1)), min_size=4),
    st.booleans(),
)
def test_any_cells_give_finite_numbers(cells, is_proportion):
    unit, level, exposure, share = (np.array(column) for column in zip(*cells, strict=True))
    events = np.round(share * exposure)
    if not 0 < events.sum() < exposure.sum():
        return
    model = fit([unit, level], events, exposure, is_proportion=is_proportion)
    assert np.isfinite(model.effects).all()
    assert np.isfinite(model.covariance).all()
    assert all(LEAST_SPREAD <= spread <= LARGEST_SPREAD for spread in model.spreads)
