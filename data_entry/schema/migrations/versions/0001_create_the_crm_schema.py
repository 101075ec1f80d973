"""Create the CRM schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data_entry.schema.base import ExactNumeric, UtcDateTime
from data_entry.schema.migrations.shared import BIGINT, MONEY, choice_type, create_record_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    create_record_table(
        "activity_class",
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "article",
        sa.Column("category", sa.String(100), nullable=False, comment="Category of the knowledge base."),
        sa.Column("title", sa.String(300), nullable=False, comment="Title."),
    )
    create_record_table(
        "attachment",
        sa.Column("entity", sa.String(100), nullable=False, comment="Table of the record."),
        sa.Column("entity_id", BIGINT, nullable=False, comment="Key of the record."),
        sa.Column("file_name", sa.String(255), nullable=False, comment="Name of the file."),
        sa.Column("media_type", sa.String(100), nullable=False, comment="Media type found in the content."),
        sa.Column("byte_count", BIGINT, nullable=False, comment="Size in bytes."),
        sa.Column("sha256", sa.String(64), nullable=False, comment="SHA-256 of the content, in hexadecimal."),
        sa.Index("ix_attachment_entity", "entity", "entity_id"),
    )
    create_record_table(
        "competitor",
        sa.Column("class", sa.String(100), comment="Class of competitor."),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "customer_class",
        sa.Column(
            "parent_id",
            BIGINT,
            sa.ForeignKey("customer_class.id"),
            index=True,
            comment="Class above this one; empty at the top.",
        ),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "demand_category",
        sa.Column(
            "parent_id",
            BIGINT,
            sa.ForeignKey("demand_category.id"),
            index=True,
            comment="Category above this one; empty at the top.",
        ),
        sa.Column(
            "kind",
            choice_type("complaint", "suggestion", "service_request", "decoration", "other", name="choice_complaint"),
            nullable=False,
            comment="Kind of demand.",
        ),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "department",
        sa.Column(
            "parent_id",
            BIGINT,
            sa.ForeignKey("department.id"),
            index=True,
            comment="Department above this one; empty at the top.",
        ),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "employee",
        sa.Column("number", sa.String(40), nullable=False, unique=True, comment="Staff number."),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column("hired_on", sa.Date(), comment="First day of employment."),
        sa.Column("left_on", sa.Date(), comment="Last day of employment; empty while employed."),
    )
    create_record_table(
        "expense_category",
        sa.Column(
            "parent_id",
            BIGINT,
            sa.ForeignKey("expense_category.id"),
            index=True,
            comment="Category above this one; empty at the top.",
        ),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "feature",
        sa.Column(
            "entity",
            choice_type("customer", "plan", "activity", "competitor_project", "lead", "unit", name="choice_customer"),
            nullable=False,
            comment="What the feature describes.",
        ),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column(
            "data_type",
            choice_type("text", "number", "boolean", "date", "choice", name="choice_text"),
            nullable=False,
            server_default="text",
            comment="Type of its values.",
        ),
        sa.Column(
            "is_multi",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="Whether one record may carry several values.",
        ),
        sa.Column(
            "class_id", BIGINT, comment="Class of the entity it is asked for (e.g. customer_class.id); empty for all."
        ),
    )
    create_record_table(
        "fee_type",
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column("unit", sa.String(40), comment="Unit it is charged by, e.g. m² per month."),
        sa.Column("rate", MONEY, comment="Price per unit."),
    )
    create_record_table(
        "plan_class",
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "project",
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column("type", sa.String(100), comment="Kind of estate, e.g. residential, office, retail."),
        sa.Column("district", sa.String(100), comment="District of the city."),
        sa.Column("address", sa.String(200), comment="Street address."),
        sa.Column("description", sa.Text(), comment="Description for visitors."),
        sa.Column("opened_on", sa.Date(), comment="Day sales opened."),
        sa.Column("gross_margin_rate", ExactNumeric(6, 4), comment="Gross margin as a share of the price, 0 to 1."),
        sa.CheckConstraint("gross_margin_rate <= 1", name="margin_is_a_share"),
    )
    create_record_table(
        "report_class",
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "role",
        sa.Column("name", sa.String(100), nullable=False, unique=True, comment="Name."),
    )
    create_record_table(
        "service_class",
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "source",
        sa.Column(
            "parent_id",
            BIGINT,
            sa.ForeignKey("source.id"),
            index=True,
            comment="Source above this one; empty at the top.",
        ),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column(
            "market_type",
            choice_type(
                "online", "media", "outdoor", "event", "channel", "referral", "direct", "other", name="choice_online"
            ),
            nullable=False,
            server_default="other",
            comment="Kind of market the source reaches.",
        ),
    )
    create_record_table(
        "account",
        sa.Column(
            "employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who signs in with it."
        ),
        sa.Column("login", sa.String(100), nullable=False, unique=True, comment="Login name."),
        sa.Column("password_hash", sa.String(255), comment="Argon2 hash; never the password."),
        sa.Column(
            "is_active",
            sa.Boolean(),
            nullable=False,
            server_default=sa.true(),
            comment="Whether the account may sign in.",
        ),
        sa.Column("locale", sa.String(10), comment="Language of the pages (en, zh_CN)."),
    )
    create_record_table(
        "article_version",
        sa.Column("article_id", BIGINT, sa.ForeignKey("article.id"), nullable=False, comment="Article."),
        sa.Column("version", sa.Integer(), nullable=False, comment="Version, from 1."),
        sa.Column("body", sa.Text(), nullable=False, comment="Text in Markdown."),
        sa.Column("generated_from", sa.Text(), comment="What a generated version rests on, as JSON."),
        sa.UniqueConstraint("article_id", "version"),
    )
    create_record_table(
        "building",
        sa.Column("project_id", BIGINT, sa.ForeignKey("project.id"), nullable=False, comment="Project."),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column(
            "presale_permit_on", sa.Date(), comment="Day of the pre-sale permit; empty while its units may not be sold."
        ),
        sa.Column("handover_on", sa.Date(), comment="Day the building is handed over to its owners."),
        sa.UniqueConstraint("project_id", "name"),
    )
    create_record_table(
        "care_rule",
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column(
            "calendar",
            choice_type("gregorian", "lunar", "birthday", "anniversary", name="choice_gregorian"),
            nullable=False,
            comment="How the day is found.",
        ),
        sa.Column("month", sa.Integer(), comment="Month of the festival."),
        sa.Column("day", sa.Integer(), comment="Day of the festival."),
        sa.Column("lead_days", sa.Integer(), comment="Days ahead that the task is made."),
        sa.Column(
            "customer_class_id", BIGINT, sa.ForeignKey("customer_class.id"), index=True, comment="Class; empty for all."
        ),
        sa.CheckConstraint("day BETWEEN 1 AND 31", name="day_of_the_month"),
        sa.CheckConstraint("month BETWEEN 1 AND 12", name="month_of_the_year"),
    )
    create_record_table(
        "competitor_project",
        sa.Column("competitor_id", BIGINT, sa.ForeignKey("competitor.id"), index=True, comment="Competitor."),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column("district", sa.String(100), comment="District of the city."),
        sa.Column("level", sa.String(40), comment="Level of competition."),
        sa.Column(
            "own_project_id", BIGINT, sa.ForeignKey("project.id"), index=True, comment="Own project it competes with."
        ),
    )
    create_record_table(
        "customer",
        sa.Column(
            "kind",
            choice_type("person", "company", name="choice_person"),
            nullable=False,
            server_default="person",
            comment="Person or company.",
        ),
        sa.Column("name", sa.String(200), index=True, comment="Name."),
        sa.Column("gender", choice_type("female", "male", "other", name="choice_female"), comment="Gender."),
        sa.Column("birth_on", sa.Date(), comment="Birthday; statistics see only the age band."),
        sa.Column("phone", sa.String(40), index=True, comment="Telephone number."),
        sa.Column("education", sa.String(100), comment="Highest education."),
        sa.Column("occupation", sa.String(100), comment="Occupation."),
        sa.Column("income_band", sa.String(100), comment="Band of yearly household income."),
        sa.Column("personality", sa.String(100), comment="Personality as noted by sales."),
        sa.Column("customer_class_id", BIGINT, sa.ForeignKey("customer_class.id"), index=True, comment="Class."),
        sa.Column(
            "merged_into_id",
            BIGINT,
            sa.ForeignKey("customer.id"),
            index=True,
            comment="Customer this duplicate was merged into; the survivor counts.",
        ),
        sa.Column("consent_at", UtcDateTime(), comment="When consent to keep the data was given."),
        sa.CheckConstraint("merged_into_id <> id", name="not_merged_into_itself"),
    )
    create_record_table(
        "feature_value",
        sa.Column("feature_id", BIGINT, sa.ForeignKey("feature.id"), nullable=False, comment="Feature."),
        sa.Column("entity_id", BIGINT, nullable=False, comment="Key of the described record."),
        sa.Column("value", sa.String(500), comment="Value as text."),
        sa.Index("ix_feature_value_feature_entity", "feature_id", "entity_id"),
    )
    create_record_table(
        "plan",
        sa.Column("plan_class_id", BIGINT, sa.ForeignKey("plan_class.id"), index=True, comment="Class."),
        sa.Column(
            "project_id",
            BIGINT,
            sa.ForeignKey("project.id"),
            index=True,
            comment="Project; empty for the whole company.",
        ),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column("start_on", sa.Date(), nullable=False, comment="First day."),
        sa.Column("end_on", sa.Date(), comment="Last day."),
        sa.Column("budget", MONEY, comment="Budget."),
        sa.CheckConstraint("end_on >= start_on", name="dates_in_order"),
    )
    create_record_table(
        "position",
        sa.Column(
            "department_id",
            BIGINT,
            sa.ForeignKey("department.id"),
            nullable=False,
            index=True,
            comment="Department the position belongs to.",
        ),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
    )
    create_record_table(
        "report",
        sa.Column(
            "report_class_id",
            BIGINT,
            sa.ForeignKey("report_class.id"),
            nullable=False,
            index=True,
            comment="Class of report.",
        ),
        sa.Column("author_id", BIGINT, sa.ForeignKey("employee.id"), nullable=False, index=True, comment="Author."),
        sa.Column("title", sa.String(300), nullable=False, comment="Title."),
        sa.Column("body", sa.Text(), comment="Body."),
        sa.Column(
            "status",
            choice_type("draft", "submitted", "returned", "approved", name="choice_draft"),
            nullable=False,
            server_default="draft",
            comment="State of its approval.",
        ),
    )
    create_record_table(
        "role_permission",
        sa.Column("role_id", BIGINT, sa.ForeignKey("role.id"), nullable=False, comment="Role."),
        sa.Column("resource", sa.String(100), nullable=False, comment="Resource, e.g. a table or a page."),
        sa.Column(
            "action", sa.String(40), nullable=False, comment="Action, e.g. read, create, update, delete, approve."
        ),
        sa.Column(
            "scope",
            choice_type("own", "department", "project", "all", name="choice_own"),
            nullable=False,
            comment="How far the permission reaches.",
        ),
        sa.UniqueConstraint("role_id", "resource", "action", "scope"),
    )
    create_record_table(
        "service_item",
        sa.Column("service_class_id", BIGINT, sa.ForeignKey("service_class.id"), index=True, comment="Class."),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column("unit", sa.String(40), comment="Unit it is charged by."),
        sa.Column("rate", MONEY, comment="Price per unit."),
        sa.Column(
            "is_active", sa.Boolean(), nullable=False, server_default=sa.true(), comment="Whether it is on offer."
        ),
    )
    create_record_table(
        "sla_policy",
        sa.Column(
            "demand_category_id",
            BIGINT,
            sa.ForeignKey("demand_category.id"),
            index=True,
            comment="Category; empty for all.",
        ),
        sa.Column("severity", sa.String(40), comment="Severity; empty for all."),
        sa.Column("reply_minutes", sa.Integer(), nullable=False, comment="Minutes to the first reply."),
        sa.Column("resolve_minutes", sa.Integer(), comment="Minutes to the resolution."),
        sa.Column("valid_from_on", sa.Date(), nullable=False, comment="First day of validity."),
        sa.CheckConstraint("reply_minutes > 0", name="reply_minutes_positive"),
    )
    create_record_table(
        "survey",
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column(
            "project_id",
            BIGINT,
            sa.ForeignKey("project.id"),
            index=True,
            comment="Project it asks about; empty for all.",
        ),
        sa.Column("opens_on", sa.Date(), comment="First day it can be answered."),
        sa.Column("closes_on", sa.Date(), comment="Last day it can be answered."),
    )
    create_record_table(
        "thread",
        sa.Column("title", sa.String(300), nullable=False, comment="Title."),
        sa.Column(
            "department_id",
            BIGINT,
            sa.ForeignKey("department.id"),
            index=True,
            comment="Department it is for; empty for all.",
        ),
    )
    create_record_table(
        "work_log",
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), nullable=False, index=True, comment="Employee."),
        sa.Column("day_on", sa.Date(), nullable=False, comment="Day."),
        sa.Column("text", sa.Text(), nullable=False, comment="Log."),
    )
    create_record_table(
        "work_plan",
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), nullable=False, index=True, comment="Employee."),
        sa.Column("period_on", sa.Date(), nullable=False, comment="First day of the period."),
        sa.Column("text", sa.Text(), nullable=False, comment="Plan."),
    )
    create_record_table(
        "account_role",
        sa.Column("account_id", BIGINT, sa.ForeignKey("account.id"), nullable=False, comment="Account."),
        sa.Column("role_id", BIGINT, sa.ForeignKey("role.id"), nullable=False, index=True, comment="Role."),
        sa.UniqueConstraint("account_id", "role_id"),
    )
    create_record_table(
        "activity",
        sa.Column("plan_id", BIGINT, sa.ForeignKey("plan.id"), index=True, comment="Plan."),
        sa.Column("activity_class_id", BIGINT, sa.ForeignKey("activity_class.id"), index=True, comment="Class."),
        sa.Column("source_id", BIGINT, sa.ForeignKey("source.id"), index=True, comment="Source its leads come in by."),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column("start_on", sa.Date(), comment="First day."),
        sa.Column("end_on", sa.Date(), comment="Last day."),
        sa.CheckConstraint("end_on >= start_on", name="dates_in_order"),
    )
    create_record_table(
        "approval_step",
        sa.Column(
            "report_class_id", BIGINT, sa.ForeignKey("report_class.id"), nullable=False, comment="Class of reports."
        ),
        sa.Column("sequence", sa.Integer(), nullable=False, comment="Place in the flow, from 1."),
        sa.Column("position_id", BIGINT, sa.ForeignKey("position.id"), index=True, comment="Position that approves."),
        sa.Column(
            "role_id",
            BIGINT,
            sa.ForeignKey("role.id"),
            index=True,
            comment="Role that approves, where no position is set.",
        ),
        sa.UniqueConstraint("report_class_id", "sequence"),
    )
    create_record_table(
        "audit_log",
        sa.Column(
            "account_id",
            BIGINT,
            sa.ForeignKey("account.id"),
            index=True,
            comment="Account that acted; empty for the system.",
        ),
        sa.Column("at", UtcDateTime(), nullable=False, comment="When."),
        sa.Column("entity", sa.String(100), nullable=False, comment="Table of the changed row."),
        sa.Column("entity_id", BIGINT, comment="Key of the changed row."),
        sa.Column("action", sa.String(40), nullable=False, comment="What was done."),
        sa.Column("before", sa.Text(), comment="Values before, as JSON."),
        sa.Column("after", sa.Text(), comment="Values after, as JSON."),
        sa.Index("ix_audit_log_entity", "entity", "entity_id"),
    )
    create_record_table(
        "care_occasion",
        sa.Column("care_rule_id", BIGINT, sa.ForeignKey("care_rule.id"), nullable=False, comment="Rule."),
        sa.Column("customer_id", BIGINT, sa.ForeignKey("customer.id"), nullable=False, index=True, comment="Customer."),
        sa.Column("occurs_on", sa.Date(), nullable=False, comment="Day of the occasion."),
        sa.Column(
            "task_id",
            BIGINT,
            sa.ForeignKey("task.id", use_alter=True, name="fk_care_occasion_task_id"),
            index=True,
            comment="Task made for it.",
        ),
        sa.UniqueConstraint("care_rule_id", "customer_id", "occurs_on"),
    )
    create_record_table(
        "competitor_observation",
        sa.Column(
            "competitor_project_id",
            BIGINT,
            sa.ForeignKey("competitor_project.id"),
            nullable=False,
            index=True,
            comment="Competing estate.",
        ),
        sa.Column("feature_id", BIGINT, sa.ForeignKey("feature.id"), nullable=False, index=True, comment="Feature."),
        sa.Column("value", sa.String(500), comment="Observed value as text."),
        sa.Column("observed_on", sa.Date(), nullable=False, comment="Day of the observation."),
        sa.Column("source_url", sa.String(500), comment="Where it was seen."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who observed it."),
    )
    create_record_table(
        "customer_owner",
        sa.Column("customer_id", BIGINT, sa.ForeignKey("customer.id"), nullable=False, index=True, comment="Customer."),
        sa.Column("project_id", BIGINT, sa.ForeignKey("project.id"), index=True, comment="Project; empty for all."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), nullable=False, index=True, comment="Employee."),
        sa.Column("from_at", UtcDateTime(), nullable=False, comment="From when."),
        sa.Column("to_at", UtcDateTime(), comment="Until when; empty while it lasts."),
        sa.Column("reason", sa.String(200), comment="Why the owner changed."),
        sa.CheckConstraint("to_at >= from_at", name="moments_in_order"),
    )
    create_record_table(
        "employee_position",
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), nullable=False, index=True, comment="Employee."),
        sa.Column(
            "position_id", BIGINT, sa.ForeignKey("position.id"), nullable=False, index=True, comment="Position held."
        ),
        sa.Column("from_on", sa.Date(), nullable=False, comment="First day in the position."),
        sa.Column("to_on", sa.Date(), comment="Last day in the position (inclusive); empty while held."),
        sa.CheckConstraint("to_on >= from_on", name="dates_in_order"),
    )
    create_record_table(
        "post",
        sa.Column("thread_id", BIGINT, sa.ForeignKey("thread.id"), nullable=False, index=True, comment="Discussion."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), nullable=False, index=True, comment="Author."),
        sa.Column("posted_at", UtcDateTime(), nullable=False, comment="When."),
        sa.Column("body", sa.Text(), nullable=False, comment="Text."),
    )
    create_record_table(
        "reason",
        sa.Column(
            "parent_id",
            BIGINT,
            sa.ForeignKey("reason.id"),
            index=True,
            comment="Reason above this one; empty at the top.",
        ),
        sa.Column(
            "kind", choice_type("loss", "cancel", name="choice_loss"), nullable=False, comment="What it explains."
        ),
        sa.Column("name", sa.String(200), nullable=False, comment="Name."),
        sa.Column(
            "competitor_project_id",
            BIGINT,
            sa.ForeignKey("competitor_project.id"),
            index=True,
            comment="Competing estate the customer went to.",
        ),
    )
    create_record_table(
        "survey_invitation",
        sa.Column("survey_id", BIGINT, sa.ForeignKey("survey.id"), nullable=False, index=True, comment="Survey."),
        sa.Column(
            "customer_id",
            BIGINT,
            sa.ForeignKey("customer.id"),
            index=True,
            comment="Customer; empty for a public link.",
        ),
        sa.Column("sent_at", UtcDateTime(), comment="When it was sent."),
        sa.Column("token_hash", sa.String(64), index=True, comment="Hash of the token in the public link."),
    )
    create_record_table(
        "survey_question",
        sa.Column("survey_id", BIGINT, sa.ForeignKey("survey.id"), nullable=False, index=True, comment="Survey."),
        sa.Column("sequence", sa.Integer(), nullable=False, comment="Place in the survey, from 1."),
        sa.Column(
            "kind",
            choice_type("satisfaction", "rating", "choice", "text", name="choice_satisfaction"),
            nullable=False,
            server_default="text",
            comment="What is asked; satisfaction questions feed customer_satisfaction.",
        ),
        sa.Column("text", sa.String(500), nullable=False, comment="Wording."),
    )
    create_record_table(
        "unit",
        sa.Column("building_id", BIGINT, sa.ForeignKey("building.id"), nullable=False, comment="Building."),
        sa.Column("number", sa.String(40), nullable=False, comment="Number within the building."),
        sa.Column("floor", sa.Integer(), comment="Floor."),
        sa.Column("layout", sa.String(100), comment="Layout, e.g. 3 rooms 2 halls."),
        sa.Column("area_sqm", ExactNumeric(10, 2), comment="Floor area in m²."),
        sa.Column("list_price", MONEY, comment="Present list price of the whole unit."),
        sa.Column(
            "status",
            choice_type("available", "reserved", "booked", "sold", "withheld", name="choice_available"),
            nullable=False,
            server_default="available",
            comment="State on the estate board.",
        ),
        sa.CheckConstraint("area_sqm > 0", name="area_is_positive"),
        sa.UniqueConstraint("building_id", "number"),
    )
    create_record_table(
        "approval_action",
        sa.Column("report_id", BIGINT, sa.ForeignKey("report.id"), nullable=False, index=True, comment="Report."),
        sa.Column(
            "approval_step_id",
            BIGINT,
            sa.ForeignKey("approval_step.id"),
            nullable=False,
            index=True,
            comment="Step of the flow.",
        ),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), nullable=False, index=True, comment="Approver."),
        sa.Column(
            "action",
            choice_type("approve", "return", "comment", name="choice_approve"),
            nullable=False,
            comment="What was decided.",
        ),
        sa.Column("comment", sa.Text(), comment="Comment."),
        sa.Column("acted_at", UtcDateTime(), nullable=False, comment="When."),
    )
    create_record_table(
        "demand",
        sa.Column("customer_id", BIGINT, sa.ForeignKey("customer.id"), nullable=False, index=True, comment="Customer."),
        sa.Column("project_id", BIGINT, sa.ForeignKey("project.id"), nullable=False, comment="Project."),
        sa.Column("unit_id", BIGINT, sa.ForeignKey("unit.id"), index=True, comment="Unit it concerns."),
        sa.Column(
            "demand_category_id",
            BIGINT,
            sa.ForeignKey("demand_category.id"),
            nullable=False,
            index=True,
            comment="Category.",
        ),
        sa.Column(
            "phase",
            choice_type("sales", "property", name="choice_sales"),
            nullable=False,
            comment="Phase of the relation it arose in.",
        ),
        sa.Column("channel", sa.String(40), comment="How it arrived, e.g. phone, visit, app."),
        sa.Column("severity", sa.String(40), comment="Severity."),
        sa.Column("title", sa.String(200), comment="Short text."),
        sa.Column("received_at", UtcDateTime(), nullable=False, comment="When it arrived."),
        sa.Column("due_at", UtcDateTime(), comment="Reply deadline, frozen from sla_policy at entry."),
        sa.Column(
            "responsible_employee_id",
            BIGINT,
            sa.ForeignKey("employee.id"),
            index=True,
            comment="Employee whose conduct or promise it concerns.",
        ),
        sa.Column(
            "duplicate_of_id", BIGINT, sa.ForeignKey("demand.id"), index=True, comment="Demand this one repeats."
        ),
        sa.Column("withdrawn_at", UtcDateTime(), comment="When the customer withdrew it."),
        sa.Column("is_founded", sa.Boolean(), comment="Whether it proved founded; empty while not judged."),
        sa.CheckConstraint("duplicate_of_id <> id", name="not_its_own_duplicate"),
        sa.Index("ix_demand_project_received", "project_id", "received_at"),
    )
    create_record_table(
        "expense",
        sa.Column("plan_id", BIGINT, sa.ForeignKey("plan.id"), index=True, comment="Plan."),
        sa.Column("activity_id", BIGINT, sa.ForeignKey("activity.id"), index=True, comment="Activity."),
        sa.Column("expense_category_id", BIGINT, sa.ForeignKey("expense_category.id"), index=True, comment="Category."),
        sa.Column(
            "project_id",
            BIGINT,
            sa.ForeignKey("project.id"),
            index=True,
            comment="Project; empty for the whole company.",
        ),
        sa.Column("incurred_on", sa.Date(), nullable=False, index=True, comment="Day it was incurred."),
        sa.Column("amount", MONEY, nullable=False, comment="Amount."),
        sa.Column(
            "status",
            choice_type("draft", "submitted", "approved", "rejected", "paid", name="choice_draft"),
            nullable=False,
            server_default="draft",
            comment="State of its approval.",
        ),
    )
    create_record_table(
        "fee_bill",
        sa.Column("unit_id", BIGINT, sa.ForeignKey("unit.id"), index=True, comment="Unit."),
        sa.Column(
            "customer_id", BIGINT, sa.ForeignKey("customer.id"), nullable=False, index=True, comment="Owner who pays."
        ),
        sa.Column(
            "fee_type_id", BIGINT, sa.ForeignKey("fee_type.id"), nullable=False, index=True, comment="Type of fee."
        ),
        sa.Column("period_on", sa.Date(), nullable=False, index=True, comment="First day of the billed period."),
        sa.Column("amount", MONEY, nullable=False, comment="Amount billed."),
        sa.Column("due_on", sa.Date(), nullable=False, comment="Day it is due."),
    )
    create_record_table(
        "feedback",
        sa.Column("respondent_name", sa.String(200), comment="Name of the respondent."),
        sa.Column(
            "customer_id",
            BIGINT,
            sa.ForeignKey("customer.id"),
            index=True,
            comment="Customer; empty for a non-customer.",
        ),
        sa.Column("activity_id", BIGINT, sa.ForeignKey("activity.id"), index=True, comment="Activity."),
        sa.Column("received_at", UtcDateTime(), nullable=False, comment="When."),
        sa.Column("rating", sa.Integer(), comment="Rating, 1 (worst) to 5 (best)."),
        sa.Column("text", sa.Text(), comment="What was said."),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name="rating_is_1_to_5"),
    )
    create_record_table(
        "lead",
        sa.Column("customer_id", BIGINT, sa.ForeignKey("customer.id"), nullable=False, index=True, comment="Customer."),
        sa.Column("project_id", BIGINT, sa.ForeignKey("project.id"), nullable=False, comment="Project."),
        sa.Column("source_id", BIGINT, sa.ForeignKey("source.id"), index=True, comment="Source."),
        sa.Column("activity_id", BIGINT, sa.ForeignKey("activity.id"), index=True, comment="Activity that brought it."),
        sa.Column(
            "employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Owner at entry; does not change."
        ),
        sa.Column("opened_at", UtcDateTime(), nullable=False, comment="When the interest was first recorded."),
        sa.Column("intent_level", sa.String(40), comment="Strength of intent as judged by sales."),
        sa.Index("ix_lead_project_opened", "project_id", "opened_at"),
    )
    create_record_table(
        "survey_response",
        sa.Column("survey_id", BIGINT, sa.ForeignKey("survey.id"), nullable=False, index=True, comment="Survey."),
        sa.Column(
            "survey_invitation_id",
            BIGINT,
            sa.ForeignKey("survey_invitation.id"),
            index=True,
            comment="Invitation it answers.",
        ),
        sa.Column(
            "customer_id", BIGINT, sa.ForeignKey("customer.id"), index=True, comment="Customer; empty if unknown."
        ),
        sa.Column("project_id", BIGINT, sa.ForeignKey("project.id"), index=True, comment="Project it is about."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee it is about."),
        sa.Column("submitted_at", UtcDateTime(), nullable=False, comment="When it was handed in."),
    )
    create_record_table(
        "touchpoint",
        sa.Column("customer_id", BIGINT, sa.ForeignKey("customer.id"), nullable=False, comment="Customer."),
        sa.Column("project_id", BIGINT, sa.ForeignKey("project.id"), nullable=False, index=True, comment="Project."),
        sa.Column("source_id", BIGINT, sa.ForeignKey("source.id"), index=True, comment="Source."),
        sa.Column("activity_id", BIGINT, sa.ForeignKey("activity.id"), index=True, comment="Activity."),
        sa.Column("kind", sa.String(40), comment="Kind of contact, e.g. click, call, visit."),
        sa.Column("occurred_at", UtcDateTime(), nullable=False, comment="When."),
        sa.Index("ix_touchpoint_customer_project", "customer_id", "project_id", "occurred_at"),
    )
    create_record_table(
        "unit_price",
        sa.Column("unit_id", BIGINT, sa.ForeignKey("unit.id"), nullable=False, comment="Unit."),
        sa.Column("list_price", MONEY, nullable=False, comment="List price of the whole unit."),
        sa.Column("floor_price", MONEY, comment="Lowest price staff may agree to."),
        sa.Column("valid_from_on", sa.Date(), nullable=False, comment="First day of validity."),
        sa.UniqueConstraint("unit_id", "valid_from_on"),
    )
    create_record_table(
        "deal",
        sa.Column("lead_id", BIGINT, sa.ForeignKey("lead.id"), index=True, comment="Lead it came from."),
        sa.Column(
            "customer_id",
            BIGINT,
            sa.ForeignKey("customer.id"),
            nullable=False,
            index=True,
            comment="Customer who buys.",
        ),
        sa.Column("project_id", BIGINT, sa.ForeignKey("project.id"), nullable=False, index=True, comment="Project."),
        sa.Column("unit_id", BIGINT, sa.ForeignKey("unit.id"), index=True, comment="Unit; empty while not chosen."),
        sa.Column(
            "swapped_from_id", BIGINT, sa.ForeignKey("deal.id"), index=True, comment="Deal given up for this one."
        ),
        sa.CheckConstraint("swapped_from_id <> id", name="not_swapped_from_itself"),
    )
    create_record_table(
        "demand_event",
        sa.Column("demand_id", BIGINT, sa.ForeignKey("demand.id"), nullable=False, comment="Demand."),
        sa.Column(
            "kind",
            choice_type("assign", "forward", "reply", "resolve", "reopen", name="choice_assign"),
            nullable=False,
            comment="What happened.",
        ),
        sa.Column("occurred_at", UtcDateTime(), nullable=False, comment="When."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who acted."),
        sa.Column(
            "to_employee_id",
            BIGINT,
            sa.ForeignKey("employee.id"),
            index=True,
            comment="Employee it was assigned or forwarded to.",
        ),
        sa.Column("note", sa.Text(), comment="Note or reply."),
        sa.Index("ix_demand_event_demand_occurred", "demand_id", "occurred_at"),
    )
    create_record_table(
        "fee_payment",
        sa.Column("fee_bill_id", BIGINT, sa.ForeignKey("fee_bill.id"), nullable=False, index=True, comment="Bill."),
        sa.Column("received_on", sa.Date(), nullable=False, comment="Day it was received."),
        sa.Column("amount", MONEY, nullable=False, comment="Amount received; negative for a refund."),
        sa.Column(
            "is_void", sa.Boolean(), nullable=False, server_default=sa.false(), comment="Whether the entry was voided."
        ),
    )
    create_record_table(
        "follow_up",
        sa.Column("demand_id", BIGINT, sa.ForeignKey("demand.id"), nullable=False, index=True, comment="Demand."),
        sa.Column("occurred_at", UtcDateTime(), nullable=False, comment="When."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who called."),
        sa.Column("was_reached", sa.Boolean(), comment="Whether the customer was reached."),
        sa.Column("satisfaction", sa.Integer(), comment="Satisfaction, 1 (worst) to 5 (best); empty if not rated."),
        sa.Column("comment", sa.Text(), comment="What the customer said."),
        sa.CheckConstraint("satisfaction BETWEEN 1 AND 5", name="satisfaction_is_1_to_5"),
    )
    create_record_table(
        "lead_event",
        sa.Column("lead_id", BIGINT, sa.ForeignKey("lead.id"), nullable=False, comment="Lead."),
        sa.Column(
            "kind",
            choice_type("call", "visit", "qualified", "lost", "reopened", name="choice_call"),
            nullable=False,
            comment="What happened.",
        ),
        sa.Column("occurred_at", UtcDateTime(), nullable=False, comment="When."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who acted."),
        sa.Column("is_effective", sa.Boolean(), comment="Whether a visit or call counts as effective."),
        sa.Column("reason_id", BIGINT, sa.ForeignKey("reason.id"), index=True, comment="Reason of a loss."),
        sa.Column("note", sa.Text(), comment="Note."),
        sa.Index("ix_lead_event_lead_occurred", "lead_id", "occurred_at"),
    )
    create_record_table(
        "survey_answer",
        sa.Column(
            "survey_response_id", BIGINT, sa.ForeignKey("survey_response.id"), nullable=False, comment="Response."
        ),
        sa.Column(
            "survey_question_id",
            BIGINT,
            sa.ForeignKey("survey_question.id"),
            nullable=False,
            index=True,
            comment="Question.",
        ),
        sa.Column(
            "value_number", sa.Integer(), comment="Answer as a number; satisfaction and rating questions take 1 to 5."
        ),
        sa.Column("value_text", sa.Text(), comment="Answer as text."),
        sa.UniqueConstraint("survey_response_id", "survey_question_id"),
    )
    create_record_table(
        "task",
        sa.Column("kind", sa.String(60), comment="Kind of work, e.g. care, group purchase."),
        sa.Column("title", sa.String(300), nullable=False, comment="What is to be done."),
        sa.Column("assigner_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who gave it."),
        sa.Column("assignee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who is to do it."),
        sa.Column("demand_id", BIGINT, sa.ForeignKey("demand.id"), index=True, comment="Demand it serves."),
        sa.Column(
            "care_occasion_id", BIGINT, sa.ForeignKey("care_occasion.id"), index=True, comment="Greeting it serves."
        ),
        sa.Column("customer_id", BIGINT, sa.ForeignKey("customer.id"), index=True, comment="Customer it concerns."),
        sa.Column("due_at", UtcDateTime(), index=True, comment="When it is due."),
        sa.Column("done_at", UtcDateTime(), comment="When it was done."),
    )
    create_record_table(
        "deal_event",
        sa.Column("deal_id", BIGINT, sa.ForeignKey("deal.id"), nullable=False, comment="Deal."),
        sa.Column(
            "kind",
            choice_type("small_booking", "booking", "contract", "cancel", "swap", "amend", name="choice_small_booking"),
            nullable=False,
            comment="What happened.",
        ),
        sa.Column("occurred_at", UtcDateTime(), nullable=False, comment="When."),
        sa.Column(
            "amount",
            MONEY,
            comment="Deposit of a booking; full price of a contract; amount taken back by a cancel (positive); signed difference of an amend; 0 for a swap.",
        ),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who acted."),
        sa.Column("reason_id", BIGINT, sa.ForeignKey("reason.id"), index=True, comment="Reason of a cancel."),
        sa.Index("ix_deal_event_deal_occurred", "deal_id", "occurred_at"),
        sa.Index("ix_deal_event_occurred_at", "occurred_at"),
    )
    create_record_table(
        "deal_share",
        sa.Column("deal_id", BIGINT, sa.ForeignKey("deal.id"), nullable=False, comment="Deal."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), nullable=False, index=True, comment="Employee."),
        sa.Column("share", ExactNumeric(7, 6), nullable=False, comment="Share, above 0 and at most 1."),
        sa.CheckConstraint("share > 0 AND share <= 1", name="share_is_a_share"),
        sa.UniqueConstraint("deal_id", "employee_id"),
    )
    create_record_table(
        "payment",
        sa.Column("deal_id", BIGINT, sa.ForeignKey("deal.id"), nullable=False, index=True, comment="Deal."),
        sa.Column("received_on", sa.Date(), nullable=False, index=True, comment="Day it was received."),
        sa.Column("amount", MONEY, nullable=False, comment="Amount received; negative for a refund."),
        sa.Column("kind", sa.String(40), comment="Kind of payment, e.g. deposit, down payment, mortgage, refund."),
        sa.Column(
            "is_void", sa.Boolean(), nullable=False, server_default=sa.false(), comment="Whether the entry was voided."
        ),
    )
    create_record_table(
        "payment_due",
        sa.Column("deal_id", BIGINT, sa.ForeignKey("deal.id"), nullable=False, index=True, comment="Deal."),
        sa.Column("due_on", sa.Date(), nullable=False, comment="Day it is due."),
        sa.Column("amount", MONEY, nullable=False, comment="Amount due."),
    )
    create_record_table(
        "promise",
        sa.Column("customer_id", BIGINT, sa.ForeignKey("customer.id"), nullable=False, index=True, comment="Customer."),
        sa.Column("deal_id", BIGINT, sa.ForeignKey("deal.id"), index=True, comment="Deal it belongs to."),
        sa.Column("unit_id", BIGINT, sa.ForeignKey("unit.id"), index=True, comment="Unit it concerns."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who promised."),
        sa.Column("made_at", UtcDateTime(), nullable=False, comment="When."),
        sa.Column("text", sa.Text(), comment="What was promised."),
        sa.Column("is_kept", sa.Boolean(), comment="Whether it was kept; empty while open."),
        sa.Column("demand_id", BIGINT, sa.ForeignKey("demand.id"), index=True, comment="Demand that followed from it."),
    )
    create_record_table(
        "task_event",
        sa.Column("task_id", BIGINT, sa.ForeignKey("task.id"), nullable=False, index=True, comment="Task."),
        sa.Column(
            "kind",
            choice_type("assign", "delegate", "start", "done", "check", "reopen", "comment", name="choice_assign"),
            nullable=False,
            comment="What happened.",
        ),
        sa.Column("occurred_at", UtcDateTime(), nullable=False, comment="When."),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who acted."),
        sa.Column(
            "to_employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee it was given to."
        ),
        sa.Column("note", sa.Text(), comment="Note."),
    )
    if op.get_context().dialect.name != "sqlite":
        # The two tables point to each other; SQLite holds the key already, since it cannot add one later.
        op.create_foreign_key("fk_care_occasion_task_id", "care_occasion", "task", ["task_id"], ["id"])


def downgrade() -> None:
    """Refuse: going back from here would drop every record."""
    raise NotImplementedError("the first version cannot be undone; restore a backup instead")
