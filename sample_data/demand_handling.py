"""How demands are handled: assigned, forwarded, answered, settled, reopened, and followed up."""

from __future__ import annotations

import numpy as np

from sample_data import vocabulary as v
from sample_data.clock import lognormal_days
from sample_data.company import Company
from sample_data.demands import Demands
from sample_data.organisation import PROPERTY, SERVICE, Staff
from sample_data.rows import NO_MOMENT, Array, pick_text, text_where, where_known

FORWARD_SHARE, REPLY_SHARE, RESOLVE_SHARE, REOPEN_SHARE, RESOLVED_AGAIN_SHARE = 0.15, 0.965, 0.93, 0.07, 0.85
# Of demands in the property phase, this share goes to the property staff of the estate, the rest to customer service.
PROPERTY_STAFF_SHARE = 0.75
MEDIAN_SHARE_OF_DEADLINE, REPLY_SIGMA = 0.33, 1.0
FOLLOW_UP_SHARE, REACHED_SHARE, RATED_SHARE, SECOND_CALL_SHARE = 0.62, 0.84, 0.92, 0.5
# Satisfaction is a score cut into 1 to 5 at these points; what lowers and raises the score.
CUTS = (-1.9, -1.2, -0.4, 0.7)
LATE_PENALTY, COMPLAINT_PENALTY, REOPENED_PENALTY = 0.7, 0.35, 0.8


def handle_demands(company: Company) -> Array:
    """Make the events and follow-ups of all demands.

    Returns:
        Employee index, by demand, of the person it was last given to; -1 where nobody was.
    """
    rng = company.random("handling")
    world, master, staff, demands = company.world, company.master, company.staff, company.demands
    clock = world.clock
    count = len(demands.ids)
    desk, handler = _handlers(rng, staff, demands)
    assign_at = demands.received_at + (rng.exponential(25, count) * 60 + 60).astype("timedelta64[s]")
    forwarded = rng.random(count) < FORWARD_SHARE
    forward_at = assign_at + (rng.exponential(90, count) * 60 + 300).astype("timedelta64[s]")
    second = _other_handler(rng, staff, demands)
    final = np.where(forwarded, second, handler)
    given_at = np.where(forwarded, forward_at, assign_at)

    minutes = (demands.due_at - demands.received_at).astype(np.int64) / 60
    median = MEDIAN_SHARE_OF_DEADLINE * np.exp(staff.reply_effect[final]) * minutes
    lag = median * np.exp(REPLY_SIGMA * rng.standard_normal(count)) * 60 + 120
    replies = rng.random(count) < REPLY_SHARE
    reply_at = np.where(
        replies, np.maximum(demands.received_at + lag.astype("timedelta64[s]"), given_at + 120), NO_MOMENT
    )
    resolves = replies & (rng.random(count) < RESOLVE_SHARE)
    resolve_at = np.where(resolves, clock.later(rng, reply_at, lognormal_days(rng, 1.8, 1.0, count)), NO_MOMENT)
    reopens = resolves & (rng.random(count) < REOPEN_SHARE)
    reopen_at = np.where(reopens, clock.later(rng, resolve_at, rng.exponential(5, count) + 0.5), NO_MOMENT)
    answered_again = np.where(reopens, clock.later(rng, reopen_at, rng.exponential(1, count)), NO_MOMENT)
    settled = reopens & (rng.random(count) < RESOLVED_AGAIN_SHARE)
    resolve_again = np.where(settled, clock.later(rng, answered_again, rng.exponential(4, count) + 0.2), NO_MOMENT)

    def add(kind: str, moments: Array, actor: Array, to: Array | None = None, note: v.Word | None = None) -> None:
        demand = np.flatnonzero(clock.past(moments))
        notes = np.full(len(demand), world.words(note) if note else None, dtype=object)
        at = moments[demand]
        doer = _still_there(staff, actor[demand], at)
        given_to = doer if to is None else to[demand]
        world.batch.add(
            "demand_event",
            clock.entered(rng, at, late_share=0.03),
            demand_id=demands.ids[demand],
            kind=kind,
            occurred_at=at,
            employee_id=where_known(rng.random(len(demand)) < 0.99, staff.ids[doer]),
            to_employee_id=where_known(np.full(len(demand), to is not None), staff.ids[given_to]),
            note=text_where(rng.random(len(demand)) < 0.6, notes),
        )

    add("assign", assign_at, desk, handler)
    add("forward", np.where(forwarded, forward_at, NO_MOMENT), handler, second)
    add("reply", reply_at, final, note=v.REPLY_NOTE)
    add("resolve", resolve_at, final, note=v.RESOLVE_NOTE)
    add("reopen", reopen_at, desk)
    add("reply", answered_again, final, note=v.REPLY_NOTE)
    add("resolve", resolve_again, final, note=v.RESOLVE_NOTE)

    ended = np.where(reopens, resolve_again, resolve_at)
    late = np.isnat(reply_at) | (reply_at > demands.due_at)
    score = (
        rng.standard_normal(count) + staff.satisfaction_effect[final] - LATE_PENALTY * late - REOPENED_PENALTY * reopens
        - COMPLAINT_PENALTY * (master.categories.kind[demands.category] == "complaint")
    )  # fmt: skip
    world.truths.parameters["handling"] = {
        "median_share": MEDIAN_SHARE_OF_DEADLINE, "sigma": REPLY_SIGMA, "cuts": CUTS, "late_penalty": LATE_PENALTY,
        "complaint_penalty": COMPLAINT_PENALTY, "reopened_penalty": REOPENED_PENALTY,
    }  # fmt: skip
    _add_follow_ups(company, rng, ended, np.searchsorted(CUTS, score) + 1)
    return np.where(clock.past(given_at), final, -1)


def _handlers(rng: np.random.Generator, staff: Staff, demands: Demands) -> tuple[Array, Array]:
    """Return who takes each demand in, and to whom it is given first."""
    days = demands.received_at.astype("datetime64[D]")
    service = staff.of(SERVICE)
    employees = np.array([s.employee for s in service])
    desk = employees[staff.pick(rng, service, days)]
    handler = employees[staff.pick(rng, service, days)]
    to_property = demands.is_property & (rng.random(len(days)) < PROPERTY_STAFF_SHARE)
    for estate in np.unique(demands.estate):
        some = np.flatnonzero(to_property & (demands.estate == estate))
        stints = staff.of(PROPERTY, int(estate))
        handler[some] = np.array([s.employee for s in stints])[staff.pick(rng, stints, days[some])]
    return desk, handler


def _still_there(staff: Staff, employees: Array, moments: Array) -> Array:
    """Return the employees, with the head of customer service in the place of those who had left by then."""
    gone = staff.left_on[employees] < moments.astype("datetime64[D]")
    return np.where(gone, staff.of(SERVICE)[0].employee, employees)


def _other_handler(rng: np.random.Generator, staff: Staff, demands: Demands) -> Array:
    service = staff.of(SERVICE)
    chosen = staff.pick(rng, service, demands.received_at.astype("datetime64[D]"))
    return np.array([s.employee for s in service])[chosen]


def _add_follow_ups(company: Company, rng: np.random.Generator, ended: Array, satisfaction: Array) -> None:
    """Call back after the last settlement; who was not reached is often called again."""
    world, staff, demands = company.world, company.staff, company.demands
    clock = world.clock
    demand = np.flatnonzero(clock.past(ended) & (rng.random(len(ended)) < FOLLOW_UP_SHARE))
    at = clock.later(rng, ended[demand], rng.exponential(2, len(demand)) + 0.8)
    good, poor = world.words.all(v.GOOD_COMMENTS), world.words.all(v.POOR_COMMENTS)
    for _ in range(2):
        past = clock.past(at)
        demand, at = demand[past], at[past]
        count = len(demand)
        reached = rng.random(count) < REACHED_SHARE
        rated = reached & (rng.random(count) < RATED_SHARE)
        world.batch.add(
            "follow_up",
            clock.entered(rng, at),
            demand_id=demands.ids[demand],
            occurred_at=at,
            employee_id=staff.pick_ids(rng, staff.of(SERVICE), at.astype("datetime64[D]")),
            was_reached=where_known(rng.random(count) < 0.99, reached),
            satisfaction=where_known(rated, satisfaction[demand]),
            comment=text_where(
                rated & (rng.random(count) < 0.3), pick_text(rng, satisfaction[demand] >= 4, good, poor)
            ),
        )
        again = ~reached & (rng.random(count) < SECOND_CALL_SHARE)
        demand, at = demand[again], clock.later(rng, at[again], rng.exponential(3, int(again.sum())) + 0.9)
