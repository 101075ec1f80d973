"""What several processes behind the balancer give their readers: ``python -m tests.benchmarks.web_processes``.

People of logins of their own, as the balancer tells them apart, each change the overview's period again and again. They
run on the same machine as what they ask: on two cores two processes and those who ask get into each other's way.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks.pages import PERIODS, Session, listener
from tests.benchmarks.pages import Site as Page
from tests.support.installation import demonstrate
from tests.support.web_processes import Browser, Site, running_site

SESSIONS = 50
# Seconds of thinking between two clicks: an office, and more than one process can carry.
THINKING = (8.0, 1.0)
COLUMNS = ("processes", "sessions", "thinking, s", "reruns/s", "median, ms", "p95, ms", "errors", "MiB a process")


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
        rng = random.Random(number)
        try:
            async with Session(page) as session:
                await asyncio.sleep(rng.uniform(0, thinking))
                await session.rerun("12m")
                end = time.perf_counter() + seconds
                while time.perf_counter() < end:
                    await asyncio.sleep(rng.uniform(0.5, 1.5) * thinking)
                    times.append(await session.rerun(rng.choice(PERIODS)))
                errors += session.errors
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


def measure(folder: Path, processes: int, seconds: float = 40.0) -> list[Load]:
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


def table(loads: Sequence[Load]) -> Table:
    """Return what loads came to, a row each."""
    drawn = Table(title="A rerun with another period, by number of web processes", title_justify="left")
    for column in COLUMNS:
        drawn.add_column(column, justify="right")
    for load in loads:
        drawn.add_row(
            f"{load.processes}", f"{load.sessions}", f"{load.thinking:g}", f"{load.a_second:.1f}",
            f"{1000 * load.median:.0f}", f"{1000 * load.p95:.0f}", f"{load.errors}", f"{load.memory / 2**20:.0f}",
        )  # fmt: skip
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.web_processes")
    parser.add_argument("--scale", type=float, default=0.1, help="scale of the sample company (0.1)")
    parser.add_argument("--folder", type=Path, help="an installation with demonstration accounts, made before")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], help="how many serve, in turn")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="loupan-bench-") as made:
        folder = arguments.folder or Path(made)
        if arguments.folder is None:
            demonstrate(folder, arguments.scale)
        loads = [load for processes in arguments.processes for load in measure(folder, processes)]
    Console().print(table(loads))


if __name__ == "__main__":
    main()
