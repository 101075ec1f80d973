"""Stands for dbt's ``adapter`` where sqlfluff reads the models: a dispatched macro reads as a function call."""

from __future__ import annotations

from collections.abc import Callable

# Macros that write more than an expression.
QUERIES = {
    "days_from_to": "select cast(null as date) as date_day",
    "power_of_transitions": "power as (\n\n    select * from transitions\n\n)",
}


def dispatch(name: str) -> Callable[..., str]:
    """Return a function that writes what the macro ``name`` may write."""
    return lambda *arguments: QUERIES.get(name, f"{name}({', '.join(map(str, arguments))})")
