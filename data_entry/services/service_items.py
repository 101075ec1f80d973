"""What the property company offers and charges: classes of services, their items, and types of fees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.service import FeeType, ServiceClass, ServiceItem
from data_entry.services import records
from data_entry.services.errors import Refused, Stale
from data_entry.services.given import Given
from data_entry.services.work import Work
from loupan.i18n import marked

Kind = type[ServiceClass] | type[ServiceItem] | type[FeeType]
BASES = ("area", "flat")


def save(
    work: Work, kind: Kind, values: Mapping[str, Any], key: int | None = None, row_version: int | None = None
) -> Any:
    """Add a class, an item or a type of fee, or change one; what is not among the values stays.

    Raises:
        Invalid: if values do not fit, or the name is taken within its class.
        Stale: if somebody else has changed it since it was read.
    """
    row: Any = kind() if key is None else work.get(kind, Given().key("id", key), "update", lock=True)
    if key is None:
        work.require("create", kind.__tablename__)
    elif row_version is not None and row.row_version != row_version:
        theirs = records.get(work, kind.__tablename__, row.id)
        raise Stale(marked("Somebody else has changed this record since you opened it."), values, theirs)
    given = Given()
    new = {column: _checked(given, column, value) for column, value in values.items()}
    if key is None and "name" not in values:
        given.text("name", None, required=True)
    given.check()
    if new.get("service_class_id") is not None:
        work.get(ServiceClass, new["service_class_id"])
    _refuse_taken(work, kind, row, new)
    for column, value in new.items():
        setattr(row, column, value)
    if key is None:
        return work.add(row)
    work.session.flush()
    return row


def _checked(given: Given, column: str, value: Any) -> Any:
    if column in ("name", "unit", "description"):
        longest = {"name": 200, "unit": 40}.get(column, 10_000)
        return given.text(column, value, longest, required=column == "name")
    if column == "rate":
        rate = None if value is None else given.money(column, value)
        if rate is not None and rate < 0:
            given.wrong(column, marked("This cannot be less than nothing."))
        return rate
    if column in ("period_months", "payment_days"):
        least, most = (1, 120) if column == "period_months" else (0, 3650)
        if not isinstance(value, int) or not least <= value <= most:
            given.wrong(column, marked("A whole number from {least} to {most}."), least=least, most=most)
        return value
    if column == "service_class_id":
        return given.key(column, value, required=False)
    if column == "basis":
        return given.choice(column, value, BASES)
    if column == "is_active":
        return bool(value)
    raise TypeError(f"no column {column!r} here")


def _refuse_taken(work: Work, kind: Kind, row: Any, new: Mapping[str, Any]) -> None:
    if "name" not in new and "service_class_id" not in new:
        return
    conditions = [kind.deleted_at.is_(None), kind.name == new.get("name", row.name)]
    if kind is ServiceItem:
        class_id = new.get("service_class_id", row.service_class_id)
        conditions.append(
            ServiceItem.service_class_id.is_(None) if class_id is None else ServiceItem.service_class_id == class_id
        )
    if row.id is not None:
        conditions.append(kind.id != row.id)
    if work.session.scalar(sa.select(sa.func.count()).select_from(kind).where(*conditions)):
        given = Given()
        given.wrong("name", marked("This name is taken."))
        given.check()


def retire(work: Work, kind: type[ServiceItem] | type[FeeType], key: int, *, is_active: bool = False) -> Any:
    """Take an item or a type of fee off offer, or back on; what was recorded with it stays."""
    row = work.get(kind, Given().key("id", key), "update", lock=True)
    if row.is_active == is_active:
        raise Refused(marked("Somebody has done this already."))
    row.is_active = is_active
    work.session.flush()
    return row


def items(work: Work, *, with_retired: bool = False) -> list[tuple[ServiceItem, str | None]]:
    """Return the items with the names of their classes, in their order."""
    work.require("read", "service_item")
    query = (
        sa.select(ServiceItem, ServiceClass.name)
        .outerjoin(ServiceClass, ServiceClass.id == ServiceItem.service_class_id)
        .where(ServiceItem.deleted_at.is_(None), reach(work.actor, "read", "service_item"))
        .order_by(ServiceClass.name.is_(None), ServiceClass.name, ServiceItem.name, ServiceItem.id)
    )
    if not with_retired:
        query = query.where(ServiceItem.is_active)
    rows: Any = work.session.execute(query)
    return [(item, name) for item, name in rows]


def classes(work: Work) -> list[ServiceClass]:
    """Return the classes of services by name."""
    work.require("read", "service_class")
    query = sa.select(ServiceClass).where(ServiceClass.deleted_at.is_(None), reach(work.actor, "read", "service_class"))
    return list(work.session.scalars(query.order_by(ServiceClass.name, ServiceClass.id)))


def fee_types(work: Work, *, with_retired: bool = False) -> list[FeeType]:
    """Return the types of fees by name."""
    work.require("read", "fee_type")
    query = sa.select(FeeType).where(FeeType.deleted_at.is_(None), reach(work.actor, "read", "fee_type"))
    if not with_retired:
        query = query.where(FeeType.is_active)
    return list(work.session.scalars(query.order_by(FeeType.name, FeeType.id)))
