"""The scheduled jobs of the CRM call the command, and fail when it does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import sqlalchemy as sa

from data_entry.database import create_engine_for, create_schema
from data_entry.schema import metadata
from data_entry.services import backup
from loupan.backups import read_history
from loupan.settings import get_settings
from pipelines.crm_jobs import BACKUP, CARE, DRILL
from pipelines.schedules import build_schedules


def test_job_makes_a_backup() -> None:
    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    create_schema(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO customer (name) VALUES ('王')"))
    engine.dispose()
    with dg.DagsterInstance.ephemeral() as instance:
        assert BACKUP.execute_in_process(instance=instance).success
    (made,) = backup.listing(settings)
    assert made.manifest is not None
    assert made.manifest.tables["customer"].rows == 1
    with dg.DagsterInstance.ephemeral() as instance:
        assert DRILL.execute_in_process(instance=instance).success
    assert [drill.passed for drill in read_history(settings).drills] == [True]


def test_job_fails_with_the_words_of_the_command(tmp_path: Path) -> None:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(dg.Failure, match="no CRM of Loupan's"),
    ):
        BACKUP.execute_in_process(instance=instance)


def test_job_makes_the_tasks_of_customer_care() -> None:
    engine = create_engine_for(get_settings().crm_database_url)
    create_schema(engine)
    tomorrow = dt.datetime.now(ZoneInfo(get_settings().time_zone)).date() + dt.timedelta(days=1)
    with engine.begin() as connection:
        for table, values in {
            "employee": {"id": 1, "number": "1", "name": "李"},
            "customer": {"id": 1, "name": "王", "birth_on": tomorrow.replace(year=1988)},  # a leap year: has every day
            "customer_owner": {"customer_id": 1, "employee_id": 1, "from_at": dt.datetime(2026, 1, 1)},
            "care_rule": {"name": "Birthday", "calendar": "birthday", "lead_days": 3, "is_active": True},
        }.items():
            connection.execute(sa.insert(metadata.tables[table]).values(values))
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            assert CARE.execute_in_process(instance=instance).success
    with engine.connect() as connection:
        task = metadata.tables["task"]
        assert connection.execute(sa.select(task.c.title, task.c.assignee_id)).all() == [("Birthday", 1)]
    engine.dispose()


@pytest.mark.parametrize(
    ("setting", "schedule"),
    [
        ("REFRESH", "refresh_daily"),
        ("BACKUP", "backup_on_schedule"),
        ("DRILL", "backup_drill_on_schedule"),
        ("CARE", "care_on_schedule"),
        ("REPORT", "board_report_on_schedule"),
    ],
)
def test_they_run_at_the_times_of_the_settings(monkeypatch: pytest.MonkeyPatch, setting: str, schedule: str) -> None:
    monkeypatch.setenv(f"LOUPAN_{setting}_CRON", "15 4 * * 1")
    get_settings.cache_clear()
    schedules = build_schedules(dg.define_asset_job("refresh"), get_settings())
    at = {known.name: known.cron_schedule for known in schedules}
    assert at.pop(schedule) == "15 4 * * 1"
    assert "15 4 * * 1" not in at.values()
