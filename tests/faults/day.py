"""A day of schedules with random faults, its hours left out: what is due, what ran, and who was told.

Dagster's own schedules say what is due at each moment; each due refresh is a real ``loupan refresh`` as of that moment,
and alerts go to a real web server. Only the waiting in between is skipped.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from loupan.refresh_state import RefreshState, ended_and_running
from loupan.schedules import RefreshPlan, RefreshSchedule, write_plan
from loupan.settings import Settings
from tests.faults.company import MINUTE, Company, Prepared, Watched, in_fork, place_anew
from tests.faults.trial import left
from tests.support.receivers import Webhook, webhook

# A working day after the sample's last one.
DAY = dt.date(2026, 7, 1)
PLAN = RefreshPlan(
    refreshes=(
        RefreshSchedule(name="daily", cron="0 6 * * *", full=True),
        RefreshSchedule(name="hourly", cron="30 8-20 * * *", working_days=True),
        RefreshSchedule(name="evening", cron="0 21,22,23 * * *"),
    )
)
# Alerts are looked at as often as nothing can begin and end unseen in between.
_LOOK = dt.timedelta(minutes=10)
_STEPS = ("ingest", "checks", "dbt", "publish")
# What a refresh has to end as; the weights say how often each comes.
_FAULTS = {"": 9, "killed": 3, "refused": 3, "no source": 2, "cancelled": 2}
_OUTCOMES = {"": "published", "killed": "error", "refused": "refused", "no source": "error", "cancelled": "cancelled"}
_ALERTS = {"error": "refresh_failed", "refused": "publishing_refused"}


@dataclass(frozen=True)
class Due:
    """A refresh that Dagster's schedules want."""

    moment: dt.datetime
    schedule: str
    full: bool


@dataclass
class Day:
    """What came of it.

    Attributes:
        due: refreshes that were due.
        ended: what became of those that ran, by outcome.
        messages: that the receiver took.
        incidents: things found wrong.
        problems: promises that were broken.
    """

    due: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    incidents: int = 0
    problems: list[str] = field(default_factory=list)

    def told(self) -> str:
        """Return the line of the table."""
        ended = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.ended.items()))
        return (
            f"| 24 hours of schedules, the waiting left out, with random faults | {self.due} refreshes due: {ended}; "
            f"{self.incidents} incidents, {self.messages} messages taken by the receiver; "
            f"{len(self.problems)} promises broken |"
        )


def due_refreshes(data_dir: str) -> list[Due]:
    """Ask Dagster's schedules what is due in the day, in order; to be called in a process of its own."""
    import dagster as dg
    from dagster._utils.schedules import schedule_execution_time_iterator

    from pipelines.schedules import build_schedules

    settings = Settings(data_dir=data_dir)
    zone = ZoneInfo(settings.time_zone)
    begin = dt.datetime.combine(DAY, dt.time(), zone)
    end = begin + dt.timedelta(days=1)
    found = []
    with dg.DagsterInstance.local_temp() as instance:
        for schedule in build_schedules(dg.define_asset_job("refresh"), settings):
            if schedule.job_name != "refresh":
                continue
            moments = schedule_execution_time_iterator(
                begin.timestamp(), schedule.cron_schedule, schedule.execution_timezone, ascending=True
            )
            for moment in moments:
                if moment >= end:
                    break
                context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moment)
                for request in schedule.evaluate_tick(context).run_requests or ():
                    full = request.run_config["ops"]["raw_tables"]["config"]["full"]
                    found.append(Due(moment.astimezone(dt.UTC), schedule.name, full))
    return sorted(found, key=lambda one: one.moment)


def _look(data_dir: str, now: dt.datetime) -> tuple[list[str], int, list[str]]:
    """Evaluate alerts at a moment: what is open, how many incidents there were, who still waits."""
    from loupan import alerts

    settings = Settings(data_dir=data_dir)
    report = alerts.check(settings, now)
    over = alerts.recent_alerts(settings, 10_000)
    waiting = [f"{one.kind}: {', '.join(one.waiting)}" for one in (*report.open, *over) if one.waiting]
    return [str(one.kind) for one in report.open], len(report.open) + len(over), waiting


class _Clock:
    """Looks at the alerts every so often on the way from one moment to the next."""

    def __init__(self, company: Company, day: Day, begin: dt.datetime) -> None:
        self._company, self._day, self.now = company, day, begin
        self.incidents = 0
        self.waiting: list[str] = []

    def go(self, until: dt.datetime) -> None:
        while self.now + _LOOK < until:
            self.now += _LOOK
            self._evaluate()
        self.now = until

    def _evaluate(self) -> None:
        found, self.incidents, self.waiting = in_fork(_look, str(self._company.data_dir), self.now)
        wanted = _ALERTS.get(_telling(self._company))
        if wanted is not None and wanted not in found:
            self._day.problems.append(f"{self.now:%H:%M}: {wanted} is not told of, only {found}")


def _ended(company: Company) -> list[RefreshState]:
    """Return the scheduled refreshes that have ended; the last may have been killed."""
    states, _ = ended_and_running(Settings(data_dir=company.data_dir))
    return [state for state in states if state.started_by.startswith("schedule ")]


def _telling(company: Company) -> str:
    """Return what became of the last refresh that nobody cancelled."""
    outcomes = [state.outcome for state in _ended(company) if state.outcome != "cancelled"]
    return outcomes[-1] if outcomes else ""


def _arguments(due: Due) -> list[str]:
    full = ["--full"] if due.full else []
    return [*full, "--as-of", due.moment.isoformat(), "--started-by", f"schedule {due.schedule}"]


def _refresh(company: Company, due: Due, fault: str, chance: random.Random) -> None:
    """Run one refresh, with its fault; what people would put right is put right afterwards."""
    if fault in ("killed", "cancelled"):
        refresh = Watched(company, *_arguments(due))
        step = chance.choice(_STEPS) if fault == "killed" else "checks"
        if refresh.wait_for(step):
            time.sleep(chance.uniform(0, 0.3))
            if fault == "killed":
                with suppress(ProcessLookupError):
                    os.killpg(refresh.pid, signal.SIGKILL)
            else:
                company.run("refresh", "--cancel", "--started-by", "E00001 somebody")
        refresh.wait(5 * MINUTE)
        return
    crm, away = company.data_dir / "crm.sqlite", company.data_dir / "crm.away"
    if fault == "refused":
        company.change_crm("UPDATE demand SET phase = 'afterlife' WHERE id % 4 = 0")
    if fault == "no source":
        crm.rename(away)
    company.run("refresh", *_arguments(due))
    if fault == "no source":
        away.rename(crm)
    if fault == "refused":
        company.change_crm("UPDATE demand SET phase = 'property' WHERE phase = 'afterlife'")


def _faults(chance: random.Random) -> Iterator[str]:
    while True:
        yield chance.choices(list(_FAULTS), list(_FAULTS.values()))[0]


def live_through(company: Company, prepared: Prepared, seed: int, most: int | None = None) -> Day:
    """Let a day pass.

    Args:
        company: a small one, in a file.
        prepared: what it begins with.
        seed: of the faults.
        most: so many refreshes of the day's first; all by default.
    """
    place_anew(company, prepared)
    settings = Settings(data_dir=company.data_dir)
    write_plan(settings, PLAN)
    due = in_fork(due_refreshes, str(company.data_dir))[:most]
    day, chance = Day(due=len(due)), random.Random(f"day {seed}")
    expected = []
    with webhook() as receiver:
        _tell(company, receiver)
        clock = _Clock(company, day, dt.datetime.combine(DAY, dt.time(), ZoneInfo(settings.time_zone)))
        for one, fault in zip(due, _faults(chance), strict=False):
            clock.go(one.moment)
            _refresh(company, one, fault, chance)
            expected.append((f"schedule {one.schedule}", _OUTCOMES[fault]))
        clock.go(clock.now + dt.timedelta(hours=1))
        day.messages, day.incidents = len(receiver.posts), clock.incidents
        day.problems += [f"not told: {who}" for who in clock.waiting]
    ran = [(state.started_by, str(state.outcome)) for state in _ended(company)]
    day.ended = Counter(outcome for _, outcome in ran)
    if ran != expected:
        day.problems.append(f"ran {ran} instead of {expected}")
    wrong = {outcome for _, outcome in expected} & set(_ALERTS)
    if wrong and not day.messages:
        day.problems.append(f"{len(wrong)} kinds of fault, and no message was taken")
    # The last may have been killed: what it left is for the next to clear away.
    company.run("refresh", "--as-of", (clock.now + _LOOK).isoformat())
    day.problems += left(company)
    return day


def _tell(company: Company, receiver: Webhook) -> None:
    text = (
        f'[[recipient]]\nname = "data"\naddress = {json.dumps(receiver.address)}\nmost_per_hour = 60\n'
        # What comes and goes within the hour is told each time.
        "[rules]\nmetrics = []\nsettle_minutes = 0\n"
    )
    (company.data_dir / "alerts.toml").write_text(text, encoding="utf-8")
