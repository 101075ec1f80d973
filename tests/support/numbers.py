"""Every metric of what an installation has published, for comparisons of one installation with another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loupan.metrics import Metrics
from loupan.settings import Settings
from loupan.snapshot import current

Numbers = dict[str, list[dict[str, Any]]]


def published_numbers(data_dir: Path) -> Numbers:
    """Ask the gateway for every metric, in total and by month, project and employee."""
    metrics = Metrics(current(Settings(data_dir=data_dir)))
    names = [metric.name for metric in metrics.list()]
    found = {"total": metrics.records(names)}
    for metric in metrics.list():
        for dimension in {"month", "project", "employee"} & set(metric.dimensions):
            found[f"{metric.name} by {dimension}"] = metrics.records([metric.name], by=[dimension])
    return found


def assert_equal_numbers(ours: Numbers, expected: Numbers) -> None:
    """Compare all; sums of floating-point credits depend on the order of the rows in the last bit."""
    assert ours.keys() == expected.keys()
    for question, rows in expected.items():
        assert len(ours[question]) == len(rows), question
        for got, row in zip(ours[question], rows, strict=True):
            for name, value in row.items():
                close = pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
                assert got[name] == close, f"{question}: {name}"
