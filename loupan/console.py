"""How commands write: tables for people, CSV and JSON with full precision for programs. Data alone goes to stdout."""

from __future__ import annotations

import csv
import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from loupan.spreadsheet import inert

# Off a terminal nothing may be folded or cut.
_UNLIMITED_WIDTH = 10_000


class OutputFormat(StrEnum):
    """How a command writes its rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


# The option of every command that writes rows.
Format = Annotated[OutputFormat, typer.Option("--format", help="How the answer is written.")]


def write_rows(
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    output_format: OutputFormat,
    units: Mapping[str, str] | None = None,
) -> None:
    """Write rows to stdout.

    Args:
        columns: names of the columns, in order.
        rows: a mapping from these names per row; None is no value.
        output_format: table, csv or json (a list of objects).
        units: column → unit of its numbers, for the table (see ``display``).
    """
    if output_format is OutputFormat.JSON:
        objects = (
            "{" + ", ".join(f"{_json(column)}: {_json(row[column])}" for column in columns) + "}" for row in rows
        )
        sys.stdout.write("[" + ",\n ".join(objects) + "]\n")
    elif output_format is OutputFormat.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(map(csv_cell, columns))
        writer.writerows([csv_cell(row[column]) for column in columns] for row in rows)
    else:
        _write_table(columns, rows, units or {})


def display(value: Any, unit: str = "") -> str:
    """Return a value as people read it; ``unit`` is that of a metric, and matters for percent and currency."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return visible(str(value))
    if unit == "percent":
        return f"{value:.2%}"
    if unit == "currency":
        return f"{value:,.2f}"
    if isinstance(value, float | Decimal):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{value:,}"


def visible(text: str) -> str:
    """Spell out control characters, so that a name or a bad value from the CRM cannot steer the reader's terminal."""
    return "".join(
        repr(character)[1:-1] if unicodedata.category(character) == "Cc" and character != "\n" else character
        for character in text
    )


def byte_size(size: int) -> str:
    """Return a number of bytes as people read it."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _write_table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], units: Mapping[str, str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listed = list(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        values = [row[column] for row in listed if row[column] is not None]
        is_number = bool(values) and all(isinstance(value, int | float | Decimal) for value in values)
        table.add_column(Text(column), justify="right" if is_number else "left", overflow="fold")
    for row in listed:
        # As text without markup: a name may hold square brackets.
        table.add_row(*(Text(display(row[column], units.get(column, ""))) for column in columns))
    console = Console(width=None if sys.stdout.isatty() else _UNLIMITED_WIDTH)
    console.print(table)


def _json(value: Any) -> str:
    if isinstance(value, Decimal):
        digits = format(value, "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    # What the encoding lacks JSON can spell by itself, so that programs read the same text.
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(value, ensure_ascii=not is_unicode, default=str)


def csv_cell(value: Any) -> str:
    """Write a value for a CSV file that people open: numbers exactly, text that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, str):
        return inert(value)
    return _json(value)
