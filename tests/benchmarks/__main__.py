"""``make bench``: print what refreshes, questions, lists, pages, recoveries and rows on each engine cost.

All but the last two are measured against the bare work of the same run.

It takes about an hour; ``python -m tests.benchmarks refresh`` measures one part alone; ``engines`` only on request.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.benchmarks import engines, gateway, lists, pages, recovery, refresh
from tests.support.installation import demonstrate

CUSTOMERS_PER_SCALE = 100_000


def _refresh(console: Console, scale: float) -> None:
    with tempfile.TemporaryDirectory(prefix="loupan-bench-") as folder:
        settings = refresh.prepare(Path(folder), scale)
        for table in (*refresh.measure(settings), gateway.measure(settings)):
            console.print(table)


def _pages(console: Console, scale: float) -> None:
    with tempfile.TemporaryDirectory(prefix="loupan-bench-") as folder:
        demonstrate(Path(folder), scale)
        for table in pages.measure(Path(folder)):
            console.print(table)


def _lists(console: Console, scale: float) -> None:
    for table in lists.measure_engines(int(scale * CUSTOMERS_PER_SCALE)):
        console.print(table)


def _recovery(console: Console, scale: float) -> None:
    with tempfile.TemporaryDirectory(prefix="loupan-bench-") as folder:
        console.print(recovery.measure(Path(folder), scale))


def _engines(console: Console, scale: float) -> None:
    for table in engines.measure(scale):
        console.print(table)


PARTS: dict[str, Callable[[Console, float], None]] = {
    "refresh": _refresh, "pages": _pages, "lists": _lists, "recovery": _recovery,
    "engines": _engines,
}  # fmt: skip

# Needs an environment of its own (`make spark`).
ON_REQUEST = {"engines"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; all but the last by default"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="scale of the sample company")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.parts) - PARTS.keys())
    if unknown:
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(PARTS)}")
    console = Console()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    console.print(f"Scale {arguments.scale:g}; {machine}\n")
    for part in arguments.parts or [part for part in PARTS if part not in ON_REQUEST]:
        PARTS[part](console, arguments.scale)


if __name__ == "__main__":
    main()
