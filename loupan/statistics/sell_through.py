"""How fast units of a type sell: gamma-Poisson rates drawn towards their project, and what is left of the stock.

A cell is a type of unit in a project. Months are counted back from the as-of, each a twelfth of a year long.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kind = Literal["per_unit", "per_month"]

MONTH_DAYS = 365.25 / 12
# Values of a pace that stand for its distribution; fewer will do to compare settings.
_VALUES, _FEW_VALUES = 40, 16
_MEMORIES, _STRENGTHS, _SHOCKS = (6.0, 18.0), (4.0, 32.0), (np.inf, 40.0, 15.0, 6.0)
# How many sales the company's pace is worth beside a project's own.
_COMPANY_STRENGTH = 10.0


@dataclass(frozen=True)
class History:
    """What was on offer and what was sold, by cell and month; the last month ends with the as-of.

    Attributes:
        project: of each cell, from 0 on.
        sold: units sold in each month.
        on_offer: unit-months on offer.
        stock: units on offer at the end of each month.
        sold_later: of that stock, how many had been sold by the end of each number of months after (cells × months ×
            horizon), NaN where that is not over.
    """

    project: Ints
    sold: Floats
    on_offer: Floats
    stock: Floats
    sold_later: Floats


def history(
    cell: ArrayLike, begin: ArrayLike, end: ArrayLike, project: ArrayLike, months: int, horizon: int
) -> History:
    """Count times on offer by cell and month.

    Args:
        cell: of each time on offer, from 0 on.
        begin, end: days before the as-of on which it began and ended in a sale (both ≥ 0); ``end`` is NaN while
            it lasts.
        project: of each cell.
        months: how many to look back.
        horizon: months after each that are looked at.
    """
    cells, begun, sold = np.asarray(cell, np.int64), np.asarray(begin, float), np.asarray(end, float)
    count = len(np.asarray(project))
    start = -begun / MONTH_DAYS
    finish = np.where(np.isfinite(sold), -sold / MONTH_DAYS, np.inf)
    edges = np.arange(-months, 1)
    shape = (count, months)
    result = History(
        np.asarray(project, np.int64), np.zeros(shape), np.zeros(shape), np.zeros(shape),
        np.full((*shape, horizon), np.nan),
    )  # fmt: skip
    for place, (low, high) in enumerate(pairwise(edges)):
        time = np.clip(np.minimum(finish, high) - np.maximum(start, low), 0, None)
        result.on_offer[:, place] = np.bincount(cells, time, count)
        result.sold[:, place] = np.bincount(cells, (finish > low) & (finish <= high), count)
        here = (start <= high) & (finish > high)
        result.stock[:, place] = np.bincount(cells, here, count)
        for step in range(min(horizon, -int(high))):
            result.sold_later[:, place, step] = np.bincount(cells, here & (finish <= high + step + 1), count)
    return result


@dataclass(frozen=True)
class Setting:
    """How a pace is reckoned.

    Attributes:
        kind: whether each unit on offer sells at the pace (stock that halves sells half as much), or each type does,
            however many are left (buyers are what is scarce).
        memory: months after which a month counts a third (e⁻¹).
        strength: how many sales the project's pace is worth beside a type's own.
        shock: shape of the gamma factor by which the pace of the future may differ from that of the past.
    """

    kind: Kind
    memory: float
    strength: float
    shock: float


@dataclass(frozen=True)
class Pace:
    """Gamma distributions of the pace of each cell: sales per unit on offer and month, or per month.

    Attributes:
        kind: which of the two.
        shape, rate: of each cell.
        project_mean: the pace of its project.
    """

    kind: Kind
    shape: Floats
    rate: Floats
    project_mean: Floats

    @property
    def mean(self) -> Floats:
        """Expected pace of each cell."""
        return self.shape / self.rate

    def values(self, count: int = _VALUES, factor: float = 1.0) -> Floats:
        """Return equally likely values of each cell's pace (cells × values), times a factor."""
        levels = (np.arange(count) + 0.5) / count
        return np.asarray(stats.gamma.ppf(levels, self.shape[:, None], scale=factor / self.rate[:, None]))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return the bounds of each cell's pace."""
        tail = (1 - level) / 2
        low, high = (stats.gamma.ppf(q, self.shape, scale=1 / self.rate) for q in (tail, 1 - tail))
        return np.asarray(low), np.asarray(high)


def pace_at(past: History, month: int, setting: Setting) -> Pace:
    """Return the pace of each cell as known at the end of a month.

    Gamma-Poisson with conjugate updating (Gelman et al. 2013, *Bayesian Data Analysis*, 3rd ed., section 2.6); old
    months count less (power discounting, West & Harrison 1997, chapter 10). The prior of a type is its
    project's pace, that of a project the company's.

    Args:
        past: what happened.
        month: index of the last month that is known.
        setting: how to reckon.
    """
    weight = np.exp(-np.arange(month, -1, -1) / setting.memory)
    exposure = past.on_offer if setting.kind == "per_unit" else np.minimum(past.on_offer, 1.0)
    sold, exposed = past.sold[:, : month + 1] @ weight, exposure[:, : month + 1] @ weight
    count = int(past.project.max()) + 1
    company = max(sold.sum(), 0.5) / max(exposed.sum(), 1e-9)
    of_project = (np.bincount(past.project, sold, count) + _COMPANY_STRENGTH) / (
        np.bincount(past.project, exposed, count) + _COMPANY_STRENGTH / company
    )
    mean = of_project[past.project]
    shape, rate = updated(sold, exposed, mean, setting.strength)
    if np.isfinite(setting.shock):
        # The product of both gammas, by its mean and variance.
        widened = 1 / (1 / shape + 1 / setting.shock + 1 / (shape * setting.shock))
        shape, rate = widened, rate * widened / shape
    return Pace(setting.kind, shape, rate, mean)


def updated(sold: Floats, exposed: Floats, mean: Floats, strength: float) -> tuple[Floats, Floats]:
    """Return shape and rate of the gamma distribution of a pace after sales have been seen (Gelman et al. 2013, 2.6).

    Args:
        sold, exposed: sales, and unit-months (or months) in which they were made.
        mean, strength: the prior's mean, and how many sales it is worth.
    """
    return sold + strength, exposed + strength / mean


def sold_distribution(pace: Pace, stock: ArrayLike, months: float, factor: float = 1.0) -> Floats:
    """Return how likely each number of units of the stock is to be sold within some months (cells × 0 … largest stock).

    Given the pace λ: binomial with probability 1 − e^(−λt) for each unit, or Poisson with mean λt, all of the
    stock at most.
    """
    units = np.asarray(stock, np.int64)
    numbers = np.arange(int(units.max(initial=0)) + 1)
    mean = pace.values(factor=factor)[:, :, None] * months
    here = units[:, None, None]
    if pace.kind == "per_unit":
        chances = stats.binom.pmf(numbers, here, -np.expm1(-mean)).mean(axis=1)
    else:
        chances = np.where(numbers < here, stats.poisson.pmf(numbers, mean), 0.0).mean(axis=1)
        rest = 1 - chances.sum(axis=1)
        chances[np.arange(len(units)), units] += np.clip(rest, 0.0, 1.0)
    return np.asarray(chances)


def expected(chances: Floats) -> Floats:
    """Return the mean of each row of chances of 0, 1, 2 …"""
    return chances @ np.arange(chances.shape[1])


def bounds(chances: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the smallest and largest number within the middle of each row of chances."""
    total, tail = np.cumsum(chances, axis=1), (1 - level) / 2
    low = (total < tail + 1e-12).sum(axis=1)
    high = (total < 1 - tail - 1e-12).sum(axis=1)
    return low.astype(float), np.minimum(high, chances.shape[1] - 1).astype(float)


def best_setting(past: History, known: int, horizon: int) -> Setting:
    """Return the setting that foretold best how much of the stock was sold within the horizon.

    By the sum of log chances given at every third month to what came by the end of month ``known`` − 1 (prequential
    choice, Dawid 1984, *JRSS A* 147:278).
    """
    months = [month for month in range(known - 1 - horizon, 5, -3) if past.stock[:, month].sum() > 0]
    settings = [Setting(*values) for values in product(_kinds(), _MEMORIES, _STRENGTHS, _SHOCKS)]
    if not months:
        return Setting("per_unit", 12.0, 8.0, 15.0)

    def score(setting: Setting) -> float:
        total = 0.0
        for month in months:
            some = past.stock[:, month] > 0
            chances = _chance_of(pace_at(past, month, setting), past, month, horizon, some)
            total += float(np.log(np.maximum(chances, 1e-12)).sum())
        return total

    return max(settings, key=score)


def _kinds() -> tuple[Kind, Kind]:
    return "per_unit", "per_month"


def _chance_of(pace: Pace, past: History, month: int, horizon: int, some: NDArray[np.bool_]) -> Floats:
    """Return how likely what came was, of some cells."""
    stock, sold = past.stock[some, month], past.sold_later[some, month, horizon - 1]
    mean = pace.values(_FEW_VALUES)[some] * horizon
    if pace.kind == "per_unit":
        return np.asarray(stats.binom.pmf(sold[:, None], stock[:, None], -np.expm1(-mean)).mean(axis=1))
    exact = stats.poisson.pmf(sold[:, None], mean)
    return np.asarray(
        np.where(sold[:, None] < stock[:, None], exact, stats.poisson.sf(stock[:, None] - 1, mean)).mean(axis=1)
    )


def stands_out(sold: ArrayLike, on_offer: ArrayLike, project: ArrayLike, level: float = 0.998) -> Ints:
    """Say which cells sold slower (−1) or faster (1) per unit on offer than the others of their project, beyond chance.

    Given the sales of the project, those of a cell are binomial with its share of the unit-months if all sell alike
    (Przyborowski & Wilenski 1940, *Biometrika* 31:313). 0 where they do not differ beyond chance.
    """
    cells, time, place = np.asarray(sold, float), np.asarray(on_offer, float), np.asarray(project, np.int64)
    count = int(place.max(initial=-1)) + 1
    total, all_time = np.bincount(place, cells, count)[place], np.bincount(place, time, count)[place]
    share = np.divide(time, all_time, out=np.zeros_like(time), where=all_time > 0)
    tail = (1 - level) / 2
    slow = (stats.binom.cdf(cells, total, share) < tail) & (share > 0) & (share < 1)
    fast = (stats.binom.sf(cells - 1, total, share) < tail) & (share > 0) & (share < 1)
    return np.where(slow, -1, np.where(fast, 1, 0))
