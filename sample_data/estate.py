"""Estates, their buildings and units, and the dated prices of units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data import names
from sample_data import vocabulary as v
from sample_data.company import Company
from sample_data.rows import NO_DAY, NONE, Array, where_known
from sample_data.size import CityCompanySize

# Months between the start of the history and the opening of the first, second … estate.
OPENING_MONTHS = np.array([0, 0, 1, 3, 6, 10, 14, 19])
# Months from the permit of a building to its handover; the early estates were nearly built when they opened.
HANDOVER_MONTHS = np.array([11, 13, 15, 20, 22, 22, 24, 24])
WAVE_DAYS = 165
REVISION_DAYS = 182
UNITS_OF_A_BUILDING = 130
UNITS_OF_A_FLOOR = 4
AREAS_SQM = np.array([89.0, 118.0, 143.0, 186.0])
FLOOR_PRICE_SHARE = 0.93
PROJECT_EFFECT_SD = 0.20


@dataclass
class Estates:
    """The estates of a city company; units and buildings of all of them side by side.

    ``building_estate`` is an index from 0 within the city company, ``unit_building`` an index
    into the buildings. Prices of a building are revised on ``revision_on`` (buildings × revisions, ``NaT``
    where none) by ``price_factor``.
    """

    ids: Array
    names: list[str]
    opened_on: Array
    effect: Array
    building_ids: Array
    building_estate: Array
    permit_on: Array
    handover_on: Array
    revision_on: Array
    price_factor: Array
    unit_ids: Array
    unit_building: Array
    unit_number: Array
    unit_floor: Array
    unit_layout: Array
    area: Array
    base_price: Array

    def price(self, units: Array, days: Array) -> Array:
        """Return the list price, in cents, of each unit (index) as valid on each day; ``NONE`` before the permit."""
        building = self.unit_building[units]
        revision = (self.revision_on[building] <= days[:, None]).sum(axis=1) - 1
        factor = self.price_factor[building, np.maximum(revision, 0)]
        return where_known(revision >= 0, _rounded(self.base_price[units] * factor))


def _rounded(yuan: Array) -> Array:
    """Round prices to 100 yuan and return cents."""
    return np.round(yuan / 100).astype(np.int64) * 10_000


def _places(size: CityCompanySize) -> Array:
    """Return which of the eight typical histories each estate follows."""
    return np.round(np.linspace(0, len(OPENING_MONTHS) - 1, size.estates)).astype(int)


def opening_days(company: Company) -> Array:
    """Return the day on which each estate of the city company opens for sale."""
    rng = company.random("opening")
    size = company.size
    months = OPENING_MONTHS[_places(size)]
    return np.asarray(company.world.clock.start + 6 + (months * 30.4).astype(int) + rng.integers(0, 12, size.estates))


def estate_names(company: Company) -> list[str]:
    """Return the names of the estates of the city company."""
    first = company.size.first_estate
    return [names.estate(company.world.words, first + k) for k in range(company.size.estates)]


def make_estates(company: Company, estate_list: list[str], opened_on: Array) -> Estates:
    """Make projects, buildings and prices; the units are written by ``add_units`` when their state is known."""
    rng = company.random("estate")
    world, size = company.world, company.size
    clock, words, batch = world.clock, world.words, world.batch
    effect = PROJECT_EFFECT_SD * rng.standard_normal(size.estates)
    world.truths.add_effects("project", estate_list, effect)

    building_estate, building_number, permit_on, handover_on = _buildings(rng, size, opened_on)
    permit_on[permit_on >= clock.today] = NO_DAY
    entered = clock.start.astype("datetime64[s]") - np.timedelta64(60, "D")
    place = (size.first_estate + np.arange(size.estates)) % len(v.DISTRICTS)
    districts, streets = words.all(v.DISTRICTS)[place], words.all(v.STREETS)[place]
    building_counts = np.bincount(building_estate, minlength=size.estates)
    project_ids = batch.add(
        "project",
        entered,
        name=np.array(estate_list, dtype=object),
        type=words.all([v.RESIDENTIAL, v.RESIDENTIAL, v.MIXED, v.RESIDENTIAL])[place % 4],
        district=districts,
        address=[
            words(v.ADDRESS).format(street=street, number=number)
            for street, number in zip(streets, rng.integers(1, 900, size.estates), strict=True)
        ],
        description=[
            words(v.ESTATE_DESCRIPTION).format(name=name, district=district, count=buildings)
            for name, district, buildings in zip(estate_list, districts, building_counts, strict=True)
        ],
        opened_on=opened_on,
        gross_margin_rate=rng.integers(140, 300, size.estates) * 10,
    )
    building_ids = batch.add(
        "building",
        entered,
        updated_at=permit_on.astype("datetime64[s]"),
        project_id=project_ids[building_estate],
        name=[words(v.BUILDING).format(number) for number in building_number],
        presale_permit_on=permit_on,
        handover_on=handover_on,
    )
    revision_on, price_factor = _revisions(rng, clock.today, permit_on)
    unit_building, number, floor = _units(size, building_estate)
    unit_estate = building_estate[unit_building]
    layout = (number % 100 - 1) % UNITS_OF_A_FLOOR
    area = np.round((AREAS_SQM[layout] + rng.normal(0, 2.5, len(layout))) * 100).astype(np.int64)
    price_per_sqm = rng.uniform(16_000, 34_000, size.estates)[unit_estate]
    base_price = area / 100 * price_per_sqm * (0.96 + 0.004 * floor) * np.exp(rng.normal(0, 0.02, len(area)))
    return Estates(
        ids=project_ids, names=estate_list, opened_on=opened_on, effect=effect,
        building_ids=building_ids, building_estate=building_estate, permit_on=permit_on, handover_on=handover_on,
        revision_on=revision_on, price_factor=price_factor,
        unit_ids=batch.reserve("unit", len(area)), unit_building=unit_building,
        unit_number=number, unit_floor=floor, unit_layout=layout, area=area, base_price=base_price,
    )  # fmt: skip


def _buildings(rng: np.random.Generator, size: CityCompanySize, opened_on: Array) -> tuple[Array, Array, Array, Array]:
    """Return estate, number, day of permit and day of handover of each building."""
    count = max(2, round(size.units / size.estates / UNITS_OF_A_BUILDING))
    estate = np.repeat(np.arange(size.estates), count)
    number = np.tile(np.arange(1, count + 1), size.estates)
    # Two buildings at the opening, then wave after wave.
    wave = np.maximum(number - 2, 0)
    permit_on = opened_on[estate] + wave * WAVE_DAYS + rng.integers(0, 15, len(wave)) * (wave > 0)
    months = HANDOVER_MONTHS[_places(size)][estate]
    handover_on = permit_on + (months * 30.4).astype(int) + rng.integers(-15, 30, len(wave))
    return estate, number, permit_on, handover_on


def _revisions(rng: np.random.Generator, today: np.datetime64, permit_on: Array) -> tuple[Array, Array]:
    """Return the days on which each building's prices changed (the first with its permit), and the factors."""
    steps = 7
    day = permit_on[:, None] + np.arange(steps) * REVISION_DAYS
    day = np.where(day < today, day, NO_DAY)
    change = rng.normal(0.012, 0.018, (len(permit_on), steps))
    change[:, 0] = 0
    return day, np.exp(np.cumsum(change, axis=1))


def _units(size: CityCompanySize, building_estate: Array) -> tuple[Array, Array, Array]:
    """Return building, number and floor of each unit; numbers run 101, 102 … 201 …"""
    buildings = len(building_estate)
    building = np.sort(np.arange(size.units) % buildings)
    position = np.arange(size.units) - np.searchsorted(building, building)
    floor = position // UNITS_OF_A_FLOOR + 1
    return building, floor * 100 + position % UNITS_OF_A_FLOOR + 1, floor


def add_units(company: Company, status: Array, changed_at: Array) -> None:
    """Write the units with their state and present price, and all their dated prices.

    Args:
        company: the city company.
        status: state of each unit on the estate board.
        changed_at: moment of the last change of the state; ``NaT`` if it never changed.
    """
    rng = company.random("unit")
    world, estates = company.world, company.estates
    clock, batch = world.clock, world.batch
    units = np.arange(len(estates.unit_ids))
    entered = clock.start.astype("datetime64[s]") - np.timedelta64(50, "D")
    present = estates.price(units, np.full(len(units), clock.today))
    batch.add(
        "unit",
        entered,
        updated_at=changed_at,
        id=estates.unit_ids,
        building_id=estates.building_ids[estates.unit_building],
        number=estates.unit_number.astype(str).astype(object),
        floor=estates.unit_floor,
        layout=world.words.all(v.LAYOUTS)[estates.unit_layout],
        area_sqm=estates.area,
        list_price=np.where(present == NONE, _rounded(estates.base_price), present),
        status=status,
    )
    revision_on = estates.revision_on[estates.unit_building]
    unit, revision = np.nonzero(~np.isnat(revision_on))
    list_price = _rounded(estates.base_price[unit] * estates.price_factor[estates.unit_building[unit], revision])
    day = revision_on[unit, revision]
    batch.add(
        "unit_price",
        np.minimum(day.astype("datetime64[s]") + 9 * 3600, clock.now - np.timedelta64(1, "s")),
        unit_id=estates.unit_ids[unit],
        list_price=list_price,
        floor_price=where_known(rng.random(len(unit)) > 0.03, np.round(list_price * FLOOR_PRICE_SHARE / 100) * 100),
        valid_from_on=day,
    )
