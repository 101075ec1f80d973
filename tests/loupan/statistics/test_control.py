"""Control limits and rules against published examples, closed formulas, and chance itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from loupan.statistics.control import (
    FEWEST,
    RUN,
    Kind,
    Limits,
    Refusal,
    Rule,
    Signal,
    individuals,
    proportions,
    rates,
    signals,
)

# Montgomery, Introduction to Statistical Quality Control, 7th ed. (2013): example 6.5, cost of processing a loan.
LOANS = [310, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306, 301, 304]
# Example 7.1: cans of orange juice concentrate that leak, in 30 samples of 50.
CANS = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]
# Section 7.3, dyed cloth: defects, and inspection units of 50 m²; the ten rolls twice, for limits want a dozen points.
DEFECTS = 2 * [14, 12, 20, 11, 7, 10, 21, 16, 19, 23]
ROLLS = 2 * [10, 8, 13, 10, 9.5, 10, 12, 10.5, 12, 12.5]
# Mohammed, Panesar, Laney and Wilson 2013, BMJ Quality & Safety 22:362: emergency attendances in England in 20 weeks,
# and how many of them were seen within four hours.
SEEN = [266501, 264225, 276532, 281461, 269071, 261215, 270409, 279778, 270483, 270320, 267923, 271478, 255353, 256820]
SEEN += [261835, 259144, 255910, 260863, 264465, 260989]
ATTENDED = [280443, 276823, 291681, 296155, 282343, 275888, 283867, 295251, 284468, 282529, 279618, 283932, 266629]
ATTENDED += [268091, 276803, 271578, 266005, 273520, 278574, 273772]


def every(values):
    return np.ones(len(values), bool)


def standard(number, *, is_correlated=False):
    """Limits of standard normal values."""
    ends = np.full(number, 3.0)
    return Limits(Kind.INDIVIDUALS, 0.0, ends / 3, -ends, ends, 24, 1.0, 0.0, False, is_correlated)


def test_the_limits_of_individuals_are_the_published_ones():
    limits = individuals(LOANS, every(LOANS))
    assert limits.centre == 300.5
    assert (limits.lower[0], limits.upper[0]) == pytest.approx((279.78, 321.22), abs=0.01)
    assert signals(LOANS, limits) == []


def test_the_limits_of_proportions_are_the_published_ones():
    limits = proportions(CANS, np.full(30, 50), every(CANS))
    assert limits.centre == pytest.approx(0.2313, abs=5e-5)
    # These cans vary by more than sampling (samples 15 and 23 have causes of their own), so the sigma is compared.
    assert limits.centre + 3 * limits.sigma[0] == pytest.approx(0.4102, abs=1e-4)
    assert limits.centre - 3 * limits.sigma[0] == pytest.approx(0.0524, abs=1e-4)
    assert limits.is_dispersed


def test_the_limits_of_rates_are_the_published_ones():
    limits = rates(DEFECTS, ROLLS, every(ROLLS))
    assert limits.centre == pytest.approx(1.42, abs=5e-3)
    # Published for ten units.
    assert limits.centre + 3 * limits.sigma[0] == pytest.approx(2.55, abs=0.01)
    assert limits.centre - 3 * limits.sigma[0] == pytest.approx(0.29, abs=0.01)
    # Ours stand where a Poisson count has the probability of three standard deviations: 27 defects, not 25.5.
    assert limits.upper[0] == stats.poisson.ppf(stats.norm.cdf(3), 10 * limits.centre) / 10 == 2.7
    assert signals(np.divide(DEFECTS, ROLLS), limits) == []


def test_large_samples_cry_wolf_without_laneys_correction_and_not_with_it():
    limits = proportions(SEEN, ATTENDED, every(SEEN))
    share = np.divide(SEEN, ATTENDED)
    z = (share - limits.centre) / limits.sigma
    assert (np.abs(z) > 3).sum() >= 15, "the plain p chart has most weeks beyond its limits"
    assert limits.is_dispersed
    assert limits.dispersion == pytest.approx(np.abs(np.diff(z)).mean() / 1.128)
    assert limits.upper == pytest.approx(limits.centre + 3 * limits.sigma * limits.dispersion)
    assert not [s for s in signals(share, limits) if s.rule == Rule.BEYOND]
    # As the authors find, the individuals chart of the percentages is nearly the same.
    plain = individuals(share, every(SEEN))
    assert limits.upper == pytest.approx(plain.upper, abs=5e-4)


def test_without_excess_variation_limits_are_exact_quantiles():
    rng = np.random.default_rng(4)
    cases = rng.integers(60, 140, 24)
    limits = proportions(rng.binomial(cases, 0.1), cases, every(cases))
    assert not limits.is_dispersed
    for n, low, high in zip(cases, limits.lower, limits.upper, strict=True):
        assert stats.binom.cdf(round(low * n) - 1, n, limits.centre) < 0.00135
        assert stats.binom.sf(round(high * n), n, limits.centre) <= 0.00135


def test_a_change_is_not_part_of_the_centre_it_is_measured_against():
    values = np.r_[np.tile([9.0, 11.0], 12), np.tile([19.0, 21.0], 3)]
    before = np.arange(30) < 24
    limits = individuals(values, before)
    assert limits.centre == 10
    assert [s.start for s in signals(values, limits) if s.rule == Rule.BEYOND] == list(range(24, 30))
    # Of 29 moving ranges, one feels the change.
    assert limits.sigma[0] == pytest.approx((28 * 2 + 8) / 29 / 1.128)


def test_false_alarms_come_as_seldom_as_a_markov_chain_says():
    """One beyond and eight in a row: 152.73 points on average (Champ and Woodall 1987, Technometrics 29:393)."""
    inside = stats.norm.cdf(3) - stats.norm.cdf(-3)
    step = np.zeros((RUN, RUN))
    # State 0 is the start, state k that of k points in a row on one side; the eighth ends it.
    step[0, 1] = inside
    for k in range(1, RUN):
        step[k, 1] += inside / 2
        if k + 1 < RUN:
            step[k, k + 1] += inside / 2
    expected = np.linalg.solve(np.eye(RUN) - step, np.ones(RUN))[0]
    assert expected == pytest.approx(152.73, abs=0.005)
    rng, length = np.random.default_rng(3), 3000
    limits = standard(length)
    found = [signals(rng.standard_normal(length), limits) for _ in range(400)]
    firsts = [min(s.start + RUN - 1 if s.rule == Rule.RUN else s.start for s in series) + 1 for series in found]
    assert np.mean(firsts) == pytest.approx(expected, abs=4 * np.std(firsts) / 20)


def test_a_run_is_broken_by_the_other_side_and_by_what_is_not_judged_but_not_by_the_centre():
    limits = standard(20)
    up = [1.0] * 20
    assert signals([*up[:7], -1, *up[:7]], standard(15)) == []
    assert signals([*up[:7], np.nan, *up[:7]], standard(15)) == []
    assert signals([*up[:4], 0.0, *up[:4]], standard(9)) == [Signal(Rule.RUN, 0, 8, True)]
    assert signals([-value for value in up], limits) == [Signal(Rule.RUN, 0, 19, False)]
    assert signals(up, standard(20, is_correlated=True)) == []


def test_rising_rows_are_signals_only_where_asked_for():
    values = [-1.0, 0.5, -0.8, -0.6, -0.4, 0.2, 0.3, 0.4, -0.1]
    assert signals(values, standard(9)) == []
    assert signals(values, standard(9), is_trend_sought=True) == [Signal(Rule.TREND, 2, 7, True)]
    falling = signals([-value for value in values], standard(9), is_trend_sought=True)
    assert falling == [Signal(Rule.TREND, 2, 7, False)]
    assert signals([1.0, 1.1, 1.2, np.nan, 1.3, 1.4, 1.5], standard(7), is_trend_sought=True) == []


def test_neighbours_that_are_alike_widen_the_limits():
    """The moving ranges of an autoregressive series understate its deviation by √(1 − φ)."""
    rng = np.random.default_rng(5)
    x = np.zeros(4000)
    for t in range(1, len(x)):
        x[t] = 0.7 * x[t - 1] + rng.standard_normal()
    limits = individuals(x, every(x))
    assert limits.is_correlated
    assert limits.correlation == pytest.approx(0.7, abs=0.05)
    assert limits.upper[0] - limits.centre == pytest.approx(3 / np.sqrt(1 - 0.7**2), rel=0.06)
    assert np.mean([s.rule == Rule.BEYOND for s in signals(x, limits)] or [True]) == 1
    assert not individuals(rng.standard_normal(4000), every(x)).is_correlated


def test_the_bound_of_dispersion_holds_its_level():
    rng = np.random.default_rng(6)
    exposure = rng.uniform(80, 160, 24)
    found = [rates(rng.poisson(0.3 * exposure), exposure, every(exposure)).is_dispersed for _ in range(1500)]
    assert np.mean(found) == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("number", [0, 1, FEWEST - 1])
def test_few_points_have_no_limits(number):
    assert individuals(np.arange(number), every(range(number))) == Refusal.FEW_POINTS
    assert proportions(np.full(number, 20), np.full(number, 50), every(range(number))) == Refusal.FEW_POINTS
    assert rates(np.full(number, 20), np.full(number, 50), every(range(number))) == Refusal.FEW_POINTS


def test_what_says_too_little_has_no_limits():
    many = np.full(24, 100)
    assert individuals(np.full(24, 7.0), every(many)) == Refusal.CONSTANT
    assert individuals(np.arange(24) % 2, every(many), is_count=True) == Refusal.FEW_CASES
    assert rates(np.zeros(24), many, every(many)) == Refusal.FEW_CASES
    assert proportions(many, many, every(many)) == Refusal.FEW_CASES
    # Every second month is unknown: nothing has a neighbour.
    gaps = np.where(np.arange(40) % 2, np.nan, np.arange(40.0))
    assert individuals(gaps, every(gaps)) == Refusal.FEW_POINTS


NUMBERS = st.lists(
    st.one_of(st.just(float("nan")), st.integers(0, 10**6).map(float), st.floats(-1e9, 1e9)), min_size=0, max_size=60
)


@settings(max_examples=200, deadline=None)
@given(NUMBERS, st.data())
def test_any_numbers_give_limits_or_a_refusal(values, data):
    count = len(values)
    baseline = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    cases = data.draw(st.lists(st.integers(0, 10**5), min_size=count, max_size=count))
    events = [data.draw(st.integers(0, n)) for n in cases]
    share = np.divide(events, cases, out=np.full(count, np.nan), where=np.array(cases, float) > 0)
    charts = (
        (values, individuals(values, baseline)),
        (share, proportions(events, cases, baseline)),
        (share, rates(events, cases, baseline)),
    )
    for course, limits in charts:
        if isinstance(limits, Refusal):
            continue
        assert np.isfinite(limits.centre)
        known = np.isfinite(limits.upper)
        assert (limits.lower[known] <= limits.centre + 1e-9 * abs(limits.centre)).all()
        assert (limits.upper[known] >= limits.centre - 1e-9 * abs(limits.centre)).all()
        for signal in signals(course, limits, is_trend_sought=True):
            assert 0 <= signal.start <= signal.end < count
