"""Values for the CRM's columns, as people type them: read by the type of the column, or refused in clear words.

Text that stands for a moment is wall-clock time of the company. Moments without an offset that come from code are UTC,
as the CRM keeps them; aware ones are converted.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema import metadata
from data_entry.schema.base import ExactNumeric, UtcDateTime
from data_entry.schema.labels import choice_label, column_label
from data_entry.services import phones
from data_entry.services.errors import Invalid, Problem
from data_entry.services.tables import (
    BOOKKEEPING,
    CLASSES,
    MANAGED,
    SETTABLE,
    is_tree,
    own_columns,
    required,
    target,
    vocabularies,
)
from data_entry.services.work import Work
from loupan.i18n import marked

FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2200, 12, 31)
_MAX_TEXT = 100_000
_YES = frozenset({"true", "yes", "y", "1", "是", "对", "有", "on"})
_NO = frozenset({"false", "no", "n", "0", "否", "不", "无", "off"})
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_TIME = re.compile(r"(\d{1,2})\s*[:时点]\s*(\d{1,2})(?:\s*[:分]\s*(\d{1,2})(?:\.\d+)?)?\s*[分秒]?")
_EMAIL = re.compile(r"[^@\s,;<>\"()]+@[^@\s,;<>\"()]+\.[^@\s.,;<>\"()]{2,}")
_SCALES = {"万": Decimal(10_000), "亿": Decimal(100_000_000)}
# Rules beyond the CHECK constraints, written as those are.
# How a CHECK constraint says that a day is the first of its month.
_MONTH_BEGINS = re.compile(r"CAST\((\w+) AS VARCHAR\(10\)\) LIKE '____-__-01'")
_MORE_RULES = {"employee": ("left_on >= hired_on",), "survey": ("closes_on >= opens_on",)}


class Clock(Protocol):
    """What reading a moment needs of a work."""

    def utc(self, local: dt.datetime) -> dt.datetime:
        """Return a wall-clock time of the company (naive) or an aware moment as the CRM keeps it."""


class Wrong(ValueError):
    """A value that does not fit, with the message and what fills it."""

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message)
        self.message, self.values = message, values


def tidy(text: str, *, is_long: bool = False) -> str | None:
    """Return text without control characters and outer white space, None when nothing is left.

    Args:
        text: as typed or pasted.
        is_long: keep line breaks.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if not is_long:
        text = re.sub(r"[\n\t]+", " ", text)
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn"))
    return unicodedata.normalize("NFC", kept).strip() or None


def read_number(value: Any) -> Decimal:
    """Return a number as typed: thousands separators, full-width digits, ¥, 万 and 亿 are understood.

    Raises:
        Wrong: if it is none.
    """
    if isinstance(value, bool):
        raise Wrong(marked("This is not a number."))
    if isinstance(value, (int, float, Decimal)):
        text = str(value)
    else:
        text = unicodedata.normalize("NFKC", str(value))
        text = re.sub(r"[\s,'_¥$€元]|m2|㎡|平方米", "", text.replace("−", "-").replace("–", "-"), flags=re.IGNORECASE)
    factor = Decimal(1)
    if text[-1:] in _SCALES:
        text, factor = text[:-1], _SCALES[text[-1]]
    if not re.fullmatch(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", text, re.ASCII):
        raise Wrong(marked("This is not a number."))
    try:
        number = Decimal(text) * factor
    except InvalidOperation:  # pragma: no cover - the pattern keeps it out
        raise Wrong(marked("This is not a number.")) from None
    return number


def read_day(value: Any) -> dt.date:
    """Return a day as typed: 2026-03-01, 2026/3/1, 2026年3月1日 or 20260301.

    Raises:
        Wrong: if it is none, or before 1900 or after 2200.
    """
    if isinstance(value, dt.datetime):
        day = value.date()
    elif isinstance(value, dt.date):
        day = value
    else:
        text = unicodedata.normalize("NFKC", str(value)).strip()
        text = re.sub(r"[T ]0?0:00(:00(\.0+)?)?$", "", text)
        match = _DATE.fullmatch(text) or re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text, re.ASCII)
        if not match:
            raise Wrong(marked("Write the date as year-month-day, e.g. 2026-03-01."))
        try:
            day = dt.date(*(int(part) for part in match.groups()))
        except ValueError:
            raise Wrong(marked("There is no such day.")) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Wrong(marked("The year must be between 1900 and 2200."))
    return day


def read_moment(value: Any, work: Clock) -> dt.datetime:
    """Return a moment as the CRM keeps it (UTC, without offset); text is wall-clock time of the company.

    Raises:
        Wrong: if it is none, or before 1900 or after 2200.
    """
    if isinstance(value, dt.datetime):
        if not FIRST_DAY <= value.date() <= LAST_DAY:
            raise Wrong(marked("The year must be between 1900 and 2200."))
        return work.utc(value) if value.tzinfo else value
    if isinstance(value, dt.date):
        return work.utc(dt.datetime.combine(read_day(value), dt.time()))
    text = unicodedata.normalize("NFKC", str(value)).strip()
    try:
        aware = dt.datetime.fromisoformat(text)
    except ValueError:
        aware = None
    if aware is not None and aware.tzinfo is not None:
        read_day(aware)
        return work.utc(aware)
    match = re.fullmatch(rf"({_DATE.pattern}|\d{{8}})[T\s]*({_TIME.pattern})?", text)
    if not match:
        raise Wrong(marked("Write the moment as year-month-day hour:minute, e.g. 2026-03-01 14:30."))
    time = _TIME.search(match.group(5)) if match.group(5) else None
    day = read_day(match.group(1))
    try:
        moment = _time(*time.groups()) if time else dt.time()
    except ValueError:
        raise Wrong(marked("There is no such time.")) from None
    return work.utc(dt.datetime.combine(day, moment))


def _time(hour: str, minute: str, second: str | None) -> dt.time:
    return dt.time(int(hour), int(minute), int(second or 0))


def read_flag(value: Any) -> bool:
    """Return yes or no as typed in either language.

    Raises:
        Wrong: if it is neither.
    """
    if isinstance(value, bool):
        return value
    text = unicodedata.normalize("NFKC", str(value)).strip().lower()
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise Wrong(marked("Write yes or no."))


def is_empty(value: Any) -> bool:
    """Say whether a value means that there is none."""
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - not-a-number
        return True
    return isinstance(value, str) and tidy(value) is None


def read(  # noqa: PLR0911 - one branch for each kind of value
    work: Clock, column: sa.Column, value: Any
) -> Any:
    """Return a value as its column holds it.

    Raises:
        Wrong: if it does not fit.
    """
    if is_empty(value):
        return None
    kind = column.type
    if isinstance(kind, sa.Enum):
        return _read_choice(column, value)
    if isinstance(kind, sa.Boolean):
        return read_flag(value)
    if isinstance(kind, ExactNumeric):
        return _read_decimal(kind, value)
    if isinstance(kind, sa.BigInteger):
        return _read_whole(value, 2**63 - 1)
    if isinstance(kind, sa.Integer):
        return _read_whole(value, 2**31 - 1)
    if isinstance(kind, UtcDateTime):
        return read_moment(value, work)
    if isinstance(kind, sa.Date):
        return read_day(value)
    return _read_text(column, value)


def _read_choice(column: sa.Column, value: Any) -> str:
    text = tidy(str(value)) or ""
    choices = list(column.type.enums)  # type: ignore[attr-defined]
    for choice in choices:
        if text.casefold() in (choice.casefold(), choice_label(choice).casefold()):
            return str(choice)
    raise Wrong(marked("This is not one of the choices."))


def _read_decimal(kind: ExactNumeric, value: Any) -> Decimal:
    number = read_number(value)
    if abs(number) >= Decimal(10) ** (kind.precision - kind.scale):
        raise Wrong(marked("The number is too large."))
    rounded = number.quantize(Decimal(1).scaleb(-kind.scale))
    if rounded != number:
        if kind.scale == 0:
            raise Wrong(marked("Write a whole number."))
        raise Wrong(marked("Write at most {count} decimals."), count=kind.scale)
    return rounded + 0  # no negative zero


def _read_whole(value: Any, largest: int) -> int:
    number = read_number(value)
    if number != number.to_integral_value():
        raise Wrong(marked("Write a whole number."))
    if abs(number) > largest:
        raise Wrong(marked("The number is too large."))
    return int(number)


def _read_text(column: sa.Column, value: Any) -> str | None:
    length = getattr(column.type, "length", None)
    text = tidy(value if isinstance(value, str) else str(value), is_long=length is None)
    if text is None:
        return None
    if column.name == "phone":
        number = phones.normalised(text)
        if number is None:
            raise Wrong(marked("This is not a telephone number."))
        text = number
    elif column.name == "email":
        text = unicodedata.normalize("NFKC", text)
        if not _EMAIL.fullmatch(text):
            raise Wrong(marked("This is not an e-mail address."))
    if len(text) > (length or _MAX_TEXT):
        raise Wrong(marked("At most {count} characters; these are {actual}."), count=length or _MAX_TEXT,
                    actual=len(text))  # fmt: skip
    return text


def cleaned(
    work: Work,
    table: str,
    values: Mapping[str, Any],
    current: Mapping[str, Any] | None = None,
    *,
    by_service: bool = False,
) -> dict[str, Any]:
    """Return values as the table's columns hold them, after every check the database would make, and more.

    Args:
        work: the transaction.
        table: name of the table.
        values: by column, typed or as text; what is not named stays as it is.
        current: the row as it stands, with its key; None for a new one.
        by_service: whether columns that a process sets may be set.

    Raises:
        Invalid: if something does not fit; all problems at once.
    """
    columns = {column.name: column for column in own_columns(table)}
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in BOOKKEEPING:
            continue
        problem: Problem | None = None
        if name not in columns:
            problem = Problem(name, marked("There is no such column."))
        else:
            try:
                found[name] = read(work, columns[name], value)
            except Wrong as wrong:
                problem = Problem(name, wrong.message, wrong.values)
            else:
                problem = None if by_service else _managed_problem(table, columns[name], found[name], current)
        if problem is not None:
            problems.append(problem)
    problems += _missing(columns, found, current, {problem.column for problem in problems})
    wrong_columns = {problem.column for problem in problems}
    merged = {**(current or {}), **found}
    for name, value in found.items():
        if value is not None and name not in wrong_columns and (current is None or current[name] != value):
            problems += _reference_problems(work, table, columns[name], value, merged)
    for problem in (*_rule_problems(table, merged), *_unique_problems(work, table, merged, found, current)):
        if problem.column not in {p.column for p in problems}:
            problems.append(problem)
    if problems:
        raise Invalid(problems)
    return found


def _managed_problem(table: str, column: sa.Column, value: Any, current: Mapping[str, Any] | None) -> Problem | None:
    """Say what is wrong with setting by hand what a process sets."""
    before = current[column.name] if current else _default(column)
    if value == before or (current is None and value is None):
        return None
    if column.name in MANAGED.get(table, ()):
        return Problem(column.name, marked("This is set by the process, not by hand."))
    settable = SETTABLE.get((table, column.name))
    if settable is not None and value is not None and not {value, before} <= settable:
        return Problem(column.name, marked("This state follows from what happens; it is not set by hand."))
    return None


def _missing(
    columns: Mapping[str, sa.Column], found: dict[str, Any], current: Mapping[str, Any] | None, wrong: set[str]
) -> list[Problem]:
    """Return what is wrong with columns left empty; on a new row, leave to the database what it has a value for."""
    problems: list[Problem] = []
    for name, column in columns.items():
        if column.nullable or name in wrong or found.get(name) is not None:
            continue
        if current is None and not required(column):
            found.pop(name, None)
        elif current is None or name in found:
            problems.append(Problem(name, marked("A value is needed here.")))
    return problems


def _default(column: sa.Column) -> Any:
    default = column.server_default
    text = getattr(default, "arg", None)
    return str(text) if isinstance(text, str) and isinstance(column.type, sa.Enum) else None


def _reference_problems(
    work: Work, table: str, column: sa.Column, key: Any, merged: Mapping[str, Any]
) -> list[Problem]:
    parent = target(column)
    if table == "vocabulary_term" and column.name == "field" and key not in vocabularies():
        return [Problem(column.name, marked("This is not one of the choices."))]
    if table == "feature" and column.name == "class_id":
        parent = CLASSES.get(str(merged.get("entity")), (None, None))[1]
        if parent is None:
            return [Problem(column.name, marked("Records of this kind have no classes."))]
    if parent is None:
        return []
    other = metadata.tables[parent]
    # A new reference must be one the person could have picked; the system and services' own rows aside.
    found = work.session.scalar(
        sa.select(other.c.id).where(other.c.id == key, other.c.deleted_at.is_(None), reach(work.actor, "read", parent))
    )
    if found is None:
        return [Problem(column.name, marked("There is no such record, or you may not see it."))]
    if is_tree(table) and column.name == "parent_id" and merged.get("id") is not None:
        above: Any = key
        seen: set[int] = set()
        while above is not None and above not in seen:
            if above == merged["id"]:
                return [Problem(column.name, marked("A record cannot stand below itself."))]
            seen.add(above)
            above = work.session.scalar(sa.select(other.c.parent_id).where(other.c.id == above))
    return []


def _rule_problems(table: str, values: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    rules = [
        str(check.sqltext)
        for check in sorted(metadata.tables[table].constraints, key=lambda c: str(c.name))
        if isinstance(check, sa.CheckConstraint) and not getattr(check, "_type_bound", False)
    ]
    for rule in (*rules, *_MORE_RULES.get(table, ())):
        month = _MONTH_BEGINS.fullmatch(rule)
        if month is not None:
            if values.get(month[1]) is not None and values[month[1]].day != 1:
                problems.append(Problem(month[1], marked("This must be the first day of a month.")))
            continue
        between = re.fullmatch(r"(\w+) BETWEEN (\d+) AND (\d+)", rule)
        parts = [f"{between[1]} >= {between[2]}", f"{between[1]} <= {between[3]}"] if between else rule.split(" AND ")
        limits = (between[2], between[3]) if between else None
        for part in parts:
            match = re.fullmatch(r"(\w+) (<>|>=|<=|>|<) (\w+)", part)
            if match is None:  # pragma: no cover - a test walks all rules of the schema
                continue
            problem = _broken(table, match[1], match[2], match[3], values, limits)
            if problem:
                problems.append(problem)
                break
    return problems


def _broken(
    table: str, name: str, operator: str, other: str, values: Mapping[str, Any], limits: tuple[str, str] | None
) -> Problem | None:
    value = values.get(name)
    bound = Decimal(other) if other.isdigit() else values.get(other)
    if value is None or bound is None:
        return None
    holds = {
        "<>": value != bound, ">=": value >= bound, "<=": value <= bound, ">": value > bound, "<": value < bound,
    }[operator]  # fmt: skip
    if holds:
        return None
    if limits:
        return Problem(name, marked("This must be between {low} and {high}."), {"low": limits[0], "high": limits[1]})
    if other.isdigit():
        messages = {
            ">": marked("This must be more than {bound}."),
            ">=": marked("This must be at least {bound}."),
            "<": marked("This must be less than {bound}."),
            "<=": marked("This must be at most {bound}."),
        }
        return Problem(name, messages[operator], {"bound": other})
    if operator == "<>":
        return Problem(name, marked("A record cannot point to itself."))
    return Problem(name, marked("This must not be before “{other}”."), {"other": Word(column_label(table, other))})


class Word(str):
    """A word of the schema inside a message: pages translate it before it is filled in."""


def _unique_problems(
    work: Work, table: str, merged: Mapping[str, Any], found: Mapping[str, Any], current: Mapping[str, Any] | None
) -> list[Problem]:
    rows = metadata.tables[table]
    problems: list[Problem] = []
    groups = [[column.name] for column in rows.c if column.unique]
    groups += [
        [column.name for column in constraint.columns]
        for constraint in rows.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    done: set[tuple[str, ...]] = set()
    for names in sorted(groups):
        if tuple(names) in done or not set(names) & set(found) or any(merged.get(name) is None for name in names):
            continue
        done.add(tuple(names))
        query = sa.select(rows.c.id, rows.c.deleted_at).where(*(rows.c[name] == merged[name] for name in names))
        if current:
            query = query.where(rows.c.id != current["id"])
        taken = work.session.execute(query).first()
        if taken is None:
            continue
        message = marked("There is one like this already.")
        if taken.deleted_at is not None:
            message = marked("A deleted record has this; restore that one, or choose another value.")
        problems.append(Problem(names[-1], message))
    return problems
