"""Projects (楼盘), their buildings and units, and the dated prices of units."""

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class Project(Record):
    """An estate (楼盘) that is developed, sold and then managed."""

    name: Mapped[str] = col.text("Name.", required=True)
    type: Mapped[str | None] = col.text(
        "Kind of estate, e.g. residential, office, retail.", 100, vocabulary=True, label="Estate type"
    )
    district: Mapped[str | None] = col.text("District of the city.", 100, vocabulary=True)
    address: Mapped[str | None] = col.text("Street address.")
    description: Mapped[str | None] = col.text("Description for visitors.", None)
    opened_on: Mapped[dt.date | None] = col.day("Day sales opened.", label="Sales opened on")
    gross_margin_rate: Mapped[Decimal | None] = col.number("Gross margin as a share of the price, 0 to 1.", 6, 4)
    __table_args__ = (sa.CheckConstraint("gross_margin_rate <= 1", name="margin_is_a_share"),)


class Building(Record):
    """A building of a project."""

    project_id: Mapped[int] = col.ref("project", "Project.", index=False)
    name: Mapped[str] = col.text("Name.", required=True)
    presale_permit_on: Mapped[dt.date | None] = col.day(
        "Day of the pre-sale permit; empty while its units may not be sold."
    )
    handover_on: Mapped[dt.date | None] = col.day("Day the building is handed over to its owners.")
    __table_args__ = (sa.UniqueConstraint("project_id", "name"),)


class Unit(Record):
    """A dwelling, office, shop or parking space that can be sold."""

    building_id: Mapped[int] = col.ref("building", "Building.", index=False)
    number: Mapped[str] = col.text("Number within the building.", 40, required=True, label="Unit number")
    floor: Mapped[int | None] = col.count("Floor.")
    layout: Mapped[str | None] = col.text("Layout, e.g. 3 rooms 2 halls.", 100, vocabulary=True)
    area_sqm: Mapped[Decimal | None] = col.number("Floor area in m².", 10, 2)
    list_price: Mapped[Decimal | None] = col.money("Present list price of the whole unit.", required=False)
    status: Mapped[str] = col.choice(
        "State on the estate board.", "available", "reserved", "booked", "sold", "withheld", default="available"
    )
    __table_args__ = (
        sa.UniqueConstraint("building_id", "number"),
        sa.CheckConstraint("area_sqm > 0", name="area_is_positive"),
    )


class UnitPrice(Record):
    """The list and floor price of a unit from a day on."""

    unit_id: Mapped[int] = col.ref("unit", "Unit.", index=False)
    list_price: Mapped[Decimal] = col.money("List price of the whole unit.")
    floor_price: Mapped[Decimal | None] = col.money("Lowest price staff may agree to.", required=False)
    valid_from_on: Mapped[dt.date] = col.day("First day of validity.", required=True, label="Valid from")
    __table_args__ = (sa.UniqueConstraint("unit_id", "valid_from_on"),)


class UnitOwner(Record):
    """Who owns a unit, from one day to another; the property company bills the owner."""

    ingested = False
    unit_id: Mapped[int] = col.ref("unit", "Unit.")
    customer_id: Mapped[int] = col.ref("customer", "Owner.", label="Owner")
    from_on: Mapped[dt.date] = col.day("First day of ownership.", required=True, label="First day")
    to_on: Mapped[dt.date | None] = col.day(
        "Last day of ownership (inclusive); empty while it lasts.", label="Last day"
    )
    __table_args__ = (sa.CheckConstraint("to_on >= from_on", name="dates_in_order"),)
