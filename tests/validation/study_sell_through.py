"""Are planted paces of sale found, and do intervals of what will be sold hold it?"""

from __future__ import annotations

import numpy as np

from loupan.statistics.sell_through import (
    MONTH_DAYS,
    History,
    best_setting,
    bounds,
    history,
    pace_at,
    sold_distribution,
    stands_out,
)
from tests.validation.company import make_company
from tests.validation.result import Result, coverage

PROJECTS, TYPES, UNITS, MONTHS, HORIZON = 6, 4, 80, 30, 6
SLOW = 0.25
_METHOD = "Sell-through"


def simulated(seed: int, *, is_slow: bool = False) -> tuple[History, np.ndarray, np.ndarray]:
    """Return what is recorded of planted paces, the paces, and what of the last stock is sold in the months after.

    Half of the units get their permit at the beginning, half a year later. With ``is_slow`` the first type sells at a
    quarter of its project's pace, and all others at their project's.
    """
    rng = np.random.default_rng(seed)
    project = np.repeat(np.arange(PROJECTS), TYPES)
    pace = 0.045 * np.exp(rng.normal(0, 0.3, PROJECTS))[project]
    if is_slow:
        pace[0] *= SLOW
    else:
        pace *= np.exp(rng.normal(0, 0.25, len(pace)))
    cell = np.repeat(np.arange(len(pace)), UNITS)
    begin = np.where(np.arange(len(cell)) % 2, MONTHS, MONTHS - 12).astype(float)
    sold_after = rng.exponential(1 / pace[cell])
    end = begin - sold_after
    later = np.bincount(cell, (end <= 0) & (end > -HORIZON), len(pace))
    return (
        history(cell, begin * MONTH_DAYS, np.where(end > 0, end, np.nan) * MONTH_DAYS, project, MONTHS, 12),
        pace, later,
    )  # fmt: skip


def of_company(seed: int) -> History:
    """Return what is recorded of the planted company's units, from their permits to their first contracts."""
    company = make_company(seed, 1.0)
    estates, deals = company.estates, company.deals
    today = company.world.clock.today
    permit = estates.permit_on[estates.unit_building]
    some = np.flatnonzero(~np.isnat(permit) & ~company.withheld)
    sold = np.full(len(permit), np.nan)
    signed = np.flatnonzero(deals.is_signed)
    days = (today - deals.contract_at[signed].astype("datetime64[D]")).astype(float)
    np.fmax.at(sold, deals.unit[signed], days)
    begin = (today - permit[some]).astype(float)
    project = estates.building_estate[estates.unit_building[some]]
    cells, cell = np.unique(project * 10 + estates.unit_layout[some], return_inverse=True)
    return history(cell, begin, np.minimum(sold[some], begin), cells // 10, int(begin.max() / MONTH_DAYS), 12)


def study(seeds: int) -> list[Result]:
    """Check paces, sales within half a year, and whether a slow type, and no other, is named."""
    paces, sales = np.zeros(2, int), {0.8: np.zeros(2, int), 0.95: np.zeros(2, int)}
    found, false, cells = 0, 0, 0
    for seed in range(seeds):
        past, truth, later = simulated(seed)
        pace = pace_at(past, MONTHS - 1, best_setting(past, MONTHS, HORIZON))
        low, high = pace.interval()
        _add(paces, (low <= truth) & (truth <= high))
        chances = sold_distribution(pace, past.stock[:, -1], HORIZON)
        for level, counts in sales.items():
            least, most = bounds(chances, level)
            _add(counts, (least <= later) & (later <= most))
        past, _, _ = simulated(seed, is_slow=True)
        named = stands_out(past.sold[:, -12:].sum(axis=1), past.on_offer[:, -12:].sum(axis=1), past.project)
        found += int(named[0] == -1)
        # The other types of the first project are faster than one that is slow.
        false += int((named[TYPES:] != 0).sum())
        cells += len(named) - TYPES
    held = {0.8: np.zeros(2, int), 0.95: np.zeros(2, int)}
    for seed in range(seeds):
        past = of_company(seed)
        # The last half years that are over.
        months = past.sold.shape[1]
        for known in (months - 2 * HORIZON, months - HORIZON):
            some = past.stock[:, known - 1] > 0
            pace = pace_at(past, known - 1, best_setting(past, known, HORIZON))
            chances = sold_distribution(pace, past.stock[:, known - 1], HORIZON)
            for level, counts in held.items():
                least, most = bounds(chances, level)
                came = past.sold_later[:, known - 1, HORIZON - 1]
                _add(counts, ((least <= came) & (came <= most))[some])

    def line(question: str, counts: np.ndarray, level: float, groups: int, slack: float = 0.0) -> Result:
        return coverage(
            _METHOD, question, int(counts[0]), int(counts[1]), level, slack=slack, groups=groups
        )  # fmt: skip

    return [
        line("Planted pace of a type, 95 % interval", paces, 0.95, seeds),
        *(
            line(f"Units sold in half a year, planted paces, {level:.0%} interval", counts, level, seeds)
            for level, counts in sales.items()
        ),
        *(
            line(f"Units sold in half a year, planted company, {level:.0%} interval", counts, level, seeds, 0.03)
            for level, counts in held.items()
        ),
        Result(
            _METHOD, f"A type that sells at {SLOW:.0%} of its project's pace is named slow", "at least 80 %",
            f"{found / seeds:.1%} of {seeds}", found / seeds >= 0.8,
        ),
        Result(
            _METHOD, "Types that sell like the others are named slow or fast", "at most 0.2 %",
            f"{false / cells:.2%} of {cells:,}", false / cells <= 0.002 + 3 * np.sqrt(0.002 / cells),
        ),
    ]  # fmt: skip


def _add(counts: np.ndarray, held: np.ndarray) -> None:
    counts += np.array([held.sum(), len(held)])
