"""The comparison of two ways to foresee, against scikit-learn and the normal approximation."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from loupan.statistics.foresight import MOST_CASES, compared, log_losses


def test_the_log_loss_is_scikit_learns():
    rng = np.random.default_rng(1)
    chance, outcome = rng.uniform(0.01, 0.99, 500), rng.random(500) < 0.4
    assert log_losses(chance, outcome).mean() == pytest.approx(log_loss(outcome, chance))
    assert log_losses(0.4, outcome).mean() == pytest.approx(log_loss(outcome, np.full(500, 0.4)))


def test_the_interval_is_that_of_a_mean():
    errors = np.random.default_rng(2).exponential(1, 2_000)
    found = compared(errors, errors + 0.01)
    half = 1.96 * errors.std() / np.sqrt(2_000)
    assert (found.low, found.high) == pytest.approx((errors.mean() - half, errors.mean() + half), abs=0.15 * half)
    # A small difference that is the same in every case is beyond chance, one that is none is not.
    assert found.is_better
    assert not compared(errors, errors).is_better


def test_noise_is_rarely_better():
    rng = np.random.default_rng(3)
    wins = sum(compared(*rng.exponential(1, (2, 200)), seed=seed).is_better for seed in range(200))
    assert wins <= 12


def test_many_cases_are_drawn_in_groups_and_tell_the_same():
    errors = np.random.default_rng(4).exponential(1, 5 * MOST_CASES)
    found = compared(errors, errors + 0.002)
    half = 1.96 * errors.std() / np.sqrt(len(errors))
    assert (found.low, found.high) == pytest.approx((errors.mean() - half, errors.mean() + half), abs=0.15 * half)
    assert (found.model, found.is_better) == (pytest.approx(errors.mean()), True)
    assert not compared(errors, errors).is_better
