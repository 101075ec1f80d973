"""Paces of sale against closed formulas and a published example."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from loupan.statistics import sell_through as s


def pace(kind, shape, rate):
    return s.Pace(kind, np.array([shape]), np.array([rate]), np.array([shape / rate]))


def test_asthma_mortality():
    """Gelman et al. (2013), section 2.6, prior Gamma(3, 5): 3 deaths in 2 give Gamma(6, 7), 30 in 20 Gamma(33, 25)."""
    assert s.updated(np.array(3.0), np.array(2.0), np.array(0.6), 3.0) == pytest.approx((6, 7))
    assert s.updated(np.array(30.0), np.array(20.0), np.array(0.6), 3.0) == pytest.approx((33, 25))


def test_times_on_offer_by_month():
    month = s.MONTH_DAYS
    found = s.history([0, 0, 1], [2.5 * month, month, 3 * month], [0.5 * month, np.nan, np.nan], [0, 0], 3, 2)
    assert found.on_offer == pytest.approx(np.array([[0.5, 1, 1.5], [1, 1, 1]]))
    assert found.sold.tolist() == [[0, 0, 1], [0, 0, 0]]
    assert found.stock.tolist() == [[1, 2, 1], [1, 1, 1]]
    # After the first month its one unit was sold in the second month; of the last nothing is known yet.
    assert found.sold_later[0, 0].tolist() == [0, 1]
    assert np.isnan(found.sold_later[0, 2]).all()
    assert found.sold_later[0, 1, 0] == 1


def test_sales_of_a_large_stock_are_negative_binomial():
    chances = s.sold_distribution(pace("per_month", 5.0, 2.0), [400], 6)
    exact = stats.nbinom.pmf(np.arange(401), 5, 2 / (2 + 6))
    assert s.expected(chances)[0] == pytest.approx(15, rel=0.01)
    assert np.abs(chances[0] - exact).max() < 0.003


def test_units_that_sell_each_by_itself():
    chances = s.sold_distribution(pace("per_unit", 6.0, 120.0), [50], 12)
    # E(1 − e^(−12λ)) of a gamma is 1 − (b/(b+12))^a.
    assert s.expected(chances)[0] == pytest.approx(50 * (1 - (120 / 132) ** 6), rel=0.01)
    assert chances.sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["per_unit", "per_month"])
def test_no_more_is_sold_than_there_is(kind):
    chances = s.sold_distribution(pace(kind, 50.0, 1.0), [3], 12)
    assert chances.tolist() == [pytest.approx([0, 0, 0, 1], abs=1e-6)]
    low, high = s.bounds(chances, 0.95)
    assert (low[0], high[0]) == (3, 3)
    assert s.sold_distribution(pace(kind, 5.0, 1.0), [0], 12).tolist() == [[1]]


@given(
    st.sampled_from(["per_unit", "per_month"]),
    st.lists(st.tuples(st.floats(0.2, 80), st.floats(0.5, 500), st.integers(0, 90)), min_size=1, max_size=6),
    st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_the_mean_and_the_chances_are_those_of_the_distributions_of_scipy(kind, cells, months):
    shape, rate, stock = (np.array(column) for column in zip(*cells, strict=True))
    paces = s.Pace(kind, shape, rate, shape / rate)
    chances = s.sold_distribution(paces, stock, months, 0.8)
    assert s.expected_sales(paces, stock, months, 0.8) == pytest.approx(s.expected(chances), abs=1e-8)
    values = stats.gamma.ppf((np.arange(40) + 0.5) / 40, shape[:, None], scale=0.8 / rate[:, None]) * months
    for own, mean, units in zip(chances, values, stock, strict=True):
        numbers = np.arange(units + 1)
        if kind == "per_unit":
            exact = stats.binom.pmf(numbers[:, None], units, -np.expm1(-mean)).mean(axis=1)
        else:
            exact = stats.poisson.pmf(numbers[:, None], mean).mean(axis=1)
            exact[-1] = 1 - exact[:-1].sum()
        assert own[: units + 1] == pytest.approx(exact, abs=1e-9)
        assert not own[units + 1 :].any()


def test_of_many_types_some_say_which_setting_foretells_best(monkeypatch):
    monkeypatch.setattr(s, "MOST_ASKED", 5)
    assert np.flatnonzero(s._asked(21)).tolist() == [0, 5, 10, 15, 20]
    assert s._asked(4).all()


def test_bounds_are_quantiles():
    chances = stats.binom.pmf(np.arange(31), 30, 0.4)[None]
    low, high = s.bounds(chances, 0.9)
    assert (low[0], high[0]) == stats.binom.interval(0.9, 30, 0.4)


def test_a_type_that_stands_out_is_the_one_the_exact_test_finds():
    sold, time, project = np.array([4.0, 30, 33, 29]), np.array([400.0, 400, 400, 400]), np.zeros(4, int)
    assert s.stands_out(sold, time, project).tolist() == [-1, 0, 0, 0]
    assert stats.binomtest(4, 96, 0.25, alternative="less").pvalue < 0.001
    assert s.stands_out([9.0, 11], [400.0, 400], [0, 0]).tolist() == [0, 0]
    assert s.stands_out([], [], []).tolist() == []
    # Alone in its project there is nothing to compare with.
    assert s.stands_out([50.0], [10.0], [0]).tolist() == [0]


def planted(pace_of, project, seed=0):
    rng = np.random.default_rng(seed)
    cell = np.repeat(np.arange(len(pace_of)), 200)
    begin = np.full(len(cell), 24.0)
    end = begin - rng.exponential(1 / np.asarray(pace_of)[cell])
    return s.history(cell, begin * s.MONTH_DAYS, np.where(end > 0, end, np.nan) * s.MONTH_DAYS, project, 24, 12)


def test_planted_paces_are_found_and_few_sales_borrow_from_the_project():
    past = planted([0.03, 0.06], [0, 1])
    setting = s.Setting("per_unit", 18.0, 4.0, np.inf)
    found = s.pace_at(past, 23, setting)
    low, high = found.interval()
    assert (low < [0.03, 0.06]).all()
    assert (high > [0.03, 0.06]).all()
    unsold = replace(past, sold=past.sold * [[1], [0]], project=np.array([0, 0]))
    assert 0 < s.pace_at(unsold, 23, setting).mean[1] < s.pace_at(unsold, 23, setting).project_mean[1]


def test_units_that_sell_each_by_itself_are_told_from_scarce_buyers():
    assert s.best_setting(planted([0.12, 0.1, 0.11], [0, 0, 0]), 24, 6).kind == "per_unit"
    # Five a month of each type, however many are left.
    cell = np.repeat(np.arange(6), 150)
    order = np.tile(np.arange(150), 6)
    end = 24 - order / 5
    past = s.history(
        cell, np.full(900, 24 * s.MONTH_DAYS), np.where(end > 0, end, np.nan) * s.MONTH_DAYS, [0] * 6, 24, 12
    )
    assert s.best_setting(past, 24, 6).kind == "per_month"


def test_what_comes_later_does_not_change_a_pace():
    past = planted([0.05, 0.08], [0, 0])
    later = replace(past, sold=past.sold.copy(), sold_later=past.sold_later.copy())
    later.sold[:, 18:] *= 5
    later.sold_later[:, 12:] = 0
    # What six months brought is known of the first twelve months only.
    assert s.best_setting(later, 18, 6) == s.best_setting(past, 18, 6)
    setting = s.Setting("per_unit", 6.0, 4.0, 15.0)
    assert s.pace_at(later, 17, setting).mean.tolist() == s.pace_at(past, 17, setting).mean.tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 900), st.integers(0, 900) | st.none()), max_size=20))
@settings(max_examples=40, deadline=None)
def test_whatever_is_recorded(rows):
    cell = [row[0] for row in rows]
    begin = [float(row[1]) for row in rows]
    end = [np.nan if row[2] is None else float(min(row[1], row[2])) for row in rows]
    past = s.history(cell, begin, end, [0, 0, 1, 1], 24, 12)
    found = s.pace_at(past, 23, s.best_setting(past, 24, 6))
    chances = s.sold_distribution(found, past.stock[:, -1], 12)
    assert chances.sum(axis=1) == pytest.approx(1)
    low, high = s.bounds(chances, 0.95)
    assert (low <= high).all()
    assert (high <= past.stock[:, -1]).all()
