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
    chains, _ = pd.factorize(pd.concat([dues["chain"], payments["chain"]], ignore_index=True))
    of_due, of_payment = chains[: len(dues)], chains[len(dues) :]
    due_order, pay_order = np.lexsort((dues["due"], of_due)), np.lexsort((payments["paid"], of_payment))
    of_due, of_payment = of_due[due_order], of_payment[pay_order]
    due_ends = _running(dues["amount"].to_numpy(float)[due_order], of_due)
    pay_ends = _running(payments["amount"].to_numpy(float)[pay_order], of_payment)
    # Pieces end wherever the running total of the dues or of the payments of a chain does, up to the smaller one's end.
    both, ends = np.concatenate([of_due, of_payment]), np.concatenate([due_ends, pay_ends])
    most = np.zeros((2, int(chains.max(initial=-1)) + 1))
    for total, chain, reached in zip(most, (of_due, of_payment), (due_ends, pay_ends), strict=True):
        np.maximum.at(total, chain[chain >= 0], reached[chain >= 0])
    some = (both >= 0) & (ends <= most.min(axis=0)[both])
    pieces = pd.DataFrame({"chain": both[some], "end": ends[some]}).drop_duplicates().sort_values(["chain", "end"])
    chain, end = pieces["chain"].to_numpy(), pieces["end"].to_numpy()
    is_first = np.r_[True, chain[1:] != chain[:-1]][: len(chain)]
    return pd.DataFrame(
        {
            "instalment": due_order[_first_reaching(of_due, due_ends, chain, end)].astype(float),
            "paid": payments["paid"]
            .to_numpy()[pay_order][_first_reaching(of_payment, pay_ends, chain, end)]
            .astype(float),
            "amount": end - np.where(is_first, 0.0, np.r_[0.0, end[:-1]][: len(end)]),
        }
    )


def _running(amounts: Floats, chain: Months) -> Floats:
    return np.asarray(pd.Series(amounts).groupby(chain).cumsum(), float)


def _first_reaching(chain: Months, ends: Floats, of_chain: Months, end: Floats) -> Months:
    """Return which running total, of those in the order of chain and size, is the first to reach each of some ends."""
    # Put before the totals of the same size, an end comes after as many totals as are smaller.
    order = np.lexsort((np.repeat([0, 1], [len(end), len(ends)]), np.r_[end, ends], np.r_[of_chain, chain]))
    is_total = order >= len(end)
    before = np.cumsum(is_total)
    found = np.empty(len(end), np.int64)
    found[order[~is_total]] = before[~is_total]
    return found


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
