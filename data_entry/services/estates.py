"""Estates: the board of units, their prices over time, and own and competing estates side by side."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.competition import Competitor, CompetitorObservation, CompetitorProject
from data_entry.schema.customer import Customer, Feature
from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.estate import Building, Project, Unit, UnitPrice
from data_entry.schema.organisation import Employee
from data_entry.services.deals import holder_of
from data_entry.services.entries import amount, invalid
from data_entry.services.errors import Refused
from data_entry.services.leads import deal_events, deal_state
from data_entry.services.work import Work
from loupan.i18n import marked

STATES = ("available", "reserved", "booked", "sold", "withheld")


@dataclass(frozen=True)
class Place:
    """A unit on the board.

    Attributes:
        unit: the row.
        price_per_sqm: list price per square metre, None where either is unknown.
        deal_id, customer_id, customer: the deal that holds it and who buys, as far as the actor may know.
    """

    unit: Unit
    price_per_sqm: Decimal | None
    deal_id: int | None = None
    customer_id: int | None = None
    customer: str | None = None


@dataclass
class Block:
    """A building on the board.

    Attributes:
        building: the row.
        floors: the units by floor, the highest floor first; None for units without one.
        has_permit: whether its units may be sold today.
    """

    building: Building
    has_permit: bool
    floors: list[tuple[int | None, list[Place]]] = field(default_factory=list)

    @property
    def places(self) -> list[Place]:
        """All its units."""
        return [place for _, places in self.floors for place in places]


def projects(work: Work) -> list[Project]:
    """Return the estates that the actor may read, by name."""
    work.require("read", "project")
    return list(
        work.session.scalars(
            sa.select(Project)
            .where(Project.deleted_at.is_(None), reach(work.actor, "read", "project"))
            .order_by(Project.name)
        )
    )


def board(work: Work, project_id: int) -> list[Block]:
    """Return the buildings of an estate with their units, and who holds these as far as the actor may know."""
    work.require("read", "unit")
    project = work.get(Project, project_id)
    session = work.session
    buildings = session.scalars(
        sa.select(Building)
        .where(Building.project_id == project.id, Building.deleted_at.is_(None))
        .order_by(Building.name, Building.id)
    ).all()
    units = session.scalars(
        sa.select(Unit)
        .where(Unit.building_id.in_([b.id for b in buildings]), Unit.deleted_at.is_(None))
        .order_by(Unit.number, Unit.id)
    ).all()
    holders = _holders(work, project.id)
    blocks = []
    for building in buildings:
        by_floor: dict[int | None, list[Place]] = {}
        for unit in units:
            if unit.building_id == building.id:
                deal_id, customer_id, name = holders.get(unit.id, (None, None, None))
                by_floor.setdefault(unit.floor, []).append(
                    Place(unit, per_sqm(unit.list_price, unit.area_sqm), deal_id, customer_id, name)
                )
        permit = building.presale_permit_on
        floors = sorted(by_floor.items(), key=lambda pair: (pair[0] is None, -(pair[0] or 0)))
        blocks.append(Block(building, permit is not None and permit <= work.today, floors))
    return blocks


def per_sqm(price: Decimal | None, area: Decimal | None) -> Decimal | None:
    """Return a price per square metre in whole units of the currency."""
    return (price / area).quantize(Decimal(1)) if price is not None and area else None


def _holders(work: Work, project_id: int) -> dict[int, tuple[int, int, str | None]]:
    """Return deal, customer and name by unit, of the deals in force that the actor may read."""
    if not work.actor.may("read", "deal"):
        return {}
    found = work.session.scalars(
        sa.select(Deal).where(
            Deal.project_id == project_id, Deal.unit_id.is_not(None), Deal.deleted_at.is_(None),
            reach(work.actor, "read", "deal"),
        )
    ).all()  # fmt: skip
    events = deal_events(work.session, [deal.id for deal in found])
    held = {
        deal.unit_id: deal
        for deal in sorted(found, key=lambda d: d.id)
        if deal_state(events.get(deal.id, [])).is_active
    }
    customer = Customer.__table__
    names: dict[int, str | None] = dict(
        work.session.execute(
            sa.select(customer.c.id, customer.c.name).where(
                customer.c.id.in_([deal.customer_id for deal in held.values()]),
                reach(work.actor, "read", "customer"), reach(work.actor, "personal", "customer"),
            )
        ).all()
    )  # fmt: skip
    return {
        unit_id: (deal.id, deal.customer_id, names.get(deal.customer_id))
        for unit_id, deal in held.items()
        if unit_id is not None
    }


def prices(work: Work, unit_id: int) -> list[UnitPrice]:
    """Return the prices of a unit, the latest first."""
    unit = work.get(Unit, unit_id)
    work.require("read", "unit_price")
    return list(
        work.session.scalars(
            sa.select(UnitPrice)
            .where(UnitPrice.unit_id == unit.id, UnitPrice.deleted_at.is_(None))
            .order_by(UnitPrice.valid_from_on.desc())
        )
    )


def set_price(work: Work, unit_id: int, list_price: Any, floor_price: Any = None) -> UnitPrice:
    """Give a unit a new price from today on; what was before stays on record.

    Args:
        work: the open work.
        unit_id: key of the unit.
        list_price: price of the whole unit.
        floor_price: the lowest that staff may agree to; None for none.

    Raises:
        Refused: if a contract fixes the price.
        Invalid: if an amount does not fit, or the lowest price lies above the list price.
    """
    work.require("create", "unit_price")
    wanted = amount(list_price, "list_price")
    lowest = None if floor_price is None else amount(floor_price, "floor_price")
    if lowest is not None and lowest > wanted:
        raise invalid("floor_price", marked("The lowest price lies above the list price."))
    unit = work.get(Unit, unit_id, "update", lock=True)
    holder = holder_of(work, unit.id)
    if holder is not None and holder[1].is_live:
        raise Refused(marked("Unit {unit} is sold already."), unit=unit.number)
    row = work.session.scalar(
        sa.select(UnitPrice).where(UnitPrice.unit_id == unit.id, UnitPrice.valid_from_on == work.today)
    )
    if row is None:
        row = UnitPrice(unit_id=unit.id, valid_from_on=work.today)
        work.session.add(row)
    row.list_price, row.floor_price, row.deleted_at = wanted, lowest, None
    unit.list_price = wanted
    work.session.flush()
    work.require_with("create", row)
    return row


def set_status(work: Work, unit_id: int, status: str) -> Unit:
    """Withhold a unit from sale, reserve it, or release it.

    Raises:
        Refused: if a deal holds the unit: then the deals say how it stands.
        Invalid: for a state that follows from deals.
    """
    if status not in ("available", "reserved", "withheld"):
        raise invalid("status", marked("This state follows from the deals."))
    unit = work.get(Unit, unit_id, "update", lock=True)
    if holder_of(work, unit.id) is not None:
        raise Refused(marked("A deal holds unit {unit}. Cancel the deal first."), unit=unit.number)
    unit.status = status
    work.session.flush()
    return unit


def sellable(work: Work, project_id: int) -> list[tuple[Unit, Building]]:
    """Return the units of an estate that may be sold today and nobody holds, by building and number."""
    work.require("read", "unit")
    taken = {place.unit.id for block in board(work, project_id) for place in block.places if place.deal_id}
    rows = work.session.execute(
        sa.select(Unit, Building)
        .join(Building, Building.id == Unit.building_id)
        .where(
            Building.project_id == project_id, Building.presale_permit_on <= work.today, Building.deleted_at.is_(None),
            Unit.status.in_(("available", "reserved")), Unit.deleted_at.is_(None),
        )
        .order_by(Building.name, Unit.floor, Unit.number)
    )  # fmt: skip
    return [(unit, building) for unit, building in rows if unit.id not in taken]


@dataclass(frozen=True)
class Seen:
    """The latest observation of one feature of a competing estate."""

    value: str
    observed_on: dt.date
    source_url: str | None
    observer: str | None


@dataclass(frozen=True)
class Own:
    """What an own estate offers now.

    Attributes:
        project: the row.
        units, available, sold: how many.
        price_per_sqm: mean list price per square metre of what is available, weighted by area.
        smallest, largest: floor areas in m².
        sold_last_30_days: contracts signed in the last 30 days.
    """

    project: Project
    units: int
    available: int
    sold: int
    price_per_sqm: Decimal | None
    smallest: Decimal | None
    largest: Decimal | None
    sold_last_30_days: int


@dataclass(frozen=True)
class Rival:
    """A competing estate with the latest observation by feature."""

    estate: CompetitorProject
    company: str | None
    seen: dict[int, Seen]


@dataclass(frozen=True)
class Comparison:
    """An own estate beside those it competes with.

    Attributes:
        own: the own estate.
        seen: what was observed of it, by feature, as of its rivals.
        rivals: the competing ones, by level and name.
        features: the features that were observed of any, in the order of the form.
    """

    own: Own
    seen: dict[int, Seen]
    rivals: list[Rival]
    features: list[Feature]


def own_estate(work: Work, project_id: int) -> Own:
    """Return what an own estate offers now."""
    project = work.get(Project, project_id)
    work.require("read", "unit")
    units = work.session.scalars(
        sa.select(Unit)
        .join(Building, Building.id == Unit.building_id)
        .where(Building.project_id == project.id, Building.deleted_at.is_(None), Unit.deleted_at.is_(None))
    ).all()
    free = [unit for unit in units if unit.status == "available"]
    priced = [unit for unit in free if unit.list_price is not None and unit.area_sqm]
    total = sum((unit.list_price or Decimal(0) for unit in priced), Decimal(0))
    area = sum((unit.area_sqm or Decimal(0) for unit in priced), Decimal(0))
    areas = [unit.area_sqm for unit in units if unit.area_sqm]
    signed = work.session.scalar(
        sa.select(sa.func.count(sa.distinct(DealEvent.deal_id)))
        .join(Deal, Deal.id == DealEvent.deal_id)
        .where(
            Deal.project_id == project.id, Deal.deleted_at.is_(None), Deal.swapped_from_id.is_(None),
            DealEvent.kind == "contract", DealEvent.deleted_at.is_(None),
            DealEvent.occurred_at >= work.now - dt.timedelta(days=30), DealEvent.occurred_at <= work.now,
        )
    )  # fmt: skip
    return Own(
        project, len(units), len(free), sum(unit.status == "sold" for unit in units), per_sqm(total, area),
        min(areas, default=None), max(areas, default=None), signed or 0,
    )  # fmt: skip


def comparison(work: Work, project_id: int) -> Comparison:
    """Return an own estate beside the competing ones, each feature with its latest observation."""
    work.require("read", "competitor_project")
    own = own_estate(work, project_id)
    session = work.session
    estates = session.execute(
        sa.select(CompetitorProject, Competitor.name)
        .outerjoin(Competitor, Competitor.id == CompetitorProject.competitor_id)
        .where(
            CompetitorProject.own_project_id == project_id, CompetitorProject.deleted_at.is_(None),
            reach(work.actor, "read", "competitor_project"),
        )
        .order_by(CompetitorProject.level, CompetitorProject.name)
    ).all()  # fmt: skip
    seen = _latest(work, [estate.id for estate, _ in estates])
    features = session.scalars(
        sa.select(Feature)
        .where(
            Feature.entity == "competitor_project", Feature.deleted_at.is_(None),
            Feature.id.in_({feature_id for each in seen.values() for feature_id in each}),
        )
        .order_by(sa.func.coalesce(Feature.sequence, 10_000), Feature.id)
    ).all()  # fmt: skip
    ours = [estate.id for estate, _ in estates if estate.is_own]
    rivals = [Rival(estate, name, seen.get(estate.id, {})) for estate, name in estates if not estate.is_own]
    return Comparison(own, seen.get(ours[0], {}) if ours else {}, rivals, list(features))


def _latest(work: Work, competitor_project_ids: Sequence[int]) -> dict[int, dict[int, Seen]]:
    if not work.actor.may("read", "competitor_observation"):
        return {}
    place = (
        sa.func.row_number()
        .over(
            partition_by=(CompetitorObservation.competitor_project_id, CompetitorObservation.feature_id),
            order_by=(CompetitorObservation.observed_on.desc(), CompetitorObservation.id.desc()),
        )
        .label("place")
    )
    ranked = (
        sa.select(CompetitorObservation.id, place)
        .where(
            CompetitorObservation.competitor_project_id.in_(competitor_project_ids),
            CompetitorObservation.deleted_at.is_(None), CompetitorObservation.value.is_not(None),
            reach(work.actor, "read", "competitor_observation"),
        )
        .subquery()
    )  # fmt: skip
    rows = work.session.execute(
        sa.select(CompetitorObservation, Employee.name)
        .join(ranked, ranked.c.id == CompetitorObservation.id)
        .outerjoin(Employee, Employee.id == CompetitorObservation.employee_id)
        .where(ranked.c.place == 1)
    )
    found: dict[int, dict[int, Seen]] = {}
    for observation, observer in rows:
        found.setdefault(observation.competitor_project_id, {})[observation.feature_id] = Seen(
            observation.value or "", observation.observed_on, observation.source_url, observer
        )
    return found
