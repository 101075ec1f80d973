"""Add the targets of estates and the events that are marked on charts."""

from __future__ import annotations

import sqlalchemy as sa

from data_entry.schema.base import ExactNumeric
from data_entry.schema.migrations.shared import BIGINT, choice_type, create_record_table

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add two tables; every row stays."""
    create_record_table(
        "target",
        sa.Column("project_id", BIGINT, sa.ForeignKey("project.id"), nullable=False, comment="Estate."),
        sa.Column("month_on", sa.Date(), nullable=False, comment="First day of the month."),
        sa.Column(
            "metric",
            choice_type(
                "contract_amount", "contracts", "collected_amount", "leads", "visits", name="choice_contract_amount"
            ),
            nullable=False,
            comment="What is to be reached: a metric of the same name.",
        ),
        sa.Column("value", ExactNumeric(18, 2), nullable=False, comment="What is to be reached in the month."),
        sa.UniqueConstraint("project_id", "month_on", "metric"),
        sa.CheckConstraint("CAST(month_on AS VARCHAR(10)) LIKE '____-__-01'", name="month_begins"),
        sa.CheckConstraint("value >= 0", name="value_is_not_negative"),
    )
    create_record_table(
        "annotation",
        sa.Column("happened_on", sa.Date(), nullable=False, index=True, comment="Day it happened."),
        sa.Column(
            "project_id", BIGINT, sa.ForeignKey("project.id"), index=True,
            comment="Estate; empty for the whole company.",
        ),
        sa.Column(
            "kind",
            choice_type("launch", "policy", "price", "campaign", "other", name="choice_launch"),
            server_default="other",
            nullable=False,
            comment="What kind of event it was.",
        ),
        sa.Column(
            "title",
            sa.String(length=100),
            nullable=False,
            comment="What happened, in a few words. Everybody who sees the charts reads it: name no customers.",
        ),
        sa.Column("employee_id", BIGINT, sa.ForeignKey("employee.id"), index=True, comment="Employee who entered it."),
    )  # fmt: skip


def downgrade() -> None:
    """Refuse: going back would drop what staff have entered since."""
    raise NotImplementedError("this version cannot be undone; restore a backup instead")
