"""Leads and contracts under the features that customers are asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.reference.crm import Crm, Row
from tests.reference.facts import DistinctCount, Fact, Group, Metric, Question, Ratio, Sum

FEATURE = ("feature", "feature_value")
# Fewer customers could be recognised by what somebody typed about them.
FEWEST_CUSTOMERS = 5
TYPED = ("text", "number", "date")


class Answers:
    """What customers were asked and answered."""

    def __init__(self, crm: Crm, survivor_of: dict[int, int]) -> None:
        self.crm = crm
        self.features = [feature for feature in crm.rows("feature") if feature.entity == "customer"]
        self._values: dict[int, dict[int, set[str]]] = {
            feature.id: self._recorded(feature, survivor_of) for feature in self.features
        }
        self.of = cache(self._of)

    def _recorded(self, feature: Row, survivor_of: dict[int, int]) -> dict[int, set[str]]:
        found: dict[int, set[str]] = defaultdict(set)
        for row in self.crm.children("feature_value", "feature_id", feature.id):
            if row.value is not None and row.entity_id in survivor_of:
                found[survivor_of[row.entity_id]].add(row.value)
        holders = Counter(value for values in found.values() for value in values)
        return {
            customer: {
                "other" if feature.data_type in TYPED and holders[value] < FEWEST_CUSTOMERS else value
                for value in values
            }
            for customer, values in found.items()
        }

    def _classes(self, customer_id: int) -> set[int]:
        customer, classes = self.crm.get("customer", customer_id), set[int]()
        above = self.crm.get("customer_class", customer.customer_class_id) if customer else None
        while above is not None and above.id not in classes:
            classes.add(above.id)
            above = self.crm.get("customer_class", above.parent_id)
        return classes

    def _of(self, customer_id: int) -> tuple[tuple[str, tuple[str | None, ...]], ...]:
        """Return each feature the customer was asked for or answered, with the values; None alone where unknown."""
        classes = self._classes(customer_id)
        found = []
        for feature in self.features:
            values: tuple[str | None, ...] = tuple(sorted(self._values[feature.id].get(customer_id, ())))
            if values or feature.class_id is None or feature.class_id in classes:
                found.append((feature.name, values or (None,)))
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class ByFeature(Sum):
    """A sum that can be cut by the features of the customer, whom every fact names.

    Where a question names a value, a fact is under each value of the customer; where it names the feature alone, it is
    there once. What counts leads counts each once even so.
    """

    answers: Answers
    counts_leads: bool = False

    def ask(self, question: Question) -> dict[Group, Any]:
        """Ask the plain facts, or those under features if the question names them."""
        named = {*question.by, *(question.where or {})}
        if not named & set(FEATURE):
            return super().ask(question)
        kind = DistinctCount if self.counts_leads else Sum
        return kind(lambda: list(self._spread("feature_value" in named)), self.dimensions).ask(question)

    def _spread(self, under_values: bool) -> Iterator[Fact]:
        for fact in self.facts:
            for feature, values in self.answers.of(fact.dimensions["customer_id"]):
                for value in values if under_values else values[:1]:
                    yield fact.cut_by({"feature": feature, "feature_value": value})


def by_feature(answers: Answers, metrics: dict[str, Metric | Ratio]) -> dict[str, Metric | Ratio]:
    """Return the metrics that can be cut by features, in place of those that cannot."""

    def featured(metric: Metric | Ratio, counts_leads: bool) -> ByFeature:
        assert isinstance(metric, Metric)
        dimensions = (*metric.dimensions, *FEATURE)
        return ByFeature(metric.make_facts, dimensions, answers=answers, counts_leads=counts_leads)

    rate = metrics["conversion_rate"]
    assert isinstance(rate, Ratio)
    return {
        "leads": featured(metrics["leads"], True),
        "conversion_rate": Ratio(featured(rate.numerator, True), featured(rate.denominator, True)),
        "contracts": featured(metrics["contracts"], False),
        "contract_amount": featured(metrics["contract_amount"], False),
    }
