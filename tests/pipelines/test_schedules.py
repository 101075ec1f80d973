"""When refreshes are due by themselves: the working calendar, those that wait already, and changes of the CRM."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test

from loupan.schedules import FILE, RefreshPlan, RefreshSchedule, write_plan
from loupan.settings import Settings
from pipelines import dbt_runner
from pipelines.contract import read_contract
from pipelines.errors import IngestError
from pipelines.instance import started_by
from pipelines.schedules import build_schedules, run_config
from pipelines.source_sensor import PATIENCE, build_source_sensor, decide, fingerprint
from tests.support.installation import crm_installation

pytestmark = pytest.mark.slow

# What is in the queue has to say where its job is defined.
HERE = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin(host="localhost", socket="/code.sock"), "repository")
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dg.op(name="raw_tables", config_schema=dict)
def nothing() -> None:
    """Stand in for the work: only when it begins is looked at here."""


@dg.job(name="refresh")
def refresh() -> None:
    nothing()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def _schedule(settings: Settings, name: str) -> dg.ScheduleDefinition:
    return next(s for s in build_schedules(refresh, settings) if s.name == name)


def _evaluate(settings: Settings, name: str, instance: dg.DagsterInstance, moment: dt.datetime) -> object:
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moment)
    return _schedule(settings, name).evaluate_tick(context)


def test_a_rule_for_working_days_rests_on_holidays_of_the_company_s_zone(tmp_path, instance) -> None:
    settings = Settings(data_dir=tmp_path)
    works = dt.datetime(2026, 2, 28, 9, tzinfo=SHANGHAI)  # a Saturday worked for the Spring Festival
    done = _evaluate(settings, "refresh_hourly", instance, works)
    assert [request.run_config for request in done.run_requests] == [run_config(full=False)]
    for rests in (dt.datetime(2026, 2, 17, 9, tzinfo=SHANGHAI), dt.datetime(2026, 2, 16, 16, 30, tzinfo=dt.UTC)):
        done = _evaluate(settings, "refresh_hourly", instance, rests)
        assert not done.run_requests
        assert "2026-02-17 is no working day in CN" in done.skip_message
    # The daily one does not rest.
    done = _evaluate(settings, "refresh_daily", instance, dt.datetime(2026, 2, 17, 6, tzinfo=SHANGHAI))
    assert [request.run_config for request in done.run_requests] == [run_config(full=True)]


def test_what_waits_already_and_loads_as_much_is_not_asked_for_again(tmp_path, instance) -> None:
    settings = Settings(data_dir=tmp_path)
    moment = dt.datetime(2026, 3, 2, 9, tzinfo=SHANGHAI)

    def wait(config: dict, status: dg.DagsterRunStatus = dg.DagsterRunStatus.QUEUED) -> None:
        create_run_for_test(
            instance,
            job_name="refresh",
            run_config=config,
            status=status,
            remote_job_origin=RemoteJobOrigin(HERE, "refresh"),
        )

    # A scheduler that was killed made it, and put it into no queue: this very schedule will, at its next look.
    wait(run_config(full=True), dg.DagsterRunStatus.NOT_STARTED)
    past = {"ops": {"raw_tables": {"config": {"full": True, "as_of": "2025-01-01T00:00:00+00:00"}}}}
    wait(past)
    assert _evaluate(settings, "refresh_hourly", instance, moment).run_requests
    wait(run_config(full=False))
    assert "waiting already" in _evaluate(settings, "refresh_hourly", instance, moment).skip_message
    assert _evaluate(settings, "refresh_daily", instance, moment).run_requests
    wait(run_config(full=True))
    assert "waiting already" in _evaluate(settings, "refresh_daily", instance, moment).skip_message


def test_the_plan_is_what_dagster_runs(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path)
    write_plan(settings, RefreshPlan(refreshes=(RefreshSchedule(name="night", cron="30 3 * * *", full=True),)))
    schedules = {s.name: s for s in build_schedules(refresh, settings)}
    assert [name for name in schedules if name.startswith("refresh_")] == ["refresh_night"]
    assert {"backup_on_schedule", "care_on_schedule"} <= set(schedules)
    assert schedules["refresh_night"].cron_schedule == "30 3 * * *"
    assert schedules["refresh_night"].execution_timezone == settings.time_zone


def test_a_plan_that_cannot_be_read_stops_no_refresh(tmp_path, caplog) -> None:
    settings = Settings(data_dir=tmp_path)
    (tmp_path / FILE).write_text("{half")
    schedules = {s.name for s in build_schedules(refresh, settings)}
    assert {"refresh_daily", "refresh_hourly"} <= schedules
    assert str(tmp_path / FILE) in caplog.text


def test_who_started_a_run_is_known() -> None:
    assert started_by({"dagster/schedule_name": "refresh_daily"}) == "schedule refresh_daily"
    assert started_by({"dagster/sensor_name": "refresh_on_change"}) == "sensor refresh_on_change"
    assert started_by({"loupan/started_by": "E00001 Li"}) == "E00001 Li"
    assert started_by({}) == ""


def test_a_change_waits_for_a_pause_but_not_for_ever() -> None:
    now = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    cursor, why_not = decide(None, "first", now)
    assert why_not
    cursor, why_not = decide(cursor, "first", now)
    assert "Nothing was written" in why_not
    cursor, why_not = decide(cursor, "second", now)
    assert "until they pause" in why_not
    after, why_not = decide(cursor, "second", now + dt.timedelta(minutes=1))
    assert why_not == ""
    assert "Nothing was written" in decide(after, "second", now)[1]
    # Somebody writes every minute.
    for minute in range(1, 100):
        cursor, why_not = decide(cursor, f"change {minute}", now + dt.timedelta(minutes=minute))
        if not why_not:
            break
    assert dt.timedelta(minutes=minute) == PATIENCE


def test_the_sensor_sees_any_write_to_a_loaded_table(tmp_path, instance) -> None:
    settings = Settings(data_dir=tmp_path)
    contract = read_contract(dbt_runner.read_manifest(settings))
    crm = tmp_path / "crm.sqlite"
    with closing(sqlite3.connect(crm_installation() / "crm.sqlite")) as source, closing(sqlite3.connect(crm)) as copy:
        source.backup(copy)
    before = fingerprint(settings.crm_database_url, contract)
    assert fingerprint(settings.crm_database_url, contract) == before
    seen = {before}
    for table in ("lead", "payment", "demand_event", "survey_answer"):
        with closing(sqlite3.connect(crm)) as connection:
            connection.execute(f"UPDATE {table} SET deleted_at = NULL WHERE id = (SELECT min(id) FROM {table})")
            connection.commit()
        now = fingerprint(settings.crm_database_url, contract)
        assert now not in seen, table
        seen.add(now)

    sensor = build_source_sensor(refresh, contract, settings)

    def look(cursor: str | None) -> object:
        return sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor))

    first = look(None)
    assert not first.run_requests
    with closing(sqlite3.connect(crm)) as connection:
        connection.execute("UPDATE lead SET deleted_at = NULL WHERE id = (SELECT max(id) FROM lead)")
        connection.commit()
    second = look(first.cursor)
    assert not second.run_requests
    third = look(second.cursor)
    assert [request.run_config for request in third.run_requests] == [run_config(full=False)]
    assert json.loads(third.cursor)["refreshed"] == fingerprint(settings.crm_database_url, contract)
    # A CRM that cannot be read is said, and asked again the next time.
    crm.unlink()
    gone = look(third.cursor)
    assert "does not exist" in gone.skip_message
    with pytest.raises(IngestError):
        fingerprint(settings.crm_database_url, contract)
