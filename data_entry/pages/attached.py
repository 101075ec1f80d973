"""The files beside a record: list, download, add, take away."""

from __future__ import annotations

import html

import streamlit as st

from data_entry.downloads import PATH
from data_entry.pages.desk import Desk
from data_entry.services import attachments
from data_entry.services.errors import ServiceError
from data_entry.services.files import ALLOWED
from loupan import ui
from loupan.settings import get_settings


def files(desk: Desk, entity: str, entity_id: int, may_add: bool = True) -> None:
    """Show the files of a record, with what the reader may do with them.

    Args:
        desk: the reader's place.
        entity: table of the record.
        entity_id: its key.
        may_add: False where files are only to be read.
    """
    t, key = desk.t, f"files_{entity}_{entity_id}"
    _what_was_said(desk, key)
    try:
        with desk.reading() as work:
            listed = attachments.listing(work, entity, entity_id)
            may_add = may_add and attachments.may_attach(work, entity, entity_id)
    except ServiceError as error:
        ui.message(error.text(t))
        return
    if not listed:
        ui.message(t("No files."))
    for file in listed:
        _file(desk, file, f"{key}_{file.id}", key)
    if may_add:
        _uploader(desk, entity, entity_id, key)


def _file(desk: Desk, file: attachments.Listed, key: str, said: str) -> None:
    t = desk.t
    with st.container(horizontal=True, vertical_alignment="center", key=f"lp_file_{key}"):
        # No target: what comes is saved, and the page stays.
        st.html(
            f"<a href='{PATH}/{file.id}'>{html.escape(file.file_name)}</a> <small>{size(file.byte_count)}</small>",
            width="content",
        )
        if file.may_remove:
            st.button(
                t("Take away {file}", file=ui.plain(file.file_name)), key=f"{key}_remove", icon=":material/delete:",
                type="tertiary", on_click=_remove, args=(desk, file.id, said),
            )  # fmt: skip


def _uploader(desk: Desk, entity: str, entity_id: int, key: str) -> None:
    t = desk.t
    turn = st.session_state.get(f"{key}_turn", 0)  # an uploader is emptied by making another
    most = get_settings().upload_megabytes
    chosen = st.file_uploader(
        t("Add files"), type=list(ALLOWED), accept_multiple_files=True, max_upload_size=most, key=f"{key}_new_{turn}",
        help=t("PDF, pictures, XLSX, DOCX, CSV or TXT, up to {most} MB each.", most=most),
    )  # fmt: skip
    if chosen:
        st.button(
            t("Attach"), key=f"{key}_attach", type="primary", on_click=_attach, args=(desk, entity, entity_id, key)
        )


def _attach(desk: Desk, entity: str, entity_id: int, key: str) -> None:
    t, turn = desk.t, st.session_state.get(f"{key}_turn", 0)
    done, problems = 0, []
    for upload in st.session_state.get(f"{key}_new_{turn}") or ():
        try:
            with desk.writing() as work:
                attachments.attach(work, entity, entity_id, upload.name, upload.getvalue())
            done += 1
        except ServiceError as error:
            problems.append(f"{upload.name}: {error.text(t)}")
    st.session_state[f"{key}_turn"] = turn + 1
    st.session_state[f"{key}_problems"], st.session_state[f"{key}_done"] = problems, done


def _remove(desk: Desk, attachment_id: int, key: str) -> None:
    try:
        with desk.writing() as work:
            attachments.remove(work, attachment_id)
    except ServiceError as error:
        st.session_state[f"{key}_problems"] = [error.text(desk.t)]


def _what_was_said(desk: Desk, key: str) -> None:
    for problem in st.session_state.pop(f"{key}_problems", []):
        st.error(ui.sentence(problem))
    if done := st.session_state.pop(f"{key}_done", 0):
        st.toast(desk.t("Files attached: {number}", number=done))


def size(byte_count: int) -> str:
    """Return a file's size in words."""
    return f"{byte_count / 2**20:.1f} MB" if byte_count >= 2**20 else f"{max(1, round(byte_count / 1024))} KB"
