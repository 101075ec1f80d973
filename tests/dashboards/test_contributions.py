"""The parts of a change add up to it, and each is what it is called."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dashboards.contributions import MIX, RATE, of_ratio, of_sum

COUNTS = st.dictionaries(st.sampled_from("ABCDE"), st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=5)


def terms(groups):
    """By group: of so many, so many."""
    frame = pd.DataFrame.from_dict(groups, orient="index", columns=["numerator", "denominator"])
    return frame.assign(numerator=frame[["numerator", "denominator"]].min(axis=1))


def ratio(frame):
    return frame["numerator"].sum() / frame["denominator"].sum()


def test_a_sum_is_taken_apart_by_group():
    parts = of_sum(pd.Series({"A": 5.0, "B": 2.0}), pd.Series({"B": 4.0, "C": 1.0}))
    assert parts.to_dict() == {"A": -5.0, "B": 2.0, "C": 1.0}


@given(COUNTS, COUNTS)
def test_parts_of_a_ratio_add_up_to_its_change(before, after):
    old, new = terms(before), terms(after)
    assume(old["denominator"].sum() > 0)
    assume(new["denominator"].sum() > 0)
    assert of_ratio(old, new, 100).to_numpy().sum() == pytest.approx(100 * (ratio(new) - ratio(old)), abs=1e-9)


def test_a_change_of_mix_alone_is_mix():
    before, after = terms({"A": (50, 100), "B": (10, 100)}), terms({"A": (75, 150), "B": (5, 50)})
    parts = of_ratio(before, after)
    assert parts[RATE].to_dict() == {"A": 0.0, "B": 0.0}
    # 30 % became 40 %: both because A weighs more and because B weighs less.
    assert parts[MIX].to_dict() == pytest.approx({"A": 0.0375, "B": 0.0625})


def test_a_change_of_rates_alone_is_rate():
    parts = of_ratio(terms({"A": (50, 100), "B": (10, 100)}), terms({"A": (60, 100), "B": (10, 100)}))
    assert parts[RATE].to_dict() == pytest.approx({"A": 0.05, "B": 0.0})
    assert parts[MIX].abs().sum() == 0


def test_a_group_that_came_anew_adds_by_its_weight_alone():
    parts = of_ratio(terms({"A": (10, 100)}), terms({"A": (10, 100), "B": (50, 100)}))
    assert parts.loc["B", RATE] == 0
    assert parts.to_numpy().sum() == pytest.approx(0.2)


def test_nothing_is_no_ratio():
    with pytest.raises(ValueError, match="denominator"):
        of_ratio(terms({}), terms({"A": (1, 2)}))
