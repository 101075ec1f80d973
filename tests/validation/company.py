"""A sample company as arrays, made without a database: what the generator plants, and what one could record of it."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import expit

from sample_data.city_company import make_city_company
from sample_data.clock import Clock
from sample_data.company import Company
from sample_data.journey import INTERCEPT
from sample_data.leads import INTENT_EFFECTS
from sample_data.master_data import make_master_data
from sample_data.organisation import make_group
from sample_data.rows import Ids
from sample_data.size import city_companies
from sample_data.truths import Truths
from sample_data.vocabulary import Words
from sample_data.world import World

AS_OF = dt.date(2026, 6, 30)


@lru_cache(maxsize=2)
def make_company(seed: int, scale: float, as_of: dt.date = AS_OF) -> Company:
    """Make one city company in memory; its planted truths are in ``world.truths``."""
    world = World(seed, Clock(as_of, "Asia/Shanghai"), Words("en"), Ids(), Truths())
    group = make_group(world)
    company = Company(world, group, make_master_data(world, group), city_companies(scale)[0])
    make_city_company(company, lambda share, what: None)
    return company


def leads_of(company: Company) -> pd.DataFrame:
    """Return the collapsed leads, one per row.

    Returns:
        source, project, intent_level, employee (names, and the staff number), ``eventually`` (whether the lead signs a
        contract, whenever), ``contract_day`` and ``follow_up_days`` (days from opening, with fractions; the first is
        empty where it never signs).
    """
    leads, journeys, clock = company.leads, company.journeys, company.world.clock
    lead = journeys.lead
    opened = leads.opened_at[lead]
    day = np.timedelta64(1, "s") * 86400
    numbers = np.array([f"E{key:05d}" for key in company.staff.ids])
    return pd.DataFrame(
        {
            "source": np.asarray(company.master.sources.ids)[leads.source[lead]],
            "project": np.asarray(company.estates.ids)[leads.estate[lead]],
            "intent_level": leads.intent[lead],
            "employee": numbers[leads.owner[lead, 0]],
            "opened_at": opened,
            "eventually": journeys.signs,
            "contract_day": (journeys.contract_at - opened) / day,
            "follow_up_days": (clock.now - opened) / day,
        }
    )


def handed_leads_of(company: Company) -> pd.DataFrame:
    """Return the collapsed leads as they are recorded, with their planted chances, one per row.

    Returns:
        employee (staff number), source and customer_class (as recorded; empty where not), project, ``eventually``;
        ``log_odds`` of signing that an average employee would have had, and ``effect`` of the employee on them.
    """
    leads, customers, lead = company.leads, company.customers, company.journeys.lead
    owner, source, customer = leads.owner[lead, 0], leads.source[lead], leads.customer[lead]
    customer_class = customers.class_index[customer]
    is_company = customers.is_company[customer]
    log_odds = (
        INTERCEPT
        + company.master.sources.effect[source]
        + company.estates.effect[leads.estate[lead]]
        + np.array(INTENT_EFFECTS)[leads.intent[lead]]
        + np.where(is_company, 0.0, company.master.class_effect[customer_class])
        + leads.assist[lead]
    )
    return pd.DataFrame(
        {
            "employee": np.array([f"E{key:05d}" for key in company.staff.ids])[owner],
            "source": np.where(leads.source_known[lead], source, np.nan),
            "project": leads.estate[lead],
            "customer_class": np.where(is_company, -1, customer_class),
            "eventually": company.journeys.signs,
            "log_odds": log_odds,
            "effect": company.staff.sales_effect[owner],
        }
    )


def planted_chance(leads: pd.DataFrame) -> np.ndarray:
    """Return the planted chance of signing of each of the `handed_leads_of`."""
    return np.asarray(expit(leads["log_odds"] + leads["effect"]))
