"""``make bench``: measure what refreshes, questions, lists, pages, recoveries, installing and starting cost.

``python -m tests.benchmarks refresh --scale 10 --source postgresql`` measures one part alone; ``--write`` puts what was
found into `docs/performance.json` and renders `docs/performance.md` anew. Parts that need an environment of their own
run only when they are named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from loupan.errors import LoupanError
from loupan.files import replace_text
from tests.benchmarks import machine
from tests.benchmarks.company import SOURCES
from tests.benchmarks.page import BUSY, rendered
from tests.benchmarks.parts import PARTS, Part
from tests.benchmarks.result import Result, Table, merged, now, read, write
from tests.benchmarks.targets import judged

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.parts) - PARTS.keys()):
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(PARTS)}")
    parts = [PARTS[name] for name in asked.parts] or [part for part in PARTS.values() if not part.needs]
    console = Console()
    data, page = asked.docs / "performance.json", asked.docs / "performance.md"
    try:
        earlier = read(data)
        for part in parts:
            result = _measured(part, asked, console)
            earlier = merged(earlier, [result], list(PARTS))
            if asked.write:
                write(data, earlier)
                replace_text(page, rendered(earlier))
    except LoupanError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    for finding in judged(earlier):
        if finding.target.part in {part.name for part in parts}:
            console.print(f"{finding.target.name}: {finding.verdict}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument(
        "parts", nargs="*", metavar="PART",
        help=f"any of {', '.join(PARTS)}; by default all that need no environment of their own",
    )  # fmt: skip
    parser.add_argument("--scale", type=float, default=1.0, help="scale of the sample company (1)")
    parser.add_argument("--source", choices=SOURCES, default=SOURCES[0], help=f"engine of the CRM ({SOURCES[0]})")
    parser.add_argument("--folder", type=Path, help="keeps the companies for the next time")
    parser.add_argument("--write", action="store_true", help="put what is found into the page")
    parser.add_argument("--docs", type=Path, default=DOCS, help=argparse.SUPPRESS)
    return parser


def _measured(part: Part, asked: argparse.Namespace, console: Console) -> Result:
    load = machine.load()
    if load > BUSY:
        told = f"{load:.1f} processes of others for each core: seconds will be too long."
        console.print(f"[yellow]{told}[/yellow]")
    source = asked.source if part.sources else ""
    console.print(f"[bold]{part.title}[/bold], scale {asked.scale:g} {source}")
    with _folder(asked.folder, part, asked.scale, source) as folder:
        measured = part.measure(folder, asked.scale, source)
    for table in measured.tables:
        console.print(_drawn(table))
    return Result(part.name, asked.scale, source, now(), machine.describe(), measured, round(load, 2))


@contextmanager
def _folder(kept: Path | None, part: Part, scale: float, source: str) -> Iterator[Path]:
    if kept is not None:
        folder = kept / f"{part.name}-{scale:g}-{source or 'any'}"
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="loupan-bench-") as name:
            yield Path(name)


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(title=table.title, title_justify="left", caption=table.note or None)
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if table.is_number(number) else "left")
    for row in table.rows:
        drawn.add_row(*table.cells(row))
    return drawn


if __name__ == "__main__":
    main()
