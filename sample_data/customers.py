"""Customers: who they are, which of them are duplicates, and what is known about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sample_data import names
from sample_data import vocabulary as v
from sample_data.company import Company
from sample_data.master_data import MasterData
from sample_data.rows import NO_DAY, NO_MOMENT, ONE_DAY, Array, text_where, where_known
from sample_data.world import World

MERGED_SHARE, UNMERGED_DUPLICATE_SHARE = 0.025, 0.010
COMPANY_SHARE = 0.03
MINIMUM_AGE, RETIREMENT_AGE = 24, 58
CLASS_SHARES = (0.42, 0.34, 0.16, 0.08)
NOT_MERGED = -1


@dataclass
class Customers:
    """The customers of a city company, all arrays by customer index.

    ``same_as`` is the index of an earlier record of the same person (itself for most), ``origin`` the earliest of
    them. ``merged_into`` is the index this record was merged into or ``NOT_MERGED``, ``survivor`` the end of that
    chain.
    """

    ids: Array
    is_company: Array
    class_index: Array
    same_as: Array
    origin: Array
    merged_into: Array
    survivor: Array
    names: Array


def draw_customers(company: Company) -> Customers:
    """Decide who the customers are; ``add_customers`` makes their rows when their first leads are known."""
    rng = company.random("customer")
    count = company.size.customers
    index = np.arange(count)
    kind = rng.random(count)
    is_merged = kind < MERGED_SHARE
    is_duplicate = kind < MERGED_SHARE + UNMERGED_DUPLICATE_SHARE
    is_duplicate[: count // 4] = False
    is_merged &= is_duplicate
    # A duplicate repeats an earlier record; that may be a duplicate itself, which makes chains.
    earlier = (rng.random(count) * index).astype(int)
    chained = is_merged & (rng.random(count) < 0.12)
    merged_before = np.flatnonzero(is_merged)
    if len(merged_before) > 1:
        place = np.searchsorted(merged_before, index[chained])
        chosen = merged_before[np.maximum(place - 1, 0)]
        earlier[chained] = np.where(chosen < index[chained], chosen, earlier[chained])
    same_as = np.where(is_duplicate, earlier, index)
    merged_into = np.where(is_merged, earlier, NOT_MERGED)
    origin = _ends(same_as)
    is_company = (rng.random(count) < COMPANY_SHARE)[origin]
    class_index = rng.choice(len(CLASS_SHARES), count, p=CLASS_SHARES)[origin]
    return Customers(
        ids=company.batch.reserve("customer", count),
        is_company=is_company,
        class_index=class_index,
        same_as=same_as,
        origin=origin,
        merged_into=merged_into,
        survivor=_ends(np.where(is_merged, merged_into, index)),
        names=np.empty(0, dtype=object),
    )


def _ends(earlier: Array) -> Array:
    """Follow links to earlier records until each points at itself."""
    while (earlier != earlier[earlier]).any():
        earlier = earlier[earlier]
    return earlier


def add_customers(company: Company) -> None:
    """Make the rows of the customers, with gaps as in real records; they are entered with their first lead."""
    rng = company.random("customer_row")
    world, master, customers, leads = company.world, company.master, company.customers, company.leads
    first_lead_at = np.full(len(customers.ids), NO_MOMENT)
    first_lead_at[leads.customer[::-1]] = leads.opened_at[::-1]
    clock, words = world.clock, world.words
    count = len(customers.ids)
    person = ~customers.is_company
    is_female = rng.random(count) < 0.48
    all_names = names.people(rng, words, is_female)
    all_names[~person] = names.companies(rng, words, int((~person).sum()))
    phones = names.phones(rng, count)
    # The same person gave the same name and, mostly, the same number.
    origin = customers.origin
    customers.names = all_names[origin]
    phone_known = rng.random(count) < 0.96
    age = np.clip(rng.gamma(9, 4.2, count), MINIMUM_AGE, 82)
    birth_on = clock.today - (age * 365.25).astype(int)
    consent_at = np.where(rng.random(count) < 0.82, first_lead_at, NO_MOMENT)
    fallback = clock.spread(rng, np.full(count, clock.start.astype("datetime64[s]")), np.full(count, clock.now - 1))
    created = clock.entered(rng, np.where(np.isnat(first_lead_at), fallback, first_lead_at), late_share=0.02)
    merged = customers.merged_into != NOT_MERGED
    changed = rng.random(count) < 0.35
    delay = (rng.exponential(40, count) * ONE_DAY).astype("timedelta64[s]")
    updated = np.where(merged | changed, np.minimum(created + delay, clock.now - 1), created)

    def some(choices: Sequence[v.Word], known_share: float, shares: tuple[float, ...]) -> Array:
        values = words.all(choices)
        chosen = values[rng.choice(len(values), count, p=np.array(shares) / sum(shares))]
        return text_where(person & (rng.random(count) < known_share), chosen[origin])

    occupation = some(v.OCCUPATIONS, 0.74, (34, 14, 8, 8, 7, 13, 9))
    occupation[(age[origin] >= RETIREMENT_AGE) & (occupation != None)] = words(v.RETIRED)  # noqa: E711
    company_class = master.company_class_ids[rng.integers(0, len(master.company_class_ids), count)]
    world.batch.add(
        "customer",
        created,
        updated_at=updated,
        id=customers.ids,
        kind=np.where(person, "person", "company").astype(object),
        name=customers.names,
        gender=text_where(
            person & (rng.random(count) < 0.93), np.where(is_female, "female", "male").astype(object)[origin]
        ),
        birth_on=np.where(person & (rng.random(count) < 0.71), birth_on[origin], NO_DAY),
        phone=text_where(phone_known, phones[origin]),
        education=some(v.EDUCATIONS, 0.66, (0.17, 0.29, 0.42, 0.12)),
        occupation=occupation,
        income_band=some(v.INCOME_BANDS, 0.58, (0.10, 0.27, 0.36, 0.20, 0.07)),
        personality=some(v.PERSONALITIES, 0.35, (0.3, 0.15, 0.25, 0.15, 0.15)),
        customer_class_id=where_known(
            rng.random(count) < 0.88, np.where(person, master.class_ids[customers.class_index], company_class)
        ),
        merged_into_id=where_known(merged, customers.ids[customers.merged_into]),
        consent_at=consent_at,
    )
    _add_features(world, rng, master, customers.ids[person], created[person])
    wholesale = np.flatnonzero(~person & (company_class == master.company_class_ids[0]) & (rng.random(count) < 0.7))
    world.batch.add(
        "feature_value",
        created[wholesale],
        feature_id=[master.feature_ids[v.GROUP_PURCHASE_FEATURE]] * len(wholesale),
        entity_id=customers.ids[wholesale],
        value=(5 * rng.integers(1, 13, len(wholesale))).astype(str).astype(object),
    )


def _add_features(world: World, rng: np.random.Generator, master: MasterData, ids: Array, created: Array) -> None:
    for name, kind, is_multi, answers in v.CUSTOMER_FEATURES:
        for turn in range(2 if is_multi else 1):
            known = np.flatnonzero(rng.random(len(ids)) < 0.42)
            if kind == "number":
                values = (rng.gamma(6, 45, len(known)).astype(int) // 10 * 10 + 60).astype(str).astype(object)
            elif kind == "boolean":
                values = np.where(rng.random(len(known)) < 0.6, "true", "false").astype(object)
            else:
                texts = world.words.all(answers)
                # Each pass of a multi-valued feature draws from its own half, so that no answer repeats.
                half = texts[:3] if is_multi and turn == 0 else texts[3:] if is_multi else texts
                values = half[rng.integers(0, len(half), len(known))]
            world.batch.add(
                "feature_value",
                created[known],
                feature_id=[master.feature_ids[name]] * len(known),
                entity_id=ids[known],
                value=values,
            )
