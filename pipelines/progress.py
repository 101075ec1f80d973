"""Show how far a refresh has come: bars on a terminal, log lines elsewhere."""

from __future__ import annotations

from typing import Protocol

import dagster as dg
from rich.progress import Progress


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
