"""Refreshes as people with the right to them see, start, cancel and plan them from a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from data_entry.schema.organisation import Employee
from data_entry.services.errors import Refused
from data_entry.services.work import Work
from loupan import refresh_control, schedules
from loupan.dagster_client import Automation, Dagster, DagsterError, Orchestration
from loupan.i18n import marked
from loupan.refresh_control import RefreshControlError
from loupan.schedules import RefreshPlan, RefreshSchedule, ScheduleError
from loupan.settings import Settings

RESOURCE = "refresh"


@contextmanager
def _told() -> Iterator[None]:
    """Turn what refreshes, plan and Dagster refuse into what a page shows: its words are for people with this right."""
    try:
        yield
    except (RefreshControlError, ScheduleError, DagsterError) as error:
        raise Refused(str(error)) from error


def require_reading(work: Work) -> None:
    """Raise `Forbidden` unless the actor may see refreshes, their logs and their plan."""
    work.require("read", RESOURCE)


def _person(work: Work) -> str:
    """Name the actor by number and name, as staff appear in records of operations."""
    number = work.session.scalar(sa.select(Employee.number).where(Employee.id == work.actor.employee_id))
    return f"{number} {work.actor.name}" if number else work.actor.name


def start(work: Work, settings: Settings, *, full: bool = False, tables: Sequence[str] = ()) -> None:
    """Start a refresh, and leave a line in the trail.

    Raises:
        Forbidden: if the actor may not.
        Refused: if one is running already, or no process can be started.
    """
    work.require("run", RESOURCE)
    with _told():
        refresh_control.start(settings, full=full, tables=tables, started_by=_person(work))
    work.log("start", RESOURCE, None, full=full, tables=list(tables))


def cancel(work: Work, settings: Settings) -> None:
    """Have the running refresh stopped, and leave a line in the trail.

    Raises:
        Forbidden: if the actor may not.
        Refused: if none is running.
    """
    work.require("run", RESOURCE)
    with _told():
        refresh_control.cancel(settings, started_by=_person(work))
    work.log("cancel", RESOURCE, None)


def plan(settings: Settings) -> RefreshPlan:
    """Return the plan in force.

    Raises:
        Refused: if it cannot be read.
    """
    with _told():
        return schedules.read_plan(settings)


def save_schedule(
    work: Work,
    settings: Settings,
    name: str,
    cron: str,
    *,
    full: bool,
    working_days: bool,
    replaces: RefreshSchedule | None,
) -> None:
    """Add a rule to the plan, or put it in the place of another.

    Args:
        work: who does it.
        settings: of the installation.
        name, cron, full, working_days: the rule, as typed in.
        replaces: the one it replaces, as it was shown; None for a new one.

    Raises:
        Forbidden: if the actor may not.
        Refused: if the rule cannot be used, another one has its name, there are too many, somebody else changed it
            meanwhile, or the plan in force cannot be read.
    """
    work.require("run", RESOURCE)
    rule = _checked(name.strip(), cron, full=full, working_days=working_days)
    with _told(), schedules.changing_plan(settings) as before:
        rules = before.refreshes if replaces is None else _without(before, replaces)
        if any(known.name == rule.name for known in rules):
            raise Refused(marked("Another schedule is called {name}. Choose another name."), name=rule.name)
        if len(rules) >= schedules.MOST:
            raise Refused(marked("There are {most} schedules already. Remove one first."), most=schedules.MOST)
        changed = (*rules, rule) if replaces is None else (rule if r == replaces else r for r in before.refreshes)
        schedules.write_plan(settings, RefreshPlan(refreshes=tuple(changed)))
    work.log("change", "refresh_schedule", None, **rule.model_dump())


def _checked(name: str, cron: str, *, full: bool, working_days: bool) -> RefreshSchedule:
    """Return a rule as typed in."""
    if not schedules.is_name(name):
        raise Refused(
            marked("{name} is no name of a schedule. Use small letters, digits and underscores, a letter first."),
            name=repr(name),
        )
    try:
        return RefreshSchedule(name=name, cron=cron, full=full, working_days=working_days)
    except ValueError as error:
        raise Refused(
            marked(
                "{cron} is no time in cron notation, or never comes. It has five parts: minute, hour, day, month and "
                "weekday; 0 6 * * * is every day at six."
            ),
            cron=repr(cron),
        ) from error


def _without(plan: RefreshPlan, shown: RefreshSchedule) -> tuple[RefreshSchedule, ...]:
    """Return the other rules of a plan that still holds the one shown, as it was shown."""
    if shown not in plan.refreshes:
        raise Refused(marked("Somebody else has changed or removed this schedule meanwhile. Look at it again."))
    return tuple(rule for rule in plan.refreshes if rule != shown)


def remove_schedule(work: Work, settings: Settings, rule: RefreshSchedule) -> None:
    """Take a rule out of the plan.

    Raises:
        Forbidden: if the actor may not.
        Refused: if it is not there as it was shown, or the plan in force cannot be read.
    """
    work.require("run", RESOURCE)
    with _told(), schedules.changing_plan(settings) as before:
        schedules.write_plan(settings, RefreshPlan(refreshes=_without(before, rule)))
    work.log("remove", "refresh_schedule", None, name=rule.name)


def switch(work: Work, settings: Settings, here: Orchestration, automation: Automation, *, is_on: bool) -> None:
    """Turn a schedule or the sensor on or off in Dagster.

    Raises:
        Forbidden: if the actor may not.
        Refused: if Dagster does not do it.
    """
    work.require("run", RESOURCE)
    with _told():
        Dagster(settings).switch(here, automation, is_on=is_on)
    work.log("switch", "refresh_schedule", None, name=automation.name, is_on=is_on)
