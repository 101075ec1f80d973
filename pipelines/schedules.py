"""When refreshes and backups run by themselves."""

from __future__ import annotations

import dagster as dg

from loupan.settings import Settings


def build_schedules(
    refresh: dg.UnresolvedAssetJobDefinition, backup: dg.JobDefinition, settings: Settings
) -> list[dg.ScheduleDefinition]:
    """Return the schedules of the two jobs, in the company's time zone."""
    return [
        dg.ScheduleDefinition(
            name="refresh_on_schedule",
            job=refresh,
            cron_schedule=settings.refresh_cron,
            execution_timezone=settings.time_zone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Refreshes at the times of LOUPAN_REFRESH_CRON.",
        ),
        dg.ScheduleDefinition(
            name="backup_on_schedule",
            job=backup,
            cron_schedule=settings.backup_cron,
            execution_timezone=settings.time_zone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Makes a backup of the CRM at the times of LOUPAN_BACKUP_CRON.",
        ),
    ]
