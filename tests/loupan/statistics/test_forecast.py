"""Forecasts of monthly series against other implementations, and published examples."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from loupan.statistics import forecast as f


def smoothed_by(y, alpha, beta=0.0, damping=0.9):
    return f.smoothing_states(np.atleast_2d(y), np.array([alpha]), np.array([beta]), damping)


def test_exponential_smoothing_of_algerian_exports():
    """Hyndman & Athanasopoulos (2021), table 8.1: α = 0.84, ℓ₀ = 39.54; levels rounded to two places."""
    exports = [39.04, 46.24, 19.79, 24.68, 25.08, 22.60, 25.99, 23.43]
    levels = [39.12, 45.10, 23.84, 24.55, 25.00, 22.99, 25.51, 23.76]
    for known, level in enumerate(levels, start=1):
        # Three months at the book's first level: a series begins at the mean of its first three.
        found, _, _ = smoothed_by([39.539] * 3 + exports[:known], 0.84)
        assert found[0, 0] == pytest.approx(level, abs=0.011)


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.0), (0.5, 0.0), (0.3, 0.1), (0.8, 0.3)])
def test_smoothing_is_that_of_statsmodels(alpha, beta):
    from statsmodels.tsa.api import Holt, SimpleExpSmoothing

    y = np.random.default_rng(1).normal(100, 15, 30)
    level, slope, _ = smoothed_by(y, alpha, beta)
    start = y[:3].mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if beta:
            fitted = Holt(
                y, damped_trend=True, initialization_method="known", initial_level=start, initial_trend=0.0
            ).fit(smoothing_level=alpha, smoothing_trend=beta, damping_trend=0.9, optimized=False)
        else:
            fitted = SimpleExpSmoothing(y, initialization_method="known", initial_level=start).fit(
                smoothing_level=alpha, optimized=False
            )
    assert level[0, 0] == pytest.approx(fitted.level[-1])
    steps = np.cumsum(0.9 ** np.arange(1, 7))
    assert level[0, 0] + slope[0, 0] * steps == pytest.approx(fitted.forecast(6))


def test_baselines():
    y = np.array([[*range(1, 15)], [np.nan] * 11 + [4.0, 6.0, 8.0]], float)
    assert f.seasonal_naive(y, 3)[0].tolist() == [3, 4, 5]
    assert f.mean_of_last(y, 2)[0].tolist() == [8.5, 8.5]
    # A young series has no year before: the mean of what it has.
    assert f.mean_of_last(y, 1)[1].tolist() == [6]
    assert f.seasonal_naive(y, 12)[1].tolist() == [6] * 9 + [4, 6, 8]


def test_parts_move_by_their_variances_as_in_the_general_formula():
    forecasts = np.array([[10.0, 11], [20, 19], [5, 6], [40, 30]])
    variances = np.array([2.0, 5, 1, 4])
    summing = np.vstack([np.eye(3), np.ones(3)])
    inverse = np.diag(1 / variances)
    general = summing @ np.linalg.solve(summing.T @ inverse @ summing, summing.T @ inverse @ forecasts)
    assert f.reconciled(forecasts, variances) == pytest.approx(general)


def test_one_month_ahead_the_gain_is_tested_as_pairs_are():
    rng = np.random.default_rng(2)
    own, other = rng.gamma(2, 1, 30), rng.gamma(2.5, 1, 30)
    found = f.gain(own, other, 1)
    interval = stats.ttest_1samp(other - own, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low / other.mean(), interval.high / other.mean()))


def test_few_or_no_errors_give_no_interval():
    assert f.gain([1, 2], [2, 3], 1) == f.Gain(0.4, None, None)
    assert f.gain([], [], 6).low is None
    assert not f.gain([0.0] * 10, [0.0] * 10, 1).is_sure


def test_the_quantile_is_that_of_split_conformal_prediction():
    errors = np.arange(1.0, 41)[:, None]
    assert f.calibrate(errors, 40).factor(0.8) == pytest.approx(np.quantile(errors, 0.8 * 41 / 40))
    # For 95 % at least nineteen are needed; with fewer the normal shape must help.
    few = f.calibrate(np.array([[1.0], [-1.0], [2.0], [-2.0]]), 4)
    assert few.factor(0.95) == pytest.approx(stats.t.ppf(0.975, 3) * np.sqrt(2.5 * 1.25))
    assert np.isnan(f.calibrate(np.full((3, 6), np.nan), 0).factor(0.8))


def test_errors_that_grow_with_the_distance_widen_the_intervals():
    rng = np.random.default_rng(3)
    growth = f.calibrate(rng.normal(0, 1, (400, 6)) * np.sqrt(1 + np.arange(6)), 400).growth
    assert growth == pytest.approx(np.sqrt(1 + np.arange(6)), rel=0.15)
    assert f.calibrate(rng.normal(0, 1, (400, 6)) / (1 + np.arange(6)), 400).growth.tolist() == [1] * 6


def test_the_festival_lies_where_the_lunar_year_begins():
    # 10 February 2024 and 29 January 2025: a week before to fifteen days after.
    assert f.festival_share(2024, 2) == pytest.approx(22 / 29)
    assert f.festival_share(2025, 1) == pytest.approx(10 / 31)
    assert f.festival_share(2025, 2) == pytest.approx(12 / 28)
    assert f.festival_share(2024, 7) == 0


def test_scaled_error():
    """Hyndman & Koehler (2006): the mean absolute seasonal difference."""
    assert f.scaled_error([1.0] * 12 + [3.0] * 12) == 2
    assert f.scaled_error([np.nan, 1, 4, 2]) == 2.5
    assert np.isnan(f.scaled_error([5.0] * 30))
    assert np.isnan(f.scaled_error([1.0]))


def test_later_months_change_no_earlier_forecast():
    rng = np.random.default_rng(4)
    y = rng.poisson(20, (3, 40)).astype(float)
    y = np.vstack([y, y.sum(axis=0)])
    changed = y.copy()
    changed[:, 30:] *= 7

    def tested(values):
        methods = [("naive", f.seasonal_naive), ("mean", f.mean_of_last), ("smooth", f.smoothed)]
        return f.back_test(values, 6, [(n, lambda t, m=m: m(values[:, :t], 6)) for n, m in methods], 1.0)

    one, other = tested(y), tested(changed)
    past = one.origins <= 30
    assert past.sum() == 19
    assert one.chosen[: past.sum()] == other.chosen[: past.sum()]
    assert np.array_equal(one.forecasts[past], other.forecasts[past])
    place, whole = past.sum() - 1, slice(-1, None)
    assert one.calibration(place, whole).factor(0.8) == other.calibration(place, whole).factor(0.8)


@given(
    st.lists(st.lists(st.integers(-3, 50), min_size=26, max_size=26), min_size=1, max_size=3),
    st.integers(0, 25),
)
@settings(max_examples=30, deadline=None)
def test_whatever_is_recorded_the_parts_sum_to_the_whole(rows, young):
    y = np.array(rows, float)
    y[0, :young] = np.nan
    y = np.vstack([y, np.nansum(y, axis=0)])
    methods = [("naive", f.seasonal_naive), ("mean", f.mean_of_last), ("smooth", f.smoothed)]
    tested = f.back_test(y, 6, [(n, lambda t, m=m: m(y[:, :t], 6)) for n, m in methods], 1.0)
    assert np.isfinite(tested.forecasts).all()
    assert tested.forecasts[:, :-1].sum(axis=1) == pytest.approx(tested.forecasts[:, -1])
    factor = tested.calibration(len(tested.origins) - 1, slice(-1, None)).factor(0.8)
    assert factor >= 0
