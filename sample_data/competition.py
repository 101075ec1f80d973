"""Competitors, their estates, what was observed about them, and losses to them."""

from __future__ import annotations

import numpy as np

from sample_data import names
from sample_data import vocabulary as v
from sample_data.company import Company
from sample_data.organisation import PLANNER
from sample_data.rows import Array, where_known

COMPETING_ESTATES = 2
_PRICES = 17_000, 33_000  # per square metre


def make_competition(company: Company) -> Array:
    """Make competitors, competing estates and monthly observations.

    Returns:
        Key of the loss reason "bought elsewhere" of each competing estate, estates x COMPETING_ESTATES.
    """
    rng = company.random("competition")
    world, size, estates, master = company.world, company.size, company.estates, company.master
    words, batch, clock = world.words, world.batch, world.clock
    entered = clock.start.astype("datetime64[s]") - np.timedelta64(30, "D")
    competitor_names = words.all(v.COMPETITORS)
    if size.index:
        competitor_names = competitor_names + f" {size.index + 1}"
    competitor_ids = batch.add(
        "competitor",
        entered,
        name=competitor_names,
        **{"class": words.all(v.COMPETITOR_CLASSES)[np.arange(len(competitor_names)) % 2]},
    )
    own = np.repeat(np.arange(size.estates), COMPETING_ESTATES)
    count = len(own)
    owner = rng.integers(0, len(competitor_ids), count)
    estate_names = [
        words.join(competitor_names[o], names.estate(words, (size.first_estate * COMPETING_ESTATES + k) * 5 + 3))
        for k, o in enumerate(owner)
    ]
    districts = words.all(v.DISTRICTS)
    project_ids = batch.add(
        "competitor_project",
        entered,
        competitor_id=competitor_ids[owner],
        name=estate_names,
        district=districts[(size.first_estate + own) % len(districts)],
        level=words.all(v.COMPETITOR_LEVELS)[np.arange(count) % 3],
        own_project_id=estates.ids[own],
        is_own=False,
    )
    price = rng.uniform(*_PRICES, count)
    _add_observations(company, rng, project_ids, estates.opened_on[own], price)
    lost_to = words(v.LOST_TO_COMPETITOR)
    reasons = batch.add(
        "reason",
        entered,
        parent_id=[master.lost_to_competitor_id] * count,
        kind="loss",
        name=[words.join(lost_to, name) for name in estate_names],
        competitor_project_id=project_ids,
    )
    _observe_own_estates(company)
    return reasons.reshape(size.estates, COMPETING_ESTATES)


def _observe_own_estates(company: Company) -> None:
    """Note the same of our own estates, which they are compared by."""
    rng = company.random("own estates observed")
    world, size, estates = company.world, company.size, company.estates
    districts = world.words.all(v.DISTRICTS)
    project_ids = world.batch.add(
        "competitor_project",
        world.clock.start.astype("datetime64[s]") - np.timedelta64(30, "D"),
        name=estates.names,
        district=districts[(size.first_estate + np.arange(size.estates)) % len(districts)],
        own_project_id=estates.ids,
        is_own=True,
    )
    price = rng.uniform(*_PRICES, size.estates)
    _add_observations(company, rng, project_ids, estates.opened_on, price, is_own=True)


def _add_observations(
    company: Company,
    rng: np.random.Generator,
    project_ids: Array,
    opened_on: Array,
    price: Array,
    *,
    is_own: bool = False,
) -> None:
    world, master, staff = company.world, company.master, company.staff
    clock = world.clock
    project, month, values, features = [], [], [], []
    for k, key in enumerate(project_ids.tolist()):
        months = np.arange(max(0, int((opened_on[k] - clock.start).astype(int))), len(clock.days), 30)
        trend = price[k] * np.exp(np.cumsum(rng.normal(0.002, 0.01, len(months))))
        observed = {
            0: np.round(trend / 10).astype(int) * 10,
            1: np.round(rng.gamma(2, 1.5, len(months)), 1),
            2: rng.poisson(18, len(months)),
            3: np.repeat(rng.choice([89, 105, 125, 140]), len(months)),
            4: np.repeat(["false", "true"][rng.integers(0, 2)], len(months)),
        }
        for number, (name, _) in enumerate(v.COMPETITOR_FEATURES):
            # What hardly changes is noted twice a year.
            chosen = np.arange(len(months)) if number < 3 else np.arange(0, len(months), 6)
            project += [key] * len(chosen)
            month += months[chosen].tolist()
            values += [str(value) for value in observed[number][chosen]]
            features += [master.feature_ids[name]] * len(chosen)
    kept = rng.random(len(project)) > 0.08
    offset = np.array(month) + rng.integers(0, 20, len(month))
    day = clock.days[np.minimum(offset, len(clock.days) - 1)]
    count = len(project)
    columns = {
        "competitor_project_id": np.array(project),
        "feature_id": np.array(features),
        "value": np.array(values, dtype=object),
        "observed_on": day,
        "source_url": np.array(
            [None if is_own else f"https://competitor-{key}.example/{d}" for key, d in zip(project, day, strict=True)],
            object,
        ),
        "employee_id": where_known(rng.random(count) > 0.04, staff.pick_ids(rng, staff.of(PLANNER), day)),
    }
    entered = clock.entered(rng, clock.at_some_hour(rng, day))
    world.batch.add("competitor_observation", entered[kept], **{name: column[kept] for name, column in columns.items()})
