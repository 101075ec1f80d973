"""Demands of customers in the sales and the property phase, and the promises that some rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data import vocabulary as v
from sample_data.clock import OFFICE_WEEKDAY_FACTOR
from sample_data.company import Company
from sample_data.deals import Deals
from sample_data.master_data import SEVERITIES, DemandCategories, MasterData
from sample_data.rows import NO_DAY, NO_MOMENT, NONE, ONE_DAY, Array, text_where, where_known
from sample_data.world import World

PROPERTY_SHARE = 0.55
# Not more than this many demands per owner and month on average, however few owners there are.
MOST_PER_OWNER_MONTH = 0.7
KIND_SHARES = {
    "sales": {"complaint": 0.34, "suggestion": 0.30, "service_request": 0.16, "decoration": 0.02, "other": 0.18},
    "property": {"complaint": 0.26, "suggestion": 0.08, "service_request": 0.42, "decoration": 0.18, "other": 0.06},
}
# What is complained about in each phase, by second-level category.
COMPLAINT_SHARES = {
    "sales": (0.46, 0.20, 0.08, 0.02, 0.16, 0.08),
    "property": (0.01, 0.07, 0.36, 0.36, 0.10, 0.10),
}
SEVERITY_SHARES = (0.20, 0.50, 0.22, 0.08)
CHANNELS = (("phone", 0.42), ("wechat", 0.24), ("visit", 0.16), ("app", 0.13), ("letter", 0.01), (None, 0.04))
RESPONSIBLE_SHARE, DUPLICATE_SHARE, WITHDRAWN_SHARE, FOUNDED_SHARE = 0.60, 0.03, 0.02, 0.74
# The estate (index in the first city company) whose complaints grow over the last year, up to this factor.
WORSENING_ESTATE, FINAL_MULTIPLIER, WORSENING_MONTHS = 1, 3.0, 12
PROMISE_SHARE, PROMISE_OPEN_SHARE, PROMISE_KEPT_SHARE, BROKEN_COMPLAINT_SHARE = 0.14, 0.15, 0.78, 0.65
# Most promises name a day, some months ahead.
PROMISE_DAY_SHARE, PROMISE_DAYS = 0.8, (60, 540)


@dataclass
class Demands:
    """The demands of a city company, by demand index in order of ``received_at``."""

    ids: Array
    customer: Array
    estate: Array
    unit: Array
    category: Array
    is_property: Array
    severity: Array
    received_at: Array
    due_at: Array
    responsible: Array
    duplicate_of: Array
    promise: Array

    @classmethod
    def joined(cls, parts: list[_Part]) -> Demands:
        """Join parts, in order of time; keys and what follows from them are filled in later."""
        columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in _Part.__dataclass_fields__}
        order = np.argsort(columns["received_at"], kind="stable")
        count, empty = len(order), np.empty(0)
        return cls(
            ids=empty, severity=empty, due_at=empty, duplicate_of=np.full(count, -1),
            **{name: values[order] for name, values in columns.items()},
        )  # fmt: skip


@dataclass
class _Part:
    """Demands of one origin, before they are put in order; -1 where there is no unit, person or promise."""

    customer: Array
    estate: Array
    unit: Array
    category: Array
    is_property: Array
    received_at: Array
    responsible: Array
    promise: Array


def make_demands(company: Company) -> Demands:
    """Make demands and promises; their handling is made by ``demand_handling.py``."""
    rng = company.random("demand")
    promises = _draw_promises(company.world, rng, company.deals)
    broken = _from_promises(rng, company.master.categories, company.deals, promises)
    owners = _draw_property(company, rng)
    remaining = max(0, company.size.demands - len(owners.customer) - len(broken.customer))
    demands = Demands.joined([broken, owners, _draw_sales(company, rng, remaining)])
    count = len(demands.received_at)
    demands.ids = company.batch.reserve("demand", count)
    demands.severity = rng.choice(len(SEVERITIES), count, p=SEVERITY_SHARES)
    _mark_duplicates(rng, demands)
    demands.due_at = _deadlines(company.master, demands)
    _add_demands(company, rng, demands)
    _add_promises(company, rng, demands, promises)
    return demands


def _worsening_estate(company: Company) -> int:
    """Return which estate worsens, -1 in all city companies but the first."""
    return min(WORSENING_ESTATE, company.size.estates - 1) if company.size.index == 0 else -1


def _multiplier(company: Company, estate: Array, moments: Array) -> Array:
    """Return the factor on the complaint rate of each estate at each moment."""
    months_left = (company.world.clock.now - moments).astype(np.int64) / (30.44 * ONE_DAY)
    step = np.clip(np.ceil(WORSENING_MONTHS - months_left), 0, WORSENING_MONTHS)
    return np.where(estate == _worsening_estate(company), 1 + (FINAL_MULTIPLIER - 1) * step / WORSENING_MONTHS, 1.0)


def _weighted_choice(rng: np.random.Generator, weights: Array, count: int) -> Array:
    """Draw ``count`` indexes without repeating, in proportion to ``weights`` (Efraimidis and Spirakis)."""
    count = min(count, int((weights > 0).sum()))
    keys = np.where(weights > 0, np.log(rng.random(len(weights))) / np.maximum(weights, 1e-12), -np.inf)
    return np.sort(np.argpartition(-keys, count - 1)[:count]) if count else np.empty(0, dtype=np.int64)


def _categories(rng: np.random.Generator, categories: DemandCategories, kind: str, phase: str, count: int) -> Array:
    """Draw categories (indexes) of one kind: mostly leaves, some left at a higher level."""
    of_kind = categories.kind == kind
    if of_kind.sum() == 1:
        return np.full(count, np.flatnonzero(of_kind)[0])
    second = np.flatnonzero(of_kind & (categories.depth == 1))
    share = np.array(COMPLAINT_SHARES[phase]) if kind == "complaint" else 1 / np.arange(2.0, 2 + len(second))
    branch = rng.choice(second, count, p=share / share.sum())
    result = branch.copy()
    for parent in second:
        some = np.flatnonzero((branch == parent) & (rng.random(count) < 0.86))
        leaves = np.flatnonzero(categories.parent == parent)
        skew = 1 / np.arange(1.5, 1.5 + len(leaves))
        result[some] = rng.choice(leaves, len(some), p=skew / skew.sum())
    return result


def _draw_sales(company: Company, rng: np.random.Generator, count: int) -> _Part:
    """Draw demands of people who are looking; complaints more often where the owner causes them."""
    clock, leads, categories = company.world.clock, company.leads, company.master.categories
    lead, category, received = [], [], []
    last = np.minimum(company.worked_until + 20 * ONE_DAY, clock.now - 1)
    for kind, share in KIND_SHARES["sales"].items():
        wanted = round(share * count)
        # Many more than are wanted: of few, those of great weight would nearly all be taken, whatever their weight.
        candidates = rng.integers(0, len(leads.ids), 20 * wanted + 10)
        moments = clock.spread(
            rng, leads.opened_at[candidates], np.maximum(last[candidates], leads.opened_at[candidates])
        )
        # As many for each day under watch: a lead of yesterday has not had the time to ask for as much as an old one.
        weight = np.maximum((last - leads.opened_at)[candidates].astype(np.int64), 1) / ONE_DAY
        if kind == "complaint":
            weight = weight * np.exp(company.staff.complaint_effect[leads.owner[candidates, 0]])
            weight = weight * _multiplier(company, leads.estate[candidates], moments)
        chosen = _weighted_choice(rng, weight, wanted)
        lead.append(candidates[chosen])
        received.append(moments[chosen])
        category.append(_categories(rng, categories, kind, "sales", len(chosen)))
    of_lead, of_category = np.concatenate(lead), np.concatenate(category)
    attitude = categories.index_of(v.Word("销售态度", "Sales attitude"))
    about_sales = (of_category == attitude) | (categories.parent[of_category] == attitude)
    complaint = categories.kind[of_category] == "complaint"
    named = (about_sales & (rng.random(len(of_lead)) < 0.93)) | (
        complaint & (rng.random(len(of_lead)) < RESPONSIBLE_SHARE)
    )
    nothing = np.full(len(of_lead), -1)
    return _Part(
        customer=leads.customer[of_lead],
        estate=leads.estate[of_lead],
        unit=nothing,
        category=of_category,
        is_property=np.zeros(len(of_lead), dtype=bool),
        received_at=np.concatenate(received),
        responsible=np.where(named, leads.owner[of_lead, 0], -1),
        promise=nothing,
    )


def _draw_property(company: Company, rng: np.random.Generator) -> _Part:
    """Draw demands of owners after the handover: many at first, fewer later."""
    clock, estates, deals, categories = company.world.clock, company.estates, company.deals, company.master.categories
    owner = np.flatnonzero(deals.is_live)
    moved_in = np.maximum(
        estates.handover_on[estates.unit_building[deals.unit[owner]]],
        deals.contract_at[owner].astype("datetime64[D]") + 10,
    )
    owner, moved_in = owner[moved_in < clock.today - 3], moved_in[moved_in < clock.today - 3]
    days = (clock.today - moved_in).astype(int)
    exposure = days + 120 * (1 - np.exp(-days / 60))
    wanted = round(min(PROPERTY_SHARE * company.size.demands, MOST_PER_OWNER_MONTH * days.sum() / 30))
    chosen, category, received = [], [], []
    for kind, share in KIND_SHARES["property"].items():
        if not len(owner):
            break
        count = 4 * round(share * wanted) + 10
        cumulative = np.cumsum(exposure)
        some = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
        elapsed = np.where(
            rng.random(count) * exposure[some] < days[some],
            rng.random(count) * days[some],
            np.minimum(rng.exponential(60, count), days[some] * rng.random(count)),
        ).astype(int)
        moments = np.minimum(clock.at_some_hour(rng, moved_in[some] + elapsed), clock.now - 60)
        weight = OFFICE_WEEKDAY_FACTOR[(moments.astype("datetime64[D]").astype(int) + 3) % 7]
        if kind == "complaint":
            weight = weight * _multiplier(company, deals.estate[owner[some]], moments)
        kept = _weighted_choice(rng, weight, round(share * wanted))
        chosen.append(owner[some[kept]])
        received.append(moments[kept])
        category.append(_categories(rng, categories, kind, "property", len(kept)))
    deal = np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)
    nobody = np.full(len(deal), -1)
    return _Part(
        customer=deals.customer[deal],
        estate=deals.estate[deal],
        unit=deals.unit[deal],
        category=np.concatenate(category) if category else deal,
        is_property=np.ones(len(deal), dtype=bool),
        received_at=np.concatenate(received) if received else np.empty(0, dtype="datetime64[s]"),
        responsible=nobody,
        promise=nobody,
    )


@dataclass
class _Promises:
    deal: Array
    made_at: Array
    is_kept: Array
    complained_at: Array


def _draw_promises(world: World, rng: np.random.Generator, deals: Deals) -> _Promises:
    """Draw promises made shortly before contracts; some of the broken ones end in a complaint."""
    clock = world.clock
    deal = np.flatnonzero(deals.is_signed & (deals.previous < 0))
    deal = deal[rng.random(len(deal)) < PROMISE_SHARE]
    count = len(deal)
    made_at = deals.contract_at[deal] - (rng.exponential(4, count) * ONE_DAY).astype("timedelta64[s]") - 1800
    made_at = np.maximum(made_at, clock.start.astype("datetime64[s]"))
    state = rng.random(count)
    is_kept = np.where(state < PROMISE_OPEN_SHARE, NONE, (rng.random(count) < PROMISE_KEPT_SHARE).astype(np.int64))
    complained = clock.later(rng, deals.contract_at[deal], rng.exponential(90, count) + 15)
    complains = (is_kept == 0) & (rng.random(count) < BROKEN_COMPLAINT_SHARE) & clock.past(complained)
    return _Promises(deal, made_at, is_kept, np.where(complains, complained, NO_MOMENT))


def _from_promises(rng: np.random.Generator, categories: DemandCategories, deals: Deals, promises: _Promises) -> _Part:
    some = np.flatnonzero(~np.isnat(promises.complained_at))
    deal = promises.deal[some]
    return _Part(
        customer=deals.customer[deal],
        estate=deals.estate[deal],
        unit=deals.unit[deal],
        category=np.full(len(deal), categories.index_of(v.PROMISE_CATEGORY)),
        is_property=np.zeros(len(deal), dtype=bool),
        received_at=promises.complained_at[some],
        responsible=np.where(rng.random(len(deal)) < 0.95, deals.owner[deal], -1),
        promise=some,
    )


def _add_promises(company: Company, rng: np.random.Generator, demands: Demands, promises: _Promises) -> None:
    world, deals = company.world, company.deals
    count = len(promises.deal)
    of_demand = np.full(count, NONE)
    linked = np.flatnonzero(demands.promise >= 0)
    of_demand[demands.promise[linked]] = demands.ids[linked]
    deal = promises.deal
    texts = world.words.all(v.PROMISES)
    # Random numbers of their own: what was drawn before days were named stays as it is.
    days = company.random("promise_day")
    due_on = promises.made_at.astype("datetime64[D]") + days.integers(*PROMISE_DAYS, count)
    world.batch.add(
        "promise",
        world.clock.entered(rng, promises.made_at, late_share=0.15),
        updated_at=promises.complained_at,
        customer_id=company.customers.ids[deals.customer[deal]],
        deal_id=where_known(promises.made_at >= deals.first_at[deal], deals.ids[deal]),
        unit_id=company.estates.unit_ids[deals.unit[deal]],
        employee_id=company.staff.ids[deals.owner[deal]],
        made_at=promises.made_at,
        text=texts[rng.integers(0, len(texts), count)],
        due_on=np.where(days.random(count) < PROMISE_DAY_SHARE, due_on, NO_DAY),
        is_kept=promises.is_kept,
        demand_id=of_demand,
    )


def _deadlines(master: MasterData, demands: Demands) -> Array:
    """Return the reply deadline by the policy in force on the day: that for complaints, else the general one."""
    version = (demands.received_at.astype("datetime64[D]") >= master.sla.second_from).astype(int)
    complaint = (master.categories.kind[demands.category] == "complaint").astype(int)
    minutes = master.sla.minutes[version, complaint, demands.severity]
    return demands.received_at + (minutes * 60).astype("timedelta64[s]")


def _mark_duplicates(rng: np.random.Generator, demands: Demands) -> None:
    """Let some demands repeat an earlier one of the same customer in the same estate."""
    order = np.lexsort((demands.received_at, demands.estate, demands.customer))
    same = (demands.customer[order][1:] == demands.customer[order][:-1]) & (
        demands.estate[order][1:] == demands.estate[order][:-1]
    )
    candidates = np.flatnonzero(same)
    wanted = round(DUPLICATE_SHARE * len(order))
    chosen = rng.permutation(candidates)[:wanted]
    later, earlier = order[chosen + 1], order[chosen]
    free = demands.promise[later] < 0
    later, earlier = later[free], earlier[free]
    demands.duplicate_of[later] = earlier
    demands.category[later] = demands.category[earlier]


def _add_demands(company: Company, rng: np.random.Generator, demands: Demands) -> None:
    world, estates, master = company.world, company.estates, company.master
    clock, count = world.clock, len(demands.ids)
    titles = world.words.all(master.categories.names)[demands.category]
    withdrawn = clock.later(rng, demands.received_at, rng.exponential(3, count) + 0.1)
    withdrawn = np.where((rng.random(count) < WITHDRAWN_SHARE) & clock.past(withdrawn), withdrawn, NO_MOMENT)
    judged_at = demands.received_at + (rng.exponential(6, count) * ONE_DAY).astype("timedelta64[s]")
    judged = (
        (rng.random(count) < 0.8) & (master.categories.kind[demands.category] == "complaint") & clock.past(judged_at)
    )
    founded = (rng.random(count) < FOUNDED_SHARE) | (demands.promise >= 0)
    changed = np.where(judged, judged_at, NO_MOMENT)
    changed = np.where(np.isnat(withdrawn), changed, np.fmax(withdrawn, changed))
    channels, shares = zip(*CHANNELS, strict=True)
    world.batch.add(
        "demand",
        clock.entered(rng, demands.received_at),
        updated_at=changed,
        id=demands.ids,
        customer_id=company.customers.ids[demands.customer],
        project_id=estates.ids[demands.estate],
        unit_id=where_known(demands.unit >= 0, estates.unit_ids[demands.unit]),
        demand_category_id=master.categories.ids[demands.category],
        phase=np.where(demands.is_property, "property", "sales").astype(object),
        channel=np.array(channels, dtype=object)[rng.choice(len(channels), count, p=shares)],
        severity=np.array(SEVERITIES, dtype=object)[demands.severity],
        title=text_where(rng.random(count) < 0.95, titles),
        received_at=demands.received_at,
        due_at=np.where(rng.random(count) < 0.98, demands.due_at, NO_MOMENT),
        responsible_employee_id=where_known(demands.responsible >= 0, company.staff.ids[demands.responsible]),
        duplicate_of_id=where_known(demands.duplicate_of >= 0, demands.ids[demands.duplicate_of]),
        withdrawn_at=withdrawn,
        is_founded=where_known(judged, founded.astype(np.int64)),
    )
    if company.size.index == 0:
        world.truths.parameters["worsening_project"] = {
            "project": estates.names[_worsening_estate(company)],
            "final_multiplier": FINAL_MULTIPLIER,
            "months": WORSENING_MONTHS,
        }
