"""Whatever comes and goes, fails and crashes, at whatever hour: everybody is told of each thing once, and in time.

Conditions and deliveries follow a script that hypothesis writes; the file, the state and the lock are real.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from loupan.alerts import check
from loupan.alerts.finding import Evaluation, Finding, Kind, Severity
from loupan.alerts.incident import Incident, read_state
from loupan.notify import Message, NotAnswered, NotifyError
from loupan.settings import Settings

ZONE = ZoneInfo("Asia/Shanghai")
START = dt.datetime(2026, 3, 2, 17, 0, tzinfo=ZONE)
TABLES = {"a": Severity.URGENT, "b": Severity.WARNING, "c": Severity.NOTICE}
PORTS = {1: "always", 2: "nights", 3: "never at night", 4: "urgent only"}
BOUND = {"always": 60, "nights": 3, "never at night": 2, "urgent only": 60}
CONFIG = """
[[recipient]]
name = "always"
address = "json://127.0.0.1:1/x"
most_per_hour = 60
[[recipient]]
name = "nights"
address = "json://127.0.0.1:2/x"
quiet_hours = "22:00-08:00"
most_per_hour = 3
[[recipient]]
name = "never at night"
address = "json://127.0.0.1:3/x"
quiet_hours = "20:00-09:00"
urgent_in_quiet_hours = false
most_per_hour = 2
[[recipient]]
name = "urgent only"
address = "json://127.0.0.1:4/x"
least_severity = "urgent"
most_per_hour = 60
[rules]
settle_minutes = {settle}
reminder_hours = [3, 12]
"""
LINE = re.compile(r"^(New|Worse|Still so|Over|Was so, and is over)(?: \((\w+)\))?: Table (\w+):", re.MULTILINE)


class Killed(BaseException):
    """The process ended here."""


@dataclass
class Company:
    """An installation whose conditions and deliveries a test decides."""

    folder: Path
    settle: float = 0
    sent: list[tuple[dt.datetime, str]] = field(default_factory=list)
    arrived: list[tuple[dt.datetime, str]] = field(default_factory=list)
    taken: list[tuple[dt.datetime, str, str, str, str]] = field(default_factory=list)
    unconfirmed: list[tuple[dt.datetime, str, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = Settings(data_dir=self.folder, time_zone="Asia/Shanghai")
        (self.folder / "alerts.toml").write_text(CONFIG.replace("{settle}", str(self.settle)))

    def step(self, now: dt.datetime, wrong: Sequence[str], failing: Sequence[str] = (), killed: str = "") -> None:
        findings = tuple(
            Finding(Kind.QUARANTINE, TABLES[table], now, table, facts={"rows": 100, "quarantined": 5, "allowed": 2})
            for table in sorted(wrong)
        )

        def send(address: str, message: Message) -> None:
            name = PORTS[int(address[len("json://127.0.0.1:")])]
            if killed == "before":
                raise Killed
            self.sent.append((now, name))
            if name in failing and now.minute % 2:
                # Whether it arrived nobody knows, so it counts for the bound.
                self.arrived.append((now, name))
                raise NotAnswered("late")
            if name in failing:
                raise NotifyError("refused")
            self.arrived.append((now, name))
            told = self.unconfirmed if killed == "after" else self.taken
            told += [(now, name, *found) for found in LINE.findall(message.text)]
            if killed == "after":
                raise Killed

        with suppress(Killed):
            check(self.settings, now, send=send, evaluation=Evaluation(findings))

    def incidents(self) -> list[Incident]:
        return [incident for incident in read_state(self.settings).incidents if incident.kind == Kind.QUARANTINE]


def is_quiet(name: str, moment: dt.datetime, table: str) -> bool:
    """The rule, written down anew."""
    hour = moment.astimezone(ZONE).hour
    if name == "nights":
        return TABLES[table] != Severity.URGENT and (hour >= 22 or hour < 8)
    if name == "never at night":
        return hour >= 20 or hour < 9
    return False


def concerns(name: str, table: str) -> bool:
    return name != "urgent only" or TABLES[table] == Severity.URGENT


STEPS = st.lists(
    st.tuples(
        st.integers(1, 150),  # minutes since the step before
        st.sets(st.sampled_from(sorted(TABLES))),
        st.sets(st.sampled_from(sorted(PORTS.values()))),
        st.sampled_from(["", "", "", "", "", "before", "after"]),
    ),
    min_size=3,
    max_size=25,
)


@given(STEPS)
@hypothesis_settings(max_examples=25)
def test_everything_is_told_once(steps: list[tuple[int, set[str], set[str], str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder))
        now = START
        looked: list[tuple[dt.datetime, set[str]]] = []
        for minutes, wrong, failing, killed in steps:
            now += dt.timedelta(minutes=minutes)
            looked.append((now, wrong))
            company.step(now, sorted(wrong), sorted(failing), killed)
        # Everything is mended, and servers take messages again, for long enough.
        for _ in range(30):
            now += dt.timedelta(minutes=61)
            looked.append((now, set()))
            company.step(now, [])
        openings = runs(looked)
        assert sorted((i.subject, i.opened_at) for i in company.incidents()) == sorted(
            (table, moments[0]) for table, moments in openings
        )
        for name in PORTS.values():
            expect_quiet(company, name)
            expect_bound(company, name)
            for table in TABLES:
                mine = [moments for subject, moments in openings if subject == table]
                expect_once(company, name, table, mine)


def runs(looked: list[tuple[dt.datetime, set[str]]]) -> list[tuple[str, list[dt.datetime]]]:
    """When was each table wrong without a break: every moment looked at, of each time."""
    found = []
    for table in TABLES:
        before = False
        for moment, wrong in looked:
            if table in wrong:
                if not before:
                    found.append((table, [moment]))
                else:
                    found[-1][1].append(moment)
            before = table in wrong
    return found


def expect_quiet(company: Company, name: str) -> None:
    for moment, recipient, _, _, table in (*company.taken, *company.unconfirmed):
        assert recipient != name or not is_quiet(name, moment, table), (moment, table)


def expect_bound(company: Company, name: str) -> None:
    moments = [moment for moment, recipient in company.arrived if recipient == name]
    for number, moment in enumerate(moments):
        within = [m for m in moments[: number + 1] if moment - m < dt.timedelta(hours=1)]
        assert len(within) <= BOUND[name]


def expect_once(company: Company, name: str, table: str, openings: list[list[dt.datetime]]) -> None:
    told = Counter(what for _, recipient, what, _, about in company.taken if (recipient, about) == (name, table))
    if not concerns(name, table):
        assert not told
        return
    due = [moments for moments in openings if any(not is_quiet(name, moment, table) for moment in moments)]
    begun = told["New"] + told["Was so, and is over"]
    ended = told["Over"] + told["Was so, and is over"]
    # What was sent by a process that was killed before it could write that down is sent once more, by the next.
    assert (begun, ended) == (len(due), len(due)), (name, table, told, due)
    expect_order([what for _, recipient, what, _, about in company.taken if (recipient, about) == (name, table)])


def expect_order(order: list[str]) -> None:
    is_open = False
    for what in order:
        if what in ("New", "Was so, and is over"):
            assert not is_open, order
            is_open = what == "New"
        else:
            assert is_open, order
            is_open = what != "Over"
    assert not is_open


@given(st.lists(st.integers(1, 9), min_size=20, max_size=60))
@hypothesis_settings(max_examples=8)
def test_what_comes_and_goes_is_told_a_few_times(minutes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder), settle=2)
        now = START
        for number, wait in enumerate(minutes):
            now += dt.timedelta(minutes=wait)
            company.step(now, ["b"] if number % 2 else [])
        told = [what for _, name, what, _, _ in company.taken if name == "always"]
        # Settling takes 2, 4, 8 … minutes: after the third time nine minutes' absence is none.
        assert told.count("New") <= 4
        now += dt.timedelta(hours=7)
        company.step(now, [])
        told = [what for _, name, what, _, _ in company.taken if name == "always"]
        assert told.count("New") == told.count("Over") >= 1


def test_reminders_come_at_growing_intervals_until_it_is_over() -> None:
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder))
        for minute in range(0, 60 * 24 * 2, 10):
            company.step(START + dt.timedelta(minutes=minute), ["b"])
        hours = [
            (moment - START) / dt.timedelta(hours=1)
            for moment, name, what, _, _ in company.taken
            if name == "always" and what in ("New", "Still so")
        ]
        assert hours == [0, 3, 15, 27, 39]


def test_what_came_up_in_the_night_is_told_in_one_message_in_the_morning() -> None:
    night = dt.datetime(2026, 3, 2, 23, 0, tzinfo=ZONE)
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder))
        company.step(night, ["b"])
        company.step(night + dt.timedelta(minutes=30), ["b", "c"])
        company.step(night + dt.timedelta(hours=1), ["c"])  # b is over: nobody need hear of it
        company.step(night + dt.timedelta(hours=2), ["a", "c"])
        assert [entry[1:] for entry in company.taken if entry[1] == "nights"] == [("nights", "New", "urgent", "a")]
        company.step(night + dt.timedelta(hours=9), ["a", "c"])
        morning = [entry for entry in company.taken if entry[1] == "nights"][1:]
        assert [entry[2:] for entry in morning] == [("Still so", "urgent", "a"), ("New", "notice", "c")]
        assert len([moment for moment, name in company.sent if name == "nights"]) == 2


def test_a_server_that_is_down_is_asked_ever_more_seldom_and_loses_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder))
        for minute in range(6 * 60):
            wrong = ["b"] if minute < 20 else []
            company.step(START - dt.timedelta(hours=6) + dt.timedelta(minutes=minute), wrong, ["always"])
        asked = [moment for moment, name in company.sent if name == "always"]
        waits = [(later - earlier) / dt.timedelta(minutes=1) for earlier, later in pairwise(asked)]
        assert waits[:6] == [1, 2, 4, 8, 16, 32]
        assert set(waits[6:]) == {60}
        company.step(START + dt.timedelta(hours=1), [])
        assert [entry[2:] for entry in company.taken if entry[1] == "always"] == [("Was so, and is over", "", "b")]
        # Others were told that it could not be reached, and that it can again.
        unreached = [i for i in read_state(company.settings).incidents if i.kind == Kind.UNDELIVERED]
        assert [(i.subject, set(i.tellings) & {"always"}) for i in unreached] == [("always", set())]
