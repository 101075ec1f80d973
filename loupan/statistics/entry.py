"""Habits of entry: who does something more often than colleagues with the same kind of work, and digits people prefer.

Each record has a mark or not: typed in late, at a round time, many in one minute. Nothing here says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import gammaln

from loupan.statistics.intervals import ENOUGH, dispersion

Floats = NDArray[np.float64]
_EXACT_UP_TO = 200


def excess(
    marked: ArrayLike, own: ArrayLike, all_marked: ArrayLike, everybody: ArrayLike
) -> tuple[float, float, float]:
    """Compare one person with everybody, within strata of like records.

    Given how many of a stratum's records are marked, a person's are hypergeometric if marks fall on anybody alike: the
    test of Mantel and Haenszel (1959, J. National Cancer Institute 22:719), one-sided; exact up to an expectation of
    200, with the normal curve and a continuity correction beyond.

    Args:
        marked, own: the person's marked records, and all of the person's, by stratum.
        all_marked, everybody: those of everybody, the person included, by stratum.

    Returns:
        Expected marks, their variance, and the probability of so many or more by chance.
    """
    x, n, k, total = (np.asarray(values, int) for values in (marked, own, all_marked, everybody))
    expected = float((n * k / total).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = n * k * (total - k) * (total - n) / (total.astype(float) ** 2 * (total - 1))
    spread = float(np.nan_to_num(variance).sum())
    seen = int(x.sum())
    if spread == 0:
        return expected, 0.0, 1.0
    if expected > _EXACT_UP_TO:
        return expected, spread, float(stats.norm.sf((seen - 0.5 - expected) / np.sqrt(spread)))
    chances = np.ones(1)
    for stratum in range(len(n)):
        chances = np.convolve(chances, _hypergeometric(int(n[stratum]), int(k[stratum]), int(total[stratum])))
    return expected, spread, float(min(1.0, chances[seen:].sum()))


def _hypergeometric(drawn: int, marked: int, total: int) -> Floats:
    """Return the probabilities of 0, 1 … marked ones among those drawn; scipy's own takes ten times as long."""
    hits = np.arange(min(drawn, marked) + 1)
    possible = hits >= drawn - (total - marked)

    def ways(of: int, some: NDArray[np.int64]) -> Floats:
        return np.asarray(gammaln(of + 1) - gammaln(some + 1) - gammaln(of - some + 1))

    law = np.zeros(len(hits))
    law[possible] = np.exp(
        ways(marked, hits[possible]) + ways(total - marked, drawn - hits[possible]) - ways(total, np.array(drawn))
    )
    return law


def compared(counts: pd.DataFrame) -> pd.DataFrame:
    """Compare each person with colleagues.

    Where colleagues differ more than chance gives, the limits widen by as much (Spiegelhalter 2005, Statistics in
    Medicine 24:1185): a person must be unusual among people who differ.

    Args:
        counts: columns person, stratum, own (records), marked; one row per person and stratum.

    Returns:
        One row per person with thirty records or more beside colleagues: person, own, marked, share, expected (share
        among colleagues, the person included, with records of the same strata), p_value (one-sided), in the order of
        persons.
    """
    columns = ["person", "own", "marked", "share", "expected", "p_value"]
    if counts.empty:
        return pd.DataFrame(columns=columns)
    strata = counts.groupby("stratum")[["own", "marked"]].transform("sum")
    beside = counts.assign(everybody=strata["own"], all_marked=strata["marked"]).sort_values(["person", "stratum"])
    # Who is alone in a stratum has nobody to be compared with there.
    beside = beside[beside["everybody"] > beside["own"]]
    people, begun = np.unique(beside["person"].to_numpy(), return_index=True)
    told = [beside[name].to_numpy(np.int64) for name in ("marked", "own", "all_marked", "everybody")]
    rows = []
    # Slices of arrays: to cut a frame for each of thousands of people takes longer than to compare them.
    for person, (first, end) in zip(people.tolist(), pairwise([*begun, len(beside)]), strict=True):
        part = [values[first:end] for values in told]
        seen, own = int(part[0].sum()), int(part[1].sum())
        if own < ENOUGH:
            continue
        expected, spread, p = excess(*part)
        rows.append((person, own, seen, seen / own, expected / own, p, (seen - expected, spread)))
    found = pd.DataFrame(rows, columns=[*columns, "apart"])
    z = [difference / np.sqrt(spread) if spread > 0 else 0.0 for difference, spread in found["apart"]]
    widened = dispersion(z)
    if widened.is_excessive:
        found["p_value"] = np.maximum(found["p_value"], stats.norm.sf(np.array(z) / np.sqrt(widened.factor)))
    return found[columns]


def discoveries(p_values: ArrayLike, level: float = 0.05) -> NDArray[np.bool_]:
    """Say which tests are discoveries of which at most ``level`` are false.

    Benjamini and Hochberg 1995, J. Royal Statistical Society B 57:289.

    Args:
        p_values: of all tests; NaN is never a discovery.
        level: expected share of false ones among the discoveries.
    """
    p = np.asarray(p_values, float)
    found = np.zeros(p.shape, bool)
    known = np.isfinite(p)
    if known.any():
        found[known] = stats.false_discovery_control(np.clip(p[known], 0, 1)) <= level
    return found


@dataclass(frozen=True)
class Heaping:
    """How often values end on preferred digits.

    Attributes:
        values: how many.
        share, expected: of preferred ones; expected where nobody prefers any.
        p_value: of so many or more by chance (binomial).
    """

    values: int
    share: float
    expected: float
    p_value: float

    @property
    def index(self) -> float:
        """Share over expected share in per cent: Whipple's index, 100 where nobody prefers any digit."""
        return 100 * self.share / self.expected


def heaping(values: ArrayLike, period: int, preferred: tuple[int, ...], times: ArrayLike | None = None) -> Heaping:
    """Count whole values whose remainder by ``period`` is a preferred one (Shryock and Siegel 1976, chapter 8).

    Ages by fives are period 5 and remainder 0; full and half hours period 60 and remainders 0 and 30.

    Args:
        values: whole numbers; NaN is left out.
        period: after which endings come again.
        preferred: remainders.
        times: how often each value was written; once by default.
    """
    given = np.asarray(values, float)
    weights = np.ones(len(given), np.int64) if times is None else np.asarray(times, np.int64)
    is_known = np.isfinite(given)
    count, expected = int(weights[is_known].sum()), len(preferred) / period
    if not count:
        return Heaping(0, float("nan"), expected, float("nan"))
    hits = int(weights[is_known & np.isin(np.mod(np.round(given), period), preferred)].sum())
    return Heaping(count, hits / count, expected, float(stats.binom.sf(hits - 1, count, expected)))


@dataclass(frozen=True)
class Shift:
    """A share of late against that of before.

    Attributes:
        before, late: the shares.
        low, high: 95 % interval of late − before.
        p_value: two-sided.
    """

    before: float
    late: float
    low: float
    high: float
    p_value: float


def shift(filled: ArrayLike, expected: ArrayLike, late: int) -> Shift:
    """Compare the last months' share with that of the months before, allowing for months that differ by themselves.

    The variance of two proportions is widened by how much more the earlier months scatter than chance gives (Pearson's
    χ² over its degrees of freedom; McCullagh and Nelder 1989, section 4.5).

    Args:
        filled, expected: by month, in order.
        late: how many months are the late ones.
    """
    x, n = np.asarray(filled, float), np.asarray(expected, float)
    earlier = slice(0, len(n) - late)
    n_before, n_late = n[earlier].sum(), n[len(n) - late :].sum()
    if n_before == 0 or n_late == 0:
        nan = float("nan")
        return Shift(nan, nan, nan, nan, nan)
    before, after = x[earlier].sum() / n_before, x[len(n) - late :].sum() / n_late
    months = n[earlier] > 0
    spread, chance = 1.0, before * (1 - before)
    if months.sum() > 2 and chance > 0:
        pearson = (x[earlier][months] - n[earlier][months] * before) ** 2 / (n[earlier][months] * chance)
        spread = max(1.0, float(pearson.sum() / (months.sum() - 1)))
    common = x.sum() / n.sum()
    error = np.sqrt(spread * common * (1 - common) * (1 / n_before + 1 / n_late))
    apart = float(np.sqrt(spread * (chance / n_before + after * (1 - after) / n_late)))
    z = abs(after - before) / error if error > 0 else 0.0
    difference = after - before
    return Shift(
        float(before), float(after), float(difference - 1.96 * apart), float(difference + 1.96 * apart),
        float(2 * stats.norm.sf(z)),
    )  # fmt: skip
