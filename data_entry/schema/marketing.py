"""Marketing plans, the activities inside them, what they cost, and what people thought of them."""

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class PlanClass(Record):
    """A class of marketing plans."""

    name: Mapped[str] = col.text("Name.", required=True)


class Plan(Record):
    """A continuous phase of marketing work."""

    plan_class_id: Mapped[int | None] = col.ref("plan_class", "Class.", required=False)
    project_id: Mapped[int | None] = col.ref("project", "Project; empty for the whole company.", required=False)
    name: Mapped[str] = col.text("Name.", required=True)
    start_on: Mapped[dt.date] = col.day("First day.", required=True, label="First day")
    end_on: Mapped[dt.date | None] = col.day("Last day.", label="Last day")
    budget: Mapped[Decimal | None] = col.money("Budget.", required=False)
    goal: Mapped[str | None] = col.text("What the plan is to reach.", None, personal=True)
    __table_args__ = (sa.CheckConstraint("end_on >= start_on", name="dates_in_order"),)


class ActivityClass(Record):
    """A class of marketing activities."""

    name: Mapped[str] = col.text("Name.", required=True)


class Activity(Record):
    """A single job inside a plan."""

    plan_id: Mapped[int | None] = col.ref("plan", "Plan.", required=False)
    activity_class_id: Mapped[int | None] = col.ref("activity_class", "Class.", required=False)
    source_id: Mapped[int | None] = col.ref("source", "Source its leads come in by.", required=False)
    name: Mapped[str] = col.text("Name.", required=True)
    start_on: Mapped[dt.date | None] = col.day("First day.", label="First day")
    end_on: Mapped[dt.date | None] = col.day("Last day.", label="Last day")
    __table_args__ = (sa.CheckConstraint("end_on >= start_on", name="dates_in_order"),)


class ExpenseCategory(Record):
    """A category of expenses; categories form a tree."""

    parent_id: Mapped[int | None] = col.ref(
        "expense_category", "Category above this one; empty at the top.", required=False
    )
    name: Mapped[str] = col.text("Name.", required=True)
    is_active: Mapped[bool] = col.flag("Whether new expenses may take it.", default=True)


class Expense(Record):
    """Money spent on marketing."""

    plan_id: Mapped[int | None] = col.ref("plan", "Plan.", required=False)
    activity_id: Mapped[int | None] = col.ref("activity", "Activity.", required=False)
    expense_category_id: Mapped[int | None] = col.ref("expense_category", "Category.", required=False)
    project_id: Mapped[int | None] = col.ref("project", "Project; empty for the whole company.", required=False)
    incurred_on: Mapped[dt.date] = col.day("Day it was incurred.", required=True, index=True)
    amount: Mapped[Decimal] = col.money("Amount.")
    status: Mapped[str] = col.choice(
        "State of its approval.", "draft", "submitted", "approved", "rejected", "paid", default="draft"
    )
    description: Mapped[str | None] = col.text("What it was spent on.", 500, personal=True)
    employee_id: Mapped[int | None] = col.ref(
        "employee", "Employee who entered it.", required=False, label="Entered by"
    )
    decided_by_id: Mapped[int | None] = col.ref("employee", "Employee who approved or rejected it.", required=False)
    decided_at: Mapped[dt.datetime | None] = col.moment("When it was approved or rejected.")
    decision_note: Mapped[str | None] = col.text("Why it was decided so.", 500, personal=True)


class Attachment(Record):
    """A file kept beside a record; the content is stored by its hash."""

    ingested = False
    entity: Mapped[str] = col.text("Table of the record.", 100, required=True, label="Record type")
    entity_id: Mapped[int] = col.key("Key of the record.", label="Record")
    file_name: Mapped[str] = col.text("Name of the file.", 255, required=True, personal=True)
    media_type: Mapped[str] = col.text("Media type found in the content.", 100, required=True)
    byte_count: Mapped[int] = col.key("Size in bytes.", label="Size (bytes)")
    sha256: Mapped[str] = col.text("SHA-256 of the content, in hexadecimal.", 64, required=True, label="SHA-256")
    __table_args__ = (sa.Index("ix_attachment_entity", "entity", "entity_id"),)


class Feedback(Record):
    """What a customer or a non-customer said about an activity."""

    ingested = False
    respondent_name: Mapped[str | None] = col.text("Name of the respondent.", personal=True)
    customer_id: Mapped[int | None] = col.ref("customer", "Customer; empty for a non-customer.", required=False)
    activity_id: Mapped[int | None] = col.ref("activity", "Activity.", required=False)
    received_at: Mapped[dt.datetime] = col.moment("When.", required=True, label="Given at")
    project_id: Mapped[int | None] = col.ref("project", "Estate it is about.", required=False)
    rating: Mapped[int | None] = col.count("Rating, 1 (worst) to 5 (best).")
    text: Mapped[str | None] = col.text("What was said.", None, personal=True, label="Content")
    __table_args__ = (sa.CheckConstraint("rating BETWEEN 1 AND 5", name="rating_is_1_to_5"),)
