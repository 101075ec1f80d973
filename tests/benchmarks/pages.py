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
from rich.table import Table
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from loupan.settings import Settings
from loupan.snapshot import current
from tests.support.browser import launch
from tests.support.installation import passwords_at, running_server

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


async def work(site: Site, sessions: int, thinking: float, seconds: float) -> tuple[list[float], int, int]:
    """Let people work side by side; return the times of their reruns, the errors, and the server's memory in bytes."""
    times: list[float] = []
    errors = 0
    memory = 0

    async def one(number: int) -> None:
        nonlocal errors, memory
        rng = random.Random(number)
        async with Session(site) as session:
            await asyncio.sleep(rng.uniform(0, thinking))
            await session.rerun("12m")
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                await asyncio.sleep(rng.uniform(0.5, 1.5) * thinking)
                times.append(await session.rerun(rng.choice(PERIODS)))
            errors += session.errors
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
    table = Table(title="The overview in headless Chromium (seconds)", title_justify="left")
    for column in ("", "first chart, cold", "last chart, cold", "first chart, warm", "last chart, warm"):
        table.add_column(column, justify="right" if column else "left")
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
            table.add_row(site.name, *(f"{seconds:.2f}" for seconds in (*cold, *medians)))
    return table


def side_by_side(sites: Sequence[Site], seconds: float) -> Table:
    """Measure reruns of several people at once."""
    table = Table(title="A rerun with another period (milliseconds)", title_justify="left")
    for column in ("", "sessions", "thinking, s", "reruns", "median", "p95", "errors", "MiB per session"):
        table.add_column(column, justify="right" if column else "left")
    for site in sites:
        for period in PERIODS:
            asyncio.run(_once(site, period))
        begin = _resident(site.process)
        for sessions, thinking in LOADS:
            times, errors, memory = asyncio.run(work(site, sessions, thinking, seconds))
            ordered = statistics.quantiles(times, n=20)
            table.add_row(
                site.name, f"{sessions}", f"{thinking:g}", f"{len(times)}", f"{1000 * statistics.median(times):.0f}",
                f"{1000 * ordered[-1]:.0f}", f"{errors}", f"{max(0, memory - begin) / sessions / 2**20:.1f}",
            )  # fmt: skip
    return table


async def _once(site: Site, period: str) -> None:
    async with Session(site) as session:
        await session.rerun(period)


def measure(folder: Path, seconds: float = 60.0) -> Iterator[Table]:
    """Serve an installation with demonstration accounts and a plain page beside it, and yield what each costs.

    Args:
        folder: the installation's data folder; something must be published.
        seconds: how long people work, for each load.
    """
    with running_server(folder) as address, plain_site(Settings(data_dir=folder)) as plain:
        ours = Site("Loupan", address, "overview", process=listener(address.rpartition(":")[2]))
        yield in_the_browser([ours, plain])
        yield side_by_side([ours, plain], seconds)
