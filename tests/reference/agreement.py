"""Where the product's numbers, asked through the gateway, differ from the reference."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from loupan.metrics import Metric, Metrics
from loupan.settings import Settings
from loupan.snapshot import publish
from tests.reference.compute import Reference
from tests.reference.facts import Group, RatioValue
from tests.support.warehouse import Warehouse, manifest, sources

HALF_A_CENT = Decimal("0.005")


@dataclass(frozen=True)
class Shape:
    """A way to ask: cut by some dimensions, filtered, in a period."""

    by: tuple[str, ...] = ()
    where: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    start: dt.date | None = None
    end: dt.date | None = None

    @property
    def dimensions(self) -> frozenset[str]:
        """Every dimension the question names."""
        return frozenset(self.by) | frozenset(self.where)


def built(tables: Mapping[str, pd.DataFrame], as_of: dt.datetime) -> Warehouse:
    """Return a warehouse with every dbt model built on a CRM's tables."""
    warehouse = Warehouse()
    loaded = {
        name: frame[[column for column in frame.columns if column in sources()[name]]]
        for name, frame in tables.items()
        if name in sources()
    }
    warehouse.load(loaded, as_of)
    warehouse.build()
    return warehouse


def published(tables: Mapping[str, pd.DataFrame], as_of: dt.datetime, folder: Path) -> Metrics:
    """Return the product's metrics of a CRM: every dbt model built on its tables, published into ``folder``."""
    warehouse = built(tables, as_of)
    semantic_manifest = folder / "semantic_manifest.json"
    semantic_manifest.write_text(manifest().semantic_json, encoding="utf-8")
    return Metrics(publish(Settings(data_dir=folder), warehouse.con, semantic_manifest, {}))


def differences(reference: Reference, metrics: Metrics, shape: Shape) -> Iterator[str]:
    """Yield a sentence for every number that differs, of every metric that can be asked so."""
    names = [name for name in reference.names if shape.dimensions <= set(reference.dimensions(name))]
    names = [name for name in names if shape.dimensions <= set(metrics.describe(name).dimensions)]
    if not names:
        return
    asked = {"by": shape.by, "where": shape.where or None, "start": shape.start, "end": shape.end}
    records = metrics.records(names, **asked)  # type: ignore[arg-type]
    answers = {tuple(record[name] for name in shape.by): record for record in records}
    for name in names:
        metric = metrics.describe(name)
        for group, expected in _complete(reference.query(name, **asked), answers).items():  # type: ignore[arg-type]
            got = _answer(metric, answers.get(group))
            if not _agree(metric, expected, got):
                yield f"{name} {_spoken(shape)} {group}: expected {expected}, got {got}"


def _complete(expected: dict[Group, Any], answers: dict[Group, Any]) -> dict[Group, Any]:
    return {**dict.fromkeys(answers), **expected}


def _answer(metric: Metric, record: Mapping[str, Any] | None) -> Any:
    if record is None:
        return None
    value = record[metric.name]
    if metric.is_ratio:
        return RatioValue(record[f"{metric.name}__numerator"], record[f"{metric.name}__denominator"], value)
    return value


def _agree(metric: Metric, expected: Any, got: Any) -> bool:
    """Say whether two answers are the same number; a group that is not there counts nothing."""
    if not metric.is_ratio:
        # A sum over no rows is 0, there or not; a median of nothing is unknown, there or not.
        return _same(expected or 0, got or 0, money=metric.unit == "currency")
    if expected is None or got is None:
        there = got if expected is None else expected
        return there is None or (not there.numerator and not there.value)
    terms = (expected.numerator, expected.denominator, got.numerator, got.denominator)
    if expected.value is None and got.value is None and not any(terms):
        # A company without units has no state of them, in any period: 0 of 0, or nothing of nothing.
        return True
    is_money = metric.unit in ("currency", "ratio")
    return (
        _same(expected.numerator, got.numerator, money=is_money)
        and _same(expected.denominator, got.denominator, money=is_money)
        and _same(expected.value, got.value, money=False)
    )


def _same(expected: Any, got: Any, *, money: bool) -> bool:
    if expected is None or got is None:
        return expected is None and got is None
    if isinstance(expected, Decimal) and isinstance(got, Decimal):
        return abs(expected - got) < HALF_A_CENT if money else expected == got
    return math.isclose(expected, got, rel_tol=1e-9, abs_tol=1e-9)


def _spoken(shape: Shape) -> str:
    where = f" where {dict(shape.where)}" if shape.where else ""
    period = f" from {shape.start} to {shape.end}" if shape.start or shape.end else ""
    return f"by {', '.join(shape.by) or 'nothing'}{where}{period}"
