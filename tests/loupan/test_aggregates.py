"""Answers from aggregate tables are those from the facts, to the last unit, whatever is asked of whom."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loupan.aggregates import cut_of
from loupan.metrics import EVERYTHING, Metrics, QueryError, Scope
from loupan.metrics.catalogue import TIME_DIMENSIONS
from loupan.metrics.gateway import Answer
from loupan.settings import Settings
from loupan.snapshot import DamagedSnapshot, PublishError, Snapshot, current, publish
from tests.loupan.conftest import Built
from tests.support.installation import sample_installation

# Of the sample company, whose data ends with June 2026; so the months are cut where a refresh of that day would.
CUT = 17
EXAMPLES = 60


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The sample company's marts, published as of a day within a month."""
    folder, sample = tmp_path_factory.mktemp("cut"), sample_installation()
    published = current(Settings(data_dir=sample))
    report = {"as_of": f"2026-06-{CUT}T16:00:00+00:00", "time_zone": "Asia/Shanghai"}
    return publish(
        Settings(data_dir=folder), sample / "warehouse.duckdb", published.semantic_manifest_path, report
    )  # fmt: skip


@pytest.fixture(scope="module")
def metrics(snapshot: Snapshot) -> Metrics:
    return Metrics(snapshot)


@pytest.fixture(scope="module")
def told(snapshot: Snapshot) -> list[dict[str, Any]]:
    """What is known of each aggregate."""
    return json.loads(snapshot.aggregates_path.read_text(encoding="utf-8"))["aggregates"]


def statements(metrics: Metrics, patch: pytest.MonkeyPatch) -> list[str]:
    """Return the list into which the SQL of further questions goes."""
    asked: list[str] = []
    fetch = Metrics._fetch

    def noted(self: Metrics, sql: str, parameters: dict[str, object]) -> Answer:
        asked.append(sql)
        return fetch(self, sql, parameters)

    patch.setattr(Metrics, "_fetch", noted)
    return asked


def askable(metrics: Metrics, aggregate: dict[str, Any]) -> list[str]:
    """Return the dimensions of an aggregate that questions may name; the others are for metrics' own conditions."""
    return [name for name in aggregate["dimensions"] if name in metrics._catalogue.dimensions]


def answer(metrics: Metrics, question: dict[str, Any]) -> list[dict[str, Any]] | str:
    try:
        return metrics.records(**question)
    except QueryError as error:
        return str(error)


DAYS = st.one_of(
    st.none(),
    st.builds(date, st.integers(2023, 2026), st.integers(1, 12), st.sampled_from([1, CUT, CUT + 1, 28])),
    st.sampled_from([date(2025, 1, 31), date(2024, 2, 29), date(2025, 12, 31), date(2026, 6, 30)]),
)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_added_up_is_what_is_counted(metrics: Metrics, told: list[dict[str, Any]], data: st.DataObject) -> None:
    aggregate = data.draw(st.sampled_from(told))
    names = data.draw(st.lists(st.sampled_from(sorted(aggregate["metrics"])), min_size=1, max_size=3, unique=True))
    further = st.sampled_from([metric.name for metric in metrics.list()])
    names += data.draw(st.lists(further, max_size=1).filter(lambda found: not set(found) & set(names)))
    kept = askable(metrics, aggregate)
    by = data.draw(st.lists(st.sampled_from([*kept, *TIME_DIMENSIONS]), max_size=3, unique=True))
    where = {}
    for name in data.draw(st.lists(st.sampled_from(kept), max_size=2, unique=True)):
        values = [*metrics.dimension_values(name), None]
        where[name] = data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True))
    start, end = data.draw(DAYS), data.draw(DAYS)
    reach = data.draw(st.sampled_from(["", "project_id", "employee_id", "both"]))
    keys = {name: tuple(map(str, metrics.dimension_values(name)[:3])) for name in ("project_id", "employee_id")}
    scope = Scope.of({n: keys[n] for n in keys if reach in (n, "both")}) if reach else EVERYTHING
    question = {"metrics": names, "by": by, "where": where, "start": start, "end": end}
    bounded = metrics.within(scope)
    assert answer(bounded, question) == answer(bounded.from_facts(), question)


@pytest.mark.slow
def test_every_aggregate_answers(metrics: Metrics, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = statements(metrics, monkeypatch)
    assert len(told) > 5
    for aggregate in told:
        by = [*askable(metrics, aggregate), "month"]
        rows = metrics.records(aggregate["metrics"], by=by)
        assert aggregate["name"] in asked.pop()
        assert rows == metrics.from_facts().records(aggregate["metrics"], by=by)
        assert "aggregate_" not in asked.pop()
        assert rows


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "question", "aggregate"),
    [
        ("records_entered", {"start": "2025-07-01", "end": "2026-06-30"}, "aggregate_entry_1"),
        # What the current month is compared with ends on the day of the as-of.
        ("records_entered", {"start": "2024-07-01", "end": f"2025-06-{CUT}"}, "aggregate_entry_1"),
        ("records_entered", {"start": f"2025-06-{CUT + 1}"}, "aggregate_entry_1"),
        ("records_entered", {"start": f"2025-06-{CUT}"}, "fct_entry"),
        ("records_entered", {"end": "2025-06-29"}, "fct_entry"),
        ("records_entered", {"end": "9999-12-31"}, "aggregate_entry_1"),
        ("records_entered", {"by": ["quarter", "project"], "where": {"month": ["2026-01"]}}, "aggregate_entry_1"),
        ("records_entered", {"by": ["week"]}, "fct_entry"),
        ("records_entered", {"where": {"day": ["2026-01-05"]}}, "fct_entry"),
        # What was recorded by month is whole in any period.
        ("customer_months", {"start": "2025-06-11", "end": "2025-08-12"}, "aggregate_customer_month_1"),
        ("leads", {"by": ["project"]}, "aggregate_lead_1"),
        ("leads", {"by": ["source", "plan"]}, "aggregate_lead_2"),
        ("leads", {"by": ["source"], "where": {"gender": ["female"]}}, "aggregate_lead_3"),
        # Its rows keep their days.
        ("leads", {"by": ["week"], "start": "2025-06-11"}, "aggregate_lead_3"),
        ("leads", {"by": ["gender", "activity"]}, "fct_lead"),
        # A median cannot be added up.
        ("days_to_contract", {"by": ["source"]}, "fct_lead"),
    ],
)
def test_the_smallest_that_can_answers(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch, metric: str, question: dict[str, Any], aggregate: str
) -> None:
    asked = statements(metrics, monkeypatch)
    rows = metrics.records([metric], **question)
    assert set(re.findall(r'"main"\."((?:fct|aggregate)_\w+)"', asked[0])) == {aggregate}
    assert rows == metrics.from_facts().records([metric], **question)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "is_added_up"),
    [
        ({"by": ["feature", "feature_value"]}, True),
        ({"by": ["feature_value"], "where": {"feature": ["购房目的"]}}, True),
        ({"where": {"feature": ["购房目的"], "feature_value": ["自住", "投资"]}}, True),
        # A lead has several features, and would count once for each.
        ({"by": ["feature_value"]}, False),
        ({"by": ["project", "month"]}, False),
    ],
)
def test_distinct_things_are_added_up_where_they_count_once(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch, question: dict[str, Any], is_added_up: bool
) -> None:
    asked = statements(metrics, monkeypatch)
    names = ["leads_in_feature", "converted_leads_in_feature"]
    rows = metrics.records(names, **question)
    assert ("aggregate_lead_feature" in asked[0]) == is_added_up
    assert rows == metrics.from_facts().records(names, **question)
    assert any(row["leads_in_feature"] for row in rows)


@pytest.mark.slow
def test_a_snapshot_of_an_earlier_version_has_none(snapshot: Snapshot, metrics: Metrics, tmp_path: Path) -> None:
    earlier = Snapshot(snapshot.version, tmp_path / snapshot.version)
    shutil.copytree(snapshot.path, earlier.path)
    earlier.aggregates_path.unlink()
    question = {"metrics": ["leads", "conversion_rate", "contract_amount"], "by": ["month", "gender"]}
    assert Metrics(earlier).records(**question) == metrics.records(**question)
    earlier.aggregates_path.write_text("{}", encoding="utf-8")
    with pytest.raises(DamagedSnapshot, match=r"aggregates\.json: .*rollback"):
        Metrics(earlier)


def test_what_a_model_lacks_cannot_be_kept(mini: Built, tmp_path: Path) -> None:
    manifest = mini.manifest
    model = next(model for model in manifest["semantic_models"] if model["measures"])
    model["config"] = {"meta": {"aggregates": [{"by": ["no_such_key"]}]}}
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(PublishError, match=f"{model['name']} has no 'no_such_key'"):
        publish(Settings(data_dir=tmp_path), mini.warehouse_path, path, {})
    assert not list((tmp_path / "snapshots").glob("2*"))


@pytest.mark.parametrize(
    ("last_day", "cut"),
    [(date(2026, 6, 30), None), (date(2026, 2, 28), None), (date(2024, 2, 28), 28), (date(2026, 7, 30), 30)],
)
def test_months_are_cut_where_the_data_ends(last_day: date, cut: int | None) -> None:
    assert cut_of(last_day) == cut


def test_sums_of_floating_point_numbers_stay_with_the_fact(
    open_with: Callable[..., Metrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    def declare(manifest: dict[str, Any]) -> None:
        for model in manifest["semantic_models"]:
            if model["measures"]:
                keys = [entity["name"] for entity in model["entities"] if entity["type"] == "foreign"]
                model["config"] = {"meta": {"aggregates": [{"by": keys}]}}

    opened = open_with(declare)
    document = json.loads(opened.snapshot.aggregates_path.read_text(encoding="utf-8"))
    answered = {name for aggregate in document["aggregates"] for name in aggregate["metrics"]}
    assert answered
    for metric in opened.list(hidden=True):
        if metric.kind == "simple":
            rows = answer(opened, {"metrics": [metric.name], "by": ["month"]})
            assert rows == answer(opened.from_facts(), {"metrics": [metric.name], "by": ["month"]})
