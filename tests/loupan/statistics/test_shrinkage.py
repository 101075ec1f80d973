import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from loupan.statistics.shrinkage import _WEIGHTS, beta_binomial, gamma_poisson

# Tarone 1982, Biometrics 38:215: rats with tumours in 70 earlier control groups (Gelman et al. 2013, table 5.1).
TUMOURS = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 5, 2, 5, 3, 2,
    7, 7, 3, 3, 2, 9, 10, 4, 4, 4, 4, 4, 4, 4, 10, 4, 4, 4, 5, 11, 12, 5, 5, 6, 5, 6, 6, 6, 6, 16, 15, 15, 9,
]  # fmt: skip
RATS = [
    20, 20, 20, 20, 20, 20, 20, 19, 19, 19, 19, 18, 18, 17, 20, 20, 20, 20, 19, 19, 18, 18, 25, 24,
    23, 20, 20, 20, 20, 20, 20, 10, 49, 19, 46, 27, 17, 49, 47, 20, 20, 13, 48, 50, 20, 20, 20, 20,
    20, 20, 20, 48, 19, 19, 19, 22, 46, 49, 20, 20, 23, 19, 22, 20, 20, 20, 52, 46, 47, 24,
]  # fmt: skip


def test_rats_agree_with_the_published_fit():
    # Marginal maximum likelihood: alpha 2.304768, beta 14.079707 (vignette of the R package BayesGOF, step 3a).
    found = beta_binomial(TUMOURS, RATS)
    assert found.common * found.size == pytest.approx(2.3048, abs=0.01)
    assert (1 - found.common) * found.size == pytest.approx(14.0797, abs=0.05)


def test_the_most_likely_gamma_is_that_of_the_negative_binomial():
    rng = np.random.default_rng(1)
    exposure = rng.uniform(2, 30, 200)
    events = rng.poisson(rng.gamma(4, 0.25, 200) * exposure)
    found = gamma_poisson(events, exposure)

    def lack(parameters):
        shape, size = np.exp(parameters)
        return -stats.nbinom.logpmf(events, shape, size / (size + exposure)).sum()

    shape, size = np.exp(optimize.minimize(lack, [0, 0], method="Nelder-Mead").x)
    assert found.common == pytest.approx(shape / size, rel=0.01)
    assert found.size == pytest.approx(size, rel=0.02)


def test_posterior_means_agree_with_integration():
    # The mean, given each degree of shrinkage, is the most likely one: integrated here by hand for three units.
    events, trials = np.array([2, 9, 20]), np.array([40, 60, 80])

    def likelihood(mean, size):
        return np.exp(stats.betabinom.logpmf(events, trials, mean * size, (1 - mean) * size).sum())

    def integral(k, mean, size):
        posterior = stats.beta(mean * size + events[k], (1 - mean) * size + trials[k] - events[k])
        return integrate.quad(lambda p: p * posterior.pdf(p), 0, 1)[0]

    weights, means = [], []
    for weight in _WEIGHTS:
        size = np.exp(np.mean(np.log(trials))) * weight / (1 - weight)
        mean = optimize.minimize_scalar(
            lambda m, size=size: -likelihood(m, size), bounds=(0.03, 0.6), method="bounded"
        ).x
        weights.append(likelihood(mean, size))
        means.append([integral(k, mean, size) for k in range(3)])
    found = beta_binomial(events, trials)
    assert found.rate == pytest.approx(np.average(means, axis=0, weights=weights), rel=1e-3)


def test_few_cases_are_pulled_further_and_many_hardly():
    found = beta_binomial([6, 600, 30, 350, 5, 500], [20, 2000, 300, 3500, 60, 4000])
    assert found.own[0] < 0.6 < found.own[1]
    assert abs(found.rate[0] - 0.3) > abs(found.rate[1] - 0.3)
    assert ((found.low < found.rate) & (found.rate < found.high)).all()


def test_equals_are_pulled_together():
    rng = np.random.default_rng(2)
    trials = np.full(40, 200)
    found = beta_binomial(rng.binomial(trials, 0.2), trials)
    assert np.ptp(found.rate) < 0.05
    assert np.mean((found.low < 0.2) & (found.high > 0.2)) > 0.95


def test_intervals_hold_the_true_rates():
    rng = np.random.default_rng(3)
    held = {"beta": [], "gamma": []}
    for _ in range(25):
        size = rng.integers(30, 600, 40)
        proportion, rate = rng.beta(8, 72, 40), rng.gamma(8, 1 / 8, 40)
        for name, found, truth in (
            ("beta", beta_binomial(rng.binomial(size, proportion), size), proportion),
            ("gamma", gamma_poisson(rng.poisson(rate * size / 20), size / 20), rate),
        ):
            held[name] += ((found.low <= truth) & (truth <= found.high)).tolist()
    assert np.mean(held["beta"]) == pytest.approx(0.95, abs=0.025)
    assert np.mean(held["gamma"]) == pytest.approx(0.95, abs=0.025)


def test_what_the_rates_were_measured_against_widens_the_intervals():
    narrow, wide = (beta_binomial([20, 40, 60], [200, 300, 500], error) for error in (0.0, 0.2))
    assert (wide.low < narrow.low).all()
    assert (wide.high > narrow.high).all()
    assert wide.rate == pytest.approx(narrow.rate)


@pytest.mark.parametrize("shrink", [beta_binomial, gamma_poisson])
@pytest.mark.parametrize(("events", "size"), [([], []), ([0, 0], [0, 0]), ([0, 0], [50, 60])])
def test_nothing_known_gives_no_estimate(shrink, events, size):
    found = shrink(events, size)
    assert np.isnan(found.rate).all()
    assert len(found.rate) == len(events)


def test_who_has_no_cases_has_no_estimate():
    assert np.isnan(beta_binomial([3, 0, 8], [40, 0, 50]).rate).tolist() == [False, True, False]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 1)), max_size=12))
def test_any_counts_give_rates_in_order(cases):
    trials = np.array([n for n, _ in cases], float)
    events = np.round(np.array([share for _, share in cases]) * trials)
    for found in (beta_binomial(events, trials), gamma_poisson(events, trials)):
        known = np.isfinite(found.rate)
        assert (found.low[known] <= found.rate[known] + 1e-9).all()
        assert (found.rate[known] <= found.high[known] + 1e-9).all()
