"""Competitors, their estates, and what was observed about them."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class Competitor(Record):
    """A competing company."""

    # "class" is a keyword of Python, so the attribute has another name than the column.
    competitor_class: Mapped[str | None] = mapped_column(
        "class", sa.String(100), comment="Class of competitor.", info={"vocabulary": True, "label": "Competitor class"}
    )
    name: Mapped[str] = col.text("Name.", required=True)


class CompetitorProject(Record):
    """A competing estate."""

    competitor_id: Mapped[int | None] = col.ref("competitor", "Competitor.", required=False)
    name: Mapped[str] = col.text("Name.", required=True)
    district: Mapped[str | None] = col.text("District of the city.", 100, vocabulary=True)
    level: Mapped[str | None] = col.text("Level of competition.", 40, vocabulary=True, label="Level of competition")
    own_project_id: Mapped[int | None] = col.ref("project", "Own project it competes with.", required=False)
    is_own: Mapped[bool] = col.flag(
        "Whether it is that own project itself, observed in the same way to compare with.",
        default=False,
        label="Our own estate",
    )


class CompetitorObservation(Record):
    """One observed value of one feature of a competing estate."""

    ingested = False
    competitor_project_id: Mapped[int] = col.ref("competitor_project", "Competing estate.", label="Competing estate")
    feature_id: Mapped[int] = col.ref("feature", "Feature.")
    value: Mapped[str | None] = col.text("Observed value as text.", 500, label="Observed value")
    observed_on: Mapped[dt.date] = col.day("Day of the observation.", required=True)
    source_url: Mapped[str | None] = col.text("Where it was seen.", 500, label="Seen at")
    employee_id: Mapped[int | None] = col.ref(
        "employee", "Employee who observed it.", required=False, label="Observed by"
    )
