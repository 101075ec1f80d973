"""Surveys, customer care, property services and fees."""

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import BigInt, Record


class Survey(Record):
    """A questionnaire."""

    name: Mapped[str] = col.text("Name.", required=True)
    project_id: Mapped[int | None] = col.ref("project", "Project it asks about; empty for all.", required=False)
    introduction: Mapped[str | None] = col.text("What the page of questions begins with.", None, personal=True)
    opens_on: Mapped[dt.date | None] = col.day("First day it can be answered.")
    closes_on: Mapped[dt.date | None] = col.day("Last day it can be answered.")


class SurveyQuestion(Record):
    """A question of a survey."""

    survey_id: Mapped[int] = col.ref("survey", "Survey.")
    sequence: Mapped[int] = col.count("Place in the survey, from 1.", required=True)
    kind: Mapped[str] = col.choice(
        "What is asked; satisfaction questions feed customer_satisfaction.",
        "satisfaction", "rating", "choice", "text",
        default="text",
    )  # fmt: skip
    text: Mapped[str] = col.text("Wording.", 500, required=True, label="Wording")
    options: Mapped[str | None] = col.text("Choices offered, one on each line.", None)
    is_required: Mapped[bool] = col.flag("Whether it must be answered.", default=False)


class SurveyInvitation(Record):
    """A survey sent to somebody."""

    ingested = False
    survey_id: Mapped[int] = col.ref("survey", "Survey.")
    customer_id: Mapped[int | None] = col.ref("customer", "Customer; empty for a public link.", required=False)
    sent_at: Mapped[dt.datetime | None] = col.moment("When it was sent.")
    token_hash: Mapped[str | None] = col.text("Hash of the token in the public link.", 64, personal=True, index=True)
    project_id: Mapped[int | None] = col.ref("project", "Estate it is about.", required=False)
    employee_id: Mapped[int | None] = col.ref(
        "employee", "Employee it is about.", required=False, label="Employee concerned"
    )
    is_reusable: Mapped[bool] = col.flag("Whether the link may be answered more than once.", default=False)


class SurveyResponse(Record):
    """A filled-in survey."""

    survey_id: Mapped[int] = col.ref("survey", "Survey.")
    survey_invitation_id: Mapped[int | None] = col.ref("survey_invitation", "Invitation it answers.", required=False)
    customer_id: Mapped[int | None] = col.ref("customer", "Customer; empty if unknown.", required=False)
    project_id: Mapped[int | None] = col.ref("project", "Project it is about.", required=False)
    employee_id: Mapped[int | None] = col.ref(
        "employee", "Employee it is about.", required=False, label="Employee concerned"
    )
    submitted_at: Mapped[dt.datetime] = col.moment("When it was handed in.", required=True)


class SurveyAnswer(Record):
    """The answer to one question."""

    survey_response_id: Mapped[int] = col.ref("survey_response", "Response.", index=False)
    survey_question_id: Mapped[int] = col.ref("survey_question", "Question.")
    value_number: Mapped[int | None] = col.count(
        "Answer as a number; satisfaction and rating questions take 1 to 5.", label="Answer (number)"
    )
    value_text: Mapped[str | None] = col.text("Answer as text.", None, personal=True, label="Answer (text)")
    __table_args__ = (sa.UniqueConstraint("survey_response_id", "survey_question_id"),)


class CareRule(Record):
    """When customers are due for a greeting."""

    ingested = False
    name: Mapped[str] = col.text("Name.", required=True)
    calendar: Mapped[str] = col.choice("How the day is found.", "gregorian", "lunar", "birthday", "anniversary")
    month: Mapped[int | None] = col.count("Month of the festival.")
    day: Mapped[int | None] = col.count("Day of the festival.")
    lead_days: Mapped[int | None] = col.count("Days ahead that the task is made.", label="Days ahead")
    customer_class_id: Mapped[int | None] = col.ref("customer_class", "Class; empty for all.", required=False)
    greeting: Mapped[str | None] = col.text("Words to greet with.", 500)
    is_active: Mapped[bool] = col.flag("Whether it makes occasions.", default=True)
    __table_args__ = (
        sa.CheckConstraint("month BETWEEN 1 AND 12", name="month_of_the_year"),
        sa.CheckConstraint("day BETWEEN 1 AND 31", name="day_of_the_month"),
    )


class CareOccasion(Record):
    """One greeting due to one customer."""

    ingested = False
    care_rule_id: Mapped[int] = col.ref("care_rule", "Rule.", index=False)
    customer_id: Mapped[int] = col.ref("customer", "Customer.")
    occurs_on: Mapped[dt.date] = col.day("Day of the occasion.", required=True)
    task_id: Mapped[int | None] = sa.orm.mapped_column(
        BigInt,
        sa.ForeignKey("task.id", use_alter=True, name="fk_care_occasion_task_id"),
        index=True,
        comment="Task made for it.",
    )
    __table_args__ = (sa.UniqueConstraint("care_rule_id", "customer_id", "occurs_on"),)


class ServiceClass(Record):
    """A class of property services."""

    ingested = False
    name: Mapped[str] = col.text("Name.", required=True)


class ServiceItem(Record):
    """A service the property company offers."""

    ingested = False
    service_class_id: Mapped[int | None] = col.ref("service_class", "Class.", required=False)
    name: Mapped[str] = col.text("Name.", required=True)
    unit: Mapped[str | None] = col.text("Unit it is charged by.", 40, label="Charged by")
    rate: Mapped[Decimal | None] = col.money("Price per unit.", required=False)
    description: Mapped[str | None] = col.text("What it comprises.", None)
    is_active: Mapped[bool] = col.flag("Whether it is on offer.", default=True)


class FeeType(Record):
    """A type of property fee."""

    name: Mapped[str] = col.text("Name.", required=True)
    unit: Mapped[str | None] = col.text("Unit it is charged by, e.g. m² per month.", 40, label="Charged by")
    rate: Mapped[Decimal | None] = col.money("Price per unit.", required=False)
    basis: Mapped[str] = col.choice(
        "What the rate is multiplied by in a bill.", "area", "flat", default="area", label="Charged on"
    )
    period_months: Mapped[int] = col.count(
        "Months that one bill covers.", required=True, server_default="1", label="Months per bill"
    )
    payment_days: Mapped[int] = col.count(
        "Days from the start of the period until a bill is due.",
        required=True,
        server_default="30",
        label="Days to pay",
    )
    is_active: Mapped[bool] = col.flag("Whether bills are made of it.", default=True)


class FeeBill(Record):
    """A fee billed to an owner for a period."""

    unit_id: Mapped[int | None] = col.ref("unit", "Unit.", required=False)
    customer_id: Mapped[int] = col.ref("customer", "Owner who pays.", label="Owner")
    fee_type_id: Mapped[int] = col.ref("fee_type", "Type of fee.")
    period_on: Mapped[dt.date] = col.day(
        "First day of the billed period.", required=True, index=True, label="Period from"
    )
    amount: Mapped[Decimal] = col.money("Amount billed.")
    due_on: Mapped[dt.date] = col.day("Day it is due.", required=True)


class FeePayment(Record):
    """Money received for a fee bill."""

    fee_bill_id: Mapped[int] = col.ref("fee_bill", "Bill.")
    received_on: Mapped[dt.date] = col.day("Day it was received.", required=True)
    amount: Mapped[Decimal] = col.money("Amount received; negative for a refund.")
    is_void: Mapped[bool] = col.flag("Whether the entry was voided.", default=False)
