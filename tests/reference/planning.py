"""Targets and how far they are attained, budgets of plans, and the events marked on charts."""

from __future__ import annotations

import calendar
import datetime as dt
from decimal import Decimal

from tests.reference import dimensions as dim
from tests.reference.crm import Crm
from tests.reference.dimensions import Dimensions
from tests.reference.facts import Fact, Metric, Ratio, Sum, SumOfAny

TARGETS = ("contract_amount", "contracts", "collected_amount", "leads", "visits")
MONTHS = ("month", "quarter", "year")
CENT = Decimal("0.01")


class Planning:
    """All targets, budgets and annotations of the CRM and the facts they make."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm
        self.dimensions = Dimensions(crm)
        # At midnight the new day has nothing yet.
        self.last_day = crm.day(crm.as_of - dt.timedelta(seconds=1))

    def target_facts(self, metric: str) -> list[Fact]:
        """Return the targets of one metric, each for its month."""
        return [
            Fact(
                target.month_on,
                target.value,
                target.id,
                self.dimensions.project(target.project_id),
                to=target.month_on.replace(day=calendar.monthrange(target.month_on.year, target.month_on.month)[1]),
            )
            for target in self.crm.rows("target")
            if target.metric == metric and target.month_on <= self.last_day
        ]

    def budget_facts(self) -> list[Fact]:
        """Return the budgets of plans day by day."""
        facts = []
        for plan in self.crm.rows("plan"):
            if plan.budget is None:
                continue
            days = ((plan.end_on or plan.start_on) - plan.start_on).days + 1
            daily = plan.budget / CENT // days * CENT
            dimensions = {**self.dimensions.project(plan.project_id), "plan": plan.name}
            for number in range(days):
                amount = plan.budget - daily * (days - 1) if number == days - 1 else daily
                facts.append(Fact(plan.start_on + dt.timedelta(days=number), amount, plan.id, dimensions))
        return facts

    def annotation_facts(self) -> list[Fact]:
        """Return the annotations on their day."""
        return [
            Fact(
                row.happened_on,
                1,
                row.id,
                {
                    **self.dimensions.project(row.project_id),
                    "annotation": row.title,
                    "annotation_kind": row.kind,
                },
            )
            for row in self.crm.rows("annotation")
        ]

    def metrics(self, others: dict[str, Metric | Ratio]) -> dict[str, Metric | Ratio]:
        """Return the metrics of planning by name, ``others`` being what targets are set for."""
        found: dict[str, Metric | Ratio] = {
            "annotations": Sum(self.annotation_facts, (*dim.PROJECT, "annotation", "annotation_kind"))
        }
        for name in TARGETS:
            actual = others[name]
            assert isinstance(actual, Metric)
            target = SumOfAny(lambda name=name: self.target_facts(name), dim.PROJECT, MONTHS)
            found |= {f"target_{name}": target, f"{name}_attainment": Ratio(actual, target)}
        expense = others["marketing_expense"]
        assert isinstance(expense, Metric)
        budget = SumOfAny(self.budget_facts, (*dim.PROJECT, "plan"))
        return {**found, "marketing_budget": budget, "budget_used_rate": Ratio(expense, budget)}
