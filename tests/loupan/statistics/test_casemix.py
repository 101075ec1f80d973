import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from loupan.statistics.casemix import _concordance, adjust, calibration, ratio_limits, shares
from loupan.statistics.intervals import poisson_exact, wilson


def cells_of(rows, inputs=()):
    return pd.DataFrame(rows, columns=["unit", *inputs, "observed", "exposure"])


# Two units of the same worth, one of which is handed the hard cases: 40 % of easy ones and 10 % of hard ones come off.
SAME = cells_of(
    [("A", "easy", 320, 800), ("A", "hard", 20, 200), ("B", "easy", 80, 200), ("B", "hard", 80, 800)], ("source",)
)


def test_units_of_equal_worth_are_equal_once_their_mix_is_taken_out():
    crude = adjust(SAME, (), is_proportion=True)
    found = adjust(SAME, ("source",), is_proportion=True)
    assert crude.rate[0] == pytest.approx(0.34, abs=1e-3)
    assert crude.rate[1] == pytest.approx(0.16, abs=1e-3)
    assert found.ratio == pytest.approx([1, 1], abs=0.01)
    assert found.rate == pytest.approx([0.25, 0.25], abs=0.005)
    assert found.mix[0, 0] > 0.5 > -0.5 > found.mix[1, 0]


def test_expectations_add_up_to_what_was_observed():
    for is_proportion in (True, False):
        found = adjust(SAME, ("source",), is_proportion=is_proportion)
        assert found.expected.sum() == pytest.approx(found.observed.sum())


def test_without_inputs_the_intervals_are_those_of_the_crude_rates():
    rows = [("A", 12, 80), ("B", 30, 120), ("C", 4, 60)]
    proportions = adjust(cells_of(rows), (), is_proportion=True)
    x, n = np.array([12, 30, 4]), np.array([80, 120, 60])
    low, high = wilson(x, n)
    assert proportions.rate == pytest.approx(x / n, abs=1e-6)
    assert proportions.rate_low == pytest.approx(low, abs=1e-6)
    assert proportions.rate_high == pytest.approx(high, abs=1e-6)
    rates = adjust(cells_of(rows), (), is_proportion=False)
    low, high = poisson_exact(x, n)
    assert rates.rate == pytest.approx(x / n)
    assert rates.rate_low == pytest.approx(low)
    assert rates.rate_high == pytest.approx(high)


def test_indirect_standardisation_agrees_with_the_textbook_where_units_are_many():
    # With many units alike, what is expected is the common rate of each level times the cases of it.
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"unit": rng.integers(0, 60, 30_000), "level": rng.integers(0, 3, 30_000)})
    frame["observed"] = rng.random(30_000) < np.array([0.1, 0.2, 0.4])[frame["level"]]
    cells = frame.groupby(["unit", "level"])["observed"].agg(observed="sum", exposure="size").reset_index()
    found = adjust(cells, ("level",), is_proportion=True)
    rate = frame.groupby("level")["observed"].mean()
    textbook = frame.assign(e=frame["level"].map(rate)).groupby(frame["unit"].astype(str))["e"].sum()
    assert found.expected == pytest.approx(textbook.loc[list(found.units)].to_numpy(), rel=0.02)


def test_nothing_and_everything_have_one_sided_intervals():
    found = adjust(cells_of([("A", 0, 40), ("B", 40, 40), ("C", 20, 40)]), (), is_proportion=True)
    assert found.rate == pytest.approx([0, 1, 0.5], abs=1e-6)
    assert found.rate_low[0] == 0
    assert found.rate_high[1] == 1
    assert 0 < found.rate_high[0] < 0.2
    assert 0.8 < found.rate_low[1] < 1


@pytest.mark.parametrize(
    "rows",
    [[], [("A", 5, 40)], [("A", 0, 40), ("B", 0, 40)], [("A", 40, 40), ("B", 40, 40)], [("A", 9, 0), ("B", 9, 0)]],
)
def test_too_little_is_not_compared(rows):
    assert adjust(cells_of(rows), (), is_proportion=True) is None
    assert calibration(cells_of(rows), (), is_proportion=True) is None


def test_a_missing_value_is_a_level_of_its_own():
    cells = SAME.assign(source=SAME["source"].where(SAME["source"] == "easy"))
    assert adjust(cells, ("source",), is_proportion=True).ratio == pytest.approx([1, 1], abs=0.01)


def test_events_without_exposure_are_the_units_all_the_same():
    cells = cells_of([("A", 6, 40), ("A", 2, 0), ("B", 5, 60), ("C", 9, 0)])
    found = adjust(cells, (), is_proportion=False)
    assert found.units == ("A", "B")
    assert found.observed.tolist() == [8, 5]
    assert found.expected == pytest.approx([13 * 0.4, 13 * 0.6])


def test_an_input_of_one_level_is_left_out():
    assert adjust(SAME.assign(project="one"), ("project", "source"), is_proportion=True).inputs == ("source",)


def test_the_expectation_is_checked_on_cases_left_out():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"unit": rng.integers(0, 9, 8000), "level": rng.integers(0, 5, 8000), "noise": rng.integers(0, 50, 8000)}
    )
    frame["observed"] = (rng.random(8000) < 0.1 + 0.1 * frame["level"]).astype(float)
    frame["exposure"] = 1.0
    found = calibration(frame, ("level", "noise"), is_proportion=True)
    low, high = wilson(found.events, found.exposure)
    assert np.mean((low <= found.expected) & (found.expected <= high)) >= 0.7
    assert found.exposure.sum() == 8000
    assert 0.6 < found.concordance < 0.7
    nothing = calibration(frame, ("noise",), is_proportion=True)
    assert nothing.concordance == pytest.approx(0.5, abs=0.03)


def test_concordance_is_the_area_under_the_curve():
    rng = np.random.default_rng(3)
    score, happened = rng.integers(0, 9, 400).astype(float), rng.random(400) < 0.3
    found = _concordance(score, happened.astype(float), 1.0 - happened)
    assert found == pytest.approx(roc_auc_score(happened, score))


def test_limits_of_the_ratio_hold_what_they_promise():
    rng = np.random.default_rng(4)
    expected = rng.uniform(15, 90, 40_000)
    for level, allowed in ((0.95, 0.055), (0.998, 0.004)):
        low, high = ratio_limits(expected, level, 1.0)
        ratio = rng.poisson(expected) / expected
        assert np.mean((ratio < low) | (ratio > high)) < allowed
    trials = rng.integers(50, 400, 40_000)
    low, high = ratio_limits(0.2 * trials, 0.95, 0.8)
    ratio = rng.binomial(trials, 0.2) / (0.2 * trials)
    assert np.mean((ratio < low) | (ratio > high)) == pytest.approx(0.05, abs=0.012)


class TestShares:
    """Contracts against an equal part of what was signed in the same project and month."""

    def test_equal_parts_are_expected(self):
        cells = pd.DataFrame(
            [("A", "p1", 6), ("B", "p1", 3), ("C", "p1", 0), ("A", "p2", 1), ("B", "p2", 3), ("C", "p3", 8)],
            columns=["unit", "pool", "observed"],
        )
        found = shares(cells)
        # C was alone in p3: that says nothing.
        assert found.observed.tolist() == [7, 6, 0]
        assert found.expected == pytest.approx([3 + 2, 3 + 2, 3])
        assert found.exposure.tolist() == [13, 13, 9]
        assert found.variance == pytest.approx([9 * 2 / 9 + 1, 3, 2])
        assert found.ratio_low[2] == 0
        assert found.ratio_low[0] < found.ratio[0] < found.ratio_high[0]

    def test_a_single_pool_gives_wilson_intervals(self):
        found = shares(pd.DataFrame({"unit": list("ABCD"), "pool": "p", "observed": [10.0, 20.0, 30.0, 40.0]}))
        low, high = wilson([10, 20, 30, 40], [100] * 4)
        assert found.ratio_low == pytest.approx(4 * low, abs=1e-6)
        assert found.ratio_high == pytest.approx(4 * high, abs=1e-6)

    def test_nobody_beside_whom_to_compare(self):
        assert shares(pd.DataFrame({"unit": ["A", "B"], "pool": ["p", "q"], "observed": [3, 4]})) is None
        assert shares(pd.DataFrame({"unit": [], "pool": [], "observed": []})) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ABCD"), st.sampled_from(["x", "y", None]), st.integers(0, 40), st.floats(0, 1)),
        max_size=25,
    ),
    st.booleans(),
)
def test_any_cells_give_intervals_around_the_estimate_or_nothing(rows, is_proportion):
    cells = cells_of([(u, i, round(share * n), n) for u, i, n, share in rows], ("source",))
    found = adjust(cells, ("source",), is_proportion=is_proportion)
    if found is None:
        return
    assert np.isfinite(found.ratio).all()
    assert (found.ratio_low <= found.ratio + 1e-6).all()
    assert (found.ratio <= found.ratio_high + 1e-6).all()
    assert (found.rate >= 0).all()
    if is_proportion:
        assert (found.rate_high <= 1 + 1e-9).all()
