"""The quality of what is entered: which fields are filled, what is typed in late, and by whom."""

from __future__ import annotations

import calendar
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator

from tests.reference import dimensions as dim
from tests.reference.crm import Crm, Row
from tests.reference.dimensions import Dimensions
from tests.reference.facts import Fact, Metric, Ratio, Sum

# So many rows of a table entered at one moment are an import.
IMPORTED_TOGETHER = 30
LATE_AFTER_DAYS = 7
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

    def _events(self) -> Iterator[Fact]:
        for table, parent, kind in (("lead_event", "lead", "lost"), ("deal_event", "deal", "cancel")):
            for event in self.crm.rows(table):
                of = self.crm.get(parent, getattr(event, f"{parent}_id"))
                if event.kind == kind and of:
                    entered = (self.crm.day(event.occurred_at), of.project_id, event.employee_id, table)
                    yield self._fact(*entered, f"{table}.reason_id", is_filled=_is_filled(event.reason_id))

    def _expenses(self) -> Iterator[Fact]:
        for expense in self.crm.rows("expense"):
            entered = (expense.incurred_on, expense.project_id, expense.employee_id, "expense")
            is_filled = _is_filled(expense.expense_category_id)
            yield self._fact(*entered, "expense.expense_category_id", is_filled=is_filled)

    def _facts(self, worth: Callable[[Fact], int]) -> list[Fact]:
        return [
            Fact(fact.on, worth(fact), None, fact.dimensions, fact.to)
            for facts in (self._customers(), self._leads(), self._demands(), self._events(), self._expenses())
            for fact in facts
        ]

    def _entries(self) -> Iterator[tuple[dt.date, int | None, int | None, str, dt.datetime]]:
        """Yield day, project, employee, table and moment of entry of every record of which that moment is known."""
        crm = self.crm

        def project(table: str, key: int | None) -> int | None:
            parent = crm.get(table, key)
            return parent and parent.project_id

        found: list[tuple[str, Row, dt.date, int | None, int | None]] = []
        for row in crm.rows("lead"):
            found.append(("lead", row, crm.day(row.opened_at), row.project_id, row.employee_id))
        for row in crm.rows("demand"):
            first: Row | None = next(iter(crm.children("demand_event", "demand_id", row.id)), None)
            found.append(("demand", row, crm.day(row.received_at), row.project_id, first and first.employee_id))
        for table, parent in (("lead_event", "lead"), ("deal_event", "deal"), ("demand_event", "demand"),
                              ("follow_up", "demand")):  # fmt: skip
            for row in crm.rows(table):
                key = getattr(row, f"{parent}_id")
                if crm.get(parent, key):
                    found.append((table, row, crm.day(row.occurred_at), project(parent, key), row.employee_id))
        for row in crm.rows("payment"):
            if crm.get("deal", row.deal_id):
                found.append(("payment", row, row.received_on, project("deal", row.deal_id), None))
        for row in crm.rows("expense"):
            found.append(("expense", row, row.incurred_on, row.project_id, row.employee_id))
        known = [entry for entry in found if entry[1].created_at is not None and entry[1].created_at <= crm.as_of]
        times = Counter((table, row.created_at) for table, row, *_ in known)
        for table, row, on, project_id, employee_id in known:
            if times[table, row.created_at] < IMPORTED_TOGETHER:
                yield on, project_id, employee_id, table, row.created_at

    def _late(self, *, counts_all: bool) -> list[Fact]:
        facts = []
        for on, project_id, employee_id, table, entered_at in self._entries():
            person = self.dimensions.person(employee_id, on)
            cut = {
                **self.dimensions.project(project_id),
                "employee": person["employee"],
                "employee_name": person["employee_name"],
                "crm_table": table,
            }
            is_late = (self.crm.day(entered_at) - on).days > LATE_AFTER_DAYS
            facts.append(Fact(on, int(counts_all or is_late), None, cut))
        return facts

    def metrics(self) -> dict[str, Metric | Ratio]:
        """Return the metrics of entry by name."""
        cuts = (*dim.PROJECT, "employee", "employee_name", "crm_table", "crm_field")
        months = ("month", "quarter", "year")
        expected = Sum(lambda: self._facts(lambda _: 1), cuts, months)
        filled = Sum(lambda: self._facts(lambda fact: int(fact.value or 0)), cuts, months)
        entries = Sum(lambda: self._late(counts_all=True), cuts[:-1])
        late = Sum(lambda: self._late(counts_all=False), cuts[:-1])
        return {
            "fields_expected": expected,
            "fields_filled": filled,
            "field_completeness": Ratio(filled, expected),
            "records_entered": entries,
            "late_entries": late,
            "late_entry_rate": Ratio(late, entries),
        }


def _is_filled(value: object) -> bool:
    return value is not None and str(value).strip(" ") != ""
