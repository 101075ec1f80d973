"""The early warning against statsmodels' quasi-Poisson fit, a published example, and by hand."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from loupan.statistics.warning import Level, chance_of, false_share, onset, past_level, upper_limit


def test_the_level_is_that_of_a_quasi_poisson_regression():
    rng = np.random.default_rng(1)
    exposure = rng.uniform(50, 150, (4, 26))
    counts = rng.negative_binomial(4, 4 / (4 + 0.1 * exposure))
    found = past_level(counts, exposure)
    for row in range(4):
        # The half event beside the periods is spread over them as the exposure is: the fit is then the same.
        y = counts[row] + 0.5 * exposure[row] / exposure[row].sum()
        model = sm.GLM(y, np.ones(26), family=sm.families.Poisson(), offset=np.log(exposure[row]))
        fit = model.fit()
        residual = fit.resid_anscombe / np.sqrt(
            max(fit.pearson_chi2 / 25, 1) * (1 - fit.get_influence().hat_matrix_diag)
        )
        if residual.max() < 2.4:
            assert found.rate[row] == pytest.approx(np.exp(fit.params[0]), rel=1e-9)
            assert found.factor[row] == pytest.approx(max(fit.pearson_chi2 / 25, 1), rel=0.02)
            scaled = model.fit(scale=found.factor[row])
            assert found.error[row] == pytest.approx(scaled.bse[0], rel=1e-6)


def test_an_outbreak_of_the_past_hardly_moves_the_level():
    steady = np.full(26, 5.0)
    outbreak = steady.copy()
    outbreak[10] = 60
    exposure = np.full((2, 26), 100.0)
    found = past_level([steady, outbreak], exposure)
    assert found.rate[0] == pytest.approx(0.05, rel=0.01)
    assert found.rate[1] == pytest.approx(0.05, rel=0.15)
    assert outbreak.sum() / 2600 > 0.07


def level_of(rate, factor=1.0, error=0.0, periods=10**9):
    return Level(*(np.array([value], float) for value in (rate, factor, error, periods)))


def test_the_limit_is_poisson_where_only_chance_is_at_work():
    level = level_of(0.1)
    assert upper_limit(level, [120])[0] == stats.poisson.ppf(0.975, 12)
    assert chance_of(level, [20], [120])[0] == pytest.approx(stats.poisson.sf(19, 12), rel=1e-4)


def test_the_variance_is_that_of_chance_dispersion_and_level():
    expected, variance = 10.0, 2 * 10 + (10 * 0.1) ** 2
    n = expected**2 / (variance - expected)
    found = chance_of(level_of(0.1, 2.0, 0.1), [18], [100])[0]
    assert found == pytest.approx(stats.nbinom.sf(17, n, n / (n + expected)), rel=1e-3)


def test_a_dispersion_known_from_few_periods_widens_the_limit_like_students_t():
    # Of many events the count is normal, and its variance known from nine periods only: Student's t with 8 degrees.
    few = chance_of(level_of(100.0, 4.0, periods=9), [10_000 + 2 * 200], [100])[0]
    assert few == pytest.approx(stats.t.sf(2, 8), rel=0.1)
    assert few > 1.5 * stats.norm.sf(2)
    assert upper_limit(level_of(100.0, 4.0, periods=9), [100]) > upper_limit(level_of(100.0, 4.0), [100])


def test_false_shares_of_benjamini_and_hochberg():
    # Benjamini and Hochberg 1995 (JRSS B 57:289), section 3.2: of 15 hypotheses four are rejected at q = 0.05.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459,
         0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]  # fmt: skip
    assert (false_share(p) <= 0.05).sum() == 4
    assert false_share([np.nan, 0.01]).tolist()[1] == pytest.approx(0.01)
    assert np.isnan(false_share([np.nan])).all()


def test_the_onset_is_where_the_run_begins():
    assert onset([5, 5, 5, 5, 12, 11, 13], [5] * 7) == 4
    assert onset([5, 5, 5, 5, 5, 5, 13], [5] * 7) == 6
    assert onset([3, 3, 3], [5] * 3) == 2


def test_too_little_gives_no_number():
    assert np.isnan(past_level([[3, 0]], [[10, 0]]).rate).all()
    level = past_level([[0, 0, 0]], [[10, 10, 10]])
    assert np.isnan(chance_of(level, [0], [0])).all()
    assert np.isnan(upper_limit(level, [0])).all()


@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=30),
    st.floats(0.1, 1e4),
    st.integers(0, 100),
    st.floats(0.1, 1e4),
)
def test_any_counts_give_a_probability(counts, exposure, observed, now):
    level = past_level([counts], [[exposure] * len(counts)])
    assert 0 <= chance_of(level, [observed], [now])[0] <= 1 + 1e-9
    limit = upper_limit(level, [now])
    assert chance_of(level, limit + 1, [now])[0] <= 0.025
    assert limit[0] == 0 or chance_of(level, limit, [now])[0] > 0.025
    assert level.factor[0] >= 1
