"""Owners: found by name, telephone or unit; added where sales missed them; changed on a day."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import demands as demand_page
from data_entry.pages import links, parts
from data_entry.pages.demand_words import STAGES
from data_entry.pages.desk import Desk
from data_entry.schema.estate import Building, Unit
from data_entry.services import demand_list, fees, owners, promises, records
from data_entry.services.owners import Owned
from loupan import ui

_SIZE = 20


def draw(desk: Desk) -> None:
    """Draw the list, or the unit that the address names."""
    parts.record_or_list(desk, _draw_unit, _draw_lists)


def _draw_lists(desk: Desk) -> None:
    t = desk.t
    with desk.reading() as work:
        missing = owners.missed(work, size=1)[1] if desk.actor.may("read", "unit_owner") else 0
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        tab = parts.views(
            t("What to show"),
            {"owners": t("Owners"), "missed": t("Missed by sales · {number}", number=f"{missing:,}")},
            "owners_tab",
        )
        if desk.actor.may("create", "unit_owner") and st.button(
            t("Add an owner"), icon=":material/add:", type="primary", key="owner_new"
        ):
            _enter(desk, None)
    with desk.reading() as work:
        projects = {option.id: option.caption for option in records.options(work, "project", limit=200)}
    with forms.showing_errors(desk):
        (_draw_list if tab == "owners" else _draw_missed)(desk, projects)


def _changed() -> None:
    parts.first_page("owners")


def _estate(desk: Desk, projects: dict[int, str], place: Any) -> int | None:
    chosen: int | None = place.selectbox(
        desk.t("Estate"), [None, *projects], format_func=lambda p: projects.get(p, desk.t("All estates")),
        key="owners_project", on_change=_changed,
    )  # fmt: skip
    return chosen


def _draw_list(desk: Desk, projects: dict[int, str]) -> None:
    t = desk.t
    places = ui.columns(2, 1, 1)
    text = places[0].text_input(
        t("Search"), key="owners_text", icon=":material/search:", placeholder=t("Name, telephone or unit"),
        on_change=_changed,
    )  # fmt: skip
    project_id = _estate(desk, projects, places[1])
    with places[2]:
        former = st.toggle(t("Former owners as well"), key="owners_former", on_change=_changed)
    with desk.reading() as work:
        rows, total = owners.search(
            work,
            text or "",
            project_id=project_id,
            with_former=former,
            page=parts.offset("owners") // _SIZE,
            size=_SIZE,
        )
    ui.message(t("{number} owners of units", number=f"{total:,}"))
    if not rows:
        parts.nothing(t("Nobody is found."))
        return
    columns = [
        Column("", t("Unit")), Column("", t("Owner")), Column("", t("Telephone")), Column("", t("Estate")),
        Column("", t("Area"), is_number=True), Column("", t("Since")), Column("", t("Until")),
    ]  # fmt: skip
    cells = {
        row.id: (
            Cell(row.unit), Cell(row.name or "•••"), Cell(row.phone or "–"), Cell(row.project),
            Cell(f"{row.area_sqm:,.2f} m²" if row.area_sqm else "–"), Cell(desk.formats.day(row.from_on)),
            Cell(desk.formats.day(row.to_on) if row.to_on else "–", "quiet"),
        )
        for row in rows
    }  # fmt: skip
    event = table(desk, columns, cells, title=t("Owners"), key="owners_list")
    parts.pager(desk, "owners", total)
    if event.open is not None:
        parts.open_record(next(row.unit_id for row in rows if row.id == event.open))


def _draw_missed(desk: Desk, projects: dict[int, str]) -> None:
    t = desk.t
    ui.message(
        t("Units sold without an owner on record. Adding makes the buyer the owner from the day of the contract.")
    )
    project_id = _estate(desk, projects, ui.columns(2, 1)[1])
    with desk.reading() as work:
        rows, total = owners.missed(work, project_id=project_id, page=parts.offset("owners") // _SIZE, size=_SIZE)
    if not rows:
        parts.nothing(t("Every unit sold has its owner on record."))
        return
    names = {
        row.deal_id: " · ".join((row.project, row.unit, row.name or "•••", desk.formats.day(row.contract_on)))
        for row in rows
    }
    if not desk.actor.may("create", "unit_owner"):
        for words in names.values():
            ui.message(words)
        return
    with st.form("owners_missed", border=False):
        chosen = [key for key, words in names.items() if st.checkbox(ui.plain(words), value=True, key=f"missed_{key}")]
        if st.form_submit_button(t("Add those ticked as owners"), type="primary"):
            with forms.showing_errors(desk) as outcome, desk.writing() as work:
                added = len(owners.adopt(work, chosen))
            if outcome.ok:
                parts.say(t("Owners added: {number}", number=added))
    parts.pager(desk, "owners", total)


# One unit


def _draw_unit(desk: Desk, unit_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        had = owners.history(work, unit_id)
        name = records.caption(work, "unit", unit_id)
    if not had:
        parts.nothing(t("Nobody is found."))
        return
    present = had[0]
    ui.section(name)
    ui.facts(
        [
            (t("Owner"), present.name or "•••"), (t("Telephone"), present.phone or "–"),
            (t("Since"), desk.formats.day(present.from_on)),
            (t("Area"), f"{present.area_sqm:,.2f} m²" if present.area_sqm else "–"),
        ]
    )  # fmt: skip
    _draw_actions(desk, present)
    left, right = ui.columns(1, 1)
    with left:
        ui.section(t("Owners of this unit"))
        for row in had:
            until = desk.formats.day(row.to_on) if row.to_on else t("today")
            ui.message(
                t(
                    "{name}: {since} to {until}",
                    name=row.name or "•••",
                    since=desk.formats.day(row.from_on),
                    until=until,
                )
            )
        _draw_fees(desk, present)
    with right:
        _draw_past(desk, present)


def _draw_actions(desk: Desk, present: Owned) -> None:
    t = desk.t
    with st.container(horizontal=True):
        if desk.actor.may("update", "unit_owner"):
            if st.button(t("Change of ownership"), icon=":material/swap_horiz:", key="owner_change", type="primary"):
                _enter(desk, present)
            if present.to_on is None and st.button(t("Ownership ends"), key="owner_end"):
                _end(desk, present)
        if desk.actor.may("update", "customer") and st.button(
            t("Details of the owner"), icon=":material/edit:", key="owner_edit"
        ):
            forms.open_record(
                desk, "customer", present.customer_id, may_delete=False,
                columns=["kind", "name", "gender", "phone", "email", "address", "note"],
            )  # fmt: skip
        if links.is_open("customer") and st.button(t("The customer"), icon=":material/person:", key="owner_customer"):
            links.go("customer", id=present.customer_id)
        if desk.actor.may("create", "demand") and st.button(
            t("New demand"), icon=":material/support_agent:", key="owner_demand"
        ):
            with desk.reading() as work:
                unit = work.get(Unit, present.unit_id)
                project_id = work.get(Building, unit.building_id).project_id
            demand_page.enter(desk, present.customer_id, present.unit_id, project_id)


def _draw_fees(desk: Desk, present: Owned) -> None:
    if not desk.actor.may("read", "fee_bill"):
        return
    t = desk.t
    with desk.reading() as work:
        bills, total, still_open = fees.bills(work, customer_id=present.customer_id, state="open", size=5)
    ui.section(t("Fees"))
    sign = desk.formats.currency_sign
    ui.message(
        t("{number} bills open: {amount}", number=total, amount=f"{sign}{still_open:,.2f}")
        if total
        else t("Nothing is open.")
    )
    for bill in bills:
        words = (bill.fee_type, desk.formats.day(bill.period_on), f"{sign}{bill.open:,.2f}")
        ui.message(" · ".join(words))


def _draw_past(desk: Desk, present: Owned) -> None:
    t = desk.t
    with desk.reading() as work:
        promised = promises.about(work, customer_id=present.customer_id, unit_id=present.unit_id)
        lines = []
        if desk.actor.may("read", "demand"):
            lines = demand_list.page_of(work, demand_list.Filters(view="all", customer_id=present.customer_id))
    ui.section(t("What was promised"))
    if not promised:
        ui.message(t("No promise is on record."))
    for promise in promised:
        state = {None: t("Open"), True: t("Kept"), False: t("Broken")}[promise.is_kept]
        ui.message(" · ".join((state, parts.moment(desk, promise.made_at), promise.who or t("Somebody"))))
        parts.quoted(promise.text or "•••")
    if desk.actor.may("create", "promise") and st.button(
        t("Record a promise"), icon=":material/handshake:", key="owner_promise"
    ):
        demand_page.record_promise(desk, present.customer_id, present.unit_id)
    ui.section(t("Demands"))
    if not lines:
        ui.message(t("None."))
    for line in lines:
        details = (line.category, parts.moment(desk, line.received_at), line.handler or "")
        if parts.entry(
            f"owner_demand_{line.id}", f"#{line.id} {line.title or ''}", details, mark=t(STAGES[line.stage])
        ):
            links.go("demands", id=line.id)


# Entry


def _enter(desk: Desk, present: Owned | None) -> None:
    t, key = desk.t, f"owner_{secrets.token_hex(4)}"

    @st.dialog(t("Change of ownership") if present else t("Add an owner"), width="large")
    def dialog() -> None:
        unit_id = present.unit_id if present else _pick_unit(desk, key)
        is_new = st.toggle(t("Somebody who is not on record yet"), key=f"{key}_is_new")
        person: Any = None
        if is_new:
            person = forms.fields(
                desk, "customer", columns=list(owners.NEW_OWNER), defaults={"kind": "person"}, key=key
            )
        else:
            person = forms.pick(desk, "customer", t("Owner"), key=f"{key}_customer")
        day = st.date_input(t("Owner from"), desk.today, key=f"{key}_day", format="YYYY-MM-DD")
        if st.button(t("Save"), type="primary", key=f"{key}_save", shortcut="Ctrl+Enter"):

            def step(work: Any) -> None:
                if is_new:
                    owners.new_person(work, unit_id, person, day)
                elif present:
                    owners.change(work, unit_id, person, day)
                else:
                    owners.add(work, unit_id, person, day)

            _do(desk, step, t("The owner is on record."))

    dialog()


def _pick_unit(desk: Desk, key: str) -> Any:
    project_id = forms.pick(desk, "project", desk.t("Estate"), key=f"{key}_project")
    if project_id is None:
        return None
    buildings = sa.select(Building.id).where(Building.project_id == project_id).correlate(None)
    return forms.pick(
        desk, "unit", desk.t("Unit"), key=f"{key}_unit_{project_id}", where=Unit.building_id.in_(buildings)
    )


def _end(desk: Desk, present: Owned) -> None:
    t, key = desk.t, f"owner_{secrets.token_hex(4)}"

    @st.dialog(t("Ownership ends"))
    def dialog() -> None:
        day = st.date_input(t("Last day"), desk.today, key=f"{key}_day", format="YYYY-MM-DD")
        if st.button(t("Save"), type="primary", key=f"{key}_save"):
            _do(desk, lambda work: owners.end(work, present.id, day), t("The end is on record."))

    dialog()


def _do(desk: Desk, step: Callable[[Any], Any], said: str) -> None:
    with forms.showing_errors(desk, "unit_owner") as outcome, desk.writing() as work:
        step(work)
    if outcome.ok:
        parts.say(said)
