"""How good chances are, against scikit-learn, statsmodels and closed formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from loupan.statistics.prediction import Scored, calibration_line, interval, reliability, resampled


def cases(seed=0, n=500, ties=True):
    random = np.random.default_rng(seed)
    chance = random.beta(1, 6, n)
    if ties:
        chance = np.round(chance, 2).clip(0.01, 0.99)
    return (random.random(n) < chance).astype(float), chance, random.integers(0, 4, n).astype(float)


@pytest.mark.parametrize("ties", [False, True])
def test_measures_agree_with_scikit_learn_weighted_or_not(ties):
    came, chance, weight = cases(ties=ties)
    scored = Scored.of(came, chance)
    for w in (None, weight):
        assert scored.auc(w) == pytest.approx(roc_auc_score(came, chance, sample_weight=w))
        assert scored.brier(w) == pytest.approx(brier_score_loss(came, chance, sample_weight=w))
        assert scored.log_loss(w) == pytest.approx(log_loss(came, chance, sample_weight=w))


def test_auc_of_a_published_example():
    """Hanley & McNeil (1982), table 1: 109 CT images, ratings 1 to 5; the area is 0.893."""
    normal, abnormal = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    rating = np.repeat(np.arange(5), np.add(normal, abnormal))
    came = np.concatenate([np.repeat([0.0, 1.0], pair) for pair in zip(normal, abnormal, strict=True)])
    assert Scored.of(came, rating / 10).auc() == pytest.approx(0.893, abs=5e-4)


def test_lift_counts_the_best_tenth_and_shares_out_ties():
    came = np.r_[np.ones(5), np.zeros(95)]
    assert Scored.of(came, np.linspace(1, 0, 100)).lift() == pytest.approx(10)
    assert Scored.of(came, np.full(100, 0.05)).lift() == pytest.approx(1)
    assert Scored.of(came[::-1], np.linspace(1, 0, 100)).lift() == 0


def test_the_calibration_line_is_the_logistic_regression():
    came, chance, _ = cases(3, 2_000)
    x = special.logit(chance)
    fitted = sm.Logit(came, sm.add_constant(x)).fit(disp=0).params
    line = calibration_line(came, x)
    assert (line.intercept, line.slope) == pytest.approx(tuple(fitted), abs=1e-5)
    assert line(x[:3]) == pytest.approx(fitted[0] + fitted[1] * x[:3], abs=1e-4)


def test_a_line_of_hard_cases():
    with pytest.raises(ValueError, match="same"):
        calibration_line([1, 1], [0.0, 1.0])
    flat = calibration_line([1, 0, 0, 0], [2.0] * 4)
    assert (flat.intercept, flat.slope) == (pytest.approx(special.logit(0.25)), 0)
    told_apart = calibration_line([0] * 10 + [1] * 10, np.r_[np.full(10, -1.0), np.full(10, 1.0)])
    assert told_apart.slope > 1
    assert np.isfinite(told_apart.slope)


def test_reliability_counts_everybody_once():
    came, chance, _ = cases(5)
    table = reliability(came, chance)
    assert table["cases"].sum() == len(came)
    assert (table["cases"] * table["observed"]).sum() == pytest.approx(came.sum())
    assert (table["cases"] * table["expected"]).sum() == pytest.approx(chance.sum())
    assert table["expected"].is_monotonic_increasing
    assert ((table["low"] <= table["observed"]) & (table["observed"] <= table["high"])).all()
    assert len(reliability(came, np.full(len(came), 0.1))) == 1
    assert reliability([], []).empty


def test_cases_of_one_cluster_count_for_what_they_are_worth():
    came, chance, _ = cases(5)
    alone = reliability(came, chance)
    pd.testing.assert_frame_equal(alone, reliability(came, chance, clusters=np.arange(len(came))))
    # Three times the same is worth once.
    thrice = reliability(np.repeat(came, 3), np.repeat(chance, 3), clusters=np.repeat(np.arange(len(came)), 3))
    assert thrice["cases"].tolist() == (3 * alone["cases"]).tolist()
    pd.testing.assert_frame_equal(thrice[["low", "high"]], alone[["low", "high"]])
    assert reliability([0, 0], [0.1, 0.1], clusters=[1, 1])["low"].tolist() == [0]


def test_resampling_keeps_clusters_whole():
    clusters = np.repeat(np.arange(40), 3)
    values = np.repeat(np.random.default_rng(1).normal(size=40), 3)
    draws = resampled(lambda w: [np.average(values, weights=w), len({*w})], clusters, 300)
    # As wide as for forty, not for a hundred and twenty.
    low, high = interval(draws[:, 0])
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(40), rel=0.2)
    weight = resampled(lambda w: w, clusters, 5)
    assert (weight.reshape(5, 40, 3).std(axis=2) == 0).all()
    assert np.isnan(interval(np.r_[np.full(8, np.nan), 1.0, 2.0])).all()


@given(
    arrays.arrays(float, st.integers(0, 40), elements=st.floats(0, 1)),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_any_chances_can_be_measured(chance, random):
    came = np.array([random.random() < 0.4 for _ in chance], float)
    scored = Scored.of(came, chance)
    auc = scored.auc()
    assert np.isnan(auc) or 0 <= auc <= 1
    assert np.isnan(scored.lift()) or scored.lift() >= 0
    assert np.isnan(scored.brier()) or 0 <= scored.brier() <= 1
    assert np.isnan(scored.log_loss()) or np.isfinite(scored.log_loss())
    with pytest.raises(ValueError, match="outcomes"):
        Scored.of(np.r_[came, 1], chance)
