"""What marketing spends: enter with receipts, hand in, decide, pay, and see where the money goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from data_entry import forms
from data_entry.forms.words import shown
from data_entry.pages import attached, charts, links
from data_entry.pages.desk import Desk
from data_entry.pages.plans import money
from data_entry.schema.marketing import Expense
from data_entry.services import expenses, records
from data_entry.services.expenses import OPEN, STATUSES, Filter, Sum
from data_entry.services.records import Row
from loupan import ui
from loupan.i18n import marked
from loupan.settings import get_settings

_ASKED = ("incurred_on", "amount", "expense_category_id", "plan_id", "activity_id", "project_id", "description")
_SHOWN = ("incurred_on", "amount", "expense_category_id", "plan_id", "activity_id", "status")
_SAID = "expenses_said"
_VIEWS = {
    "all": marked("All"),
    "mine": marked("Mine"),
    "decide": marked("To approve"),
    "pay": marked("To pay"),
    "figures": marked("Statistics"),
}


def draw(desk: Desk) -> None:
    """Draw the views of the expenses."""
    t = desk.t
    if said := st.session_state.pop(_SAID, None):
        st.toast(said, icon=":material/check_circle:")
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        waiting = records.list_rows(
            work, "expense", where=expenses.where(work, Filter(is_to_decide=True)), size=1
        ).total
    if not outcome.ok:
        return
    names = list(_VIEWS) if desk.actor.may("approve", "expense") else ["all", "mine", "figures"]
    words = {name: t(_VIEWS[name]) + (f" ({waiting})" if name == "decide" and waiting else "") for name in names}
    with st.container(horizontal=True, vertical_alignment="bottom", key="expenses_top"):
        view = st.segmented_control(
            t("View"), names, default="all", format_func=words.__getitem__, key="expenses_view", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
        if desk.actor.may("create", "expense") and st.button(
            t("New expense"), icon=":material/add:", type="primary", key="expenses_new"
        ):
            _new(desk)
    asked = links.chosen("new")
    if asked and desk.actor.may("create", "expense"):
        st.query_params.pop("new", None)
        _new(desk)
    if view == "decide":
        _list(desk, Filter(is_to_decide=True), view, t("Nothing waits for your decision."))
    elif view == "pay":
        _list(desk, Filter(is_to_pay=True), view, t("Nothing waits to be paid."))
    else:
        wanted = _filter(desk, is_mine=view == "mine")
        if view == "figures":
            _figures(desk, wanted)
        else:
            _list(desk, wanted, str(view), t("There is nothing yet."))
    opened = links.chosen()
    if opened is not None:
        st.query_params.pop("id", None)
        _open(desk, opened)


def _new(desk: Desk) -> None:
    defaults: dict[str, Any] = {"incurred_on": desk.today}
    if (activity := links.chosen("activity")) is not None:
        defaults["activity_id"] = activity
    elif (plan := links.chosen("plan")) is not None:
        defaults["plan_id"] = plan

    def save(values: dict[str, Any]) -> int:
        with desk.writing() as work:
            key = records.create(work, "expense", values)
        st.query_params["id"] = str(key)  # its receipts come next
        return key

    forms.open_record(desk, "expense", defaults=defaults, columns=_ASKED, save=save, title=desk.t("New expense"))


def _filter(desk: Desk, *, is_mine: bool) -> Filter:
    t = desk.t
    with st.expander(t("Filter"), icon=":material/filter_list:", key="expenses_filter"):
        left, right = ui.columns(1, 1)
        with left:
            period = st.date_input(
                t("Incurred between"), [], key="expenses_days", format="YYYY-MM-DD", max_value=desk.today
            )
            plan = forms.pick(desk, "plan", t("Plan"), links.chosen("plan"), key="expenses_plan")
        with right:
            statuses = st.multiselect(
                t("State"), STATUSES, key="expenses_states", placeholder=t("All"),
                format_func=lambda s: shown(desk, "expense", "status", s),
            )  # fmt: skip
            category = forms.pick(desk, "expense_category", t("Category"), key="expenses_category")
    days = list(period) if isinstance(period, (tuple, list)) else [period]
    return Filter(
        since=days[0] if days else None, until=days[1] if len(days) > 1 else None, statuses=tuple(statuses),
        plan_id=plan, category_id=category, is_mine=is_mine, activity_id=links.chosen("activity"),
    )  # fmt: skip


def _list(desk: Desk, wanted: Filter, view: str, empty: str) -> None:
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        condition, totals = expenses.where(work, wanted), expenses.totals(work, wanted)
    if not outcome.ok:
        return
    if totals:
        ui.message(
            " · ".join(
                f"{shown(desk, 'expense', 'status', name)}: {totals[name].count} / {money(desk, totals[name].amount)}"
                for name in STATUSES
                if name in totals
            )
        )
    forms.record_list(
        desk, "expense", columns=_SHOWN, where=condition, key=f"expenses_{view}", on_open=lambda key: _open(desk, key),
        sort="incurred_on", descending=True, empty=empty,
    )  # fmt: skip


def _open(desk: Desk, key: int) -> None:
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        records.get(work, "expense", key)
    if not outcome.ok:
        return

    @st.dialog(desk.t("Expense"), width="large")
    def dialog() -> None:
        _detail(desk, key)

    dialog()


def _detail(desk: Desk, key: int) -> None:
    """Draw one expense: what it is, its receipts, and what can be done with it."""
    t = desk.t
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        row = records.get(work, "expense", key)
        expense = work.get(Expense, key)
        may_change = work.actor.may("update", "expense") and work.may_with("update", expense)
        may_decide = work.actor.may("approve", "expense") and work.may_with("approve", expense)
        has_part = expenses.has_part(work, expense)
    if not outcome.ok:
        return

    def word(column: str) -> str:
        return shown(desk, "expense", column, row[column], row.get(f"{column}_caption"))

    names = ("amount", "status", "incurred_on", "expense_category_id", "plan_id", "activity_id", "project_id",
             "employee_id")  # fmt: skip
    ui.facts([(forms.label(desk, "expense", name), word(name)) for name in names])
    if row["description"]:
        ui.message(row["description"])
    if row["decided_by_id"] or row["decision_note"]:
        note = f"{word('decided_by_id')} · {word('decided_at')}"
        st.info(ui.plain(f"{note}: {row['decision_note']}" if row["decision_note"] else note))
    ui.section(t("Receipts"))
    attached.files(desk, "expense", key)
    _actions(desk, row, may_change=may_change, may_decide=may_decide, has_part=has_part)


def _actions(desk: Desk, row: Row, *, may_change: bool, may_decide: bool, has_part: bool) -> None:
    t, key, state = desk.t, row["id"], row["status"]
    if state in OPEN and may_change:
        with st.expander(t("Change it"), icon=":material/edit:"):
            _change(desk, row)
        limit = get_settings().receipt_above
        if row["amount"] > limit:
            ui.message(t("Above {amount} a receipt is needed.", amount=money(desk, limit)))
    note = ""
    decides = may_decide and not has_part and state == "submitted"
    if decides:
        note = st.text_input(t("Why (needed to reject)"), key=f"expense_note_{key}", max_chars=500)
    elif may_decide and has_part and state in ("submitted", "approved"):
        ui.message(t("You entered or changed this expense: somebody else must decide about it."))
    with st.container(horizontal=True, key=f"expense_actions_{key}"):
        if state in OPEN and may_change:
            _button(desk, "submit", t("Submit"), t("Submitted"), lambda w: expenses.submit(w, key), is_main=True)
        if state == "submitted" and may_change and has_part:
            _button(desk, "withdraw", t("Withdraw"), t("Withdrawn"), lambda w: expenses.withdraw(w, key))
        if decides:
            _button(
                desk, "approve", t("Approve"), t("Approved"),
                lambda w: expenses.decide(w, key, approve=True, note=note), is_main=True,
            )  # fmt: skip
            _button(
                desk, "reject", t("Reject"), t("Rejected"), lambda w: expenses.decide(w, key, approve=False, note=note)
            )
        if state == "approved" and may_decide and not has_part:
            _button(desk, "pay", t("Mark as paid"), t("Paid"), lambda w: expenses.pay(w, key), is_main=True)
        if state in OPEN and may_change and desk.actor.may("delete", "expense"):
            _button(desk, "delete", t("Delete"), t("Deleted"), lambda w: records.delete(w, "expense", key))


def _button(
    desk: Desk, name: str, label: str, said: str, does: Callable[[Any], object], *, is_main: bool = False
) -> None:
    if st.button(label, key=f"expense_{name}", type="primary" if is_main else "secondary"):
        with forms.showing_errors(desk, "expense") as outcome, desk.writing() as work:
            does(work)
        if outcome.ok:
            st.session_state[_SAID] = said
            st.rerun()


def _change(desk: Desk, row: Row) -> None:
    key = f"expense_change_{row['id']}"
    values = forms.fields(desk, "expense", columns=_ASKED, key=key, row=row)
    if st.button(desk.t("Save"), key=f"{key}_save"):
        with forms.showing_errors(desk, "expense", key) as outcome:
            values.check()
            with desk.writing() as work:
                records.update(work, "expense", row["id"], {n: values[n] for n in values.changed}, row["row_version"])
        if outcome.ok:
            st.session_state[_SAID] = desk.t("Saved")
            st.query_params["id"] = str(row["id"])
            st.rerun()


def _figures(desk: Desk, wanted: Filter) -> None:
    t = desk.t
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        totals = expenses.totals(work, wanted)
        by_category, by_plan = expenses.by_category(work, wanted), expenses.by_plan(work, wanted)
        by_month, by_project = expenses.by_month(work, wanted), expenses.by_project(work, wanted)
    if not outcome.ok:
        return
    ui.facts(
        [
            (shown(desk, "expense", "status", status), f"{money(desk, totals[status].amount)} ({totals[status].count})")
            for status in STATUSES
            if status in totals
        ]
    )
    ui.message(t("Counted as spent: what is approved or paid, by the day it was incurred."))
    amount = t("Amount")
    card = charts.card
    card(
        desk, t("Spent by month"), charts.months(
            desk, [part.key for part in by_month], [float(part.amount) for part in by_month], "currency",
            (t("Month"), amount),
        ), "expenses_month",
    )  # fmt: skip
    left, right = ui.columns(1, 1)
    with left:
        card(desk, t("Spent by category"), _bars(desk, by_category, t("Category")), "expenses_category")
        card(desk, t("Spent by estate"), _bars(desk, by_project, t("Estate")), "expenses_project")
    with right:
        card(
            desk, t("Spent by plan"), _bars(desk, by_plan, t("Plan")), "expenses_plan",
            t("The ten plans that cost most."),
        )  # fmt: skip


def _bars(desk: Desk, parts: list[Sum], head: str) -> Any:
    names = [part.name or desk.t("Not assigned") for part in parts]
    notes = [desk.t("Expenses: {number}", number=part.count) for part in parts]
    return charts.bars(desk, names, [float(part.amount) for part in parts], "currency", (head, desk.t("Amount")), notes)
