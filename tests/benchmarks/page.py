"""The page `docs/performance.md`, rendered from the results that `docs/performance.json` keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.benchmarks.parts import PARTS, Part
from tests.benchmarks.result import Result, Table
from tests.benchmarks.targets import Finding, judged

BUSY = 0.3
"""Processes of others for each core, above which what else runs shows in the seconds."""
_HEAD = """\
# What was measured

`make bench` measures everything and writes this page; `python -m tests.benchmarks PART… --scale S --write` measures a
part again and leaves what stood here of the others. Times depend on the machine. What counts is how they compare: all
that stands in one table was measured in one run.
"""


def rendered(results: Sequence[Result]) -> str:
    """Return the page of all results, which are in the order of the parts."""
    return "\n".join(_lines(results)).rstrip() + "\n"


def _lines(results: Sequence[Result]) -> Iterator[str]:
    yield _HEAD
    machines = _machines(results)
    yield from _described(machines)
    yield from _promises(judged(results))
    for part in PARTS.values():
        of_part = [result for result in results if result.part == part.name]
        if of_part:
            yield from _part(part, of_part, machines)


def _machines(results: Sequence[Result]) -> list[dict[str, str]]:
    """Return the different machines, that of the latest result first."""
    found: list[dict[str, str]] = []
    for result in sorted(results, key=lambda result: result.measured_at, reverse=True):
        if result.machine not in found:
            found.append(result.machine)
    return found


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _described(machines: Sequence[dict[str, str]]) -> Iterator[str]:
    if not machines:
        return
    names = list(dict.fromkeys(name for machine in machines for name in machine))
    yield "## The machine\n"
    heads = [_letter(number) for number in range(len(machines))] if len(machines) > 1 else [""]
    yield from _grid(["", *heads], [False] * (len(heads) + 1), [
        [name, *(machine.get(name, "–") for machine in machines)] for name in names
    ])  # fmt: skip


def _promises(findings: Sequence[Finding]) -> Iterator[str]:
    yield "## What is promised\n"
    rows = []
    for finding in findings:
        target = finding.target
        value = _figure(finding.value, target.unit)
        ratio = f"{finding.value / target.most:.2f}" if finding.value is not None and target.most else "–"
        where = ", ".join(filter(None, (_at(finding.scale) if target.scale else "", _source(finding.source))))
        most = f"≤ {_figure(target.most, target.unit)}" + (f" at scale {target.scale:g}" if target.scale else "")
        why = "" if finding.is_met and finding.is_where_promised else target.why
        rows.append([target.name, most, value, ratio, where, finding.verdict, why])
    heads = ["", "promised", "measured", "by what is promised", "at", "", "why not"]
    yield from _grid(heads, [False, False, True, True, False, False, False], rows)


def _at(scale: float | None) -> str:
    return "" if scale is None else f"scale {scale:g}"


def _source(source: str) -> str:
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(source, source)


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:.3g} {unit}".replace(" ×", " ×")


def _part(part: Part, results: Sequence[Result], machines: Sequence[dict[str, str]]) -> Iterator[str]:
    yield f"## {part.title}\n"
    yield f"{part.about}\n"
    for result in results:
        command = f"python -m tests.benchmarks {part.name} --scale {result.scale:g}"
        if result.source:
            command += f" --source {result.source}"
        told = [f"`{command}`", result.measured_at.replace("T", " ").replace("Z", " UTC")]
        if len(machines) > 1:
            told.append(f"machine {_letter(machines.index(result.machine))}")
        if result.load > BUSY:
            told.append(f"while {result.load:.1f} processes of others wanted each core")
        if len(results) > 1:
            yield f"### {' · '.join(filter(None, (f'Scale {result.scale:g}', _source(result.source))))}\n"
        yield f"{', '.join(told)}.\n"
        for table in result.measured.tables:
            yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    yield f"**{table.title}**\n"
    are_numbers = [table.is_number(column) for column in range(len(table.columns))]
    yield from _grid(list(table.columns), are_numbers, [table.cells(row) for row in table.rows])
    if table.note:
        yield f"{table.note}\n"


def _grid(heads: Sequence[str], are_numbers: Sequence[bool], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('--:' if is_number else '---' for is_number in are_numbers)}|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""
