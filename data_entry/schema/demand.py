"""Demands of customers: complaints, suggestions, requests, and how they were answered."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class DemandCategory(Record):
    """A category of demands; categories form a tree of any depth."""

    parent_id: Mapped[int | None] = col.ref(
        "demand_category", "Category above this one; empty at the top.", required=False
    )
    kind: Mapped[str] = col.choice(
        "Kind of demand.", "complaint", "suggestion", "service_request", "decoration", "other"
    )
    name: Mapped[str] = col.text("Name.", required=True)
    is_active: Mapped[bool] = col.flag("Whether new demands may take it.", default=True)


class Demand(Record):
    """Something a customer asked for, complained about or suggested."""

    customer_id: Mapped[int] = col.ref("customer", "Customer.")
    project_id: Mapped[int] = col.ref("project", "Project.", index=False)
    unit_id: Mapped[int | None] = col.ref("unit", "Unit it concerns.", required=False)
    demand_category_id: Mapped[int] = col.ref("demand_category", "Category.")
    phase: Mapped[str] = col.choice("Phase of the relation it arose in.", "sales", "property")
    channel: Mapped[str | None] = col.text("How it arrived, e.g. phone, visit, app.", 40, vocabulary=True)
    severity: Mapped[str | None] = col.text("Severity.", 40, vocabulary=True)
    title: Mapped[str | None] = col.text("Short text.", personal=True)
    description: Mapped[str | None] = col.text("What the customer said, in full.", None, personal=True)
    service_item_id: Mapped[int | None] = col.ref("service_item", "Service asked for.", required=False)
    received_at: Mapped[dt.datetime] = col.moment("When it arrived.", required=True)
    due_at: Mapped[dt.datetime | None] = col.moment(
        "Reply deadline, frozen from sla_policy at entry.", label="Reply due at"
    )
    resolve_due_at: Mapped[dt.datetime | None] = col.moment(
        "Deadline of the resolution, frozen from sla_policy at entry.", label="Resolution due at"
    )
    responsible_employee_id: Mapped[int | None] = col.ref(
        "employee", "Employee whose conduct or promise it concerns.", required=False
    )
    duplicate_of_id: Mapped[int | None] = col.ref("demand", "Demand this one repeats.", required=False)
    withdrawn_at: Mapped[dt.datetime | None] = col.moment("When the customer withdrew it.")
    is_founded: Mapped[bool | None] = col.flag("Whether it proved founded; empty while not judged.")
    __table_args__ = (
        sa.Index("ix_demand_project_received", "project_id", "received_at"),
        sa.CheckConstraint("duplicate_of_id <> id", name="not_its_own_duplicate"),
    )


class DemandEvent(Record):
    """A step in the handling of a demand (append-only)."""

    demand_id: Mapped[int] = col.ref("demand", "Demand.", index=False)
    kind: Mapped[str] = col.choice("What happened.", "assign", "forward", "reply", "resolve", "reopen")
    occurred_at: Mapped[dt.datetime] = col.moment("When.", required=True)
    employee_id: Mapped[int | None] = col.ref("employee", "Employee who acted.", required=False, label="Handled by")
    to_employee_id: Mapped[int | None] = col.ref(
        "employee", "Employee it was assigned or forwarded to.", required=False, label="Passed to"
    )
    note: Mapped[str | None] = col.text("Note or reply.", None, personal=True)
    __table_args__ = (sa.Index("ix_demand_event_demand_occurred", "demand_id", "occurred_at"),)


class FollowUp(Record):
    """A call back after a demand was handled."""

    demand_id: Mapped[int] = col.ref("demand", "Demand.")
    occurred_at: Mapped[dt.datetime] = col.moment("When.", required=True)
    employee_id: Mapped[int | None] = col.ref("employee", "Employee who called.", required=False, label="Called by")
    was_reached: Mapped[bool | None] = col.flag("Whether the customer was reached.")
    satisfaction: Mapped[int | None] = col.count("Satisfaction, 1 (worst) to 5 (best); empty if not rated.")
    comment: Mapped[str | None] = col.text("What the customer said.", None, personal=True, label="Customer's words")
    __table_args__ = (sa.CheckConstraint("satisfaction BETWEEN 1 AND 5", name="satisfaction_is_1_to_5"),)


class Promise(Record):
    """Something promised to a customer in the sales period."""

    customer_id: Mapped[int] = col.ref("customer", "Customer.")
    deal_id: Mapped[int | None] = col.ref("deal", "Deal it belongs to.", required=False)
    unit_id: Mapped[int | None] = col.ref("unit", "Unit it concerns.", required=False)
    employee_id: Mapped[int | None] = col.ref("employee", "Employee who promised.", required=False, label="Promised by")
    made_at: Mapped[dt.datetime] = col.moment("When.", required=True, label="Promised at")
    text: Mapped[str | None] = col.text("What was promised.", None, personal=True, label="Content")
    due_on: Mapped[dt.date | None] = col.day(
        "Day by which it is to be kept; empty if none was named.", label="To be kept by"
    )
    is_kept: Mapped[bool | None] = col.flag("Whether it was kept; empty while open.")
    demand_id: Mapped[int | None] = col.ref("demand", "Demand that followed from it.", required=False)


class SlaPolicy(Record):
    """Reply and resolution time promised for a category and severity, from a day on."""

    ingested = False
    demand_category_id: Mapped[int | None] = col.ref("demand_category", "Category; empty for all.", required=False)
    severity: Mapped[str | None] = col.text("Severity; empty for all.", 40, vocabulary=True)
    reply_minutes: Mapped[int] = col.count("Minutes to the first reply.", required=True, label="Reply within (minutes)")
    resolve_minutes: Mapped[int | None] = col.count("Minutes to the resolution.", label="Resolve within (minutes)")
    valid_from_on: Mapped[dt.date] = col.day("First day of validity.", required=True, label="Valid from")
    __table_args__ = (sa.CheckConstraint("reply_minutes > 0", name="reply_minutes_positive"),)
