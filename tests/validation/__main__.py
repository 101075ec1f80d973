"""Print the table of `docs/statistics.md`; ``python -m tests.validation --write`` puts it there."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
import sys
import time
from pathlib import Path

from tests import validation
from tests.validation.result import Result, Study

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
_TABLE = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)


def studies() -> dict[str, Study]:
    """Return the studies by name: the function ``study`` of each module of this package whose name begins so."""
    names = sorted(
        module.name for module in pkgutil.iter_modules(validation.__path__) if module.name.startswith("study_")
    )
    return {name.removeprefix("study_"): importlib.import_module(f"tests.validation.{name}").study for name in names}


def as_table(results: list[Result], seeds: int) -> str:
    """Return the results as Markdown."""
    lines = [
        f"{seeds} seeds each (`python -m tests.validation --seeds {seeds}`).",
        "",
        "| Method | Question | Expected | Found | |",
        "|---|---|---|---|---|",
        *(f"| {r.method} | {r.question} | {r.expected} | {r.found} | {'✓' if r.holds else '✗'} |" for r in results),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.validation")
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"any of {', '.join(studies())}; all by default")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--write", action="store_true", help=f"put the table of all studies into {PAGE.name}")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.studies) - studies().keys()):
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(studies())}")
    if arguments.write and arguments.studies:
        parser.error("--write needs all studies")
    results = []
    for name, study in studies().items():
        if arguments.studies and name not in arguments.studies:
            continue
        began = time.monotonic()
        results += study(arguments.seeds)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    table = as_table(results, arguments.seeds)
    print(table)
    if arguments.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(_TABLE.sub(lambda found: found[1] + table + found[2], page), encoding="utf-8")
    if not all(result.holds for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
