"""Data status: how fresh the numbers are, which checks they passed, how refreshes went, which snapshots there are."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import filters, layout
from dashboards.charts.runs import MEASURES, by_refresh
from dashboards.documentation import DATA_DOCS, DBT_DOCS
from dashboards.view import View
from data_entry.pages import links
from loupan import ui
from loupan.errors import LoupanError
from loupan.formats import NO_DATA
from loupan.i18n import Translator, marked
from loupan.refresh_state import INTERRUPTED, RefreshState, last_refresh, read_history
from loupan.settings import get_settings
from loupan.snapshot import Snapshot, list_snapshots

_SNAPSHOTS_SHOWN = 20

# What the load says of a table of which all is well, and dbt's tests by the beginnings of their names.
_ALL_HOLD = re.compile(r"All (\d+) expectations hold\.")
_UNCHANGED = marked("Nothing changed since all checks last passed.")
_KINDS = {
    "keys_and_required": marked("Keys and required columns"),
    "not_null": marked("Never empty"),
    "unique": marked("Unique"),
    "accepted_values": marked("Accepted values"),
    "relationships": marked("References"),
}


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    snapshot, settings = view.gateway.metrics.snapshot, get_settings()
    refresh = last_refresh(settings)
    _facts(view, snapshot, refresh)
    if refresh is not None:
        _last_refresh(view, refresh)
        _messages(refresh)
    links.link("refreshes", t("Start, watch and plan refreshes"), ":material/sync:")
    _documents(view)
    _history(view, read_history(settings), tables)
    left, right = ui.columns(1, 1)
    with left, st.container(border=True, key="lp_card_checks"):
        _checks(view, snapshot)
    with right, st.container(border=True, key="lp_card_rows"):
        _tables(view, snapshot)
    with st.container(border=True, key="lp_card_snapshots"):
        ui.card_title(
            t("Published snapshots"), t("To go back to an earlier one: {command}", command="loupan snapshots rollback")
        )
        _snapshots(view, snapshot)


def _documents(view: View) -> None:
    """Lead to what describes the data in full: pages of other programs, in English."""
    t = view.t
    ui.documents(
        [
            (f"{DATA_DOCS.address}/", t("Data Docs: what is expected of every table")),
            (f"{DBT_DOCS.address}/", t("dbt: every model and column")),
        ]
    )


def _history(view: View, runs: list[RefreshState], tables: bool) -> None:
    t = view.t
    ui.section(t("Refreshes"))
    name = filters.choice("measure", list(MEASURES), "seconds", t("Measure"), lambda code: t(MEASURES[code].title))
    layout.card(
        view,
        t("{measure} of each refresh", measure=t(MEASURES[name].title)),
        by_refresh,
        runs,
        MEASURES[name],
        key="refreshes",
        caption=t("Those that were refused or stopped are shown too; they changed nothing here."),
        tables=tables,
    )


def _facts(view: View, snapshot: Snapshot, refresh: RefreshState | None) -> None:
    t, formats, zone = view.t, view.formats, view.gateway.time_zone
    checks = snapshot.report.get("checks", [])
    passed = sum(bool(check["passed"]) for check in checks)
    facts = [
        (t("Data as of"), formats.moment(view.gateway.as_of, zone)),
        (t("CRM unchanged until"), formats.moment(snapshot.unchanged_until, zone)),
        (t("Published"), formats.moment(snapshot.published_at, zone)),
        (t("Checks passed"), f"{passed:,} / {len(checks):,}"),
        (t("Rows loaded"), formats.value(sum(snapshot.report.get("rows", {}).values()), "count")),
        (t("Rows kept out"), formats.value(sum(snapshot.report.get("quarantined", {}).values()), "count")),
        (t("Size"), _bytes(snapshot.size)),
    ]
    ui.facts(facts)


def _last_refresh(view: View, refresh: RefreshState) -> None:
    t = view.t
    moment = view.formats.moment(datetime.fromisoformat(refresh.started_at), view.gateway.time_zone)
    match refresh.outcome:
        case "published":
            st.success(
                t("The last refresh, started {moment}, was published.", moment=moment), icon=":material/check_circle:"
            )
        case "unchanged":
            st.success(
                t(
                    "The last refresh, started {moment}, found nothing new in the CRM: what you see is up to date.",
                    moment=moment,
                ),
                icon=":material/check_circle:",
            )
        case "error" if refresh.error == INTERRUPTED:
            st.error(
                t("The last refresh, started {moment}, was interrupted. You see an earlier one.", moment=moment),
                icon=":material/error:",
            )
        case "cancelled":
            st.info(
                t("The last refresh, started {moment}, was cancelled. You see an earlier one.", moment=moment),
                icon=":material/cancel:",
            )
        case "running":
            st.info(t("A refresh has been running since {moment}.", moment=moment), icon=":material/progress_activity:")
        case "refused":
            st.warning(
                t(
                    "The last refresh, started {moment}, was refused: {number} checks failed. You see an earlier one.",
                    moment=moment,
                    number=len(refresh.failed_checks),
                ),
                icon=":material/block:",
            )
            ui.table(pd.DataFrame({t("Failed check"): refresh.failed_checks}), t("Failed checks"), is_words=True)
        case _:
            st.error(
                t(
                    "The last refresh, started {moment}, stopped with an error. You see an earlier one. {error}",
                    moment=moment,
                    error=ui.sentence(refresh.error or ""),
                ),
                icon=":material/error:",
            )


def _messages(refresh: RefreshState) -> None:
    for message in refresh.messages:
        st.info(ui.sentence(message), icon=":material/info:")


def _checks(view: View, snapshot: Snapshot) -> None:
    t = view.t
    ui.card_title(t("Checks"), t("Each blocking check must pass before a refresh is published."))
    checks = snapshot.report.get("checks", [])
    if not checks:
        layout.no_data(view)
        return
    ordered = sorted(checks, key=lambda check: (check["passed"], not check["blocking"], check["name"]))
    frame = pd.DataFrame(
        {
            t("Table name"): [_checked_table(check["name"]) for check in ordered],
            t("Check"): [_check_words(t, check) for check in ordered],
            t("Result"): [_result(view, check) for check in ordered],
        }
    )
    ui.table(frame, t("Checks"), is_words=True)


def _checked_table(name: str) -> str:
    return name.partition(":")[0].rpartition("/")[2]


def _check_words(t: Translator, check: dict[str, Any]) -> str:
    """What a check says, else its name without the table's, in words that a narrow column can break."""
    table, name = _checked_table(check["name"]), check["name"].partition(": ")[2]
    if check.get("message"):
        message = str(check["message"])
        hold = _ALL_HOLD.fullmatch(message)
        if hold:
            return t("All {number} expectations hold.", number=hold[1])
        return t(_UNCHANGED) if message == _UNCHANGED else message
    kind, found, columns = name.partition(f"_{table}_")
    columns = columns.replace("__", ", ").replace("_", " ").strip()
    if not found:
        return name.replace("_", " ")
    return f"{t(_KINDS.get(kind, kind.replace('_', ' ')))}{t(': ')}{columns}"


def _result(view: View, check: dict[str, object]) -> str:
    if check["passed"]:
        return view.t("passed")
    return view.t("failed") if check["blocking"] else view.t("warning")


def _tables(view: View, snapshot: Snapshot) -> None:
    t, formats = view.t, view.formats
    ui.card_title(t("Tables of the CRM"), t("What was loaded, what was kept out, and when something last changed."))
    loaded, kept_out = snapshot.report.get("rows", {}), snapshot.report.get("quarantined", {})
    if not loaded:
        layout.no_data(view)
        return
    newest = {name: datetime.fromisoformat(moment) for name, moment in dict(snapshot.report.get("newest", {})).items()}
    names = sorted(loaded, key=lambda name: (-kept_out.get(name, 0), name))
    frame = pd.DataFrame(
        {
            t("Table name"): names,
            t("Rows"): [f"{loaded[name]:,}" for name in names],
            t("Kept out"): [f"{kept_out.get(name, 0):,}" for name in names],
            t("Last change"): [
                formats.moment(newest[name], view.gateway.time_zone) if name in newest else NO_DATA for name in names
            ],
            t("Days before"): [_age(view, newest.get(name)) for name in names],
        }
    )
    ui.table(frame, t("Tables of the CRM"))
    if sum(kept_out.values()):
        links.link("quarantine", t("What was kept out, and why"), ":material/rule:")


def _age(view: View, newest: datetime | None) -> str:
    """Write how many days before the data's moment something last changed."""
    if newest is None or newest > view.gateway.as_of:
        return NO_DATA
    return f"{(view.gateway.as_of - newest).days:,}"


def _snapshots(view: View, current: Snapshot) -> None:
    t, formats, zone = view.t, view.formats, view.gateway.time_zone
    lines = []
    for snapshot in list_snapshots(get_settings())[:_SNAPSHOTS_SHOWN]:
        try:
            as_of = formats.moment(datetime.fromisoformat(snapshot.report["as_of"]), zone)
            size = _bytes(snapshot.size)
        except (LoupanError, OSError, KeyError, ValueError):
            as_of, size = t("unreadable"), ""
        is_current = t("in force") if snapshot.version == current.version else ""
        lines.append((snapshot.version, formats.moment(snapshot.published_at, zone), as_of, size, is_current))
    columns = [t("Version"), t("Published"), t("Data as of"), t("Size"), t("State")]
    ui.table(pd.DataFrame(lines, columns=columns), t("Published snapshots"), is_words=True)


def _bytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
