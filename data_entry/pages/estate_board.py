"""The estate board: a building's floors and units, coloured by state; a click leads to the unit and its booking."""

from __future__ import annotations

from collections import Counter
from functools import partial

import streamlit as st

from data_entry.pages import links
from data_entry.pages import sales_parts as parts
from data_entry.pages.desk import Desk
from data_entry.schema.estate import Building
from data_entry.services import customers, deals, estates
from data_entry.services.estates import STATES, Block, Place
from data_entry.services.work import Work
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import marked

# A sign beside the colour: who cannot tell the colours apart reads it.
_SIGNS = {"available": "○", "reserved": "◔", "booked": "◑", "sold": "●", "withheld": "✕"}
_TINTS = {"available": "#009e73", "reserved": "#e69f00", "booked": "#cc79a7", "sold": "#0072b2", "withheld": "#8a949f"}
_PLANS = {
    "lump_sum": marked("Lump sum"),
    "mortgage": marked("Down payment and mortgage"),
    "instalments": marked("Instalments"),
}


def draw(desk: Desk) -> None:
    """Draw the page."""
    t = desk.t
    parts.style()
    project_id = parts.choose_estate(desk, t("Estate"), "board_project")
    if project_id is None:
        return
    with desk.reading() as work:
        blocks = estates.board(work, project_id)
    if not blocks:
        ui.message(t("This estate has no building yet."))
        return
    by_key = {block.building.id: block for block in blocks}
    key = st.segmented_control(
        t("Building"), list(by_key), default=blocks[0].building.id, key=f"board_building_{project_id}", required=True,
        format_func=lambda each: ui.plain(_building_label(desk, by_key[each])),
    )  # fmt: skip
    block = by_key[key or blocks[0].building.id]
    if not block.has_permit:
        st.warning(t("This building has no pre-sale permit yet: its units may not be sold."), icon=":material/gavel:")
    _legend(desk, block)
    _grid(desk, block)


def _building_label(desk: Desk, block: Block) -> str:
    free = sum(place.unit.status == "available" for place in block.places)
    return desk.t(
        "{building}: {free} of {total} free", building=block.building.name, free=free, total=len(block.places)
    )


def _legend(desk: Desk, block: Block) -> None:
    counts = Counter(place.unit.status for place in block.places)
    rules = "".join(
        f"[class*='st-key-lp_unit_{state}_'] button {{ background: color-mix(in srgb, {tint} 24%, var(--lp-surface)); "
        f"border-color: {tint}; }}"
        for state, tint in _TINTS.items()
    )
    st.html(
        f"<style>{rules} [class*='st-key-lp_unit_'] button {{ min-height: 3.4rem; padding: 0.2rem 0.4rem; "
        "line-height: 1.25; min-width: 6.2rem; } [class*='st-key-lp_unit_'] button p { font-size: 0.85rem; } "
        "[class*='st-key-lp_floor_'] { border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); "
        "padding-bottom: 0.35rem; } .lp-floor { font-weight: 600; min-width: 3.2rem; margin: 0; } "
        # On a telephone a floor takes several lines: they begin below its name, not beside it.
        "@media (max-width: 640px) { "
        "[class*='st-key-lp_floor_'] > :first-child { flex: 1 0 100%; width: 100%; } }</style>"
        + "".join(
            f"<span class='lp-badge' style='border-color:{_TINTS[state]};background:color-mix(in srgb,{_TINTS[state]} "
            f"24%,transparent)'>{_SIGNS[state]} {parts.html.escape(parts.word(desk, state))} {counts[state]}</span>"
            for state in STATES
        )
    )


def _grid(desk: Desk, block: Block) -> None:
    t = desk.t
    for floor, places in block.floors:
        name = t("Floor {floor}", floor=floor) if floor is not None else NO_DATA
        with st.container(horizontal=True, vertical_alignment="center", key=f"lp_floor_{block.building.id}_{floor}"):
            st.html(f"<p class='lp-floor'>{parts.html.escape(name)}</p>", width="content")
            for place in places:
                _unit(desk, block, place)


def _unit(desk: Desk, block: Block, place: Place) -> None:
    unit = place.unit
    price = desk.formats.value(float(unit.list_price), "currency") if unit.list_price is not None else NO_DATA
    with st.container(key=f"lp_unit_{unit.status}_{unit.id}", width="content"):
        is_wanted = st.button(
            f"{_SIGNS[unit.status]} {ui.plain(unit.number)}  \n{ui.plain(price)}", key=f"board_unit_{unit.id}",
            help=parts.word(desk, unit.status),
        )  # fmt: skip
    if is_wanted:
        parts.dialog(
            ui.plain(f"{block.building.name} {unit.number}"),
            lambda: _details(desk, block.building, place),
            is_wide=True,
        )


def _details(desk: Desk, building: Building, place: Place) -> None:
    t = desk.t
    unit = place.unit
    area = f"{unit.area_sqm:,.2f} m²" if unit.area_sqm is not None else NO_DATA
    ui.facts(
        [
            (t("State"), parts.word(desk, unit.status)),
            (t("Layout"), unit.layout or NO_DATA),
            (t("Area"), area),
            (t("List price"), parts.money(desk, unit.list_price)),
            (t("Price per m²"), parts.money(desk, place.price_per_sqm)),
        ]
    )
    if place.deal_id is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.message(t("Held by {customer}", customer=place.customer or t("a customer")))
            if links.is_open("deals") and st.button(t("Open the deal"), key="unit_deal", icon=":material/contract:"):
                links.go("deals", id=place.deal_id)
    elif unit.status in ("available", "reserved") and desk.actor.may("create", "deal"):
        ui.card_title(t("Book this unit"))
        begin(desk, building.project_id, unit.id)
    _prices(desk, place)


def begin(desk: Desk, project_id: int, unit_id: int | None, lead_id: int | None = None) -> None:
    """Draw the form that begins a deal: the customer, how far it goes at once, and the amount.

    Args:
        desk: the reader.
        project_id: the estate.
        unit_id: the unit, None to choose it here.
        lead_id: the lead, None to choose it here.
    """
    t = desk.t
    with desk.reading() as work:
        offered = open_leads(desk, work, project_id) if lead_id is None else {}
        units = {} if unit_id is not None else unit_names(desk, work, project_id)
        price = estates.prices(work, unit_id)[:1] if unit_id is not None else []
    if lead_id is None:
        lead_id = parts.choose(desk, t("Customer"), offered, "begin_lead", is_needed=True)
        if not offered:
            ui.message(t("You have no open lead in this estate."))
    if unit_id is None:
        unit_id = parts.choose(desk, t("Unit"), units, "begin_unit")
    stage = st.segmented_control(
        t("How far"), list(deals.UNIT_STATUS), format_func=lambda each: parts.word(desk, each), default="small_booking",
        key="begin_stage", required=True,
    )  # fmt: skip
    is_contract = stage == "contract"
    proposed = price[0].list_price if is_contract and price else None
    value = parts.amount(
        desk, t("Contract price") if is_contract else t("Deposit"), f"begin_amount_{is_contract}", proposed
    )
    at = parts.when(desk, "begin_when")

    def act(work: Work) -> None:
        deals.open_deal(work, lead_id or 0, stage or "", value, unit_id=unit_id, occurred_at=at)

    parts.submit(desk, t("Record"), act, key="begin_save")


def open_leads(desk: Desk, work: Work, project_id: int) -> dict[int, str]:
    """Return the open leads of an estate that the actor may take further, by key, as the customers are called."""
    rows, _ = customers.listing(work, view="all", project_id=project_id, size=500)
    found: dict[int, str] = {}
    for row in rows:
        for way in row.ways:
            if way.lead.project_id == project_id and way.state != "lost":
                name = row.customer.name if row.is_known else None
                found[way.lead.id] = f"{name or desk.t('Customer {number}', number=row.customer.id)} #{row.customer.id}"
    return found


def unit_names(desk: Desk, work: Work, project_id: int) -> dict[int, str]:
    """Return the units of an estate that can be sold today, by key, with layout and list price."""
    return {
        unit.id: " · ".join(
            filter(None, [f"{building.name} {unit.number}", unit.layout, parts.money(desk, unit.list_price)])
        )
        for unit, building in estates.sellable(work, project_id)
    }


def _prices(desk: Desk, place: Place) -> None:
    t = desk.t
    unit = place.unit
    with desk.reading() as work:
        history = estates.prices(work, unit.id)
        may_change = desk.actor.may("update", "unit") and work.may_with("update", unit)
    if history:
        ui.card_title(t("Prices"))
        show_floor = desk.actor.may("approve", "deal") or may_change
        for row in history[:8]:
            floor = f" · {t('lowest')} {parts.money(desk, row.floor_price)}" if show_floor and row.floor_price else ""
            ui.message(f"{parts.day(desk, row.valid_from_on)}: {parts.money(desk, row.list_price)}{floor}")
    if not may_change:
        return
    with st.expander(t("Change price or state")):
        first, second = ui.columns(1, 1)
        with first:
            wanted = parts.amount(desk, t("List price"), "unit_list_price", unit.list_price)
        with second:
            lowest = parts.amount(
                desk, t("Lowest price"), "unit_floor_price", history[0].floor_price if history else None
            )
        parts.submit(
            desk,
            t("Price from today on"),
            lambda work: estates.set_price(work, unit.id, wanted, lowest),
            key="unit_price",
        )
        if place.deal_id is None:
            for status, label in (
                ("available", t("Release for sale")), ("withheld", t("Withhold from sale")), ("reserved", t("Reserve")),
            ):  # fmt: skip
                if status != unit.status:
                    parts.submit(
                        desk, label, partial(estates.set_status, unit_id=unit.id, status=status), key=f"unit_{status}"
                    )


def plan_name(desk: Desk, template: str) -> str:
    """Return what a way to pay is called."""
    return desk.t(_PLANS[template])
