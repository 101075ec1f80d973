"""Quarantine: the rows of the CRM that were kept out of the statistics, why, since when, and the way to mend them."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import crm_words, filters, layout, seat
from dashboards.charts.runs import MEASURES, by_refresh
from dashboards.view import View
from data_entry.access import Actor
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import links
from loupan import ui
from loupan.errors import LoupanError
from loupan.formats import NO_DATA, is_missing
from loupan.i18n import Translator, marked
from loupan.kept_out import refused_rows
from loupan.refresh_state import read_history
from loupan.settings import get_settings

_MOST_READ, _MOST_SHOWN = 20_000, 200
_RULES = {
    "type": marked("Cannot be read as what the field holds"),
    "required": marked("Is missing"),
    "accepted_values": marked("Is none of the allowed values"),
    "date_range": marked("Lies outside the years 1900 to 2199"),
    "duplicate_key": marked("Another row has the same key"),
    "unique": marked("Another row has the same value"),
    "references": marked("Refers to a record that does not count"),
}
_PARENT = re.compile(r"refers to a row of (\w+) that (does not exist|is deleted|is in quarantine itself)")
_STATES = {
    "does not exist": marked("Refers to a record of {table} that does not exist"),
    "is deleted": marked("Refers to a record of {table} that is deleted"),
    "is in quarantine itself": marked("Refers to a record of {table} that is kept out itself"),
}
_ALL = "all"


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    settings, published = get_settings(), view.gateway.metrics.snapshot
    try:
        refused = refused_rows(settings, _MOST_READ)
    except LoupanError as error:
        st.error(t("This could not be shown: {error}", error=ui.sentence(str(error))), icon=":material/error:")
        refused = None
    is_refused = refused is not None and _is_of_refused(t)
    rows = refused if refused is not None and is_refused else published.quarantined_rows(_MOST_READ)
    if is_refused:
        st.warning(
            t("A refresh kept these rows out and was refused; the figures rest on what was published before it."),
            icon=":material/warning:",
        )
    if rows.empty:
        st.success(t("No row was kept out."), icon=":material/check_circle:")
    else:
        actor = seat.take(view.language, view.language).actor
        _facts(view, rows)
        _kept_out(view, actor, rows)
    layout.card(
        view,
        t("Rows kept out by each refresh"),
        by_refresh,
        read_history(settings),
        MEASURES["kept_out"],
        key="kept_out",
        tables=tables,
    )


def _is_of_refused(t: Translator) -> bool:
    of = {"refused": t("The refused refresh"), "published": t("What is published")}
    return filters.choice("of", list(of), "refused", t("Kept out by"), of.__getitem__) == "refused"


def _facts(view: View, rows: pd.DataFrame) -> None:
    t = view.t
    number = f"{len(rows[['table_name', 'row_key']].drop_duplicates()):,}"
    ui.facts(
        [
            (t("Rows kept out"), t("at least {number}", number=number) if len(rows) == _MOST_READ else number),
            (t("Tables"), f"{rows['table_name'].nunique():,}"),
            (t("Longest since"), _moment(view, rows["since"].min())),
        ]
    )


def _kept_out(view: View, actor: Actor, rows: pd.DataFrame) -> None:
    t = view.t
    names = [_ALL, *sorted(rows["table_name"].unique())]
    rules = [_ALL, *sorted(rows["rule"].dropna().unique())]
    with st.container(horizontal=True, key="lp_quarantine_filters"):
        name = filters.selection(
            "table", names, _ALL, t("Records of"), lambda n: t("All") if n == _ALL else crm_words.table_words(t, n)
        )
        rule = filters.selection(
            "rule", rules, _ALL, t("Reason"), lambda r: t("All") if r == _ALL else rule_words(t, r)
        )
    chosen = rows[(rows["table_name"] == name) | (name == _ALL)]
    chosen = chosen[(chosen["rule"] == rule) | (rule == _ALL)]
    if chosen.empty:
        layout.no_data(view)
        return
    with st.container(border=True, key="lp_card_reasons"):
        ui.card_title(t("By reason"), t("They return by themselves once the record is mended and the data refreshed."))
        ui.table(_by_reason(view, chosen), t("By reason"), is_words=True)
    ui.section(t("Rows kept out"))
    _rows(view, actor, chosen)


def _by_reason(view: View, rows: pd.DataFrame) -> pd.DataFrame:
    t = view.t
    groups = (
        rows.fillna({"column_name": ""})
        .groupby(["table_name", "column_name", "rule"], dropna=False)
        .agg(number=("row_key", "nunique"), since=("since", "min"))
        .reset_index()
        .sort_values(["number", "table_name", "column_name"], ascending=[False, True, True])
    )
    return pd.DataFrame(
        {
            t("Record type"): [crm_words.table_words(t, name) for name in groups["table_name"]],
            t("Field"): [
                crm_words.column_words(t, name, column) or NO_DATA
                for name, column in zip(groups["table_name"], groups["column_name"], strict=True)
            ],
            t("Reason"): [rule_words(t, rule) for rule in groups["rule"]],
            t("Rows"): [f"{number:,}" for number in groups["number"]],
            t("Longest since"): [_moment(view, since) for since in groups["since"]],
        }
    )


def _rows(view: View, actor: Actor, rows: pd.DataFrame) -> None:
    """List rows by key and reason; a row opens its record, if the reader may see records of its table."""
    t = view.t
    shown = rows.head(_MOST_SHOWN)
    heads = [t("Record type"), t("Row"), t("Field"), t("Reason"), t("Since")]
    cells = {
        place: [
            Cell(crm_words.table_words(t, row["table_name"])),
            Cell(_text(row["row_key"])),
            Cell(crm_words.column_words(t, row["table_name"], _text(row["column_name"]))),
            Cell(reason_words(t, row["rule"], _text(row["reason"]))),
            Cell(_moment(view, row["since"])),
        ]
        for place, row in enumerate(shown.to_dict("records"))
    }
    may_mend = links.is_open("records")
    opened = table(
        view, [Column("", head) for head in heads], cells, title=t("Rows kept out"), key="lp_kept_out",
        can_open=may_mend,
    ).open  # fmt: skip
    if len(rows) > len(shown):
        ui.message(t("The first {shown} of {total}.", shown=f"{len(shown):,}", total=f"{len(rows):,}"))
    if opened is None:
        return
    row = shown.iloc[opened]
    key = _text(row["row_key"])
    if not actor.may("read", str(row["table_name"])) or not key.isdecimal():
        st.warning(t("You may not open this record, or its key names none."), icon=":material/lock:")
    else:
        links.go("records", table=row["table_name"], id=key)


def rule_words(t: Translator, rule: str) -> str:
    """Return what a broken rule is called; a check of a table keeps its name."""
    return t(_RULES[rule]) if rule in _RULES else t("Breaks the check {name}", name=rule.replace("_", " "))


def reason_words(t: Translator, rule: str, reason: str) -> str:
    """Return why a row was kept out, without any of its values."""
    if found := _PARENT.fullmatch(reason):
        return t(_STATES[found[2]], table=crm_words.table_words(t, found[1]))
    return rule_words(t, rule)


def _text(value: Any) -> str:
    return "" if is_missing(value) else str(value)


def _moment(view: View, since: Any) -> str:
    if is_missing(since):
        return NO_DATA
    return view.formats.moment(pd.Timestamp(since).tz_localize("UTC").to_pydatetime(), view.gateway.time_zone)
