"""Who the employees behind the numbers are."""

from __future__ import annotations

from typing import Any

from dashboards.memory import remembered
from dashboards.view import View
from loupan.formats import is_missing


class Names(dict[Any, str]):
    """Employee number → name and number; an unknown number is written as it is, a missing one as not assigned."""

    def __init__(self, known: dict[Any, str], missing: str) -> None:
        super().__init__(known)
        self._missing = missing

    def __missing__(self, number: Any) -> str:
        return self._missing if number is None or (is_missing(number) and not isinstance(number, str)) else str(number)


@remembered(8)
def employee_names(view: View) -> Names:
    """Return what employees are called: name and number, since two may share a name."""
    known: dict[Any, str] = {}
    for metric in ("leads", "contracts_gross", "reply_timeliness_rate", "field_completeness"):
        if {"employee", "employee_name"} <= view.gateway.dimensions(metric):
            frame = view.gateway.ask((metric,), by=("employee", "employee_name"))
            pairs = zip(frame["employee"], frame["employee_name"], strict=True)
            known |= {number: f"{name} ({number})" for number, name in pairs if isinstance(name, str)}
    return Names(known, view.t("Not assigned"))
