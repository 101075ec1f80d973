"""Leads: cohorts and their conversion, visits, losses, and how long a customer was active in a project."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable
from functools import cached_property

from tests.reference import dimensions as dim
from tests.reference.crm import Crm, Row
from tests.reference.deals import Deal, Deals
from tests.reference.dimensions import Dimensions
from tests.reference.facts import DistinctCount, Fact, Median, Metric, Number, Ratio, Sum
from tests.reference.identity import Journey

LEAD = (*dim.PROJECT, *dim.SOURCE, *dim.CUSTOMER, *dim.PERSON)
SECONDS_PER_DAY = 86_400


class Leads:
    """All collapsed leads of the CRM and the facts they make."""

    def __init__(self, crm: Crm, journey_of: dict[int, Journey], deals: Deals) -> None:
        self.crm = crm
        self.dimensions = Dimensions(crm)
        self.deals = deals
        self.journeys = list({id(journey): journey for journey in journey_of.values()}.values())
        self._deals_of: dict[int, list[Deal]] = {journey.lead.id: [] for journey in self.journeys}
        for deal in deals.deals.values():
            if deal.journey:
                self._deals_of[deal.journey.lead.id].append(deal)

    def deal_events(self, journey: Journey, *kinds: str) -> list[Row]:
        """Return the events of some kinds of all deals of a collapsed lead, in order."""
        events = [event for deal in self._deals_of[journey.lead.id] for event in deal.of_kind(*kinds)]
        return sorted(events, key=lambda event: (event.occurred_at, event.id))

    def first_contract_at(self, journey: Journey) -> dt.datetime | None:
        """Return when the first contract was signed, cancelled later or not."""
        return next((event.occurred_at for event in self.deal_events(journey, "contract")), None)

    def is_converted(self, journey: Journey) -> bool:
        """Say whether a deal of the lead is live."""
        return any(deal.is_live for deal in self._deals_of[journey.lead.id])

    def loss(self, journey: Journey) -> Row | None:
        """Return the event by which the lead is lost, or None if it is not."""
        if self.is_converted(journey):
            return None
        turns = [event for event in journey.events if event.kind in ("lost", "reopened")]
        turns += self.deal_events(journey, "cancel")
        # Of two at the same moment the later in the list decides: events of one table come with their keys in order.
        turns.sort(key=lambda event: event.occurred_at)
        return turns[-1] if turns and turns[-1].kind != "reopened" else None

    def has_reached(self, journey: Journey, stage: str) -> bool:
        """Say whether the lead reached a stage or a later one."""
        stages = ("visit", "small_booking", "booking", "contract")
        onwards = stages[stages.index(stage) :]
        visited = "visit" in onwards and journey.first_visit_at is not None
        return visited or bool(self.deal_events(journey, *onwards))

    def lead_dimensions(self, journey: Journey) -> dict[str, object]:
        """Return what a collapsed lead is cut by: all as of its earliest lead."""
        lead = journey.lead
        return {
            **self.dimensions.project(lead.project_id),
            **self.dimensions.source(lead.source_id),
            **self.dimensions.activity(lead.activity_id),
            **self.dimensions.customer(journey.customer_id),
            "customer_id": journey.customer_id,
            **self.dimensions.person(lead.employee_id, self.crm.day(lead.opened_at)),
        }

    @cached_property
    def _dimensions_of(self) -> dict[int, dict[str, object]]:
        return {journey.lead.id: self.lead_dimensions(journey) for journey in self.journeys}

    def _fact(self, journey: Journey, on: dt.date, value: Number = 1) -> Fact:
        return Fact(on, value, journey.lead.id, self._dimensions_of[journey.lead.id])

    def course(self, journey: Journey) -> dict[str, object]:
        """Return what the lead has come to and in how many days, each that has begun counted; not listed to cut by."""
        signed_at, loss = self.first_contract_at(journey), self.loss(journey)
        if signed_at is not None:
            outcome, ended_at = "signed", signed_at
        elif loss is not None:
            outcome, ended_at = "lost", loss.occurred_at
        else:
            outcome, ended_at = "undecided", self.crm.as_of
        days = -((journey.opened_at - ended_at) // dt.timedelta(days=1))
        return {"course_outcome": outcome, "course_days": max(days, 0)}

    def cohort(
        self, condition: Callable[[Journey], bool] = lambda _: True, value: Callable[[Journey], Number] = lambda _: 1
    ) -> list[Fact]:
        """Return the leads that meet a condition, on the day they were opened."""
        return [
            self._fact(journey, self.crm.day(journey.opened_at), value(journey)).cut_by(self.course(journey))
            for journey in self.journeys
            if condition(journey)
        ]

    def lost_facts(self) -> list[Fact]:
        """Return the lost leads, on the day they were opened, with the reason."""
        return [
            self._fact(journey, self.crm.day(journey.opened_at)).cut_by(self.dimensions.reason(loss.reason_id))
            for journey in self.journeys
            if (loss := self.loss(journey))
        ]

    def visit_facts(self) -> list[Fact]:
        """Return the effective visits, on their day, by who received the customer."""
        facts = []
        for journey in self.journeys:
            for event in journey.events:
                if event.kind == "visit" and event.is_effective:
                    on = self.crm.day(event.occurred_at)
                    facts.append(self._fact(journey, on).cut_by(self.dimensions.person(event.employee_id, on)))
        return facts

    def first_visit_facts(self) -> list[Fact]:
        """Return the leads that visited, on the day of their first visit, by the owner at entry."""
        facts = []
        for journey in self.journeys:
            if journey.first_visit_at is not None:
                on = self.crm.day(journey.first_visit_at)
                facts.append(self._fact(journey, on).cut_by(self.dimensions.person(journey.lead.employee_id, on)))
        return facts

    def days_to_contract_facts(self) -> list[Fact]:
        """Return the days from opening to first contract of the leads that signed, with fractions."""

        def days(journey: Journey) -> float:
            contract_at = self.first_contract_at(journey)
            assert contract_at is not None
            return (contract_at - journey.opened_at).total_seconds() / SECONDS_PER_DAY

        return self.cohort(lambda journey: self.first_contract_at(journey) is not None, days)

    def activity_facts(self) -> list[Fact]:
        """Return every month in which a customer was active in a project, once."""
        spans = [
            (journey.customer_id, journey.lead.project_id, journey.opened_at, loss.occurred_at if loss else None)
            for journey in self.journeys
            for loss in [self.loss(journey)]
        ]
        spans += self.deals.lifetimes()
        active = set()
        for customer_id, project_id, begin, end in spans:
            day, last = self.crm.day(begin), self.crm.day(end or self.crm.as_of)
            while day <= last:
                active.add((customer_id, project_id, day.replace(day=1)))
                day += dt.timedelta(days=1)
        return [
            Fact(
                month,
                1,
                (customer_id, project_id, month),
                {**self.dimensions.project(project_id), **self.dimensions.customer(customer_id)},
                to=month.replace(day=calendar.monthrange(month.year, month.month)[1]),
            )
            for customer_id, project_id, month in sorted(active)
        ]

    def served_facts(self) -> list[Fact]:
        """Return the customers whose collapsed lead somebody owned, on the day it was opened."""
        return [
            Fact(fact.on, 1, journey.customer_id, fact.dimensions)
            for journey in self.journeys
            if journey.lead.employee_id is not None
            for fact in [self._fact(journey, self.crm.day(journey.opened_at))]
        ]

    def _rate(self, condition: Callable[[Journey], bool], cohort: Callable[[Journey], bool] = lambda _: True) -> Ratio:
        return Ratio(
            Sum(lambda: self.cohort(lambda journey: cohort(journey) and condition(journey)), LEAD),
            Sum(lambda: self.cohort(cohort), LEAD),
        )

    def _windowed(self, days: int) -> Ratio:
        window = dt.timedelta(days=days)

        def signed_in_time(journey: Journey) -> bool:
            contract_at = self.first_contract_at(journey)
            return contract_at is not None and contract_at <= journey.opened_at + window

        return self._rate(signed_in_time, lambda journey: journey.opened_at + window <= self.crm.as_of)

    def metrics(self) -> dict[str, Metric | Ratio]:
        """Return the metrics of leads by name."""
        lost = Sum(self.lost_facts, (*LEAD, *dim.REASON))
        leads = Sum(self.cohort, LEAD)
        return {
            "leads": leads,
            "visits": Sum(self.visit_facts, LEAD),
            "first_visits": Sum(self.first_visit_facts, LEAD),
            "conversion_rate": self._rate(self.is_converted),
            "gross_conversion_rate": self._rate(lambda journey: self.first_contract_at(journey) is not None),
            "conversion_rate_30d": self._windowed(30),
            "conversion_rate_90d": self._windowed(90),
            "conversion_rate_180d": self._windowed(180),
            "visit_rate": self._rate(lambda journey: self.has_reached(journey, "visit")),
            "small_booking_rate": self._rate(lambda journey: self.has_reached(journey, "small_booking")),
            "booking_rate": self._rate(lambda journey: self.has_reached(journey, "booking")),
            "lost_leads": lost,
            "open_leads": Sum(
                lambda: self.cohort(lambda one: self.loss(one) is None and not self.is_converted(one)), LEAD
            ),
            "loss_rate": Ratio(lost, leads),
            "days_to_contract": Median(self.days_to_contract_facts, LEAD),
            "customer_months": DistinctCount(
                self.activity_facts, (*dim.PROJECT, *dim.CUSTOMER), times=("month", "quarter", "year")
            ),
        }
