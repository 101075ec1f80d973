"""The scheduled backup calls the command, and fails when it does."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from data_entry.database import create_engine_for, create_schema
from data_entry.services import backup
from loupan.settings import get_settings
from pipelines.backup import backup_job
from pipelines.schedules import build_schedules


def test_job_makes_a_backup() -> None:
    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    create_schema(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO customer (name) VALUES ('王')"))
    engine.dispose()
    with dg.DagsterInstance.ephemeral() as instance:
        assert backup_job.execute_in_process(instance=instance).success
    (made,) = backup.listing(settings.backups_dir)
    assert made.manifest is not None
    assert made.manifest.tables["customer"].rows == 1


def test_job_fails_with_the_words_of_the_command(tmp_path: Path) -> None:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(dg.Failure, match="no CRM of Loupan's"),
    ):
        backup_job.execute_in_process(instance=instance)


def test_it_runs_at_the_times_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPAN_BACKUP_CRON", "15 4 * * 1")
    get_settings.cache_clear()
    refresh = dg.define_asset_job("refresh")
    _, schedule = build_schedules(refresh, backup_job, get_settings())
    assert schedule.cron_schedule == "15 4 * * 1"
    assert schedule.job_name == "backup"
