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
from loupan.backups import LATE, Drill
from loupan.i18n import marked
from loupan.settings import get_settings

_SHOWN = 50
_DRILLS_SHOWN = 10
# Where the making, or the checking, stands.
_STEPS = {
    "copying": marked("Copying the rows …"),
    "copying files": marked("Copying the attached files …"),
    "checking": marked("Comparing with the checksums …"),
    "restoring": marked("Restoring into a scratch database …"),
}


def draw(desk: Desk) -> None:
    """Draw the list of backups, what can be done with them, and how to restore."""
    parts.hear()
    t = desk.t
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        found = rights.listed(work, get_settings())[:_SHOWN]
        drills = rights.drills(work, get_settings())[:_DRILLS_SHOWN]
        may_make = work.actor.may("run", rights.RESOURCE)
    if not outcome.ok:
        return
    _say_how_it_stands(desk, found)
    if may_make:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if st.button(t("Make a backup now"), type="primary", icon=":material/backup:", key="backup_make"):
                _make(desk)
            if found and st.button(t("Hold a drill"), icon=":material/fire_extinguisher:", key="backup_drill"):
                _drill(desk, found[0].path.name)
    _draw_list(desk, found, may_make)
    _draw_drills(desk, drills)
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


def _written(desk: Desk, moment: dt.datetime) -> str:
    return desk.formats.moment(moment, desk.zone.key)


def _say_how_it_stands(desk: Desk, found: list[Backup]) -> None:
    t = desk.t
    usable = [each for each in found if not each.problem]
    if not usable:
        st.warning(t("There is no backup yet."), icon=":material/warning:")
    elif dt.datetime.now(dt.UTC) - usable[0].made_at > LATE:
        st.warning(
            t(
                "The newest backup is of {moment}. Does the schedule run?",
                moment=_written(desk, usable[0].made_at.astimezone(desk.zone)),
            ),
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
    return [
        Cell(_written(desk, found.made_at.astimezone(desk.zone))),
        _state(desk, found),
        Cell("–" if found.rows is None else f"{found.rows:,}"),
        Cell("–" if found.files is None else f"{found.files:,}"),
        Cell(size(found.bytes)),
        Cell(found.path.name),
    ]


def _state(desk: Desk, found: Backup) -> Cell:
    t = desk.t
    if found.problem:
        return Cell(t("Damaged"), "bad")
    if found.known and found.known.verified_at:
        verified = dt.datetime.fromisoformat(found.known.verified_at).astimezone(desk.zone)
        return Cell(t("Whole, read on {moment}", moment=_written(desk, verified)), "good")
    return Cell(t("Not checked"), "quiet")


def _draw_drills(desk: Desk, drills: list[Drill]) -> None:
    t = desk.t
    ui.section(t("Drills"))
    ui.message(
        t("In a drill a backup is restored into a scratch database and compared. It tells how long a recovery takes.")
    )
    if not drills:
        ui.message(t("There was no drill yet."))
        return
    columns = [
        Column("", t("Ended at")), Column("", t("Result")), Column("", t("Rows"), is_number=True),
        Column("", t("Recovery time"), is_number=True), Column("", t("Changes that would be lost"), is_number=True),
        Column("", t("File")),
    ]  # fmt: skip
    table(
        desk, columns, {number: _drill_cells(desk, each) for number, each in enumerate(drills)}, title=t("Drills"),
        key="drill_list", can_open=False,
    )  # fmt: skip
    if not drills[0].passed:
        st.error(t("The last drill failed. {reason}", reason=ui.sentence(drills[0].problem)), icon=":material/error:")


def _drill_cells(desk: Desk, found: Drill) -> list[Cell]:
    t = desk.t
    lost = None if found.lost_rows is None else t("{rows} rows", rows=f"{found.lost_rows:,}")
    return [
        Cell(_written(desk, dt.datetime.fromisoformat(found.at).astimezone(desk.zone))),
        Cell(t("Passed"), "good") if found.passed else Cell(t("Failed"), "bad"),
        Cell(f"{found.rows:,}" if found.rows else "–"),
        Cell(t("{seconds} s", seconds=f"{found.restore_seconds:,.1f}") if found.restore_seconds else "–"),
        Cell(lost or "–"),
        Cell(found.backup),
    ]


def _drill(desk: Desk, name: str) -> None:
    t = desk.t
    with forms.showing_errors(desk) as outcome, desk.writing() as work:
        path = rights.chosen(work, get_settings(), name)
        rights.record(work, "drill", name)
    if not outcome.ok:
        return
    bar = st.progress(0.0, t(_STEPS["restoring"]))

    def show(share: float, what: str) -> None:
        step = "restoring" if what.startswith("restoring") else "checking"
        bar.progress(min(1.0, share), t(_STEPS[step]))

    result = backup.drill(desk.engine, get_settings(), path, progress=show)
    if result.passed:
        parts.say(t("The drill passed: {file} was restored and is what was copied.", file=name))
    else:
        st.rerun()


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
        st.error(
            t("The backup was not made. {reason}", reason=ui.sentence(_reason(desk, error))), icon=":material/error:"
        )
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
        backup.check(get_settings(), path, show)
    except (backup.BackupError, OSError) as error:
        bar.empty()
        st.error(
            t("The backup cannot be used. {reason}", reason=ui.sentence(_reason(desk, error))), icon=":material/error:"
        )
        return
    parts.say(t("{file} is whole: every part is what its checksum says.", file=name))
