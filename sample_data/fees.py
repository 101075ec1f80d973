"""Property fees: bills of the owners after the handover, and what they paid."""

from __future__ import annotations

import numpy as np

from sample_data import vocabulary as v
from sample_data.company import Company
from sample_data.rows import NO_DAY, Array

PARKING_SHARE = 0.55
PAID_SHARE, PARTLY_SHARE, VOID_SHARE = 0.93, 0.02, 0.006
DAYS_TO_PAY = 30


def make_fees(company: Company) -> None:
    """Bill every owner by the quarter from the handover on, and make the payments."""
    rng = company.random("fee")
    world, estates, deals = company.world, company.estates, company.deals
    clock = world.clock
    deal = np.flatnonzero(deals.is_live)
    handover = estates.handover_on[estates.unit_building[deals.unit[deal]]]
    since = np.maximum(handover, deals.contract_at[deal].astype("datetime64[D]"))
    quarters = np.unique(_quarter(clock.days))
    row, column = np.nonzero((_quarter(since)[:, None] < quarters) & (quarters.astype("datetime64[D]") < clock.today))
    billed, period = deal[row], quarters[column].astype("datetime64[D]")
    parks = rng.random(len(deals.ids)) < PARKING_SHARE
    rates = [rate for _, _, rate, _ in v.FEE_TYPES]
    area = estates.area[deals.unit[billed]]
    amounts = (
        np.round(area * rates[0] * 3 / 100).astype(np.int64),
        np.full(len(billed), rates[1] * 3),
        np.round(rates[2] * 3 * rng.lognormal(0, 0.25, len(billed))).astype(np.int64),
    )
    # Some owners never care for bills; most pay in time.
    careless = rng.random(len(deals.ids)) < 0.06
    for fee_type, (key, amount) in enumerate(zip(company.master.fee_type_ids.tolist(), amounts, strict=True)):
        some = np.flatnonzero(parks[billed]) if fee_type == 1 else np.arange(len(billed))
        if not len(some):
            continue
        entered = np.minimum(period[some].astype("datetime64[s]") + 9 * 3600, clock.now - 1)
        bills = {"amount": amount[some], "due_on": period[some] + DAYS_TO_PAY}
        bills["id"] = world.batch.add(
            "fee_bill",
            entered,
            unit_id=estates.unit_ids[deals.unit[billed[some]]],
            customer_id=company.customers.ids[deals.customer[billed[some]]],
            fee_type_id=[key] * len(some),
            period_on=period[some],
            **bills,
        )
        _add_payments(company, rng, bills, careless[billed[some]])


def _quarter(days: Array) -> Array:
    """Return the first month of the quarter of each day."""
    months = days.astype("datetime64[M]").astype(int)
    return (months - months % 3).astype("datetime64[M]")


def _add_payments(company: Company, rng: np.random.Generator, bills: dict[str, Array], careless: Array) -> None:
    clock, count = company.world.clock, len(careless)
    due_on, amount = bills["due_on"], bills["amount"]
    lag = np.where(careless, rng.gamma(2, 60, count), rng.normal(-6, 12, count))
    received = due_on + np.round(lag).astype(int)
    received = np.where(rng.random(count) < np.where(careless, 0.5, PAID_SHARE), received, NO_DAY)
    paid = np.flatnonzero(received < clock.today)
    paid = paid[received[paid] >= due_on[paid] - DAYS_TO_PAY]
    partly = rng.random(len(paid)) < PARTLY_SHARE
    value = np.where(partly, amount[paid] // 2, amount[paid])
    entered = clock.entered(rng, received[paid].astype("datetime64[s]") + 14 * 3600)
    voided = np.flatnonzero(rng.random(len(paid)) < VOID_SHARE)
    for some, is_void in ((np.arange(len(paid)), 0), (voided, 1)):
        company.batch.add(
            "fee_payment",
            entered[some],
            fee_bill_id=bills["id"][paid[some]],
            received_on=received[paid[some]],
            amount=value[some],
            is_void=is_void,
        )
