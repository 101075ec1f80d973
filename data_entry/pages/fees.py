"""Property fees: bills for a period with a preview, payments, and what is owed."""

from __future__ import annotations

import datetime as dt
import html
import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import links, parts
from data_entry.pages.desk import Desk
from data_entry.services import fees, records, service_items
from data_entry.services.fees import Arrears, Bill, Preview
from loupan import ui
from loupan.i18n import marked

_SIZE = 20
_STATES = {
    "all": marked("All"),
    "open": marked("Not paid in full"),
    "overdue": marked("Overdue"),
    "paid": marked("Paid"),
}
_AGES = (
    marked("Up to 30 days"),
    marked("31 to 90 days"),
    marked("91 to 180 days"),
    marked("181 days to a year"),
    marked("More than a year"),
)
# From light to dark: the longer overdue, the stronger.
_SHADES = ("#f2c14e", "#ee9b3f", "#e2712f", "#c8452b", "#8f2621")
_STYLE = """<style>
.lp-ages { display: flex; height: 1.6rem; border-radius: 0.4rem; overflow: hidden; gap: 2px; margin: 0.2rem 0 0.5rem; }
.lp-ages > i { display: block; min-width: 2px; }
.lp-legend { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 0.4rem 1rem; }
.lp-legend { margin: 0; padding: 0 !important; }
.lp-legend div { display: flex; gap: 0.5rem; align-items: baseline; }
.lp-legend i { width: 0.7rem; height: 0.7rem; border-radius: 2px; flex: none; }
.lp-legend dt { opacity: 0.75; font-size: 0.87rem; }
.lp-legend dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
</style>"""


def draw(desk: Desk) -> None:
    """Draw bills, arrears, and the making of bills."""
    parts.hear()
    st.session_state.update(st.session_state.pop("lp_fees_next", {}))
    t = desk.t
    tabs = {"bills": t("Bills"), "arrears": t("Arrears")}
    if desk.actor.may("run", "fee_bill"):
        tabs["generate"] = t("Make bills")
    tab = parts.views(t("What to show"), tabs, "fees_tab")
    with desk.reading() as work:
        projects = {option.id: option.caption for option in records.options(work, "project", limit=200)}
    with forms.showing_errors(desk):
        {"bills": _draw_bills, "arrears": _draw_arrears, "generate": _draw_generate}[tab](desk, projects)


def _money(desk: Desk, amount: Decimal) -> str:
    sign = desk.formats.currency_sign
    return f"−{sign}{-amount:,.2f}" if amount < 0 else f"{sign}{amount:,.2f}"


def _estate(desk: Desk, projects: dict[int, str], place: Any, key: str) -> int | None:
    chosen: int | None = place.selectbox(
        desk.t("Estate"), [None, *projects], format_func=lambda p: projects.get(p, desk.t("All estates")),
        key=f"{key}_project", on_change=parts.first_page, args=(key,),
    )  # fmt: skip
    return chosen


# Bills and payments


def _draw_bills(desk: Desk, projects: dict[int, str]) -> None:
    t = desk.t
    with desk.reading() as work:
        types = {row.id: row.name for row in service_items.fee_types(work, with_retired=True)}
    customer_id = links.chosen("customer")
    places = ui.columns(2, 1, 1, 1)
    text = places[0].text_input(
        t("Search"), key="bills_text", icon=":material/search:", placeholder=t("Owner, or building and unit"),
        on_change=parts.first_page, args=("bills",),
    )  # fmt: skip
    state = places[1].selectbox(
        t("State"), list(_STATES), format_func=lambda s: t(_STATES[s]), key="bills_state",
        on_change=parts.first_page, args=("bills",),
    )  # fmt: skip
    fee_type_id = places[2].selectbox(
        t("Type of fee"), [None, *types], format_func=lambda k: types.get(k, t("All types")), key="bills_type",
        on_change=parts.first_page, args=("bills",),
    )  # fmt: skip
    project_id = _estate(desk, projects, places[3], "bills")
    if customer_id is not None and st.button(
        t("Bills of one owner: show all"), icon=":material/close:", key="bills_all"
    ):
        del st.query_params["customer"]
        st.rerun()
    with desk.reading() as work:
        rows, total, still_open = fees.bills(
            work, project_id=project_id, fee_type_id=fee_type_id, customer_id=customer_id, state=state, text=text or "",
            page=parts.offset("bills") // _SIZE, size=_SIZE,
        )  # fmt: skip
    ui.message(t("{number} bills, {amount} open", number=f"{total:,}", amount=_money(desk, still_open)))
    if not rows:
        parts.nothing(t("There is no bill here."))
        return
    columns = [
        Column("", t("Unit")), Column("", t("Owner")), Column("", t("Type of fee")), Column("", t("Period from")),
        Column("", t("Due")), Column("", t("Amount"), is_number=True), Column("", t("Still open"), is_number=True),
    ]  # fmt: skip
    cells = {row.id: _bill_cells(desk, row) for row in rows}
    event = table(desk, columns, cells, title=t("Bills"), key="bills_list")
    parts.pager(desk, "bills", total)
    if event.open is not None:
        _open_bill(desk, next(row for row in rows if row.id == event.open))


def _bill_cells(desk: Desk, bill: Bill) -> tuple[Cell, ...]:
    is_late = bill.open > 0 and bill.due_on < desk.today
    return (
        Cell(bill.unit or "–"), Cell(bill.owner or "•••"), Cell(bill.fee_type), Cell(desk.formats.day(bill.period_on)),
        Cell(desk.formats.day(bill.due_on), "bad" if is_late else ""), Cell(_money(desk, bill.amount)),
        Cell(_money(desk, bill.open), "bad" if is_late else "good" if not bill.open else ""),
    )  # fmt: skip


def _open_bill(desk: Desk, bill: Bill) -> None:
    t, key = desk.t, f"bill_{secrets.token_hex(4)}"

    @st.dialog(ui.plain(f"{bill.fee_type} · {bill.unit or '–'}"), width="large")
    def dialog() -> None:
        with desk.reading() as work:
            payments = fees.payments_of(work, bill.id)
            paid = fees.paid_on(work, bill.id)
        ui.facts(
            [
                (t("Owner"), bill.owner or "•••"), (t("Period from"), desk.formats.day(bill.period_on)),
                (t("Due"), desk.formats.day(bill.due_on)), (t("Amount"), _money(desk, bill.amount)),
                (t("Still open"), _money(desk, bill.amount - paid)),
            ]
        )  # fmt: skip
        ui.section(t("Payments"))
        if not payments:
            ui.message(t("Nothing was paid yet."))
        for payment in payments:
            with st.container(horizontal=True, vertical_alignment="center"):
                words = f"{desk.formats.day(payment.received_on)} · {_money(desk, payment.amount)}"
                ui.message(t("{payment} (void)", payment=words) if payment.is_void else words)
                if (
                    not payment.is_void
                    and desk.actor.may("update", "fee_payment")
                    and st.button(t("Void"), key=f"{key}_void_{payment.id}", type="tertiary")
                ):
                    _do(desk, lambda work, p=payment.id: fees.void(work, p), t("The payment is void."))
        if desk.actor.may("create", "fee_payment"):
            _pay(desk, bill, bill.amount - paid, key)
        if desk.actor.may("run", "fee_bill") and not paid and st.button(t("Take the bill back"), key=f"{key}_withdraw"):
            _do(desk, lambda work: fees.withdraw(work, bill.id), t("The bill is taken back."))

    dialog()


def _pay(desk: Desk, bill: Bill, still_open: Decimal, key: str) -> None:
    t = desk.t
    with st.form(f"{key}_pay", border=False):
        left, right = ui.columns(1, 1)
        amount = left.text_input(t("Amount received (negative for a refund)"), f"{still_open:.2f}", key=f"{key}_amount")
        day = right.date_input(t("Received on"), desk.today, key=f"{key}_day", format="YYYY-MM-DD")
        if st.form_submit_button(t("Record the payment"), type="primary"):
            # People copy amounts with separators and the full-width signs of Chinese keyboards.
            value = amount.strip().replace(",", "").replace("，", "").replace("−", "-")
            _do(desk, lambda work: fees.pay(work, bill.id, value, day), t("The payment is recorded."))


def _do(desk: Desk, step: Callable[[Any], Any], said: str) -> None:
    with forms.showing_errors(desk, "fee_payment") as outcome, desk.writing() as work:
        step(work)
    if outcome.ok:
        parts.say(said)


# Arrears


def _draw_arrears(desk: Desk, projects: dict[int, str]) -> None:
    t = desk.t
    project_id = _estate(desk, projects, ui.columns(1, 2)[0], "arrears")
    with desk.reading() as work:
        rows, whole, people = fees.arrears(
            work, project_id=project_id, page=parts.offset("arrears") // _SIZE, size=_SIZE
        )
    if whole is None:
        parts.nothing(t("Nothing is owed."))
        return
    ui.facts(
        [
            (t("Owed in all"), _money(desk, whole.total)), (t("Owners who owe"), f"{people:,}"),
            (t("Bills"), f"{whole.bills:,}"), (t("Oldest due"), desk.formats.day(whole.oldest_due_on)),
        ]
    )  # fmt: skip
    with st.container(border=True, key="lp_card_arrears"):
        ui.card_title(t("For how long it has been due"), t("Bills due up to today, less what was paid on them"))
        _draw_ages(desk, whole)
    columns = [
        Column("", t("Owner")), Column("", t("Units"), is_number=True), Column("", t("Bills"), is_number=True),
        Column("", t("Oldest due")), *(Column("", t(age), is_number=True) for age in _AGES),
        Column("", t("Owed"), is_number=True),
    ]  # fmt: skip
    cells = {
        row.customer_id: (
            Cell(row.owner or "•••"), Cell(f"{row.units:,}"), Cell(f"{row.bills:,}"),
            Cell(desk.formats.day(row.oldest_due_on)),
            *(Cell(_money(desk, amount) if amount else "–", "" if amount else "quiet") for amount in row.by_age),
            Cell(_money(desk, row.total), "bad"),
        )
        for row in rows
    }  # fmt: skip
    event = table(desk, columns, cells, title=t("Arrears by owner"), key="arrears_list")
    parts.pager(desk, "arrears", people)
    if event.open is not None:
        # Widgets drawn already cannot be set any more: the next run does it.
        st.session_state["lp_fees_next"] = {"fees_tab": "bills", "bills_state": "overdue"}
        st.query_params["customer"] = str(event.open)
        st.rerun()


def _draw_ages(desk: Desk, whole: Arrears) -> None:
    """Draw the sums as one bar, with the numbers under it for who does not see the bar."""
    t, total = desk.t, whole.total or Decimal(1)
    bar = "".join(
        f"<i style='width:{float(amount / total):.4%};background:{shade}'></i>"
        for amount, shade in zip(whole.by_age, _SHADES, strict=True)
        if amount
    )
    legend = "".join(
        f"<div><i style='background:{shade}'></i><dt>{html.escape(t(age))}</dt><dd>{_money(desk, amount)}</dd></div>"
        for amount, age, shade in zip(whole.by_age, _AGES, _SHADES, strict=True)
    )
    st.html(f"{_STYLE}<div class='lp-ages' aria-hidden='true'>{bar}</div><dl class='lp-legend'>{legend}</dl>")


# Making bills


def _draw_generate(desk: Desk, projects: dict[int, str]) -> None:
    t = desk.t
    with desk.reading() as work:
        types = {row.id: row for row in service_items.fee_types(work)}
    places = ui.columns(1, 1, 1)
    project_id = places[0].selectbox(
        t("Estate"), list(projects), index=None, format_func=projects.get, key="generate_project",
        placeholder=t("Choose"),
    )  # fmt: skip
    fee_type_id = places[1].selectbox(
        t("Type of fee"), list(types), index=None, format_func=lambda k: types[k].name, key="generate_type",
        placeholder=t("Choose"),
    )  # fmt: skip
    months = types[fee_type_id].period_months if fee_type_id else 1
    starts = _starts(desk.today, months)
    period_on = places[2].selectbox(
        t("Period from"), starts, index=_last_begun(starts, desk.today), format_func=desk.formats.month,
        key=f"generate_period_{months}",
    )  # fmt: skip
    if project_id is None or fee_type_id is None:
        ui.message(t("Choose the estate and the type of fee; what would be billed is shown before anything is made."))
        return
    with desk.reading() as work:
        shown = fees.preview(work, project_id, fee_type_id, period_on)
    _draw_preview(desk, shown)
    if shown.bills and st.button(
        t("Make {number} bills", number=f"{len(shown.bills):,}"), type="primary", key="generate_go",
        icon=":material/receipt_long:",
    ):  # fmt: skip
        with forms.showing_errors(desk) as outcome, desk.writing() as work:
            done = fees.generate(work, project_id, fee_type_id, period_on)
        if outcome.ok:
            parts.say(
                t(
                    "Bills made: {number}, {amount} in all",
                    number=f"{len(done.bills):,}",
                    amount=_money(desk, done.total),
                )
            )


def _starts(today: dt.date, months: int) -> list[dt.date]:
    """Return the first days of the periods around today, the latest first; the first of a year begins in January."""
    first = dt.date(today.year - 2, 1, 1)
    step = months if 12 % months == 0 else 1
    return [
        fees.add_months(first, n) for n in range(0, 37, step) if fees.add_months(first, n) <= fees.add_months(today, 12)
    ][::-1]


def _last_begun(starts: list[dt.date], today: dt.date) -> int:
    return next((place for place, day in enumerate(starts) if day <= today), 0)


def _draw_preview(desk: Desk, shown: Preview) -> None:
    t = desk.t
    ui.section(t("What would be billed"))
    ui.facts(
        [
            (t("Bills"), f"{len(shown.bills):,}"), (t("Sum"), _money(desk, shown.total)),
            (t("Period"), f"{desk.formats.day(shown.period_on)} – {desk.formats.day(shown.until_on)}"),
            (t("Due"), desk.formats.day(shown.due_on)), (t("Billed already"), f"{shown.billed:,}"),
            (t("Not handed over yet"), f"{shown.not_handed_over:,}"),
        ]
    )  # fmt: skip
    kind, rate = shown.fee_type, _money(desk, shown.fee_type.rate or Decimal(0))
    ui.message(
        t("{rate} a month × floor area × {months} months", rate=rate, months=kind.period_months)
        if kind.basis == "area"
        else t("{rate} a month × {months} months", rate=rate, months=kind.period_months)
    )
    for units, words in (
        (
            shown.ownerless,
            t(
                "Units without an owner on {day}: {number}",
                day=desk.formats.day(shown.period_on),
                number=len(shown.ownerless),
            ),
        ),
        (shown.unmeasured, t("Units without a floor area: {number}", number=len(shown.unmeasured))),
    ):
        if units:
            with st.expander(words, icon=":material/warning:"):
                ui.message(", ".join(units))
    if shown.bills:
        columns = [
            Column("", t("Unit")), Column("", t("Owner")), Column("", t("Area"), is_number=True),
            Column("", t("Amount"), is_number=True),
        ]  # fmt: skip
        cells = {
            bill.unit_id: (
                Cell(bill.unit), Cell(bill.owner or "•••"), Cell(f"{bill.area_sqm:,.2f} m²" if bill.area_sqm else "–"),
                Cell(_money(desk, bill.amount)),
            )
            for bill in shown.bills[:100]
        }  # fmt: skip
        with st.expander(t("The bills one by one")):
            table(desk, columns, cells, title=t("Bills"), key="generate_list", can_open=False)
            if len(shown.bills) > 100:
                ui.message(t("The first 100 are shown."))
