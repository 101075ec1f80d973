"""The English words of the schema: what forms call its tables, columns and choices.

They follow from the names by rule. A column whose name says it badly, or whose word means something else elsewhere
(one English word can be two Chinese ones), has ``label=`` in its declaration; its help text is its comment. All of
them are messages of the catalogues: show them through ``t()``.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from data_entry.schema import metadata

_TABLES = {
    "audit_log": "Audit entry",
    "competitor_project": "Competing estate",
    "follow_up": "Follow-up",
    "payment_due": "Instalment",
    "sla_policy": "Reply time",
    "thread": "Discussion",
}

_PLURALS = {"feedback": "Feedback"}

_CHOICES = {
    "area": "By area",
    "boolean": "Yes or no",
    "cancel": "Cancellation",
    "channel": "Agency channel",
    "check": "Acceptance",
    "competitor_project": "Competing estate",
    "day": "Daily",
    "flat": "Flat rate",
    "month": "Monthly",
    "number": "Numeric",
    "launch": "Launch of sales",
    "oidc": "Single sign-on",
    "own": "Own records",
    "policy": "Policy change",
    "price": "Price change",
    "property": "Property phase",
    "quarter": "Quarterly",
    "sales": "Sales phase",
    "week": "Weekly",
}


def table_label(table_name: str) -> str:
    """Return what one row of a table is called."""
    return _TABLES.get(table_name) or _humanised(table_name)


def table_plural(table_name: str) -> str:
    """Return what the rows of a table are called."""
    label = table_label(table_name)
    if table_name in _PLURALS:
        return _PLURALS[table_name]
    if label.endswith("y") and label[-2] not in "aeiou":
        return label[:-1] + "ies"
    return label + ("es" if label.endswith(("s", "x", "ch")) else "s")


def column_label(table_name: str, column_name: str) -> str:
    """Return what a column is called in forms and lists."""
    label = metadata.tables[table_name].columns[column_name].info.get("label")
    return str(label) if label else _column_words(column_name)


def choice_label(value: str) -> str:
    """Return what a value of a column of choices is called."""
    return _CHOICES.get(value) or _humanised(value)


def messages() -> Iterator[str]:
    """Yield every English text of the schema that a form can show; some come more than once."""
    for table in metadata.sorted_tables:
        yield table_label(table.name)
        yield table_plural(table.name)
        for column in table.columns:
            yield column_label(table.name, column.name)
            if column.comment:
                yield column.comment
            if isinstance(column.type, sa.Enum):
                yield from map(choice_label, column.type.enums)


def _column_words(name: str) -> str:
    words = name.removeprefix("is_").removeprefix("was_").removesuffix("_id")
    if words.endswith("_sqm"):
        words = words.removesuffix("_sqm") + " (m²)"
    return _humanised(words)


def _humanised(name: str) -> str:
    return (name[0].upper() + name[1:]).replace("_", " ")
