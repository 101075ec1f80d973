"""Turn what a mapping delivers into the types of the CRM, and say what does not fit.

Every value goes through text: a date typed as text, as a spreadsheet date or as a number then meets the same rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.schema.base import ExactNumeric, UtcDateTime

FIRST_MOMENT, LAST_MOMENT = "timestamp '0001-01-01'", "timestamp '9999-12-31 23:59:59.999999'"


def quoted(identifier: str) -> str:
    """Return an SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return an SQL text literal."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Conversion:
    """SQL over a text expression."""

    sql_type: str
    """The DuckDB type of the result."""
    value: str
    """The value, NULL where the text has none or does not fit."""
    faults: tuple[tuple[str, str], ...]
    """What can be wrong: a condition and its reason (both SQL); the first that is true is told."""

    def reason(self) -> str:
        """Return SQL that yields the reason why the text does not fit, or NULL."""
        if not self.faults:
            return "null"
        return "case " + " ".join(f"when {condition} then {reason}" for condition, reason in self.faults) + " end"


def _texts(text: str, length: int | None, choices: Sequence[str] = ()) -> Conversion:
    value = f"case when trim({text}) <> '' then {text} end"
    # PostgreSQL cannot store it.
    faults = [(f"contains({text}, chr(0))", literal("holds a NUL character"))]
    if choices:
        faults.append(
            (f"{value} not in ({', '.join(map(literal, choices))})", literal(f"is none of {', '.join(choices)}"))
        )
    elif length is not None:
        faults.append((f"length({value}) > {length}", literal(f"is longer than {length} characters")))
    return Conversion("VARCHAR", value, tuple(faults))


def _numbers(text: str, sql_type: str, whole_digits: int, decimals: int) -> Conversion:
    given = f"nullif(trim({text}), '')"
    # Twelve decimals are more than any column has; what lies beyond is the noise of binary fractions (0.1 + 0.2).
    number = f"try_cast({given} as decimal(38, 12))"
    too_fine = "is not a whole number" if decimals == 0 else f"has more than {decimals} decimals; round it in the SQL"
    return Conversion(
        sql_type,
        f"try_cast({number} as {sql_type})",
        (
            (f"{given} is not null and {number} is null", literal("is not a number")),
            (f"{number} <> round({number}, {decimals})", literal(too_fine)),
            (
                f"{number} is not null and try_cast({number} as {sql_type}) is null",
                literal(f"is too large: at most {whole_digits} digits before the point"),
            ),
        ),
    )


def _booleans(text: str) -> Conversion:
    given = f"nullif(trim({text}), '')"
    number = f"try_cast({given} as decimal(38, 12))"
    value = f"coalesce(try_cast({given} as boolean), case {number} when 0 then false when 1 then true end)"
    return Conversion(
        "BOOLEAN",
        value,
        ((f"{given} is not null and {value} is null", literal("is not true or false")),),
    )


def _moments(text: str, *, is_day: bool) -> Conversion:
    given = f"nullif(trim({text}), '')"
    # A cast to TIMESTAMP ignores the offset in '2024-01-01T10:00+08:00'; this one honours it, and takes a text without
    # one as UTC, the time zone of the connection.
    moment = f"timezone('UTC', try_cast({given} as timestamptz))"
    what = "a date" if is_day else "a date and time"
    form = "YYYY-MM-DD" if is_day else "YYYY-MM-DD HH:MM:SS in UTC"
    faults = [
        (
            f"{given} is not null and {moment} is null",
            literal(f"is not {what}; write it as {form}, or read it in the SQL with try_strptime(value, format)"),
        ),
        (f"{moment} not between {FIRST_MOMENT} and {LAST_MOMENT}", literal("lies outside the years 1 to 9999")),
    ]
    if is_day:
        faults.append(
            (
                f"{moment} <> date_trunc('day', {moment})",
                literal("has a time of day; say in the SQL which day it is, e.g. cast(value as date)"),
            )
        )
    sql_type = "DATE" if is_day else "TIMESTAMP"
    in_range = f"{moment} between {FIRST_MOMENT} and {LAST_MOMENT}"
    return Conversion(sql_type, f"case when {in_range} then cast({moment} as {sql_type}) end", tuple(faults))


def conversion_to(column_type: sa.types.TypeEngine[Any], text: str) -> Conversion:
    """Return the conversion of the SQL text expression ``text`` to a column type of the CRM.

    Raises:
        TypeError: for a type that no CRM column has.
    """
    if isinstance(column_type, ExactNumeric):
        precision, scale = column_type.precision, column_type.scale
        return _numbers(text, f"DECIMAL({precision},{scale})", precision - scale, scale)
    if isinstance(column_type, sa.Integer):
        sql_type, digits = ("BIGINT", 18) if isinstance(column_type, sa.BigInteger) else ("INTEGER", 9)
        return _numbers(text, sql_type, digits, 0)
    if isinstance(column_type, sa.Boolean):
        return _booleans(text)
    if isinstance(column_type, sa.Date | sa.DateTime | UtcDateTime):
        return _moments(text, is_day=isinstance(column_type, sa.Date))
    if isinstance(column_type, sa.String):
        return _texts(text, column_type.length, column_type.enums if isinstance(column_type, sa.Enum) else ())
    raise TypeError(f"no conversion to {column_type!r}")
