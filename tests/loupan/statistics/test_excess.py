"""Counts beside expected ones, against statsmodels, exact distributions and simulations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from loupan.statistics.excess import false_discoveries, shrunken_ratio, stratified_excess, trend


def made(seed=0, n=4_000):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {"kind": random.choice(list("abc"), n), "group": random.choice(list("xyz"), n), "stratum": random.choice(5, n)}
    )


def test_expected_counts_and_variance_are_those_of_mantel_and_haenszel():
    frame = made()
    table = stratified_excess(frame["kind"], frame["group"], frame["stratum"])
    row = table[(table["group"] == "x") & (table["kind"] == "a")].iloc[0]
    tables = [pd.crosstab(part["group"] != "x", part["kind"] != "a").to_numpy() for _, part in frame.groupby("stratum")]
    test = StratifiedTable(tables).test_null_odds(correction=False)
    variance = (row["observed"] - row["expected"]) ** 2 / test.statistic
    assert row["p"] == pytest.approx(
        stats.norm.sf((row["observed"] - 0.5 - row["expected"]) / np.sqrt(variance)), rel=0.05
    )
    assert table["expected"].sum() == pytest.approx(table["observed"].sum()) == len(frame)


@pytest.mark.parametrize("observed", [3, 8, 12, 20])
def test_in_one_stratum_the_chance_is_nearly_the_exact_one(observed):
    """Fisher's exact test, one-sided: 400 cases, 60 of the kind, 40 in the group."""
    kind = ["k"] * 60 + ["o"] * 340
    group = ["g"] * observed + ["h"] * (60 - observed) + ["g"] * (40 - observed) + ["h"] * (300 + observed)
    table = stratified_excess(kind, group, [0] * 400).set_index(["group", "kind"])
    exact = stats.hypergeom.sf(observed - 1, 400, 60, 40)
    # The same order of magnitude as far out as nobody doubts, and close where it matters.
    assert np.log10(table.loc[("g", "k"), "p"]) == pytest.approx(np.log10(exact), abs=0.02 if exact > 1e-2 else 0.5)
    assert table.loc[("g", "k"), "expected"] == pytest.approx(6)


def test_what_strata_explain_is_no_excess():
    """Group and kind go together only because both go with the stratum."""
    random = np.random.default_rng(2)
    stratum = random.integers(0, 2, 6_000)
    group = np.where(random.random(6_000) < np.where(stratum, 0.8, 0.2), "g", "h")
    kind = np.where(random.random(6_000) < np.where(stratum, 0.5, 0.1), "k", "o")
    crude = stratified_excess(kind, group, np.zeros(6_000)).set_index(["group", "kind"])["p"]
    within = stratified_excess(kind, group, stratum).set_index(["group", "kind"])["p"]
    assert crude["g", "k"] < 1e-6
    assert within["g", "k"] > 0.01


def test_ratios_that_differ_by_chance_alone_are_drawn_to_one():
    random = np.random.default_rng(4)
    expected = random.uniform(5, 80, 300)
    mean, low, high = shrunken_ratio(random.poisson(expected), expected)
    assert np.abs(mean - 1).max() < 0.1
    assert (low <= 1).all()
    assert (high >= 1).all()


def test_a_few_large_ratios_stay_large_among_many_of_one():
    random = np.random.default_rng(5)
    expected = np.full(300, 50.0)
    truth = np.where(np.arange(300) < 4, 2.0, 1.0)
    mean, low, _ = shrunken_ratio(random.poisson(expected * truth), expected)
    assert (mean[:4] > 1.35).all()
    assert (low[:4] > 1).sum() >= 3
    assert np.abs(mean[4:] - 1).mean() < 0.05


def test_intervals_hold_ratios_drawn_as_assumed():
    random = np.random.default_rng(6)
    truth = np.where(random.random(4_000) < 0.5, 1.0, random.gamma(8, 1 / 8, 4_000))
    expected = random.uniform(5, 60, 4_000)
    _, low, high = shrunken_ratio(random.poisson(truth * expected), expected)
    assert ((low <= truth) & (truth <= high)).mean() == pytest.approx(0.95, abs=0.02)


def test_a_trend_is_that_of_cochran_and_armitage():
    """Squared z is N·r² of the line through all cases (Agresti 2013, Categorical Data Analysis, section 5.3.5)."""
    came, cases, at = np.array([8, 12, 20, 30]), np.array([50, 60, 55, 62]), np.arange(4)
    x = np.repeat(at, cases)
    y = np.concatenate([np.repeat([1, 0], [c, n - c]) for c, n in zip(came, cases, strict=True)])
    z, p = trend(came, cases, at)
    assert z**2 == pytest.approx(len(x) * np.corrcoef(x, y)[0, 1] ** 2)
    assert z > 0
    assert p == pytest.approx(stats.chi2.sf(z**2, 1))
    assert trend([0, 0], [5, 5], [0, 1]) == (0.0, 1.0)
    assert trend([], [], []) == (0.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_false_discoveries_are_those_of_benjamini_and_hochberg(p):
    assert false_discoveries(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_without_comparisons_there_is_nothing():
    assert len(false_discoveries([])) == 0
    assert [len(part) for part in shrunken_ratio([], [])] == [0, 0, 0]
    assert stratified_excess([], [], []).empty


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from("12")), min_size=1, max_size=40)
)
@settings(max_examples=80, deadline=None)
def test_any_cases_can_be_compared(rows):
    kind, group, stratum = zip(*rows, strict=True)
    table = stratified_excess(kind, group, stratum)
    assert table["observed"].sum() == len(rows)
    assert table["p"].between(0, 1).all()
    some = table[table["expected"] > 0]
    mean, low, high = shrunken_ratio(some["observed"], some["expected"])
    assert (np.isfinite(mean) & (low <= high)).all()
