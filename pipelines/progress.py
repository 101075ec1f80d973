"""Show how far a refresh has come: bars on a terminal, log lines elsewhere, and a file for whoever watches."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Protocol

import dagster as dg
from rich.progress import Progress

from loupan.refresh_progress import RefreshProgress, StepProgress, read_progress, write_log, write_progress
from loupan.refresh_state import now, read_state
from loupan.settings import Settings


class Step(Protocol):
    """One part of the work; its pieces are counted."""

    def advance(self, pieces: int = 1, detail: str = "") -> None:
        """Count more pieces as done; ``detail`` names the present one."""

    def finish(self) -> None:
        """Say that the step is done."""


class Reporter(Protocol):
    """Hands out steps."""

    def step(self, name: str, total: int | None = None) -> Step:
        """Begin a step of ``total`` pieces (None if their number is unknown)."""


class _LoggedStep:
    def advance(self, pieces: int = 1, detail: str = "") -> None:
        pass

    def finish(self) -> None:
        pass


class LogReporter:
    """Writes the beginning of each step to Dagster's log; for runs nobody watches on a terminal."""

    def step(self, name: str, total: int | None = None) -> Step:
        """Log the step."""
        dg.get_dagster_logger().info(name)
        return _LoggedStep()


class _BarStep:
    def __init__(self, bars: Progress, name: str, total: int | None) -> None:
        self._bars, self._name = bars, name
        self._task = bars.add_task(name, total=total)

    def advance(self, pieces: int = 1, detail: str = "") -> None:
        self._bars.update(self._task, advance=pieces, description=f"{self._name} {detail}".rstrip())

    def finish(self) -> None:
        done = self._bars.tasks[self._task].total or 1
        self._bars.update(self._task, description=self._name, total=done, completed=done)


class BarReporter:
    """Shows each step as a bar of a Rich progress display."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars

    def step(self, name: str, total: int | None = None) -> Step:
        """Add a bar."""
        return _BarStep(self._bars, name, total)


# Seconds between two writings of the same step; whoever watches looks no more often.
_PAUSE = 0.5


class _RecordedStep:
    def __init__(self, settings: Settings, progress: RefreshProgress, inner: Step) -> None:
        self._settings, self._progress, self._inner = settings, progress, inner
        self._mine, self._written = progress.steps[-1], 0.0
        # dbt's threads come here at once.
        self._one = threading.Lock()
        self._write()

    def _write(self, *lines: str) -> None:
        # Nobody's watching is worth a refresh: what really is wrong with the disk shows where it matters.
        with suppress(OSError):
            if lines:
                write_log(self._settings, self._progress.refresh_id, lines)
            if not lines or time.monotonic() - self._written > _PAUSE:
                write_progress(self._settings, self._progress)
                self._written = time.monotonic()

    def advance(self, pieces: int = 1, detail: str = "") -> None:
        self._inner.advance(pieces, detail)
        with self._one:
            self._mine.done += pieces
            self._mine.detail = detail
            self._write(f"{self._mine.name}: {detail or self._mine.done}")

    def finish(self) -> None:
        self._inner.finish()
        with self._one:
            self._mine.finished_at, self._mine.detail = now(), ""
            self._mine.done = self._mine.total or self._mine.done
            self._write()


class RecordedReporter:
    """Writes each step down for whoever watches from another process, and hands it on to another reporter."""

    def __init__(self, settings: Settings, inner: Reporter) -> None:
        self._settings, self._inner = settings, inner

    def step(self, name: str, total: int | None = None) -> Step:
        """Begin a step of the refresh that is running."""
        inner = self._inner.step(name, total)
        state = read_state(self._settings)
        if state is None or state.outcome != "running":
            # Before the first step: it waits for another refresh, whose record this would spoil.
            return inner
        progress = read_progress(self._settings, state.refresh_id) or RefreshProgress(state.refresh_id, [])
        progress.steps.append(StepProgress(name, now(), total=total))
        with suppress(OSError):
            write_log(self._settings, state.refresh_id, [name])
        return _RecordedStep(self._settings, progress, inner)
