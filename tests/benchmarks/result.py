"""What a part of the benchmark found: tables for people, figures that targets are judged by; kept as JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loupan.errors import LoupanError
from loupan.files import replace_text

Cell = str | int | float | None


class ResultsError(LoupanError):
    """The file of earlier results cannot be read; the message names it."""


@dataclass(frozen=True)
class Table:
    """A table of what was measured.

    Attributes:
        title: what was measured, with the unit where all columns share it.
        columns: their names, with units.
        rows: texts, numbers, None where there is nothing to tell.
        digits: decimals of the floats of each column, by name; one elsewhere.
        note: what has to be known to read it, in sentences.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    digits: dict[str, int] = field(default_factory=dict)
    note: str = ""

    def cells(self, row: Sequence[Cell]) -> list[str]:
        """Return a row as text."""
        return [self._text(column, cell) for column, cell in zip(self.columns, row, strict=True)]

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers alone, to be set flush right."""
        cells = [row[column] for row in self.rows if row[column] is not None]
        return bool(cells) and not any(isinstance(cell, str) for cell in cells)

    def _text(self, column: str, cell: Cell) -> str:
        if cell is None:
            return "–"
        return f"{cell:,.{self.digits.get(column, 1)}f}" if isinstance(cell, float) else _spaced(cell)


def _spaced(cell: str | int) -> str:
    return f"{cell:,}" if isinstance(cell, int) else cell


@dataclass(frozen=True)
class Measured:
    """What a part returns: its tables, and figures by name."""

    tables: tuple[Table, ...]
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a part found at a scale with a source, when and on which machine.

    Attributes:
        part: name of the part.
        scale: of the sample company.
        source: the engine of the CRM, empty where a part chooses by itself.
        measured_at: in UTC, ISO 8601 to the minute.
        machine: see `tests.benchmarks.machine`.
        measured: what was found.
        load: how many processes wanted to run when it began, on the average, for each core.
    """

    part: str
    scale: float
    source: str
    measured_at: str
    machine: dict[str, str]
    measured: Measured
    load: float = 0.0

    @property
    def key(self) -> tuple[str, float, str]:
        """What a later result of the same replaces."""
        return (self.part, self.scale, self.source)


def now() -> str:
    """Return the present moment as results name it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")


def read(path: Path) -> list[Result]:
    """Return the results that a file keeps, none where there is no file.

    Raises:
        ResultsError: if it is not what `write` wrote.
    """
    if not path.exists():
        return []
    try:
        return [_result(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, KeyError) as error:
        raise ResultsError(f"{path} holds no results of the benchmark ({error}). Delete it, measure anew.") from error


def write(path: Path, results: Iterable[Result]) -> None:
    """Write results, one a line, so that a part measured anew is a difference of one line."""
    lines = [json.dumps(dataclasses.asdict(result), ensure_ascii=False) for result in results]
    replace_text(path, "[\n" + ",\n".join(lines) + "\n]\n")


def merged(earlier: Iterable[Result], later: Iterable[Result], parts: Sequence[str]) -> list[Result]:
    """Return all results, the later ones in the place of earlier ones of the same, in the order of the parts."""
    by_key = {result.key: result for result in (*earlier, *later)}
    return sorted(by_key.values(), key=lambda result: (parts.index(result.part), result.scale, result.source))


def _result(entry: dict[str, Any]) -> Result:
    measured = entry.pop("measured")
    tables = tuple(
        Table(**{**table, "columns": tuple(table["columns"]), "rows": tuple(map(tuple, table["rows"]))})
        for table in measured["tables"]
    )
    return Result(**entry, measured=Measured(tables, measured["figures"]))
