"""Payment plans and payments of deals."""

from __future__ import annotations

import numpy as np

from sample_data.company import Company
from sample_data.deals import Deals
from sample_data.rows import Array
from sample_data.world import World

# How contracts are paid: share of the price and days after the contract, per instalment.
LUMP_SUM = ((0.30, 3), (0.70, 30))
MORTGAGE = ((0.30, 7), (0.70, 60))
INSTALMENTS = ((0.30, 7), (0.30, 120), (0.40, 300))
WAYS_TO_PAY = (LUMP_SUM, MORTGAGE, INSTALMENTS)
WAY_SHARES = (0.18, 0.67, 0.15)
KINDS = (("down_payment", "balance"), ("down_payment", "mortgage"), ("down_payment", "instalment", "instalment"))
PAID_SHARE, LATE_SHARE, VOID_SHARE = 0.955, 0.10, 0.012


def make_payments(company: Company) -> None:
    """Make the payment plan of each contract, deposits, payments, refunds, and entries that were voided."""
    rng = company.random("payment")
    world, deals = company.world, company.deals
    deal, due_on, amount, kind, first = _dues(rng, deals)
    contract_at = deals.contract_at[deal]
    world.batch.add(
        "payment_due", np.minimum(contract_at + 1800, world.clock.now - 1),
        deal_id=deals.ids[deal], due_on=due_on, amount=amount,
    )  # fmt: skip
    today = world.clock.today
    count = len(deal)
    late = rng.random(count) < LATE_SHARE
    lag = np.where(late, rng.gamma(2, 22, count), rng.normal(1.5, 3.0, count))
    received = np.maximum(due_on + np.round(lag).astype(int), contract_at.astype("datetime64[D]"))
    cancelled = deals.cancel_at[deal].astype("datetime64[D]")
    paid = (rng.random(count) < PAID_SHARE) & (received < today) & (np.isnat(cancelled) | (received < cancelled))
    # The deposit counts towards the first instalment.
    booked = ~np.isnat(deals.booking_at)
    to_pay = amount - np.where(first & booked[deal], deals.deposit[deal], 0)
    deposit = np.flatnonzero(booked)
    pay = _Payments(world, rng, deals)
    pay(deposit, deals.booking_at[deposit].astype("datetime64[D]"), deals.deposit[deposit], "deposit")
    pay(deal[paid], received[paid], to_pay[paid], kind[paid])

    total = np.zeros(len(deals.ids), dtype=np.int64)
    np.add.at(total, deal[paid], to_pay[paid])
    total += np.where(booked, deals.deposit, 0)
    # A cancelled contract gives back what was paid for the whole chain, a cancelled booking mostly the deposit.
    of_chain = np.zeros(len(deals.ids), dtype=np.int64)
    np.add.at(of_chain, deals.root, total)
    cancelled_deal = np.flatnonzero(~np.isnat(deals.cancel_at))
    refund = np.where(
        deals.is_signed[cancelled_deal] | (rng.random(len(cancelled_deal)) < 0.75),
        of_chain[deals.root[cancelled_deal]],
        0,
    )
    back_on = deals.cancel_at[cancelled_deal].astype("datetime64[D]") + 3 + rng.integers(0, 25, len(cancelled_deal))
    some = (refund > 0) & (back_on < today)
    pay(cancelled_deal[some], back_on[some], -refund[some], "refund")


def _dues(rng: np.random.Generator, deals: Deals) -> tuple[Array, Array, Array, Array, Array]:
    """Return deal, day, amount (cents), kind and whether it is the first one, of each instalment."""
    way = rng.choice(len(WAYS_TO_PAY), len(deals.ids), p=WAY_SHARES)
    contract_on = deals.contract_at.astype("datetime64[D]")
    swap_on = deals.swap_at.astype("datetime64[D]")
    is_root = deals.is_signed & (deals.previous < 0)
    rows: list[tuple[Array, Array, Array, Array, Array]] = []
    owed = np.zeros(len(deals.ids), dtype=np.int64)

    def add(deal: Array, due_on: Array, amount: Array, kind: str, is_first: bool) -> None:
        # What falls due after a swap is owed on the new deal.
        kept = np.isnat(swap_on[deal]) | (due_on <= swap_on[deal])
        deal, due_on, amount = deal[kept], due_on[kept], amount[kept]
        np.add.at(owed, deal, amount)
        kinds = np.full(len(deal), kind, dtype=object)
        rows.append((deal, due_on, amount, kinds, np.full(len(deal), is_first)))

    for index, (instalments, kinds) in enumerate(zip(WAYS_TO_PAY, KINDS, strict=True)):
        deal = np.flatnonzero(is_root & (way == index))
        rest = deals.price[deal].copy()
        for place, ((share, days), kind) in enumerate(zip(instalments, kinds, strict=True)):
            last = place == len(instalments) - 1
            amount = rest if last else np.round(deals.price[deal] * share / 100_000).astype(np.int64) * 100_000
            rest = rest - amount
            add(deal, contract_on[deal] + days, amount, kind, place == 0)
    amended = np.flatnonzero(deals.amended != 0)
    add(amended, deals.amend_at[amended].astype("datetime64[D]") + 15, deals.amended[amended], "balance", False)
    # Chains are walked from their beginning: the new deal owes its price less what the old ones were owed already.
    for swapped in np.flatnonzero(deals.previous >= 0).tolist():
        owed_before, old = 0, int(deals.previous[swapped])
        while old >= 0:
            owed_before, old = owed_before + int(owed[old]), int(deals.previous[old])
        one = np.array([swapped])
        add(one, contract_on[one] + 30, deals.price[one] - owed_before, "balance", False)
    of_deal, due_days, amounts, names, first = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    some = amounts != 0
    return of_deal[some], due_days[some], amounts[some], names[some], first[some]


class _Payments:
    """Adds payments, and now and then an entry that was voided and repeated."""

    def __init__(self, world: World, rng: np.random.Generator, deals: Deals) -> None:
        self.world, self.rng, self.deals = world, rng, deals

    def __call__(self, deal: Array, received_on: Array, amount: Array, kind: str | Array) -> None:
        kinds = np.full(len(deal), kind, dtype=object) if isinstance(kind, str) else kind
        kinds = np.where(amount < 0, "refund", kinds)
        entered = self.world.clock.entered(self.rng, received_on.astype("datetime64[s]") + 15 * 3600)
        voided = np.flatnonzero(self.rng.random(len(deal)) < VOID_SHARE)
        for some, is_void in ((np.arange(len(deal)), 0), (voided, 1)):
            self.world.batch.add(
                "payment",
                entered[some],
                updated_at=np.minimum(entered[some] + 5400, self.world.clock.now - 1) if is_void else None,
                deal_id=self.deals.ids[deal[some]],
                received_on=received_on[some],
                amount=amount[some],
                kind=kinds[some],
                is_void=is_void,
            )
