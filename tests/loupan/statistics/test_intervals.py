import numpy as np
import pytest

from loupan.statistics.intervals import dispersion, poisson_exact, proportion_limits, rate_limits, wilson


def test_wilson_agrees_with_published_values():
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    low, high = wilson([81, 15, 0, 1], [263, 148, 20, 29])
    assert low == pytest.approx([0.2553, 0.0624, 0.0, 0.0061], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)
    # Exactly, not nearly: files show all digits.
    assert low[2] == 0
    assert wilson([20], [20])[1][0] == 1


def test_poisson_intervals_agree_with_published_values():
    # Garwood 1936, the usual table of exact 95 % limits of a Poisson count.
    low, high = poisson_exact([0, 1, 10, 100], [1, 1, 1, 1])
    assert low == pytest.approx([0, 0.0253, 4.795, 81.36], abs=5e-3)
    assert high == pytest.approx([3.689, 5.572, 18.39, 121.63], abs=5e-3)


def test_nothing_observed_gives_no_interval():
    assert all(np.isnan(bound[0]) for bound in (*wilson([0], [0]), *poisson_exact([0], [0])))


@pytest.mark.parametrize("units", [12, 42, 150])
def test_chance_alone_is_called_excessive_once_in_twenty(units):
    rng = np.random.default_rng(1)
    found = [dispersion(rng.standard_normal(units)) for _ in range(2000)]
    assert np.mean([one.is_excessive for one in found]) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("ratio", [1.69, 2.25])
def test_the_factor_is_the_ratio_of_variances(ratio):
    rng = np.random.default_rng(1)
    found = [dispersion(np.sqrt(ratio) * rng.standard_normal(42)) for _ in range(1000)]
    assert np.mean([one.factor for one in found]) == pytest.approx(ratio, rel=0.05)
    assert np.mean([one.is_excessive for one in found]) > 0.6


def test_real_differences_are_called_excessive():
    rng = np.random.default_rng(1)
    found = dispersion(2.5 * rng.standard_normal(60))
    assert found.is_excessive
    assert found.factor > 2


def test_too_few_units_are_not_judged():
    assert not dispersion([9.0, -9.0]).is_excessive


def test_limits_hold_what_they_promise():
    rng = np.random.default_rng(2)
    trials = rng.integers(200, 900, 20_000)
    low, high = proportion_limits(0.1, trials, 0.95)
    rates = rng.binomial(trials, 0.1) / trials
    assert np.mean((rates < low) | (rates > high)) == pytest.approx(0.05, abs=0.01)
    exposure = rng.uniform(300, 900, 20_000)
    low, high = rate_limits(0.02, exposure, 0.95)
    rates = rng.poisson(0.02 * exposure) / exposure
    assert np.mean((rates < low) | (rates > high)) < 0.05


def test_over_dispersion_widens_the_limits():
    for limits in (proportion_limits, rate_limits):
        narrow, wide = limits(0.1, [400], 0.95), limits(0.1, [400], 0.95, 4.0)
        assert wide[0][0] < narrow[0][0] < narrow[1][0] < wide[1][0]
