"""A table of text whose heads sort and whose rows open, by mouse and keyboard; cards on a telephone.

The browser's part are the files in ``loupan/ui/components``: our policy runs no scripts but those that this server
sends as files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import streamlit as st

from loupan.i18n import Translator, marked


class Reader(Protocol):
    """Who the table is drawn for."""

    @property
    def t(self) -> Translator:
        """The translator of the reader's language."""


@dataclass(frozen=True)
class Column:
    """A column: the name to sort by (empty: it cannot be sorted), its title, and whether its values are numbers."""

    name: str
    title: str
    is_number: bool = False


@dataclass(frozen=True)
class Cell:
    """What a cell shows; `tone` (good, warn, bad, quiet) colours it."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Event:
    """What the person did since the last run: the row opened, or the column clicked."""

    open: int | None = None
    sort: str | None = None


@cache
def _component() -> Any:
    return st.components.v2.component("loupan.table", js="table.js", css="table.css", html="<div class=place></div>")


def table(
    reader: Reader,
    columns: Sequence[Column],
    rows: Mapping[int, Sequence[Cell]],
    *,
    title: str,
    key: str,
    sort: str | None = None,
    descending: bool = False,
    can_open: bool = True,
) -> Event:
    """Draw the table and return what was done with it.

    Args:
        reader: who it is drawn for.
        columns: the heads; the first heads the rows.
        rows: cells by the key of the row.
        title: names the table for those who hear it.
        key: of the widget.
        sort: name of the column by which the rows are sorted.
        descending: the other way round.
        can_open: whether a click on a row does something.
    """
    data = {
        "title": title,
        "columns": [{"name": c.name, "title": c.title, "number": c.is_number} for c in columns],
        "rows": [{"id": k, "cells": [{"text": c.text, "tone": c.tone} for c in cells]} for k, cells in rows.items()],
        "sort": sort or "",
        "descending": descending,
        "opens": can_open,
        "open_word": reader.t(marked("Open")),
        "sort_word": reader.t(marked("Sort by")),
    }
    result = _component()(key=key, data=data, on_open_change=_nothing, on_sort_change=_nothing)
    opened, sorted_by = result.get("open"), result.get("sort")
    names = {c.name for c in columns if c.name}
    return Event(
        int(opened) if isinstance(opened, (int, float)) and int(opened) in rows else None,
        sorted_by if sorted_by in names else None,
    )


def _nothing() -> None:
    """Streamlit asks for a callback before it returns a trigger's value."""
