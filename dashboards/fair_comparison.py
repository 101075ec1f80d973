"""People, projects or sources compared like for like: from the gateway's cells to expectations and shrunken rates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboards.charts.comparison import scale_of
from dashboards.comparison_inputs import MEASURES, SALES
from dashboards.memory import remembered
from dashboards.view import View
from loupan.metrics.periods import FREQUENCIES
from loupan.statistics.casemix import Adjusted, Calibration, adjust, calibration, shares
from loupan.statistics.shrinkage import Shrunken, beta_binomial, gamma_poisson
from loupan.statistics.simpson import Reversal, reversals

# Each unit's rate is worked out over every cell: this many numbers of 8 bytes at once, and no more.
_MOST = 100_000_000


@dataclass(frozen=True)
class FairComparison:
    """Units compared by a measure; arrays are in the order of ``adjusted.units``.

    Attributes:
        metric: the measure.
        unit: the dimension compared.
        adjusted: against what is expected of their cases.
        shrunken: the adjusted rates (of contracts: observed ÷ expected) of those with enough cases, pulled together.
        reversals: pairs whose crude order does not hold.
        scale: what a rate is multiplied by to be shown.
    """

    metric: str
    unit: str
    adjusted: Adjusted
    shrunken: Shrunken
    reversals: tuple[Reversal, ...]
    scale: float

    @property
    def is_number(self) -> bool:
        """Whether units are compared by a number, so that there are no rates but only observed ÷ expected."""
        return self.metric == SALES


@remembered(64)
def compared(view: View, metric: str, unit: str) -> FairComparison | None:
    """Compare units by a measure under the reader's scope, filters and period; None where nothing can be told."""
    if unit not in view.gateway.dimensions(metric):
        return None
    if metric == SALES:
        return _compared_by_number(view, unit)
    if is_too_large(view, metric, unit):
        return None
    inputs, cells = cells_of(view, metric, unit)
    is_proportion = view.unit(metric) == "percent"
    adjusted = adjust(cells, inputs, is_proportion=is_proportion)
    crude = adjust(cells, (), is_proportion=is_proportion)
    if adjusted is None or crude is None or not adjusted.has_enough.any():
        return None
    shrink = beta_binomial if is_proportion else gamma_poisson
    # Rates of few cases are too unsure to say how much people differ.
    trials = np.where(adjusted.has_enough, adjusted.exposure, 0.0)
    return FairComparison(
        metric,
        unit,
        adjusted,
        shrink(adjusted.rate * trials, trials, adjusted.error),
        reversals(cells, crude, adjusted),
        scale_of(view, metric),
    )


@remembered(64)
def checked(view: View, metric: str, unit: str) -> Calibration | None:
    """Check what was expected against what happened, on cases that took no part in forming the expectation."""
    if is_too_large(view, metric, unit):
        return None
    inputs, cells = cells_of(view, metric, unit)
    return calibration(cells, inputs, is_proportion=view.unit(metric) == "percent")


def is_too_large(view: View, metric: str, unit: str) -> bool:
    """Say whether there are more units and cases than can be compared at once: the reader has to choose some."""
    frame = view.ask(metric, by=(unit,))
    cases = frame.get(f"{metric}__denominator")
    if cases is None:
        return False
    sizes = [
        len(view.periods(name)) if name in FREQUENCIES else len(view.gateway.values(name)) + 1
        for name in (unit, *(i.dimension for i in MEASURES[metric].applicable(view, unit)))
    ]
    return len(frame) * min(float(cases.astype(float).sum()), math.prod(sizes)) > _MOST


def cells_of(view: View, metric: str, unit: str) -> tuple[tuple[str, ...], pd.DataFrame]:
    """Return the inputs of a measure, and its cells: columns ``unit``, ``observed``, ``exposure`` and the inputs."""
    inputs = tuple(i.dimension for i in MEASURES[metric].applicable(view, unit))
    frame = view.ask(metric, by=(unit, *inputs))
    columns = {unit: "unit", f"{metric}__numerator": "observed", f"{metric}__denominator": "exposure"}
    cells = frame.reindex(columns=[*columns, *inputs]).rename(columns=columns)
    return inputs, cells.astype({"observed": float, "exposure": float}).fillna({"observed": 0.0, "exposure": 0.0})


def _compared_by_number(view: View, unit: str) -> FairComparison | None:
    """Compare contracts signed with an equal part of those of all who had a lead or a contract there and then."""
    where = [unit, "project", "month"]
    frames = [view.ask(m, by=where).reindex(columns=[*where, m]) for m in (SALES, "leads")]
    present = frames[0].merge(frames[1], on=where, how="outer").dropna(subset=[unit])
    present = present[(present[SALES].fillna(0) > 0) | (present["leads"].fillna(0) > 0)]
    if present.empty:
        return None
    pool = present["project"].fillna("").astype(str) + "|" + present["month"].astype(str)
    cells = pd.DataFrame({"unit": present[unit], "pool": pool, "observed": present[SALES].astype(float).fillna(0.0)})
    adjusted = shares(cells)
    if adjusted is None or not adjusted.has_enough.any():
        return None
    expected = np.where(adjusted.has_enough, adjusted.expected, 0.0)
    return FairComparison(SALES, unit, adjusted, gamma_poisson(adjusted.observed, expected), (), 1.0)
