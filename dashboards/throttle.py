"""How many attempts are let through: a sliding window per name, in memory, of bounded size."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable


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
