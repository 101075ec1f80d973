"""Rules of single tables that hold whichever page a row is written from; `records` asks them at every write.

A rule lives with the service of its subject, as a function ``apply(work, table, before, after)``:

- ``before``: the row as it stands, by column; None for a new one.
- ``after``: the row as it is to be; None when it is to be deleted.

It returns values to be set besides (what follows from others, such as the estate from the plan), or raises `Invalid`
or `Refused`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from data_entry.services.work import Work

# The module that has the rule, by table; loaded at the first write, since these modules use `records` themselves.
RULES = {
    "annotation": "annotations",
    "plan": "plans",
    "activity": "plans",
    "expense": "expenses",
    "feedback": "feedback",
    "competitor_project": "competition",
    "competitor_observation": "competition",
}

Row = Mapping[str, Any]


def apply(work: Work, table: str, before: Row | None, after: Row | None) -> dict[str, Any]:
    """Return what follows from a row that is to be written.

    Raises:
        Invalid, Refused: if the rules of the table do not allow it.
    """
    if table not in RULES:
        return {}
    module = import_module(f"data_entry.services.{RULES[table]}")
    return dict(module.apply(work, table, before, after))
