"""How fast units of a type sell: gamma-Poisson rates drawn towards their project, and what is left of the stock.

A cell is a type of unit in a project. Months are counted back from the as-of, each a twelfth of a year long.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kind = Literal["per_unit", "per_month"]

MONTH_DAYS = 365.25 / 12
# Values of a pace that stand for its distribution; fewer will do to compare settings.
_VALUES, _FEW_VALUES = 40, 16
_AT_ONCE = 500
MOST_ASKED = 2_000
"""How many types of unit decide which setting foretells best; more choose the same one of 32 more slowly."""
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

    def values(self, factor: float = 1.0) -> Floats:
        """Return equally likely values of each cell's pace (cells × values), times a factor."""
        return self._quantiles * (factor / self.rate[:, None])

    @cached_property
    def _quantiles(self) -> Floats:
        """Values of gammas of the same shapes and rate 1: the dearest part, and the same for every month ahead."""
        return _gamma_values(self.shape, _VALUES)

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return the bounds of each cell's pace."""
        tail = (1 - level) / 2
        low, high = (stats.gamma.ppf(q, self.shape, scale=1 / self.rate) for q in (tail, 1 - tail))
        return np.asarray(low), np.asarray(high)


def _gamma_values(shape: Floats, count: int) -> Floats:
    """Return equally likely values of gamma distributions of rate 1 (shapes × values)."""
    levels = (np.arange(count) + 0.5) / count
    return np.asarray(special.gammaincinv(shape[:, None], levels))


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
    mean = pace.values(factor) * months
    chances = np.zeros((len(units), int(units.max(initial=0)) + 1))
    # Those of like stock together, and not too many at once: the numbers up to the largest stock of each are looked at.
    order = np.argsort(units, kind="stable")
    for first in range(0, len(order), _AT_ONCE):
        some = order[first : first + _AT_ONCE]
        found = _distribution(pace.kind, units[some], mean[some])
        chances[some, : found.shape[1]] = found
    return chances


def _distribution(kind: Kind, units: Ints, mean: Floats) -> Floats:
    """Return how likely each number of units is to be sold, the mean over values of λt (cells × 0 … largest stock)."""
    numbers = np.arange(int(units.max(initial=0)) + 1)
    here, rate = units[:, None, None], mean[:, :, None]
    # From logarithms: a tenth of the time that SciPy's distributions take for the same.
    if kind == "per_unit":
        ways = (
            special.gammaln(here + 1)
            - special.gammaln(numbers + 1)
            - special.gammaln(np.maximum(here - numbers, 0) + 1)
        )
        logs = ways + numbers * np.log(-np.expm1(-rate)) - (here - numbers) * rate
        return np.asarray(np.exp(np.where(numbers <= here, logs, -np.inf)).mean(axis=1))
    logs = numbers * np.log(rate) - rate - special.gammaln(numbers + 1)
    chances = np.where(numbers < here, np.exp(logs), 0.0).mean(axis=1)
    rest = 1 - chances.sum(axis=1)
    chances[np.arange(len(units)), units] += np.clip(rest, 0.0, 1.0)
    return np.asarray(chances)


def expected_sales(pace: Pace, stock: ArrayLike, months: float, factor: float = 1.0) -> Floats:
    """Return the mean of `sold_distribution` of each cell, without the distribution.

    Of n units each sold with probability p, n × p; of a Poisson number X, the mean of the smaller of X and n is
    λt P(X ≤ n − 2) + n P(X ≥ n).
    """
    units = np.asarray(stock, float)[:, None]
    mean = pace.values(factor) * months
    if pace.kind == "per_unit":
        return np.asarray((units * -np.expm1(-mean)).mean(axis=1))
    below = np.where(units >= 2, special.pdtr(np.maximum(units - 2, 0), mean), 0.0)
    reached = np.where(units >= 1, special.pdtrc(np.maximum(units - 1, 0), mean), 0.0)
    return np.asarray((mean * below + units * reached).mean(axis=1))


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
    if not months:
        return Setting("per_unit", 12.0, 8.0, 15.0)
    asked = _asked(len(past.project))
    scores: dict[Setting, float] = {}
    for memory, strength, shock in product(_MEMORIES, _STRENGTHS, _SHOCKS):
        settings = [Setting(kind, memory, strength, shock) for kind in _kinds()]
        totals = [0.0 for _ in settings]
        for month in months:
            some = (past.stock[:, month] > 0) & asked
            paces = [pace_at(past, month, setting) for setting in settings]
            # Of one shape, whichever of the two kinds.
            values = _gamma_values(paces[0].shape[some], _FEW_VALUES)
            for place, pace in enumerate(paces):
                chances = _chance_of(pace.kind, values / pace.rate[some, None], past, month, horizon, some)
                totals[place] += float(np.log(np.maximum(chances, 1e-12)).sum())
        scores |= dict(zip(settings, totals, strict=True))
    # The kind first, as they are listed: of equal ones the first is taken.
    listed = (Setting(*values) for values in product(_kinds(), _MEMORIES, _STRENGTHS, _SHOCKS))
    return max(listed, key=scores.__getitem__)


def _asked(cells: int) -> NDArray[np.bool_]:
    """Say which cells are asked which setting foretold best: all, or `MOST_ASKED` evenly spread over the projects."""
    asked = np.zeros(cells, bool)
    asked[np.linspace(0, cells - 1, min(cells, MOST_ASKED)).astype(int)] = True
    return asked


def _kinds() -> tuple[Kind, Kind]:
    return "per_unit", "per_month"


def _chance_of(kind: Kind, values: Floats, past: History, month: int, horizon: int, some: NDArray[np.bool_]) -> Floats:
    """Return how likely what came was, of some cells, by the values that their paces may have."""
    stock, sold = past.stock[some, month][:, None], past.sold_later[some, month, horizon - 1][:, None]
    mean = values * horizon
    if kind == "per_unit":
        ways = special.gammaln(stock + 1) - special.gammaln(sold + 1) - special.gammaln(stock - sold + 1)
        return np.asarray(np.exp(ways + sold * np.log(-np.expm1(-mean)) - (stock - sold) * mean).mean(axis=1))
    exact = np.exp(sold * np.log(mean) - mean - special.gammaln(sold + 1))
    return np.asarray(np.where(sold < stock, exact, special.pdtrc(stock - 1, mean)).mean(axis=1))


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
