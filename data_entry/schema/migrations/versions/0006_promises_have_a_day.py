"""Let a promise say by which day it is to be kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; promises made before have no day."""
    with op.batch_alter_table("promise") as batch:
        batch.add_column(
            sa.Column(
                "due_on", sa.Date(), nullable=True, comment="Day by which it is to be kept; empty if none was named."
            )
        )


def downgrade() -> None:
    """Refuse: going back would forget by when promises are to be kept."""
    raise NotImplementedError("this version cannot be undone; restore a backup instead")
