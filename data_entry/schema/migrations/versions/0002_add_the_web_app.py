"""Add what the web app needs: sign-in, lists of agreed words, owners of units, and columns of the working processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data_entry.schema.base import ExactNumeric, UtcDateTime
from data_entry.schema.migrations.shared import BIGINT, MONEY, choice_type, create_record_table

revision = "0002"
down_revision = "0001"

FEATURE_ENTITIES = ("customer", "plan", "activity", "competitor_project", "lead", "unit", "report")


def upgrade() -> None:
    """Add tables and columns; every row stays."""
    create_record_table(
        "vocabulary_term",
        sa.Column(
            "field",
            sa.String(length=100),
            nullable=False,
            comment="Table and column the term is for, e.g. customer.education.",
        ),
        sa.Column("value", sa.String(length=200), nullable=False, comment="Term."),
        sa.Column("sequence", sa.Integer(), comment="Place in the list, from 1."),
        sa.Column(
            "is_active", sa.Boolean(), server_default=sa.true(), nullable=False, comment="Whether it is still offered."
        ),
        sa.UniqueConstraint("field", "value"),
    )
    create_record_table(
        "employee_project",
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, nullable=False, comment="Employee."),
        sa.Column("project_id", BIGINT, sa.ForeignKey("project.id"), index=True, nullable=False, comment="Estate."),
        sa.Column("from_on", sa.Date(), nullable=False, comment="First day."),
        sa.Column("to_on", sa.Date(), comment="Last day (inclusive); empty while it lasts."),
        sa.CheckConstraint("to_on >= from_on", name="dates_in_order"),
    )
    create_record_table(
        "account_session",
        sa.Column("account_id", BIGINT, sa.ForeignKey("account.id"), index=True, nullable=False, comment="Account."),
        sa.Column("token_hash", sa.String(length=64), nullable=False, comment="SHA-256 of the token in the cookie."),
        sa.Column(
            "method",
            choice_type("password", "oidc", name="choice_password"),
            server_default="password",
            nullable=False,
            comment="How the account signed in.",
        ),
        sa.Column("started_at", UtcDateTime(), nullable=False, comment="When it began."),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False, comment="When it was last used."),
        sa.Column("expires_at", UtcDateTime(), nullable=False, comment="When it ends whatever happens."),
        sa.Column("ended_at", UtcDateTime(), comment="When it was ended by logout or revocation; empty while open."),
        sa.Column("address", sa.String(length=64), comment="Network address of the browser."),
        sa.Column("user_agent", sa.String(length=300), comment="What the browser calls itself."),
        sa.UniqueConstraint("token_hash"),
    )
    create_record_table(
        "unit_owner",
        sa.Column("unit_id", BIGINT, sa.ForeignKey("unit.id"), index=True, nullable=False, comment="Unit."),
        sa.Column("customer_id", BIGINT, sa.ForeignKey("customer.id"), index=True, nullable=False, comment="Owner."),
        sa.Column("from_on", sa.Date(), nullable=False, comment="First day of ownership."),
        sa.Column("to_on", sa.Date(), comment="Last day of ownership (inclusive); empty while it lasts."),
        sa.CheckConstraint("to_on >= from_on", name="dates_in_order"),
    )
    with op.batch_alter_table("account") as batch:
        batch.add_column(
            sa.Column(
                "must_change_password",
                sa.Boolean(),
                server_default=sa.false(),
                nullable=False,
                comment="Whether a new password is asked for at the next login.",
            )
        )
        batch.add_column(sa.Column("password_changed_at", UtcDateTime(), comment="When the password was last changed."))
        batch.add_column(
            sa.Column(
                "failed_count",
                sa.Integer(),
                server_default="0",
                nullable=False,
                comment="Failed logins since the last good one.",
            )
        )
        batch.add_column(
            sa.Column("locked_until", UtcDateTime(), comment="Until when logins are refused after repeated failures.")
        )
        batch.add_column(sa.Column("last_login_at", UtcDateTime(), comment="When somebody last signed in with it."))
        batch.add_column(
            sa.Column(
                "oidc_subject",
                sa.String(length=400),
                comment="Issuer and subject at the identity provider, once linked.",
            )
        )
        batch.create_unique_constraint(op.f("uq_account_oidc_subject"), ["oidc_subject"])
    with op.batch_alter_table("audit_log") as batch:
        batch.create_index("ix_audit_log_at", ["at"])
    with op.batch_alter_table("care_rule") as batch:
        batch.add_column(sa.Column("greeting", sa.String(length=500), comment="Words to greet with."))
        batch.add_column(
            sa.Column(
                "is_active",
                sa.Boolean(),
                server_default=sa.true(),
                nullable=False,
                comment="Whether it makes occasions.",
            )
        )
    with op.batch_alter_table("competitor_project") as batch:
        batch.add_column(
            sa.Column(
                "is_own",
                sa.Boolean(),
                server_default=sa.false(),
                nullable=False,
                comment="Whether it is that own project itself, observed in the same way to compare with.",
            )
        )
    with op.batch_alter_table("customer") as batch:
        batch.add_column(sa.Column("email", sa.String(length=200), comment="E-mail address."))
        batch.add_column(sa.Column("address", sa.String(length=300), comment="Postal address."))
        batch.add_column(sa.Column("note", sa.Text(), comment="Note about the customer."))
    with op.batch_alter_table("demand") as batch:
        batch.add_column(sa.Column("description", sa.Text(), comment="What the customer said, in full."))
        batch.add_column(sa.Column("service_item_id", BIGINT, comment="Service asked for."))
        batch.add_column(
            sa.Column(
                "resolve_due_at", UtcDateTime(), comment="Deadline of the resolution, frozen from sla_policy at entry."
            )
        )
        batch.create_index(op.f("ix_demand_service_item_id"), ["service_item_id"])
        batch.create_foreign_key(op.f("fk_demand_service_item_id"), "service_item", ["service_item_id"], ["id"])
    with op.batch_alter_table("demand_category") as batch:
        batch.add_column(
            sa.Column(
                "is_active",
                sa.Boolean(),
                server_default=sa.true(),
                nullable=False,
                comment="Whether new demands may take it.",
            )
        )
    with op.batch_alter_table("expense") as batch:
        batch.add_column(sa.Column("description", sa.String(length=500), comment="What it was spent on."))
        batch.add_column(sa.Column("employee_id", BIGINT, comment="Employee who entered it."))
        batch.add_column(sa.Column("decided_by_id", BIGINT, comment="Employee who approved or rejected it."))
        batch.add_column(sa.Column("decided_at", UtcDateTime(), comment="When it was approved or rejected."))
        batch.add_column(sa.Column("decision_note", sa.String(length=500), comment="Why it was decided so."))
        batch.create_index(op.f("ix_expense_decided_by_id"), ["decided_by_id"])
        batch.create_index(op.f("ix_expense_employee_id"), ["employee_id"])
        batch.create_foreign_key(op.f("fk_expense_decided_by_id"), "employee", ["decided_by_id"], ["id"])
        batch.create_foreign_key(op.f("fk_expense_employee_id"), "employee", ["employee_id"], ["id"])
    with op.batch_alter_table("feature") as batch:
        # The choices of the column are one longer.
        batch.drop_constraint("choice_customer", type_="check")
        batch.create_check_constraint("choice_customer", sa.column("entity").in_(FEATURE_ENTITIES))
        batch.add_column(sa.Column("options", sa.Text(), comment="Choices offered, one on each line."))
        batch.add_column(sa.Column("sequence", sa.Integer(), comment="Place in the form, from 1."))
        batch.add_column(
            sa.Column(
                "is_required",
                sa.Boolean(),
                server_default=sa.false(),
                nullable=False,
                comment="Whether the form asks for a value.",
            )
        )
        batch.add_column(
            sa.Column(
                "is_active",
                sa.Boolean(),
                server_default=sa.true(),
                nullable=False,
                comment="Whether it is still asked for.",
            )
        )
    with op.batch_alter_table("fee_type") as batch:
        batch.add_column(
            sa.Column(
                "basis",
                choice_type("area", "flat", name="choice_area"),
                server_default="area",
                nullable=False,
                comment="What the rate is multiplied by in a bill.",
            )
        )
        batch.add_column(
            sa.Column(
                "period_months",
                sa.Integer(),
                server_default="1",
                nullable=False,
                comment="Months that one bill covers.",
            )
        )
        batch.add_column(
            sa.Column(
                "payment_days",
                sa.Integer(),
                server_default="30",
                nullable=False,
                comment="Days from the start of the period until a bill is due.",
            )
        )
        batch.add_column(
            sa.Column(
                "is_active",
                sa.Boolean(),
                server_default=sa.true(),
                nullable=False,
                comment="Whether bills are made of it.",
            )
        )
    with op.batch_alter_table("feedback") as batch:
        batch.add_column(sa.Column("project_id", BIGINT, comment="Estate it is about."))
        batch.create_index(op.f("ix_feedback_project_id"), ["project_id"])
        batch.create_foreign_key(op.f("fk_feedback_project_id"), "project", ["project_id"], ["id"])
    with op.batch_alter_table("lead") as batch:
        batch.add_column(sa.Column("intended_layout", sa.String(length=100), comment="Layout looked for."))
        batch.add_column(sa.Column("intended_area_sqm", ExactNumeric(10, 2), comment="Floor area looked for, in m²."))
        batch.add_column(sa.Column("budget", MONEY, comment="Budget for the whole unit."))
        batch.add_column(
            sa.Column(
                "purpose", sa.String(length=100), comment="What the unit is wanted for, e.g. first home, investment."
            )
        )
        batch.add_column(sa.Column("next_step", sa.String(length=300), comment="What is to be done next."))
        batch.add_column(sa.Column("next_step_on", sa.Date(), comment="Day the next step is due."))
        batch.create_index(op.f("ix_lead_next_step_on"), ["next_step_on"])
    with op.batch_alter_table("plan") as batch:
        batch.add_column(sa.Column("goal", sa.Text(), comment="What the plan is to reach."))
    with op.batch_alter_table("report") as batch:
        batch.add_column(
            sa.Column(
                "submitted_at",
                UtcDateTime(),
                comment="When it was last submitted; decisions since then count along the flow.",
            )
        )
    with op.batch_alter_table("role") as batch:
        batch.add_column(sa.Column("landing_page", sa.String(length=100), comment="Page shown after login."))
    with op.batch_alter_table("service_item") as batch:
        batch.add_column(sa.Column("description", sa.Text(), comment="What it comprises."))
    with op.batch_alter_table("survey") as batch:
        batch.add_column(sa.Column("introduction", sa.Text(), comment="What the page of questions begins with."))
    with op.batch_alter_table("survey_invitation") as batch:
        batch.add_column(sa.Column("project_id", BIGINT, comment="Estate it is about."))
        batch.add_column(sa.Column("employee_id", BIGINT, comment="Employee it is about."))
        batch.add_column(
            sa.Column(
                "is_reusable",
                sa.Boolean(),
                server_default=sa.false(),
                nullable=False,
                comment="Whether the link may be answered more than once.",
            )
        )
        batch.create_index(op.f("ix_survey_invitation_employee_id"), ["employee_id"])
        batch.create_index(op.f("ix_survey_invitation_project_id"), ["project_id"])
        batch.create_foreign_key(op.f("fk_survey_invitation_project_id"), "project", ["project_id"], ["id"])
        batch.create_foreign_key(op.f("fk_survey_invitation_employee_id"), "employee", ["employee_id"], ["id"])
    with op.batch_alter_table("survey_question") as batch:
        batch.add_column(sa.Column("options", sa.Text(), comment="Choices offered, one on each line."))
        batch.add_column(
            sa.Column(
                "is_required",
                sa.Boolean(),
                server_default=sa.false(),
                nullable=False,
                comment="Whether it must be answered.",
            )
        )
    with op.batch_alter_table("task") as batch:
        batch.add_column(sa.Column("checked_at", UtcDateTime(), comment="When the assigner accepted what was done."))
        batch.add_column(sa.Column("description", sa.Text(), comment="What is to be done, in full."))
    with op.batch_alter_table("work_log") as batch:
        batch.add_column(sa.Column("review", sa.Text(), comment="What the supervisor says of it."))
        batch.add_column(sa.Column("reviewed_by_id", BIGINT, comment="Supervisor."))
        batch.add_column(sa.Column("reviewed_at", UtcDateTime(), comment="When it was reviewed."))
        batch.create_index(op.f("ix_work_log_reviewed_by_id"), ["reviewed_by_id"])
        batch.create_foreign_key(op.f("fk_work_log_reviewed_by_id"), "employee", ["reviewed_by_id"], ["id"])
    with op.batch_alter_table("work_plan") as batch:
        batch.add_column(
            sa.Column(
                "period",
                choice_type("day", "week", "month", "quarter", name="choice_day"),
                server_default="week",
                nullable=False,
                comment="Length of the period.",
            )
        )
        batch.add_column(sa.Column("review", sa.Text(), comment="What the supervisor says of it."))
        batch.add_column(sa.Column("reviewed_by_id", BIGINT, comment="Supervisor."))
        batch.add_column(sa.Column("reviewed_at", UtcDateTime(), comment="When it was reviewed."))
        batch.create_index(op.f("ix_work_plan_reviewed_by_id"), ["reviewed_by_id"])
        batch.create_foreign_key(op.f("fk_work_plan_reviewed_by_id"), "employee", ["reviewed_by_id"], ["id"])


def downgrade() -> None:
    """Refuse: going back would drop what staff have entered since."""
    raise NotImplementedError("this version cannot be undone; restore a backup instead")
