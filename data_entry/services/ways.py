"""The ways of many customers: in SQL what `leads.journeys` says of a few."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.lead import Lead, LeadEvent
from data_entry.services.leads import LOST

# What is known of a way, one row each.
_LEAD, _LOST, _SOLD, _HEARD = "lead", "lost", "sold", "heard"
_NOTHING = sa.null()


def ways_of(survivors: sa.CTE, since: dt.datetime, today: dt.date, members: sa.CTE | None = None) -> sa.CTE:
    """Return the ways of customers as a table of a statement.

    Its columns are `person_id`, the survivor's key; `project_id`; `next_step_on`, the earliest day of the leads' next
    steps, of whatever state; and 1 or 0 in `is_open`, `is_quiet` and `is_due`. Each table is read once and nothing is
    asked lead by lead, which would take minutes for a hundred thousand.

    Args:
        survivors: of `identity.survivors`.
        since: a way is quiet if nothing happened on it since then.
        today: a way is due if a next step is, by the end of this day.
        members: with `id`, the keys of all customers that are the persons to be looked at; None for all.
    """
    leads = _leads(survivors, today, members)
    deals = _deals(survivors, leads, members)
    facts = sa.union_all(
        _facts(leads, _LEAD, leads.c.opened_at, leads.c.next_step_on, leads.c.is_due),
        _facts(_lost(leads, deals), _LOST),
        _facts(_heard(leads, deals, since), _HEARD),
        _facts(_live_deals(deals), _SOLD),
    ).cte("fact_of_way")

    def has(what: str) -> Any:
        return sa.func.max(sa.case((facts.c.what == what, 1), else_=0))

    def flag(condition: sa.ColumnElement[bool], name: str) -> Any:
        return sa.case((condition, 1), else_=0).label(name)

    return (
        sa.select(
            facts.c.person_id, facts.c.project_id, sa.func.min(facts.c.next_step_on).label("next_step_on"),
            flag(sa.and_(has(_LOST) == 0, has(_SOLD) == 0), "is_open"),
            flag(sa.and_(has(_HEARD) == 0, sa.func.min(facts.c.opened_at) < since), "is_quiet"),
            sa.func.max(facts.c.is_due).label("is_due"),
        )
        .group_by(facts.c.person_id, facts.c.project_id)
        .having(has(_LEAD) == 1)
        .cte("way")
    )  # fmt: skip


def _leads(survivors: sa.CTE, today: dt.date, members: sa.CTE | None) -> sa.CTE:
    """The live leads with the person they are of."""
    lead = Lead.__table__
    is_due = sa.and_(lead.c.next_step != "", lead.c.next_step_on <= today)
    return (
        sa.select(
            lead.c.id, _person(survivors, lead.c.customer_id), lead.c.project_id, lead.c.opened_at,
            lead.c.next_step_on, sa.case((is_due, 1), else_=0).label("is_due"),
        )
        .outerjoin_from(lead, survivors, survivors.c.id == lead.c.customer_id)
        .where(lead.c.deleted_at.is_(None), *_among(members, lead.c.customer_id))
        .cte("lead_of_way")
    )  # fmt: skip


def _person(survivors: sa.CTE, customer_id: Any) -> Any:
    return sa.func.coalesce(survivors.c.survivor_id, customer_id).label("person_id")


def _among(members: sa.CTE | None, customer_id: Any) -> list[sa.ColumnElement[bool]]:
    return [] if members is None else [customer_id.in_(sa.select(members.c.id))]


def _facts(
    rows: Any, what: str, opened_at: Any = _NOTHING, next_step_on: Any = _NOTHING, is_due: Any = _NOTHING
) -> sa.Select[Any]:
    return sa.select(
        rows.c.person_id, rows.c.project_id, sa.literal_column(f"'{what}'").label("what"), opened_at.label("opened_at"),
        next_step_on.label("next_step_on"), is_due.label("is_due"),
    )  # fmt: skip


def _deals(survivors: sa.CTE, leads: sa.CTE, members: sa.CTE | None) -> sa.CTE:
    """The live deals with the way they belong to: that of their lead, else that of the buyer in the estate."""
    deal = Deal.__table__
    return sa.union_all(
        sa.select(deal.c.id, deal.c.lead_id, leads.c.person_id, leads.c.project_id)
        .join_from(leads, deal, deal.c.lead_id == leads.c.id)
        .where(deal.c.deleted_at.is_(None)),
        sa.select(deal.c.id, deal.c.lead_id, _person(survivors, deal.c.customer_id), deal.c.project_id)
        .outerjoin_from(deal, survivors, survivors.c.id == deal.c.customer_id)
        .where(deal.c.deleted_at.is_(None), deal.c.lead_id.is_(None), *_among(members, deal.c.customer_id)),
    ).cte("deal_of_way")


def _heard(leads: sa.CTE, deals: sa.CTE, since: dt.datetime) -> sa.Subquery:
    """The ways on which anything happened since a moment."""
    return sa.union_all(
        *(
            sa.select(rows.c.person_id, rows.c.project_id)
            .join_from(rows, event, key == rows.c.id)
            .where(event.c.deleted_at.is_(None), event.c.occurred_at >= since)
            for rows, event, key in (
                (leads, LeadEvent.__table__, LeadEvent.__table__.c.lead_id),
                (deals, DealEvent.__table__, DealEvent.__table__.c.deal_id),
            )
        )
    ).subquery()


def _lost(leads: sa.CTE, deals: sa.CTE) -> sa.Subquery:
    """The ways whose last turn is a loss or a cancellation, not a reopening.

    Turns are ordered as the statistics do: at the same moment a lead's event is the later one, so it has precedence.
    The cancellation of a deal without a lead is no turn.
    """
    lead_event, deal_event = LeadEvent.__table__, DealEvent.__table__
    turns = sa.union_all(
        sa.select(
            leads.c.person_id, leads.c.project_id, lead_event.c.kind, lead_event.c.occurred_at, lead_event.c.id,
            sa.literal_column("1").label("precedence"),
        )
        .join_from(leads, lead_event, lead_event.c.lead_id == leads.c.id)
        .where(lead_event.c.deleted_at.is_(None), lead_event.c.kind.in_((LOST, "reopened"))),
        sa.select(
            deals.c.person_id, deals.c.project_id, deal_event.c.kind, deal_event.c.occurred_at, deal_event.c.id,
            sa.literal_column("0"),
        )
        .join_from(deals, deal_event, deal_event.c.deal_id == deals.c.id)
        .where(deal_event.c.deleted_at.is_(None), deal_event.c.kind == "cancel", deals.c.lead_id.is_not(None)),
    ).subquery()  # fmt: skip
    place = sa.func.row_number().over(
        partition_by=(turns.c.person_id, turns.c.project_id),
        order_by=(turns.c.occurred_at.desc(), turns.c.precedence.desc(), turns.c.id.desc()),
    )
    placed = sa.select(turns.c.person_id, turns.c.project_id, turns.c.kind, place.label("place")).subquery()
    return sa.select(placed).where(placed.c.place == 1, placed.c.kind != "reopened").subquery()


def _live_deals(deals: sa.CTE) -> sa.Subquery:
    """Those of the deals that are under contract, as `leads.deal_state` says: only amendments followed the contract."""
    event, later = DealEvent.__table__, DealEvent.__table__.alias()
    follows = sa.exists().where(
        later.c.deal_id == event.c.deal_id, later.c.kind != "amend", later.c.deleted_at.is_(None),
        sa.or_(
            later.c.occurred_at > event.c.occurred_at,
            sa.and_(later.c.occurred_at == event.c.occurred_at, later.c.id > event.c.id),
        ),
    )  # fmt: skip
    return (
        sa.select(deals.c.person_id, deals.c.project_id)
        .join_from(deals, event, event.c.deal_id == deals.c.id)
        .where(event.c.kind == "contract", event.c.deleted_at.is_(None), ~follows)
        .subquery()
    )
