"""When refreshes, backups and the greetings run by themselves."""

from __future__ import annotations

import dagster as dg

from loupan.settings import Settings
from pipelines.crm_jobs import BACKUP, CARE


def build_schedules(refresh: dg.UnresolvedAssetJobDefinition, settings: Settings) -> list[dg.ScheduleDefinition]:
    """Return the schedules of all jobs, in the company's time zone."""
    times = (
        (refresh, settings.refresh_cron, "Refreshes at the times of LOUPAN_REFRESH_CRON."),
        (BACKUP, settings.backup_cron, "Makes a backup of the CRM at the times of LOUPAN_BACKUP_CRON."),
        (CARE, settings.care_cron, "Makes the tasks of customer care at the times of LOUPAN_CARE_CRON."),
    )
    return [
        dg.ScheduleDefinition(
            name=f"{job.name}_on_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone=settings.time_zone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=description,
        )
        for job, cron, description in times
    ]
