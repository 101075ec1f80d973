"""What is expected of the loaded rows of a table, derived from the contract: the suites of Great Expectations.

Each rule stays declared once, in the contract. Rules that many columns share (values can be read, required values are
there) become one expectation per table: an expectation costs about 15 ms whatever it looks at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pipelines import sql
from pipelines.contract import Table
from pipelines.quarantine import row_rules

# Dates that only keep books are judged in quarantine; the suites look at those that statistics use.
BOOKKEEPING = {"created_at", "updated_at", "deleted_at"}

_ORDER = re.compile(r"(\w+) (>=|>|<=|<) (\w+)")
_BETWEEN = re.compile(r"(\w+) between (-?[\d.]+) and (-?[\d.]+)", re.IGNORECASE)
_BOUND = re.compile(r"(\w+) (>=|>|<=|<) (-?[\d.]+)")


@dataclass(frozen=True)
class Expected:
    """One expectation, before Great Expectations is imported."""

    type: str  # class in great_expectations.expectations
    columns: dict[str, str]  # column of the checked frame → SQL over `typed_rows`
    says: str
    arguments: dict[str, Any] = field(default_factory=dict)  # beside the columns and `mostly`


def expected_rows(table: Table) -> list[Expected]:
    """Return what is expected of the live rows of a table."""
    key = sql.name(table.key)
    found = [Expected("ExpectColumnValuesToBeUnique", {table.key: key}, f"{table.key} is unique")]
    for rule, column, says in (
        ("required", "all required values are there", "all required values are there"),
        ("type", "all values can be read", "all values can be read as their declared types"),
    ):
        broken = " or ".join(f"({r.broken})" for r in row_rules(table) if r.name == rule)
        found.append(_holds(column, f"not coalesce({broken}, false)", says))
    for described in table.columns:
        value = sql.name(described.name)
        if described.unique and described.name != table.key:
            says = f"{described.name} is unique"
            found.append(Expected("ExpectColumnValuesToBeUnique", {described.name: value}, says))
        if described.accepted_values:
            says = f"{described.name} is one of {', '.join(described.accepted_values)}"
            arguments: dict[str, Any] = {"value_set": list(described.accepted_values)}
            found.append(Expected("ExpectColumnValuesToBeInSet", {described.name: value}, says, arguments))
        if described.is_temporal and described.name not in BOOKKEEPING:
            # Years as numbers: comparing timestamps takes Great Expectations ten times as long.
            says = f"{described.name} lies in the years 1900 to 2199"
            year = {f"year of {described.name}": f"year({value})::bigint"}
            arguments = {"min_value": 1900, "max_value": 2199}
            found.append(Expected("ExpectColumnValuesToBeBetween", year, says, arguments))
    found.extend(_expected_check(table, name, expression) for name, expression in table.checks)
    return found


def _holds(column: str, condition: str, says: str) -> Expected:
    return Expected("ExpectColumnValuesToBeInSet", {column: condition}, says, {"value_set": [True]})


def _expected_check(table: Table, name: str, expression: str) -> Expected:
    """Express a check of the contract in Great Expectations' own terms where they have them."""
    ordered = _ORDER.fullmatch(expression)
    if ordered and {ordered[1], ordered[3]} <= table.by_name.keys():
        left, sign, right = ordered.groups()
        if sign.startswith("<"):
            left, right = right, left
        columns = {left: sql.name(left), right: sql.name(right)}
        arguments = {"or_equal": sign.endswith("="), "ignore_row_if": "either_value_is_missing"}
        return Expected("ExpectColumnPairValuesAToBeGreaterThanB", columns, expression, arguments)
    bounds = _bounds(expression)
    if bounds and bounds[0] in table.by_name:
        column, arguments = bounds
        return Expected("ExpectColumnValuesToBeBetween", {column: f"{sql.name(column)}::double"}, expression, arguments)
    return _holds(name, f"coalesce(try({expression}), true)", expression)


def _bounds(expression: str) -> tuple[str, dict[str, Any]] | None:
    """Read ``x BETWEEN 1 AND 5`` and ``x > 0 AND x <= 1`` as the arguments of a range."""
    between = _BETWEEN.fullmatch(expression)
    if between:
        return between[1], {"min_value": float(between[2]), "max_value": float(between[3])}
    arguments: dict[str, Any] = {}
    columns = set()
    for part in re.split(r" and ", expression, flags=re.IGNORECASE):
        bound = _BOUND.fullmatch(part)
        if not bound:
            return None
        columns.add(bound[1])
        end = "min" if bound[2].startswith(">") else "max"
        arguments |= {f"{end}_value": float(bound[3]), f"strict_{end}": not bound[2].endswith("=")}
    return (columns.pop(), arguments) if len(columns) == 1 else None
