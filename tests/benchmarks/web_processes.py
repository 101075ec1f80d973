"""What several processes behind the balancer give their readers.

People of logins of their own, as the balancer tells them apart, each change the overview's period again and again. They
run on the same machine as what they ask: on two cores two processes and those who ask get into each other's way.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.pages import PERIODS, Session, listener, one_at_work
from tests.benchmarks.pages import Site as Page
from tests.benchmarks.result import Measured, Table
from tests.support.installation import demonstrate
from tests.support.web_processes import Browser, Site, running_site

SESSIONS = 50
# Seconds of thinking between two clicks: an office, and more than one process can carry.
THINKING = (8.0, 1.0)
COLUMNS = (
    "processes", "sessions", "pause between clicks, s", "reruns a second", "median, ms", "p95, ms", "errors",
    "MiB of its own, each",
)  # fmt: skip


@dataclass(frozen=True)
class Load:
    """What a load came to.

    Attributes:
        processes: how many served.
        sessions: how many people worked.
        thinking: seconds between two clicks of one.
        a_second: reruns that ended, a second.
        median: seconds of a rerun.
        p95: seconds that 95 % of the reruns were within.
        errors: elements that said an exception, and connections that broke.
        memory: bytes of a process that are its own.
    """

    processes: int
    sessions: int
    thinking: float
    a_second: float
    median: float
    p95: float
    errors: int
    memory: float


async def _work(pages: Sequence[Page], thinking: float, seconds: float) -> tuple[list[float], int]:
    times: list[float] = []
    errors = 0

    async def one(number: int, page: Page) -> None:
        nonlocal errors
        try:
            # Awaited first: others add to the sum meanwhile.
            found = await one_at_work(page, number, thinking, seconds, times)
            errors += found
        except OSError:
            errors += 1

    await asyncio.gather(*(one(number, page) for number, page in enumerate(pages)))
    return times, errors


def _pages(site: Site, sessions: int) -> list[Page]:
    """Let people sign in; each answer is remembered by each process before anything is measured."""
    pages = []
    for _ in range(sessions):
        browser = Browser(site)
        assert browser.sign_in("executive").status_code == 303
        cookies = [{"name": cookie.name, "value": cookie.value or ""} for cookie in browser.cookies.jar]
        pages.append(Page("Loupan", site.address, "overview", cookies))

    async def each(page: Page) -> None:
        async with Session(page) as session:
            for period in PERIODS:
                await session.rerun(period)

    async def all_of_them() -> None:
        for page in pages[:12]:  # by then each of a few processes has been asked
            await each(page)

    asyncio.run(all_of_them())
    return pages


def loads_of(folder: Path, processes: int, seconds: float = 40.0) -> list[Load]:
    """Serve an installation with an account per role by so many processes, and let people work.

    Args:
        folder: the installation's data folder; something must be published.
        processes: how many serve.
        seconds: how long people work, for each load.
    """
    loads = []
    with running_site(folder, processes, {"LOUPAN_STRANGERS_A_MINUTE": "10000"}) as site:
        pages = _pages(site, SESSIONS)
        pids = site.pids().values() or [listener(site.address.rpartition(":")[2])]
        for thinking in THINKING:
            begin = time.perf_counter()
            times, errors = asyncio.run(_work(pages, thinking, seconds))
            lasted = time.perf_counter() - begin
            memory = statistics.fmean(psutil.Process(pid).memory_full_info().uss for pid in pids)
            p95 = statistics.quantiles(times, n=20)[-1]
            loads.append(
                Load(processes, SESSIONS, thinking, len(times) / lasted, statistics.median(times), p95, errors, memory)
            )
    return loads


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Publish a company of a scale and let people work with one web process, and with two."""
    if not (folder / "crm.sqlite").exists():
        demonstrate(folder, scale)
    loads = [load for processes in (1, 2) for load in loads_of(folder, processes)]
    rows = tuple(
        (
            load.processes, load.sessions, f"{load.thinking:g}", load.a_second, round(1000 * load.median),
            round(1000 * load.p95), load.errors, round(load.memory / 2**20),
        )
        for load in loads
    )  # fmt: skip
    return Measured(
        (Table("A rerun with another period", COLUMNS, rows),),
        {"errors": float(sum(load.errors for load in loads))},
    )
