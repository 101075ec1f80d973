"""Leads: where they come from, what happened to them, and every contact with marketing."""

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class Source(Record):
    """Where customers come from; sources form a tree."""

    parent_id: Mapped[int | None] = col.ref("source", "Source above this one; empty at the top.", required=False)
    name: Mapped[str] = col.text("Name.", required=True)
    market_type: Mapped[str] = col.choice(
        "Kind of market the source reaches.",
        "online", "media", "outdoor", "event", "channel", "referral", "direct", "other",
        default="other",
    )  # fmt: skip


class Lead(Record):
    """The interest of one customer in one project."""

    customer_id: Mapped[int] = col.ref("customer", "Customer.")
    project_id: Mapped[int] = col.ref("project", "Project.", index=False)
    source_id: Mapped[int | None] = col.ref("source", "Source.", required=False)
    activity_id: Mapped[int | None] = col.ref("activity", "Activity that brought it.", required=False)
    employee_id: Mapped[int | None] = col.ref(
        "employee", "Owner at entry; does not change.", required=False, label="Consultant at entry"
    )
    opened_at: Mapped[dt.datetime] = col.moment("When the interest was first recorded.", required=True)
    intent_level: Mapped[str | None] = col.text("Strength of intent as judged by sales.", 40, vocabulary=True)
    intended_layout: Mapped[str | None] = col.text("Layout looked for.", 100, vocabulary=True)
    intended_area_sqm: Mapped[Decimal | None] = col.number("Floor area looked for, in m².", 10, 2)
    budget: Mapped[Decimal | None] = col.money("Budget for the whole unit.", required=False)
    purpose: Mapped[str | None] = col.text(
        "What the unit is wanted for, e.g. first home, investment.", 100, vocabulary=True
    )
    next_step: Mapped[str | None] = col.text("What is to be done next.", 300, personal=True)
    next_step_on: Mapped[dt.date | None] = col.day("Day the next step is due.", index=True, label="Next step due on")
    __table_args__ = (sa.Index("ix_lead_project_opened", "project_id", "opened_at"),)


class LeadEvent(Record):
    """Something that happened to a lead (append-only)."""

    lead_id: Mapped[int] = col.ref("lead", "Lead.", index=False)
    kind: Mapped[str] = col.choice("What happened.", "call", "visit", "qualified", "lost", "reopened")
    occurred_at: Mapped[dt.datetime] = col.moment("When.", required=True)
    employee_id: Mapped[int | None] = col.ref("employee", "Employee who acted.", required=False, label="Handled by")
    is_effective: Mapped[bool | None] = col.flag("Whether a visit or call counts as effective.")
    reason_id: Mapped[int | None] = col.ref("reason", "Reason of a loss.", required=False)
    note: Mapped[str | None] = col.text("Note.", None, personal=True)
    __table_args__ = (sa.Index("ix_lead_event_lead_occurred", "lead_id", "occurred_at"),)


class Touchpoint(Record):
    """A contact of a customer with the marketing of a project."""

    customer_id: Mapped[int] = col.ref("customer", "Customer.", index=False)
    project_id: Mapped[int] = col.ref("project", "Project.")
    source_id: Mapped[int | None] = col.ref("source", "Source.", required=False)
    activity_id: Mapped[int | None] = col.ref("activity", "Activity.", required=False)
    kind: Mapped[str | None] = col.text("Kind of contact, e.g. click, call, visit.", 40, vocabulary=True)
    occurred_at: Mapped[dt.datetime] = col.moment("When.", required=True)
    __table_args__ = (sa.Index("ix_touchpoint_customer_project", "customer_id", "project_id", "occurred_at"),)
