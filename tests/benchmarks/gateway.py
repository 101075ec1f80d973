"""Metric queries through the gateway on the published snapshot."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from loupan.metrics import Metrics
from loupan.settings import Settings
from loupan.snapshot import current
from tests.benchmarks.company import company
from tests.benchmarks.result import Measured, Table

REPEATS = 20
QUESTIONS: list[tuple[list[str], list[str]]] = [
    (["leads", "contracts", "contract_amount", "complaint_rate"], []),
    (["conversion_rate"], ["source"]),
    (["conversion_rate"], ["month", "project"]),
    (["contract_amount_gross", "contract_amount_cancelled", "contract_amount"], ["month"]),
    (["contracts"], ["employee"]),
    (["complaint_rate"], ["month", "project"]),
    (["complaints"], ["demand_category"]),
    (["reply_timeliness_rate"], ["employee"]),
    (["attributed_contracts", "return_on_expense"], ["source", "attribution_model"]),
    (["days_to_contract"], ["project"]),
]


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Publish a company of a scale and time the questions on it."""
    with company(folder, scale) as made:
        made.refresh(models=False)
        return questions(made.settings)


def questions(settings: Settings) -> Measured:
    """Time each question once with nothing compiled, then ``REPEATS`` times with the compiled SQL at hand."""
    metrics = Metrics(current(settings))
    metrics.query(["leads"])  # import and open
    everything: list[float] = []
    rows = []
    for names, by in QUESTIONS:
        first, *cached = [_milliseconds(metrics, names, by) for _ in range(REPEATS + 1)]
        everything += cached
        rows.append((", ".join(names), ", ".join(by), first, *_median_and_p95(cached)))
    median, p95 = _median_and_p95(everything)
    columns = ("metrics", "by", "first", "median", "p95")
    table = Table("A metric query (milliseconds)", columns, (*rows, ("all", "", None, median, p95)))
    return Measured((table,), {"median_ms": median, "p95_ms": p95})


def _milliseconds(metrics: Metrics, names: list[str], by: list[str]) -> float:
    start = time.perf_counter()
    metrics.query(names, by=by)
    return (time.perf_counter() - start) * 1000


def _median_and_p95(times: list[float]) -> tuple[float, float]:
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]
