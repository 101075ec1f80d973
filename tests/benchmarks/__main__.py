"""``make bench``: print what a refresh and a metric query cost, each against the bare work of the same run."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from rich.console import Console

from tests.benchmarks import gateway, refresh


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--scale", type=float, default=1.0, help="scale of the sample company")
    scale = parser.parse_args().scale
    console = Console()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    console.print(f"Scale {scale:g}; {machine}\n")
    with tempfile.TemporaryDirectory(prefix="loupan-bench-") as folder:
        settings = refresh.prepare(Path(folder), scale)
        for table in (*refresh.measure(settings), gateway.measure(settings)):
            console.print(table)


if __name__ == "__main__":
    main()
