"""What the overview costs its readers, beside a plain page of the same charts.

In headless Chromium: when the first and the last chart stand. Over websockets, without a browser: how long a rerun
takes while 1 to 100 people work, each changing the period every few seconds; how much memory a session keeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import websockets
from playwright.sync_api import BrowserContext, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from loupan.settings import Settings
from loupan.snapshot import current
from tests.benchmarks.result import Cell, Measured, Table
from tests.support.browser import launch
from tests.support.installation import demonstrate, passwords_at, running_server

CHARTS = 6
PERIODS = ("3m", "6m", "12m", "24m", "36m")
# Sessions, seconds of thinking between two clicks.
LOADS = ((1, 2.0), (20, 5.0), (50, 8.0), (100, 15.0))
_PLAIN = Path(__file__).with_name("plain_page.py")


@dataclass
class Site:
    """A running web app.

    Attributes:
        name: what it is called in the tables.
        address: with scheme and port.
        path: of the page.
        cookies: of a signed-in reader.
        process: pid of the server.
    """

    name: str
    address: str
    path: str
    cookies: list[dict[str, str]] = field(default_factory=list)
    process: int = 0

    @property
    def cookie_header(self) -> str:
        """The cookies as a browser sends them."""
        return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in self.cookies)


def first_and_last_chart(context: BrowserContext, site: Site) -> tuple[float, float]:
    """Return the seconds from asking for the page until its first and its sixth chart are drawn."""
    page = context.new_page()
    start = time.perf_counter()
    page.goto(f"{site.address}/{site.path}", wait_until="commit")
    drawn = ".js-plotly-plot .main-svg"
    page.wait_for_selector(drawn, state="attached", timeout=60_000)
    first = time.perf_counter() - start
    page.wait_for_function(
        f"() => document.querySelectorAll('.js-plotly-plot').length >= {CHARTS} &&"
        " [...document.querySelectorAll('.js-plotly-plot')].every(plot => plot.querySelector('.main-svg'))",
        timeout=60_000,
        polling=20,
    )
    last = time.perf_counter() - start
    page.close()
    return first, last


class Session:
    """One reader's websocket: asks for runs of the script and waits until they have ended."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._socket: websockets.ClientConnection | None = None
        self.errors = 0

    async def __aenter__(self) -> Session:
        url = self._site.address.replace("http", "ws", 1) + "/_stcore/stream"
        headers = {"Cookie": self._site.cookie_header} if self._site.cookies else {}
        self._socket = await websockets.connect(
            url,
            subprotocols=["streamlit"],  # type: ignore[list-item]
            additional_headers=headers,
            origin=self._site.address,  # type: ignore[arg-type]
            max_size=None,
            # Like a browser, which waits for a busy server as long as it takes.
            ping_interval=None,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._socket is not None
        await self._socket.close()

    async def rerun(self, period: str) -> float:
        """Run the page for a period; return the seconds until the script had finished."""
        assert self._socket is not None
        message = BackMsg()
        message.rerun_script.query_string = f"lang=en&period={period}"
        message.rerun_script.page_name = self._site.path
        start = time.perf_counter()
        await self._socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await self._socket.recv())  # type: ignore[arg-type]
            self.hear(answer)
            if answer.WhichOneof("type") == "script_finished":
                return time.perf_counter() - start

    def hear(self, answer: ForwardMsg) -> None:
        """Take note of what the server sent."""
        if answer.WhichOneof("type") == "delta" and answer.delta.new_element.WhichOneof("type") == "exception":
            self.errors += 1


async def one_at_work(site: Site, number: int, thinking: float, seconds: float, times: list[float]) -> int:
    """Let a person change the period again and again; add the times of the reruns, and return the errors."""
    rng = random.Random(number)
    async with Session(site) as session:
        await asyncio.sleep(rng.uniform(0, thinking))
        await session.rerun("12m")
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            await asyncio.sleep(rng.uniform(0.5, 1.5) * thinking)
            times.append(await session.rerun(rng.choice(PERIODS)))
        return session.errors


async def work(site: Site, sessions: int, thinking: float, seconds: float) -> tuple[list[float], int, int]:
    """Let people work side by side; return the times of their reruns, the errors, and the server's memory in bytes."""
    times: list[float] = []
    errors = 0
    memory = 0

    async def one(number: int) -> None:
        nonlocal errors, memory
        # Awaited first: others add to the sum meanwhile.
        found = await one_at_work(site, number, thinking, seconds, times)
        errors += found
        memory = max(memory, _resident(site.process))

    await asyncio.gather(*(one(number) for number in range(sessions)))
    return times, errors, memory


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def listener(port: str) -> int:
    """Return the process that listens on a port."""
    wanted = f":{int(port):04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        parts = line.split()
        if parts[1].endswith(wanted) and parts[3] == "0A":
            for link in Path("/proc").glob("[0-9]*/fd/*"):
                with contextlib.suppress(OSError):
                    if os.readlink(link) == f"socket:[{parts[9]}]":
                        return int(link.parts[2])
    raise RuntimeError(f"nothing listens on port {port}")


@contextlib.contextmanager
def plain_site(settings: Settings) -> Iterator[Site]:
    """Serve the plain page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "streamlit", "run", str(_PLAIN), "--server.port", str(port), "--server.headless", "true",
        "--server.address", "127.0.0.1", "--browser.gatherUsageStats", "false",
    ]  # fmt: skip
    environment = {**os.environ, "PLAIN_MARTS": str(current(settings).marts_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                    break
                time.sleep(0.1)
            yield Site("plain page", address, "", process=process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def _signed_in(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    page.goto(f"{address}/login")
    page.fill("input[name=login]", "executive")
    page.fill("input[name=password]", passwords_at(address)["executive"])
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/overview**", timeout=60_000)
    page.close()


def in_the_browser(sites: Sequence[Site], repeats: int = 5) -> Table:
    """Measure first and last chart: once with an empty browser, then the median of warm openings."""
    columns = ("", "first chart, cold", "last chart, cold", "first chart, warm", "last chart, warm")
    rows = []
    with sync_playwright() as playwright:
        for site in sites:
            browser = launch(playwright)
            context = browser.new_context(viewport={"width": 1440, "height": 1000})
            if site.path:
                _signed_in(context, site.address)
                site.cookies = [{"name": c["name"], "value": c["value"]} for c in context.cookies()]
            cold = first_and_last_chart(context, site)
            warm = [first_and_last_chart(context, site) for _ in range(repeats)]
            browser.close()
            medians = [statistics.median(times) for times in zip(*warm, strict=True)]
            rows.append((site.name, *cold, *medians))
    return Table("The overview in headless Chromium (seconds)", columns, tuple(rows), dict.fromkeys(columns, 2))


def side_by_side(sites: Sequence[Site], seconds: float) -> Table:
    """Measure reruns of several people at once."""
    rows: list[tuple[Cell, ...]] = []
    for site in sites:
        for period in PERIODS:
            asyncio.run(_once(site, period))
        begin = _resident(site.process)
        for sessions, thinking in LOADS:
            times, errors, memory = asyncio.run(work(site, sessions, thinking, seconds))
            ordered = statistics.quantiles(times, n=20)
            rows.append((
                site.name, sessions, thinking, len(times), 1000 * statistics.median(times), 1000 * ordered[-1], errors,
                max(0, memory - begin) / sessions / 2**20,
            ))  # fmt: skip
    return Table(
        "A rerun with another period (milliseconds)",
        ("", "sessions", "pause between clicks, s", "reruns", "median", "p95", "errors", "MiB per session"),
        tuple(rows),
        {"pause between clicks, s": 0, "median": 0, "p95": 0},
    )


async def _once(site: Site, period: str) -> None:
    async with Session(site) as session:
        await session.rerun(period)


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Publish a company of a scale, serve it and a plain page beside it, and measure what each costs."""
    if not (folder / "crm.sqlite").exists():
        demonstrate(folder, scale)
    return beside_a_plain_page(folder, seconds=60)


def beside_a_plain_page(folder: Path, seconds: float) -> Measured:
    """Measure a published installation with an account per role; people work so many seconds for each load."""
    # All of them work under one login, which is bound.
    bound = {"LOUPAN_CONNECTIONS_PER_SESSION": str(2 * max(sessions for sessions, _ in LOADS))}
    with running_server(folder, bound) as address, plain_site(Settings(data_dir=folder)) as plain:
        ours = Site("Loupan", address, "overview", process=listener(address.rpartition(":")[2]))
        tables = (in_the_browser([ours, plain]), side_by_side([ours, plain], seconds))
    by_load = {(row[0], row[1]): row for row in tables[1].rows}
    figures = {f"errors_at_{sessions}_sessions": float(str(by_load["Loupan", sessions][6])) for sessions, _ in LOADS}
    return Measured(tables, figures)
