"""What becomes of each lead: the planted model of conversion, and when each stage is reached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data import vocabulary as v
from sample_data.clock import lognormal_days
from sample_data.company import Company
from sample_data.leads import INTENT_EFFECTS, Leads
from sample_data.organisation import Staff
from sample_data.rows import NO_MOMENT, ONE_DAY, Array, text_where, where_known
from sample_data.world import World

INTERCEPT = -2.45
# Median days and sigma of the lognormal lag from the stage before.
LAGS = {"visit": (4.0, 1.0), "small_booking": (8.0, 0.9), "booking": (8.0, 1.0), "contract": (10.0, 0.8)}
SMALL_BOOKING_SHARE = 0.62
# Of the leads that sign nothing: who visits, and who books and gives up.
VISIT_SHARE_BY_INTENT = np.array([0.55, 0.42, 0.28, 0.16])
FAILED_SMALL_BOOKING_SHARE, FAILED_BOOKING_SHARE = 0.022, 0.016
LOST_SHARE, LOST_LAG = 0.86, (30.0, 0.8)
REOPENED_SHARE = 0.05


@dataclass
class Journeys:
    """The course of each head lead, arrays by position in ``lead`` (indexes of the head leads).

    Moments may lie after the end of the history: they have then not happened yet.
    """

    lead: Array
    signs: Array
    visit_at: Array
    small_booking_at: Array
    booking_at: Array
    contract_at: Array
    give_up_at: Array


def draw_journeys(company: Company) -> Journeys:
    """Decide which head leads sign, and when each of their stages comes."""
    rng = company.random("journey")
    world, master, customers = company.world, company.master, company.customers
    estates, staff, leads = company.estates, company.staff, company.leads
    clock = world.clock
    lead = np.flatnonzero(leads.is_head)
    count = len(lead)
    class_effect = np.where(
        customers.is_company[leads.customer[lead]],
        0.0,
        master.class_effect[customers.class_index[leads.customer[lead]]],
    )
    eta = (
        INTERCEPT
        + master.sources.effect[leads.source[lead]]
        + estates.effect[leads.estate[lead]]
        + staff.sales_effect[leads.owner[lead, 0]]
        + np.array(INTENT_EFFECTS)[leads.intent[lead]]
        + class_effect
        + leads.assist[lead]
    )
    chance = 1 / (1 + np.exp(-eta))
    signs = rng.random(count) < chance
    for employee in staff.pair or ():
        own = np.flatnonzero(leads.owner[lead, 0] == employee)
        own = own[np.lexsort((lead[own], leads.intent[lead[own]], leads.source[lead[own]]))]
        steps = np.floor(np.cumsum(chance[own]) + rng.random())
        signs[own] = np.diff(steps, prepend=0.0) > 0
    world.truths.count("head_leads", count)
    world.truths.count("ever_signing", int(signs.sum()))
    world.truths.parameters.update(
        intercept=INTERCEPT, lags={k: {"median_days": m, "sigma": s} for k, (m, s) in LAGS.items()}
    )

    failing = rng.random(count)
    fails_small = ~signs & (failing < FAILED_SMALL_BOOKING_SHARE)
    fails_booking = ~signs & ~fails_small & (failing < FAILED_SMALL_BOOKING_SHARE + FAILED_BOOKING_SHARE)
    visits = rng.random(count) < VISIT_SHARE_BY_INTENT[leads.intent[lead]]
    visits |= (signs | fails_small | fails_booking) & (rng.random(count) < 0.97)

    opened = leads.opened_at[lead]
    visit_at = _stage(world, rng, opened, "visit")
    first_permit = np.array(
        [np.fmin.reduce(estates.permit_on[estates.building_estate == k]) for k in range(len(estates.ids))],
        dtype="datetime64[D]",
    )[leads.estate[lead]].astype("datetime64[s]")
    # Nothing is booked before the first permit; who waited for it comes in the first days.
    launch = first_permit + 9 * 3600 + (rng.random(count) ** 2 * 6 * ONE_DAY).astype("timedelta64[s]")
    small_at = np.maximum(_stage(world, rng, visit_at, "small_booking"), launch)
    has_small = (signs & (rng.random(count) < SMALL_BOOKING_SHARE)) | fails_small
    before_booking = np.where(has_small, small_at, visit_at)
    booking_at = np.maximum(_stage(world, rng, before_booking, "booking"), launch + 3600)
    booking_at = np.maximum(booking_at, before_booking + 600)
    contract_at = _stage(world, rng, booking_at, "contract")
    reached = np.where(fails_small, small_at, booking_at)
    give_up_at = clock.later(rng, reached, lognormal_days(rng, 9.0, 0.8, count))

    def only(known: Array, moments: Array) -> Array:
        return np.where(known, moments, NO_MOMENT)

    return Journeys(
        lead=lead,
        signs=signs,
        visit_at=only(visits, visit_at),
        small_booking_at=only(has_small, small_at),
        booking_at=only(signs | fails_booking, booking_at),
        contract_at=only(signs, contract_at),
        give_up_at=only(fails_small | fails_booking, give_up_at),
    )


def _stage(world: World, rng: np.random.Generator, after: Array, stage: str) -> Array:
    median, sigma = LAGS[stage]
    return world.clock.later(rng, after, lognormal_days(rng, median, sigma, len(after)))


def add_lead_events(company: Company, signed: Array, last_deal_at: Array) -> Array:
    """Make calls, visits, qualifications, losses and reopenings of all leads, and the history of their owners.

    Args:
        company: the city company.
        signed: by lead; whether it has, or will have, a contract that holds.
        last_deal_at: by lead; moment of the last event of its deals, ``NaT`` if none.

    Returns:
        Moment, by lead, until which it was worked on.
    """
    rng = company.random("lead_event")
    world, leads, journeys, master = company.world, company.leads, company.journeys, company.master
    competitor_reasons = company.rival_reasons
    clock = world.clock
    count = len(leads.ids)
    every = np.arange(count)
    visit_at = np.full(count, NO_MOMENT)
    visit_at[journeys.lead] = journeys.visit_at
    follower = np.flatnonzero(~leads.is_head & (rng.random(count) < 0.25))
    visit_at[follower] = _stage(world, rng, leads.opened_at[follower], "visit")

    first_call = clock.later(rng, leads.opened_at, lognormal_days(rng, 0.3, 1.2, count))
    called = rng.random(count) < 0.85
    active = np.where(called, first_call, leads.opened_at)
    for moments in (visit_at, last_deal_at):
        active = np.where(np.isnat(moments), active, np.maximum(active, moments))
    loses = ~signed & (rng.random(count) < LOST_SHARE)
    lost_at = np.where(loses, clock.later(rng, active, lognormal_days(rng, *LOST_LAG, count)), NO_MOMENT)
    end = np.minimum(np.where(np.isnat(lost_at), active + 10 * ONE_DAY, lost_at), clock.now - 1)

    add = _Events(world, rng, company.staff, leads)
    add("call", every[called], first_call[called], is_effective=rng.random(int(called.sum())) < 0.72)
    more = np.repeat(every, rng.poisson(1.1, count))
    calls_at = clock.spread(rng, leads.opened_at[more], np.maximum(end[more], leads.opened_at[more]))
    add("call", more, calls_at, is_effective=rng.random(len(more)) < 0.65)
    visited = np.flatnonzero(~np.isnat(visit_at))
    # The visit of the journey is the first effective one; some come again, some come to a closed door.
    add("visit", visited, visit_at[visited], is_effective=np.ones(len(visited), dtype=bool))
    again = np.repeat(visited, rng.poisson(0.55, len(visited)))
    again_at = clock.later(rng, visit_at[again], rng.exponential(12, len(again)) + 0.5)
    soon = again_at <= np.maximum(end[again], visit_at[again])
    add("visit", again[soon], again_at[soon], is_effective=rng.random(int(soon.sum())) < 0.85)
    qualified = visited[rng.random(len(visited)) < 0.6]
    add("qualified", qualified, visit_at[qualified] + 5400)

    lost = np.flatnonzero(~np.isnat(lost_at))
    reason = master.loss_reason_ids[
        rng.choice(len(master.loss_reason_ids), count, p=_skewed(len(master.loss_reason_ids)))
    ]
    rival = competitor_reasons[leads.estate, rng.integers(0, competitor_reasons.shape[1], count)]
    reason = np.where(rng.random(count) < 0.22, rival, reason)
    reason = where_known(rng.random(count) < 0.95, reason)
    add("lost", lost, lost_at[lost], reason_id=reason[lost])
    reopened = lost[rng.random(len(lost)) < REOPENED_SHARE]
    reopened_at = clock.later(rng, lost_at[reopened], rng.exponential(30, len(reopened)) + 1)
    add("reopened", reopened, reopened_at)
    again_lost = rng.random(len(reopened)) < 0.55
    lost_again_at = clock.later(rng, reopened_at[again_lost], rng.exponential(25, int(again_lost.sum())) + 1)
    add("lost", reopened[again_lost], lost_again_at, reason_id=reason[reopened[again_lost]])
    # Some who sign in the end had been given up before.
    late = journeys.lead[
        journeys.signs & ((journeys.booking_at - leads.opened_at[journeys.lead]).astype(np.int64) > 45 * ONE_DAY)
    ]
    late = late[signed[late] & (rng.random(len(late)) < 0.12)]
    add("lost", late, leads.opened_at[late] + 25 * ONE_DAY, reason_id=reason[late])
    add("reopened", late, leads.opened_at[late] + 33 * ONE_DAY)
    _add_owners(company, end)
    return end


def _skewed(count: int) -> Array:
    weight = 1 / np.arange(1.5, count + 1.5)
    return weight / weight.sum()


class _Events:
    """Adds lead events, leaving out what has not happened yet."""

    def __init__(self, world: World, rng: np.random.Generator, staff: Staff, leads: Leads) -> None:
        self.world, self.rng, self.staff, self.leads = world, rng, staff, leads

    def __call__(self, kind: str, lead: Array, occurred: Array, **columns: Array) -> None:
        past = self.world.clock.past(occurred)
        lead, occurred = lead[past], occurred[past]
        words, count = self.world.words, len(lead)
        note = {"call": v.CALL_NOTE, "visit": v.VISIT_NOTE}.get(kind)
        known = self.rng.random(count) < 0.4
        notes = text_where(known, np.full(count, words(note) if note else None, dtype=object))
        self.world.batch.add(
            "lead_event",
            self.world.clock.entered(self.rng, occurred),
            lead_id=self.leads.ids[lead],
            kind=kind,
            occurred_at=occurred,
            employee_id=where_known(self.rng.random(count) < 0.98, self.staff.ids[self.leads.owner_at(lead, occurred)]),
            note=notes,
            **{name: values[past] for name, values in columns.items()},
        )


def _add_owners(company: Company, end: Array) -> None:
    """Make the owner history of the head leads: a new owner when the old one leaves while the lead is worked on."""
    world, staff, leads = company.world, company.staff, company.leads
    clock, words = world.clock, world.words
    lead = np.flatnonzero(leads.is_head)
    from_at = leads.opened_at[lead]
    for turn in range(3):
        if turn < 2:
            until = (leads.owner_until[lead, turn] + 1).astype("datetime64[s]")
            changes = (until < end[lead]) & (leads.owner_until[lead, turn] < clock.today)
            to_at = np.where(changes, np.maximum(until, from_at), NO_MOMENT)
        else:
            changes = np.zeros(len(lead), dtype=bool)
            to_at = np.full(len(lead), NO_MOMENT)
        world.batch.add(
            "customer_owner",
            from_at,
            updated_at=to_at,
            customer_id=company.customers.ids[leads.customer[lead]],
            project_id=company.estates.ids[leads.estate[lead]],
            employee_id=staff.ids[leads.owner[lead, turn]],
            from_at=from_at,
            to_at=to_at,
            reason=np.full(len(lead), words(v.OWNER_CHANGE_REASON) if turn else None, dtype=object),
        )
        lead, from_at = lead[changes], to_at[changes]
