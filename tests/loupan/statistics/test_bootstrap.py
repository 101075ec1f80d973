"""The bootstrap of group sums against SciPy's, against the exact variance, and against what it must do at the edges."""

import numpy as np
import pytest
from scipy import stats

from loupan.statistics.bootstrap import GROUPS, percentile_interval, resampled_sums

# Efron & Tibshirani (1993), An Introduction to the Bootstrap, table 2.1: survival of the treated mice, in days.
MICE = np.array([94.0, 197.0, 16.0, 38.0, 99.0, 141.0, 23.0])


def test_the_standard_error_of_the_mice_is_the_published_one():
    """With infinitely many resamples the standard error of the mean is 23.36 (their table 2.2)."""
    means = resampled_sums(MICE[:, None], resamples=200_000)[:, 0] / len(MICE)
    assert means.std() == pytest.approx(23.36, abs=0.15)


def test_the_interval_is_scipys():
    ours = percentile_interval(resampled_sums(MICE[:, None], resamples=100_000))
    theirs = stats.bootstrap((MICE,), np.sum, method="percentile", n_resamples=100_000, rng=1).confidence_interval
    assert np.ravel(ours) == pytest.approx([theirs.low, theirs.high], rel=0.01)


def test_groups_without_cases_count_and_equal_data_give_equal_intervals():
    sums = np.zeros((GROUPS, 2))
    sums[:10, 0] = 3.0
    low, high = percentile_interval(resampled_sums(sums))
    assert low[0] < 30 < high[0]
    assert (low[1], high[1]) == (0, 0)
    assert np.array_equal(resampled_sums(sums), resampled_sums(sums))
