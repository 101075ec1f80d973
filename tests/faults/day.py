"""A day of schedules with random faults, its hours left out: what is due, what ran, and who was told.

Dagster's own scheduler, queue and retries start the refreshes, in processes of its own code server; alerts go to a real
web server. Only the waiting in between is skipped: `tests.faults.daemon` is told what time it is.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from loupan.files import replace_text
from loupan.refresh_progress import read_progress
from loupan.refresh_state import RefreshState, ended_and_running, last_refresh
from loupan.schedules import RefreshPlan, RefreshSchedule, write_plan
from loupan.settings import Settings
from tests.faults.company import MINUTE, STEPS, Company, Prepared, in_fork, place_anew
from tests.faults.daemon import seen_path
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
# How often each comes.
_FAULTS = {"": 9, "killed": 3, "refused": 3, "no source": 2, "cancelled": 2, "scheduler killed": 3}
# What a refresh has to end as, that which tries again included.
_OUTCOMES = {
    "": ("published",),
    "killed": ("error", "published"),
    "refused": ("refused",),
    "no source": ("error",),
    "cancelled": ("cancelled",),
    "scheduler killed": ("published",),
    "scheduler away": ("published",),
}
# So many refreshes of one schedule come due in a row while there is no scheduler. It makes up for the last.
_MISSED = 3
_ALERTS = {"error": "refresh_failed", "refused": "publishing_refused"}


@dataclass(frozen=True)
class Due:
    """A refresh that Dagster's schedules want."""

    moment: dt.datetime
    schedule: str


@dataclass
class Day:
    """What came of it.

    Attributes:
        due: refreshes that were due.
        missed: of those, while there was no scheduler and before the last of them, which it makes up for.
        faults: what struck, and how often.
        ended: what became of those that ran, by outcome.
        messages: that the receiver took.
        incidents: things found wrong.
        problems: promises that were broken.
    """

    due: int = 0
    missed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    incidents: int = 0
    problems: list[str] = field(default_factory=list)

    def told(self) -> str:
        """Return the line of the table."""
        faults = ", ".join(f"{fault} {count}" for fault, count in sorted(self.faults.items()))
        ended = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.ended.items()))
        return (
            f"| 24 hours of schedules, the waiting left out, with random faults | {self.due} refreshes due, "
            f"{self.missed} of them missed while there was no scheduler; faults: {faults}; runs: {ended}; "
            f"{self.incidents} incidents, {self.messages} messages taken by the receiver; "
            f"{len(self.problems)} promises broken |"
        )


def due_refreshes(data_dir: str) -> list[Due]:
    """Ask Dagster's schedules what is due in the day, in order; to be called in a process of its own."""
    import dagster as dg
    from dagster._utils.schedules import schedule_execution_time_iterator

    from pipelines.schedules import build_schedules

    settings = Settings(data_dir=data_dir)
    begin = _begin(settings)
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
                if schedule.evaluate_tick(context).run_requests:
                    found.append(Due(moment.astimezone(dt.UTC), schedule.name))
    return sorted(found, key=lambda one: one.moment)


def _begin(settings: Settings) -> dt.datetime:
    return dt.datetime.combine(DAY, dt.time(), ZoneInfo(settings.time_zone)).astimezone(dt.UTC)


def _prepare_home(data_dir: str) -> None:
    from pipelines.instance import prepare_home

    prepare_home(Settings(data_dir=data_dir))


class Orchestra:
    """Code server as the service runs it, and Dagster's daemon with a clock of its own."""

    def __init__(self, company: Company, now: dt.datetime) -> None:
        from pipelines.service.place import place_of
        from pipelines.service.programs import CODE, Addresses, programs

        settings = Settings(data_dir=company.data_dir)
        place = place_of(settings)
        place.make()
        self._socket, self._log = place.code_socket, company.place / "orchestra.log"
        self._code = next(one for one in programs(settings, place, Addresses("", 0, 0)) if one.name == CODE)
        self._clock = company.place / "clock"
        seen_path(self._clock).unlink(missing_ok=True)
        self._environment = company.environment | {"DAGSTER_HOME": str(settings.dagster_home)}
        self.put_on(now)

    def put_on(self, now: dt.datetime) -> None:
        """Let it be some moment."""
        self._now = now
        replace_text(self._clock, now.isoformat())

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                # Whatever runs the tests may ignore the signals that end these.
                ["env", "--default-signal", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Run both, from the moment that is put on."""
        with ExitStack() as stack:
            stack.enter_context(_ended_at_last(self._start(self._code.command)))
            self.begin()
            stack.callback(lambda: self.end(signal.SIGTERM))
            _until(self._has_seen, "the scheduler does not begin")
            yield

    def begin(self) -> None:
        """Start the daemon."""
        after = [sys.executable, "-m", "pipelines.service.after", str(self._socket)]
        daemon = [sys.executable, "-m", "tests.faults.daemon", str(self._clock), str(self._socket)]
        self._daemon = self._start([*after, *daemon])

    def end(self, how: signal.Signals) -> None:
        """Stop the daemon, or kill it."""
        self._daemon.send_signal(how)
        self._daemon.wait(MINUTE)

    def _has_seen(self) -> bool:
        try:
            return seen_path(self._clock).read_text(encoding="utf-8") == self._now.isoformat()
        except FileNotFoundError:
            return False


@contextmanager
def _ended_at_last(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait(2 * MINUTE)


def _until(holds: Callable[[], bool], otherwise: str, seconds: float = 2 * MINUTE) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(otherwise)
        time.sleep(0.02)


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

    def __init__(self, company: Company, day: Day, orchestra: Orchestra, begin: dt.datetime) -> None:
        self._company, self._day, self._orchestra, self.now = company, day, orchestra, begin
        self.incidents = 0
        self.waiting: list[str] = []

    def go(self, until: dt.datetime) -> None:
        while self.now + _LOOK < until:
            self.now += _LOOK
            self._orchestra.put_on(self.now)
            self._evaluate()
        self.now = until
        self._orchestra.put_on(until)

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


class _Refresh:
    """One that Dagster starts."""

    def __init__(self, company: Company) -> None:
        self._settings = Settings(data_dir=company.data_dir)
        self._before = last_refresh(self._settings)

    def _state(self) -> RefreshState | None:
        state = last_refresh(self._settings)
        is_old = state is not None and self._before is not None and state.refresh_id == self._before.refresh_id
        return None if is_old else state

    def wait_for_start(self) -> None:
        """Wait until it has begun."""
        _until(lambda: self._state() is not None, "no refresh is started")

    def wait_for(self, step: str) -> int | None:
        """Wait for a step; return the number of the process, None if it ended before."""
        self.wait_for_start()
        while (state := self._state()) is None or state.outcome == "running":
            progress = None if state is None else read_progress(self._settings, state.refresh_id)
            if state is not None and progress and any(STEPS.get(one.name) == step for one in progress.steps):
                return state.pid
            time.sleep(0.005)
        return None

    def wait(self) -> None:
        """Wait until it has ended."""
        self.wait_for_start()
        _until(self._ended, "the refresh does not end", 5 * MINUTE)

    def _ended(self) -> bool:
        state = self._state()
        return state is not None and state.outcome != "running"


def _refresh(company: Company, orchestra: Orchestra, fault: str, chance: random.Random) -> str:
    """Let one refresh run, with its fault; what people would put right is put right afterwards.

    Returns:
        The fault that struck; none if the refresh was done before.
    """
    refresh = _Refresh(company)
    if fault == "scheduler killed":
        # As it looks at what is due, as it starts the run, or later.
        time.sleep(chance.uniform(0, 3))
        orchestra.end(signal.SIGKILL)
    if fault.startswith("scheduler"):
        orchestra.begin()
    if fault in ("killed", "cancelled"):
        pid = refresh.wait_for(chance.choice(_STEPS) if fault == "killed" else "checks")
        if pid is None:
            return ""
        time.sleep(chance.uniform(0, 0.3))
        if fault == "cancelled":
            code, _ = company.run("refresh", "--cancel", "--started-by", "E00001 somebody")
            return fault if code == 0 else ""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return ""
        refresh.wait()
        refresh = _Refresh(company)
    refresh.wait()
    return fault


@contextmanager
def _prepared(company: Company, fault: str) -> Iterator[None]:
    crm, away = company.data_dir / "crm.sqlite", company.data_dir / "crm.away"
    if fault == "refused":
        company.change_crm("UPDATE demand SET phase = 'afterlife' WHERE id % 4 = 0")
    if fault == "no source":
        crm.rename(away)
    yield
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
        most: so many refreshes of the day's first, from an hour before; all of the whole day by default.
    """
    place_anew(company, prepared)
    settings = Settings(data_dir=company.data_dir)
    write_plan(settings, PLAN)
    due = in_fork(due_refreshes, str(company.data_dir))[:most]
    day, chance = Day(due=len(due)), random.Random(f"day {seed}")
    missed = _missed(due, chance)
    begin = _begin(settings) if most is None else due[0].moment - dt.timedelta(hours=1)
    in_fork(_prepare_home, str(company.data_dir))
    orchestra = Orchestra(company, begin)
    expected: list[tuple[str, str]] = []
    with webhook() as receiver, orchestra.playing():
        _tell(company, receiver)
        clock = _Clock(company, day, orchestra, begin)
        for number, (one, next_fault) in enumerate(zip(due, _faults(chance), strict=False)):
            if missed and number == missed[0]:
                orchestra.end(signal.SIGTERM)
            if number in missed[:-1]:
                clock.go(one.moment)
                continue
            fault = "scheduler away" if number in missed else next_fault
            with _prepared(company, fault):
                clock.go(one.moment + (_LOOK / 2 if number in missed else dt.timedelta()))
                struck = _refresh(company, orchestra, fault, chance)
            expected += [(f"schedule {one.schedule}", outcome) for outcome in _OUTCOMES[struck]]
            day.faults[struck or "none"] += 1
        clock.go(clock.now + dt.timedelta(hours=1))
        day.messages, day.incidents = len(receiver.posts), clock.incidents
        day.problems += [f"not told: {who}" for who in clock.waiting]
    day.missed = max(0, len(missed) - 1)
    ran = [(state.started_by, str(state.outcome)) for state in _ended(company)]
    day.ended = Counter(outcome for _, outcome in ran)
    if ran != expected:
        day.problems.append(f"ran {ran} instead of {expected}")
    # What was tried again and published, between two looks, is right already.
    wrong = {_OUTCOMES[struck][-1] for struck in day.faults if struck != "none"} & set(_ALERTS)
    if wrong and not day.messages:
        day.problems.append(f"{len(wrong)} kinds of fault, and no message was taken")
    # The last may have been killed: what it left is for the next to clear away.
    company.run("refresh", "--as-of", (clock.now + _LOOK).isoformat())
    day.problems += left(company)
    return day


def _missed(due: Sequence[Due], chance: random.Random) -> range:
    """Choose which refreshes come due while there is no scheduler."""
    first = [
        number
        for number in range(len(due) - _MISSED + 1)
        if len({one.schedule for one in due[number : number + _MISSED]}) == 1
    ]
    if not first:
        return range(0)
    begin = chance.choice(first)
    return range(begin, begin + _MISSED)


def _tell(company: Company, receiver: Webhook) -> None:
    text = (
        f'[[recipient]]\nname = "data"\naddress = {json.dumps(receiver.address)}\nmost_per_hour = 60\n'
        # What comes and goes within the hour is told each time.
        "[rules]\nmetrics = []\nsettle_minutes = 0\n"
    )
    (company.data_dir / "alerts.toml").write_text(text, encoding="utf-8")
