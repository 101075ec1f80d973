"""What estates are to reach, and the events that explain how their figures ran."""

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class Target(Record):
    """What an estate is to reach in a month, of one metric."""

    project_id: Mapped[int] = col.ref("project", "Estate.", index=False)
    month_on: Mapped[dt.date] = col.day("First day of the month.", required=True, label="Month")
    metric: Mapped[str] = col.choice(
        "What is to be reached: a metric of the same name.",
        "contract_amount", "contracts", "collected_amount", "leads", "visits",
        label="Metric",
    )  # fmt: skip
    value: Mapped[Decimal] = col.number("What is to be reached in the month.", 18, 2, required=True, label="Target")
    __table_args__ = (
        sa.UniqueConstraint("project_id", "month_on", "metric"),
        # Read by SQLite, PostgreSQL and DuckDB alike.
        sa.CheckConstraint("CAST(month_on AS VARCHAR(10)) LIKE '____-__-01'", name="month_begins"),
        sa.CheckConstraint("value >= 0", name="value_is_not_negative"),
    )


class Annotation(Record):
    """An event that is marked on charts over time."""

    happened_on: Mapped[dt.date] = col.day("Day it happened.", required=True, index=True, label="Date")
    project_id: Mapped[int | None] = col.ref("project", "Estate; empty for the whole company.", required=False)
    kind: Mapped[str] = col.choice(
        "What kind of event it was.", "launch", "policy", "price", "campaign", "other", default="other", label="Kind"
    )
    title: Mapped[str] = col.text(
        "What happened, in a few words. Everybody who sees the charts reads it: name no customers.", 100, required=True
    )
    employee_id: Mapped[int | None] = col.ref(
        "employee", "Employee who entered it.", required=False, label="Entered by"
    )
