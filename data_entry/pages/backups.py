"""Copies of the CRM: what there is, make one now, check one, and how to restore."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from data_entry import forms
from data_entry.database import DatabaseError
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import parts
from data_entry.pages.attached import size
from data_entry.pages.desk import Desk
from data_entry.services import backup
from data_entry.services.backup import Backup, rights
from loupan import ui
from loupan.i18n import marked
from loupan.settings import get_settings

# A copy older than this was not made by the schedule.
_LATE = dt.timedelta(hours=36)
_SHOWN = 50
# Where the making, or the checking, stands.
_STEPS = {
    "copying": marked("Copying the rows …"),
    "copying files": marked("Copying the attached files …"),
    "checking": marked("Comparing with the checksums …"),
}


def draw(desk: Desk) -> None:
    """Draw the list of backups, what can be done with them, and how to restore."""
    parts.hear()
    t = desk.t
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        found = rights.listed(work, get_settings())[:_SHOWN]
        may_make = work.actor.may("run", rights.RESOURCE)
    if not outcome.ok:
        return
    _say_how_it_stands(desk, found)
    if may_make:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if st.button(t("Make a backup now"), type="primary", icon=":material/backup:", key="backup_make"):
                _make(desk)
    _draw_list(desk, found, may_make)
    ui.section(t("How to restore"))
    st.markdown(
        t(
            "A backup is restored on the server, by whoever keeps it running. The program checks the file from end to "
            "end, restores it as a whole or not at all, and compares every row afterwards."
        )
    )
    st.code("loupan backup list\nloupan backup verify latest\nloupan backup restore latest", language="bash")
    st.markdown(
        t(
            "A CRM that holds data is replaced only with `--replace`; a backup of it is made first. Everybody signs in "
            "again afterwards, and the statistics follow with `loupan refresh --full`."
        )
    )
    ui.message(t("Folder of the backups: {folder}", folder=str(get_settings().backups_dir)))


def _moment(desk: Desk, found: Backup) -> dt.datetime | None:
    if found.manifest is None:
        return None
    return dt.datetime.fromisoformat(found.manifest.made_at).astimezone(desk.zone)


def _written(desk: Desk, moment: dt.datetime) -> str:
    return desk.formats.moment(moment, desk.zone.key)


def _say_how_it_stands(desk: Desk, found: list[Backup]) -> None:
    t = desk.t
    made = [moment for backup_ in found if (moment := _moment(desk, backup_)) is not None]
    if not made:
        st.warning(t("There is no backup yet."), icon=":material/warning:")
    elif dt.datetime.now(dt.UTC) - made[0] > _LATE:
        st.warning(
            t("The newest backup is of {moment}. Does the schedule run?", moment=_written(desk, made[0])),
            icon=":material/warning:",
        )


def _draw_list(desk: Desk, found: list[Backup], may_make: bool) -> None:
    t = desk.t
    if not found:
        return
    columns = [
        Column("", t("Made at")), Column("", t("State")), Column("", t("Rows"), is_number=True),
        Column("", t("Files"), is_number=True), Column("", t("Size"), is_number=True), Column("", t("File")),
    ]  # fmt: skip
    rows = {number: _cells(desk, backup_) for number, backup_ in enumerate(found)}
    if may_make:
        ui.message(t("Open a backup to compare it with its checksums."))
    event = table(desk, columns, rows, title=t("Backups"), key="backup_list", can_open=may_make)
    if may_make and event.open is not None and event.open in rows:
        _check(desk, found[event.open].path.name)


def _cells(desk: Desk, found: Backup) -> list[Cell]:
    t, moment, manifest = desk.t, _moment(desk, found), found.manifest
    if manifest is None or moment is None:
        return [
            Cell("–"),
            Cell(t("Damaged"), "bad"),
            Cell("–"),
            Cell("–"),
            Cell(size(found.bytes)),
            Cell(found.path.name),
        ]
    checked = st.session_state.get(f"backup_checked_{found.path.name}")
    state = Cell(t("Whole"), "good") if checked else Cell(t("Not checked"), "quiet")
    if found.path.name.endswith("-before-restore.zip") and not checked:
        state = Cell(t("Before a restore"), "quiet")
    return [
        Cell(_written(desk, moment)), state, Cell(f"{manifest.rows:,}"), Cell(f"{len(manifest.attachments):,}"),
        Cell(size(found.bytes)), Cell(found.path.name),
    ]  # fmt: skip


def _make(desk: Desk) -> None:
    t, settings = desk.t, get_settings()
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        rights.require_making(work)
    if not outcome.ok:
        return
    bar = st.progress(0.0, t(_STEPS["copying"]))

    def show(share: float, what: str) -> None:
        bar.progress(min(1.0, share), t(_STEPS["copying files" if what == "copying files" else "copying"]))

    try:
        path = backup.create(desk.engine, settings, progress=show)
    except (backup.BackupError, DatabaseError) as error:
        bar.empty()
        st.error(t("The backup was not made. {reason}", reason=ui.plain(_reason(desk, error))), icon=":material/error:")
        return
    with forms.showing_errors(desk), desk.writing() as work:
        rights.record(work, "backup", path.name)
    parts.say(t("The backup was made."))


def _reason(desk: Desk, error: Exception) -> str:
    return error.text(desk.t) if isinstance(error, backup.BackupError) else str(error)


def _check(desk: Desk, name: str) -> None:
    t = desk.t
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        path = rights.chosen(work, get_settings(), name)
    if not outcome.ok:
        return
    bar = st.progress(0.0, t(_STEPS["checking"]))

    def show(share: float, what: str) -> None:
        bar.progress(min(1.0, share), t(_STEPS["checking"]))

    try:
        backup.verify(path, show)
    except (backup.BackupError, OSError) as error:
        bar.empty()
        st.session_state.pop(f"backup_checked_{name}", None)
        st.error(
            t("The backup cannot be used. {reason}", reason=ui.plain(_reason(desk, error))), icon=":material/error:"
        )
        return
    st.session_state[f"backup_checked_{name}"] = True
    parts.say(t("{file} is whole: every part is what its checksum says.", file=name))
