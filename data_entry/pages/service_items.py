"""What the property company offers and charges: services with their rates, their classes, and types of fees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.schema.service import FeeType, ServiceClass, ServiceItem
from data_entry.services import service_items
from loupan import ui
from loupan.i18n import marked

_BASES = {"area": marked("Floor area"), "flat": marked("Flat")}
_ITEM = ["name", "service_class_id", "rate", "unit", "description", "is_active"]
_FEE = ["name", "rate", "basis", "unit", "period_months", "payment_days", "is_active"]


def draw(desk: Desk) -> None:
    """Draw the services, their classes, and the types of fees."""
    parts.hear()
    t = desk.t
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        tab = parts.views(
            t("What to show"),
            {"items": t("Services"), "classes": t("Classes"), "fees": t("Types of fees")},
            "services_tab",
        )
        retired = tab != "classes" and st.toggle(t("Retired ones as well"), key="services_retired")
    with forms.showing_errors(desk):
        if tab == "items":
            _draw_items(desk, retired)
        elif tab == "classes":
            _draw_classes(desk)
        else:
            _draw_fee_types(desk, retired)


def _saved(desk: Desk, kind: service_items.Kind, key: int | None) -> Callable[[dict[str, Any]], int | None]:
    def save(values: dict[str, Any]) -> int | None:
        version = values.pop("row_version", None)
        with desk.writing() as work:
            return service_items.save(work, kind, values, key, version).id

    return save


def _edit(desk: Desk, kind: service_items.Kind, key: int | None, columns: list[str]) -> None:
    defaults = {"is_active": True} if "is_active" in columns else {}
    forms.open_record(
        desk,
        kind.__tablename__,
        key,
        columns=columns,
        defaults=defaults,
        save=_saved(desk, kind, key),
        may_delete=False,
    )


def _new(desk: Desk, kind: service_items.Kind, words: str, columns: list[str]) -> None:
    if desk.actor.may("create", kind.__tablename__) and st.button(
        words, icon=":material/add:", type="primary", key=f"new_{kind.__tablename__}"
    ):
        _edit(desk, kind, None, columns)


def _rate(desk: Desk, row: Any) -> str:
    if row.rate is None:
        return "–"
    amount = f"{desk.formats.currency_sign}{row.rate:,.2f}"
    return f"{amount} ({row.unit})" if row.unit else amount


def _offer(desk: Desk, row: Any) -> Cell:
    return Cell(desk.t("On offer"), "good") if row.is_active else Cell(desk.t("Retired"), "quiet")


def _draw_items(desk: Desk, retired: bool) -> None:
    t = desk.t
    _new(desk, ServiceItem, t("New service"), _ITEM)
    with desk.reading() as work:
        rows = service_items.items(work, with_retired=retired)
    if not rows:
        parts.nothing(t("No service is on offer yet."))
        return
    columns = [
        Column("", t("Service")), Column("", t("Class")), Column("", t("Rate"), is_number=True),
        Column("", t("What it comprises")), Column("", t("State")),
    ]  # fmt: skip
    cells = {
        item.id: (
            Cell(item.name), Cell(name or "–"), Cell(_rate(desk, item)), Cell((item.description or "–")[:120]),
            _offer(desk, item),
        )
        for item, name in rows
    }  # fmt: skip
    event = table(desk, columns, cells, title=t("Services"), key="items_list")
    if event.open is not None:
        _edit(desk, ServiceItem, event.open, _ITEM)
    if desk.actor.may("update", "service_item"):
        _draw_retire(desk, ServiceItem, {item.id: item.name for item, _ in rows if item.is_active})


def _draw_retire(desk: Desk, kind: type[ServiceItem] | type[FeeType], names: dict[int, str]) -> None:
    t = desk.t
    with st.expander(t("Retire one")), st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = parts.choice(desk, t("Which"), names, key=f"retire_{kind.__tablename__}", empty=t("None"))
        if st.button(t("Retire"), key=f"retire_{kind.__tablename__}_go", disabled=chosen is None):
            with forms.showing_errors(desk) as outcome, desk.writing() as work:
                service_items.retire(work, kind, chosen)
            if outcome.ok:
                parts.say(t("Retired: {name}", name=names[chosen]))


def _draw_classes(desk: Desk) -> None:
    t = desk.t
    _new(desk, ServiceClass, t("New class"), ["name"])
    with desk.reading() as work:
        rows = service_items.classes(work)
        items = service_items.items(work)
    if not rows:
        parts.nothing(t("There are no classes yet."))
        return
    columns = [Column("", t("Class")), Column("", t("Services on offer"), is_number=True)]
    cells = {
        row.id: (Cell(row.name), Cell(str(sum(item.service_class_id == row.id for item, _ in items)))) for row in rows
    }
    event = table(desk, columns, cells, title=t("Classes of services"), key="classes_list")
    if event.open is not None:
        _edit(desk, ServiceClass, event.open, ["name"])


def _draw_fee_types(desk: Desk, retired: bool) -> None:
    t = desk.t
    _new(desk, FeeType, t("New type of fee"), _FEE)
    ui.message(t("The rate is a price per month; a bill is the rate × its basis × the months it covers."))
    with desk.reading() as work:
        rows = service_items.fee_types(work, with_retired=retired)
    if not rows:
        parts.nothing(t("There are no types of fees yet."))
        return
    columns = [
        Column("", t("Type of fee")), Column("", t("Rate"), is_number=True), Column("", t("By")),
        Column("", t("Months of a bill"), is_number=True), Column("", t("Days to pay"), is_number=True),
        Column("", t("State")),
    ]  # fmt: skip
    cells = {
        row.id: (
            Cell(row.name), Cell(_rate(desk, row)), Cell(t(_BASES[row.basis])), Cell(str(row.period_months)),
            Cell(str(row.payment_days)), _offer(desk, row),
        )
        for row in rows
    }  # fmt: skip
    event = table(desk, columns, cells, title=t("Types of fees"), key="fee_types_list")
    if event.open is not None:
        _edit(desk, FeeType, event.open, _FEE)
    if desk.actor.may("update", "fee_type"):
        _draw_retire(desk, FeeType, {row.id: row.name for row in rows if row.is_active})
