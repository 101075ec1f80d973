"""Property fees: billed, collected, in arrears."""

from __future__ import annotations

from decimal import Decimal

from tests.reference import dimensions as dim
from tests.reference.crm import Crm, Row
from tests.reference.dimensions import Dimensions
from tests.reference.facts import Fact, Metric, Sum

FEE = (*dim.PROJECT, *dim.CUSTOMER)


class Fees:
    """All fee bills of the CRM and the facts they make."""

    def __init__(self, crm: Crm, survivor_of: dict[int, int]) -> None:
        self.crm = crm
        self.dimensions = Dimensions(crm)
        self.survivor_of = survivor_of

    def _dimensions(self, bill: Row) -> dict[str, object]:
        unit = self.crm.get("unit", bill.unit_id)
        building = self.crm.get("building", unit.building_id) if unit else None
        return {
            **self.dimensions.project(building.project_id if building else None),
            **self.dimensions.customer(self.survivor_of[bill.customer_id]),
        }

    def _payments(self, bill: Row) -> list[Row]:
        return [p for p in self.crm.children("fee_payment", "fee_bill_id", bill.id) if not p.is_void]

    def billed_facts(self) -> list[Fact]:
        """Return the bills, by the period they are for."""
        return [
            Fact(bill.period_on, bill.amount, bill.id, self._dimensions(bill))
            for bill in self.crm.rows("fee_bill")
            if self.crm.has_happened(bill.period_on)
        ]

    def collected_facts(self) -> list[Fact]:
        """Return the payments that are not void, by the day they were received; also those for a period to come."""
        return [
            Fact(payment.received_on, payment.amount, payment.id, self._dimensions(bill))
            for bill in self.crm.rows("fee_bill")
            for payment in self._payments(bill)
        ]

    def arrears_facts(self) -> list[Fact]:
        """Return what is due and not paid, bill by bill, as of today."""
        return [
            Fact(
                self.crm.as_of_day,
                bill.amount - sum((payment.amount for payment in self._payments(bill)), Decimal(0)),
                bill.id,
                self._dimensions(bill),
            )
            for bill in self.crm.rows("fee_bill")
            if self.crm.has_happened(bill.period_on) and self.crm.has_happened(bill.due_on)
        ]

    def metrics(self) -> dict[str, Metric]:
        """Return the metrics of fees by name."""
        return {
            "fee_billed": Sum(self.billed_facts, FEE),
            "fee_collected": Sum(self.collected_facts, FEE),
            "fee_arrears": Sum(self.arrears_facts, FEE),
        }
