"""Add saved views of the pages of statistics."""

from __future__ import annotations

import sqlalchemy as sa

from data_entry.schema.migrations.shared import BIGINT, create_record_table

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table."""
    create_record_table(
        "saved_view",
        sa.Column(
            "account_id",
            BIGINT,
            sa.ForeignKey("account.id"),
            index=True,
            nullable=False,
            comment="Account that saved it.",
        ),
        sa.Column("name", sa.String(length=100), nullable=False, comment="Name."),
        sa.Column("path", sa.String(length=100), nullable=False, comment="Address of the page."),
        sa.Column(
            "query", sa.Text(), nullable=False, comment="Filters and choices, as the codes of the page's address."
        ),
        sa.Column(
            "is_shared",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Whether all who may open the page see it.",
        ),
    )
