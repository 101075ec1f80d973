"""What instalments bring in, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loupan.statistics.collection import NEVER, Ledger, allocated, share_paid


def frame(columns, rows):
    return pd.DataFrame(rows, columns=columns)


def test_the_first_due_is_paid_first():
    dues = frame(["chain", "due", "amount"], [(1, 5, 100.0), (1, 2, 50.0), (2, 1, 30.0)])
    payments = frame(["chain", "paid", "amount"], [(1, 1, 20.0), (1, 3, 60.0), (2, 4, 99.0), (9, 1, 5.0)])
    found = allocated(dues, payments).sort_values(["instalment", "paid"])
    assert found.to_numpy().tolist() == [[0, 3, 30], [1, 1, 20], [1, 3, 30], [2, 4, 30]]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(1, 90)), max_size=12),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(1, 90)), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_no_more_is_settled_than_was_owed_or_paid(dues, payments):
    owed = frame(["chain", "due", "amount"], dues).astype({"amount": float})
    paid = frame(["chain", "paid", "amount"], payments).astype({"amount": float})
    found = allocated(owed, paid)
    for chain in (1, 2, 3):
        settled = found["amount"][owed["chain"].to_numpy()[found["instalment"].astype(int)] == chain].sum()
        limit = min(owed.loc[owed["chain"] == chain, "amount"].sum(), paid.loc[paid["chain"] == chain, "amount"].sum())
        assert settled == pytest.approx(limit)


@pytest.fixture
def ledger():
    """Of 100 due in each of months 1 to 4, 60 are paid in the month, 20 in the next; month 5 is still to come."""
    due = np.array([1, 2, 3, 4, 5])
    paid = np.zeros((5, 5))
    for row, month in enumerate(due[:4]):
        paid[row, month] = 60
        if month + 1 < 5:
            paid[row, month + 1] = 20
    return Ledger(np.array([0, 0, 0, 1, 1]), np.zeros(5, int), np.full(5, NEVER), due, np.full(5, 100.0), paid)


def test_what_is_owed_runs_off_as_before(ledger):
    assert ledger.owed(5).tolist() == [20, 20, 20, 40, 100]
    assert ledger.hazards(5)[12:15].tolist() == [0.6, 0.5, 0.0]
    # Of the 40 half will come next month; of the 100 due then 60, and half of the rest the month after.
    assert ledger.runoff(5, 2, 2).tolist() == [[0, 0], [80, 20]]


def test_what_happens_later_is_not_known_before(ledger):
    before = ledger.runoff(3, 2, 2)
    later = ledger.paid.copy()
    later[:, 3:] *= 3
    changed = Ledger(ledger.group, ledger.contract, ledger.end, ledger.due, ledger.amount, later)
    assert changed.runoff(3, 2, 2).tolist() == before.tolist()


def test_cancelled_contracts_owe_nothing(ledger):
    ended = Ledger(ledger.group, ledger.contract, np.full(5, 4), ledger.due, ledger.amount, ledger.paid)
    assert ended.owed(5).tolist() == [0] * 5
    unsigned = Ledger(ledger.group, np.full(5, 5), ledger.end, ledger.due, ledger.amount, ledger.paid)
    assert unsigned.runoff(5, 2, 2).sum() == 0


def test_shares_of_new_contracts_come_from_those_old_enough():
    paid = np.array([[30.0, 70.0, 0.0], [60.0, 100.0, 0.0], [10.0, 0.0, 0.0]])
    assert share_paid(np.array([100.0, 200.0, 100.0]), paid, 3, 4) == pytest.approx([0.25, 170 / 300, 0.0, 0.0])
    assert share_paid(np.zeros(3), np.zeros((3, 3)), 3, 2).tolist() == [0, 0]
