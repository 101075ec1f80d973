"""Demands: complaints and suggestions, how fast and how well they were answered; surveys."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable

from tests.reference import dimensions as dim
from tests.reference.crm import Crm, Row
from tests.reference.dimensions import Dimensions
from tests.reference.facts import DistinctCount, Fact, Median, Metric, Number, Ratio, Sum
from tests.reference.leads import LEAD, Leads

DEMAND = (*dim.PROJECT, *dim.CUSTOMER, *dim.DEMAND)
SATISFIED = 4
SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 3600


class Demands:
    """All demands and survey answers of the CRM and the facts they make."""

    def __init__(self, crm: Crm, survivor_of: dict[int, int], leads: Leads) -> None:
        self.crm = crm
        self.dimensions = Dimensions(crm)
        self.survivor_of = survivor_of
        self.leads = leads

    # What a demand is.

    def events(self, demand: Row, *kinds: str) -> list[Row]:
        """Return the events of some kinds of a demand, in order."""
        return [e for e in self.crm.children("demand_event", "demand_id", demand.id) if e.kind in kinds]

    def kind(self, demand: Row) -> str:
        """Return the kind of a demand's category."""
        return self.crm.get("demand_category", demand.demand_category_id).kind

    @staticmethod
    def is_master(demand: Row) -> bool:
        """Say whether a demand repeats no other."""
        return demand.duplicate_of_id is None

    def is_withdrawn(self, demand: Row) -> bool:
        """Say whether the customer has withdrawn it."""
        return demand.withdrawn_at is not None and self.crm.has_happened(demand.withdrawn_at)

    def stands(self, demand: Row) -> bool:
        """Say whether it is a master that was not withdrawn."""
        return self.is_master(demand) and not self.is_withdrawn(demand)

    def is_valid_complaint(self, demand: Row) -> bool:
        """Say whether it is a complaint that stands and did not prove unfounded."""
        return self.kind(demand) == "complaint" and self.stands(demand) and demand.is_founded is not False

    def first_reply_at(self, demand: Row) -> dt.datetime | None:
        """Return when it was first replied to."""
        return next((event.occurred_at for event in self.events(demand, "reply")), None)

    def resolved_at(self, demand: Row) -> dt.datetime | None:
        """Return when it was last resolved, if it was not reopened since."""
        turns = self.events(demand, "resolve", "reopen")
        return turns[-1].occurred_at if turns and turns[-1].kind == "resolve" else None

    def handler_id(self, demand: Row) -> int | None:
        """Return to whom it was last assigned or forwarded by the first reply or the deadline, whichever is earlier."""
        until = min(filter(None, (self.first_reply_at(demand), demand.due_at)), default=self.crm.as_of)
        given = [event for event in self.events(demand, "assign", "forward") if event.occurred_at <= until]
        return given[-1].to_employee_id if given else None

    # Facts.

    def _dimensions(self, demand: Row, employee_id: int | None, on: dt.date) -> dict[str, object]:
        return {
            **self.dimensions.project(demand.project_id),
            **self.dimensions.customer(self.survivor_of[demand.customer_id]),
            **self.dimensions.person(employee_id, on),
            "demand_category": self.dimensions.demand_categories(demand.demand_category_id),
            "demand_kind": self.kind(demand),
            "channel": demand.channel,
            "severity": demand.severity,
            "phase": demand.phase,
        }

    def course(self, demand: Row) -> dict[str, object]:
        """Return what it has come to and in how many days, each that has begun counted; not listed to cut by."""
        resolved_at = self.resolved_at(demand)
        days = -((demand.received_at - (resolved_at or self.crm.as_of)) // dt.timedelta(days=1))
        return {"resolution_outcome": "resolved" if resolved_at else "open", "resolution_days": max(days, 0)}

    def received(
        self,
        condition: Callable[[Row], bool],
        value: Callable[[Row], Number] = lambda _: 1,
        person: Callable[[Row], int | None] = lambda demand: demand.responsible_employee_id,
    ) -> Callable[[], list[Fact]]:
        """Return what makes the facts of demands that meet a condition, by ``received_at`` and a person."""

        def facts() -> list[Fact]:
            return [
                Fact(on, value(demand), demand.id, self._dimensions(demand, person(demand), on)).cut_by(
                    self.course(demand)
                )
                for demand in self.crm.rows("demand")
                if condition(demand)
                for on in [self.crm.day(demand.received_at)]
            ]

        return facts

    def deadline_facts(self, *, in_time_only: bool) -> list[Fact]:
        """Return the demands whose reply was due, on the day it was due; or those replied to in time."""
        facts = []
        for demand in self.crm.rows("demand"):
            if demand.due_at is None or not self.crm.has_happened(demand.due_at) or not self.stands(demand):
                continue
            reply_at = self.first_reply_at(demand)
            if in_time_only and (reply_at is None or reply_at > demand.due_at):
                continue
            on = self.crm.day(demand.due_at)
            facts.append(Fact(on, 1, demand.id, self._dimensions(demand, self.handler_id(demand), on)))
        return facts

    def rating_facts(self, *, satisfied_only: bool) -> list[Fact]:
        """Return the latest rated follow-up of each demand, by who last resolved it before; or the satisfied ones."""
        facts = []
        for demand in self.crm.rows("demand"):
            rated = [f for f in self.crm.children("follow_up", "demand_id", demand.id) if f.satisfaction is not None]
            if not rated or not self.is_master(demand) or (satisfied_only and rated[-1].satisfaction < SATISFIED):
                continue
            on = self.crm.day(rated[-1].occurred_at)
            resolves = [e for e in self.events(demand, "resolve") if e.occurred_at <= rated[-1].occurred_at]
            employee_id = resolves[-1].employee_id if resolves else None
            facts.append(Fact(on, 1, demand.id, self._dimensions(demand, employee_id, on)))
        return facts

    def answer_facts(self, *, satisfied_only: bool) -> list[Fact]:
        """Return the answers to questions of satisfaction; or those of the satisfied."""
        facts = []
        for answer in self.crm.rows("survey_answer"):
            question = self.crm.get("survey_question", answer.survey_question_id)
            response = self.crm.get("survey_response", answer.survey_response_id)
            if question is None or question.kind != "satisfaction" or response is None or answer.value_number is None:
                continue
            if satisfied_only and answer.value_number < SATISFIED:
                continue
            on = self.crm.day(response.submitted_at)
            dimensions = {
                **self.dimensions.project(response.project_id),
                **self.dimensions.customer(self.survivor_of.get(response.customer_id)),
                **self.dimensions.person(response.employee_id, on),
            }
            facts.append(Fact(on, 1, answer.id, dimensions))
        return facts

    def metrics(self) -> dict[str, Metric | Ratio]:
        """Return the metrics of demands and surveys by name."""
        personal = (*DEMAND, *dim.PERSON)

        def is_resolved(demand: Row) -> bool:
            return self.is_master(demand) and self.resolved_at(demand) is not None

        def was_reached(demand: Row) -> bool:
            return any(call.was_reached for call in self.crm.children("follow_up", "demand_id", demand.id))

        def count(condition: Callable[[Row], bool]) -> Sum:
            return Sum(self.received(condition), personal)

        def handled(condition: Callable[[Row], bool]) -> Sum:
            return Sum(self.received(condition, person=self.handler_id), personal)

        def reply_minutes(demand: Row) -> float:
            return (self.first_reply_at(demand) - demand.received_at).total_seconds() / SECONDS_PER_MINUTE

        def resolution_hours(demand: Row) -> float:
            resolved_at = self.resolved_at(demand)
            # Not finished yet: longer than any other.
            return (resolved_at - demand.received_at).total_seconds() / SECONDS_PER_HOUR if resolved_at else math.inf

        valid = count(self.is_valid_complaint)
        resolved = handled(is_resolved)
        replied = self.received(
            lambda demand: self.stands(demand) and bool(self.first_reply_at(demand)), reply_minutes, self.handler_id
        )
        standing = self.received(self.stands, resolution_hours, self.handler_id)
        survey = (*dim.PROJECT, *dim.CUSTOMER, *dim.PERSON)
        active = self.leads.metrics()["customer_months"]
        assert isinstance(active, Metric)
        return {
            "demands": count(self.is_master),
            "complaints": count(lambda demand: self.is_master(demand) and self.kind(demand) == "complaint"),
            "suggestions": count(lambda demand: self.is_master(demand) and self.kind(demand) == "suggestion"),
            "valid_complaints": valid,
            "complaint_rate": Ratio(valid, active, 100),
            "complaints_per_100_served": Ratio(
                count(lambda demand: self.is_valid_complaint(demand) and demand.responsible_employee_id is not None),
                DistinctCount(self.leads.served_facts, LEAD),
                100,
            ),
            "reply_timeliness_rate": Ratio(
                Sum(lambda: self.deadline_facts(in_time_only=True), personal),
                Sum(lambda: self.deadline_facts(in_time_only=False), personal),
            ),
            "first_reply_minutes": Median(replied, personal),
            "resolution_hours": Median(standing, personal),
            "resolution_rate": Ratio(
                handled(lambda demand: self.stands(demand) and is_resolved(demand)), handled(self.stands)
            ),
            "reopen_rate": Ratio(
                handled(lambda demand: self.stands(demand) and bool(self.events(demand, "reopen"))),
                handled(lambda demand: self.stands(demand) and bool(self.events(demand, "resolve"))),
            ),
            "follow_up_rate": Ratio(handled(lambda demand: is_resolved(demand) and was_reached(demand)), resolved),
            "follow_up_satisfaction": Ratio(
                Sum(lambda: self.rating_facts(satisfied_only=True), personal),
                Sum(lambda: self.rating_facts(satisfied_only=False), personal),
            ),
            "customer_satisfaction": Ratio(
                Sum(lambda: self.answer_facts(satisfied_only=True), survey),
                Sum(lambda: self.answer_facts(satisfied_only=False), survey),
            ),
        }
