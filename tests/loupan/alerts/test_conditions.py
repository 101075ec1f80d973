"""What is found wrong, from real files, locks, processes and snapshots."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loupan.alerts.conditions import evaluate
from loupan.alerts.config import AlertsConfig, Rules
from loupan.alerts.finding import Evaluation, Finding, Kind, Severity
from loupan.alerts.masking import masked, without_examples
from loupan.backups import Drill, changing_history
from loupan.refresh_state import RefreshState, write_state
from loupan.settings import Settings
from loupan.snapshot import current, publish
from tests.loupan.conftest import Built

NOW = dt.datetime(2026, 6, 30, 22, 0, tzinfo=dt.UTC)
QUIET = AlertsConfig(rules=Rules(metrics=()))
HOLDING = """
import sys
from pathlib import Path
from loupan.refresh_lock import refresh_lock
with refresh_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def found(settings: Settings, now: dt.datetime = NOW, config: AlertsConfig = QUIET) -> dict[Kind, Finding]:
    evaluation = evaluate(settings, config, now)
    assert not evaluation.problems
    return {finding.kind: finding for finding in evaluation.findings}


def state(number: int, outcome: str, **more: Any) -> RefreshState:
    at = NOW - dt.timedelta(hours=24 - number)
    return RefreshState(str(number), at.isoformat(), outcome, (at + dt.timedelta(minutes=5)).isoformat(), **more)  # type: ignore[arg-type]


@pytest.fixture
def published(mini: Built, settings: Settings) -> Callable[[dt.datetime], None]:
    def publish_as_of(as_of: dt.datetime) -> None:
        publish(settings, mini.warehouse_path, mini.semantic_manifest_path, {"as_of": as_of.isoformat()})

    return publish_as_of


def test_an_empty_installation_is_in_order(settings: Settings) -> None:
    assert found(settings) == {}


def test_a_failed_refresh(settings: Settings) -> None:
    write_state(settings, state(1, "published", rows={"lead": 1}))
    assert found(settings) == {}
    write_state(settings, state(2, "error", error="first"))
    write_state(settings, state(3, "error", error="cannot reach postgresql://crm:geheim@db/x\nTraceback"))
    finding = found(settings)[Kind.REFRESH_FAILED]
    assert finding.since == NOW - dt.timedelta(hours=22) + dt.timedelta(minutes=5)
    assert finding.facts["times"] == 2
    assert finding.facts["error"] == "cannot reach postgresql://…db/x"
    # While the next one runs it is still so; when that was published it is not.
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(settings.data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        write_state(settings, state(4, "running"))
        assert found(settings)[Kind.REFRESH_FAILED].facts["times"] == 2
        process.communicate()
    # Nobody holds the lock any more: that one was interrupted, too.
    assert found(settings)[Kind.REFRESH_FAILED].facts["times"] == 3
    # That somebody cancelled one does not mend it, nor is it wrong by itself.
    write_state(settings, state(5, "cancelled", error="cancelled by Li"))
    assert found(settings)[Kind.REFRESH_FAILED].facts["times"] == 3
    write_state(settings, state(6, "published"))
    write_state(settings, state(7, "cancelled", error="cancelled by Li"))
    assert found(settings) == {}


def test_a_refresh_that_runs_is_in_order_and_one_that_was_killed_is_not(settings: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(settings.data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        write_state(settings, RefreshState("1", NOW.isoformat()))
        assert found(settings) == {}
        process.send_signal(signal.SIGKILL)
    finding = found(settings)[Kind.REFRESH_FAILED]
    assert (finding.since, finding.facts["interrupted"]) == (NOW, 1)


def test_a_refused_refresh_tells_its_checks_without_what_people_typed(settings: Settings) -> None:
    checks = [
        "raw/customer: expectations – source is known: not so for 9 of 200, at most 4 may (e.g. 张三, 13800138000)",
        *(f"marts/check_{number}: not_null" for number in range(6)),
    ]
    write_state(settings, state(1, "refused", failed_checks=checks))
    finding = found(settings)[Kind.PUBLISHING_REFUSED]
    assert finding.facts["failed"] == 7
    told = finding.facts["checks"]
    assert isinstance(told, list)
    assert told[0] == "raw/customer: expectations – source is known: not so for 9 of 200, at most 4 may …"
    assert len(told) == 5
    assert Kind.REFRESH_FAILED not in found(settings)


def test_stale_data_also_when_nothing_ran(settings: Settings, published: Callable[[dt.datetime], None]) -> None:
    published(NOW)
    assert found(settings, NOW + dt.timedelta(hours=26)) == {}
    finding = found(settings, NOW + dt.timedelta(hours=30))[Kind.STALE_DATA]
    assert finding.since == NOW + dt.timedelta(hours=26)
    assert (finding.facts["hours"], finding.facts["promised"], finding.severity) == (30, 26, Severity.URGENT)
    other = settings.model_copy(update={"fresh_hours": 48})
    assert found(other, NOW + dt.timedelta(hours=30)) == {}
    # A refresh that found nothing new keeps the data fresh.
    current(settings).note_unchanged(NOW + dt.timedelta(hours=5))
    assert found(settings, NOW + dt.timedelta(hours=30)) == {}
    assert found(settings, NOW + dt.timedelta(hours=32))[Kind.STALE_DATA].since == NOW + dt.timedelta(hours=31)


def test_a_damaged_snapshot_is_told_and_what_rests_on_it_is_left_open(
    settings: Settings, published: Callable[[dt.datetime], None]
) -> None:
    published(NOW)
    current(settings).marts_path.write_bytes(b"half")
    evaluation = evaluate(settings, QUIET, NOW + dt.timedelta(hours=99))
    assert [finding.kind for finding in evaluation.findings] == [Kind.SNAPSHOT_DAMAGED]
    assert Kind.STALE_DATA in evaluation.unjudged


@pytest.mark.parametrize(
    ("quarantined", "outcome", "severity"),
    [
        (15, "published", None),
        (16, "published", Severity.NOTICE),
        (20, "published", Severity.NOTICE),
        (21, "refused", Severity.WARNING),
    ],
)
def test_rows_in_quarantine(settings: Settings, quarantined: int, outcome: str, severity: Severity | None) -> None:
    rows = {"lead": 1000 - quarantined, "project": 9}
    write_state(settings, state(1, outcome, rows=rows, quarantined={"lead": quarantined, "project": 1}))
    finding = found(settings).get(Kind.QUARANTINE)
    assert (finding.severity if finding else None) == severity
    if finding:
        assert (finding.subject, finding.facts["rows"], finding.facts["allowed"]) == ("lead", 1000, 20)


def test_volume_is_judged_on_the_recorded_history(settings: Settings) -> None:
    rows = 1000
    for number in range(12):
        rows += 100 if number < 11 else 0
        at = (NOW + dt.timedelta(days=number)).isoformat()
        write_state(settings, RefreshState(str(number), at, "published", at, at, rows={"lead": rows}))
    finding = found(settings)[Kind.VOLUME]
    assert (finding.subject, finding.facts["added"], finding.facts["usual"]) == ("lead", 0, 100)


LEADS = """
create or replace table marts.fct_lead as
select
    row_number() over () as lead_id, 1 as project_id, 1 as employee_id, 1 as department_id,
    cast(month + interval (i % 27) day as date) as opened_on, i % 5 = 0 as is_converted,
    10.0::double as days_to_contract
from (
    select month, unnest(range(case when month = date '2026-05-01' then ? else 95 + (month(month) * 7) % 11 end)) as i
    from generate_series(timestamp '2024-01-01', timestamp '2026-05-01', interval 1 month) as months (month)
)
"""


def with_leads_in_may(settings: Settings, mini: Built, folder: Path, number: int) -> None:
    warehouse = Path(shutil.copy(mini.warehouse_path, folder / f"{number}.duckdb"))
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(LEADS, [number])
    publish(settings, warehouse, mini.semantic_manifest_path, {"as_of": "2026-06-14T16:00:00+00:00"})


def test_a_metric_beyond_its_limits(settings: Settings, mini: Built, tmp_path: Path) -> None:
    config = AlertsConfig(rules=Rules(metrics=("leads",)))
    now = dt.datetime(2026, 6, 14, 17, tzinfo=dt.UTC)
    with_leads_in_may(settings, mini, tmp_path, 100)
    assert found(settings, now, config) == {}
    with_leads_in_may(settings, mini, tmp_path, 20)
    finding = found(settings, now, config)[Kind.METRIC]
    assert (finding.subject, finding.edition, finding.facts["value"]) == ("leads", "2026-05", 20)
    assert finding.facts["label_zh"] == "线索数"
    assert isinstance(finding.facts["low"], float)
    assert finding.facts["low"] > 20
    assert finding.facts["periods"] == 24
    # Midnight of 1 June in Shanghai.
    assert finding.since == dt.datetime(2026, 5, 31, 16, tzinfo=dt.UTC)


def test_metrics_that_cannot_be_judged_are_named(settings: Settings, published: Callable[[dt.datetime], None]) -> None:
    published(NOW)
    evaluation: Evaluation = evaluate(settings, AlertsConfig(rules=Rules(metrics=("lead", "units"))), NOW)
    assert "no metric 'lead'" in evaluation.problems[0]
    assert "leads" in evaluation.problems[0]
    assert evaluation.problems[1] == "Metric units has no course over time, so no control limits."
    # Nobody asked for the ready-made ones.
    assert evaluate(settings, AlertsConfig(), NOW).problems == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Could not convert string '张三 13800138000' to INT32", "Could not convert string … to INT32"),
        ("Key (phone)=(138-0013-8000) exists", "Key (phone)=… exists"),
        ("user zhang@example.com unknown\nmore", "user … unknown"),
        ("call +86 138 0013 8000 now", "call … now"),
        ("postgresql://crm:p@ss:w@host/db failed", "postgresql://…host/db failed"),
        ("x" * 400, "x" * 300 + "…"),
        ("table lead has 12,345 rows on 2026-06-30", "table lead has 12,345 rows on 2026-06-30"),
    ],
)
def test_technical_texts_are_told_without_values(text: str, told: str) -> None:
    assert masked(text) == told


def test_examples_of_checks_are_not_told() -> None:
    said = "lead: is known: not so for 5 of 9, at most 4 may (e.g. a); b) 13800138000; orphans: none"
    assert without_examples(said) == "lead: is known: not so for 5 of 9, at most 4 may …"


def test_an_old_backup_and_a_failed_drill(settings: Settings) -> None:
    settings.backups_dir.mkdir(parents=True)
    (settings.backups_dir / "loupan-20260630-020000.zip").touch()
    assert found(settings) == {}
    old = found(settings, NOW + dt.timedelta(hours=30))[Kind.BACKUP_OLD]
    assert old.facts["hours"] == 50.0
    assert old.since == dt.datetime(2026, 7, 1, 14, tzinfo=dt.UTC)
    with changing_history(settings) as history:
        history.drills.append(Drill("2026-06-29T00:00:00+00:00", "a.zip", passed=False, problem="table deal differs"))
    failed = found(settings)[Kind.DRILL_FAILED]
    assert (failed.severity, failed.facts["error"]) == (Severity.URGENT, "table deal differs")
    with changing_history(settings) as history:
        history.drills.append(Drill("2026-06-30T00:00:00+00:00", "b.zip", passed=True))
    assert found(settings) == {}
