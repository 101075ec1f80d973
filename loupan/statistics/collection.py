"""What instalments will bring in: amounts owed run off by the age at which such amounts were paid before.

Months are whole numbers that grow by one from month to month. The method is the chain ladder of claims reserving (Mack
1993, *ASTIN Bulletin* 23:213) in its hazard form: of what was still owed at an age, which share came in at that age.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Months = NDArray[np.int64]

NEVER = 2**31
"""The month of what has not happened."""
# Ages in months since the due month: what is paid earlier or later counts at the ends.
_YOUNGEST, _OLDEST = -12, 24
_AGES = _OLDEST - _YOUNGEST + 1


def allocated(dues: pd.DataFrame, payments: pd.DataFrame) -> pd.DataFrame:
    """Settle the instalments of each chain with its payments, the first due first.

    Args:
        dues: ``chain``, ``due`` and ``amount`` (positive), in the order of the index.
        payments: ``chain``, ``paid`` (the month) and ``amount`` (positive).

    Returns:
        ``instalment`` (position in `dues`), ``paid`` and ``amount`` of each piece; what a chain paid beyond its
        instalments is left out.
    """
    pieces: dict[str, list[Floats]] = {"instalment": [], "paid": [], "amount": []}
    ordered = dues.assign(position=np.arange(len(dues))).sort_values(["chain", "due", "position"])
    paid = payments.sort_values(["chain", "paid"], kind="stable")
    # Pieces end wherever the running total of the dues or of the payments of a chain does.
    due_ends = ordered.groupby("chain")["amount"].cumsum().to_numpy(float)
    pay_ends = paid.groupby("chain")["amount"].cumsum().to_numpy(float)
    owed = ordered.groupby("chain").indices
    for chain, rows in paid.groupby("chain").indices.items():
        if chain not in owed:
            continue
        due, pay = due_ends[owed[chain]], pay_ends[rows]
        ends = np.union1d(due, pay)
        ends = ends[ends <= min(due[-1], pay[-1])]
        starts = np.concatenate([[0.0], ends[:-1]])
        pieces["instalment"].append(ordered["position"].to_numpy()[owed[chain][np.searchsorted(due, ends)]])
        pieces["paid"].append(paid["paid"].to_numpy()[rows[np.searchsorted(pay, ends)]])
        pieces["amount"].append(ends - starts)
    return pd.DataFrame({name: np.concatenate(parts) if parts else np.empty(0) for name, parts in pieces.items()})


@dataclass(frozen=True)
class Ledger:
    """Instalments and what was paid of them, by month.

    Attributes:
        group: which series each instalment belongs to, from 0 on.
        contract, end, due: months in which it was agreed, ceased to be owed (`NEVER` if it did not) and is due.
        amount: of each instalment.
        paid: instalments × months, what was paid of each; the first column is month 0.
    """

    group: Months
    contract: Months
    end: Months
    due: Months
    amount: Floats
    paid: Floats

    def owed(self, known: int) -> Floats:
        """Return what is owed of each instalment at the end of month ``known`` − 1, as it was known then."""
        standing = (self.contract < known) & (self.end >= known)
        return np.where(standing, np.maximum(self.amount - self.paid[:, :known].sum(axis=1), 0.0), 0.0)

    def hazards(self, known: int) -> Floats:
        """Return the share of what is owed at an age that is paid at that age, from the months before ``known``."""
        at_risk, paid = (cells[:known].sum(axis=0) for cells in self._at_ages)
        return np.clip(np.divide(paid, at_risk, out=np.zeros(_AGES), where=at_risk > 0), 0.0, 1.0)

    @cached_property
    def _at_ages(self) -> tuple[Floats, Floats]:
        """What was owed and what was paid at each age in each month (months × ages)."""
        count = self.paid.shape[1]
        at_risk, paid = np.zeros((count, _AGES)), np.zeros((count, _AGES))
        left = self.amount.copy()
        for month in range(count):
            some = (self.contract <= month) & (self.end >= month)
            age = _age(month - self.due[some])
            at_risk[month] = np.bincount(age, np.maximum(left[some], 0.0), _AGES)
            paid[month] = np.bincount(age, self.paid[some, month], _AGES)
            left = left - self.paid[:, month]
        return at_risk, paid

    def runoff(self, known: int, horizon: int, groups: int) -> Floats:
        """Return what the contracts of the months before ``known`` will bring in (groups × horizon)."""
        left, hazards = self.owed(known), self.hazards(known)
        coming = np.zeros((groups, horizon))
        for step in range(horizon):
            part = left * hazards[_age(known + step - self.due)]
            coming[:, step] = np.bincount(self.group, part, groups)
            left = left - part
        return coming


def _age(months: Months) -> Months:
    return np.clip(months, _YOUNGEST, _OLDEST) - _YOUNGEST


def share_paid(contracts: Floats, paid: Floats, known: int, horizon: int) -> Floats:
    """Return the share of the amount of new contracts that is paid in each month from the contract on.

    Args:
        contracts: amount signed by month.
        paid: contract month × months since the contract, paid for those contracts.
        known: months known.
        horizon: how many shares.

    Returns:
        One share for each month since the contract; 0 where no contract is old enough.
    """
    shares = np.zeros(horizon)
    for since in range(min(horizon, known)):
        cohorts = known - since
        signed = contracts[:cohorts].sum()
        shares[since] = paid[:cohorts, since].sum() / signed if signed > 0 else 0.0
    return shares
