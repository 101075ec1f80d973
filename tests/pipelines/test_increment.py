"""Models that are built by increments hold the very rows of models that are built anew, to the last bit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.increments import PASSED, built_tables, live_through


@settings(max_examples=4)
@given(data=st.data())
def test_increments_end_in_what_is_built_anew(data: st.DataObject) -> None:
    day = st.tuples(st.integers(0, 40), st.sampled_from(PASSED), st.none() | st.sampled_from(built_tables()))
    live_through(data.draw(st.integers(0, 10_000)), data.draw(st.lists(day, min_size=1, max_size=3)))
