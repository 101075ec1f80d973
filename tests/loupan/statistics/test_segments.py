"""Latent classes against their definition, a published example, and scikit-learn's measure of agreement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.metrics import adjusted_rand_score

from loupan.statistics.segments import UNKNOWN, candidates, chosen, fit_classes, jaccard, stability

# Goodman 1974, table 1: answers of 216 people to four questions on role conflict (Stouffer and Toby 1951). The model of
# two classes has a likelihood-ratio chi-square of 2.72 on 6 degrees of freedom.
CONFLICT = {
    "1111": 42, "1112": 23, "1121": 6, "1122": 25, "1211": 6, "1212": 24, "1221": 7, "1222": 38,
    "2111": 1, "2112": 4, "2121": 1, "2122": 6, "2211": 2, "2212": 9, "2221": 2, "2222": 20,
}  # fmt: skip


def planted(seed, cases=1500, sharpness=0.8, items=8, size=3, groups=3, unknown=0.0):
    """Cases of classes in which each item mostly takes the class's own category; with their classes."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, groups, cases)
    own = rng.random((cases, items)) < sharpness
    codes = np.where(own, (truth[:, None] + np.arange(items)) % size, rng.integers(0, size, (cases, items)))
    codes[rng.random(codes.shape) < unknown] = UNKNOWN
    return codes, [size] * items, truth


def test_the_classes_of_goodmans_example():
    codes = np.array([[int(c) - 1 for c in cell] for cell, n in CONFLICT.items() for _ in range(n)])
    found = fit_classes(codes, [2] * 4, 2, np.random.default_rng(1), starts=20, rounds=5_000)
    counts = np.array(list(CONFLICT.values()), float)
    cells = np.array([[int(c) - 1 for c in cell] for cell in CONFLICT])
    chosen_ = np.hstack([(cells[:, [i]] == np.arange(2)).astype(float) for i in range(4)])
    expected = 216 * np.exp(logsumexp(chosen_ @ np.log(found.chances).T + np.log(found.share), axis=1))
    deviance = 2 * (counts * np.log(counts / expected)).sum()
    # Goodman's is 2.72; half a case of prior knowledge keeps this fit a little off the most likely one.
    assert 2.71 <= deviance < 3.4
    assert sorted(found.share) == pytest.approx([0.28, 0.72], abs=0.05)


def test_planted_classes_come_back_and_agree_with_sklearn():
    codes, sizes, truth = planted(1)
    found = fit_classes(codes, sizes, 3, np.random.default_rng(2))
    assert adjusted_rand_score(truth, found.assigned(codes)) > 0.95
    assert found.memberships(codes).sum(axis=1) == pytest.approx(1)


def test_the_likelihood_is_that_of_the_definition():
    codes, sizes, _ = planted(3, cases=40, unknown=0.3)
    found = fit_classes(codes, sizes, 2, np.random.default_rng(1), rounds=5)
    edges = np.cumsum([0, *sizes])
    total = 0.0
    for case in codes:
        chance = 0.0
        for k, share in enumerate(found.share):
            known = [edges[item] + code for item, code in enumerate(case) if code != UNKNOWN]
            chance += share * np.prod(found.chances[k, known])
        total += np.log(chance)
    assert found.fit == pytest.approx(total)
    assert found.bic == pytest.approx(-2 * total + (1 + 2 * 16) * np.log(40))


def test_jaccard_by_hand():
    # Class 0 shares two of four cases with class 1 of the other division, class 1 two of three with class 0.
    assert jaccard([0, 0, 0, 1, 1], [1, 1, 0, 0, 0], 2) == pytest.approx([2 / 3, 2 / 3])
    assert jaccard([0, 0, 1, 1], [0, 0, 0, 0], 2) == pytest.approx([0.5, 0.5])


def test_stable_classes_are_found_and_noise_is_not():
    codes, sizes, _ = planted(5, cases=800)
    taken = chosen(candidates(codes, sizes, 5, np.random.default_rng(1), draws=8))
    assert taken is not None
    assert len(taken.classes.share) == 3
    noise, sizes, _ = planted(6, cases=800, sharpness=0.0)
    assert chosen(candidates(noise, sizes, 5, np.random.default_rng(1), draws=8)) is None


def test_too_many_classes_are_not_stable():
    codes, sizes, _ = planted(7, cases=800, groups=2)
    whole = fit_classes(codes, sizes, 5, np.random.default_rng(1))
    assert stability(codes, sizes, whole, np.random.default_rng(2), draws=8).min() < 0.75


def test_no_case_is_refused():
    with pytest.raises(ValueError, match="no case"):
        fit_classes(np.empty((0, 2), int), [2, 2], 2, np.random.default_rng(1))


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_any_cases_give_shares(cases, classes, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 3, (cases, 4))
    found = fit_classes(codes, [3] * 4, classes, rng, starts=2, rounds=20)
    assert found.share.sum() == pytest.approx(1)
    assert np.isfinite(found.fit)
    assert np.isfinite(found.memberships(codes)).all()
