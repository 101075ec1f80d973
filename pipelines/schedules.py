"""When refreshes run by themselves."""

from __future__ import annotations

import dagster as dg

from loupan.settings import Settings


def build_schedules(job: dg.UnresolvedAssetJobDefinition, settings: Settings) -> list[dg.ScheduleDefinition]:
    """Return the schedules of ``job``, in the company's time zone."""
    return [
        dg.ScheduleDefinition(
            name="refresh_on_schedule",
            job=job,
            cron_schedule=settings.refresh_cron,
            execution_timezone=settings.time_zone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Refreshes at the times of LOUPAN_REFRESH_CRON.",
        )
    ]
