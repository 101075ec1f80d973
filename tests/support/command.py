"""The ``loupan`` command in a process of its own, forked from one that has imported everything.

Its imports take longer than most of what tests do with it. Everything else is as on a command line: arguments,
environment, output, exit code, signals.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
"""Starts processes of the tests from the one that has imported everything."""
CONTEXT.set_forkserver_preload(
    [
        "dashboards.server",
        "data_entry.account_command",
        "data_entry.crm_command",
        "data_entry.import_command",
        "dbt.cli.main",
        "great_expectations",
        "loupan.cli",
        "loupan.metrics_command",
        "pipelines.definitions",
        "pipelines.refresh_command",
        "sample_data.sample_command",
        __name__,
        "tests.support.frozen",  # the last: what comes before it is looked at no more
    ]
)


class Command:
    """A running ``loupan``: the part of `subprocess.Popen` that tests need."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """``prepare`` is called in the new process before anything else; it must be a function that can be pickled."""
        self._folder = tempfile.TemporaryDirectory(prefix="loupan-command-")
        files = [Path(self._folder.name) / name for name in ("out", "err")]
        for file in files:
            file.touch()
        self._out, self._err = files
        self._process = CONTEXT.Process(
            target=_run, args=(list(arguments), dict(environment), *map(str, files), prepare)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Number of the process, which leads a group of its own."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for the signal that ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end; raise `subprocess.TimeoutExpired` after so many seconds."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("loupan", timeout)
        return self.returncode

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """Wait for its end and return what it wrote, output and errors."""
        self.wait(timeout)
        return self.output()

    def output(self) -> tuple[str, str]:
        """Return what it has written until now, output and errors."""
        return self._out.read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8")

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


def _run(
    arguments: list[str], environment: dict[str, str], out: str, err: str, prepare: Callable[[], None] | None
) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # found anew: that of the process it was forked from is not that of this environment
    sys.argv = ["loupan", *arguments]

    from loupan.cli import run
    from loupan.settings import get_settings

    get_settings.cache_clear()
    if prepare is not None:
        prepare()
    run()
