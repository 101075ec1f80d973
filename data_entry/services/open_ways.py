"""Which of many customers' ways are open: in SQL what `leads.journeys` says of a few."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.lead import Lead, LeadEvent
from data_entry.services.leads import LOST

# What is known of a way, one row each.
_LEAD, _LOST, _SOLD, _HEARD = "lead", "lost", "sold", "heard"


def leads_of(survivors: sa.CTE, members: sa.CTE | None = None) -> sa.CTE:
    """Return the live leads with the person they are of: `person_id`, the survivor's key, and the lead's columns.

    Args:
        survivors: of `identity.survivors`.
        members: with `id`, the keys of the customers to be looked at; None for all.
    """
    lead = Lead.__table__
    return (
        sa.select(
            lead.c.id, _person(survivors, lead.c.customer_id), lead.c.project_id, lead.c.opened_at, lead.c.next_step,
            lead.c.next_step_on,
        )
        .outerjoin_from(lead, survivors, survivors.c.id == lead.c.customer_id)
        .where(lead.c.deleted_at.is_(None), *_among(members, lead.c.customer_id))
        .cte("person_lead")
    )  # fmt: skip


def open_ways(
    survivors: sa.CTE, leads: sa.CTE, since: dt.datetime, today: dt.date, members: sa.CTE | None = None
) -> sa.CTE:
    """Return the open ways: `person_id`, `project_id`, `is_quiet` and `is_due`, 1 or 0.

    Each table is read once and nothing is asked lead by lead, which would take minutes for a hundred thousand.

    Args:
        survivors: of `identity.survivors`.
        leads: of `leads_of`, with the same members.
        since: a way is quiet if nothing happened on it since then.
        today: a way is due if a next step is, by the end of this day.
        members: with `id`, the keys of the customers to be looked at; None for all.
    """
    deals = _deals(survivors, leads, members)
    events = _events(leads, deals, since)
    is_due = sa.and_(leads.c.next_step != "", leads.c.next_step_on <= today)
    facts = sa.union_all(
        _facts(leads, _LEAD, leads.c.opened_at, sa.case((is_due, 1), else_=0)),
        _facts(_lost(events), _LOST),
        _facts(events, _HEARD).where(events.c.occurred_at >= since),
        _facts(_live_deals(deals), _SOLD),
    ).cte("fact_of_way")

    def has(what: str) -> Any:
        return sa.func.max(sa.case((facts.c.what == what, 1), else_=0))

    return (
        sa.select(
            facts.c.person_id, facts.c.project_id,
            sa.case((sa.and_(has(_HEARD) == 0, sa.func.min(facts.c.opened_at) < since), 1), else_=0).label("is_quiet"),
            sa.func.max(facts.c.is_due).label("is_due"),
        )
        .group_by(facts.c.person_id, facts.c.project_id)
        .having(sa.and_(has(_LEAD) == 1, has(_LOST) == 0, has(_SOLD) == 0))
        .cte("open_way")
    )  # fmt: skip


def _person(survivors: sa.CTE, customer_id: Any) -> Any:
    return sa.func.coalesce(survivors.c.survivor_id, customer_id).label("person_id")


def _among(members: sa.CTE | None, customer_id: Any) -> list[sa.ColumnElement[bool]]:
    return [] if members is None else [customer_id.in_(sa.select(members.c.id))]


def _facts(rows: Any, what: str, opened_at: Any = None, is_due: Any = None) -> sa.Select[Any]:
    return sa.select(
        rows.c.person_id, rows.c.project_id, sa.literal_column(f"'{what}'").label("what"),
        (sa.null() if opened_at is None else opened_at).label("opened_at"),
        (sa.literal_column("0") if is_due is None else is_due).label("is_due"),
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


def _events(leads: sa.CTE, deals: sa.CTE, since: dt.datetime) -> sa.CTE:
    """The turns of the ways, and whatever happened since a moment.

    `precedence` orders turns as the statistics do: at the same moment a lead's event is the later one. The
    cancellation of a deal without a lead is no turn.
    """
    lead_event, deal_event = LeadEvent.__table__, DealEvent.__table__
    is_cancelled = sa.and_(deal_event.c.kind == "cancel", deals.c.lead_id.is_not(None))
    return sa.union_all(
        sa.select(
            leads.c.person_id, leads.c.project_id, lead_event.c.kind, lead_event.c.occurred_at, lead_event.c.id,
            sa.literal_column("1").label("precedence"),
        )
        .join_from(leads, lead_event, lead_event.c.lead_id == leads.c.id)
        .where(
            lead_event.c.deleted_at.is_(None),
            sa.or_(lead_event.c.kind.in_((LOST, "reopened")), lead_event.c.occurred_at >= since),
        ),
        sa.select(
            deals.c.person_id, deals.c.project_id, sa.case((is_cancelled, "cancel"), else_=""),
            deal_event.c.occurred_at, deal_event.c.id, sa.literal_column("0"),
        )
        .join_from(deals, deal_event, deal_event.c.deal_id == deals.c.id)
        .where(deal_event.c.deleted_at.is_(None), sa.or_(is_cancelled, deal_event.c.occurred_at >= since)),
    ).cte("event_of_way")  # fmt: skip


def _lost(events: sa.CTE) -> sa.Subquery:
    """The ways whose last turn is a loss or a cancellation, not a reopening."""
    turns = (
        sa.select(
            events.c.person_id, events.c.project_id, events.c.kind,
            sa.func.row_number().over(
                partition_by=(events.c.person_id, events.c.project_id),
                order_by=(events.c.occurred_at.desc(), events.c.precedence.desc(), events.c.id.desc()),
            ).label("place"),
        )
        .where(events.c.kind.in_((LOST, "reopened", "cancel")))
        .subquery()
    )  # fmt: skip
    return sa.select(turns).where(turns.c.place == 1, turns.c.kind != "reopened").subquery()


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
