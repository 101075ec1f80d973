"""The gateway to every number: ask the semantic layer of a published snapshot.

>>> from loupan.metrics import open_current
>>> open_current().query(["conversion_rate"], by=["source"], where={"project": ["River Bay"]}, start="2026-01-01")
"""

from loupan.metrics.catalogue import Dimension, Metric
from loupan.metrics.comparison import MetricChange, compare
from loupan.metrics.errors import (
    InvalidCombination,
    InvalidFilter,
    InvalidPeriod,
    OutOfScope,
    QueryError,
    UnknownDimension,
    UnknownMetric,
    UnusableManifest,
)
from loupan.metrics.gateway import Metrics, check_manifest, open_current, open_snapshot
from loupan.metrics.scope import EVERYTHING, Scope

__all__ = [
    "EVERYTHING",
    "Dimension",
    "InvalidCombination",
    "InvalidFilter",
    "InvalidPeriod",
    "Metric",
    "MetricChange",
    "Metrics",
    "OutOfScope",
    "QueryError",
    "Scope",
    "UnknownDimension",
    "UnknownMetric",
    "UnusableManifest",
    "check_manifest",
    "compare",
    "open_current",
    "open_snapshot",
]
