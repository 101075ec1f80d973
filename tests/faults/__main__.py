"""Inject faults into refreshes and print what became of them; ``--write`` puts the lines into `docs/reliability.md`."""

from __future__ import annotations

import argparse
import pickle
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.faults import clock, damage, disk, kills, memory, schema, source, together
from tests.faults.company import Company, Prepared, place_anew, prepare
from tests.faults.day import Day, live_through
from tests.faults.load import Leaks, Load, leaks, under_load
from tests.faults.trial import Fault, Outcome, run
from tests.support.installation import run_loupan
from tests.support.postgres import running_server
from tests.support.shared import begin_run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_COLUMNS = ("Fault", "Runs", "Failures", "Data lost", "Healed by the next refresh", "Where it struck")
_HEAD = f"| {' | '.join(_COLUMNS)} |\n|---|--:|--:|--:|--:|---|\n"
# Those that are left take the time of a refresh.
_SLOW_MODELS = (
    "attribution_spread,collections_forecast,complaint_warning,data_entry_quality,marketing_budget,promise_ledger,"
    "sell_through"
)
_MODULES = (kills, disk, source, clock, damage, together, memory, schema)
FAULTS: dict[str, Fault] = {fault.name: fault for module in _MODULES for fault in module.FAULTS}
MEASURED = ("load", "leaks", "day")


class Laboratory:
    """Prepares the companies that faults strike, each kind once."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._prepared: dict[tuple[str, bool], tuple[Company, Prepared]] = {}

    def company(self, fault: Fault) -> tuple[Company, Prepared]:
        """Return the company that a fault strikes."""
        kind = (fault.crm, fault.models)
        if kind not in self._prepared:
            own = self._folder / f"{fault.crm}-{'with' if fault.models else 'without'}-models"
            further = {"LOUPAN_WITHOUT_MODELS": _SLOW_MODELS if fault.models else "*"}
            server = None if fault.crm == "sqlite" else self._stack.enter_context(running_server())
            company = Company(own / "place", server, further)
            known = own / "prepared.pickle"
            if server is None and known.exists():
                prepared = pickle.loads(known.read_bytes())
            else:
                shutil.rmtree(own, ignore_errors=True)
                prepared = prepare(company, own)
                known.write_bytes(pickle.dumps(prepared))
            self._prepared[kind] = (company, prepared)
        return self._prepared[kind]


def line(fault: Fault, outcomes: Sequence[Outcome]) -> str:
    """Return a fault's line of the table."""
    failures = sum(bool(outcome.problems) for outcome in outcomes)
    lost = sum(bool(outcome.lost) for outcome in outcomes)
    healed = sum(outcome.healed for outcome in outcomes)
    where = Counter(outcome.where for outcome in outcomes if outcome.where)
    struck = ", ".join(f"{name} {count}" for name, count in sorted(where.items()))
    return f"| {fault.title} | {len(outcomes)} | {failures} | {lost} | {healed} of {len(outcomes)} | {struck} |"


def outcomes(laboratory: Laboratory, fault: Fault, runs: int, seed: int) -> Iterator[Outcome]:
    """Let a fault strike so many times; tell of each failure."""
    company, prepared = laboratory.company(fault)
    for number in range(seed, seed + runs):
        began = time.monotonic()
        outcome = run(fault, company, prepared, number)
        told = f"{fault.name} {number}: {outcome.where}, {time.monotonic() - began:.0f} s"
        print(told, file=sys.stderr, flush=True)
        for problem in outcome.problems:
            print(f"  {problem}", file=sys.stderr, flush=True)
        yield outcome


def write(block: str, head: str, order: Sequence[str], lines: Mapping[str, str]) -> None:
    """Put lines into a table of the page, by their first cells; other lines stay."""
    page = PAGE.read_text(encoding="utf-8")
    table = re.compile(rf"(<!-- {block} -->\n)(.*?)(<!-- end of {block} -->)", re.DOTALL)
    found = table.search(page)
    assert found
    merged = {text.split(" | ")[0].removeprefix("| "): text for text in found[2].splitlines()[2:]} | lines
    rows = sorted(merged, key=lambda title: order.index(title) if title in order else len(order))
    text = head + "".join(f"{merged[title]}\n" for title in rows)
    PAGE.write_text(table.sub(lambda found: found[1] + text + found[3], page), encoding="utf-8")


def strike(laboratory: Laboratory, names: Sequence[str], runs: int | None, seed: int, to_page: bool) -> bool:
    """Inject faults and print the table; say whether all that is promised held."""
    holds = True
    print(_HEAD, end="", flush=True)
    for name in names:
        fault = FAULTS[name]
        results = list(outcomes(laboratory, fault, runs or fault.runs, seed))
        told = line(fault, results)
        holds = holds and not any(result.problems for result in results)
        print(told, flush=True)
        if to_page:
            write("faults", _HEAD, [fault.title for fault in FAULTS.values()], {fault.title: told})
    return holds


def measure(laboratory: Laboratory, names: Sequence[str], refreshes: int | None, seed: int, to_page: bool) -> bool:
    """Measure what refreshes leave, and what readers notice of them; say whether all that is promised held."""
    holds = True
    for name in names:
        company, prepared = laboratory.company(FAULTS["kill-ingest"])
        if name == "load":
            place_anew(company, prepared)
            run_loupan(company.data_dir, "account", "demo")
            result: Load | Leaks | Day = under_load(company, refreshes or 100)
        elif name == "day":
            result = live_through(company, prepared, seed)
        else:
            result = leaks(company, prepared, refreshes or 50)
        for problem in result.problems:
            print(f"{name}: {problem}", file=sys.stderr, flush=True)
        told = result.told()
        print(told, flush=True)
        holds = holds and not result.problems
        if to_page:
            write("load", "| Load | What was seen |\n|---|---|\n", (), {told.split(" | ")[0].removeprefix("| "): told})
    return holds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    names = [*FAULTS, *MEASURED]
    parser.add_argument("names", nargs="*", metavar="FAULT", help=f"any of {', '.join(names)}; all by default")
    parser.add_argument("--runs", type=int, help="of each fault; by default as many as the page shows")
    parser.add_argument("--refreshes", type=int, help="of load (100 by default) and leaks (50)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run of each fault")
    parser.add_argument("--folder", type=Path, help="keeps the prepared companies for the next time")
    parser.add_argument("--write", action="store_true", help=f"put the lines into {PAGE.name}")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(names)):
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(names)}")
    begin_run(room=2 << 30)
    wanted = arguments.names or names
    with tempfile.TemporaryDirectory(prefix="loupan-faults-") as folder, ExitStack() as stack:
        laboratory = Laboratory(arguments.folder or Path(folder), stack)
        faults = [name for name in wanted if name in FAULTS]
        held = strike(laboratory, faults, arguments.runs, arguments.seed, arguments.write) if faults else True
        measured = [name for name in wanted if name in MEASURED]
        held = measure(laboratory, measured, arguments.refreshes, arguments.seed, arguments.write) and held
    if not held:
        sys.exit(1)


if __name__ == "__main__":
    main()
