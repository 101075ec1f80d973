"""When refreshes, backups and the greetings run by themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from loupan.schedules import RefreshSchedule, ScheduleError, default_plan, is_working_day, read_plan
from loupan.settings import Settings
from pipelines.crm_jobs import BACKUP, CARE, DRILL, REPORT
from pipelines.unchanged import look_in_passing

LOG = logging.getLogger(__name__)
# Not those that are made but in no queue: a scheduler that is killed in between leaves one, and begins it when it looks
# at that moment again, unless it is told to skip it. No other refresh may wait for it.
_WAITING = [dg.DagsterRunStatus.QUEUED]


def build_schedules(refresh: dg.UnresolvedAssetJobDefinition, settings: Settings) -> list[dg.ScheduleDefinition]:
    """Return the schedules of all jobs, in the company's time zone.

    A plan that cannot be read stops no refresh: that of the settings is in force until it is mended.
    """
    try:
        plan = read_plan(settings)
    except ScheduleError as error:
        LOG.error("%s", error)
        plan = default_plan(settings)
    times = (
        (BACKUP, settings.backup_cron, "Makes a backup of the CRM at the times of LOUPAN_BACKUP_CRON."),
        (DRILL, settings.drill_cron, "Restores the newest backup on trial at the times of LOUPAN_DRILL_CRON."),
        (CARE, settings.care_cron, "Makes the tasks of customer care at the times of LOUPAN_CARE_CRON."),
        (REPORT, settings.report_cron, "Sends the board reports at the times of LOUPAN_REPORT_CRON."),
    )
    return [_refresh(rule, refresh, settings) for rule in plan.refreshes] + [
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


def _refresh(
    rule: RefreshSchedule, refresh: dg.UnresolvedAssetJobDefinition, settings: Settings
) -> dg.ScheduleDefinition:
    rows = "all rows" if rule.full else "the changed rows"
    return dg.ScheduleDefinition(
        name=f"refresh_{rule.name}",
        job=refresh,
        cron_schedule=rule.cron,
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Loads {rows}{f', on working days of {settings.working_calendar}' if rule.working_days else ''}.",
        execution_fn=_evaluation(rule, refresh.name, settings),
    )


def _evaluation(
    rule: RefreshSchedule, job_name: str, settings: Settings
) -> Callable[[dg.ScheduleEvaluationContext], dg.RunRequest | dg.SkipReason]:
    zone = ZoneInfo(settings.time_zone)

    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        due = context.scheduled_execution_time
        day = due.astimezone(zone).date()
        if rule.working_days and not is_working_day(settings.working_calendar, day):
            return dg.SkipReason(f"{day} is no working day in {settings.working_calendar}.")
        waiting = waiting_refresh(context.instance, job_name, full=rule.full)
        if waiting:
            return dg.SkipReason(f"Run {waiting} is waiting already, and will load the same.")
        if not rule.full and (snapshot := look_in_passing(settings, f"schedule refresh_{rule.name}")):
            return dg.SkipReason(f"Nothing was written to the CRM since snapshot {snapshot.version} was loaded.")
        return dg.RunRequest(run_key=due.isoformat(), run_config=run_config(full=rule.full))

    return evaluate


def run_config(*, full: bool) -> dict[str, object]:
    """Return the configuration of a refresh that Dagster launches."""
    return {"ops": {"raw_tables": {"config": {"full": full}}}}


def waiting_refresh(instance: dg.DagsterInstance, job_name: str, *, full: bool) -> str | None:
    """Return the id of a refresh that has not begun yet and will load at least as much, None if there is none.

    Refreshes take their turns. Without this, those due during a long one would queue up and do the same work again.
    """
    runs = instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=_WAITING))
    for run in runs:
        ops: Any = run.run_config.get("ops", {})
        config = ops.get("raw_tables", {}).get("config", {})
        # One of a past moment does not tell of the present.
        if not config.get("as_of") and (config.get("full", False) or not full):
            return run.run_id
    return None
