"""Removal effects and credits against their definitions and a published example; their errors against simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loupan.statistics.removal import Journeys, counted, credits, removal_effects, spread, transitions
from tests.reference.attribution import divided
from tests.reference.attribution import removal_effects as by_definition

# Bryl (2016), Marketing multi-channel attribution model with R, part 1: Markov chains concept.
BRYL = [([0, 1, 2], True), ([0], False), ([1, 2], False)]

paths = st.lists(
    st.tuples(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.booleans()), min_size=1, max_size=12
).filter(lambda found: any(sold for _, sold in found))


def journeys(found, groups=20):
    return Journeys(
        path=np.repeat(np.arange(len(found)), [len(path) for path, _ in found]),
        channel=np.concatenate([path for path, _ in found]),
        is_sold=np.array([sold for _, sold in found]),
        group=np.arange(len(found)) % groups,
        channels=5,
    )


def test_the_published_example():
    effects = removal_effects(transitions(journeys(BRYL), 20).sum(axis=0))
    assert effects[:3] == pytest.approx([0.5, 1, 1])
    assert credits(journeys(BRYL), effects).sum(axis=0)[:3] == pytest.approx([0.2, 0.4, 0.4])


@given(paths)
@settings(max_examples=60)
def test_effects_and_credits_are_those_of_the_definition(found):
    there = journeys(found)
    effects = removal_effects(transitions(there, 20).sum(axis=0))
    expected = by_definition([p for p, sold in found if sold], [p for p, sold in found if not sold])
    for channel, effect in expected.items():
        assert effects[channel] == pytest.approx(effect, abs=1e-9)
    given_out = np.zeros(5)
    for path, sold in found:
        if sold:
            np.add.at(given_out, path, divided(path, expected))
    result = spread(counted(there))
    assert result.credit == pytest.approx(given_out, abs=1e-9)
    assert np.isfinite(result.weight_error).all()


def test_the_error_of_the_weights_is_found():
    """The spread of credits over samples is that of sums with fixed weights and that of the weights together."""
    random = np.random.default_rng(3)
    totals, errors = [], []
    for _ in range(150):
        lengths = 1 + random.poisson(1.0, 600)
        found = journeys(
            [
                (path.tolist(), bool(random.random() < 0.1 + 0.1 * (0 in path)))
                for path in np.split(random.integers(0, 5, lengths.sum()), np.cumsum(lengths)[:-1])
            ]
        )
        result = spread(counted(found))
        fixed = credits(found, result.effects)
        totals.append(result.credit)
        errors.append(result.weight_error**2 + len(fixed) * fixed.var(axis=0))
    assert np.mean(errors, axis=0) == pytest.approx(np.var(totals, axis=0), rel=0.3)
