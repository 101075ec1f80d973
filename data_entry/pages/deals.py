"""Deals by stage, and one deal: its steps, its plan, its payments, and what can be done next."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from data_entry.pages import links
from data_entry.pages import sales_parts as parts
from data_entry.pages.customer import state_badge
from data_entry.pages.desk import Desk
from data_entry.pages.estate_board import begin, plan_name, unit_names
from data_entry.schema.deal import Deal, DealEvent, DealShare, Reason
from data_entry.schema.organisation import Employee
from data_entry.services import deals, estates
from data_entry.services.deals import Listed, Money
from data_entry.services.leads import STAGES
from data_entry.services.work import Work
from loupan import ui
from loupan.i18n import marked

_SIZE = 20
_PAID = {
    "deposit": marked("Deposit paid"),
    "down_payment": marked("Down payment"),
    "balance": marked("Balance"),
    "mortgage": marked("Mortgage paid out"),
    "instalment": marked("Instalment paid"),
    "refund": marked("Refund"),
}


def draw(desk: Desk) -> None:
    """Draw the page: one deal where the address names it, else all by stage."""
    parts.style()
    key = links.chosen("id")
    if key is not None:
        _one(desk, key)
    else:
        _all(desk)


def _list_name(desk: Desk, name: str) -> str:
    return desk.t("Ended") if name == "ended" else parts.word(desk, name)


def _all(desk: Desk) -> None:
    t = desk.t
    with desk.reading() as work:
        projects = parts.projects(work)
    one, two, three = ui.columns(2, 1, 1)
    text = one.text_input(t("Find a deal"), key="deals_text", placeholder=t("Customer or unit"), on_change=_first_page)
    project_id = None
    with two:
        if len(projects) > 1:
            project_id = parts.choose(desk, t("Estate"), projects, "deals_project", is_filter=True)
    with three, st.container(vertical_alignment="bottom", height="stretch"):
        if desk.actor.may("create", "deal") and st.button(
            t("New deal"), type="primary", icon=":material/add:", key="deals_new"
        ):
            own = [key for key in projects if key in desk.actor.project_ids]
            parts.dialog(
                t("New deal"), lambda: _new(desk, projects, project_id or (own[0] if own else None)), is_wide=True
            )
    stage = st.session_state.get("deals_stage") or "small_booking"
    page = int(st.session_state.get("deals_page", 0))
    with desk.reading() as work:
        _, counts = deals.listing(work, stage, project_id=project_id, text=text, size=0)
    stage = st.segmented_control(
        t("Stage"), list(deals.LISTS), default=next((name for name in deals.LISTS if counts[name]), "small_booking"),
        format_func=lambda each: f"{_list_name(desk, each)} {counts[each]:,}", key="deals_stage", required=True,
        on_change=_first_page,
    )  # fmt: skip
    with desk.reading() as work:
        rows, counts = deals.listing(
            work, stage or "small_booking", project_id=project_id, text=text, page=page, size=_SIZE
        )
        owed = deals.moneys(work, {row.deal.id: row.state for row in rows})
    if not rows:
        st.html(f"<p class='lp-empty'>{t('No deal here.')}</p>")
    for row in rows:
        _card(desk, row, owed[row.deal.id])
    parts.pager(desk, "deals_page", counts[stage or "small_booking"], _SIZE)


def _first_page() -> None:
    st.session_state["deals_page"] = 0


def _new(desk: Desk, projects: dict[int, str], first: int | None) -> None:
    project_id = parts.choose(desk, desk.t("Estate"), projects, "new_deal_project", first, is_needed=True)
    if project_id is not None:
        begin(desk, project_id, None)


def _customer(desk: Desk, row: Listed) -> str:
    return row.customer or desk.t("Customer {number}", number=row.deal.customer_id)


def _card(desk: Desk, row: Listed, owed: Money) -> None:
    t = desk.t
    with st.container(border=True, key=f"lp_card_deal_{row.deal.id}"):
        who, what, figures = st.columns([2, 2, 3], gap="small", vertical_alignment="center")
        with who:
            if st.button(
                ui.plain(_customer(desk, row)), key=f"deal_{row.deal.id}", type="tertiary", icon=":material/contract:"
            ):
                links.go("deals", id=row.deal.id)
        with what:
            ui.message(f"{row.project} · {row.unit or t('no unit yet')}")
        with figures:
            amount = row.state.price if row.state.price is not None else row.state.deposit
            st.html(parts.badges(state_badge(desk, row.state)))
            told = [
                parts.money(desk, amount),
                t("paid {amount}", amount=parts.money(desk, owed.paid)),
                t("overdue {amount}", amount=parts.money(desk, owed.overdue)) if owed.overdue > 0 else None,
                parts.day(desk, row.state.last_at.date()) if row.state.last_at else None,
            ]
            ui.message(" · ".join(filter(None, told)))


def _one(desk: Desk, key: int) -> None:
    t = desk.t
    with desk.reading() as work:
        deal = work.get(Deal, key)
        row = deals.listed(work, [key])[0]
        owed, due, paid = deals.money(work, key), deals.dues(work, key), deals.payments(work, key)
        rights = {action: work.may_with(action, deal) for action in ("update", "cancel")}
        events = work.session.scalars(
            sa.select(DealEvent)
            .where(DealEvent.deal_id == key, DealEvent.deleted_at.is_(None))
            .order_by(DealEvent.occurred_at, DealEvent.id)
        ).all()
        people: dict[int, str] = dict(work.session.execute(sa.select(Employee.id, Employee.name)).all())
        why: dict[int, str] = dict(work.session.execute(sa.select(Reason.id, Reason.name)).all())
        shares = work.session.scalars(
            sa.select(DealShare).where(DealShare.deal_id == key, DealShare.deleted_at.is_(None))
        ).all()
        successor = work.session.scalar(
            sa.select(Deal.id).where(Deal.swapped_from_id == key, Deal.deleted_at.is_(None)).limit(1)
        )
    state = row.state
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(t("All deals"), icon=":material/arrow_back:", key="deal_back"):
            links.go("deals")
        if links.is_open("customer") and st.button(
            ui.plain(_customer(desk, row)), icon=":material/person:", key="deal_customer"
        ):
            links.go("customer", id=deal.customer_id)
        for other, label in ((deal.swapped_from_id, t("Deal before the swap")), (successor, t("Deal after the swap"))):
            if other is not None and st.button(label, key=f"deal_other_{other}", icon=":material/swap_horiz:"):
                links.go("deals", id=other)
    with st.container(border=True, key="lp_card_deal"):
        ui.card_title(f"{row.project} · {row.unit or t('no unit yet')} · {_customer(desk, row)}")
        st.html(parts.badges(state_badge(desk, state)))
        ui.facts(
            [
                (t("Contract price"), parts.money(desk, state.price)),
                (t("Deposit"), parts.money(desk, state.deposit)),
                (t("Paid"), parts.money(desk, owed.paid)),
                (t("Due by today"), parts.money(desk, owed.due)),
                (t("Overdue"), parts.money(desk, owed.overdue if state.is_live else None)),
            ]
        )
        if state.is_live and owed.gap != 0:
            st.warning(
                t("The payment plan differs from the price by {amount}.", amount=ui.plain(parts.money(desk, owed.gap))),
                icon=":material/balance:",
            )
        if state.is_active:
            _actions(desk, row, rights)
    left, right = ui.columns(1, 1)
    with left:
        ui.section(t("Steps"))
        steps = [
            {
                t("Step"): parts.happened(desk, event.kind),
                t("When"): parts.moment(desk, event.occurred_at),
                t("Amount"): parts.money(desk, event.amount),
                t("Employee"): " · ".join(
                    filter(None, [people.get(event.employee_id or 0), why.get(event.reason_id or 0)])
                ),
            }
            for event in events
        ]
        if steps:
            ui.table(pd.DataFrame(steps), t("Steps"), is_words=True)
        if shares:
            ui.message(
                t("Shared by {shares}", shares=t(", ").join(
                    f"{people.get(share.employee_id, '')} {share.share * 100:.4g} %" for share in shares
                ))
            )  # fmt: skip
    with right:
        ui.section(t("Payment plan"))
        if due:
            plan = [
                {t("Due on"): parts.day(desk, each.due_on), t("Amount"): parts.money(desk, each.amount)} for each in due
            ]
            ui.table(pd.DataFrame(plan), t("Payment plan"))
        else:
            ui.message(t("There is no plan yet."))
        ui.section(t("Payments"))
        _payments(desk, paid, may_void=rights["update"] and desk.actor.may("update", "payment"))


def _payments(desk: Desk, paid: list[deals.Payment], *, may_void: bool) -> None:
    t = desk.t
    if not paid:
        ui.message(t("Nothing was paid yet."))
    for each in paid:
        with st.container(horizontal=True, vertical_alignment="center", key=f"lp_payment_{each.id}"):
            kind = t(_PAID[each.kind]) if each.kind in _PAID else (each.kind or "")
            void = f" <b>({t('void')})</b>" if each.is_void else ""
            st.html(
                f"<div>{parts.day(desk, each.received_on)} · {parts.html.escape(kind)} · "
                f"{parts.money(desk, each.amount)}{void}</div>",
                width="stretch",
            )
            if may_void and not each.is_void and st.button(t("Void"), key=f"void_{each.id}", type="tertiary"):
                parts.dialog(t("Void this payment"), partial(_void, desk, each))


def _void(desk: Desk, payment: deals.Payment) -> None:
    ui.message(desk.t("The entry stays to be seen, and no longer counts."))
    parts.submit(desk, desk.t("Void"), lambda work: deals.void_payment(work, payment.id), key="void_save")


def _actions(desk: Desk, row: Listed, rights: dict[str, bool]) -> None:
    t, state, key = desk.t, row.state, row.deal.id
    offered: list[tuple[str, str, str, Callable[[], None]]] = []
    if rights["update"]:
        for stage in STAGES[STAGES.index(state.stage or STAGES[0]) + 1 :]:
            offered.append(
                (stage, parts.word(desk, stage), ":material/arrow_forward:", partial(_advance, desk, row, stage))
            )
        offered.append(("pay", t("Payment"), ":material/payments:", lambda: _pay(desk, key)))
        if state.is_live:
            offered += [
                ("plan", t("Payment plan"), ":material/calendar_month:", lambda: _plan(desk, key)),
                ("swap", t("Swap the unit"), ":material/swap_horiz:", lambda: _swap(desk, row)),
                ("amend", t("Amend the price"), ":material/price_change:", lambda: _amend(desk, row)),
            ]
        offered.append(("share", t("Share the credit"), ":material/groups:", lambda: _share(desk, key)))
    if rights["cancel"]:
        offered.append(("cancel", t("Cancel the deal"), ":material/cancel:", lambda: _cancel(desk, row)))
    with st.container(horizontal=True):
        for name, label, icon, show in offered:
            if st.button(label, icon=icon, key=f"deal_{name}"):
                parts.dialog(label, show, is_wide=name in ("plan", "swap"))


def _advance(desk: Desk, row: Listed, stage: str) -> None:
    t, deal = desk.t, row.deal
    with desk.reading() as work:
        units = unit_names(desk, work, deal.project_id)
        prices = estates.prices(work, deal.unit_id)[:1] if deal.unit_id else []
    if deal.unit_id is not None:
        units = {deal.unit_id: row.unit or "", **units}
    unit_id = parts.choose(desk, t("Unit"), units, "advance_unit", deal.unit_id)
    is_contract = stage == "contract"
    value = parts.amount(
        desk, t("Contract price") if is_contract else t("Deposit"), "advance_amount",
        prices[0].list_price if is_contract and prices else None,
    )  # fmt: skip
    at = parts.when(desk, "advance_when")
    parts.submit(
        desk, t("Record"), lambda work: deals.advance(work, deal.id, stage, value, unit_id=unit_id, occurred_at=at),
        key="advance_save",
    )  # fmt: skip


def _pay(desk: Desk, key: int) -> None:
    t = desk.t
    kind = st.selectbox(
        t("Kind of payment"), list(deals.PAYMENT_KINDS), format_func=lambda each: t(_PAID[each]), key="pay_kind",
        index=None, placeholder=t("Choose"),
    )  # fmt: skip
    value = parts.amount(desk, t("Amount"), "pay_amount")
    on = st.date_input(t("Received on"), value=desk.today, max_value=desk.today, key="pay_on", format="YYYY-MM-DD")

    def act(work: Work) -> None:
        signed = -value if value is not None and kind == "refund" else value
        deals.pay(work, key, signed, kind, on)

    parts.submit(desk, t("Record"), act, key="pay_save")


def _plan(desk: Desk, key: int) -> None:
    t = desk.t
    with desk.reading() as work:
        total, contract_on = deals.to_plan(work, key)
        present = [(due.due_on, due.amount) for due in deals.dues(work, key)]
    ui.message(t("The instalments must sum to {amount}.", amount=parts.money(desk, total)))
    template = st.segmented_control(
        t("How it is paid"), ["present", *deals.PLANS] if present else list(deals.PLANS),
        format_func=lambda each: t("As agreed") if each == "present" else plan_name(desk, each),
        default="present" if present else "mortgage", key="plan_template", required=True,
    )  # fmt: skip
    rows = present if template == "present" else deals.draft_plan(template or "mortgage", total, contract_on)
    due, amount = t("Due on"), t("Amount")
    edited = st.data_editor(
        pd.DataFrame({due: [row[0] for row in rows], amount: [float(row[1]) for row in rows]}),
        num_rows="dynamic", hide_index=True, width="stretch", key=f"plan_rows_{template}",
        column_config={
            due: st.column_config.DateColumn(due, required=True, min_value=contract_on),
            amount: st.column_config.NumberColumn(amount, required=True, min_value=0.0, format="%.2f"),
        },
    )  # fmt: skip

    def act(work: Work) -> None:
        deals.set_plan(work, key, [(_day(on), _number(value)) for on, value in edited.itertuples(index=False)])

    parts.submit(desk, t("Save"), act, key="plan_save")


def _day(value: object) -> Any:
    return None if value is None or pd.isna(value) else pd.Timestamp(value).date()  # type: ignore[arg-type, call-overload]


def _number(value: object) -> Any:
    return None if value is None or pd.isna(value) else Decimal(f"{float(value):.2f}")  # type: ignore[arg-type, call-overload]


def _swap(desk: Desk, row: Listed) -> None:
    t, deal = desk.t, row.deal
    ui.message(t("This deal ends, and a new one begins with the other unit; for the statistics they are one sale."))
    with desk.reading() as work:
        units = unit_names(desk, work, deal.project_id)
    unit_id = parts.choose(desk, t("New unit"), units, "swap_unit")
    with desk.reading() as work:
        prices = estates.prices(work, unit_id)[:1] if unit_id is not None else []
    price = parts.amount(
        desk, t("Contract price"), f"swap_price_{unit_id}", prices[0].list_price if prices else row.state.price
    )
    at = parts.when(desk, "swap_when")
    parts.submit(
        desk, t("Swap the unit"), lambda work: deals.swap(work, deal.id, unit_id or 0, price, occurred_at=at),
        key="swap_save",
    )  # fmt: skip


def _amend(desk: Desk, row: Listed) -> None:
    t = desk.t
    ui.message(t("The price is {price}.", price=parts.money(desk, row.state.price)))
    value = parts.amount(desk, t("Difference (negative lowers the price)"), "amend_amount", is_signed=True)
    at = parts.when(desk, "amend_when")
    parts.submit(
        desk, t("Record"), lambda work: deals.amend(work, row.deal.id, value, occurred_at=at), key="amend_save"
    )


def _share(desk: Desk, key: int) -> None:
    t = desk.t
    with desk.reading() as work:
        present = {
            share.employee_id: float(share.share * 100)
            for share in work.session.scalars(
                sa.select(DealShare).where(DealShare.deal_id == key, DealShare.deleted_at.is_(None))
            )
        }
        ids = set(present) | set(desk.actor.colleague_ids)
        people = {
            row.id: f"{row.name} ({row.number})"
            for row in work.session.scalars(sa.select(Employee).where(Employee.id.in_(ids)).order_by(Employee.name))
        }
    chosen = st.multiselect(
        t("Who sold it"), list(people), default=list(present), format_func=lambda each: people[each],
        key="share_people", placeholder=t("Choose"),
    )  # fmt: skip
    shares = {
        each: st.number_input(
            f"{people[each]} (%)", 0.0, 100.0, present.get(each, round(100 / len(chosen), 4)), key=f"share_{each}"
        )
        for each in chosen
    }

    def act(work: Work) -> None:
        deals.share_out(work, key, {each: Decimal(f"{share:.4f}") / 100 for each, share in shares.items()})

    parts.submit(desk, t("Save"), act, key="share_save")


def _cancel(desk: Desk, row: Listed) -> None:
    t, state = desk.t, row.state
    with desk.reading() as work:
        offered = parts.reasons(work, "cancel")
    reason_id = parts.choose(desk, t("Why it is cancelled"), offered, "cancel_reason")
    value = None
    if state.stage == "contract":
        ui.message(t("The whole price is taken back: {price}.", price=parts.money(desk, state.price)))
    else:
        value = parts.amount(desk, t("Deposit given back"), "cancel_amount", state.deposit)
    keeps_looking = st.checkbox(t("The customer keeps looking: reopen the lead"), key="cancel_keeps_looking")
    at = parts.when(desk, "cancel_when")
    parts.submit(
        desk, t("Cancel the deal"),
        lambda work: deals.cancel(
            work, row.deal.id, reason_id, value, occurred_at=at, keeps_looking=keeps_looking
        ),
        key="cancel_save",
    )  # fmt: skip
