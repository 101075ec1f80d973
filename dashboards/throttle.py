"""How many attempts are let through: a sliding window per name, of bounded size.

In memory where one process serves the web app; in a file that they share where there are several.
"""

from __future__ import annotations

import hashlib
import logging
import math
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from loupan import web_worker

LOG = logging.getLogger(__name__)
# Attempts that are remembered in the shared file, whoever made them: the oldest give way.
_ROWS = 100_000
# A process that was stopped in the middle must not stop the others from answering.
_LOCK_SECONDS = 0.2
# Opening happens once in a process, and processes start together.
_OPENING_SECONDS = 5
_TABLES = (
    "create table if not exists attempt (counter text not null, name blob not null, at real not null)",
    "create index if not exists attempt_of_name on attempt (counter, name, at)",
)


class Attempts(Protocol):
    """Counts attempts by name and says when there were too many."""

    def attempt(self, name: str) -> int:
        """Count an attempt; return 0 where it may go on, else in how many seconds to come back."""

    def forgive(self, name: str) -> None:
        """Take the last attempt back: it was a good one."""


def throttle(counter: str, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> Attempts:
    """Return what counts attempts over all processes that serve the web app.

    Args:
        counter: what is counted; processes count under this name together.
        most: attempts that are let through within the window.
        seconds: length of the window.
        clock: tells the seconds.
    """
    worker = web_worker.current()
    if worker is None:
        return Throttle(most, seconds, clock=clock)
    return SharedThrottle(worker.shared, counter, most, seconds, clock=clock)


class Throttle:
    """Counts attempts by name and says when there were too many.

    Args:
        most: attempts that are let through within the window.
        seconds: length of the window.
        names: how many names are remembered; of more, those unused for longest are forgotten.
        clock: tells the seconds.
    """

    def __init__(
        self, most: int, seconds: float, names: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._seconds, self._names, self._clock = most, seconds, names, clock
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def attempt(self, name: str) -> int:
        """Count an attempt; return 0 where it may go on, else in how many seconds to come back."""
        now = self._clock()
        with self._lock:
            times = self._attempts.setdefault(name, deque())
            self._attempts.move_to_end(name)
            while len(self._attempts) > self._names:
                self._attempts.popitem(last=False)
            while times and times[0] <= now - self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return max(1, math.ceil(times[0] + self._seconds - now))
            times.append(now)
            return 0

    def forgive(self, name: str) -> None:
        """Take the last attempt back: it was a good one."""
        with self._lock:
            times = self._attempts.get(name)
            if times:
                times.pop()


class _File:
    """The shared file, open once in a process."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.Lock()
        # One after the other: of two that change a new file's journal at once, SQLite refuses one without any wait.
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=_OPENING_SECONDS, mode=0o600):
            self.connection = sqlite3.connect(
                path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
            path.chmod(0o600)
            # Nothing in it is worth a wait for the disk: it is made anew with the processes.
            for statement in ("pragma journal_mode = wal", "pragma synchronous = off", *_TABLES):
                self.connection.execute(statement)


@cache
def _file(path: Path) -> _File:
    return _File(path)


class SharedThrottle:
    """Counts attempts by name over processes; see `Throttle`.

    Names are addresses of people and logins they typed, so the file holds their keyed digests alone. Where it cannot be
    written, as on a full disk, this process counts for itself.

    Args:
        shared: what the processes share.
        counter: what is counted.
        most: attempts that are let through within the window.
        seconds: length of the window.
        clock: tells the seconds, the same to all processes.
    """

    def __init__(
        self,
        shared: web_worker.Shared,
        counter: str,
        most: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._key, self._counter = shared.counts, shared.key("attempts"), counter
        self._most, self._seconds, self._clock = most, seconds, clock
        self._alone = Throttle(most, seconds, clock=clock)

    def attempt(self, name: str) -> int:
        """Count an attempt; return 0 where it may go on, else in how many seconds to come back."""
        try:
            return self._write(self._attempt, name)
        except (sqlite3.Error, Timeout):
            LOG.warning("attempts are counted by this process alone", exc_info=True)
            return self._alone.attempt(name)

    def forgive(self, name: str) -> None:
        """Take the last attempt back: it was a good one."""
        self._alone.forgive(name)
        try:
            self._write(self._forgive, name)
        except (sqlite3.Error, Timeout):
            LOG.warning("an attempt could not be taken back", exc_info=True)

    def _write(self, change: Callable[[sqlite3.Connection, tuple[str, bytes]], int], name: str) -> int:
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), key=self._key, digest_size=16).digest()
        file = _file(self._path)
        with file.lock:
            file.connection.execute("begin immediate")
            try:
                result = change(file.connection, (self._counter, digest))
                file.connection.execute("commit")
            except BaseException:
                file.connection.execute("rollback")
                raise
        return result

    def _attempt(self, connection: sqlite3.Connection, who: tuple[str, bytes]) -> int:
        now = self._clock()
        over = now - self._seconds
        connection.execute("delete from attempt where counter = ? and name = ? and at <= ?", (*who, over))
        count, first = connection.execute(
            "select count(*), min(at) from attempt where counter = ? and name = ?", who
        ).fetchone()
        if count >= self._most:
            return max(1, math.ceil(first - over))
        connection.execute("insert into attempt values (?, ?, ?)", (*who, now))
        connection.execute("delete from attempt where rowid <= (select max(rowid) from attempt) - ?", (_ROWS,))
        return 0

    @staticmethod
    def _forgive(connection: sqlite3.Connection, who: tuple[str, bytes]) -> int:
        last = "select rowid from attempt where counter = ? and name = ? order by at desc limit 1"
        return connection.execute(f"delete from attempt where rowid = ({last})", who).rowcount  # noqa: S608
