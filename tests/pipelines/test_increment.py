"""Models that are built by increments hold the very rows of models that are built anew, to the last bit."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import increment
from pipelines.increment import PART, Increment
from tests.reference.changes import change, frames_of, rows_of
from tests.reference.random_crm import random_crm
from tests.support.increments import IncrementalWarehouse, differences
from tests.support.warehouse import Warehouse, manifest

PASSED = (dt.timedelta(0), dt.timedelta(minutes=1), dt.timedelta(hours=9), dt.timedelta(days=1), dt.timedelta(days=40))
MODELS = [model.name for model in manifest().models if model.kind == "table"]


def live_through(seed: int, days: Sequence[tuple[int, dt.timedelta, str | None]], customers: int = 40) -> int:
    """Let a random company live, and compare the models after each day; return how many days were increments.

    Args:
        seed: of the company and its changes.
        days: how many rows change, how far the as-of moves, and before which model the build is killed, if any; it is
            then not compared.
        customers: about so many.
    """
    rng = random.Random(seed)
    company = random_crm(seed, customers)
    as_of = company.as_of
    warehouse = IncrementalWarehouse()
    rows = rows_of(company.tables, warehouse.contract)
    warehouse.change(frames_of(rows, warehouse.contract), as_of)
    assert warehouse.build_increment() is None
    increments = 0
    for count, passed, killed_before in days:
        change(rows, warehouse.contract, rng, as_of, count)
        as_of += passed
        tables = frames_of(rows, warehouse.contract)
        warehouse.change(tables, as_of)
        increments += warehouse.build_increment(killed_before) is not None
        if killed_before is None:
            anew = Warehouse()
            anew.load(tables, as_of)
            anew.build()
            assert differences(warehouse, anew) == []
    return increments


@pytest.fixture(autouse=True)
def _few_customers_are_no_reason_to_build_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(increment, "MOST_CUSTOMERS", 1.0)


DAY = st.tuples(st.integers(0, 40), st.sampled_from(PASSED), st.none() | st.sampled_from(MODELS))


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), days=st.lists(DAY, min_size=1, max_size=4))
def test_increments_end_in_what_is_built_anew(seed: int, days: list[Any]) -> None:
    live_through(seed, days)
