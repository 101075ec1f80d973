"""Paste or upload rows, see what will happen to each, then let it happen."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
import streamlit as st

from data_entry import forms
from data_entry.pages.desk import Desk
from data_entry.schema import metadata
from data_entry.services import bulk, records
from data_entry.services.bulk import Line, Sheet
from data_entry.services.tables import READ_ONLY, areas, target
from loupan import ui
from loupan.i18n import marked

_KEY = "imports"
_SHOWN = 100
_FATES = {
    "new": marked("New"),
    "changed": marked("Changed"),
    "unchanged": marked("Unchanged"),
    "refused": marked("Refused"),
}


def draw(desk: Desk) -> None:
    """Draw the three steps: the rows, the columns, what will happen."""
    names = sorted(
        (n for tables in areas().values() for n in tables
         if n not in READ_ONLY and (desk.actor.may("create", n) or desk.actor.may("update", n))),
        key=lambda n: forms.table_names(desk, n),
    )  # fmt: skip
    if not names:
        ui.message(desk.t(marked("There is nothing that you may enter.")))
        return
    table = st.selectbox(
        desk.t(marked("Rows of")), names, index=names.index("customer") if "customer" in names else 0,
        format_func=lambda n: forms.table_names(desk, n), key=f"{_KEY}_table",
    )  # fmt: skip
    sheet = _sheet(desk, table)
    if sheet is None:
        _example(desk, table)
        return
    columns = _columns(desk, table, sheet)
    if not columns:
        st.warning(desk.t(marked("No column fits. The first line must name the columns.")))
        return
    lines = _foreseen(desk, table, sheet, columns)
    if lines is not None:
        _preview(desk, table, lines)
        _buttons(desk, table, sheet, columns, lines)


def _foreseen(desk: Desk, table: str, sheet: Sheet, columns: dict[int, str]) -> list[Line] | None:
    """Return what will happen to every row; tried once for the same rows, not with every click."""
    mark = (desk.actor.account_id, table, repr(sheet), tuple(columns.items()))
    kept = st.session_state.get(f"{_KEY}_foreseen")
    if kept is not None and kept[0] == mark:
        return list(kept[1])
    lines: list[Line] = []
    with forms.showing_errors(desk) as outcome, desk.writing() as work:
        lines = bulk.preview(work, table, sheet, columns)
        work.session.rollback()
    if not outcome.ok:
        return None
    st.session_state[f"{_KEY}_foreseen"] = (mark, lines)
    return lines


def _sheet(desk: Desk, table: str) -> Sheet | None:
    version = st.session_state.setdefault(f"{_KEY}_version", 0)
    pasting, uploading = st.tabs([desk.t(marked("Paste")), desk.t(marked("Upload"))])
    with pasting:
        text = st.text_area(
            desk.t(marked("Cells copied from a spreadsheet, with the line of column names")), height=160,
            key=f"{_KEY}_text_{version}",
        )  # fmt: skip
    with uploading:
        file = st.file_uploader(desk.t(marked("CSV or XLSX file")), type=["csv", "xlsx"], key=f"{_KEY}_file_{version}")
    sheet: Sheet | None = None
    if file is not None or text.strip():
        with forms.showing_errors(desk, table):
            sheet = bulk.read_file(file.name, file.getvalue()) if file is not None else bulk.read_pasted(text)
    return sheet


def _example(desk: Desk, table: str) -> None:
    heads = [forms.label(desk, table, column.name) for column in bulk.columns_of(table)]
    ui.message(desk.t("Columns that are understood: {columns}.", columns=desk.t(", ").join(heads)))
    ui.message(
        desk.t(
            marked(
                "A row is recognised by its external reference, its number, or what names it; else it is new. Empty "
                "cells change nothing."
            )
        )
    )


def _columns(desk: Desk, table: str, sheet: Sheet) -> dict[int, str]:
    found = bulk.matched(table, sheet.heads)
    names = [column.name for column in bulk.columns_of(table)]
    with st.expander(
        desk.t("Columns: {count} of {total} understood", count=len(found), total=len(sheet.heads)),
        expanded=len(found) < len([h for h in sheet.heads if h]),
    ):
        result: dict[int, str] = {}
        for index, head in enumerate(sheet.heads):
            if not head:
                continue
            guess = found.get(index)
            picked = st.selectbox(
                ui.plain(head), names, index=names.index(guess) if guess else None,
                format_func=lambda n: forms.label(desk, table, n), key=f"{_KEY}_{table}_{index}_{head}",
                placeholder=desk.t(marked("Left out")),
            )  # fmt: skip
            if picked is not None and picked not in result.values():
                result[index] = picked
    return result


def _preview(desk: Desk, table: str, lines: list[Line]) -> None:
    counts = Counter(line.fate for line in lines)
    ui.facts([(desk.t(word), f"{counts[fate]:,}") for fate, word in _FATES.items()])  # type: ignore[index]
    wanted = st.segmented_control(
        desk.t(marked("Show")), list(_FATES), format_func=lambda fate: desk.t(_FATES[fate]), key=f"{_KEY}_fate",
        selection_mode="single",
    )  # fmt: skip
    some = [line for line in lines if wanted is None or line.fate == wanted][:_SHOWN]
    with desk.reading() as work:

        def word(name: str, value: Any) -> str:
            parent = target(metadata.tables[table].c[name])
            caption = records.caption(work, parent, value) if parent and value is not None else None
            return forms.shown(desk, table, name, value, caption)

        rows = []
        for line in some:
            if line.error is not None:
                what = forms.error_text(desk, line.error)
                if hasattr(line.error, "problems"):
                    what = desk.t("; ").join(
                        f"{_label(desk, table, p.column)}: {forms.problem_text(desk, p)}" for p in line.error.problems
                    )
            else:
                what = desk.t("; ").join(
                    f"{_label(desk, table, n)}: {word(n, after)}" if line.fate == "new"
                    else f"{_label(desk, table, n)}: {word(n, before)} → {word(n, after)}"
                    for n, (before, after) in line.changes.items()
                )  # fmt: skip
            rows.append((str(line.number), line.caption, desk.t(_FATES[line.fate]), what))
    heads = [
        desk.t(marked("Row")),
        desk.t(marked("Name")),
        desk.t(marked("Fate")),
        desk.t(marked("Changes, or why not")),
    ]
    ui.table(pd.DataFrame(rows, columns=heads), desk.t(marked("What will happen")), is_words=True)
    if len(some) < len(lines):
        ui.message(desk.t("{shown} of {total} rows are shown.", shown=len(some), total=len(lines)))


def _label(desk: Desk, table: str, column: str) -> str:
    return forms.label(desk, table, column) if column in metadata.tables[table].c else column


def _buttons(desk: Desk, table: str, sheet: Sheet, columns: dict[int, str], lines: list[Line]) -> None:
    refused = sum(line.fate == "refused" for line in lines)
    written = sum(line.fate in ("new", "changed") for line in lines)
    with st.container(horizontal=True):
        everything = st.button(
            desk.t("Write all {count} rows", count=written), type="primary", disabled=bool(refused) or not written,
            key=f"{_KEY}_all",
        )  # fmt: skip
        some = refused > 0 and st.button(
            desk.t("Write {count} rows, leave out the {refused} refused", count=written, refused=refused),
            disabled=not written, key=f"{_KEY}_some",
        )  # fmt: skip
    if not (everything or some):
        return
    with forms.showing_errors(desk) as outcome, desk.writing() as work:
        bulk.apply(work, table, sheet, columns, skip_refused=some)
    if outcome.ok:
        st.session_state[f"{_KEY}_version"] += 1
        st.session_state.pop(f"{_KEY}_foreseen", None)
        st.toast(desk.t("{count} rows are written.", count=written), icon=":material/check:")
        st.rerun()
