"""What a row is called where others point to it, and how rows are found by what people remember of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema import metadata
from data_entry.services import phones
from data_entry.services.tables import is_personal, target
from data_entry.services.work import Work

Condition = sa.ColumnElement[bool]

# The columns that name a row; a foreign key stands for the caption of the row it points to.
_PARTS: dict[str, tuple[str, ...]] = {
    "employee": ("name", "number"),
    "building": ("project_id", "name"),
    "unit": ("building_id", "number"),
    "unit_price": ("unit_id", "valid_from_on"),
    "unit_owner": ("unit_id", "customer_id"),
    "position": ("department_id", "name"),
    "employee_position": ("employee_id", "position_id"),
    "employee_project": ("employee_id", "project_id"),
    "vocabulary_term": ("field", "value"),
    "customer_owner": ("customer_id", "employee_id"),
    "lead": ("customer_id", "project_id"),
    "touchpoint": ("customer_id", "occurred_at"),
    "deal": ("customer_id", "unit_id"),
    "deal_share": ("deal_id", "employee_id"),
    "payment_due": ("deal_id", "due_on"),
    "payment": ("deal_id", "received_on"),
    "demand": ("title",),
    "follow_up": ("demand_id", "occurred_at"),
    "promise": ("customer_id", "made_at"),
    "sla_policy": ("demand_category_id", "severity", "valid_from_on"),
    "expense": ("description", "incurred_on"),
    "feedback": ("respondent_name", "received_at"),
    "competitor_observation": ("competitor_project_id", "feature_id", "observed_on"),
    "survey_question": ("text",),
    "survey_invitation": ("survey_id", "customer_id"),
    "survey_response": ("survey_id", "submitted_at"),
    "care_occasion": ("care_rule_id", "customer_id", "occurs_on"),
    "fee_bill": ("unit_id", "fee_type_id", "period_on"),
    "fee_payment": ("fee_bill_id", "received_on"),
    "approval_step": ("report_class_id", "sequence"),
    "article_version": ("article_id", "version"),
    "post": ("thread_id", "posted_at"),
    "work_plan": ("employee_id", "period_on"),
    "work_log": ("employee_id", "day_on"),
    "target": ("project_id", "month_on"),
    "annotation": ("happened_on", "title"),
    "account": ("login",),
}
_TREE = " / "
_BETWEEN = " · "
_DEPTH = 8
_CHUNK = 500


def parts(table: str) -> tuple[str, ...]:
    """Return the columns that name a row of a table."""
    columns = metadata.tables[table].c
    if table in _PARTS:
        return _PARTS[table]
    named = next((name for name in ("name", "title", "number") if name in columns), None)
    if named is not None:
        return ("parent_id", named) if "parent_id" in columns else (named,)
    return tuple(column.name for column in columns if target(column))[:2]


def unnamed(key: int) -> str:
    """Return what a row is called whose name is empty or not for the reader."""
    return f"#{key}"


def readable(work: Work, table: str, column: sa.Column) -> sa.ColumnElement[Any]:
    """Return a column as the actor may read it: personal values only where they have the right to them."""
    if not is_personal(column):
        return column
    condition = reach(work.actor, "personal", table)
    if isinstance(condition, sa.sql.elements.True_):
        return column
    if isinstance(condition, sa.sql.elements.False_):
        return sa.null().cast(column.type)
    return sa.case((condition, column))


def captions(work: Work, table: str, keys: Collection[int | None], depth: int = 0) -> dict[int, str]:
    """Return what rows are called, by their keys: one query per table on the way, whatever the number of rows.

    A row the actor may not read is called by its key alone; deleted rows have their names.
    """
    wanted = sorted({key for key in keys if key is not None})
    if not wanted:
        return {}
    rows = metadata.tables[table]
    names = parts(table)
    found: dict[int, Mapping[str, Any]] = {}
    columns = [readable(work, table, rows.c[name]).label(name) for name in names]
    condition = reach(work.actor, "read", table)
    for start in range(0, len(wanted), _CHUNK):
        query = sa.select(rows.c.id, *columns).where(rows.c.id.in_(wanted[start : start + _CHUNK]), condition)
        found |= {row["id"]: row for row in work.session.execute(query).mappings()}
    above: dict[str, dict[int, str]] = {}
    for name in names:
        parent = target(rows.c[name])
        if parent is not None:
            above[name] = (
                captions(work, parent, [row[name] for row in found.values()], depth + 1) if depth < _DEPTH else {}
            )
    result: dict[int, str] = {}
    between = _TREE if "parent_id" in names else _BETWEEN
    for key in wanted:
        row = found.get(key, {})
        shown = [above[n].get(row[n]) if n in above else _text(work, row[n]) for n in names if row.get(n) is not None]
        result[key] = between.join(text for text in shown if text) or unnamed(key)
    return result


def _text(work: Work, value: Any) -> str:
    import datetime as dt

    if isinstance(value, dt.datetime):
        return work.local(value).strftime("%Y-%m-%d %H:%M")
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


# Text columns that nobody looks a row up by.
_NOT_SEARCHED = frozenset({"sha256", "media_type", "token_hash", "generated_from", "options", "before", "after"})
_MAX_WORDS = 5


def found_by(work: Work, table: str, search: str, depth: int = 0) -> Condition:
    """Return the condition that rows fit a search: every word stands in one of the texts the actor may read.

    Telephone numbers are found by any of their digits, however they are typed; ``#5`` is the row with key 5.
    """
    words = search.replace("\x00", "")[:100].split()[:_MAX_WORDS]
    number = phones.digits(search)
    if number and len(words) > 1:
        words = [number]
    return sa.and_(sa.true(), *(_has(work, table, word, depth) for word in words))


def _has(work: Work, table: str, word: str, depth: int) -> Condition:
    rows = metadata.tables[table]
    word = word.encode("utf-8", "ignore").decode()
    if word.startswith("#") and word[1:].isdecimal() and word.isascii():
        return rows.c.id == min(int(word[1:]), 2**62)
    conditions: list[Condition] = []
    for column in rows.c:
        if not isinstance(column.type, (sa.String, sa.Text)) or isinstance(column.type, sa.Enum):
            continue
        if column.name in _NOT_SEARCHED or (depth and column.name not in parts(table)):
            continue
        shown = readable(work, table, column)
        if isinstance(shown, sa.Cast):
            continue
        text = word
        if column.name == "phone":
            text = phones.digits(word)
            if not text:
                continue
        elif column.name == "external_ref":
            conditions.append(shown == word)
            continue
        conditions.append(shown.icontains(text, autoescape=True))
    for name in parts(table) if depth < 3 else ():
        parent = target(rows.c[name])
        if parent is None or parent == table:
            continue
        other = metadata.tables[parent]
        keys = sa.select(other.c.id).where(
            reach(work.actor, "read", parent), _has(work, parent, word, depth + 1)
        )  # fmt: skip
        conditions.append(rows.c[name].in_(keys.correlate(None)))
    return sa.or_(sa.false(), *conditions)
