"""The web app as several processes behind HAProxy, and each of them asked alone."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from loupan.settings import Settings
from loupan.web_worker import Shared, names
from pipelines.service.balancer import Orders
from pipelines.service.place import Place, place_alone
from tests.support.installation import passwords_at, running_server

_SECONDS = 90.0


@dataclass
class Site:
    """A running web app of several processes.

    Attributes:
        address: of the balancer.
        data_dir: the installation.
        within: settings by which its supervisor is told orders.
        place: where its supervisor keeps its files.
        processes: how many there are.
    """

    address: str
    data_dir: Path
    within: Settings
    place: Place
    processes: int

    @property
    def names(self) -> tuple[str, ...]:
        """What the processes are called."""
        return names(self.processes)

    def pids(self) -> dict[str, int]:
        """Return the process of each name."""
        return Shared(self.place.shared).pids()

    def wait_until_up(self) -> None:
        """Wait until the balancer finds every process."""
        for name in self.names:
            assert Orders(self.place).wait_until_up(name, _SECONDS), name

    def holder(self) -> str:
        """Return the process that has the most open connections: with one browser, the one that its pages are at."""
        table = csv.DictReader(io.StringIO(Orders(self.place)._tell("show stat").lstrip("# ")))
        open_ = {row["svname"]: int(row["scur"]) for row in table if row["svname"] in self.names}
        return max(open_, key=lambda name: open_[name])

    def kill(self, name: str) -> None:
        """Kill a process as the kernel does where memory runs out."""
        os.kill(self.pids()[name], signal.SIGKILL)

    def ask(self, sql: str) -> list[Any]:
        """Return rows of the CRM."""
        with closing(sqlite3.connect(self.data_dir / "crm.sqlite", timeout=30)) as crm:
            return crm.execute(sql).fetchall()


class Browser:
    """Somebody without a script, whose requests go through the balancer or, past it, to one process.

    Args:
        site: the web app.
        headers: what each request brings.
    """

    def __init__(self, site: Site, headers: Mapping[str, str] | None = None) -> None:
        self._site, self.cookies = site, httpx.Cookies()
        self._headers = {"accept": "text/html", **(headers or {})}

    def request(self, method: str, path: str, at: str = "", **options: Any) -> httpx.Response:
        """Ask for an address.

        Args:
            method: of HTTP.
            path: with query.
            at: name of a process; empty for the balancer.
            options: as httpx takes them.
        """
        socket = str(self._site.place.worker_socket(at)) if at else None
        address = "http://127.0.0.1" if at else self._site.address
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=socket), cookies=self.cookies, headers=self._headers, timeout=60
        ) as client:
            answer = client.request(method, f"{address}{path}", **options)
            self.cookies = httpx.Cookies({cookie.name: cookie.value or "" for cookie in client.cookies.jar})
        return answer

    def get(self, path: str, at: str = "") -> httpx.Response:
        """Ask for a page."""
        return self.request("GET", path, at)

    def hand_in(self, path: str, at: str = "", form_at: str = "", **fields: str) -> httpx.Response:
        """Fetch a page with a form from one process, and hand it in at another."""
        page = self.get(path, form_at)
        (token,) = set(re.findall(r'name="form_token" value="([0-9a-f]+)"', page.text))
        return self.request("POST", path, at, data={"form_token": token, **fields})

    def sign_in(self, login: str, password: str = "", at: str = "", form_at: str = "") -> httpx.Response:
        """Sign in as a demonstration account."""
        password = password or passwords_at(self._site.address)[login]
        return self.hand_in("/login", at, form_at, login=login, password=password)


@contextmanager
def running_site(data_dir: Path, processes: int, environment: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Run ``loupan serve`` with so many processes until all of them serve."""
    own = {"LOUPAN_WEB_PROCESSES": str(processes), **(environment or {})}
    with running_server(data_dir, own) as address:
        within, place = place_alone(Settings(data_dir=data_dir), int(address.rpartition(":")[2]))
        site = Site(address, data_dir, within, place, processes)
        if processes > 1:
            site.wait_until_up()
        yield site


def come_about(condition: Any, seconds: float = 30.0) -> bool:
    """Say whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
