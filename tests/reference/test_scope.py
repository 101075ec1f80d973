"""Whatever is asked within a scope rests on rows of that scope alone, for every metric, over a random company."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from loupan.metrics import Metrics, OutOfScope, Scope, UnknownDimension
from loupan.metrics.catalogue import TIME_DIMENSIONS
from tests.reference.agreement import published
from tests.reference.random_crm import random_crm

pytestmark = pytest.mark.slow
WHO = ("project_id", "employee_id")
# Counts made in the mart, of fields rather than of records; and entries, which are records of many tables.
COUNTED_AHEAD = {"field_completeness", "fields_expected", "fields_filled"}
COUNTED_AHEAD |= {"records_entered", "late_entries", "late_entry_rate"}
Reach = Mapping[str, Sequence[str]]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Metrics:
    company = random_crm(11, 60)
    return published(company.tables, company.as_of, tmp_path_factory.mktemp("scope"))


@pytest.fixture(scope="module")
def reaches(metrics: Metrics) -> list[Reach]:
    """One, several and no estates; one, several and no people; both; values that nobody has."""
    projects, people = ([str(value) for value in metrics.dimension_values(name) if value is not None] for name in WHO)
    assert len(projects) > 2
    assert len(people) > 4
    of_projects: list[Reach] = [{"project_id": chosen} for chosen in (projects[:1], projects[1:3], [], ["999999"])]
    of_people: list[Reach] = [{"employee_id": chosen} for chosen in (people[:1], people[1:4], [], ["' or 1=1 --"])]
    both = [{**a, **b} for a, b in itertools.product(of_projects[:3], of_people[:3])]
    return [*of_projects, *of_people, *both]


def bounding(metrics: Metrics, name: str) -> set[str]:
    """Which of the two can bound all that a metric rests on."""
    return {who for who in WHO if not metrics.within(Scope.of({who: []})).is_withheld(name)}


def is_reached(row: Mapping[str, Any], reach: Reach, by: Sequence[str]) -> bool:
    return any(str(row[who]) in reach.get(who, ()) for who in by)


def simple_parts(metrics: Metrics) -> Iterator[tuple[str, tuple[str, ...]]]:
    for metric in metrics.list(hidden=True):
        if metric.kind == "simple" and metric.record:
            yield metric.name, tuple(sorted(bounding(metrics, metric.name)))


def test_every_row_within_a_scope_is_of_it_and_none_of_it_is_missing(metrics: Metrics, reaches: list[Reach]) -> None:
    cases = 0
    for name, by in simple_parts(metrics):
        everything = metrics.rows(name, by=by)
        assert everything or not metrics.records([name])[0][name], name
        for reach in reaches:
            bounds = bounding(metrics, name) & reach.keys()
            if not bounds:
                with pytest.raises(OutOfScope, match=name):
                    metrics.within(Scope.of(reach)).rows(name, by=by)
                continue
            expected = [row for row in everything if is_reached(row, reach, tuple(bounds))]
            got = metrics.within(Scope.of(reach)).rows(name, by=by)
            assert sorted(got, key=repr) == sorted(expected, key=repr), (name, reach)
            cases += 1
    assert cases > 1000


def test_numbers_within_a_scope_are_those_of_its_rows(metrics: Metrics, reaches: list[Reach]) -> None:
    cases = 0
    for metric in metrics.list():
        dimensions = [d for d in metric.dimensions if d not in WHO and d not in TIME_DIMENSIONS][:1]
        for reach in reaches:
            bounds = bounding(metrics, metric.name) & reach.keys()
            within = metrics.within(Scope.of(reach))
            if not bounds:
                assert metric.name not in {known.name for known in within.list(hidden=True)}
                continue
            if len(bounds) == 1:
                # The scope is then nothing but a filter, which the reference checks.
                (who,) = bounds
                for by in ((), *((dimension,) for dimension in dimensions)):
                    filtered = metrics.records([metric.name], by=by, where={who: reach[who]})
                    assert within.records([metric.name], by=by) == filtered, (metric.name, reach, by)
                    cases += 1
            elif metric.is_additive:
                ask = metrics.rows if metric.record else lambda name, by: metrics.records([name], by=by)
                rows = [row for row in ask(metric.name, by=WHO) if is_reached(row, reach, WHO)]
                expected = sum((Decimal(str(row[metric.name])) for row in rows), Decimal(0))
                assert math.isclose(within.records([metric.name])[0][metric.name] or 0, expected), (metric.name, reach)
                cases += 1
    assert cases > 600


def test_rows_add_up_to_the_number(metrics: Metrics) -> None:
    without = {metric.name for metric in metrics.list() if not metrics.parts(metric.name)}
    assert without == COUNTED_AHEAD
    for metric in metrics.list():
        for part in metrics.parts(metric.name):
            assert metrics.record_of(part)
            if not metrics.describe(part).is_additive:
                continue
            total = metrics.records([part])[0][part]
            assert math.isclose(sum(row[part] for row in metrics.rows(part)), total or 0), (metric.name, part)


def test_values_that_are_offered_are_those_of_the_scope(metrics: Metrics, reaches: list[Reach]) -> None:
    names = {"project_id": "project", "employee_id": "employee"}
    everything = metrics.records(["leads", "demands", "contracts_gross", "visits"], by=(*WHO, *names.values()))
    for reach in reaches:
        within = metrics.within(Scope.of(reach))
        reached = [row for row in everything if is_reached(row, reach, tuple(reach))]
        for key, name in names.items():
            offered = {value for value in within.dimension_values(name) if value is not None}
            assert {row[name] for row in reached if row[name] is not None} <= offered
            if tuple(reach) == (key,):
                assert offered <= {row[name] for row in everything if str(row[key]) in reach[key]}


def test_a_filter_never_widens_a_scope(metrics: Metrics, reaches: list[Reach]) -> None:
    for reach in reaches:
        bounds = bounding(metrics, "leads") & reach.keys()
        within = metrics.within(Scope.of(reach))
        for who in WHO:
            for value in metrics.dimension_values(who):
                rows = within.rows("leads", by=WHO, where={who: [value]})
                assert all(is_reached(row, reach, tuple(bounds)) and row[who] == value for row in rows)


def test_a_scope_of_nothing_sees_nothing(metrics: Metrics) -> None:
    nobody = metrics.within(Scope.of({}))
    assert nobody.list(hidden=True) == []
    with pytest.raises(OutOfScope, match="anything you are assigned to"):
        nobody.query(["leads"])
    assert nobody.dimension_values("project") == []


def test_a_scope_of_no_dimension_is_refused(metrics: Metrics) -> None:
    for name in ("no_such", "month"):
        with pytest.raises(UnknownDimension):
            metrics.within(Scope.of({name: ["x"]}))
