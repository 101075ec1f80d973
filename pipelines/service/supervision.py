"""The supervisor: supervisord in this process, with our logs, a harder second signal, and nobody left behind."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any

import psutil
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.supervisord import Supervisor

from loupan.refresh_lock import is_refreshing
from loupan.settings import Settings
from loupan.supervised import MARKER
from pipelines.service.place import Place
from pipelines.service.programs import CODE_STOP_SECONDS

LOG = logging.getLogger(__name__)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_END_SECONDS = 8.0


def _prctl(option: int, argument: int) -> None:
    """Ask the kernel for a property of this process; where there is no such call, the sweep has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)


class _Log:
    """supervisor's own kind of logger, writing to ours."""

    def __init__(self) -> None:
        self.handlers: list[Any] = []

    def log(self, level: int, message: str, **values: Any) -> None:
        text = str(message)
        LOG.log(level, "%s", text % values if values else text)

    def critical(self, message: str, **values: Any) -> None:
        self.log(logging.CRITICAL, message, **values)

    def error(self, message: str, **values: Any) -> None:
        self.log(logging.ERROR, message, **values)

    def warn(self, message: str, **values: Any) -> None:
        self.log(logging.WARNING, message, **values)

    def info(self, message: str, **values: Any) -> None:
        self.log(logging.INFO, message, **values)

    def debug(self, message: str, **values: Any) -> None:
        self.log(logging.DEBUG, message, **values)

    def trace(self, message: str, **values: Any) -> None:
        """Drop what only somebody who mends supervisor wants to read."""

    blather = trace

    def close(self) -> None:
        """Leave the files open: logging closes them."""


class _Options(ServerOptions):
    """supervisor's options, with our log, and children that do not outlive it."""

    def make_logger(self) -> None:
        self.logger = _Log()
        for message in (*self.parse_criticals, *self.parse_warnings):
            LOG.warning("%s", message)

    def setpgrp(self) -> None:
        """Run in the child before it becomes the program."""
        super().setpgrp()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class _Supervisor(Supervisor):
    """A supervisor that stops harder when it is told so twice."""

    def handle_signal(self) -> None:
        was_stopping = self.stopping
        super().handle_signal()
        if was_stopping and self.options.signal_receiver.hardened:
            for group in self.process_groups.values():
                for process in group.processes.values():
                    if process.pid:
                        LOG.warning("killing %s", process.config.name)
                        process.kill(signal.SIGKILL)


class _Signals:
    """Signals received and not yet handled; supervisor's own would not tell a second SIGTERM from the first."""

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._ends = 0

    @property
    def hardened(self) -> bool:
        """Whether the end was asked for twice."""
        return self._ends > 1

    def receive(self, number: int, frame: Any) -> None:
        if number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self._ends += 1
        if number not in self._waiting:
            self._waiting.append(number)

    def get_signal(self) -> int | None:
        return self._waiting.pop(0) if self._waiting else None


def run(place: Place, settings: Settings) -> None:
    """Run the programs until a signal or `loupan service stop` ends them."""
    # What a program leaves behind becomes a child of this process instead of nobody's.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    options = _Options()
    options.signal_receiver = _Signals()
    options.realize(["-c", str(place.configuration)], doc="")
    options.first = True
    options.test = False
    with suppress(ExitNow):
        _Supervisor(options).main()
    options.close_httpservers()
    _let_a_refresh_end(settings, options.signal_receiver)
    end_strays(place)
    place.forget_sockets()


def _let_a_refresh_end(settings: Settings, signals: _Signals) -> None:
    """Give a refresh that somebody started from the web app as long as one of Dagster's has."""
    deadline = time.monotonic() + CODE_STOP_SECONDS
    while is_refreshing(settings.data_dir) and time.monotonic() < deadline and not signals.hardened:
        time.sleep(0.5)


def strays(place: Place) -> list[psutil.Process]:
    """Return the processes of this folder's service other than this one, by what they carry in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARKER) == place.marker:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone, or somebody else's
    return found


def end_strays(place: Place) -> int:
    """End what a service left behind, first kindly; return how many there were.

    Only for who holds the folder: a killed supervisor's programs may still be about to end.
    """
    left = strays(place)
    for process in left:
        LOG.warning("ending what was left behind", extra={"left_pid": process.pid, "left_name": process.name()})
        process.terminate()
    _, alive = psutil.wait_procs(left, timeout=_END_SECONDS)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=_END_SECONDS)
    return len(left)
