"""Hand a customer's personal data over, or erase it: two buttons on the customer's page, each with its dialog."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from data_entry import forms
from data_entry.pages import sales_parts as parts
from data_entry.pages.desk import Desk
from data_entry.schema.labels import table_label
from data_entry.services.personal import copies, service
from data_entry.services.personal.export import export
from loupan import ui
from loupan.settings import get_settings


def buttons(desk: Desk, customer_id: int, rights: Mapping[str, bool]) -> None:
    """Draw the buttons that the reader has the right to; what they do asks for it again.

    Args:
        desk: the reader.
        customer_id: number of the customer's record.
        rights: whether the reader may read the customer's personal data, and do ``export`` and ``erase`` with it.
    """
    t = desk.t
    if not rights["personal"]:
        return
    if rights["export"] and st.button(t("Hand data over"), icon=":material/folder_zip:", key="person_export"):
        parts.dialog(t("Hand over what is held about the customer"), lambda: _export(desk, customer_id))
    if rights["erase"] and st.button(t("Erase the person"), icon=":material/delete_forever:", key="person_erase"):
        parts.dialog(t("Erase the person for good"), lambda: _erase(desk, customer_id), is_wide=True)


def _export(desk: Desk, customer_id: int) -> None:
    t = desk.t
    ui.message(
        t(
            "An archive with everything held about the person: a page to read, the same for programs, and the attached "
            "files. Give it to nobody but the person; that it was made stays on record."
        )
    )
    if st.button(t("Put it together"), type="primary", key="person_export_make"):
        with forms.showing_errors(desk) as done, desk.writing() as work:
            made = export(work, customer_id, t, desk.language)
        if not done.ok:
            return
        ui.message(t("{rows} rows and {files} files.", rows=f"{made.rows:,}", files=f"{made.files:,}"))
        if made.missing:
            st.warning(t("{count} attached files are missing from the store.", count=made.missing))
        st.download_button(
            t("Save the archive"), made.content, file_name=f"customer-{customer_id}.zip", mime="application/zip",
            key="person_export_save", on_click="ignore",
        )  # fmt: skip


def _erase(desk: Desk, customer_id: int) -> None:
    t = desk.t
    with forms.showing_errors(desk) as done, desk.reading() as work:
        found = service.preview(work, customer_id)
    if not done.ok:
        return
    st.warning(t("This cannot be undone, by nobody and by no backup."), icon=":material/warning:")
    st.markdown(
        "\n".join(
            f"- {line}"
            for line in (
                t("Erased: names, telephone numbers, addresses, notes, everything that was written down, and files; in "
                  "this record, in those merged with it, in the trail, and where others named the person."),
                t("Kept, without the person: days, amounts, units, sources and choices, so that no statistic changes."),
                t("Kept by law outside of the CRM: signed contracts and the accounts."),
                t("Statistics follow with the next refresh. Backups end after {days} days; a restore erases again.",
                  days=get_settings().backup_max_days),
            )
        )
    )  # fmt: skip
    counts = t(", ").join(f"{t(table_label(name))}: {count:,}" for name, count in found.rows.items())
    ui.message(t("Records: {records}. Rows about the person: {counts}.",
                 records=t(", ").join(f"#{key}" for key in found.customer_ids), counts=counts))  # fmt: skip
    if found.contracts:
        ui.message(t("{count} contracts stay in the statistics without the person.", count=len(found.contracts)))
    despite = False
    if found.running:
        st.error(
            t("Not settled yet: {running}. Afterwards nobody can write to the person.",
              running=service.running_words(found.running, t))
        )  # fmt: skip
        despite = st.checkbox(t("Erase all the same"), key="person_erase_despite")
    reason = st.text_input(t("Why (stays on record; name nobody)"), key="person_erase_reason", max_chars=200)
    number = st.text_input(t("Type the customer's number, {number}, to confirm", number=customer_id),
                           key="person_erase_number")  # fmt: skip
    is_sure = number.strip().lstrip("#") == str(customer_id) and (despite or not found.running)
    if st.button(t("Erase for good"), type="primary", key="person_erase_save", disabled=not is_sure) and is_sure:
        with forms.showing_errors(desk) as done, desk.writing() as work:
            result = service.erase(work, customer_id, reason, despite_running=despite)
        if not done.ok:
            return
        left = copies.clean(desk.engine, get_settings(), result)
        st.toast(" ".join([t("The person was erased."), *map(t, left)]), icon=":material/check:")
        st.rerun()
