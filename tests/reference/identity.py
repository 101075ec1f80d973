"""Who is who: merged customers count as their survivor, and leads of one survivor in one project as one."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field

from tests.reference.crm import Crm, Row


def survivors(crm: Crm) -> dict[int, int]:
    """Return the survivor of every customer: merges followed to the end, a circle to its smallest key."""
    into = {customer.id: customer.merged_into_id for customer in crm.rows("customer")}
    found = {}
    for customer_id in into:
        path = [customer_id]
        while (successor := into.get(path[-1])) is not None and successor not in path:
            path.append(successor)
        found[customer_id] = path[-1] if successor is None else min(path[path.index(successor) :])
    return found


@dataclass(eq=False)
class Journey:
    """A collapsed lead: the earliest lead of a survivor in a project, with the events of all of them."""

    lead: Row
    customer_id: int
    members: list[Row]
    events: list[Row] = field(default_factory=list)

    @property
    def opened_at(self) -> dt.datetime:
        """When the earliest lead was opened."""
        return self.lead.opened_at

    @property
    def first_visit_at(self) -> dt.datetime | None:
        """When the first effective visit was."""
        return next((event.occurred_at for event in self.events if event.kind == "visit" and event.is_effective), None)


def journeys(crm: Crm, survivor_of: dict[int, int]) -> dict[int, Journey]:
    """Return the journey that each lead belongs to, by the key of the lead."""
    groups: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for lead in crm.rows("lead"):
        groups[survivor_of[lead.customer_id], lead.project_id].append(lead)
    of_lead = {}
    for (customer_id, _), members in groups.items():
        earliest = min(members, key=lambda lead: (lead.opened_at, lead.id))
        events = [event for lead in members for event in crm.children("lead_event", "lead_id", lead.id)]
        events.sort(key=lambda event: (event.occurred_at, event.id))
        journey = Journey(earliest, customer_id, members, events)
        of_lead.update({lead.id: journey for lead in members})
    return of_lead
