"""Metric queries through the gateway on the published snapshot."""

from __future__ import annotations

import statistics
import time

from rich.table import Table

from loupan.metrics import Metrics
from loupan.settings import Settings
from loupan.snapshot import current

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


def measure(settings: Settings) -> Table:
    """Time each question once with an empty cache, then ``REPEATS`` times with the compiled SQL cached."""
    metrics = Metrics(current(settings))
    metrics.query(["leads"])  # import and open
    table = Table(title="A metric query (milliseconds)", title_justify="left")
    for column in ("metrics", "by", "first", "median", "p95"):
        table.add_column(column, justify="left" if column in ("metrics", "by") else "right")
    everything: list[float] = []
    for names, by in QUESTIONS:
        times = []
        for _ in range(REPEATS + 1):
            start = time.perf_counter()
            metrics.query(names, by=by)
            times.append((time.perf_counter() - start) * 1000)
        first, cached = times[0], times[1:]
        everything += cached
        p95 = statistics.quantiles(cached, n=20)[-1]
        table.add_row(", ".join(names), ", ".join(by), f"{first:.0f}", f"{statistics.median(cached):.0f}", f"{p95:.0f}")
    p95 = statistics.quantiles(everything, n=20)[-1]
    table.add_row("all", "", "", f"{statistics.median(everything):.0f}", f"{p95:.0f}")
    return table
