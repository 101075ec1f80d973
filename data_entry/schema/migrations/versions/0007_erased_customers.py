"""Let a customer's row say that the person's data was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; nobody was erased before."""
    with op.batch_alter_table("customer") as batch:
        batch.add_column(
            sa.Column(
                "erased_at",
                sa.DateTime(),
                nullable=True,
                comment="When the person's data was erased for good; empty while it is kept.",
            )
        )


def downgrade() -> None:
    """Refuse: going back would forget whose data was erased."""
    raise NotImplementedError("this version cannot be undone; restore a backup instead")
