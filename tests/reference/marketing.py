"""Marketing: expense, attribution of contracts to touchpoints, cost and return."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from tests.reference import dimensions as dim
from tests.reference.attribution import divided, removal_effects, shapley_values
from tests.reference.crm import Crm, Row
from tests.reference.deals import Deals
from tests.reference.dimensions import UNATTRIBUTED, Dimensions
from tests.reference.facts import Fact, Group, Metric, Question, Ratio, Sum
from tests.reference.leads import Leads

WINDOW = dt.timedelta(days=180)
HALF_LIFE_DAYS = 7
MODELS = ("first", "last", "last_non_direct", "linear", "position", "time_decay", "markov", "shapley")
DEFAULT_MODEL = "last_non_direct"
EXPENSE = (*dim.PROJECT, *dim.SOURCE, "expense_category")
ATTRIBUTED = (*dim.PROJECT, *dim.SOURCE, *dim.CUSTOMER, "attribution_model")


class AttributedSum(Sum):
    """A sum that must speak of one attribution model: the usual one unless the question names another."""

    def ask(self, question: Question) -> dict[Group, Any]:
        """Ask with the usual model if none is asked for."""
        where = dict(question.where or {})
        if "attribution_model" not in question.by:
            where.setdefault("attribution_model", [DEFAULT_MODEL])
        return super().ask(replace(question, where=where))


def position_weights(count: int) -> list[float]:
    """Return 40, 20 shared and 40 %; halves for two; all for one."""
    if count <= 2:
        return [1 / count] * count
    return [0.4, *[0.2 / (count - 2)] * (count - 2), 0.4]


def decayed_weights(days_before: list[float]) -> list[float]:
    """Return weights that halve every seven days, summing to 1."""
    raw = [2 ** (-days / HALF_LIFE_DAYS) for days in days_before]
    return [weight / sum(raw) for weight in raw]


def _channels(touchpoints: list[Row]) -> list[int]:
    return [touchpoint.source_id or 0 for touchpoint in touchpoints]


class Marketing:
    """All expenses and touchpoints of the CRM and the facts they make."""

    def __init__(self, crm: Crm, survivor_of: dict[int, int], deals: Deals, journeys: Leads, leads: Metric) -> None:
        self.crm = crm
        self.dimensions = Dimensions(crm)
        self.survivor_of = survivor_of
        self.deals = deals
        self.journeys = journeys
        self.leads = leads

    def expense_facts(self) -> list[Fact]:
        """Return the expenses approved or paid."""
        facts = []
        for expense in self.crm.rows("expense"):
            if expense.status in ("approved", "paid"):
                activity = self.crm.get("activity", expense.activity_id)
                dimensions = {
                    **self.dimensions.project(expense.project_id),
                    **self.dimensions.source(activity.source_id if activity else None),
                    **self.dimensions.activity(expense.activity_id, expense.plan_id),
                    **self.dimensions.expense_category(expense.expense_category_id),
                }
                facts.append(Fact(expense.incurred_on, expense.amount, expense.id, dimensions))
        return facts

    # Attribution.

    def touchpoints(self, customer_id: int, project_id: int, until: dt.datetime) -> list[Row]:
        """Return the touchpoints of a customer in a project in the window up to a moment, in order."""
        found = [
            touchpoint
            for touchpoint in self.touches_of.get((customer_id, project_id), [])
            if until - WINDOW <= touchpoint.occurred_at <= until
        ]
        return sorted(found, key=lambda touchpoint: (touchpoint.occurred_at, touchpoint.id))

    @cached_property
    def touches_of(self) -> dict[tuple[int, int], list[Row]]:
        """All touchpoints by survivor and project."""
        touches: dict[tuple[int, int], list[Row]] = defaultdict(list)
        for touchpoint in self.crm.rows("touchpoint"):
            touches[self.survivor_of[touchpoint.customer_id], touchpoint.project_id].append(touchpoint)
        return touches

    @cached_property
    def removals(self) -> dict[int, float]:
        """The removal effect of each channel, from the paths of all who have decided."""
        sold, sold_pairs, leadless_pairs = [], set(), set()
        for chain in self.deals.chains:
            pair = chain.deals[0].customer_id, chain.deals[0].row.project_id
            if all(deal.journey is None for deal in chain.deals):
                leadless_pairs.add(pair)
            if chain.live_deal is not None and chain.first_event_at is not None:
                sold_pairs.add(pair)
                sold.append(_channels(self.touchpoints(*pair, chain.first_event_at)))
        ends = {
            (journey.customer_id, journey.lead.project_id): loss.occurred_at
            if (loss := self.journeys.loss(journey))
            else None
            for journey in self.journeys.journeys
        }
        for pair, touches in self.touches_of.items():
            last = max(touchpoint.occurred_at for touchpoint in touches)
            if pair not in ends and last + WINDOW <= self.crm.as_of:
                ends[pair] = last
        unsold = [
            _channels(self.touchpoints(*pair, end))
            for pair, end in ends.items()
            if end is not None and pair not in sold_pairs and pair not in leadless_pairs
        ]
        return removal_effects([path for path in sold if path], [path for path in unsold if path])

    def _is_direct(self, touchpoint: Row) -> bool:
        return self.dimensions.source(touchpoint.source_id)["market_type"] == "direct"

    def weights(self, touchpoints: list[Row], until: dt.datetime) -> dict[str, list[float]]:
        """Return the share of each touchpoint under each model."""
        count = len(touchpoints)

        def all_to(place: int) -> list[float]:
            return [float(index == place) for index in range(count)]

        indirect = [index for index, touchpoint in enumerate(touchpoints) if not self._is_direct(touchpoint)]
        channels = _channels(touchpoints)
        days_before = [(until - touchpoint.occurred_at).total_seconds() / 86_400 for touchpoint in touchpoints]
        return {
            "first": all_to(0),
            "last": all_to(count - 1),
            "last_non_direct": all_to(indirect[-1] if indirect else count - 1),
            "linear": [1 / count] * count,
            "position": position_weights(count),
            "time_decay": decayed_weights(days_before),
            "markov": divided(channels, self.removals),
            "shapley": divided(channels, shapley_values(channels)),
        }

    @cached_property
    def credits(self) -> list[tuple[Fact, Decimal, Decimal | None]]:
        """The credit of each touchpoint of each live chain under each model, with amount and margin rate."""
        found = []
        for chain in self.deals.chains:
            deal, first, until = chain.live_deal, chain.first_contract, chain.first_event_at
            if deal is None or first is None or until is None:
                continue
            project = self.crm.get("project", deal.row.project_id)
            touchpoints = self.touchpoints(deal.customer_id, project.id, until)
            weights = self.weights(touchpoints, until) if touchpoints else {}
            common = {**self.dimensions.project(project.id), **self.dimensions.customer(deal.customer_id)}
            nobody = {"source": UNATTRIBUTED, "market_type": UNATTRIBUTED, "activity": None, "plan": None}
            for model in MODELS:
                shares = [
                    (
                        {
                            **self.dimensions.source(touchpoint.source_id),
                            **self.dimensions.activity(touchpoint.activity_id),
                        },
                        weight,
                    )
                    for touchpoint, weight in zip(touchpoints, weights.get(model, []), strict=True)
                    if weight
                ] or [(nobody, 1.0)]
                for source, weight in shares:
                    dimensions = {**common, **source, "attribution_model": model}
                    fact = Fact(self.crm.day(first.occurred_at), weight, deal.row.id, dimensions)
                    found.append((fact, deal.price_at(self.crm.as_of), project.gross_margin_rate))
        return found

    def contract_facts(self) -> list[Fact]:
        """Return the attributed contracts."""
        return [fact for fact, _, _ in self.credits]

    def amount_facts(self) -> list[Fact]:
        """Return the attributed amounts."""
        return [
            Fact(fact.on, float(fact.value or 0) * float(amount), fact.key, fact.dimensions)
            for fact, amount, _ in self.credits
        ]

    def profit_facts(self) -> list[Fact]:
        """Return attributed margins less expense; a margin that is missing leaves the sum unknown."""
        return [
            Fact(
                fact.on,
                None if rate is None else float(fact.value or 0) * float(amount) * float(rate),
                fact.key,
                fact.dimensions,
            )
            for fact, amount, rate in self.credits
        ] + [replace(fact, value=-float(fact.value or 0)) for fact in self.expense_by_model_facts()]

    def expense_by_model_facts(self) -> list[Fact]:
        """Return the expenses once for each model: an expense stands against all of them."""
        return [fact.cut_by({"attribution_model": model}) for fact in self.expense_facts() for model in MODELS]

    def metrics(self) -> dict[str, Metric | Ratio]:
        """Return the metrics of marketing by name."""
        expense = Sum(self.expense_facts, EXPENSE)
        contracts = AttributedSum(self.contract_facts, ATTRIBUTED)
        common = (*dim.PROJECT, *dim.SOURCE, "attribution_model")
        return {
            "marketing_expense": expense,
            "attributed_contracts": contracts,
            "attributed_amount": AttributedSum(self.amount_facts, ATTRIBUTED),
            "cost_per_lead": Ratio(expense, self.leads),
            "cost_per_contract": Ratio(
                AttributedSum(self.expense_by_model_facts, (*EXPENSE, "attribution_model")), contracts
            ),
            "return_on_expense": Ratio(AttributedSum(self.amount_facts, common), expense),
            "roi": Ratio(AttributedSum(self.profit_facts, common), expense),
        }
