"""Everything about one customer, over all records that are the same person, as far as the actor may know."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema import Record
from data_entry.schema.customer import Customer, CustomerOwner, Feature, FeatureValue
from data_entry.schema.deal import Deal, Reason
from data_entry.schema.demand import Demand, DemandCategory, Promise
from data_entry.schema.estate import Building, Project, Unit, UnitOwner
from data_entry.schema.lead import Lead, LeadEvent, Source
from data_entry.schema.organisation import Employee
from data_entry.services import deals
from data_entry.services.customers import Row, rows_of
from data_entry.services.identity import group_ids
from data_entry.services.leads import DealState, deal_events, deal_state
from data_entry.services.work import Work


@dataclass(frozen=True)
class Moment:
    """Something that happened.

    Attributes:
        at: when, UTC.
        kind: a kind of lead_event or deal_event, or ``opened``, ``demand``, ``promise``, ``owner``.
        employee: name of who acted.
        detail: what is worth saying: an amount, a reason, a note, a title.
    """

    at: dt.datetime
    kind: str
    project: str | None = None
    employee: str | None = None
    amount: Decimal | None = None
    is_effective: bool | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Sale:
    """A deal with its state, its unit's name, and its money."""

    deal: Deal
    state: DealState
    unit: str | None
    money: deals.Money


@dataclass
class Profile:
    """A customer with all that is known.

    Attributes:
        row: the survivor as in a list: ways, owners, days of silence.
        customer: the row that counts.
        merged: the rows that were merged into it.
        leads: leads that the actor may read.
        moments: what happened, the latest first.
        sales: deals that the actor may read, the latest first.
        demands: with the name of the category.
        features: each feature recorded, with its values as text.
        units: names of the units owned.
    """

    row: Row
    merged: list[Customer]
    leads: list[Lead] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    demands: list[tuple[Demand, str]] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    features: list[tuple[Feature, list[str]]] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    projects: dict[int, str] = field(default_factory=dict)
    sources: dict[int, str] = field(default_factory=dict)

    @property
    def customer(self) -> Customer:
        """The row that counts."""
        return self.row.customer


def _readable(work: Work, model: type[Record], *where: Any, by: Any) -> list[Any]:
    name = model.__tablename__
    if not work.actor.may("read", name):
        return []
    query = sa.select(model).where(model.deleted_at.is_(None), reach(work.actor, "read", name), *where)
    return list(work.session.scalars(query.order_by(by, model.id)))


def profile(work: Work, customer_id: int) -> Profile:
    """Return everything about a customer, or about the one it was merged into.

    Raises:
        NotFound: if there is none, or the actor may not see it.
    """
    asked = work.get(Customer, customer_id)
    group = group_ids(work.session, asked.id)
    # Who looks after a duplicate sees it; whoever it was merged into only if that is theirs, too.
    top = work.get(Customer, group[0]) if group[0] != asked.id else asked
    session = work.session
    found = Profile(
        row=rows_of(work, [top.id])[0],
        merged=[session.get_one(Customer, key) for key in group[1:]],
        projects=dict(session.execute(sa.select(Project.id, Project.name)).all()),
        sources=dict(session.execute(sa.select(Source.id, Source.name)).all()),
    )
    people = dict(session.execute(sa.select(Employee.id, Employee.name)).all())
    reasons = dict(session.execute(sa.select(Reason.id, Reason.name)).all())
    is_known = found.row.is_known
    found.leads = _readable(work, Lead, Lead.customer_id.in_(group), by=Lead.opened_at)
    by_lead = {lead.id: lead for lead in found.leads}
    moments: list[Moment] = []
    for lead in found.leads:
        moments.append(
            Moment(
                lead.opened_at, "opened", found.projects.get(lead.project_id), people.get(lead.employee_id or 0),
                detail=found.sources.get(lead.source_id or 0),
            )
        )  # fmt: skip
    for event in _readable(work, LeadEvent, LeadEvent.lead_id.in_(by_lead), by=LeadEvent.occurred_at):
        told = [reasons.get(event.reason_id or 0), event.note if is_known else None]
        moments.append(
            Moment(
                event.occurred_at, event.kind, found.projects.get(by_lead[event.lead_id].project_id),
                people.get(event.employee_id or 0), is_effective=event.is_effective,
                detail=" · ".join(filter(None, told)) or None,
            )
        )  # fmt: skip
    _add_sales(work, found, group, moments, people, reasons)
    categories = dict(session.execute(sa.select(DemandCategory.id, DemandCategory.name)).all())
    for demand in _readable(work, Demand, Demand.customer_id.in_(group), by=Demand.received_at.desc()):
        name = categories.get(demand.demand_category_id, "")
        found.demands.append((demand, name))
        told = [name, demand.title if is_known else None]
        moments.append(
            Moment(
                demand.received_at, "demand", found.projects.get(demand.project_id),
                detail=" · ".join(filter(None, told)) or None,
            )
        )  # fmt: skip
    found.promises = _readable(work, Promise, Promise.customer_id.in_(group), by=Promise.made_at.desc())
    for promise in found.promises:
        moments.append(
            Moment(
                promise.made_at, "promise", employee=people.get(promise.employee_id or 0),
                detail=promise.text if is_known else None,
            )
        )  # fmt: skip
    for owner in _readable(work, CustomerOwner, CustomerOwner.customer_id.in_(group), by=CustomerOwner.from_at):
        moments.append(
            Moment(
                owner.from_at, "owner", found.projects.get(owner.project_id or 0), people.get(owner.employee_id),
                detail=owner.reason if is_known else None,
            )
        )  # fmt: skip
    found.moments = sorted(moments, key=lambda moment: moment.at, reverse=True)
    values: dict[Feature, list[str]] = {}
    for feature, value in session.execute(
        sa.select(Feature, FeatureValue.value)
        .join(Feature, Feature.id == FeatureValue.feature_id)
        .where(
            Feature.entity == "customer", Feature.deleted_at.is_(None), FeatureValue.entity_id.in_(group),
            FeatureValue.deleted_at.is_(None), FeatureValue.value.is_not(None),
            reach(work.actor, "read", "feature_value"),
        )
        .order_by(sa.func.coalesce(Feature.sequence, 10_000), Feature.id, FeatureValue.id)
    ):  # fmt: skip
        if value not in values.setdefault(feature, []):
            values[feature].append(value or "")
    found.features = list(values.items())
    for owned in _readable(work, UnitOwner, UnitOwner.customer_id.in_(group), by=UnitOwner.from_on):
        if owned.to_on is None or owned.to_on >= work.today:
            found.units.append(unit_name(work, owned.unit_id) or str(owned.unit_id))
    return found


def _add_sales(
    work: Work, found: Profile, group: list[int], moments: list[Moment], people: dict[int, str], reasons: dict[int, str]
) -> None:
    sales = _readable(work, Deal, Deal.customer_id.in_(group), by=Deal.id)
    events = deal_events(work.session, [deal.id for deal in sales])
    owed = deals.moneys(work, {deal.id: deal_state(events.get(deal.id, [])) for deal in sales})
    for deal in sales:
        own = events.get(deal.id, [])
        state, unit = deal_state(own), unit_name(work, deal.unit_id)
        found.sales.append(Sale(deal, state, unit, owed[deal.id]))
        for event in own:
            told = [unit, reasons.get(event.reason_id or 0)]
            moments.append(
                Moment(
                    event.occurred_at, event.kind, found.projects.get(deal.project_id),
                    people.get(event.employee_id or 0), event.amount, detail=" · ".join(filter(None, told)) or None,
                )
            )  # fmt: skip
    found.sales.sort(key=lambda sale: (sale.state.last_at or dt.datetime.min, sale.deal.id), reverse=True)


def unit_name(work: Work, unit_id: int | None) -> str | None:
    """Return building and number of a unit."""
    row = work.session.execute(
        sa.select(Building.name, Unit.number).join(Building, Building.id == Unit.building_id).where(Unit.id == unit_id)
    ).first()
    return f"{row[0]} {row[1]}" if row else None
