"""The trail: who did what, when, to which record, from which value to which."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.schema import metadata
from data_entry.services import accounts, trail
from data_entry.services.history import Changed
from data_entry.services.trail import Line, Wanted
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import marked

_KEY = "audit"
_SIZE = 20
_DAYS = 30
_MOST_ACCOUNTS = 1000
_LONGEST = 60
ACTIONS = {
    "create": marked("Entered"),
    "update": marked("Changed"),
    "delete": marked("Deleted"),
    "restore": marked("Restored"),
    "granted": marked("Rights granted with a new version"),
    "import": marked("Imported"),
    "export": marked("Taken away as a file"),
    "erase": marked("Personal data erased"),
    "download": marked("File fetched"),
    "view_as": marked("Looked as another account"),
    "login": marked("Signed in"),
    "login_failed": marked("Sign-in failed"),
    "logout": marked("Signed out"),
    "revoked": marked("Sessions ended"),
    "password_changed": marked("Password changed"),
    "password_reset": marked("Password reset"),
    "unlocked": marked("Account unlocked"),
    "approve": marked("Approved"),
    "duplicate": marked("Entered in spite of likely duplicates"),
    "generate": marked("Greetings made"),
    "run": marked("Bills made"),
    "backup": marked("Backup made"),
    "restored": marked("Backup restored"),
    "start": marked("Refresh started"),
    "cancel": marked("Refresh cancelled"),
    "change": marked("Schedule changed"),
    "remove": marked("Schedule removed"),
    "switch": marked("Schedule switched"),
}
"""What the trail's actions are called."""
# Records that are no rows of the CRM.
OTHERS = {
    trail.FIGURES: marked("Figures"),
    "backup": marked("Backups"),
    "refresh": marked("Refreshes"),
    "refresh_schedule": marked("Schedule"),
}
"""What is called what among the trail's records that are no rows of the CRM."""
# What lines hold that is no column of the record.
DETAILS = {
    "address": marked("Address"),
    "attachment": marked("File"),
    "bills": marked("Bills"),
    "candidates": marked("Candidates"),
    "changed": marked("Changed"),
    "cron": marked("When"),
    "file": marked("File"),
    "full": marked("All rows"),
    "is_on": marked("Switched on"),
    "kind": marked("Kind"),
    "method": marked("Method"),
    "name": marked("Name"),
    "new": marked("New"),
    "occasions": marked("Occasions"),
    "price": marked("Price"),
    "reason": marked("Reason"),
    "records": marked("Records"),
    "refused": marked("Refused"),
    "resources": marked("Rights"),
    "rows": marked("Rows"),
    "sessions": marked("Sessions"),
    "system_user": marked("User of the server"),
    "tables": marked("Tables"),
    "title": marked("Title"),
    "total": marked("Total"),
    "until": marked("Until"),
    "working_days": marked("Only on working days"),
}
"""What is called what among the values of a line that are no columns of its record."""


def draw(desk: Desk) -> None:
    """Draw the choices, and the lines."""
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        trail.require_reading(work)
        people, _ = accounts.listing(work, limit=_MOST_ACCOUNTS)
    if not outcome.ok:
        return
    wanted = _wanted(desk, {0: desk.t("The system")} | {row.id: f"{row.employee or row.login}" for row in people})
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        lines, total = trail.listing(work, wanted, limit=_SIZE, offset=parts.offset(_KEY), personal=True)
    if not outcome.ok:
        return
    if not lines:
        ui.message(desk.t("Nothing of the kind was done."))
        return
    heads = [Column("", desk.t(head)) for head in (marked("Time"), marked("Who"), marked("Action taken"),
                                                   marked("Record"), marked("Values"))]  # fmt: skip
    rows = {line.id: _cells(desk, line) for line in lines}
    event = table(desk, heads, rows, title=desk.t(marked("Audit trail")), key=f"{_KEY}_list")
    parts.pager(desk, _KEY, total)
    chosen = next((line for line in lines if line.id == event.open), None)
    if chosen is not None:
        _open(desk, chosen)


def _wanted(desk: Desk, people: dict[int, str]) -> Wanted:
    t = desk.t
    records = {name: forms.table_names(desk, name) for name in metadata.tables} | {k: t(v) for k, v in OTHERS.items()}

    def anew() -> None:
        parts.first_page(_KEY)

    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{_KEY}_choices"):
        days = st.date_input(
            t("Done between"), [desk.today - dt.timedelta(days=_DAYS), desk.today], format="YYYY-MM-DD",
            key=f"{_KEY}_days", on_change=anew, width=250,
        )  # fmt: skip
        who = st.selectbox(
            t("Who"), list(people), index=None, format_func=people.__getitem__, placeholder=t("Everybody"),
            key=f"{_KEY}_who", on_change=anew, width=220,
        )  # fmt: skip
        action = st.selectbox(
            t("Action taken"), list(ACTIONS), index=None, format_func=lambda a: t(ACTIONS[a]), placeholder=t("All"),
            key=f"{_KEY}_action", on_change=anew, width=220,
        )  # fmt: skip
        entity = st.selectbox(
            t("Record type"), sorted(records, key=records.__getitem__), index=None, format_func=records.__getitem__,
            placeholder=t("All"), key=f"{_KEY}_entity", on_change=anew, width=220,
        )  # fmt: skip
    chosen = list(days) if isinstance(days, tuple | list) else [days]
    return Wanted(
        since=chosen[0] if chosen else None, until=chosen[1] if len(chosen) > 1 else None, account_id=who,
        action=action or "", entity=entity or "",
    )  # fmt: skip


def _who(desk: Desk, line: Line) -> str:
    return line.name or line.login or desk.t(marked("The system"))


def _what(desk: Desk, line: Line) -> str:
    return desk.t(ACTIONS[line.action]) if line.action in ACTIONS else line.action


def _record(desk: Desk, line: Line) -> str:
    known = forms.table_name(desk, line.entity) if line.entity in metadata.tables else line.entity
    name = desk.t(OTHERS[line.entity]) if line.entity in OTHERS else known
    return name if line.entity_id is None else f"{name} {line.entity_id}"


def _value(desk: Desk, line: Line, change: Changed, value: object) -> str:
    is_column = line.entity in metadata.tables and change.column in metadata.tables[line.entity].c
    if value is None or value == []:
        return NO_DATA
    if isinstance(value, bool) and not is_column:
        return desk.t("Yes") if value else desk.t("No")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if change.is_masked or not is_column or value == trail.MASK:
        return str(value)
    return forms.shown(desk, line.entity, change.column, value)


def _named(desk: Desk, line: Line) -> list[tuple[str, str]]:
    found = []
    for change in line.changes:
        is_column = line.entity in metadata.tables and change.column in metadata.tables[line.entity].c
        other = desk.t(DETAILS[change.column]) if change.column in DETAILS else change.column
        name = forms.label(desk, line.entity, change.column) if is_column else other
        before, after = (_value(desk, line, change, value) for value in (change.before, change.after))
        found.append((name, f"{before} → {after}" if change.before is not None else after))
    return found


def _cells(desk: Desk, line: Line) -> list[Cell]:
    values = desk.t("; ").join(f"{name}{desk.t(': ')}{value}" for name, value in _named(desk, line))
    return [
        Cell(parts.moment(desk, line.at)), Cell(_who(desk, line)),
        Cell(_what(desk, line), "warn" if line.action in ("login_failed", "restored") else ""),
        Cell(_record(desk, line)), Cell(values if len(values) <= _LONGEST else f"{values[:_LONGEST]}…", "quiet"),
    ]  # fmt: skip


def _open(desk: Desk, line: Line) -> None:
    t = desk.t

    @st.dialog(t("Line {number} of the trail", number=line.id), width="medium", on_dismiss="rerun")
    def show() -> None:
        ui.pairs(
            [
                (t("Time"), parts.moment(desk, line.at)),
                (t("Who"), f"{_who(desk, line)} · {line.login}" if line.login else _who(desk, line)),
                (t("Action taken"), _what(desk, line)),
                (t("Record"), _record(desk, line)),
            ]
        )
        if line.changes:
            ui.section(t("Values"))
            ui.pairs(_named(desk, line))

    show()
