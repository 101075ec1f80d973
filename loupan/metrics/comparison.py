"""What changed between two snapshots, metric by metric and month by month."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from loupan.metrics.gateway import Metrics

Number = int | float | Decimal | None


@dataclass(frozen=True)
class MetricChange:
    """One number in two snapshots.

    Attributes:
        metric: name of the metric.
        month: ``YYYY-MM``, or None for the total of all time.
        before, after: the number in either snapshot; None where it has none, or where the metric does not exist.
    """

    metric: str
    month: str | None
    before: Number
    after: Number

    @property
    def absolute(self) -> Number:
        """``after`` − ``before``, or None if either is missing."""
        if self.before is None or self.after is None:
            return None
        if isinstance(self.before, float) or isinstance(self.after, float):
            return float(self.after) - float(self.before)
        return self.after - self.before

    @property
    def relative(self) -> float | None:
        """The change as a share of ``before``, or None if there is nothing to compare with."""
        if self.absolute is None or not self.before:
            return None
        return float(self.absolute) / abs(float(self.before))


def compare(before: Metrics, after: Metrics, among: Collection[str] | None = None) -> list[MetricChange]:
    """Return every number that differs: for each metric its total, then its months.

    A metric whose months changed while its total did not is in the list with its months alone.

    Args:
        before, after: two snapshots' metrics.
        among: names of the metrics that are compared; by default all that lists show.
    """
    known = sorted({metric.name for metric in before.list()} | {metric.name for metric in after.list()})
    names = [name for name in known if among is None or name in among]
    old, new = _numbers(before, names), _numbers(after, names)
    months = sorted({month for _, month in old.keys() | new.keys() if month is not None})
    return [
        MetricChange(name, month, old.get((name, month)), new.get((name, month)))
        for name in names
        for month in [None, *months]
        if not _equal(old.get((name, month)), new.get((name, month)))
    ]


def _equal(before: Number, after: Number) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        # Threads add floating point numbers in any order.
        return math.isclose(before, after, rel_tol=1e-9)
    return before == after


def _numbers(metrics: Metrics, among: Collection[str]) -> dict[tuple[str, str | None], Number]:
    """(metric, month, or None for the total) → number."""
    names = [metric.name for metric in metrics.list() if metric.name in among]
    rows = [*metrics.records(names), *metrics.records(names, by=["month"])] if names else []
    return {(name, row.get("month")): row[name] for row in rows for name in names}
