"""Deals: bookings, contracts, swaps, amendments and cancellations, and who shares them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data.company import Company
from sample_data.estate import FLOOR_PRICE_SHARE
from sample_data.organisation import CONSULTANT, MANAGER
from sample_data.rows import NO_MOMENT, Array, where_known
from sample_data.unit_assignment import NO_UNIT, Assignment
from sample_data.world import World

AMEND_PROBABILITY, SHARED_PROBABILITY, WITHOUT_LEAD_PROBABILITY = 0.04, 0.22, 0.01
# Shares of colleagues who sold together, in millionths.
SPLITS = np.array([[500_000, 500_000, 0], [600_000, 400_000, 0], [700_000, 300_000, 0], [333_334, 333_333, 333_333]])
WITHHELD_SHARE = 0.02
UNIT_STATES = ("available", "reserved", "booked", "sold", "withheld")


@dataclass
class Deals:
    """The deals of a city company, all arrays by deal index; what lies after the end of the history is empty.

    ``unit`` is an index into the units or ``NO_UNIT``. ``root`` is the first deal of the chain, ``previous`` and
    ``successor`` its neighbours (-1 where none). ``price`` and ``amended`` are cents. ``owner`` is the employee
    index of whoever closed the contract.
    """

    ids: Array
    lead: Array
    unit: Array
    root: Array
    previous: Array
    successor: Array
    small_at: Array
    booking_at: Array
    contract_at: Array
    swap_at: Array
    amend_at: Array
    cancel_at: Array
    deposit: Array
    price: Array
    amended: Array
    owner: Array
    customer: Array
    estate: Array

    @property
    def is_signed(self) -> Array:
        """Say which deals have a contract."""
        return ~np.isnat(self.contract_at)

    @property
    def is_live(self) -> Array:
        """Say which deals are signed, and neither cancelled nor swapped away."""
        return self.is_signed & np.isnat(self.cancel_at) & (self.successor < 0)

    @property
    def first_at(self) -> Array:
        """Return the moment of the first event of each deal."""
        first = np.where(np.isnat(self.small_at), self.booking_at, self.small_at)
        return np.where(np.isnat(first), self.contract_at, first)


def draw_withheld(company: Company) -> Array:
    """Decide which units are kept back from sale."""
    return company.random("withheld").random(len(company.estates.unit_ids)) < WITHHELD_SHARE


def make_deals(company: Company) -> Deals:
    """Make deals, their events and shares out of what was planned and found a unit."""
    rng = company.random("deal")
    world, estates, leads = company.world, company.estates, company.leads
    clock = world.clock
    deals = _chains(world, company.assignment)
    count = len(deals.lead)
    deals.owner = leads.owner_at(deals.lead, np.where(deals.is_signed, deals.contract_at, deals.first_at))
    deals.customer, deals.estate = leads.customer[deals.lead], leads.estate[deals.lead]

    signed = deals.is_signed
    list_price = np.zeros(count, dtype=np.int64)
    list_price[signed] = estates.price(deals.unit[signed], deals.contract_at[signed].astype("datetime64[D]"))
    discount = rng.beta(1.6, 3.0, count) * (1 - FLOOR_PRICE_SHARE)
    agreed = np.ceil(list_price * (1 - discount) / 100_000).astype(np.int64) * 100_000
    deals.price = np.minimum(agreed, list_price)
    amends = signed & (rng.random(count) < AMEND_PROBABILITY)
    amend_at = np.where(amends, clock.later(rng, deals.contract_at, rng.exponential(20, count) + 1), NO_MOMENT)
    ended = np.where(np.isnat(deals.cancel_at), deals.swap_at, deals.cancel_at)
    amends &= clock.past(amend_at) & (np.isnat(ended) | (amend_at < ended))
    deals.amend_at = np.where(amends, amend_at, NO_MOMENT)
    change = np.round(deals.price * rng.normal(-0.002, 0.009, count) / 10_000).astype(np.int64) * 10_000
    deals.amended = np.where(amends, change, 0)
    deals.deposit = rng.integers(5, 21, count) * 1_000_000

    # Before a booking is made, the unit is often not chosen yet.
    unchosen = np.isnat(deals.booking_at) & ~signed & (rng.random(count) < 0.4)
    deals.unit = np.where(unchosen, NO_UNIT, deals.unit)
    created = clock.entered(rng, deals.first_at)
    world.batch.add(
        "deal",
        created,
        updated_at=np.where(np.isnat(deals.booking_at), NO_MOMENT, deals.booking_at),
        id=deals.ids,
        lead_id=where_known(rng.random(count) >= WITHOUT_LEAD_PROBABILITY, leads.ids[deals.lead]),
        customer_id=company.customers.ids[deals.customer],
        project_id=estates.ids[deals.estate],
        unit_id=where_known(deals.unit != NO_UNIT, estates.unit_ids[deals.unit]),
        swapped_from_id=where_known(deals.previous >= 0, deals.ids[deals.previous]),
    )
    world.truths.parameters["deal_without_lead_probability"] = WITHOUT_LEAD_PROBABILITY
    _add_events(company, rng, deals)
    _add_shares(company, rng, deals)
    return deals


def _chains(world: World, assignment: Assignment) -> Deals:
    """Turn plans into deals: one for each that found a unit, and one more for each swap."""
    clock = world.clock
    plan, unit, swaps = assignment.plan, assignment.unit, assignment.swaps

    def happened(moments: Array) -> Array:
        return np.where(clock.past(moments), moments, NO_MOMENT)

    first_at = np.where(np.isnat(plan.small_at), plan.booking_at, plan.small_at)
    real = np.flatnonzero(unit != NO_UNIT)
    real = real[np.argsort(first_at[real], kind="stable")]
    count, total = len(real), len(real) + len(swaps)
    index_of = dict(zip(real.tolist(), range(count), strict=True))

    def extended(values: Array, fill: object) -> Array:
        return np.concatenate([values, np.full(len(swaps), fill, dtype=values.dtype)])

    lead, unit_of = extended(plan.lead[real], 0), extended(unit[real], NO_UNIT)
    small_at = extended(happened(plan.small_at[real]), NO_MOMENT)
    booking_at = extended(happened(plan.booking_at[real]), NO_MOMENT)
    contract_at = extended(happened(plan.contract_at[real]), NO_MOMENT)
    cancel_at = extended(happened(plan.cancel_at[real]), NO_MOMENT)
    swap_at = np.full(total, NO_MOMENT)
    root, previous, successor = np.arange(total), np.full(total, -1), np.full(total, -1)
    for place, (k, new_unit, moment) in enumerate(swaps):
        new, old = count + place, index_of[k]
        index_of[k] = new
        lead[new], unit_of[new] = lead[old], new_unit
        swap_at[old] = np.datetime64(moment, "s")
        contract_at[new] = min(swap_at[old] + 600, clock.now - 1)
        cancel_at[new], cancel_at[old] = cancel_at[old], NO_MOMENT
        root[new], previous[new], successor[old] = root[old], old, new
    empty = np.empty(0)
    return Deals(
        ids=world.batch.reserve("deal", total), lead=lead, unit=unit_of,
        root=root, previous=previous, successor=successor,
        small_at=small_at, booking_at=booking_at, contract_at=contract_at, swap_at=swap_at, amend_at=empty,
        cancel_at=cancel_at, deposit=empty, price=empty, amended=empty, owner=empty, customer=empty, estate=empty,
    )  # fmt: skip


def _add_events(company: Company, rng: np.random.Generator, deals: Deals) -> None:
    world, master, staff, leads = company.world, company.master, company.staff, company.leads
    taken_back = np.where(deals.is_signed, deals.price + deals.amended, deals.deposit)
    reasons = master.cancel_reason_ids[rng.integers(0, len(master.cancel_reason_ids), len(deals.ids))]
    for kind, moments, amount in (
        ("small_booking", deals.small_at, np.minimum(deals.deposit // 10, 2_000_000)),
        ("booking", deals.booking_at, deals.deposit),
        ("contract", deals.contract_at, deals.price),
        ("amend", deals.amend_at, deals.amended),
        ("swap", deals.swap_at, np.zeros_like(deals.price)),
        ("cancel", deals.cancel_at, taken_back),
    ):
        deal = np.flatnonzero(~np.isnat(moments))
        at = moments[deal]
        explained = (rng.random(len(deal)) < 0.95) & (kind == "cancel")
        world.batch.add(
            "deal_event",
            world.clock.entered(rng, at, late_share=0.04),
            deal_id=deals.ids[deal],
            kind=kind,
            occurred_at=at,
            amount=amount[deal],
            employee_id=staff.ids[leads.owner_at(deals.lead[deal], at)],
            reason_id=where_known(explained, reasons[deal]),
        )


def _add_shares(company: Company, rng: np.random.Generator, deals: Deals) -> None:
    """Share some contracts with colleagues of the team; a swap keeps the shares of the first deal."""
    world, staff = company.world, company.staff
    count = len(deals.ids)
    colleague = np.full((count, 3), -1)
    colleague[:, 0] = deals.owner
    days = deals.contract_at.astype("datetime64[D]")
    for estate in np.unique(deals.estate):
        some = np.flatnonzero((deals.estate == estate) & deals.is_signed)
        stints = staff.of(CONSULTANT, int(estate)) + staff.of(MANAGER, int(estate))
        employees = np.array([s.employee for s in stints])
        for place in (1, 2):
            colleague[some, place] = employees[staff.pick(rng, stints, days[some])]
    split = rng.integers(0, len(SPLITS), count)
    different = (colleague[:, 1] != colleague[:, 0]) & (
        (split < 3) | ((colleague[:, 2] != colleague[:, 0]) & (colleague[:, 2] != colleague[:, 1]))
    )
    shared = deals.is_signed & different & (rng.random(count) < SHARED_PROBABILITY)
    root = deals.root
    for place in range(3):
        deal = np.flatnonzero(deals.is_signed & shared[root] & (SPLITS[split[root], place] > 0))
        world.batch.add(
            "deal_share",
            np.minimum(deals.contract_at[deal] + 1200, world.clock.now - 1),
            deal_id=deals.ids[deal],
            employee_id=staff.ids[colleague[root[deal], place]],
            share=SPLITS[split[root[deal]], place],
        )


def unit_states(company: Company) -> tuple[Array, Array]:
    """Return the state of each unit on the estate board now, and the moment it last changed."""
    estates, deals, withheld = company.estates, company.deals, company.withheld
    level = np.zeros(len(estates.unit_ids), dtype=np.int64)
    changed = np.full(len(estates.unit_ids), NO_MOMENT)
    held = np.isnat(deals.cancel_at) & (deals.successor < 0) & (deals.unit != NO_UNIT)
    for value, moments in ((1, deals.small_at), (2, deals.booking_at), (3, deals.contract_at)):
        some = held & ~np.isnat(moments)
        level[deals.unit[some]] = value
        changed[deals.unit[some]] = moments[some]
    kept_back = withheld | np.isnat(estates.permit_on[estates.unit_building])
    level[kept_back & (level == 0)] = 4
    return np.array(UNIT_STATES, object)[level], changed


def add_unit_owners(company: Company) -> None:
    """Make the buyers the owners of their units, from the handover of the building on."""
    estates, deals, clock = company.estates, company.deals, company.world.clock
    live = np.flatnonzero(deals.is_live)
    handover = estates.handover_on[estates.unit_building[deals.unit[live]]]
    since = np.maximum(handover, deals.contract_at[live].astype("datetime64[D]"))
    given = since < clock.today
    live, since = live[given], since[given]
    company.batch.add(
        "unit_owner",
        np.minimum(np.maximum(since.astype("datetime64[s]") + 9 * 3600, deals.contract_at[live] + 1800), clock.now - 1),
        unit_id=estates.unit_ids[deals.unit[live]],
        customer_id=company.customers.ids[deals.customer[live]],
        from_on=since,
    )


def outcome_by_lead(company: Company) -> tuple[Array, Array]:
    """Return by lead whether it has, or will have, a contract that holds, and the moment of its last deal event.

    Leads that found no free unit have neither.
    """
    world, leads, deals = company.world, company.leads, company.deals
    clock, plan, unit = world.clock, company.assignment.plan, company.assignment.unit
    first_at = np.where(np.isnat(plan.small_at), plan.booking_at, plan.small_at)
    carried_out = (unit != NO_UNIT) | ~clock.past(first_at)
    world.truths.count("supply_limited", int((~carried_out & ~np.isnat(plan.contract_at)).sum()))
    world.truths.count("contracts", int((deals.is_signed & (deals.previous < 0)).sum()))
    holds = carried_out & ~np.isnat(plan.contract_at) & ~clock.past(plan.cancel_at)
    signed = np.zeros(len(leads.ids), dtype=bool)
    signed[plan.lead[holds]] = True
    last = np.full(len(leads.ids), NO_MOMENT)
    for moments in (plan.small_at, plan.booking_at, plan.contract_at, plan.cancel_at):
        some = carried_out & ~np.isnat(moments)
        known = last[plan.lead[some]]
        last[plan.lead[some]] = np.where(np.isnat(known), moments[some], np.maximum(known, moments[some]))
    return signed, last
