"""Customers, the features recorded about them, and who looks after them."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class CustomerClass(Record):
    """A class of customers; classes form a tree."""

    parent_id: Mapped[int | None] = col.ref("customer_class", "Class above this one; empty at the top.", required=False)
    name: Mapped[str] = col.text("Name.", required=True)


class Customer(Record):
    """A person or company that has asked, bought or lives in an estate."""

    kind: Mapped[str] = col.choice("Person or company.", "person", "company", default="person")
    name: Mapped[str | None] = col.text("Name.", personal=True, index=True, label="Customer name")
    gender: Mapped[str | None] = col.choice("Gender.", "female", "male", "other", required=False)
    birth_on: Mapped[dt.date | None] = col.day(
        "Birthday; statistics see only the age band.", sensitive=True, label="Birthday"
    )
    phone: Mapped[str | None] = col.text("Telephone number.", 40, personal=True, index=True)
    email: Mapped[str | None] = col.text("E-mail address.", 200, personal=True, label="E-mail")
    address: Mapped[str | None] = col.text("Postal address.", 300, personal=True)
    education: Mapped[str | None] = col.text("Highest education.", 100, vocabulary=True)
    occupation: Mapped[str | None] = col.text("Occupation.", 100, vocabulary=True)
    income_band: Mapped[str | None] = col.text("Band of yearly household income.", 100, vocabulary=True)
    personality: Mapped[str | None] = col.text("Personality as noted by sales.", 100, vocabulary=True)
    customer_class_id: Mapped[int | None] = col.ref("customer_class", "Class.", required=False)
    merged_into_id: Mapped[int | None] = col.ref(
        "customer", "Customer this duplicate was merged into; the survivor counts.", required=False
    )
    consent_at: Mapped[dt.datetime | None] = col.moment(
        "When consent to keep the data was given.", label="Consent given at"
    )
    note: Mapped[str | None] = col.text("Note about the customer.", None, personal=True)
    erased_at: Mapped[dt.datetime | None] = col.moment(
        "When the person's data was erased for good; empty while it is kept.", personal=True, label="Erased at"
    )
    __table_args__ = (sa.CheckConstraint("merged_into_id <> id", name="not_merged_into_itself"),)


class Feature(Record):
    """A feature to ask for: of customers, plans, activities or competing estates."""

    entity: Mapped[str] = col.choice(
        "What the feature describes.",
        "customer", "plan", "activity", "competitor_project", "lead", "unit", "report",
        label="Applies to",
    )  # fmt: skip
    name: Mapped[str] = col.text("Name.", required=True)
    data_type: Mapped[str] = col.choice(
        "Type of its values.", "text", "number", "boolean", "date", "choice", default="text"
    )
    is_multi: Mapped[bool] = col.flag(
        "Whether one record may carry several values.", default=False, label="Several values"
    )
    class_id: Mapped[int | None] = col.key(
        "Class of the entity it is asked for (e.g. customer_class.id); empty for all.",
        required=False,
        label="For class",
    )
    options: Mapped[str | None] = col.text("Choices offered, one on each line.", None)
    sequence: Mapped[int | None] = col.count("Place in the form, from 1.")
    is_required: Mapped[bool] = col.flag("Whether the form asks for a value.", default=False)
    is_active: Mapped[bool] = col.flag("Whether it is still asked for.", default=True)


class FeatureValue(Record):
    """One value of a feature for one record."""

    feature_id: Mapped[int] = col.ref("feature", "Feature.", index=False)
    entity_id: Mapped[int] = col.key("Key of the described record.", label="Record")
    value: Mapped[str | None] = col.text("Value as text.", 500)
    __table_args__ = (sa.Index("ix_feature_value_feature_entity", "feature_id", "entity_id"),)


class CustomerOwner(Record):
    """The employee who looks after a customer in a project, from one moment to another."""

    customer_id: Mapped[int] = col.ref("customer", "Customer.")
    project_id: Mapped[int | None] = col.ref("project", "Project; empty for all.", required=False)
    employee_id: Mapped[int] = col.ref("employee", "Employee.", label="Consultant")
    from_at: Mapped[dt.datetime] = col.moment("From when.", required=True, label="Since")
    to_at: Mapped[dt.datetime | None] = col.moment("Until when; empty while it lasts.", label="Until")
    reason: Mapped[str | None] = col.text("Why the owner changed.", personal=True)
    __table_args__ = (sa.CheckConstraint("to_at >= from_at", name="moments_in_order"),)
