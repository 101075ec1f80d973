"""Promises of the sales period: kept or broken, and the complaints that followed."""

from __future__ import annotations

from collections.abc import Callable

from tests.reference import dimensions as dim
from tests.reference.crm import Crm, Row
from tests.reference.demands import Demands
from tests.reference.facts import Fact, Metric, Ratio, Sum

PROMISE = (*dim.PROJECT, *dim.CUSTOMER, *dim.PERSON)


class Promises:
    """All promises of the CRM and the facts they make."""

    def __init__(self, crm: Crm, survivor_of: dict[int, int], demands: Demands) -> None:
        self.crm = crm
        self.survivor_of = survivor_of
        self.demands = demands

    def project_id(self, promise: Row) -> int | None:
        """Return the project of a promise's deal, else of its unit."""
        deal = self.crm.get("deal", promise.deal_id)
        unit = self.crm.get("unit", promise.unit_id)
        building = self.crm.get("building", unit.building_id) if unit else None
        return deal.project_id if deal else building and building.project_id

    def is_complained(self, promise: Row) -> bool:
        """Say whether the demand linked to it, or the one which that repeats, is a valid complaint made later."""
        demand = self.crm.get("demand", promise.demand_id)
        if demand is None or demand.received_at < promise.made_at:
            return False
        meant = demand if demand.duplicate_of_id is None else self.crm.get("demand", demand.duplicate_of_id)
        return meant is not None and self.demands.is_valid_complaint(meant)

    def facts(self, condition: Callable[[Row], bool]) -> Callable[[], list[Fact]]:
        """Return what makes the facts of promises that meet a condition, by ``made_at`` and who promised."""
        dimensions = self.demands.dimensions

        def made() -> list[Fact]:
            return [
                Fact(
                    on,
                    1,
                    promise.id,
                    {
                        **dimensions.project(self.project_id(promise)),
                        **dimensions.customer(self.survivor_of[promise.customer_id]),
                        **dimensions.person(promise.employee_id, on),
                    },
                )
                for promise in self.crm.rows("promise")
                if condition(promise)
                for on in [self.crm.day(promise.made_at)]
            ]

        return made

    def metrics(self) -> dict[str, Metric | Ratio]:
        """Return the metrics of promises by name."""

        def count(condition: Callable[[Row], bool]) -> Sum:
            return Sum(self.facts(condition), PROMISE)

        made = count(lambda _: True)
        settled = count(lambda promise: promise.is_kept is not None)
        return {
            "promises": made,
            "promises_kept_rate": Ratio(count(lambda promise: promise.is_kept is True), settled),
            "promise_complaint_rate": Ratio(count(self.is_complained), made),
        }
