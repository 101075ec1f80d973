"""Leads: when, where and from which source customers come, and who takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data.clock import LEAD_WEEKDAY_FACTOR
from sample_data.company import Company
from sample_data.estate import Estates
from sample_data.marketing import Activities
from sample_data.master_data import Sources
from sample_data.organisation import CONSULTANT, MANAGER, Staff, Stint
from sample_data.rows import NO_MOMENT, ONE_DAY, Array, text_where, where_known
from sample_data.world import World

WITHOUT_LEAD_SHARE = 0.02
SAME_ESTATE_SHARE = 0.30
PRELAUNCH_DAYS = 45
INTENT_LEVELS = ("A", "B", "C", "D")
INTENT_EFFECTS = (0.80, 0.25, -0.35, -1.00)
# Intent of leads from easy and from hard sources.
INTENT_SHARES = np.array([[0.16, 0.36, 0.34, 0.14], [0.08, 0.24, 0.41, 0.27]])
# How many touchpoints precede a lead, and what meeting a market type adds to the log-odds of signing.
MEAN_TOUCHPOINTS = 1.4
ASSIST_EFFECTS = {"event": 0.40, "online": 0.15, "media": 0.10, "channel": 0.10}
TOUCH_KINDS = {
    "online": "click", "media": "view", "outdoor": "view", "event": "attendance", "channel": "introduction",
    "referral": "introduction", "direct": "visit", "other": "call",
}  # fmt: skip
# How much more than others the better and the worse of the planted pair are handed easy and hard leads.
PAIR_TASTE = {"better": {"easy": 0.25, "hard": 3.0}, "worse": {"easy": 2.2, "hard": 0.20}}


@dataclass
class Leads:
    """The leads of a city company, by lead index in order of ``opened_at``.

    ``head`` is the index of the lead that this one collapses into: the earliest of the survivor in the estate.
    ``owner`` holds three successive owners (employee indexes), each until ``owner_until``.
    """

    ids: Array
    customer: Array
    estate: Array
    opened_at: Array
    head: Array
    source: Array
    source_known: Array
    intent: Array
    assist: Array
    owner: Array
    owner_until: Array

    @property
    def is_head(self) -> Array:
        """Say which leads are the earliest of their customer in the estate."""
        return self.head == np.arange(len(self.head))

    def owner_at(self, leads: Array, moments: Array) -> Array:
        """Return the employee index who looked after each lead at each moment."""
        days = moments.astype("datetime64[D]")
        turn = (days > self.owner_until[leads, 0]).astype(int)
        turn += (turn == 1) & (days > self.owner_until[leads, 1])
        return np.asarray(self.owner[leads, turn])


def draw_leads(company: Company) -> Leads:
    """Decide when which customer comes to which estate."""
    rng = company.random("lead")
    world, size, estates, customers = company.world, company.size, company.estates, company.customers
    clock = world.clock
    with_lead = rng.permutation(np.flatnonzero(rng.random(size.customers) >= WITHOUT_LEAD_SHARE))
    estate, opened = _arrivals(world, rng, estates, len(with_lead))
    first_estate = np.full(size.customers, -1)
    first_at = np.full(size.customers, NO_MOMENT)
    first_estate[with_lead], first_at[with_lead] = estate, opened

    # Most duplicates come back to the estate where they are known already.
    duplicate = np.flatnonzero(
        (customers.same_as != np.arange(size.customers)) & ~np.isnat(first_at) & ~np.isnat(first_at[customers.same_as])
    )
    duplicate = duplicate[rng.random(len(duplicate)) < 0.7]
    back = first_at[customers.same_as[duplicate]] + _seconds(rng.exponential(45, len(duplicate)) + 1)
    within = back < clock.now
    duplicate = duplicate[within]
    first_estate[duplicate] = first_estate[customers.same_as[duplicate]]
    first_at[duplicate] = clock.at_some_hour(rng, back[within])

    # The other leads are of customers who come again, to the same estate or to another one that is open by then.
    again = with_lead[(rng.random(max(0, size.leads - len(with_lead))) ** 1.6 * len(with_lead)).astype(int)]
    lag = rng.exponential(75, len(again)) + 2
    room = (clock.now - first_at[again]).astype(np.int64) / ONE_DAY
    lag = np.where(lag < room, lag, room * rng.random(len(again)))
    at = np.minimum(clock.at_some_hour(rng, first_at[again] + _seconds(lag)), clock.now - 60)
    at = np.maximum(at, np.minimum(first_at[again] + 60, clock.now - 1))
    is_open = estates.opened_on[None, :] - PRELAUNCH_DAYS <= at[:, None].astype("datetime64[D]")
    other = np.argmax(is_open * rng.random(is_open.shape), axis=1)
    again_estate = np.where(rng.random(len(again)) < SAME_ESTATE_SHARE, first_estate[again], other)

    customer = np.concatenate([with_lead, again])
    estate = np.concatenate([first_estate[with_lead], again_estate])
    opened = np.concatenate([first_at[with_lead], at])
    order = np.lexsort((customer, opened))
    customer, estate, opened = customer[order], estate[order], opened[order]
    group = customers.survivor[customer] * size.estates + estate
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    empty = np.empty(0)
    return Leads(
        ids=world.batch.reserve("lead", len(customer)),
        customer=customer, estate=estate, opened_at=opened, head=first[inverse],
        source=empty, source_known=empty, intent=empty, assist=empty, owner=empty, owner_until=empty,
    )  # fmt: skip


def _seconds(days: Array) -> Array:
    return np.round(days * ONE_DAY).astype("timedelta64[s]")


def _arrivals(world: World, rng: np.random.Generator, estates: Estates, count: int) -> tuple[Array, Array]:
    """Return estate and moment of ``count`` first visits: launch waves on a base, seasons, weekends."""
    clock = world.clock
    shape = clock.season * LEAD_WEEKDAY_FACTOR[clock.weekday]
    intensity = np.zeros((len(estates.ids), len(clock.days)))
    for estate, opened in enumerate(estates.opened_on):
        since = (clock.days - opened).astype(int)
        level = np.where(since >= -PRELAUNCH_DAYS, 0.45, 0.0)
        for permit in np.unique(estates.permit_on[estates.building_estate == estate]):
            if np.isnat(permit):
                continue
            after = (clock.days - permit).astype(int)
            level += np.where(after >= 0, 1.1 * np.exp(-np.maximum(after, 0) / 35), 0)
            level += np.where((after < 0) & (after > -25), 0.9 * (1 + after / 25), 0) * (since >= -PRELAUNCH_DAYS)
        intensity[estate] = level * shape
    cumulative = np.cumsum(intensity.ravel())
    cell = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
    estate, day = np.divmod(cell, len(clock.days))
    return estate, clock.at_some_hour(rng, clock.days[day])


def complete_leads(company: Company) -> None:
    """Give the leads source, intent, owners and touchpoints, and make the rows of lead, touchpoint and owner."""
    rng = company.random("lead_row")
    world, estates, staff, leads = company.world, company.estates, company.staff, company.leads
    clock, sources, activities = world.clock, company.master.sources, company.activities
    count = len(leads.ids)
    leads.source = _draw_sources(rng, estates, sources, leads.estate)
    leads.source_known = rng.random(count) < 0.97
    hard = sources.is_hard[leads.source]
    draw = rng.random(count)
    cumulative = np.cumsum(INTENT_SHARES, axis=1)[hard.astype(int)]
    leads.intent = (draw[:, None] >= cumulative[:, :3]).sum(axis=1)
    world.truths.add_effects("intent_level", INTENT_LEVELS, INTENT_EFFECTS)
    world.truths.add_effects("assist", ASSIST_EFFECTS.keys(), ASSIST_EFFECTS.values())

    activity = _match_activities(rng, activities, leads)
    _assign_owners(rng, staff, leads, hard)
    world.batch.add(
        "lead",
        clock.entered(rng, leads.opened_at, late_share=0.06),
        id=leads.ids,
        customer_id=company.customers.ids[leads.customer],
        project_id=estates.ids[leads.estate],
        source_id=where_known(leads.source_known, sources.ids[leads.source]),
        activity_id=where_known(activity >= 0, activities.ids[activity]),
        employee_id=where_known(rng.random(count) < 0.995, staff.ids[leads.owner[:, 0]]),
        opened_at=leads.opened_at,
        intent_level=text_where(rng.random(count) < 0.87, np.array(INTENT_LEVELS, object)[leads.intent]),
    )
    leads.assist = _add_touchpoints(company, rng, activity)


def _draw_sources(rng: np.random.Generator, estates: Estates, sources: Sources, estate: Array) -> Array:
    """Draw a source for each lead; the estates differ in their mix."""
    mix = sources.share * np.exp(rng.normal(0, 0.45, (len(estates.ids), len(sources.share))))
    cumulative = np.cumsum(mix / mix.sum(axis=1, keepdims=True), axis=1)
    return np.minimum((rng.random(len(estate))[:, None] >= cumulative[estate]).sum(axis=1), len(sources.share) - 1)


def _match_activities(rng: np.random.Generator, activities: Activities, leads: Leads) -> Array:
    """Return for each lead the activity (index) of its source that ran in its estate then, or -1."""
    found = np.full(len(leads.ids), -1)
    days = leads.opened_at.astype("datetime64[D]")
    noticed = rng.random(len(leads.ids)) < 0.75
    key = leads.estate * 1000 + leads.source
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    for k in range(len(activities.ids)):
        wanted = activities.estate[k] * 1000 + activities.source[k]
        first, last = np.searchsorted(sorted_key, [wanted, wanted + 1])
        some = order[first:last]
        runs = (days[some] >= activities.first[k]) & (days[some] <= activities.last[k] + 3) & noticed[some]
        found[some[runs]] = k
    return found


def _assign_owners(rng: np.random.Generator, staff: Staff, leads: Leads, hard: Array) -> None:
    """Choose the owner at entry, and who takes over when that person, and then the next, leaves the team."""
    count = len(leads.ids)
    leads.owner = np.zeros((count, 3), dtype=np.int64)
    leads.owner_until = np.zeros((count, 2), dtype="datetime64[D]")
    days = leads.opened_at.astype("datetime64[D]")
    for estate in np.unique(leads.estate):
        some = np.flatnonzero(leads.estate == estate)
        stints = staff.of(CONSULTANT, int(estate)) + staff.of(MANAGER, int(estate))
        taste = _pair_taste(staff, stints, hard[some])
        employees, last = np.array([s.employee for s in stints]), np.array([s.last for s in stints])
        day = days[some]
        for turn in range(2):
            chosen = staff.pick(rng, stints, day, taste if turn == 0 else None)
            leads.owner[some, turn] = employees[chosen]
            leads.owner_until[some, turn] = last[chosen]
            day = last[chosen] + 1
        leads.owner[some, 2] = staff.of(MANAGER, int(estate))[0].employee


def _pair_taste(staff: Staff, stints: list[Stint], hard: Array) -> Array:
    taste = np.ones((len(hard), len(stints)))
    for k, stint in enumerate(stints):
        if staff.pair and stint.employee in staff.pair:
            own = PAIR_TASTE["better" if stint.employee == staff.pair[0] else "worse"]
            taste[:, k] = np.where(hard, own["hard"], own["easy"])
    return taste


def _add_touchpoints(company: Company, rng: np.random.Generator, activity: Array) -> Array:
    """Make contacts before the leads (and some without a lead), and return the log-odds they add to each lead."""
    world, estates, leads, activities = company.world, company.estates, company.leads, company.activities
    clock, sources = world.clock, company.master.sources
    lead = np.repeat(np.arange(len(leads.ids)), rng.poisson(MEAN_TOUCHPOINTS, len(leads.ids)))
    touched = _draw_sources(rng, estates, sources, leads.estate[lead])
    occurred = leads.opened_at[lead] - _seconds(rng.exponential(22, len(lead)) + 0.02)
    in_history = occurred >= clock.start.astype("datetime64[s]")
    lead, touched, occurred = lead[in_history], touched[in_history], clock.at_some_hour(rng, occurred[in_history])
    occurred = np.minimum(occurred, leads.opened_at[lead] - 60)

    assist = np.zeros(len(leads.ids))
    for market, effect in ASSIST_EFFECTS.items():
        met = np.zeros(len(leads.ids), dtype=bool)
        met[lead[sources.market[touched] == market]] = True
        assist += effect * met

    # The lead itself is mostly noted as a contact, too.
    noted = np.flatnonzero(leads.source_known & (rng.random(len(leads.ids)) < 0.72))
    at = np.concatenate([occurred, leads.opened_at[noted]])
    of_lead = np.concatenate([lead, noted])
    source = np.concatenate([touched, leads.source[noted]])
    of_activity = np.concatenate([np.full(len(lead), -1), activity[noted]])
    kinds = np.array([TOUCH_KINDS[m] for m in sources.market], dtype=object)
    world.batch.add(
        "touchpoint",
        clock.entered(rng, at, late_share=0.02),
        customer_id=company.customers.ids[leads.customer[of_lead]],
        project_id=estates.ids[leads.estate[of_lead]],
        source_id=sources.ids[source],
        activity_id=where_known(of_activity >= 0, activities.ids[of_activity]),
        kind=kinds[source],
        occurred_at=at,
    )
    return assist
