"""The dialog of one record: its form, its history, and the ways to delete and restore it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from data_entry.forms.errors import error_text, keep_problems, showing_errors
from data_entry.forms.inputs import Values, fields, form_columns
from data_entry.forms.words import MASKED, label, shown, shown_feature, table_name, table_names
from data_entry.pages.desk import Desk
from data_entry.schema import metadata
from data_entry.schema.customer import Feature
from data_entry.services import features as custom
from data_entry.services import records
from data_entry.services.captions import Condition
from data_entry.services.errors import Invalid, Stale
from data_entry.services.records import Row
from data_entry.services.tables import READ_ONLY, models, target
from loupan import ui
from loupan.errors import LoupanError
from loupan.i18n import marked

Save = Callable[[dict[str, Any]], int | None]

_ACTIONS = {
    "create": marked("Entered"),
    "update": marked("Changed"),
    "delete": marked("Deleted"),
    "restore": marked("Restored"),
}


def open_record(
    desk: Desk,
    table: str,
    record_id: int | None = None,
    *,
    defaults: Mapping[str, Any] | None = None,
    columns: Sequence[str] | None = None,
    save: Save | None = None,
    title: str | None = None,
    where: Mapping[str, Condition] | None = None,
    more: Callable[[Row], None] | None = None,
    may_delete: bool = True,
) -> None:
    """Open the dialog of a record, or of a new one.

    Args:
        desk: the reader.
        table: name of the table.
        record_id: key of the record; None for a new one.
        defaults: values that a new one begins with, by column.
        columns: which columns are asked for, in this order; all by default.
        save: writes instead of `records.create` and `records.update`, and returns the key of a new record. It is given
            the values by column, typed; features as ``feature:<key>``; of a record that is changed only the values
            that differ, and ``row_version``. What it refuses (`ServiceError`) is shown; the dialog stays open.
        title: of the dialog.
        where: conditions on the rows that a foreign key offers, by column.
        more: draws more about an existing record, in a tab of its own.
        may_delete: whether the dialog offers to delete.
    """
    row: Row | None = None
    if record_id is not None:
        with showing_errors(desk) as outcome, desk.reading() as work:
            row = records.get(work, table, record_id, deleted=True)
        if not outcome.ok:
            return
    if title is None:
        name = table_name(desk, table)
        with desk.reading() as work:
            title = (
                f"{name}: {records.caption(work, table, record_id)}"
                if record_id is not None
                else desk.t("New: {table}", table=name)
            )
    key = f"lp_record_{table}_{record_id or 'new'}_{secrets.token_hex(4)}"

    @st.dialog(ui.plain(title), width="large")
    def dialog() -> None:
        if row is None:
            _details(desk, table, None, defaults or {}, columns, save, key, where, may_delete=False)
            return
        names = [desk.t(marked("Details")), desk.t(marked("History"))]
        tabs = st.tabs([*names[:1], *([desk.t(marked("More"))] if more else []), *names[1:]])
        with tabs[0]:
            _details(desk, table, row, {}, columns, save, key, where, may_delete=may_delete)
        if more:
            with tabs[1]:
                more(row)
        with tabs[-1]:
            _history(desk, table, row["id"])

    dialog()


def _may(desk: Desk, action: str, table: str, row: Row | None) -> bool:
    if table in READ_ONLY or not desk.actor.may(action, table):
        return False
    if row is None:
        return True
    with desk.reading() as work:
        record = work.session.get(models()[table], row["id"])
        return record is not None and work.may_with(action, record)


def _details(
    desk: Desk, table: str, row: Row | None, defaults: Mapping[str, Any], columns: Sequence[str] | None,
    save: Save | None, key: str, where: Mapping[str, Condition] | None, *, may_delete: bool,
) -> None:  # fmt: skip
    if row is not None and row["deleted_at"] is not None:
        _deleted(desk, table, row, columns, key)
        return
    if save is None and not _may(desk, "create" if row is None else "update", table, row):
        if row is not None:
            _facts(desk, table, row, columns)
        else:
            st.info(desk.t(marked("You may not enter such records.")))
        if row is not None and may_delete:
            _delete(desk, table, row, key)
        return
    stale = st.session_state.get(f"{key}_stale")
    if stale is not None and row is not None:
        _reconcile(desk, table, row, stale, save, key)
        return
    values = fields(desk, table, columns=columns, defaults=defaults, key=key, row=row, where=where)
    ui.message(desk.t(marked("* needed")))
    failed = st.session_state.pop(f"{key}_failed", None)
    if failed:
        st.error(ui.sentence(failed), icon=":material/error:")
    with st.container(horizontal=True):
        pressed = st.button(
            desk.t(marked("Save")), type="primary", key=f"{key}_save", icon=":material/check:", shortcut="Ctrl+Enter"
        )
    if pressed:
        _save(desk, table, row, values, save, key)
    if row is not None and may_delete:
        _delete(desk, table, row, key)


def _save(desk: Desk, table: str, row: Row | None, values: Values, save: Save | None, key: str) -> None:
    st.session_state.pop(f"{key}_problems", None)
    try:
        values.check()
        if row is None:
            given = {name: value for name, value in values.items() if value is not None}
        else:
            given = {name: values[name] for name in values if name in values.changed}
            if not given:
                st.rerun()
        _write(desk, table, row["id"] if row else None, given, row["row_version"] if row else None, save)
    except Stale as error:
        st.session_state[f"{key}_stale"] = error
        st.rerun(scope="fragment")
    except Invalid as error:
        keep_problems(desk, key, error)
        shown_fields = {*values} | {c.name for c in form_columns(table, None, is_new=row is None)}
        elsewhere = [p for p in error.problems if p.column not in shown_fields]
        st.session_state[f"{key}_failed"] = (
            error_text(desk, Invalid(elsewhere)) if elsewhere else desk.t(marked("Not saved yet: see the fields."))
        )
        st.rerun(scope="fragment")
    except LoupanError as error:
        st.session_state[f"{key}_failed"] = error_text(desk, error)
        st.rerun(scope="fragment")
    st.toast(desk.t(marked("Saved.")), icon=":material/check:")
    st.rerun()


def _write(
    desk: Desk, table: str, key: int | None, values: dict[str, Any], row_version: int | None, save: Save | None
) -> None:
    if save is not None:
        save(values | ({"row_version": row_version} if key is not None else {}))
        return
    with desk.writing() as work:
        if key is None:
            records.create(work, table, values)
        else:
            records.update(work, table, key, values, row_version)


def _reconcile(desk: Desk, table: str, row: Row, stale: Stale, save: Save | None, key: str) -> None:
    """Show the two versions of a record beside each other, and let the person choose for every field."""
    st.warning(
        desk.t(marked("Somebody else has changed this record meanwhile. Choose what is to stand; nothing is lost.")),
        icon=":material/call_merge:",
    )
    mine = {name: value for name, value in stale.mine.items() if name != "row_version"}
    theirs = stale.theirs
    columns = metadata.tables[table].c
    result: dict[str, Any] = {}
    for name, value in mine.items():
        if name not in columns:
            result[name] = value
            continue
        with desk.reading() as work:
            parent = target(columns[name])
            caption = records.caption(work, parent, value) if parent and value else None
        own = shown(desk, table, name, value, caption)
        other = shown(desk, table, name, theirs.get(name), theirs.get(f"{name}_caption"))
        if theirs.get(name) == row.get(name):
            result[name] = value  # they left it as it was
            ui.message(f"{label(desk, table, name)}: {own}")
            continue
        choice = st.radio(
            label(desk, table, name),
            [desk.t("Yours: {value}", value=own), desk.t("Theirs: {value}", value=other)],
            key=f"{key}_choice_{name}", horizontal=True, format_func=ui.plain,
        )  # fmt: skip
        if choice == desk.t("Yours: {value}", value=own):
            result[name] = value
    changed = [n for n in theirs if n in columns and n not in mine and theirs[n] != row.get(n)
               and n not in ("updated_at", "updated_by", "row_version")]  # fmt: skip
    if changed:
        ui.section(desk.t(marked("Changed by the other person")))
        captions = {name: theirs.get(f"{name}_caption") for name in changed}
        ui.pairs([(label(desk, table, n), shown(desk, table, n, theirs[n], captions[n])) for n in changed])
    if st.button(desk.t(marked("Save this choice")), type="primary", key=f"{key}_merge"):
        try:
            if result:
                _write(desk, table, row["id"], result, theirs["row_version"], save)
        except Stale as error:
            st.session_state[f"{key}_stale"] = error
            st.rerun(scope="fragment")
        except LoupanError as error:
            st.error(ui.sentence(error_text(desk, error)))
            return
        st.toast(desk.t(marked("Saved.")), icon=":material/check:")
        st.rerun()


def _facts(desk: Desk, table: str, row: Row, columns: Sequence[str] | None) -> None:
    """Show a record that the person may not change."""
    pairs = []
    for column in form_columns(table, columns, is_new=False):
        name = column.name
        text = MASKED if name in row["masked"] else shown(desk, table, name, row[name], row.get(f"{name}_caption"))
        pairs.append((label(desk, table, name), text))
    with desk.reading() as work:
        if table in metadata.tables["feature"].c.entity.type.enums:  # type: ignore[attr-defined]
            for key, several in custom.values(work, table, row["id"]).items():
                feature = work.session.get_one(Feature, key)
                pairs.append((feature.name, shown_feature(desk, feature, several)))
    ui.pairs(pairs)


def _deleted(desk: Desk, table: str, row: Row, columns: Sequence[str] | None, key: str) -> None:
    moment = desk.formats.moment(row["deleted_at"], str(desk.zone))
    st.warning(desk.t("This record was deleted on {moment}.", moment=moment), icon=":material/delete:")
    _facts(desk, table, row, columns)
    if _may(desk, "delete", table, row) and st.button(
        desk.t(marked("Restore")), type="primary", key=f"{key}_restore", icon=":material/restore_from_trash:"
    ):
        with showing_errors(desk) as outcome, desk.writing() as work:
            records.restore(work, table, row["id"])
        if outcome.ok:
            st.toast(desk.t(marked("Restored.")), icon=":material/check:")
            st.rerun()


def _delete(desk: Desk, table: str, row: Row, key: str) -> None:
    if not _may(desk, "delete", table, row):
        return
    if not st.toggle(desk.t(marked("Delete this record")), key=f"{key}_delete"):
        return
    with showing_errors(desk) as outcome, desk.reading() as work:
        below = records.dependents(work, table, row["id"])
    if not outcome.ok:
        return
    if below:
        things = ", ".join(f"{table_names(desk, t)} ({count:,})" for t, count in sorted(below.items()))
        st.warning(ui.plain(desk.t("This is deleted with it: {things}.", things=things)))
    st.caption(desk.t(marked("A deleted record counts nowhere, and can be restored.")))
    if st.button(desk.t(marked("Delete")), key=f"{key}_really", icon=":material/delete:"):
        with showing_errors(desk) as outcome, desk.writing() as work:
            records.delete(work, table, row["id"])
        if outcome.ok:
            st.toast(desk.t(marked("Deleted.")), icon=":material/delete:")
            st.rerun()


def _history(desk: Desk, table: str, key: int) -> None:
    with showing_errors(desk), desk.reading() as work:
        acts = records.history(work, table, key)
        ids = {int(c.column.split(":")[1]) for act in acts for c in act.changes if c.column.startswith(custom.PREFIX)}
        features = {key: work.session.get_one(Feature, key) for key in ids}
        if not acts:
            ui.message(desk.t(marked("Nothing is recorded; the record was imported.")))
        for act in acts:
            who = act.who or desk.t(marked("The system"))
            what = desk.t(_ACTIONS.get(act.action, act.action))
            st.markdown(f"**{ui.plain(what)}** · {ui.plain(who)} · {desk.formats.moment(act.at, str(desk.zone))}")
            lines = []
            for change in act.changes:
                if change.column.startswith(custom.PREFIX):
                    feature = features[int(change.column.split(":")[1])]
                    name = feature.name
                    before, after = (
                        shown_feature(desk, feature, [str(v)] if v else []) for v in (change.before, change.after)
                    )
                else:
                    known = change.column in metadata.tables[table].c
                    name = label(desk, table, change.column) if known else change.column
                    before, after = (
                        MASKED if change.is_masked else _shown(desk, table, change.column, v)
                        for v in (change.before, change.after)
                    )
                lines.append((name, after if act.action == "create" else f"{before} → {after}"))
            if lines:
                ui.pairs(lines) if len(lines) <= 8 else _expanded(desk, lines)


def _expanded(desk: Desk, lines: list[tuple[str, str]]) -> None:
    with st.expander(desk.t("{count} values", count=len(lines))):
        ui.pairs(lines)


def _shown(desk: Desk, table: str, column: str, value: Any) -> str:
    columns = metadata.tables[table].c
    if column not in columns:
        return str(value if value is not None else "–")
    return shown(desk, table, column, value, value if target(columns[column]) and isinstance(value, str) else None)
