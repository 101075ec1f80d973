"""Deals and their chains: contracts, bookings, money, and the units they sell."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from tests.reference import dimensions as dim
from tests.reference.crm import Crm, Row
from tests.reference.dimensions import Dimensions
from tests.reference.facts import Fact, Metric, Number, Ratio, Sum
from tests.reference.identity import Journey

Split = list[tuple[int | None, Decimal | int]]

# The stages of a deal in their order; a cancel counts for the furthest stage that came before it.
STAGES = ("small_booking", "booking", "contract")


def _place(event: Row) -> tuple[dt.datetime, int]:
    """Return what orders events: the moment, then the key."""
    return event.occurred_at, event.id


@dataclass(eq=False)
class Deal:
    """One deal with its events in order."""

    row: Row
    events: list[Row]
    journey: Journey | None
    customer_id: int
    shares: Split
    area: Decimal

    def of_kind(self, *kinds: str) -> list[Row]:
        """Return the events of some kinds."""
        return [event for event in self.events if event.kind in kinds]

    @property
    def is_swapped_away(self) -> bool:
        """Whether the deal was given up for another unit."""
        return bool(self.of_kind("swap"))

    @property
    def is_live(self) -> bool:
        """Whether the deal has a contract with no cancel after it, and was not swapped away."""
        decisive = self.of_kind("contract", "cancel")
        return bool(decisive) and decisive[-1].kind == "contract" and not self.is_swapped_away

    def reached_before(self, event: Row) -> str | None:
        """Return the furthest stage the deal had reached before an event."""
        reached = [stage for stage in STAGES if any(_place(e) < _place(event) for e in self.of_kind(stage))]
        return reached[-1] if reached else None

    def contract_in_force(self, event: Row) -> Row | None:
        """Return the latest contract event up to an event, that event included."""
        return next((e for e in reversed(self.of_kind("contract")) if _place(e) <= _place(event)), None)

    def price_at(self, moment: dt.datetime) -> Decimal:
        """Return the amount of the latest contract by then, with the amendments since."""
        contracts = [event for event in self.of_kind("contract") if event.occurred_at <= moment]
        if not contracts:
            return Decimal(0)
        amends = [
            event
            for event in self.of_kind("amend")
            if _place(event) > _place(contracts[-1]) and event.occurred_at <= moment
        ]
        return sum((event.amount or Decimal(0) for event in (contracts[-1], *amends)), Decimal(0))

    def split(self, event: Row) -> Split:
        """Return who shares the contract that an event belongs to: the shares, else who signed it."""
        contract = self.contract_in_force(event)
        return self.shares or [(contract.employee_id if contract else None, 1)]

    def money_split(self) -> Split:
        """Return who shares the money of the deal: the shares, else who took the latest contract, or booking."""
        furthest = next((stage for stage in reversed(STAGES) if self.of_kind(stage)), None)
        return self.shares or [(self.of_kind(furthest)[-1].employee_id if furthest else None, 1)]


@dataclass(eq=False)
class Chain:
    """Deals that follow one another by swaps of the unit: one sale."""

    deals: list[Deal]

    @cached_property
    def live_deal(self) -> Deal | None:
        """The deal that is live, if one is."""
        return next((deal for deal in self.deals if deal.is_live), None)

    @cached_property
    def first_event_at(self) -> dt.datetime | None:
        """When the first event of any of its deals was."""
        return min((event.occurred_at for deal in self.deals for event in deal.events), default=None)

    @cached_property
    def first_contract(self) -> Row | None:
        """The first contract event of any of its deals."""
        return min((event for deal in self.deals for event in deal.of_kind("contract")), key=_place, default=None)

    def first_signed(self) -> tuple[Deal, Row]:
        """Return the first contract event with its deal; there must be one."""
        assert self.first_contract is not None
        return next((deal, self.first_contract) for deal in self.deals if self.first_contract in deal.events)

    @cached_property
    def cancelled_at(self) -> dt.datetime | None:
        """When the sale was cancelled, unless it went on afterwards."""
        last = max((e for deal in self.deals for e in deal.of_kind("cancel", *STAGES)), key=_place, default=None)
        return last.occurred_at if last and last.kind == "cancel" else None


class Deals:
    """All deals of the CRM and the facts they make."""

    def __init__(self, crm: Crm, survivor_of: dict[int, int], journey_of: dict[int, Journey]) -> None:
        self.crm = crm
        self.dimensions = Dimensions(crm)
        self.deals = {
            row.id: Deal(
                row=row,
                events=crm.children("deal_event", "deal_id", row.id),
                journey=journey_of.get(row.lead_id),
                customer_id=survivor_of[row.customer_id],
                shares=[(s.employee_id, s.share) for s in crm.children("deal_share", "deal_id", row.id)],
                area=self._area(row.unit_id),
            )
            for row in crm.rows("deal")
        }
        chains: dict[int, list[Deal]] = defaultdict(list)
        for deal in self.deals.values():
            chains[self._root(deal.row)].append(deal)
        self.chains = [Chain(deals) for deals in chains.values()]
        for chain in self.chains:
            # A deal that names no lead has that of its chain.
            known = next((deal.journey for deal in chain.deals if deal.journey), None)
            for deal in chain.deals:
                deal.journey = deal.journey or known

    def _area(self, unit_id: int | None) -> Decimal:
        unit = self.crm.get("unit", unit_id)
        return unit.area_sqm if unit and unit.area_sqm is not None else Decimal(0)

    def _root(self, row: Row) -> int:
        seen = {row.id}
        while row.swapped_from_id is not None and row.swapped_from_id not in seen:
            row = self.crm.get("deal", row.swapped_from_id)
            seen.add(row.id)
        return row.id

    # What the events of deals count as.

    def _deal_dimensions(self, deal: Deal) -> dict[str, object]:
        lead = deal.journey.lead if deal.journey else None
        return {
            **self.dimensions.project(deal.row.project_id),
            **self.dimensions.source(lead.source_id if lead else None),
            **self.dimensions.activity(lead.activity_id if lead else None),
            **self.dimensions.customer(deal.customer_id),
            "customer_id": deal.customer_id,
        }

    def _shared(self, deal: Deal, event: Row, value: Number, split: Split | None = None) -> Iterator[Fact]:
        """Return a number of a deal event as one fact for each who shares it."""
        reason = self.dimensions.reason(event.reason_id)
        for fact in self._divided(deal, self.crm.day(event.occurred_at), value, split or deal.split(event), event.id):
            yield fact.cut_by(reason)

    def _divided(self, deal: Deal, on: dt.date, value: Number, split: Split, key: int) -> Iterator[Fact]:
        for employee_id, share in split:
            yield Fact(
                on, value * share, key, {**self._deal_dimensions(deal), **self.dimensions.person(employee_id, on)}
            )

    def signed(self) -> list[tuple[Deal, Row]]:
        """Return the contract events of deals that swap from none."""
        return [(d, e) for d in self.deals.values() if d.row.swapped_from_id is None for e in d.of_kind("contract")]

    def cancelled(self, stage: str) -> list[tuple[Deal, Row]]:
        """Return the cancel events of deals whose furthest stage before was ``stage``."""
        return [(d, e) for d in self.deals.values() for e in d.of_kind("cancel") if d.reached_before(e) == stage]

    def swapped_in(self) -> list[tuple[Deal, Row, Deal]]:
        """Return the first contract event of each deal that swaps from another, with that other."""
        return [
            (deal, deal.of_kind("contract")[0], self.deals[deal.row.swapped_from_id])
            for deal in self.deals.values()
            if deal.row.swapped_from_id is not None and deal.of_kind("contract")
        ]

    def contract_facts(self, part: str) -> list[Fact]:
        """Return the contracts ``gross``, ``cancelled`` or net (``""``), as counts."""
        gross = [fact for deal, event in self.signed() for fact in self._shared(deal, event, 1)]
        sign = 1 if part == "cancelled" else -1
        cancelled = [fact for deal, e in self.cancelled("contract") for fact in self._shared(deal, e, sign)]
        return {"gross": gross, "cancelled": cancelled, "": gross + cancelled}[part]

    def amount_facts(self, part: str) -> list[Fact]:
        """Return the amounts ``gross``, ``amended``, ``cancelled`` or net (``""``)."""

        def amount(event: Row) -> Decimal:
            return event.amount if event.amount is not None else Decimal(0)

        gross = [fact for deal, event in self.signed() for fact in self._shared(deal, event, amount(event))]
        amended = [
            fact
            for deal in self.deals.values()
            for event in deal.of_kind("amend")
            for fact in self._shared(deal, event, amount(event))
        ]
        for deal, event, former in self.swapped_in():
            amended += self._shared(deal, event, amount(event) - former.price_at(event.occurred_at))
        sign = 1 if part == "cancelled" else -1
        cancelled = [f for deal, e in self.cancelled("contract") for f in self._shared(deal, e, sign * amount(e))]
        return {"gross": gross, "amended": amended, "cancelled": cancelled, "": gross + amended + cancelled}[part]

    def area_facts(self) -> list[Fact]:
        """Return the contracted area: signed units, less cancelled ones, and the difference at a swap."""
        facts = [fact for deal, event in self.signed() for fact in self._shared(deal, event, deal.area)]
        facts += [f for deal, e in self.cancelled("contract") for f in self._shared(deal, e, -deal.area)]
        for deal, event, former in self.swapped_in():
            # Of a deal that was only booked no area was under contract.
            given_up = former.area if former.of_kind("contract") else Decimal(0)
            facts += self._shared(deal, event, deal.area - given_up)
        return facts

    def restated_facts(self) -> list[Fact]:
        """Return the present amount of each live chain on the day of its first contract, by who shares that."""
        return [
            fact
            for chain in self.chains
            if chain.live_deal
            for fact in self._shared(*chain.first_signed(), chain.live_deal.price_at(self.crm.as_of))
        ]

    def booking_facts(self, stage: str, part: str) -> list[Fact]:
        """Return the bookings of a stage ``gross``, ``cancelled`` or net (``""``), by who took the booking."""

        def facts(deal: Deal, event: Row, value: int) -> Iterator[Fact]:
            booking = [e for e in deal.of_kind(stage) if _place(e) <= _place(event)][-1]
            return self._shared(deal, event, value, deal.shares or [(booking.employee_id, 1)])

        roots = [deal for deal in self.deals.values() if deal.row.swapped_from_id is None]
        gross = [fact for deal in roots for event in deal.of_kind(stage) for fact in facts(deal, event, 1)]
        sign = 1 if part == "cancelled" else -1
        cancelled = [fact for deal, event in self.cancelled(stage) for fact in facts(deal, event, sign)]
        return {"gross": gross, "cancelled": cancelled, "": gross + cancelled}[part]

    def cohort_facts(self, *, cancelled_only: bool) -> list[Fact]:
        """Return the sales ever signed, on the day of the first contract; or those of them ever cancelled after it."""
        facts = []
        for chain in self.chains:
            if chain.first_contract:
                deal, contract = chain.first_signed()
                cancels = [event for one in chain.deals for event in one.of_kind("cancel")]
                if not cancelled_only or any(_place(contract) < _place(cancel) for cancel in cancels):
                    facts += self._shared(deal, contract, 1)
        return facts

    def payment_facts(self, *, live_only: bool) -> list[Fact]:
        """Return the payments received that are not void; or those of them for live chains."""
        return [
            fact
            for chain in self.chains
            if chain.live_deal or not live_only
            for deal in chain.deals
            for payment in self.crm.children("payment", "deal_id", deal.row.id)
            if not payment.is_void
            for fact in self._divided(deal, payment.received_on, payment.amount, deal.money_split(), payment.id)
        ]

    def live_due_facts(self) -> list[Fact]:
        """Return the instalments of live chains that are due."""
        return [
            fact
            for chain in self.chains
            if chain.live_deal
            for deal in chain.deals
            for due in self.crm.children("payment_due", "deal_id", deal.row.id)
            if self.crm.has_happened(due.due_on)
            for fact in self._divided(deal, due.due_on, due.amount, deal.money_split(), due.id)
        ]

    def unit_facts(self, measure: str, *, sold_only: bool) -> list[Fact]:
        """Return the units that may be sold (or are), by ``count``, ``area`` or ``value``, as of today."""
        sold = {chain.live_deal.row.unit_id: chain.live_deal for chain in self.chains if chain.live_deal}
        facts = []
        for unit in self.crm.rows("unit"):
            building = self.crm.get("building", unit.building_id)
            permit_on = building.presale_permit_on
            deal = sold.get(unit.id)
            if deal is None if sold_only else (permit_on is None or not self.crm.has_happened(permit_on)):
                continue
            value = {
                "count": lambda unit=unit: 1,
                "area": lambda unit=unit: self._area(unit.id),
                "value": lambda unit=unit, deal=deal: deal.price_at(self.crm.as_of) if deal else self._list_price(unit),
            }[measure]()
            facts.append(Fact(self.crm.as_of_day, value, unit.id, self.dimensions.project(building.project_id)))
        return facts

    def _list_price(self, unit: Row) -> Decimal:
        """Return the list price in force as of today; the unit's own where no dated price is."""
        dated = self.crm.children("unit_price", "unit_id", unit.id)
        valid = [price for price in dated if self.crm.has_happened(price.valid_from_on)]
        if valid:
            return max(valid, key=lambda price: price.valid_from_on).list_price
        return unit.list_price if unit.list_price is not None else Decimal(0)

    def metrics(self) -> dict[str, Metric | Ratio]:
        """Return the metrics of deals by name."""
        shared = (*dim.PROJECT, *dim.SOURCE, *dim.CUSTOMER, *dim.PERSON)
        found: dict[str, Metric | Ratio] = {}
        for part in ("gross", "cancelled", ""):
            suffix = f"_{part}" if part else ""
            own = (*shared, *dim.REASON) if part == "cancelled" else shared
            found[f"contracts{suffix}"] = Sum(lambda part=part: self.contract_facts(part), own)
            found[f"bookings{suffix}"] = Sum(lambda part=part: self.booking_facts("booking", part), own)
            found[f"small_bookings{suffix}"] = Sum(lambda part=part: self.booking_facts("small_booking", part), own)
        for part in ("gross", "amended", "cancelled", ""):
            suffix = f"_{part}" if part else ""
            own = (*shared, *dim.REASON) if part == "cancelled" else shared
            found[f"contract_amount{suffix}"] = Sum(lambda part=part: self.amount_facts(part), own)
        found["contract_amount_restated"] = Sum(self.restated_facts, shared)
        found["contract_area"] = Sum(self.area_facts, shared)
        found["cancel_rate"] = Ratio(
            Sum(lambda: self.cohort_facts(cancelled_only=True), shared),
            Sum(lambda: self.cohort_facts(cancelled_only=False), shared),
        )
        found["collected_amount"] = Sum(lambda: self.payment_facts(live_only=False), shared)
        found["collection_rate"] = Ratio(
            Sum(lambda: self.payment_facts(live_only=True), shared), Sum(self.live_due_facts, shared)
        )
        for measure, name in (
            ("count", "sell_through_rate"),
            ("area", "sell_through_area_rate"),
            ("value", "sell_through_value_rate"),
        ):
            found[name] = Ratio(
                Sum(lambda measure=measure: self.unit_facts(measure, sold_only=True), dim.PROJECT),
                Sum(lambda measure=measure: self.unit_facts(measure, sold_only=False), dim.PROJECT),
            )
        return found

    # Deals as leads see them.

    def lifetimes(self) -> Iterator[tuple[int, int, dt.datetime, dt.datetime]]:
        """Return customer, project, begin and end of each sale that came from no lead."""
        for chain in self.chains:
            if chain.first_event_at and not any(deal.journey for deal in chain.deals):
                deal = chain.deals[0]
                end = chain.cancelled_at or self.crm.as_of
                yield deal.customer_id, deal.row.project_id, chain.first_event_at, end
