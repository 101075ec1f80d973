"""Which unit each deal gets: bookings, swaps and cancellations played through in the order of time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from sample_data.clock import lognormal_days
from sample_data.company import Company
from sample_data.rows import NO_MOMENT, Array

CANCEL_PROBABILITY, SWAP_PROBABILITY, SECOND_DEAL_PROBABILITY = 0.05, 0.03, 0.10
NO_UNIT = -1
# What can happen to a unit; at the same moment it is first given back, then taken.
CANCEL, TAKE, SWAP = 0, 1, 2


@dataclass
class PlannedDeals:
    """What is meant to happen, by planned deal; what finds no unit does not happen."""

    lead: Array
    small_at: Array
    booking_at: Array
    contract_at: Array
    swap_at: Array
    second_swap_at: Array
    cancel_at: Array


def plan_deals(company: Company) -> PlannedDeals:
    """Plan the deals of all leads that book something, with swaps, cancellations and second tries."""
    rng = company.random("plan")
    world, journeys = company.world, company.journeys
    clock = world.clock
    begins = ~np.isnat(journeys.small_booking_at) | ~np.isnat(journeys.booking_at)
    some = np.flatnonzero(begins)
    count = len(some)
    contract_at = journeys.contract_at[some]
    swaps = rng.random(count) < SWAP_PROBABILITY
    swap_at = np.where(swaps, clock.later(rng, contract_at, lognormal_days(rng, 25.0, 0.7, count)), NO_MOMENT)
    twice = swaps & (rng.random(count) < 0.12)
    second_swap_at = np.where(twice, clock.later(rng, swap_at, lognormal_days(rng, 30.0, 0.7, count)), NO_MOMENT)
    signed_last = contract_at
    for moments in (swap_at, second_swap_at):
        signed_last = np.where(np.isnat(moments), signed_last, moments)
    cancels = journeys.signs[some] & (rng.random(count) < CANCEL_PROBABILITY)
    cancel_at = np.where(
        cancels, clock.later(rng, signed_last, lognormal_days(rng, 40.0, 0.8, count)), journeys.give_up_at[some]
    )
    # Some of those who cancelled a contract buy again.
    back = np.flatnonzero(cancels & (rng.random(count) < SECOND_DEAL_PROBABILITY))
    booking_at = clock.later(rng, cancel_at[back], rng.exponential(30, len(back)) + 5)
    never = np.full(len(back), NO_MOMENT)
    world.truths.parameters.update(cancel_probability=CANCEL_PROBABILITY, swap_probability=SWAP_PROBABILITY)
    return PlannedDeals(
        lead=np.concatenate([journeys.lead[some], journeys.lead[some[back]]]),
        small_at=np.concatenate([journeys.small_booking_at[some], never]),
        booking_at=np.concatenate([journeys.booking_at[some], booking_at]),
        contract_at=np.concatenate([contract_at, clock.later(rng, booking_at, np.full(len(back), 6.0))]),
        swap_at=np.concatenate([swap_at, never]),
        second_swap_at=np.concatenate([second_swap_at, never]),
        cancel_at=np.concatenate([cancel_at, never]),
    )


@dataclass
class Assignment:
    """What came of the planned deals.

    ``unit`` is the unit (index) of each planned deal, ``NO_UNIT`` where none was free or the deal lies in the future;
    ``swaps`` are those that took place, in order: (planned deal, new unit, moment in seconds).
    """

    plan: PlannedDeals
    unit: Array
    swaps: list[tuple[int, int, int]]


class _Board:
    """The estate board of one estate: which units are free, as time goes by."""

    def __init__(self, rng: np.random.Generator, waves: list[tuple[np.int64, list[int]]]) -> None:
        self.rng = rng
        self.waves = sorted(waves, reverse=True)
        self.free: list[int] = []

    def take(self, moment: int) -> int:
        """Return a free unit and take it off the board, or ``NO_UNIT``."""
        while self.waves and self.waves[-1][0] <= moment:
            self.free += self.waves.pop()[1]
        if not self.free:
            return NO_UNIT
        place = int(self.rng.random() * len(self.free))
        self.free[place], self.free[-1] = self.free[-1], self.free[place]
        return self.free.pop()

    def give_back(self, unit: int) -> None:
        """Put a unit back on the board."""
        self.free.append(unit)


def assign_units(company: Company, plan: PlannedDeals) -> Assignment:
    """Hand out units in the order of time, so that no unit is sold twice."""
    rng = company.random("units")
    estates, leads, withheld = company.estates, company.leads, company.withheld
    clock = company.world.clock
    unit = np.full(len(plan.lead), NO_UNIT)
    swaps: list[tuple[int, int, int]] = []
    first_at = np.where(np.isnat(plan.small_at), plan.booking_at, plan.small_at)
    permit = estates.permit_on[estates.unit_building]
    end = int(clock.now.astype(np.int64))
    for estate in range(len(estates.ids)):
        waves = []
        for building in np.flatnonzero((estates.building_estate == estate) & ~np.isnat(estates.permit_on)):
            units = np.flatnonzero((estates.unit_building == building) & ~withheld & ~np.isnat(permit))
            waves.append((estates.permit_on[building].astype("datetime64[s]").astype(np.int64), units.tolist()))
        board = _Board(rng, waves)
        current: dict[int, int] = {}
        some = np.flatnonzero((leads.estate[plan.lead] == estate) & clock.past(first_at))
        queue = [(int(first_at[k].astype(np.int64)), TAKE, int(k)) for k in some]
        heapq.heapify(queue)
        while queue:
            moment, action, k = heapq.heappop(queue)
            if moment >= end:
                break
            if action == TAKE:
                unit[k] = board.take(moment)
                if unit[k] == NO_UNIT:
                    continue
                for later, what in ((plan.swap_at, SWAP), (plan.second_swap_at, SWAP), (plan.cancel_at, CANCEL)):
                    if not np.isnat(later[k]):
                        heapq.heappush(queue, (int(later[k].astype(np.int64)), what, k))
                current[k] = int(unit[k])
            elif action == SWAP:
                taken = board.take(moment)
                if taken != NO_UNIT:
                    board.give_back(current[k])
                    current[k] = taken
                    swaps.append((k, taken, moment))
            else:
                board.give_back(current[k])
    return Assignment(plan, unit, swaps)
