"""The values of the dimensions that a fact is cut by."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.reference.crm import Crm

PROJECT = ("project", "district", "project_type")
SOURCE = ("source", "market_type", "activity", "plan")
CUSTOMER = (
    "customer_class", "customer_kind", "gender", "age_band", "income_band", "education", "occupation", "personality",
)  # fmt: skip
PERSON = ("employee", "employee_name", "department")
REASON = ("reason", "competitor", "competitor_project")
DEMAND = ("demand_category", "demand_kind", "channel", "severity", "phase")

# The first year of each band of age, and what the band is called.
AGE_BANDS = {65: "65+", 55: "55-64", 45: "45-54", 35: "35-44", 25: "25-34", 0: "0-24"}

UNATTRIBUTED = "unattributed"


class Dimensions:
    """Looks up dimension values; what is not known is None."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm

    def _name(self, table: str, key: int | None) -> str | None:
        row = self.crm.get(table, key)
        return row.name if row else None

    def project(self, project_id: int | None) -> dict[str, Any]:
        """Return name and district of a project."""
        project = self.crm.get("project", project_id)
        return {
            "project": project and project.name,
            "district": project and project.district,
            "project_type": project and project.type,
        }

    def source(self, source_id: int | None) -> dict[str, Any]:
        """Return name and market type of a source."""
        source = self.crm.get("source", source_id)
        return {"source": source and source.name, "market_type": source and source.market_type}

    def activity(self, activity_id: int | None, plan_id: int | None = None) -> dict[str, Any]:
        """Return the names of an activity and of its plan (or of the plan given)."""
        activity = self.crm.get("activity", activity_id)
        if plan_id is None and activity:
            plan_id = activity.plan_id
        return {"activity": activity and activity.name, "plan": self._name("plan", plan_id)}

    def customer(self, customer_id: int | None) -> dict[str, Any]:
        """Return class and features of a customer (of the survivor: the caller passes its key)."""
        customer = self.crm.get("customer", customer_id)
        return {
            "customer_class": self._name("customer_class", customer.customer_class_id) if customer else None,
            "customer_kind": customer and customer.kind,
            "gender": customer and customer.gender,
            "age_band": self._age_band(customer.birth_on) if customer else None,
            "income_band": customer and customer.income_band,
            "education": customer and customer.education,
            "occupation": customer and customer.occupation,
            "personality": customer and customer.personality,
        }

    def _age_band(self, birth_on: dt.date | None) -> str | None:
        today = self.crm.as_of_day
        if birth_on is None or birth_on > today:
            return None
        age = today.year - birth_on.year - ((today.month, today.day) < (birth_on.month, birth_on.day))
        return next(band for first, band in AGE_BANDS.items() if age >= first)

    def person(self, employee_id: int | None, on: dt.date) -> dict[str, Any]:
        """Return number and department of an employee as they were on a day."""
        employee = self.crm.get("employee", employee_id)
        held = [
            position
            for position in self.crm.children("employee_position", "employee_id", employee_id)
            if employee and position.from_on <= on and (position.to_on is None or on <= position.to_on)
        ]
        department = None
        if held:
            latest = max(held, key=lambda position: (position.from_on, position.id))
            department = self._name("department", self.crm.get("position", latest.position_id).department_id)
        return {
            "employee": employee and employee.number,
            "employee_name": employee and employee.name,
            "department": department,
        }

    def demand_categories(self, category_id: int) -> tuple[str, ...]:
        """Return the names of a demand category and of all above it."""
        names = []
        category = self.crm.get("demand_category", category_id)
        while category:
            names.append(category.name)
            category = self.crm.get("demand_category", category.parent_id)
        return tuple(dict.fromkeys(names))

    def reason(self, reason_id: int | None) -> dict[str, Any]:
        """Return the name of a reason, and of the competing estate it names and its company."""
        reason = self.crm.get("reason", reason_id)
        estate = self.crm.get("competitor_project", reason.competitor_project_id) if reason else None
        return {
            "reason": reason and reason.name,
            "competitor": self._name("competitor", estate.competitor_id) if estate else None,
            "competitor_project": estate and estate.name,
        }

    def expense_category(self, category_id: int | None) -> dict[str, Any]:
        """Return the name of an expense category."""
        return {"expense_category": self._name("expense_category", category_id)}
