"""Readers at work while refreshes are published and refused, and what refreshes leave behind."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import os
import random
import re
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import httpx
import psutil
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from loupan.formats import Formats
from loupan.settings import get_settings
from tests.benchmarks.pages import Session, Site, listener
from tests.faults.company import PUBLISHED, REFUSED, Company, Prepared, in_fork, place_anew
from tests.faults.trial import processes_of
from tests.support.installation import passwords_at, running_server

SESSIONS = 20
# Seconds a reader looks at a page before the next click.
_THINKING = 6.0
# The company's day does not end while the moments of the refreshes go on: the page shows the same months.
_FIRST = dt.datetime(2026, 6, 30, 8, tzinfo=dt.UTC)
_TILE = re.compile(r"data-metric='leads'><p class='lp-value'>([\d,]+)<")
_MOMENT = re.compile(r"Data as of ([^<\"\x00-\x1f]+)")
_FUNNEL = re.compile(r'"([\d,]+) · 100(?:\.0)?\s?%"')
_ONE_MORE_LEAD = (
    "INSERT INTO lead ({columns}) SELECT {values} FROM lead "
    "WHERE id = (SELECT min(id) FROM lead WHERE deleted_at IS NULL)"
)


@dataclass
class Seen:
    """What one look at the overview showed.

    Attributes:
        asked: moment of the click, on the monotonic clock.
        moment: the data's moment, as the page says it.
        leads: as every part of the page tells them.
    """

    asked: float
    moment: str
    leads: set[int]


class Reader(Session):
    """A signed-in reader of the overview; reads what the server sends as a browser does."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.seen: list[Seen] = []
        self.failed: list[str] = []
        self._texts: list[str] = []
        self._known: dict[str, str] = {}

    def hear(self, answer: ForwardMsg) -> None:
        """Keep the text of a message; one that was sent before comes as its name alone."""
        super().hear(answer)
        if answer.WhichOneof("type") == "ref_hash":
            self._texts.append(self._known.get(answer.ref_hash, ""))
            return
        text = answer.SerializeToString().decode("utf-8", "replace")
        self._known[answer.hash] = text
        self._texts.append(text)

    async def look(self, period: str) -> None:
        """Open the page, or change the period, and write down what it shows."""
        self._texts, asked, errors = [], time.monotonic(), self.errors
        await self.rerun(period)
        text = html.unescape("\n".join(self._texts))
        moments = set(_MOMENT.findall(text))
        leads = {int(number.replace(",", "")) for pattern in (_TILE, _FUNNEL) for number in pattern.findall(text)}
        if self.errors > errors or len(moments) != 1 or not _TILE.search(text) or not _FUNNEL.search(text):
            self.failed.append(text[-500:])
            return
        self.seen.append(Seen(asked, moments.pop().strip(), leads))


@dataclass
class Published:
    """One refresh that was published: from when on readers must see it, and how many leads more there are."""

    moment: str
    more: int
    since: float


@dataclass
class Load:
    """What came of it.

    Attributes:
        sessions: people who read.
        looks: pages read.
        failed: those that could not be read.
        mixed: those whose parts, or whose moment and numbers, are not of one snapshot.
        stale: those that show an older snapshot than was in force when they were asked for.
        published, refused: refreshes.
        wrong: refreshes that ended otherwise than they had to.
        files: open files of the server, after the first refresh and after the last, with everybody at work.
        versions: snapshots that were seen.
        examples: of mixed and stale looks.
    """

    sessions: int
    looks: int = 0
    failed: int = 0
    mixed: int = 0
    stale: int = 0
    published: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    files: tuple[int, int] = (0, 0)
    versions: int = 0
    examples: list[str] = field(default_factory=list)

    def told(self) -> str:
        """Return the line of the table."""
        return (
            f"| {self.sessions} people read the overview of a running server while refreshes are published or refused "
            f"| {self.published} published, {self.refused} refused, {len(self.wrong)} ended otherwise; {self.looks:,} "
            f"page views of {self.versions} snapshots: {self.failed} failed, {self.mixed} of two snapshots, "
            f"{self.stale} older than promised; the server's open files: {self.files[0]} after the first refresh, "
            f"{self.files[1]} at the end |"
        )

    @property
    def problems(self) -> list[str]:
        """Promises that were broken."""
        found = {"failed reads": self.failed, "mixed": self.mixed, "stale": self.stale}
        # Each reader may have another socket or two open at the moment.
        if self.files[1] > self.files[0] + self.sessions:
            found["more open files"] = self.files[1] - self.files[0]
        counts = [f"{name}: {count}" for name, count in found.items() if count]
        return [*self.wrong, *counts, *self.examples[:5]]


def sign_in(address: str) -> Site:
    """Sign in as an executive, as the login page does."""
    with httpx.Client(base_url=address) as client:
        form = client.get("/login").text
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        answer = client.post(
            "/login", data=fields | {"login": "executive", "password": passwords_at(address)["executive"]}
        )
        assert answer.status_code == 303, answer.text[:500]
        cookies = [{"name": cookie.name, "value": cookie.value or ""} for cookie in client.cookies.jar]
    return Site("Loupan", address, "overview", cookies, listener(address.rpartition(":")[2]))


async def _read(site: Site, number: int, stop: threading.Event) -> Reader:
    chance = random.Random(number)
    async with Reader(site) as reader:
        await asyncio.sleep(chance.uniform(0, _THINKING))
        while not stop.is_set():
            await reader.look("12m")
            await asyncio.sleep(chance.uniform(0.5, 1.5) * _THINKING)
    return reader


def _all(site: Site, sessions: int, stop: threading.Event) -> list[Reader]:
    async def together() -> list[Reader]:
        return await asyncio.gather(*(_read(site, number, stop) for number in range(sessions)))

    return asyncio.run(together())


def _shown(moment: dt.datetime) -> str:
    return Formats("en", "CNY").moment(moment, "Asia/Shanghai")


def _add_lead(company: Company) -> None:
    with closing(sqlite3.connect(company.data_dir / "crm.sqlite")) as connection:
        columns = [name for (name,) in connection.execute("select name from pragma_table_info('lead')")]
    set_anew = {
        # Leads of one customer in one project count once.
        "customer_id": "(SELECT c.id FROM customer c WHERE c.deleted_at IS NULL AND c.merged_into_id IS NULL "
        "AND c.id NOT IN (SELECT merged_into_id FROM customer WHERE merged_into_id IS NOT NULL) AND NOT EXISTS "
        "(SELECT 1 FROM lead l WHERE l.customer_id = c.id AND l.project_id = lead.project_id) ORDER BY c.id LIMIT 1)",
        "opened_at": "'2026-06-15 00:00:00'",
        "created_at": "'2026-06-15 00:00:00'",
        "updated_at": "'2026-07-03 00:00:00'",
        "external_ref": "NULL",
    }
    kept = [column for column in columns if column != "id"]
    company.change_crm(
        _ONE_MORE_LEAD.format(
            columns=", ".join(kept), values=", ".join(set_anew.get(column, column) for column in kept)
        )
    )


def _refreshes(company: Company, number: int, load: Load) -> Iterator[Published]:
    """Publish, with a lead more each time; every fifth is refused, because too many rows are in quarantine."""
    leads = 0
    for count in range(1, number + 1):
        at = _FIRST + dt.timedelta(minutes=count)
        is_bad = count % 5 == 0
        if is_bad:
            company.change_crm("UPDATE demand SET phase = 'afterlife' WHERE id % 4 = 0")
        else:
            _add_lead(company)
            leads += 1
        code, said = company.run("refresh", "--as-of", at.isoformat())
        since = time.monotonic()
        if code != (REFUSED if is_bad else PUBLISHED):
            load.wrong.append(f"refresh {count} ended with {code}: {said[-1000:]}")
        elif is_bad:
            load.refused += 1
        else:
            load.published += 1
            yield Published(_shown(at), leads, since)
        if is_bad:
            company.change_crm("UPDATE demand SET phase = 'property' WHERE phase = 'afterlife'")


def judge(load: Load, seen: Sequence[Seen], published: Sequence[Published]) -> None:
    """Count the looks whose parts are not of one snapshot, and those at an older one than was in force.

    Args:
        load: where they are counted.
        seen: all looks that showed a page.
        published: the refreshes, in their order.
    """
    of_moment = {refresh.moment: refresh for refresh in published}
    load.versions = len({look.moment for look in seen})
    # Leads beyond those that were added, the same in each snapshot.
    beyond = Counter(min(look.leads) - of_moment[look.moment].more for look in seen if look.moment in of_moment)
    usual = beyond.most_common(1)[0][0] if beyond else 0
    for look in seen:
        refresh = of_moment.get(look.moment)
        in_force = [other for other in published if other.since <= look.asked]
        if len(look.leads) != 1 or refresh is None or min(look.leads) - refresh.more != usual:
            load.mixed += 1
            load.examples.append(f"mixed: {look}, and leads beyond {refresh} are {usual} elsewhere")
        elif in_force and refresh.more < in_force[-1].more:
            load.stale += 1
            load.examples.append(f"stale: {look}, though {in_force[-1]} was in force")


def under_load(company: Company, refreshes: int, sessions: int = SESSIONS) -> Load:
    """Let people read the overview of a running server while refreshes are published and refused.

    Args:
        company: with demonstration accounts.
        refreshes: how many; every fifth is refused.
        sessions: how many people read.
    """
    load = Load(sessions)
    first = Published(_shown(_FIRST), 0, 0.0)
    code, said = company.run("refresh", "--as-of", _FIRST.isoformat())
    assert code == PUBLISHED, said
    with running_server(company.data_dir) as address:
        site, stop = sign_in(address), threading.Event()
        asyncio.run(_warm(site))
        server, readers = psutil.Process(site.process), []
        people = threading.Thread(target=lambda: readers.extend(_all(site, sessions, stop)))
        people.start()
        try:
            published, early = [first], 0
            for refresh in _refreshes(company, refreshes, load):
                published.append(refresh)
                early = early or server.num_fds()
            time.sleep(2 * _THINKING)
            load.files = (early, server.num_fds())
        finally:
            stop.set()
            people.join()
    seen = [look for reader in readers for look in reader.seen]
    load.failed = sum(len(reader.failed) for reader in readers)
    load.looks = len(seen) + load.failed
    judge(load, seen, published)
    if len(readers) != sessions:
        load.wrong.append("the readers' connections broke")
    return load


async def _warm(site: Site) -> None:
    async with Reader(site) as reader:
        await reader.look("12m")
        assert not reader.failed, reader.failed


@dataclass
class Leaks:
    """What is left after refreshes in one process, and how many files it has open after a few, and at the end."""

    refreshes: int
    left: list[str]
    early: int
    late: int

    @property
    def problems(self) -> list[str]:
        """Promises that were broken."""
        more = self.late - self.early
        return [*(f"left: {what}" for what in self.left), *([f"{more} more open files"] if more > 0 else [])]

    def told(self) -> str:
        """Return the line of the table."""
        return (
            f"| refreshes again and again in one process | {self.refreshes} refreshes; {len(self.left)} files and "
            f"processes left; {self.early} open files after {_WARM} refreshes, {self.late} at the end |"
        )


_WARM = 5


def leaks(company: Company, prepared: Prepared, refreshes: int) -> Leaks:
    """Refresh again and again in one process, as Dagster's server does, and look what is left."""
    place_anew(company, prepared)
    counts = in_fork(_refresh_on, company.environment, refreshes)
    left = [str(path) for path in company.temporary.iterdir()]
    unfinished = ("*.tmp", ".building-*", ".deleting-*", ".models-*", "*-spill", "*.wal")
    left += [str(path) for pattern in unfinished for path in company.data_dir.rglob(pattern)]
    left += processes_of(company)
    left += [f"shared memory {name}" for name in counts[2]]
    return Leaks(refreshes, left, counts[0], counts[1])


def _refresh_on(environment: dict[str, str], refreshes: int) -> tuple[int, int, list[str]]:
    from pipelines.progress import LogReporter
    from pipelines.refresh import refresh

    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    get_settings.cache_clear()
    process, early = psutil.Process(), 0
    for count in range(1, refreshes + 1):
        state = refresh(get_settings(), LogReporter(), full=count % 10 == 0, as_of=_FIRST)
        assert state.outcome == "published", state
        if count == min(_WARM, refreshes):
            early = process.num_fds()
    children = [" ".join(child.cmdline()) for child in process.children(recursive=True)]
    return early, process.num_fds(), children
