"""The quality of what is entered: which fields of customers, leads and demands are filled, and by whom."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Iterator

from tests.reference import dimensions as dim
from tests.reference.crm import Crm, Row
from tests.reference.dimensions import Dimensions
from tests.reference.facts import Fact, Metric, Ratio, Sum

PERSONAL_FIELDS = ("gender", "birth_on", "education", "occupation", "income_band", "personality")


class Entry:
    """Every field that should be filled, with whether it is."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm
        self.dimensions = Dimensions(crm)

    def _fact(
        self, on: dt.date, project_id: int | None, employee_id: int | None, table: str, field: str, *, is_filled: bool
    ) -> Fact:
        month = on.replace(day=1)
        person = self.dimensions.person(employee_id, on)
        return Fact(
            month,
            int(is_filled),
            None,
            {
                **self.dimensions.project(project_id),
                "employee": person["employee"],
                "employee_name": person["employee_name"],
                "crm_table": table,
                "crm_field": field,
            },
            to=month.replace(day=calendar.monthrange(month.year, month.month)[1]),
        )

    def _customers(self) -> Iterator[Fact]:
        features = [f for f in self.crm.rows("feature") if f.entity == "customer" and f.class_id is None]
        for customer in self.crm.rows("customer"):
            leads = self.crm.children("lead", "customer_id", customer.id)
            if not leads:
                continue
            first = min(leads, key=lambda lead: (lead.opened_at, lead.id))
            entered = (self.crm.day(first.opened_at), first.project_id, first.employee_id, "customer")
            names = (*(PERSONAL_FIELDS if customer.kind == "person" else ()), "customer_class_id")
            for name in names:
                yield self._fact(*entered, f"customer.{name}", is_filled=_is_filled(getattr(customer, name)))
            values = self.crm.children("feature_value", "entity_id", customer.id)
            for feature in features:
                is_filled = any(v.feature_id == feature.id and _is_filled(v.value) for v in values)
                yield self._fact(*entered, f"customer/{feature.name}", is_filled=is_filled)

    def _leads(self) -> Iterator[Fact]:
        for lead in self.crm.rows("lead"):
            entered = (self.crm.day(lead.opened_at), lead.project_id, lead.employee_id, "lead")
            for name in ("source_id", "employee_id", "intent_level"):
                yield self._fact(*entered, f"lead.{name}", is_filled=_is_filled(getattr(lead, name)))

    def _demands(self) -> Iterator[Fact]:
        for demand in self.crm.rows("demand"):
            first: Row | None = next(iter(self.crm.children("demand_event", "demand_id", demand.id)), None)
            entered = (self.crm.day(demand.received_at), demand.project_id, first and first.employee_id, "demand")
            for name in ("channel", "severity", *(("unit_id",) if demand.phase == "property" else ())):
                yield self._fact(*entered, f"demand.{name}", is_filled=_is_filled(getattr(demand, name)))

    def _facts(self, worth: Callable[[Fact], int]) -> list[Fact]:
        return [
            Fact(fact.on, worth(fact), None, fact.dimensions, fact.to)
            for facts in (self._customers(), self._leads(), self._demands())
            for fact in facts
        ]

    def metrics(self) -> dict[str, Metric | Ratio]:
        """Return the metrics of entry by name."""
        cuts = (*dim.PROJECT, "employee", "employee_name", "crm_table", "crm_field")
        months = ("month", "quarter", "year")
        expected = Sum(lambda: self._facts(lambda _: 1), cuts, months)
        filled = Sum(lambda: self._facts(lambda fact: int(fact.value or 0)), cuts, months)
        return {"fields_expected": expected, "fields_filled": filled, "field_completeness": Ratio(filled, expected)}


def _is_filled(value: object) -> bool:
    return value is not None and str(value).strip(" ") != ""
