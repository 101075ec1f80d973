"""The product's metrics, asked through the gateway, against the reference: to the last unit, however they are cut.

``AGREEMENT_EXAMPLES=200 pytest tests/reference/test_agreement.py`` tries more random companies than the usual few.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from data_entry.database import create_engine_for
from data_entry.schema import metadata
from loupan.metrics import Metrics
from sample_data.generator import generate
from tests.reference.agreement import Shape, differences, published
from tests.reference.compute import Reference
from tests.reference.random_crm import random_crm
from tests.support.crm import create_crm

EXAMPLES = int(os.environ.get("AGREEMENT_EXAMPLES", "6"))
# Of many differences the first few say enough.
SHOWN = 20

# Beside the totals, how many other ways of asking are tried of each random company.
CUTS = 4

PAIRS = (
    ("month", "project"), ("month", "source"), ("month", "employee"), ("quarter", "department"),
    ("month", "demand_category"), ("project", "demand_category"), ("employee", "demand_category"),
    ("project", "customer_class"), ("activity", "plan"), ("source", "attribution_model"),
    ("month", "attribution_model"), ("age_band", "income_band"), ("market_type", "district"),
    ("project", "reason"), ("channel", "severity"), ("plan", "expense_category"),
    ("feature", "feature_value"), ("feature", "month"), ("feature_value", "project"), ("month", "annotation"),
)  # fmt: skip


def filters(reference: Reference, as_of: dt.datetime) -> Iterator[Shape]:
    """Yield questions with filters by values that are there, by none, by one that is not there, and with periods."""
    begin, end = (as_of - dt.timedelta(days=200)).date(), (as_of - dt.timedelta(days=40)).date()
    yield Shape(start=begin.replace(day=1), end=end.replace(day=1) - dt.timedelta(days=1))
    yield Shape(("source",), start=begin.replace(day=1))
    yield Shape(("project",), start=begin.replace(day=15), end=end.replace(day=15))
    for metric, dimension, by in (
        ("leads", "project", "month"),
        ("leads", "source", "project"),
        ("contracts_gross", "employee", "project"),
        ("demands", "demand_category", "project"),
        ("marketing_expense", "plan", "month"),
    ):
        values = sorted({group[0] for group in reference.query(metric, [dimension])}, key=str)
        # Categories one at a time: a median over several nested ones counts a demand once for each.
        yield Shape((by,), {dimension: values[: 1 if dimension == "demand_category" else 2]})
        known = values[-1:] if dimension != "demand_category" else []
        yield Shape((), {dimension: [*known, "no such value"]})
        yield Shape((), {dimension: [None]})
    features = sorted(group[0] for group in reference.query("leads", ["feature"]))
    yield Shape(("feature_value",), {"feature": features[:1]})
    yield Shape(("project",), {"attribution_model": ["linear"]})
    yield Shape((), {"attribution_model": ["first"], "source": ["unattributed"]})


def single_cuts(reference: Reference) -> list[Shape]:
    """Return the total, and a cut by every dimension."""
    dimensions = sorted({dimension for name in reference.names for dimension in reference.dimensions(name)})
    return [Shape(), *(Shape((dimension,)) for dimension in dimensions)]


def assert_agree(reference: Reference, metrics: Metrics, asked: list[Shape]) -> None:
    found = [difference for shape in asked for difference in differences(reference, metrics, shape)]
    assert not found, "\n".join([f"{len(found)} differences:", *found[:SHOWN]])


def assert_courses_agree(reference: Reference, metrics: Metrics) -> None:
    """Compare what curves of signing and of resolutions rest on: dimensions that no list names."""
    by = ("course_outcome", "course_days", "project", "month")
    found = {tuple(row[name] for name in by): row["leads"] for row in metrics.records(["leads"], by)}
    assert found == reference.query("leads", by)
    by, metric = ("resolution_outcome", "resolution_days", "severity", "month"), "demands_not_withdrawn"
    found = {tuple(row[name] for name in by): row[metric] for row in metrics.records([metric], by)}
    assert found == reference.divisor("resolution_rate", by)


def agree(tables: Mapping[str, pd.DataFrame], as_of: dt.datetime, chosen: random.Random, cuts: int = CUTS) -> None:
    """Compare the totals, and some other ways of asking, chosen at random."""
    reference = Reference(dict(tables), as_of)
    total, *singles = single_cuts(reference)
    others = [*singles, *(Shape(pair) for pair in PAIRS), *filters(reference, as_of)]
    with tempfile.TemporaryDirectory() as folder:
        metrics = published(tables, as_of, Path(folder))
        assert_agree(reference, metrics, [total, *chosen.sample(others, cuts)])
        assert_courses_agree(reference, metrics)


@pytest.mark.slow
def test_every_metric_by_every_dimension(tmp_path: Path) -> None:
    company = random_crm(5)
    reference = Reference(company.tables, company.as_of)
    metrics = published(company.tables, company.as_of, tmp_path)
    assert set(reference.names) <= {metric.name for metric in metrics.list()}
    missing = {
        (name, dimension)
        for name in reference.names
        for dimension in set(reference.dimensions(name)) - set(metrics.describe(name).dimensions)
    }
    assert not missing
    assert_agree(reference, metrics, single_cuts(reference))
    assert_courses_agree(reference, metrics)


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    # A smaller seed is no simpler company: shrinking would only take time.
    phases=[Phase.explicit, Phase.generate],
)
@given(seed=st.integers(0, 1_000_000), customers=st.integers(1, 60))
@example(seed=1, customers=0)
def test_random_companies(seed: int, customers: int) -> None:
    company = random_crm(seed, customers)
    agree(company.tables, company.as_of, random.Random(seed))


@pytest.mark.slow
def test_a_generated_company(tmp_path: Path) -> None:
    engine = create_engine_for(f"sqlite:///{tmp_path / 'crm.sqlite'}")
    create_crm(engine)
    generate(engine, scale=0.01, seed=3, as_of=dt.date(2026, 6, 30), truths_path=tmp_path / "truths.json")
    with engine.connect() as connection:
        tables = {
            table.name: pd.DataFrame(
                [row._asdict() for row in connection.execute(sa.select(table))],
                columns=[column.name for column in table.columns],
                dtype=object,
            )
            for table in metadata.sorted_tables
        }
    engine.dispose()
    # Some weeks before the end of the data: what came later must not count.
    agree(tables, dt.datetime(2026, 5, 15, 16, 0), random.Random(0), cuts=6)
