"""What a reader is shown for the values of dimensions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from dashboards.crm_words import field_words, table_words
from dashboards.memory import remembered
from dashboards.view import View
from loupan.i18n.codes import is_unknown, value_label
from loupan.metrics.catalogue import TIME_DIMENSIONS

Name = Callable[[Any], str]


class Names(dict[Any, str]):
    """Employee number → name and number; an unknown number is written as it is, a missing one as not assigned."""

    def __init__(self, known: dict[Any, str], missing: str) -> None:
        super().__init__(known)
        self._missing = missing

    def __missing__(self, number: Any) -> str:
        return self._missing if is_unknown(number) else str(number)


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


def names_of(view: View, dimension: str) -> Name:
    """Return what writes a value of a dimension for the reader, none as unknown."""
    if dimension == "employee":
        return employee_names(view).__getitem__
    label = partial(value_label, view.t, dimension)
    if dimension in TIME_DIMENSIONS:
        return lambda value: label(value) if is_unknown(value) else view.formats.period_label(str(value))
    if dimension == "crm_field":
        return lambda value: label(value) if is_unknown(value) else field_words(view.t, str(value))
    if dimension == "crm_table":
        return lambda value: label(value) if is_unknown(value) else table_words(view.t, str(value))
    return label
