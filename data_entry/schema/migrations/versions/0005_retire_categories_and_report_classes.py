"""Let categories of expenses and classes of reports be taken out of use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; what is there stays in use."""
    for table, comment in (
        ("expense_category", "Whether new expenses may take it."),
        ("report_class", "Whether new reports may take it."),
    ):
        with op.batch_alter_table(table) as batch:
            batch.add_column(
                sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False, comment=comment)
            )


def downgrade() -> None:
    """Refuse: going back would forget what was taken out of use."""
    raise NotImplementedError("this version cannot be undone; restore a backup instead")
