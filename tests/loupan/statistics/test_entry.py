import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from loupan.statistics.entry import compared, discoveries, excess, heaping, shift
from tests.validation.study_data_entry_quality import _counts

# Admissions to Berkeley in 1973 by department: men admitted, men refused, women admitted, women refused
# (Bickel, Hammel and O'Connell 1975, Science 187:398; as in R's UCBAdmissions).
BERKELEY = np.array(
    [
        (512, 313, 89, 19), (353, 207, 17, 8), (120, 205, 202, 391),
        (138, 279, 131, 244), (53, 138, 94, 299), (22, 351, 24, 317),
    ]
)  # fmt: skip


def test_the_tea_tasting_lady():
    # Fisher 1935, The Design of Experiments: three of four cups right happen by chance in 17 of 70 cases.
    assert excess([3], [4], [4], [8])[2] == pytest.approx(17 / 70)
    assert excess([4], [4], [4], [8])[2] == pytest.approx(1 / 70)


def test_strata_are_put_together_as_mantel_and_haenszel_do():
    from statsmodels.stats.contingency_tables import StratifiedTable

    admitted, refused, women, women_refused = BERKELEY.T
    expected, variance, p = excess(admitted, admitted + refused, admitted + women, BERKELEY.sum(axis=1))
    tables = StratifiedTable([np.array(row).reshape(2, 2) for row in BERKELEY.tolist()])
    square = (admitted.sum() - expected) ** 2 / variance
    assert square == pytest.approx(tables.test_null_odds(correction=False).statistic)
    # Fewer men are admitted than expected: no excess.
    assert p > 0.5
    women_p = excess(women, women + women_refused, admitted + women, BERKELEY.sum(axis=1))[2]
    assert women_p == pytest.approx(tables.test_null_odds(correction=True).pvalue / 2)


def test_one_stratum_is_the_exact_test_of_fisher():
    for x, n, k, total in ((5, 20, 9, 100), (0, 20, 9, 100), (9, 40, 9, 100), (3, 3, 99, 100)):
        table = [[x, n - x], [k - x, total - n - k + x]]
        assert excess([x], [n], [k], [total])[2] == pytest.approx(stats.fisher_exact(table, "greater").pvalue)


def test_several_strata_are_exact_as_well():
    rng = np.random.default_rng(1)
    own, marked, total = np.array([30, 12, 5]), np.array([20, 9, 4]), np.array([200, 60, 30])
    drawn = sum(rng.hypergeometric(k, t - k, n, 200_000) for n, k, t in zip(own, marked, total, strict=True))
    found = excess([6, 3, 1], own, marked, total)[2]
    assert found == pytest.approx(float((drawn >= 10).mean()), abs=0.002)


def test_discoveries_of_the_published_example():
    # Benjamini and Hochberg 1995, section 4: fifteen p-values, of which four are discoveries at 5 %.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.324,
        0.4262,
        0.5719,
        0.6528,
        0.759,
        1,
    ]
    assert discoveries(p).tolist() == [True] * 4 + [False] * 11
    assert discoveries([*p[::-1], np.nan]).sum() == 4
    assert discoveries([]).tolist() == []


def test_whipples_index():
    # 100 where no digit is preferred, 500 where all ages end on 0 or 5 (Shryock and Siegel 1976).
    assert heaping(np.arange(23, 63), 5, (0,)).index == pytest.approx(100)
    assert heaping(np.full(40, 30), 5, (0,)).index == pytest.approx(500)
    minutes = np.array([0] * 12 + [30] * 9 + [17] * 100 + [np.nan] * 3)
    found = heaping(minutes, 60, (0, 30))
    assert found.values == 121
    assert found.p_value == pytest.approx(stats.binomtest(21, 121, 2 / 60, "greater").pvalue)
    assert heaping([], 60, (0,)).values == 0


def test_a_shift_without_restless_months_is_a_test_of_two_proportions():
    from statsmodels.stats.proportion import proportions_ztest

    expected = np.full(15, 100.0)
    filled = np.array([80.0] * 12 + [70, 72, 74])
    found = shift(filled, expected, 3)
    assert (found.before, found.late) == pytest.approx((0.8, 0.72))
    assert found.p_value == pytest.approx(proportions_ztest([216, 960], [300, 1200])[1])
    restless = shift(np.array([65.0, 95] * 6 + [70, 72, 74]), expected, 3)
    assert restless.p_value > found.p_value
    assert np.isnan(shift([1.0], [1.0], 3).p_value)


def test_who_is_alone_is_not_compared():
    alone = pd.DataFrame({"person": [1, 2], "stratum": ["a", "b"], "own": [100, 100], "marked": [50, 0]})
    assert compared(alone).empty
    together = alone.assign(stratum="a")
    found = compared(together).set_index("person")
    assert found.loc[1, "p_value"] < 1e-10
    assert found.loc[1, "expected"] == pytest.approx(0.25)
    assert compared(alone.head(0)).empty


def test_the_order_of_rows_changes_nothing():
    counts = _counts(np.random.default_rng(3))
    pd.testing.assert_frame_equal(compared(counts), compared(counts.sample(frac=1, random_state=1)))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 300), st.floats(0, 1)), min_size=1, max_size=12
    )
)
def test_any_counts_give_probabilities(rows):
    frame = pd.DataFrame(rows, columns=["person", "stratum", "own", "share"])
    frame["marked"] = (frame["own"] * frame["share"]).round().astype(int)
    counts = frame.groupby(["person", "stratum"], as_index=False)[["own", "marked"]].sum()
    found = compared(counts)
    assert found["p_value"].between(0, 1).all()
    assert (found["own"] >= 30).all()
