"""A metric's course over periods, judged against the limits of its ordinary variation.

See `loupan.statistics.control` and docs/statistics/control.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loupan.metrics.catalogue import Metric
from loupan.statistics import control
from loupan.statistics.control import FEWEST, Limits, Refusal, Signal
from loupan.statistics.intervals import ENOUGH, Floats


@dataclass(frozen=True)
class Course:
    """The values of a metric by period, and what is unusual about them.

    Attributes:
        values: one per period, as the gateway gives them; NaN where a period is not judged.
        limits: in the unit of the values; None where they are refused.
        refusal: why.
        signals: in order of their last point.
        has_cases: whether a period needs so many cases to be judged.
        since, until: positions of the first and the last period that the centre rests on.
    """

    values: Floats
    limits: Limits | None
    refusal: Refusal | None
    signals: tuple[Signal, ...]
    has_cases: bool
    since: int
    until: int


def has_course(metric: Metric) -> bool:
    """Say whether a metric can be charted: a state has no course, and a target is what people want it to be."""
    return not metric.is_set and not metric.is_as_of


def is_estimate(metric: Metric, definitions: Mapping[str, Metric]) -> bool:
    """Say whether a metric is a rate of counted cases, which has an interval; not a state, nor a share of money."""
    if not metric.is_ratio or metric.unit not in ("percent", "per_100") or metric.is_as_of:
        return False
    return _counts_cases(metric, definitions)


def judged(
    metric: Metric,
    definitions: Mapping[str, Metric],
    data: pd.DataFrame,
    enters: NDArray[np.bool_],
    shown: int,
) -> Course:
    """Return the course of a metric.

    Args:
        metric: its definition.
        definitions: of its denominator, by name.
        data: a row per period with the columns that the gateway's ``query`` gives for the metric.
        enters: which periods are over and comparable.
        shown: how many periods, the last, are judged against those before; where too few came before, against all.
    """
    values: Floats = data[metric.name].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    enters = enters.copy()
    if np.isfinite(values).any():
        # Before the first row nothing was recorded; after it, no row means that nothing happened.
        enters &= np.arange(len(values)) >= np.argmax(np.isfinite(values))
    if metric.is_additive:
        values[enters & np.isnan(values)] = 0.0
    numerator, denominator = (
        data[f"{metric.name}__{part}"].to_numpy(dtype=np.float64, na_value=0.0) if metric.is_ratio else None
        for part in ("numerator", "denominator")
    )
    has_cases = denominator is not None and _counts_cases(metric, definitions)
    if denominator is not None and has_cases:
        enters &= denominator >= ENOUGH
    values[~enters] = np.nan
    enters = np.isfinite(values)
    before = enters & (np.arange(len(values)) < len(values) - shown)
    baseline = before if before.sum() >= FEWEST else enters
    if numerator is not None and denominator is not None and is_estimate(metric, definitions):
        chart = control.proportions if metric.unit == "percent" else control.rates
        found = chart(np.where(enters, numerator, np.nan), np.where(enters, denominator, np.nan), baseline)
        scale = metric.scale
    else:
        found = control.individuals(values, baseline, is_count=metric.unit == "count")
        scale = 1.0
    limits = None if isinstance(found, Refusal) else _scaled(found, scale)
    known = np.flatnonzero(baseline) if baseline.any() else np.array([0])
    return Course(
        values=values,
        limits=limits,
        refusal=found if isinstance(found, Refusal) else None,
        signals=tuple(control.signals(values, limits)) if limits else (),
        has_cases=has_cases,
        since=int(known[0]),
        until=int(known[-1]),
    )


def _counts_cases(metric: Metric, definitions: Mapping[str, Metric]) -> bool:
    denominator = definitions.get(str(metric.denominator))
    # What is not known is taken for a count, as everywhere a metric lacks its unit.
    return denominator is None or denominator.unit == "count"


def _scaled(limits: Limits, scale: float) -> Limits:
    return replace(
        limits,
        centre=limits.centre * scale,
        sigma=limits.sigma * scale,
        lower=limits.lower * scale,
        upper=limits.upper * scale,
    )
