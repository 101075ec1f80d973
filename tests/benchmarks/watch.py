"""What a process and its children take: time by the clock, time of cores, memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_PAUSE = 0.1
# Adding up the pages of a process of gigabytes takes a while, on a core that is measured.
_PAUSE_FOR_LOOK = 50
# How much of what a program said is told when it fails.
_SAID = 3000


@dataclass(frozen=True)
class Spent:
    """What a command took."""

    seconds: float
    core_seconds: float  # of all its processes: what other programs on the machine take does not show in it
    memory: int  # bytes, the most that all its processes held together


class FailedError(Exception):
    """A command that is measured ended with an error; the message holds the end of what it said."""


def watched(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> Spent:
    """Run a command and measure it.

    Args:
        command: program and arguments.
        environment: its whole environment.
        folder: where it is run, None for here.

    Raises:
        FailedError: if it ends with another exit code than 0.
    """
    start = time.perf_counter()
    with _started(command, environment, folder) as process:
        watch = _Watch(process.pid)
        process.returncode, usage = watch.until_its_end()
        seconds = time.perf_counter() - start
    return Spent(seconds, max(usage, watch.core_seconds), watch.memory)


def brief(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Run a command of a second or less and return its seconds, to the millisecond, and its core-seconds.

    Raises:
        FailedError: if it ends with another exit code than 0.
    """
    start = time.perf_counter()
    with _started(command, environment, None) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    return seconds, usage.ru_utime + usage.ru_stime


@contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command; when whoever measures has waited for it, raise if it failed."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=dict(environment), stdout=said, stderr=said, cwd=folder)
        yield process
        if process.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace")[-_SAID:]
            raise FailedError(f"{' '.join(command)} ended with {process.returncode}: {text}")


class _Watch:
    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._spent: dict[int, float] = {}
        self.memory = 0

    @property
    def core_seconds(self) -> float:
        return sum(self._spent.values())

    def until_its_end(self) -> tuple[int, float]:
        """Return exit code, and the core-seconds that the system counted for it and for the children it waited for."""
        root = psutil.Process(self._pid)
        while True:
            ended, status, usage = os.wait4(self._pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
            start = time.perf_counter()
            self._look(root)
            time.sleep(max(_PAUSE, _PAUSE_FOR_LOOK * (time.perf_counter() - start)))

    def _look(self, root: psutil.Process) -> None:
        held = 0
        with suppress(psutil.Error):
            for each in (root, *root.children(recursive=True)):
                with suppress(psutil.Error):
                    times = each.cpu_times()
                    self._spent[each.pid] = times.user + times.system
                    # By halves where two share it: Java's helpers are copies of it for a moment.
                    held += each.memory_full_info().pss
        self.memory = max(self.memory, held)
